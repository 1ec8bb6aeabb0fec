"""The platform behind the wire: lists, campaigns and their states, and what starting or stopping them does.

States carry the words of the vendor's newest documentation: verifying, draft, insufficient_balance,
no_valid_contacts, preparing, in_db, scheduled, ongoing, completed, terminated, failed, and `paused` of the older one;
None is a contact list that is no campaign. How they are worded on the wire is the business of `wire`.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ringg_provider.sandbox.calls import Call
from ringg_provider.sandbox.clock import Clock, EventQueue, whole_microseconds
from ringg_provider.sandbox.csv_rules import CallingList, Contact
from ringg_provider.sandbox.dialer import Dialer, Job
from ringg_provider.sandbox.dice import dice_of
from ringg_provider.sandbox.errors import NO_CREDITS, NOT_FOUND, ApiError
from ringg_provider.sandbox.people import Promise
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.windows import CallPlan, RetryPolicy, Span, daily_spans
from ringg_provider.sandbox.workspace import Number, Workspace, new_workspace

STARTED = frozenset({"preparing", "in_db", "scheduled", "ongoing", "paused", "completed", "terminated", "failed"})
_ROWS_PER_INSERT = 100
#: So long after the time that was meant the platform still begins a callback of its own.
_CALLBACK_SECONDS = 3600.0


@dataclass(slots=True, eq=False)
class Campaign:
    """A calling list and what became of it. `flow` is `save` or `upload`; times are Unix time of the wall."""

    name: str
    agent_id: str
    country_code: str
    flow: str
    created_at: float
    total_rows: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    contacts: list[Contact] = field(default_factory=list)
    invalid_rows: int = 0
    invalid_report: str | None = None
    plan: CallPlan | None = None
    starts_at: float | None = None
    ends_at: float | None = None
    states: list[tuple[float, str | None]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    launches: int = 0
    stopped_launches: int = 0
    paused_from: str = "ongoing"
    jobs: list[Job] = field(default_factory=list)
    verify_from: float = 0.0
    verify_until: float = 0.0

    @property
    def state(self) -> str | None:
        return self.states[-1][1]

    @property
    def updated_at(self) -> float:
        return self.states[-1][0]

    @property
    def launched(self) -> bool:
        return self.launches > 0

    def seen_at(self, wall: float) -> tuple[float, str | None]:
        """The state it had at that moment, and since when; before its time, its first one."""
        return next((entry for entry in reversed(self.states) if entry[0] <= wall), self.states[0])


@dataclass(frozen=True, slots=True)
class UploadView:
    """An upload with the status word to show, how far its verification is (0 to 1) and its report of bad rows."""

    campaign: Campaign
    word: str
    progress: float
    report_url: str | None


@dataclass(frozen=True, slots=True)
class Launch:
    """What a start asks for: caller numbers, the plan and the spans in which it may dial (Unix time)."""

    numbers: Sequence[Number]
    plan: CallPlan
    spans: Sequence[Span]
    starts_at: float
    ends_at: float
    rotates: bool = False
    share_percent: int = 0
    flaw: str | None = None


class World:
    """One workspace and all that happens in it. Not thread-safe: everything runs in the server's event loop."""

    def __init__(self, settings: Settings, clock: Clock | None = None, *, callbacks_on_lists: bool = False) -> None:
        self.settings = settings
        #: Whether a callback of the platform's own belongs to the campaign in which it was asked for.
        self.callbacks_on_lists = callbacks_on_lists
        self.clock = clock or Clock(settings.speed)
        self.events = EventQueue(self.clock)
        self.workspace: Workspace = new_workspace()
        self.dialer = Dialer(self.events, settings, self._call_changed)
        self.people = self.dialer.people
        self.people.on_promise = self._call_back
        self.campaigns: dict[str, Campaign] = {}
        self.campaign_order: list[Campaign] = []
        self.calls: list[Call] = []
        self.calls_by_id: dict[str, Call] = {}
        self.calls_by_number: defaultdict[str, list[Call]] = defaultdict(list)
        self.history_requests: deque[float] = deque()
        self.exports: dict[str, float] = {}
        self.version = 0
        #: Told of a call that was registered, or whose status changed; with the status before, or None.
        self.on_call: Callable[[Call, str | None], None] = _nobody
        #: Told of a campaign whose state changed.
        self.on_campaign: Callable[[Campaign], None] = _nobody
        self._short: set[str] = set()

    @property
    def balance(self) -> Decimal:
        return self.dialer.balance

    def advance(self, budget_seconds: float | None = None) -> None:
        """Let everything happen that is due by now."""
        self.events.run_due(budget_seconds)

    # -- lists

    def find(self, campaign_id: str) -> Campaign:
        campaign = self.campaigns.get(campaign_id)
        if campaign is None:
            raise ApiError(404, NOT_FOUND)
        return campaign

    def add_campaign(self, campaign: Campaign, state: str | None) -> None:
        self.campaigns[campaign.id] = campaign
        self.campaign_order.append(campaign)
        self.set_state(campaign, state)

    def set_state(self, campaign: Campaign, state: str | None) -> None:
        if not campaign.states or campaign.state != state:
            campaign.states.append((self.events.wall(), state))
            if state == "insufficient_balance":
                self._short.add(campaign.id)
            else:
                self._short.discard(campaign.id)
            self.on_campaign(campaign)

    def fill(self, campaign: Campaign, rows: CallingList) -> None:
        campaign.contacts = rows.contacts
        campaign.invalid_rows = len(rows.invalid)
        campaign.invalid_report = rows.invalid_report() if rows.invalid else None

    def verify(self, campaign: Campaign) -> None:
        """Begin to verify an upload; its rows must be filled in by `verified` afterwards."""
        seconds = self.settings.verify_seconds + campaign.total_rows / self.settings.verify_rows_per_second
        campaign.verify_from = self.events.now()
        campaign.verify_until = campaign.verify_from + seconds

    def verified(self, campaign: Campaign, rows: CallingList | None) -> None:
        """The rows are known (None: the file could not be read): end the verification when its time has come."""
        self.events.at(max(campaign.verify_until, self.events.now()), self._end_verification, campaign, rows)

    def _end_verification(self, campaign: Campaign, rows: CallingList | None) -> None:
        if campaign.state != "verifying":
            return
        if rows is not None:
            self.fill(campaign, rows)
        if rows is None:
            self.set_state(campaign, "failed")
        elif not campaign.contacts:
            self.set_state(campaign, "no_valid_contacts")
        else:
            self.set_state(campaign, "draft" if self.can_afford(campaign) else "insufficient_balance")

    def verification_progress(self, campaign: Campaign) -> float:
        """How much of an upload is verified, from 0 to 1."""
        span = campaign.verify_until - campaign.verify_from
        if campaign.state != "verifying" or span <= 0:
            return 1.0
        return min(1.0, (self.events.now() - campaign.verify_from) / span)

    # -- money

    def required_credits(self, campaign: Campaign) -> Decimal:
        return self.settings.estimated_cost_per_contact * len(campaign.contacts)

    def shortfall(self, campaign: Campaign) -> Decimal:
        return max(Decimal(0), self.required_credits(campaign) - self.balance)

    def can_afford(self, campaign: Campaign) -> bool:
        return self.balance > 0 and not self.shortfall(campaign)

    def short_of_money(self) -> list[Campaign]:
        return [self.campaigns[campaign_id] for campaign_id in self._short]

    def recheck_balance(self, campaign: Campaign) -> None:
        """A list that could not be paid and now can becomes a draft again."""
        if campaign.state == "insufficient_balance" and self.can_afford(campaign):
            self.set_state(campaign, "draft")

    # -- starting

    def check_startable(self, campaign: Campaign, not_ready: str, no_credits: str = NO_CREDITS) -> None:
        """Refuse a start that the platform refuses: started already, not a draft, or not paid for."""
        if campaign.launched:
            if self.settings.refuse_second_start:
                raise ApiError(400, not_ready)
        elif campaign.state not in ("draft", "insufficient_balance"):
            raise ApiError(400, not_ready)
        if not self.can_afford(campaign):
            if campaign.flow == "upload" and not campaign.launched:
                self.set_state(campaign, "insufficient_balance")
            raise ApiError(self.settings.no_credits_status, no_credits)

    def launch(self, campaign: Campaign, launch: Launch) -> None:
        """Start dialling a list: this is what rings every phone on it, once per launch."""
        campaign.launches += 1
        campaign.plan, campaign.starts_at, campaign.ends_at = launch.plan, launch.starts_at, launch.ends_at
        if campaign.flow == "save":
            self._register(campaign, launch, campaign.launches)
            return
        self.set_state(campaign, "preparing")
        half = self.settings.preparing_seconds / 2
        if launch.flaw:
            self.events.after(half, self._move_on, campaign, "preparing", "failed")
            return
        self.events.after(half, self._move_on, campaign, "preparing", "in_db")
        self.events.after(2 * half, self._register, campaign, launch, campaign.launches)

    def _move_on(self, campaign: Campaign, before: str, after: str) -> None:
        if campaign.state == before:
            self.set_state(campaign, after)

    def _register(self, campaign: Campaign, launch: Launch, number: int) -> None:
        if number <= campaign.stopped_launches:
            return
        job = Job(
            f"{campaign.id}/{number}",
            spans=self.events.ahead(launch.spans),
            end=launch.ends_at + self.events.lead,
            retry=launch.plan.retry,
            max_call_length=launch.plan.max_call_length,
            from_numbers=[n.number for n in launch.numbers],
            rotates=launch.rotates,
            share_percent=launch.share_percent,
            on_begin=lambda: self._move_on(campaign, "scheduled", "ongoing"),
            on_end=lambda: self.job_ended(campaign),
        )
        dialable = any(n.provider == "twilio" for n in launch.numbers) or campaign.country_code == "+91"
        calls = self._create_calls(campaign, number, dialable)
        campaign.jobs.append(job)
        self.set_state(campaign, "scheduled")
        self.dialer.add(job, calls)

    def _create_calls(self, campaign: Campaign, launch: int, dialable: bool) -> list[Call]:
        # Rows are written in bulk, so that a hundred of them share one created_at, as they would in a real database.
        now, total = self.events.wall(), len(campaign.contacts)
        calls = [
            call_of(
                campaign,
                contact,
                launch,
                round(now - (total - 1 - index) // _ROWS_PER_INSERT * 1e-6, 6),
                sub_status="QUEUED",
                dialable=dialable,
            )
            for index, contact in enumerate(campaign.contacts)
        ]
        self.add_calls(calls, campaign)
        for call in calls:
            self.on_call(call, None)
        return calls

    def add_calls(self, calls: Sequence[Call], campaign: Campaign | None) -> None:
        self.version += 1
        in_order = not (self.calls and calls) or self.calls[-1].created_at <= calls[0].created_at
        self.calls.extend(calls)
        if not in_order:
            self.calls.sort(key=lambda call: call.created_at)
        for call in calls:
            self.calls_by_id[call.id] = call
            self.calls_by_number[call.to_number].append(call)
        if campaign is not None:
            campaign.calls.extend(calls)
            campaign.counts.update(call.status for call in calls)

    def start_single(self, call: Call, plan: CallPlan, from_numbers: Sequence[str], deadline: float) -> None:
        """One call outside any campaign, inside its own daily window."""
        self.add_calls([call], None)
        self.on_call(call, None)
        job = Job(
            call.id,
            spans=self.events.ahead(daily_spans(plan, self.events.wall(), deadline)),
            end=deadline + self.events.lead,
            retry=plan.retry,
            max_call_length=plan.max_call_length,
            from_numbers=from_numbers,
        )
        self.dialer.add(job, [call])

    def _call_back(self, promise: Promise) -> None:
        """What the platform does by itself when somebody asks to be called back."""
        how, due, asking = self.settings.platform_callbacks, promise.wish.middle, promise.call
        lost = dice_of(self.settings.seed, asking.to_number, "callback lost", asking.talk).random()
        if how == "none" or due is None or lost < self.settings.platform_callbacks_lost:
            return
        lead = self.events.lead
        due += lead + self.settings.platform_callback_delay_seconds
        if how == "registered":
            self._register_callback(promise, due, lead)
        else:
            self.events.at(due, self._register_callback, promise, due, lead)

    def _register_callback(self, promise: Promise, due: float, lead: float) -> None:
        """Register a callback of the platform's own, to be made when simulated time is `due`."""
        asking, campaign = promise.call, self.campaigns.get(promise.call.list_id or "")
        if promise.kept or (self.callbacks_on_lists and campaign is not None and campaign.state == "cancelled"):
            return
        if not self.callbacks_on_lists:
            campaign = None
        call = Call(
            to_number=asking.to_number,
            name=asking.name,
            variables=asking.variables,
            agent_id=asking.agent_id,
            list_id=None if campaign is None else campaign.id,
            launch=asking.launch,
            created_at=whole_microseconds(self.events.wall()),
            sub_status="QUEUED",
            dialable=asking.dialable,
            call_type="callback",
            parent_call_id=asking.id,
        )
        self.add_calls([call], campaign)
        self.on_call(call, None)
        until = max(due, self.events.now()) + _CALLBACK_SECONDS
        job = Job(
            call.id,
            spans=[(due, until)],
            end=until,
            retry=RetryPolicy(),
            max_call_length=3600,
            from_numbers=[asking.attempts[-1].from_number],
        )
        job.lead = lead
        self.dialer.add(job, [call])

    def _call_changed(self, call: Call, before: str) -> None:
        self.version += 1
        if call.list_id is not None:
            counts = self.campaigns[call.list_id].counts
            counts[before] -= 1
            counts[call.status] += 1
        self.on_call(call, before)

    def job_ended(self, campaign: Campaign) -> None:
        if campaign.state not in ("terminated", "cancelled") and all(job.over for job in campaign.jobs):
            self.set_state(campaign, "completed")

    # -- stopping

    def cancel_calls(self, calls: Iterable[Call]) -> int:
        """Cancel the calls that wait; returns how many. Campaigns with nothing left to do end."""
        cancelled = [call for call in calls if self.dialer.cancel(call)]
        for campaign_id in {call.list_id for call in cancelled if call.list_id}:
            for job in self.campaigns[campaign_id].jobs:
                self.dialer.settle(job)
        return len(cancelled)

    def terminate(self, campaign: Campaign, word: str = "terminated") -> int:
        """Stop a campaign for good; returns how many calls were cancelled."""
        ended = campaign.state in ("completed", "terminated", "failed", "no_valid_contacts", "cancelled")
        for job in campaign.jobs:
            self.dialer.stop(job)
        cancelled = sum(self.dialer.cancel(call) for call in campaign.calls)
        campaign.stopped_launches = campaign.launches
        if not ended:
            self.set_state(campaign, word)
        return cancelled

    def pause(self, campaign: Campaign) -> None:
        """Dial nobody for now. On Ringg only a person can do it, in the dashboard of generation 2."""
        if campaign.state in ("scheduled", "ongoing", "active"):
            campaign.paused_from = campaign.state
            for job in campaign.jobs:
                self.dialer.pause(job)
            self.set_state(campaign, "paused")

    def resume(self, campaign: Campaign) -> None:
        if campaign.state == "paused":
            self.set_state(campaign, campaign.paused_from)
            for job in campaign.jobs:
                self.dialer.resume(job)

    # -- knobs

    def skip(self, seconds: float) -> None:
        """Let so many simulated seconds pass at once."""
        self.advance()
        self.clock.skip(seconds)
        self.advance()

    def change(self, changes: dict[str, object]) -> None:
        """Apply changed settings to what is running."""
        self.advance()
        self.settings.model_validate({**self.settings.model_dump(), **changes})
        for name, value in changes.items():
            setattr(self.settings, name, value)
        self.version += 1
        if "speed" in changes:
            self.clock.set_speed(self.settings.speed)
        if "balance" in changes:
            self.dialer.top_up(self.settings.balance)
        elif "lines" in changes:
            self.dialer.pump_all()


def _nobody(*_: object) -> None:
    """Told of something by a world that nobody watches."""


def call_of(campaign: Campaign, contact: Contact, launch: int, created: float, **more: Any) -> Call:
    """The call to one contact of a campaign, before anybody is rung."""
    return Call(
        to_number=contact.number,
        name=contact.name,
        variables=contact.variables,
        agent_id=campaign.agent_id,
        list_id=campaign.id,
        launch=launch,
        created_at=created,
        **more,
    )
