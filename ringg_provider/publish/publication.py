"""One publication: what changed is spooled, loaded, merged, noted; and the marks move last.

Killed anywhere and begun again, it ends as if nothing had happened: a merge may be repeated, and what was merged but
not noted is merged once more.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa

from ringg_provider.contacts.people import people_table
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.exceptions import DatabaseUnavailable, InvalidRequest, RinggProviderError
from ringg_provider.history.outcomes import OUTCOMES, outcomes
from ringg_provider.history.tables import calls_table
from ringg_provider.publish.changes import Changes
from ringg_provider.publish.marks import Marks
from ringg_provider.publish.schema import PUBLICATION, PUBLICATIONS, PUBLISHED_AT, PublishedTable, published
from ringg_provider.publish.sinks import Sink
from ringg_provider.publish.spool import Spool
from ringg_provider.sql.creating import is_there
from ringg_provider.tracing import span

log = logging.getLogger(__name__)


@dataclass
class PublishCounts:
    """What a publication did: counts only.

    :param rows: rows that were written.
    :param gone: keys that left the copy.
    :param bytes: of the files that were loaded.
    :param statements: statements and jobs in the warehouse.
    :param whole: tables that were published from the beginning.
    """

    rows: int = 0
    gone: int = 0
    bytes: int = 0
    statements: int = 0
    whole: int = 0


def tables_there(
    engine: sa.Engine, described: Sequence[sa.Table], named: Sequence[str] | None, published_before: set[str]
) -> list[sa.Table]:
    """Those tables of the state that are to be published.

    :param engine: the state database.
    :param described: the tables that the platform has.
    :param named: the names of those that are wanted; None for all that are there.
    :param published_before: names that have a mark.
    :raises InvalidRequest: one that is named, or was published before, is not there; or none is.
    """
    known = {table.name: table for table in described}
    if unknown := [name for name in named or () if name not in known]:
        raise InvalidRequest(
            f"tables: there is no table {unknown[0]} to be published; there are {', '.join(known)}.", field="tables"
        )
    there = [table for name, table in known.items() if (named is None or name in named) and is_there(engine, table)]
    needed = published_before & known.keys() if named is None else set(named)
    if lost := sorted(needed - {table.name for table in there}):
        raise InvalidRequest(
            f"tables: the table {lost[0]} is not in the state database. What was published of it stays as it is: name "
            "the right database in state_conn_id and state_schema, or name in tables what is to be published.",
            field="tables",
        )
    if not there:
        raise InvalidRequest(
            f"state_conn_id: that database has none of the tables {', '.join(known)}, so there is nothing to publish. "
            "Name the database that the operators write to; create_ringg_tables makes the tables before the first run.",
            field="state_conn_id",
        )
    return there


@dataclass(frozen=True)
class View:
    """The view `ringg_outcomes` over two of the published tables.

    :param contacts: the name of the table of contacts.
    :param calls: the name of the table of calls.
    """

    contacts: str
    calls: str


class Publication:
    """Publishes tables of the state into one schema of one warehouse.

    :param engine: the state database.
    :param tables: of the state; each is there.
    :param sink: the warehouse.
    :param marks: of these tables.
    :param view: makes the view of outcomes there. Default: none.
    """

    def __init__(
        self, engine: sa.Engine, tables: Sequence[sa.Table], sink: Sink, marks: Marks, view: View | None = None
    ) -> None:
        self.engine = engine
        self.tables = tables
        self.sink = sink
        self.marks = marks
        self.view = view

    def run(self) -> PublishCounts:
        """Bring the copy up to the state.

        :return: what was done.
        :raises DatabaseUnavailable: a database was busy or went away, or another task publishes; trying again helps.
        :raises QueryFailed: a database refused.
        :raises InvalidRequest: something is not there in the warehouse, or somebody altered a table.
        :raises WrongState: a mark lies in the future, or the table is the copy of another state.
        """
        with span("ringg.publish", warehouse=self.sink.name, tables=len(self.tables)) as publishing:
            counts = self._run()
            publishing.set_attribute("ringg.rows", counts.rows)
            return counts

    def _run(self) -> PublishCounts:
        self.sink.check()
        with self.marks.held():
            begun_at, counts = dt.datetime.now(dt.UTC), PublishCounts()
            self._begin()
            written = self._put_all(self.tables, begun_at, counts)
            if wrong := self._differing():
                log.warning("Something else wrote to %s: published from the beginning.", ", ".join(sorted(wrong)))
                self.marks.begin_whole(wrong)
                written |= self._put_all([each for each in self.tables if each.name in wrong], begun_at, counts)
                if wrong := self._differing():
                    raise DatabaseUnavailable(
                        f"Something else writes to {', '.join(sorted(wrong))} in the warehouse: there are not the rows "
                        "that were put there. Only publications may write there; what they need to know is in these "
                        "tables alone."
                    )
            if self.view is not None:
                schema = self.sink.schema
                contacts, calls = people_table(self.view.contacts, schema), calls_table(self.view.calls, schema=schema)
                self.sink.create_view(OUTCOMES, outcomes(contacts, calls))
            counts.statements = self.sink.statements
            self.marks.finish(written, begun_at)
        return counts

    def _begin(self) -> None:
        """Make what is missing on either side, and find out whether the two agree about what stands there."""
        self.sink.ensure(PUBLICATIONS)
        for table in self.tables:
            Changes(self.engine, table, self.marks.target).prepare()
        made = {table.name for table in self.tables if self.sink.ensure(published(table))}
        self.marks.begin(self.sink.read(PUBLICATIONS), made)

    def _put_all(self, tables: Sequence[sa.Table], begun_at: dt.datetime, counts: PublishCounts) -> set[str]:
        """Publish what changed of some tables; gives back of which there was anything."""
        with Scratch() as scratch:
            due: list[tuple[Changes, Spool]] = []
            for table in tables:
                changes = Changes(self.engine, table, self.marks.target, scratch)
                spool = self._spool(changes, scratch, begun_at)
                if spool.rows or self.marks.of[table.name].whole:
                    due.append((changes, spool))
            names = {changes.table.name for changes, _ in due}
            if due:
                counts.bytes += self._put(PUBLICATIONS, self._marks_of(names, scratch, begun_at))
            for changes, spool in due:
                whole = self.marks.of[changes.table.name].whole
                counts.bytes += self._put(changes.published, spool, whole=whole)
                changes.note()
                counts.rows += changes.rows
                counts.gone += changes.gone
                counts.whole += whole
                log.info("%s: %s rows, %s keys gone", changes.table.name, changes.rows, changes.gone)
        return names

    def _differing(self) -> set[str]:
        """The tables that do not hold the rows that were put there, as far as their numbers tell."""
        return {
            table.name
            for table in self.tables
            if self.sink.totals(published(table)) != Changes(self.engine, table, self.marks.target).totals()
        }

    def _spool(self, changes: Changes, scratch: Scratch, begun_at: dt.datetime) -> Spool:
        self.marks.renew()
        mark = self.marks.of[changes.table.name]
        with (
            span("ringg.publish.spool", table=changes.table.name, whole=mark.whole) as spooling,
            Spool(changes.published, scratch, self.sink.file_format) as spool,
        ):
            changes.spool(spool, whole=mark.whole, begun_at=begun_at, number=mark.number)
            spooling.set_attribute("ringg.rows", spool.rows)
        return spool

    def _marks_of(self, names: set[str], scratch: Scratch, begun_at: dt.datetime) -> Spool:
        with Spool(PUBLICATIONS, scratch, self.sink.file_format) as spool:
            for name in sorted(names):
                mark = self.marks.of[name]
                row = {"table_name": name, "state_id": self.marks.state_id, "mark": mark.token}
                spool.add({**row, PUBLISHED_AT: begun_at, PUBLICATION: mark.number})
        return spool

    def _put(self, table: PublishedTable, spool: Spool, *, whole: bool = False) -> int:
        """Load a file and put its rows in place; gives back its size."""
        with span("ringg.publish.load", table=table.name, rows=spool.rows):
            staging = self.sink.load(table, spool)
        try:
            self.marks.renew()
            with span("ringg.publish.merge", table=table.name, whole=whole):
                (self.sink.replace if whole else self.sink.merge)(table, staging)
        except BaseException:
            # What is wrong already is worth telling; what is left there goes by itself.
            with suppress(RinggProviderError):
                self.sink.drop(staging)
            raise
        self.sink.drop(staging)
        return spool.bytes
