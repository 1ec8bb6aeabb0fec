"""Waiting in a worker: what settles it, what is tolerated and for how long, and what ends it."""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator

from ringg_provider.exceptions import (
    AuthenticationError,
    CampaignFailed,
    CampaignTerminated,
    RateLimited,
    ServerError,
    UnexpectedResponse,
)
from ringg_provider.launch.progress import Stage
from ringg_provider.operators import waiting
from ringg_provider.operators.waiting import ended, kill_deadline, sleep_until_told, wait_until
from tests.support.tasks import TaskInstance

NOW = 1_800_000_000.0


class Time:
    """Stands in for the module `time`: sleeping takes none of it, and is noted."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def time(self) -> float:
        return NOW + self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Time that passes only while somebody sleeps."""
    made = Time()
    monkeypatch.setattr(waiting, "time", made)
    return made


class Looks:
    """Looks that find one thing after another; the last one for ever."""

    def __init__(self, *found: Any) -> None:
        self.found = list(found)
        self.count = 0

    def __call__(self) -> Any:
        self.count += 1
        found = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if isinstance(found, Exception):
            raise found
        return found


def test_it_looks_until_something_is_found(clock: Time) -> None:
    look = Looks(None, None, "found")
    assert wait_until(look, poll_interval=60) == "found"
    assert (look.count, clock.now) == (3, pytest.approx(120))


def test_what_is_found_at_once_is_not_waited_for(clock: Time) -> None:
    assert wait_until(Looks("found"), poll_interval=60, deadline=0.0) == "found"
    assert clock.naps == []


def test_nothing_by_the_deadline_is_none_and_the_last_look_comes_at_it(clock: Time) -> None:
    look = Looks(None)
    assert wait_until(look, poll_interval=60, deadline=NOW + 150) is None
    assert (look.count, clock.now) == (4, pytest.approx(150))


def test_a_deadline_that_has_passed_leaves_one_look() -> None:
    look = Looks(ServerError("unwell"))
    assert wait_until(look, poll_interval=60, deadline=NOW - 1) is None
    assert look.count == 1


@pytest.mark.parametrize("error", [ServerError("unwell"), UnexpectedResponse("a page of HTML")])
def test_a_platform_that_is_unwell_is_looked_at_again(error: Exception) -> None:
    assert wait_until(Looks(error, error, None, error, "found"), poll_interval=60) == "found"


@pytest.mark.parametrize("error", [ServerError("unwell"), UnexpectedResponse("a page of HTML")])
def test_one_that_stays_unwell_for_half_an_hour_is_told(clock: Time, error: Exception) -> None:
    with pytest.raises(type(error)):
        wait_until(Looks(error), poll_interval=60)
    assert waiting.UNREADABLE_FOR < clock.now <= waiting.UNREADABLE_FOR + 60


def test_a_look_that_succeeds_starts_the_half_hour_over(clock: Time) -> None:
    unwell = [ServerError("unwell")] * 25
    assert wait_until(Looks(*unwell, None, *unwell, "found"), poll_interval=60) == "found"
    assert clock.now > waiting.UNREADABLE_FOR


def test_what_cannot_get_better_is_told_at_once(clock: Time) -> None:
    with pytest.raises(AuthenticationError):
        wait_until(Looks(AuthenticationError("the key was rotated")), poll_interval=60)
    assert clock.naps == []


@pytest.mark.parametrize(("asked", "waited"), [(5.0, 60), (300.0, 300), (9_999_999_999.0, 3600), (None, 60)])
def test_the_platform_is_given_the_time_that_it_asks_for_within_reason(
    clock: Time, asked: float | None, waited: float
) -> None:
    assert wait_until(Looks(RateLimited("slow down", retry_after=asked), "found"), poll_interval=60) == "found"
    assert clock.now == pytest.approx(waited)


def test_a_task_that_is_told_to_stop_sleeps_no_longer_than_a_nap(clock: Time) -> None:
    look = Looks(None)
    assert wait_until(look, poll_interval=3600, told_to_stop=lambda: clock.now >= 5) is None
    assert look.count == 1
    assert 5 <= clock.now <= 5 + waiting.NAP


def test_a_task_that_was_told_to_stop_looks_once_and_does_not_sleep(clock: Time) -> None:
    assert wait_until(Looks(None), poll_interval=60, told_to_stop=lambda: True) is None
    assert clock.naps == []


def test_whoever_was_told_before_still_gets_the_sleep_that_he_asks_for(clock: Time) -> None:
    sleep_until_told(7.5, lambda: True)
    assert clock.now == pytest.approx(7.5)


def test_a_signal_wakes_whoever_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "time", time)
    told: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: told.append(number))
    try:
        threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGUSR1)).start()
        begun = time.monotonic()
        sleep_until_told(30, lambda: bool(told))
        assert 0.2 < time.monotonic() - begun < 5
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_execution_timeout_counts_from_the_start_of_the_task() -> None:
    ti = TaskInstance(start_date=datetime(2027, 3, 1, 6, 30, tzinfo=UTC))
    bounded = BaseOperator(task_id="task", execution_timeout=timedelta(minutes=10))
    assert kill_deadline(bounded, {"ti": ti}) == datetime(2027, 3, 1, 6, 40, tzinfo=UTC).timestamp()  # type: ignore[typeddict-item]
    assert kill_deadline(BaseOperator(task_id="task"), {"ti": ti}) is None  # type: ignore[typeddict-item]


def test_only_a_campaign_that_completed_has_ended_well() -> None:
    assert ended("c-1", Stage.COMPLETED, "completed") == "c-1"
    with pytest.raises(CampaignFailed, match="c-1"):
        ended("c-1", Stage.FAILED, "failed")
    with pytest.raises(CampaignTerminated, match="c-1"):
        ended("c-1", Stage.TERMINATED, "terminated")
