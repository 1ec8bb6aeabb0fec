"""Dials: lines, queues, retries, opening hours, money. Knows no vendor; a platform hands it jobs and is told of ends.

A *job* is one campaign's calls with the spans in which they may be made. Everything is planned in simulated time.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from ringg_provider.sandbox.calls import UNANSWERED, Attempt, Call, analysis_delay, cost_of, simulate
from ringg_provider.sandbox.clock import EventQueue
from ringg_provider.sandbox.people import People
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.windows import Openings, RetryPolicy, Span


class Job:
    """Calls to be made between `spans`, at latest by `end` (simulated time), with one retry policy."""

    def __init__(
        self,
        job_id: str,
        *,
        spans: Sequence[Span],
        end: float,
        retry: RetryPolicy,
        max_call_length: int,
        from_numbers: Sequence[str],
        rotates: bool = False,
        share_percent: int = 0,
        lines: int | None = None,
        unanswered: frozenset[str] = UNANSWERED,
        on_begin: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = job_id
        self.openings = Openings(spans)
        self.end = end
        self.retry = retry
        self.max_call_length = max_call_length
        self.from_numbers = from_numbers
        self.rotates = rotates
        self.rotation = 0
        self.share_percent = share_percent
        self.lines = lines
        self.unanswered = unanswered
        self.on_begin = on_begin
        self.on_end = on_end
        self.queue: deque[Call] = deque()
        self.retries: list[tuple[float, int, Call]] = []
        self.live = 0
        self.begun = False
        self.over = False
        self.paused = False
        self.wakes_at: float | None = None
        #: How far simulated time was ahead of the wall's when its times were given; None: when it is taken on.
        self.lead: float | None = None


class Dialer:
    """All lines of one workspace. `balance` is live: it sinks with every call and may end below zero."""

    def __init__(self, events: EventQueue, settings: Settings, on_change: Callable[[Call, str], None]) -> None:
        self.events = events
        self.settings = settings
        self.balance: Decimal = settings.balance
        self.jobs: dict[str, Job] = {}
        self.people = People(settings)
        self._on_change = on_change
        self._order = itertools.count()
        self._shared_out = self._equals = self._live = 0
        self._starved: dict[str, Job] = {}

    # -- what a platform calls

    def add(self, job: Job, calls: Iterable[Call]) -> None:
        """Take a job on. Its calls must be `registered`."""
        job.queue.extend(calls)
        job.lead = self.events.lead if job.lead is None else job.lead
        self.jobs[job.id] = job
        self._share_out()
        self.events.at(job.end, self._expire, job)
        self._pump(job)

    def top_up(self, balance: Decimal) -> None:
        """Set the balance; calls that waited for money go on."""
        self.balance = balance
        self.pump_all()

    def pump_all(self) -> None:
        for job in list(self.jobs.values()):
            self._pump(job)

    def cancel(self, call: Call) -> bool:
        """Cancel a call that waits (`registered` or `retry`); a live one is not touched. True if it was cancelled."""
        if call.status not in ("registered", "retry"):
            return False
        self._set(call, "cancelled", "USER_TERMINATED")
        self._finish(call)
        return True

    def stop(self, job: Job) -> None:
        """Dial nothing more for this job. Live calls end by themselves and are not tried again."""
        job.over = True
        if self.jobs.pop(job.id, None):
            self._share_out()

    def pause(self, job: Job) -> None:
        """Dial nothing until `resume`; live calls go on, and the job's end still comes."""
        job.paused = True

    def resume(self, job: Job) -> None:
        job.paused = False
        self._pump(job)

    def settle(self, job: Job) -> None:
        """Look again whether anything is left to do, after calls were cancelled from outside."""
        self._pump(job)

    # -- how it works

    def _set(self, call: Call, status: str, sub_status: str) -> None:
        before, call.status, call.sub_status = call.status, status, sub_status
        if before != status:
            self._on_change(call, before)

    def _finish(self, call: Call) -> None:
        call.ended_at = self.events.wall()
        call.costed_at = self.events.now() + self.settings.cost_delay_seconds
        call.analysed_at = self.events.now() + analysis_delay(call, self.settings)

    def _lines(self, job: Job) -> int:
        if job.lines is not None:
            return job.lines
        if job.share_percent:
            return max(1, self.settings.lines * job.share_percent // 100)
        return max(1, self.settings.lines * max(0, 100 - self._shared_out) // 100 // max(1, self._equals))

    def _share_out(self) -> None:
        """Which part of the lines fixed shares take, and how many begun jobs share the rest equally."""
        self._shared_out = sum(job.share_percent for job in self.jobs.values())
        self._equals = sum(1 for job in self.jobs.values() if job.begun and not job.share_percent)

    def _pump(self, job: Job) -> None:
        """Dial as many calls of a job as lines, hours and money allow; plan when to look again."""
        if job.over or job.paused:
            return
        now = self.events.now()
        self._drop_cancelled(job)
        if not (job.queue or job.retries or job.live):
            self._complete(job)
        elif job.openings.is_open(now):
            self._begin(job)
            self._dial_queued(job, now)
        else:
            self._wake(job, job.openings.next_opening(now))

    def _begin(self, job: Job) -> None:
        if not job.begun:
            job.begun = True
            self._share_out()
            job.on_begin()

    def _dial_queued(self, job: Job, now: float) -> None:
        lines = self._lines(job)
        while job.live < lines and self.balance > 0:
            if self._live >= self.settings.lines:
                self._starved[job.id] = job
                break
            call = self._next(job, now)
            if call is None:
                break
            self._dial(job, call)
        if not job.queue and job.retries and job.retries[0][0] > now:
            self._wake(job, job.retries[0][0])

    def _drop_cancelled(self, job: Job) -> None:
        while job.queue and job.queue[0].status != "registered":
            job.queue.popleft()
        while job.retries and job.retries[0][2].status != "retry":
            heapq.heappop(job.retries)
        if not job.queue and job.retries and all(call.status != "retry" for _, _, call in job.retries):
            job.retries.clear()

    def _next(self, job: Job, now: float) -> Call | None:
        self._drop_cancelled(job)
        if job.retries and job.retries[0][0] <= now:
            return heapq.heappop(job.retries)[2]
        return job.queue.popleft() if job.queue else None

    def _wake(self, job: Job, when: float | None) -> None:
        if when is None or (job.wakes_at is not None and self.events.now() < job.wakes_at <= when):
            return
        job.wakes_at = when
        self.events.at(when, self._woken, job, when)

    def _woken(self, job: Job, when: float) -> None:
        if job.wakes_at == when:
            job.wakes_at = None
        self._pump(job)

    def _dial(self, job: Job, call: Call) -> None:
        number = len(call.attempts) + 1
        # The time of the wall for which it was asked: what was skipped since, or passed faster, nobody meant.
        meant = self.events.now() - (job.lead or 0.0)
        attempt = simulate(call, number, self.settings, job.max_call_length, waits=self.people.waits(call, meant))
        attempt.started_at = self.events.wall()
        attempt.from_number = job.from_numbers[(job.rotation + number - 1) % len(job.from_numbers)]
        job.rotation += job.rotates
        call.attempts.append(attempt)
        self.people.rung(call, attempt, meant)
        self._set(call, "ongoing", "QUEUED")
        job.live += 1
        self._live += 1
        self.events.after(attempt.ring_seconds + attempt.talk_seconds, self._hang_up, job, call, attempt)

    def _hang_up(self, job: Job, call: Call, attempt: Attempt) -> None:
        job.live -= 1
        self._live -= 1
        if attempt.outcome in job.unanswered:
            self._not_reached(job, call, attempt)
        elif attempt.outcome in ("dnd", "error"):
            self._set(call, "failed" if attempt.outcome == "dnd" else "error", attempt.sub_status)
            self._finish(call)
        else:
            call.duration = attempt.talk_seconds
            call.cost = cost_of(attempt.talk_seconds, self.settings)
            self.balance -= call.cost
            self._set(call, "completed", attempt.sub_status)
            self._finish(call)
            self.people.spoke(call)
        self._pump(job)
        self._feed_starved()

    def _feed_starved(self) -> None:
        """Let jobs that found every line of the workspace taken try again, the longest waiting first."""
        while self._starved and self._live < self.settings.lines:
            self._pump(self._starved.pop(next(iter(self._starved))))

    def _not_reached(self, job: Job, call: Call, attempt: Attempt) -> None:
        if not job.over and len(call.attempts) <= job.retry.count:
            self._set(call, "retry", "RETRY_SCHEDULED")
            due = self.events.now() + job.retry.wait_seconds(attempt.outcome)
            heapq.heappush(job.retries, (due, next(self._order), call))
            return
        self._set(call, "failed", "RETRY_LIMIT_REACHED" if job.retry.count and not job.over else attempt.sub_status)
        self._finish(call)

    def _expire(self, job: Job) -> None:
        if job.over:
            return
        for call in itertools.chain(job.queue, (call for _, _, call in job.retries)):
            if call.status in ("registered", "retry"):
                self._set(call, "failed", "CAMPAIGN_TIME_EXCEEDED")
                self._finish(call)
        job.queue.clear()
        job.retries.clear()
        self._complete(job)

    def _complete(self, job: Job) -> None:
        self.stop(job)
        job.on_end()
        self.pump_all()
