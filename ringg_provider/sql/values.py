"""What drivers hand out, as values that mean the same on every database.

Drivers agree about text, numbers, dates and times. What they do not agree about stands in one table here, by the codes
that each has for the types of columns: documents that come as JSON text from one and as containers from another, times
of day that come as durations, shapes on the globe that come in as many forms as there are databases.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Reader = Callable[[Any], Any]
_MIDNIGHT = dt.datetime(1, 1, 1)  # noqa: DTZ001


@dataclass(frozen=True, slots=True)
class Geography:
    """A shape on the globe: text in one database, hexadecimal or bytes in the next; no cell has a form for it.

    :param given: what the driver gave.
    """

    given: Any


def readers(
    driver: str, description: Sequence[Sequence[Any]], more: Mapping[Any, Reader] | None = None
) -> dict[int, Reader]:
    """How the columns are read whose values are not the same everywhere.

    :param driver: the package of the driver.
    :param description: of the cursor, by PEP 249.
    :param more: types that have codes in this very database only. Default none.
    :return: position -> what turns a value of the column, which is not NULL, into the common one.
    """
    known = {**_TYPES.get(driver, {}), **(more or {})}
    found = ((position, known.get(_code(column[1]))) for position, column in enumerate(description))
    return {position: reader for position, reader in found if reader is not None}


def read_alike(
    batches: Iterator[Sequence[Sequence[Any]]], by_position: Mapping[int, Reader]
) -> Iterator[Sequence[Sequence[Any]]]:
    """The batches with the columns read that have a reader.

    :param batches: of rows.
    :param by_position: see `readers`.
    """
    for batch in batches:
        columns: list[Sequence[Any]] = list(zip(*batch, strict=True))
        for position, read in by_position.items():
            columns[position] = [None if value is None else read(value) for value in columns[position]]
        yield list(zip(*columns, strict=True))


def _code(given: Any) -> Any:
    """Names of types are without their sizes, and in lower case."""
    if given is None or isinstance(given, int):
        return given
    return str(given).partition("(")[0].strip().lower()


def _document(value: Any) -> Any:
    """A JSON text, or the driver's own containers."""
    if not isinstance(value, str):
        return _plain(value)
    try:
        return json.loads(value, parse_float=Decimal)
    except ValueError:
        # Snowflake writes `undefined`; and not every text in such a column is a document of JSON.
        return value


def _plain(value: Any) -> Any:
    """Containers of Python for those of the driver: arrays of numpy, rows with names, maps as lists of pairs."""
    # Trino's rows answer None for whatever they do not have.
    if callable(to_list := getattr(value, "tolist", None)):
        value = to_list()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if not isinstance(value, list | tuple):
        return value
    names = getattr(value, "_names", None)
    if names and all(names):
        return {name: _plain(item) for name, item in zip(names, value, strict=True)}
    if value and all(type(item) is tuple and len(item) == 2 for item in value):
        return {key: _plain(item) for key, item in value}
    return [_plain(item) for item in value]


def _time_of_day(value: Any) -> Any:
    """MySQL's TIME is a duration too, up to 838 hours."""
    if isinstance(value, dt.timedelta) and dt.timedelta(0) <= value < dt.timedelta(days=1):
        return (_MIDNIGHT + value).time()
    return value


# https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html
_MYSQL: dict[Any, Reader] = {11: _time_of_day, 245: _document, 255: Geography}
_TYPES: dict[str, dict[Any, Reader]] = {
    # BigQuery, by a cursor of ours.
    "ringg_provider": {"geography": Geography},
    "MySQLdb": _MYSQL,
    "mysql": _MYSQL,
    "pymysql": _MYSQL,
    # https://docs.databricks.com/aws/en/dev-tools/python-sql-connector#type-conversions
    "databricks": dict.fromkeys(("array", "map", "struct", "variant"), _document)
    | dict.fromkeys(("geography", "geometry"), Geography),
    "duckdb": {"json": _document, "geometry": Geography},
    # SUPER; GEOMETRY and GEOGRAPHY.
    "redshift_connector": {4000: _document, 3000: Geography, 3001: Geography},
    # https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-api#type-codes
    "snowflake": dict.fromkeys((5, 9, 10, 16, 17), _document) | dict.fromkeys((14, 15), Geography),
    "trino": dict.fromkeys(("array", "json", "map", "row"), _document)
    | dict.fromkeys(("geometry", "sphericalgeography"), Geography),
}
