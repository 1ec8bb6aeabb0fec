"""When a promise is due, until when it can be kept, and which are to be called next. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ringg_provider.callbacks.reading import Instant, Span
from ringg_provider.callbacks.table import RINGG, SMARTALEX, PromiseState
from ringg_provider.hours.lawful import LawfulHours
from ringg_provider.hours.plan import Held
from ringg_provider.numbers.plan import number_origin

#: How long after the time that was promised a call still counts as kept, and how long before as being the one.
PUNCTUAL = timedelta(minutes=15)
#: What must be left of the time in which a promise can be kept when its list begins to call. A draft of SmartAlex has
#: no end: what it does not call in time, it would call on the next day.
LEAST_LEFT = {RINGG: timedelta(minutes=5), SMARTALEX: timedelta(minutes=30)}
#: A promise is never kept later than this.
LONGEST_LATE = timedelta(hours=24)
# A call that begins in the last minutes of the lawful hours would still ring after them.
_ROOM = timedelta(minutes=15)
# How far ahead lawful hours are looked for: past the longest row of holidays.
_AHEAD = timedelta(days=15)

NO_HOUR = "no lawful hour is left for it"
NOT_LISTED = "it was on no list in time"
TOO_LATE = "too little is left of the time in which it can be kept"
NOT_DUE = "it is not due yet"
PLATFORM_CALLS = "it is left to the platform, which calls back by itself"
NOBODY_SAID = "nobody has said when"
MOVED = "they asked again, and the list for the time before may still call them"
REACHED_SINCE = "they were reached since they asked"
NO_HOURS = "when they may be called is not known"


@dataclass(frozen=True)
class Promise:
    """A row of `ringg_callbacks`, as far as it matters for calling.

    Each attribute is the column of its name; `number` is `to_number_e164`, `name` is `callee_name`.
    """

    promise_id: str
    platform: str
    state: str
    number: str | None = field(repr=False)
    name: str | None = field(default=None, repr=False)
    contact_id: str | None = None
    contact_key: str | None = field(default=None, repr=False)
    conn_id: str | None = None
    agent_id: str | None = None
    bulk_list_id: str | None = None
    asked_call_id: str | None = None
    asked_at: datetime | None = None
    timezone: str | None = None
    earliest_at: datetime | None = None
    latest_at: datetime | None = None
    due_at: datetime | None = None
    give_up_at: datetime | None = None
    platform_gave_up_at: datetime | None = None
    claim_key: str | None = None
    list_id: str | None = None
    state_reason: str | None = None

    @property
    def has_moved(self) -> bool:
        """Whether they asked for another time than the one for which they are on a list."""
        return self.state_reason == MOVED

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Promise:
        """Make one of a row of the table."""
        renamed = {"number": "to_number_e164", "name": "callee_name"}
        return cls(**{name: row[renamed.get(name, name)] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Due:
    """A promise that is to be called.

    :param promise: which.
    :param at: when to call: inside lawful hours, not before it is due, not in the past.
    :param until: when it can be kept no longer.
    """

    promise: Promise
    at: datetime
    until: datetime


@dataclass(frozen=True)
class Plan:
    """What is to be done about promises.

    :param to_list: to be called before the horizon, by when they are due.
    :param missed: can be kept no longer, with the reason.
    :param waiting: neither yet, with the reason.
    """

    to_list: list[Due] = field(default_factory=list)
    missed: list[tuple[Promise, str]] = field(default_factory=list)
    waiting: list[tuple[Promise, str]] = field(default_factory=list)


def due_time(said: Instant | Span, number: str, timezone: str | None, hours: LawfulHours) -> datetime | Held:
    """When to call somebody who said when: never before what they said, and inside lawful hours.

    An instant is itself, where it is lawful. Of a span its middle is taken, or what is lawful in it next to its middle.
    Where nothing of it is lawful, it is the first lawful moment afterwards. The last minutes of lawful hours are left
    for the ringing.

    :param said: when.
    :param number: the person's, E.164.
    :param timezone: where they are; None: all zones that the number may be in.
    :param hours: when they may be called.
    :return: UTC; or why there is no such time.
    """
    earliest, latest = bounds(said)
    spans = hours.spans(number, earliest - _ROOM, latest + _AHEAD, timezone=timezone)
    if isinstance(spans, Held):
        return spans
    middle = earliest + (latest - earliest) / 2
    inside = [
        _nearest(middle, max(opens, earliest), min(_last(opens, closes), latest))
        for opens, closes in spans
        if opens <= latest and closes > earliest
    ]
    if inside:
        return min(inside, key=lambda at: abs(at - middle))
    later = [opens for opens, _ in spans if opens > latest]
    return later[0] if later else Held("hours_not_callable", "No lawful hour follows within two weeks.")


def bounds(said: Instant | Span) -> tuple[datetime, datetime]:
    """The earliest and the latest of when somebody said."""
    return (said.at, said.at) if isinstance(said, Instant) else (said.earliest, said.latest)


def _last(opens: datetime, closes: datetime) -> datetime:
    """The last moment at which a call may begin."""
    return max(opens, closes - _ROOM)


def _nearest(wanted: datetime, first: datetime, last: datetime) -> datetime:
    """The moment next to the wanted one; what was asked for in the last minutes comes before them."""
    return max(first, min(wanted, last)) if first <= last else last


def give_up_at(due_at: datetime, number: str, timezone: str | None, hours: LawfulHours) -> datetime:
    """Until when a promise can be kept: the end of the lawful hours of its day, and never a day late.

    :param due_at: when it is due.
    :param number: the person's, E.164.
    :param timezone: where they are; None: all zones that the number may be in.
    :param hours: when they may be called.
    """
    zone = ZoneInfo(timezone or next(iter(number_origin(number).zones), "UTC"))
    spans = hours.spans(number, due_at, due_at + LONGEST_LATE, timezone=timezone)
    if isinstance(spans, Held):
        return due_at + LONGEST_LATE
    day = due_at.astimezone(zone).date()
    closes = [until for opens, until in spans if opens.astimezone(zone).date() == day]
    return min(max(closes, default=due_at + PUNCTUAL), due_at + LONGEST_LATE)


def plan(
    promises: Iterable[Promise],
    *,
    now: datetime,
    horizon: timedelta,
    hours: LawfulHours,
    held: Callable[[Promise], str | None] = lambda _: None,
    calls_back: Collection[str | None] = (),
    known_until: datetime | None = None,
) -> Plan:
    """Decide which promises are called before the horizon, which are missed, and which wait.

    :param promises: those that are open, unclear or listed; of others nothing is said.
    :param now: the present, aware.
    :param horizon: how far ahead to list.
    :param hours: when people may be called.
    :param held: why somebody may not be called now (a cap, credits), or None; it waits, and is missed for that reason
        when its time is over.
    :param calls_back: agents that call back by themselves: their promises are left to them, until their calls are known
        past the time and none came. SmartAlex always does, until it is known to have given up.
    :param known_until: until when all calls are known. Default None: not at all.
    """
    made = Plan()
    for promise in promises:
        if promise.state not in (PromiseState.OPEN, PromiseState.UNCLEAR) or promise.claim_key is not None:
            continue
        if promise.due_at is None or promise.number is None:
            made.waiting.append((promise, NOBODY_SAID))
            continue
        until = promise.give_up_at or give_up_at(promise.due_at, promise.number, promise.timezone, hours)
        why = held(promise)
        at = _lawful(max(now, promise.due_at), until, promise, hours)
        if isinstance(at, Held):
            made.waiting.append((promise, why or f"{NO_HOURS}: {at.detail}"))
            continue
        if at is None:
            made.missed.append((promise, why or (NOT_LISTED if now >= until else NO_HOUR)))
            continue
        if promise.platform == SMARTALEX or promise.agent_id in calls_back:
            certainly_not = _certainly_not_called(promise)
            is_known = certainly_not is not None and known_until is not None and known_until >= certainly_not
            why = why or (None if is_known else PLATFORM_CALLS)
        elif at > now + horizon:
            why = NOT_DUE
        if why is not None:
            made.waiting.append((promise, why))
        else:
            made.to_list.append(Due(promise, at, until))
    made.to_list.sort(key=lambda due: (due.at, due.promise.promise_id))
    return made


def is_too_late(promise: Promise, begins: datetime) -> bool:
    """Whether a list that was made in time for a promise comes too late for it by now.

    :param promise: on the list.
    :param begins: when the list would begin to call, aware.
    """
    return promise.give_up_at is not None and promise.give_up_at - begins < LEAST_LEFT[promise.platform] / 2


def _certainly_not_called(promise: Promise) -> datetime | None:
    """When all calls are known until then and none is the platform's, it has not called; None: it may still."""
    assert promise.due_at is not None
    # Of a span it may call until its end.
    end = max(promise.due_at, promise.latest_at or promise.due_at)
    if promise.platform == SMARTALEX:
        if promise.platform_gave_up_at is None:
            return None
        end = max(end, promise.platform_gave_up_at)
    return end + PUNCTUAL


def last_moment(
    due_at: datetime, number: str, timezone: str | None, hours: LawfulHours, give_up_after: timedelta | None
) -> datetime:
    """Until when a promise can be kept; see `give_up_at`.

    :param give_up_after: how long after the time at most; None: until the end of the day's lawful hours.
    """
    until = give_up_at(due_at, number, timezone, hours)
    return until if give_up_after is None else min(until, due_at + give_up_after)


def _lawful(at: datetime, until: datetime, promise: Promise, hours: LawfulHours) -> datetime | Held | None:
    """The first lawful moment from `at` on and before `until`; None where there is none, or why none is known."""
    if at >= until or promise.number is None:
        return None
    spans = hours.spans(promise.number, at - timedelta(minutes=1), until, timezone=promise.timezone)
    if isinstance(spans, Held):
        return spans
    moments = [max(at, opens) for opens, closes in spans if closes > at]
    return moments[0].astimezone(UTC) if moments else None
