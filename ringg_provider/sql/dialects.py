"""Which database it really is, and what it can do: whoever needs an ability asks for it, and not for a name."""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

Type = sa.types.TypeEngine[Any]


@dataclass(frozen=True)
class Database:
    """What a database can do; what is not known of one is taken for missing.

    :param name: as SQLAlchemy calls it, unless it only speaks another one's protocol.
    :param claims_once: it enforces unique keys and locks rows: where two claim a thing, exactly one has it.
    :param copies: it takes `COPY ... FROM STDIN`.
    :param lock: the statement that lets one writer into `{table}` at a time, readers unhindered; to be the first one
        of a transaction. Without it, writers collide and begin again.
    :param moment: the type of an instant.
    :param keeps_zones: `moment` has a zone; otherwise it is UTC by convention.
    :param document: the type of a JSON document; None where it is kept as text.
    """

    name: str
    claims_once: bool = False
    copies: bool = False
    lock: str | None = None
    moment: Callable[[Dialect], Type] = lambda dialect: dialect.type_descriptor(sa.DateTime(timezone=True))
    keeps_zones: bool = True
    document: Type | None = None


def _without_zone(dialect: Dialect) -> Type:
    return dialect.type_descriptor(sa.DateTime())


def _timestamp(dialect: Dialect) -> Type:  # noqa: ARG001
    return sa.TIMESTAMP(timezone=True)


def _snowflake_timestamp(dialect: Dialect) -> Type:
    # Only a process that talks to Snowflake has its dialect.
    return dialect.type_descriptor(importlib.import_module("snowflake.sqlalchemy").TIMESTAMP_TZ())


_JSON = sa.JSON(none_as_null=True)
_WITHOUT_ZONES = Database("", moment=_without_zone, keeps_zones=False, document=_JSON)
_KNOWN = {
    database.name: database
    for database in (
        Database(
            "postgresql",
            claims_once=True,
            copies=True,
            lock="LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE",
            document=postgresql.JSONB(none_as_null=True),
        ),
        Database("cockroachdb", claims_once=True, document=postgresql.JSONB(none_as_null=True)),
        # A transaction that reads first and writes later would fail at once when another one does the same.
        replace(_WITHOUT_ZONES, name="sqlite", claims_once=True, lock="BEGIN IMMEDIATE"),
        replace(_WITHOUT_ZONES, name="mysql", claims_once=True),
        replace(_WITHOUT_ZONES, name="mariadb", claims_once=True),
        # It has a type with a zone, but reading it needs one more library (pytz).
        replace(_WITHOUT_ZONES, name="duckdb"),
        Database("mssql", claims_once=True),
        Database("oracle", claims_once=True),
        Database("redshift", lock="LOCK {table}"),
        # Its generic DateTime is TIMESTAMP_NTZ, which loses the zone without a word; its VARIANT cannot be bound to.
        Database("snowflake", moment=_snowflake_timestamp),
        # DATETIME has no zone there; and the dialect's own descriptor of a time cannot be written in DDL.
        Database("bigquery", moment=_timestamp),
    )
}
#: Databases that are reached as PostgreSQL, and say in `version()` what they are.
_LIKE_POSTGRESQL = ("redshift", "cockroachdb")
_found: weakref.WeakKeyDictionary[Dialect, Database] = weakref.WeakKeyDictionary()


def database_of(bind: sa.Engine | sa.Connection) -> Database:
    """What a database is and can do; where its dialect alone does not tell, it is asked, once.

    :param bind: an engine, or a connection of one.
    """
    dialect = bind.dialect
    if dialect not in _found:
        _found[dialect] = _known(_name(bind))
    return _found[dialect]


def database_behind(dialect: Dialect) -> Database:
    """The same, as far as it is known without asking.

    :param dialect: of SQLAlchemy.
    """
    return _found.get(dialect) or _known(dialect.name)


def _known(name: str) -> Database:
    return _KNOWN.get(name) or Database(name)


def _name(bind: sa.Engine | sa.Connection) -> str:
    if bind.dialect.name != "postgresql":
        return bind.dialect.name
    version = sa.select(sa.func.version())
    if isinstance(bind, sa.Connection):
        told = bind.execute(version).scalar_one()
    else:
        with bind.connect() as connection:
            told = connection.execute(version).scalar_one()
    return next((name for name in _LIKE_POSTGRESQL if name in str(told).lower()), "postgresql")
