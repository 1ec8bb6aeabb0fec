"""Simulated time runs ahead; the wire shows the wall's."""

from __future__ import annotations

import re
import time
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from ringg_provider.sandbox.clock import Clock, EventQueue
from tests.sandbox.api import Api, MakeApi, at, call_config, contacts, expect, instant, wait_for

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_PLANS = {"campaign_start_time", "campaign_end_time"}


def stamps(answer: Any) -> list[float]:
    """Every timestamp in an answer but those that are plans."""
    if isinstance(answer, dict):
        return [stamp for key, value in answer.items() if key not in _PLANS for stamp in stamps(value)]
    if isinstance(answer, list):
        return [stamp for item in answer for stamp in stamps(item)]
    if isinstance(answer, str) and _STAMP.fullmatch(answer):
        return [datetime.fromisoformat(answer).timestamp()]
    return []


def test_no_timestamp_is_ever_in_the_future(either: Api) -> None:
    began = time.time() - 1.001  # the listing shows whole seconds
    list_id = either.started(contacts(150), call_config=call_config(retry_count=2))
    bulk_list_id = either.uploaded(contacts(50, first=500))
    expect(either.make_call(bulk_list_id))
    paths = ("/campaign/all", "/calling/history?limit=200", f"/campaign/upload-status/{bulk_list_id}")
    while either.campaign(list_id)["state"] != "completed":
        found = [stamp for path in paths for stamp in stamps(expect(either.get(path)))]
        assert found
        assert all(began <= stamp <= time.time() for stamp in found)
    assert all(began <= stamp <= time.time() for stamp in stamps(either.sandbox.state()))


def test_the_moments_of_a_call_are_in_order(make_api: MakeApi) -> None:
    api = make_api(busy_rate=0.5)
    list_id = api.finished(contacts(60), call_config=call_config(retry_count=3, retry_busy=10))
    states = [instant(entry["at"]) for entry in api.campaign(list_id)["states"]]
    assert states == sorted(states)
    for call in api.sandbox.state()["calls"]:
        moments = [call["created_at"], *(a["called_on_time"] for a in call["attempts"]), call["ended_at"]]
        assert [instant(moment) for moment in moments] == sorted(instant(moment) for moment in moments)
        assert instant(call["created_at"]) >= states[0]
        assert instant(call["ended_at"]) <= states[-1]


def test_an_hour_of_waiting_takes_a_second_at_speed_3600(make_api: MakeApi) -> None:
    api = make_api(speed=3600, busy_rate=0, not_picked_rate=0, failed_rate=0)
    list_id = api.saved(contacts(1), campaign_start_time=at(1.5), campaign_end_time=at(3))
    began = time.monotonic()
    expect(api.start(list_id))
    api.wait(list_id, "ongoing", "completed")
    assert 1.4 < time.monotonic() - began < 10


def test_six_thousand_contacts_are_called_within_seconds(api: Api) -> None:
    began = time.monotonic()
    list_id = api.finished(contacts(6000), call_config=call_config(retry_count=1))
    assert api.campaign(list_id)["calls"].keys() <= {"completed", "failed"}
    assert time.monotonic() - began < 30


def test_a_change_of_speed_keeps_what_was_planned(make_api: MakeApi) -> None:
    api = make_api(speed=0.001)
    list_id = api.started(contacts(5))
    api.sandbox.settings(speed=3600)
    api.wait(list_id, "completed")


def test_calls_are_made_inside_the_daily_window_only(make_api: MakeApi) -> None:
    api = make_api(speed=0.001, lines=1, busy_rate=0, not_picked_rate=1, failed_rate=0)
    config = call_config()
    config["call_time"] |= {"call_start_time": "10:00", "call_end_time": "10:10"}
    list_id = api.saved(contacts(100), call_config=config, campaign_start_time=at(0.05), campaign_end_time=at(75))
    expect(api.start(list_id))
    made = []
    for _ in range(73):
        api.skip(3600)
        made.append(api.campaign(list_id)["calls"].get("failed", 0))
    # Half a minute of ringing each: twenty calls fit into one window, and there were three.
    steps = [after - before for before, after in pairwise(made) if after > before]
    assert sum(steps) in (60, 61, 62, 63)
    assert len(steps) <= 6


def test_a_call_that_began_before_the_window_closes_goes_on(make_api: MakeApi) -> None:
    api = make_api(busy_rate=0, not_picked_rate=0, failed_rate=0, voicemail_rate=0)
    list_id = api.finished(contacts(30), campaign_end_time=at(24))
    assert {call["status"] for call in api.calls(list_id)} == {"completed"}


# -- the clock alone


def test_the_wall_never_runs_backwards() -> None:
    times = iter([100.0, 105.0, 103.0, 104.0, 110.0])
    clock = Clock(10, lambda: next(times))
    assert [clock.wall() for _ in range(4)] == [105, 105, 105, 110]


def test_what_is_skipped_happens_now() -> None:
    wall = 1000.0
    clock = Clock(10, lambda: wall)
    events = EventQueue(clock)
    seen: list[tuple[str, float, float]] = []

    def note(name: str) -> None:
        seen.append((name, events.now(), events.wall()))

    events.after(50, note, "skipped")
    events.after(200, note, "later")
    clock.skip(100)
    events.run_due()
    assert seen == [("skipped", 1050, 1000)]
    wall = 1010.0
    events.run_due()
    assert seen[1:] == [("later", 1200, 1010)]


def test_events_run_in_order_and_plan_further_ones() -> None:
    wall = 0.0
    events = EventQueue(Clock(1, lambda: wall))
    seen: list[str] = []

    def first() -> None:
        seen.append("first")
        events.after(1, seen.append, "planned by the first")

    events.at(2, seen.append, "second")
    events.at(1, first)
    events.at(2, seen.append, "third")
    wall = 5.0
    events.run_due()
    assert seen == ["first", "second", "third", "planned by the first"]


def test_a_budget_stops_early_and_the_rest_follows() -> None:
    wall = 0.0
    events = EventQueue(Clock(1, lambda: wall))
    seen: list[int] = []
    for number in range(100):
        events.at(1, seen.append, number)
    wall = 2.0
    events.run_due(budget_seconds=0.0)
    assert len(seen) < 100
    events.run_due()
    assert seen == list(range(100))


@pytest.mark.parametrize("speed", [0, -1])
def test_time_cannot_stand_still(api: Api, speed: float) -> None:
    response = api.sandbox.admin.patch("/_sandbox/settings", json={"speed": speed})
    assert response.status_code == 422
    wait_for(lambda: api.sandbox.state(), "the sandbox to answer")
