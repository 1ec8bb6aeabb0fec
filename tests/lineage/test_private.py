"""Arguments that hold personal data or secrets are in no lineage event, and nowhere in what Airflow stores.

The real OpenLineage provider writes its events to a file, once with its usual facets and once with whatever it finds on
an operator. Every operator that takes such an argument runs, and once more as a mapped task. What an author spells out,
in a query, a key or a name, is in Airflow's own database; in an event it is not either.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.airflow_home import home_of
from tests.support.databases import Warehouse
from tests.support.openlineage import told_to

NUMBER, OTHER, NAME, SECRET = "9876543987", "9876543986", "Zyxmarkedname", "Qwheadersecret"
MARKS = (NUMBER, OTHER, NAME, SECRET, "sandbox-key")

# The values come out of the environment: what a DAG spells out is in its source, which Airflow stores too.
DAG = """
import os
from datetime import datetime
from airflow.sdk import DAG
from ringg_provider.operators.ringg import RinggSetEventSubscriptionsOperator, RinggTerminateOperator
from ringg_provider.operators.smartalex import SmartAlexAddContactsOperator, SmartAlexCreateCampaignOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator

number, other, name, secret = os.environ["MARKED"].split()
AGENT = "22222222-2222-4222-8222-222222222222"
HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}
QUERY = dict(
    sql_conn_id="warehouse",
    sql="SELECT phone, name FROM people WHERE phone = :number OR name = :name",
    parameters={"number": number, "name": name},
)
LISTS = dict(campaign_name="Marked", phone_column="phone", country_code="+91", **QUERY)
RINGG = dict(
    ringg_conn_id="ringg_sandbox", agent_id=AGENT, variables_map={"callee_name": "name"},
    call_config={"call_time": HOURS}, **LISTS,
)
SETTINGS = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC"}
HOOK = {"event_type": "call_completed", "callback_url": "https://etl.example.com/x", "headers": {"X-Key": secret}}

with DAG("marked", schedule=None, start_date=datetime(2026, 1, 1), default_args={"trigger_rule": "all_done"}):
    SqlToRinggOperator(task_id="ringg_lists", **RINGG)
    SqlToRinggOperator(task_id="refused", **RINGG | {"phone_column": "telephone"})
    SqlToRinggOperator.partial(task_id="mapped_ringg_lists", **RINGG | {"parameters": {
        "number": "{{ var.value.marked }}", "name": ""}}).expand(launch_key=["a", "b"])
    SqlToSmartAlexOperator(
        task_id="smartalex_lists", smartalex_conn_id="smartalex_sandbox", contact_columns={"first_name": "name"},
        settings=SETTINGS, **LISTS | {"agent_id": "agent_survey"},
    )
    draft = SmartAlexCreateCampaignOperator(
        task_id="draft", smartalex_conn_id="smartalex_sandbox", name="x", agent_id="agent_survey", settings=SETTINGS,
    )
    SmartAlexAddContactsOperator(
        task_id="add", smartalex_conn_id="smartalex_sandbox", campaign_id=draft.output, country_code="+91", **QUERY
    )
    RinggTerminateOperator(task_id="stop", ringg_conn_id="ringg_sandbox", mobile_numbers=["+91" + other])
    RinggTerminateOperator(task_id="stop_selected", ringg_conn_id="ringg_sandbox", country_code="+91", **QUERY)
    RinggSetEventSubscriptionsOperator(
        task_id="events", ringg_conn_id="ringg_sandbox", agent_id=AGENT, subscriptions=[HOOK],
    )
"""
TASKS = {"ringg_lists", "refused", "mapped_ringg_lists", "smartalex_lists", "add", "stop", "stop_selected", "events"}


@pytest.fixture(autouse=True)
def people(sqlite_warehouse: Warehouse) -> None:
    """The one who is marked."""
    sqlite_warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    sqlite_warehouse.execute("INSERT INTO people VALUES (:phone, :name)", phone=NUMBER, name=NAME)


@pytest.mark.slow
@pytest.mark.parametrize("full", ["False", "True"], ids=["usual facets", "full task info"])
def test_no_lineage_event_holds_what_is_private(sandbox: Any, tmp_path: Path, full: str) -> None:
    events = tmp_path / "events.jsonl"
    home = home_of(
        tmp_path,
        DAG,
        **told_to(events, full=full),
        AIRFLOW_VAR_MARKED=NUMBER,
        MARKED=f"{NUMBER} {OTHER} {NAME} {SECRET}",
    )
    output = home.airflow("dags", "test", "marked")
    failed = [task for task, state in home.task_states() if state != "success"]
    assert failed == ["refused"], [line for line in output.splitlines() if "Exception:" in line or "Error:" in line]
    told = [json.loads(line) for line in events.read_text().splitlines()]
    kinds = {(event["job"]["name"].removeprefix("marked."), event["eventType"]) for event in told}
    assert {(task, "START") for task in TASKS} <= kinds
    assert {(task, "FAIL" if task == "refused" else "COMPLETE") for task in TASKS} <= kinds
    # What it copies when it is to copy everything, or the search proves nothing.
    assert ("variables_map" in events.read_text()) is (full == "True")
    assert home.holding(MARKS, output, events) == []


SPELT_OUT = ("9876543985", "Zyxkeyofaperson", "Zyxlabel", "Zyxfile", "Qwtokenofacallback", "Zyxobjective")
AUTHORS = """
from datetime import datetime
from airflow.sdk import DAG
from ringg_provider.operators.ringg import RinggLaunchOperator, RinggTerminateOperator
from ringg_provider.operators.smartalex import SmartAlexCreateCampaignOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from tests.operators.ringg.starts import AGENT, LINE

HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}
QUERY = "SELECT phone, name FROM people WHERE phone <> '9876543985'"
LISTS = dict(
    ringg_conn_id="ringg_sandbox", agent_id=AGENT, variables_map={"callee_name": "name"}, sql_conn_id="warehouse",
    call_config={"call_time": HOURS}, campaign_name="Zyxlabel", phone_column="phone", country_code="+91", sql=QUERY,
    suppression_sql="SELECT '9876543985'", launch_key="Zyxkeyofaperson", ledger_conn_id="warehouse",
    rejects_path="FOLDER/Zyxfile.csv",
)
START = dict(ringg_conn_id="ringg_sandbox", from_numbers=[LINE], callback_url="https://example.com/Qwtokenofacallback")

with DAG("spelt_out", schedule=None, start_date=datetime(2026, 1, 1), default_args={"trigger_rule": "all_done"}):
    lists = SqlToRinggOperator(task_id="lists", **LISTS)
    launch = RinggLaunchOperator.partial(task_id="launch", **START).expand(launch=lists.output)
    other = SqlToRinggOperator(task_id="other_lists", **LISTS | {"launch_key": "another"})
    # Lists of another set, under a key that this run has launched.
    refused = RinggLaunchOperator.partial(
        task_id="refused", launch_key="Zyxkeyofaperson", ledger_conn_id="warehouse", **START
    ).expand(launch=other.output)
    stop = RinggTerminateOperator(
        task_id="stop", ringg_conn_id="ringg_sandbox", country_code="+91", sql_conn_id="warehouse",
        sql="SELECT '9876543985'",
    )
    draft = SmartAlexCreateCampaignOperator(
        task_id="draft", smartalex_conn_id="smartalex_sandbox", name="Zyxlabel", objective="Zyxobjective",
        description="Zyxlabel", agent_id="agent_survey",
        settings={"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC"},
    )
    launch >> other
    refused >> stop
"""


@pytest.mark.slow
def test_no_lineage_event_holds_what_an_author_spelt_out_not_even_that_of_a_failure(
    sandbox: Any, tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    home = home_of(tmp_path, AUTHORS.replace("FOLDER", str(tmp_path)), **told_to(events))
    output = home.airflow("dags", "test", "spelt_out")
    assert [task for task, state in home.task_states() if state != "success"] == ["refused"], output[-3000:]
    told = events.read_text()
    failure = next(event for event in map(json.loads, told.splitlines()) if event["eventType"] == "FAIL")
    assert "launched its key with other lists" in json.dumps(failure["run"]["facets"]["errorMessage"])
    # What it copies when it is to copy everything, or the search proves nothing.
    assert "variables_map" in told
    assert [mark for mark in (*SPELT_OUT, *MARKS) if mark in told] == []
