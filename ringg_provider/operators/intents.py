"""Where a task keeps what it is about to send, when there is no launch ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from importlib.metadata import version
from typing import Any

from ringg_provider.launch.terms import Intent

#: Long enough for a retry that comes late, or for a task that is cleared after a long weekend.
INTENT_RETENTION = timedelta(days=30)

_ATTEMPTED = "attempted"


@cache
def clearing_forgets() -> bool:
    """Whether clearing tasks in the UI or by the API discards their state, unless it is to be kept (Airflow 3.4+)."""
    major, minor, *_ = version("apache-airflow-task-sdk").split(".")
    return (int(major), int(minor)) >= (1, 4)


def note_first_attempt(store: Any) -> None:
    """Note in a task's store that it was attempted, by which an emptied store is told from one with nothing to note.

    Later attempts do not: what was forgotten stays forgotten.
    """
    store.set(_ATTEMPTED, True, retention=INTENT_RETENTION)


class TaskStateIntents:
    """Tier 1: intents in Airflow's task state store (3.3+), which survives retries and deferral, and clearing in 3.3.

    :param store: that of the task.
    :param cleared: whether the task may have been cleared since its first attempt; asked only where the store would
        have been emptied with it, because it may take a request.
    """

    remembers = True

    def __init__(self, store: Any, *, cleared: Callable[[], bool] = lambda: False) -> None:
        self._store = store
        self._cleared = cleared

    @property
    def forgot(self) -> bool:
        """Whether earlier attempts may have noted what is not there any more."""
        return clearing_forgets() and self._cleared() and self._store.get(_ATTEMPTED) is None

    def find(self, list_id: str) -> Intent | None:
        """The intent of this task for the list; keyed by list because map indexes are positional.

        Where the store forgot, there may have been one, and nothing may be sent.
        """
        stored = self._store.get(self._key(list_id))
        if stored is not None:
            return Intent(list_id, stored["fingerprint"], stored["request"])
        return Intent(list_id, None, {}) if self.forgot else None

    def claim(self, intent: Intent) -> Intent | None:
        """Store the intent. One task instance runs once at a time, so nobody claims beside it."""
        self._store.set(
            self._key(intent.list_id),
            {"fingerprint": intent.fingerprint, "request": dict(intent.request)},
            retention=INTENT_RETENTION,
        )
        return None

    def forget(self, intent: Intent) -> None:
        """Remove the intent."""
        self._store.delete(self._key(intent.list_id))

    def confirm(self, list_id: str) -> None:
        """Nothing to note: the platform shows the list as started, and the intent stays."""

    @staticmethod
    def _key(list_id: str) -> str:
        return f"launch:{list_id}"


class NoIntents:
    """No store (``durable=False``, or Airflow below 3.3 without a ledger): the platform's own refusal is relied on."""

    remembers = False

    def find(self, list_id: str) -> Intent | None:
        """Nothing was kept."""
        return None

    def claim(self, intent: Intent) -> Intent | None:
        """Nothing is kept."""
        return None

    def forget(self, intent: Intent) -> None:
        """Nothing was kept."""

    def confirm(self, list_id: str) -> None:
        """Nothing is kept."""
