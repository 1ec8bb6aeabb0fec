"""The rate limit is kept for certain, and is used to the full."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringg_provider.api.rate_limit import Pacer


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 1), st.floats(0, 90)), min_size=1, max_size=80),
)
def test_no_window_ever_holds_more_than_the_limit(steps: list[tuple[float, float, float]]) -> None:
    clock = Clock()
    pacer = Pacer(10, 60.0, clock=clock, sleep=clock.sleep)
    arrivals = []
    for duration, share, pause in steps:
        with pacer.turn():
            # Somewhere between sending and answer the platform counts the request.
            arrivals.append(clock.now + duration * share)
            clock.now += duration
        clock.now += pause
    for first, eleventh in zip(arrivals, arrivals[10:], strict=False):
        assert eleventh - first >= 60.0


def test_more_than_95_percent_of_the_limit_is_used() -> None:
    clock = Clock()
    pacer = Pacer(10, 60.0, clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        with pacer.turn():
            clock.now += 0.8
    assert 1000 / (clock.now / 60) >= 0.95 * 10


def test_the_first_requests_do_not_wait() -> None:
    clock = Clock()
    pacer = Pacer(10, 60.0, clock=clock, sleep=clock.sleep)
    for _ in range(10):
        with pacer.turn():
            pass
    assert clock.now == 0.0


def test_a_refusal_that_names_its_wait_is_obeyed() -> None:
    clock = Clock()
    pacer = Pacer(10, 60.0, clock=clock, sleep=clock.sleep)
    pacer.back_off(17.5)
    with pacer.turn():
        assert clock.now == 17.5


def test_a_refusal_without_a_wait_costs_a_whole_window() -> None:
    clock = Clock()
    pacer = Pacer(10, 60.0, clock=clock, sleep=clock.sleep)
    pacer.back_off(None)
    with pacer.turn():
        assert clock.now == 60.0


def test_a_request_that_fails_counts_too() -> None:
    clock = Clock()
    pacer = Pacer(1, 60.0, clock=clock, sleep=clock.sleep)
    try:
        with pacer.turn():
            raise RuntimeError
    except RuntimeError:
        pass
    with pacer.turn():
        assert clock.now >= 60.0


# --- several at a time ----------------------------------------------------------------------------------------

LIMIT = 5
PERIOD = 0.5


class Platform:
    """Notes when each request arrives and how many are under way."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self.under_way = self.most = 0
        self._lock = threading.Lock()

    def arrive(self) -> None:
        with self._lock:
            self.arrivals.append(time.monotonic())
            self.under_way += 1
            self.most = max(self.most, self.under_way)

    def answer(self) -> None:
        with self._lock:
            self.under_way -= 1

    def kept_its_limit(self) -> bool:
        ordered = sorted(self.arrivals)
        return self.most <= LIMIT and all(
            later - earlier >= PERIOD for earlier, later in zip(ordered, ordered[LIMIT:], strict=False)
        )


def test_threads_that_come_at_once_keep_the_limit_together() -> None:
    platform, pacer, together = Platform(), Pacer(LIMIT, PERIOD), threading.Barrier(20)

    def ask(_: int) -> None:
        together.wait(10)
        with pacer.turn():
            platform.arrive()
            time.sleep(0.02)
            platform.answer()

    started = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(ask, range(20)))
    assert len(platform.arrivals) == 20
    assert platform.kept_its_limit()
    assert time.monotonic() - started < 20 * PERIOD  # four windows, and much patience with a busy machine


async def ask_slowly(platform: Platform, pacer: Pacer) -> None:
    async with pacer.aturn():
        platform.arrive()
        await asyncio.sleep(0.02)
        platform.answer()


async def test_coroutines_that_come_at_once_keep_the_limit_together() -> None:
    platform, pacer = Platform(), Pacer(LIMIT, PERIOD)
    started = time.monotonic()
    await asyncio.gather(*(ask_slowly(platform, pacer) for _ in range(20)))
    assert len(platform.arrivals) == 20
    assert platform.kept_its_limit()
    assert time.monotonic() - started < 20 * PERIOD


def test_threads_and_event_loops_keep_the_limit_together() -> None:
    platform, pacer = Platform(), Pacer(LIMIT, PERIOD)

    def ask(number: int) -> None:
        if number % 2:
            asyncio.run(ask_slowly(platform, pacer))
        else:
            with pacer.turn():
                platform.arrive()
                time.sleep(0.02)
                platform.answer()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(12)))
    assert len(platform.arrivals) == 12
    assert platform.kept_its_limit()


def test_nobody_is_let_through_before_an_answer_while_all_are_under_way() -> None:
    pacer, hold, entered = Pacer(1, 0.01), threading.Event(), threading.Event()

    def first() -> None:
        with pacer.turn():
            entered.set()
            hold.wait(10)

    def second() -> float:
        with pacer.turn():
            return time.monotonic()

    with ThreadPoolExecutor(2) as pool:
        pool.submit(first)
        entered.wait(10)
        waiting = pool.submit(second)
        time.sleep(0.2)
        assert not waiting.done()
        released = time.monotonic()
        hold.set()
        assert waiting.result(10) >= released + 0.01


@pytest.mark.parametrize("when", ["all under way", "window not over"])
async def test_who_is_cancelled_while_he_waits_takes_no_slot_along(when: str) -> None:
    pacer, hold = Pacer(1, 0.2), asyncio.Event()

    async def first() -> None:
        async with pacer.aturn():
            await hold.wait()

    async def next_one() -> None:
        async with pacer.aturn():
            pass

    under_way = asyncio.create_task(first())
    await asyncio.sleep(0)
    if when == "window not over":
        hold.set()
        await under_way
    cancelled = [asyncio.create_task(next_one()) for _ in range(3)]
    await asyncio.sleep(0.02)
    for task in cancelled:
        task.cancel()
    await asyncio.wait(cancelled)
    hold.set()
    await asyncio.wait_for(next_one(), timeout=5)


async def test_a_slot_that_is_handed_over_in_the_instant_of_a_cancellation_is_not_lost() -> None:
    pacer = Pacer(1, 0.0)
    leave = asyncio.Event()

    async def turn(inside: Callable[[], Awaitable[object]]) -> None:
        async with pacer.aturn():
            await inside()

    async def nothing() -> None:
        pass

    holder = asyncio.create_task(turn(leave.wait))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(turn(nothing))
    await asyncio.sleep(0)
    leave.set()
    await holder  # hands its slot to the one who waits, who has not run yet
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.wait_for(turn(nothing), timeout=5)


def test_who_is_interrupted_while_he_sleeps_takes_no_slot_along() -> None:
    clock = Clock()

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    sleeps = [interrupted, clock.sleep]
    pacer = Pacer(1, 60.0, clock=clock, sleep=lambda seconds: sleeps.pop(0)(seconds))
    with pacer.turn():
        pass
    with pytest.raises(KeyboardInterrupt), pacer.turn():
        pass
    with pacer.turn():
        assert 60.0 <= clock.now < 61.0
