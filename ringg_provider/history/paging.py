"""Read the call history page by page, and know whether everything was seen.

Offset paging over rows that are being added can skip some and repeat others, and the answer's `total` can be wrong or
the word "many". Calls of one instant may come in another order each time, so that some fall between two pages. So a
slice (one filter, from its first page to its last) is read until a pass over it shows no sign of movement, or several
passes, each with its pages cut elsewhere, found together what was promised; a slice that never holds still is reported
as not settled, and nothing is concluded from it.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from ringg_provider.api.rate_limit import Pacer
from ringg_provider.exceptions import RateLimited, TransientError
from ringg_provider.ringg.limits import EARLIEST_CALL, LATEST_CALL
from ringg_provider.ringg.requests import CallQuery
from ringg_provider.ringg.responses import Call, CallPage
from ringg_provider.tracing import span

PAGE_SIZE = 200
"""The most that the platform gives (https://docs.ringg.ai/api-reference/endpoint/history/get-call-history)."""

_log = logging.getLogger(__name__)


class ListsCalls(Protocol):
    """What is needed of a client to read the history."""

    def list_calls_page(self, query: CallQuery, limit: int, offset: int, *, retry: bool) -> CallPage:
        """Read one page."""
        ...


class PageReader:
    """Reads single pages, inside the rate limit and through passing failures.

    :param client: must not repeat a refused request by itself: each one counts against the limit.
    :param pacer: keeps the limit.
    :param attempts: how often one page is asked for before the failure is passed on. Default 8.
    :param sleep: how to wait between attempts, in seconds; for tests.
    """

    def __init__(
        self,
        client: ListsCalls,
        pacer: Pacer,
        *,
        attempts: int = 8,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._pacer = pacer
        self._retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(attempts),
            wait=self._wait,
            sleep=sleep,
            reraise=True,
        )
        self.requests = 0

    def page(self, query: CallQuery, offset: int, limit: int = PAGE_SIZE) -> CallPage:
        """Read one page of up to 200 calls.

        :raises TransientError: it failed `attempts` times.
        :raises PermanentError: the platform refused the request.
        """
        return self._retrying(self._page, query, offset, limit)

    def _page(self, query: CallQuery, offset: int, limit: int) -> CallPage:
        with self._pacer.turn(), span("ringg.history.page", offset=offset) as reading:
            self.requests += 1
            page = self._client.list_calls_page(query, limit, offset, retry=False)
            reading.set_attribute("ringg.calls", len(page.calls))
            return page

    def _wait(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, RateLimited):
            # Somebody else reads too, or did a moment ago. The pacer does the waiting.
            _log.info("The call history is rate limited; waiting as the platform asks.")
            self._pacer.back_off(failure.retry_after)
            return 0.0
        return min(2.0 ** (state.attempt_number - 1), 30.0)


class Slice:
    """All calls that one filter selects.

    :param reader: reads the pages.
    :param query: the filter; ascending by creation.
    :param max_passes: how often the slice is begun again while it moves. Default 5. One whose total holds
        still is read up to three times as often, unless this many passes in a row bring nothing new.
    """

    def __init__(self, reader: PageReader, query: CallQuery, *, max_passes: int = 5) -> None:
        self._reader = reader
        self._query = query
        self._max_passes = max_passes
        self._known: set[int] = set()
        self.settled = False

    @property
    def size(self) -> int:
        """How many different calls were seen since the total last changed."""
        return len(self._known)

    def pages(self, first: CallPage | None = None) -> Iterator[list[Call]]:
        """Yield the calls, page by page; the same call may come more than once, the later one is the newer.

        After the last page `settled` says whether everything was seen: a whole pass without a changed total, a
        shifted row, a repeated page or an end before `total`; or passes that reached an unchanged total together.

        :param first: the slice's first page, if it was read already.
        """
        totals: set[int] = set()
        largest = 0
        stale = 0  # passes in a row that brought nothing new
        trusted: list[bool] = []
        for number in range(3 * self._max_passes):
            sweep = Sweep(self._reader, self._query, _first_limit(number, largest or PAGE_SIZE))
            yield from sweep.pages(first)
            first = None
            moved = len(sweep.totals) > 1 or (number > 0 and sweep.totals != totals)
            totals, largest = sweep.totals, max(largest, sweep.largest)
            if moved:
                self._known = set()  # what was seen under another total proves nothing about this one
            before = self.size
            # The usual case is one pass, whose set is taken as it is: it is what a large slice costs in memory.
            self._known = self._known | sweep.seen if self._known else sweep.seen
            together = not moved and sweep.total is not None and self.size >= sweep.total
            if sweep.complete or together:
                self.settled = True
                return
            stale = stale + 1 if self.size == before else 0
            trusted.append(not sweep.repeated if sweep.total is None else sweep.quiet and sweep.count == self.size)
            if stale >= self._max_passes - 1 or (moved and number + 1 >= self._max_passes):
                break
        if stale >= self._max_passes - 1 and all(trusted[-self._max_passes :]):
            # Every pass came to the same end, looked twice. With a total, nothing moved: then it is `total` that lies.
            # Without one, rows that lay between two pages would have come up where the pages were cut elsewhere.
            _log.warning(
                "The call history says there are %s calls in a slice but gives %d, %d times; taking those.",
                "many" if sweep.total is None else sweep.total,
                self.size,
                self._max_passes,
            )
            self.settled = True
            return
        _log.warning("A slice of the call history kept moving over %d passes; it stays open.", number + 1)


def _first_limit(number: int, size: int) -> int:
    """How many rows the first page of a pass has: all of a page, then other parts of one, so that it shifts the rest.

    :param number: of the pass, from 0.
    :param size: how many rows a page has.
    """
    golden = 0.618034  # multiples of the golden ratio never come close to each other
    return size - int(size * (number * golden % 1))


class Sweep:
    """One way through a slice, from offset 0 to its end.

    :param first_limit: how many rows to ask for with the first page; the others are whole.
    """

    def __init__(self, reader: PageReader, query: CallQuery, first_limit: int = PAGE_SIZE) -> None:
        self._reader = reader
        self._query = query
        self._first_limit = first_limit
        self.seen: set[int] = set()
        self.totals: set[int] = set()
        self.largest = 0
        self._shifted = False
        self.repeated = False

    @property
    def count(self) -> int:
        return len(self.seen)

    @property
    def total(self) -> int | None:
        return max(self.totals, default=None)

    @property
    def quiet(self) -> bool:
        """Nothing moved while reading, as far as can be seen."""
        return len(self.totals) <= 1 and not self._shifted and not self.repeated

    @property
    def complete(self) -> bool:
        if self.total is None:
            return self.quiet
        # All that the total promised is there, so a row that came twice took nobody's place.
        return len(self.totals) == 1 and not self.repeated and self.count >= self.total

    def pages(self, first: CallPage | None) -> Iterator[list[Call]]:
        offset = 0
        doubts = 0  # pages in a row that look like the end
        again = False  # one of them was not empty
        while True:
            limit = PAGE_SIZE if offset else self._first_limit
            page = first or self._reader.page(self._query, offset, limit)
            first = None
            if page.total is not None:
                self.totals.add(page.total)
            ids = {hash(call.id) for call in page.calls}
            fresh = ids - self.seen
            enough = page.total is not None and self.count + len(fresh) >= page.total
            if not fresh:
                # An empty or a repeated page. When the platform says there is more, or does not say, look again.
                doubts += 1
                # One that was given before, instead of what was asked for, says nothing about what comes here.
                again = again or bool(page.calls)
                if enough or doubts > 1:
                    self.repeated = again and not enough
                    return
                continue
            again = False
            self._shifted = self._shifted or len(fresh) < len(page.calls)
            self.seen |= fresh
            offset += len(page.calls)
            # Some servers give fewer rows than they are asked for: what is short, their own pages say.
            short = len(page.calls) < (self.largest or min(page.limit or limit, limit))
            self.largest = max(self.largest, len(page.calls))
            yield page.calls
            if enough and short:
                return
            # Without a total, a short page is half a proof of the end; the next, empty one is the other half.
            doubts = 1 if short and page.total is None else 0


# A request without a range gets the calls of some month that the older specification has for a default.


def calls_of(bulk_list_id: str, now: dt.datetime) -> CallQuery:
    """Ask for the calls of one list, oldest first.

    :param bulk_list_id: the list.
    :param now: the present time, aware.
    """
    ever = {"start_date": EARLIEST_CALL, "end_date": now + LATEST_CALL}
    return CallQuery(bulk_list_id=[bulk_list_id], sort_by="created_at", sort_order="asc", **ever)


def call_of_id(call_id: str, now: dt.datetime) -> CallQuery:
    """Ask for one call; parameters as for `calls_of`."""
    return CallQuery(call_id=call_id, start_date=EARLIEST_CALL, end_date=now + LATEST_CALL)


def calls_between(start: dt.datetime, end: dt.datetime) -> CallQuery:
    """Ask for the calls of a stretch of time, oldest first. Which of a call's times counts is not documented."""
    return CallQuery(start_date=start, end_date=end, sort_by="created_at", sort_order="asc")


class DateSlices:
    """A stretch of time, cut into slices that are small enough to be read again when they move.

    :param reader: reads the pages.
    :param start: the first instant.
    :param end: the last one; must lie a little in the past, where nothing is added any more.
    :param max_calls: cut a slice with more calls than this in two. Default 20,000, which is ten minutes of reading.
    """

    _SHORTEST = dt.timedelta(minutes=1)
    _SHORTEST_UNCOUNTED = dt.timedelta(days=1)  # "many" tells nothing: cut by the day, and read on

    def __init__(self, reader: PageReader, start: dt.datetime, end: dt.datetime, *, max_calls: int = 20_000) -> None:
        self._reader = reader
        self._max_calls = max_calls
        self._waiting = [(start, end)]
        self._first: CallPage | None = None

    def probe(self) -> int | None:
        """Ask how many calls there are in all, at the price of one request whose rows are not lost."""
        self._first = self._reader.page(calls_between(*self._waiting[-1]), 0)
        return self._first.total

    def __iter__(self) -> Iterator[tuple[dt.datetime, dt.datetime, Slice, CallPage]]:
        """Yield start, end, the slice and its first page, in the order of time."""
        while self._waiting:
            start, end = self._waiting.pop()
            first = self._first or self._reader.page(calls_between(start, end), 0)
            self._first = None
            if self._too_large(first, end - start):
                middle = start + (end - start) / 2
                self._waiting += [(middle, end), (start, middle)]
                continue
            yield start, end, Slice(self._reader, calls_between(start, end)), first

    def _too_large(self, first: CallPage, length: dt.timedelta) -> bool:
        if first.total is None:
            return len(first.calls) >= PAGE_SIZE and length > self._SHORTEST_UNCOUNTED
        return first.total > self._max_calls and length > self._SHORTEST
