"""Waiting for Ringg uploads and campaigns in the triggerer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from ringg_provider.exceptions import InsufficientBalance, RateLimited, RinggProviderError, TransientError
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.ringg import AsyncRinggClient
from ringg_provider.ringg.campaigns import RinggListing
from ringg_provider.ringg.requests import Terminate
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload
from ringg_provider.triggers.campaign import CampaignTrigger
from ringg_provider.triggers.clients import shared_client


class RinggCampaignTrigger(CampaignTrigger):
    """Wait for a Ringg campaign to end; :class:`~ringg_provider.triggers.campaign.CampaignTrigger` says how.

    :param ringg_conn_id: the connection.
    :param options: those of the base, ``campaign_id`` (the list id) and deadlines among them.
    """

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

    async def stop(self, client: AsyncRinggClient) -> str:
        """Terminate it, for good."""
        await client.terminate(Terminate(campaign_id=self.campaign_id))
        return "terminated"


class _ListTrigger(BaseTrigger):
    """Look at one uploaded list again and again, until that settles it or a deadline is over."""

    #: Whether the first look comes after a pause, because the task has just looked.
    waits_first = False
    late = "was not ready in time"

    def __init__(
        self,
        *,
        ringg_conn_id: str,
        bulk_list_id: str,
        poll_interval: float = 10,
        deadline: float | None = None,
        kill_deadline: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ringg_conn_id = ringg_conn_id
        self.bulk_list_id = bulk_list_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.kill_deadline = kill_deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and plain JSON arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "ringg_conn_id": self.ringg_conn_id,
                "bulk_list_id": self.bulk_list_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "kill_deadline": self.kill_deadline,
            },
        )

    async def look(self, client: AsyncRinggClient) -> TriggerEvent | None:
        """Ask the platform once; None while there is more to wait for."""
        raise NotImplementedError

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it is settled or a deadline is over."""
        try:
            async with shared_client(RinggHook(self.ringg_conn_id)) as client:
                pause = self.poll_interval if self.waits_first else 0.0
                while True:
                    await asyncio.sleep(min([pause, *(max(at - time.time(), 0.0) for _, at in self._deadlines())]))
                    pause = self.poll_interval
                    try:
                        if (event := await self.look(client)) is not None:
                            yield event
                            return
                    except TransientError as error:
                        self.log.info("The list could not be looked at (%s).", type(error).__name__)
                        pause = _pause(error, pause)
                    for status, at in self._deadlines():
                        if time.time() >= at:
                            yield self.event(status, f"List {self.bulk_list_id} {self.late}.")
                            return
        except RinggProviderError as error:
            yield self.event("error", str(error))

    def event(self, status: str, message: str) -> TriggerEvent:
        """What the task gets to know."""
        return TriggerEvent({"status": status, "id": self.bulk_list_id, "message": message})

    def _deadlines(self) -> list[tuple[str, float]]:
        both = (("execution_timeout", self.kill_deadline), ("timeout", self.deadline))
        return [(status, at) for status, at in both if at is not None]


class RinggUploadStatusTrigger(_ListTrigger):
    """Wait until the platform has checked an uploaded list.

    Fires one event ``{"status", "id", "message"}``; status is ``settled`` (ready, or past it, or failed: the task
    reads which), ``timeout``, ``execution_timeout`` or ``error``.

    :param ringg_conn_id: the connection.
    :param bulk_list_id: the list.
    :param poll_interval: seconds between two looks. Default 10.
    :param deadline: seconds since the epoch until which is waited. Default None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. Default None.
    """

    async def look(self, client: AsyncRinggClient) -> TriggerEvent | None:
        """Read the upload status."""
        status = await client.get_upload_status(self.bulk_list_id)
        if judge_upload(status) is UploadVerdict.PENDING:
            return None
        return self.event("settled", f"List {self.bulk_list_id} is {status.status}.")


class RinggBalanceTrigger(_ListTrigger):
    """Wait until a list is no longer short of credits.

    Fires one event ``{"status", "id", "message"}``; status is ``changed``, ``timeout``, ``execution_timeout`` or
    ``error``. The task asks again before it believes anything.

    :param ringg_conn_id: the connection.
    :param bulk_list_id: the list.
    :param poll_interval: seconds between two looks, and before the first: the task asked a moment ago. Default 10.
    :param deadline: seconds since the epoch until which is waited. Default None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. Default None.
    """

    waits_first = True
    late = "is still short of credits"

    async def look(self, client: AsyncRinggClient) -> TriggerEvent | None:
        """Check the balance."""
        try:
            short = (await client.check_balance(self.bulk_list_id)).sufficient is False
        except InsufficientBalance:
            short = True
        return None if short else self.event("changed", f"List {self.bulk_list_id} is no longer short of credits.")


def _pause(error: TransientError, usual: float) -> float:
    """How long to wait after a failure: at least as long as usual, and as long as the platform asks."""
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return max(usual, error.retry_after)
    return usual
