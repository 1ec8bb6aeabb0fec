"""Whatever is asked for: no minute is forbidden, and nobody is held for nothing, says a slow and obvious reading."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ringg_provider.hours.plan import ContactProfile, Held, WindowPlan
from ringg_provider.hours.planner import WindowPlanner
from ringg_provider.hours.rules import load_rules
from ringg_provider.hours.schedule import DailyWindow, Schedule
from tests.hours.oracle import (
    WEEKDAYS,
    best_daily_window,
    clock_changes,
    made_up,
    may_be_called,
    minutes_dialled,
    problems,
    shown_twice,
)

ZONES = (
    "America/New_York",
    "America/Los_Angeles",
    "America/Phoenix",
    "America/St_Johns",  # half an hour off the others
    "America/Havana",  # changes at midnight
    "America/Santiago",  # southern summer, changes at midnight
    "Africa/Casablanca",  # leaves its time for Ramadan
    "Africa/Cairo",
    "Asia/Beirut",  # midnight belongs to the lost hour
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # moves by half an hour
    "Europe/London",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "UTC",
)


@pytest.mark.parametrize("seed", range(12))
def test_whole_campaigns_made_up_at_random_have_nothing_wrong_with_them(seed):
    assert list(problems(made_up(random.Random(f"suite/{seed}")), Counter())) == []


def allowed_for(profile: ContactProfile, rules: dict[str, Any], blackouts: list[date], minute: datetime) -> bool:
    places = {profile.country, profile.region}
    applying = [rule for rule in rules["rules"] if profile.region is None or rule["jurisdiction"] in places]
    return may_be_called(applying, profile.zones, blackouts, minute)


half_hours = st.integers(0, 47).map(lambda half: f"{half // 2:02}:{half % 2 * 30:02}")
odd_times = st.times().map(lambda at: f"{at:%H:%M}")


@st.composite
def hours_of_a_day(draw: st.DrawFn) -> list[str]:
    """Mostly a long day; sometimes the whole day, odd minutes, or two windows."""
    kind = draw(st.sampled_from(["long", "long", "long", "all", "all", "odd", "two"]))
    if kind == "all":
        return ["00:00-24:00"]
    if kind == "long":
        return [
            f"{draw(st.integers(0, 11)):02}:{draw(st.sampled_from(['00', '15', '59']))}-{draw(st.integers(15, 23))}:30"
        ]
    edges = sorted(draw(st.sets(odd_times, min_size=4, max_size=4)))
    return [f"{edges[0]}-{edges[1]}", f"{edges[2]}-{edges[3]}"] if kind == "two" else [f"{edges[0]}-{edges[3]}"]


@st.composite
def rule(draw: st.DrawFn, jurisdiction: str) -> dict[str, Any]:
    usual = draw(hours_of_a_day())
    hours = dict.fromkeys(WEEKDAYS, usual)
    for day in draw(st.lists(st.sampled_from(WEEKDAYS), max_size=2)):
        hours[day] = draw(hours_of_a_day())
    for day in draw(st.lists(st.sampled_from(WEEKDAYS), max_size=1)):
        del hours[day]
    return {
        "jurisdiction": jurisdiction,
        "purposes": ["promotional"],
        "hours": hours,
        "public_holidays": draw(st.sampled_from(["allowed", "forbidden"])),
        "source": "made up",
        "checked": "2026-11-20",
    }


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[str, Any], ContactProfile, DailyWindow, Schedule, list[date]]:
    home = draw(st.sampled_from(ZONES))
    zones = draw(st.sets(st.sampled_from(ZONES), min_size=1, max_size=2))
    changes = [day for zone in (home, *sorted(zones)) for day in clock_changes(zone)]
    if changes and draw(st.integers(0, 2)):
        day = draw(st.sampled_from(changes)) - timedelta(days=draw(st.integers(0, 2)))
    else:
        day = draw(
            st.sampled_from([date(2026, 7, 3), date(2027, 12, 30)]) | st.dates(date(2026, 1, 2), date(2027, 12, 20))
        )
    start = datetime.fromisoformat(f"{day}") + timedelta(minutes=draw(st.just(0) | st.integers(0, 1439)))
    end = start + timedelta(minutes=draw(st.integers(30, 3 * 1440) | st.just(3 * 1440)))
    narrow = st.sets(half_hours | odd_times, min_size=2, max_size=2).map(sorted)
    opens, closes = draw(st.just(["00:00", "23:59"]) | st.just(["00:30", "22:15"]) | narrow)
    return (
        {"rules": [draw(rule("US")), draw(rule("US-AL"))]},
        ContactProfile("US", draw(st.sampled_from(["US-AL", "US-NY", None])), tuple(sorted(zones))),
        DailyWindow.from_call_time(opens, closes, home),
        Schedule(*(pendulum.instance(at, tz=home) for at in (start, end))),
        draw(st.just([]) | st.just([]) | st.just([day + timedelta(days=1)])),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(situation=situations(), large=st.booleans())
def test_no_minute_of_a_plan_is_forbidden_for_its_contacts(situation, large):
    rules, profile, window, dates, blackouts = situation
    assume(dates.start < dates.end)
    outcome = WindowPlanner(
        load_rules(rules),
        purpose="promotional",
        window=window,
        schedule=dates,
        most_slots=100 if large else 0,
        blackout_dates=blackouts,
        shortest_window=1,
    ).plan(profile)
    if isinstance(outcome, Held):
        return
    for fold in (0, 1):
        for minute in minutes_dialled(outcome, fold):
            assert allowed_for(profile, rules, blackouts, minute), minute
            assert dates.start <= minute < dates.end
            assert window.opens <= minute.astimezone(ZoneInfo(window.timezone)).time() < window.closes


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(situation=situations())
def test_a_plan_with_slots_loses_no_minute_away_from_repeated_hours(situation):
    rules, profile, window, dates, blackouts = situation
    assume(dates.start < dates.end)
    zone = ZoneInfo(window.timezone)
    asked = WindowPlan(window, dates)
    wanted = [minute for minute in minutes_dialled(asked, 0) if allowed_for(profile, rules, blackouts, minute)]
    assume(all(not shown_twice(minute, zone) for minute in wanted))
    outcome = WindowPlanner(
        load_rules(rules),
        purpose="promotional",
        window=window,
        schedule=dates,
        most_slots=100,
        blackout_dates=blackouts,
        shortest_window=1,
    ).plan(profile)
    assert (minutes_dialled(outcome, 0) if isinstance(outcome, WindowPlan) else []) == wanted


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(situation=situations())
def test_a_standard_plan_has_as_many_minutes_as_any_run_of_days_and_window(situation):
    rules, profile, window, dates, blackouts = situation
    assume(dates.start < dates.end)
    zone = ZoneInfo(window.timezone)
    asked = minutes_dialled(WindowPlan(window, dates), 0)
    assume(not any(shown_twice(minute, zone) for minute in (*asked, dates.start, dates.end)))
    allowed: dict[date, dict[str, bool]] = {}
    for minute in asked:
        local = minute.astimezone(zone)
        allowed.setdefault(local.date(), {})[f"{local:%H:%M}"] = allowed_for(profile, rules, blackouts, minute)
    outcome = WindowPlanner(
        load_rules(rules),
        purpose="promotional",
        window=window,
        schedule=dates,
        blackout_dates=blackouts,
        shortest_window=1,
    ).plan(profile)
    made = len(minutes_dialled(outcome, 0)) if isinstance(outcome, WindowPlan) else 0
    assert made == best_daily_window(allowed, window)
