"""Group commits: whatever came while the last commit was under way shares the next one.

One thread writes. Whoever accepted a delivery waits for its commit, and is told whether it happened.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import queue
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import get_args

import sqlalchemy as sa
from more_itertools import constrained_batches

from ringg_provider.exceptions import DatabaseUnavailable, RinggProviderError
from ringg_provider.inbox.reading import Reading, Unreadable, read_ringg, read_smartalex
from ringg_provider.inbox.senders import Platform
from ringg_provider.inbox.store import Delivery, add
from ringg_provider.ringg.limits import Event
from ringg_provider.smartalex.requests import WebhookEvent
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.dialects import require_state
from ringg_provider.sql.errors import Verdict, begin_again, database_failure, verdict

log = logging.getLogger(__name__)

#: What shares a commit at most.
DELIVERIES_PER_COMMIT, BYTES_PER_COMMIT = 500, 4_000_000
#: Seconds for which others are waited for that may share the commit.
LINGER = 0.003
#: While the database refuses, it is said so often, in seconds.
_SAID_EVERY = 60.0
#: Seconds that the last commit may take when the receiver ends.
_PATIENCE = 10.0

Count = Callable[[str, str, int], None]
"""Count what became of deliveries: the outcome, the platform, how many."""

_READERS: Mapping[Platform, Callable[[bytes], Reading]] = {"ringg": read_ringg, "smartalex": read_smartalex}
_EVENTS: Mapping[Platform, frozenset[str]] = {
    "ringg": frozenset(get_args(Event)),
    "smartalex": frozenset(get_args(WebhookEvent)),
}


@dataclass(frozen=True, eq=False)
class Accepted:
    """A delivery that is proved, and waits to be stored.

    :param platform: whose words it is in.
    :param conn_id: the connection that it came for.
    :param body: as it came.
    :param received_at: when.
    :param done: becomes true when it is committed, false when it could not be.
    """

    platform: Platform
    conn_id: str
    body: bytes = field(repr=False)
    received_at: dt.datetime
    done: asyncio.Future[bool] = field(repr=False)


class Writer:
    """Stores what is accepted, in a thread of its own that begins with the first delivery.

    :param open_engine: opens the state database; called when something is to be stored.
    :param table: see `ringg_provider.inbox.store.inbox_table`; made where it is missing.
    :param count: see `Count`. The outcomes are ``stored`` and ``known``, which it was before, and of them
        ``unreadable`` and ``unknown_event``; or ``failed``.
    """

    def __init__(self, open_engine: Callable[[], sa.Engine], table: sa.Table, count: Count) -> None:
        self._open_engine = open_engine
        self._table = table
        self._count = count
        self._queue: queue.SimpleQueue[Accepted | asyncio.Future[bool] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._engine: sa.Engine | None = None
        self._failed, self._said_at = 0, 0.0

    def store(self, accepted: Accepted) -> None:
        """Store a delivery by and by. Of the event loop."""
        self._put(accepted)

    def check(self, answer: asyncio.Future[bool]) -> None:
        """Find out whether deliveries could be stored now. Of the event loop.

        :param answer: becomes true, or false.
        """
        self._put(answer)

    def close(self) -> None:
        """Store what was accepted, and end; nothing may be accepted any more."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(_PATIENCE)

    def _put(self, item: Accepted | asyncio.Future[bool]) -> None:
        self._queue.put(item)
        if self._thread is None:
            # Not with the app: a server may make it in one process and answer in another.
            self._thread = threading.Thread(target=self._run, name="ringg-inbox-writer", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        for items in iter(self._next, []):
            deliveries = [item for item in items if isinstance(item, Accepted)]
            questions = [item for item in items if isinstance(item, asyncio.Future)]
            for batch in constrained_batches(
                deliveries, BYTES_PER_COMMIT, DELIVERIES_PER_COMMIT, get_len=lambda item: len(item.body), strict=False
            ):
                self._write(batch)
            if questions:
                _answer(questions, self._try(self._look))
            if None in items:
                break
        if self._engine is not None:
            self._engine.dispose()

    def _next(self) -> list[Accepted | asyncio.Future[bool] | None]:
        """What waits: at least one, and whatever comes while it lingers."""
        items = [self._queue.get()]
        time.sleep(LINGER)
        with suppress(queue.Empty):
            while len(items) < DELIVERIES_PER_COMMIT:
                items.append(self._queue.get_nowait())
        return items

    def _write(self, batch: Sequence[Accepted]) -> None:
        done = self._try(lambda: self._commit(batch), among_others=len(batch) > 1)
        if done is None:
            # One of them may be what it cannot take.
            for each in batch:
                self._write([each])
            return
        if not done:
            for platform, number in Counter(each.platform for each in batch).items():
                self._count("failed", platform, number)
        _answer([each.done for each in batch], done)

    def _try(self, act: Callable[[], None], *, among_others: bool = False) -> bool | None:
        """Do something with the database; None where it refused, and may not refuse all of it."""
        for is_last in (False, True):
            try:
                act()
            except Exception as error:  # noqa: BLE001 - of any driver
                passes = isinstance(error, DatabaseUnavailable) or verdict(error) is not Verdict.REFUSED
                if passes and not is_last:
                    # Its connection may be older than the server.
                    continue
                if not passes and among_others:
                    return None
                self._say(error)
                return False
            break
        if self._failed:
            log.info("Deliveries are stored again; %d times they could not be.", self._failed)
            self._failed = 0
        return True

    def _say(self, error: Exception) -> None:
        self._failed += 1
        if self._failed == 1 or time.monotonic() - self._said_at > _SAID_EVERY:
            self._said_at = time.monotonic()
            told = isinstance(error, RinggProviderError)
            failure = error if told else database_failure(f"table {self._table.fullname!r}", error)
            log.error("Deliveries cannot be stored, and are answered 503: %s", failure)

    def _opened(self) -> sa.Engine:
        if self._engine is None:
            engine = self._open_engine()
            require_state(engine, for_="inbox", field="state_conn_id")
            create_tables(engine, self._table)
            self._engine = engine
        return self._engine

    def _look(self) -> None:
        with self._opened().connect() as connection:
            connection.execute(sa.select(self._table.c.digest).limit(1)).all()

    def _commit(self, batch: Sequence[Accepted]) -> None:
        engine = self._opened()
        counts: Counter[tuple[str, Platform]] = Counter()
        of_platform: dict[Platform, list[Delivery]] = defaultdict(list)
        for each in batch:
            of_platform[each.platform].append(_read(each, counts))

        def transaction() -> dict[Platform, int]:
            with engine.begin() as connection:
                return {platform: add(connection, self._table, some) for platform, some in of_platform.items()}

        for platform, new in begin_again(transaction).items():
            counts["stored", platform] = new
            counts["known", platform] = len(of_platform[platform]) - new
        for (outcome, platform), number in counts.items():
            self._count(outcome, platform, number)


def _read(accepted: Accepted, counts: Counter[tuple[str, Platform]]) -> Delivery:
    """The row of a delivery, and what is odd about it counted."""
    platform, about = accepted.platform, {}
    try:
        reading = _READERS[platform](accepted.body)
    except Unreadable:
        counts["unreadable", platform] += 1
    else:
        about = {name: getattr(reading, name) for name in ("event_type", "call_id", "bulk_list_id")}
        if reading.event_type not in _EVENTS[platform]:
            counts["unknown_event", platform] += 1
    return Delivery.of(accepted.conn_id, accepted.body, accepted.received_at, **about)


def _answer(futures: Sequence[asyncio.Future[bool]], done: bool | None) -> None:
    """Tell whoever waits, on the loop where he does."""

    def tell() -> None:
        for future in futures:
            if not future.done():
                future.set_result(bool(done))

    # The loop may have ended, and whoever waited with it.
    with suppress(RuntimeError):
        futures[0].get_loop().call_soon_threadsafe(tell)
