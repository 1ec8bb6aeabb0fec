"""Where a task keeps what it is about to send, without a ledger: Airflow's task state store, or nowhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ringg_provider.launch.terms import Intent
from ringg_provider.operators.intents import INTENT_RETENTION, NoIntents, TaskStateIntents
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


def test_without_a_store_nothing_is_kept_and_nothing_stands_in_the_way() -> None:
    store = NoIntents()
    assert store.claim(INTENT) is None
    assert store.find("list-1") is None
    store.forget(INTENT)
    store.confirm("list-1")
