"""Which database it really is, and what it can do: whoever needs an ability asks for it, and not for a name."""

from __future__ import annotations

import copy
import re
import weakref
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.sql.errors import Verdict, database_failure, verdict, without_driver_errors

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

Type = sa.types.TypeEngine[Any]


Kept = Literal["history", "people", "cap", "outcomes", "ledger", "publications", "inbox", "budgets"]
"""What is kept in a state database."""

_KEPT: dict[Kept, str] = {
    "history": "the history of calls",
    "people": "the table of people",
    "cap": "the history that a cap is counted in",
    "outcomes": "the view of outcomes",
    "ledger": "the launch ledger",
    "publications": "a publication",
    "inbox": "the inbox of webhooks",
    "budgets": "a budget",
}
#: What two may want to have at the same moment, and exactly one must.
_CLAIMED: frozenset[Kept] = frozenset({"ledger", "publications", "inbox", "budgets"})


@dataclass(frozen=True)
class Database:
    """What a database can do; what is not known of one is taken for missing.

    :param name: as SQLAlchemy calls it, unless it only speaks another one's protocol; `unknown: ` and the connection's
        type where nobody can tell.
    :param version: of the server; None where it was not asked.
    :param since: the first version that has what the tables need.
    :param transactional: what is written between `BEGIN` and `ROLLBACK` is undone, keys are enforced, and there are
        temporary tables.
    :param claims_once: it enforces unique keys and locks rows: where two claim a thing, exactly one has it.
    :param copies: it takes `COPY ... FROM STDIN`.
    :param lock: the statement that lets one writer into `{table}` at a time, readers unhindered; to be the first one
        of a transaction. Without it, writers collide and begin again.
    :param locks_rows: `SELECT ... FOR UPDATE` lets others wait who want the same rows; without it, `lock` does.
    :param skips_locked: others need not wait: `SKIP LOCKED` leaves them what is not locked.
    :param joins_to_delete: what is in another table is deleted by a join; a subquery would be run for every row.
    :param moment: the type of an instant.
    :param keeps_zones: `moment` has a zone; otherwise it is UTC by convention.
    :param document: the type of a JSON document; None where it is kept as text.
    :param lists_indexes: SQLAlchemy can tell which indexes a table has.
    """

    name: str
    version: tuple[int, ...] | None = None
    since: tuple[int, ...] = ()
    transactional: bool = False
    claims_once: bool = False
    copies: bool = False
    lock: str | None = None
    locks_rows: bool = False
    skips_locked: bool = False
    joins_to_delete: bool = False
    moment: Callable[[Dialect], Type] = lambda dialect: dialect.type_descriptor(sa.DateTime(timezone=True))
    keeps_zones: bool = True
    document: Type | None = None
    lists_indexes: bool = False

    @property
    def is_too_old(self) -> bool:
        """Whether it lacks what later versions of it have."""
        return self.version is not None and self.version < self.since

    @property
    def holds_state(self) -> bool:
        """Whether the history, the people and what caps count can be kept there."""
        return self.transactional and not self.is_too_old

    @property
    def holds_ledger(self) -> bool:
        """Whether the launch ledger can be kept there, where two runs may claim the same launch."""
        return self.claims_once and not self.is_too_old

    @property
    def refusal(self) -> str:
        """What to set where it cannot hold what it was given."""
        other = f"a newer {self.name}" if self.is_too_old else "another database"
        return (
            f"Set state_conn_id (for the ledger alone: ledger_conn_id) to a connection of {other}: PostgreSQL, "
            "MySQL 8, MariaDB or SQLite. The warehouse stays what the query reads."
        )


def _without_zone(dialect: Dialect) -> Type:
    return dialect.type_descriptor(sa.DateTime())


def _microseconds(dialect: Dialect) -> Type:
    # A DATETIME is rounded to the second, which may lie before or after everything else that was noted in it.
    return dialect.type_descriptor(mysql.DATETIME(fsp=6))


_JSON = sa.JSON(none_as_null=True)
_WITHOUT_ZONES = Database("", transactional=True, moment=_without_zone, keeps_zones=False, document=_JSON)
_MYSQL = replace(
    _WITHOUT_ZONES,
    claims_once=True,
    locks_rows=True,
    joins_to_delete=True,
    moment=_microseconds,
    lists_indexes=True,
)
_KNOWN = {
    database.name: database
    for database in (
        Database(
            "postgresql",
            transactional=True,
            claims_once=True,
            copies=True,
            lock="LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE",
            locks_rows=True,
            skips_locked=True,
            document=postgresql.JSONB(none_as_null=True),
            lists_indexes=True,
        ),
        Database("cockroachdb", claims_once=True, document=postgresql.JSONB(none_as_null=True)),
        # A transaction that reads first and writes later would fail at once when another one does the same.
        replace(
            _WITHOUT_ZONES, name="sqlite", since=(3, 25), claims_once=True, lock="BEGIN IMMEDIATE", lists_indexes=True
        ),
        # From these versions on there are window functions.
        replace(_MYSQL, name="mysql", since=(8,), skips_locked=True),
        replace(_MYSQL, name="mariadb", since=(10, 2)),
        # It has a type with a zone, but reading it needs one more library (pytz).
        replace(_WITHOUT_ZONES, name="duckdb"),
    )
}
#: Warehouses and others that people are read from, and that hold no state; they are known without being asked.
_SOURCES = frozenset(
    {"athena", "bigquery", "clickhouse", "databricks", "mssql", "oracle", "presto", "redshift", "snowflake", "trino"}
)
#: Of them, those that have transactions and keys, but temporary tables and empty texts of their own kind.
_COULD = frozenset({"mssql", "oracle"})
#: Airflow's connection types whose databases have another name.
_OF_CONNECTION = {
    "gcpbigquery": "bigquery",
    "google_cloud_platform": "bigquery",
    "postgres": "postgresql",
}
#: What a database is by the package of its driver, where the connection's type does not say.
_OF_DRIVER = {
    "MySQLdb": "mysql",
    "duckdb": "duckdb",
    "mariadb": "mysql",
    "mysql": "mysql",
    "pg8000": "postgresql",
    "psycopg": "postgresql",
    "psycopg2": "postgresql",
    "pymysql": "mysql",
    "sqlite3": "sqlite",
}
#: What reaches databases of several kinds, which say in these words what they are.
_TELLS = {"postgresql": "SELECT version()", "mysql": "SELECT concat(version(), ' ', @@version_comment)"}
#: Databases that are reached as another one.
_LIKE = {
    "postgresql": ("redshift", "cockroachdb", "greenplum", "materialize", "risingwave", "cratedb", "questdb"),
    "mysql": ("mariadb", "starrocks", "doris", "singlestore"),
}
_found: weakref.WeakKeyDictionary[Any, Database] = weakref.WeakKeyDictionary()


def database_of(bind: Any) -> Database:
    """What a database is and can do; where its type alone does not tell, it is asked.

    :param bind: one of Airflow's hooks, or an engine of SQLAlchemy, or a connection of one; each is asked once.
    :raises QueryFailed, DatabaseUnavailable: the database cannot be asked.
    """
    # A hook has a dialect too, of another kind.
    is_hook = hasattr(bind, "get_conn_id")
    known = bind if is_hook else bind.dialect
    if known not in _found:
        _found[known] = _of_hook(bind) if is_hook else _of_bind(bind)
    return _found[known]


def database_behind(dialect: Dialect) -> Database:
    """The same, as far as it is known without asking.

    :param dialect: of SQLAlchemy.
    """
    return _found.get(dialect) or _known(dialect.name)


def require_state(bind: Any, *, for_: Kept, field: str) -> Database:
    """Refuse a database that cannot hold what is to be kept there, before anything is done.

    :param bind: see `database_of`.
    :param for_: what is to be kept.
    :param field: the parameter that named the connection, for the error.
    :return: which database it is.
    :raises InvalidRequest: it cannot; the message says why, and what to set.
    :raises QueryFailed, DatabaseUnavailable: it cannot be asked which it is.
    """
    database = database_of(bind)
    if database.holds_ledger if for_ in _CLAIMED else database.holds_state:
        return database
    if database.is_too_old:
        why = f"version {'.'.join(map(str, database.version or ()))} of {database.name} lacks what"
    elif database.name in _COULD or database.name not in _SOURCES | _KNOWN.keys():
        why = f"nobody has tried whether {database.name} does all that"
    elif for_ in _CLAIMED:
        why = f"{database.name} does not enforce unique keys with row locks, which"
    else:
        why = f"{database.name} is not a transactional database, which"
    raise InvalidRequest(f"{field}: {why} {_KEPT[for_]} needs. {database.refusal}", field=field)


def _known(name: str) -> Database:
    return _KNOWN.get(name) or Database(name)


def _of_hook(hook: Any) -> Database:
    kind = str(getattr(hook, "conn_type", ""))
    name = _OF_CONNECTION.get(kind, kind)
    if name in _SOURCES or (name in _KNOWN and name not in _TELLS):
        return _known(name)
    # Some hooks keep their connection and give it again; this one is closed.
    with closing(_connected(f"connection {hook.get_conn_id()!r}", copy.copy(hook).get_conn)) as connection:
        name = _OF_DRIVER.get(type(connection).__module__.lstrip("_").partition(".")[0], "")
        if not name:
            return _by_engine(hook) or _known(f"unknown: {kind}")
        if name not in _TELLS:
            return _known(name)
        with closing(connection.cursor()) as cursor:
            without_driver_errors(f"connection {hook.get_conn_id()!r}", cursor.execute, _TELLS[name])
            row = cursor.fetchone()
    # An extra can ask for rows that are mappings.
    return as_told(name, next(iter(row.values() if isinstance(row, Mapping) else row)))


def _connected(about: str, connect: Callable[[], Any]) -> Any:
    """A connection; a database that is away is said to be so, whatever its driver raises."""
    try:
        return connect()
    except Exception as error:
        if verdict(error) is not Verdict.UNAVAILABLE:
            raise
        failure = database_failure(about, error)
    raise failure


def _by_engine(hook: Any) -> Database | None:
    """What SQLAlchemy takes a database for, where the driver could be anybody's, as that of ODBC; None for nothing."""
    with suppress(Exception):
        engine = hook.get_sqlalchemy_engine()
        try:
            return _of_bind(engine)
        finally:
            engine.dispose()
    return None


def _of_bind(bind: sa.Engine | sa.Connection) -> Database:
    name = bind.dialect.name
    if name not in _TELLS:
        return _known(name)
    if isinstance(bind, sa.Connection):
        return as_told(name, bind.exec_driver_sql(_TELLS[name]).scalar_one())
    with _connected("the database", bind.connect) as connection:
        return as_told(name, connection.exec_driver_sql(_TELLS[name]).scalar_one())


def as_told(name: str, told: object) -> Database:
    """What a database is by what it says of itself.

    :param name: whose protocol it speaks: `postgresql` or `mysql`.
    :param told: such as `PostgreSQL 17.2 on x86_64`, `8.0.36 MySQL Community Server`, `10.11.6-MariaDB`.
    """
    text = str(told)
    name = next((other for other in _LIKE[name] if other in text.lower()), name)
    numbers = re.search(r"(?<![0-9.])[0-9]+(\.[0-9]+)+", text.removeprefix("5.5.5-"))
    version = tuple(map(int, numbers[0].split("."))) if numbers else None
    return replace(_known(name), version=version)
