"""What the DAG does with people, tried on the sandbox: real tasks, real requests, no phone rings."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pendulum
import pytest
from dags import renewals
from people import ASHA, BENJAMIN, make_tables

from ringg_provider.sandbox import RunningSandbox, Settings


@pytest.fixture
def ringg_sandbox_settings() -> Settings:
    """This test's own sandbox: Benjamin is never at home."""
    return Settings(speed=100_000, history_rate_window_seconds=0, forced_outcomes={BENJAMIN: ["not_picked"]})


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """The database that the connection `warehouse` leads to."""
    file = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(file)}))
    return make_tables(file)


@pytest.fixture(autouse=True)
def without_retries() -> None:
    """A failure is one at once."""
    for task in renewals.dag.tasks:
        task.retries = 0


def test_who_is_due_is_called_once_and_nobody_else(
    ringg_sandbox: RunningSandbox, warehouse: sqlite3.Connection
) -> None:
    assert renewals.dag.test().state == "success"
    assert set(ringg_sandbox.dials()["numbers"]) == {ASHA, BENJAMIN}
    reasons = dict(warehouse.execute("SELECT contact_key, disposition FROM ringg_contacts"))
    assert reasons == {"1": "listed", "2": "listed", "3": "suppressed"}
    assert warehouse.execute("SELECT count(*) FROM ringg_calls").fetchone() == (2,)


@pytest.mark.usefixtures("warehouse")
def test_a_second_run_of_the_same_day_calls_nobody_again(ringg_sandbox: RunningSandbox) -> None:
    noon = pendulum.today("Asia/Kolkata").add(hours=12)
    for due in (noon, noon.add(hours=1)):
        assert renewals.dag.test(run_after=due, logical_date=due).state == "success"
    assert ringg_sandbox.dials()["max_calls_per_number"] == 1


@pytest.mark.usefixtures("warehouse")
def test_an_answer_that_is_lost_calls_nobody_twice(ringg_sandbox: RunningSandbox) -> None:
    # The platform starts the campaign, and the connection breaks before it can say so.
    ringg_sandbox.fault(method="POST", path="/campaign/start", kind="cut", when="after")
    assert renewals.dag.test().state == "success"
    assert ringg_sandbox.dials()["max_calls_per_number"] == 1
