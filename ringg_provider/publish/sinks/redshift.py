"""Redshift: `COPY` from S3, or INSERTs of many rows, into a temporary table; documents are SUPER.

https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html
"""

from __future__ import annotations

import datetime as dt
import gzip
import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import postgresql

from ringg_provider.exceptions import InvalidRequest, QueryFailed
from ringg_provider.publish.schema import DELETED, PUBLICATION, PublishedColumn, PublishedTable
from ringg_provider.publish.sinks import refuse_view
from ringg_provider.publish.sinks.statements import (
    ConnectionSink,
    Grammar,
    require_plain,
    staging_name,
)
from ringg_provider.publish.spool import FileFormat, Spool
from ringg_provider.sql.errors import without_driver_errors

# Bytes that a VARCHAR holds. https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
_TEXT_BYTES = 65_535
# A statement may have 16 MB and a driver's message 32,767 parameters; smaller ones are planned faster.
_INSERT_BYTES = 1_000_000
_PARAMETERS = 32_000

GRAMMAR = Grammar(
    types={
        "text": f"VARCHAR({_TEXT_BYTES})",
        "integer": "BIGINT",
        "decimal": "NUMERIC({precision},{scale})",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMPTZ",
        "date": "DATE",
        "json": "SUPER",
    },
    quote=lambda name: f'"{name}"',
    document="{}",
    dialect=postgresql.dialect,
)
_ALIASES = {
    "CHARACTER VARYING": "VARCHAR",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "TIMESTAMP WITHOUT TIME ZONE": "TIMESTAMP",
}


class RedshiftSink(ConnectionSink):
    """A schema in Redshift; see `Sink`.

    Texts are cut at 65,535 bytes, which is what a VARCHAR holds; documents are whole.

    :param hook: Airflow's `RedshiftSQLHook`. Its `aws_conn_id` writes to the bucket; `role_arn` in its connection's
        extra is the role that Redshift reads the bucket with, else the cluster's default one.
    :param schema: of the tables. Default `public`.
    :param bucket: `s3://bucket/prefix` that the files pass through. Default: none; the rows go in INSERTs of 1 MB.
    :param timeout: how long one statement may take. Default 30 minutes.
    """

    name = "redshift"
    grammar = GRAMMAR
    file_format: FileFormat = "ndjson"

    def __init__(
        self,
        hook: Any,
        schema: str | None = None,
        bucket: str | None = None,
        timeout: dt.timedelta = dt.timedelta(minutes=30),
    ) -> None:
        super().__init__(
            hook,
            require_plain(schema, "[a-z_][a-z0-9_]*", field="schema", rule="the name of a schema, in lower case"),
            timeout,
        )
        require_plain(bucket, r"s3://[a-z0-9.-]+(/[\w!.*()/-]*)?", field="bucket", rule="s3://bucket/prefix")
        self.schema = self.schema or "public"
        self.bucket, _, self.prefix = (bucket or "").removeprefix("s3://").partition("/")

    def check(self) -> None:
        """Look for the schema and the bucket, and try to write there."""
        found = self.send(
            "schema",
            f"SELECT has_schema_privilege(current_user, nspname, 'create') FROM pg_namespace WHERE nspname = "
            f"'{self.schema}'",
        )
        if not found:
            raise InvalidRequest(f"schema: there is no schema {self.schema} in this database.", field="schema")
        if not found[0][0]:
            raise InvalidRequest(
                f"schema: the connection's user may not create tables in {self.schema}. Run GRANT CREATE ON SCHEMA.",
                field="schema",
            )
        if self.bucket:
            key = self._key(staging_name(PublishedTable("ringg_probe", (), ())))
            try:
                self._in_s3("load_string", "", key, self.bucket, replace=True)
                self._in_s3("delete_objects", self.bucket, [key])
            except QueryFailed as error:
                raise InvalidRequest(
                    f"bucket: {self.bucket} is not there, or the connection {self._hook.aws_conn_id} may not write and "
                    "delete there.",
                    field="bucket",
                ) from error

    def load(self, table: PublishedTable, spool: Spool) -> str:
        """Fill a temporary table, which ends with the connection at the latest."""
        staging, about = staging_name(table), self.about(table)
        quote = self.grammar.quote
        columns = ", ".join(f"{quote(column.name)} {self.grammar.type_of(column)}" for column in table.staging_columns)
        self.send(about, f"CREATE TEMP TABLE {quote(staging)} ({columns})")
        if self.bucket and spool.rows:
            self._copy(table, staging, spool)
        else:
            for statement, values in _inserts(table, quote(staging), spool):
                self.statements += 1
                without_driver_errors(about, self._execute, statement, values)
        return staging

    def merge(self, table: PublishedTable, staging: str) -> None:
        """Delete what is replaced or gone, and insert, in one transaction; Redshift's own MERGE knows no conditions."""
        self._put(table, staging, whole=False)

    def replace(self, table: PublishedTable, staging: str) -> None:
        """Delete all, and insert, in one transaction."""
        self._put(table, staging, whole=True)

    def drop(self, staging: str) -> None:
        """Drop a temporary table."""
        self.send(f"table {staging}", f"DROP TABLE IF EXISTS {self.grammar.quote(staging)}")

    def _open(self) -> Any:
        connection = self._hook.get_conn()
        connection.autocommit = True
        return connection

    def _settings(self) -> Sequence[str]:
        return [f"SET statement_timeout TO {int(self.timeout.total_seconds() * 1000)}"]

    def _put(self, table: PublishedTable, staging: str, *, whole: bool) -> None:
        grammar, target, staged = self.grammar, self.target(table.name), self.grammar.quote(staging)
        number, names = grammar.quote(PUBLICATION), grammar.names(table.names)

        def same(stored: str) -> str:
            return " AND ".join(f"{stored}.{grammar.quote(key)} = s.{grammar.quote(key)}" for key in table.key)

        # What is deleted from bears no other name there.
        older = f" USING {staged} AS s WHERE {same(target)} AND COALESCE({target}.{number}, 0) <= s.{number}"
        delete = f"DELETE FROM {target}" + ("" if whole else older)
        insert = (
            f"INSERT INTO {target} ({names}) SELECT {grammar.names(table.names, 's.')} "
            f"FROM ({grammar.newest(table, staged)}) AS s LEFT JOIN {target} AS t ON {same('t')} "
            f"WHERE NOT s.{grammar.quote(DELETED)} AND t.{grammar.quote(table.key[0])} IS NULL"
        )
        self._send_in_transaction(self.about(table), delete, insert)

    @cached_property
    def _s3(self) -> Any:
        s3 = importlib.import_module("airflow.providers.amazon.aws.hooks.s3")
        return s3.S3Hook(aws_conn_id=self._hook.aws_conn_id)

    @property
    def _role(self) -> str:
        # As Airflow's own S3ToRedshiftOperator has it.
        arn = self._hook.conn.extra_dejson.get("role_arn")
        require_plain(arn, r"arn:[\w:/+=,.@-]+", field="warehouse_conn_id", rule="the ARN of a role (role_arn)")
        return f"'{arn}'" if arn else "default"

    def _copy(self, table: PublishedTable, staging: str, spool: Spool) -> None:
        # All that begins so is loaded at once, by all parts of the cluster.
        prefix = self._key(f"{staging}.")
        keys = {f"{prefix}{number}.json.gz": path for number, path in enumerate(spool.paths)}
        try:
            for key, path in keys.items():
                with _nested(table, path) as file:
                    self._in_s3("load_file", str(file), key, self.bucket)
            self.send(
                self.about(table),
                f"COPY {self.grammar.quote(staging)} FROM 's3://{self.bucket}/{prefix}' IAM_ROLE {self._role} "
                "FORMAT JSON 'auto' GZIP TIMEFORMAT 'auto' TRUNCATECOLUMNS",
            )
        finally:
            with suppress(QueryFailed):
                self._in_s3("delete_objects", self.bucket, list(keys))

    def _key(self, name: str) -> str:
        return f"{self.prefix.rstrip('/')}/{name}".lstrip("/")

    def _in_s3(self, method: str, *arguments: Any, **options: Any) -> None:
        self.statements += 1
        without_driver_errors("bucket", lambda: getattr(self._s3, method)(*arguments, **options))

    def _types(self, table: PublishedTable) -> Mapping[str, str] | None:
        rows = self.send(
            self.about(table),
            "SELECT t.table_type, c.column_name, c.data_type, c.character_maximum_length, c.numeric_precision, "
            "c.numeric_scale FROM information_schema.tables AS t JOIN information_schema.columns AS c ON "
            "c.table_schema = t.table_schema AND c.table_name = t.table_name "
            f"WHERE t.table_schema = '{self.schema}' AND t.table_name = '{table.name}'",
        )
        if rows and rows[0][0] == "VIEW":
            raise refuse_view(f"{self.schema}.{table.name}")
        return {name: _type(kind, length, *number) for _, name, kind, length, *number in rows} or None


def _type(kind: str, length: int | None, precision: int | None, scale: int | None) -> str:
    """A type as it is written in a statement, out of what the information schema says of it."""
    kind = _ALIASES.get(kind.upper(), kind.upper())
    if kind == "NUMERIC" and precision is not None:
        return f"NUMERIC({precision},{scale})"
    return f"{kind}({length})" if length else kind


def _inserts(table: PublishedTable, staging: str, spool: Spool) -> Iterator[tuple[str, list[Any]]]:
    """Statements with their values, each below 1 MB."""
    columns = table.staging_columns
    place = "(" + ", ".join("JSON_PARSE(%s)" if column.kind == "json" else "%s" for column in columns) + ")"
    begin = f"INSERT INTO {staging} ({GRAMMAR.names(column.name for column in columns)}) VALUES "
    rows, size = 0, 0
    values: list[Any] = []
    for row in spool:
        fields = [_field(column, row.get(column.name)) for column in columns]
        needs = len(place) + sum(len(value.encode()) if isinstance(value, str) else 32 for value in fields)
        if rows and (size + needs > _INSERT_BYTES or len(values) + len(fields) > _PARAMETERS):
            yield begin + ", ".join([place] * rows), values
            rows, values, size = 0, [], 0
        rows, values, size = rows + 1, values + fields, size + needs
    if rows:
        yield begin + ", ".join([place] * rows), values


def _field(column: PublishedColumn, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    encoded = value.encode()
    if len(encoded) <= _TEXT_BYTES:
        return value
    if column.kind == "json":
        raise InvalidRequest(
            f"bucket: a document in column {column.name} has more than {_TEXT_BYTES} bytes, which only COPY can load. "
            "Set bucket.",
            field="bucket",
        )
    return encoded[:_TEXT_BYTES].decode("utf-8", "ignore")


@contextmanager
def _nested(table: PublishedTable, path: Path) -> Iterator[Path]:
    """The same rows with documents as parts of the line, since text that could hold them ends at 64 KB."""
    documents = [column.name for column in table.columns if column.kind == "json"]
    file = path.with_suffix(".json.gz")
    file.touch(0o600, exist_ok=False)
    try:
        with path.open(encoding="utf-8", newline="\n") as lines, gzip.open(file, "wt", encoding="utf-8") as nested:
            for line in lines:
                row = json.loads(line)
                row |= {name: json.loads(row[name]) for name in documents if name in row}
                nested.write(json.dumps(row, ensure_ascii=False) + "\n")
        yield file
    finally:
        file.unlink()
