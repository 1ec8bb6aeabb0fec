"""The Ringg sensors against the sandbox on a socket: the same verdict in both modes, a skip on a timeout only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)

from ringg_provider.exceptions import (
    CampaignFailed,
    CampaignTerminated,
    InvalidContacts,
    NotFound,
    TooFewCalled,
    UnexpectedResponse,
)
from ringg_provider.operators.ringg import RinggMakeCallAsyncOperator, RinggUploadCsvOperator
from ringg_provider.sensors.ringg import RinggCampaignSensor, RinggUploadStatusSensor
from tests.sensors.waits import both_modes, event_of, waited
from tests.support.sandbox import Sandbox
from tests.support.tasks import context

both_generations = pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)
CONFIG = {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "UTC"}}
COMMON: dict[str, Any] = {
    "task_id": "wait",
    "ringg_conn_id": "ringg_sandbox",
    "poke_interval": 0.1,
    "timeout": 20.0,
}


@pytest.fixture
def upload(sandbox: Sandbox, tmp_path: Path) -> Callable[..., str]:
    """Upload some numbers for the large flow."""

    def upload(*numbers: str, remove_invalid_rows: bool = False) -> str:
        file = tmp_path / "contacts.csv"
        file.write_text("Phone,Name\n" + "".join(f"{number},Asha\n" for number in numbers))
        return RinggUploadCsvOperator(
            task_id="upload",
            ringg_conn_id="ringg_sandbox",
            agent_id="22222222-2222-4222-8222-222222222222",
            campaign_name="Survey",
            contacts=str(file),
            variables_map={"mobile_number": "Phone", "callee_name": "Name"},
            country_code="+91",
            call_config=CONFIG,
            remove_invalid_rows=remove_invalid_rows,
        ).execute(context())

    return upload


@pytest.fixture
def campaign_id(sandbox: Sandbox) -> str:
    """A campaign that stays as the test says."""
    answer = sandbox.admin.post("/_sandbox/seed/campaigns", json={"count": 1, "states": ["ongoing"]})
    return str(answer.json()["ids"][0])


def upload_sensor(bulk_list_id: str, **more: Any) -> RinggUploadStatusSensor:
    return RinggUploadStatusSensor(bulk_list_id=bulk_list_id, **{**COMMON, **more})


def campaign_sensor(campaign_id: str, **more: Any) -> RinggCampaignSensor:
    return RinggCampaignSensor(campaign_id=campaign_id, **{**COMMON, **more})


# An upload.


@both_generations
@both_modes
def test_an_upload_that_the_platform_has_checked_is_told_with_its_counts(
    sandbox: Sandbox, upload: Any, deferrable: bool
) -> None:
    found = waited(upload_sensor(upload("9876543210", "9876543211"), deferrable=deferrable))
    assert set(found) == {"status", "valid_rows", "invalid_rows", "invalid_rows_csv_url"}
    assert (found["valid_rows"], found["invalid_rows"]) == (2, 0)


@both_modes
@pytest.mark.parametrize("status", ["insufficient_balance", "scheduled", "ongoing", "completed"])
def test_an_upload_that_is_past_the_check_is_ready_too(
    sandbox: Sandbox, upload: Any, deferrable: bool, status: str
) -> None:
    list_id = upload("9876543210")
    waited(upload_sensor(list_id))  # or the sandbox may not know its contacts yet
    sandbox.settings(forced_statuses={list_id: status})
    assert waited(upload_sensor(list_id, deferrable=deferrable))["status"] == status


@both_modes
@pytest.mark.parametrize(
    ("status", "error"),
    [("failed", CampaignFailed), ("no_valid_contacts", InvalidContacts), ("terminated", CampaignTerminated)],
)
@pytest.mark.parametrize("soft_fail", [False, True])
def test_an_upload_that_went_wrong_fails_without_retry_also_with_soft_fail(
    sandbox: Sandbox, upload: Any, deferrable: bool, status: str, error: type[Exception], soft_fail: bool
) -> None:
    list_id = upload("9876543210")
    sandbox.settings(forced_statuses={list_id: status})
    with pytest.raises(AirflowFailException) as caught:
        waited(upload_sensor(list_id, deferrable=deferrable, soft_fail=soft_fail))
    assert type(caught.value.__cause__) is error


@both_generations
@both_modes
@pytest.mark.parametrize(
    ("allowed", "refused"), [(1, False), (0, True), (0.5, False), (0.2, True), (None, False), (1.0, False)]
)
def test_too_many_invalid_rows_are_counted_or_taken_as_a_share(
    sandbox: Sandbox, upload: Any, deferrable: bool, allowed: float | None, refused: bool
) -> None:
    # Such a file is sent because leaving invalid rows out was asked for; the platform counts what it left out.
    list_id = upload("9876543210", "9876543211", "9876543212", "0000000000", remove_invalid_rows=True)
    sensor = upload_sensor(list_id, deferrable=deferrable, max_invalid_rows=allowed)
    if refused:
        with pytest.raises(AirflowFailException, match="1 invalid rows of 4"):
            waited(sensor)
    else:
        assert waited(sensor)["invalid_rows"] == 1


@both_modes
def test_an_upload_that_does_not_exist_fails_without_retry(sandbox: Sandbox, deferrable: bool) -> None:
    with pytest.raises(AirflowFailException) as caught:
        waited(upload_sensor("nowhere", deferrable=deferrable))
    assert isinstance(caught.value.__cause__, NotFound | UnexpectedResponse)


# A campaign.


@both_generations
@both_modes
def test_a_campaign_that_completed_is_told_by_its_id(sandbox: Sandbox, campaign_id: str, deferrable: bool) -> None:
    sandbox.settings(forced_statuses={campaign_id: "completed"})
    assert waited(campaign_sensor(campaign_id, deferrable=deferrable)) == campaign_id


@both_modes
@pytest.mark.parametrize(("status", "error"), [("failed", CampaignFailed), ("terminated", CampaignTerminated)])
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_campaign_that_went_wrong_fails_without_retry_also_with_soft_fail(
    sandbox: Sandbox, campaign_id: str, deferrable: bool, status: str, error: type[Exception], soft_fail: bool
) -> None:
    sandbox.settings(forced_statuses={campaign_id: status})
    with pytest.raises(AirflowFailException) as caught:
        waited(campaign_sensor(campaign_id, deferrable=deferrable, soft_fail=soft_fail))
    assert type(caught.value.__cause__) is error


@both_modes
@pytest.mark.parametrize(("soft_fail", "error"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)])
def test_a_wait_that_was_too_long_fails_or_skips_as_told(
    sandbox: Sandbox, campaign_id: str, deferrable: bool, soft_fail: bool, error: type[Exception]
) -> None:
    with pytest.raises(error):
        waited(campaign_sensor(campaign_id, deferrable=deferrable, soft_fail=soft_fail, timeout=0.5))


@both_modes
def test_a_platform_that_is_briefly_unwell_is_looked_at_again(
    sandbox: Sandbox, campaign_id: str, deferrable: bool
) -> None:
    sandbox.settings(forced_statuses={campaign_id: "completed"})
    sandbox.fault(method="GET", path="/campaign/all", kind="status", status=500, times=2)
    assert waited(campaign_sensor(campaign_id, deferrable=deferrable)) == campaign_id


@both_modes
def test_a_key_that_is_refused_fails_without_retry(
    sandbox: Sandbox, campaign_id: str, deferrable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", sandbox.connection.replace(sandbox.api_key, "another-key"))
    with pytest.raises(AirflowFailException, match="Check the API key"):
        waited(campaign_sensor(campaign_id, deferrable=deferrable, soft_fail=True))


@pytest.mark.parametrize("make", [campaign_sensor, upload_sensor])
@pytest.mark.parametrize(
    "event",
    [
        None,
        "completed",
        {"status": "completed", "message": ""},
        {"status": "completed", "id": "another", "message": ""},
        {"status": "error", "id": "mine", "message": "the key was rotated"},
    ],
)
def test_an_event_that_is_missing_or_about_another_is_not_believed(
    sandbox: Sandbox, make: Callable[..., Any], event: Any
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        make("mine", soft_fail=True).resume_execution("execute_complete", {"event": event}, context())
    assert type(caught.value.__cause__) is UnexpectedResponse


def test_an_event_of_an_unknown_kind_is_no_end(sandbox: Sandbox) -> None:
    event = {"status": "gone fishing", "id": "mine", "message": ""}
    with pytest.raises(AirflowFailException):
        campaign_sensor("mine").resume_execution("execute_complete", {"event": event}, context())


def test_an_event_that_an_upload_has_settled_is_looked_up_and_not_taken_for_the_answer(
    sandbox: Sandbox, upload: Any
) -> None:
    list_id = upload("9876543210")
    sandbox.settings(forced_statuses={list_id: "verifying"})
    event = {"status": "settled", "id": list_id, "message": "ready"}
    with pytest.raises(AirflowFailException, match="reported as checked, but is not"):
        upload_sensor(list_id).resume_execution("execute_complete", {"event": event}, context())


@pytest.mark.parametrize("make", [campaign_sensor, upload_sensor])
def test_execution_timeout_goes_on_counting_while_the_sensor_is_deferred(
    sandbox: Sandbox, campaign_id: str, upload: Any, make: Callable[..., Any]
) -> None:
    watched = campaign_id if make is campaign_sensor else upload("9876543210")
    sandbox.settings(forced_statuses={watched: "verifying"})
    sensor = make(watched, deferrable=True, soft_fail=True, execution_timeout=timedelta(seconds=1))
    with pytest.raises(AirflowTaskTimeout):
        waited(sensor)


def test_a_platform_that_is_unwell_when_the_sensor_comes_back_is_left_to_the_triggerer_until_the_same_deadlines(
    sandbox: Sandbox, upload: Any
) -> None:
    list_id = upload("9876543210")
    sensor = upload_sensor(list_id, deferrable=True)
    sandbox.fault(method="GET", path="/campaign/upload-status", kind="status", status=500)
    event = {"status": "settled", "id": list_id, "message": "ready"}
    deadlines = {"deadline": time.time() + 5, "kill_deadline": time.time() + 9}
    with pytest.raises(TaskDeferred) as again:
        sensor.resume_execution("execute_complete", {"event": event, **deadlines}, context())
    assert again.value.kwargs == deadlines
    stored = again.value.trigger.serialize()[1]
    assert {name: stored[name] for name in deadlines} == deadlines
    event = asyncio.run(event_of(again.value.trigger))
    found = sensor.resume_execution("execute_complete", {"event": event, **deadlines}, context())
    assert found["valid_rows"] == 1


# In Airflow itself.

_DAG = """
from __future__ import annotations
from airflow.sdk import DAG
from ringg_provider.sensors.ringg import RinggCampaignSensor

with DAG("sensing", schedule=None):
    RinggCampaignSensor(
        task_id="wait", ringg_conn_id="ringg_sandbox", campaign_id="{campaign_id}", poke_interval=0.2,
        timeout={timeout}, soft_fail=True, deferrable={deferrable},
    )
"""


@both_modes
@pytest.mark.parametrize(
    ("status", "timeout", "state"),
    [("completed", 30, "success"), ("terminated", 30, "failed"), ("ongoing", 1, "skipped")],
)
def test_airflow_shows_a_success_a_failure_and_only_a_timeout_as_skipped(
    sandbox: Sandbox, campaign_id: str, run_dag: Any, deferrable: bool, status: str, timeout: int, state: str
) -> None:
    sandbox.settings(forced_statuses={campaign_id: status})
    run = run_dag(_DAG.format(campaign_id=campaign_id, timeout=timeout, deferrable=deferrable))
    assert run.tasks == {"wait": state}


# A campaign that called nobody, or reached nobody.

BUSY, REACHED, MACHINE = "+919845000001", "+919845000002", "+919845000003"


@pytest.fixture
def started(sandbox: Sandbox, upload: Callable[..., str]) -> Callable[..., str]:
    """Call some numbers, each with the outcome that is said; nobody twice."""

    def started(**outcomes: str) -> str:
        sandbox.settings(forced_outcomes={f"+{number[1:]}": [outcome] for number, outcome in outcomes.items()})
        bulk_list_id = upload(*(f"+{number[1:]}" for number in outcomes))
        waited(upload_sensor(bulk_list_id))
        return RinggMakeCallAsyncOperator(
            task_id="start",
            ringg_conn_id="ringg_sandbox",
            agent_id="22222222-2222-4222-8222-222222222222",
            bulk_list_id=bulk_list_id,
            from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
            country_code="+91",
            call_config=CONFIG | {"call_retry_config": {"retry_count": 0}},
        ).execute(context())

    return started


@both_modes
@both_generations
def test_a_campaign_that_reached_nobody_is_a_warning_with_the_reason(
    started: Callable[..., str], deferrable: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign_id = started(**{BUSY: "busy", MACHINE: "voicemail"})
    assert waited(campaign_sensor(campaign_id, deferrable=deferrable)) == campaign_id
    (warning,) = [text for text in capsys.readouterr().out.splitlines() if "nobody was reached" in text]
    assert campaign_id in warning
    assert "no person took one" in warning
    assert "the runbook, 'Nobody was reached'" in warning


@both_modes
def test_a_campaign_that_reached_somebody_is_none(
    started: Callable[..., str], deferrable: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign_id = started(**{BUSY: "busy", REACHED: "completed"})
    assert waited(campaign_sensor(campaign_id, deferrable=deferrable, min_reached=1, min_listed=2)) == campaign_id
    assert "nobody" not in capsys.readouterr().out


@both_modes
@pytest.mark.parametrize(
    ("least", "said"),
    [
        ({"min_reached": 2}, "1 person was reached, and at least 2 must be: of 3 calls, 3 dialled"),
        ({"min_listed": 4}, "3 people are on the lists, and at least 4 must be"),
    ],
)
def test_too_few_are_an_error_where_the_number_is_given(
    started: Callable[..., str], deferrable: bool, least: dict[str, int], said: str
) -> None:
    campaign_id = started(**{BUSY: "busy", REACHED: "completed", MACHINE: "voicemail"})
    with pytest.raises(AirflowFailException, match=said) as raised:
        waited(campaign_sensor(campaign_id, deferrable=deferrable, **least))
    assert isinstance(raised.value.__cause__, TooFewCalled)
