"""When a contact may be called, and which daily window and dates to send for it.

A platform takes one zone, one daily window and one pair of dates per list, while contacts live in many zones and
jurisdictions. The planner turns the two into plans: contacts with the same plan share a list, and within a plan no
minute is forbidden for any of them. How it decides is told in ``docs/calling-hours.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime
from itertools import groupby

import pendulum

from ringg_provider.hours.lawful import LawfulHours, place
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
from ringg_provider.hours.purposes import NoRule, Purpose
from ringg_provider.hours.rules import CallingHours, CallingRules
from ringg_provider.hours.schedule import DailyWindow, Schedule
from ringg_provider.hours.wall_clock import Span, clock_in, intersect, length, subtract
from ringg_provider.hours.zones import zone_names, zones_of_country
from ringg_provider.numbers.plan import NumberOrigin, number_origin

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
        self._lawful = LawfulHours(rules, purpose=purpose, no_rule=no_rule, blackout_dates=blackout_dates)
        self._window = window
        self._schedule = schedule
        self._most_slots = most_slots
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
            profile = self._lawful.profile(*key)
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
        territories = [code for code, region in self._lawful.rules.territories.items() if region[:2] == country]
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
        hours = self._lawful.hours_or_none(profile)
        return as_moments(self._window, self._lawful.minutes(profile, hours, self._demand))

    def _make_plan(self, profile: ContactProfile) -> WindowPlan | Held:
        hours = self._lawful.hours(profile)
        if isinstance(hours, Held):
            return hours
        permitted = self._lawful.minutes(profile, hours, self._demand)
        plan = self._daily_plan(permitted, hours)
        covered = 0 if plan is None else length(dialled(plan.window, plan.schedule))
        if self._most_slots and covered < length(permitted):
            plan = self._slotted_plan(permitted, hours) or plan
        return plan or Held(
            HoldCode.NOT_CALLABLE,
            f"Between {self._schedule.wire_start} and {self._schedule.wire_end} ({self._window.timezone}) the"
            f" campaign's daily window leaves no {self._shortest} minutes in which {place(profile)} may be"
            f" called.{self._closed_days(profile, hours)}",
        )

    def _closed_days(self, profile: ContactProfile, hours: CallingHours) -> str:
        """Which of the campaign's first days are closed as a whole, and why."""
        days: dict[date, None] = {}

        def note(day: date) -> Collection[Span]:
            if day in self._lawful.blackouts or not hours.on(day):
                days[day] = None
            return ()

        for zone in profile.zones if self._demand else ():
            clock_in(zone).when(note, self._demand[0][0], self._demand[-1][1])

        def why(day: date) -> str:
            if day in self._lawful.blackouts:
                return "is one of blackout_dates"
            holiday = hours.holiday(day)
            return "has no lawful hours" if holiday is None else f"is a public holiday ({holiday})"

        return "".join(f" {day:%a %Y-%m-%d} {why(day)}." for day in sorted(days)[:_MOST_DAYS])

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
