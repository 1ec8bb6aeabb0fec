"""Values of a platform's answers as every database takes them: what does not fit is cut or left out, not raised."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_KEY_LENGTH = 191
_LARGEST = 2**63
_TOO_LARGE = Decimal(10) ** 12
_UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")  # no database takes a NUL in text, nor half a character


def e164(number: str | None) -> str | None:
    """Write a number as `+` and digits, the way contacts are written; None when it has no country code."""
    if number is None:
        return None
    digits = re.sub(r"\D", "", number)
    if number.strip().startswith("+"):
        return f"+{digits}"[:_KEY_LENGTH] if digits else None
    digits = digits.removeprefix("00")
    return f"+{digits}" if 11 <= len(digits) <= 15 else None


def key(value: str | None) -> str | None:
    """Text for an indexed column. A longer word than fits is cut: `raw` has it whole, and no load may fail on it."""
    written = text(value)
    return None if written is None else written[:_KEY_LENGTH]


def text(value: Any) -> str | None:
    """Text that any database takes; a value that is no text is written as JSON."""
    if value is None:
        return None
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return _UNPRINTABLE.sub("", str(written))


def document(value: Any) -> Any:
    """A document that any database takes: no NUL, no half characters, in keys neither."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("", value)
    if isinstance(value, Mapping):
        return {_UNPRINTABLE.sub("", str(name)): document(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [document(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, int) and abs(value) >= _LARGEST:
        return str(value)  # MySQL refuses a document for it
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def number(value: float | Decimal | None) -> Decimal | None:
    """A number that fits the columns for money and durations; None otherwise."""
    if value is None:
        return None
    exact = Decimal(str(value))
    return exact if exact.is_finite() and abs(exact) < _TOO_LARGE else None


def moment(value: dt.datetime | None) -> dt.datetime | None:
    """A time that every database and every zone can hold; one that is centuries off says nothing."""
    return value if value is not None and 1970 <= value.year <= 9000 else None


def flag(value: Any) -> bool | None:
    """A yes or no, however it is written; None for anything else."""
    if isinstance(value, bool) or value is None:
        return value
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())
