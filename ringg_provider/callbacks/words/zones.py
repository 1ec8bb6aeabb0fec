"""Which time zone is meant by "5 pm IST"; the callee's, unless another one is certain."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
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
    if len({said_at.astimezone(each.zone).utcoffset() for each in found}) > 1:
        raise Doubt(_NOT_CERTAIN)
    return found[0]


def _meant(candidates: Candidates, callee: tzinfo, said_at: datetime) -> SpokenZone:
    own_offset = said_at.astimezone(callee).utcoffset()
    choices = [(SpokenZone(ZoneInfo(name), _offset(offset)), name) for name, offset in candidates]
    for choice, _ in choices:
        if said_at.astimezone(choice.zone).utcoffset() == own_offset:
            return SpokenZone(callee, choice.offset)
    neighbours = {zone for zones in zones_of_country().values() if str(callee) in zones for zone in zones}
    if near := [choice for choice, name in choices if name in neighbours]:
        choices = [(choice, "") for choice in near]
    if len({(said_at.astimezone(choice.zone).utcoffset(), choice.offset) for choice, _ in choices}) > 1:
        raise Doubt(_NOT_CERTAIN)
    return choices[0][0]


def _offset(text: str) -> timedelta | None:
    if not text:
        return None
    hours, minutes = int(text[1:3]), int(text[4:])
    return timedelta(hours=hours, minutes=minutes) * (-1 if text[0] == "-" else 1)


@lru_cache(maxsize=256)
def month_first(zone: str) -> bool:
    """Whether `5/12` can be the twelfth of May for somebody in a zone.

    :param zone: an IANA name.
    """
    text = (resources.files("ringg_provider.callbacks.words") / "data" / "zones.toml").read_text("utf-8")
    countries = tomllib.loads(text)["dates"]["month_first"]
    return any(zone in zones_of_country().get(country, ()) for country in countries)
