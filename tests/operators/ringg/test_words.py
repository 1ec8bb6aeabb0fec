"""What a task writes to its log, for whoever reads how a night went; the sandbox answers on a socket."""

from __future__ import annotations

from typing import Any

import pytest

from tests.operators.ringg.starts import starting
from tests.support.log import TaskLog
from tests.support.tasks import context

KEYED = {"launch_key": "survey-2027-03-01", "ledger_conn_id": "warehouse"}
INDIA = {"call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"}}


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> TaskLog:
    return TaskLog(capsys)


def of_run(run_id: str) -> Any:
    attempt = context()
    attempt["ti"].run_id = run_id
    return attempt


def test_a_launch_says_for_how_many_and_from_when_until_when(platform: Any, saved: str, log: TaskLog) -> None:
    times = {"planned_start": "2027-03-01T13:00", "campaign_end_time": "2027-03-01T17:00", "call_config": INDIA}
    starting("standard", saved, rows=2, credits_per_call=1, **times).execute(context())
    assert log.line("is started", "info") == (
        f"Campaign {saved} is started for 2 people, calling Mon 2027-03-01 13:00 to 17:00 Asia/Kolkata."
    )


def test_a_launch_whose_times_were_left_open_says_those_that_were_sent(
    platform: Any, uploaded: str, log: TaskLog
) -> None:
    starting("large", uploaded).execute(context())
    assert log.line("is started", "info") == (
        f"Campaign {uploaded} is started, calling Mon 2027-03-01 06:32 to 23:59 UTC."
    )


def test_what_another_run_launched_is_a_warning_that_says_when_and_by_which_run_and_what_to_do(
    platform: Any, saved: str, sqlite_warehouse: Any, log: TaskLog
) -> None:
    starting("standard", saved, call_config=INDIA, **KEYED).execute(of_run("monday"))
    starting("standard", saved, call_config=INDIA, **KEYED).execute(of_run("tuesday"))
    assert log.line("takes it for its own", "warning") == (
        f"Campaign {saved} was started on Mon 2027-03-01 12:00 Asia/Kolkata by run monday of DAG dag: nothing is sent "
        "now, nobody is called again, and this task takes it for its own. Whoever is to be called once more needs a "
        "list under another launch key."
    )


def test_what_an_earlier_attempt_of_the_run_launched_is_no_warning(
    platform: Any, saved: str, sqlite_warehouse: Any, log: TaskLog
) -> None:
    for _ in range(2):
        starting("standard", saved, **KEYED).execute(of_run("monday"))
    said = log.line("takes it for its own", "info")
    assert "was started on Mon 2027-03-01 06:30 UTC by run monday of DAG dag: nothing is sent now" in said
