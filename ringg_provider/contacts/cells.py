"""Turns the values of a database into the text of a CSV cell, a column at a time, and finds what no cell may hold."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.sql.values import Geography

#: The longest contact key: every index of every supported database takes two of these.
MAX_KEY = 250
_KEYS = (str, int, Decimal, UUID, type(None))
#: What has no text on any database.
TEXTLESS = (bytes, bytearray, memoryview, Geography)
_WHOLE = re.compile(r"(-?[0-9]+)\.0+").fullmatch
# Tabs and line breaks are text like any other; the rest of the control characters, and halves of surrogate pairs,
# have no business in a name and no meaning to a voice.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def column_texts(values: Sequence[Any], name: str, *, field: str = "sql") -> Sequence[str]:
    """The texts of a column. NULL is empty, times are ISO 8601, numbers are never in scientific notation.

    :param values: as the database gave them.
    :param name: the column, for the error.
    :param field: the parameter with the query, for the error. Default ``sql``.
    :raises InvalidRequest: the column is of a type that has no text, such as bytes.
    """
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    try:
        if kinds == {dt.date}:
            # A column of dates has few different ones, and equal ones are written alike.
            texts = {day: day.isoformat() for day in set(values)}
            return list(map(texts.__getitem__, values))
        if len(kinds) == 1:
            return list(map(_writer(kinds.pop()), values))
        writers = {kind: _writer(kind) for kind in kinds}
        return [writers[type(value)](value) for value in values]
    except KeyError as error:
        raise InvalidRequest(
            f"{field}: column {name!r} has values of type {error.args[0]}, which are no text; cast it in the query.",
            field=field,
        ) from None


def key_texts(values: Sequence[Any], name: str) -> Sequence[str]:
    """The texts of a column of contact keys: as they are, and as `CAST(... AS varchar(250))` writes them everywhere.

    Queries join what is stored to their own column, so that nobody is called again who was reached.

    :param values: text, whole numbers, decimals or UUIDs; NULL is empty.
    :param name: the column, for the error.
    :raises InvalidRequest: the column is of a type whose text is another one in the database, such as 7.0 for 7; or a
        key is too long to be kept whole.
    """
    kinds = set(map(type, values))
    if odd := sorted(kind.__name__ for kind in kinds if kind is bool or not issubclass(kind, _KEYS)):
        raise InvalidRequest(
            f"contact_key: column {name!r} has values of type {', '.join(odd)}, which databases write otherwise than is"
            f" stored, so that no query would find the person again. Cast it in the query to a whole number or to text,"
            f" and join what was cast.",
            field="contact_key",
        )
    texts = column_texts(values, name)
    if max(map(len, texts), default=0) > MAX_KEY or "\0" in "".join(texts):
        raise InvalidRequest(
            f"contact_key: column {name!r} has a key that is longer than {MAX_KEY} characters, or has a NUL, and is not"
            f" stored whole, so that no query would find the person again. Take another column, or a hash of it.",
            field="contact_key",
        )
    return texts


def comparable_keys(keys: Sequence[str]) -> list[str]:
    """The same keys without what differs between types: the 7 of one column is the 7.00, or the ' 7 ', of another."""
    stripped = map(str.strip, keys)
    return [whole[1] if (whole := _WHOLE(key)) else key for key in stripped]


def is_sendable(text: str) -> bool:
    """Whether a text is free of control characters (tabs and line breaks are fine) and has a UTF-8 form."""
    # `isprintable` is a fast yes; it also says no to line breaks and to the joiners inside emoji.
    return text.isprintable() or _FORBIDDEN.search(text) is None


_quoted = json.JSONEncoder(ensure_ascii=False).encode


def _writer(kind: type) -> Callable[[Any], str]:
    for base in kind.__mro__[:-1]:
        if base in _WRITERS:
            return _WRITERS[base]
    raise KeyError(kind.__name__)


def _plain_decimal(value: Decimal) -> str:
    return format(value, "f") if value.is_finite() else ""


def _plain_float(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")


def _document(value: Any) -> str:
    """JSON with numbers as exact as they came, which Python's own writer has not; what is no text is none in it too."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_quoted(str(key))}: {_document(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_document, value))}]"
    text = _writer(type(value))(value)
    if value is None or isinstance(value, int | float | Decimal):
        return text or "null"
    return _quoted(text)


_WRITERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    str: str,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: _plain_float,
    Decimal: _plain_decimal,
    dt.datetime: lambda value: value.isoformat(sep=" "),
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: str,
    UUID: str,
    dict: _document,
    list: _document,
    tuple: _document,
}
