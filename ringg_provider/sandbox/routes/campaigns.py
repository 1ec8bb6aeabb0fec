"""The listing of campaigns, and stopping them.

Follows https://docs.ringg.ai/api-reference/endpoint/campaign/get-all-campaigns and
https://docs.ringg.ai/api-reference/endpoint/terminate/campaign
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from ringg_provider.sandbox import wire
from ringg_provider.sandbox.call_log import newest_first
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.state import Sandbox, SandboxDep, bent_page
from ringg_provider.sandbox.world import World

router = APIRouter(tags=["Campaigns"])


@router.get("/campaign/all", summary="All campaigns, newest first")
async def get_campaigns(
    sandbox: SandboxDep,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
    offset: Annotated[int, Query(ge=0)] = 0,
    call_count: bool = True,
) -> dict[str, Any]:
    world, settings = sandbox.world, sandbox.settings
    for campaign in world.short_of_money():
        world.recheck_balance(campaign)
    listed = world.campaign_order
    if settings.listing_hides != "nothing" or settings.listing_lag_seconds:
        listed = [campaign for campaign in listed if wire.is_listed(campaign, world)]
    page, total = bent_page(request, lambda at: newest_first(listed, limit, at), len(listed), limit, offset)
    return {
        "campaigns": [wire.campaign_row(campaign, world, counted=call_count) for campaign in page],
        "pagination": {"total": total, "limit": limit, "offset": offset},
    }


class TerminateBody(BaseModel):
    """The body of `PATCH /campaign/terminate`: exactly one of its five modes."""

    campaign_id: str | None = None
    agent_id: str | None = None
    call_ids: list[str] | None = None
    mobile_numbers: list[str] | None = None


@router.patch("/campaign/terminate", summary="Stop a campaign, an agent's calls, single calls or numbers")
async def terminate(sandbox: SandboxDep, body: TerminateBody) -> dict[str, Any]:
    given = body.model_fields_set & {name for name, value in body if value is not None}
    if given not in (
        {"campaign_id"},
        {"agent_id"},
        {"call_ids"},
        {"mobile_numbers"},
        {"campaign_id", "mobile_numbers"},
    ):
        raise ApiError(
            422,
            "Provide exactly one of campaign_id, agent_id, call_ids, mobile_numbers (with or without campaign_id).",
        )
    stopped = _terminate_numbers(sandbox.world, body) if body.mobile_numbers is not None else _terminate(sandbox, body)
    if not stopped and not sandbox.settings.is_g3:
        raise ApiError(400, "No terminable calls found.")
    return {"message": "Calls terminated successfully!"}


def _terminate(sandbox: Sandbox, body: TerminateBody) -> int:
    world = sandbox.world
    if body.campaign_id is not None:
        campaign = world.find(body.campaign_id)
        waiting = campaign.state in ("preparing", "in_db")
        return world.terminate(campaign) + waiting
    if body.agent_id is not None:
        if body.agent_id not in world.workspace.agents:
            raise ApiError(404, "Agent not found")
        return world.cancel_calls(call for call in world.calls if call.agent_id == body.agent_id)
    if not body.call_ids:
        raise ApiError(422, "call_ids must not be empty.")
    return world.cancel_calls(world.calls_by_id[i] for i in body.call_ids if i in world.calls_by_id)


def _terminate_numbers(world: World, body: TerminateBody) -> int:
    numbers = body.mobile_numbers or []
    if not 1 <= len(numbers) <= 100:
        raise ApiError(422, "mobile_numbers must hold 1 to 100 numbers.")
    if any(not number.startswith("+") for number in numbers):
        raise ApiError(422, "mobile_numbers must start with + and the country code.")
    campaign = world.find(body.campaign_id) if body.campaign_id is not None else None
    calls = [
        call
        for number in dict.fromkeys(numbers)
        for call in world.calls_by_number.get(number, ())
        if campaign is None or call.list_id == campaign.id
    ]
    known = {call.to_number for call in calls}
    if (missing := [number for number in numbers if number not in known]) and not known:
        where = "in campaign" if campaign else "in workspace"
        raise ApiError(400, f"Mobile numbers not found {where}: {', '.join(missing)}")
    return world.cancel_calls(calls)
