"""Attempts after a clear, with which Airflow 3.4 discards what the task had noted; every Airflow is taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider.exceptions import LaunchOutcomeUnknown
from ringg_provider.operators import launching
from ringg_provider.operators.ringg import RinggLaunchOperator
from tests.launch.hostile import TaskStateModel
from tests.operators.ringg.starts import AGENT, COMMON, CONFIG, LINE, launches, posts, starting
from tests.support.sandbox import Sandbox
from tests.support.tasks import Run, TaskInstance

pytestmark = pytest.mark.usefixtures("forgetful", "quick_settling")


@pytest.fixture(autouse=True)
def clock() -> None:
    """What is looked for takes time."""


def attempt(store: TaskStateModel, number: int = 1, *, max_tries: int = 0, clear_number: int = 0) -> Any:
    """The context of an attempt; `max_tries` is what the scheduler holds it to be."""
    ti = TaskInstance(try_number=number, max_tries=max_tries)
    return {"ti": ti, "dag_run": Run(clear_number=clear_number), "task_state_store": store}


def run(operator: Any, context: Any) -> Any:
    """As Airflow does it."""
    operator.pre_execute(context)
    return operator.execute(context)


def launching_item(list_id: str, clear_number: int | None) -> RinggLaunchOperator:
    item = {"list_id": list_id, "flow": "standard", "agent_id": AGENT, "country_code": "+91", "call_config": CONFIG}
    return RinggLaunchOperator(**COMMON, launch={**item, "clear_number": clear_number}, from_numbers=[LINE])


def refuses(operator: Any, context: Any) -> None:
    with pytest.raises(AirflowFailException, match="Keep task state and resume") as refused:
        run(operator, context)
    assert isinstance(refused.value.__cause__, LaunchOutcomeUnknown)


@pytest.mark.parametrize(
    ("max_tries", "clear_number"),
    [(1, 1), (1, 0), (0, 1)],
    ids=["as in the UI", "without the run", "of a task whose retries were lowered and raised again"],
)
def test_a_start_that_was_sent_unseen_is_not_sent_again_after_a_clear_that_emptied_the_store(
    sandbox: Sandbox, upload: Any, max_tries: int, clear_number: int
) -> None:
    sandbox.settings(refuse_second_start=False)
    list_id = upload("standard")
    sandbox.fault(method="POST", path="/campaign", kind="cut", when="before")
    with pytest.raises(AirflowFailException, match="its answer is lost"):
        run(starting("standard", list_id), attempt(TaskStateModel()))
    emptied = TaskStateModel()
    refuses(starting("standard", list_id), attempt(emptied, 2, max_tries=max_tries, clear_number=clear_number))
    refuses(starting("standard", list_id), attempt(emptied, 3, max_tries=2, clear_number=2))
    assert posts(sandbox) == 1


def test_a_campaign_that_runs_is_adopted_after_a_clear(sandbox: Sandbox, upload: Any) -> None:
    list_id = upload("standard")
    run(starting("standard", list_id), attempt(TaskStateModel()))
    emptied = attempt(TaskStateModel(), 2, max_tries=1, clear_number=1)
    assert run(starting("standard", list_id), emptied) == list_id
    assert launches(sandbox) == [1]


def test_a_clear_that_keeps_the_store_lets_a_list_be_started_that_was_not(sandbox: Sandbox, upload: Any) -> None:
    list_id, store = upload("standard"), TaskStateModel()
    starting("standard", list_id).pre_execute(attempt(store))  # and then, say, its connection is missing
    assert run(starting("standard", list_id), attempt(store, 2, max_tries=1, clear_number=1)) == list_id
    assert launches(sandbox) == [1]


@pytest.mark.parametrize(
    "first", [attempt(TaskStateModel(), max_tries=3), attempt(TaskStateModel(), clear_number=2)], ids=["retries", "run"]
)
def test_a_first_attempt_is_never_one_after_a_clear(sandbox: Sandbox, upload: Any, first: Any) -> None:
    # The server may hold other retries than the worker, and a run can be cleared before a task of it was attempted.
    list_id = upload("standard")
    assert run(starting("standard", list_id), first) == list_id
    assert launches(sandbox) == [1]


def test_a_retry_whose_first_attempt_died_before_it_began_starts(sandbox: Sandbox, upload: Any) -> None:
    list_id = upload("standard")
    assert run(starting("standard", list_id, retries=3), attempt(TaskStateModel(), 2, max_tries=3)) == list_id
    assert launches(sandbox) == [1]


def test_an_attempt_that_is_being_cleared_while_it_runs_sends_nothing(
    sandbox: Sandbox, upload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "task_state", lambda *_: "restarting")
    list_id = upload("standard")
    refuses(starting("standard", list_id, retries=3), attempt(TaskStateModel(), 2, max_tries=3))
    assert posts(sandbox) == 0


def test_a_list_that_was_uploaded_after_the_last_clear_is_started(sandbox: Sandbox, upload: Any) -> None:
    list_id = upload("standard")
    cleared = attempt(TaskStateModel(), 3, max_tries=2, clear_number=2)
    assert run(launching_item(list_id, 2), cleared) == list_id
    assert launches(sandbox) == [1]


def test_a_list_that_was_uploaded_before_the_last_clear_is_not(sandbox: Sandbox, upload: Any) -> None:
    list_id = upload("standard")
    for before in (None, 1):
        refuses(launching_item(list_id, before), attempt(TaskStateModel(), 3, max_tries=2, clear_number=2))
    assert posts(sandbox) == 0
