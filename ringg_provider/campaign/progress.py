"""How far a running campaign has come, and when there is something new to say about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

#: An end that is further ahead than this is noise of the first few calls, not a forecast.
LONGEST_FORECAST = timedelta(days=365)


class Stage(StrEnum):
    """A campaign's state, reduced to what waiting for it must know. An unknown status is never read as an end."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TERMINATED = "terminated"
    MISSING = "missing"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether the campaign has ended, one way or another."""
        return self in (Stage.COMPLETED, Stage.FAILED, Stage.TERMINATED)


@dataclass(frozen=True)
class Progress:
    """One sighting of a campaign.

    :param stage: where it is.
    :param status: the platform's own word for it, unchanged; None when the platform does not show it.
    :param contacts: people on the list; None when not told.
    :param finished: calls that have reached their final state; None when not told.
    """

    stage: Stage
    status: str | None = None
    contacts: int | None = None
    finished: int | None = None


class ProgressReporter:
    """Says what changed since the last sighting, once per change.

    :param campaign_id: named in every line.
    :param now: the clock; default the real one.
    """

    def __init__(self, campaign_id: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._campaign_id = campaign_id
        self._now = now
        self._last: Progress | None = None
        self._first_count: tuple[datetime, int] | None = None

    def line(self, progress: Progress) -> str | None:
        """A line for the log, or None when nothing has changed."""
        if progress == self._last:
            return None
        self._last = progress
        parts = [f"Campaign {self._campaign_id} is {progress.status or progress.stage.value}"]
        if progress.contacts is not None:
            parts.append(f"{progress.contacts} contacts")
        if progress.finished is not None:
            share = f" ({progress.finished / progress.contacts:.0%})" if progress.contacts else ""
            parts.append(f"{progress.finished} calls finished{share}")
        expected = self._expected_end(progress)
        if expected is not None:
            parts.append(f"expected end {expected:%Y-%m-%d %H:%M} UTC")
        return ", ".join(parts) + "."

    def _expected_end(self, progress: Progress) -> datetime | None:
        """Assume that the rest goes as fast as what was finished while we watched."""
        if progress.stage.is_final or progress.finished is None or not progress.contacts:
            return None
        now = self._now()
        if self._first_count is None:
            self._first_count = (now, progress.finished)
            return None
        since, count = self._first_count
        done = progress.finished - count
        rest = progress.contacts - progress.finished
        if done <= 0 or rest <= 0 or now <= since:
            return None
        ahead = (now - since).total_seconds() * rest / done
        return now + timedelta(seconds=ahead) if ahead < LONGEST_FORECAST.total_seconds() else None
