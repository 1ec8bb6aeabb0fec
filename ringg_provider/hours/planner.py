"""When a contact may be called, and which daily window and dates to send for it.

A platform takes one zone, one daily window and one pair of dates per list, while contacts live in many zones and
jurisdictions. The planner turns the two into plans: contacts with the same plan share a list, and within a plan no
minute is forbidden for any of them. How it decides is told in ``docs/calling-hours.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Literal, get_args

import pendulum

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.plan import (
    ContactProfile,
    Held,
    HoldCode,
    WindowPlan,
    as_moments,
    dialled,
    minute_of_day,
    time_of_day,
)
from ringg_provider.hours.purposes import PURPOSES, Purpose
from ringg_provider.hours.rules import ANY_HOUR, CallingHours, CallingRules, shipped_zones
from ringg_provider.hours.schedule import DailyWindow, Schedule
from ringg_provider.hours.wall_clock import Span, clock_in, intersect, length, subtract
from ringg_provider.hours.zones import zone_names, zones_of_country
from ringg_provider.numbers.plan import NumberOrigin, number_origin

NoRule = Literal["refuse", "hold", "allow"]

#: The shortest daily window that is worth a list, in minutes: the platform's dashboard takes no shorter one.
SHORTEST_WINDOW = 30

_OUTCOMES_KEPT = 200_000

#: How many closed days are told of a campaign that may call somebody at no time.
_MOST_DAYS = 3


class WindowPlanner:
    """Plans the windows of one campaign; remembers every answer.

    :param rules: from :func:`~ringg_provider.hours.rules.load_rules`.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``.
    :param window: the daily window and zone that were asked for; plans only ever narrow it.
    :param schedule: the campaign's start and end that were asked for; plans only ever narrow them.
    :param most_slots: how many spans the platform takes for a list beside its daily window. They are used where one
        window would lose minutes. Default 0: none.
    :param no_rule: for a country or purpose without a rule: ``refuse`` (default) raises, ``hold`` leaves the
        contact out, ``allow`` leaves only the campaign's own window and the blackout dates.
    :param blackout_dates: local dates, in the contact's zone, on which nobody is called; dates or ISO strings.
    :param shortest_window: daily windows shorter than this many minutes (default 30) are not used.
    :raises InvalidRequest: ``purpose`` or ``no_rule`` is not one of the above, or ``blackout_dates`` are no dates.
    """

    def __init__(
        self,
        rules: CallingRules,
        *,
        purpose: Purpose,
        window: DailyWindow,
        schedule: Schedule,
        most_slots: int = 0,
        no_rule: NoRule = "refuse",
        blackout_dates: Iterable[date | str] = (),
        shortest_window: int = SHORTEST_WINDOW,
    ) -> None:
        _one_of("purpose", purpose, PURPOSES)
        _one_of("no_rule", no_rule, get_args(NoRule))
        self._rules = rules
        self._purpose: Purpose = purpose
        self._window = window
        self._schedule = schedule
        self._most_slots = most_slots
        self._no_rule = no_rule
        self._blackouts = _dates(blackout_dates)
        self._shortest = max(1, shortest_window)
        self._demand = dialled(window, schedule)
        self._outcomes: dict[tuple[NumberOrigin, str | None, str | None], WindowPlan | Held] = {}
        self._plans: dict[ContactProfile, WindowPlan | Held] = {}

    def plan_contact(self, e164: str, timezone: str | None = None, region: str | None = None) -> WindowPlan | Held:
        """Plan for one contact.

        :param e164: the number, ``+`` and digits.
        :param timezone: the contact's IANA zone when the table has it; None or blank: the number's zones.
        :param region: the contact's region when the table has it (``US-FL``, ``FL``, ``Florida``).
        :return: the plan to list it under, or why it is held.
        :raises InvalidRequest: there is no rule for its country and purpose and ``no_rule`` is ``refuse``.
        """
        key = (number_origin(e164), timezone, region)
        outcome = self._outcomes.get(key)
        if outcome is None:
            if len(self._outcomes) >= _OUTCOMES_KEPT:  # free text in the region column must not fill the memory
                self._outcomes.clear()
            profile = self._profile(*key)
            outcome = profile if isinstance(profile, Held) else self.plan(profile)
            self._outcomes[key] = outcome
        return outcome

    def profile_of_code(self, country_code: str) -> ContactProfile | Held:
        """The strictest profile of a list of which only the country code is known.

        :param country_code: ``+91``. Of a code that countries share (``+1``), the main one's rules are meant.
        :return: that country, no known region, and every zone that its numbers may be in.
        """
        # The library is large, and most of what imports this module never asks for a code.
        from phonenumbers import region_code_for_country_code
        from phonenumbers.tzdata import TIMEZONE_DATA

        digits = country_code.removeprefix("+")
        country = region_code_for_country_code(int(digits)) if digits.isdecimal() and len(digits) <= 3 else "ZZ"
        if len(country) != 2 or country == "ZZ":
            return Held(HoldCode.NO_COUNTRY, "The country code does not belong to any country.")
        territories = [code for code, region in self._rules.territories.items() if region[:2] == country]
        zones = {zone for code in (country, *territories) for zone in zones_of_country().get(code, ())}
        # Numbers of a code reach further than its country: to islands, and to neighbours that share it.
        zones |= zone_names().intersection(TIMEZONE_DATA.get(digits, ()))
        if not zones:
            return Held(HoldCode.NO_ZONE, "The country code does not tell any time zone.")
        return ContactProfile(country, None, tuple(sorted(zones)))

    def plan(self, profile: ContactProfile) -> WindowPlan | Held:
        """Plan for all contacts of a profile; same answers and errors as :meth:`plan_contact`."""
        outcome = self._plans.get(profile)
        if outcome is None:
            outcome = self._plans[profile] = self._make_plan(profile)
        return outcome

    def callable_spans(self, profile: ContactProfile) -> list[tuple[datetime, datetime]]:
        """The moments at which the campaign as it was asked for can dial and the contact may be called.

        :return: aware, half-open, in the campaign's zone; empty when there is no rule to allow anything.
        """
        return as_moments(self._window, self._permitted(profile, self._hours_or_none(profile)))

    def _profile(self, origin: NumberOrigin, timezone: str | None, region: str | None) -> ContactProfile | Held:
        if origin.country is None:
            return Held(HoldCode.NO_COUNTRY, "The number does not belong to any country.")
        territory = self._rules.territories.get(origin.country)
        country = territory[:2] if territory else origin.country
        code = territory
        place = country
        if region is not None and region.strip():
            place, code = self._rules.read_region(country, region)
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

    def _zones_of(self, region: str) -> Sequence[str]:
        """All zones of a region; where nobody has listed them, all zones of its country."""
        return self._rules.zones.get(region) or shipped_zones().get(region) or zones_of_country().get(region[:2], ())

    def _make_plan(self, profile: ContactProfile) -> WindowPlan | Held:
        hours = self._hours(profile)
        if isinstance(hours, Held):
            return hours
        permitted = self._permitted(profile, hours)
        plan = self._daily_plan(permitted, hours)
        covered = 0 if plan is None else length(dialled(plan.window, plan.schedule))
        if self._most_slots and covered < length(permitted):
            plan = self._slotted_plan(permitted, hours) or plan
        return plan or Held(
            HoldCode.NOT_CALLABLE,
            f"Between {self._schedule.wire_start} and {self._schedule.wire_end} ({self._window.timezone}) the"
            f" campaign's daily window leaves no {self._shortest} minutes in which {_place(profile)} may be"
            f" called.{self._closed_days(profile, hours)}",
        )

    def _closed_days(self, profile: ContactProfile, hours: CallingHours) -> str:
        """Which of the campaign's first days are closed as a whole, and why."""
        days: dict[date, None] = {}

        def note(day: date) -> Collection[Span]:
            if day in self._blackouts or not hours.on(day):
                days[day] = None
            return ()

        for zone in profile.zones if self._demand else ():
            clock_in(zone).when(note, self._demand[0][0], self._demand[-1][1])

        def why(day: date) -> str:
            if day in self._blackouts:
                return "is one of blackout_dates"
            holiday = hours.holiday(day)
            return "has no lawful hours" if holiday is None else f"is a public holiday ({holiday})"

        return "".join(f" {day:%a %Y-%m-%d} {why(day)}." for day in sorted(days)[:_MOST_DAYS])

    def _hours(self, profile: ContactProfile) -> CallingHours | Held:
        hours = self._hours_or_none(profile)
        if hours is not None:
            return hours
        message = f"There is no calling-hours rule for {_place(profile)} and the purpose {self._purpose}"
        if self._no_rule == "hold":
            return Held(HoldCode.NO_RULE, f"{message}.")
        raise InvalidRequest(
            f"{message}. Add one to calling_hours, or say no_rule='hold' to leave such contacts out or"
            " 'allow' to call them in the campaign's own window.",
            field="calling_hours",
        )

    def _hours_or_none(self, profile: ContactProfile) -> CallingHours | None:
        return self._rules.hours_for(
            profile.country,
            profile.region,
            self._purpose,
            without_a_rule=ANY_HOUR if self._no_rule == "allow" else None,
        )

    def _permitted(self, profile: ContactProfile, hours: CallingHours | None) -> list[Span]:
        """The minutes of the campaign as it was asked for at which all the contact's zones allow a call."""
        if hours is None or not self._demand:
            return []

        def open_on(day: date) -> Collection[Span]:
            return () if day in self._blackouts else hours.on(day)

        first, end = self._demand[0][0], self._demand[-1][1]
        permitted = self._demand
        for zone in profile.zones:
            permitted = intersect(permitted, clock_in(zone).when(open_on, first, end))
        return permitted

    def _daily_plan(self, permitted: list[Span], hours: CallingHours) -> WindowPlan | None:
        """The run of days and the daily window with the most minutes, none of them forbidden."""
        clock = clock_in(self._window.timezone)
        dialled = clock.shown(self._demand)
        forbidden = clock.shown(subtract(self._demand, permitted))
        if not dialled:
            return None
        days = range(min(dialled), max(dialled) + 1)
        # Neighbouring days that look alike stay together: a run that ends between them is only shorter.
        alike = [list(run) for _, run in groupby(days, key=lambda day: (dialled.get(day, []), forbidden.get(day, [])))]
        best: tuple[int, int, int] | None = None
        chosen: tuple[Span, range] | None = None
        for i in range(len(alike)):
            free = [(minute_of_day(self._window.opens), minute_of_day(self._window.closes))]
            for j in range(i, len(alike)):
                free = subtract(free, forbidden.get(alike[j][0], []))
                for window in free:
                    if window[1] - window[0] < self._shortest:
                        continue
                    minutes = sum(
                        len(run) * length(intersect([window], dialled.get(run[0], []))) for run in alike[i : j + 1]
                    )
                    rank = (minutes, -alike[i][0], -window[0])
                    if minutes and (best is None or rank > best):
                        best, chosen = rank, (window, range(alike[i][0], alike[j][-1] + 1))
        return None if chosen is None else self._narrowed(*chosen, hours)

    def _narrowed(self, window: Span, days: range, hours: CallingHours) -> WindowPlan | None:
        clock = clock_in(self._window.timezone)
        daily = DailyWindow(time_of_day(window[0]), time_of_day(window[1]), self._window.timezone)
        first_day, last_day = days[0], days[-1]
        within = [
            span
            for span in intersect(dialled(daily, self._schedule), self._demand)
            if first_day <= next(iter(clock.shown([span]))) <= last_day
        ]
        if not within:
            return None
        begin, end = clock.unmistakable((within[0][0], within[-1][1]))
        schedule = _schedule(self._window, begin, end)
        left = dialled(daily, schedule)
        if begin >= end or not left:
            return None
        # A platform that knows no end goes on tomorrow: hours that the dates leave out today are not in the window.
        shown = [span for spans in clock.shown(left).values() for span in spans]
        closes = max(span[1] for span in shown)
        opens = max(window[0], min(*(span[0] for span in shown), closes - self._shortest))
        tight = DailyWindow(time_of_day(opens), time_of_day(min(closes, window[1])), self._window.timezone)
        return WindowPlan(tight, schedule, max_attempts_per_day=hours.max_attempts_per_day)

    def _slotted_plan(self, permitted: list[Span], hours: CallingHours) -> WindowPlan | None:
        clock = clock_in(self._window.timezone)
        slots = [clock.unmistakable(span) for span in permitted]
        slots = [(begin, end) for begin, end in slots if begin < end][: self._most_slots]
        if not slots:
            return None
        shown = [span for spans in clock.shown(slots).values() for span in spans]
        daily = DailyWindow(
            time_of_day(min(span[0] for span in shown)),
            time_of_day(max(span[1] for span in shown)),
            self._window.timezone,
        )
        return WindowPlan(
            daily,
            _schedule(self._window, slots[0][0], slots[-1][1]),
            tuple((clock.moment(begin), clock.moment(end)) for begin, end in slots),
            hours.max_attempts_per_day,
        )


def _schedule(window: DailyWindow, begin: int, end: int) -> Schedule:
    start, stop = (pendulum.from_timestamp(minute * 60, tz=window.zone) for minute in (begin, end))
    return Schedule(start, stop)


def _place(profile: ContactProfile) -> str:
    zones = profile.zones if len(profile.zones) <= 3 else (f"{len(profile.zones)} zones",)
    return f"{profile.region or profile.country} ({', '.join(zones)})"


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
