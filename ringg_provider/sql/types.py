"""Column types that mean the same on every database: UTC times, exact money, JSON documents."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT

from ringg_provider.sql.dialects import database_behind

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

Money = sa.Numeric(18, 6).with_variant(sa.Float(), "sqlite")  # SQLite has no exact decimals to bind to
"""Credits and costs: exact where the database can be."""

Seconds = sa.Numeric(18, 3).with_variant(sa.Float(), "sqlite")
"""Durations."""

# MySQL's TEXT holds 64 kilobytes, which a long call's summary may exceed.
Text = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
"""Text of any length."""

# MySQL wants a length for what is indexed, and 191 characters fit every index limit.
Key = sa.String(191)
"""Ids, statuses, numbers: whatever is looked up."""


class UtcDateTime(sa.types.TypeDecorator[dt.datetime]):
    """An instant: aware in Python, UTC in the database (with a zone where the database has such a type)."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Choose the database's own type with a zone, if reading it back is safe."""
        return database_behind(dialect).moment(dialect)

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Turn an aware time into UTC; a naive one is a mistake of ours and is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone was given to a table of the history")
        value = value.astimezone(dt.UTC)
        return value if database_behind(dialect).keeps_zones else value.replace(tzinfo=None)

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
        """Choose the database's own JSON type, if it can be bound to."""
        return dialect.type_descriptor(database_behind(dialect).document or sa.Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Encode where the column is text."""
        if value is None or database_behind(dialect).document is not None:
            return value
        return json.dumps(value, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Decode where the column is text."""
        if value is None or database_behind(dialect).document is not None:
            return value
        return json.loads(value)
