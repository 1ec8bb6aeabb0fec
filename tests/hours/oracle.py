"""A slow and obvious reading of rules, places and the wire, written without looking at the implementation: take every
minute, look at every clock, compare strings. And whole campaigns made up at random, to hold the planner against it.

    python -m tests.hours.oracle --campaigns 400 --seed 1
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import pendulum
import phonenumbers
import phonenumbers.timezone

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.plan import Held, HoldCode, WindowPlan
from ringg_provider.hours.planner import WindowPlanner
from ringg_provider.hours.purposes import NoRule
from ringg_provider.hours.rules import load_rules
from ringg_provider.hours.schedule import DailyWindow, Schedule

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def allows(rule: dict[str, Any], local: datetime) -> bool:
    """Whether one rule allows what a wall shows."""
    hours = rule["hours"]
    texts = hours.get(WEEKDAYS[local.weekday()], hours.get("daily", []))
    shown = f"{local:%H:%M}"
    if not any(opens <= shown < closes for opens, closes in (text.split("-") for text in texts)):
        return False
    return rule.get("public_holidays") != "forbidden" or local.date() not in public_holidays(rule["jurisdiction"])


def may_be_called(
    rules: Sequence[dict[str, Any]], zones: Iterable[str], closed: Sequence[date], minute: datetime
) -> bool:
    """Whether all rules allow a minute in all zones; `rules` are those that apply, `closed` dates are nobody's."""
    walls = [minute.astimezone(ZoneInfo(zone)) for zone in zones]
    return all(wall.date() not in closed and all(allows(rule, wall) for rule in rules) for wall in walls)


@cache
def public_holidays(jurisdiction: str) -> frozenset[date]:
    country, _, region = jurisdiction.partition("-")
    calendars = [
        holidays.country_holidays(country, subdiv=subdiv, years=range(2025, 2029)) for subdiv in (None, region or None)
    ]
    return frozenset(day for calendar in calendars for day in calendar)


def minutes_dialled(outcome: WindowPlan, fold: int) -> list[datetime]:
    """Every minute at which a platform dials that reads ambiguous wire times as the first (0) or the second (1)."""
    zone = ZoneInfo(outcome.window.timezone)

    def read(text: str) -> datetime:
        local = datetime.strptime(text, "%d/%m/%Y, %H:%M").replace(tzinfo=zone, fold=fold)
        return local.astimezone(UTC)

    slots = [tuple(edge.strftime("%d/%m/%Y, %H:%M") for edge in slot) for slot in outcome.call_slots or ()]
    opens, closes = f"{outcome.window.opens:%H:%M}", f"{outcome.window.closes:%H:%M}"
    minute, end = read(outcome.schedule.wire_start), read(outcome.schedule.wire_end)
    dialled = []
    absolute = [(read(first), read(last)) for first, last in slots]
    while minute < end:
        if opens <= f"{minute.astimezone(zone):%H:%M}" < closes and (
            not slots or any(first <= minute < last for first, last in absolute)
        ):
            dialled.append(minute)
        minute += timedelta(minutes=1)
    return dialled


@cache
def clock_changes(zone: str) -> list[date]:
    """The days of 2026 and 2027 on which the clocks of a zone change."""
    noons = [datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(730)]
    offsets = [noon.astimezone(ZoneInfo(zone)).utcoffset() for noon in noons]
    return [noons[day].date() for day in range(1, 730) if offsets[day] != offsets[day - 1]]


def best_daily_window(allowed: dict[date, dict[str, bool]], window: DailyWindow, shortest: int = 1) -> int:
    """Most minutes that one daily window over one run of days has.

    Tries every run of days; in each, every longest stretch of the clock in which no day forbids a minute.
    """
    clock = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(1440)]
    clock = [shown for shown in clock if f"{window.opens:%H:%M}" <= shown < f"{window.closes:%H:%M}"]
    best, days = 0, sorted(allowed)
    for first in range(len(days)):
        for last in range(first, len(days)):
            run = [allowed[day] for day in days[first : last + 1]]
            stretch = minutes = 0
            for shown in clock:
                if any(day.get(shown) is False for day in run):
                    stretch = minutes = 0
                else:
                    stretch += 1
                    minutes += sum(shown in day for day in run)
                if stretch >= shortest:
                    best = max(best, minutes)
    return best


def shown_twice(minute: datetime, zone: ZoneInfo) -> bool:
    """Whether the wall shows this time twice."""
    local = minute.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


# ------------------------------------------------------------------------------------------------ whole campaigns

_US = ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"]
_AUSTRALIA = [
    "Antarctica/Macquarie",
    "Australia/Lord_Howe",
    "Australia/Hobart",
    "Australia/Melbourne",
    "Australia/Sydney",
    "Australia/Broken_Hill",
    "Australia/Brisbane",
    "Australia/Lindeman",
    "Australia/Adelaide",
    "Australia/Darwin",
    "Australia/Perth",
    "Australia/Eucla",
]
_GERMANY, _INDIA = ["Europe/Berlin", "Europe/Busingen"], ["Asia/Kolkata"]

#: What a table may say of a region -> the region, and every zone in which somebody there may be.
REGIONS: dict[str, tuple[str, list[str]]] = {
    "US-TN": ("US-TN", ["America/New_York", "America/Chicago"]),
    " tennessee ": ("US-TN", ["America/New_York", "America/Chicago"]),
    "US-FL": ("US-FL", ["America/New_York", "America/Chicago"]),
    "US-NC": ("US-NC", ["America/New_York"]),
    "us-al": ("US-AL", ["America/Chicago"]),
    "US-RI": ("US-RI", ["America/New_York"]),
    "US-CA": ("US-CA", ["America/Los_Angeles"]),
    "DE-BY": ("DE-BY", _GERMANY),
    "DE-BE": ("DE-BE", _GERMANY),
    "IN-KA": ("IN-KA", _INDIA),
    "AU-QLD": ("AU-QLD", _AUSTRALIA),
    "AU-WA": ("AU-WA", _AUSTRALIA),
}
NUMBERS = (
    "+13055551234", "+19195551234", "+16155551234", "+14155552671", "+12055551234", "+14015551234", "+18085551234",
    "+18005551234", "+17872345678", "+919876543210", "+4915123456789", "+498912345678", "+61731234567", "+61892345678",
    "+442071234567", "+999123456",
)  # fmt: skip
#: What is no zone, though some machines have a file of the name.
NO_ZONES = ("localtime", "Factory", "posixrules", "Eastern", "+05:30", "America/New York")
HOMES = ("America/New_York", "America/Los_Angeles", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe", "UTC")
_WEEKS = (
    {"daily": ["08:00-21:00"]}, {"daily": ["09:00-20:00"]}, {"daily": ["10:00-13:00", "15:00-19:30"]},
    {"daily": ["00:00-24:00"]}, {"daily": ["08:00-20:00"], "sun": []},
)  # fmt: skip


_RULE = {"purposes": ["promotional"], "source": "made up", "checked": "2026-11-20"}


@dataclass(frozen=True)
class Campaign:
    """One campaign that was asked for, and the people of its table as (number, zone, region)."""

    rules: list[dict[str, Any]]
    no_rule: NoRule
    window: DailyWindow
    schedule: Schedule
    most_slots: int
    closed: list[date]
    people: list[tuple[str, str | None, str | None]]


def made_up(dice: random.Random) -> Campaign:
    """A campaign as somebody may ask for it, more often than not on a day on which something is odd."""
    home = dice.choice(HOMES)
    odd = [*clock_changes(home), *clock_changes("America/New_York"), *clock_changes("Europe/Berlin")]
    odd += sorted(public_holidays("US-AL") | public_holidays("DE-BY"))[20:60]
    day = dice.choice(odd) if dice.random() < 0.6 else date(2026, 1, 5) + timedelta(days=dice.randrange(600))
    midnight = datetime.fromisoformat(f"{day}") - timedelta(days=dice.randrange(2))
    begin = midnight + timedelta(minutes=dice.choice([0, 0, 480, 745]))
    until = begin + timedelta(minutes=dice.randrange(120, 3 * 1440))
    start, end = (pendulum.instance(at.replace(fold=1), tz=home) for at in (begin, until))
    opens, closes = dice.choice([("00:00", "23:59"), ("08:00", "20:00"), ("09:30", "19:45"), ("06:00", "22:00")])
    rules = []
    for jurisdiction in ("US", "US-TN", "US-AL", "US-RI", "DE", "DE-BY", "IN", "AU", "AU-QLD", "GB"):
        if dice.random() < 0.6:
            week: dict[str, list[str]] = dict(dice.choice(_WEEKS))
            if "sun" in week:
                week = dict.fromkeys(WEEKDAYS[:6], week["daily"])
            limit = {"max_attempts_per_day": dice.choice([1, 2, 3])} if dice.random() < 0.3 else {}
            holidays_are = {"public_holidays": dice.choice(["allowed", "forbidden"])}
            rules.append({**_RULE, "jurisdiction": jurisdiction, "hours": week, **holidays_are, **limit})
    people: list[tuple[str, str | None, str | None]] = []
    for _ in range(14):
        zone = dice.choice([None, None, None, None, " ", *NO_ZONES, dice.choice(_US), "Europe/Berlin"])
        region = dice.choice([None, "", "Narnia", *REGIONS, *REGIONS])
        people.append((dice.choice(NUMBERS), zone, region))
    return Campaign(
        rules=rules or [{**_RULE, "jurisdiction": "US", "hours": {"daily": ["08:00-21:00"]}}],
        no_rule=dice.choice(["refuse", "hold", "allow", "allow"]),
        window=DailyWindow.from_call_time(opens, closes, home),
        schedule=Schedule(start, end),
        most_slots=dice.choice([0, 0, 100]),
        closed=[day] if dice.random() < 0.1 else [],
        people=people,
    )


@cache
def told_by_number(number: str) -> tuple[str | None, tuple[str, ...]]:
    """What the library says of a number: its country and every zone that it may be in."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None, ()
    zones = phonenumbers.timezone.time_zones_for_number(parsed)
    country = phonenumbers.region_code_for_number(parsed)
    return country, () if zones == (phonenumbers.timezone.UNKNOWN_TIMEZONE,) else tuple(zones)


def expected_place(number: str, zone: str | None, region: str | None) -> tuple[str, str | None, frozenset[str]] | str:
    """Country, region and every zone in which the contact may be; or the code for which it is held."""
    country, zones = told_by_number(number)
    if country is None:
        return HoldCode.NO_COUNTRY
    known = REGIONS.get(region or "")
    if country == "PR":
        country, known = "US", known if (region or "").strip() else ("US-PR", ["America/Puerto_Rico"])
    if known and "-" not in (region or "") and known[0][:2] != country:
        known = None  # a bare name is one of the number's own country
    if zone is not None and zone.strip():
        if zone in NO_ZONES:
            return HoldCode.UNKNOWN_ZONE
        return (known[0][:2] if known else country, known[0] if known else None, frozenset({zone}))
    if known and known[0][:2] != country:
        return HoldCode.REGION_CONFLICT
    all_zones = frozenset(zones) | frozenset(known[1] if known else ())
    return (country, known[0] if known else None, all_zones) if all_zones else HoldCode.NO_ZONE


def problems(campaign: Campaign, seen: Counter[str]) -> Iterable[str]:
    """What the planner does with the campaign's people that it must not, or need not."""
    planner = WindowPlanner(
        load_rules({"rules": campaign.rules, "territories": {"PR": "US-PR"}}),
        purpose="promotional",
        window=campaign.window,
        schedule=campaign.schedule,
        most_slots=campaign.most_slots,
        no_rule=campaign.no_rule,
        blackout_dates=campaign.closed,
    )
    home = ZoneInfo(campaign.window.timezone)
    asked = minutes_dialled(WindowPlan(campaign.window, campaign.schedule), 0)
    verdicts: dict[Any, dict[datetime, bool]] = {}
    for person in campaign.people:
        try:
            outcome: Any = planner.plan_contact(*person)
        except InvalidRequest:
            outcome = "refused"
        place = expected_place(*person)
        seen["contacts"] += 1
        if isinstance(place, str):
            if not (isinstance(outcome, Held) and outcome.code == place):
                yield f"{person}: {place} was expected, not {outcome}"
            continue
        country, region, zones = place
        applying = [
            rule
            for rule in campaign.rules
            if rule["jurisdiction"][:2] == country and (region is None or rule["jurisdiction"] in {country, region})
        ]
        if not any(rule["jurisdiction"] in {country, region} for rule in applying) and campaign.no_rule != "allow":
            wanted = "refused" if campaign.no_rule == "refuse" else HoldCode.NO_RULE
            if wanted != (outcome if isinstance(outcome, str) else getattr(outcome, "code", None)):
                yield f"{person}: {wanted} was expected, not {outcome}"
            continue
        key = (country, region, zones)
        if key not in verdicts:
            verdicts[key] = {minute: may_be_called(applying, zones, campaign.closed, minute) for minute in asked}
        allowed = verdicts[key]
        if isinstance(outcome, WindowPlan):
            seen["planned"] += 1
            for fold in (0, 1):
                wrong = [minute for minute in minutes_dialled(outcome, fold) if not allowed.get(minute)]
                if wrong:
                    yield f"{person}: {len(wrong)} forbidden minutes, the first at {wrong[0]}"
            limits = [rule["max_attempts_per_day"] for rule in applying if "max_attempts_per_day" in rule]
            if limits and (outcome.max_attempts_per_day or 99) > min(limits):
                yield f"{person}: {outcome.max_attempts_per_day} attempts a day where {min(limits)} are allowed"
        elif outcome == "refused" or outcome.code != HoldCode.NOT_CALLABLE:
            yield f"{person}: a plan was expected, not {outcome}"
        elif not any(shown_twice(minute, home) for minute in (*asked, campaign.schedule.start, campaign.schedule.end)):
            seen["held"] += 1
            by_day: dict[date, dict[str, bool]] = {}
            for minute, fine in allowed.items():
                local = minute.astimezone(home)
                by_day.setdefault(local.date(), {})[f"{local:%H:%M}"] = fine
            possible = sum(allowed.values()) if campaign.most_slots else best_daily_window(by_day, campaign.window, 30)
            if possible:
                yield f"{person}: needlessly held, {possible} minutes would be allowed"


def main() -> int:
    """Make up campaigns, and print what is wrong with what the planner says of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    wrong = 0
    for number in range(options.campaigns):
        for problem in problems(made_up(random.Random(f"{options.seed}/{number}")), seen):
            wrong += 1
            print(f"campaign {number}: {problem}")
    counts = f"{seen['contacts']} contacts, {seen['planned']} of them planned, {seen['held']} held"
    print(f"{options.campaigns} campaigns, {counts}: {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
