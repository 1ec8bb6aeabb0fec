# ruff: noqa: E501 - a line per column reads better than a screen per column
"""How far each table was published into each warehouse, and the lock that lets one publication at a time write there.

The warehouse notes as well which publication it holds. Where the two do not agree (the state was restored from a
backup, the warehouse was, a table was dropped or emptied), the whole table is published again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from ringg_provider.exceptions import DatabaseUnavailable, RinggProviderError, WrongState
from ringg_provider.history.tables import column
from ringg_provider.sql.creating import create_tables, described
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.sql.types import Key, UtcDateTime

TABLE = "ringg_publications"

#: How far the clocks of two workers may be apart.
CLOCKS_APART = dt.timedelta(minutes=5)
#: The row that says which state this is.
_OF_STATE = ""


def publications_table(schema: str | None = None) -> sa.Table:
    """Describe the table of marks; nothing is created.

    :param schema: where it lives; the connection's default when left out.
    """
    # fmt: off
    columns = [
        column("target", sa.String(16), "this provider", "stands for `warehouse`; empty in the row whose `mark` says which state this is", primary_key=True),
        column("table_name", Key, "this provider", "the table, here and there", primary_key=True),
        column("warehouse", sa.Text, "this provider", "the connection of the warehouse, and the schema in it"),
        column("mark", sa.String(36), "this provider", "the last publication that was finished"),
        column("pending", sa.String(36), "this provider", "one that has begun; NULL when none has"),
        column("whole", sa.Boolean, "this provider", "all rows have to be published again"),
        column("number", sa.BigInteger, "this provider", "of the last publication that began; it only rises"),
        column("holder", sa.Text, "this provider", "the task that publishes now"),
        column("lease_until", UtcDateTime, "this provider", "when another task may take its place"),
        column("published_at", UtcDateTime, "this provider", "when the last publication that was finished had begun: what was committed before stands in the warehouse"),
    ]
    # fmt: on
    return described(TABLE, *columns, schema=schema)


def warehouse_name(conn_id: str, schema: str | None) -> str:
    """What stands for a warehouse and the schema in it."""
    return f"{conn_id}/{schema or ''}"


def connection_in(warehouse: str) -> str:
    """The connection in such a name; a schema has no slash."""
    return warehouse.rpartition("/")[0]


@dataclass
class Mark:
    """Where one table stands.

    :param mark: what the state says of it.
    :param token: the publication that is under way.
    :param number: its number.
    :param whole: whether it is of all rows.
    :param stands: what the warehouse says of it.
    """

    mark: str | None
    pending: str | None
    whole: bool
    number: int
    token: str = ""
    stands: str | None = None


class Marks:
    """The marks of some tables in one warehouse.

    :param engine: the state database.
    :param warehouse: names the warehouse and the schema in it.
    :param tables: their names.
    :param holder: the task; another attempt of it takes over at once what a killed one held.
    :param schema: of `ringg_publications`.
    :param lease: how long a publication may show no sign of life.
    """

    def __init__(
        self,
        engine: sa.Engine,
        warehouse: str,
        tables: Sequence[str],
        holder: str,
        *,
        schema: str | None = None,
        lease: dt.timedelta = dt.timedelta(minutes=40),
    ) -> None:
        self.engine = engine
        self.warehouse = warehouse
        self.target = hashlib.sha256(warehouse.encode()).hexdigest()[:16]
        self.holder = holder
        self.lease = lease
        self.of: dict[str, Mark] = {}
        self.state_id = ""
        self._names = sorted(tables)
        self._table = publications_table(schema)

    def published(self) -> set[str]:
        """The names of all tables that were ever published there, whichever these marks are of."""
        create_tables(self.engine, self._table)
        ever = sa.select(self._table.c.table_name).where(
            self._table.c.target == self.target, self._table.c.mark.is_not(None)
        )
        with self.engine.connect() as connection:
            return set(connection.execute(ever).scalars())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock on all tables; it is given back at the end, however that comes.

        :raises DatabaseUnavailable: another task publishes one of them.
        :raises WrongState: a mark lies in the future.
        """
        create_tables(self.engine, self._table)
        self.state_id = self._make_row(_OF_STATE, _OF_STATE, mark=str(uuid4())).mark
        for name in self._names:
            self._make_row(self.target, name, warehouse=self.warehouse, whole=False, number=0)
        self._change(self._claim)
        try:
            yield
        except BaseException:
            # What is wrong already is worth telling; the lease ends by itself.
            with suppress(RinggProviderError):
                self._change(lambda connection: self._update(connection, self._names, holder=None, lease_until=None))
            raise

    def renew(self) -> None:
        """Show a sign of life, right before something is written.

        :raises DatabaseUnavailable: another task has taken over.
        """
        self._change(self._renew)

    def begin(self, standing: Sequence[Mapping[str, Any]], made: set[str]) -> None:
        """Choose what is published of each table, and note it before anything is.

        :param standing: the rows of the warehouse's own `ringg_publications`.
        :param made: tables that were made, or given columns, just now.
        :raises WrongState: another state is published there.
        """
        there = {row["table_name"]: row for row in standing}
        for name in self._names:
            mark, stands = self.of[name], there.get(name)
            if stands is not None and stands["state_id"] != self.state_id:
                raise WrongState(
                    f"schema: the table {name} in {self.warehouse} is the copy of another state database, whose rows "
                    "would be lost. Publish into another schema; or, if that state is gone for good, delete the row "
                    f"of {name} from the table {TABLE} of the warehouse, and all is published anew."
                )
            mark.stands = stands["mark"] if stands else None
            resumed = mark.pending is not None and mark.stands == mark.pending
            mark.token = mark.stands if resumed and mark.stands else str(uuid4())
            agrees = mark.stands is not None and mark.stands in (mark.mark, mark.pending)
            mark.whole = mark.whole or not agrees or name in made
            # Higher than whatever the warehouse has seen, also where the state was restored from a backup.
            self._begin(name, max(mark.number, int(stands["publication"] or 0) + 1 if stands else 0))

    def begin_whole(self, names: set[str]) -> None:
        """Publish all rows of some tables, because those that stand there are not those that were put there."""
        for name in sorted(names):
            self.of[name].whole = True
            self._begin(name, self.of[name].number)

    def _begin(self, name: str, number: int) -> None:
        mark = self.of[name]
        values = {"pending": mark.token, "whole": mark.whole, "number": number, "lease_until": self._lease_end()}
        self._change(lambda connection: self._update(connection, [name], **values))
        mark.number = number

    def finish(self, written: set[str], begun_at: dt.datetime) -> None:
        """Move all marks, and give the lock back, in one transaction.

        :param written: the tables of which something was published.
        :param begun_at: of the publication.
        """

        def move(connection: sa.Connection) -> None:
            for name in self._names:
                mark = self.of[name]
                now_at = mark.token if name in written else mark.stands
                done = {"pending": None, "whole": False, "holder": None, "lease_until": None}
                self._update(connection, [name], mark=now_at, published_at=begun_at, **done)

        self._change(move)

    def _change(self, transaction: Any) -> None:
        def run() -> None:
            with self.engine.begin() as connection:
                transaction(connection)

        without_driver_errors(f"table {self._table.fullname!r}", begin_again, run)

    def _is(self, target: str, name: str) -> sa.ColumnElement[bool]:
        return sa.and_(self._table.c.target == target, self._table.c.table_name == name)

    def _make_row(self, target: str, name: str, **values: Any) -> Any:
        def unless_there() -> Any:
            query = sa.select(self._table).where(self._is(target, name))
            with self.engine.begin() as connection:
                row = connection.execute(query).one_or_none()
                if row is None:
                    connection.execute(sa.insert(self._table).values(target=target, table_name=name, **values))
                    row = connection.execute(query).one()
                return row

        return without_driver_errors(f"table {self._table.fullname!r}", begin_again, unless_there)

    def _claim(self, connection: sa.Connection) -> None:
        table, now = self._table.c, dt.datetime.now(dt.UTC)
        free = sa.or_(
            table.holder.is_(None),
            table.holder == self.holder,
            table.lease_until < now,
            # Nobody was given a lease so long: the clock that it was made by was wrong.
            table.lease_until > now + 2 * self.lease + CLOCKS_APART,
        )
        values = {"holder": self.holder, "lease_until": self._lease_end(), "number": table.number + 1}
        self.of = {}
        for name in self._names:
            this = self._is(self.target, name)
            taken = connection.execute(sa.update(self._table).where(this, free).values(**values)).rowcount
            row = connection.execute(sa.select(self._table).where(this)).one()
            if not taken:
                raise DatabaseUnavailable(
                    f"The table {name} is being published into {self.warehouse} by {row.holder} at this moment. This "
                    f"task has changed nothing; trying again helps, at the latest from {row.lease_until:%H:%M} UTC on."
                )
            if row.published_at is not None and row.published_at > now + CLOCKS_APART:
                raise WrongState(
                    f"The table {name} was published into {self.warehouse} at {row.published_at:%Y-%m-%d %H:%M} UTC, "
                    f"says {self._table.name}; it is {now:%Y-%m-%d %H:%M} UTC here, so a clock is wrong. Set it right; "
                    "if that time is wrong, set published_at of the row to NULL."
                )
            self.of[name] = Mark(row.mark, row.pending, bool(row.whole), row.number)

    def _renew(self, connection: sa.Connection) -> None:
        self._update(connection, self._names, lease_until=self._lease_end())

    def _lease_end(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.lease

    def _update(self, connection: sa.Connection, names: Sequence[str], **values: Any) -> None:
        """Change rows that this publication holds; all of them or none."""
        for name in names:
            ours = sa.and_(
                self._is(self.target, name),
                self._table.c.holder == self.holder,
                self._table.c.number == self.of[name].number,
            )
            if not connection.execute(sa.update(self._table).where(ours).values(**values)).rowcount:
                raise DatabaseUnavailable(
                    f"Another task has begun to publish the table {name} into {self.warehouse} meanwhile. This one "
                    "has stopped; whatever it wrote is put right by the other one."
                )
