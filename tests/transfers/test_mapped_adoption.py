"""What was launched before and has ended is adopted by every instance of a mapped task, none of which defers for it."""

from __future__ import annotations

import pytest

from ringg_provider.operators.launching import LaunchOperator
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse
from tests.support.sandbox import Sandbox

DAG = """
from datetime import datetime
from airflow.sdk import DAG
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.operators.smartalex import SmartAlexStartCampaignOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator

CHOICE = dict(
    task_id="lists", sql_conn_id="warehouse", sql="SELECT phone, name FROM people", phone_column="phone",
    country_code="+91", campaign_name="Survey", max_rows_per_list=1,
)
LAUNCH = dict(task_id="launch", wait_for_completion=True, deferrable=DEFERRABLE, poll_interval=0.2)
KEYED = dict(launch_key="key", ledger_conn_id="warehouse")

with DAG("launched_before", schedule=None, start_date=datetime(2026, 1, 1)):
    if "FLOW" == "smartalex":
        hours = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC", "max_retries": 0}
        lists = SqlToSmartAlexOperator(
            smartalex_conn_id="smartalex_sandbox", agent_id="agent_survey", contact_columns={"first_name": "name"},
            settings=hours, **CHOICE, **KEYED,
        )
        SmartAlexStartCampaignOperator.partial(
            smartalex_conn_id="smartalex_sandbox", **LAUNCH, **KEYED
        ).expand(campaign_id=lists.output)
    else:
        hours = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "UTC"}
        lists = SqlToRinggOperator(
            ringg_conn_id="ringg_sandbox", agent_id="22222222-2222-4222-8222-222222222222",
            variables_map={"callee_name": "name"}, call_config={"call_time": hours}, flow="FLOW", **CHOICE, **KEYED,
        )
        RinggLaunchOperator.partial(
            ringg_conn_id="ringg_sandbox", from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
            upload_poll_interval=0.2, **LAUNCH, **KEYED,
        ).expand(launch=lists.output)
"""


@pytest.mark.slow
@pytest.mark.parametrize("flow", ["standard", "large", "smartalex"])
def test_three_mapped_launches_whose_lists_have_ended_are_adopted_without_deferring(
    sqlite_warehouse: Warehouse, sandbox: Sandbox, run_dag: DagRunner, monkeypatch: pytest.MonkeyPatch, flow: str
) -> None:
    sqlite_warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    rows = [{"phone": f"987654321{number}"} for number in range(3)]
    sqlite_warehouse.execute("INSERT INTO people VALUES (:phone, 'x')", rows)
    source = DAG.replace("FLOW", flow)
    first = run_dag(source.replace("DEFERRABLE", "False"))
    deferred: list[LaunchOperator] = []
    monkeypatch.setattr(LaunchOperator, "defer", lambda operator, **how: deferred.append(operator))
    again = run_dag(source.replace("DEFERRABLE", "True"))
    assert deferred == []
    assert [run.state for run in (first, again)] == ["success", "success"]
    assert {index: again.xcom("launch", map_index=index) for index in range(3)} == {
        index: first.xcom("launch", map_index=index) for index in range(3)
    }
    assert [entry["launches"] for entry in sandbox.dials()["lists"].values()] == [1, 1, 1]
