"""The dialer alone, under random jobs, stops, pauses and top-ups: what must hold whatever happens."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from ringg_provider.sandbox.calls import Call
from ringg_provider.sandbox.clock import Clock, EventQueue
from ringg_provider.sandbox.dialer import Dialer, Job
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.windows import Openings, RetryPolicy, merge_spans

_ALLOWED = {
    "registered": {"ongoing", "cancelled", "failed"},
    "ongoing": {"completed", "failed", "retry", "error"},
    "retry": {"ongoing", "cancelled", "failed"},
}


class Floor:
    """A dialer on a clock that stands still unless it is skipped, watched at every change of a call."""

    def __init__(self, options: Settings) -> None:
        self.clock = Clock(1, lambda: 1_000_000.0)
        self.events = EventQueue(self.clock)
        self.dialer = Dialer(self.events, options, self.changed)
        self.options = options
        self.jobs: list[tuple[Job, list[Call], Openings]] = []
        self.ended: Counter[str] = Counter()
        self.live = 0

    def changed(self, call: Call, before: str) -> None:
        assert call.status in _ALLOWED[before], f"{before} -> {call.status}"
        self.live += (call.status == "ongoing") - (before == "ongoing")
        if call.status == "ongoing":
            job, openings = next((job, openings) for job, calls, openings in self.jobs if call in calls)
            assert openings.is_open(self.events.now()), "dialled outside its hours"
            assert not job.paused
            assert not job.over
            assert self.dialer.balance > 0, "dialled without money"
            assert len(call.attempts) <= job.retry.count + 1

    def add(self, spans: list[tuple[int, int]], retries: int, contacts: int, share: int) -> None:
        now = self.events.now()
        merged = merge_spans([(now + start, now + start + length) for start, length in spans])
        name = f"job {len(self.jobs)}"
        job = Job(
            name,
            spans=merged,
            end=now + 20_000,
            retry=RetryPolicy(retries, 5, 10, 1),
            max_call_length=60,
            from_numbers=["+918031000001"],
            share_percent=share,
            on_end=lambda: self.ended.update([name]),
        )
        calls = [
            Call(f"+9198{len(self.jobs):03d}{n:05d}", "Name", {}, "agent", None, 1, self.clock.wall())
            for n in range(contacts)
        ]
        self.jobs.append((job, calls, Openings(merged)))
        self.dialer.add(job, calls)

    def skip(self, seconds: float) -> None:
        self.events.run_due()
        self.clock.skip(seconds)
        self.events.run_due()


_JOB = st.tuples(
    st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 3_000)), max_size=4),
    st.integers(0, 3),
    st.integers(0, 25),
    st.sampled_from([0, 0, 10, 60]),
)
_STEP = st.one_of(
    st.tuples(st.just("add"), _JOB),
    st.tuples(st.just("skip"), st.integers(1, 4_000)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("stop"), st.integers(0, 5)),
    st.tuples(st.just("pause"), st.integers(0, 5)),
    st.tuples(st.just("resume"), st.integers(0, 5)),
    st.tuples(st.just("balance"), st.sampled_from([0, 3, 1_000])),
)


def _take(floor: Floor, what: str, value: object) -> None:
    chosen = floor.jobs[value % len(floor.jobs)] if isinstance(value, int) and floor.jobs else None
    match what, value:
        case "add", (spans, retries, contacts, share):
            floor.add(spans, retries, contacts, share)
        case "skip", int(seconds):
            floor.skip(seconds)
        case "balance", int(credits_):
            floor.dialer.top_up(Decimal(credits_))
        case "cancel", int(every) if chosen:
            for call in chosen[1][:: every + 1]:
                floor.dialer.cancel(call)
            floor.dialer.settle(chosen[0])
        case "stop", _ if chosen:
            floor.dialer.stop(chosen[0])
        case "pause", _ if chosen:
            floor.dialer.pause(chosen[0])
        case "resume", _ if chosen:
            floor.dialer.resume(chosen[0])


@settings(max_examples=120, deadline=None)
@given(st.lists(_STEP, max_size=25), st.integers(1, 40))
def test_no_call_breaks_a_rule_and_every_call_of_a_job_that_ran_out_is_final(
    steps: list[tuple[str, object]], lines: int
) -> None:
    floor = Floor(Settings(lines=lines, balance=Decimal(50), busy_rate=0.3))
    for what, value in [("add", ([(0, 3_000)], 1, 5, 0)), *steps]:
        stopped_before = [job for job, _, _ in floor.jobs if job.over]
        _take(floor, what, value)
        assert floor.live == sum(job.live for job, _, _ in floor.jobs)
        assert 0 <= floor.live <= lines
        assert all(job.over for job in stopped_before), "nothing comes back to life"
    floor.skip(50_000)
    for job, calls, _ in floor.jobs:
        assert job.over
        assert floor.ended[job.id] <= 1
        if floor.ended[job.id]:
            assert all(call.is_final for call in calls)
        for call in calls:
            assert call.ended_at is not None or not call.is_final
            assert (call.status == "completed") == bool(call.cost or call.duration)
    assert floor.live == 0
    assert floor.dialer.jobs == {}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.lists(st.integers(1, 15), min_size=1, max_size=4))
def test_jobs_share_the_lines_and_all_come_to_their_end(lines: int, sizes: list[int]) -> None:
    floor = Floor(Settings(lines=lines))
    for size in sizes:
        floor.add([(10, 15_000)], 0, size, 0)
    most = 0
    for _ in range(3_000):
        floor.skip(2)
        most = max(most, floor.live)
        if not floor.dialer.jobs:
            break
    assert 0 < most <= lines
    assert sum(floor.ended.values()) == len(sizes)
