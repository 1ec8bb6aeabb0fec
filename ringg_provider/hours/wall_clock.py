"""Arithmetic on half-open spans, and what a wall clock in a zone shows during spans of UTC minutes.

A *minute* is a whole number of minutes since 1970-01-01 00:00 UTC, a *span* is a half-open pair ``(first,
end)``. Zones come from the IANA database through :mod:`zoneinfo`; a repeated or skipped hour is never guessed
at, because every calculation starts from UTC and asks what the clock on the wall shows then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

Span = tuple[int, int]
#: What a span may be made of besides minutes.
Point = TypeVar("Point", int, datetime)

MINUTES_PER_DAY = 24 * 60
_EPOCH_DAY = date(1970, 1, 1).toordinal()
# Zones change their offset at most a few times a year, so looking twice a day cannot miss a change.
_LOOK_EVERY = 12 * 60


def floor_minute(moment: datetime) -> int:
    """The minute that ``moment`` (aware) lies in."""
    return int(moment.timestamp() // 60)


def ceil_minute(moment: datetime) -> int:
    """The first minute that does not begin before ``moment`` (aware)."""
    return -int(-moment.timestamp() // 60)


def normalise(spans: Iterable[tuple[Point, Point]]) -> list[tuple[Point, Point]]:
    """Sort, drop the empty ones, and join those that touch or overlap."""
    joined: list[tuple[Point, Point]] = []
    for first, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((first, end))
    return joined


def intersect(left: Sequence[Span], right: Sequence[Span]) -> list[Span]:
    """What lies in both of two normalised lists."""
    common: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first < end:
            common.append((first, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return common


def subtract(left: Sequence[tuple[Point, Point]], right: Sequence[tuple[Point, Point]]) -> list[tuple[Point, Point]]:
    """What lies in the first normalised list and not in the second."""
    rest: list[tuple[Point, Point]] = []
    for first, end in left:
        for cut_first, cut_end in right:
            if cut_end <= first or end <= cut_first:
                continue
            if first < cut_first:
                rest.append((first, cut_first))
            first = cut_end
            if first >= end:
                break
        if first < end:
            rest.append((first, end))
    return rest


def length(spans: Iterable[Span]) -> int:
    """How many minutes a normalised list holds."""
    return sum(end - first for first, end in spans)


class WallClock:
    """The clock on the wall in one zone.

    :param zone: an IANA name, already known to exist.
    """

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)

    def moment(self, minute: int) -> datetime:
        """The aware local time at which ``minute`` begins."""
        return datetime.fromtimestamp(minute * 60, self.zone)

    def offset(self, minute: int) -> int:
        """Minutes that this zone is ahead of UTC at ``minute``."""
        shift = self.moment(minute).utcoffset()
        assert shift is not None
        return int(shift.total_seconds() // 60)

    def steady_spans(self, first: int, end: int) -> list[tuple[int, int, int]]:
        """Cut ``[first, end)`` where the offset changes; each part comes with its offset."""
        parts: list[tuple[int, int, int]] = []
        begin, offset = first, self.offset(first)
        look = first
        while look < end:
            ahead = min(look + _LOOK_EVERY, end)
            if (changed := self.offset(ahead)) != offset:
                low, high = look, ahead
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if self.offset(middle) == offset else (low, middle)
                parts.append((begin, high, offset))
                begin, offset = high, changed
            look = ahead
        if begin < end:
            parts.append((begin, end, offset))
        return parts

    def when(self, hours: Callable[[date], Iterable[Span]], first: int, end: int) -> list[Span]:
        """The minutes of ``[first, end)`` at which the wall shows a time inside ``hours`` of its date.

        :param hours: for a local date the allowed spans, in minutes after local midnight (at most 1440).
        :return: a normalised list of UTC spans.
        """
        found: list[Span] = []
        for begin, stop, offset in self.steady_spans(first, end):
            for day in range((begin + offset) // MINUTES_PER_DAY, (stop + offset - 1) // MINUTES_PER_DAY + 1):
                midnight = day * MINUTES_PER_DAY - offset
                for opens, closes in hours(day_to_date(day)):
                    found.append((max(begin, midnight + opens), min(stop, midnight + closes)))
        return normalise(found)

    def shown(self, spans: Iterable[Span]) -> dict[int, list[Span]]:
        """What the wall shows during ``spans``: for each day number, normalised minutes after midnight."""
        shown: dict[int, list[Span]] = {}
        for first, end in spans:
            for begin, stop, offset in self.steady_spans(first, end):
                local, local_end = begin + offset, stop + offset
                while local < local_end:
                    day, minute = divmod(local, MINUTES_PER_DAY)
                    until = min(local_end, (day + 1) * MINUTES_PER_DAY)
                    shown.setdefault(day, []).append((minute, minute + until - local))
                    local = until
        return {day: normalise(parts) for day, parts in shown.items()}

    def unmistakable(self, span: Span) -> Span:
        """Shrink ``span`` until the wall shows both of its ends only once.

        Times on the wire carry no offset. A start or end in an hour that the wall shows twice could be read
        an hour off, so the start moves behind that hour and the end before it. The result can be empty.
        """
        first, end = span
        while self._twice(first) and first < end:
            first += 1
        while self._twice(end) and first < end:
            end -= 1
        return first, end

    def _twice(self, minute: int) -> bool:
        moment = self.moment(minute)
        return moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()


@lru_cache(maxsize=512)
def clock_in(zone: str) -> WallClock:
    """The wall clock of ``zone``, made once."""
    return WallClock(zone)


def day_to_date(day: int) -> date:
    """The date of a day number (days since 1970-01-01)."""
    return date.fromordinal(_EPOCH_DAY + day)
