"""Promises out of the table of calls: whose calls have changed, what they tell now, and what of that is written."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import sqlalchemy as sa
from more_itertools import chunked

from ringg_provider import wording
from ringg_provider.callbacks.asked import Call, asked_in, calls_with
from ringg_provider.callbacks.keeping import Changes, Terms, changes, promises_in
from ringg_provider.callbacks.planning import PUNCTUAL, due_time, last_moment
from ringg_provider.callbacks.reading import Instant, Span
from ringg_provider.callbacks.table import LIVE, RINGG, PromiseState, callbacks_table
from ringg_provider.history.outcomes import LISTED
from ringg_provider.history.read_until import ReadUntil
from ringg_provider.history.tables import not_found, state_table
from ringg_provider.hours.lawful import LawfulHours
from ringg_provider.hours.plan import Held
from ringg_provider.sql import fitting
from ringg_provider.sql.creating import create_tables, is_there
from ringg_provider.sql.dialects import database_of
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.sql.merge import lock_writers
from ringg_provider.tracing import span

_PEOPLE_AT_ONCE = 200
# A load may take so long from reading the clock to its commit.
_OVERLAP = dt.timedelta(hours=1)


@dataclass
class PromiseCounts:
    """What a run did. Counts only, so that it may be shown anywhere.

    :param new: promises that were not known before.
    :param moved: known ones of which the person asked again.
    :param kept: became kept now, as for the next three.
    :param late: after the time.
    :param missed: can be kept no longer.
    :param withdrawn: are not to be kept.
    :param open: stand in the table now, as for the next two.
    :param unclear: wait for a person.
    :param listed: are on a list.
    """

    new: int = 0
    moved: int = 0
    kept: int = 0
    late: int = 0
    missed: int = 0
    withdrawn: int = 0
    open: int = 0
    unclear: int = 0
    listed: int = 0

    def __str__(self) -> str:
        """For a person, in one line."""
        said = [f"{wording.counted(self.new, 'new promise')}, {self.moved:,} moved"]
        said.append(f"{self.kept:,} kept, {self.late:,} late, {self.missed:,} missed, {self.withdrawn:,} withdrawn")
        said.append(f"now {self.open:,} open, {self.listed:,} listed, {self.unclear:,} unclear")
        return "; ".join(said)

    @property
    def changed(self) -> int:
        """How many promises are new or have changed."""
        return self.new + self.moved + self.kept + self.late + self.missed + self.withdrawn

    def note(self, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
        """Count what became of a row."""
        if before is None:
            self.new += 1
        elif before["asked_call_id"] != after["asked_call_id"]:
            self.moved += 1
        ended = after["state"] not in LIVE
        if ended and (before is None or before["state"] != after["state"]):
            setattr(self, after["state"], getattr(self, after["state"]) + 1)


@dataclass(frozen=True)
class PromiseTerms:
    """When a promise counts as what, as a DAG says it.

    :param hours: when people may be called.
    :param timezone: where people are whose number tells several zones, or none.
    :param punctual: how long after the time a call is not late.
    :param give_up_after: how long after the time at most it is kept; None: until the end of the day's lawful hours.
    :param unclear_for: how long somebody may take to settle an unclear one.
    """

    hours: LawfulHours
    timezone: str | None = None
    punctual: dt.timedelta = PUNCTUAL
    give_up_after: dt.timedelta | None = None
    unclear_for: dt.timedelta = dt.timedelta(days=3)

    def terms(self) -> Terms:
        """The same, for one run; what was read of a call is remembered."""

        def until(due_at: dt.datetime, number: str, timezone: str | None) -> dt.datetime:
            return last_moment(due_at, number, timezone, self.hours, self.give_up_after)

        def lawful(earliest: dt.datetime, latest: dt.datetime, number: str, timezone: str | None) -> dt.datetime | None:
            said = Instant(earliest) if earliest == latest else Span(earliest, latest)
            due = due_time(said, number, timezone, self.hours)
            return None if isinstance(due, Held) else due

        asked = cache(partial(asked_in, hours=self.hours, timezone=self.timezone))
        return Terms(asked, cache(until), lawful, self.punctual, unclear_for=self.unclear_for)


@dataclass
class PromiseLoad:
    """Brings the table of promises up to what the calls tell. It may be run as often as one likes, by two at once too.

    :param engine: the state database.
    :param calls: the table of calls; see `history.tables.calls_table`.
    :param terms: when a promise counts as what.
    :param table: see `callbacks_table`.
    :param contacts: `ringg_contacts`, for who people are; None: not asked for. It need not be there.
    :param conn_id: the connection by which the platform is reached.
    :param look_back: calls of so long ago are looked at by the first run; later ones look at what has changed since.
    :param now: the present time, aware; for tests.
    """

    engine: sa.Engine
    calls: sa.Table
    terms: PromiseTerms
    table: sa.Table = field(default_factory=callbacks_table)
    contacts: sa.Table | None = None
    conn_id: str | None = None
    look_back: dt.timedelta = dt.timedelta(days=7)
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    def run(self) -> PromiseCounts:
        """Look at all calls that have changed, and at all promises that are still to be kept.

        :return: what was done.
        :raises InvalidRequest: there is no table of calls.
        :raises QueryFailed, DatabaseUnavailable: the database refused.
        """
        counts: PromiseCounts = without_driver_errors(f"table {self.table.fullname!r}", self._run)
        return counts

    def _run(self) -> PromiseCounts:
        if not is_there(self.engine, self.calls):
            raise not_found(
                self.engine, self.calls, "table", "so nobody is known to have asked for a call: load it first."
            )
        state = state_table(schema=self.calls.schema)
        create_tables(self.engine, self.table, state)
        began, counts, terms = self.now(), PromiseCounts(), self.terms.terms()
        mark = ReadUntil(self.engine, self.calls, state, lambda *_: None, name=self.table.name)
        with span("ringg.callbacks.load", table=self.table.fullname):
            for numbers in chunked(self._people(mark, began), _PEOPLE_AT_ONCE):
                self._keep(numbers, terms, began, counts)
        mark.begin(began)
        mark.move(began, began)
        count_standing(self.engine, self.table, RINGG, counts)
        return counts

    def _people(self, mark: ReadUntil, now: dt.datetime) -> list[str]:
        """The numbers of those whose promises may have changed."""
        promises, calls = self.table.c, self.calls.c
        mine = sa.and_(promises.platform == RINGG, promises.erased_at.is_(None))
        with self.engine.connect() as connection:
            anybody = connection.execute(sa.select(promises.promise_id).limit(1)).first()
            read = mark.get() if anybody is not None else None
            since = now - self.look_back if read is None else read - _OVERLAP
            changed = calls.changed_at >= since
            called = sa.select(calls.to_number_e164).where(changed)
            queries = [
                called.where(calls.callback_requested == sa.true()),
                sa.select(promises.to_number_e164).where(mine, promises.state.in_(sorted(LIVE))),
                called.join(self.table, promises.to_number_e164 == calls.to_number_e164).where(mine),
                # Who calls is the person then.
                sa.select(calls.from_number).where(changed, calls.call_type == "inbound"),
            ]
            found = {number for query in queries for number in connection.execute(query.distinct()).scalars()}
        numbers = {fitting.e164(number) for number in found if number}
        return sorted(number for number in numbers if number is not None)

    def _keep(self, numbers: Sequence[str], terms: Terms, now: dt.datetime, counts: PromiseCounts) -> None:
        """Bring the promises to some people up to what their calls tell."""
        with self.engine.connect() as connection:
            calls = self._calls_with(connection, numbers)
            for each in calls.values():
                for call in each:
                    if call.asks:
                        terms.asked(call)  # which takes its time, and others wait while rows are written
            keys = self._contact_keys(connection, calls)
        owners = {call.call_id: call.number for each in calls.values() for call in each if call.asks}

        def transaction() -> list[Change]:
            with self.engine.connect() as connection, connection.begin():
                lock_writers(connection, self.table)
                rows = rows_of(connection, self.table, numbers, owners, RINGG)
                written: list[Change] = []
                for number in numbers:
                    mine = rows.get(number, [])
                    known = self._since(calls.get(number, []), mine, now)
                    made = changes(
                        promises_in(known, mine, terms), mine, terms, now, conn_id=self.conn_id, contact_keys=keys
                    )
                    written += write(connection, self.table, mine, made)
                return written

        for before, after in begin_again(transaction):
            counts.note(before, after)

    def _since(self, calls: Sequence[Call], rows: Sequence[Mapping[str, Any]], now: dt.datetime) -> list[Call]:
        """The calls that may tell of a promise: those of late, and since the first of which there is a row."""
        at = {call.call_id: call.at for call in calls}
        firsts = [at.get(row["promise_id"], row["asked_at"]) for row in rows]
        begin = min([now - self.look_back, *firsts])
        return [call for call in calls if call.at >= begin]

    def _calls_with(self, connection: sa.Connection, numbers: Sequence[str]) -> dict[str, list[Call]]:
        """All calls with some people, by their numbers."""
        found: defaultdict[str, list[Call]] = defaultdict(list)
        for row in connection.execute(calls_with(self.calls, numbers)).mappings():
            call = Call.of(dict(row))
            if call is not None:
                found[call.number].append(call)
        return found

    def _contact_keys(
        self, connection: sa.Connection, calls: Mapping[str, Iterable[Call]]
    ) -> dict[tuple[str | None, str], str]:
        """Who people are, by the list and the number."""
        if self.contacts is None or not is_there(self.engine, self.contacts):
            return {}
        c = self.contacts.c
        asking = [call for each in calls.values() for call in each if call.asks and call.list_id]
        found: dict[tuple[str | None, str], str] = {}
        for some in chunked(asking, _PEOPLE_AT_ONCE):
            query = sa.select(c.list_id, c.phone, c.contact_key).where(
                c.list_id.in_({call.list_id for call in some}),
                c.phone.in_({call.number for call in some}),
                c.disposition == LISTED,
            )
            found |= {(row.list_id, row.phone): row.contact_key for row in connection.execute(query)}
        return found


Change = tuple[Mapping[str, Any] | None, Mapping[str, Any]]
"""A row as it stood, if it did, and as it stands now."""


def count_standing(engine: sa.Engine, table: sa.Table, platform: str, counts: PromiseCounts) -> None:
    """Count the promises of a platform that are still to be kept."""
    columns = table.c
    standing = sa.and_(columns.platform == platform, columns.state.in_(sorted(LIVE)))
    query = sa.select(columns.state, sa.func.count()).where(standing).group_by(columns.state)
    with engine.connect() as connection:
        for state, number in connection.execute(query):
            setattr(counts, PromiseState(state).value, number)


def rows_of(
    connection: sa.Connection, table: sa.Table, numbers: Iterable[str], owners: Mapping[str, str], platform: str
) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of some people by their numbers, held against others until the transaction ends.

    :param connection: in a transaction that others cannot write beside.
    :param table: see `callbacks_table`.
    :param numbers: of the people.
    :param owners: ids of the calls in which they asked, and the numbers that these belong to: a row that is erased has
        none.
    :param platform: whose.
    """
    columns = table.c
    named = sa.or_(columns.promise_id.in_(list(owners)), columns.asked_call_id.in_(list(owners)))
    theirs = sa.or_(columns.to_number_e164.in_(list(numbers)), named)
    query = sa.select(table).where(columns.platform == platform, theirs).order_by(columns.promise_id)
    if database_of(connection).locks_rows:
        query = query.with_for_update()
    rows: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        of_call = owners.get(row["promise_id"]) or owners.get(row["asked_call_id"])
        rows[of_call or row["to_number_e164"]].append(dict(row))
    return rows


def write(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], made: Changes) -> list[Change]:
    """Write what has changed of some rows.

    :param connection: in the transaction in which the rows were read.
    :param table: see `callbacks_table`.
    :param rows: as they stood.
    :param made: what has to be written.
    """
    stored = {row["promise_id"]: row for row in rows}
    renamed = {}
    if made.deleted:
        connection.execute(sa.delete(table).where(table.c.promise_id.in_(made.deleted)))
        renamed = {stored[each]["asked_call_id"]: stored.pop(each) for each in made.deleted}
    told: list[Change] = []
    for row in made.rows:
        before = stored.get(row["promise_id"])
        if before is None:
            connection.execute(sa.insert(table).values(**row))
        else:
            connection.execute(sa.update(table).where(table.c.promise_id == row["promise_id"]).values(**row))
        told.append((before or renamed.get(row["asked_call_id"]), row))
    return told
