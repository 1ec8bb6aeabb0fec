"""Snowflake: `PUT` a Parquet file, `COPY INTO` a transient table, `MERGE`; documents are VARIANT.

https://docs.snowflake.com/en/user-guide/data-load-local-file-system
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import registry

from ringg_provider.exceptions import InvalidRequest, QueryFailed
from ringg_provider.publish.schema import PublishedTable
from ringg_provider.publish.sinks import refuse_view
from ringg_provider.publish.sinks.statements import (
    ConnectionSink,
    Grammar,
    is_left_behind,
    require_plain,
    staging_name,
)
from ringg_provider.publish.spool import FileFormat, Spool

#: A text that may have so many characters has no bound.
_LONGEST_TEXT = 16_777_216
_NAME = r'([A-Za-z_][A-Za-z0-9_$]*|"[^"]+")'


def _quote(name: str) -> str:
    # Upper case is what Snowflake makes of a name without quotes, and so what everybody writes who reads the tables.
    return f'"{name.upper()}"'


GRAMMAR = Grammar(
    types={
        "text": "VARCHAR",
        "integer": "NUMBER(38,0)",
        "decimal": "NUMBER({precision},{scale})",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP_TZ",
        "date": "DATE",
        "json": "VARIANT",
    },
    quote=_quote,
    document="PARSE_JSON({})",
    dialect=lambda: registry.load("snowflake")(),
)


class SnowflakeSink(ConnectionSink):
    """A schema in Snowflake; see `Sink`.

    :param hook: Airflow's `SnowflakeHook`.
    :param schema: `SCHEMA` or `DATABASE.SCHEMA`; the connection's own when left out.
    :param stage: an internal stage that the files pass through, `STAGE` or `SCHEMA.STAGE`. Default: the one that every
        table has of its own.
    :param timeout: how long one statement may wait for the warehouse, and then take. Default 30 minutes.
    """

    name = "snowflake"
    grammar = GRAMMAR
    file_format: FileFormat = "parquet"

    def __init__(
        self,
        hook: Any,
        schema: str | None = None,
        stage: str | None = None,
        timeout: dt.timedelta = dt.timedelta(minutes=30),
    ) -> None:
        super().__init__(
            hook,
            require_plain(schema, rf"({_NAME}\.)?{_NAME}", field="schema", rule="SCHEMA or DATABASE.SCHEMA"),
            timeout,
        )
        self.stage = require_plain(
            stage and stage.removeprefix("@"),
            rf"({_NAME}\.){{0,2}}{_NAME}(/[A-Za-z0-9_/-]+)?",
            field="stage",
            rule="the name of a stage",
        )

    def check(self) -> None:
        """Look for database, schema, warehouse and stage, try to write there, and tidy up after who was killed."""
        self._require_schema()
        self._drop_what_is_left_behind()
        probe = self.target(staging_name(PublishedTable("ringg_probe", (), ())))
        self.send("schema", f"CREATE TRANSIENT TABLE {probe} (PROBE INT)", f"DROP TABLE {probe}")
        if self.stage is not None:
            try:
                files = self.send("stage", f"LIST @{self.stage}")
            except QueryFailed as error:
                raise InvalidRequest(
                    f"stage: there is no stage {self.stage} that this role may read and write. Create it, or leave "
                    "stage out.",
                    field="stage",
                ) from error
            for folder in {part for name, *_ in files for part in str(name).split("/") if is_left_behind(part)}:
                self._remove(f"@{self.stage}/{folder}")

    def load(self, table: PublishedTable, spool: Spool) -> str:
        """Upload the files, and copy them into a transient table."""
        staging, about = staging_name(table), self.about(table)
        target = self.target(staging)
        self.send(
            about,
            f"CREATE TRANSIENT TABLE {target} ({self.grammar.staging_definitions(table)}) "
            "DATA_RETENTION_TIME_IN_DAYS = 0",
        )
        place = f"@{self.stage}/{staging}" if self.stage else f"@{self.schema}.{_quote(f'%{staging}')}"
        try:
            self.send(
                about,
                *(f"PUT {_file(path)} {place} AUTO_COMPRESS = FALSE" for path in spool.paths),
                f"COPY INTO {target} FROM {place} FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) "
                "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT",
            )
        finally:
            if self.stage:
                self._remove(place)
        return staging

    def replace(self, table: PublishedTable, staging: str) -> None:
        """Delete all, and insert, in one transaction."""
        target = self.target(table.name)
        insert = self.grammar.insert(table, target, self.target(staging))
        self._send_in_transaction(self.about(table), f"DELETE FROM {target}", insert)

    def _remove(self, place: str) -> None:
        with suppress(QueryFailed):
            self.send("stage", f"REMOVE {place}/")

    def _settings(self) -> Sequence[str]:
        # What is merged is committed, and an instant is shown in UTC.
        session = "AUTOCOMMIT = TRUE, TIMEZONE = 'UTC'"
        limits = f"STATEMENT_TIMEOUT_IN_SECONDS = {self.seconds}, STATEMENT_QUEUED_TIMEOUT_IN_SECONDS = {self.seconds}"
        return [f"ALTER SESSION SET {session}, {limits}"]

    def _require_schema(self) -> None:
        """Find out the full name of the schema, which every statement then has."""
        self.send("warehouse_conn_id", "SELECT 1")
        session = self._connection
        database, schema, role = session.database, session.schema, session.role
        if self.schema is not None:
            *given, schema = (_resolved(part) for part in _parts(self.schema))
            database = given[0] if given else database
        if not (database and schema):
            raise InvalidRequest(
                f"schema: neither it nor the connection names a {'schema' if database else 'database'} that the role "
                f"{role} may use.",
                field="schema",
            )
        ((there,),) = self.send(
            "schema",
            f"SELECT COUNT(*) FROM \"{database}\".INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME = '{schema}'",
        )
        if not there:
            raise InvalidRequest(
                f"schema: there is no schema {schema} in the database {database} that the role {role} may use. Create "
                "it, or grant its usage.",
                field="schema",
            )
        self.schema = f'"{database}"."{schema}"'

    def _drop_what_is_left_behind(self) -> None:
        for row in self.send("schema", f"SHOW TERSE TABLES LIKE '%_STAGING_%' IN SCHEMA {self.schema}"):
            for name in row[1:2]:
                if is_left_behind(str(name)):
                    self.send("schema", f"DROP TABLE IF EXISTS {self.target(str(name))}")

    def _types(self, table: PublishedTable) -> Mapping[str, str] | None:
        database, schema = _parts(self.schema or "")
        known = f"FROM {database}.INFORMATION_SCHEMA"
        this = f"WHERE TABLE_SCHEMA = '{_resolved(schema)}' AND TABLE_NAME = '{table.name.upper()}'"
        ((views,),) = self.send(self.about(table), f"SELECT COUNT(*) {known}.VIEWS {this}")
        if views:
            raise refuse_view(self.about(table).removeprefix("table "))
        rows = self.send(
            self.about(table),
            "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE "
            f"{known}.COLUMNS {this}",
        )
        return {str(name).lower(): _type(kind, length, *number) for name, kind, length, *number in rows} or None


def _type(kind: str, length: int | None, precision: int | None, scale: int | None) -> str:
    """A type as it is written in a statement, out of what the information schema says of it."""
    if kind == "NUMBER":
        return f"NUMBER({precision},{scale})"
    if kind == "TEXT":
        return f"VARCHAR({length})" if length and length < _LONGEST_TEXT else "VARCHAR"
    return kind


def _parts(schema: str) -> list[str]:
    """The parts of a qualified name, each as it is written."""
    parts, quoted = [""], False
    for character in schema:
        quoted ^= character == '"'
        if character == "." and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _resolved(part: str) -> str:
    """A name as Snowflake stores it."""
    return part[1:-1] if part.startswith('"') else part.upper()


def _file(path: Path) -> str:
    return "'file://" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"
