"""A state, a warehouse, and publications from one into the other."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ringg_provider.contacts.people import people_table
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.tables import calls_table, campaigns_table
from ringg_provider.launch.table import launches
from ringg_provider.publish.marks import Marks
from ringg_provider.publish.publication import Publication, PublishCounts, View
from ringg_provider.publish.sinks import Sink
from ringg_provider.publish.sinks.sql import SqlSink

AT = dt.datetime(2026, 11, 26, 7, 0, 0, 123456, dt.UTC)

CALLS, CAMPAIGNS, CONTACTS, SMARTALEX = calls_table(), campaigns_table(), people_table(), smartalex_calls_table()
TABLES = [CAMPAIGNS, launches, CONTACTS, CALLS, SMARTALEX]
VIEW = View(CONTACTS.name, CALLS.name)


def call(call_id: str, **values: Any) -> dict[str, Any]:
    """A row of `ringg_calls`."""
    row = {
        "call_id": call_id,
        "bulk_list_id": "list",
        "to_number_e164": "+919845000001",
        "status": "completed",
        "is_final": True,
        "attempted_at": AT,
        "read_at": AT,
        "cost": 1.5,
        "duration_seconds": 20.25,
        "transcript": [{"speaker": "user", "text": "it's\ttwo\nlines \\ and ☎"}],
        "history_state": "complete",
    }
    return row | values


def contact(contact_key: str, **values: Any) -> dict[str, Any]:
    """A row of `ringg_contacts`."""
    row = {"launch_key": "key", "contact_key": contact_key, "occurrence": 1, "list_id": "list", "recorded_at": AT}
    return row | {"phone": "+919845000001", "disposition": "listed"} | values


def write(engine: sa.Engine, statement: sa.Executable, rows: list[dict[str, Any]] | None = None) -> None:
    """One transaction."""
    with engine.begin() as connection:
        connection.execute(statement, rows)


def rows_of(engine: sa.Engine, table: sa.Table, schema: str | None = None) -> list[dict[str, Any]]:
    """The rows of a table, as they can be compared between databases."""
    there = table.to_metadata(sa.MetaData(), schema=schema) if schema else table
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(there)).mappings()]
    return sorted(({name: _plain(value) for name, value in row.items()} for row in rows), key=lambda row: repr(row))


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return (value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)).isoformat()
    if isinstance(value, list | dict):
        return json.dumps(value, sort_keys=True)
    return value


@dataclass
class Copy:
    """One state and one warehouse.

    :param state: the state database; its tables are made.
    :param warehouse: an empty database.
    """

    state: sa.Engine
    warehouse: sa.Engine
    tables: list[sa.Table] = field(default_factory=lambda: list(TABLES))
    schema: str | None = None

    def __post_init__(self) -> None:
        for table in self.tables:
            table.create(self.state)

    def sink(self) -> SqlSink:
        return SqlSink(self.warehouse, self.schema)

    def publish(self, holder: str = "task", *, sink: Sink | None = None, **more: Any) -> PublishCounts:
        """Publish all tables; a killed publication's connection is closed, as its process's end would."""
        sink = sink or self.sink()
        try:
            marks = Marks(self.state, "warehouse", [table.name for table in self.tables], holder, **more)
            return Publication(self.state, self.tables, sink, marks, VIEW).run()
        finally:
            sink.close()

    def difference(self) -> list[str]:
        """The tables that are not the same on both sides."""
        return [
            table.name
            for table in self.tables
            if rows_of(self.state, table) != rows_of(self.warehouse, table, self.schema)
        ]
