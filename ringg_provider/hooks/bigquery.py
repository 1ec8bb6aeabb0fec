"""BigQuery through Google's own client, since what Airflow's cursor makes of a row is not what the row was.

The cursor of Airflow's hook makes floating-point numbers of timestamps and leaves arrays and structs as they come over
the wire: a due time would be spoken as `1795149000`.
"""

from __future__ import annotations

import datetime as dt
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

#: Connections of the first kind are what nearly everybody has, though Airflow's hook for them knows no SQL.
CONNECTION_TYPES = frozenset({"google_cloud_platform", "gcpbigquery"})

# How other databases, and Airflow's cursor, write a parameter; BigQuery writes `@name`.
_PYFORMAT = re.compile(r"%\((\w+)\)s")
# https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types, the more special ones first.
_TYPES: Mapping[type, str] = {
    bool: "BOOL",
    int: "INT64",
    float: "FLOAT64",
    Decimal: "BIGNUMERIC",
    str: "STRING",
    bytes: "BYTES",
    dt.datetime: "DATETIME",
    dt.date: "DATE",
    dt.time: "TIME",
}


def bigquery_hook(conn_id: str, extra: Mapping[str, Any], hook_params: Mapping[str, Any]) -> Any:
    """Airflow's hook of BigQuery, for a connection of either kind.

    :param conn_id: the connection.
    :param extra: its extra. Legacy SQL, which is the hook's own default, is only spoken where this or ``hook_params``
        ask for it.
    :param hook_params: more arguments for the hook.
    :raises TypeError: the hook has no such argument.
    """
    hooks = importlib.import_module("airflow.providers.google.cloud.hooks.bigquery")
    dialect = {} if any(name.endswith("use_legacy_sql") for name in extra) else {"use_legacy_sql": False}
    return hooks.BigQueryHook(gcp_conn_id=conn_id, **{**dialect, **hook_params})


class BigQueryConnection:
    """As much of a DB-API connection as reading needs.

    :param hook: of Airflow; its project, credentials, location, labels and configuration of jobs hold.
    """

    def __init__(self, hook: Any) -> None:
        self.hook = hook
        self.client = hook.get_client(project_id=hook.project_id, location=hook.location)

    def cursor(self) -> BigQueryCursor:
        """A cursor for one query."""
        return BigQueryCursor(self)

    def close(self) -> None:
        """Close the client."""
        self.client.close()


class BigQueryCursor:
    """Runs a query as a job, and hands out its rows page by page, as Google's client has them."""

    def __init__(self, connection: BigQueryConnection) -> None:
        self._connection = connection
        self._rows: Iterator[Sequence[Any]] = iter(())
        self.description: Sequence[Sequence[Any]] | None = None
        self.arraysize = 10_000

    def execute(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None) -> None:
        """Run a statement, or a script whose last statement gives the rows.

        :param sql: with parameters written ``@name`` or ``%(name)s``, or ``?`` where they are a list. Where there are
            such with a percent sign, every other percent sign is doubled.
        :param parameters: values for it.
        """
        if parameters and _PYFORMAT.search(sql):
            sql = _PYFORMAT.sub(r"@\1", sql).replace("%%", "%")
        job = self._connection.client.query(sql, job_config=self._configuration(parameters or ()))
        found = job.result(page_size=self.arraysize)
        self.description = [(field.name, field.field_type) for field in found.schema] or None
        self._rows = iter(found)

    def fetchmany(self, size: int) -> list[Sequence[Any]]:
        """The next rows, as tuples."""
        return list(islice(self._rows, size))

    def close(self) -> None:
        """Forget the rows; a finished job needs no end."""
        self._rows = iter(())

    def _configuration(self, parameters: Mapping[str, Any] | Sequence[Any]) -> Any:
        hook = self._connection.hook
        asked = hook.api_resource_configs
        query = {
            "priority": hook.priority,
            **asked.get("query", {}),
            "useLegacySql": bool(hook.use_legacy_sql),
        }
        bigquery = importlib.import_module("google.cloud.bigquery")
        configuration = bigquery.QueryJobConfig.from_api_repr({"labels": hook.labels, **asked, "query": query})
        if parameters:
            named = parameters.items() if isinstance(parameters, Mapping) else ((None, value) for value in parameters)
            configuration.query_parameters = [_parameter(bigquery, name, value) for name, value in named]
        return configuration


def _parameter(bigquery: Any, name: str | None, value: Any) -> Any:
    if isinstance(value, list | tuple | set | frozenset):
        values = list(value)
        return bigquery.ArrayQueryParameter(name, _type_of(next(iter(values), "")), values)
    return bigquery.ScalarQueryParameter(name, _type_of(value), value)


def _type_of(value: Any) -> str:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return "TIMESTAMP"
    return next((name for kind, name in _TYPES.items() if isinstance(value, kind)), "STRING")
