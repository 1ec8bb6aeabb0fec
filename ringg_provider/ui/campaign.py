"""A campaign as the pages show it: what the tables say of it, and what follows from that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pendulum

from ringg_provider import wording
from ringg_provider.exceptions import RinggProviderError
from ringg_provider.history.tables import ENDED
from ringg_provider.hours.plan import as_moments, dialled
from ringg_provider.hours.schedule import WIRE_FORMAT, DailyWindow, Schedule
from ringg_provider.hours.wall_clock import intersect
from ringg_provider.launch.table import BRAKED, LISTED, REPLACED, START_SENT, STARTED
from ringg_provider.ringg.timing import as_call_slots

Span = tuple[datetime, datetime]

#: What the platform says of a list that nobody has started; the ledger may know better.
UNSTARTED = frozenset({"preparing", "draft", "not_a_campaign"})

#: Every phase in words. `Phase` says how they come about.
PHASES: Mapping[str, str] = {
    LISTED: "Listed, not started",
    START_SENT: "Start sent, outcome unknown",
    STARTED: "Started",
    BRAKED: "Never started: a brake was pulled",
    REPLACED: "Replaced before its start",
    "preparing": "Being checked by the platform",
    "draft": "Ready, not started",
    "insufficient_balance": "Waits for credits",
    "scheduled": "Scheduled",
    "running": "Calling",
    "paused": "Paused",
    "completed": "Completed",
    "terminated": "Stopped",
    "failed": "Failed",
    "not_a_campaign": "A list only",
    "unknown": "In a state we do not know",
}
#: Phases in which calls may still be made.
ALIVE = frozenset({STARTED, START_SENT, "insufficient_balance", "scheduled", "running", "paused", "unknown"})


def phase_of(ledger_state: str | None, state: str | None) -> str:
    """Where a campaign is: the platform's word, unless it is older than what the ledger knows.

    :param ledger_state: of its row in the ledger; None where it has none.
    :param state: what the last load was told; None where none was.
    :return: a key of `PHASES`, or a state that a newer version may write.
    """
    if ledger_state == REPLACED:
        return REPLACED
    if state is not None and (state not in UNSTARTED or ledger_state in (None, LISTED)):
        return state
    return ledger_state or "unknown"


@dataclass(frozen=True)
class Funnel:
    """How many people came how far; None where it is not known.

    :param rows: rows of the query, all lists of the set together.
    :param listed: people on the list.
    :param dialled: of them, dialled at least once,
    :param connected: their call was taken, by a person or a machine,
    :param reached: by a person.
    """

    rows: int | None
    listed: int | None
    dialled: int | None
    connected: int | None
    reached: int | None

    STEPS = (
        ("rows", "Rows of the query"),
        ("listed", "Listed"),
        ("dialled", "Dialled"),
        ("connected", "Connected"),
        ("reached", "Reached"),
    )

    @property
    def steps(self) -> list[tuple[str, int | None]]:
        """Each step in words, with its number."""
        return [(words, getattr(self, name)) for name, words in self.STEPS]

    @property
    def reached_share(self) -> float | None:
        """People who were reached, of those listed."""
        return self.reached / self.listed if self.listed and self.reached is not None else None

    @classmethod
    def total(cls, funnels: list[Funnel], rows: int | None) -> Funnel:
        """Several campaigns together.

        :param funnels: theirs.
        :param rows: of their queries.
        """

        def add(name: str) -> int | None:
            known = [number for funnel in funnels if (number := getattr(funnel, name)) is not None]
            return sum(known) if known else None

        return cls(rows, add("listed"), add("dialled"), add("connected"), add("reached"))


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """One campaign, which is one list.

    :param campaign_id: the list's id on its platform.
    :param platform: ``ringg`` or ``smartalex``.
    :param name: as it was called; None where that is not known.
    :param launch_key: it stands under in the ledger; None where it is not there. So are those of the task that
        uploaded or started it,
    :param dag_id: its DAG,
    :param run_id: run,
    :param task_id: task,
    :param map_index: and which of its mapped instances; -1 where it is not mapped.
    :param agent_id: who speaks.
    :param ledger_state: of its row in the ledger.
    :param state: what the platform said at the last load, in our words.
    :param item: the list's settings, as the ledger has them.
    :param braked: what the brake of its launch key was pulled for; None where none was.
    :param reasons: what became of the query's rows, all lists of the set together; None where nobody counted.
    :param set_id: lists of one upload share it.
    :param listed_at: when it was listed, or created; aware, as all times are.
    :param start_sent_at: when its start was sent.
    :param started_at: when it was known to have started.
    :param planned_start: its start, where the platform tells; else the settings in the ledger say it.
    :param planned_end: its end, the same.
    :param rows: people on the list, as it was uploaded.
    :param total: calls that the platform counts.
    :param calls: calls in the table.
    :param calls_open: of them, those that may still change.
    :param dialled: of them, dialled at least once,
    :param connected: taken,
    :param reached: by a person.
    :param cost: of all.
    :param first_call_at: the first attempt.
    :param last_call_at: the last.
    :param history_state: whether all calls are in the table.
    :param history_reason: what is missing.
    :param read_at: when the platform was last asked.
    """

    campaign_id: str
    platform: Literal["ringg", "smartalex"]
    name: str | None = None
    launch_key: str | None = None
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    agent_id: str | None = None
    ledger_state: str | None = None
    state: str | None = None
    item: Mapping[str, Any] | None = None
    braked: str | None = None
    reasons: Mapping[str, int] | None = None
    set_id: str | None = None
    listed_at: datetime | None = None
    start_sent_at: datetime | None = None
    started_at: datetime | None = None
    planned_start: datetime | None = None
    planned_end: datetime | None = None
    rows: int | None = None
    total: int | None = None
    calls: int | None = None
    calls_open: int | None = None
    dialled: int | None = None
    connected: int | None = None
    reached: int | None = None
    cost: Any = None
    first_call_at: datetime | None = None
    last_call_at: datetime | None = None
    history_state: str | None = None
    history_reason: str | None = None
    read_at: datetime | None = None

    @property
    def title(self) -> str:
        """What to call it."""
        return self.name or self.campaign_id

    @property
    def phase(self) -> str:
        """Where it is; see `phase_of`."""
        return phase_of(self.ledger_state, self.state)

    @property
    def wave(self) -> int | None:
        """In which it is launched: 0 the rehearsal, then 1 and so on; None where all lists are launched at once."""
        wave = (self.item or {}).get("wave")
        return wave if isinstance(wave, int) else None

    @property
    def has_ended(self) -> bool:
        """Whether no more calls are made."""
        return self.phase in ENDED or self.phase == BRAKED

    @cached_property
    def funnel(self) -> Funnel:
        """How many came how far."""
        rows = None if self.reasons is None else sum(self.reasons.values())
        listed = self.rows if self.rows is not None else self.total
        return Funnel(rows, listed, self.dialled, self.connected, self.reached)

    @cached_property
    def window(self) -> DailyWindow | None:
        """The hours in which it may dial; None where the ledger does not tell."""
        item = self.item or {}
        try:
            if call_time := (item.get("call_config") or {}).get("call_time"):
                return DailyWindow.from_call_time(
                    call_time["call_start_time"], call_time["call_end_time"], call_time["timezone"]
                )
            settings = item.get("settings") or {}
            return DailyWindow(
                time.fromisoformat(settings["calling_hours_start"]),
                time.fromisoformat(settings["calling_hours_end"]),
                settings["timezone"],
            )
        except (KeyError, TypeError, ValueError):
            return None

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone that its times are shown in: its own, else UTC."""
        return wording.zone_named(self.window.timezone if self.window else None)

    @property
    def starts_at(self) -> datetime | None:
        """When dialling may begin."""
        return self.planned_start or self._planned("campaign_start_time")

    @property
    def ends_at(self) -> datetime | None:
        """When dialling is over, whoever was called by then."""
        return self.planned_end or self._planned("campaign_end_time")

    @cached_property
    def lawful(self) -> list[Span]:
        """The moments at which it may dial: inside its dates, its daily window and its slots."""
        start, end = self.starts_at, self.ends_at
        if self.window is None or start is None or end is None or start >= end:
            return []
        schedule = Schedule(pendulum.instance(start), pendulum.instance(end))
        try:
            spans = as_moments(self.window, dialled(self.window, schedule))
            if slots := (self.item or {}).get("call_slots"):
                windows = as_call_slots(slots)
                since = start.astimezone(self.zone).replace(tzinfo=None) if windows.mode == "weekly" else None
                local = windows.spans(since)
                spans = _common(spans, [(_in(self.zone, first), _in(self.zone, last)) for first, last in local])
        except (RinggProviderError, ValueError, AttributeError):
            return []
        return spans

    def expected_end(self, now: datetime) -> datetime | None:
        """When everybody will have been dialled, if it goes on as it went; None where that cannot be said.

        Counts lawful time only, so that a night between two windows is no slowness.

        :param now: the present, aware.
        """
        everybody, done = self.funnel.listed, self.dialled
        if self.has_ended or not everybody or not done or self.first_call_at is None or self.read_at is None:
            return None
        until = min(now, self.read_at)
        worked = _length(self.lawful, self.first_call_at, until)
        if worked <= timedelta(0):
            return None
        left = worked * (everybody - done) / done
        return _after(self.lawful, until, left)

    def _planned(self, name: str) -> datetime | None:
        text = (self.item or {}).get(name)
        if not isinstance(text, str):
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            try:
                moment = datetime.strptime(text, WIRE_FORMAT)  # noqa: DTZ007 - it is in the campaign's zone
            except ValueError:
                return None
        return moment if moment.tzinfo else _in(self.zone, moment)


def _in(zone: ZoneInfo, moment: datetime) -> datetime:
    return moment.replace(tzinfo=zone)


def _common(left: list[Span], right: list[Span]) -> list[Span]:
    minutes = [[(_minute(first), _minute(end)) for first, end in spans] for spans in (left, sorted(right))]
    return [
        (datetime.fromtimestamp(first * 60, UTC), datetime.fromtimestamp(end * 60, UTC))
        for first, end in intersect(*minutes)
    ]


def _minute(moment: datetime) -> int:
    return int(moment.timestamp() // 60)


def _length(spans: list[Span], since: datetime, until: datetime) -> timedelta:
    inside = ((max(first, since), min(end, until)) for first, end in spans)
    return sum((end - first for first, end in inside if first < end), timedelta(0))


def _after(spans: list[Span], moment: datetime, left: timedelta) -> datetime | None:
    """The moment after so much more of lawful time; beyond the last span, as if it went on."""
    for first, end in spans:
        begin = max(first, moment)
        if begin >= end:
            continue
        if left <= end - begin:
            return begin + left
        left -= end - begin
        moment = end
    return moment + left if spans else None
