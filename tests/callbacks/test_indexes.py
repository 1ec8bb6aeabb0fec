"""What a run asks of promises and of calls goes along an index: PostgreSQL's plans read no table from end to end."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.callbacks.claims import Claims
from ringg_provider.callbacks.elsewhere import Elsewhere, history_of
from ringg_provider.callbacks.loading import PromiseLoad, PromiseTerms
from ringg_provider.callbacks.planning import Promise
from ringg_provider.callbacks.smartalex import SmartAlexPromises
from ringg_provider.callbacks.table import RINGG, SMARTALEX, callbacks_table
from ringg_provider.contacts.people import people_table
from ringg_provider.history.smartalex import callbacks_table as pending_table
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.tables import calls_table, state_table
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.sql.creating import create_tables
from ringg_provider.warehouse import create_ringg_tables, create_smartalex_tables
from tests.callbacks.people import HOURS
from tests.support.databases import Warehouse

NOW = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
PROMISE = Promise("p", RINGG, "open", "+919800000001", contact_id="c", asked_call_id="a", asked_at=NOW, due_at=NOW)
#: Of one row per table of calls, or with tests of their own; and the people of all nights, who are loaded by the
#: million, so that another index would cost every load more than it saves.
NOT_LOOKED_AT = ("ringg_history_state", "smartalex_history_state", "ringg_launches", "pg_catalog", "ringg_contacts")


def look_up(engine: sa.Engine) -> None:
    """As an erasure asks for a person, and a query of people for whom a promise is still to be kept."""
    promises = callbacks_table().c
    with engine.connect() as connection:
        connection.execute(sa.select(promises.state).where(promises.contact_key == "person-1"))


#: What the runs ask, by its name.
ASKED: dict[str, Callable[[sa.Engine], Any]] = {
    "an update": lambda engine: PromiseLoad(
        engine, calls_table(), PromiseTerms(HOURS), contacts=people_table(), now=lambda: NOW
    ).run(),
    "an update of SmartAlex": lambda engine: SmartAlexPromises(
        engine, pending_table(), smartalex_calls_table(), PromiseTerms(HOURS), now=lambda: NOW
    ).run(),
    "what is due": lambda engine: Claims(engine, callbacks_table()).open(
        platform=RINGG, agent_ids=["a"], conn_id="c", until=NOW
    ),
    "a claim": lambda engine: Claims(engine, callbacks_table()).rows(
        Claims(engine, callbacks_table()).take("key", [PROMISE])
    ),
    "a run's own claims": lambda engine: Claims(engine, callbacks_table()).own("key"),
    "claims that were lost": lambda engine: Claims(engine, callbacks_table()).free_lost(
        NOW, LaunchLedger(engine), RINGG
    ),
    "why": lambda engine: Claims(engine, callbacks_table()).explain({"p": "why"}),
    "the promises of a list": lambda engine: Claims(engine, callbacks_table()).on_list("list", "key"),
    "other calls": lambda engine: Elsewhere(engine, *history_of(RINGG, None)).held([PROMISE]),
    "other calls of SmartAlex": lambda engine: Elsewhere(engine, *history_of(SMARTALEX, None)).held([PROMISE]),
    "who calls back": lambda engine: Elsewhere(engine, *history_of(RINGG, None)).calls_back(NOW - timedelta(days=30)),
    "a person": look_up,
}


@pytest.fixture
def engine(warehouse: Warehouse) -> sa.Engine:
    """All tables, with a call and a promise in them."""
    engine = warehouse.engine
    create_ringg_tables(engine)
    create_smartalex_tables(engine)
    create_tables(engine, pending_table(), state_table("smartalex_history_state"))
    asked = {
        "call_id": "a", "to_number_e164": PROMISE.number, "call_type": "outbound", "status": "completed",
        "created_at": NOW, "changed_at": NOW, "first_read_at": NOW, "callback_requested": True, "bulk_list_id": "list",
        "callback_requested_time": (NOW + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    pending = {
        "callback_id": "c", "campaign_id": "list", "to_number_e164": PROMISE.number, "contact_id": "c",
        "scheduled_at": NOW, "first_read_at": NOW, "state": "pending",
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(calls_table()).values(**asked))
        connection.execute(sa.insert(pending_table()).values(**pending))
        connection.execute(sa.text("ANALYZE"))
    return engine


@pytest.mark.parametrize("name", ASKED)
def test_every_query_goes_along_an_index(name: str, engine: sa.Engine) -> None:
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, is_many: bool) -> None:
        if re.match("SELECT|UPDATE|DELETE", statement) and not is_many:
            statements.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    ASKED[name](engine)
    sa.event.remove(engine, "before_cursor_execute", note)
    asked = [each for each in statements if not any(table in each[0] for table in NOT_LOOKED_AT)]
    assert asked
    with engine.connect() as connection:
        # Where a table is small, reading all of it is the best plan: what is asked is whether there is another one.
        connection.execute(sa.text("SET enable_seqscan = off"))
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
            assert not [line for line in plan if "Seq Scan" in line], "\n".join([statement, *plan])
