"""From an empty schema to the morning after the second night: the examples, on emulators, with every guard on.

People in the warehouse, state in a PostgreSQL, the platform's sandbox, a real Airflow.
"""

from __future__ import annotations

import json
from typing import Any

import pendulum
import pytest

from demo.contacts import generate
from tests.support import dags, emulators
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse
from tests.support.emulators import Emulated

PEOPLE = 60
CONNECTIONS = {"snowflake": "snowflake_default", "bigquery": "google_cloud_default"}
FINISHED = "SELECT COUNT(*) FROM {}ringg_calls WHERE is_final AND to_number_e164 IS NOT NULL"
LISTED = "SELECT COUNT(*) FROM {}ringg_contacts WHERE disposition = 'listed'"


@pytest.fixture(params=["snowflake", "bigquery"])
def emulated(request: pytest.FixtureRequest, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Emulated:
    """The people of the demo in a warehouse, known to Airflow as the examples know it; the state is PostgreSQL."""
    made: Emulated = request.getfixturevalue(request.param)
    if request.param == "snowflake":
        connection = emulators.SNOWFLAKE | {"schema": made.schema}
    else:
        # The kind of connection that nearly everybody has for BigQuery.
        connection = emulators.BIGQUERY | {"conn_type": "google_cloud_platform"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTIONS[request.param].upper()}", json.dumps(connection))
    text = "VARCHAR" if request.param == "snowflake" else "STRING"
    names = ("contact_id", "full_name", "phone", "segment", "policy_id", "due_date")
    columns = ", ".join(f"{name} {'DATE' if name == 'due_date' else text}" for name in names)
    people = ", ".join(f"({', '.join(_literal(row[name]) for name in names)})" for row in generate(PEOPLE, 7))
    opted_out = "'+919999999999'"
    for statement in (
        f"CREATE TABLE {made.schema}.contacts ({columns})",
        f"INSERT INTO {made.schema}.contacts ({', '.join(names)}) VALUES {people}",
        f"CREATE TABLE {made.schema}.do_not_call (phone {text})",
        f"INSERT INTO {made.schema}.do_not_call (phone) VALUES ({opted_out})",
    ):
        made.query(statement)
    return made


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return f"DATE '{value}'" if hasattr(value, "isoformat") else "'" + str(value).replace("'", "\\'") + "'"


def test_the_second_night_calls_nobody_whom_the_first_one_reached(
    emulated: Emulated, warehouse: Warehouse, run_dag: DagRunner, sandbox: Any
) -> None:
    night = example(emulated)
    first = run_dag(night)
    assert first.state == "success", first
    listed = counted(warehouse, LISTED)
    assert listed > 10
    assert counted(warehouse, FINISHED) == listed
    # The morning after, everything stands in the warehouse as it stands in the state.
    for query in (LISTED, FINISHED, "SELECT COUNT(*) FROM {}ringg_outcomes WHERE reached"):
        assert emulated.query(query.format(f"{emulated.schema}.")) == [(counted(warehouse, query),)]
    reached = counted(warehouse, "SELECT COUNT(*) FROM {}ringg_outcomes WHERE reached")
    assert 0 < reached < listed
    print(f"{emulated.conn_id}: listed {listed}, reached {reached}, published {first.xcom('publish_calls')}")

    # The same day again, and the next day while the cap holds: nobody is called.
    tomorrow = pendulum.now("UTC").add(days=1)
    for when in ({}, {"run_after": tomorrow, "logical_date": tomorrow}):
        again = run_dag(night, **when)
        assert again.state == "success", again
        assert sandbox.dials()["max_calls_per_number"] == 1
        assert counted(warehouse, FINISHED) == listed
    # Whoever was reached was left out by the warehouse's own query, the others by the cap.
    summary = again.xcom("upload_contacts", "summary")
    assert summary["reasons"].get("called_recently") == listed - reached
    print(f"{emulated.conn_id}: the second night listed nobody: {summary['reasons']}")


@pytest.mark.parametrize("emulated", ["snowflake"], indirect=True)
def test_a_night_is_held_up_while_the_warehouse_does_not_know_what_the_state_knows(
    emulated: Emulated, warehouse: Warehouse, run_dag: DagRunner, sandbox: Any
) -> None:
    night = example(emulated)
    assert run_dag(night).state == "success"
    warehouse.execute("UPDATE ringg_calls SET sub_status = 'VOICEMAIL' WHERE is_final")
    # As if somebody had taken the first publication out of the DAG.
    publishes = 'RinggPublishOperator(task_id="publish_first", warehouse_conn_id=WAREHOUSE)'
    assert night.count(publishes) == 1
    tomorrow = pendulum.now("UTC").add(days=1)
    run = run_dag(
        night.replace(publishes, 'EmptyOperator(task_id="publish_first")'), run_after=tomorrow, logical_date=tomorrow
    )
    assert run.tasks["history_is_current"] == "failed", run
    assert run.tasks["upload_contacts"] == "upstream_failed"
    assert sandbox.dials()["max_calls_per_number"] == 1


def example(emulated: Emulated) -> str:
    """The source of a warehouse's example, for another dataset."""
    source = (dags.EXAMPLES / f"ringg_nightly_{emulated.conn_id}.py").read_text()
    return source.replace('DATASET = "calling"', f'DATASET = "{emulated.schema}"').replace(
        '"retries": 2', '"retries": 0'
    )


def counted(state: Warehouse, query: str) -> int:
    ((number,),) = (row.values() for row in state.query(query.format("")))
    return int(number)
