"""What a person's calls make of promises to them: asked, asked again, kept. Pure: the same calls, the same promises.

The calls are told over from the first to the last, whatever order they were read in. What they do not tell stays in the
row: who settled an unclear promise, who calls under which key, and how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ringg_provider.callbacks.asked import PERSON, Asked, Call
from ringg_provider.callbacks.planning import MOVED, NO_HOURS, NOT_LISTED, PLATFORM_CALLS, PUNCTUAL, REACHED_SINCE
from ringg_provider.callbacks.table import LIVE, REACHED, RINGG, PromiseState

Row = Mapping[str, Any]

ASKED_AGAIN = "they asked again"
REACHED_BEFORE = "they were reached before anybody said when, and did not ask again"
NOT_SETTLED = "nobody said when in time"
NOT_CALLED_BACK = "the platform did not call"
NOT_CALLED = "it was on a list and not called in time"
NOT_REACHED = "they were called and not reached"
REPLACED = "a later promise replaced it"
#: Why a promise is as it is, as far as calls tell; whoever lists promises may know better.
_AS_TOLD = (ASKED_AGAIN, NOT_SETTLED, NOT_LISTED, NOT_CALLED, NOT_REACHED)

#: Why it is withdrawn, where the calls tell it.
_BY_CALLS = (REACHED_BEFORE, REACHED_SINCE, REPLACED)

#: A call is known some time after it was made; before that, nothing is missed.
KNOWN_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Terms:
    """When a promise counts as what.

    :param asked: reads what somebody asked for in a call.
    :param until: when a promise that is due then, to that number in that zone, can be kept no longer.
    :param lawful: when to call somebody who said when, at that number in that zone; None where that is not known.
    :param punctual: how long after the time a call is not late.
    :param tolerance: how long before the time a call is the one that was promised.
    :param unclear_for: how long somebody may take to settle an unclear one.
    """

    asked: Callable[[Call], Asked]
    until: Callable[[datetime, str, str | None], datetime]
    lawful: Callable[[datetime, datetime, str, str | None], datetime | None]
    punctual: timedelta = PUNCTUAL
    tolerance: timedelta = PUNCTUAL
    unclear_for: timedelta = timedelta(days=3)


@dataclass
class Told:
    """A promise as the calls tell it.

    :param first: the call in which they first asked.
    :param latest: the one in which they last did.
    :param asked: for when.
    :param until: when it can be kept no longer.
    :param calls: ids of all calls in which they asked.
    :param kept: the call that kept it.
    :param tried: how often they were called for it and not reached.
    :param was_reached_before: somebody reached them before its time, and they did not ask again.
    :param withdrawn: why it is not to be kept; None when it is.
    :param is_followed: there is another one after it.
    :param uncalled: why it was missed where nobody called and it was on no list.
    :param platform_gave_up_at: when the platform was found not to call by itself any more; None: it may, or need not.
    :param called_by: the lists that have called them, and do not call again.
    """

    first: Call
    latest: Call
    asked: Asked
    until: datetime
    calls: list[str]
    kept: Call | None = None
    tried: int = 0
    was_reached_before: bool = False
    withdrawn: str | None = None
    is_followed: bool = False
    uncalled: str = NOT_LISTED
    platform_gave_up_at: datetime | None = None
    called_by: set[str] = field(default_factory=set)

    def is_over(self, at: datetime) -> bool:
        """Whether nothing can become of it any more."""
        return self.kept is not None or self.withdrawn is not None or at > self.until


def promises_in(calls: Iterable[Call], rows: Sequence[Row], terms: Terms) -> list[Told]:
    """Tell the promises to one person.

    :param calls: all with that person, in any order; of a call that comes twice the last counts.
    :param rows: of the table, of that person.
    :param terms: when a promise counts as what.
    """
    once = {call.call_id: call for call in calls}
    pinned = {row["asked_call_id"]: row for row in rows if _is_pinned(row)}
    told: list[Told] = []
    for call in sorted(once.values(), key=lambda call: (call.at, call.call_id)):
        promise = told[-1] if told and not told[-1].is_over(call.at) else None
        if call.asks:
            if promise is None:
                if told:
                    told[-1].is_followed = True
                promise = Told(call, call, Asked(), call.at, [])
                told.append(promise)
            _ask(promise, call, pinned.get(call.call_id), terms)
        elif promise is not None:
            _answer(promise, call, terms)
        if promise is not None and call.list_id is not None and call.is_final:
            promise.called_by.add(call.list_id)
    return told


def _is_pinned(row: Row) -> bool:
    """Whether there is more in a row than the calls tell: somebody has settled it, or calls it, or withdrew it."""
    said = str(row["settled_by"] or "").startswith(PERSON)
    withdrawn = row["state"] == PromiseState.WITHDRAWN and row["state_reason"] not in _BY_CALLS
    return said or withdrawn or row["claim_key"] is not None


def _ask(promise: Told, call: Call, pinned: Row | None, terms: Terms) -> None:
    said = pinned is not None and (pinned["due_at"] or pinned["earliest_at"]) is not None
    asked = _settled(pinned, call.number, terms) if pinned is not None and said else terms.asked(call)
    promise.latest, promise.asked, promise.tried, promise.was_reached_before = call, asked, 0, False
    promise.calls.append(call.call_id)
    if asked.due is None:
        promise.until = call.at + terms.unclear_for
    else:
        promise.until = max(terms.until(asked.due, call.number, asked.timezone), asked.until or asked.due)
    if pinned is not None and pinned["state"] == PromiseState.WITHDRAWN:
        promise.withdrawn = pinned["state_reason"] or ""


def _settled(row: Row, number: str, terms: Terms) -> Asked:
    """What a row says of when to call; what a person said is moved into lawful hours until somebody calls."""
    due, zone = row["due_at"], row["timezone"]
    earliest, latest = row["earliest_at"] or due, row["latest_at"] or due
    if row["claim_key"] is None and row["state"] in LIVE:
        due = terms.lawful(earliest, latest, number, zone)
        if due is None:
            return Asked(earliest, latest, None, zone, NO_HOURS, row["settled_by"])
    return Asked(earliest, latest, due, zone, None, row["settled_by"])


def _answer(promise: Told, call: Call, terms: Terms) -> None:
    since = promise.asked.since
    if since is None:
        if call.reached:
            promise.withdrawn = REACHED_BEFORE
    elif call.at >= since - terms.tolerance:
        if call.reached:
            promise.kept = call
        elif call.was_tried:
            promise.tried += 1
    elif call.reached:
        promise.was_reached_before = True


@dataclass(frozen=True)
class Changes:
    """What has to be written so that the table says what the calls tell.

    :param rows: whole rows, new ones and ones that differ.
    :param deleted: ids of rows that others stand for now.
    """

    rows: list[dict[str, Any]]
    deleted: list[str]


def changes(
    told: Sequence[Told],
    rows: Sequence[Row],
    terms: Terms,
    now: datetime,
    *,
    platform: str = RINGG,
    conn_id: str | None = None,
    contact_keys: Mapping[tuple[str | None, str], str] | None = None,
) -> Changes:
    """Bring the rows of one person up to what the calls tell; what has ended stays as it is.

    :param told: see `promises_in`.
    :param rows: of the table, of that person.
    :param terms: when a promise counts as what.
    :param now: the present, aware.
    :param platform: whose promises they are. Default ``ringg``.
    :param conn_id: by which the platform is reached.
    :param contact_keys: list and number -> who that is.
    """
    left = {row["promise_id"]: row for row in rows}
    matched: list[tuple[Told, Row | None]] = []
    for promise in reversed(told):
        row = _match(promise, left.values())
        if row is not None:
            del left[row["promise_id"]]
        matched.append((promise, row))
    made = Changes([], [])
    # A name that more depends on is kept; any other is that of the first call in which they asked.
    taken = {row["promise_id"] for promise, row in matched if row is not None and _keeps_its_name(promise, row)}
    for row in left.values():
        asking = [promise for promise in told if row["promise_id"] in promise.calls]
        if asking and not _is_pinned(row) and row["erased_at"] is None:
            made.deleted.append(row["promise_id"])
        else:
            taken.add(row["promise_id"])
            made.rows.extend(_left_alone(row, terms, now, is_replaced=bool(asking)))
    for promise, row in matched:
        if row is not None and (row["erased_at"] is not None or _is_behind(promise, row)):
            continue
        name = promise.first.call_id
        if row is not None and _keeps_its_name(promise, row):
            name = row["promise_id"]
        elif name in taken:
            if row is not None:
                made.deleted.append(row["promise_id"])
            continue  # a row that more depends on stands for it
        new = _row(name, promise, row, terms, now)
        new["platform"] = platform
        new["conn_id"] = conn_id or new["conn_id"]
        if new["contact_key"] is None:
            new["contact_key"] = (contact_keys or {}).get((new["bulk_list_id"], promise.first.number))
        if row is None or any(new[column] != row[column] for column in new if column != "changed_at"):
            made.rows.append(new)
            if row is not None and name != row["promise_id"]:
                made.deleted.append(row["promise_id"])
    return made


def _match(promise: Told, rows: Iterable[Row]) -> Row | None:
    """The row that stands for a promise."""

    def nearness(row: Row) -> tuple[bool, bool, bool]:
        return (
            row["asked_call_id"] == promise.latest.call_id,
            row["claim_key"] is not None,
            row["promise_id"] == promise.first.call_id,
        )

    about = [row for row in rows if {row["asked_call_id"], row["promise_id"]} & set(promise.calls)]
    return max(about, key=nearness, default=None)


def _keeps_its_name(promise: Told, row: Row) -> bool:
    return row["erased_at"] is not None or _is_pinned(row) or row["promise_id"] == promise.first.call_id


def _is_behind(promise: Told, row: Row) -> bool:
    """Whether the calls tell of an earlier asking than a row that more depends on."""
    return bool(_is_pinned(row) and row["asked_at"] > promise.latest.at)


def _left_alone(row: Row, terms: Terms, now: datetime, *, is_replaced: bool) -> list[dict[str, Any]]:
    """A row of which the calls tell nothing: only time passes for it."""
    if row["state"] not in LIVE or row["erased_at"] is not None:
        return []
    if is_replaced:
        return [{**row, "state": PromiseState.WITHDRAWN.value, "state_reason": REPLACED, "changed_at": now}]
    if row["due_at"] is None:
        until = row["asked_at"] + terms.unclear_for
    elif row["to_number_e164"] is None:
        return []
    else:
        until = terms.until(row["due_at"], row["to_number_e164"], row["timezone"])
    if now <= until + KNOWN_AFTER:
        return []
    uncalled = NOT_LISTED if row["platform"] == RINGG else NOT_CALLED_BACK
    reason = _missed(row["claim_key"] is not None, row["due_at"] is not None, 0, _noted(row) or uncalled)
    return [{**row, "state": PromiseState.MISSED.value, "state_reason": reason, "changed_at": now}]


def _row(name: str, promise: Told, row: Row | None, terms: Terms, now: datetime) -> dict[str, Any]:
    """The row of a promise, as it will stand."""
    same = row if row is not None and row["asked_call_id"] == promise.latest.call_id else None
    asked, latest = promise.asked, promise.latest
    on_list_of_before = _is_on_list_of_before(promise, row)
    moved = on_list_of_before and row is not None and row["list_id"] not in promise.called_by
    taken = row if moved else None if on_list_of_before else same
    state, reason = _state(promise, taken, terms, now, moved=moved)
    if same is not None and _has_ended_so(same, promise, state):
        return {**same, "promise_id": name, "bulk_list_id": promise.first.list_id, "changed_at": now}
    kept = promise.kept
    late = None if kept is None or asked.until is None else max(0.0, (kept.at - asked.until).total_seconds())
    return {
        "promise_id": name,
        "platform": RINGG,
        "conn_id": None if row is None else row["conn_id"],
        "contact_key": None if row is None else row["contact_key"],
        "to_number_e164": latest.number,
        "contact_id": latest.contact_id,
        "callee_name": latest.name or promise.first.name,
        "agent_id": latest.agent_id,
        "bulk_list_id": promise.first.list_id,
        "asked_call_id": latest.call_id,
        "asked_at": latest.at,
        "words": latest.words,
        "timezone": asked.timezone,
        "earliest_at": asked.earliest,
        "latest_at": asked.latest,
        "due_at": asked.due,
        "give_up_at": None if asked.due is None else promise.until,
        "platform_gave_up_at": promise.platform_gave_up_at,
        "state": state.value,
        "state_reason": reason,
        "settled_by": asked.settled_by,
        "claim_key": None if taken is None else taken["claim_key"],
        "claimed_at": None if taken is None else taken["claimed_at"],
        "list_id": None if taken is None else taken["list_id"],
        "kept_call_id": None if kept is None else kept.call_id,
        "kept_at": None if kept is None else kept.at,
        "seconds_late": late,
        "first_seen_at": now if row is None else row["first_seen_at"],
        "changed_at": now,
        "erased_at": None,
    }


def _is_on_list_of_before(promise: Told, row: Row | None) -> bool:
    """Whether the list that a row names was made before they asked for the time that holds now."""
    if row is None or row["state"] != PromiseState.LISTED or row["claim_key"] is None:
        return False
    return bool(row["asked_call_id"] != promise.latest.call_id or row["state_reason"] == MOVED)


def _has_ended_so(row: Row, promise: Told, state: PromiseState) -> bool:
    """Whether a row keeps its end: nothing begins anew, but it may have been kept after all, or earlier."""
    if row["state"] in LIVE:
        return False
    if row["state"] in REACHED:
        return promise.kept is None or promise.kept.at >= row["kept_at"]
    if state == PromiseState.MISSED:
        return bool(row["state"] == PromiseState.WITHDRAWN)
    if row["state_reason"] == REACHED_SINCE and state in REACHED:
        return False
    return row["state"] == PromiseState.WITHDRAWN or state in LIVE


def _state(
    promise: Told, row: Row | None, terms: Terms, now: datetime, *, moved: bool
) -> tuple[PromiseState, str | None]:
    claimed = row is not None and row["claim_key"] is not None
    asked = promise.asked
    if promise.withdrawn is not None:
        return PromiseState.WITHDRAWN, promise.withdrawn or None
    if promise.kept is not None and asked.until is not None:
        in_time = promise.kept.at <= asked.until + terms.punctual
        return (PromiseState.KEPT if in_time else PromiseState.LATE), None
    if promise.was_reached_before and not claimed:
        return PromiseState.WITHDRAWN, REACHED_SINCE
    noted = None if row is None else _noted(row)
    if promise.is_followed or now > promise.until + KNOWN_AFTER:
        return PromiseState.MISSED, _missed(claimed, asked.due is not None, promise.tried, noted or promise.uncalled)
    if asked.due is None and not moved:
        return PromiseState.UNCLEAR, asked.unclear
    again = ASKED_AGAIN if len(promise.calls) > 1 else None
    if claimed:
        return PromiseState.LISTED, MOVED if moved else again
    return PromiseState.OPEN, noted or again


def _noted(row: Row) -> str | None:
    """Why nobody calls for a promise, or did, as whoever lists them has noted it; None where nothing is noted."""
    reason: str | None = row["state_reason"]
    is_noted = row["state"] in (PromiseState.OPEN, PromiseState.MISSED) and row["claim_key"] is None
    return reason if is_noted and reason not in _AS_TOLD else None


def _missed(claimed: bool, is_clear: bool, tried: int, uncalled: str) -> str:
    if not is_clear:
        return NOT_SETTLED
    if tried:
        return NOT_REACHED
    if claimed:
        return NOT_CALLED
    return NOT_CALLED_BACK if uncalled == PLATFORM_CALLS else uncalled
