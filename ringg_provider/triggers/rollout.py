"""Waiting in the triggerer while a rollout calls, until there may be something new to judge."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Any

from ringg_provider import wording
from ringg_provider.api.arguments import Count, Text
from ringg_provider.exceptions import RinggProviderError, TransientError
from ringg_provider.launch.progress import Progress, ProgressReporter
from ringg_provider.triggers.campaign import CallingTrigger
from ringg_provider.triggers.events import EventStatus, WaitEvent
from ringg_provider.triggers.poller import sightings


class RolloutTrigger(CallingTrigger):
    """Wait until a rollout may have something new to judge: base of the platforms' triggers.

    Fires one event ``{"status", "id", "message"}``; status is ``due``, ``timeout``, ``execution_timeout``, ``error`` or
    ``unreadable``. The task looks for itself: a trigger judges nothing.

    :param launch_key: of the rollout.
    :param campaign_ids: all campaigns that may call, which are stopped when a person marks the task failed.
    :param awaited: those of them whose end is news, all together. Default none.
    :param enough: a number of finished calls of these that is news. Default None: none is.
    :param look_at: seconds since the epoch at which it is time to look again. Default None: never.
    :param poll_interval: seconds between two looks; all triggers of a workspace share one listing. Default 60.
    :param deadline: seconds since the epoch until which is waited. Default None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. Default None.
    :param cancel_on_kill: stop the campaigns when a person marks the task failed. Default False.
    :param timezone: the IANA zone in which the log tells times. Default None: UTC.
    """

    id_field = "launch_key"
    launch_key: str

    def __init__(
        self,
        *,
        launch_key: str,
        campaign_ids: list[Text],
        awaited: list[Text] | None = None,
        enough: Count | None = None,
        look_at: float | None = None,
        poll_interval: float | None = None,
        deadline: float | None = None,
        kill_deadline: float | None = None,
        cancel_on_kill: bool = False,
        timezone: Text | None = None,
    ) -> None:
        super().__init__(
            launch_key,
            poll_interval=poll_interval,
            deadline=deadline,
            kill_deadline=kill_deadline,
            cancel_on_kill=cancel_on_kill,
            timezone=timezone,
        )
        self.campaign_ids = campaign_ids
        self.awaited = [] if awaited is None else awaited
        self.enough = enough
        self.look_at = look_at
        self._stopped: dict[str, str] = {}

    @abstractmethod
    async def stop_campaign(self, client: Any, campaign_id: str) -> str:
        """Let one campaign call nobody more; returns what was done."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and plain JSON arguments."""
        path, arguments = super().serialize()
        own = {name: getattr(self, name) for name in ("campaign_ids", "awaited", "enough", "look_at")}
        return path, {**arguments, **own, "campaign_ids": list(self.campaign_ids), "awaited": list(self.awaited)}

    async def wait(self, client: Any) -> WaitEvent:
        """Watch the campaigns until there may be news, or for a deadline."""
        latest: dict[str, Progress] = {}
        zone = wording.zone_named(self.timezone)
        reporters = {campaign_id: ProgressReporter(campaign_id, zone=zone) for campaign_id in self.awaited}
        async with AsyncExitStack() as stack:
            watches = {}
            for campaign_id in self.awaited:
                watch = sightings(client, lambda: self.listing(client), campaign_id, self.poll_interval)
                watches[campaign_id] = await stack.enter_async_context(aclosing(watch))
            while True:
                try:
                    await asyncio.wait_for(_look(watches, latest), timeout=self._seconds_left())
                except TimeoutError:
                    late = self.overdue()
                    said = "is to be looked at again" if late is None else f"had not ended when {late.value} was over"
                    return self.event(late or EventStatus.DUE, f"The rollout {said}.")
                for campaign_id, progress in latest.items():
                    reporters[campaign_id].report(progress, self.log)
                if self._is_news(latest):
                    return self.event(EventStatus.DUE, "The rollout has news.")

    async def stop(self, client: Any) -> str:
        """Stop every campaign; one that cannot be stopped does not keep the others from it."""
        failures: list[RinggProviderError] = []
        for campaign_id in self.campaign_ids:
            if campaign_id in self._stopped:
                continue
            try:
                self._stopped[campaign_id] = await self.stop_campaign(client, campaign_id)
                self.log.info("Campaign %s: %s.", campaign_id, self._stopped[campaign_id])
            except RinggProviderError as error:
                self.log.warning("Campaign %s is not stopped: %s", campaign_id, error)
                failures.append(error)
        if failures:
            # What can be tried again is, for as long as stopping may take.
            raise next((error for error in failures if isinstance(error, TransientError)), failures[0])
        return "stopped"

    def _seconds_left(self) -> float | None:
        """Until the first of the times at which it ends; None without one."""
        times = [at for at in (self.look_at, self.deadline, self.kill_deadline) if at is not None]
        return max(min(times) - time.time(), 0.0) if times else None

    def _is_news(self, latest: Mapping[str, Progress]) -> bool:
        seen = list(latest.values())
        finished = sum(progress.finished or 0 for progress in seen)
        has_enough = self.enough is not None and finished >= self.enough
        return has_enough or (len(seen) == len(self.awaited) > 0 and all(one.stage.is_final for one in seen))


async def _look(watches: Mapping[str, AsyncGenerator[Progress]], latest: dict[str, Progress]) -> None:
    """One more sighting of every campaign that has not ended; for ever where there is none."""
    going = [each for each in watches if each not in latest or not latest[each].stage.is_final]
    for campaign_id in going:
        latest[campaign_id] = await anext(watches[campaign_id])
    if not going:
        await asyncio.Event().wait()
