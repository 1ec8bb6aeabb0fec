"""SmartAlex's pending callbacks as promises: it calls by itself, and what its calls tell says whether it did."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ringg_provider.callbacks.asked import PLATFORM, Asked, Call, asked_for
from ringg_provider.callbacks.keeping import NOT_CALLED_BACK, REPLACED, Terms, Told, changes
from ringg_provider.callbacks.loading import Change, PromiseCounts, PromiseTerms, count_standing, rows_of, write
from ringg_provider.callbacks.reading import Instant
from ringg_provider.callbacks.table import LIVE, SMARTALEX, callbacks_table
from ringg_provider.history.smartalex import PENDING
from ringg_provider.history.tables import not_found
from ringg_provider.sql.creating import create_tables, is_there
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.sql.merge import lock_writers
from ringg_provider.tracing import span

NO_TIME = "the platform said no time"

Row = Mapping[str, Any]


@dataclass
class SmartAlexPromises:
    """Brings the table of promises up to SmartAlex's callbacks and calls. It may be run as often as one likes.

    :param engine: the state database.
    :param pending: the table of callbacks; see `history.smartalex.callbacks_table`.
    :param calls: the table of calls; see `smartalex_calls_table`.
    :param terms: when a promise counts as what.
    :param table: see `callbacks_table`.
    :param conn_id: the connection by which the platform is reached.
    :param look_back: callbacks that were done so long ago are looked at.
    :param now: the present time, aware; for tests.
    """

    engine: sa.Engine
    pending: sa.Table
    calls: sa.Table
    terms: PromiseTerms
    table: sa.Table = field(default_factory=callbacks_table)
    conn_id: str | None = None
    look_back: dt.timedelta = dt.timedelta(days=7)
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    def run(self) -> PromiseCounts:
        """Look at all callbacks that are pending or were done of late, and at all promises that are still to be kept.

        :return: what was done.
        :raises InvalidRequest: there is no table of callbacks, or of calls.
        :raises QueryFailed, DatabaseUnavailable: the database refused.
        """
        counts: PromiseCounts = without_driver_errors(f"table {self.table.fullname!r}", self._run)
        return counts

    def _run(self) -> PromiseCounts:
        for table, name in ((self.pending, "pending_table"), (self.calls, "table")):
            if not is_there(self.engine, table):
                raise not_found(self.engine, table, name, "so it is not known who is to be called.")
        create_tables(self.engine, self.table)
        now, counts, terms = self.now(), PromiseCounts(), self.terms.terms()
        with span("ringg.callbacks.load", table=self.table.fullname):
            with self.engine.connect() as connection:
                callbacks = self._callbacks(connection, now)
                calls = self._calls(connection, callbacks)
            told: defaultdict[str, list[Told]] = defaultdict(list)
            for of_one in callbacks.values():
                for promise in self._told(of_one, calls, terms):
                    told[promise.latest.number].append(promise)

            def transaction() -> list[Change]:
                with self.engine.connect() as connection, connection.begin():
                    lock_writers(connection, self.table)
                    owners = {each.latest.call_id: number for number, some in told.items() for each in some}
                    rows = rows_of(connection, self.table, self._standing(connection) | set(told), owners, SMARTALEX)
                    written: list[Change] = []
                    for number in sorted({*told, *rows}):
                        mine = rows.get(number, [])
                        made = changes(told[number], mine, terms, now, platform=SMARTALEX, conn_id=self.conn_id)
                        written += write(connection, self.table, mine, made)
                    return written

            for before, after in begin_again(transaction):
                counts.note(before, after)
        count_standing(self.engine, self.table, SMARTALEX, counts)
        return counts

    def _standing(self, connection: sa.Connection) -> set[str]:
        """The numbers of those to whom a promise is still to be kept."""
        columns = self.table.c
        query = sa.select(columns.to_number_e164).where(columns.platform == SMARTALEX, columns.state.in_(sorted(LIVE)))
        return {number for number in connection.execute(query.distinct()).scalars() if number}

    def _callbacks(self, connection: sa.Connection, now: dt.datetime) -> dict[tuple[Any, ...], list[Row]]:
        """The callbacks of late, by campaign and person, in their order."""
        columns = self.pending.c
        late = sa.or_(columns.state == PENDING, columns.done_at >= now - self.look_back)
        query = sa.select(self.pending).where(late, columns.to_number_e164.is_not(None))
        found: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for row in connection.execute(query.order_by(columns.scheduled_at, columns.callback_id)).mappings():
            if str(row["to_number_e164"]).startswith("+"):
                found[row["campaign_id"], row["to_number_e164"]].append(dict(row))
        return found

    def _calls(
        self, connection: sa.Connection, callbacks: Mapping[tuple[Any, ...], Sequence[Row]]
    ) -> dict[str, list[Call]]:
        """The calls of the people in question, by contact id and by number."""
        columns = self.calls.c
        waiting = [row for some in callbacks.values() for row in some]
        if not waiting:
            return {}
        since = min(row["first_read_at"] for row in waiting) - self.look_back
        query = sa.select(self.calls).where(sa.or_(columns.created_at.is_(None), columns.created_at >= since))
        people = {row["contact_id"] or row["to_number_e164"] for row in waiting}
        people |= {row["to_number_e164"] for row in waiting}
        found: defaultdict[str, list[Call]] = defaultdict(list)
        for row in connection.execute(query).mappings():
            call = Call.of_smartalex(dict(row))
            for who in {row["contact_id"], row["to_number_e164"]} & people:
                found[who].append(call)
        return found

    def _told(self, callbacks: Sequence[Row], calls: Mapping[str, list[Call]], terms: Terms) -> list[Told]:
        """What became of the callbacks of one person in one campaign."""
        told: list[Told] = []
        for row in callbacks:
            number = row["to_number_e164"]
            name = _name(row["callback_id"])
            first = Call(
                name,
                row["first_read_at"],
                number,
                row["agent_id"],
                row["campaign_id"],
                contact_id=row["contact_id"],
            )
            asked = self._asked(row["scheduled_at"], number)
            until = first.at + terms.unclear_for
            if asked.due is not None:
                until = terms.until(asked.due, number, asked.timezone)
            gave_up = row["done_at"] if _was_pending_at_its_time(row) else None
            told.append(Told(first, first, asked, until, [name], uncalled=NOT_CALLED_BACK, platform_gave_up_at=gave_up))
        for row, promise, following in zip(callbacks, told, [*told[1:], None], strict=True):
            theirs = [call for who in (row["contact_id"], row["to_number_e164"]) for call in calls.get(who, [])]
            self._answer(promise, following, {call.call_id: call for call in theirs}, terms)
        return told

    def _asked(self, scheduled_at: dt.datetime | None, number: str) -> Asked:
        if scheduled_at is None:
            return Asked(unclear=NO_TIME)
        return asked_for(Instant(scheduled_at), number, None, self.terms.hours, PLATFORM)

    @staticmethod
    def _answer(promise: Told, following: Told | None, calls: Mapping[str, Call], terms: Terms) -> None:
        since = promise.asked.since
        if since is not None:
            end = promise.until if following is None or following.asked.since is None else following.asked.since
            begin, end = since - terms.tolerance, max(end, promise.asked.until or end)
            mine = [call for call in calls.values() if begin <= call.at <= end]
            reached = sorted((call for call in mine if call.reached), key=lambda call: (call.at, call.call_id))
            promise.kept = reached[0] if reached else None
            promise.tried = sum(call.was_tried and not call.reached for call in mine)
            # They were rung at their time: the platform tries again by itself, by a callback that is another promise.
            promise.is_followed = promise.kept is None and promise.tried > 0
        if promise.kept is None and following is not None:
            promise.withdrawn = REPLACED


def _was_pending_at_its_time(row: Row) -> bool:
    """Whether a callback was still to come when it was due; one that is gone before may have been called off."""
    return row["scheduled_at"] is not None and row["read_at"] is not None and row["read_at"] >= row["scheduled_at"]


def _name(callback_id: str) -> str:
    """The id of a promise: that of the callback, unless a number is part of it."""
    if "+" not in callback_id:
        return callback_id
    return f"callback-{hashlib.sha256(callback_id.encode()).hexdigest()[:32]}"
