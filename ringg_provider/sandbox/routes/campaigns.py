"""Lists, starts, the listing and stopping (https://docs.ringg.ai/api-reference/tutorials/setting-up-bulk-calls)."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, UploadFile
from pydantic import BaseModel, Field, StrictInt

from .. import csv_rules, wire
from ..csv_rules import CallingList
from ..errors import ApiError
from ..state import Sandbox, SandboxDep, act, file_url, get_fault
from ..windows import CallPlan, campaign_time, daily_spans, read_call_config, slot_spans
from ..workspace import Agent, Number
from ..world import DEFAULT_PLAN_WINDOW, Campaign, Launch, World

router = APIRouter(tags=["Campaigns"])

_ALREADY_STARTED = "Campaign is already scheduled or ongoing."
_NOT_READY = "Bulk list is not ready to start."
_NO_CREDITS_ASYNC = (
    "Insufficient balance to start this campaign. Please top up and use /check-balance to re-verify."
)
_WITHOUT_END_SECONDS = 7 * 86_400.0


# -- uploading


class Upload(BaseModel):
    """The multipart fields that both uploads share; structured ones are JSON text."""

    file: UploadFile
    campaign_name: str = Field(min_length=1)
    agent_id: str
    country_code: str
    variables_map: str
    remove_invalid_rows: bool = False
    transliterate_callee_name: bool = False
    transliterate_fields: str | None = None


class SaveUpload(Upload):
    """The fields of `POST /campaign/save`."""

    call_config: str
    campaign_start_time: str
    campaign_end_time: str


class LargeUpload(Upload):
    """The fields of `POST /campaign/upload-csv`; the schedule is accepted, and ignored."""

    call_config: str | None = None
    campaign_start_time: str | None = None
    campaign_end_time: str | None = None


def _outbound_agent(world: World, agent_id: str) -> Agent:
    agent = world.workspace.agents.get(agent_id)
    if agent is None or not agent.is_outbound:
        raise ApiError(400, "Invalid agent_id.")
    return agent


async def _open_upload(
    sandbox: Sandbox, upload: Upload
) -> tuple[list[list[str]], dict[str, str], str, list[str]]:
    """The file's lines, the mapping, the country code and what to transliterate; refused as the vendor refuses."""
    agent = _outbound_agent(sandbox.world, upload.agent_id)
    settings, data = sandbox.settings, await upload.file.read()
    try:
        country_code = csv_rules.read_country_code(upload.country_code)
        mapping = csv_rules.read_variables_map(upload.variables_map, agent.variables)
        names = csv_rules.read_transliterate_fields(upload.transliterate_fields, mapping)
        if upload.transliterate_callee_name and "callee_name" not in names:
            names.append("callee_name")
        lines = await asyncio.to_thread(
            csv_rules.open_list, data, upload.file.filename, mapping, settings.max_upload_bytes
        )
    except ValueError as refused:
        raise ApiError(400, str(refused)) from None
    if len(lines) - 1 > settings.row_allowance:
        raise ApiError(402, f"You can only upload up to {settings.row_allowance} contacts.")
    return lines, mapping, country_code, names


def _read_plan(sandbox: Sandbox, config: Any) -> CallPlan:
    try:
        return read_call_config(config, DEFAULT_PLAN_WINDOW[sandbox.settings.generation])
    except ValueError as refused:
        raise ApiError(400, str(refused)) from None


def _read_times(plan: CallPlan, start: str | None, end: str | None, now: float) -> tuple[float, float]:
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


@router.post("/campaign/save", summary="Upload a list with its settings (standard flow)")
async def save_campaign(sandbox: SandboxDep, upload: Annotated[SaveUpload, Form()]) -> dict[str, Any]:
    world = sandbox.world
    try:
        config = json.loads(upload.call_config)
    except ValueError:
        raise ApiError(400, "call_config must be a JSON object.") from None
    plan = _read_plan(sandbox, config)
    starts_at, ends_at = _read_times(plan, upload.campaign_start_time, upload.campaign_end_time, world.clock.wall())
    lines, mapping, country_code, names = await _open_upload(sandbox, upload)
    rows = await asyncio.to_thread(csv_rules.check_rows, lines, mapping, country_code, names)
    if rows.invalid and not upload.remove_invalid_rows:
        raise ApiError(
            400, f"{len(rows.invalid)} rows are invalid. Fix them or set remove_invalid_rows to true."
        )
    if not rows.contacts:
        raise ApiError(400, "No valid contacts found in the CSV.")
    campaign = _new_campaign(world, upload, country_code, "save", rows.total_rows)
    campaign.plan, campaign.starts_at, campaign.ends_at = plan, starts_at, ends_at
    world.add_campaign(campaign, "draft")
    world.fill(campaign, rows)
    answer: dict[str, Any] = {
        "message": "Contacts imported successfully!",
        "list_id": campaign.id,
        "total_rows": rows.total_rows,
        "successful_rows": len(rows.contacts),
        "failed_rows": len(rows.invalid),
    }
    echoes = sandbox.settings.save_echoes_rows
    if sandbox.settings.is_g3 if echoes is None else echoes:
        answer["custom_args_values"] = [contact.variables for contact in rows.contacts]
    return answer


def _new_campaign(
    world: World, upload: Upload, country_code: str, flow: str, rows: int
) -> Campaign:
    return Campaign(
        name=upload.campaign_name,
        agent_id=upload.agent_id,
        country_code=country_code,
        flow=flow,
        created_at=world.events.wall(),
        total_rows=rows,
        file_name=upload.file.filename or "contacts.csv",
    )


@router.post("/campaign/upload-csv", summary="Upload a list that is verified in the background (large flow)")
async def upload_csv(
    sandbox: SandboxDep, request: Request, upload: Annotated[LargeUpload, Form()]
) -> dict[str, Any]:
    world = sandbox.world
    lines, mapping, country_code, names = await _open_upload(sandbox, upload)
    campaign = _new_campaign(world, upload, country_code, "upload", len(lines) - 1)
    world.add_campaign(campaign, "verifying")
    world.verify(campaign)

    async def verify() -> None:
        rows: CallingList | None = None
        try:
            rows = await asyncio.to_thread(csv_rules.check_rows, lines, mapping, country_code, names)
        finally:
            world.verified(campaign, rows)

    tasks: set[asyncio.Task[None]] = request.app.state.tasks
    task = asyncio.create_task(verify())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return wire.upload_accepted(campaign, sandbox.settings)


def _uploaded(sandbox: Sandbox, campaign_id: str) -> Campaign:
    campaign = sandbox.world.find(campaign_id)
    saved_too = sandbox.settings.upload_status_for_saved_lists
    if campaign.flow == "save" and not (sandbox.settings.is_g3 if saved_too is None else saved_too):
        return sandbox.world.find("")
    return campaign


@router.get("/campaign/upload-status/{bulk_list_id}", summary="How far an upload, and later its campaign, is")
async def get_upload_status(sandbox: SandboxDep, request: Request, bulk_list_id: str) -> dict[str, Any]:
    campaign = _uploaded(sandbox, bulk_list_id)
    url = file_url(request, "invalid-rows", f"{campaign.id}.csv") if campaign.invalid_report else None
    return wire.upload_status(campaign, sandbox.world, url)


@router.post("/campaign/check-balance/{bulk_list_id}", summary="Check again whether the list can be paid")
async def check_balance(sandbox: SandboxDep, bulk_list_id: str) -> dict[str, Any]:
    world, settings = sandbox.world, sandbox.settings
    campaign = _uploaded(sandbox, bulk_list_id)
    only_when_short = settings.check_balance_only_when_short
    if settings.is_g3 if only_when_short is None else only_when_short:
        if campaign.state != "insufficient_balance":
            raise ApiError(400, "Bulk list is not in insufficient_balance state.")
    answer = wire.balance(campaign, world)
    world.recheck_balance(campaign)
    return answer


# -- starting


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


def _numbers(world: World, wanted: list[str]) -> list[Number]:
    found = {one: world.workspace.find_number(one) for one in wanted}
    if missing := [one for one, number in found.items() if number is None]:
        raise ApiError(400, f"From numbers not found: {', '.join(missing)}")
    numbers = [number for number in found.values() if number is not None]
    if any(number.is_test for number in numbers):
        raise ApiError(400, "Test numbers cannot be used for campaigns.")
    return numbers


def _pool(world: World, pool_id: str) -> list[Number]:
    members = world.workspace.pool_members(pool_id)
    if not members:
        raise ApiError(400, "Number pool not found.")
    return members


def _start(
    request: Request, sandbox: Sandbox, agent_id: str, list_id: str, numbers: list[Number]
) -> dict[str, Any]:
    world = sandbox.world
    campaign = world.find(list_id) if sandbox.settings.is_g3 else _known(world, list_id)
    if agent_id != campaign.agent_id:
        raise ApiError(400, "Invalid agent_id.")
    if (
        campaign.flow != "save"
        or campaign.plan is None
        or campaign.starts_at is None
        or campaign.ends_at is None
    ):
        raise ApiError(400, _NOT_READY)
    world.check_startable(campaign, _ALREADY_STARTED)
    now = world.clock.wall()
    if campaign.ends_at <= now:
        raise ApiError(400, "campaign_end_time is in the past.")
    spans = daily_spans(campaign.plan, campaign.starts_at, campaign.ends_at)
    launch = Launch(numbers, campaign.plan, spans, campaign.starts_at, campaign.ends_at)
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
    _outbound_agent(sandbox.world, body.agent_id)
    return _start(request, sandbox, body.agent_id, body.list_id, _numbers(sandbox.world, body.from_numbers))


@router.post("/campaign/v2/start", summary="Start a saved list with a number pool")
async def start_from_pool(sandbox: SandboxDep, request: Request, body: StartFromPoolBody) -> dict[str, Any]:
    _outbound_agent(sandbox.world, body.agent_id)
    users = {user["id"] for user in sandbox.world.workspace.users}
    if set(body.email_completion_user_ids or ()) - users:
        raise ApiError(404, "User not found")
    return _start(request, sandbox, body.agent_id, body.list_id, _pool(sandbox.world, body.number_pool_id))


@router.post("/campaign/make-call-async", summary="Start an uploaded list (large flow)")
async def make_call_async(sandbox: SandboxDep, request: Request, body: MakeCallBody) -> dict[str, Any]:
    world = sandbox.world
    _check_make_call(sandbox, body)
    campaign = world.find(body.bulk_list_id)
    _outbound_agent(world, body.agent_id)
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
    plan = _read_plan(sandbox, body.call_config or {})
    times: tuple[float, float] | None = None
    if body.campaign_start_time is not None:
        times = _read_times(plan, body.campaign_start_time, body.campaign_end_time, now)
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
            _pool(world, body.number_pool_id)
            if body.number_pool_id
            else _numbers(world, body.from_numbers or [])
        )
        if set(body.email_completion_user_ids or ()) - {user["id"] for user in world.workspace.users}:
            flaw = "User not found"
    except ApiError as refused:
        flaw = refused.text
    return Launch(numbers, plan, spans, *times, share_percent=body.concurrency_percentage, flaw=flaw)


# -- listing


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
    total = len(listed)
    first, last = max(0, total - offset - limit), max(0, total - offset)
    page = list(reversed(listed[first:last]))
    shown_total: Any = total
    if (fault := get_fault(request)) is not None:
        page, shown_total = fault.bend_page(page, total, lambda o: list(reversed(
            listed[max(0, total - o - limit) : max(0, total - o)])), offset, limit)  # fmt: skip
    return {
        "campaigns": [wire.campaign_row(campaign, world, call_count) for campaign in page],
        "pagination": {"total": shown_total, "limit": limit, "offset": offset},
    }


# -- stopping


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
    stopped = (
        _terminate_numbers(sandbox.world, body)
        if body.mobile_numbers is not None
        else _terminate(sandbox, body)
    )
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
    if missing := [number for number in numbers if number not in known]:
        if not known:
            where = "in campaign" if campaign else "in workspace"
            raise ApiError(400, f"Mobile numbers not found {where}: {', '.join(missing)}")
    return world.cancel_calls(calls)
