"""A night on tables that older versions made: upload, launch and load go on, and what stood there still stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.sql.creating import columns_of
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from tests.sql.test_older_tables import TABLES, make, older
from tests.support.databases import Warehouse, each_of
from tests.support.sandbox import Sandbox
from tests.support.tasks import TaskInstance, context

state = each_of("warehouse", "sqlite_warehouse")

WINDOW = {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}}
RINGG = {"ringg_conn_id": "ringg_sandbox"}


@pytest.fixture
def platform(sandbox_factory: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox whose history is not limited, and a connection that says so."""
    started = sandbox_factory("g3", history_rate_window_seconds=0)
    unlimited = {"history_requests_per_minute": 60_000}
    connection = {"conn_type": "ringg", "host": started.base_url, "password": started.api_key, "extra": unlimited}
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", json.dumps(connection))
    return started


def oldest(engine: sa.Engine) -> list[str]:
    """The first version of each table, where it was another one on this database."""
    first: dict[str, str] = {}
    for version, _ in older(engine.dialect.name):
        first.setdefault(version.partition(" ")[0], version)
    return [version for name, version in first.items() if name.startswith("ringg_")]


def upload_and_launch() -> str:
    ti = TaskInstance(task_id="lists")
    keyed = {"launch_key": "tonight", "ledger_conn_id": "warehouse"}
    (item,) = SqlToRinggOperator(
        task_id="lists",
        sql_conn_id="warehouse",
        sql="SELECT phone, name FROM people",
        agent_id="22222222-2222-4222-8222-222222222222",
        campaign_name="Survey",
        phone_column="phone",
        variables_map={"callee_name": "name"},
        country_code="+91",
        call_config=WINDOW,
        contacts_table="ringg_contacts",
        not_called_within_days=2,
        **keyed,
        **RINGG,
    ).execute({"ti": ti})  # type: ignore[typeddict-item]
    launch = RinggLaunchOperator(
        task_id="launch",
        launch=item,
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
        wait_for_completion=True,
        poll_interval=1,
        timeout=120,
        **keyed,
        **RINGG,
    )
    return str(launch.execute(context()))


def test_a_night_on_the_oldest_tables(state: Warehouse, platform: Sandbox) -> None:
    made = oldest(state.engine)
    assert {"ringg_calls of 811d38f", "ringg_launches of 6702536"} <= set(made)
    for version in made:
        make(state.engine, version)
    before = {"call_id": "of before", "to_number_e164": "+919876543219", "created_at": datetime.now(UTC)}
    with state.engine.begin() as connection:
        connection.execute(sa.insert(TABLES["ringg_calls"]), before)
        connection.exec_driver_sql("UPDATE ringg_calls SET watermark = TRUE")
    state.execute("CREATE TABLE people (phone varchar(20), name varchar(20))")
    people = [{"phone": f"+91987654321{number}", "name": "Asha"} for number in (0, 1, 9)]
    state.execute("INSERT INTO people VALUES (:phone, :name)", people)

    list_id = upload_and_launch()
    counts = RinggCallsToSqlOperator(
        task_id="load", sql_conn_id="warehouse", bulk_list_ids=[list_id], contacts_table="ringg_contacts", **RINGG
    ).execute({"ti": TaskInstance(), "outlet_events": {}})  # type: ignore[typeddict-item]

    assert counts["inserted"] == 2
    calls = state.query("SELECT call_id, to_number_e164, changed_at FROM ringg_calls ORDER BY to_number_e164")
    assert [row["to_number_e164"] for row in calls] == [f"+91987654321{number}" for number in (0, 1, 9)]
    assert (calls[2]["call_id"], calls[2]["changed_at"]) == ("of before", None)
    said = state.query("SELECT disposition FROM ringg_contacts ORDER BY contact_key")
    assert [row["disposition"] for row in said] == ["listed", "listed", "called_recently"]
    (launched,) = state.query("SELECT launch_key, state, origin, dag_id FROM ringg_launches")
    assert launched == {"launch_key": "tonight", "state": "started", "origin": "set", "dag_id": "dag"}
    for name in ("ringg_calls", "ringg_campaigns", "ringg_contacts", "ringg_launches"):
        assert columns_of(state.engine, TABLES[name]) >= {column.name for column in TABLES[name].columns}
