"""Databases that keep a transaction's promise: PostgreSQL, MySQL, MariaDB, DuckDB and MotherDuck, SQLite.

Rows go into a temporary table by the fastest path that there is (`COPY`, DuckDB's own reader, INSERTs of many rows),
and from there into the table in one transaction.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.publish.schema import DELETED, POSITION, PUBLICATION, PublishedColumn, PublishedTable
from ringg_provider.publish.sinks import refuse_view
from ringg_provider.publish.spool import FileFormat, Spool
from ringg_provider.sql.bulk import in_batches, stage
from ringg_provider.sql.creating import (
    add_missing_columns,
    create_tables,
    create_view,
    described,
    has_view,
    is_there,
    temporary_table,
)
from ringg_provider.sql.dialects import Database, database_of
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.sql.merge import lock_writers
from ringg_provider.sql.types import Json, Text, UtcDateTime

_ROWS_AT_ONCE = 2_000
_NEWEST = "spool_newest"
_DUCKDB_OBJECT = 1_000_000

# What ends a statement that takes too long; milliseconds, or seconds.
_TIMEOUTS: Mapping[str, Callable[[dt.timedelta], Sequence[str]]] = {
    "postgresql": lambda time: [f"SET statement_timeout = {int(time.total_seconds() * 1000)}"],
    "mysql": lambda time: [f"SET SESSION innodb_lock_wait_timeout = {max(1, int(time.total_seconds()))}"],
    "mariadb": lambda time: [
        f"SET SESSION max_statement_time = {time.total_seconds():g}",
        f"SET SESSION innodb_lock_wait_timeout = {max(1, int(time.total_seconds()))}",
    ],
}


class SqlSink:
    """A database behind a SQLAlchemy engine; see `Sink`.

    :param engine: of the warehouse.
    :param schema: where the tables live; the connection's default when left out.
    :param timeout: how long one statement may take. Default 30 minutes.
    """

    # It reads the file itself; only DuckDB reads it by a statement, and it is good at this format.
    file_format: FileFormat = "ndjson"

    def __init__(
        self, engine: sa.Engine, schema: str | None = None, timeout: dt.timedelta = dt.timedelta(minutes=30)
    ) -> None:
        self.engine = engine
        self.schema = schema
        self.timeout = timeout
        self.statements = 0
        self._open: sa.Connection | None = None
        self._staging: dict[str, sa.Table] = {}
        sa.event.listen(engine, "before_cursor_execute", self._count)

    @property
    def name(self) -> str:
        """Which database it is."""
        return self._database.name

    @property
    def _database(self) -> Database:
        return database_of(self.engine)

    def check(self) -> None:
        """Look for the schema, and make and drop a table in it."""
        self._do("the warehouse", self._check)

    def ensure(self, table: PublishedTable) -> bool:
        """Make the table, or add what it lacks; look whether its columns are what they were made as."""
        return bool(self._do(f"table {self._name(table)!r}", lambda: self._ensure(table)))

    def read(self, table: PublishedTable) -> Sequence[Mapping[str, Any]]:
        """All rows."""
        described = self._table(table)
        query = sa.select(*(described.c[name] for name in table.names))
        return list(self._do(f"table {self._name(table)!r}", lambda: self._fetch(query)))

    def totals(self, table: PublishedTable) -> tuple[int, int]:
        """How many rows there are, and the sum of their numbers."""
        described = self._table(table)
        numbers = sa.func.coalesce(sa.func.sum(described.c[PUBLICATION]), 0).label("numbers")
        query = sa.select(sa.func.count().label("rows"), numbers).select_from(described)
        (row,) = self._do(f"table {self._name(table)!r}", lambda: self._fetch(query))
        return int(row["rows"]), int(row["numbers"])

    def load(self, table: PublishedTable, spool: Spool) -> str:
        """Fill a temporary table, which ends with the connection at the latest."""
        staging = self._like(table)
        self._staging[staging.name] = staging
        self._do(f"table {self._name(table)!r}", lambda: self._load(staging, table, spool))
        return staging.name

    def merge(self, table: PublishedTable, staging: str) -> None:
        """Delete what is replaced or gone, and insert, in one transaction."""
        self._do(f"table {self._name(table)!r}", lambda: begin_again(lambda: self._merge(table, staging, whole=False)))

    def replace(self, table: PublishedTable, staging: str) -> None:
        """Delete all, and insert, in one transaction."""
        self._do(f"table {self._name(table)!r}", lambda: begin_again(lambda: self._merge(table, staging, whole=True)))

    def drop(self, staging: str) -> None:
        """Drop a temporary table."""
        table = self._staging.pop(staging)
        self._do(f"table {staging!r}", lambda: self._drop(table))

    def create_view(self, name: str, query: sa.Select[Any]) -> None:
        """Create a view, unless there is one."""
        self._do(f"view {name!r}", lambda: create_view(self.engine, described(name, schema=self.schema), query))

    def close(self) -> None:
        """Close the connection."""
        if self._open is not None:
            # Not into a pool: it has temporary tables, and a time limit of its own.
            if not self._open.invalidated:
                self._open.detach()
            self._open.close()
            self._open = None
        sa.event.remove(self.engine, "before_cursor_execute", self._count)

    def _count(self, *_: Any) -> None:
        self.statements += 1

    def _do(self, about: str, call: Callable[[], Any]) -> Any:
        return without_driver_errors(about, call)

    @property
    def _connection(self) -> sa.Connection:
        if self._open is None:
            # The names of the temporary tables are new each time: statements kept for next time would only pile up.
            self._open = self.engine.connect()
            self._open.execution_options(compiled_cache=None)
            with self._open.begin():
                limit = _TIMEOUTS.get(self.name)
                for statement in limit(self.timeout) if limit else ():
                    self._open.exec_driver_sql(statement)
        return self._open

    def _name(self, table: PublishedTable) -> str:
        return f"{self.schema}.{table.name}" if self.schema else table.name

    def _table(self, table: PublishedTable) -> sa.Table:
        columns = [
            sa.Column(column.name, _type(column), primary_key=column.name in table.key, autoincrement=False)
            for column in table.columns
        ]
        return described(table.name, *columns, schema=self.schema)

    def _like(self, table: PublishedTable) -> sa.Table:
        joins = self._database.joins_to_delete
        # Some servers take no table without a key.
        columns = (
            sa.Column(column.name, _type(column), primary_key=joins and column.name == POSITION, autoincrement=False)
            for column in table.staging_columns
        )
        staging = temporary_table(f"{table.name}_staging", *columns)
        if joins:
            # By an index, or by looking through all of it.
            sa.Index(f"{staging.name}_key", *(staging.c[key] for key in table.key))
        return staging

    def _fetch(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._connection.begin():
            return [dict(row) for row in self._connection.execute(query).mappings()]

    def _check(self) -> None:
        if self.schema is not None and self.schema not in sa.inspect(self._connection).get_schema_names():
            raise InvalidRequest(f"schema: there is no schema {self.schema!r} in the warehouse.", field="schema")
        self._connection.rollback()
        probe = temporary_table("ringg_probe")
        probe = sa.Table(probe.name, sa.MetaData(), sa.Column("probe", sa.Integer), schema=self.schema)
        with self._connection.begin():
            probe.create(self._connection, checkfirst=False)
        self._drop(probe)

    def _ensure(self, table: PublishedTable) -> bool:
        wanted = self._table(table)
        if has_view(self.engine, wanted):
            raise refuse_view(self._name(table))
        if not is_there(self.engine, wanted):
            create_tables(self.engine, wanted)
            return True
        before = self._reported(wanted)
        staging = self._like(table)
        with self._connection.begin():
            staging.create(self._connection, checkfirst=False)
        right = self._reported(staging)
        self._drop(staging)
        altered = [column.name for column in wanted.columns if before.get(column.name, None) != right[column.name]]
        if altered := [name for name in altered if name in before]:
            raise InvalidRequest(
                f"tables: {self._name(table)} in the warehouse has other types than it was made with, in: "
                f"{', '.join(altered)}. Put them back; or drop the table, and it is published anew.",
                field="tables",
            )
        add_missing_columns(self.engine, wanted)
        return any(column.name not in before for column in wanted.columns)

    def _reported(self, table: sa.Table) -> dict[str, Any]:
        """What the driver says of the types of a table's columns: portable, and equal for equal types."""
        none: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(table).where(sa.false())
        with self._connection.begin():
            result = self._connection.execute(none)
            return {column[0].lower(): str(column[1]) for column in result.cursor.description}

    def _load(self, staging: sa.Table, table: PublishedTable, spool: Spool) -> None:
        connection = self._connection
        with connection.begin():
            staging.create(connection, checkfirst=False)
        with connection.begin():
            if self.name == "duckdb":
                self._read_by_duckdb(staging, table, spool)
                return
            documents = [column.name for column in table.columns if column.kind == "json"]
            names = [column.name for column in staging.columns if column.name != POSITION]
            first = 0
            for rows in in_batches(spool, _ROWS_AT_ONCE):
                for row in rows:
                    for name in documents:
                        if name in row:
                            row[name] = json.loads(row[name])
                stage(connection, staging, names, POSITION, rows, first)
                first += len(rows)

    def _read_by_duckdb(self, staging: sa.Table, table: PublishedTable, spool: Spool) -> None:
        types = {
            column.name: "VARCHAR"
            if column.kind == "json"
            else str(staging.c[column.name].type.compile(dialect=self.engine.dialect))
            for column in table.staging_columns
        }
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
        names = ", ".join(types)
        files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in spool.paths)
        # It takes memory for twice the longest line at once, for each of its threads.
        longest = max(_DUCKDB_OBJECT, *(_longest_line(path) for path in spool.paths))
        self._connection.exec_driver_sql(
            f"INSERT INTO {staging.name} ({names}) SELECT {names} FROM read_json([{files}],"
            f" format = 'newline_delimited', columns = {{{columns}}}, maximum_object_size = {longest})"
        )

    def _merge(self, described: PublishedTable, staging_name: str, *, whole: bool) -> None:
        table, staging, connection = self._table(described), self._staging[staging_name], self._connection
        newest = self._newest(described, staging)
        with connection.begin():
            lock_writers(connection, table)
            if whole:
                connection.execute(sa.delete(table))
            else:
                older = sa.and_(
                    *(staging.c[key] == table.c[key] for key in described.key),
                    sa.func.coalesce(table.c[PUBLICATION], 0) <= staging.c[PUBLICATION],
                )
                replaced = older if self._database.joins_to_delete else sa.exists().where(older)
                connection.execute(sa.delete(table).where(replaced))
            stands = sa.exists().where(*(newest.c[key] == table.c[key] for key in described.key))
            rows = (
                sa.select(*(newest.c[name] for name in described.names))
                .where(newest.c[DELETED] == sa.false())
                .where(*([] if whole else [sa.not_(stands)]))
            )
            connection.execute(sa.insert(table).from_select(list(described.names), rows))

    def _newest(self, described: PublishedTable, staging: sa.Table) -> sa.Subquery:
        """Of the staged rows with one key the last one."""
        keys = [staging.c[key] for key in described.key]
        if self._database.joins_to_delete:
            # MySQL reads a temporary table only once in a statement.
            place = sa.func.row_number().over(partition_by=keys, order_by=staging.c[POSITION].desc())
            ranked = sa.select(staging, place.label(_NEWEST)).subquery("ranked")
            return sa.select(ranked).where(ranked.c[_NEWEST] == 1).subquery("newest")
        # What is sorted or hashed so is narrow: keys and numbers, and no documents.
        last = sa.select(sa.func.max(staging.c[POSITION])).group_by(*keys)
        return sa.select(staging).where(staging.c[POSITION].in_(last)).subquery("newest")

    def _drop(self, table: sa.Table) -> None:
        self._connection.rollback()
        with self._connection.begin():
            table.drop(self._connection, checkfirst=False)


def _longest_line(path: Path) -> int:
    with path.open("rb") as file:
        return max(map(len, file), default=0)


def _type(column: PublishedColumn) -> sa.types.TypeEngine[Any]:
    match column.kind:
        case "integer":
            return sa.BigInteger()
        case "decimal":
            return sa.Numeric(column.precision, column.scale).with_variant(sa.Float(), "sqlite")
        case "boolean":
            return sa.Boolean()
        case "timestamp":
            return UtcDateTime()
        case "date":
            return sa.Date()
        case "json":
            return Json()
    return sa.String(column.length) if column.length else Text
