"""Where a task keeps what it is about to send, without a ledger: Airflow's task state store, or nowhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ringg_provider.launch.terms import Intent
from ringg_provider.operators import intents
from ringg_provider.operators.intents import (
    INTENT_RETENTION,
    NoIntents,
    TaskStateIntents,
    clearing_forgets,
    note_first_attempt,
)
from tests.launch.hostile import TaskStateModel

INTENT = Intent("list-1", "digest", {"list_id": "list-1", "from_numbers": ["number-1"]})


class Noting(TaskStateModel):
    """Also remembers for how long values are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept_for: list[timedelta | None] = []

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        self.kept_for.append(retention)
        super().set(key, value, retention=retention)


def test_an_intent_is_found_again_whole_by_the_next_attempt() -> None:
    state = TaskStateModel()
    assert TaskStateIntents(state).find("list-1") is None
    assert TaskStateIntents(state).claim(INTENT) is None
    assert TaskStateIntents(state).find("list-1") == INTENT


def test_intents_of_several_lists_do_not_know_of_each_other() -> None:
    store = TaskStateIntents(TaskStateModel())
    store.claim(INTENT)
    assert store.find("list-2") is None
    store.forget(Intent("list-2", "digest", {}))
    assert store.find("list-1") == INTENT


def test_an_intent_that_was_forgotten_is_gone_and_one_that_was_confirmed_stays() -> None:
    store = TaskStateIntents(TaskStateModel())
    store.claim(INTENT)
    store.confirm("list-1")
    assert store.find("list-1") == INTENT
    store.forget(INTENT)
    assert store.find("list-1") is None
    store.forget(INTENT)


def test_an_intent_outlives_a_long_weekend_and_the_stores_own_default() -> None:
    state = Noting()
    TaskStateIntents(state).claim(INTENT)
    assert state.kept_for == [INTENT_RETENTION]
    assert timedelta(days=7) < INTENT_RETENTION


def attempted() -> TaskStateModel:
    """The store of a task whose first attempt has begun."""
    note_first_attempt(state := TaskStateModel())
    return state


@pytest.mark.usefixtures("forgetful")
def test_after_a_clear_that_emptied_the_store_every_list_may_have_been_started() -> None:
    store = TaskStateIntents(TaskStateModel(), cleared=lambda: True)
    assert store.forgot
    assert store.find("list-1") == Intent("list-1", None, {})


@pytest.mark.usefixtures("forgetful")
def test_after_a_clear_that_kept_the_store_what_is_not_there_was_not_sent() -> None:
    state = attempted()
    assert TaskStateIntents(state, cleared=lambda: True).find("list-1") is None
    TaskStateIntents(state).claim(INTENT)
    assert TaskStateIntents(state, cleared=lambda: True).find("list-1") == INTENT
    assert TaskStateIntents(state, cleared=lambda: True).find("list-2") is None


@pytest.mark.usefixtures("forgetful")
def test_an_attempt_that_no_clear_came_before_knows_that_nothing_was_sent() -> None:
    assert TaskStateIntents(TaskStateModel()).find("list-1") is None


def test_an_airflow_that_keeps_the_state_is_believed_whatever_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intents, "clearing_forgets", lambda: False)
    assert TaskStateIntents(TaskStateModel(), cleared=lambda: True).find("list-1") is None


def test_that_there_was_an_attempt_is_kept_as_long_as_what_it_may_send() -> None:
    note_first_attempt(state := Noting())
    assert state.kept_for == [INTENT_RETENTION]


def test_clearing_forgets_from_the_airflow_on_that_asks_whether_to_keep() -> None:
    # No API to ask for it: what is cleared is decided on the server.
    fields = pytest.importorskip("airflow.api_fastapi.core_api.datamodels.task_instances").ClearTaskInstancesBody
    assert clearing_forgets() == ("keep_task_state" in fields.model_fields)


def test_without_a_store_nothing_is_kept_and_nothing_stands_in_the_way() -> None:
    store = NoIntents()
    assert store.claim(INTENT) is None
    assert store.find("list-1") is None
    store.forget(INTENT)
    store.confirm("list-1")
