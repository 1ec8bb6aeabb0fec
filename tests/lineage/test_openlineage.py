"""What a night tells OpenLineage: the real provider, in a real Airflow, on PostgreSQL, for both platforms.

Beside each of our tasks, Airflow's own SQL operator runs the same query on the same connection: both must mean the same
tables by the same names.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ringg_provider.history.attempts import attempts_table
from tests.support.airflow_home import AirflowHome, home_of
from tests.support.databases import Warehouse
from tests.support.openlineage import event_of, events_in, names, require_specified, told_to
from tests.support.sandbox import Sandbox

NUMBER, NAME, KEY = "9876543987", "Zyxmarkedname", "person-zq77"
MARKS = (NUMBER, NAME, KEY, "sandbox-key")

DAG = """
import os
from datetime import datetime
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.operators.smartalex import SmartAlexStartCampaignOperator
from ringg_provider.transfers.ringg_publish import RinggPublishOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.smartalex_publish import SmartAlexPublishOperator
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallbacksToSqlOperator, SmartAlexCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator

NUMBER, NAME = os.environ["MARKED"].split()
PEOPLE = '''SELECT p.phone, p.name, p.person_key FROM people p JOIN crm.orders o ON o.person_key = p.person_key
            WHERE p.name <> %(name)s'''
OPTED_OUT = "SELECT phone FROM crm.do_not_call"
SUPPRESSED = "SELECT person_key FROM complaints"
AGENT = "22222222-2222-4222-8222-222222222222"
HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}
LISTS = dict(
    sql_conn_id="warehouse", state_conn_id="state", sql=PEOPLE, parameters={"name": NAME + "not"},
    suppression_sql=OPTED_OUT, state_suppression_sql=SUPPRESSED, contacts_table="ringg_contacts",
    contact_key="person_key", phone_column="phone", country_code="+91", campaign_name="Marked",
    not_called_within_days=1, history_table_may_be_missing=True,
)
ALEX = {"smartalex_conn_id": "smartalex_sandbox", "sql_conn_id": "state"}

with DAG("night", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    lists = SqlToRinggOperator(
        task_id="lists", ringg_conn_id="ringg_sandbox", agent_id=AGENT, variables_map={"callee_name": "name"},
        call_config={"call_time": HOURS}, launch_key="{{ run_id }}", **LISTS,
    )
    launch = RinggLaunchOperator.partial(
        task_id="launch", ringg_conn_id="ringg_sandbox", from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
        state_conn_id="state",
    ).expand(launch=lists.output)
    calls = RinggCallsToSqlOperator(
        task_id="calls", ringg_conn_id="ringg_sandbox", sql_conn_id="state", contacts_table="ringg_contacts",
    )
    publish = RinggPublishOperator(
        task_id="publish", state_conn_id="state", warehouse_conn_id="warehouse", schema="copy",
    )
    drafts = SqlToSmartAlexOperator(
        task_id="drafts", smartalex_conn_id="smartalex_sandbox", agent_id="agent_survey",
        contact_columns={"first_name": "name"}, launch_key="{{ run_id }}-alex",
        settings={"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC"}, **LISTS,
    )
    start = SmartAlexStartCampaignOperator.partial(
        task_id="start", smartalex_conn_id="smartalex_sandbox", state_conn_id="state",
    ).expand(campaign_id=drafts.output)
    alex_calls = SmartAlexCallsToSqlOperator(task_id="alex_calls", **ALEX)
    callbacks = SmartAlexCallbacksToSqlOperator(task_id="callbacks", **ALEX)
    alex_publish = SmartAlexPublishOperator(
        task_id="alex_publish", state_conn_id="state", warehouse_conn_id="warehouse", schema="copy",
    )
    lists >> launch >> calls >> publish >> drafts >> start >> alex_calls >> callbacks >> alex_publish
    QUERIES = {
        "warehouse_theirs": ("warehouse", [PEOPLE.replace("%(name)s", "''") + " LIMIT 0", OPTED_OUT]),
        "state_theirs": ("state", [SUPPRESSED]),
        "tables_theirs": ("state", [f"SELECT 1 FROM {table}" for table in (
            "ringg_contacts", "ringg_launches", "ringg_calls", "ringg_attempts", "ringg_campaigns", "smartalex_calls",
            "smartalex_callbacks", "ringg_outcomes")]),
        "copies_theirs": ("warehouse", [f"SELECT 1 FROM copy.{table}" for table in (
            "ringg_calls", "ringg_attempts", "ringg_campaigns", "ringg_contacts", "ringg_launches",
            "smartalex_calls", "smartalex_callbacks", "ringg_outcomes")]),
    }
    for task_id, (conn_id, sql) in QUERIES.items():
        alex_publish >> SQLExecuteQueryOperator(task_id=task_id, conn_id=conn_id, sql=sql, split_statements=False)
"""
AGENT = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def night(
    warehouse: Warehouse,
    postgres: Any,
    sandbox_factory: Callable[..., Sandbox],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """One night has run with OpenLineage's provider on; gives the home, what it printed, and the file of events."""
    state = postgres.create_database("lineage_state")
    monkeypatch.setenv("AIRFLOW_CONN_STATE", postgres.airflow_connection("lineage_state"))
    sandbox = sandbox_factory("g3", history_rate_window_seconds=0)
    for statement in (
        "CREATE SCHEMA crm",
        "CREATE SCHEMA copy",
        "CREATE TABLE people (phone TEXT, name TEXT, person_key TEXT)",
        "CREATE TABLE crm.orders (person_key TEXT)",
        "CREATE TABLE crm.do_not_call (phone TEXT)",
    ):
        warehouse.execute(statement)
    warehouse.execute("INSERT INTO people VALUES (:p, :n, :k), ('nonsense', :n, 'x')", p=NUMBER, n=NAME, k=KEY)
    warehouse.execute("INSERT INTO crm.orders VALUES (:k), ('x')", k=KEY)
    complaints = Warehouse(state, "")
    complaints.execute("CREATE TABLE complaints (person_key TEXT)")
    attempts_table().create(complaints.engine)
    complaints.engine.dispose()
    events = tmp_path / "events.jsonl"
    home = home_of(
        tmp_path,
        DAG,
        **told_to(events, full=request.param),
        MARKED=f"{NUMBER} {NAME}",
    )
    output = home.airflow("dags", "test", "night")
    yield home, output, events, warehouse, sandbox
    postgres.drop_database("lineage_state")


@pytest.mark.parametrize("night", ["False", "True"], ids=["usual facets", "full task info"], indirect=True)
def test_a_night_tells_where_its_people_came_from_and_where_their_calls_went(
    night: tuple[AirflowHome, str, Path, Warehouse, Sandbox],
) -> None:
    home, output, file, warehouse, sandbox = night
    failed = [task for task in home.task_states() if task[1] != "success"]
    assert failed == [], [line for line in output.splitlines() if "Exception" in line or "Error" in line]
    events = events_in(file)
    for event in events:
        require_specified(event)
    assert home.holding(MARKS, output, file) == []

    def told(task: str, kind: str = "COMPLETE") -> dict[str, Any]:
        return event_of(events, f"night.{task}", kind)

    place = warehouse.engine.url
    server = f"postgres://{place.host}:{place.port}"
    ringg, alex = f"ringg://{sandbox.url.removeprefix('http://')}", f"smartalex://{sandbox.url.removeprefix('http://')}"
    theirs = {
        task: names(told(task)["inputs"])
        for task in ("warehouse_theirs", "state_theirs", "tables_theirs", "copies_theirs")
    }
    assert theirs["warehouse_theirs"] == {
        f"{server}/{place.database}.{table}" for table in ("public.people", "crm.orders", "crm.do_not_call")
    }

    def in_state(*tables: str) -> set[str]:
        found = {f"{server}/lineage_state.public.{table}" for table in tables}
        assert found <= theirs["tables_theirs"]
        return found

    queried = theirs["warehouse_theirs"] | theirs["state_theirs"]
    for task, history, campaigns in (
        ("lists", ("ringg_calls", "ringg_attempts"), f"{ringg}/campaigns/{AGENT}"),
        ("drafts", ("smartalex_calls",), f"{alex}/campaigns/agent_survey"),
    ):
        for kind in ("START", "COMPLETE"):
            assert names(told(task, kind)["inputs"]) == queried | in_state(*history)
            assert names(told(task, kind)["outputs"]) == {campaigns} | in_state("ringg_contacts", "ringg_launches")
        rows = {each["name"]: each.get("outputFacets", {}) for each in told(task)["outputs"]}
        assert rows[campaigns.split("/", 3)[3]]["outputStatistics"]["rowCount"] == 1
        assert rows["lineage_state.public.ringg_contacts"]["outputStatistics"]["rowCount"] == 2
        facet = told(task)["run"]["facets"]["ringg_contacts"]
        assert facet["reasons"] == {"listed": 1, "phone_unreadable": 1}
        assert "ringg_contacts" not in told(task, "START")["run"]["facets"]

    for task, source, campaigns in (
        ("launch", ringg, f"{ringg}/campaigns/{AGENT}"),
        ("start", alex, f"{alex}/campaigns/agent_survey"),
    ):
        assert names(told(task)["inputs"]) == {campaigns}
        assert names(told(task)["outputs"]) == {f"{source}/calls"} | in_state("ringg_launches")
        assert told(task)["run"]["facets"]["ringg_campaign"]["contacts"] == 1
        assert told(task)["job"]["facets"]["ringg_launch"]["agentId"] == campaigns.rpartition("/")[2]

    for task, source, tables in (
        ("calls", f"{ringg}/calls", ("ringg_calls", "ringg_campaigns", "ringg_outcomes")),
        ("alex_calls", f"{alex}/calls", ("smartalex_calls",)),
        ("callbacks", f"{alex}/callbacks", ("smartalex_callbacks",)),
    ):
        assert names(told(task)["inputs"]) == {source}
        assert names(told(task)["outputs"]) == in_state(*tables)
        assert all(isinstance(count, int) for count in told(task)["run"]["facets"]["ringg_history"]["counts"].values())

    both = ("ringg_contacts", "ringg_launches")
    for task, tables, view in (
        ("publish", ("ringg_calls", "ringg_attempts", "ringg_campaigns", *both), ("ringg_outcomes",)),
        ("alex_publish", ("smartalex_calls", "smartalex_callbacks", *both), ()),
    ):
        assert names(told(task)["inputs"]) == in_state(*tables)
        copies = {f"{server}/{place.database}.copy.{table}" for table in (*tables, *view)}
        assert names(told(task)["outputs"]) == copies
        assert copies <= theirs["copies_theirs"]
        assert told(task)["run"]["facets"]["ringg_publication"]["counts"]["rows"] >= 1


WITHOUT = """
import sys
sys.modules["openlineage"] = sys.modules["airflow.providers.openlineage.extractors"] = None
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
task = RinggCallsToSqlOperator(task_id="calls", sql_conn_id="nowhere")
print(task.get_openlineage_facets_on_start(), task.get_openlineage_facets_on_complete(None))
"""


def test_where_openlineage_is_not_installed_nothing_is_told_and_nothing_asked() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "None"]
