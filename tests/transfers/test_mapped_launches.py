"""A result that a task is mapped over is no longer than Airflow lets it be, and that is known before an upload."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.dags import DagRunner
from tests.support.databases import Warehouse

DAG = """
from datetime import datetime
from airflow.sdk import DAG, task
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}

with DAG("many_lists", schedule=None, start_date=datetime(2026, 1, 1)):
    lists = SqlToRinggOperator(
        task_id="lists", sql_conn_id="warehouse", sql="SELECT phone, name FROM people", phone_column="phone",
        ringg_conn_id="ringg_sandbox", agent_id="22222222-2222-4222-8222-222222222222", country_code="+91",
        call_config={"call_time": HOURS}, variables_map={"callee_name": "name"}, campaign_name="Survey",
        max_rows_per_list=1,
    )

    @task
    def take(launches): ...

    TAKEN
"""


@pytest.mark.parametrize(
    ("taken", "state", "uploads"),
    [("take.expand(launches=lists.output)", "failed", 0), ("take(lists.output)", "success", 3)],
    ids=["mapped", "taken whole"],
)
def test_too_many_lists_are_refused_before_the_first_upload_where_a_task_is_mapped_over_them(
    sqlite_warehouse: Warehouse,
    sandbox: Any,
    run_dag: DagRunner,
    monkeypatch: pytest.MonkeyPatch,
    taken: str,
    state: str,
    uploads: int,
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    sqlite_warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    rows = [{"phone": f"987654321{number}"} for number in range(3)]
    sqlite_warehouse.execute("INSERT INTO people VALUES (:phone, 'x')", rows)
    run = run_dag(DAG.replace("TAKEN", taken))
    assert run.tasks["lists"] == state
    assert len(sandbox.state()["campaigns"]) == uploads, "before, all three were uploaded, and again in each retry"
