"""Starting a list: caller numbers, pool, or the asynchronous start of the large flow.

Follows https://docs.ringg.ai/api-reference/endpoint/campaign/start-campaign and
https://docs.ringg.ai/api-reference/endpoint/campaign/make-large-campaign-calls-async
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StrictInt

from ringg_provider.sandbox import wire
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.routes.shared import caller_numbers, outbound_agent, pool_numbers, read_plan, read_times
from ringg_provider.sandbox.state import Sandbox, SandboxDep, act
from ringg_provider.sandbox.windows import daily_spans, slot_spans
from ringg_provider.sandbox.workspace import Number
from ringg_provider.sandbox.world import Campaign, Launch, World

router = APIRouter(tags=["Campaigns"])

_ALREADY_STARTED = "Campaign is already scheduled or ongoing."
_NOT_READY = "Bulk list is not ready to start."
_NO_CREDITS_ASYNC = "Insufficient balance to start this campaign. Please top up and use /check-balance to re-verify."
_WITHOUT_END_SECONDS = 7 * 86_400.0


class StartBody(BaseModel):
    """The body of `POST /campaign/start`."""

    agent_id: str
    list_id: str
    from_numbers: list[str] = Field(min_length=1)
    callback_url: str | None = None


class StartFromPoolBody(BaseModel):
    """The body of `POST /campaign/v2/start`."""

    agent_id: str
    list_id: str
    number_pool_id: str
    email_completion_user_ids: list[str] | None = None
    callback_url: str | None = None


class MakeCallBody(BaseModel):
    """The body of `POST /campaign/make-call-async`; what is required depends on the settings."""

    bulk_list_id: str
    agent_id: str
    country_code: str | None = None
    call_config: dict[str, Any] | None = None
    campaign_start_time: str | None = None
    campaign_end_time: str | None = None
    from_numbers: list[str] | None = None
    number_pool_id: str | None = None
    concurrency_percentage: Annotated[StrictInt, Field(ge=0, le=100)] = 0
    email_completion_user_ids: list[str] | None = None
    call_slots: dict[str, Any] | None = None
    callback_url: str | None = None


def _start(
    request: Request, sandbox: Sandbox, agent_id: str, list_id: str, numbers: list[Number], *, rotates: bool
) -> dict[str, Any]:
    world = sandbox.world
    campaign = world.find(list_id) if sandbox.settings.is_g3 else _known(world, list_id)
    if agent_id != campaign.agent_id:
        raise ApiError(400, "Invalid agent_id.")
    if campaign.flow != "save" or campaign.plan is None or campaign.starts_at is None or campaign.ends_at is None:
        raise ApiError(400, _NOT_READY)
    world.check_startable(campaign, _ALREADY_STARTED)
    now = world.clock.wall()
    if campaign.ends_at <= now:
        raise ApiError(400, "campaign_end_time is in the past.")
    spans = daily_spans(campaign.plan, campaign.starts_at, campaign.ends_at)
    launch = Launch(numbers, campaign.plan, spans, campaign.starts_at, campaign.ends_at, rotates)
    busy = any(job.live for job in world.dialer.jobs.values())

    def effect() -> None:
        world.check_startable(campaign, _ALREADY_STARTED)
        world.launch(campaign, launch)

    act(request, effect)
    answer = {"status": "campaign registered successfully!", "has_ongoing_calls": busy}
    if sandbox.settings.start_answer == "status_only":
        del answer["has_ongoing_calls"]
    return answer


def _known(world: World, list_id: str) -> Campaign:
    """Generation 2 answers 400, not 404, to a start of a list that it does not know."""
    try:
        return world.find(list_id)
    except ApiError as missing:
        raise ApiError(400, missing.text) from None


@router.post("/campaign/start", summary="Start a saved list with caller numbers")
async def start_campaign(sandbox: SandboxDep, request: Request, body: StartBody) -> dict[str, Any]:
    outbound_agent(sandbox.world, body.agent_id)
    numbers = caller_numbers(sandbox.world, body.from_numbers)
    return _start(request, sandbox, body.agent_id, body.list_id, numbers, rotates=False)


@router.post("/campaign/v2/start", summary="Start a saved list with a number pool")
async def start_frompool_numbers(sandbox: SandboxDep, request: Request, body: StartFromPoolBody) -> dict[str, Any]:
    outbound_agent(sandbox.world, body.agent_id)
    users = {user["id"] for user in sandbox.world.workspace.users}
    if set(body.email_completion_user_ids or ()) - users:
        raise ApiError(404, "User not found")
    numbers = pool_numbers(sandbox.world, body.number_pool_id)
    return _start(request, sandbox, body.agent_id, body.list_id, numbers, rotates=True)


@router.post("/campaign/make-call-async", summary="Start an uploaded list (large flow)")
async def make_call_async(sandbox: SandboxDep, request: Request, body: MakeCallBody) -> dict[str, Any]:
    world = sandbox.world
    _check_make_call(sandbox, body)
    campaign = world.find(body.bulk_list_id)
    outbound_agent(world, body.agent_id)
    if body.agent_id != campaign.agent_id:
        raise ApiError(400, "Invalid agent_id.")
    if body.country_code not in (None, campaign.country_code):
        raise ApiError(400, "country_code differs from the one used at upload.")
    if campaign.flow != "upload":
        raise ApiError(400, _NOT_READY)
    launch = _planned(sandbox, body)
    world.check_startable(campaign, _NOT_READY, _NO_CREDITS_ASYNC)

    def effect() -> None:
        world.check_startable(campaign, _NOT_READY, _NO_CREDITS_ASYNC)
        world.launch(campaign, launch)

    act(request, effect)
    return wire.make_call_accepted(campaign, sandbox.settings)


def _check_make_call(sandbox: Sandbox, body: MakeCallBody) -> None:
    if bool(body.from_numbers) == bool(body.number_pool_id):
        raise ApiError(422, "Provide exactly one of from_numbers / number_pool_id, not both")
    if (body.campaign_start_time is None) != (body.campaign_end_time is None):
        raise ApiError(422, "Provide campaign_start_time and campaign_end_time together.")
    if sandbox.settings.make_call_body == "minimal":
        return
    for name in ("country_code", "call_config"):
        if getattr(body, name) is None:
            raise ApiError(422, f"{name}: Field required")
    slots_allowed = sandbox.settings.is_g3 and body.call_slots is not None
    if body.campaign_start_time is None and not slots_allowed:
        raise ApiError(422, "campaign_start_time: Field required")


def _planned(sandbox: Sandbox, body: MakeCallBody) -> Launch:
    """Read when and with what a list is to be called. Unknown numbers and users are only found out later."""
    world = sandbox.world
    now = world.clock.wall()
    plan = read_plan(sandbox.settings, body.call_config or {})
    times: tuple[float, float] | None = None
    if body.campaign_start_time is not None:
        times = read_times(plan, body.campaign_start_time, body.campaign_end_time, now)
    if body.call_slots is not None and sandbox.settings.is_g3:
        try:
            spans = slot_spans(body.call_slots, plan, now, times)
        except ValueError as refused:
            raise ApiError(422, str(refused)) from None
        times = times or (spans[0][0], spans[-1][1])
    else:
        times = times or (now, now + _WITHOUT_END_SECONDS)
        spans = daily_spans(plan, *times)
    numbers, flaw = [], None
    try:
        numbers = (
            pool_numbers(world, body.number_pool_id)
            if body.number_pool_id
            else caller_numbers(world, body.from_numbers or [])
        )
        if set(body.email_completion_user_ids or ()) - {user["id"] for user in world.workspace.users}:
            flaw = "User not found"
    except ApiError as refused:
        flaw = refused.text
    rotates = body.number_pool_id is not None
    return Launch(numbers, plan, spans, *times, rotates, share_percent=body.concurrency_percentage, flaw=flaw)
