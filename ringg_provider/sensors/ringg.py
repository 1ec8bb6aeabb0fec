"""Sensors for Ringg AI: an upload that is ready, a campaign that has ended."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import PokeReturnValue

from ringg_provider.api.arguments import RowsOrShare
from ringg_provider.exceptions import UnexpectedResponse
from ringg_provider.launch.progress import Progress, StallWatch
from ringg_provider.operators.on_platform import OnRingg
from ringg_provider.operators.waiting import dag_zone
from ringg_provider.ringg.campaigns import read_progress
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload, require_usable, said_of_upload
from ringg_provider.sensors.waiting import CampaignSensor, PlatformSensor
from ringg_provider.triggers.events import UPLOAD_ENDS, WaitEvent
from ringg_provider.triggers.ringg import RinggCampaignTrigger, RinggUploadStatusTrigger


class RinggUploadStatusSensor(OnRingg, PlatformSensor):
    """Wait until the platform has checked an uploaded list.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/get-large-campaign-upload-status. Succeeds when the
    upload is ready, waits for credits, or its campaign is already past it; fails with the reason when it failed, has no
    valid contact or too many invalid ones. Returns
    ``{"status", "valid_rows", "invalid_rows", "invalid_rows_csv_url"}``.

    :param bulk_list_id: from ``RinggUploadCsvOperator``.
    :param max_invalid_rows: an int is a number of rows, a float a share of all rows. Default None: any.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param ringg_conn_id: the connection. Default ``ringg_default``.

    ``poke_interval``, ``timeout`` (seconds) and ``mode`` are Airflow's; ``soft_fail`` skips on a timeout only.
    """

    template_fields: Sequence[str] = ("ringg_conn_id", "bulk_list_id")
    ends = UPLOAD_ENDS

    def __init__(self, *, bulk_list_id: str, max_invalid_rows: RowsOrShare | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bulk_list_id = bulk_list_id
        self.max_invalid_rows = max_invalid_rows

    #: What the last look found, so that a wait is told once per change.
    _last_status: str | None = None

    @property
    def watched_id(self) -> str:
        """The list."""
        return self.bulk_list_id

    def look(self) -> PokeReturnValue:
        """Read the upload status once."""
        status = self.hook.client.get_upload_status(self.bulk_list_id)
        if judge_upload(status) is UploadVerdict.PENDING:
            if status.status != self._last_status:
                self.log.info("Upload %s is %s.", self.bulk_list_id, status.status)
            self._last_status = status.status
            return PokeReturnValue(is_done=False)
        self.log.info("%s", said_of_upload(self.bulk_list_id, status))
        require_usable(self.bulk_list_id, status, self.max_invalid_rows)
        return PokeReturnValue(
            is_done=True,
            xcom_value={
                "status": status.status,
                "valid_rows": status.valid_rows,
                "invalid_rows": status.invalid_rows,
                "invalid_rows_csv_url": status.invalid_rows_csv_url,
            },
        )

    def conclude(self, told: WaitEvent) -> Any:
        """Read what the platform found."""
        found = self.look()
        if not found:
            raise UnexpectedResponse(f"Upload {self.bulk_list_id} was reported as checked, but is not.")
        return found.xcom_value

    def trigger(self, deadline: float, kill_deadline: float | None) -> RinggUploadStatusTrigger:
        """The trigger that waits in the task's stead."""
        return RinggUploadStatusTrigger(
            ringg_conn_id=self.ringg_conn_id,
            bulk_list_id=self.bulk_list_id,
            poll_interval=self.poke_interval,
            deadline=deadline,
            kill_deadline=kill_deadline,
        )


class RinggCampaignSensor(OnRingg, CampaignSensor):
    """Wait for a campaign to end, and log its progress once per change, or that it waits because credits ran out.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/get-all-campaigns. Succeeds when the campaign
    completed, fails without retry when it failed or was terminated. Returns the campaign's id.

    :param campaign_id: the campaign, by its list id.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param min_listed: fail where fewer people are on it, as far as the platform tells. Default None: any number.
    :param min_reached: fail where fewer people took a call. Default None: any number; nobody is a warning with the
        reason.
    :param ringg_conn_id: the connection. Default ``ringg_default``.

    ``poke_interval``, ``timeout`` (seconds) and ``mode`` are Airflow's; ``soft_fail`` skips on a timeout only. In mode
    ``reschedule`` every look starts afresh and does not notice that the campaign stands still; deferrable does.
    """

    template_fields: Sequence[str] = ("ringg_conn_id", "campaign_id")

    @cached_property
    def stalls(self) -> StallWatch:
        """Knows how long the campaign has stood still; for this attempt, or in mode ``reschedule`` for this look."""
        return StallWatch()

    def read_progress(self) -> Progress:
        """Look at the campaign once."""
        return read_progress(self.hook.client, self.campaign_id, self.stalls)

    def trigger(self, deadline: float, kill_deadline: float | None) -> RinggCampaignTrigger:
        """The trigger that waits in the task's stead."""
        return RinggCampaignTrigger(
            ringg_conn_id=self.ringg_conn_id,
            campaign_id=self.campaign_id,
            poll_interval=self.poke_interval,
            deadline=deadline,
            kill_deadline=kill_deadline,
            timezone=dag_zone(self),
        )
