"""Every query of the pages goes along an index: PostgreSQL's plans read no table from end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from demo.nights import RENEWALS, fill
from ringg_provider.contacts.people import people_table
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.inbox.store import inbox_table
from ringg_provider.launch.braked import brakes
from ringg_provider.launch.reservations import budgets, reservations
from ringg_provider.sql.creating import create_tables
from ringg_provider.ui import deliveries, promises, queries, rollouts
from ringg_provider.ui.campaign import Campaign
from ringg_provider.ui.queries import Filters
from ringg_provider.ui.stopping import find_launched
from ringg_provider.ui.tables import Tables
from tests.support.databases import Warehouse

NOW = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
DAGS = frozenset({RENEWALS})
CAMPAIGN = Campaign(
    campaign_id="c", platform="ringg", launch_key="k", agent_id="a", ledger_state="started", listed_at=NOW
)
SMARTALEX = Campaign(campaign_id="c", platform="smartalex")

#: What the pages ask, by its name.
ASKED: dict[str, Callable[[sa.Connection, Tables], Any]] = {
    "the list": lambda c, t: queries.campaigns(c, t, None, Filters(since=NOW - timedelta(days=30))),
    "the list of some DAGs": lambda c, t: queries.campaigns(c, t, DAGS, Filters(since=NOW - timedelta(days=30))),
    "a state": lambda c, t: queries.campaigns(c, t, None, Filters(phase="running", since=NOW - timedelta(days=30))),
    "an agent": lambda c, t: queries.campaigns(c, t, None, Filters(agent_id="a", since=NOW - timedelta(days=30))),
    "a day": lambda c, t: queries.campaigns(c, t, None, Filters(since=NOW - timedelta(days=1), until=NOW)),
    "a DAG": lambda c, t: queries.campaigns(c, t, DAGS, Filters(dag_id=RENEWALS, since=NOW - timedelta(days=90))),
    "a run": lambda c, t: queries.campaigns(c, t, DAGS, Filters(dag_id=RENEWALS, run_id="r")),
    "a campaign": lambda c, t: queries.campaign(c, t, None, "c"),
    "a campaign of some DAGs": lambda c, t: queries.campaign(c, t, DAGS, "c"),
    "a key's lists": lambda c, t: queries.ledger_rows(c, t, DAGS, "k"),
    "counts": lambda c, t: queries.counts(c, t, CAMPAIGN),
    "counts of SmartAlex": lambda c, t: queries.counts(c, t, SMARTALEX),
    "reasons": lambda c, t: queries.reasons(c, t, CAMPAIGN),
    "a price": lambda c, t: queries.price(c, t, CAMPAIGN),
    "what is left to do": lambda c, t: queries.to_do(c, t, None, NOW),
    "what is left to do of some DAGs": lambda c, t: queries.to_do(c, t, DAGS, NOW),
    "choices": lambda c, t: queries.choices(c, t, None, NOW - timedelta(days=90)),
    "a launch to be stopped": lambda c, t: find_launched(c, t, RENEWALS, "c"),
    "waves": lambda c, t: rollouts.waves(c, t, DAGS, "k"),
    "a budget": lambda c, t: rollouts.spending(c, t, "k"),
    "promises": lambda c, t: promises.counts(c, t, None, since=NOW - timedelta(days=30)),
    "promises of some DAGs": lambda c, t: promises.counts(c, t, DAGS, since=NOW - timedelta(days=30)),
    "promises of a campaign": lambda c, t: promises.of_campaign(c, t, None, "c"),
    "unclear promises": lambda c, t: promises.unclear(c, t, None),
    "unclear promises of some DAGs": lambda c, t: promises.unclear(c, t, DAGS),
    "promises that come": lambda c, t: promises.coming(c, t, DAGS),
    "missed promises": lambda c, t: promises.missed(c, t, DAGS, since=NOW - timedelta(days=30)),
    "a promise": lambda c, t: promises.promised(c, t, RENEWALS, "c"),
    "webhooks": lambda c, t: deliveries.read_deliveries(c, t, None, NOW),
    "webhooks of some DAGs": lambda c, t: deliveries.read_deliveries(c, t, DAGS, NOW),
}


@pytest.fixture
def connection(warehouse: Warehouse) -> Iterator[sa.Connection]:
    fill(warehouse.engine, nights=5, people=40, now=NOW, promises=True)
    table = inbox_table()
    create_tables(warehouse.engine, people_table(), smartalex_calls_table(), table, brakes, budgets, reservations)
    with warehouse.engine.begin() as writing:
        row = {"digest": "d", "conn_id": "ringg", "received_at": NOW, "payload": "{}"}
        writing.execute(sa.insert(table).values(row))
        writing.execute(sa.text("ANALYZE"))
    with warehouse.engine.connect() as opened:
        # Where a table is small, reading all of it is the best plan: what is asked is whether there is another one.
        opened.execute(sa.text("SET enable_seqscan = off"))
        yield opened


@contextmanager
def recorded(connection: sa.Connection) -> Iterator[list[tuple[str, Any]]]:
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        statements.append((statement, parameters))

    sa.event.listen(connection, "before_cursor_execute", note)
    yield statements
    sa.event.remove(connection, "before_cursor_execute", note)


@pytest.mark.parametrize("name", ASKED)
def test_every_query_goes_along_an_index(name: str, connection: sa.Connection) -> None:
    tables = Tables.found(connection)
    with recorded(connection) as statements:
        ASKED[name](connection, tables)
    assert statements
    for statement, parameters in statements:
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
        assert not [line for line in plan if "Seq Scan" in line], "\n".join([statement, *plan])


@pytest.mark.parametrize("name", ["unclear promises", "unclear promises of some DAGs", "promises that come"])
def test_what_waits_is_found_by_its_state_and_not_behind_all_that_is_over(name: str, connection: sa.Connection) -> None:
    tables = Tables.found(connection)
    with recorded(connection) as statements:
        ASKED[name](connection, tables)
    statement, parameters = statements[0]
    plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
    assert [line for line in plan if "ix_ringg_callbacks_state" in line], "\n".join([statement, *plan])
