"""What the operators share that launch lists of ``SqlToRinggOperator``, in either flow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ringg_provider.api.arguments import Percent, RowsOrShare, Seconds
from ringg_provider.exceptions import LaunchInterrupted, NotFound
from ringg_provider.launch.item import LaunchItem
from ringg_provider.operators.ringg.balance import read_balance, shortfall_of
from ringg_provider.operators.ringg.campaign import BaseRinggStartOperator
from ringg_provider.operators.waiting import kill_deadline, sleep_until_told, wait_until
from ringg_provider.ringg.responses import CampaignState, UploadStatus
from ringg_provider.ringg.starts import LargeStart, RinggStart, StandardStart
from ringg_provider.ringg.timing import as_call_config
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload, require_usable
from ringg_provider.triggers.ringg import RinggUploadStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Seconds within which the platform must show what was uploaded a moment ago.
VISIBLE_WITHIN = 120.0


class BaseRinggListOperator(BaseRinggStartOperator):
    """Base of the operators that launch lists of ``SqlToRinggOperator``, in either flow.

    :param concurrency_percentage: share of the workspace's lines in the large flow, 0 to 100. Default 0, equal.
    :param max_invalid_rows: how many rows the platform may find invalid in the large flow: an int is a number of
        rows, a float a share. Default None: any.
    :param upload_poll_interval: seconds between two looks at the upload. Default 10.
    """

    def __init__(
        self,
        *,
        concurrency_percentage: Percent = 0,
        max_invalid_rows: RowsOrShare | None = None,
        upload_poll_interval: Seconds = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.concurrency_percentage = concurrency_percentage
        self.max_invalid_rows = max_invalid_rows
        self.upload_poll_interval = upload_poll_interval

    def check(self, context: Context, start: RinggStart) -> None:
        """The last checks before a start; in the large flow also of what the platform found in the upload."""
        if start.flow == "large":
            require_usable(start.list_id, self._upload(start.list_id), self.max_invalid_rows)
        super().check(context, start)

    def start_of(self, item: LaunchItem, field: str) -> RinggStart:
        """What an item asks to start.

        :param item: the list.
        :param field: the parameter that it was given in, for errors.
        """
        known: dict[str, Any] = {
            "list_id": self.take_ledger_of(item),
            "agent_id": item.agent_id,
            "callers": self.callers(),
            "start": item.campaign_start_time,
            "end": item.campaign_end_time,
            "rows": item.rows,
        }
        if item.ringg_flow(field) == "standard":
            return StandardStart(
                call_config=None if item.call_config is None else as_call_config(item.call_config), **known
            )
        return LargeStart(
            country_code=item.country_code,
            call_config=as_call_config(item.call_config or {}),
            call_slots=item.call_slots,
            concurrency_percentage=self.concurrency_percentage,
            **known,
        )

    def launch_list(self, context: Context, start: RinggStart) -> str:
        """Start a list, whose upload has been checked, at most once, and wait if asked to.

        :return: the id that was started or adopted.
        """
        if start.flow == "large":
            self._require_paid(start.list_id)
        return self.launch_ringg(context, start)

    def is_pending(self, start: RinggStart) -> bool:
        """Whether the platform is still checking the upload of a list; in the standard flow it never is."""
        if start.flow != "large" or (status := self._pending_upload(start.list_id)) is None:
            return False
        self.log.info("Upload %s is %s.", start.list_id, status.status)
        return True

    def wait_for_upload(self, list_id: str) -> None:
        """Wait here until the platform has checked an upload.

        :raises LaunchInterrupted: the task was told to stop.
        :raises TimeoutError: the platform was not done within ``timeout``.
        """
        checked = wait_until(
            lambda: True if self._pending_upload(list_id) is None else None,
            poll_interval=self.upload_poll_interval,
            deadline=None if self.timeout is None else time.time() + self.timeout,
            told_to_stop=lambda: self.told_to_stop,
        )
        if self.told_to_stop:
            raise LaunchInterrupted("The task was told to stop; nothing was started.")
        if not checked:
            raise TimeoutError(f"Upload {list_id} was not ready in time.")

    def upload_trigger(self, context: Context, list_id: str) -> RinggUploadStatusTrigger:
        """Waits until the platform has checked an upload."""
        return RinggUploadStatusTrigger(
            ringg_conn_id=self.ringg_conn_id,
            bulk_list_id=list_id,
            poll_interval=self.upload_poll_interval,
            deadline=None if self.timeout is None else time.time() + self.timeout,
            kill_deadline=kill_deadline(self, context),
        )

    def _upload(self, list_id: str) -> UploadStatus:
        """The upload's status; one that was made a moment ago may not be shown yet."""
        deadline = time.monotonic() + VISIBLE_WITHIN
        while True:
            try:
                return self.hook.client.get_upload_status(list_id)
            except NotFound:
                if time.monotonic() >= deadline or self.told_to_stop:
                    raise
            sleep_until_told(5.0, lambda: self.told_to_stop)

    def _pending_upload(self, list_id: str) -> UploadStatus | None:
        status = self._upload(list_id)
        return status if judge_upload(status) is UploadVerdict.PENDING else None

    def _require_paid(self, list_id: str) -> None:
        if self._upload(list_id).state is CampaignState.INSUFFICIENT_BALANCE:
            balance = read_balance(self.hook, list_id)
            if not balance.sufficient:
                raise shortfall_of(list_id, balance)
