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


class RinggUploadStatusTrigger(BaseTrigger):
    """Wait until the platform has checked an uploaded list.

    Fires one event ``{"status", "id", "message"}``; status is ``settled`` (ready, or past it, or failed: the task
    reads which), ``timeout``, ``execution_timeout`` or ``error``.

    :param ringg_conn_id: the connection.
    :param bulk_list_id: the list.
    :param poll_interval: seconds between two looks. Default 10.
    :param deadline: seconds since the epoch until which is waited. Default None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. Default None.
    """

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

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Read the upload status until it has settled or a deadline is over."""
        try:
            async with shared_client(RinggHook(self.ringg_conn_id)) as client:
                while True:
                    pause = self.poll_interval
                    try:
                        status = await client.get_upload_status(self.bulk_list_id)
                        if judge_upload(status) is not UploadVerdict.PENDING:
                            yield self._event("settled", f"Upload {self.bulk_list_id} is {status.status}.")
                            return
                    except TransientError as error:
                        self.log.info("The upload status could not be read (%s).", type(error).__name__)
                        pause = _pause(error, pause)
                    for status_name, at in (("execution_timeout", self.kill_deadline), ("timeout", self.deadline)):
                        if at is not None and time.time() >= at:
                            yield self._event(status_name, f"Upload {self.bulk_list_id} was not ready in time.")
                            return
                    await asyncio.sleep(pause)
        except RinggProviderError as error:
            yield self._event("error", str(error))

    def _event(self, status: str, message: str) -> TriggerEvent:
        return TriggerEvent({"status": status, "id": self.bulk_list_id, "message": message})


class RinggBalanceTrigger(BaseTrigger):
    """Wait until a list is no longer short of credits.

    Fires one event ``{"status", "id", "message"}``; status is ``changed``, ``timeout`` or ``error``. The task asks
    again before it believes anything.

    :param ringg_conn_id: the connection.
    :param bulk_list_id: the list.
    :param poll_interval: seconds between two looks. Default 60.
    :param deadline: seconds since the epoch until which is waited. Default None: no bound.
    """

    def __init__(
        self, *, ringg_conn_id: str, bulk_list_id: str, poll_interval: float = 60, deadline: float | None = None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ringg_conn_id = ringg_conn_id
        self.bulk_list_id = bulk_list_id
        self.poll_interval = poll_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and plain JSON arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "ringg_conn_id": self.ringg_conn_id,
                "bulk_list_id": self.bulk_list_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Check the balance until it is no longer short or the deadline is over."""
        try:
            async with shared_client(RinggHook(self.ringg_conn_id)) as client:
                pause = self.poll_interval
                while True:
                    # The task asked a moment ago: an answer that does not tell must not go back and forth at once.
                    left = pause if self.deadline is None else max(self.deadline - time.time(), 0.0)
                    await asyncio.sleep(min(pause, left))
                    pause = self.poll_interval
                    try:
                        if (await client.check_balance(self.bulk_list_id)).sufficient is not False:
                            yield self._event("changed", f"List {self.bulk_list_id} is no longer short of credits.")
                            return
                    except InsufficientBalance:
                        pass
                    except TransientError as error:
                        pause = _pause(error, pause)
                    if self.deadline is not None and time.time() >= self.deadline:
                        yield self._event("timeout", f"List {self.bulk_list_id} is still short of credits.")
                        return
        except RinggProviderError as error:
            yield self._event("error", str(error))

    def _event(self, status: str, message: str) -> TriggerEvent:
        return TriggerEvent({"status": status, "id": self.bulk_list_id, "message": message})


def _pause(error: TransientError, usual: float) -> float:
    """How long to wait after a failure: at least as long as usual, and as long as the platform asks."""
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return max(usual, error.retry_after)
    return usual
