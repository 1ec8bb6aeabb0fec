"""When a contact may be called, and which daily window and dates to send for it.

The platform takes one zone, one daily window and one pair of dates per campaign. Contacts live in many zones
and jurisdictions. This module turns the two into *window plans*: contacts with the same plan share a list,
and within a plan there is no minute that is forbidden for any of them.

For whoever builds lists (one planner per run, one call per row, about two microseconds each)::

    window = DailyWindow.from_call_time("09:00", "21:00", "Asia/Kolkata")
    planner = WindowPlanner(
        load_rules(calling_hours),  # None: the shipped rules
        purpose="promotional",
        window=window,
        schedule=resolve_schedule(window, start, end),
    )
    outcome = planner.plan_contact(e164, timezone=row_timezone, region=row_region)
    if isinstance(outcome, Held):
        ...  # leave the contact out: disposition outcome.code, detail outcome.detail
    else:
        ...  # add it to the list of (country code, outcome): plans are hashable
        outcome.call_config(call_config)  # the call_config of that list
        outcome.schedule.wire_start, outcome.schedule.wire_end  # its dates
        outcome.wire_slots()  # call_slots of the large flow, or None

For whoever checks a campaign that already has its window (preflight, saving a CSV, the moment of starting)::

    planner.first_forbidden(profile)  # a moment at which the campaign would dial but must not, or None
    planner.callable_spans(profile)  # the moments at which it may and can
    spans_left(window, schedule, now)  # the moments at which it will still dial; empty: too late to start it

The profile comes from ``planner.profile_of(e164)`` for a contact, or from ``planner.profile_of_code("+91")``
when only the list's country code is known. The latter stands for everybody who may have such a number, which
for a country as wide as the United States leaves next to nothing: look at the numbers where you have them.

What the hours do not cover is next door: :mod:`.feasibility` (does the last retry fit, will everybody be
reached, what will it cost) and :mod:`.staleness` (is it too late to start).

How it decides:

- *Where the contact is.* An explicit zone is believed. Otherwise the number's zones, all of them: the allowed
  time is their intersection. An explicit region (``US-FL``, ``FL``, ``Florida``) selects the region's rules;
  without one, every region's rule of that country applies. When the zones of the number do not fit the
  region, both are respected.
- *What is allowed.* At a minute, the contact's wall clock must show a time inside the rules' hours of that
  local date, which must not be a closed weekday, a closed public holiday or a blackout date. Windows are
  half-open.
- *What is sent.* Standard flow: consecutive days and one daily window, the choice with the most callable
  minutes, the earliest on a tie; no day in between is forbidden. Large flow with ``use_call_slots``: every
  allowed span on its own.

Follows "Campaign timestamps" and ``call_slots`` of
https://docs.ringg.ai/api-reference/endpoint/campaign/make-large-campaign-calls-async.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal, NamedTuple, get_args
from zoneinfo import available_timezones

import pendulum
from phonenumbers import region_code_for_country_code
from phonenumbers.tzdata import TIMEZONE_DATA

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.rules import ANY_HOUR, PURPOSES, CallingHours, CallingRules, Purpose
from ringg_provider.hours.schedule import WIRE_FORMAT, DailyWindow, Schedule
from ringg_provider.hours.wall_clock import (
    Span,
    ceil_minute,
    clock_in,
    floor_minute,
    intersect,
    length,
    normalise,
    subtract,
)
from ringg_provider.numbers.origin import NumberOrigin, number_origin

Flow = Literal["standard", "large"]
NoRule = Literal["refuse", "hold", "allow"]

#: Most slots that are left after merging; the platform's limit.
MOST_SLOTS = 100
#: The shortest daily window that is worth a list, in minutes: the platform's dashboard takes no shorter one.
SHORTEST_WINDOW = 30

_OUTCOMES_KEPT = 200_000


class HoldCode:
    """Why a contact was held: stable codes, for the table of contacts and the docs."""

    NO_COUNTRY = "hours_no_country"
    NO_ZONE = "hours_no_zone"
    UNKNOWN_ZONE = "hours_unknown_timezone"
    REGION_CONFLICT = "hours_region_conflict"
    NO_RULE = "hours_no_rule"
    NOT_CALLABLE = "hours_not_callable"


class ContactProfile(NamedTuple):
    """All that matters about a contact for the hours; many contacts share one.

    :param country: ISO 3166 code of the jurisdiction.
    :param region: full subdivision code such as ``US-FL``, or None when it is not known.
    :param zones: IANA zones the contact may be in; at least one.
    """

    country: str
    region: str | None
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A contact that must not be on any list of this campaign.

    :param code: one of :class:`HoldCode`.
    :param detail: one sentence with nothing personal in it.
    """

    code: str
    detail: str


@dataclass(frozen=True)
class WindowPlan:
    """What to send for all contacts that may be called in the same way.

    Plans are equal, and hash alike, when the same thing is sent for them: use one as the key of a list.

    :param window: the daily window in the campaign's zone.
    :param schedule: start and end of the campaign, in the campaign's zone.
    :param call_slots: the exact spans (aware starts and ends) when the window alone would allow too much;
        else None.
    :param max_attempts_per_day: most calls to one person in 24 hours, or None.
    """

    window: DailyWindow
    schedule: Schedule
    call_slots: tuple[tuple[datetime, datetime], ...] | None = None
    max_attempts_per_day: int | None = None

    @property
    def key(self) -> str:
        """A short stable name for the plan, the same in every run that plans the same thing."""
        return hashlib.sha256(self.describe().encode()).hexdigest()[:12]

    def describe(self) -> str:
        """The plan in one line, for logs and reports."""
        text = (
            f"{self.window.opens:%H:%M}-{self.window.closes:%H:%M} {self.window.timezone},"
            f" {self.schedule.wire_start} to {self.schedule.wire_end}"
        )
        if self.call_slots is not None:
            slots = "; ".join(f"{begin:{WIRE_FORMAT}} to {end:{WIRE_FORMAT}}" for begin, end in self.call_slots)
            text += f", slots {slots}"
        if self.max_attempts_per_day is not None:
            text += f", at most {self.max_attempts_per_day} attempts a day"
        return text

    def call_config(self, call_config: Mapping[str, Any]) -> dict[str, Any]:
        """The ``call_config`` of this plan's list.

        :param call_config: the one that was asked for, as a dict; it is not changed.
        :return: a copy with this plan's ``call_time``, and ``retry_count`` lowered to what the rules' limit
            of attempts leaves.
        """
        config = deepcopy(dict(call_config))
        config["call_time"] = {
            **(config.get("call_time") or {}),
            "call_start_time": f"{self.window.opens:%H:%M}",
            "call_end_time": f"{self.window.closes:%H:%M}",
            "timezone": self.window.timezone,
        }
        retries = config.get("call_retry_config")
        if self.max_attempts_per_day is not None and retries:
            retries["retry_count"] = min(retries.get("retry_count") or 0, self.max_attempts_per_day - 1)
        return config

    def wire_slots(self) -> dict[str, Any] | None:
        """``call_slots`` as the large flow takes it; None when the daily window says it all."""
        if self.call_slots is None:
            return None
        return {
            "mode": "absolute",
            "intervals": [
                {"start": begin.strftime(WIRE_FORMAT), "end": end.strftime(WIRE_FORMAT)}
                for begin, end in self.call_slots
            ],
        }

    def callable_spans(self) -> list[tuple[datetime, datetime]]:
        """The moments at which the platform may dial under this plan: aware, half-open spans."""
        if self.call_slots is not None:
            return list(self.call_slots)
        return _as_moments(self.window, _dialled(self.window, self.schedule))


class WindowPlanner:
    """Plans the windows of one campaign; remembers every answer.

    :param rules: from :func:`~ringg_provider.hours.rules.load_rules`.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``.
    :param window: the daily window and zone that were asked for; plans only ever narrow it.
    :param schedule: the campaign's start and end that were asked for; plans only ever narrow them.
    :param flow: ``standard`` or ``large``.
    :param use_call_slots: in the large flow, send every allowed span as a slot where one daily window would
        lose minutes. Default False: older API generations do not know ``call_slots``, and a slot that is
        ignored would ring people on a forbidden day. Set it when the workspace's API has them.
    :param no_rule: for a country or purpose without a rule: ``refuse`` (default) raises, ``hold`` leaves the
        contact out, ``allow`` leaves only the campaign's own window and the blackout dates.
    :param blackout_dates: local dates, in the contact's zone, on which nobody is called; dates or ISO strings.
    :param shortest_window: daily windows shorter than this many minutes (default 30) are not used.
    :raises InvalidRequest: ``purpose``, ``flow`` or ``no_rule`` is not one of the above, or ``blackout_dates`` are no
        dates.
    """

    def __init__(
        self,
        rules: CallingRules,
        *,
        purpose: Purpose,
        window: DailyWindow,
        schedule: Schedule,
        flow: Flow = "standard",
        use_call_slots: bool = False,
        no_rule: NoRule = "refuse",
        blackout_dates: Iterable[date | str] = (),
        shortest_window: int = SHORTEST_WINDOW,
    ) -> None:
        _one_of("purpose", purpose, PURPOSES)
        _one_of("flow", flow, get_args(Flow))
        _one_of("no_rule", no_rule, get_args(NoRule))
        self._rules = rules
        self._purpose: Purpose = purpose
        self._window = window
        self._schedule = schedule
        self._slots = use_call_slots and flow == "large"
        self._no_rule = no_rule
        self._blackouts = _dates(blackout_dates)
        self._shortest = max(1, shortest_window)
        self._demand = _dialled(window, schedule)
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

    def profile_of(self, e164: str, timezone: str | None = None, region: str | None = None) -> ContactProfile | Held:
        """Where a contact is and whose rules hold for it; parameters as in :meth:`plan_contact`."""
        return self._profile(number_origin(e164), timezone, region)

    def profile_of_code(self, country_code: str) -> ContactProfile | Held:
        """The strictest profile of a list of which only the country code is known.

        :param country_code: ``+91``. Of a code that countries share (``+1``), the main one's rules are meant.
        :return: that country, no known region, and every zone that its numbers may be in.
        """
        digits = country_code.removeprefix("+")
        country = region_code_for_country_code(int(digits)) if digits.isdecimal() and len(digits) <= 3 else "ZZ"
        if len(country) != 2 or country == "ZZ":
            return Held(HoldCode.NO_COUNTRY, "The country code does not belong to any country.")
        zones = {zone for code, names in self._rules.zones.items() if code[:2] == country for zone in names}
        zones = zones or set(TIMEZONE_DATA.get(digits, ()))
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
        return _as_moments(self._window, self._permitted(profile, self._hours_or_none(profile)))

    def first_forbidden(self, profile: ContactProfile) -> datetime | None:
        """The first moment at which the campaign as it was asked for dials but the contact may not be called.

        None: this campaign is fine for such contacts without any narrowing.
        """
        forbidden = subtract(self._demand, self._permitted(profile, self._hours_or_none(profile)))
        return clock_in(self._window.timezone).moment(forbidden[0][0]) if forbidden else None

    def _profile(self, origin: NumberOrigin, timezone: str | None, region: str | None) -> ContactProfile | Held:
        if origin.country is None:
            return Held(HoldCode.NO_COUNTRY, "The number does not belong to any country.")
        territory = self._rules.territories.get(origin.country)
        country = territory[:2] if territory else origin.country
        code = territory
        if region is not None and region.strip():
            code = self._rules.read_region(country, region)
        zones = origin.zones
        if timezone is not None and timezone.strip():
            zones = (timezone.strip(),)
            if zones[0] not in _zone_names():
                return Held(HoldCode.UNKNOWN_ZONE, "The contact's time zone is not an IANA name.")
        elif code is not None and code[:2] != country:
            return Held(
                HoldCode.REGION_CONFLICT,
                "The contact's region is in another country than its number, and its time zone is not given.",
            )
        elif code is not None:
            of_region = self._rules.zones.get(code, ())
            # A number goes along when its holder moves: unless it fits the region, neither is believed alone.
            zones = tuple(zone for zone in zones if zone in of_region) or (*zones, *of_region)
        if not zones:
            return Held(HoldCode.NO_ZONE, "The number does not tell any time zone.")
        return ContactProfile(code[:2] if code else country, code, tuple(sorted(set(zones))))

    def _make_plan(self, profile: ContactProfile) -> WindowPlan | Held:
        hours = self._hours(profile)
        if isinstance(hours, Held):
            return hours
        permitted = self._permitted(profile, hours)
        plan = self._daily_plan(permitted, hours)
        covered = 0 if plan is None else length(_dialled(plan.window, plan.schedule))
        if self._slots and covered < length(permitted):
            plan = self._slotted_plan(permitted, hours) or plan
        return plan or Held(
            HoldCode.NOT_CALLABLE,
            f"Between {self._schedule.wire_start} and {self._schedule.wire_end} ({self._window.timezone}) the"
            f" campaign's daily window leaves no {self._shortest} minutes in which {_place(profile)} may be"
            " called.",
        )

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
        hours = self._rules.hours_for(profile.country, profile.region, self._purpose)
        return ANY_HOUR if hours is None and self._no_rule == "allow" else hours

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
            free = [(_minute_of_day(self._window.opens), _minute_of_day(self._window.closes))]
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
        daily = DailyWindow(_time_of_day(window[0]), _time_of_day(window[1]), self._window.timezone)
        first_day, last_day = days[0], days[-1]
        within = [
            span
            for span in intersect(_dialled(daily, self._schedule), self._demand)
            if first_day <= next(iter(clock.shown([span]))) <= last_day
        ]
        if not within:
            return None
        begin, end = clock.unmistakable((within[0][0], within[-1][1]))
        schedule = _schedule(self._window, begin, end)
        if begin >= end or not _dialled(daily, schedule):
            return None
        return WindowPlan(daily, schedule, max_attempts_per_day=hours.max_attempts_per_day)

    def _slotted_plan(self, permitted: list[Span], hours: CallingHours) -> WindowPlan | None:
        clock = clock_in(self._window.timezone)
        slots = [clock.unmistakable(span) for span in permitted]
        slots = [(begin, end) for begin, end in slots if begin < end][:MOST_SLOTS]
        if not slots:
            return None
        shown = [span for spans in clock.shown(slots).values() for span in spans]
        daily = DailyWindow(
            _time_of_day(min(span[0] for span in shown)),
            _time_of_day(max(span[1] for span in shown)),
            self._window.timezone,
        )
        return WindowPlan(
            daily,
            _schedule(self._window, slots[0][0], slots[-1][1]),
            tuple((clock.moment(begin), clock.moment(end)) for begin, end in slots),
            hours.max_attempts_per_day,
        )


def spans_left(window: DailyWindow, schedule: Schedule, now: datetime) -> list[tuple[datetime, datetime]]:
    """The moments from ``now`` (aware) on at which a campaign will still dial; empty when its time is over."""
    left = [span for span in _dialled(window, schedule) if span[1] > ceil_minute(now)]
    return _as_moments(window, [(max(begin, ceil_minute(now)), end) for begin, end in left])


def _dialled(window: DailyWindow, schedule: Schedule) -> list[Span]:
    """The minutes at which the platform may dial: inside the dates, with the wall inside the window."""
    hours = [(_minute_of_day(window.opens), _minute_of_day(window.closes))]
    first, end = ceil_minute(schedule.start), floor_minute(schedule.end)
    return clock_in(window.timezone).when(lambda _: hours, first, end) if first < end else []


def _as_moments(window: DailyWindow, spans: Iterable[Span]) -> list[tuple[datetime, datetime]]:
    clock = clock_in(window.timezone)
    return [(clock.moment(begin), clock.moment(end)) for begin, end in normalise(spans)]


def _schedule(window: DailyWindow, begin: int, end: int) -> Schedule:
    start, stop = (pendulum.from_timestamp(minute * 60, tz=window.zone) for minute in (begin, end))
    return Schedule(start, stop)


def _minute_of_day(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def _time_of_day(minute: int) -> time:
    return time(*divmod(minute, 60))


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


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
