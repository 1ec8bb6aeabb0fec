"""Which moment is meant by what was said, on the clock of the callee.

An hour without am or pm is taken where only one of its two readings lies in the daytime, outside of which nobody is
called anyway: 5 is 17:00, 11 is 11:00, and 8 is unclear. Everything that has two readings left is unclear.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from importlib import resources

from ringg_provider.callbacks.words.dates import read_date
from ringg_provider.callbacks.words.doubts import Doubt
from ringg_provider.callbacks.words.grammar import Clock, Relation, Said
from ringg_provider.callbacks.words.zones import month_first, zone_meant

#: From and until; equal for an instant; UTC.
Moments = tuple[datetime, datetime]

DAY_BEGINS, DAY_ENDS = 8 * 60, 21 * 60
_MIDNIGHT = 24 * 60
#: What "after five" and "before five" promise, in minutes.
_AMPLE = 120
# Who says "at five" so long after five, in minutes, need not mean tomorrow.
_JUST = 60
# Until then, "tomorrow" can be the day that has begun already.
_NIGHT_ENDS = 4 * 60
_PAST = "it is in the past"
_CONTRADICTS = "it contradicts itself"
_SATURDAY, _SUNDAY = 5, 6

# Minutes after midnight.
_Minutes = tuple[int, int]


def resolve(said: Said, *, said_at: datetime, zone: tzinfo, languages: Sequence[str]) -> Moments:
    """The moment, or the span, that is meant.

    :param said: what stands in the sentence.
    :param said_at: when; aware.
    :param zone: the callee's.
    :param languages: codes of dateparser, for the names of months.
    :raises Doubt: it is not certain which.
    """
    spoken = zone_meant(said.zones, said.offsets, callee=zone, said_at=said_at)
    now = said_at.astimezone(spoken.zone)
    if said.has_day and spoken.zone is not zone and now.date() != said_at.astimezone(zone).date():
        raise Doubt("which time zone is meant is not certain")
    moments = _Resolver(said, now, spoken.zone, zone, languages).moments()
    for moment in moments:
        spoken.check(moment)
    return moments


class _Resolver:
    def __init__(self, said: Said, now: datetime, zone: tzinfo, callee: tzinfo, languages: Sequence[str]) -> None:
        self.said = said
        self.now = now
        self.zone = zone
        self.callee = callee
        self.languages = languages
        self.today = now.date()
        self.minute = now.hour * 60 + now.minute

    def moments(self) -> Moments:
        said = self.said
        if self.minute < _NIGHT_ENDS and (said.days or said.later_days):
            raise Doubt("it was said at night, when a day can be the one before or after midnight")
        if said.lengths:
            return self._from_now()
        if said.weeks and not said.weekdays:
            return self._week()
        if len({*said.later_days}) > 1:
            raise Doubt(_CONTRADICTS)
        if said.later_days and said.later_days[0][0] != said.later_days[0][1]:
            return self._days_from_now()
        day = self._day()
        if said.ranges:
            return self._range(day)
        if said.same_time:
            return self._same_time(day)
        if said.clocks:
            return self._clock(day)
        if said.parts:
            return self._part(day)
        if day is None:
            raise Doubt("no time was said")
        return self._span(day, (DAY_BEGINS, DAY_ENDS))

    def _only(self, *names: str) -> None:
        """Make sure that nothing was said besides."""
        for name in (
            "days",
            "weekdays",
            "dates",
            "ordinals",
            "weeks",
            "parts",
            "clocks",
            "ranges",
            "lengths",
            "later_days",
        ):
            if name not in names and getattr(self.said, name):
                raise Doubt("how its parts belong together is not certain")
        if self.said.same_time and "same_time" not in names:
            raise Doubt("how its parts belong together is not certain")

    def _from_now(self) -> Moments:
        self._only("lengths", "days")
        if len(self.said.lengths) > 1:
            raise Doubt("it says more than one time")
        shortest, longest = (timedelta(minutes=each) for each in self.said.lengths[0])
        moments = self.now.astimezone(UTC) + shortest, self.now.astimezone(UTC) + longest
        if self.said.days and {0} != set(self.said.days):
            raise Doubt("how its parts belong together is not certain")
        if self.said.days and moments[1].astimezone(self.zone).date() != self.today:
            raise Doubt(_CONTRADICTS)
        return moments

    def _days_from_now(self) -> Moments:
        self._only("later_days")
        first, last = (self.today + timedelta(days=days) for days in self.said.later_days[0])
        return self._at(first, DAY_BEGINS), self._at(last, DAY_ENDS)

    def _week(self) -> Moments:
        self._only("weeks")
        if len(set(self.said.weeks)) > 1:
            raise Doubt(_CONTRADICTS)
        monday = self.today - timedelta(days=self.today.weekday())
        match self.said.weeks[0]:
            case "weekend":
                if self.today.weekday() >= _SATURDAY:
                    raise Doubt("it was said on a weekend, and can be this one or the next")
                first, last = monday + timedelta(days=_SATURDAY), monday + timedelta(days=_SUNDAY)
            case "this_week":
                if self.today.weekday() >= _SATURDAY:
                    raise Doubt("it was said on a weekend, when a week ends or begins")
                return self._ahead((self.now.astimezone(UTC), self._at(monday + timedelta(days=4), DAY_ENDS)))
            case _:
                self._need_a_week()
                first, last = monday + timedelta(days=7), monday + timedelta(days=11)
        return self._at(first, DAY_BEGINS), self._at(last, DAY_ENDS)

    def _need_a_week(self) -> None:
        if self.today.weekday() == _SUNDAY:
            raise Doubt("it was said on a Sunday, which ends a week or begins it")

    def _day(self) -> date | None:
        """The one day that everything agrees on; None where none was said."""
        said = self.said
        days = {self.today + timedelta(days=each) for each in said.days}
        days |= {self.today + timedelta(days=first) for first, _ in said.later_days}
        days |= {
            read_date(each, today=self.today, month_first=month_first(self.callee), languages=self.languages)
            for each in said.dates
        }
        if len(days) > 1:
            raise Doubt(_CONTRADICTS)
        day = next(iter(days), None)
        for number in set(said.ordinals):
            day = self._day_of_month(number) if day is None else day
            if day.day != number:
                raise Doubt(_CONTRADICTS)
        for weekday, is_next in said.weekdays:
            day = self._weekday(weekday, is_next=is_next) if day is None else day
            if day.weekday() != weekday or said.weeks:
                day = self._weekday_of_week(weekday, day, is_next=is_next)
        return day

    def _day_of_month(self, number: int) -> date:
        """The next such day; today's number can be this month's or the next one's."""
        if number == self.today.day:
            raise Doubt("it can be today, or in a month")
        for ahead in range(1, 32):
            if (day := self.today + timedelta(days=ahead)).day == number:
                return day
        raise Doubt("there is no such day")

    def _weekday(self, weekday: int, *, is_next: bool) -> date:
        if self.said.weeks:
            return self._weekday_of_week(weekday, None, is_next=is_next)
        ahead = (weekday - self.today.weekday()) % 7
        if ahead == 0:
            if not is_next:
                raise Doubt("it can be today, or in a week")
            return self.today + timedelta(days=7)
        if is_next:
            self._need_a_week()
            if weekday > self.today.weekday():
                raise Doubt("next can mean this one or the one after it")
        return self.today + timedelta(days=ahead)

    def _weekday_of_week(self, weekday: int, day: date | None, *, is_next: bool) -> date:
        """Monday next week; or, said besides a day that is no Monday, a contradiction."""
        weeks = set(self.said.weeks)
        if weeks - {"next_week", "this_week"} or len(weeks) != 1 or is_next:
            raise Doubt(_CONTRADICTS)
        self._need_a_week()
        monday = self.today - timedelta(days=self.today.weekday()) + timedelta(days=7 * ("next_week" in weeks))
        meant = monday + timedelta(days=weekday)
        if day is not None and day != meant:
            raise Doubt(_CONTRADICTS)
        return meant

    def _clock(self, day: date | None) -> Moments:
        self._only("days", "weekdays", "dates", "ordinals", "weeks", "later_days", "parts", "clocks")
        parts = self._parts_of_clock()
        if (
            day is not None
            and self.said.weekdays
            and any(each.alone and each.hour == day.day for each, _ in self.said.clocks)
        ):
            raise Doubt("a number can be the hour, or the day of the month")
        found: set[Moments] = {self._one_clock(clock, relation, day, parts) for clock, relation in self.said.clocks}
        if len(found) > 1:
            raise Doubt("it says more than one time")
        return found.pop()

    def _one_clock(self, clock: Clock, relation: Relation, day: date | None, parts: Sequence[_Minutes]) -> Moments:
        readings = _readings(clock, parts)
        if day is None:
            ahead = [reading for reading in readings if self._is_ahead(reading)]
            just_passed = any(0 <= self.minute - reading < _JUST for reading in readings)
            if not ahead and (just_passed or relation == "after"):
                raise Doubt("it can be today, or tomorrow")
            day = self.today if ahead else self.today + timedelta(days=1)
        minutes = self._certain(readings, relation, day, parts)
        if relation == "at":
            moment = self._at(day, minutes, strict=True) + timedelta(seconds=clock.second)
            return moment, moment
        return self._span(day, _around(minutes, relation))

    def _is_ahead(self, minutes: int) -> bool:
        return minutes > self.minute

    def _certain(self, readings: Sequence[int], relation: Relation, day: date, parts: Sequence[_Minutes]) -> int:
        """The one of an hour's readings that can be meant."""
        two_readings = len(readings) > 1
        if day == self.today:
            readings = [reading for reading in readings if self._is_ahead(reading)]
            if not readings:
                raise Doubt(_PAST)
        if two_readings and not parts:
            readings = [reading for reading in readings if _by_day(_around(reading, relation))]
            if not readings:
                raise Doubt("it can be in the morning or at night, and no hour of the day is left")
        if len(readings) > 1:
            raise Doubt("it can be in the morning or in the evening")
        return readings[0]

    def _parts_of_clock(self) -> list[_Minutes]:
        return [_parts()[part][1] for part in self.said.parts]

    def _same_time(self, day: date | None) -> Moments:
        self._only("days", "weekdays", "dates", "ordinals", "weeks", "later_days", "same_time")
        if day is None:
            raise Doubt("no time was said")
        moment = self._at(day, self.minute, strict=True)
        return moment, moment

    def _range(self, day: date | None) -> Moments:
        self._only("days", "weekdays", "dates", "ordinals", "weeks", "later_days", "parts", "ranges")
        if len(set(self.said.ranges)) > 1:
            raise Doubt("it says more than one time")
        first, end = self.said.ranges[0]
        parts = self._parts_of_clock()
        if first.half is None and end.half is not None:
            first = _with_half_of(first, end)
        begins, ends = _readings(first, parts), _readings(end, parts)
        pairs = [(begin, until) for begin in begins for until in ends if begin < until]
        shortest = min((until - begin for begin, until in pairs), default=0)
        pairs = [(begin, until) for begin, until in pairs if until - begin == shortest]
        if len(pairs) > 1:
            if day is None and any(begin <= self.minute < until for begin, until in pairs):
                raise Doubt("it can be today, or tomorrow")
            if day in {None, self.today}:
                ahead = [pair for pair in pairs if self._is_ahead(pair[0])]
                day = self.today if ahead or day else self.today + timedelta(days=1)
                pairs = ahead or pairs
            pairs = [pair for pair in pairs if _by_day(pair)]
        if len(pairs) != 1:
            raise Doubt("it can be in the morning or in the evening")
        return self._on_day(day, pairs[0])

    def _part(self, day: date | None) -> Moments:
        self._only("days", "weekdays", "dates", "ordinals", "weeks", "later_days", "parts")
        spans = [_parts()[part][0] for part in self.said.parts]
        span = max(first for first, _ in spans), min(end for _, end in spans)
        if span[0] >= span[1]:
            raise Doubt(_CONTRADICTS)
        return self._on_day(day, span)

    def _on_day(self, day: date | None, span: _Minutes) -> Moments:
        """A span of a day; of today or tomorrow where no day was said, and it is certain which."""
        if day is None:
            if span[0] <= self.minute < span[1]:
                raise Doubt("it can be today, or tomorrow")
            day = self.today if self.minute < span[0] else self.today + timedelta(days=1)
        return self._span(day, span)

    def _span(self, day: date, span: _Minutes) -> Moments:
        return self._ahead((self._at(day, span[0]), self._at(day, span[1])))

    def _ahead(self, moments: Moments) -> Moments:
        """Of a span what is left of it; that nothing is, `reading.py` says."""
        return max(moments[0], self.now.astimezone(UTC)), moments[1]

    def _at(self, day: date, minutes: int, *, strict: bool = False) -> datetime:
        """The moment at which the callee's clock shows so many minutes after midnight.

        :param strict: that it shows them twice, or never, is a doubt; else it matters to nobody.
        """
        days, minutes = divmod(minutes, _MIDNIGHT)
        wall = datetime.combine(day + timedelta(days=days), time(minutes // 60, minutes % 60), self.zone)
        return on_the_wall(wall) if strict else wall.astimezone(UTC)


def on_the_wall(wall: datetime) -> datetime:
    """The moment at which a clock shows a time.

    :param wall: aware.
    :return: UTC.
    :raises Doubt: the clock shows it twice, or never.
    """
    first, second = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second:
        raise Doubt("the clocks are changed then, so that this time is there twice or never")
    return first


def _around(minutes: int, relation: Relation) -> _Minutes:
    """What "at five", "after five" and "before five" promise."""
    if relation == "after":
        return minutes, min(minutes + _AMPLE, DAY_ENDS if minutes < DAY_ENDS else _MIDNIGHT)
    return (max(minutes - _AMPLE, 0) if relation == "before" else minutes), minutes


def _by_day(span: _Minutes) -> bool:
    """Whether a part of it lies in the daytime."""
    return span[0] < DAY_ENDS and (span[1] > DAY_BEGINS or span[0] >= DAY_BEGINS)


def _readings(clock: Clock, parts: Iterable[_Minutes]) -> list[int]:
    """What an hour can mean, in minutes after midnight."""
    hour, minute = clock.hour, clock.minute
    if hour == 0 and minute == 0:
        raise Doubt("midnight lies between two days")
    if clock.half is not None:
        if (clock.half == "am" and hour > 12) or (clock.half == "pm" and hour == 0):
            raise Doubt(_CONTRADICTS)
        hours = [hour % 12 + 12 * (clock.half == "pm")]
    elif hour == 0 or hour > 12 or clock.written == "exact":
        hours = [hour]
    else:
        hours = [hour % 12, hour % 12 + 12]
    readings = [each * 60 + minute for each in hours]
    for first, end in parts:
        readings = [reading for reading in readings if first <= reading <= end]
    if not readings:
        raise Doubt(_CONTRADICTS)
    if clock.written == "zero" and clock.half is None and not parts and not DAY_BEGINS <= hour * 60 + minute < DAY_ENDS:
        raise Doubt("it can be in the morning or in the evening")
    if clock.written != "exact" and readings == [reading for reading in readings if reading < _NIGHT_ENDS]:
        raise Doubt("the hours after midnight can belong to two days")
    return readings


def _with_half_of(first: Clock, end: Clock) -> Clock:
    """Five to six pm begins in the afternoon, eleven to one pm before noon."""
    assert end.half is not None
    same = Clock(first.hour, first.minute, first.second, end.half, first.written)
    other = Clock(first.hour, first.minute, first.second, "am", first.written)
    if first.hour > 12 or first.hour == 0:
        return first
    return same if _readings(same, ())[0] < _readings(end, ())[0] else other


@lru_cache(maxsize=1)
def _parts() -> Mapping[str, tuple[_Minutes, _Minutes]]:
    """The parts of a day: what each promises, and the hours that it can stand beside."""
    text = (resources.files("ringg_provider.callbacks.words") / "data" / "parts.toml").read_text("utf-8")
    return {name: (_minutes(part["said"]), _minutes(part["clock"])) for name, part in tomllib.loads(text).items()}


def _minutes(text: str) -> _Minutes:
    first, end = (int(hours) * 60 + int(minutes) for hours, minutes in (each.split(":") for each in text.split("-")))
    return first, end
