"""Waiting for a campaign's end in the triggerer, on any platform."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from airflow.triggers.base import TriggerEvent

from ringg_provider.launch.progress import Progress, ProgressReporter
from ringg_provider.triggers.clients import shared_client
from ringg_provider.triggers.events import EventStatus, WaitEvent
from ringg_provider.triggers.poller import Source, sightings
from ringg_provider.triggers.tasks import ON_KILL_BY_AIRFLOW, task_state_of
from ringg_provider.triggers.waiting import WaitingTrigger

#: Seconds that a trigger which starts after its deadline still gives the platform to say how it ended.
GRACE = 60.0
#: Seconds that a cancelled trigger takes to find out why, below the Airflow that calls ``on_kill`` itself.
ON_CANCEL_TIMEOUT = 20.0


class CampaignTrigger(WaitingTrigger):
    """Wait for a campaign to end: base of the platforms' triggers.

    Fires one event ``{"status", "id", "message"}``; status is ``completed``, ``failed``, ``terminated``, ``timeout``,
    ``execution_timeout`` or ``error``.

    :param campaign_id: the campaign.
    :param poll_interval: seconds between two looks; all triggers of a workspace share one listing. Default 60.
    :param deadline: seconds since the epoch until which is waited. Default None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. Default None.
    :param cancel_on_kill: stop the campaign when a person marks the task failed. Default False.
    """

    id_field = "campaign_id"
    campaign_id: str

    def __init__(
        self,
        *,
        campaign_id: str,
        poll_interval: float = 60,
        deadline: float | None = None,
        kill_deadline: float | None = None,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__(campaign_id, poll_interval=poll_interval, deadline=deadline, kill_deadline=kill_deadline)
        self.cancel_on_kill = cancel_on_kill

    @abstractmethod
    def listing(self, client: Any) -> Source:
        """The workspace as the shared poller reads it."""

    @abstractmethod
    async def stop(self, client: Any) -> str:
        """Let the campaign call nobody more; returns what was done, for the log."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and plain JSON arguments."""
        path, arguments = super().serialize()
        return path, {**arguments, "cancel_on_kill": self.cancel_on_kill}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the campaign through the workspace's shared poller until it has ended or a deadline is over."""
        try:
            async for event in super().run():
                yield event
        except asyncio.CancelledError:
            if not ON_KILL_BY_AIRFLOW:
                await self._on_cancel()
            raise

    async def wait(self, client: Any) -> WaitEvent:
        """Watch the campaign; its state comes before the deadlines, because a trigger may start after them."""
        reporter = ProgressReporter(self.campaign_id)
        last: Progress | None = None
        watch = sightings(client, lambda: self.listing(client), self.campaign_id, self.poll_interval)
        async with aclosing(watch):
            while True:
                left = self.seconds_left()
                if left is not None and last is None:
                    left = max(left, GRACE)
                try:
                    last = await asyncio.wait_for(anext(watch), timeout=left)
                except TimeoutError:
                    return self.event(
                        self.overdue() or EventStatus.TIMEOUT, "The platform did not answer before the deadline."
                    )
                reporter.report(last, self.log)
                if last.stage.is_final:
                    said = f"Campaign {self.campaign_id} is {last.status or last.stage.value}."
                    return self.event(EventStatus(last.stage), said)
                if (late := self.overdue()) is not None:
                    said = f"Campaign {self.campaign_id} had not ended when {late.value} was over."
                    return self.event(late, said)

    async def _on_cancel(self) -> None:
        """Do what later Airflows do themselves; a cancelled trigger may also be a triggerer that shuts down."""
        try:
            await asyncio.wait_for(self.on_kill(), timeout=ON_CANCEL_TIMEOUT)
        except Exception as error:  # noqa: BLE001
            self.log.warning("Campaign %s: it was not checked whether to stop it (%s).", self.campaign_id, error)

    async def on_kill(self) -> None:
        """Stop the campaign if a person marked the task failed.

        This also fires when a task is cleared or marked a success and, in 3.3.0 to 3.3.2, when a slow triggerer hands
        its work over: so the task's state is read first, and anything but *failed* leaves the campaign running.
        """
        if not self.cancel_on_kill or await task_state_of(self) != "failed":
            self.log.info("Campaign %s goes on.", self.campaign_id)
            return
        async with shared_client(self.hook) as client:
            done = await self.stop(client)
        self.log.info("Campaign %s was %s: the task was marked failed.", self.campaign_id, done)
