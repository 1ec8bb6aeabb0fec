"""How far a running campaign has come, and when there is something new to say about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any

from ringg_provider import wording

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
    :param out_of_credits: nothing moves, and the workspace has no credits: its calls wait for a top-up.
    """

    stage: Stage
    status: str | None = None
    contacts: int | None = None
    finished: int | None = None
    out_of_credits: bool = False


#: Sightings in a row without a change after which the workspace's credits are worth a look.
STILL_SIGHTINGS = 5
#: The most sightings between two such looks, while there are credits and still nothing moves.
MOST_STILL_SIGHTINGS = 40


class StallWatch:
    """Tells when a running campaign has stood still for so long that its workspace's credits are worth a look.

    Some platforms do not say how many calls have ended, so that a campaign that moves looks the same; and at night all
    of them stand still. So credits are asked for rarely: after five sightings without a change, then after ten, twenty
    and forty more; while they are used up after every five, to see the top-up.
    """

    def __init__(self) -> None:
        self._last: Progress | None = None
        self._wait = self._due_in = STILL_SIGHTINGS
        self._out_of_credits = False

    def is_due(self, progress: Progress) -> bool:
        """Take a sighting into account; whether the credits should be read now."""
        if progress != self._last:
            self._last, self._out_of_credits = progress, False
            self._wait = self._due_in = STILL_SIGHTINGS
            return False
        if progress.stage is not Stage.RUNNING:
            return False
        self._due_in -= 1
        return self._due_in <= 0

    def tell(self, spendable_credits: Decimal | None) -> None:
        """What the look at the credits found; None when they could not be read, which proves nothing."""
        self._out_of_credits = spendable_credits is not None and spendable_credits <= 0
        self._wait = STILL_SIGHTINGS if self._out_of_credits else min(2 * self._wait, MOST_STILL_SIGHTINGS)
        self._due_in = self._wait

    def mark(self, progress: Progress) -> Progress:
        """The sighting, with what is known about the credits."""
        return replace(progress, out_of_credits=self._out_of_credits)


class ProgressReporter:
    """Says what changed since the last sighting, once per change.

    :param campaign_id: named in every line.
    :param now: the clock; default the real one.
    :param zone: where times are told. Default UTC.
    """

    def __init__(
        self, campaign_id: str, now: Callable[[], datetime] = lambda: datetime.now(UTC), zone: tzinfo = UTC
    ) -> None:
        self._campaign_id = campaign_id
        self._now = now
        self._zone = zone
        self._last: Progress | None = None
        self._first_count: tuple[datetime, int] | None = None

    def report(self, progress: Progress, log: Any) -> None:
        """Log what has changed, if anything; as a warning when the campaign is out of credits."""
        if line := self.line(progress):
            (log.warning if progress.out_of_credits else log.info)("%s", line)

    def line(self, progress: Progress) -> str | None:
        """A line for the log, or None when nothing has changed."""
        if progress == self._last:
            return None
        self._last = progress
        parts = [f"Campaign {self._campaign_id} is {progress.status or progress.stage.value}"]
        if progress.contacts is not None:
            parts.append(wording.counted(progress.contacts, "contact"))
        if progress.finished is not None:
            share = f" ({progress.finished / progress.contacts:.0%})" if progress.contacts else ""
            parts.append(f"{wording.counted(progress.finished, 'call')} finished{share}")
        if progress.out_of_credits:
            parts.append("out of credits: its calls wait for a top-up, and fail if none comes before its end")
            return ", ".join(parts) + "."
        expected = self._expected_end(progress)
        if expected is not None:
            left = wording.duration(expected - self._now())
            parts.append(f"expected end {wording.moment(expected, self._zone)}, in {left}")
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
