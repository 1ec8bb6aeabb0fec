"""Keep to a platform's rate limit without ever being told off."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager


class Pacer:
    """Lets requests through so that no window of the limit's length ever holds more than the limit.

    Of a request only this is certain: that it arrived before its answer did. So the window is counted from answers,
    which costs one round trip per window and never one request too many.

    Follows https://docs.ringg.ai/api-reference/endpoint/history/get-call-history (10 list requests in 60 seconds).

    :param limit: requests per window. Default 10.
    :param period: length of the window, in seconds. Default 60.
    :param clock: monotonic seconds; for tests.
    :param sleep: how to wait; for tests.
    """

    LIMIT = 10
    PERIOD = 60.0

    def __init__(
        self,
        limit: int = LIMIT,
        period: float = PERIOD,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limit = limit
        self.period = period
        self._clock = clock
        self._sleep = sleep
        self._answered: deque[float] = deque(maxlen=limit)
        self._not_before = float("-inf")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a request may be sent; the body sends it and waits for its answer."""
        while (wait := self._due() - self._clock()) > 0:
            self._sleep(wait)
        try:
            yield
        finally:
            self._answered.append(self._clock())

    @asynccontextmanager
    async def aturn(self) -> AsyncIterator[None]:
        """The same for asyncio, always on the event loop's own sleep."""
        while (wait := self._due() - self._clock()) > 0:  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(wait)
        try:
            yield
        finally:
            self._answered.append(self._clock())

    def back_off(self, seconds: float | None) -> None:
        """Send nothing for a while: the platform said so, or counted requests of others.

        :param seconds: what it asked for; a whole window when it did not say.
        """
        self._not_before = max(self._not_before, self._clock() + (self.period if seconds is None else seconds))

    def _due(self) -> float:
        if len(self._answered) < self.limit:
            return self._not_before
        # The hundredth is for clocks that do not agree on the length of a minute.
        return max(self._not_before, self._answered[0] + self.period * 1.01)
