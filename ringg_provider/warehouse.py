"""The tables and the view of a warehouse, made before the first query reads them; see ``docs/tables.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringg_provider.contacts.people import people_table
from ringg_provider.exceptions import HistoryNotCurrent
from ringg_provider.history.freshness import require_history_within
from ringg_provider.history.options import CALLS, CAMPAIGNS
from ringg_provider.history.outcomes import create_outcomes_view
from ringg_provider.history.tables import calls_table, state_table
from ringg_provider.history.tables import campaigns_table as describe_campaigns
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.dialects import require_state

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["HistoryNotCurrent", "create_ringg_tables", "require_history_within"]


def create_ringg_tables(
    engine: Engine,
    *,
    schema: str | None = None,
    contacts_table: str = "ringg_contacts",
    table: str = CALLS,
    campaigns_table: str = CAMPAIGNS,
) -> None:
    """Create the tables ``ringg_contacts``, ``ringg_campaigns``, ``ringg_calls`` and ``ringg_history_state``, and the
    view ``ringg_outcomes``, where they are missing.

    The operators create the tables that they write; a query that reads them before the first run needs this.

    :param engine: of the state database, such as ``hooks.sql.sql_engine(state_conn_id)`` opens.
    :param schema: where they live; the connection's default when left out.
    :param contacts_table: as given to the operators. Default ``ringg_contacts``.
    :param table: of calls, as given to ``RinggCallsToSqlOperator``. Default ``ringg_calls``.
    :param campaigns_table: the same of campaigns. Default ``ringg_campaigns``.
    :raises InvalidRequest: the database cannot hold them, or there is a view ``ringg_outcomes`` that reads other
        tables.
    """
    require_state(engine, for_="history", field="engine")
    people, calls = people_table(contacts_table, schema), calls_table(table, schema=schema)
    campaigns = describe_campaigns(campaigns_table, schema=schema)
    create_tables(engine, people, calls, campaigns, state_table(schema=calls.schema))
    create_outcomes_view(engine, people, calls, schema=schema)
