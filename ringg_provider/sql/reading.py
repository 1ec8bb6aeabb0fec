"""Reads a query's rows in batches from any DB-API connection, without ever holding the result whole.

The drivers of PostgreSQL, MySQL and Redshift fetch everything into the client unless the server is told to keep it; it
is told. SQLite, Oracle, SQL Server, Snowflake, BigQuery and most others stream from a plain cursor; a driver that does
not holds the whole result itself, whatever is done here.
"""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ringg_provider.exceptions import InvalidRequest, QueryFailed
from ringg_provider.sql.errors import without_driver_errors
from ringg_provider.sql.values import Geography, Reader, read_alike, readers

#: Drivers whose parameters are written `%s` or `%(name)s`, and what may follow a percent sign there.
_WITH_PERCENT_SIGNS = frozenset({"MySQLdb", "psycopg", "psycopg2", "pymysql", "snowflake"})
_PERCENT_SIGN = re.compile(r"%(%|[sbt]|\([^)]*\)[sbt])?")
# How PostgreSQL and its kin number the type `char(n)`.
_PSYCOPG = frozenset({"psycopg", "psycopg2"})
_POSTGRES_DRIVERS = _PSYCOPG | {"redshift_connector"}
_BPCHAR = 1042
# What PostgreSQL itself has not: https://www.postgresql.org/docs/current/system-catalog-initial-data.html
_FIRST_OF_EXTENSIONS = 16384
# Seconds to wait for the server to take back a query.
_PATIENCE = 5.0
# A cluster of one node hands out no more at a time: https://docs.aws.amazon.com/redshift/latest/dg/declare.html
_REDSHIFT_ROWS = 1000
# https://docs.aws.amazon.com/redshift/latest/dg/declare.html#declare-constraints
_REDSHIFT_CURSORS_FULL = "exceeded the maximum size allowed for the total set of cursor data"
# Redshift says that it is PostgreSQL 8.0.2.
_REDSHIFT_VERSIONS = range(80000, 80100)
#: Rows per batch: enough to work column by column, little enough to be a few megabytes.
BATCH_ROWS = 10_000


@dataclass(frozen=True)
class Rows:
    """A running query.

    :param columns: names, in the query's order.
    :param batches: the rows, in lists of at most `BATCH_ROWS`, with values as `sql/values.py` has them; read once.
    :param padded: columns of PostgreSQL's `char(n)`, whose blanks at the end it sends and yet does not compare.
    """

    columns: tuple[str, ...]
    batches: Iterator[Sequence[Sequence[Any]]]
    padded: frozenset[str] = frozenset()


@contextmanager
def open_rows(
    connection: Any,
    sql: str,
    parameters: Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    field: str = "sql",
    batch_rows: int = BATCH_ROWS,
) -> Iterator[Rows]:
    """Run a query and read it in batches.

    :param connection: a DB-API connection, such as `DbApiHook.get_conn()` gives; left open, its transaction undone.
    :param sql: one SELECT (or WITH) statement, in the driver's own parameter style; a semicolon at its end is left out,
        which not every database minds. Where the style is `%s` or `%(name)s`, a
        percent sign beside parameters is written `%%`; without parameters it is an ordinary one.
    :param parameters: values for it; never logged.
    :param field: the parameter that the statement came from, for errors.
    :param batch_rows: rows per batch.
    :raises QueryFailed, DatabaseUnavailable: the database refused the statement, at once or while it was read.
    :raises InvalidRequest: the statement returns no columns, or two of the same name, or has a single percent sign
        beside parameters.
    """
    if parameters:
        _check_percent_signs(connection, sql, field)
    if _is_redshift(connection):
        batch_rows = min(batch_rows, _REDSHIFT_ROWS)
    cursor = without_driver_errors(field, _streaming_cursor, connection, batch_rows, bool(parameters))
    try:
        first = without_driver_errors(field, _run, cursor, sql.strip().rstrip("; \n"), parameters, batch_rows, field)
        columns = _column_names(cursor, field)
        batches = (_batches_ahead if _is_psycopg(connection) else _batches)(cursor, first, batch_rows, field)
        unlike = readers(_driver(connection), cursor.description, _types_of_extensions(connection, cursor, field))
        with closing(batches):
            yield Rows(columns, read_alike(batches, unlike) if unlike else batches, _padded_columns(connection, cursor))
    finally:
        # What is closed half read, or after an error, may complain: there is nothing left to do about it.
        # BigQuery's knows of no transaction to be undone.
        for what, end in ((cursor, "close"), (connection, "rollback")):
            if not getattr(connection, "closed", False):
                with suppress(Exception):
                    getattr(what, end)()


def _run(cursor: Any, sql: str, parameters: Any, size: int, field: str) -> Sequence[Any]:
    """Run the query; its first rows."""
    try:
        cursor.execute(sql, *([parameters] if parameters else []))
        rows: Sequence[Any] = cursor.fetchmany(size) if _has_result(cursor) else []
        return rows
    except Exception as error:
        if _REDSHIFT_CURSORS_FULL not in str(error):
            raise
    raise QueryFailed(
        f"{field}: the result is larger than what Redshift's leader node keeps of all cursors at once. Select fewer "
        "people or only the columns that are needed; or try again when others read less. With parameters no cursor is "
        "needed: then the worker holds the whole result, which must fit its memory."
    )


def column_named(name: str, columns: Sequence[str], field: str) -> str:
    """The column that is meant by a name: the one that is written so, or the only one that is in some other case.

    Snowflake and Oracle answer `PHONE` to who asks for `phone`.

    :param name: as the user wrote it.
    :param columns: of the query.
    :param field: the parameter with the name, for the error.
    :raises InvalidRequest: there is none, or several are written so but for the case.
    """
    if name in columns:
        return name
    alike = [column for column in columns if column.casefold() == name.casefold()]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise InvalidRequest(
            f"{field}: {name!r} may be any of the query's columns {', '.join(map(repr, alike))}; write the one that is"
            " meant exactly so.",
            field=field,
        )
    raise InvalidRequest(
        f"{field}: the query returns no column {name!r}; it returns {', '.join(map(repr, columns))}.", field=field
    )


def _batches(cursor: Any, first: Any, size: int, field: str) -> Generator[Sequence[Sequence[Any]]]:
    batch = first
    while batch:
        yield batch
        batch = without_driver_errors(field, cursor.fetchmany, size)


def _batches_ahead(cursor: Any, first: Any, size: int, field: str) -> Generator[Sequence[Sequence[Any]]]:
    """The same, fetching the next batch while one is worked on: for drivers that let another thread do it."""
    batch = first
    reader = ThreadPoolExecutor(1, thread_name_prefix="ringg-rows")
    try:
        while batch:
            ahead = reader.submit(without_driver_errors, field, cursor.fetchmany, size)
            yield batch
            batch = ahead.result()
    except BaseException:
        # A timeout, or whoever is told to stop, must not wait for a server that does not answer.
        with suppress(Exception):
            cursor.connection.cancel_safe(timeout=_PATIENCE)
        if not wait([ahead], _PATIENCE).done:
            with suppress(Exception):
                cursor.connection.close()
        raise
    finally:
        reader.shutdown(wait=False)


def _driver(connection: Any) -> str:
    return type(connection).__module__.partition(".")[0].removeprefix("_")


def _is_psycopg(connection: Any) -> bool:
    return _driver(connection) == "psycopg"


def _check_percent_signs(connection: Any, sql: str, field: str) -> None:
    """Each driver has words of its own for it, and some of them quote the statement from there on."""
    # Snowflake's has two styles.
    if _driver(connection) not in _WITH_PERCENT_SIGNS or not getattr(connection, "is_pyformat", True):
        return
    for sign in _PERCENT_SIGN.finditer(sql):
        if sign.group(1) is None:
            line = sql.count("\n", 0, sign.start()) + 1
            raise InvalidRequest(
                f"{field}: line {line} has a single %, which begins the name of a parameter. Beside parameters, write"
                " %% for every other percent sign, in LIKE and in comments too.",
                field=field,
            )


def _is_redshift(connection: Any) -> bool:
    if _driver(connection) in _PSYCOPG:
        return connection.info.server_version in _REDSHIFT_VERSIONS
    return _driver(connection) == "redshift_connector"


class _DeclaredCursor:
    """A cursor that the server keeps, for a driver that knows of none.

    Only one is open at a time. Each has a name of its own, since the driver keeps how a FETCH was answered by its text.
    """

    _names = map("ringg_contacts_{}".format, itertools.count(1))

    def __init__(self, connection: Any) -> None:
        self._plain = connection.cursor()
        self._name = next(self._names)
        self.close = self._plain.close

    @property
    def description(self) -> Any:
        return self._plain.description

    def execute(self, sql: str) -> None:
        self._plain.execute(f"DECLARE {self._name} CURSOR FOR {sql}")

    def fetchmany(self, size: int) -> Sequence[Sequence[Any]]:
        self._plain.execute(f"FETCH FORWARD {size} FROM {self._name}")
        rows: Sequence[Sequence[Any]] = self._plain.fetchall()
        return rows


def _cursor_of_tuples(connection: Any, **options: Any) -> Any:
    """A cursor of psycopg, whatever rows the connection prefers."""
    if _is_psycopg(connection):
        return connection.cursor(row_factory=importlib.import_module("psycopg.rows").tuple_row, **options)
    return connection.cursor(cursor_factory=importlib.import_module("psycopg2.extensions").cursor, **options)


def _streaming_cursor(connection: Any, batch_rows: int, has_parameters: bool) -> Any:
    driver = _driver(connection)
    if driver in _PSYCOPG:
        return _cursor_of_tuples(connection, name="ringg_contacts")
    if driver in {"MySQLdb", "pymysql"}:
        return connection.cursor(importlib.import_module(f"{driver}.cursors").SSCursor)
    if driver == "mysql":
        return connection.cursor(buffered=False)
    # The server binds no parameters in DECLARE; and outside a transaction there is none.
    if driver == "redshift_connector" and not has_parameters and not connection.autocommit:
        return _DeclaredCursor(connection)
    cursor = connection.cursor()
    if driver in {"oracledb", "ringg_provider"}:
        # So many rows come at a time.
        cursor.arraysize = batch_rows
    return cursor


def _has_result(cursor: Any) -> bool:
    # These know the columns of a server-side cursor only after the first fetch.
    is_late = isinstance(cursor, _DeclaredCursor) or type(cursor).__module__.startswith("psycopg2")
    return is_late or cursor.description is not None


def _padded_columns(connection: Any, cursor: Any) -> frozenset[str]:
    is_postgres = _driver(connection) in _POSTGRES_DRIVERS
    return frozenset(str(column[0]) for column in cursor.description if is_postgres and column[1] == _BPCHAR)


def _types_of_extensions(connection: Any, cursor: Any, field: str) -> dict[int, Reader]:
    """PostGIS has its types under other codes in every database."""
    if _driver(connection) not in _PSYCOPG:
        return {}
    codes = sorted({column[1] for column in cursor.description if column[1] >= _FIRST_OF_EXTENSIONS})
    if not codes:
        return {}
    of_codes = f"SELECT oid, typname FROM pg_type WHERE oid IN ({', '.join(map(str, codes))})"
    with closing(_cursor_of_tuples(connection)) as asking:
        without_driver_errors(field, asking.execute, of_codes)
        names = dict(asking.fetchall())
    return {code: Geography for code, name in names.items() if name in {"geography", "geometry"}}


def _column_names(cursor: Any, field: str) -> tuple[str, ...]:
    if cursor.description is None:
        raise InvalidRequest(f"{field}: the statement returns no rows; give one SELECT.", field=field)
    names = tuple(str(column[0]) for column in cursor.description)
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InvalidRequest(
            f"{field}: the query returns {', '.join(map(repr, doubled))} more than once; give each column"
            f" its own name.",
            field=field,
        )
    return names
