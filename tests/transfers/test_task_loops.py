"""Task Loops (Airflow 3.4): every iteration has people and launches of its own, mapped and deferred tasks included."""

from __future__ import annotations

import pytest

from tests.support.dags import DagRunner
from tests.support.databases import Warehouse
from tests.support.sandbox import Sandbox

pytest.importorskip("airflow.sdk.definitions.loop", reason="Task Loops came with Airflow 3.4")

DAG = """
from datetime import datetime
from airflow.sdk import DAG, task_group
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from tests.operators.ringg.starts import AGENT, LINE

HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}

with DAG("rounds", schedule=None, start_date=datetime(2026, 1, 1)):
    @task_group
    def one_round():
        lists = SqlToRinggOperator(
            task_id="lists", sql_conn_id="warehouse", phone_column="phone", ringg_conn_id="ringg_sandbox",
            sql="SELECT phone, name FROM people WHERE turn = {{ loop.index }}",
            agent_id=AGENT, country_code="+91", campaign_name="Round {{ loop.index }}",
            call_config={"call_time": HOURS}, variables_map={"callee_name": "name"}, contacts_table="ringg_contacts",
            MORE
        )
        RinggLaunchOperator.partial(
            task_id="launch", ringg_conn_id="ringg_sandbox", from_numbers=[LINE],
            wait_for_completion=True, deferrable=DEFERRABLE, poll_interval=0.1,
        ).expand(launch=lists.output)

    one_round.loop(max_iterations=3)
"""

KEYED = 'launch_key="{{ run_id }}/{{ loop.index }}", ledger_conn_id="warehouse",'


@pytest.fixture
def people(sqlite_warehouse: Warehouse) -> Warehouse:
    sqlite_warehouse.execute("CREATE TABLE people (turn INTEGER, phone TEXT, name TEXT)")
    rows = [{"turn": turn, "phone": f"98765432{turn}{one}"} for turn in range(3) for one in range(turn + 1)]
    sqlite_warehouse.execute("INSERT INTO people VALUES (:turn, :phone, 'x')", rows)
    return sqlite_warehouse


@pytest.mark.parametrize("more", ["", KEYED], ids=["without a key", "with a key"])
@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])
def test_every_iteration_calls_its_own_people_once_and_notes_them_apart(
    people: Warehouse, sandbox: Sandbox, run_dag: DagRunner, deferrable: bool, more: str
) -> None:
    run = run_dag(DAG.replace("MORE", more).replace("DEFERRABLE", str(deferrable)))
    assert run.state == "success"
    dials = sandbox.dials()
    assert dials["max_calls_per_number"] == 1
    assert sorted(dials["numbers"]) == sorted(f"+91{row['phone']}" for row in people.query("SELECT phone FROM people"))
    noted = people.query("SELECT COUNT(*) AS people FROM ringg_contacts GROUP BY launch_key ORDER BY 1")
    assert [row["people"] for row in noted] == [1, 2, 3], "before, each iteration's people replaced the last one's"


CAMPAIGN = """
from datetime import datetime
from airflow.sdk import DAG, task_group
from ringg_provider.task_groups import RinggCampaign, SmartAlexCampaign
from tests.operators.ringg.starts import AGENT, LINE

SHARED = dict(
    sql_conn_id="warehouse", sql="SELECT phone, name FROM people WHERE turn = {{ loop.index }}",
    suppression_sql=None, purpose=None, phone_column="phone", country_code="+91", poll_interval=1,
)
RINGG = dict(
    variables_map={"callee_name": "name"}, agent_id=AGENT, from_numbers=[LINE], ringg_conn_id="ringg_sandbox",
    call_config={"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}},
)
SMARTALEX = dict(
    contact_columns={"first_name": "name"}, agent_id="agent_survey", smartalex_conn_id="smartalex_sandbox",
    settings={"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "Asia/Kolkata"},
)

with DAG("rounds_of_PLATFORM", schedule=None, start_date=datetime(2026, 1, 1)):
    @task_group
    def one_round():
        PLATFORMCampaign(**SHARED, **CAPITALS)

    one_round.loop(max_iterations=3)
"""


@pytest.mark.parametrize("platform", ["Ringg", "SmartAlex"])
def test_a_campaign_in_one_call_has_a_key_of_its_own_in_each_iteration(
    people: Warehouse, sandbox: Sandbox, run_dag: DagRunner, platform: str
) -> None:
    source = CAMPAIGN.replace("PLATFORM", platform).replace("CAPITALS", platform.upper())
    assert run_dag(source).state == "success"
    keys = people.query("SELECT launch_key FROM ringg_launches WHERE state = 'started' ORDER BY launch_key")
    first = keys[0]["launch_key"]
    assert [row["launch_key"] for row in keys] == [first, f"{first}-1", f"{first}-2"], "before, all had the first one's"
    dials = sandbox.dials()
    assert dials["max_calls_per_number"] == 1
    assert sorted(dials["numbers"]) == sorted(f"+91{row['phone']}" for row in people.query("SELECT phone FROM people"))
