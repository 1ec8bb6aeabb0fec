"""The sandbox's own endpoints under `/_sandbox`: settings, faults, what happened, and bulk data for benchmarks."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, ValidationError

from ringg_provider.sandbox import wire
from ringg_provider.sandbox.bulk import seed_calls, seed_campaigns
from ringg_provider.sandbox.calls import Call
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.faults import DeliveryFault, Fault
from ringg_provider.sandbox.people import Promise
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.smartalex.shared import smartalex_call_id
from ringg_provider.sandbox.state import SandboxDep

router = APIRouter(prefix="/_sandbox", tags=["Sandbox"])


@router.post("/reset", summary="Forget everything since the start")
async def reset(sandbox: SandboxDep) -> dict[str, str]:
    sandbox.reset()
    return {"message": "reset"}


@router.get("/settings", summary="All settings")
async def get_settings(sandbox: SandboxDep) -> dict[str, Any]:
    return sandbox.settings.model_dump(mode="json", exclude={"api_key"})


_ANY_SETTINGS = {"requestBody": {"content": {"application/json": {"schema": Settings.model_json_schema()}}}}


@router.patch("/settings", summary="Change settings while running", openapi_extra=_ANY_SETTINGS)
async def change_settings(sandbox: SandboxDep, changes: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(changes) - set(type(sandbox.settings).model_fields))
    if unknown:
        raise ApiError(422, f"Unknown settings: {', '.join(unknown)}")
    try:
        sandbox.world.change(changes)
    except ValidationError as refused:
        first = refused.errors(include_url=False, include_input=False)[0]
        raise ApiError(422, f"{first['loc'][0]}: {first['msg']}") from None
    return sandbox.settings.model_dump(mode="json", exclude={"api_key"})


class Skip(BaseModel):
    """How far to jump ahead."""

    seconds: float = Field(gt=0)


@router.post("/skip", summary="Let so many simulated seconds pass at once")
async def skip(sandbox: SandboxDep, jump: Skip) -> dict[str, float]:
    sandbox.smartalex.advance()
    sandbox.world.skip(jump.seconds)
    sandbox.smartalex.advance()
    return {"skipped": jump.seconds}


@router.post("/faults", summary="Add one fault, or a list of them")
async def add_faults(sandbox: SandboxDep, faults: Fault | list[Fault]) -> dict[str, int]:
    for fault in faults if isinstance(faults, list) else [faults]:
        sandbox.faults.add(fault)
    return {"pending": len(sandbox.faults.pending())}


@router.get("/faults", summary="Faults that have not happened yet")
async def get_faults(sandbox: SandboxDep) -> list[Fault]:
    return sandbox.faults.pending()


@router.delete("/faults", summary="Drop all faults")
async def clear_faults(sandbox: SandboxDep) -> dict[str, int]:
    sandbox.faults.clear()
    return {"pending": 0}


@router.get("/webhooks", summary="Attempts to deliver webhooks, and how many deliveries are to come: no bodies")
async def get_webhooks(sandbox: SandboxDep) -> dict[str, Any]:
    return {"pending": sandbox.courier.pending, "attempts": list(sandbox.courier.log)}


class SendAgain(BaseModel):
    """Which events to tell once more of every call that has ended."""

    events: list[str] = ["call_completed"]


@router.post("/webhooks/send", summary="Tell events of every ended call again, also of those that were made up")
async def send_webhooks(sandbox: SandboxDep, wanted: SendAgain) -> dict[str, int]:
    return {"sent": sandbox.webhooks.send_again(wanted.events)}


@router.post("/webhooks/faults", summary="Add one fault of deliveries, or a list of them")
async def add_delivery_faults(sandbox: SandboxDep, faults: DeliveryFault | list[DeliveryFault]) -> dict[str, int]:
    for fault in faults if isinstance(faults, list) else [faults]:
        sandbox.courier.faults.add(fault)
    return {"pending": len(sandbox.courier.faults.pending())}


@router.get("/webhooks/faults", summary="Faults of deliveries that have not happened yet")
async def get_delivery_faults(sandbox: SandboxDep) -> list[DeliveryFault]:
    return sandbox.courier.faults.pending()


@router.delete("/webhooks/faults", summary="Drop all faults of deliveries")
async def clear_delivery_faults(sandbox: SandboxDep) -> dict[str, int]:
    sandbox.courier.faults.clear()
    return {"pending": 0}


@router.get("/requests", summary="Requests to the API so far: no bodies, no filters")
async def get_requests(sandbox: SandboxDep) -> list[dict[str, Any]]:
    return list(sandbox.requests)


@router.get("/state", summary="Campaigns and calls as they really are, whatever the listing hides")
async def get_state(sandbox: SandboxDep, calls: bool = True) -> dict[str, Any]:
    world = sandbox.world
    return {
        "generation": sandbox.settings.generation,
        "balance": str(world.balance),
        "campaigns": [
            {
                "id": campaign.id,
                "name": campaign.name,
                "flow": campaign.flow,
                "state": campaign.state,
                "states": [{"at": wire.instant(at), "state": state} for at, state in campaign.states],
                "agent_id": campaign.agent_id,
                "launches": campaign.launches,
                "contacts": len(campaign.contacts),
                "invalid_rows": campaign.invalid_rows,
                "calls": {status: count for status, count in campaign.counts.items() if count},
            }
            for campaign in chain(world.campaign_order, sandbox.smartalex.campaign_order)
        ],
        "calls": [_call(call) for call in chain(world.calls, sandbox.smartalex.calls)] if calls else [],
        "call_counts": dict(Counter(call.status for call in chain(world.calls, sandbox.smartalex.calls))),
    }


def _call(call: Call) -> dict[str, Any]:
    return {
        "id": call.id,
        "list_id": call.list_id,
        "launch": call.launch,
        "to_number": call.to_number,
        "status": call.status,
        "sub_status": call.sub_status,
        "created_at": wire.instant(call.created_at),
        "ended_at": wire.instant(call.ended_at),
        "duration": call.duration,
        "cost": str(call.cost),
        "attempts": wire.attempts(call),
    }


@router.get("/callbacks", summary="Who asked to be called back, what they meant, and whether they were")
async def get_callbacks(sandbox: SandboxDep) -> list[dict[str, Any]]:
    """One entry a request, in their order. `calls` are those that rang until the person was reached, or asked anew."""
    patience = sandbox.settings.callback_patience_seconds
    return [
        _promise(promise, platform, _standing(promise, world.clock.wall(), patience))
        for platform, world in (("ringg", sandbox.world), ("smartalex", sandbox.smartalex))
        for promise in world.people.promises
    ]


def _standing(promise: Promise, now: float, patience: float | None) -> str:
    if promise.kept:
        return "kept"
    if promise.wish.latest is None:
        return "unclear"
    return "lost" if patience is not None and now > promise.wish.latest + patience else "waiting"


def _promise(promise: Promise, platform: str, standing: str) -> dict[str, Any]:
    def call_id(call: Call, attempt: int) -> str:
        return call.id if platform == "ringg" else smartalex_call_id(call, attempt)

    wish = promise.wish
    return {
        "platform": platform,
        "call_id": call_id(promise.call, promise.attempt),
        "list_id": promise.call.list_id,
        "to_number": promise.call.to_number,
        "asked_at": wire.instant(promise.call.ended_at),
        "words": wish.words,
        "timezone": wish.zone,
        "earliest": wire.instant(wish.earliest),
        "latest": wire.instant(wish.latest),
        "state": standing,
        "calls": [
            {
                "call_id": call_id(ring.call, ring.attempt),
                "list_id": ring.call.list_id,
                "call_type": ring.call.call_type,
                "at": wire.instant(ring.at),
                "reached": ring.reached,
            }
            for ring in promise.rings
        ],
    }


@router.get("/dials", summary="How often each number was called: what tests of at-most-once count")
async def get_dials(sandbox: SandboxDep) -> dict[str, Any]:
    """`calls` counts the calls that starts created (retries by the platform are `attempts` of the same call)."""
    numbers: dict[str, Any] = {}
    lists: dict[str, Any] = {}
    for campaign in chain(sandbox.world.campaign_order, sandbox.smartalex.campaign_order):
        per_number = Counter(call.to_number for call in campaign.calls)
        lists[campaign.id] = {
            "name": campaign.name,
            "launches": campaign.launches,
            "calls": len(campaign.calls),
            "attempts": sum(len(call.attempts) for call in campaign.calls),
            "max_calls_per_number": max(per_number.values(), default=0),
        }
    for number in [*sandbox.world.calls_by_number, *sandbox.smartalex.calls_by_number]:
        calls = [*sandbox.world.calls_by_number.get(number, ()), *sandbox.smartalex.calls_by_number.get(number, ())]
        numbers[number] = {
            "calls": len(calls),
            "dialled_calls": sum(bool(call.attempts) for call in calls),
            "attempts": sum(len(call.attempts) for call in calls),
            "lists": dict(Counter(str(call.list_id) for call in calls)),
        }
    return {
        "numbers": numbers,
        "lists": lists,
        "max_calls_per_number": max((entry["calls"] for entry in numbers.values()), default=0),
    }


@router.post("/campaigns/{campaign_id}/pause", summary="Pause as a person could in the dashboard; no API can")
async def pause(sandbox: SandboxDep, campaign_id: str) -> dict[str, str | None]:
    campaign = sandbox.world.find(campaign_id)
    sandbox.world.pause(campaign)
    return {"state": campaign.state}


@router.post("/campaigns/{campaign_id}/resume", summary="Go on with a paused campaign")
async def resume(sandbox: SandboxDep, campaign_id: str) -> dict[str, str | None]:
    campaign = sandbox.world.find(campaign_id)
    sandbox.world.resume(campaign)
    return {"state": campaign.state}


@router.post("/smartalex/campaigns/{campaign_id}/cancel", summary="Stop a SmartAlex campaign by hand; no API can")
async def cancel(sandbox: SandboxDep, campaign_id: str) -> dict[str, str | None]:
    campaign = sandbox.smartalex.find(campaign_id)
    sandbox.smartalex.terminate(campaign, "cancelled")
    return {"state": campaign.state}


class CampaignSeed(BaseModel):
    """How many campaigns to make up, and in which states (in turn)."""

    count: int = Field(ge=1, le=1_000_000)
    states: list[str | None] = ["completed", "ongoing", "scheduled", "draft", "terminated"]


class CallSeed(BaseModel):
    """How many finished calls to make up in one campaign, spread over the `hours` up to now."""

    count: int = Field(ge=1, le=2_000_000)
    hours: float = Field(24.0, gt=0)
    campaign_name: str = "Seeded calls"


@router.post("/seed/campaigns", summary="Make up campaigns, oldest first, without calls")
async def post_campaigns(sandbox: SandboxDep, seed: CampaignSeed) -> dict[str, list[str]]:
    return {"ids": seed_campaigns(sandbox.world, seed.count, seed.states)}


@router.post("/seed/calls", summary="Make up a finished campaign with its calls")
async def post_calls(sandbox: SandboxDep, seed: CallSeed) -> dict[str, str]:
    return {"id": seed_calls(sandbox.world, seed.count, seed.hours, seed.campaign_name)}
