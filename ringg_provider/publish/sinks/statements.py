"""What the warehouses that are spoken to in SQL by hand have in common: the texts, and how one is sent and counted."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.publish.schema import DELETED, POSITION, PUBLICATION, PublishedColumn, PublishedTable
from ringg_provider.sql.errors import without_driver_errors

_STAGING = "_staging_"
_A_DAY = dt.timedelta(days=1)
_PLACE = "spool_place"


@dataclass(frozen=True)
class Grammar:
    """How a warehouse writes what all of them have.

    :param types: the type of a column, by its kind; `{precision}` and `{scale}` are filled in.
    :param quote: an identifier.
    :param document: a document out of its text, `{}`.
    :param dialect: SQLAlchemy's, for views.
    """

    types: Mapping[str, str]
    quote: Callable[[str], str]
    document: str
    dialect: Callable[[], Dialect]

    def type_of(self, column: PublishedColumn) -> str:
        """The type of a column of a published table."""
        return self.types[column.kind].format(precision=column.precision, scale=column.scale)

    def staged_type_of(self, column: PublishedColumn) -> str:
        """The type of a column of a staging table: a document is text there."""
        return self.types["text"] if column.kind == "json" else self.type_of(column)

    def names(self, columns: Iterable[str], prefix: str = "") -> str:
        """Identifiers as a list."""
        return ", ".join(prefix + self.quote(name) for name in columns)

    def definitions(self, table: PublishedTable) -> str:
        """The columns of a published table; keys are enforced by nobody, but never NULL."""
        return ", ".join(
            f"{self.quote(column.name)} {self.type_of(column)}{' NOT NULL' if column.name in table.key else ''}"
            for column in table.columns
        )

    def staging_definitions(self, table: PublishedTable) -> str:
        """The columns of its staging table."""
        return ", ".join(f"{self.quote(column.name)} {self.staged_type_of(column)}" for column in table.staging_columns)

    def newest(self, table: PublishedTable, staging: str) -> str:
        """The newest staged row of each key, its documents read; as a query with the staging table's columns."""
        quote = self.quote
        values = [
            self.document.format(quote(column.name)) + f" AS {quote(column.name)}"
            if column.kind == "json"
            else quote(column.name)
            for column in table.columns
        ]
        return (
            f"SELECT {', '.join(values)}, {quote(DELETED)} FROM (SELECT {self.names(table.names)}, {quote(DELETED)}, "
            f"ROW_NUMBER() OVER (PARTITION BY {self.names(table.key)} ORDER BY {quote(POSITION)} DESC) AS "
            f"{quote(_PLACE)} FROM {staging}) AS ranked WHERE {quote(_PLACE)} = 1"
        )

    def merge(self, table: PublishedTable, target: str, staging: str) -> str:
        """One `MERGE`: see `Sink.merge`."""
        quote, rest = self.quote, [name for name in table.names if name not in table.key]
        same = " AND ".join(f"t.{quote(key)} = s.{quote(key)}" for key in table.key)
        number = quote(PUBLICATION)
        return (
            f"MERGE INTO {target} AS t USING ({self.newest(table, staging)}) AS s ON {same} "
            f"WHEN MATCHED AND s.{quote(DELETED)} THEN DELETE "
            f"WHEN MATCHED AND COALESCE(t.{number}, 0) <= s.{number} THEN UPDATE SET "
            + ", ".join(f"{quote(name)} = s.{quote(name)}" for name in rest)
            + f" WHEN NOT MATCHED AND NOT s.{quote(DELETED)} THEN INSERT ({self.names(table.names)}) "
            f"VALUES ({self.names(table.names, 's.')})"
        )

    def insert(self, table: PublishedTable, target: str, staging: str) -> str:
        """All staged rows that are not deleted, into a table without any of them."""
        return (
            f"INSERT INTO {target} ({self.names(table.names)}) SELECT {self.names(table.names)} "
            f"FROM ({self.newest(table, staging)}) AS s WHERE NOT {self.quote(DELETED)}"
        )

    def view(self, name: str, query: sa.Select[Any]) -> str:
        """A view, made or replaced."""
        text = str(query.compile(dialect=self.dialect(), compile_kwargs={"literal_binds": True}))
        return f"CREATE OR REPLACE VIEW {name} AS {text}"


def staging_name(table: PublishedTable) -> str:
    """A new name, which tells when it was made."""
    return f"{table.name}{_STAGING}{dt.datetime.now(dt.UTC):%Y%m%d%H%M%S}_{secrets.token_hex(4)}"


def is_left_behind(name: str) -> bool:
    """Whether a staging table, or a file of that name, is older than any publication lasts."""
    found = re.fullmatch(rf"\w+{_STAGING}(\d{{14}})_[0-9a-f]{{8}}[\w.]*", name, re.IGNORECASE)
    if found is None:
        return False
    return dt.datetime.strptime(f"{found[1]}+0000", "%Y%m%d%H%M%S%z") < dt.datetime.now(dt.UTC) - _A_DAY


def require_plain(value: str | None, pattern: str, *, field: str, rule: str) -> str | None:
    """A name that is written into statements as it is.

    :param value: what the DAG says; None passes.
    :param pattern: of the whole of it.
    :param field: the parameter.
    :param rule: in words.
    :raises InvalidRequest: it has another form.
    """
    if value is None or re.fullmatch(pattern, value):
        return value
    raise InvalidRequest(f"{field}: {value!r} is not {rule}.", field=field)


def require_same_types(table: PublishedTable, where: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Refuse a table that somebody altered.

    :param table: the published table.
    :param where: its full name.
    :param found: the types that its columns have, such as `NUMBER(38,0)`; by name in lower case.
    :param wanted: those that they were made with.
    :raises InvalidRequest: a column's type holds something else, or less.
    """
    altered = [
        f"{column.name} is {found[column.name]} instead of {wanted[column.name]}"
        for column in table.columns
        if column.name in found and not _holds(found[column.name], wanted[column.name])
    ]
    if altered:
        raise InvalidRequest(
            f"tables: {where} in the warehouse was altered: {'; '.join(altered)}. Put it back, or drop the table: it "
            "is then published anew.",
            field="tables",
        )


def _holds(found: str, wanted: str) -> bool:
    """Whether a type is the one wanted, and no narrower: a bound that is not told is none."""
    (kind, bounds), (wanted_kind, wanted_bounds) = _shape(found), _shape(wanted)
    return kind == wanted_kind and all(
        bound >= at_least for bound, at_least in zip(bounds, wanted_bounds, strict=False)
    )


def _shape(type_: str) -> tuple[str, tuple[int, ...]]:
    kind, _, bounds = type_.upper().partition("(")
    return kind.strip(), tuple(map(int, re.findall(r"\d+", bounds)))


class StatementSink(ABC):
    """A warehouse that takes statements; what `Sink` says, as far as it is alike everywhere.

    :param schema: where the tables live, as it is written in statements.
    :param timeout: how long one statement may take.
    """

    name: str
    grammar: Grammar

    def __init__(self, schema: str | None, timeout: dt.timedelta) -> None:
        self.schema = schema
        self.timeout = timeout
        self.statements = 0

    @abstractmethod
    def _execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Send one statement; the rows that it answers with."""

    @abstractmethod
    def _types(self, table: PublishedTable) -> Mapping[str, str] | None:
        """The types of the columns of a table that is there, by name in lower case; None where it is not.

        :raises InvalidRequest: it is a view.
        """

    def send(self, about: str, *statements: str) -> list[tuple[Any, ...]]:
        """Send statements; no error of the driver gets out.

        :param about: the parameter or table, for the error.
        :return: the rows of the last one.
        """
        rows: list[tuple[Any, ...]] = []
        for statement in statements:
            self.statements += 1
            rows = without_driver_errors(about, self._execute, statement)
        return rows

    def target(self, name: str) -> str:
        """The full name of a table or view, as statements have it."""
        return f"{self.schema}.{self.grammar.quote(name)}" if self.schema else self.grammar.quote(name)

    def about(self, table: PublishedTable) -> str:
        """What an error calls a table."""
        return f"table {f'{self.schema}.' if self.schema else ''}{table.name}"

    def ensure(self, table: PublishedTable) -> bool:
        """Make the table, or add what it lacks; see `Sink.ensure`."""
        found = self._types(table)
        if found is None:
            self._create(table)
            return True
        wanted = {column.name: self.grammar.type_of(column) for column in table.columns}
        require_same_types(table, self.about(table).removeprefix("table "), found, wanted)
        missing = [column for column in table.columns if column.name not in found]
        if missing:
            self._add(table, missing)
        return bool(missing)

    def _create(self, table: PublishedTable) -> None:
        self.send(self.about(table), f"CREATE TABLE {self.target(table.name)} ({self.grammar.definitions(table)})")

    def _add(self, table: PublishedTable, columns: Sequence[PublishedColumn]) -> None:
        for column in columns:
            definition = f"{self.grammar.quote(column.name)} {self.grammar.type_of(column)}"
            self.send(self.about(table), f"ALTER TABLE {self.target(table.name)} ADD COLUMN {definition}")

    def read(self, table: PublishedTable) -> Sequence[Mapping[str, Any]]:
        """All rows."""
        rows = self.send(self.about(table), f"SELECT {self.grammar.names(table.names)} FROM {self.target(table.name)}")
        return [dict(zip(table.names, row, strict=True)) for row in rows]

    def totals(self, table: PublishedTable) -> tuple[int, int]:
        """How many rows there are, and the sum of their numbers."""
        numbers = f"COALESCE(SUM({self.grammar.quote(PUBLICATION)}), 0)"
        ((rows, total),) = self.send(self.about(table), f"SELECT COUNT(*), {numbers} FROM {self.target(table.name)}")
        return int(rows), int(total)

    def merge(self, table: PublishedTable, staging: str) -> None:
        """One `MERGE`."""
        self.send(self.about(table), self.grammar.merge(table, self.target(table.name), self.target(staging)))

    def drop(self, staging: str) -> None:
        """Drop a staging table."""
        self.send(f"table {staging}", f"DROP TABLE IF EXISTS {self.target(staging)}")

    def create_view(self, name: str, query: sa.Select[Any]) -> None:
        """Create a view, or replace it."""
        self.send(f"view {name}", self.grammar.view(self.target(name), query))


class ConnectionSink(StatementSink):
    """A warehouse behind one DB-API connection, which the first statement opens.

    :param hook: of its connection.
    :param schema: where the tables live, as it is written in statements.
    :param timeout: how long one statement may take.
    """

    def __init__(self, hook: Any, schema: str | None, timeout: dt.timedelta) -> None:
        super().__init__(schema, timeout)
        self._hook = hook
        self._connection: Any = None

    @property
    def seconds(self) -> int:
        """How long one statement may take, in whole seconds."""
        return max(1, int(self.timeout.total_seconds()))

    @abstractmethod
    def _settings(self) -> Sequence[str]:
        """What a new connection is told, whatever the user's defaults."""

    def _open(self) -> Any:
        """A new connection."""
        return self._hook.get_conn()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = self._open()
            for setting in self._settings():
                self._execute(setting)
                self.statements += 1
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(statement, *values)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def _send_in_transaction(self, about: str, *statements: str) -> None:
        """Send statements; what one did is undone where a later one fails."""
        try:
            self.send(about, "BEGIN", *statements, "COMMIT")
        except BaseException:
            with suppress(Exception):
                self.send(about, "ROLLBACK")
            raise
