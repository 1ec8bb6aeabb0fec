"""Waiting for Ringg uploads and campaigns in the triggerer."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Any

from ringg_provider.exceptions import InsufficientBalance, TransientError
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.ringg import AsyncRinggClient
from ringg_provider.ringg.campaigns import RinggListing
from ringg_provider.ringg.requests import Terminate
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload
from ringg_provider.triggers.campaign import CallingTrigger, CampaignTrigger
from ringg_provider.triggers.events import EventStatus, WaitEvent
from ringg_provider.triggers.rollout import RolloutTrigger
from ringg_provider.triggers.waiting import WaitingTrigger, pause_after


class _RinggCalling(CallingTrigger):
    """What calls on Ringg, whichever of the two is waited for."""

    def __init__(self, *, ringg_conn_id: str, **options: Any) -> None:
        super().__init__(**options)
        self.ringg_conn_id = ringg_conn_id

    @property
    def hook(self) -> RinggHook:
        """The connection's hook."""
        return RinggHook(self.ringg_conn_id)

    def listing(self, client: AsyncRinggClient) -> RinggListing:
        """The workspace's campaign list."""
        return RinggListing(client)


class RinggCampaignTrigger(_RinggCalling, CampaignTrigger):
    """Wait for a Ringg campaign to end; :class:`~ringg_provider.triggers.campaign.CampaignTrigger` says how.

    :param ringg_conn_id: the connection.
    :param options: those of the base, ``campaign_id`` (the list id) and deadlines among them.
    """

    async def stop(self, client: AsyncRinggClient) -> str:
        """Terminate it, for good."""
        return await _terminate(client, self.campaign_id)


class RinggRolloutTrigger(_RinggCalling, RolloutTrigger):
    """Wait while a rollout calls on Ringg; :class:`~ringg_provider.triggers.rollout.RolloutTrigger` says for what.

    :param ringg_conn_id: the connection.
    :param options: those of the base, ``campaign_ids`` (the list ids) and deadlines among them.
    """

    async def stop_campaign(self, client: AsyncRinggClient, campaign_id: str) -> str:
        """Terminate it, for good."""
        return await _terminate(client, campaign_id)


async def _terminate(client: AsyncRinggClient, campaign_id: str) -> str:
    await client.terminate(Terminate(campaign_id=campaign_id))
    return "terminated"


class _ListTrigger(WaitingTrigger):
    """Look at one uploaded list again and again, until a look finds what is waited for or a deadline is over."""

    id_field = "bulk_list_id"
    default_poll_interval = 10.0
    bulk_list_id: str
    #: Whether the first look comes after a pause, because the task has just looked.
    waits_first = False
    #: What is said of a list at a deadline.
    late_because = "was not ready in time"

    def __init__(
        self,
        *,
        ringg_conn_id: str,
        bulk_list_id: str,
        poll_interval: float | None = None,
        deadline: float | None = None,
        kill_deadline: float | None = None,
    ) -> None:
        super().__init__(bulk_list_id, poll_interval=poll_interval, deadline=deadline, kill_deadline=kill_deadline)
        self.ringg_conn_id = ringg_conn_id

    @property
    def hook(self) -> RinggHook:
        """The connection's hook."""
        return RinggHook(self.ringg_conn_id)

    @abstractmethod
    async def look(self, client: AsyncRinggClient) -> WaitEvent | None:
        """Ask the platform once; None while there is more to wait for."""

    async def wait(self, client: AsyncRinggClient) -> WaitEvent:
        """Look until there is something to tell or a deadline is over."""
        pause = self.poll_interval if self.waits_first else 0.0
        while True:
            left = self.seconds_left()
            await asyncio.sleep(pause if left is None else min(pause, left))
            pause = self.poll_interval
            try:
                if (told := await self.look(client)) is not None:
                    return told
            except TransientError as error:
                self.log.info("List %s could not be looked at (%s).", self.bulk_list_id, type(error).__name__)
                pause = pause_after(error, pause)
            if (late := self.overdue()) is not None:
                return self.event(late, f"List {self.bulk_list_id} {self.late_because}.")


class RinggUploadStatusTrigger(_ListTrigger):
    """Wait until the platform has checked an uploaded list.

    Fires one event ``{"status", "id", "message"}``; status is ``settled`` (ready, or past it, or failed: the task
    reads which), ``timeout``, ``execution_timeout``, ``error`` or ``unreadable``.

    :param ringg_conn_id: the connection.
    :param bulk_list_id: the list.
    :param poll_interval: seconds between two looks. Default 10.
    :param deadline: seconds since the epoch until which is waited. Default None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. Default None.
    """

    async def look(self, client: AsyncRinggClient) -> WaitEvent | None:
        """Read the upload status."""
        status = await client.get_upload_status(self.bulk_list_id)
        if judge_upload(status) is UploadVerdict.PENDING:
            return None
        return self.event(EventStatus.SETTLED, f"List {self.bulk_list_id} is {status.status}.")


class RinggBalanceTrigger(_ListTrigger):
    """Wait until a list is no longer short of credits.

    Fires one event ``{"status", "id", "message"}``; status is ``changed``, ``timeout``, ``execution_timeout``,
    ``error`` or ``unreadable``. The task asks again before it believes anything.

    :param ringg_conn_id: the connection.
    :param bulk_list_id: the list.
    :param poll_interval: seconds between two looks, and before the first: the task asked a moment ago. Default 10.
    :param deadline: seconds since the epoch until which is waited. Default None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. Default None.
    """

    waits_first = True
    late_because = "is still short of credits"

    async def look(self, client: AsyncRinggClient) -> WaitEvent | None:
        """Check the balance."""
        try:
            short = (await client.check_balance(self.bulk_list_id)).sufficient is False
        except InsufficientBalance:
            short = True
        if short:
            return None
        return self.event(EventStatus.CHANGED, f"List {self.bulk_list_id} is no longer short of credits.")
