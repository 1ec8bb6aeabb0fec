"""Copy rows into a staging table, as fast as the database takes them."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ringg_provider.sql.types import Json

_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": None})


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
    copy = _copy_of(connection)
    if copy is None:
        values = [
            {**{name: row.get(name) for name in names}, position: place} for place, row in enumerate(rows, start=first)
        ]
        connection.execute(sa.insert(staging), values)
        return
    # PostgreSQL takes a stream several times as fast as statements, and every row has some forty columns, of which
    # most rows fill half.
    given = set().union(*rows)
    written = [(name, _writer(staging.c[name].type)) for name in names if name in given]
    lines = []
    for place, row in enumerate(rows, start=first):
        get = row.get
        fields = [_NULL if (value := get(name)) is None else write(value) for name, write in written]
        fields.append(str(place))
        lines.append("\t".join(fields))
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(name) for name in (*(name for name, _ in written), position))
    data = "\n".join([*lines, ""]).encode("utf-8", "replace")
    copy(f"COPY {quote(staging.name)} ({columns}) FROM STDIN", data)


def _copy_of(connection: sa.Connection) -> Callable[[str, bytes], None] | None:
    """The driver's COPY, if it is a PostgreSQL driver that has one."""
    if connection.dialect.name != "postgresql":
        return None
    driver: Any = connection.connection.driver_connection
    if connection.dialect.driver == "psycopg":

        def copy_stream(statement: str, data: bytes) -> None:
            with driver.cursor() as cursor, cursor.copy(statement) as stream:
                stream.write(data)

        return copy_stream
    if connection.dialect.driver == "psycopg2":

        def copy_file(statement: str, data: bytes) -> None:
            with driver.cursor() as cursor:
                cursor.copy_expert(statement, io.BytesIO(data))

        return copy_file
    return None


def _writer(column_type: sa.types.TypeEngine[Any]) -> Callable[[Any], str]:
    """How a value of a column is written in the text format of COPY."""
    if isinstance(column_type, Json | sa.JSON):
        return _document
    if isinstance(column_type, sa.types.TypeDecorator | sa.DateTime):
        return _time
    if isinstance(column_type, sa.String):
        return _text
    return str


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _document(value: Any) -> str:
    # JSON has escaped line breaks and tabs already, by backslashes of its own.
    return _encode(value).replace("\\", "\\\\")


def _text(value: Any) -> str:
    text = str(value)
    # Looking is several times as fast as translating, and hardly any text has these.
    if "\\" in text or "\n" in text or "\t" in text or "\r" in text or "\0" in text:
        return text.translate(_ESCAPES)
    return text


def _time(value: dt.datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a time without a zone was given to a table of the history")
    return value.isoformat()
