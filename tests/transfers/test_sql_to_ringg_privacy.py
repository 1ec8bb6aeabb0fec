"""Nothing personal leaves the data path, DEBUG included, whether the task works or fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ringg_provider.contacts.people import people_table
from ringg_provider.sql.creating import create_tables
from tests.support.airflow_home import home_of
from tests.support.databases import Warehouse

# Marked so that any spelling of a number, and any part of a name, is found.
NUMBER, OPTED_OUT, BAD_NUMBER = "9876543987", "9876543986", "98765439850000"
NAME, SECRET = "Zyxmarkedname", "Qwsecretfilter"
MARKS = (NUMBER, NUMBER[:5] + " " + NUMBER[5:], OPTED_OUT, BAD_NUMBER, NAME, SECRET, "sandbox-key")

DAG = """
import os
from datetime import datetime
from airflow.sdk import DAG
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

COMMON = dict(
    sql_conn_id="warehouse", ringg_conn_id="ringg_sandbox", agent_id="22222222-2222-4222-8222-222222222222",
    campaign_name="Marked", phone_column="phone", variables_map={"callee_name": "name"}, country_code="+91",
    call_config={"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}},
    sql="SELECT id, phone, name FROM people WHERE name <> %(secret)s ORDER BY id",
    parameters={"secret": os.environ["MARKED_SECRET"]},
    contact_key="phone", trigger_rule="all_done",
)

with DAG("marked", schedule=None, start_date=datetime(2026, 1, 1)):
    lists = SqlToRinggOperator(
        task_id="works", contacts_table="ringg_contacts", rejects_path=os.environ["MARKED_REJECTS"],
        suppression_sql="SELECT phone FROM opted_out", launch_key="marked", ledger_conn_id="warehouse", **COMMON,
    )
    start = RinggLaunchOperator.partial(
        task_id="launch", from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"], ledger_conn_id="warehouse",
        ringg_conn_id="ringg_sandbox", wait_for_completion=True, deferrable=False, poll_interval=1, timeout=60,
    ).expand(launch=lists.output)
    calls = RinggCallsToSqlOperator(
        task_id="calls", ringg_conn_id="ringg_sandbox", sql_conn_id="warehouse", bulk_list_ids=start.output,
        trigger_rule="all_done",
    )
    refused = SqlToRinggOperator(task_id="too_many_rejects", max_rejects=0, contacts_table="ringg_contacts", **COMMON)
    broken_sql = SqlToRinggOperator(
        task_id="data_error",
        **COMMON | {"sql": "SELECT phone, (name || '{' || phone)::json::text AS name FROM people WHERE %(secret)s<>''"},
    )
    broken_table = SqlToRinggOperator(task_id="table_error", contacts_table="broken_contacts", **COMMON)
    echo = SqlToRinggOperator(task_id="platform_error", **COMMON)
    lists >> start >> calls >> refused >> broken_sql >> broken_table >> echo
"""


@pytest.mark.slow
def test_nothing_personal_is_in_anything_that_airflow_writes(
    warehouse: Warehouse, sandbox: Any, tmp_path: Path
) -> None:
    warehouse.execute("CREATE TABLE people (id INTEGER, phone TEXT, name TEXT)")
    warehouse.execute("CREATE TABLE opted_out (phone TEXT)")
    create_tables(warehouse.engine, people_table("broken_contacts"))
    # It is tried before the upload, with a number that no telephone has.
    warehouse.execute("ALTER TABLE broken_contacts ADD CHECK (phone IN ('+10000000000', ''))")
    people = [(NUMBER, NAME), (OPTED_OUT, NAME), (BAD_NUMBER, NAME), (NUMBER, NAME)]
    rows = [{"id": number, "phone": phone, "name": name} for number, (phone, name) in enumerate(people)]
    warehouse.execute("INSERT INTO people VALUES (:id, :phone, :name)", rows)
    warehouse.execute("INSERT INTO opted_out VALUES (:phone)", phone=OPTED_OUT)
    # The last upload is refused with a body that quotes a row, as validators do.
    echoed = {"detail": [{"loc": ["row", 1], "msg": f"{NAME} +91{NUMBER} is not valid", "type": "value_error"}]}
    sandbox.fault(method="POST", path="/campaign/save", kind="status", status=400, body=echoed, skip=2)
    rejects = tmp_path / "rejects.csv"
    home = home_of(
        tmp_path,
        DAG,
        AIRFLOW__LOGGING__LOGGING_LEVEL="DEBUG",
        MARKED_SECRET=SECRET,
        MARKED_REJECTS=f"file://{rejects}",
    )
    output = home.airflow("dags", "test", "marked")
    tasks = home.task_states()
    # Each task must have got as far as it was meant to, or the search proves nothing.
    for task, word in (
        ("too_many_rejects", "rows are rejected"),
        ("data_error", "SQLSTATE 22"),
        ("table_error", "broken_contacts"),
        ("platform_error", "InvalidRequest"),
    ):
        assert word in output, f"{task} did not fail as meant:\n{output[-5000:]}\n{tasks}"
    assert warehouse.query("SELECT count(*) AS n FROM ringg_contacts WHERE disposition = 'listed'") == [{"n": 1}]
    assert warehouse.query("SELECT count(*) AS n FROM ringg_calls") == [{"n": 1}], output[-5000:]
    assert BAD_NUMBER in rejects.read_text()
    found = home.holding(MARKS, output)
    assert found == [], "\n".join(found)
