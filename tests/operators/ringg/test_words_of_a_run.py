"""What Airflow itself shows and writes of a run: the label of a mapped task, and the first line of a failed one."""

from __future__ import annotations

import pytest

from tests.support.dags import DagRunner
from tests.support.databases import Warehouse
from tests.support.log import TaskLog
from tests.support.sandbox import Sandbox

DAG = """
from datetime import datetime
from airflow.sdk import DAG
from ringg_provider.operators.ringg import RinggLaunchOperator, RinggStartCampaignOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

WORKSPACE = dict(ringg_conn_id="ringg_sandbox")
AGENT = dict(agent_id="22222222-2222-4222-8222-222222222222")
CALLERS = dict(from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"])

with DAG("words", schedule=None, start_date=datetime(2026, 1, 1)):
    lists = SqlToRinggOperator(
        task_id="lists", sql_conn_id="warehouse", sql="SELECT phone, name FROM people", phone_column="phone",
        country_code="+91", campaign_name="Survey", variables_map={"callee_name": "name"}, flow="standard",
        call_config={"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}},
        **WORKSPACE, **AGENT,
    )
    RinggLaunchOperator.partial(
        task_id="launch", **WORKSPACE, **CALLERS,
        map_index_template="{{ task.launch.country_code }}: {{ task.launch.rows }} on {{ task.launch.list_id }}",
    ).expand(launch=lists.output)
    RinggStartCampaignOperator(task_id="fails", list_id="nothing", launch_key="k", **WORKSPACE, **AGENT, **CALLERS)
"""


@pytest.mark.slow
def test_a_mapped_launch_is_labelled_and_a_failed_task_begins_with_its_error(
    sqlite_warehouse: Warehouse, sandbox: Sandbox, run_dag: DagRunner, capsys: pytest.CaptureFixture[str]
) -> None:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    log = TaskLog(capsys)
    sqlite_warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    sqlite_warehouse.execute("INSERT INTO people VALUES (:phone, 'x')", [{"phone": "9876543210"}])
    run = run_dag(DAG)
    (item,) = run.xcom("lists")
    with create_session() as session:
        label = session.query(TaskInstance.rendered_map_index).filter_by(
            dag_id="words", run_id=run.run_id, task_id="launch"
        )
        assert label.scalar() == f"+91: 1 on {item['list_id']}"
    assert f"Campaign {item['list_id']} is started for 1 person, calling " in log.line("is started for", "info")
    assert log.lines("error")[0].startswith("InvalidRequest: launch_key, ledger_conn_id: give both or neither")
    assert "XCom not found" not in log.text
    assert "98765" not in log.text
