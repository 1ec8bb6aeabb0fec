"""Rows into a table as fast as the database takes them: by PostgreSQL's COPY, or in batches.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS-TEXT
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, TypeVar

import sqlalchemy as sa
from more_itertools import chunked, constrained_batches
from sqlalchemy.dialects import mysql, postgresql, sqlite

from ringg_provider.sql.dialects import database_of
from ringg_provider.sql.types import Json

Row = TypeVar("Row", bound=Mapping[str, Any])

#: NULL in the text format of COPY.
NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": None})
_BLOCK = 1 << 18
# One of MySQL's drivers sends all rows in one packet, and a server that takes 16 MB hangs up at a longer one. A
# character may become seven bytes: an escape of JSON, escaped.
_PACKET = 2_000_000
# Rows in one statement, where each is looked up.
_AT_ONCE = 1_000


def escaped(value: object) -> str:
    """Write a value as a field of COPY; a NUL is left out, as no database takes it in text."""
    text = str(value)
    # Looking is several times as fast as translating, and hardly any text has these.
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text or "\0" in text:
        return text.translate(_ESCAPES)
    return text


def unescaped(field: str) -> str | None:
    """Read a field of COPY; None when it is NULL."""
    if "\\" not in field:
        return field
    if field == NULL:
        return None
    return (
        field.replace("\\\\", "\0").replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r").replace("\0", "\\")
    )


def can_copy(bind: sa.Engine | sa.Connection) -> bool:
    """Whether the database and its driver have COPY; several times as fast as statements."""
    return bind.dialect.driver in _COPY and database_of(bind).copies


def copy_file(connection: sa.Connection, table: sa.Table, names: Sequence[str], file: BinaryIO) -> None:
    """Add the rows of a file in the text format of COPY, UTF-8.

    :param connection: one that `can_copy`, inside a transaction.
    :param table: where they go.
    :param names: the columns that the file has, in its order.
    :param file: read from where it stands.
    """
    quote = connection.dialect.identifier_preparer.quote
    statement = f"COPY {quote(table.name)} ({', '.join(map(quote, names))}) FROM STDIN"
    _COPY[connection.dialect.driver](connection.connection.driver_connection, statement, file)


def insert_in_batches(
    connection: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]], size: int = 10_000
) -> None:
    """Add rows by statements, in constant memory.

    :param connection: inside a transaction.
    :param table: where they go.
    :param rows: all with the same columns.
    :param size: rows per statement, at most.
    """
    is_mysql = database_of(connection).name in ("mysql", "mariadb")
    for batch in in_batches(rows, size) if is_mysql else chunked(rows, size):
        connection.execute(sa.insert(table), list(batch))


def insert_missing(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], *, key: str) -> int:
    """Add the rows whose key is not in the table yet, whoever else adds the same ones; the others stay as they are.

    :param connection: inside a transaction.
    :param table: where they go.
    :param rows: all with the same columns, each key once.
    :param key: the column that no two rows share.
    :return: how many were added. Of MySQL, perhaps more where another one added the same at this moment.
    """
    added = 0
    for batch in in_batches(rows, _AT_ONCE):
        if connection.dialect.name == "postgresql":
            inserting = postgresql.insert(table).on_conflict_do_nothing(index_elements=[key])
            added += len(connection.execute(inserting.returning(table.c[key]), list(batch)).all())
        elif connection.dialect.name == "sqlite":
            ignoring = sqlite.insert(table).on_conflict_do_nothing(index_elements=[key])
            added += connection.execute(ignoring, list(batch)).rowcount
        else:
            known = sa.select(table.c[key]).where(table.c[key].in_([row[key] for row in batch]))
            there = set(connection.execute(known).scalars())
            missing = [row for row in batch if row[key] not in there]
            added += len(missing)
            if missing:
                # Not INSERT IGNORE, which would cut what is too long.
                keeping = mysql.insert(table).on_duplicate_key_update({key: table.c[key]})
                connection.execute(keeping, missing)
    return added


def in_batches(rows: Iterable[Row], size: int) -> Iterator[Sequence[Row]]:
    """Rows in batches of at most so many, and of so many megabytes as every server takes at once."""
    return constrained_batches(rows, _PACKET, size, get_len=_characters, strict=False)


def _characters(row: Mapping[str, Any]) -> int:
    """How long a row is, about."""
    return sum(len(value if isinstance(value, str) else str(value)) for value in row.values())


def stage(
    connection: sa.Connection,
    staging: sa.Table,
    names: Sequence[str],
    position: str,
    rows: Sequence[Mapping[str, Any]],
    first: int,
) -> None:
    """Add rows to a staging table.

    :param connection: inside a transaction.
    :param staging: the table.
    :param names: its columns that the rows are read for; what a row does not have is NULL.
    :param position: its column that keeps the order of the rows.
    :param rows: what to add.
    :param first: the position of the first of them.
    """
    # Every row has some forty columns, of which most rows fill half.
    given = set().union(*rows)
    filled = [name for name in names if name in given]
    if not can_copy(connection):
        values = (
            {**{name: row.get(name) for name in filled}, position: place} for place, row in enumerate(rows, start=first)
        )
        insert_in_batches(connection, staging, values)
        return
    written = [(name, _writer(staging.c[name].type)) for name in filled]
    lines = []
    for place, row in enumerate(rows, start=first):
        get = row.get
        fields = [NULL if (value := get(name)) is None else write(value) for name, write in written]
        fields.append(str(place))
        lines.append("\t".join(fields))
    data = "\n".join([*lines, ""]).encode("utf-8", "replace")
    copy_file(connection, staging, [*filled, position], io.BytesIO(data))


def _copy_with_psycopg(driver: Any, statement: str, file: BinaryIO) -> None:
    with driver.cursor() as cursor, cursor.copy(statement) as stream:
        while block := file.read(_BLOCK):
            stream.write(block)


def _copy_with_psycopg2(driver: Any, statement: str, file: BinaryIO) -> None:
    with driver.cursor() as cursor:
        cursor.copy_expert(statement, file)


_COPY: dict[str, Callable[[Any, str, BinaryIO], None]] = {
    "psycopg": _copy_with_psycopg,
    "psycopg2": _copy_with_psycopg2,
}


def _writer(column_type: sa.types.TypeEngine[Any]) -> Callable[[Any], str]:
    """How a value of a column is written in the text format of COPY."""
    if isinstance(column_type, Json | sa.JSON):
        return _document
    if isinstance(column_type, sa.types.TypeDecorator | sa.DateTime):
        return _time
    if isinstance(column_type, sa.String):
        return escaped
    return str


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _document(value: Any) -> str:
    # JSON has escaped line breaks and tabs already, by backslashes of its own.
    return _encode(value).replace("\\", "\\\\")


def _time(value: dt.datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a time without a zone was given to a table of the history")
    return value.isoformat()
