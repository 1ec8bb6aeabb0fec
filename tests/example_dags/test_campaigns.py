"""The examples of one campaign, from a file, by segment or approved by a person, run to their end."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest

from demo.contacts import load
from tests.example_dags.examples import CONTACTS_CSV, GENERATIONS, changed, most_dials
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse


@GENERATIONS
def test_the_large_campaign_waits_for_a_person_and_then_calls(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    run = run_dag("ringg_large_campaign", conf={"contacts": CONTACTS_CSV}, mark_success_pattern="approve")
    assert run.state == "success", run
    assert run.xcom("preflight")["level"] == "ok"
    assert run.xcom("preflight", "report").startswith("**Preflight: all is well** for 5 contacts on 1 list")
    assert most_dials(sandbox) == 1
    assert warehouse.count("SELECT count(*) FROM ringg_calls WHERE is_final") == 5


def test_a_large_campaign_that_is_given_up_fails_the_run_and_its_calls_are_loaded(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    # In real time, so that the campaign has surely not ended at the first look.
    sandbox.settings(speed=1, verify_seconds=0, preparing_seconds=0)
    given_up = changed("ringg_large_campaign", "timeout=timedelta(days=2)", "timeout=0")
    run = run_dag(given_up, conf={"contacts": CONTACTS_CSV}, mark_success_pattern="approve")
    assert run.tasks["wait_for_campaign"] == "failed", run
    assert run.tasks["load_calls"] == "success"
    assert run.state == "failed"
    assert warehouse.count("SELECT count(*) FROM ringg_campaigns") == 1


@GENERATIONS
def test_the_csv_campaign_calls_who_is_in_the_file_once_however_often_the_run_is_cleared(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    now = pendulum.now("UTC")
    runs = []
    for _ in range(2):
        run = run_dag("ringg_csv_campaign", conf={"contacts": CONTACTS_CSV}, run_after=now, logical_date=now)
        assert run.state == "success", run
        runs.append(run)
    first, second = runs
    assert first.run_id == second.run_id
    assert len(sandbox.dials()["numbers"]) == 5
    assert most_dials(sandbox) == 1
    (launch,) = warehouse.query("SELECT launch_key, list_id FROM ringg_launches")
    assert launch["launch_key"] == first.run_id
    # The second time the list was saved again, and is not the one that was started.
    assert second.xcom("start_campaign") == launch["list_id"] != second.xcom("save_campaign")


def test_a_csv_campaign_that_comes_too_late_for_its_hours_is_not_started(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    late = pendulum.now("UTC").subtract(hours=3)
    run = run_dag("ringg_csv_campaign", conf={"contacts": CONTACTS_CSV}, run_after=late, logical_date=late)
    assert run.tasks["save_campaign"] == "success", run
    assert run.tasks["start_campaign"] == "failed"
    assert sandbox.dials()["numbers"] == {}


@pytest.mark.slow
@GENERATIONS
def test_a_campaign_per_segment_launches_each_list_once(run_dag: DagRunner, sandbox: Any, warehouse: Warehouse) -> None:
    load(warehouse.engine, 120)
    run = run_dag("ringg_campaigns_by_segment")
    assert run.state == "success", run
    assert run.tasks["launch", 0] == run.tasks["launch", 1] == "success"
    assert warehouse.count("SELECT count(*) FROM ringg_launches WHERE state = 'started'") == 2
    assert {entry["launches"] for entry in sandbox.dials()["lists"].values()} == {1}


@pytest.mark.slow
def test_a_person_in_two_segments_is_called_for_the_first_of_them(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 60)
    both = (
        "INSERT INTO contacts SELECT 'X' || contact_id, full_name, replace(phone, ' ', '-'), city, state, timezone,"
        " 'survey', policy_id, due_date, updated_at FROM contacts WHERE segment = 'renewal'"
    )
    warehouse.execute(both)
    run = run_dag("ringg_campaigns_by_segment")
    assert run.state == "success", run
    assert most_dials(sandbox) == 1
    keys = "SELECT count(*) FROM ringg_contacts WHERE disposition = 'listed' AND contact_key LIKE 'X%'"
    assert warehouse.count(keys) == 0


@pytest.mark.slow
def test_a_segment_that_cannot_be_uploaded_does_not_hold_up_the_others(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 60)
    # Only the second segment's view is there.
    warehouse.execute("CREATE VIEW survey_people AS SELECT * FROM contacts")
    run = run_dag(changed("ringg_campaigns_by_segment", "SELECT * FROM contacts", "SELECT * FROM {segment}_people"))
    assert run.tasks["upload_segment", 0] == "failed", run
    assert run.tasks["upload_segment", 1] == "success"
    assert run.tasks["launch", 0] == "success"
    assert run.tasks["load_calls"] == "success"
    assert run.state == "failed"


def test_segments_with_nobody_are_a_success_that_still_loads_the_history(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse
) -> None:
    load(warehouse.engine, 60)
    warehouse.execute("UPDATE contacts SET segment = 'nobody'")
    run = run_dag("ringg_campaigns_by_segment")
    assert run.state == "success", run
    assert run.tasks["load_calls"] == "success"
    assert run.tasks["launch"] == "skipped"
    assert sandbox.dials()["numbers"] == {}
