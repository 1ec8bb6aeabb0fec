"""The frequency cap: which numbers the history says were called lately, or often enough."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ringg_provider import wording
from ringg_provider.contacts.exclusions import Exclusions
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.attempts import known_attempts
from ringg_provider.history.gaps import warn_of_gaps
from ringg_provider.history.tables import HistoryState, require_table
from ringg_provider.numbers.sets import NumberSet
from ringg_provider.sql.creating import columns_of, is_there
from ringg_provider.sql.errors import without_driver_errors
from ringg_provider.sql.reading import BATCH_ROWS

log = logging.getLogger(__name__)

_FIELD = "history_table"
_NEEDED = (
    "to_number_e164",
    "to_number",
    "created_at",
    "attempted_at",
    "first_read_at",
    "is_final",
    "history_state",
)


@dataclass(frozen=True)
class FrequencyCap:
    """Whom a history protects from being called again.

    :param calls: the platform's table of calls, as its `calls_table` describes it.
    :param not_called_within_days: protect numbers with a call in the last so many days, or one that is still open; None
        not to.
    :param max_attempts: protect numbers that rang so often, or more; None not to.
    :param attempts_within: `(3, timedelta(hours=24))`: protect numbers that rang so often, or more, in so long a time
        before now; None not to.
    :param attempts: the platform's table of attempts, where it has one: a call counts as often as it is known there to
        have rung, and any other call once. It need not be there.
    :param may_be_missing: whether the table need not be there yet; nobody counts as called then.
    """

    calls: sa.Table
    not_called_within_days: float | None = None
    max_attempts: int | None = None
    attempts_within: tuple[int, timedelta] | None = None
    attempts: sa.Table | None = None
    may_be_missing: bool = False

    def exclude(self, engine: sa.Engine, exclusions: Exclusions, cleaner: PhoneCleaner) -> None:
        """Add the protected numbers to those who are left out.

        :param engine: of the database with the table.
        :param exclusions: takes them.
        :param cleaner: reads numbers.
        :raises InvalidRequest: the table is not there, is none of this platform's, or has calls and says of none who
            was called: then nobody would be protected.
        :raises QueryFailed, DatabaseUnavailable: it cannot be read.
        """
        without_driver_errors(_FIELD, self._exclude, engine, exclusions, cleaner)

    def _exclude(self, engine: sa.Engine, exclusions: Exclusions, cleaner: PhoneCleaner) -> None:
        if not require_table(engine, self.calls, field=_FIELD, may_be_missing=self.may_be_missing):
            return
        present = self._check_columns(engine)
        with engine.connect().execution_options(stream_results=True, yield_per=BATCH_ROWS) as connection:
            # A table of an older version may lack it, with nothing erased in it.
            self._check_rows(connection, may_be_erased="erased_at" in present)
            for query, people in self._queries(exclusions, self._known(engine)):
                for batch in connection.execute(query).scalars().partitions():
                    people.add(cleaner.numbers_of(batch))
        warn_of_gaps(
            log, engine, self.calls, self._number, self.not_called_within_days, may_be_erased="erased_at" in present
        )
        log.info("%s", self._told(exclusions))

    def _told(self, exclusions: Exclusions) -> str:
        """Whom it protects, by each of its limits."""
        found: dict[str, int] = {}
        if self.not_called_within_days is not None:
            within = wording.duration(timedelta(days=self.not_called_within_days))
            found[f"called within {within}"] = len(exclusions.called_recently)
        if self.max_attempts is not None:
            found[f"called {_times(self.max_attempts)} or more"] = len(exclusions.exhausted)
        if self.attempts_within is not None:
            most, span = self.attempts_within
            rang = f"called {_times(most)} or more within {wording.duration(span)}"
            found[rang] = len(exclusions.exhausted_lately)
        if not any(found.values()):
            return f"The cap holds back nobody: {self.calls.fullname} knows no number {', or '.join(found)}."
        told = ", ".join(f"{wording.counted(number, 'number')} {why}" for why, number in found.items())
        return f"The cap holds back whom {self.calls.fullname} knows: {told}."

    def _known(self, engine: sa.Engine) -> sa.Table | None:
        """The table of attempts, if it is there and anything rests on it."""
        if self.attempts is None or not is_there(engine, self.attempts):
            if self.attempts_within is not None and self.attempts is not None:
                log.warning(
                    "There is no table %s: attempts_within counts each call once, however often it rang. Webhooks tell"
                    " how often (RinggInboxToSqlOperator).",
                    self.attempts.fullname,
                )
            return None
        return self.attempts

    @property
    def _number(self) -> sa.ColumnElement[str]:
        # A number that the platform wrote without its country code is read as one of the campaign's country.
        return sa.func.coalesce(self.calls.c.to_number_e164, self.calls.c.to_number)

    def _queries(self, exclusions: Exclusions, attempts: sa.Table | None) -> list[tuple[sa.Select[Any], NumberSet]]:
        number = self._number
        now = datetime.now(UTC)
        some = sa.select(number).where(number.is_not(None))
        queries = []
        if self.not_called_within_days is not None:
            since = now - timedelta(days=self.not_called_within_days)
            queries.append(
                (some.where(sa.or_(*self._lately(since), self._may_still_ring())), exclusions.called_recently)
            )
            if attempts is not None:
                rang = some.join(attempts, attempts.c.call_id == self.calls.c.call_id)
                queries.append((rang.where(attempts.c.called_on >= since), exclusions.called_recently))
        if self.max_attempts is not None:
            queries.append((_often(self._rings(attempts, None), self.max_attempts), exclusions.exhausted))
        if self.attempts_within is not None:
            most, span = self.attempts_within
            queries.append((_often(self._rings(attempts, now - span), most), exclusions.exhausted_lately))
        return queries

    def _lately(self, since: datetime) -> list[sa.ColumnElement[bool]]:
        """When a call counts as one of late: it may be registered days before it is made, or lack its times."""
        columns = self.calls.c
        known = sa.func.coalesce(columns.created_at, columns.first_read_at)
        lately = [known.is_(None), known >= since]
        if "attempted_at" in columns:
            lately.append(columns.attempted_at >= since)
        return lately

    def _may_still_ring(self) -> sa.ColumnElement[bool]:
        """Whether a call is still open, so that it may be made at any moment."""
        columns = self.calls.c
        if "history_state" not in columns:
            return sa.false()
        return sa.and_(columns.is_final == sa.false(), columns.history_state == HistoryState.OPEN.value)

    def _rings(self, attempts: sa.Table | None, since: datetime | None) -> sa.CompoundSelect[Any]:
        """How often each number rang: `number` and `rings`, in several rows; in doubt about a ring, it counts.

        :param attempts: the table of attempts.
        :param since: from here on; None for ever.
        """
        calls, columns = self.calls, self.calls.c
        counted: list[sa.ColumnElement[bool]] = []
        if since is not None:
            # A call that may ring at any moment will have done so then.
            counted.append(sa.or_(*self._lately(since), self._may_still_ring()))
        if attempts is None:
            return sa.union_all(_of(calls, self._number, sa.literal(1)).where(*counted))
        known = known_attempts(attempts)
        # What no webhook told: the whole call, or a last ring that the history knows of, or one that may be under way.
        rang_later = sa.and_(columns.attempted_at > known.c.last_called_on)
        untold = sa.or_(known.c.call_id.is_(None), rang_later, self._may_still_ring() if since else sa.false())
        more = _of(calls.outerjoin(known, known.c.call_id == columns.call_id), self._number, sa.literal(1))
        told = _of(calls.join(attempts, attempts.c.call_id == columns.call_id), self._number, sa.literal(1))
        if since is not None:
            told = told.where(attempts.c.called_on >= since)
        return sa.union_all(more.where(untold, *counted), told)

    def _check_columns(self, engine: sa.Engine) -> set[str]:
        present = {name.lower() for name in columns_of(engine, self.calls)}
        if missing := [name for name in _NEEDED if name in self.calls.c and name not in present]:
            raise InvalidRequest(
                f"{_FIELD}: {self.calls.fullname} is no table of this platform's calls; it has no"
                f" {', '.join(missing)}.",
                field=_FIELD,
            )
        return present

    def _check_rows(self, connection: sa.Connection, *, may_be_erased: bool) -> None:
        any_call = sa.select(sa.literal(1)).select_from(self.calls).limit(1)
        if connection.execute(any_call).first() is None:
            log.warning(
                "%s holds no call yet, so nobody counts as called before, and the cap protects nobody. Load the calls"
                " of earlier campaigns first, if there were any; see the runbook, 'Called again although the cap"
                " holds them'.",
                self.calls.fullname,
            )
            return
        if may_be_erased and "erased_at" in self.calls.c:
            any_call = any_call.where(self.calls.c.erased_at.is_(None))
        nameless = connection.execute(any_call.where(self._number.is_(None))).first() is not None
        if nameless and connection.execute(any_call.where(self._number.is_not(None))).first() is None:
            raise InvalidRequest(
                f"{_FIELD}: no call in {self.calls.fullname} says which number was called, so nobody would be"
                " protected: leave out in the query itself who must not be called again.",
                field=_FIELD,
            )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _of(source: sa.FromClause, number: sa.ColumnElement[str], rings: sa.ColumnElement[int]) -> sa.Select[Any]:
    return sa.select(number.label("number"), rings.label("rings")).select_from(source).where(number.is_not(None))


def _often(rings: sa.CompoundSelect[Any], most: int) -> sa.Select[Any]:
    """The numbers that rang so often, or more."""
    each = rings.subquery("rings")
    return sa.select(each.c.number).group_by(each.c.number).having(sa.func.sum(each.c.rings) >= most)
