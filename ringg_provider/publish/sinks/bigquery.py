"""BigQuery: load jobs into a table that expires, `MERGE`; documents are JSON.

https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-json
"""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import registry

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.publish.schema import PublishedColumn, PublishedTable
from ringg_provider.publish.sinks import refuse_view
from ringg_provider.publish.sinks.statements import Grammar, StatementSink, require_plain, staging_name
from ringg_provider.publish.spool import FileFormat, Spool
from ringg_provider.sql.errors import without_driver_errors

_A_DAY = dt.timedelta(days=1)
# Two names for one type: https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema.FIELDS.type
_ALIASES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
# https://cloud.google.com/bigquery/docs/clustered-tables#limitations
_CLUSTERED = 4

# Old projects belong to a domain: example.com:project
_PROJECT = r"([a-z0-9-]+(\.[a-z0-9-]+)+:)?[a-z0-9-]+"

GRAMMAR = Grammar(
    types={
        "text": "STRING",
        "integer": "INT64",
        "decimal": "NUMERIC({precision},{scale})",
        "boolean": "BOOL",
        "timestamp": "TIMESTAMP",
        "date": "DATE",
        "json": "JSON",
    },
    quote=lambda name: f"`{name}`",
    # Otherwise a number with more digits than a float has is an error.
    document="PARSE_JSON({}, wide_number_mode => 'round')",
    dialect=lambda: registry.load("bigquery")(),
)


class BigQuerySink(StatementSink):
    """A dataset in BigQuery; see `Sink`.

    :param hook: Airflow's `BigQueryHook`.
    :param schema: `dataset` or `project.dataset`.
    :param timeout: how long one job may take. Default 30 minutes.
    """

    name = "bigquery"
    grammar = GRAMMAR
    file_format: FileFormat = "ndjson"

    def __init__(self, hook: Any, schema: str | None, timeout: dt.timedelta = dt.timedelta(minutes=30)) -> None:
        if schema is None:
            raise InvalidRequest("schema: BigQuery has no default; name the dataset.", field="schema")
        rule = "dataset or project.dataset"
        super().__init__(require_plain(schema, rf"({_PROJECT}\.)?[A-Za-z0-9_]+", field="schema", rule=rule), timeout)
        self._hook = hook
        self._opened: Any = None
        self._bigquery = importlib.import_module("google.cloud.bigquery")
        self._not_found = importlib.import_module("google.api_core.exceptions").NotFound

    @property
    def _client(self) -> Any:
        if self._opened is None:
            project = self._hook.project_id
            self._opened = self._hook.get_client(project_id=project, location=self._hook.location)
        return self._opened

    def check(self) -> None:
        """Look for the dataset, and try to make a table and run a job in it."""
        dataset = self._call("schema", self._found, lambda: self._client.get_dataset(self._dataset))
        if dataset is None:
            raise InvalidRequest(
                f"schema: there is no dataset {self._dataset}. Create it in the location where you query, or write "
                "project.dataset.",
                field="schema",
            )
        # A job runs where its dataset is, whatever the connection says.
        self.close()
        self._opened = self._hook.get_client(project_id=self._hook.project_id, location=dataset.location)
        probe = PublishedTable("ringg_probe", (), (PublishedColumn("probe", "integer"),))
        name = self._make_staging(probe)
        self.send("schema", f"SELECT COUNT(*) FROM {self.target(name)}")
        self.drop(name)

    def load(self, table: PublishedTable, spool: Spool) -> str:
        """Load the files into a table that expires, a job each."""
        staging = self._make_staging(table)
        configuration = self._bigquery.LoadJobConfig(
            source_format="NEWLINE_DELIMITED_JSON",
            write_disposition="WRITE_APPEND",
            create_disposition="CREATE_NEVER",
            schema=self._staging_fields(table),
        )

        def load(path: Path) -> None:
            with path.open("rb") as file:
                job = self._client.load_table_from_file(file, self._reference(staging), job_config=configuration)
            self._wait(job)

        if spool.rows:  # an empty upload is an error
            for path in spool.paths:
                self._call(self.about(table), load, path)
        return staging

    def replace(self, table: PublishedTable, staging: str) -> None:
        """Delete all, and insert, in one transaction of one script."""
        target = self.target(table.name)
        insert = self.grammar.insert(table, target, self.target(staging))
        self.send(
            self.about(table), f"BEGIN TRANSACTION; DELETE FROM {target} WHERE TRUE; {insert}; COMMIT TRANSACTION"
        )

    def drop(self, staging: str) -> None:
        """Drop a staging table."""
        reference = self._reference(staging)
        self._call(f"table {staging}", lambda: self._client.delete_table(reference, not_found_ok=True))

    def close(self) -> None:
        """Close the client."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def _dataset(self) -> str:
        dataset = str(self.schema)
        return dataset if "." in dataset else f"{self._client.project}.{dataset}"

    def _reference(self, name: str) -> str:
        return f"{self._dataset}.{name}"

    def target(self, name: str) -> str:
        """The full name of a table or view, as statements have it."""
        return self.grammar.quote(self._reference(name))

    def _call(self, about: str, call: Callable[..., Any], *arguments: Any) -> Any:
        self.statements += 1
        return without_driver_errors(about, call, *arguments)

    def _found(self, get: Any) -> Any:
        try:
            return get()
        except self._not_found:
            return None

    def _execute(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._wait(self._client.query(statement))]

    def _wait(self, job: Any) -> Any:
        try:
            return job.result(timeout=self.timeout.total_seconds())
        except BaseException:
            # Out of time, or told to stop: what was not done must not be done later.
            with suppress(Exception):
                job.cancel()
            raise

    def _make_staging(self, table: PublishedTable) -> str:
        name = staging_name(table)
        made = self._bigquery.Table(self._reference(name), schema=self._staging_fields(table))
        made.expires = dt.datetime.now(dt.UTC) + _A_DAY
        self._call(self.about(table), self._client.create_table, made)
        return name

    def _types(self, table: PublishedTable) -> Mapping[str, str] | None:
        found = self._call(self.about(table), self._found, lambda: self._client.get_table(self._reference(table.name)))
        if found is None:
            return None
        if found.table_type != "TABLE":
            raise refuse_view(self._reference(table.name))
        return {field.name.lower(): _type(field) for field in found.schema}

    def _create(self, table: PublishedTable) -> None:
        made = self._bigquery.Table(self._reference(table.name), schema=self._fields(table))
        # So that a merge reads the blocks that it changes, and not the whole table.
        made.clustering_fields = list(table.key[:_CLUSTERED])
        self._call(self.about(table), self._client.create_table, made)

    def _add(self, table: PublishedTable, columns: Sequence[PublishedColumn]) -> None:
        stored = self._call(self.about(table), self._client.get_table, self._reference(table.name))
        stored.schema = [*stored.schema, *(self._field(column, self.grammar.type_of(column)) for column in columns)]
        self._call(self.about(table), self._client.update_table, stored, ["schema"])

    def _fields(self, table: PublishedTable) -> list[Any]:
        return [
            self._field(column, self.grammar.type_of(column), required=column.name in table.key)
            for column in table.columns
        ]

    def _staging_fields(self, table: PublishedTable) -> list[Any]:
        return [self._field(column, self.grammar.staged_type_of(column)) for column in table.staging_columns]

    def _field(self, column: PublishedColumn, type_: str, *, required: bool = False) -> Any:
        kind, _, _ = type_.partition("(")
        bounds = {"precision": column.precision, "scale": column.scale} if kind == "NUMERIC" else {}
        return self._bigquery.SchemaField(column.name, kind, mode="REQUIRED" if required else "NULLABLE", **bounds)


def _type(field: Any) -> str:
    """A type as it is written in a statement."""
    kind = _ALIASES.get(field.field_type, field.field_type)
    bounds = [bound for bound in (field.max_length, field.precision, field.scale) if bound is not None]
    if field.mode == "REPEATED":
        return f"ARRAY<{kind}>"
    return f"{kind}({','.join(map(str, bounds))})" if bounds else kind
