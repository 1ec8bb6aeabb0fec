"""Any SQL database that Airflow has a ``DbApiHook`` for: its connections, and SQLAlchemy on the very same ones.

What a connection demands (TLS, a schema, that nothing is written) stands in its extra, and only its hook knows what
that means. So the hook opens every connection, SQLAlchemy's too; where that cannot be, a demand is refused by name.
"""

from __future__ import annotations

import copy
import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from airflow.providers.common.compat.sdk import AirflowException, BaseHook
from sqlalchemy.pool import NullPool

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hooks.bigquery import CONNECTION_TYPES, BigQueryConnection, bigquery_hook
from ringg_provider.hooks.connections import connection_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ringg_provider.sql.dialects import Kept

#: Connection type -> our extra that brings its Airflow provider.
_EXTRAS = {
    "databricks": "databricks",
    "duckdb": "duckdb",
    "gcpbigquery": "bigquery",
    "google_cloud_platform": "bigquery",
    "mysql": "mysql",
    "redshift": "redshift",
    "snowflake": "snowflake",
}


@contextmanager
def sql_connection(
    conn_id: str, *, field: str = "sql_conn_id", hook_params: Mapping[str, Any] | None = None
) -> Iterator[Any]:
    """Open a DB-API connection, and close it at the end.

    :param conn_id: the connection.
    :param field: the parameter that named it, for the error. Default ``sql_conn_id``.
    :param hook_params: more arguments for its hook, as `SQLExecuteQueryOperator` has them. Default none.
    :return: a context manager that yields what the hook's ``get_conn`` gives; for BigQuery, a connection of ours.
    :raises InvalidRequest: the connection is not one of a SQL database, or its hook has no such argument.
    """
    hook = sql_hook(conn_id, field=field, hook_params=hook_params)
    is_bigquery = getattr(hook, "conn_type", None) in CONNECTION_TYPES
    with closing(BigQueryConnection(hook) if is_bigquery else hook.get_conn()) as connection:
        yield connection


@contextmanager
def sql_engine(
    conn_id: str, *, field: str = "sql_conn_id", hook_params: Mapping[str, Any] | None = None
) -> Iterator[Engine]:
    """Open an engine for a connection; SQLAlchemy's errors and log on it leave out the values of rows.

    :param conn_id: the connection.
    :param field: the parameter that named it, for the error. Default ``sql_conn_id``.
    :param hook_params: as above.
    :return: a context manager that yields the engine and closes its connections at the end.
    :raises InvalidRequest: as above, or the connection demands in its extra what SQLAlchemy would not hold to.
    """
    engine = _known_engine(conn_id, field, hook_params)
    try:
        yield engine
    finally:
        engine.dispose()


@dataclass(frozen=True)
class StateConnection:
    """The connection of the database that holds what must not be lost: history, people, launch ledger.

    :param conn_id: the connection.
    :param field: the parameter that named it, for errors.
    :param hook_params: more arguments for its hook.
    """

    conn_id: str
    field: str
    hook_params: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls, state_conn_id: str | None, sql_conn_id: str | None, hook_params: Mapping[str, Any] | None = None
    ) -> StateConnection:
        """What a DAG says: ``state_conn_id``, or else ``sql_conn_id``, with the arguments for its hook.

        :raises InvalidRequest: neither is given.
        """
        if state_conn_id is None and sql_conn_id is None:
            raise InvalidRequest(
                "state_conn_id: must be given, or sql_conn_id where that database holds the tables.",
                field="state_conn_id",
            )
        if state_conn_id is None:
            return cls(str(sql_conn_id), "sql_conn_id", hook_params)
        return cls(state_conn_id, "state_conn_id")

    def require(self, *kept: Kept) -> None:
        """Refuse a database that cannot hold what is to be kept there.

        :raises InvalidRequest: it cannot; the message says why, and what to set.
        """
        if kept:
            # Loaded when a task runs, and not with every DAG file.
            from ringg_provider.sql.dialects import require_state

            hook = sql_hook(self.conn_id, field=self.field, hook_params=self.hook_params)
            for what in kept:
                require_state(hook, for_=what, field=self.field)

    def engine(self) -> AbstractContextManager[Engine]:
        """Open an engine; see :func:`sql_engine`."""
        return sql_engine(self.conn_id, field=self.field, hook_params=self.hook_params)

    def connection(self) -> AbstractContextManager[Any]:
        """Open a DB-API connection; see :func:`sql_connection`."""
        return sql_connection(self.conn_id, field=self.field, hook_params=self.hook_params)


def unpooled_engine(conn_id: str, *, field: str = "sql_conn_id") -> Engine:
    """The same for who asks seldom: no connection stays open between two uses, and there is nothing to close.

    :param conn_id: the connection.
    :param field: the parameter that named it, for the error. Default ``sql_conn_id``.
    :raises InvalidRequest: as above.
    """
    return _known_engine(conn_id, field, None, poolclass=NullPool)


def default_schema(conn_id: str, hook_params: Mapping[str, Any] | None = None) -> str | None:
    """The schema that a connection has by default, as far as this process has seen; nobody is asked.

    :param conn_id: the connection.
    :param hook_params: more arguments for its hook. Default none.
    :return: None where the present connection was not opened yet, or has none.
    """
    dialect = _dialects.get(_place(conn_id, hook_params))
    return None if dialect is None else dialect.default_schema_name


def _known_engine(conn_id: str, field: str, hook_params: Mapping[str, Any] | None, **options: Any) -> Engine:
    """An engine for a connection, of whose database `default_schema` knows from then on."""
    engine = engine_of(sql_hook(conn_id, field=field, hook_params=hook_params), field=field, **options)
    _dialects[_place(conn_id, hook_params)] = engine.dialect
    return engine


def _place(conn_id: str, hook_params: Mapping[str, Any] | None) -> tuple[str, str]:
    return conn_id, repr(sorted((hook_params or {}).items()))


#: What each engine that was made last for a connection knows of its database.
_dialects: dict[tuple[str, str], sa.Dialect] = {}


def engine_of(hook: Any, *, field: str = "sql_conn_id", **options: Any) -> Engine:
    """Make an engine whose connections the hook opens.

    :param hook: a ``DbApiHook``.
    :param field: the parameter that named its connection, for the error. Default ``sql_conn_id``.
    :param options: for SQLAlchemy's ``create_engine``.
    :raises InvalidRequest: now or at the first use: the connection demands what SQLAlchemy would not hold to.
    """
    opener = _Opener(hook, field)
    opener.refuse_what_only_sqlalchemy_would_hold_to()
    engine: Engine = hook.get_sqlalchemy_engine(engine_kwargs={"hide_parameters": True, **options})
    if engine.dialect.name == "sqlite" and not isinstance(engine.pool, NullPool):
        # A hook's connection is good in the thread that opened it only, and a pool hands it to others.
        return engine_of(hook, field=field, poolclass=NullPool)
    sa.event.listen(engine, "do_connect", opener.connect)
    return engine


def sql_hook(conn_id: str, *, field: str = "sql_conn_id", hook_params: Mapping[str, Any] | None = None) -> Any:
    """The hook of a connection to a SQL database.

    :param conn_id: the connection.
    :param field: the parameter that named it, for the error. Default ``sql_conn_id``.
    :param hook_params: more arguments for the hook. Default none.
    :raises InvalidRequest: the connection is not one of a SQL database, its Airflow provider is not there, or its hook
        has no such argument.
    """
    given = dict(hook_params or {})
    connection = connection_of(conn_id)
    kind = connection.conn_type
    try:
        if kind in CONNECTION_TYPES:
            return bigquery_hook(conn_id, connection.extra_dejson, given)
        if kind == "databricks":
            # The hook that Airflow has for such a connection knows the platform's jobs, and no SQL.
            hooks = importlib.import_module("airflow.providers.databricks.hooks.databricks_sql")
            return hooks.DatabricksSqlHook(conn_id, **given)
        hook = BaseHook.get_hook(conn_id, hook_params=given)
    except (ImportError, AirflowException) as error:
        if isinstance(error, AirflowException) and "Unknown hook type" not in str(error):
            raise
        package = f"pip install 'ringg-provider[{_EXTRAS[kind]}]'" if kind in _EXTRAS else "install it"
        raise InvalidRequest(
            f"{field}: connection {conn_id!r} is of the type {kind!r}, whose Airflow provider cannot be loaded here"
            f" ({error}): {package}.",
            field=field,
        ) from error
    except TypeError as error:
        # The hooks say only by this what they do not know; its text names the argument.
        if not given:
            raise
        raise InvalidRequest(
            f"hook_params: the hook of connection {conn_id!r} does not take {', '.join(sorted(given))}: {error}.",
            field="hook_params",
        ) from error
    if not hasattr(hook, "get_sqlalchemy_engine"):
        raise InvalidRequest(
            f"{field}: connection {conn_id!r} is not one of a SQL database that Airflow has a DbApiHook for.",
            field=field,
        )
    return hook


class _Opener:
    """Opens an engine's connections by a hook."""

    def __init__(self, hook: Any, field: str) -> None:
        self.hook = hook
        self.field = field
        self.conn_id = hook.get_conn_id()
        self.extra: Mapping[str, Any] = BaseHook.get_connection(self.conn_id).extra_dejson
        self.by_itself = False

    def connect(self, dialect: Any, *_: Any) -> Any:
        """What SQLAlchemy asks for a connection; None leaves it to SQLAlchemy."""
        if self.by_itself:
            return None
        # Some hooks keep their connection and give it again; a pool needs several.
        connection = copy.copy(self.hook).get_conn()
        if dialect.name == "duckdb":
            return importlib.import_module("duckdb_engine").ConnectionWrapper(connection)
        if _package(type(connection).__module__) == _package(getattr(dialect.dbapi, "__name__", "")):
            return _plain(connection)
        connection.close()
        self.refuse_what_only_the_hook_would_hold_to(dialect)
        self.by_itself = True
        return None

    def refuse_what_only_sqlalchemy_would_hold_to(self) -> None:
        """The hook of PostgreSQL reads `sqlalchemy_query` for SQLAlchemy's address alone."""
        query = self.extra.get("sqlalchemy_query")
        asked = query if isinstance(query, Mapping) else {}
        if lost := [name for name, value in asked.items() if self.extra.get(name) != value]:
            raise InvalidRequest(
                f"{self.field}: the extra of connection {self.conn_id!r} has {', '.join(sorted(lost))} in"
                " sqlalchemy_query, which its queries would not hold to. Write it into the extra itself.",
                field=self.field,
            )

    def refuse_what_only_the_hook_would_hold_to(self, dialect: Any) -> None:
        """The hook's driver is not the one that SQLAlchemy has for this database."""
        held_to = {"sqlalchemy_query", "sqlalchemy_scheme"}
        # Airflow's forms store fields that were left empty, and some fields under a long name.
        given = (name for name, value in self.extra.items() if value not in (None, "", False))
        asked = {re.sub("^extra__.+?__", "", name) for name in given}
        if lost := ", ".join(sorted(asked - held_to)):
            raise InvalidRequest(
                f"{self.field}: the extra of connection {self.conn_id!r} asks for {lost}. Its queries hold to that,"
                f" but SQLAlchemy, which reads and writes the tables, has another driver for"
                f" {dialect.name} ({dialect.driver}) and would not. Take it out, or sqlalchemy_scheme where that chose"
                " the driver; or name another connection.",
                field=self.field,
            )


def _package(module: str) -> str:
    return module.partition(".")[0]


def _plain(connection: Any) -> Any:
    """Undo what an extra says about rows and commits: SQLAlchemy wants tuples, and to commit itself."""
    driver = _package(type(connection).__module__)
    if driver == "psycopg":
        connection.row_factory = importlib.import_module("psycopg.rows").tuple_row
        connection.autocommit = False
    elif driver == "psycopg2":
        connection.cursor_factory = importlib.import_module("psycopg2.extensions").cursor
    elif driver in ("MySQLdb", "pymysql"):
        connection.cursorclass = importlib.import_module(f"{driver}.cursors").Cursor
    return connection
