"""History, export, one call's details, single calls (https://docs.ringg.ai/api-reference/endpoint/history/get-call-history)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from ringg_provider.sandbox import wire
from ringg_provider.sandbox.call_log import CALL_TYPES, STATUSES, CallFilter, is_uuid, read_date
from ringg_provider.sandbox.calls import Call
from ringg_provider.sandbox.csv_rules import normalise
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.routes.shared import caller_numbers, outbound_agent, pool_numbers
from ringg_provider.sandbox.state import Sandbox, SandboxDep, bent_page
from ringg_provider.sandbox.windows import read_call_config
from ringg_provider.sandbox.workspace import Number
from ringg_provider.sandbox.world import World

router = APIRouter(tags=["Calls"])

_G3_PAGE = 200
_PARALLEL_EXPORTS = 3
_SINGLE_CALL_SECONDS = 2 * 86_400.0

Many = Annotated[list[str], Query()]
SortBy = Literal["call_time", "created_at", "called_on_time", "call_duration", "credits_used", "retry_count"]


def _dates(sandbox: Sandbox, start: str | None, end: str | None) -> tuple[float | None, float | None]:
    if not sandbox.settings.choose(sandbox.settings.history_is_whole_by_default):
        start, end = start or "2025-09-25T00:00:00+05:30", end or "2025-09-25T23:59:59+05:30"
    try:
        return read_date(start, "start_date"), read_date(end, "end_date")
    except ValueError as refused:
        raise ApiError(400, str(refused)) from None


def _check_enums(statuses: list[str], call_types: list[str], agent_ids: list[str]) -> None:
    if bad := [status for status in statuses if status not in STATUSES]:
        raise ApiError(400, f"Invalid status: {bad[0]}")
    if bad := [kind for kind in call_types if kind not in CALL_TYPES]:
        raise ApiError(400, f"Invalid call_type: {bad[0]}")
    if any(not is_uuid(agent_id) for agent_id in agent_ids):
        raise ApiError(400, "Invalid agent_id.")


def _take_history_turn(sandbox: Sandbox) -> None:
    """Ten list requests a minute for the whole workspace, over a sliding window of real time."""
    settings, taken = sandbox.settings, sandbox.world.history_requests
    now = sandbox.world.clock.wall()
    while taken and taken[0] <= now - settings.history_rate_window_seconds:
        taken.popleft()
    if settings.history_rate_window_seconds and len(taken) >= settings.history_rate_limit:
        wait = taken[0] + settings.history_rate_window_seconds - now
        headers = {"Retry-After": str(max(1, int(wait + 0.999)))} if settings.history_retry_after else None
        raise ApiError(429, "Rate limit exceeded. Please try again later.", headers)
    taken.append(now)


@router.get("/calling/history", summary="Calls, ten requests a minute")
async def get_history(
    sandbox: SandboxDep,
    request: Request,
    start_date: str | None = None,
    end_date: str | None = None,
    limit: Annotated[int, Query(ge=1)] = 10,
    offset: Annotated[int, Query(ge=0)] = 0,
    agent_id: Many = [],  # noqa: B006
    status: Many = [],  # noqa: B006
    bulk_list_id: Many = [],  # noqa: B006
    version_id: Many = [],  # noqa: B006
    call_type: Many = [],  # noqa: B006
    from_number: str | None = None,
    to_number: str | None = None,
    call_id: str | None = None,
    sort_by: SortBy = "call_time",
    sort_order: Literal["asc", "desc"] = "desc",
) -> dict[str, Any]:
    settings = sandbox.settings
    if settings.is_g3 and limit > _G3_PAGE:
        raise ApiError(400, f"Limit cannot be greater than {_G3_PAGE}")
    start, end = _dates(sandbox, start_date, end_date)
    _check_enums(status, call_type, agent_id)
    _take_history_turn(sandbox)
    wanted = CallFilter(
        start, end, tuple(agent_id), tuple(status), tuple(bulk_list_id), tuple(version_id), tuple(call_type),
        from_number, to_number, call_id, sort_by, sort_order == "desc",
    )  # fmt: skip
    matches = len(sandbox.call_log.all(wanted))
    total: Any = "many" if settings.history_total == "many" else matches
    page, total = bent_page(request, lambda at: sandbox.call_log.page(wanted, limit, at), total, limit, offset)
    return {
        "calls": [wire.history_row(call, sandbox.world, sandbox.recording_link(call)) for call in page],
        "limit": limit,
        "offset": offset,
        "count": len(page),
        "total": total,
    }


@router.post("/calling/history/download", summary="Export by e-mail; all filters are query parameters")
async def export_history(
    sandbox: SandboxDep, request: Request, start_date: str | None = None, end_date: str | None = None
) -> dict[str, Any]:
    _dates(sandbox, start_date, end_date)
    now, exports = sandbox.world.events.now(), sandbox.world.exports
    running = {query: until for query, until in exports.items() if until > now}
    if request.url.query in running:
        raise ApiError(409, "The same export is already in progress.")
    if len(running) >= _PARALLEL_EXPORTS:
        raise ApiError(429, "Too many exports are running.")
    sandbox.world.exports = {**running, request.url.query: now + sandbox.settings.export_seconds}
    return {"message": "Call history export has been queued. You will receive an email shortly."}


@router.get("/calling/call-details", summary="One call, with its analysis once that is ready")
async def get_call_details(
    sandbox: SandboxDep,
    call_id: Annotated[str, Query(alias="id")],
    send_analysis: bool = False,
    call_metrics: bool = False,
) -> dict[str, Any]:
    call = sandbox.world.calls_by_id.get(call_id)
    if call is None:
        raise ApiError(404, "Call not found")
    answer = wire.call_details(call, sandbox.world, sandbox.recording_link(call, fresh=True), send_analysis)
    if call_metrics:
        answer["data"]["metrics"] = []
    return answer


class SingleCallBody(BaseModel):
    """The body of `POST /calling/outbound/individual`."""

    name: str = Field(min_length=1)
    mobile_number: str = Field(min_length=1)
    agent_id: str
    from_number_id: str | list[str] | None = None
    from_number: str | list[str] | None = None
    custom_args_values: dict[str, Any] | None = None
    call_config: dict[str, Any] | None = None
    call_validity_hours: float | None = Field(None, gt=0)
    call_deadline: datetime | None = None
    parent_call_id: str | None = None


class PoolCallBody(SingleCallBody):
    """The body of `POST /calling/v2/outbound/individual`: a pool wins over numbers."""

    number_pool_id: str | None = None
    voice_id: str | None = None


@router.post("/calling/outbound/individual", summary="Call one person")
async def call_one(sandbox: SandboxDep, body: SingleCallBody) -> dict[str, Any]:
    if body.from_number_id and body.from_number:
        raise ApiError(422, "Provide either from_number_id or from_number, not both")
    if not (body.from_number_id or body.from_number):
        raise ApiError(
            400,
            "Either from_number_id or from_number must be provided, or configure default outbound numbers "
            "on the agent version",
        )
    return _call(sandbox, body, _callers(sandbox.world, body))


@router.post("/calling/v2/outbound/individual", summary="Call one person, possibly from a pool")
async def call_one_from_pool(sandbox: SandboxDep, body: PoolCallBody) -> dict[str, Any]:
    if not (body.number_pool_id or body.from_number_id or body.from_number):
        status = 422 if sandbox.settings.is_g3 else 400
        raise ApiError(status, "Provide at least one of: number_pool_id, from_number_id, from_number")
    if body.number_pool_id is None:
        return _call(sandbox, body, _callers(sandbox.world, body))
    return _call(sandbox, body, pool_numbers(sandbox.world, body.number_pool_id))


def _callers(world: World, body: SingleCallBody) -> list[Number]:
    given = body.from_number_id or body.from_number or []
    return caller_numbers(world, [given] if isinstance(given, str) else given, "API calls")


def _call(sandbox: Sandbox, body: SingleCallBody, callers: list[Number]) -> dict[str, Any]:
    world, from_numbers = sandbox.world, [number.number for number in callers]
    agent = outbound_agent(world, body.agent_id)
    number = normalise(body.mobile_number, "+91") if body.mobile_number.startswith("+91") else None
    if number is None and (not body.mobile_number.startswith("+") or not body.mobile_number[1:].isdecimal()):
        raise ApiError(400, "mobile_number must be a valid number with its country code.")
    values = {
        "callee_name": body.name,
        "mobile_number": body.mobile_number,
        **(body.custom_args_values or {}),
    }
    if body.custom_args_values is not None and (missing := [v for v in agent.variables if v not in values]):
        raise ApiError(400, f"Missing custom arguments: {', '.join(missing)}")
    if world.balance <= 0:
        raise ApiError(402, "Your current balance is insufficient to initiate this call!")
    try:
        plan = read_call_config(body.call_config or {}, ("00:00", "23:59"))
    except ValueError as refused:
        raise ApiError(400, str(refused)) from None
    now = world.clock.wall()
    ends = [now + _SINGLE_CALL_SECONDS]
    if body.call_validity_hours:
        ends.append(now + body.call_validity_hours * 3600)
    if body.call_deadline:
        ends.append(body.call_deadline.timestamp())
    call = Call(
        to_number=number or body.mobile_number,
        name=body.name,
        variables={key: str(value) for key, value in values.items()},
        agent_id=agent.id,
        list_id=None,
        launch=1,
        created_at=world.events.wall(),
        sub_status="QUEUED",
    )
    world.start_single(call, plan, from_numbers, min(ends))
    return wire.single_call(call, sandbox.settings, from_numbers[0])
