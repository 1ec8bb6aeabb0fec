"""Daily windows and call slots as spans of time."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringg_provider.sandbox.windows import (
    CallPlan,
    Openings,
    RetryPolicy,
    campaign_time,
    daily_spans,
    merge_spans,
    slot_spans,
)

BERLIN = ZoneInfo("Europe/Berlin")
KOLKATA = ZoneInfo("Asia/Kolkata")


def plan(zone: ZoneInfo, opens: str = "09:00", closes: str = "18:00") -> CallPlan:
    return CallPlan(opens, closes, zone, RetryPolicy(), 240)


def when(text: str, zone: ZoneInfo = KOLKATA) -> float:
    return campaign_time(text, zone, "time")


def test_a_daily_window_repeats_and_is_clipped_to_the_campaign() -> None:
    spans = daily_spans(plan(KOLKATA), when("18/10/2026, 12:00"), when("20/10/2026, 10:30"))
    assert spans == [
        (when("18/10/2026, 12:00"), when("18/10/2026, 18:00")),
        (when("19/10/2026, 09:00"), when("19/10/2026, 18:00")),
        (when("20/10/2026, 09:00"), when("20/10/2026, 10:30")),
    ]


def test_the_window_keeps_its_local_hours_when_the_clocks_change() -> None:
    spans = daily_spans(plan(BERLIN), when("24/10/2026, 00:00", BERLIN), when("26/10/2026, 00:00", BERLIN))
    assert [datetime.fromtimestamp(opens, BERLIN).hour for opens, _ in spans] == [9, 9]
    assert spans[1][0] - spans[0][0] == 25 * 3600


def test_openings_say_whether_it_is_open_and_when_next() -> None:
    openings = Openings([(10, 20), (30, 40)])
    assert [openings.is_open(t) for t in (9, 10, 19.9, 20, 35, 40)] == [False, True, True, False, True, False]
    assert [openings.next_opening(t) for t in (0, 10, 25, 30, 99)] == [10, 30, 30, None, None]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda p: (p[0], p[0] + p[1])), max_size=12))
def test_merged_spans_cover_the_same_moments_without_touching(spans: list[tuple[int, int]]) -> None:
    merged = merge_spans(spans)
    assert {t for a, b in spans for t in range(a, b)} == {t for a, b in merged for t in range(int(a), int(b))}
    assert all(left[1] < right[0] for left, right in pairwise(merged))


NOW = when("18/10/2026, 08:00")
CAMPAIGN = (when("18/10/2026, 09:00"), when("31/10/2026, 18:00"))


def absolute(*intervals: tuple[str, str]) -> dict[str, Any]:
    return {"mode": "absolute", "intervals": [{"start": start, "end": end} for start, end in intervals]}


def weekly(until: str = "31/10/2026, 18:00", **window: Any) -> dict[str, Any]:
    return {
        "mode": "weekly",
        "until": until,
        "windows": [{"days": ["mon", "wed"], "start": "10:00", "end": "13:00"} | window],
    }


def test_absolute_slots_merge_when_they_overlap() -> None:
    slots = absolute(("18/10/2026, 10:00", "18/10/2026, 12:00"), ("18/10/2026, 11:00", "18/10/2026, 13:00"))
    assert slot_spans(slots, plan(KOLKATA), NOW, CAMPAIGN) == [(when("18/10/2026, 10:00"), when("18/10/2026, 13:00"))]


def test_weekly_slots_repeat_on_their_days_until_the_end() -> None:
    spans = slot_spans(weekly(), plan(KOLKATA), NOW, CAMPAIGN)
    assert [f"{datetime.fromtimestamp(opens, KOLKATA):%d %a}" for opens, _ in spans] == [
        "19 Mon", "21 Wed", "26 Mon", "28 Wed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("slots", "sentence"),
    [
        ([], "must be an object"),
        ({"mode": "daily"}, "either absolute"),
        ({"mode": "absolute", "intervals": [], "until": "31/10/2026, 18:00"}, "either absolute"),
        (absolute(), "1 to 500"),
        (absolute(*[("18/10/2026, 10:00", "18/10/2026, 10:01")] * 501), "1 to 500"),
        (absolute(("18/10/2026, 07:00", "18/10/2026, 10:00")), "in the past"),
        (absolute(("18/10/2026, 10:00", "18/10/2026, 10:00")), "between 1 minute and 24 hours"),
        (absolute(("18/10/2026, 17:00", "18/10/2026, 19:00")), "outside the daily call_time window"),
        (absolute(("18/10/2026, 17:00", "19/10/2026, 10:00")), "outside the daily call_time window"),
        (absolute(("01/11/2026, 10:00", "01/11/2026, 11:00")), "outside the campaign times"),
        (absolute(("18-10-2026 10:00", "18/10/2026, 11:00")), "DD/MM/YYYY, HH:MM"),
        (weekly(days=["monday"]), "mon..sun"),
        (weekly(days=[]), "mon..sun"),
        (weekly(start="13:00", end="10:00"), "must end after"),
        (weekly(until="31/03/2027, 18:00"), "at most 90 days"),
        ({**weekly(), "windows": weekly()["windows"] * 22}, "1 to 21"),
        (weekly(until="18/10/2026, 18:00"), "no time at all"),
    ],
)
def test_slots_that_break_a_rule_are_refused(slots: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        slot_spans(slots, plan(KOLKATA), NOW, CAMPAIGN)


def test_the_last_slot_must_end_five_minutes_from_now() -> None:
    now = when("18/10/2026, 10:00")
    with pytest.raises(ValueError, match="5 minutes"):
        slot_spans(absolute(("18/10/2026, 10:01", "18/10/2026, 10:04")), plan(KOLKATA), now, None)


def test_at_most_a_hundred_slots_remain_after_merging() -> None:
    intervals = [(f"{18 + n // 60}/10/2026, {10 + n % 60 // 20}:{n % 20 * 3:02d}",
                  f"{18 + n // 60}/10/2026, {10 + n % 60 // 20}:{n % 20 * 3 + 1:02d}") for n in range(101)]  # fmt: skip
    with pytest.raises(ValueError, match="more than 100"):
        slot_spans(absolute(*intervals), plan(KOLKATA), NOW, CAMPAIGN)
    assert len(slot_spans(absolute(*intervals[:100]), plan(KOLKATA), NOW, CAMPAIGN)) == 100
