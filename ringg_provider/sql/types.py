"""Column types that mean the same on every database: UTC times, exact money, JSON documents."""

from __future__ import annotations

import datetime as dt
import importlib
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

# DuckDB has a type with a zone, but reading it needs one more library (pytz); UTC by convention needs none.
_WITHOUT_ZONE = frozenset({"sqlite", "mysql", "mariadb", "duckdb"})
_WITH_JSON = frozenset({"sqlite", "mysql", "mariadb", "duckdb"})

Money = sa.Numeric(18, 6).with_variant(sa.Float(), "sqlite")  # SQLite has no exact decimals to bind to
"""Credits and costs: exact where the database can be."""

Seconds = sa.Numeric(18, 3).with_variant(sa.Float(), "sqlite")
"""Durations."""

# MySQL wants a length for what is indexed, and 191 characters fit every index limit.
Key = sa.String(191)
"""Ids, statuses, numbers: whatever is looked up."""


class UtcDateTime(sa.types.TypeDecorator[dt.datetime]):
    """An instant: aware in Python, UTC in the database (with a zone where the database has such a type)."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Choose the dialect's own type with a zone, if reading it back is safe."""
        if dialect.name == "snowflake":
            # Its generic DateTime becomes TIMESTAMP_NTZ: the zone would be lost without a word.
            return dialect.type_descriptor(_snowflake_timestamp())
        if dialect.name == "bigquery":
            # DATETIME has no zone there; and the dialect's own descriptor of a time cannot be written in DDL.
            return sa.TIMESTAMP(timezone=True)
        return dialect.type_descriptor(sa.DateTime(timezone=dialect.name not in _WITHOUT_ZONE))

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Turn an aware time into UTC; a naive one is a mistake of ours and is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone was given to a table of the history")
        value = value.astimezone(dt.UTC)
        return value.replace(tzinfo=None) if dialect.name in _WITHOUT_ZONE else value

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        """Give back UTC, whatever zone the session of the database is in."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Json(sa.types.TypeDecorator[Any]):
    """A JSON document: the database's JSON type where it can be bound to, text elsewhere."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """JSONB on PostgreSQL, JSON where it is safe, else text (Snowflake's VARIANT cannot be bound to)."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.JSONB(none_as_null=True))
        if dialect.name in _WITH_JSON:
            return dialect.type_descriptor(sa.JSON(none_as_null=True))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Encode where the column is text."""
        if value is None or dialect.name == "postgresql" or dialect.name in _WITH_JSON:
            return value
        return json.dumps(value, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Decode where the column is text."""
        if value is None or dialect.name == "postgresql" or dialect.name in _WITH_JSON:
            return value
        return json.loads(value)


def _snowflake_timestamp() -> sa.types.TypeEngine[Any]:
    # Only a process that talks to Snowflake has this dialect.
    timestamp: sa.types.TypeEngine[Any] = importlib.import_module("snowflake.sqlalchemy").TIMESTAMP_TZ()
    return timestamp
