"""Which time zone is meant by "5 pm IST"; the callee's, unless another one is certain."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from ringg_provider.callbacks.words.doubts import Doubt
from ringg_provider.hours.zones import zones_of_country

#: IANA zone -> the offset that the name says, such as `+05:30`, or "" where it names the clock on the wall.
Candidates = Sequence[tuple[str, str]]
_NOT_CERTAIN = "which time zone is meant is not certain"


@dataclass(frozen=True)
class SpokenZone:
    """The zone that times are in.

    :param zone: whose clock is meant.
    :param offset: what that clock must be ahead of UTC at the time meant; None where it may be anything.
    """

    zone: tzinfo
    offset: timedelta | None = None

    def check(self, moment: datetime) -> None:
        """Make sure that standard time is not said of a day in summer, or the other way round.

        :raises Doubt: it is.
        """
        if self.offset is not None and moment.astimezone(self.zone).utcoffset() != self.offset:
            raise Doubt(_NOT_CERTAIN)


def zone_meant(names: Sequence[Candidates], offsets: Sequence[int], *, callee: tzinfo, said_at: datetime) -> SpokenZone:
    """The zone that was said.

    :param names: for each name that was said what it can mean.
    :param offsets: minutes ahead of UTC, where they were said.
    :param callee: the callee's zone, which decides between several, and which is meant where none was said.
    :param said_at: aware.
    :raises Doubt: it can be more than one.
    """
    zones = [_meant(candidates, callee, said_at) for candidates in names]
    fixed = [SpokenZone(timezone(timedelta(minutes=offset))) for offset in offsets]
    found = [*fixed, *zones]
    if not found:
        return SpokenZone(callee)
    if len({_shown(each.zone, said_at) for each in found}) > 1:
        raise Doubt(_NOT_CERTAIN)
    return found[0]


def _meant(candidates: Candidates, callee: tzinfo, said_at: datetime) -> SpokenZone:
    choices = [(name, SpokenZone(ZoneInfo(name), _offset(offset))) for name, offset in candidates]
    of_country = _zones_of_its_country(str(callee))
    at_home = [choice for name, choice in choices if name in of_country]
    for choice in at_home:
        if _shown(choice.zone, said_at) == _shown(callee, said_at):
            return SpokenZone(callee, choice.offset)
    meant = at_home or [choice for _, choice in choices]
    if len({(_shown(choice.zone, said_at), choice.offset) for choice in meant}) > 1:
        raise Doubt(_NOT_CERTAIN)
    return meant[0]


def _shown(zone: tzinfo, moment: datetime) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


@lru_cache(maxsize=256)
def _zones_of_its_country(zone: str) -> frozenset[str]:
    """The zones of all countries that a zone is of; it may have an older name."""
    zone = _older_names().get(zone, zone)
    return frozenset(each for zones in zones_of_country().values() if zone in zones for each in zones)


@lru_cache(maxsize=1)
def _older_names() -> Mapping[str, str]:
    """Names such as `Asia/Calcutta` -> those of today."""
    of_countries = {zone for zones in zones_of_country().values() for zone in zones}
    lines = (resources.files("tzdata") / "zoneinfo" / "tzdata.zi").read_text("utf-8").splitlines()
    links = [line.split() for line in lines if line.startswith("L ")]
    return {name: target for _, target, name in links if name not in of_countries}


def _offset(text: str) -> timedelta | None:
    if not text:
        return None
    hours, minutes = int(text[1:3]), int(text[4:])
    return timedelta(hours=hours, minutes=minutes) * (-1 if text[0] == "-" else 1)


def month_first(zone: tzinfo) -> bool:
    """Whether `5/12` can be the twelfth of May for somebody in a zone."""
    text = (resources.files("ringg_provider.callbacks.words") / "data" / "zones.toml").read_text("utf-8")
    countries = zones_of_country()
    month_first_there = {each for country in tomllib.loads(text)["dates"]["month_first"] for each in countries[country]}
    return not month_first_there.isdisjoint({_older_names().get(str(zone), str(zone))})
