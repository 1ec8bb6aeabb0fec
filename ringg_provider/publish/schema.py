"""The published tables as neutral columns, from which each sink makes the types of its warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import sqlalchemy as sa

from ringg_provider.sql.types import Json, UtcDateTime

Kind = Literal["text", "integer", "decimal", "boolean", "timestamp", "date", "json"]
"""What a column holds: an instant is in UTC, a document is text that holds JSON."""

PUBLISHED_AT, PUBLICATION = "published_at", "publication"
"""Added to every published row: when the publication that wrote it began, and its number, which only rises."""

DELETED, POSITION = "deleted", "spool_position"
"""Added to staged rows only: whether the key is gone, and which of two rows with one key is the newer."""


@dataclass(frozen=True)
class PublishedColumn:
    """A column, whatever the warehouse.

    :param name: of the column; lower case.
    :param kind: what it holds.
    :param length: of a text, in characters; None where it has no bound.
    :param precision: of a decimal: all its digits.
    :param scale: of a decimal: its digits after the point.
    """

    name: str
    kind: Kind
    length: int | None = None
    precision: int | None = None
    scale: int | None = None


_PUBLISHED = (PublishedColumn(PUBLISHED_AT, "timestamp"), PublishedColumn(PUBLICATION, "integer"))
_STAGED = (PublishedColumn(DELETED, "boolean"), PublishedColumn(POSITION, "integer"))


@dataclass(frozen=True)
class PublishedTable:
    """A table of the warehouse.

    :param name: without its schema, which is the sink's to add.
    :param key: the columns that identify a row; never NULL.
    :param columns: all of them, in their order.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[PublishedColumn, ...]

    @property
    def staging_columns(self) -> tuple[PublishedColumn, ...]:
        """The columns of the staging table, which are those of the file: two more than the table has."""
        return self.columns + _STAGED

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)


def published(table: sa.Table) -> PublishedTable:
    """Describe the copy of a table.

    :param table: of the state database, such as `calls_table` describes.
    """
    columns = tuple(_neutral(column.name, column.type) for column in table.columns)
    return PublishedTable(table.name, tuple(column.name for column in table.primary_key), columns + _PUBLISHED)


def _neutral(name: str, type_: sa.types.TypeEngine[Any]) -> PublishedColumn:
    match type_:
        case Json() | sa.JSON():
            return PublishedColumn(name, "json")
        case UtcDateTime() | sa.DateTime():
            return PublishedColumn(name, "timestamp")
        case sa.Date():
            return PublishedColumn(name, "date")
        case sa.Boolean():
            return PublishedColumn(name, "boolean")
        case sa.Integer():
            return PublishedColumn(name, "integer")
        case sa.Numeric():
            return PublishedColumn(name, "decimal", precision=type_.precision, scale=type_.scale)
        case sa.String():
            return PublishedColumn(name, "text", length=type_.length)
    raise TypeError(f"column {name} has a type that no warehouse was taught: {type(type_).__name__}")


#: Stands in the warehouse beside the tables: which publication of which state each of them holds.
PUBLICATIONS = PublishedTable(
    "ringg_publications",
    ("table_name",),
    (
        PublishedColumn("table_name", "text", 191),
        PublishedColumn("state_id", "text", 36),
        PublishedColumn("mark", "text", 36),
        *_PUBLISHED,
    ),
)
