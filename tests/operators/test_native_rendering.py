"""`render_template_as_native_obj` makes numbers of digits and objects of templates: what it made of text is taken back.

In a real Airflow, with mapped tasks.
"""

from __future__ import annotations

from typing import Any

from tests.support.databases import Warehouse

DAG = """
from datetime import datetime, timezone

from airflow.sdk import DAG

from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.sensors.ringg import RinggCampaignSensor
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

with DAG("native", schedule=None, render_template_as_native_obj=True, params={"line": "+918031000001"}):
    lists = SqlToRinggOperator(
        task_id="lists",
        sql_conn_id="warehouse",
        sql="SELECT phone, name FROM people",
        ringg_conn_id="ringg_sandbox",
        agent_id="22222222-2222-4222-8222-222222222222",
        campaign_name="2027",
        phone_column="phone",
        variables_map={"callee_name": "name"},
        country_code="+91",
        call_config={"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}},
        launch_key="{{ '20270301' }}",
        ledger_conn_id="warehouse",
        other_countries="split",
    )
    RinggLaunchOperator.partial(
        task_id="launch",
        ringg_conn_id="ringg_sandbox",
        from_numbers="{{ params.line }}",
        launch_key="{{ '20270301' }}",
        ledger_conn_id="warehouse",
        max_delay=__import__("datetime").timedelta(days=1),
    ).expand(launch=lists.output)
"""


def test_digits_stay_text_in_plain_and_in_mapped_tasks(run_dag: Any, sqlite_warehouse: Warehouse, sandbox: Any) -> None:
    sqlite_warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    sqlite_warehouse.execute("INSERT INTO people VALUES ('9876543210', 'Asha'), ('+971501234567', 'Noor')")
    run = run_dag(DAG)
    assert run.state == "success"
    assert [item["country_code"] for item in run.xcom("lists")] == ["+91", "+971"]
    assert sorted(campaign["name"] for campaign in sandbox.state()["campaigns"]) == ["2027 (1 of 2)", "2027 (2 of 2)"]
    assert [campaign["launches"] for campaign in sandbox.state()["campaigns"]] == [1, 1]
    assert {row["launch_key"] for row in sqlite_warehouse.query("SELECT * FROM ringg_launches")} == {"20270301"}


MAPPED = """
from datetime import timedelta

from airflow.sdk import DAG

from ringg_provider.operators.ringg import RinggStartCampaignOperator

with DAG("mapped", schedule=None):
    RinggStartCampaignOperator.partial(
        task_id="start",
        ringg_conn_id="ringg_sandbox",
        agent_id="22222222-2222-4222-8222-222222222222",
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
    ).expand_kwargs(
        [
            {"list_id": "%(list_id)s", "allow_backfill": "False"},
            {"list_id": "%(list_id)s", "timeout": "7200"},
            {"list_id": "%(list_id)s", "poll_interval": float("nan")},
            {"list_id": "%(list_id)s", "timeout": timedelta(hours=2)},
        ]
    )
"""


def test_a_mapped_task_with_a_wrong_argument_starts_nothing(run_dag: Any, platform: Any, saved: str) -> None:
    run = run_dag(MAPPED % {"list_id": saved})
    assert [run.tasks["start", index] for index in range(4)] == ["failed", "failed", "failed", "success"]
    assert [campaign["launches"] for campaign in platform.state()["campaigns"]] == [1]
