"""Waiting for campaigns in the triggerer, on any platform."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from contextlib import aclosing
from typing import Any

from ringg_provider import wording
from ringg_provider.launch.progress import Progress, ProgressReporter
from ringg_provider.triggers.events import EventStatus, WaitEvent
from ringg_provider.triggers.poller import Source, sightings
from ringg_provider.triggers.stopping import stop_if_marked_failed, undisturbed
from ringg_provider.triggers.waiting import WaitingTrigger

#: Seconds that a trigger which starts after its deadline still gives the platform to say how it ended.
GRACE = 60.0


class CallingTrigger(WaitingTrigger):
    """Wait while campaigns call: base of the triggers that stop them when a person marks the task failed.

    :param watched_id: the id of what is waited for.
    :param cancel_on_kill: stop what calls when a person marks the task failed. Default False.
    :param timezone: the IANA zone that the log tells times in. Default UTC.
    :param options: those of the base.
    """

    default_poll_interval = 60.0

    def __init__(
        self, watched_id: str, *, cancel_on_kill: bool = False, timezone: str | None = None, **options: Any
    ) -> None:
        super().__init__(watched_id, **options)
        self.cancel_on_kill = cancel_on_kill
        self.timezone = timezone

    @abstractmethod
    def listing(self, client: Any) -> Source:
        """The workspace as the shared poller reads it."""

    @abstractmethod
    async def stop(self, client: Any) -> str:
        """Let nobody more be called; returns what was done, for the log."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and plain JSON arguments."""
        path, arguments = super().serialize()
        return path, {**arguments, "cancel_on_kill": self.cancel_on_kill, "timezone": self.timezone}

    async def on_kill(self) -> None:
        """Stop what calls if a person marked the task failed and ``cancel_on_kill`` is on."""
        if self.cancel_on_kill:
            await undisturbed(stop_if_marked_failed(self, self.stop))
        else:
            self.log.info("Campaign %s goes on: cancel_on_kill is off.", self.watched_id)


class CampaignTrigger(CallingTrigger):
    """Wait for a campaign to end: base of the platforms' triggers.

    Fires one event ``{"status", "id", "message"}``; status is ``completed``, ``failed``, ``terminated``, ``timeout``,
    ``execution_timeout``, ``error`` or ``unreadable``.

    :param campaign_id: the campaign.
    :param poll_interval: seconds between two looks; all triggers of a workspace share one listing. Default 60.
    :param deadline: seconds since the epoch until which is waited. Default None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. Default None.
    :param cancel_on_kill: stop the campaign when a person marks the task failed. Default False.
    :param timezone: the IANA zone in which the log tells times. Default None: UTC.
    """

    id_field = "campaign_id"
    campaign_id: str

    def __init__(
        self,
        *,
        campaign_id: str,
        poll_interval: float | None = None,
        deadline: float | None = None,
        kill_deadline: float | None = None,
        cancel_on_kill: bool = False,
        timezone: str | None = None,
    ) -> None:
        super().__init__(
            campaign_id,
            poll_interval=poll_interval,
            deadline=deadline,
            kill_deadline=kill_deadline,
            cancel_on_kill=cancel_on_kill,
            timezone=timezone,
        )

    async def wait(self, client: Any) -> WaitEvent:
        """Watch the campaign; its state comes before the deadlines, because a trigger may start after them."""
        reporter = ProgressReporter(self.campaign_id, zone=wording.zone_named(self.timezone))
        last: Progress | None = None
        watch = sightings(client, lambda: self.listing(client), self.watched_id, self.poll_interval)
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
