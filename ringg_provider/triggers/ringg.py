"""Waiting for Ringg uploads and campaigns in the triggerer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from ringg_provider.campaign.progress import Progress, ProgressReporter
from ringg_provider.exceptions import InsufficientBalance, RateLimited, RinggProviderError, TransientError
from ringg_provider.ringg import AsyncRinggClient
from ringg_provider.ringg.campaigns import RinggListing
from ringg_provider.ringg.requests import Terminate
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload
from ringg_provider.triggers.clients import shared_client
from ringg_provider.triggers.poller import sightings
from ringg_provider.triggers.tasks import ON_KILL_BY_AIRFLOW, task_state_of

#: Seconds that a trigger which starts after its deadline still gives the platform to say how it ended.
GRACE = 60.0
#: Seconds that a cancelled trigger takes to find out why, below the Airflow that calls ``on_kill`` itself.
ON_CANCEL_TIMEOUT = 20.0


class RinggCampaignTrigger(BaseTrigger):
    """Wait for a campaign to end.

    Fires one event ``{"status", "id", "message"}``; status is ``completed``, ``failed``, ``terminated``, ``timeout``,
    ``execution_timeout`` or ``error``.

    :param ringg_conn_id: the connection.
    :param campaign_id: the campaign, by its list id.
    :param poll_interval: seconds between two looks; all triggers of a workspace share one listing. Default 60.
    :param deadline: seconds since the epoch until which is waited. Default None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. Default None.
    :param cancel_on_kill: terminate the campaign when a person marks the task failed. Default False.
    """

    def __init__(
        self,
        *,
        ringg_conn_id: str,
        campaign_id: str,
        poll_interval: float = 60,
        deadline: float | None = None,
        kill_deadline: float | None = None,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ringg_conn_id = ringg_conn_id
        self.campaign_id = campaign_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.kill_deadline = kill_deadline
        self.cancel_on_kill = cancel_on_kill

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and plain JSON arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "ringg_conn_id": self.ringg_conn_id,
                "campaign_id": self.campaign_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "kill_deadline": self.kill_deadline,
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the campaign through the workspace's shared poller until it has ended or a deadline is over."""
        try:
            async with shared_client(self.ringg_conn_id) as client:
                outcome = await self._follow(client)
            yield self._event(*outcome)
        except RinggProviderError as error:
            yield self._event("error", str(error))
        except asyncio.CancelledError:
            if not ON_KILL_BY_AIRFLOW:
                await self._on_cancel()
            raise

    async def _on_cancel(self) -> None:
        """Do what later Airflows do themselves; a cancelled trigger may also be a triggerer that shuts down."""
        try:
            await asyncio.wait_for(self.on_kill(), timeout=ON_CANCEL_TIMEOUT)
        except Exception as error:  # noqa: BLE001
            self.log.warning("Campaign %s: it was not checked whether to stop it (%s).", self.campaign_id, error)

    async def on_kill(self) -> None:
        """Terminate the campaign if a person marked the task failed.

        This also fires when a task is cleared or marked a success and, in 3.3.0 to 3.3.2, when a slow triggerer hands
        its work over: so the task's state is read first, and anything but *failed* leaves the campaign running.
        """
        if not self.cancel_on_kill or await task_state_of(self) != "failed":
            self.log.info("Campaign %s goes on.", self.campaign_id)
            return
        async with shared_client(self.ringg_conn_id) as client:
            await client.terminate(Terminate(campaign_id=self.campaign_id))
        self.log.info("Campaign %s was terminated: the task was marked failed.", self.campaign_id)

    async def _follow(self, client: AsyncRinggClient) -> tuple[str, str]:
        reporter = ProgressReporter(self.campaign_id)
        last: Progress | None = None
        watch = sightings(client, lambda: RinggListing(client), self.campaign_id, self.poll_interval)
        async with aclosing(watch):
            while True:
                try:
                    last = await asyncio.wait_for(anext(watch), timeout=self._patience(seen=last is not None))
                except TimeoutError:
                    return self._overdue() or ("timeout", "The platform did not answer before the deadline.")
                reporter.report(last, self.log)
                if last.stage.is_final:
                    return last.stage.value, f"Campaign {self.campaign_id} is {last.status or last.stage.value}."
                # The state comes before the deadlines: a trigger that starts late may find the campaign ended.
                if overdue := self._overdue():
                    return overdue

    def _patience(self, seen: bool) -> float | None:
        deadlines = [at for at in (self.deadline, self.kill_deadline) if at is not None]
        if not deadlines:
            return None
        left = max(min(deadlines) - time.time(), 0.0)
        return left if seen else max(left, GRACE)

    def _overdue(self) -> tuple[str, str] | None:
        now = time.time()
        if self.kill_deadline is not None and now >= self.kill_deadline:
            return "execution_timeout", f"Campaign {self.campaign_id} had not ended when execution_timeout was over."
        if self.deadline is not None and now >= self.deadline:
            return "timeout", f"Campaign {self.campaign_id} had not ended when timeout was over."
        return None

    def _event(self, status: str, message: str) -> TriggerEvent:
        return TriggerEvent({"status": status, "id": self.campaign_id, "message": message})


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
            async with shared_client(self.ringg_conn_id) as client:
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
            async with shared_client(self.ringg_conn_id) as client:
                while True:
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
                    await asyncio.sleep(pause)
        except RinggProviderError as error:
            yield self._event("error", str(error))

    def _event(self, status: str, message: str) -> TriggerEvent:
        return TriggerEvent({"status": status, "id": self.bulk_list_id, "message": message})


def _pause(error: TransientError, usual: float) -> float:
    """How long to wait after a failure: at least as long as usual, and as long as the platform asks."""
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return max(usual, error.retry_after)
    return usual
