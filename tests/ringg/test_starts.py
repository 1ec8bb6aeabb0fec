"""What is sent to start a list of the large flow when time has gone on since it was planned."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine

from ringg_provider.exceptions import StaleCampaign
from ringg_provider.ringg.requests import CallConfig
from ringg_provider.ringg.starts import Callers, LargeStart

SLOTS = [("14/10/2026, 10:02", "14/10/2026, 12:00"), ("14/10/2026, 15:00", "14/10/2026, 18:00")]


def slots(*intervals: tuple[str, str]) -> dict[str, Any]:
    return {"mode": "absolute", "intervals": [{"start": start, "end": end} for start, end in intervals]}


def large_start(call_slots: dict[str, Any]) -> LargeStart:
    times = {"call_start_time": "09:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"}
    return LargeStart(
        list_id="5f3c",
        agent_id="0a1b",
        callers=Callers(from_numbers=["77aa"]),
        country_code="+91",
        call_config=CallConfig(call_time=times),
        start="14/10/2026, 10:02",
        end="14/10/2026, 18:00",
        call_slots=call_slots,
    )


@pytest.mark.parametrize(
    ("now", "start", "left"),
    [
        ("2026-10-14T09:59:00+05:30", "14/10/2026, 10:02", SLOTS),
        # A minute after the upload the start moves on, and what the first slot loses with it.
        ("2026-10-14T10:03:00+05:30", "14/10/2026, 10:05", [("14/10/2026, 10:05", SLOTS[0][1]), SLOTS[1]]),
        ("2026-10-14T13:00:00+05:30", "14/10/2026, 13:02", SLOTS[1:]),
    ],
)
def test_slots_move_on_with_the_start(now: str, start: str, left: list[tuple[str, str]]) -> None:
    with time_machine.travel(now, tick=False):
        sent = large_start(slots(*SLOTS)).request()
    assert (sent["campaign_start_time"], sent["call_slots"]) == (start, slots(*left))


def test_weekly_slots_are_repeated_from_wherever_the_start_is() -> None:
    weekly = {
        "mode": "weekly",
        "windows": [{"days": ["wed"], "start": "10:00", "end": "12:00"}],
        "until": "14/10/2026, 17:00",
    }
    with time_machine.travel("2026-10-14T10:03:00+05:30", tick=False):
        assert large_start(weekly).request()["call_slots"] == weekly


def test_slots_that_are_all_over_start_nothing() -> None:
    with time_machine.travel("2026-10-14T12:30:00+05:30", tick=False), pytest.raises(StaleCampaign, match="call_slots"):
        large_start(slots(SLOTS[0])).request()
