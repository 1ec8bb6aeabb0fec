"""Databricks SQL: `PUT` Parquet files into a volume, `COPY INTO` a table, `MERGE`; documents are text.

Every runtime takes `raw:field` of such text; VARIANT would shut older readers out of the table.
https://docs.databricks.com/aws/en/ingestion/cloud-object-storage/copy-into/
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Dialect
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.compiler import IdentifierPreparer

from ringg_provider.exceptions import InvalidRequest, QueryFailed
from ringg_provider.publish.schema import PublishedColumn, PublishedTable
from ringg_provider.publish.sinks import refuse_view
from ringg_provider.publish.sinks.statements import (
    ConnectionSink,
    Grammar,
    is_left_behind,
    require_plain,
    staging_name,
)
from ringg_provider.publish.spool import FileFormat, Spool

# Names for one type, as DESCRIBE says them and as they are written.
_ALIASES = {"INT64": "BIGINT", "LONG": "BIGINT"}


def _dialect() -> Dialect:
    dialect = DefaultDialect(paramstyle="named")
    dialect.identifier_preparer = IdentifierPreparer(dialect, initial_quote="`")
    return dialect


GRAMMAR = Grammar(
    types={
        "text": "STRING",
        "integer": "BIGINT",
        "decimal": "DECIMAL({precision},{scale})",
        "boolean": "BOOLEAN",
        "timestamp": "TIMESTAMP",
        "date": "DATE",
        "json": "STRING",
    },
    quote=lambda name: f"`{name}`",
    document="{}",
    dialect=_dialect,
)


class DatabricksSink(ConnectionSink):
    """A schema in a Unity catalog, through a SQL warehouse; see `Sink`.

    :param hook: Airflow's `DatabricksSqlHook`, not connected yet.
    :param schema: `schema` or `catalog.schema`; the connection's own when left out.
    :param volume: that the files pass through: `catalog.schema.volume`.
    :param timeout: how long one statement may take. Default 30 minutes.
    """

    name = "databricks"
    grammar = GRAMMAR
    file_format: FileFormat = "parquet"

    def __init__(
        self,
        hook: Any,
        schema: str | None = None,
        volume: str | None = None,
        timeout: dt.timedelta = dt.timedelta(minutes=30),
    ) -> None:
        super().__init__(
            hook, require_plain(schema, r"(\w+\.)?\w+", field="schema", rule="schema or catalog.schema"), timeout
        )
        if volume is None:
            raise InvalidRequest(
                "volume: Databricks loads files from a volume; set catalog.schema.volume.", field="volume"
            )
        require_plain(volume, r"\w+\.\w+\.\w+", field="volume", rule="catalog.schema.volume")
        self.volume = "/Volumes/" + volume.replace(".", "/")

    def check(self) -> None:
        """Look for schema and volume, try to write to both, and tidy up after who was killed."""
        for table in self._tables():
            if is_left_behind(table):
                self.drop(table)
        probe = staging_name(PublishedTable("ringg_probe", (), ()))
        self.send("schema", f"CREATE TABLE {self.target(probe)} (probe INT)", f"DROP TABLE {self.target(probe)}")
        with tempfile.NamedTemporaryFile(prefix="ringg-probe-") as file:
            place = self._place(probe)
            try:
                self.send("volume", f"PUT {_text(file.name)} INTO {place} OVERWRITE", f"REMOVE {place}")
                for _, name, *_ in self.send("volume", f"LIST {_text(self.volume)}"):
                    if is_left_behind(str(name)):
                        self.send("volume", f"REMOVE {self._place(str(name))}")
            except QueryFailed as error:
                raise InvalidRequest(
                    f"volume: {self.volume} is not there, or the connection may not write to it. Create it, or grant "
                    "READ VOLUME and WRITE VOLUME.",
                    field="volume",
                ) from error

    def load(self, table: PublishedTable, spool: Spool) -> str:
        """Upload the files, and copy them into a table."""
        staging, about = staging_name(table), self.about(table)
        files = {f"{staging}.{number}.parquet": path for number, path in enumerate(spool.paths)}
        target = self.target(staging)
        self.send(about, f"CREATE TABLE {target} ({self.grammar.staging_definitions(table)})")
        try:
            for name, path in files.items():
                self.send("volume", f"PUT {_text(path)} INTO {self._place(name)} OVERWRITE")
            self.send(
                about,
                f"COPY INTO {target} FROM {_text(self.volume)} FILEFORMAT = PARQUET "
                f"FILES = ({', '.join(map(_text, files))}) COPY_OPTIONS ('force' = 'true')",
            )
        finally:
            for name in files:
                with suppress(QueryFailed):
                    self.send("volume", f"REMOVE {self._place(name)}")
        return staging

    def replace(self, table: PublishedTable, staging: str) -> None:
        """One statement that puts other rows in the place of all."""
        insert = self.grammar.insert(table, self.target(table.name), self.target(staging))
        self.send(self.about(table), insert.replace("INSERT INTO", "INSERT OVERWRITE", 1))

    def _open(self) -> Any:
        # The driver sends files from named folders only.
        self._hook.additional_params["staging_allowed_local_path"] = tempfile.gettempdir()
        return self._hook.get_conn()

    def _settings(self) -> Sequence[str]:
        return [f"SET STATEMENT_TIMEOUT = {self.seconds}", "SET TIME ZONE 'UTC'"]

    def _place(self, name: str) -> str:
        """A file of the volume, as statements have it."""
        return _text(f"{self.volume}/{name}")

    def _tables(self) -> list[str]:
        where = f" IN {self.schema}" if self.schema else ""
        try:
            return [str(row[1]) for row in self.send("schema", f"SHOW TABLES{where} LIKE '*_staging_*'")]
        except QueryFailed as error:
            raise InvalidRequest(
                f"schema: there is no schema {self.schema or 'in the connection'} that the connection may use. Create "
                "it, or grant USE CATALOG and USE SCHEMA.",
                field="schema",
            ) from error

    def _add(self, table: PublishedTable, columns: Sequence[PublishedColumn]) -> None:
        added = ", ".join(f"{self.grammar.quote(column.name)} {self.grammar.type_of(column)}" for column in columns)
        self.send(self.about(table), f"ALTER TABLE {self.target(table.name)} ADD COLUMNS ({added})")

    def _types(self, table: PublishedTable) -> Mapping[str, str] | None:
        where = f" IN {self.schema}" if self.schema else ""
        about = self.about(table)
        if not self.send(about, f"SHOW TABLES{where} LIKE '{table.name}'"):
            return None
        described = self.send(about, f"DESCRIBE TABLE EXTENDED {self.target(table.name)}")
        types: dict[str, str] = {}
        for name, kind, *_ in described:
            if not name or name.startswith("#"):
                break
            types[name.lower()] = _ALIASES.get(str(kind).upper(), str(kind).upper())
        if any(name == "Type" and str(kind).upper().endswith("VIEW") for name, kind, *_ in described):
            raise refuse_view(about.removeprefix("table "))
        return types


def _text(path: Path | str) -> str:
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"
