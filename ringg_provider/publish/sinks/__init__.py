"""What a warehouse does for a publication; one module for each kind of warehouse."""

from __future__ import annotations

import datetime as dt
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.publish.schema import PublishedTable
from ringg_provider.publish.spool import FileFormat, Spool
from ringg_provider.sql.dialects import database_of


class Sink(Protocol):
    """A warehouse, as a publication writes into it.

    Every method raises `QueryFailed` or `DatabaseUnavailable` where the warehouse refuses, without a value of a row;
    `DatabaseUnavailable` where trying again can help: it sleeps, is slow, or ran out of the time it was given.
    Names of staging tables are new each time; what a killed publication leaves behind must go by itself.
    """

    @property
    def name(self) -> str:
        """Of the kind of warehouse, such as `snowflake`."""
        ...

    @property
    def schema(self) -> str | None:
        """Where its tables live; None for the connection's own."""
        ...

    @property
    def file_format(self) -> FileFormat:
        """What `load` takes."""
        ...

    @property
    def statements(self) -> int:
        """How many statements and jobs were sent until now."""
        ...

    def check(self) -> None:
        """Make sure that a publication can be written, before anything is read or written.

        :raises InvalidRequest: the schema is not there, or the stage, bucket or volume; the text names the field.
        :raises QueryFailed: there is no right to create, or to write there.
        """
        ...

    def ensure(self, table: PublishedTable) -> bool:
        """Make the table where it is missing, and add columns that a newer version has; nothing is ever dropped.

        :return: whether rows that stand there, if any, lack something: then all of them are published again.
        :raises InvalidRequest: a column has another type than it was made with, or there is a view of that name.
        """
        ...

    def read(self, table: PublishedTable) -> Sequence[Mapping[str, Any]]:
        """All rows of a small table that is there, by the names of `table.columns`."""
        ...

    def totals(self, table: PublishedTable) -> tuple[int, int]:
        """How many rows the table has, and the sum of their `publication`, 0 where it has none."""
        ...

    def load(self, table: PublishedTable, spool: Spool) -> str:
        """Load finished files into a new staging table with `table.staging_columns`, by the warehouse's bulk path.

        :return: the name of the staging table, for the methods below.
        """
        ...

    def merge(self, table: PublishedTable, staging: str) -> None:
        """Put the staged rows in place, all at once or not at all: one `MERGE`.

        Of staged rows with one key, the one with the greatest `spool_position` counts. A key that is `deleted` leaves
        the table; else its row is replaced, unless its `publication` is greater than the staged one's; a new key is
        inserted.
        """
        ...

    def replace(self, table: PublishedTable, staging: str) -> None:
        """Make the staged rows all the rows of the table, all at once or not at all; of one key as in `merge`."""
        ...

    def drop(self, staging: str) -> None:
        """Drop a staging table."""
        ...

    def create_view(self, name: str, query: sa.Select[Any]) -> None:
        """Create a view, or replace it where the warehouse can; its tables bear `schema` already.

        :param name: of the view, in `schema`.
        :param query: portable SQL; compiled by the warehouse's dialect, or by SQLAlchemy's default one.
        """
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


def refuse_view(where: str) -> InvalidRequest:
    """The error that a view stands where a table is to be."""
    return InvalidRequest(
        f"tables: {where} is a view in the warehouse. Drop or rename it, or publish into another schema.",
        field="tables",
    )


_BY_ENGINE = frozenset({"postgresql", "mysql", "mariadb", "duckdb", "sqlite"})
_BY_HOOK = {
    "snowflake": "SnowflakeSink",
    "bigquery": "BigQuerySink",
    "redshift": "RedshiftSink",
    "databricks": "DatabricksSink",
}


def sink_for(
    hook: Any,
    *,
    schema: str | None,
    timeout: dt.timedelta,
    open_engine: Callable[[Any], sa.Engine],
    **options: Any,
) -> Sink:
    """The sink of a warehouse.

    :param hook: Airflow's hook of its connection.
    :param schema: where the tables live; None for the connection's own.
    :param timeout: how long one statement may take.
    :param open_engine: makes an engine of a hook, where the sink wants one.
    :param options: what only some warehouses have, such as `stage`; None where it was not given.
    :raises InvalidRequest: nothing can be published there, or it has no such option.
    """
    database = database_of(hook).name
    if database in _BY_ENGINE:
        made, bound = _class("sql", "SqlSink"), open_engine
    elif database in _BY_HOOK:
        made, bound = _class(database, _BY_HOOK[database]), lambda hook: hook
    else:
        raise InvalidRequest(
            f"warehouse_conn_id: nothing can be published into {database}; only into "
            f"{', '.join(sorted(_BY_ENGINE | _BY_HOOK.keys()))}.",
            field="warehouse_conn_id",
        )
    takes = inspect.signature(made).parameters
    given = {name: value for name, value in options.items() if value is not None}
    if unknown := sorted(given.keys() - takes.keys()):
        raise InvalidRequest(f"{unknown[0]}: {database} has no such thing; leave it out.", field=unknown[0])
    sink: Sink = made(bound(hook), schema=schema, timeout=timeout, **given)
    return sink


def _class(module: str, name: str) -> Any:
    # Only the warehouse at hand has its driver installed.
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
