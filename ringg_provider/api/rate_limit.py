"""Keep to a platform's rate limit without ever being told off."""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager


class Pacer:
    """Lets requests through so that no window of the limit's length ever holds more than the limit.

    Of a request only this is certain: that it arrived before its answer did. So each of as many slots as the limit
    allows holds one request, and is free again a window after its answer; that costs one round trip per window and
    never one request too many. Threads and tasks of event loops may share a pacer, and are let through in turn.

    :param limit: requests per window.
    :param period: length of the window, in seconds.
    :param clock: monotonic seconds; for tests.
    :param sleep: how to wait; for tests.
    """

    def __init__(
        self,
        limit: int,
        period: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limit = limit
        self.period = period
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._unused = limit
        #: From when on each used slot is free; a heap.
        self._slots: list[float] = []
        self._waiting: deque[Future[float]] = deque()
        self._not_before = float("-inf")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a request may be sent; the body sends it and waits for its answer."""
        slot = self._take()
        try:
            free_from = slot.result()
            while (wait := self._wait(free_from)) > 0:
                self._sleep(wait)
        except BaseException:
            self._return_unused(slot)
            raise
        try:
            yield
        finally:
            self._give(self._used_now())

    @asynccontextmanager
    async def aturn(self) -> AsyncIterator[None]:
        """The same for asyncio, always on the event loop's own sleep."""
        slot = self._take()
        try:
            free_from = await asyncio.wrap_future(slot)
            while (wait := self._wait(free_from)) > 0:  # noqa: ASYNC110 - time is what is waited for
                await asyncio.sleep(wait)
        except BaseException:
            self._return_unused(slot)
            raise
        try:
            yield
        finally:
            self._give(self._used_now())

    def back_off(self, seconds: float | None) -> None:
        """Send nothing for a while: the platform said so, or counted requests of others.

        :param seconds: what it asked for; a whole window when it did not say.
        """
        until = self._clock() + (self.period if seconds is None else seconds)
        with self._lock:
            self._not_before = max(self._not_before, until)

    def _wait(self, free_from: float) -> float:
        return max(free_from, self._not_before) - self._clock()

    def _used_now(self) -> float:
        # The hundredth is for clocks that do not agree on the length of a minute.
        return self._clock() + self.period * 1.01

    def _take(self) -> Future[float]:
        """A slot, or the promise of the next one."""
        slot: Future[float] = Future()
        with self._lock:
            if self._unused:
                self._unused -= 1
                slot.set_result(float("-inf"))
            elif self._slots:
                slot.set_result(heapq.heappop(self._slots))
            else:
                self._waiting.append(slot)
        return slot

    def _give(self, free_from: float) -> None:
        """Hand a slot to who waits the longest, if anybody does."""
        with self._lock:
            while self._waiting:
                slot = self._waiting.popleft()
                if slot.set_running_or_notify_cancel():
                    slot.set_result(free_from)
                    return
            heapq.heappush(self._slots, free_from)

    def _return_unused(self, slot: Future[float]) -> None:
        """Take back what was promised to somebody who is interrupted while he waits."""
        if not slot.cancel():
            self._give(slot.result())
