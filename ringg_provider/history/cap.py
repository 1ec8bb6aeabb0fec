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
from ringg_provider.history.gaps import warn_of_gaps
from ringg_provider.history.tables import HistoryState, require_table
from ringg_provider.numbers.sets import NumberSet
from ringg_provider.sql.creating import columns_of
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
    :param max_attempts: protect numbers with so many calls, or more; None not to.
    :param may_be_missing: whether the table need not be there yet; nobody counts as called then.
    """

    calls: sa.Table
    not_called_within_days: float | None = None
    max_attempts: int | None = None
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
            for query, people in self._queries(exclusions):
                for batch in connection.execute(query).scalars().partitions():
                    people.add(cleaner.numbers_of(batch))
        warn_of_gaps(
            log, engine, self.calls, self._number, self.not_called_within_days, may_be_erased="erased_at" in present
        )
        log.info(
            "The cap protects those whom %s knows: %s called lately, and %s called often enough.",
            self.calls.fullname,
            wording.counted(len(exclusions.called_recently), "number"),
            wording.counted(len(exclusions.exhausted), "number"),
        )

    @property
    def _number(self) -> sa.ColumnElement[str]:
        # A number that the platform wrote without its country code is read as one of the campaign's country.
        return sa.func.coalesce(self.calls.c.to_number_e164, self.calls.c.to_number)

    def _queries(self, exclusions: Exclusions) -> list[tuple[sa.Select[Any], NumberSet]]:
        columns, number = self.calls.c, self._number
        some = sa.select(number).where(number.is_not(None))
        queries = []
        if self.not_called_within_days is not None:
            since = datetime.now(UTC) - timedelta(days=self.not_called_within_days)
            # A call may be registered days before it is made, and a row may lack its times: in doubt it counts.
            known = sa.func.coalesce(columns.created_at, columns.first_read_at)
            lately = [known.is_(None), known >= since]
            if "attempted_at" in columns:
                lately.append(columns.attempted_at >= since)
            if "history_state" in columns:
                # One that is still open may be made at any moment.
                is_open = columns.history_state == HistoryState.OPEN.value
                lately.append(sa.and_(columns.is_final == sa.false(), is_open))
            queries.append((some.where(sa.or_(*lately)), exclusions.called_recently))
        if self.max_attempts is not None:
            often = some.group_by(number).having(sa.func.count() >= self.max_attempts)
            queries.append((often, exclusions.exhausted))
        return queries

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
