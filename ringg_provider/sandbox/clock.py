"""Two clocks: the wall, which is what the wire shows, and simulated time, which runs `speed` times faster.

A campaign that is to start tomorrow morning starts, at speed 3600, a few seconds from now: its events are planned in
simulated time and stamped with the moment of the wall at which they really happened. So every wait is short, and no
timestamp is ever in the future.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections.abc import Callable, Iterable
from typing import Any


def whole_microseconds(when: float) -> float:
    """Unix time as a database keeps it: what is written on the wire and read back equals what is filtered by."""
    return math.floor(when * 1e6) / 1e6


class Clock:
    """Wall time and simulated time. Simulated time equals the wall's at the start and runs ahead from there."""

    def __init__(self, speed: float, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._speed = speed
        self._latest = whole_microseconds(now())
        self._wall_anchor = self._simulated_anchor = self._latest

    def wall(self) -> float:
        """Unix time; never runs backwards, even when the machine's clock does."""
        self._latest = max(self._latest, whole_microseconds(self._now()))
        return self._latest

    def simulated(self) -> float:
        return self._simulated_anchor + (self.wall() - self._wall_anchor) * self._speed

    def wall_at(self, simulated: float) -> float:
        """The moment of the wall at which simulated time was `simulated`; what was skipped happened at once."""
        elapsed = max(0.0, simulated - self._simulated_anchor) / self._speed
        return whole_microseconds(self._wall_anchor + elapsed)

    @property
    def speed(self) -> float:
        return self._speed

    def set_speed(self, speed: float) -> None:
        """Change the speed from now on. Everything due before now must have been carried out already."""
        self.skip(0.0)
        self._speed = speed

    def skip(self, seconds: float) -> None:
        """Let simulated time jump ahead; the same holds."""
        self._simulated_anchor, self._wall_anchor = self.simulated() + seconds, self._latest


class EventQueue:
    """What will happen, by simulated time; ties keep the order in which they were planned."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._at: float | None = None

    def now(self) -> float:
        """Simulated time: of the event that is being carried out, else of the clock."""
        return self.clock.simulated() if self._at is None else self._at

    def wall(self) -> float:
        """The wall's time of `now()`, never later than the wall itself."""
        return self.clock.wall() if self._at is None else min(self.clock.wall_at(self._at), self.clock.wall())

    @property
    def lead(self) -> float:
        """How far simulated time is ahead of the wall's."""
        return self.now() - self.wall()

    def ahead(self, spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        """Spans of the wall's time, in simulated time."""
        lead = self.lead
        return [(opens + lead, closes + lead) for opens, closes in spans]

    def at(self, when: float, action: Callable[..., None], *args: Any) -> None:
        heapq.heappush(self._heap, (when, next(self._order), action, args))

    def after(self, seconds: float, action: Callable[..., None], *args: Any) -> None:
        self.at(self.now() + seconds, action, *args)

    def run_due(self, budget_seconds: float | None = None) -> None:
        """Carry out what is due by now, in order; stop early after `budget_seconds` of real time."""
        until = self.clock.simulated()
        deadline = None if budget_seconds is None else time.monotonic() + budget_seconds
        try:
            while self._heap and self._heap[0][0] <= until:
                when, _, action, args = heapq.heappop(self._heap)
                self._at = when
                action(*args)
                if deadline is not None and time.monotonic() > deadline:
                    return
        finally:
            self._at = None
