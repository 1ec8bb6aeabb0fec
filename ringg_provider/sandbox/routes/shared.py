"""What uploads and starts both check: the agent, the call_config and the campaign's times."""

from __future__ import annotations

from typing import Any

from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.windows import CallPlan, campaign_time, read_call_config
from ringg_provider.sandbox.workspace import Agent, Number
from ringg_provider.sandbox.world import World

_DEFAULT_WINDOW = {"g2": ("08:00", "20:00"), "g3": ("09:00", "21:00")}


def outbound_agent(world: World, agent_id: str) -> Agent:
    """The agent, if it exists and may call out; else 400."""
    agent = world.workspace.agents.get(agent_id)
    if agent is None or not agent.is_outbound:
        raise ApiError(400, "Invalid agent_id.")
    return agent


def caller_numbers(world: World, wanted: list[str], what: str = "campaigns") -> list[Number]:
    """The numbers with these ids, or so spelled; `what` they are wanted for is no test number's business."""
    found = {one: world.workspace.find_number(one) for one in wanted}
    if missing := [one for one, number in found.items() if number is None]:
        raise ApiError(400, f"From numbers not found: {', '.join(missing)}")
    numbers = [number for number in found.values() if number is not None]
    if any(number.is_test for number in numbers):
        raise ApiError(400, f"Test numbers cannot be used for {what}.")
    return numbers


def pool_numbers(world: World, pool_id: str) -> list[Number]:
    """The members of a pool that may dial; else 400."""
    members = world.workspace.pool_members(pool_id)
    if not members:
        raise ApiError(400, "Number pool not found.")
    return members


def read_plan(settings: Settings, config: Any) -> CallPlan:
    """A call_config object; 400 for what cannot be meant."""
    try:
        return read_call_config(config, _DEFAULT_WINDOW[settings.generation])
    except ValueError as refused:
        raise ApiError(400, str(refused)) from None


def read_times(plan: CallPlan, start: str | None, end: str | None, now: float) -> tuple[float, float]:
    """Start and end of a campaign as Unix times; the start must lie in the future."""
    try:
        starts_at = campaign_time(start, plan.zone, "campaign_start_time")
        ends_at = campaign_time(end, plan.zone, "campaign_end_time")
    except ValueError as refused:
        raise ApiError(400, str(refused)) from None
    if starts_at <= now:
        raise ApiError(400, "campaign_start_time must be in the future.")
    if ends_at <= starts_at:
        raise ApiError(400, "campaign_end_time must be after campaign_start_time.")
    return starts_at, ends_at
