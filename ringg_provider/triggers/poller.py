"""One listing per interval for all triggers of a workspace that wait in the same triggerer.

A thousand waiting campaigns cost what one costs: every watcher registers its id with the workspace's poller, which
makes one pass over the listing per interval and hands each watcher what it saw. Neutral to the platform.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Hashable, Iterable
from contextlib import suppress
from typing import Protocol

from ringg_provider.exceptions import (
    RateLimited,
    RinggProviderError,
    TransientError,
    UnexpectedResponse,
    UnreadableAnswer,
)
from ringg_provider.launch.progress import Progress, Stage
from ringg_provider.triggers.waiting import pause_after

log = logging.getLogger(__name__)

#: How many complete passes in a row may miss an id before it is asked for alone.
PASSES_BEFORE_ASKING_ALONE = 2
#: How many such ids are asked for after one pass, in turn: their history costs one of ten requests a minute.
MOST_ASKED_ALONE = 5
#: How many unreadable passes in a row are tolerated; with the growing waits between them about half an hour.
UNREADABLE_PASSES = 12
#: The longest wait, in seconds, that failures in a row lead to.
LONGEST_BACKOFF = 300.0


class Source(Protocol):
    """What a poller reads: one workspace of one platform."""

    async def read_listing(self, wanted: set[str]) -> dict[str, Progress]:
        """Page through the listing until every wanted id was seen, or to its end."""

    async def read_one(self, campaign_id: str) -> Progress:
        """Ask for one campaign that the listing does not show."""


class _Watcher:
    """One waiting trigger: holds only the newest sighting."""

    __slots__ = ("campaign_id", "fresh", "interval", "missed", "news")

    def __init__(self, campaign_id: str, interval: float) -> None:
        self.campaign_id = campaign_id
        self.interval = interval
        self.missed = 0
        self.news: Progress | RinggProviderError | None = None
        self.fresh = asyncio.Event()

    def tell(self, news: Progress | RinggProviderError) -> None:
        self.news = news
        self.fresh.set()


class SharedPoller:
    """Polls one workspace for as long as somebody watches.

    :param source: the workspace.
    :param forget: called when it polls no more, before anything is waited for: nobody is given it after that.
    """

    def __init__(self, source: Source, forget: Callable[[], object]) -> None:
        self._source = source
        self._forget = forget
        self._watchers: set[_Watcher] = set()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._asked_alone: list[str] = []

    def join(self, campaign_id: str, interval: float) -> _Watcher:
        """Add a watcher. Nothing is awaited here: a poller that somebody was given cannot stop before he has joined."""
        watcher = _Watcher(campaign_id, interval)
        self._watchers.add(watcher)
        self._arrived.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(self._ended)
        return watcher

    async def leave(self, watcher: _Watcher) -> None:
        """Take a watcher away; the last one stops the poller."""
        self._watchers.discard(watcher)
        if not self._watchers:
            await self._stop()

    async def _run(self) -> None:
        # Triggers arrive in a burst when a triggerer starts: wait a moment, so that one pass serves them all.
        await asyncio.sleep(0.05)
        while True:
            await self._until_next_pass(await self._pass())

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Whatever it has died of, nobody may be left waiting for a pass that will never come."""
        self._forget()
        if not task.cancelled():
            log.error("Reading the campaigns broke down.", exc_info=task.exception())
        _tell(self._watchers, UnreadableAnswer("Reading the campaigns was interrupted; the next attempt waits on."))

    async def _until_next_pass(self, backoff: float | None) -> None:
        """Sleep until the next pass is due; somebody who comes meanwhile may want it sooner."""
        loop = asyncio.get_running_loop()
        passed_at = loop.time()
        while True:
            pause = backoff if backoff is not None else min((w.interval for w in self._watchers), default=1.0)
            remaining = passed_at + pause - loop.time()
            if remaining <= 0:
                return
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), timeout=remaining)

    async def _pass(self) -> float | None:
        """Read once and tell everybody; returns how many seconds to back off after a failure."""
        watchers = defaultdict(list)
        for watcher in self._watchers:
            watchers[watcher.campaign_id].append(watcher)
        try:
            seen = await self._source.read_listing(set(watchers))
        except (TransientError, UnexpectedResponse) as error:
            # One page of a proxy's HTML must not fail every task that waits; one that stays is told.
            self._failures += 1
            if isinstance(error, UnexpectedResponse) and self._failures > UNREADABLE_PASSES:
                for group in watchers.values():
                    _tell(group, error)
            log.info("The campaign listing could not be read (%s); trying again.", type(error).__name__)
            return self._backoff(error)
        except Exception as error:  # noqa: BLE001
            # Whatever it was, nobody may be left waiting for a pass that will never come.
            for group in watchers.values():
                _tell(group, _as_ours(error))
            return None
        self._failures = 0
        lost = []
        for campaign_id, group in watchers.items():
            for watcher in group:
                watcher.missed = 0 if campaign_id in seen else watcher.missed + 1
            if campaign_id in seen:
                _tell(group, seen[campaign_id])
                # A thousand that wake up at once would hold up everybody else in the event loop.
                await asyncio.sleep(0)
            elif max(watcher.missed for watcher in group) < PASSES_BEFORE_ASKING_ALONE:
                _tell(group, Progress(Stage.MISSING))
            else:
                lost.append(campaign_id)
        for campaign_id in self._whose_turn(lost):
            await self._ask_alone(campaign_id, watchers[campaign_id])
        return None

    def _whose_turn(self, lost: list[str]) -> list[str]:
        """A few of the ids that the listing does not show, those that were not asked for the longest time first."""
        known = [campaign_id for campaign_id in self._asked_alone if campaign_id in lost]
        queue = [campaign_id for campaign_id in lost if campaign_id not in known] + known
        turn = queue[:MOST_ASKED_ALONE]
        self._asked_alone = queue[MOST_ASKED_ALONE:] + turn
        return turn

    async def _ask_alone(self, campaign_id: str, group: list[_Watcher]) -> None:
        """Look for one campaign that the listing does not show; what goes wrong with it is nobody else's concern."""
        try:
            _tell(group, await self._source.read_one(campaign_id))
        except TransientError as error:
            log.info("Campaign %s could not be asked for (%s); trying again.", campaign_id, type(error).__name__)
        except Exception as error:  # noqa: BLE001
            _tell(group, _as_ours(error))

    def _backoff(self, error: TransientError | UnexpectedResponse) -> float:
        if isinstance(error, RateLimited) and error.retry_after is not None:
            return pause_after(error, 0.0)
        return min(2.0**self._failures, LONGEST_BACKOFF) * random.uniform(0.5, 1.0)

    async def _stop(self) -> None:
        self._forget()
        if self._task is not None:
            self._task.cancel()
            # A request under way ends before whoever watched may close its client.
            await asyncio.wait([self._task])


def _tell(group: Iterable[_Watcher], news: Progress | RinggProviderError) -> None:
    for watcher in group:
        watcher.tell(news)


def _as_ours(error: Exception) -> RinggProviderError:
    if isinstance(error, RinggProviderError):
        return error
    log.error("Reading the campaigns failed.", exc_info=error)
    return UnexpectedResponse(f"Reading the campaigns failed: {type(error).__name__}.")


#: Those at work, by workspace.
pollers: dict[Hashable, SharedPoller] = {}


async def sightings(
    workspace: Hashable, make_source: Callable[[], Source], campaign_id: str, interval: float
) -> AsyncGenerator[Progress]:
    """Yield a sighting of one campaign after every pass over its workspace's listing.

    :param workspace: what tells workspaces apart, in this event loop.
    :param make_source: opens the workspace; called by the first who comes. What it needs must outlive every watcher.
    :param campaign_id: the campaign.
    :param interval: seconds between two passes that the watcher wants; the shortest wish of all watchers counts.
    :raises RinggProviderError: the platform refused for good (a rotated key, say). What is transient is tolerated.
    """
    poller = pollers.get(workspace)
    if poller is None:

        def forget() -> None:
            if pollers.get(workspace) is poller:
                del pollers[workspace]

        poller = pollers[workspace] = SharedPoller(make_source(), forget)
    watcher = poller.join(campaign_id, interval)
    try:
        while True:
            await watcher.fresh.wait()
            watcher.fresh.clear()
            if isinstance(watcher.news, RinggProviderError):
                raise watcher.news
            if watcher.news is not None:
                yield watcher.news
    finally:
        await poller.leave(watcher)
