"""Any SQL database that Airflow has a ``DbApiHook`` for, as a SQLAlchemy engine that keeps values to itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseHook

from ringg_provider.exceptions import InvalidRequest

if TYPE_CHECKING:
    from sqlalchemy import Engine


def sql_engine(conn_id: str, *, field: str = "sql_conn_id") -> Engine:
    """Make an engine for a connection; its errors and its log hold no values of rows.

    :param conn_id: the connection.
    :param field: the parameter that named it, for the error. Default ``sql_conn_id``.
    :return: the engine; the caller disposes of it.
    :raises InvalidRequest: the connection is not one of a SQL database.
    """
    hook = BaseHook.get_connection(conn_id).get_hook()
    if not hasattr(hook, "get_sqlalchemy_engine"):
        raise InvalidRequest(
            f"{field}: connection {conn_id!r} is not one of a SQL database that Airflow has a DbApiHook for.",
            field=field,
        )
    engine: Engine = hook.get_sqlalchemy_engine(engine_kwargs={"hide_parameters": True})
    return engine
