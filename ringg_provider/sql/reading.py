"""Reads a query's rows in batches from any DB-API connection, without ever holding the result whole.

PostgreSQL and MySQL drivers fetch everything into the client unless they are asked for a server-side cursor; they are
asked. SQLite, Oracle, SQL Server, Snowflake, BigQuery and most others stream from a plain cursor; a driver
that does not holds the whole result itself, whatever is done here.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ringg_provider.exceptions import InvalidRequest, PermanentError, RinggProviderError, TransientError

# Seconds to wait for the server to take back a query.
_PATIENCE = 5.0
#: Rows per batch: enough to work column by column, little enough to be a few megabytes.
BATCH_ROWS = 10_000


class QueryFailed(PermanentError):
    """The database refused a statement. The text names the kind of error and never a value of a row."""


class DatabaseUnavailable(TransientError):
    """The database went away, was busy, or gave up a transaction; trying again can help."""


@dataclass(frozen=True)
class Rows:
    """A running query.

    :param columns: names, in the query's order.
    :param batches: the rows, in lists of at most `BATCH_ROWS`; to be read once.
    """

    columns: tuple[str, ...]
    batches: Iterator[Sequence[Sequence[Any]]]


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
    :param sql: one SELECT (or WITH) statement, in the driver's own parameter style.
    :param parameters: values for it; never logged.
    :param field: the parameter that the statement came from, for errors.
    :param batch_rows: rows per batch.
    :raises QueryFailed: the database refused the statement, at once or while it was read.
    :raises InvalidRequest: the statement returns no columns, or two of the same name.
    """
    cursor = mute(field, _streaming_cursor, connection)
    try:
        mute(field, cursor.execute, sql, *([parameters] if parameters else []))
        first = mute(field, cursor.fetchmany, batch_rows) if _has_result(cursor) else []
        columns = _column_names(cursor, field)
        batches = (_batches_ahead if _is_psycopg(connection) else _batches)(cursor, first, batch_rows, field)
        with closing(batches):
            yield Rows(columns, batches)
    finally:
        # What is closed half read, or after an error, may complain: there is nothing left to do about it.
        for end in (cursor.close, connection.rollback):
            if not getattr(connection, "closed", False):
                with suppress(Exception):
                    end()


def _batches(cursor: Any, first: Any, size: int, field: str) -> Generator[Sequence[Sequence[Any]]]:
    batch = first
    while batch:
        yield batch
        batch = mute(field, cursor.fetchmany, size)


def _batches_ahead(cursor: Any, first: Any, size: int, field: str) -> Generator[Sequence[Sequence[Any]]]:
    """The same, fetching the next batch while one is worked on: for drivers that let another thread do it."""
    batch = first
    reader = ThreadPoolExecutor(1, thread_name_prefix="ringg-rows")
    try:
        while batch:
            ahead = reader.submit(mute, field, cursor.fetchmany, size)
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


def _is_psycopg(connection: Any) -> bool:
    return type(connection).__module__.partition(".")[0] == "psycopg"


def _streaming_cursor(connection: Any) -> Any:
    driver = type(connection).__module__.partition(".")[0]
    if _is_psycopg(connection):
        rows = importlib.import_module("psycopg.rows")
        return connection.cursor(name="ringg_contacts", row_factory=rows.tuple_row)
    if driver == "psycopg2":
        extensions = importlib.import_module("psycopg2.extensions")
        return connection.cursor(name="ringg_contacts", cursor_factory=extensions.cursor)
    if driver in {"MySQLdb", "pymysql"}:
        return connection.cursor(importlib.import_module(f"{driver}.cursors").SSCursor)
    return connection.cursor()


def _has_result(cursor: Any) -> bool:
    # psycopg2 knows the columns of a server-side cursor only after the first fetch.
    return cursor.description is not None or type(cursor).__module__.startswith("psycopg2")


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


def mute(field: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """Call a driver, and let none of its errors out: many quote the row that they failed at.

    :param field: the parameter or table that it is about.
    :raises QueryFailed, DatabaseUnavailable: instead of the driver's error.
    """
    try:
        return call(*arguments)
    except RinggProviderError:
        raise
    except Exception as error:  # noqa: BLE001 - drivers share no base class
        failure = database_failure(field, error)
    # Out here, so that the driver's error is not even the context of ours.
    raise failure


def database_failure(field: str, error: BaseException) -> RinggProviderError:
    """Our error for a database's: whether trying again can help, and a text without values.

    :param field: the parameter or table that it is about.
    :param error: an exception of any DB-API driver, or of SQLAlchemy around one.
    """
    original = getattr(error, "orig", None) or error
    state = str(_sqlstate(original) or "")
    kind = type(original).__name__
    if state:
        # Connection lost, transaction rolled back, out of resources, operator intervention, system error.
        again = state[:2] in {"08", "40", "53", "57", "58"}
    elif type(original).__module__.startswith("sqlite3"):
        again = "locked" in str(original)
    else:
        again = kind in {"OperationalError", "InterfaceError"}
    failure = DatabaseUnavailable if again else QueryFailed
    return failure(f"{field}: the database did not do what was asked: {_describe(original, kind, state)}")


def _sqlstate(error: BaseException) -> Any:
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


def _describe(error: BaseException, kind: str, state: str) -> str:
    """The kind of error, and its first line unless it is about data; quoted values and long numbers masked."""
    if state:
        kind = f"{kind} (SQLSTATE {state})"
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None)
    text = str(diagnosis or error)
    # Classes 22 and 23 are "data exception" and "integrity constraint violation", P0 is what a function says of its
    # own accord: their texts quote data. So does SQLite, of what is no UTF-8.
    if state[:2] in {"22", "23", "P0"} or "Could not decode" in text:
        return f"{kind}. Its text is left out because it may quote a row."
    # From the first quote on: where a value ends that has quotes of its own, nobody can tell.
    text = re.sub(r"'.*|[+]?[0-9][0-9 ().-]{5,}[0-9]", "***", text, flags=re.DOTALL)
    return f"{kind}: {text.partition(chr(10))[0][:300]}"
