"""When the rules alone allow a call to somebody, whatever the hours of a campaign."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import get_args

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.plan import ContactProfile, Held, HoldCode
from ringg_provider.hours.purposes import PURPOSES, NoRule, Purpose
from ringg_provider.hours.rules import ANY_HOUR, CallingHours, CallingRules, shipped_zones
from ringg_provider.hours.wall_clock import Span, ceil_minute, clock_in, floor_minute, intersect
from ringg_provider.hours.zones import zone_names, zones_of_country
from ringg_provider.numbers.plan import NumberOrigin, number_origin


class LawfulHours:
    """The rules of one purpose.

    :param rules: from :func:`~ringg_provider.hours.rules.load_rules`.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``.
    :param no_rule: for a country or purpose without a rule: ``refuse`` (default) raises, ``hold`` calls at no time,
        ``allow`` leaves only the blackout dates.
    :param blackout_dates: local dates, in the contact's zone, on which nobody is called; dates or ISO strings.
    :raises InvalidRequest: ``purpose`` or ``no_rule`` is not one of the above, or ``blackout_dates`` are no dates.
    """

    def __init__(
        self,
        rules: CallingRules,
        *,
        purpose: Purpose,
        no_rule: NoRule = "refuse",
        blackout_dates: Iterable[date | str] = (),
    ) -> None:
        _one_of("purpose", purpose, PURPOSES)
        _one_of("no_rule", no_rule, get_args(NoRule))
        self.rules = rules
        self._purpose: Purpose = purpose
        self._no_rule = no_rule
        self.blackouts = _dates(blackout_dates)

    def spans(
        self, e164: str, begin: datetime, end: datetime, *, timezone: str | None = None
    ) -> list[tuple[datetime, datetime]] | Held:
        """When somebody may be called.

        :param e164: the number, ``+`` and digits.
        :param begin: from here on; aware.
        :param end: up to here; aware.
        :param timezone: the contact's IANA zone where it is known. Default: all zones that the number may be in.
        :return: half-open spans of whole minutes, UTC, in their order; or why there can be none.
        :raises InvalidRequest: there is no rule for its country and purpose and ``no_rule`` is ``refuse``.
        """
        profile = self.profile(number_origin(e164), timezone, None)
        if isinstance(profile, Held):
            return profile
        hours = self.hours(profile)
        if isinstance(hours, Held):
            return hours
        first, stop = ceil_minute(begin), floor_minute(end)
        minutes = self.minutes(profile, hours, [(first, stop)] if first < stop else [])
        return [(_moment(opens), _moment(closes)) for opens, closes in minutes]

    def profile(self, origin: NumberOrigin, timezone: str | None, region: str | None) -> ContactProfile | Held:
        """What matters about a contact for the hours.

        :param origin: what its number tells.
        :param timezone: its zone when the table has it; None or blank: the number's zones.
        :param region: its region when the table has it (``US-FL``, ``FL``, ``Florida``).
        """
        if origin.country is None:
            return Held(HoldCode.NO_COUNTRY, "The number does not belong to any country.")
        territory = self.rules.territories.get(origin.country)
        country = territory[:2] if territory else origin.country
        code = territory
        place = country
        if region is not None and region.strip():
            place, code = self.rules.read_region(country, region)
        zones = origin.zones
        if timezone is not None and timezone.strip():
            zones = (timezone.strip(),)
            if zones[0] not in zone_names():
                return Held(HoldCode.UNKNOWN_ZONE, "The contact's time zone is not an IANA name.")
        elif place != country:
            return Held(
                HoldCode.REGION_CONFLICT,
                "The contact's region is in another country than its number, and its time zone is not given.",
            )
        elif code is not None:
            # A number goes along when its holder moves, and a region may have several zones: all of them count.
            zones = (*zones, *self._zones_of(code))
        if not zones:
            return Held(HoldCode.NO_ZONE, "The number does not tell any time zone.")
        return ContactProfile(place, code, tuple(sorted(set(zones))))

    def hours(self, profile: ContactProfile) -> CallingHours | Held:
        """The hours of a profile, or why it has none.

        :raises InvalidRequest: as for :meth:`spans`.
        """
        hours = self.hours_or_none(profile)
        if hours is not None:
            return hours
        message = f"There is no calling-hours rule for {place(profile)} and the purpose {self._purpose}"
        if self._no_rule == "hold":
            return Held(HoldCode.NO_RULE, f"{message}.")
        raise InvalidRequest(
            f"{message}. Add one to calling_hours, or say no_rule='hold' to leave such contacts out or"
            " 'allow' to call them in the campaign's own window.",
            field="calling_hours",
        )

    def hours_or_none(self, profile: ContactProfile) -> CallingHours | None:
        """The hours of a profile; None where nothing allows a call."""
        return self.rules.hours_for(
            profile.country,
            profile.region,
            self._purpose,
            without_a_rule=ANY_HOUR if self._no_rule == "allow" else None,
        )

    def minutes(self, profile: ContactProfile, hours: CallingHours | None, wanted: list[Span]) -> list[Span]:
        """The minutes of what is wanted at which all the contact's zones allow a call.

        :param wanted: normalised.
        """
        if hours is None or not wanted:
            return []

        def open_on(day: date) -> Collection[Span]:
            return () if day in self.blackouts else hours.on(day)

        first, end = wanted[0][0], wanted[-1][1]
        permitted = wanted
        for zone in profile.zones:
            permitted = intersect(permitted, clock_in(zone).when(open_on, first, end))
        return permitted

    def _zones_of(self, region: str) -> Sequence[str]:
        """All zones of a region; where nobody has listed them, all zones of its country."""
        return self.rules.zones.get(region) or shipped_zones().get(region) or zones_of_country().get(region[:2], ())


def place(profile: ContactProfile) -> str:
    """A profile in words."""
    zones = profile.zones if len(profile.zones) <= 3 else (f"{len(profile.zones)} zones",)
    return f"{profile.region or profile.country} ({', '.join(zones)})"


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def _dates(days: Iterable[date | str]) -> frozenset[date]:
    """Dates, however they are given. What is none is refused: a day that equals no date would be a day of calls."""
    read = set()
    for day in [days] if isinstance(days, str) else days:
        try:
            found = date.fromisoformat(day) if isinstance(day, str) else day
        except ValueError:
            found = None
        if not isinstance(found, date) or isinstance(found, datetime):
            raise InvalidRequest(
                "blackout_dates: must be a list of dates, or of texts such as 2026-12-25, without a time.",
                field="blackout_dates",
            )
        read.add(found)
    return frozenset(read)


def _one_of(field: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise InvalidRequest(f"{field} must be one of {', '.join(sorted(allowed))}.", field=field)
