"""Which of our tables are there, and of which version: what the pages read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ringg_provider.callbacks.table import callbacks_table
from ringg_provider.contacts.people import people_table
from ringg_provider.history.counts import counts_table
from ringg_provider.history.options import CALLBACKS, CALLS, CAMPAIGNS, INBOX, SMARTALEX_CALLS
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.tables import calls_table, campaigns_table
from ringg_provider.inbox.store import inbox_table
from ringg_provider.launch.braked import brakes
from ringg_provider.launch.reservations import budgets, reservations
from ringg_provider.launch.table import launches


@dataclass(frozen=True)
class Tables:
    """Our tables, as far as they are there.

    :param launches: the ledger.
    :param campaigns: Ringg's campaigns.
    :param counts: how their calls went.
    :param contacts: who was listed and why others were not.
    :param smartalex_calls: SmartAlex's calls.
    :param brakes: launch keys whose brake was pulled.
    :param budgets: credits that launches share,
    :param reservations: and what each of them takes of it.
    :param inbox: webhooks.
    :param callbacks: promises to call people back.
    :param columns: names of the columns that each of them has by now, by the table's name.
    """

    launches: sa.Table | None
    campaigns: sa.Table | None
    counts: sa.Table | None
    contacts: sa.Table | None
    smartalex_calls: sa.Table | None
    brakes: sa.Table | None = None
    budgets: sa.Table | None = None
    reservations: sa.Table | None = None
    inbox: sa.Table | None = None
    callbacks: sa.Table | None = None
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def found(
        cls,
        connection: sa.Connection,
        *,
        schema: str | None = None,
        calls: str = CALLS,
        campaigns: str = CAMPAIGNS,
        contacts: str = "ringg_contacts",
        smartalex_calls: str = SMARTALEX_CALLS,
        inbox: str = INBOX,
        callbacks: str = CALLBACKS,
    ) -> Tables:
        """Look which of the tables are there, and what columns they have: a newer version adds some.

        :param connection: to the state database.
        :param schema: where they live; the connection's own when left out.
        :param calls: of Ringg's calls.
        :param campaigns: of its campaigns.
        :param contacts: of people.
        :param smartalex_calls: of SmartAlex's calls.
        :param inbox: of webhooks.
        :param callbacks: of promises to call people back.
        """
        inspector = sa.inspect(connection)
        columns: dict[str, frozenset[str]] = {}

        def there(table: sa.Table) -> sa.Table | None:
            if not inspector.has_table(table.name, schema=table.schema):
                return None
            # SQLAlchemy's inspection asks ten times as much of the catalogue, and would keep a statement's columns.
            name = connection.dialect.identifier_preparer.format_table(table)
            columns[table.name] = frozenset(connection.exec_driver_sql(f"SELECT * FROM {name} WHERE 1 = 0").keys())
            return table

        described = campaigns_table(campaigns, schema=schema)

        def placed(table: sa.Table) -> sa.Table:
            return table if schema is None else table.to_metadata(sa.MetaData(), schema=schema)

        return cls(
            there(placed(launches)),
            there(described) if there(calls_table(calls, schema=schema)) is not None else None,
            there(counts_table(schema=described.schema)),
            there(people_table(contacts, schema)),
            there(smartalex_calls_table(smartalex_calls, schema=schema)),
            there(placed(brakes)),
            there(placed(budgets)),
            there(placed(reservations)),
            there(inbox_table(inbox, schema=schema)),
            there(callbacks_table(callbacks, schema=schema)),
            columns,
        )

    def of(self, table: sa.Table, name: str) -> sa.ColumnElement[Any]:
        """A column; NULL where the table is of a version that had none."""
        column = table.c[name]
        return column if name in self.columns.get(table.name, ()) else sa.type_coerce(sa.null(), column.type)
