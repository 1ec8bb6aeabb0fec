"""How far a rollout has come: its waves, when one is enough for the next, and what travels through a deferral."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ringg_provider.exceptions import HistoryNotCurrent, InvalidRequest, ServerError
from ringg_provider.launch.course import KNOWN_WITHIN, UNREADABLE_FOR, Course, Wave, is_enough, together, waves_of
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.rollout import Brakes, Check, Observed, Pulled, judge


def item(list_id: str, wave: int | None, rows: int = 100, key: str = "k") -> LaunchItem:
    return LaunchItem(
        list_id=list_id, flow="standard", agent_id="a", country_code="+91", rows=rows, launch_key=key, wave=wave
    )


def test_lists_are_waves_in_their_order_and_without_any_they_are_one() -> None:
    waves = waves_of([item("c", 2), item("a", 0, 2), item("b", 1), item("d", 2)])
    assert [(wave.number, wave.list_ids, wave.people) for wave in waves] == [
        (0, ["a"], 2),
        (1, ["b"], 100),
        (2, ["c", "d"], 200),
    ]
    assert [str(wave) for wave in waves] == ["the rehearsal", "wave 1", "wave 2"]
    assert [wave.number for wave in waves_of([item("a", None), item("b", None)])] == [1]


def test_lists_of_several_keys_are_no_rollout() -> None:
    with pytest.raises(InvalidRequest, match="several launch keys"):
        waves_of([item("a", 1), item("b", 1, key="other")])


@pytest.mark.parametrize(
    ("people", "calls", "pending", "ended_for", "enough"),
    [
        (100, 49, 51, None, False),
        (100, 50, 50, None, True),
        (20, 19, 1, None, False),
        (20, 20, 0, None, True),
        # Somebody was never called: it has ended all the same.
        (20, 19, 0, 0.0, True),
        (20, 19, 1, 0.0, False),
        (20, 19, 1, KNOWN_WITHIN + 1, True),
        # Nothing is known: that is never read as "go on".
        (20, 0, 20, None, False),
        (20, 0, 20, 0.0, False),
        (20, 0, 0, 0.0, False),
    ],
)
def test_a_wave_is_followed_when_enough_of_its_calls_are_known(
    people: int, calls: int, pending: int, ended_for: float | None, enough: bool
) -> None:
    wave = Wave(1, (item("a", 1, people),))
    assert is_enough(wave, Observed(calls=calls, pending=pending), min_calls=50, ended_for=ended_for) is enough


@pytest.mark.parametrize(
    ("brakes", "people", "calls", "reached", "enough"),
    [
        (None, 5_000, 49, 49, False),
        (None, 5_000, 50, 50, True),
        # What three times the limit is found by in 99 of 100 campaigns.
        (Brakes(opt_outs=0.02), 5_000, 1_800, 808, False),
        (Brakes(opt_outs=0.02), 5_000, 1_800, 809, True),
        (Brakes(opt_outs=0.02), 100, 99, 50, False),
        (Brakes(opt_outs=0.02), 100, 100, 50, True),
    ],
)
def test_unless_a_number_is_given_enough_is_what_the_brakes_need(
    brakes: Brakes | None, people: int, calls: int, reached: int, enough: bool
) -> None:
    observed = Observed(calls=calls, reached=reached, pending=people - calls)
    assert is_enough(Wave(1, (item("a", 1, people),)), observed, brakes=brakes) is enough


def test_a_wave_that_ended_without_a_known_call_is_an_error_and_not_followed() -> None:
    wave = Wave(1, (item("a", 1),))
    with pytest.raises(HistoryNotCurrent, match="Wave 1 has ended, and nothing is known"):
        is_enough(wave, Observed(pending=100), min_calls=50, ended_for=KNOWN_WITHIN + 1)


def test_waves_are_counted_together() -> None:
    both = together(
        [Observed(calls=3, reached=2, classifications={"a": 1}), Observed(calls=4, classifications={"b": 2})]
    )
    assert (both.calls, both.reached, dict(both.classifications)) == (7, 2, {"a": 1, "b": 2})
    assert together([]) == Observed()


def test_a_course_travels_as_plain_json_and_what_a_newer_version_adds_is_passed_over() -> None:
    course = Course(deadline=5.0, kill_deadline=6.0)
    wave = Wave(2, (item("a", 2),))
    assert course.enters(wave)
    course.begun = True
    assert not course.enters(wave)
    course.note(wave, Observed(calls=3), None, "On with the next wave.")
    again = Course.of(json.loads(json.dumps(course.as_json() | {"newer": 1})))
    assert again == course
    assert not again.has_left(wave)
    again.leaves()
    assert again.has_left(wave)
    assert again.has_left(Wave(1, ()))
    assert again.enters(Wave(3, ()))
    assert again.due is not None


def test_a_person_lets_one_brake_go_and_no_other() -> None:
    course, brakes = Course(), Brakes(failures=0.1, opt_outs=0.01, min_calls=10)
    verdict = judge(brakes, Observed(calls=500, failures=400, reached=100, opt_outs=60, connected=100))
    first = course.pulled(verdict, 0.95)
    assert first is not None
    course.asks_about(first)
    assert str(Course.of(json.loads(json.dumps(course.as_json()))).refused()) == str(first)
    course.lifts()
    second = course.pulled(verdict, 0.95)
    assert second is not None
    assert second.check.brake != first.check.brake
    course.asks_about(second)
    course.lifts()
    assert course.pulled(verdict, 0.95) is None
    assert str(course.refused()) == "a person was asked whether it may go on, and did not say yes in time"
    assert isinstance(course.refused(), Pulled)
    assert isinstance(course.refused().check, Check)


def test_a_platform_that_is_unwell_is_looked_at_again_for_half_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    course, error, now = Course(), ServerError("unwell"), time.time()
    clock: Any = iter([now, now, now + UNREADABLE_FOR + 1])
    monkeypatch.setattr(time, "time", lambda: next(clock))
    course.tolerates(error)
    with pytest.raises(ServerError):
        course.tolerates(error)
