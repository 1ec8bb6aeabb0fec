"""Calling lists: both uploads, how far they are, whether they can be paid.

Follows https://docs.ringg.ai/api-reference/endpoint/campaign/upload-campaign-contact-list and
https://docs.ringg.ai/api-reference/endpoint/campaign/upload-large-campaign-csv
"""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, UploadFile
from pydantic import BaseModel, Field

from ringg_provider.sandbox import csv_rules, wire
from ringg_provider.sandbox.csv_rules import CallingList, OpenedList
from ringg_provider.sandbox.errors import NOT_FOUND, ApiError
from ringg_provider.sandbox.routes.shared import outbound_agent, read_plan, read_times
from ringg_provider.sandbox.state import Sandbox, SandboxDep, file_url
from ringg_provider.sandbox.world import Campaign, World

router = APIRouter(tags=["Campaigns"])


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


async def _open(sandbox: Sandbox, upload: Upload) -> OpenedList:
    """The uploaded list before its rows are checked; refused as the vendor refuses."""
    agent = outbound_agent(sandbox.world, upload.agent_id)
    settings, data = sandbox.settings, await upload.file.read()
    country_code = csv_rules.read_country_code(upload.country_code)
    mapping = csv_rules.read_variables_map(upload.variables_map, agent.variables)
    names = csv_rules.read_transliterate_fields(upload.transliterate_fields, mapping)
    if upload.transliterate_callee_name and "callee_name" not in names:
        names.append("callee_name")
    limit = settings.max_upload_bytes
    lines = await asyncio.to_thread(csv_rules.open_list, data, upload.file.filename, mapping, limit)
    if len(lines) - 1 > settings.row_allowance:
        raise ApiError(402, f"You can only upload up to {settings.row_allowance} contacts.")
    return OpenedList(lines, mapping, country_code, names)


@router.post("/campaign/save", summary="Upload a list with its settings (standard flow)")
async def save_campaign(sandbox: SandboxDep, upload: Annotated[SaveUpload, Form()]) -> dict[str, Any]:
    world = sandbox.world
    try:
        config = json.loads(upload.call_config)
    except ValueError:
        raise ApiError(400, "call_config must be a JSON object.") from None
    plan = read_plan(sandbox.settings, config)
    starts_at, ends_at = read_times(plan, upload.campaign_start_time, upload.campaign_end_time, world.clock.wall())
    try:
        rows = await asyncio.to_thread((await _open(sandbox, upload)).check)
    except ValueError as refused:
        raise ApiError(400, str(refused)) from None
    if rows.invalid and not upload.remove_invalid_rows:
        raise ApiError(400, f"{len(rows.invalid)} rows are invalid. Fix them or set remove_invalid_rows to true.")
    if not rows.contacts:
        raise ApiError(400, "No valid contacts found in the CSV.")
    campaign = _new_campaign(world, upload, "save", rows.total_rows)
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
    if sandbox.settings.choose(sandbox.settings.save_echoes_rows):
        answer["custom_args_values"] = [contact.variables for contact in rows.contacts]
    return answer


def _new_campaign(world: World, upload: Upload, flow: str, rows: int) -> Campaign:
    return Campaign(
        name=upload.campaign_name,
        agent_id=upload.agent_id,
        country_code=upload.country_code,
        flow=flow,
        created_at=world.events.wall(),
        total_rows=rows,
    )


@router.post("/campaign/upload-csv", summary="Upload a list that is verified in the background (large flow)")
async def upload_csv(sandbox: SandboxDep, request: Request, upload: Annotated[LargeUpload, Form()]) -> dict[str, Any]:
    world = sandbox.world
    try:
        opened = await _open(sandbox, upload)
    except ValueError as refused:
        raise ApiError(400, f"Invalid CSV file or variable mapping. {refused}") from None
    campaign = _new_campaign(world, upload, "upload", opened.total_rows)
    world.add_campaign(campaign, "verifying")
    world.verify(campaign)

    async def verify() -> None:
        rows: CallingList | None = None
        try:
            rows = await asyncio.to_thread(opened.check)
        finally:
            world.verified(campaign, rows)

    tasks: set[asyncio.Task[None]] = request.app.state.tasks
    task = asyncio.create_task(verify())
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return wire.upload_accepted(campaign, sandbox.settings)


def _uploaded(sandbox: Sandbox, campaign_id: str) -> Campaign:
    campaign = sandbox.world.find(campaign_id)
    settings = sandbox.settings
    if campaign.flow == "save" and not settings.choose(settings.upload_status_for_saved_lists):
        raise ApiError(404, NOT_FOUND)
    return campaign


@router.get("/campaign/upload-status/{bulk_list_id}", summary="How far an upload, and later its campaign, is")
async def get_upload_status(sandbox: SandboxDep, bulk_list_id: str) -> dict[str, Any]:
    campaign = _uploaded(sandbox, bulk_list_id)
    url = file_url(sandbox.origin, "invalid-rows", f"{campaign.id}.csv") if campaign.invalid_report else None
    return wire.upload_status(campaign, sandbox.world, url)


@router.post("/campaign/check-balance/{bulk_list_id}", summary="Check again whether the list can be paid")
async def check_balance(sandbox: SandboxDep, bulk_list_id: str) -> dict[str, Any]:
    world, settings = sandbox.world, sandbox.settings
    campaign = _uploaded(sandbox, bulk_list_id)
    only_when_short = settings.choose(settings.check_balance_only_when_short)
    if only_when_short and campaign.state != "insufficient_balance":
        raise ApiError(400, "Bulk list is not in insufficient_balance state.")
    answer = wire.balance(campaign, world)
    world.recheck_balance(campaign)
    return answer
