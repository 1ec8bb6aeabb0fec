"""One listing per interval for all triggers of a workspace that wait in the same triggerer.

A thousand waiting campaigns cost what one costs: every watcher registers its id with the workspace's poller, which
makes one pass over the listing per interval and hands each watcher what it saw. Neutral to the platform.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from ringg_provider.campaign.progress import Progress, Stage
from ringg_provider.exceptions import RateLimited, RinggProviderError, TransientError, UnexpectedResponse

log = logging.getLogger(__name__)

#: How many complete passes in a row may miss an id before it is asked for alone.
PASSES_BEFORE_ASKING_ALONE = 2
#: The longest wait, in seconds, that failures in a row lead to.
LONGEST_BACKOFF = 300.0


class Source(Protocol):
    """What a poller reads: one workspace of one platform."""

    async def read_listing(self, wanted: set[str]) -> dict[str, Progress]:
        """Page through the listing until every wanted id was seen, or to its end."""

    async def read_one(self, campaign_id: str) -> Progress:
        """Ask for one campaign that the listing does not show."""

    async def aclose(self) -> None:
        """Release what the source holds."""


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
    """Polls one workspace for as long as somebody watches."""

    def __init__(self, source: Source, forget: Callable[[], None]) -> None:
        self._source = source
        self._forget = forget
        self._watchers: set[_Watcher] = set()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0

    async def watch(self, campaign_id: str, interval: float) -> AsyncGenerator[Progress]:
        """Yield a sighting after every pass over the listing.

        :param campaign_id: the campaign.
        :param interval: seconds between two passes that the watcher wants; the shortest wish of all watchers counts.
        :raises RinggProviderError: the platform refused for good (a rotated key, say). What is transient is tolerated.
        """
        watcher = _Watcher(campaign_id, interval)
        self._watchers.add(watcher)
        self._arrived.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            while True:
                await watcher.fresh.wait()
                watcher.fresh.clear()
                news = watcher.news
                if isinstance(news, RinggProviderError):
                    raise news
                if news is not None:
                    yield news
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                await self._stop()

    async def _run(self) -> None:
        # Triggers arrive in a burst when a triggerer starts: wait a moment, so that one pass serves them all.
        await asyncio.sleep(0.05)
        while True:
            await self._rest(await self._pass())

    async def _rest(self, backoff: float | None) -> None:
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
        watchers = list(self._watchers)
        try:
            seen = await self._source.read_listing({watcher.campaign_id for watcher in watchers})
            alone: dict[str, Progress] = {}
            for watcher in watchers:
                progress = seen.get(watcher.campaign_id)
                if progress is None:
                    progress = await self._look_for(watcher, alone)
                else:
                    watcher.missed = 0
                watcher.tell(progress)
        except TransientError as error:
            self._failures += 1
            log.info("The campaign listing could not be read (%s); trying again.", type(error).__name__)
            return self._backoff(error)
        except RinggProviderError as error:
            self._tell_all(watchers, error)
        except Exception as error:
            # Whatever it was, nobody may be left waiting for a pass that will never come.
            log.exception("Reading the campaign listing failed.")
            self._tell_all(
                watchers, UnexpectedResponse(f"Reading the campaign listing failed: {type(error).__name__}.")
            )
        self._failures = 0
        return None

    @staticmethod
    def _tell_all(watchers: list[_Watcher], error: RinggProviderError) -> None:
        for watcher in watchers:
            watcher.tell(error)

    async def _look_for(self, watcher: _Watcher, alone: dict[str, Progress]) -> Progress:
        watcher.missed += 1
        if watcher.missed < PASSES_BEFORE_ASKING_ALONE:
            return Progress(Stage.MISSING)
        if watcher.campaign_id not in alone:
            alone[watcher.campaign_id] = await self._source.read_one(watcher.campaign_id)
        return alone[watcher.campaign_id]

    def _backoff(self, error: TransientError) -> float:
        if isinstance(error, RateLimited) and error.retry_after is not None:
            return error.retry_after
        return min(2.0**self._failures, LONGEST_BACKOFF) * random.uniform(0.5, 1.0)

    async def _stop(self) -> None:
        self._forget()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        await self._source.aclose()


_pollers: dict[tuple[int, str], SharedPoller] = {}


def _forget(key: tuple[int, str]) -> None:
    _pollers.pop(key, None)


async def poller_for(workspace: str, make_source: Callable[[], Awaitable[Source]]) -> SharedPoller:
    """The poller of a workspace in this event loop, made when the first watcher comes.

    :param workspace: what tells workspaces apart, such as a digest of base URL and key.
    :param make_source: opens the workspace.
    """
    key = (id(asyncio.get_running_loop()), workspace)
    if key not in _pollers:
        source = await make_source()
        if key in _pollers:
            # Another trigger was faster while the source was opened.
            await source.aclose()
        else:
            _pollers[key] = SharedPoller(source, partial(_forget, key))
    return _pollers[key]
