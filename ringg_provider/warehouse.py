"""The tables and the view of a warehouse, made before the first query reads them; see ``docs/tables.md``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ringg_provider.callbacks.table import callbacks_table as describe_promises
from ringg_provider.contacts.people import people_table
from ringg_provider.exceptions import HistoryNotCurrent, InvalidRequest
from ringg_provider.history.attempts import attempts_table
from ringg_provider.history.counts import counts_table
from ringg_provider.history.freshness import closed_campaigns
from ringg_provider.history.options import CALLBACKS, CALLS, CAMPAIGNS, SMARTALEX_CALLS
from ringg_provider.history.outcomes import create_outcomes_view
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.tables import calls_table as describe_calls
from ringg_provider.history.tables import campaigns_table as describe_campaigns
from ringg_provider.history.tables import state_table
from ringg_provider.hooks.sql import StateConnection
from ringg_provider.publish.standing import require_published
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.dialects import require_state

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["HistoryNotCurrent", "create_ringg_tables", "create_smartalex_tables", "require_history_within"]


def create_ringg_tables(
    engine: Engine | None = None,
    *,
    state_conn_id: str | None = None,
    schema: str | None = None,
    contacts_table: str = "ringg_contacts",
    table: str = CALLS,
    campaigns_table: str = CAMPAIGNS,
    callbacks_table: str = CALLBACKS,
) -> None:
    """Create the tables ``ringg_contacts``, ``ringg_campaigns``, ``ringg_calls``, ``ringg_attempts``,
    ``ringg_callbacks`` and ``ringg_history_state``, and the view ``ringg_outcomes``, where they are missing.

    The operators create the tables that they write; a query that reads them before the first run needs this.

    :param engine: of the state database; or else
    :param state_conn_id: its Airflow connection, as given to the operators.
    :param schema: where they live; the connection's default when left out.
    :param contacts_table: as given to the operators. Default ``ringg_contacts``.
    :param table: of calls, as given to ``RinggCallsToSqlOperator``. Default ``ringg_calls``.
    :param campaigns_table: the same of campaigns. Default ``ringg_campaigns``.
    :param callbacks_table: of promises, as given to ``RinggCallbacksOperator``. Default ``ringg_callbacks``.
    :raises InvalidRequest: the database cannot hold them, or there is a view ``ringg_outcomes`` that reads other
        tables.
    """
    people, calls = people_table(contacts_table, schema), describe_calls(table, schema=schema)
    campaigns = describe_campaigns(campaigns_table, schema=schema)
    with _opened(engine, state_conn_id) as state:
        counts = counts_table(schema=campaigns.schema)
        attempts = attempts_table(schema=calls.schema)
        promises = describe_promises(callbacks_table, schema=schema)
        create_tables(state, people, calls, attempts, campaigns, state_table(schema=calls.schema), counts, promises)
        create_outcomes_view(state, people, calls, schema=schema)


def create_smartalex_tables(
    engine: Engine | None = None,
    *,
    state_conn_id: str | None = None,
    schema: str | None = None,
    contacts_table: str = "smartalex_contacts",
    table: str = SMARTALEX_CALLS,
    callbacks_table: str = CALLBACKS,
) -> None:
    """Create the tables ``smartalex_contacts``, ``smartalex_calls`` and ``ringg_callbacks``, where they are missing.

    The operators create the tables that they write; a query that reads them before the first run needs this.

    :param engine: of the state database; or else
    :param state_conn_id: its Airflow connection, as given to the operators.
    :param schema: where they live; the connection's default when left out.
    :param contacts_table: as given to the operators. Default ``smartalex_contacts``.
    :param table: of calls, as given to ``SmartAlexCallsToSqlOperator``. Default ``smartalex_calls``.
    :param callbacks_table: of promises, as given to ``SmartAlexCallbacksOperator``. Default ``ringg_callbacks``.
    :raises InvalidRequest: the database cannot hold them.
    """
    with _opened(engine, state_conn_id) as state:
        people, promises = people_table(contacts_table, schema), describe_promises(callbacks_table, schema=schema)
        create_tables(state, people, smartalex_calls_table(table, schema=schema), promises)


def require_history_within(
    engine: Engine | None = None,
    within: timedelta = timedelta(0),
    *,
    state_conn_id: str | None = None,
    table: str = CAMPAIGNS,
    launches: str | None = None,
    schema: str | None = None,
    complete: bool = False,
    history_table_may_be_missing: bool = False,
    published: bool | str = False,
    calls_table: str = CALLS,
    contacts_table: str = "ringg_contacts",
    now: datetime | None = None,
) -> int:
    """Make sure that the calls of every campaign of late are in the tables, so that nobody reached is called again.

    A campaign counts when it was launched (as the ledger knows) or was to run (as the platform knows) in that time; one
    that was scheduled when it was last looked at counts once its start has passed.
    It must be closed in `ringg_campaigns`: ended, read to the end, every call with its last status. What cannot change
    who was reached (a cost, an analysis that is still to come) does not hold up the night, unless `complete`. Neither
    do calls that were given up, nor a list without a call that failed, was stopped, or was never launched.

    :param engine: of the state database; or else
    :param state_conn_id: its Airflow connection, as given to the operators.
    :param within: how far back to look; must be given.
    :param table: of campaigns. Default `ringg_campaigns`.
    :param launches: the launch ledger, which must be in this database then. Default `ringg_launches`, if it is there.
    :param schema: of both; the connection's default when left out.
    :param complete: wait for costs, analyses and recordings too. Default False.
    :param history_table_may_be_missing: there is no table of campaigns yet. Default False: without it nothing could be
        checked, so that is an error; `create_ringg_tables` makes it.
    :param published: tonight's query runs in a warehouse that `RinggPublishOperator` publishes into, so the calls and
        contacts of these campaigns must stand there too, as they stand here, by a publication within that time: the
        id of the warehouse's connection, or True for every warehouse that was ever published into. Default False.
    :param calls_table: the table of calls, for `published`. Default `ringg_calls`.
    :param contacts_table: the table of contacts, for `published`. Default `ringg_contacts`.
    :param now: the present time, aware; for tests.
    :return: how many campaigns were looked at.
    :raises InvalidRequest: a table is not there or was never published, the database cannot hold one, or `within` is
        no length of time.
    :raises HistoryNotCurrent: something is missing. The text says how many campaigns, what they wait for, and the
        first of their ids; or how many rows are not published.
    """
    with _opened(engine, state_conn_id) as state:
        closed = closed_campaigns(
            state,
            within,
            table=table,
            launches=launches,
            schema=schema,
            complete=complete,
            history_table_may_be_missing=history_table_may_be_missing,
            now=now,
        )
        if published:
            require_published(
                state,
                closed,
                within,
                warehouse_conn_id=published if isinstance(published, str) else None,
                calls=calls_table,
                contacts=contacts_table,
                schema=schema,
            )
    return len(closed)


@contextmanager
def _opened(engine: Engine | None, state_conn_id: str | None) -> Iterator[Engine]:
    """The state database, in either form that it is given; one that cannot hold the history is refused."""
    if (engine is None) == (state_conn_id is None):
        raise InvalidRequest("engine, state_conn_id: give one of them.", field="state_conn_id")
    if engine is not None:
        require_state(engine, for_="history", field="engine")
        yield engine
    elif state_conn_id is not None:
        state = StateConnection(state_conn_id, "state_conn_id")
        state.require("history")
        with state.engine() as opened:
            yield opened
