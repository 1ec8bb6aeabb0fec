"""Starting, waiting and stopping as tasks do it, against the sandbox on a socket; the protocol has its own tests."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)

from ringg_provider.exceptions import (
    CampaignFailed,
    CampaignTerminated,
    InvalidRequest,
    LaunchInterrupted,
    LaunchOutcomeUnknown,
    NetworkError,
    NotFound,
    ReplacedByAnotherRun,
    UnexpectedResponse,
)
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import Launcher
from ringg_provider.operators import launching
from ringg_provider.operators.ringg import (
    RinggLaunchOperator,
    RinggMakeCallAsyncOperator,
    RinggSaveCampaignOperator,
    RinggStartCampaignOperator,
    RinggUploadCsvOperator,
)
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from tests.launch.hostile import TaskStateModel
from tests.support.sandbox import Sandbox
from tests.support.tasks import context

AGENT = "22222222-2222-4222-8222-222222222222"
LINE = "aaaaaaaa-0000-4000-8000-000000000001"
CONFIG = {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "UTC"}}
COMMON: dict[str, Any] = {"task_id": "task", "ringg_conn_id": "ringg_sandbox"}

both_generations = pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)
both_flows = pytest.mark.parametrize("flow", ["standard", "large"])


@pytest.fixture(autouse=True)
def clock() -> None:
    """Campaigns run to their end here, so time passes; the other modules of this folder hold it still."""


@pytest.fixture
def upload(sandbox: Sandbox, tmp_path: Path) -> Callable[[str], str]:
    """Upload two people in either flow, and wait until the list can be started."""
    file = tmp_path / "contacts.csv"
    file.write_text("Mobile Number,Name\n+919876543210,Asha\n+919876543211,Ravi\n")

    def upload(flow: str) -> str:
        operator = RinggSaveCampaignOperator if flow == "standard" else RinggUploadCsvOperator
        list_id = operator(
            **COMMON,
            agent_id=AGENT,
            campaign_name="Survey",
            contacts=str(file),
            variables_map={"mobile_number": "Mobile Number", "callee_name": "Name"},
            country_code="+91",
            call_config=CONFIG,
        ).execute(context())
        deadline = time.monotonic() + 20
        while sandbox.state()["campaigns"][-1]["state"] in ("verifying", "uploaded", "processing"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return list_id

    return upload


def starting(flow: str, list_id: str, **arguments: Any) -> Any:
    given = {**COMMON, "agent_id": AGENT, "from_numbers": [LINE], "poll_interval": 0.1, **arguments}
    if flow == "standard":
        return RinggStartCampaignOperator(list_id=list_id, **given)
    return RinggMakeCallAsyncOperator(bulk_list_id=list_id, country_code="+91", call_config=CONFIG, **given)


def with_store(store: TaskStateModel) -> Any:
    """The context of an attempt on Airflow 3.3."""
    return context() | {"task_state_store": store}


def launches(sandbox: Sandbox) -> list[int]:
    return [campaign["launches"] for campaign in sandbox.state()["campaigns"]]


def posts(sandbox: Sandbox) -> int:
    acting = ("/campaign/start", "/campaign/make-call-async")
    return sum(request["path"].endswith(acting) for request in sandbox.requests())


def terminated(sandbox: Sandbox) -> bool:
    return any(request["method"] == "PATCH" for request in sandbox.requests())


@pytest.fixture
def quick_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked for in two minutes otherwise is given up in a second."""
    real = launching.launch
    quick = {"settle_timeout": 1.0, "settle_interval": 0.1}
    monkeypatch.setattr(launching, "launch", lambda *args, **more: real(*args, **{**more, **quick}))


# Starting.


@both_generations
@both_flows
def test_a_list_is_started_once_and_a_second_attempt_adopts_it(sandbox: Sandbox, upload: Any, flow: str) -> None:
    list_id = upload(flow)
    store = TaskStateModel()
    assert starting(flow, list_id).execute(with_store(store)) == list_id
    assert starting(flow, list_id).execute(with_store(store)) == list_id
    assert launches(sandbox) == [1]
    assert posts(sandbox) == 1


@both_flows
def test_the_campaigns_page_can_be_reached_from_the_moment_of_the_launch_also_while_the_task_is_deferred(
    sandbox: Sandbox, upload: Any, flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = quote("https://dashboard.example/{campaign_id}", safe="")
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", f"{sandbox.connection}?dashboard_url={page}")
    list_id = upload(flow)
    attempt = context()
    with pytest.raises(TaskDeferred):
        starting(flow, list_id, wait_for_completion=True, deferrable=True).execute(attempt)
    assert attempt["ti"].xcom["campaign_url"] == f"https://dashboard.example/{list_id}"


def test_an_attempt_that_fails_while_it_waits_has_left_the_page_behind(sandbox: Sandbox, upload: Any) -> None:
    list_id = upload("standard")
    sandbox.settings(forced_statuses={list_id: "ongoing"})
    attempt = context()
    with pytest.raises(TimeoutError):
        starting("standard", list_id, wait_for_completion=True, deferrable=False, timeout=0.3).execute(attempt)
    assert "campaign_url" in attempt["ti"].xcom


@both_generations
@both_flows
@pytest.mark.parametrize("second_start", ["refused", "obeyed"])
def test_an_answer_that_is_lost_is_settled_by_looking(
    sandbox: Sandbox, upload: Any, flow: str, second_start: str
) -> None:
    sandbox.settings(refuse_second_start=second_start == "refused")
    list_id = upload(flow)
    sandbox.fault(method="POST", path="/campaign", kind="cut", when="after")
    assert starting(flow, list_id).execute(with_store(TaskStateModel())) == list_id
    assert launches(sandbox) == [1]


@both_flows
@pytest.mark.usefixtures("quick_settling")
def test_a_start_whose_outcome_cannot_be_settled_is_not_sent_again_by_any_attempt(
    sandbox: Sandbox, upload: Any, flow: str
) -> None:
    sandbox.settings(refuse_second_start=False)
    list_id = upload(flow)
    store = TaskStateModel()
    sandbox.fault(method="POST", path="/campaign", kind="cut", when="before")
    for _ in range(3):
        with pytest.raises(AirflowFailException, match=list_id) as caught:
            starting(flow, list_id).execute(with_store(store))
        assert type(caught.value.__cause__) is LaunchOutcomeUnknown
    assert posts(sandbox) == 1
    assert launches(sandbox) == [0]


def test_a_server_that_cannot_be_reached_leaves_the_list_to_a_retry(
    sandbox: Sandbox, upload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_id = upload("standard")
    store = TaskStateModel()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("AIRFLOW_CONN_RINGG_SANDBOX", sandbox.connection.replace(sandbox.url.rsplit(":", 1)[1], "9"))
        elsewhere.setattr(time, "sleep", lambda seconds: None)
        with pytest.raises(NetworkError):
            starting("standard", list_id).execute(with_store(store))
    assert starting("standard", list_id).execute(with_store(store)) == list_id
    assert launches(sandbox) == [1]


def test_two_lists_of_the_same_people_under_one_key_are_one_start(
    sandbox: Sandbox, upload: Any, sqlite_warehouse: Any
) -> None:
    first, second = upload("standard"), upload("standard")
    keyed = {"launch_key": "survey-2027-03-01", "ledger_conn_id": "warehouse"}
    assert starting("standard", first, **keyed).execute(context()) == first
    assert starting("standard", second, **keyed).execute(context()) == first
    assert launches(sandbox) == [1, 0]


# A platform that does not show everything.


@pytest.mark.parametrize("sandbox", ["g2"], indirect=True)
@pytest.mark.parametrize("store", [True, False], ids=["with a store", "without a store"])
@pytest.mark.usefixtures("quick_settling")
def test_a_saved_list_that_no_listing_shows_before_its_start_is_started_once(
    sandbox: Sandbox, upload: Any, store: bool
) -> None:
    sandbox.settings(listing_hides="unstarted", refuse_second_start=False)
    list_id = upload("standard")
    attempt = with_store(TaskStateModel()) if store else context()
    assert starting("standard", list_id).execute(attempt) == list_id
    assert starting("standard", list_id).execute(attempt) == list_id
    assert launches(sandbox) == [1]


@both_flows
@pytest.mark.parametrize("sandbox", ["g2"], indirect=True)
@pytest.mark.usefixtures("quick_settling")
def test_a_list_that_does_not_exist_is_told_as_such_and_leaves_nothing_behind(sandbox: Sandbox, flow: str) -> None:
    nowhere, store = "99999999-0000-4000-8000-000000000001", TaskStateModel()
    for _ in range(2):
        with pytest.raises(AirflowFailException) as caught:
            starting(flow, nowhere).execute(with_store(store))
        assert type(caught.value.__cause__) in (NotFound, InvalidRequest)
    assert store.get(f"launch:{nowhere}") is None


@both_generations
@pytest.mark.usefixtures("quick_settling")
def test_a_finished_campaign_that_only_its_calls_tell_of_is_adopted(sandbox: Sandbox, upload: Any) -> None:
    list_id = upload("large")
    starting("large", list_id, wait_for_completion=True, deferrable=False).execute(context())
    sandbox.settings(listing_hides="all", forced_statuses={list_id: "completed"}, refuse_second_start=False)
    assert starting("large", list_id).execute(context()) == list_id
    assert starting("large", list_id, wait_for_completion=True, deferrable=False).execute(context()) == list_id
    assert launches(sandbox) == [1]


# Two runs at once, under one key.


def racing(flow: str, item: LaunchItem, run_id: str) -> tuple[Any, Any]:
    """The launch of one of a run's lists, and the run."""
    operator = RinggLaunchOperator(**COMMON, launch=item.as_xcom(), from_numbers=[LINE], poll_interval=0.1)
    attempt = context()
    attempt["ti"].run_id = run_id
    return operator, attempt


@pytest.fixture
def listed_twice(upload: Any, sqlite_warehouse: Any) -> Callable[[str], tuple[LaunchItem, LaunchItem]]:
    """One run lists the people of a key, and another one does so right after it, so that its lists stand."""

    def listed_twice(flow: str) -> tuple[LaunchItem, LaunchItem]:
        items = [
            LaunchItem(
                list_id=upload(flow),
                flow=flow,  # type: ignore[arg-type]
                agent_id=AGENT,
                country_code="+91",
                call_config=CONFIG,
                launch_key="survey",
                ledger_conn_id="warehouse",
            )
            for _ in range(2)
        ]
        ledger = launching.open_ledger("warehouse")
        for number, item in enumerate(items):
            ledger.replace_set("survey", [item], Launcher("dag", f"run-{number}", "lists"))
        return items[0], items[1]

    return listed_twice


@both_flows
def test_the_loser_of_a_race_ends_skipped_and_says_which_run_launched(
    sandbox: Sandbox, listed_twice: Any, flow: str
) -> None:
    theirs, ours = listed_twice(flow)
    winner, run = racing(flow, ours, "run-1")
    assert winner.execute(run) == ours.list_id
    loser, run = racing(flow, theirs, "run-0")
    with pytest.raises(AirflowSkipException, match="run run-1 of DAG dag launched key 'survey'"):
        loser.execute(run)
    assert sandbox.dials()["max_calls_per_number"] <= 1
    assert sorted(launches(sandbox)) == [0, 1]


def test_the_loser_of_a_race_waits_for_the_winner_to_launch(
    sandbox: Sandbox, listed_twice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = listed_twice("standard")
    winner, run = racing("standard", ours, "run-1")
    starting_now = threading.Timer(1.0, winner.execute, [run])
    starting_now.start()
    monkeypatch.setattr(launching, "sleep_until_told", lambda seconds, told: time.sleep(0.2))
    loser, run = racing("standard", theirs, "run-0")
    with pytest.raises(AirflowSkipException, match="run run-1"):
        loser.execute(run)
    starting_now.join()
    assert sorted(launches(sandbox)) == [0, 1]


@pytest.mark.usefixtures("quick_settling")
def test_lists_that_gave_way_to_others_which_nobody_launches_fail_with_the_advice_to_clear_the_run(
    sandbox: Sandbox, listed_twice: Any
) -> None:
    theirs, _ = listed_twice("standard")
    loser, run = racing("standard", theirs, "run-0")
    with pytest.raises(ReplacedByAnotherRun, match="clear the whole run, not this task alone") as caught:
        loser.execute(run)
    assert "another key" not in str(caught.value)
    assert launches(sandbox) == [0, 0]


# What a later attempt, or a person, reads of a start that may be out.


@pytest.mark.usefixtures("quick_settling")
def test_a_lost_answer_is_warned_of_before_it_is_looked_for_and_first_thing_by_the_next_attempt(
    sandbox: Sandbox, upload: Any, caplog: pytest.LogCaptureFixture
) -> None:
    list_id = upload("standard")
    store = TaskStateModel()
    sandbox.fault(method="POST", path="/campaign/start", kind="cut", when="before")
    with pytest.raises(AirflowFailException):
        starting("standard", list_id).execute(with_store(store))
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"The answer to the start of list {list_id} is lost (NetworkError), so it may be calling." in warned[0]
    caplog.clear()
    with pytest.raises(AirflowFailException):
        starting("standard", list_id).execute(with_store(store))
    first = next(record for record in caplog.records if record.name == "ringg_provider.launch.protocol")
    assert first.levelname == "WARNING"
    assert f"A start of list {list_id} was sent by an earlier attempt, or was about to be" in first.getMessage()


# A key that was launched with a list that was saved by hand.


@both_flows
def test_a_run_whose_key_was_launched_by_hand_adopts_that_list_through_its_ledger(
    sandbox: Sandbox, upload: Any, sqlite_warehouse: Any, flow: str
) -> None:
    by_hand = upload(flow)
    assert starting(flow, by_hand, launch_key="survey", ledger_conn_id="warehouse").execute(context()) == by_hand
    sqlite_warehouse.execute("CREATE TABLE people (phone TEXT)")
    (item,) = SqlToRinggOperator(
        **COMMON,
        sql_conn_id="warehouse",
        sql="SELECT phone FROM people",
        agent_id=AGENT,
        campaign_name="Survey",
        phone_column="phone",
        variables_map={"callee_name": "phone"},
        country_code="+91",
        call_config=CONFIG,
        launch_key="survey",
        ledger_conn_id="warehouse",
    ).execute(context())
    assert (item["list_id"], item["launch_key"], item["ledger_conn_id"]) == (by_hand, "survey", "warehouse")
    assert RinggLaunchOperator(**COMMON, launch=item, from_numbers=[LINE]).execute(context()) == by_hand
    assert posts(sandbox) == 1


# Waiting.


@both_flows
@pytest.mark.parametrize(
    ("status", "error"), [("completed", None), ("failed", CampaignFailed), ("terminated", CampaignTerminated)]
)
def test_a_campaign_that_was_adopted_and_has_ended_is_not_waited_for_in_the_triggerer(
    sandbox: Sandbox, upload: Any, flow: str, status: str, error: type[Exception] | None
) -> None:
    list_id = upload(flow)
    starting(flow, list_id).execute(context())
    sandbox.settings(forced_statuses={list_id: status})
    again = starting(flow, list_id, wait_for_completion=True, deferrable=True)
    if error is None:
        assert again.execute(context()) == list_id
    else:
        with pytest.raises(AirflowFailException) as caught:
            again.execute(context())
        assert type(caught.value.__cause__) is error


def test_a_campaign_that_was_adopted_and_cannot_be_read_now_is_waited_for_in_the_triggerer(
    sandbox: Sandbox, upload: Any
) -> None:
    list_id = upload("standard")
    starting("standard", list_id).execute(context())
    sandbox.settings(forced_statuses={list_id: "ongoing"})
    sandbox.fault(method="GET", path="/campaign/all", kind="status", status=500, skip=1)
    deferred_by(starting("standard", list_id, wait_for_completion=True, deferrable=True))


def test_an_upload_that_cannot_be_read_now_and_then_is_waited_for(sandbox: Sandbox, upload: Any) -> None:
    list_id = upload("large")
    sandbox.settings(forced_statuses={list_id: "verifying"})
    item = {"list_id": list_id, "flow": "large", "agent_id": AGENT, "country_code": "+91", "call_config": CONFIG}
    operator = RinggLaunchOperator(
        **COMMON, launch=item, from_numbers=[LINE], deferrable=False, upload_poll_interval=0.2
    )
    status = {"method": "GET", "path": "/campaign/upload-status"}
    sandbox.fault(**status, kind="status", status=500, skip=1)
    sandbox.fault(**status, kind="status", status=429, headers={"Retry-After": "0.3"}, skip=2, times=5)
    threading.Timer(1.5, lambda: sandbox.settings(forced_statuses={})).start()
    assert operator.execute(context()) == list_id
    assert launches(sandbox) == [1]


@both_generations
@both_flows
def test_a_task_waits_for_the_end_of_its_campaign(sandbox: Sandbox, upload: Any, flow: str) -> None:
    list_id = upload(flow)
    assert starting(flow, list_id, wait_for_completion=True, deferrable=False).execute(context()) == list_id
    assert sandbox.state()["campaigns"][0]["state"] == "completed"


async def event_of(deferred: TaskDeferred) -> dict[str, Any]:
    """What the triggerer would hand back."""
    _, kwargs = deferred.trigger.serialize()
    trigger = type(deferred.trigger)(**json.loads(json.dumps(kwargs)))
    (event,) = [event async for event in trigger.run()]
    payload: dict[str, Any] = json.loads(json.dumps(event.payload))
    return payload


def deferred_by(operator: Any, attempt: Any = None) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(attempt or context())
    assert caught.value.timeout is None, "deadlines travel in the trigger"
    return caught.value


@both_generations
@both_flows
async def test_a_task_waits_in_the_triggerer_and_resumes_with_the_same_answer(
    sandbox: Sandbox, upload: Any, flow: str
) -> None:
    list_id = upload(flow)
    operator = starting(flow, list_id, wait_for_completion=True, deferrable=True)
    deferred = deferred_by(operator)
    event = await event_of(deferred)
    again = starting(flow, list_id, wait_for_completion=True, deferrable=True)
    assert getattr(again, deferred.method_name)(context(), event=event, **deferred.kwargs) == list_id


@both_flows
async def test_one_list_of_a_query_is_taken_to_its_end_in_either_flow(sandbox: Sandbox, upload: Any, flow: str) -> None:
    item = {
        "list_id": upload(flow),
        "flow": flow,
        "agent_id": AGENT,
        "country_code": "+91",
        "call_config": CONFIG,
        "rows": 2,
    }
    operator = RinggLaunchOperator(
        **COMMON, launch=item, from_numbers=[LINE], wait_for_completion=True, deferrable=True, poll_interval=0.1
    )
    deferred = deferred_by(operator)
    event = await event_of(deferred)
    assert getattr(operator, deferred.method_name)(context(), event=event, **deferred.kwargs) == item["list_id"]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (None, UnexpectedResponse),
        ("completed", UnexpectedResponse),
        ({}, UnexpectedResponse),
        ({"status": "completed", "message": ""}, UnexpectedResponse),
        ({"status": "completed", "id": "another campaign", "message": ""}, UnexpectedResponse),
        ({"status": "gone fishing", "id": "list-1", "message": ""}, UnexpectedResponse),
        ({"id": "list-1", "message": ""}, UnexpectedResponse),
        ({"status": "error", "id": "list-1", "message": "the key was rotated"}, UnexpectedResponse),
        ({"status": "failed", "id": "list-1", "message": ""}, CampaignFailed),
        ({"status": "terminated", "id": "list-1", "message": ""}, CampaignTerminated),
    ],
)
@both_flows
def test_an_event_is_believed_only_when_it_is_about_our_campaign_and_of_a_known_kind(
    sandbox: Sandbox, flow: str, event: Any, error: type[Exception]
) -> None:
    with pytest.raises(AirflowFailException) as caught:
        starting(flow, "list-1").execute_complete(context(), event=event, campaign_id="list-1")
    assert type(caught.value.__cause__) is error


def test_a_wait_that_was_too_long_is_left_to_a_retry_and_the_campaign_goes_on(sandbox: Sandbox, upload: Any) -> None:
    list_id = upload("standard")
    event = {"status": "timeout", "id": list_id, "message": "not ended"}
    with pytest.raises(TimeoutError, match="it goes on"):
        starting("standard", list_id).execute_complete(context(), event=event, campaign_id=list_id)
    assert not terminated(sandbox)


@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_execution_timeout_terminates_the_campaign_unless_told_not_to(
    sandbox: Sandbox, upload: Any, cancel_on_kill: bool
) -> None:
    list_id = upload("standard")
    operator = starting("standard", list_id, cancel_on_kill=cancel_on_kill)
    operator.execute(context())
    event = {"status": "execution_timeout", "id": list_id, "message": "not ended"}
    with pytest.raises(AirflowTaskTimeout):
        operator.execute_complete(context(), event=event, campaign_id=list_id)
    assert terminated(sandbox) == cancel_on_kill


def test_deadlines_travel_in_the_trigger_and_execution_timeout_counts_from_the_tasks_start(
    sandbox: Sandbox, upload: Any
) -> None:
    attempt = context()
    operator = starting(
        "standard",
        upload("standard"),
        wait_for_completion=True,
        deferrable=True,
        timeout=100,
        execution_timeout=timedelta(seconds=1000),
    )
    before = time.time()
    trigger: Any = deferred_by(operator, attempt).trigger
    assert before + 100 <= trigger.deadline <= time.time() + 100
    assert trigger.kill_deadline == attempt["ti"].start_date.timestamp() + 1000
    assert trigger.cancel_on_kill is True


# Stopping.


@pytest.fixture
def task_is(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """What the scheduler holds to be the task's state."""
    return lambda state: monkeypatch.setattr(launching, "own_state", lambda context: state)


@both_flows
def test_a_task_that_is_told_to_stop_before_the_start_sends_nothing(
    sandbox: Sandbox, upload: Any, flow: str, task_is: Any
) -> None:
    task_is("failed")
    list_id = upload(flow)
    operator = starting(flow, list_id)
    operator.on_kill()
    with pytest.raises(LaunchInterrupted):
        operator.execute(with_store(TaskStateModel()))
    assert posts(sandbox) == 0
    assert launches(sandbox) == [0]


@pytest.mark.parametrize(
    ("state", "cancel_on_kill", "stops"),
    [("failed", True, True), ("failed", False, False), ("running", True, False), ("success", True, False),
     (None, True, False)],
)  # fmt: skip
def test_a_task_that_is_told_to_stop_while_it_waits_terminates_only_when_a_person_marked_it_failed(
    sandbox: Sandbox, upload: Any, task_is: Any, state: str | None, cancel_on_kill: bool, stops: bool
) -> None:
    list_id = upload("standard")
    task_is(state)
    operator = starting("standard", list_id, wait_for_completion=True, deferrable=False, cancel_on_kill=cancel_on_kill)
    look = operator.read_progress

    def told_while_waiting(campaign_id: str) -> Any:
        sandbox.settings(forced_statuses={list_id: "ongoing"})
        operator.on_kill()
        return look(campaign_id)

    operator.read_progress = told_while_waiting
    with pytest.raises(LaunchInterrupted, match="can be adopted by its next attempt"):
        operator.execute(context())
    assert terminated(sandbox) == stops
    assert launches(sandbox) == [1]


def test_the_signal_handler_only_raises_a_flag(sandbox: Sandbox) -> None:
    starting("standard", "list-1").on_kill()
    assert sandbox.requests() == []
