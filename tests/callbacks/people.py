"""People who ask to be called back, and their calls, for the tests of promises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from ringg_provider.callbacks.asked import Call
from ringg_provider.callbacks.keeping import Changes, Terms, changes, promises_in
from ringg_provider.callbacks.loading import PromiseTerms
from ringg_provider.hours.lawful import LawfulHours
from ringg_provider.hours.rules import load_rules

#: A Monday, 12:00 in India.
NOON = dt.datetime(2026, 3, 2, 6, 30, tzinfo=dt.UTC)
NUMBER = "+919800000001"
HOURS = LawfulHours(load_rules(), purpose="promotional", no_rule="hold")
TERMS = PromiseTerms(HOURS).terms()


def hours(number: float) -> dt.timedelta:
    return dt.timedelta(hours=number)


def asking(call_id: str, at: dt.datetime, when: dt.datetime | str | None, **more: Any) -> Call:
    """A call in which they ask to be called at a time, which the platform writes in ISO."""
    words = when.isoformat() if isinstance(when, dt.datetime) else when
    return Call(
        call_id, at, NUMBER, **{"agent_id": "agent", "list_id": "list", **more}, reached=True, asks=True, words=words
    )


def talking(call_id: str, at: dt.datetime, **more: Any) -> Call:
    """A call that reaches them, in which they ask for nothing."""
    return Call(call_id, at, NUMBER, reached=True, **more)


def ringing(call_id: str, at: dt.datetime, **more: Any) -> Call:
    """A call that nobody takes."""
    return Call(call_id, at, NUMBER, **more)


class Table:
    """The rows of one person, as the database would have them."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.terms = terms

    def load(self, calls: Iterable[Call], now: dt.datetime) -> Changes:
        """Load calls, all that are known of the person."""
        before = list(self.rows.values())
        made = changes(promises_in(calls, before, self.terms), before, self.terms, now)
        for promise_id in made.deleted:
            del self.rows[promise_id]
        self.rows |= {row["promise_id"]: row for row in made.rows}
        return made

    @property
    def only(self) -> dict[str, Any]:
        """The only row."""
        (row,) = self.rows.values()
        return row

    def said(self) -> list[dict[str, Any]]:
        """All that does not depend on when it was loaded."""
        unsaid = ("first_seen_at", "changed_at")
        rows = sorted(self.rows.values(), key=lambda row: row["promise_id"])
        return [{name: value for name, value in row.items() if name not in unsaid} for row in rows]


def states(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [row["state"] for row in rows]
