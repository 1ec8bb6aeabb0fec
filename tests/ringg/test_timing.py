"""What is sent for a window plan: `call_config` and `call_slots`."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pendulum
import pytest

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.plan import WindowPlan
from ringg_provider.hours.schedule import DailyWindow, Schedule
from ringg_provider.ringg.requests import CallConfig
from ringg_provider.ringg.timing import as_call_config, call_config_of, call_slots_of

NEW_YORK = "America/New_York"
DAY = Schedule(*(pendulum.datetime(2026, 10, 14, hour, tz=NEW_YORK) for hour in (9, 20)))


def plan(**options) -> WindowPlan:
    return WindowPlan(DailyWindow(time(9), time(20), NEW_YORK), DAY, **options)


def asked(retry_count: int | None = None) -> CallConfig:
    config = {
        "max_call_length": 300,
        "call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"},
    }
    if retry_count is not None:
        waits = dict.fromkeys(("retry_busy", "retry_not_picked", "retry_failed"), 30)
        config["call_retry_config"] = {"retry_count": retry_count, **waits}
    return CallConfig(**config)


def test_the_call_config_keeps_everything_but_the_window():
    one = asked(5)
    made = call_config_of(plan(), one)
    assert made.call_time.wire() | {"scheduled_at": None} == {
        "call_start_time": "09:00",
        "call_end_time": "20:00",
        "timezone": NEW_YORK,
        "scheduled_at": None,
    }
    assert {**made.wire(), "call_time": None} == {**one.wire(), "call_time": None}
    assert one.call_time.call_start_time == "00:00"


@pytest.mark.parametrize(("retries", "limit", "left"), [(5, 3, 2), (1, 3, 1), (5, 1, 0), (5, None, 5), (None, 3, None)])
def test_a_rules_limit_of_attempts_lowers_the_retries(retries, limit, left):
    made = call_config_of(plan(max_attempts_per_day=limit), asked(retries))
    assert (made.call_retry_config and made.call_retry_config.retry_count) == left


def test_slots_are_sent_as_absolute_intervals_and_only_where_there_are_any():
    zone = ZoneInfo(NEW_YORK)
    slot = (datetime(2026, 10, 14, 9, tzinfo=zone), datetime(2026, 10, 14, 12, 30, tzinfo=zone))
    assert call_slots_of(plan(call_slots=(slot,))) == {
        "mode": "absolute",
        "intervals": [{"start": "14/10/2026, 09:00", "end": "14/10/2026, 12:30"}],
    }
    assert call_slots_of(plan()) is None


@pytest.mark.parametrize("zone", ["localtime", "Factory", "EST5EDT5", "+05:30"])
def test_the_zone_of_a_call_config_is_one_of_the_ianas(zone):
    times = {"call_start_time": "09:00", "call_end_time": "20:00", "timezone": zone}
    with pytest.raises(InvalidRequest, match=r"call_config\.call_time\.timezone must be the name of an IANA time zone"):
        as_call_config({"call_time": times})
