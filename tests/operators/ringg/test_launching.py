"""Starting as tasks do it, against the sandbox on a socket; the protocol has its own tests."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    TaskDeferred,
)

from ringg_provider.exceptions import (
    InvalidRequest,
    LaunchOutcomeUnknown,
    NetworkError,
    NotFound,
)
from tests.launch.hostile import TaskStateModel
from tests.operators.ringg.starts import (
    both_flows,
    both_generations,
    launches,
    posts,
    starting,
    with_store,
)
from tests.support.sandbox import Sandbox
from tests.support.tasks import context


@pytest.fixture(autouse=True)
def clock() -> None:
    """Campaigns run to their end here, so time passes; the other modules of this folder hold it still."""


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


# A platform that does not show everything.


@pytest.mark.parametrize("sandbox", ["g2"], indirect=True)
@pytest.mark.usefixtures("quick_settling")
def test_a_saved_list_that_no_listing_shows_before_its_start_is_started_once(sandbox: Sandbox, upload: Any) -> None:
    sandbox.settings(listing_hides="unstarted", refuse_second_start=False)
    list_id = upload("standard")
    attempt = with_store(TaskStateModel())
    assert starting("standard", list_id).execute(attempt) == list_id
    assert starting("standard", list_id).execute(attempt) == list_id
    assert launches(sandbox) == [1]


@pytest.mark.parametrize("sandbox", ["g2"], indirect=True)
@pytest.mark.usefixtures("quick_settling")
def test_a_saved_list_that_no_listing_shows_is_not_started_where_no_intent_is_kept(
    sandbox: Sandbox, upload: Any
) -> None:
    sandbox.settings(listing_hides="unstarted", refuse_second_start=False)
    list_id = upload("standard")
    with pytest.raises(AirflowFailException, match="launch_key and ledger_conn_id"):
        starting("standard", list_id).execute(context())
    assert launches(sandbox) in ([], [0])


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
    ours = [record for record in caplog.records if record.name.startswith("ringg_provider")]
    warned = [record.getMessage() for record in ours if record.levelname == "WARNING"]
    assert f"The answer to the start of list {list_id} is lost (NetworkError), so it may be calling." in warned[0]
    caplog.clear()
    with pytest.raises(AirflowFailException):
        starting("standard", list_id).execute(with_store(store))
    first = next(record for record in caplog.records if record.name == "ringg_provider.launch.protocol")
    assert first.levelname == "WARNING"
    assert f"A start of list {list_id} was sent by an earlier attempt, or was about to be" in first.getMessage()
