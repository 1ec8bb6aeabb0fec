"""Any SQL database that Airflow has a ``DbApiHook`` for, as a SQLAlchemy engine that keeps values to itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook
from sqlalchemy.pool import NullPool

from ringg_provider.exceptions import InvalidRequest

if TYPE_CHECKING:
    from sqlalchemy import Engine


@contextmanager
def sql_engine(conn_id: str, *, field: str = "sql_conn_id") -> Iterator[Engine]:
    """Open an engine for a connection; SQLAlchemy's errors and log on it leave out the values of rows.

    :param conn_id: the connection.
    :param field: the parameter that named it, for the error. Default ``sql_conn_id``.
    :return: a context manager that yields the engine and closes its connections at the end.
    :raises InvalidRequest: the connection is not one of a SQL database.
    """
    engine = _engine(conn_id, field)
    try:
        yield engine
    finally:
        engine.dispose()


def unpooled_engine(conn_id: str, *, field: str = "sql_conn_id") -> Engine:
    """The same for who asks seldom: no connection stays open between two uses, and there is nothing to close.

    :param conn_id: the connection.
    :param field: the parameter that named it, for the error. Default ``sql_conn_id``.
    :raises InvalidRequest: the connection is not one of a SQL database.
    """
    return _engine(conn_id, field, poolclass=NullPool)


def _engine(conn_id: str, field: str, **options: Any) -> Engine:
    hook = BaseHook.get_connection(conn_id).get_hook()
    if not hasattr(hook, "get_sqlalchemy_engine"):
        raise InvalidRequest(
            f"{field}: connection {conn_id!r} is not one of a SQL database that Airflow has a DbApiHook for.",
            field=field,
        )
    engine: Engine = hook.get_sqlalchemy_engine(engine_kwargs={"hide_parameters": True, **options})
    return engine
