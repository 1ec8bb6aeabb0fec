"""SmartAlex's calls: each attempt is one of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from ringg_provider.sandbox import wire
from ringg_provider.sandbox.calls import Attempt, Call
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.smartalex.shared import (
    STATUS,
    PageNumber,
    PageSize,
    called_person,
    contact_id,
    is_new,
    paged,
    smartalex_call_id,
)
from ringg_provider.sandbox.state import SandboxDep
from ringg_provider.sandbox.world import World

router = APIRouter()


def _attempts(world: World) -> Iterator[tuple[Call, int, Attempt]]:
    for call in world.calls:
        for number, attempt in enumerate(call.attempts, 1):
            if number < len(call.attempts) or call.status != "ongoing":
                yield call, number, attempt


def call_row(entry: tuple[Call, int, Attempt], new: bool) -> dict[str, Any]:
    """One attempt, as the list of calls shows it."""
    call, number, attempt = entry
    status = STATUS[attempt.outcome]
    row: dict[str, Any] = {
        "id": smartalex_call_id(call, number),
        "direction": "outbound",
        "agent_id": call.agent_id,
        "sentiment": "positive" if status == "completed" else None,
        "cost": float(call.cost) if status == "completed" else 0.0,
    }
    started = wire.instant(attempt.started_at)
    if new:
        return row | {
            "contact_id": contact_id(call.to_number),
            "call_status": status,
            "duration_seconds": attempt.talk_seconds,
            "start_timestamp": started,
            "end_timestamp": wire.instant(call.ended_at),
        }
    person = {key: value for key, value in called_person(call).items() if key != "phone"}
    return row | {
        "phone_number": call.to_number,
        "contact": person,
        "status": status,
        "duration": attempt.talk_seconds,
        "created_at": started,
    }


@router.get("/calls", summary="Calls, newest first; a retry is a call of its own")
async def list_calls(
    sandbox: SandboxDep,
    request: Request,
    agent_id: str | None = None,
    campaign_id: str | None = None,
    direction: str | None = None,
    status: str | None = None,
    from_date: datetime | None = None,
    to_date: datetime | None = None,
    since_hours: Annotated[int | None, Query(ge=1)] = None,
    page: PageNumber = 1,
    per_page: PageSize = 20,
) -> dict[str, Any]:
    world, new = sandbox.smartalex, is_new(sandbox)
    rows = [entry for entry in _attempts(world) if status in (None, STATUS[entry[2].outcome])]
    if new:
        since = world.clock.wall() - (since_hours or 10**6) * 3600
        rows = [entry for entry in rows if entry[2].started_at >= since]
    else:
        rows = [
            (call, number, attempt)
            for call, number, attempt in rows
            if agent_id in (None, call.agent_id)
            and campaign_id in (None, call.list_id)
            and direction in (None, "outbound")
            and (from_date is None or attempt.started_at >= from_date.timestamp())
            and (to_date is None or attempt.started_at <= to_date.timestamp())
        ]
    rows.sort(key=lambda entry: entry[2].started_at, reverse=True)
    return paged(request, rows, lambda entry: call_row(entry, new), page, per_page)


@router.get("/calls/{call_id}", summary="One call with its campaign and transcript")
async def get_call(sandbox: SandboxDep, call_id: str) -> dict[str, Any]:
    world = sandbox.smartalex
    _, _, rest = call_id.partition("_")
    inner, _, number = rest.rpartition("_")
    call = world.calls_by_id.get(inner)
    if call is None or not number.isdigit() or not 1 <= int(number) <= len(call.attempts):
        raise ApiError(404, "Call not found", code="not_found")
    attempt = call.attempts[int(number) - 1]
    said = [{"speaker": "agent", "text": "Hello.", "timestamp": 0}] if attempt.outcome == "completed" else []
    return {
        "data": call_row((call, int(number), attempt), is_new(sandbox))
        | {"campaign_id": call.list_id, "summary": "A short talk." if said else None, "transcript": said}
    }
