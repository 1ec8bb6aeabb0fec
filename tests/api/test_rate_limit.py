"""The rate limit is kept for certain, and is used to the full."""

from __future__ import annotations

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
    pacer = Pacer(clock=clock, sleep=clock.sleep)
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
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    for _ in range(1000):
        with pacer.turn():
            clock.now += 0.8
    assert 1000 / (clock.now / 60) >= 0.95 * 10


def test_the_first_requests_do_not_wait() -> None:
    clock = Clock()
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    for _ in range(10):
        with pacer.turn():
            pass
    assert clock.now == 0.0


def test_a_refusal_that_names_its_wait_is_obeyed() -> None:
    clock = Clock()
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    pacer.back_off(17.5)
    with pacer.turn():
        assert clock.now == 17.5


def test_a_refusal_without_a_wait_costs_a_whole_window() -> None:
    clock = Clock()
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    pacer.back_off(None)
    with pacer.turn():
        assert clock.now == 60.0


def test_a_request_that_fails_counts_too() -> None:
    clock = Clock()
    pacer = Pacer(limit=1, clock=clock, sleep=clock.sleep)
    try:
        with pacer.turn():
            raise RuntimeError
    except RuntimeError:
        pass
    with pacer.turn():
        assert clock.now >= 60.0
