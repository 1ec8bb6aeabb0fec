"""Waiting for a campaign's end, and stopping it, as tasks do it, against the sandbox on a socket."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowTaskTimeout,
    TaskDeferred,
)

from ringg_provider.exceptions import (
    CampaignFailed,
    CampaignTerminated,
    LaunchInterrupted,
    UnexpectedResponse,
)
from ringg_provider.operators import launching
from ringg_provider.operators.ringg import (
    RinggLaunchOperator,
)
from tests.launch.hostile import TaskStateModel
from tests.operators.ringg.starts import (
    AGENT,
    COMMON,
    CONFIG,
    LINE,
    both_flows,
    both_generations,
    launches,
    posts,
    starting,
    terminated,
    with_store,
)
from tests.support.sandbox import Sandbox
from tests.support.tasks import context


@pytest.fixture(autouse=True)
def clock() -> None:
    """Campaigns run to their end here, so time passes; the other modules of this folder hold it still."""


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


def test_execution_timeout_stops_a_campaign_whose_start_is_only_told_about(sandbox: Sandbox, upload: Any) -> None:
    attempt = context()

    def until_time_is_over(*_: Any, **__: Any) -> None:
        raise AirflowTaskTimeout

    attempt["ti"].xcom_push = until_time_is_over
    with pytest.raises(AirflowTaskTimeout):
        starting("standard", upload("standard")).execute(attempt)
    assert launches(sandbox) == [1]
    assert terminated(sandbox)


@pytest.mark.parametrize("sandbox", ["g2"], indirect=True)
@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.usefixtures("quick_settling")
def test_execution_timeout_stops_a_list_that_is_hidden_only_when_a_start_of_it_may_have_been_sent(
    sandbox: Sandbox, upload: Any, sent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_id = upload("standard")
    sandbox.settings(speed=1, listing_hides="all")
    sandbox.fault(method="POST", path="/campaign/start", kind="cut", when="after")

    def until_time_is_over(*_: Any) -> None:
        if not sent or posts(sandbox):
            raise AirflowTaskTimeout

    monkeypatch.setattr(launching, "sleep_until_told", until_time_is_over)
    with pytest.raises(AirflowTaskTimeout):
        starting("standard", list_id).execute(with_store(TaskStateModel()))
    assert launches(sandbox) == [int(sent)]
    assert terminated(sandbox) == sent


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
