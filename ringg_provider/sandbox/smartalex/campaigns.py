"""SmartAlex's campaigns: made as drafts, given people, started, paused, and called back for."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from ringg_provider.sandbox import wire
from ringg_provider.sandbox.calls import UNANSWERED, Call
from ringg_provider.sandbox.csv_rules import Contact
from ringg_provider.sandbox.dialer import Job
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.smartalex.shared import (
    AGENTS,
    STATUS,
    PageNumber,
    PageSize,
    called_person,
    find,
    is_new,
    paged,
)
from ringg_provider.sandbox.state import Sandbox, SandboxDep, act
from ringg_provider.sandbox.windows import CallPlan, RetryPolicy, daily_spans, read_call_config
from ringg_provider.sandbox.world import Campaign, World, call_of

#: Nothing bounds a campaign but its contacts; a year is longer than any of them takes.
_LONGEST_DAYS = 366
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_E164 = re.compile(r"\+[1-9]\d{6,14}")

router = APIRouter()


class NewCampaign(BaseModel):
    """The body of both generations: a flat `settings` object, or `timezone` and `business_hours`."""

    name: str = Field(min_length=1)
    agent_id: str = Field(min_length=1)
    description: str | None = None
    objective: str | None = None
    phone_number_id: str | None = None
    settings: dict[str, Any] | None = None
    timezone: str | None = None
    business_hours: dict[str, dict[str, Any]] | None = None


@dataclass(slots=True, eq=False)
class SmartAlexCampaign(Campaign):
    """A campaign with what only this platform knows of one: its own words, its lines, its weekdays."""

    body: dict[str, Any] = field(default_factory=dict)
    concurrent_calls: int = 1
    days: frozenset[int] = frozenset(range(7))


@router.get("/campaigns", summary="Campaigns, newest first")
async def list_campaigns(
    sandbox: SandboxDep,
    request: Request,
    status: str | None = None,
    agent_id: str | None = None,
    page: PageNumber = 1,
    per_page: PageSize = 20,
) -> dict[str, Any]:
    world, lag = sandbox.smartalex, sandbox.settings.listing_lag_seconds
    new = is_new(sandbox)
    rows = [
        campaign
        for campaign in reversed(world.campaign_order)
        if wire.is_listed(campaign, world)
        and (new or status in (None, _state(campaign, world, lag)))
        and (new or agent_id in (None, campaign.agent_id))
    ]
    answer = paged(request, rows, lambda campaign: _campaign(campaign, world, lag), page, per_page)
    if new:
        del answer["meta"]
    return answer


@router.post("/campaigns", status_code=201, summary="A new draft")
async def create_campaign(sandbox: SandboxDep, body: NewCampaign) -> dict[str, Any]:
    world = sandbox.smartalex
    if AGENTS.get(body.agent_id, {}).get("status") != "ready":
        raise ApiError(404, "Agent not found", code="agent_not_found")
    config = body.settings or {}
    plan, days = _plan(body)
    campaign = SmartAlexCampaign(
        name=body.name,
        agent_id=body.agent_id,
        country_code="",
        flow="smartalex",
        created_at=world.events.wall(),
        total_rows=0,
        id=f"campaign_{uuid.uuid4().hex[:16]}",
        plan=plan,
        body=body.model_dump(exclude_none=True),
        concurrent_calls=_integer(config, "concurrent_calls", 1, 1) if body.settings is not None else 10,
        days=days,
    )
    world.add_campaign(campaign, "draft")
    return {"data": _campaign(campaign, world, 0)}


@router.get("/campaigns/{campaign_id}", summary="One campaign with its figures")
async def get_campaign(sandbox: SandboxDep, campaign_id: str) -> dict[str, Any]:
    world = sandbox.smartalex
    lag = sandbox.settings.upload_status_lag_seconds
    campaign = find(world, campaign_id)
    figures = {
        "total_contacts": len(campaign.contacts),
        "contacts_completed": sum(call.is_final for call in campaign.calls),
        "calls_made": sum(len(call.attempts) for call in campaign.calls),
        "calls_answered": sum(call.connected for call in campaign.calls),
    }
    return {"data": _campaign(campaign, world, lag) | {"statistics": figures}}


class Person(BaseModel):
    """A contact as it is added."""

    phone: str
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    company: str | None = None


class People(BaseModel):
    """The body of adding contacts."""

    contacts: list[Person] = Field(min_length=1)


@router.post(
    "/campaigns/{campaign_id}/contacts", summary="Put people on a draft; a number that comes twice is kept twice"
)
async def add_contacts(sandbox: SandboxDep, campaign_id: str, body: People) -> dict[str, Any]:
    campaign = find(sandbox.smartalex, campaign_id)
    if campaign.state != "draft":
        raise ApiError(400, "Contacts can only be added to a draft campaign", code="invalid_request")
    if any(not _E164.fullmatch(person.phone) for person in body.contacts):
        raise ApiError(400, "The 'phone' field must be in E.164 format", code="invalid_request")
    for person in body.contacts:
        name = " ".join(filter(None, (person.first_name, person.last_name)))
        fields = {key: str(value) for key, value in person if value is not None}
        campaign.contacts.append(Contact(person.phone, name, fields))
    campaign.total_rows = len(campaign.contacts)
    return {"data": {"added": len(body.contacts), "total": campaign.total_rows}}


@router.post("/campaigns/{campaign_id}/start", summary="Begin to call")
async def start(sandbox: SandboxDep, request: Request, campaign_id: str) -> dict[str, Any]:
    world = sandbox.smartalex
    campaign = find(world, campaign_id)

    def effect() -> None:
        _check_startable(campaign, sandbox.settings)
        _launch(world, campaign)

    _check_startable(campaign, sandbox.settings)
    act(request, effect)
    return {"data": {"id": campaign.id, "status": "active"}}


@router.post("/campaigns/{campaign_id}/pause", summary="Stop calling for now; the newer API has no such thing")
async def pause(sandbox: SandboxDep, request: Request, campaign_id: str) -> dict[str, Any]:
    world = sandbox.smartalex
    campaign = _changeable(sandbox, campaign_id)
    if campaign.state != "active":
        raise ApiError(409, "Cannot pause a non-active campaign", code="campaign_not_active")
    act(request, lambda: world.pause(campaign))
    return {"data": {"id": campaign.id, "status": "paused"}}


@router.post("/campaigns/{campaign_id}/resume", summary="Go on with a paused campaign")
async def resume(sandbox: SandboxDep, request: Request, campaign_id: str) -> dict[str, Any]:
    world = sandbox.smartalex
    campaign = _changeable(sandbox, campaign_id)
    if campaign.state != "paused":
        raise ApiError(409, "Campaign is not paused", code="campaign_not_active")
    act(request, lambda: world.resume(campaign))
    return {"data": {"id": campaign.id, "status": "active"}}


@router.get(
    "/campaigns/{campaign_id}/callbacks",
    summary="Calls that are still to be made: to whom nobody answered, or who asked for one",
)
async def list_callbacks(
    sandbox: SandboxDep, request: Request, campaign_id: str, page: PageNumber = 1, per_page: PageSize = 20
) -> dict[str, Any]:
    world = sandbox.smartalex
    campaign = _changeable(sandbox, campaign_id)
    lead, dnc = world.events.lead, set(sandbox.settings.dnc_numbers)
    waiting = [
        (due - lead, call) for job in campaign.jobs for due, _, call in sorted(job.retries) if call.status == "retry"
    ]
    waiting += [
        (promise.wish.middle, promise.call)
        for promise in world.people.waiting()
        if promise.call.list_id == campaign.id and promise.call.to_number not in dnc and promise.wish.middle is not None
    ]
    retries = campaign.plan.retry.count if campaign.plan else 0

    def shown(entry: tuple[float, Call]) -> dict[str, Any]:
        due, call = entry
        return {
            "id": f"callback_{call.id[:13]}_{len(call.attempts)}",
            "campaign_id": campaign.id,
            "agent_id": campaign.agent_id,
            "contact": called_person(call),
            "original_outcome": STATUS[call.attempts[0].outcome],
            "attempt": len(call.attempts),
            "max_attempts": retries,
            "scheduled_at": wire.instant(due),
            "status": "pending",
        }

    return paged(request, waiting, shown, page, per_page)


def _changeable(sandbox: Sandbox, campaign_id: str) -> Campaign:
    if is_new(sandbox):
        raise ApiError(404, "Not found", code="not_found")
    return find(sandbox.smartalex, campaign_id)


def _check_startable(campaign: Campaign, settings: Settings) -> None:
    if campaign.state in ("active", "paused") and settings.refuse_second_start:
        raise ApiError(409, "Campaign is already active", code="campaign_already_active")
    if campaign.state in ("completed", "cancelled") and settings.refuse_second_start:
        raise ApiError(400, "The campaign has ended", code="invalid_request")
    if not campaign.contacts:
        raise ApiError(400, "Campaign has no contacts to call", code="no_contacts")


def _launch(world: World, campaign: Campaign) -> None:
    """Ring every phone on the list, once per launch; people who must not be called are left out."""
    assert isinstance(campaign, SmartAlexCampaign)
    assert campaign.plan is not None
    campaign.launches += 1
    now = world.events.wall()
    end = now + timedelta(days=_LONGEST_DAYS).total_seconds()
    zone, days = campaign.plan.zone, campaign.days
    spans = daily_spans(campaign.plan, now, end)
    job = Job(
        f"{campaign.id}/{campaign.launches}",
        spans=world.events.ahead(span for span in spans if datetime.fromtimestamp(span[0], zone).weekday() in days),
        end=end + world.events.lead,
        retry=campaign.plan.retry,
        max_call_length=campaign.plan.max_call_length,
        from_numbers=["+12125550199"],
        lines=campaign.concurrent_calls,
        unanswered=UNANSWERED | {"voicemail"},
        on_end=lambda: world.job_ended(campaign),
    )
    dnc = set(world.settings.dnc_numbers)
    people = [contact for contact in campaign.contacts if contact.number not in dnc]
    calls = [call_of(campaign, contact, campaign.launches, now) for contact in people]
    campaign.starts_at = campaign.starts_at or now
    world.add_calls(calls, campaign)
    campaign.jobs.append(job)
    world.set_state(campaign, "active")
    world.dialer.add(job, calls)


def _plan(body: NewCampaign) -> tuple[CallPlan, frozenset[int]]:
    """The hours, zone and retries of either form, and the weekdays on which it calls."""
    config = body.settings or {}
    days = frozenset(range(7))
    opens, closes = config.get("calling_hours_start", "09:00"), config.get("calling_hours_end", "17:00")
    if body.business_hours is not None:
        enabled = {day: body.business_hours[day] for day in _WEEK if body.business_hours.get(day, {}).get("enabled")}
        days = frozenset(_WEEK.index(day) for day in enabled)
        # One window for all days is enough for what the sandbox is for.
        hours: dict[str, Any] = next(iter(enabled.values()), {})
        opens, closes = hours.get("start", opens), hours.get("end", closes)
    zone = config.get("timezone") or body.timezone or "UTC"
    try:
        plan = read_call_config(
            {"call_time": {"call_start_time": opens, "call_end_time": closes, "timezone": zone}}, ("09:00", "17:00")
        )
    except ValueError as refused:
        raise ApiError(400, str(refused), code="invalid_request") from None
    retry = RetryPolicy(
        count=_integer(config, "max_retries", 3, 0), busy=60, not_picked=1440, failed=30, voicemail=1440
    )
    return CallPlan(plan.opens, plan.closes, ZoneInfo(str(zone)), retry, plan.max_call_length), days


def _integer(config: dict[str, Any], name: str, default: int, low: int) -> int:
    value = config.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ApiError(400, f"The '{name}' field must be an integer of at least {low}", code="invalid_request")
    return value


def _state(campaign: Campaign, world: World, lag: float) -> str | None:
    forced = world.settings.forced_statuses.get(campaign.id)
    return str(forced) if forced is not None else campaign.seen_at(world.clock.wall() - lag)[1]


def _campaign(campaign: Campaign, world: World, lag: float) -> dict[str, Any]:
    assert isinstance(campaign, SmartAlexCampaign)
    return {
        **campaign.body,
        "id": campaign.id,
        "status": _state(campaign, world, lag),
        "created_at": wire.instant(campaign.created_at),
        "started_at": wire.instant(campaign.starts_at),
    }
