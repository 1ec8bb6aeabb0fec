"""What a task writes to its log, for whoever reads how a night went; the sandbox answers on a socket."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider import exceptions
from ringg_provider.exceptions import RinggProviderError
from ringg_provider.operators.ringg import (
    RinggPreflightOperator,
    RinggSaveCampaignOperator,
    RinggTerminateOperator,
    RinggUploadCsvOperator,
)
from ringg_provider.ringg.responses import UploadStatus
from ringg_provider.ringg.uploads import said_of_upload
from ringg_provider.sensors.ringg import RinggUploadStatusSensor
from tests.operators.campaigns import checked, upload
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


def test_an_upload_says_for_how_many_and_from_when_until_when(platform: Any, contacts: str, log: TaskLog) -> None:
    times = {"campaign_start_time": "2027-03-01T13:00", "campaign_end_time": "2027-03-02T17:00"}
    list_id = upload(RinggSaveCampaignOperator, contacts, **times)
    assert log.line("was uploaded", "info") == (
        f"List {list_id} was uploaded: 2 people from 2 rows, to be called Mon 2027-03-01 13:00 to Tue 2027-03-02 17:00 "
        "Asia/Kolkata, daily 10:00-19:00 once it is started."
    )


def test_a_failed_task_begins_with_what_failed_and_where_the_runbook_tells_of_it(
    platform: Any, saved: str, log: TaskLog
) -> None:
    with pytest.raises(AirflowFailException):
        starting("standard", saved, launch_key="without a ledger").execute(context())
    assert log.lines("error") == [
        (
            "InvalidRequest: launch_key, ledger_conn_id: give both or neither; the ledger is where the key is looked "
            "up. See the runbook, 'Invalid request'."
        )
    ]


def test_every_error_has_a_section_of_the_runbook() -> None:
    headings = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text().splitlines()
    errors = [one for one in vars(exceptions).values() if isinstance(one, type) and issubclass(one, RinggProviderError)]
    assert [one for one in errors if one is not RinggProviderError and f"## {one.runbook}" not in headings] == []


def test_the_link_of_a_task_that_launched_nothing_asks_airflow_for_nothing(platform: Any, saved: str) -> None:
    task = starting("standard", saved)
    (link,) = task.operator_extra_links
    assert link.get_link(task, ti_key=None) == ""
    task.execute(context())
    assert link.get_link(task, ti_key=None) == f"{platform.url}/campaigns/{saved}"
    page = httpx.get(link.get_link(task, ti_key=None))
    assert (page.status_code, saved in page.text, "+919876543210" in page.text) == (200, True, False)


def test_waiting_for_an_upload_says_what_was_found_and_why_it_differs(
    platform: Any, tmp_path: Path, log: TaskLog
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("Mobile Number,Name\n+919876543210,Asha\n+919876543211,Ravi\n")
    list_id = checked(platform, upload(RinggUploadCsvOperator, str(file)))
    RinggUploadStatusSensor(task_id="wait", ringg_conn_id="ringg_sandbox", bulk_list_id=list_id).execute(context())
    assert log.line("rows are valid", "info") == f"Upload {list_id} is draft: 2 of 2 (100%) rows are valid."
    status = UploadStatus(status="completed", total_rows=10, valid_rows=9, invalid_rows=1)
    assert "9 of 10 (90%) rows are valid, 1 row invalid. That is the platform's own check" in said_of_upload(
        "b", status
    )


def test_the_sandboxs_page_lists_what_a_dag_names(platform: Any) -> None:
    page = httpx.get(platform.url).text
    for word in (
        "Renewals",
        "policy_id",
        "due_date",
        "Main line",
        "flagged as spam",
        "bbbbbbbb-0000-4000-8000-000000000001",
    ):
        assert word in page


def test_who_approves_reads_what_will_be_called_by_whom_when_and_at_what_cost(platform: Any, uploaded: str) -> None:
    attempt = of_run("manual__2027-03-01T06:30:00+00:00")
    RinggPreflightOperator(
        task_id="preflight",
        ringg_conn_id="ringg_sandbox",
        list_id=uploaded,
        agent_id="22222222-2222-4222-8222-222222222222",
        country_code="+91",
        call_config=INDIA,
        rows=2,
        from_numbers=["+918031000001"],
        credits_per_call=2,
        about={"File": "/data/people.csv", "Left out": "1 invalid row"},
    ).execute(attempt)
    facts = dict(re.findall(r"^\| ([A-Z][a-z ]+) \| (.*) \|$", attempt["ti"].xcom["report"], re.MULTILINE))
    assert facts.pop("More").endswith("/ringg/page/run/dag/manual__2027-03-01T06%3A30%3A00%2B00%3A00)")
    assert facts == {
        "File": "/data/people.csv",
        "Left out": "1 invalid row",
        "Campaign": uploaded,
        "Agent": "Survey (22222222-2222-4222-8222-222222222222)",
        "People": "2",
        "Cost": "About 4 credits are needed, and 1,000,000 credits can be spent.",
        "Called by": "1 caller number",
        "Hours": "Calls from Mon 2027-03-01 12:02 to 19:00 Asia/Kolkata.",
    }
    assert "✅ ok" in attempt["ti"].xcom["report"]


@pytest.mark.parametrize("status", [None, 404, 403, 500])
def test_who_approves_reads_the_pools_name_where_the_platform_tells_it(
    platform: Any, uploaded: str, status: int | None
) -> None:
    if status is not None:
        platform.fault(kind="status", method="GET", path="/number-pool", status=status, times=50)
    attempt = context()
    RinggPreflightOperator(
        task_id="preflight",
        ringg_conn_id="ringg_sandbox",
        list_id=uploaded,
        agent_id="22222222-2222-4222-8222-222222222222",
        country_code="+91",
        call_config=INDIA,
        rows=2,
        number_pool_id="bbbbbbbb-0000-4000-8000-000000000001",
    ).execute(attempt)
    named = "bbbbbbbb-0000-4000-8000-000000000001" if status else "Main pool (bbbbbbbb-0000-4000-8000-000000000001)"
    assert f"| Called by | pool {named} |" in attempt["ti"].xcom["report"]


def test_stopping_tells_what_ran_what_was_stopped_before_and_what_has_ended(
    platform: Any, saved: str, log: TaskLog
) -> None:
    starting("standard", saved).execute(context())
    stop = RinggTerminateOperator(task_id="stop", ringg_conn_id="ringg_sandbox", campaign_id=saved)
    stop.execute(context())
    assert log.line(f"Campaign {saved} was scheduled and is stopped now: no new calls", "info")
    stop.execute(context())
    assert log.line(f"Campaign {saved} was stopped before; nothing was left to stop.", "info")
    platform.settings(forced_statuses={saved: "completed"})
    stop.execute(context())
    assert log.line(f"Campaign {saved} had ended before (completed); nothing was left to stop.", "info")
