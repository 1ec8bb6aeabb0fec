"""The operators that apply an inbox: what they return, say, tell and refuse."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider.inbox.apply import ApplyCounts
from ringg_provider.inbox.store import Delivery, add, inbox_table
from ringg_provider.sql.creating import create_tables
from ringg_provider.transfers.ringg_inbox_to_sql import RinggInboxToSqlOperator
from ringg_provider.transfers.smartalex_inbox_to_sql import SmartAlexInboxToSqlOperator
from tests.inbox.payloads import NAME, NUMBER, SAID, ringg, smartalex
from tests.support.databases import Warehouse, each_of
from tests.support.log import TaskLog
from tests.support.statsd import StatsdServer
from tests.support.tasks import context

state = each_of("warehouse", "sqlite_warehouse")


def tell(state: Warehouse, *bodies: bytes, conn_id: str = "ringg_default") -> None:
    inbox = inbox_table()
    create_tables(state.engine, inbox)
    with state.engine.begin() as connection:
        now = dt.datetime.now(dt.UTC)
        add(connection, inbox, [Delivery.of(conn_id, body, now) for body in bodies])


def apply(**options: Any) -> dict[str, int]:
    counts: dict[str, int] = RinggInboxToSqlOperator(task_id="apply", state_conn_id="warehouse", **options).execute(
        context()
    )
    return counts


def test_what_came_is_in_the_tables_and_in_one_line_of_the_log(
    state: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    log = TaskLog(capsys)
    tell(state, ringg("all_processing_completed"), ringg("call_completed"), b"{}")
    counts = apply()
    assert counts == vars(
        ApplyCounts(deliveries=3, unreadable=1, told=1, inserted=1, settled=1, attempts=1, campaigns=1)
    )
    assert {"ringg_calls", "ringg_attempts", "ringg_campaigns", "ringg_call_counts"} <= state.tables()
    assert log.line("Inbox:") == (
        "Inbox: 3 deliveries applied to 1 call (1 new, 0 changed, 1 settled), 1 new attempt, 1 campaign counted anew,"
        " 1 delivery unreadable, kept with the reason."
    )
    for personal in (NUMBER, NAME, SAID):
        assert personal not in log.text
    assert apply()["deliveries"] == 0


def test_a_delivery_that_says_nothing_new_is_no_change(state: Warehouse, counted: StatsdServer) -> None:
    news, changed = "ringg.history.rows,platform=ringg,change=new", "ringg.history.rows,platform=ringg,change=changed"
    for body, expected in (
        (ringg("call_started", status="registered"), {news: 1}),
        (ringg("all_processing_completed"), {changed: 1}),
        (ringg("all_processing_completed", copy=True), {}),
    ):
        tell(state, body)
        apply()
        sent = counted.sent()
        assert {name: sent[name] for name in (news, changed) if name in sent} == expected


def test_old_deliveries_go_by_a_parameter(state: Warehouse) -> None:
    tell(state, ringg("all_processing_completed"))
    assert apply(purge_after=dt.timedelta(days=1))["purged"] == 0
    assert apply(purge_after=dt.timedelta(0))["purged"] == 1
    assert state.query("SELECT count(*) AS n FROM ringg_inbox") == [{"n": 0}]
    assert state.query("SELECT count(*) AS n FROM ringg_calls") == [{"n": 1}]


def test_smartalexs_inbox_is_applied_to_its_own_table(state: Warehouse) -> None:
    body = smartalex(id="call_1", campaign_id="campaign_1", phone_number="+15551234567", status="completed")
    tell(state, body, conn_id="smartalex_default")
    operator = SmartAlexInboxToSqlOperator(task_id="apply", state_conn_id="warehouse")
    counts = operator.execute(context())
    assert (counts["inserted"], counts["settled"]) == (1, 1)
    (row,) = state.query("SELECT call_id, status, to_number_e164 FROM smartalex_calls")
    assert row == {"call_id": "call_1", "status": "completed", "to_number_e164": "+15551234567"}


def test_the_lineage_is_the_inbox_in_and_the_tables_out(sqlite_warehouse: Warehouse) -> None:
    operator = RinggInboxToSqlOperator(task_id="apply", state_conn_id="warehouse")
    tell(sqlite_warehouse, ringg("all_processing_completed"))
    before = operator.reads_and_writes()
    operator.execute(context())
    after = operator.reads_and_writes()
    assert [dict(each.tables) for each in before.inputs] == [{"ringg_inbox": None}]
    assert [dict(each.tables) for each in after.inputs] == [{"ringg_inbox": 1}]
    assert [dict(each.tables) for each in after.outputs] == [
        {"ringg_calls": 1, "ringg_attempts": 1, "ringg_campaigns": 1}
    ]
    assert after.run["ringg_inbox"]["counts"]["settled"] == 1
    assert NUMBER not in json.dumps(after.run["ringg_inbox"])


def test_a_database_that_cannot_hold_an_inbox_is_refused(duckdb_warehouse: Warehouse, monkeypatch: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", duckdb_warehouse.connection)
    with pytest.raises(AirflowFailException, match="state_conn_id: duckdb does not enforce unique keys"):
        apply()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"purge_after": 7}, "purge_after: must be a timedelta"),
        ({"batch_size": 0}, "batch_size: "),
        ({"include_analysis": "False"}, "include_analysis: "),
    ],
)
def test_a_wrong_argument_is_named(sqlite_warehouse: Warehouse, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        apply(**arguments)
