"""Templates in the values of a query are rendered, as Airflow's own SQL operators render theirs."""

from __future__ import annotations

from typing import Any

from tests.support.dags import DagRunner
from tests.support.databases import Warehouse

DAG = """
from datetime import datetime
from airflow.sdk import DAG, task
from ringg_provider.operators.ringg import RinggTerminateOperator
from ringg_provider.operators.smartalex import SmartAlexAddContactsOperator, SmartAlexCreateCampaignOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator

WAREHOUSE = dict(sql_conn_id="warehouse", sql="SELECT phone, name FROM people WHERE name = %(name)s")
QUERY = dict(parameters={"name": "{{ params.segment }}"}, **WAREHOUSE)
LISTS = dict(campaign_name="Survey", phone_column="phone", country_code="+91", dry_run=True)
HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}
RINGG = dict(
    ringg_conn_id="ringg_sandbox", agent_id="22222222-2222-4222-8222-222222222222", call_config={"call_time": HOURS},
    variables_map={"callee_name": "name"}, **LISTS,
)
SETTINGS = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC"}

with DAG("templates", schedule=None, start_date=datetime(2026, 1, 1), params={"segment": "Renewals"}):
    SqlToRinggOperator(task_id="ringg", **RINGG, **QUERY)
    SqlToSmartAlexOperator(
        task_id="smartalex", smartalex_conn_id="smartalex_sandbox", settings=SETTINGS,
        **LISTS | {"agent_id": "agent_survey"}, **QUERY,
    )
    draft = SmartAlexCreateCampaignOperator(
        task_id="draft", smartalex_conn_id="smartalex_sandbox", name="x", agent_id="agent_survey", settings=SETTINGS,
    )
    SmartAlexAddContactsOperator(
        task_id="add", smartalex_conn_id="smartalex_sandbox", campaign_id=draft.output, country_code="+91", **QUERY
    )
    RinggTerminateOperator(task_id="stop", ringg_conn_id="ringg_sandbox", country_code="+91", **QUERY)
    RinggTerminateOperator(
        task_id="stop_named", ringg_conn_id="ringg_sandbox",
        mobile_numbers=["+9198765{{ params.segment | length }}3211"],
    )
    SqlToRinggOperator.partial(task_id="written", **RINGG, **WAREHOUSE).expand(
        parameters=[{"name": "{{ params.segment }}"}, {"name": "Nobody"}]
    )

    @task
    def named():
        return [{"parameters": {"name": "{{ params.segment }}"}}, {"parameters": {"name": "Renewals"}}]

    SqlToRinggOperator.partial(task_id="given", **RINGG, **WAREHOUSE).expand_kwargs(named())
    SqlToRinggOperator(task_id="wrong", **RINGG, **WAREHOUSE, parameters={"name": "{{ nothing.like.it }}"})
"""


def rows(run: Any, task: str, map_index: int = -1) -> int:
    return sum(item["rows"] for item in run.xcom(task, map_index=map_index))


def test_a_template_in_parameters_is_rendered_wherever_a_query_has_values(
    warehouse: Warehouse, sandbox: Any, run_dag: DagRunner
) -> None:
    warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    people = [("9876543210", "Renewals"), ("9876543211", "Renewals"), ("9876543212", "{{ params.segment }}")]
    warehouse.execute("INSERT INTO people VALUES (:a, :b)", [{"a": phone, "b": name} for phone, name in people])
    run = run_dag(DAG)
    failed = {task for task, state in run.tasks.items() if state != "success"}
    assert failed == {"wrong"}
    assert rows(run, "ringg") == 2, "before, the text of the template was looked for"
    assert rows(run, "smartalex") == 2
    assert run.xcom("add") == 2
    assert run.xcom("stop") == 2
    assert run.xcom("stop_named") == 1
    assert [rows(run, "written", index) for index in (0, 1)] == [2, 0]
    # What another task returned is data: Airflow renders no template in it, and neither do we.
    assert [rows(run, "given", index) for index in (0, 1)] == [1, 2]
