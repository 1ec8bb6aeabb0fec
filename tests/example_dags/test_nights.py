"""The examples of a night, run to their end against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pendulum
import pytest

from demo.contacts import load
from tests.example_dags.examples import CONTACTS_CSV, GENERATIONS, changed, most_dials
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse


@pytest.mark.slow
@GENERATIONS
def test_the_nightly_campaign_calls_everybody_once_and_brings_every_call_back(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 300)
    first = run_dag("ringg_nightly_campaign")
    assert first.state == "success", first
    listed = warehouse.count("SELECT count(*) FROM ringg_contacts WHERE disposition = 'listed'")
    assert listed > 50
    assert warehouse.count("SELECT count(*) FROM ringg_contacts WHERE disposition <> 'listed'") > 0
    finished = "SELECT count(*) FROM ringg_calls WHERE is_final AND to_number_e164 IS NOT NULL"
    assert warehouse.count(finished) == listed
    again = run_dag("ringg_nightly_campaign")
    assert again.state == "success", again
    assert warehouse.count(finished) == listed
    assert most_dials(sandbox) == 1


@pytest.mark.slow
def test_the_next_night_leaves_out_who_was_just_called_and_whose_policy_is_not_due(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 300)
    someday = "SELECT contact_id FROM contacts WHERE segment = 'renewal' ORDER BY contact_id"
    late, overdue = (row["contact_id"] for row in warehouse.query(f"{someday} LIMIT 2"))
    warehouse.execute("UPDATE contacts SET due_date = due_date + 60 WHERE contact_id = :who", who=late)
    warehouse.execute("UPDATE contacts SET due_date = due_date - 60 WHERE contact_id = :who", who=overdue)
    assert run_dag("ringg_nightly_campaign").state == "success"
    assert warehouse.count(f"SELECT count(*) FROM ringg_contacts WHERE contact_key IN ('{late}', '{overdue}')") == 0
    calls = warehouse.count("SELECT count(*) FROM ringg_calls")
    assert warehouse.count("SELECT count(*) FROM ringg_outcomes WHERE NOT reached") > 0
    tomorrow = pendulum.now("UTC").add(days=1)
    run = run_dag("ringg_nightly_campaign", run_after=tomorrow, logical_date=tomorrow)
    assert run.state == "success", run
    assert warehouse.count("SELECT count(*) FROM ringg_calls") == calls
    assert warehouse.count("SELECT count(*) FROM ringg_contacts WHERE disposition = 'called_recently'") > 0
    assert most_dials(sandbox) == 1


@pytest.mark.slow
def test_a_night_with_the_state_apart_calls_nobody_twice_and_publishes_every_outcome(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse, apart: Warehouse
) -> None:
    load(apart.engine, 200)
    source = changed("ringg_nightly_snowflake", 'WAREHOUSE = "snowflake_default"', 'WAREHOUSE = "analytics"')
    first = run_dag(source)
    assert first.state == "success", first
    calls = warehouse.count("SELECT count(*) FROM ringg_calls")
    assert calls > 30
    assert apart.count("SELECT count(*) FROM ringg_calls") == calls
    assert apart.count("SELECT count(*) FROM ringg_outcomes WHERE reached") > 0
    assert {"ringg_launches", "ringg_calls_published"} & apart.tables() == {"ringg_launches"}
    tomorrow = pendulum.now("UTC").add(days=1)
    second = run_dag(source, run_after=tomorrow, logical_date=tomorrow)
    assert second.state == "success", second
    assert warehouse.count("SELECT count(*) FROM ringg_calls") == calls
    assert most_dials(sandbox) == 1


def test_a_night_whose_copy_cannot_be_written_calls_nobody(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse, apart: Warehouse
) -> None:
    load(apart.engine, 60)
    apart.execute("CREATE TABLE ringg_calls (call_id integer)")
    source = changed("ringg_nightly_snowflake", 'WAREHOUSE = "snowflake_default"', 'WAREHOUSE = "analytics"')
    run = run_dag(source)
    assert run.state == "failed"
    assert run.tasks["publish_first"] == "failed"
    assert run.tasks["upload_contacts"] == "upstream_failed"
    assert sandbox.state()["campaigns"] == []


@pytest.mark.parametrize("dag_id", ["ringg_nightly_campaign", "ringg_campaigns_by_segment"])
def test_a_launch_that_fails_fails_the_run_which_still_loads_the_history(
    dag_id: str, run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 60)
    for _ in range(2):
        sandbox.fault(method="POST", path="/campaign/start", kind="status", when="before", status=400, times=1)
    run = run_dag(dag_id)
    assert run.tasks["launch", 0] == "failed"
    assert run.tasks["load_calls"] == "success"
    assert run.state == "failed"


def test_the_history_is_loaded_again_without_a_change(run_dag: DagRunner, sandbox: Any, warehouse: Warehouse) -> None:
    assert run_dag("ringg_csv_campaign", conf={"contacts": CONTACTS_CSV}).state == "success"
    for _ in range(2):
        assert run_dag("ringg_call_history").state == "success"
        assert warehouse.count("SELECT count(*) FROM ringg_calls") == 5


@pytest.mark.slow
def test_in_the_united_states_people_are_called_in_the_hours_of_their_state(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse
) -> None:
    sandbox = sandbox_factory(speed=86_400)
    load(warehouse.engine, 20)
    warehouse.execute("DELETE FROM contacts WHERE phone LIKE '+1%'")
    american = (
        "INSERT INTO contacts SELECT 'US' || n, 'Someone', phone, 'a city', state, 'America/New_York', 'renewal',"
        " 'P' || n, current_date, now() FROM (VALUES (1, '+1 212 867 5301', 'NY'), (2, '+1 305 867 5302', 'FL'),"
        " (3, '+1 305 867 5303', 'FL'), (4, '+1 312 867 5304', 'IL')) people (n, phone, state)"
    )
    warehouse.execute(american)
    warehouse.execute("INSERT INTO do_not_call VALUES ('(305) 867-5303', 'asked', now())")
    run = run_dag("ringg_united_states")
    assert run.state == "success", run
    listed = "SELECT contact_key FROM ringg_contacts WHERE disposition = 'listed' ORDER BY contact_key"
    assert [row["contact_key"] for row in warehouse.query(listed)] == ["US1", "US2", "US4"]
    lists = run.xcom("campaign.upload_contacts")
    # Florida and Illinois, or two zones, share no list with each other.
    assert len(lists) > 1
    assert warehouse.count("SELECT count(DISTINCT to_number_e164) FROM ringg_calls WHERE is_final") == 3
    assert most_dials(sandbox) == 1
