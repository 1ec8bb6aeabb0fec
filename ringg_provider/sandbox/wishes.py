"""What people say when they want to be called back, and which time they mean by it: English and Indian usage."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

#: Minutes from now.
_SOON = (
    ("in half an hour", 30), ("aadhe ghante baad", 30), ("in 20 minutes", 20), ("after 45 minutes", 45),
    ("15 minute baad", 15), ("in an hour", 60), ("ek ghante baad", 60), ("after 2 hours", 120), ("do ghante baad", 120),
    ("in three hours", 180),
)  # fmt: skip
#: Days from now. What is said to be today has to be still to come.
_DAYS = (("today", 0), ("tomorrow", 1), ("day after tomorrow", 2))
_HINDI_DAYS = (("aaj", 0), ("kal", 1), ("parso", 2))
_CLOCK = (
    ("at 5 pm", time(17)), ("at 11 am", time(11)), ("at 6:30 pm", time(18, 30)), ("at 12 noon", time(12)),
    ("at 3 in the afternoon", time(15)), ("at 10:15 am", time(10, 15)), ("at 17:45", time(17, 45)),
    ("at 7 in the evening", time(19)),
)  # fmt: skip
_HINDI_CLOCK = (
    ("shaam 5 baje", time(17)), ("subah 10 baje", time(10)), ("dopahar 2 baje", time(14)), ("subah 11 baje", time(11)),
    ("shaam 6 baje", time(18)), ("shaam ko 7 baje", time(19)),
)  # fmt: skip
#: Parts of a day, and from when until when whoever says so may be called.
_PARTS = (
    ("morning", time(9), time(12)), ("afternoon", time(12), time(17)), ("evening", time(16), time(20)),
)  # fmt: skip
_HINDI_PARTS = (("subah", time(8), time(12)), ("dopahar", time(12), time(16)), ("shaam", time(16), time(20)))
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: No time can be read from these, not even by a person.
_VAGUE = (
    "later", "some other time", "baad mein", "when I am free", "sometime next week", "after I am back",
    "one of these days", "not now", "jab time mile", "whenever you like",
)  # fmt: skip
#: What is asked for is at least so far ahead, unless it is a span of minutes.
_NOTICE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Wish:
    """A wish to be called back.

    :param words: as it was said.
    :param zone: where the person lives, by whose clocks it is meant.
    :param earliest: from when, Unix time of the wall; None where not even the person knows.
    :param latest: until when; the same as `earliest` for a moment.
    """

    words: str
    zone: str
    earliest: float | None = None
    latest: float | None = None

    @property
    def middle(self) -> float | None:
        """The time in the middle, for whoever wants one moment."""
        return None if self.earliest is None or self.latest is None else (self.earliest + self.latest) / 2


def wish_for(dice: random.Random, at: float, zone: str, vague: float) -> Wish:
    """What somebody in `zone` asks for at a time.

    :param dice: decides.
    :param at: when they speak, Unix time.
    :param zone: IANA.
    :param vague: the share of wishes that name no time.
    """
    if dice.random() < vague:
        return Wish(dice.choice(_VAGUE), zone)
    now = datetime.fromtimestamp(at, ZoneInfo(zone))
    kinds = (_soon, _on_a_day, _on_a_hindi_day, _on_a_weekday, _on_a_date, _part_of_a_day, _part_of_a_hindi_day)
    words, earliest, latest = dice.choice(list(dice.choice(kinds)(now)))
    return Wish(words, zone, earliest.timestamp(), latest.timestamp())


_Meant = Iterator[tuple[str, datetime, datetime]]


def _soon(now: datetime) -> _Meant:
    for words, minutes in _SOON:
        # Minutes pass alike everywhere; a clock that is put forward does not shorten them.
        at = datetime.fromtimestamp(now.timestamp() + 60 * minutes, now.tzinfo)
        yield words, at, at


def _on(now: datetime, days: int, clock: time) -> datetime:
    return datetime.combine(now.date() + timedelta(days=days), clock, now.tzinfo)


def _moments(now: datetime, days: tuple[tuple[str, int], ...], clock: tuple[tuple[str, time], ...]) -> _Meant:
    for day, ahead in days:
        for words, hour in clock:
            at = _on(now, ahead, hour)
            if at - now >= _NOTICE:
                yield f"{day} {words}", at, at


def _on_a_day(now: datetime) -> _Meant:
    return _moments(now, _DAYS, _CLOCK)


def _on_a_hindi_day(now: datetime) -> _Meant:
    return _moments(now, _HINDI_DAYS, _HINDI_CLOCK)


def _on_a_weekday(now: datetime) -> _Meant:
    # Whoever means today or tomorrow says so.
    days = tuple((_WEEK[(now.weekday() + ahead) % 7], ahead) for ahead in range(2, 7))
    yield from _moments(now, days, _CLOCK)
    for day, ahead in days:
        for part, opens, closes in _PARTS:
            yield f"{day} {part}", _on(now, ahead, opens), _on(now, ahead, closes)


def _on_a_date(now: datetime) -> _Meant:
    for ahead in (1, 2, 3):
        for hour in (time(11), time(16, 30)):
            at = _on(now, ahead, hour)
            yield f"{at:%d/%m/%Y} at {at:%I:%M %p}", at, at
            yield f"{at.day} {at:%B} at {at:%H:%M}", at, at
            yield at.isoformat(), at, at


def _part_of_a_day(now: datetime) -> _Meant:
    for part, opens, closes in _PARTS:
        yield f"tomorrow {part}", _on(now, 1, opens), _on(now, 1, closes)


def _part_of_a_hindi_day(now: datetime) -> _Meant:
    for part, opens, closes in _HINDI_PARTS:
        yield f"kal {part}", _on(now, 1, opens), _on(now, 1, closes)
