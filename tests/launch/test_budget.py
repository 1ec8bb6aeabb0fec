"""A budget's periods follow the calendar of its zone; what it is, is checked at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.launch.budget import Budget


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("per", "zone", "moment", "period", "ends"),
    [
        ("day", "UTC", "2026-11-26T23:59:59+00:00", "2026-11-26", "2026-11-27T00:00:00+00:00"),
        ("day", "Asia/Kolkata", "2026-11-26T18:29:59+00:00", "2026-11-26", "2026-11-26T18:30:00+00:00"),
        ("day", "Asia/Kolkata", "2026-11-26T18:30:00+00:00", "2026-11-27", "2026-11-27T18:30:00+00:00"),
        # A day of 23 hours, and one of 25.
        ("day", "America/New_York", "2026-03-08T12:00:00+00:00", "2026-03-08", "2026-03-09T04:00:00+00:00"),
        ("day", "America/New_York", "2026-11-01T12:00:00+00:00", "2026-11-01", "2026-11-02T05:00:00+00:00"),
        # The clocks skip midnight, or show it twice.
        ("day", "Africa/Cairo", "2026-04-23T12:00:00+00:00", "2026-04-23", "2026-04-23T22:00:00+00:00"),
        ("day", "America/Havana", "2026-10-31T12:00:00+00:00", "2026-10-31", "2026-11-01T04:00:00+00:00"),
        ("month", "UTC", "2026-01-31T12:00:00+00:00", "2026-01", "2026-02-01T00:00:00+00:00"),
        ("month", "UTC", "2028-02-29T23:00:00+00:00", "2028-02", "2028-03-01T00:00:00+00:00"),
        ("month", "Asia/Kolkata", "2026-12-31T18:30:00+00:00", "2027-01", "2027-01-31T18:30:00+00:00"),
        ("month", "America/New_York", "2026-03-01T04:59:00+00:00", "2026-02", "2026-03-01T05:00:00+00:00"),
        ("month", "America/New_York", "2026-03-31T12:00:00+00:00", "2026-03", "2026-04-01T04:00:00+00:00"),
    ],
)
def test_a_period_is_one_of_the_zones_calendar(per: Any, zone: str, moment: str, period: str, ends: str) -> None:
    budget = Budget("b", 10, per=per, timezone=zone)  # type: ignore[arg-type]
    found = budget.period(at(moment), "key")
    assert (found.name, found.ends) == (period, at(ends))


@settings(deadline=None)
@given(
    st.integers(1_577_836_800, 2_051_222_400),
    st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York", "Africa/Cairo", "America/Havana", "Pacific/Chatham"]),
    st.sampled_from(["day", "month"]),
)
def test_periods_follow_each_other_without_a_gap(seconds: int, zone: str, per: Any) -> None:
    budget = Budget("b", 10, per=per, timezone=zone)  # type: ignore[arg-type]
    now = datetime.fromtimestamp(seconds, UTC)
    name, ends = budget.period(now, "key")
    assert ends is not None
    assert ends > now
    assert budget.period(ends - timedelta(seconds=1), "key").name == name
    assert budget.period(ends, "key").name > name


def test_a_budget_of_a_launch_has_the_launch_for_its_period_and_no_next_one() -> None:
    budget = Budget("b", "10.5")  # type: ignore[arg-type]
    assert budget.period(at("2026-11-26T12:00:00+00:00"), "key") == ("key", None)
    assert budget.next_period(at("2026-11-26T12:00:00+00:00")) is None


def test_a_budget_travels_as_plain_json() -> None:
    budget = Budget("renewals", 0.1, per="month", timezone="Asia/Kolkata", on_exhausted="wait")  # type: ignore[arg-type]
    assert budget.credits == Decimal("0.1")
    assert Budget.of(json.loads(json.dumps(budget.as_json()))) == budget
    assert Budget.of(budget) is budget


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": " "}, "budget.name"),
        ({"name": "n" * 101}, "budget.name"),
        ({"credits": 0}, "budget.credits"),
        ({"credits": -1}, "budget.credits"),
        ({"credits": True}, "budget.credits"),
        ({"credits": "many"}, "budget.credits"),
        ({"credits": float("inf")}, "budget.credits"),
        ({"credits": "NaN"}, "budget.credits"),
        ({"credits": 10**12}, "budget.credits"),
        ({"per": "week"}, "budget.per"),
        ({"timezone": "Mumbai"}, "budget.timezone"),
        ({"timezone": "../etc/passwd"}, "budget.timezone"),
        ({"per": "day", "on_exhausted": "skip"}, "budget.on_exhausted"),
        ({"on_exhausted": "wait"}, "budget.on_exhausted"),
        ({"limit": 5}, "budget"),
    ],
)
def test_what_breaks_a_rule_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        Budget.of({"name": "b", "credits": 5} | given)
    assert raised.value.field == field
