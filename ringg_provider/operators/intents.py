"""Where a task keeps what it is about to send, when there is no launch ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ringg_provider.launch.terms import Intent

#: Long enough for a retry that comes late, or for a task that is cleared after a long weekend.
INTENT_RETENTION = timedelta(days=30)


class TaskStateIntents:
    """Tier 1: intents in Airflow's task state store (3.3+), which survives retries, deferral and clearing."""

    remembers = True

    def __init__(self, store: Any) -> None:
        self._store = store

    def find(self, list_id: str) -> Intent | None:
        """The intent of this task for the list; keyed by list because map indexes are positional."""
        stored = self._store.get(self._key(list_id))
        if stored is None:
            return None
        return Intent(list_id, stored["fingerprint"], stored["request"])

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
