"""Sensors for Ringg AI: an upload that is ready, a campaign that has ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from ringg_provider.campaign.progress import ProgressReporter, StallWatch
from ringg_provider.exceptions import TransientError, UnexpectedResponse
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.operators.launching import ended, ended_by_event, failing_without_retry
from ringg_provider.ringg.campaigns import read_progress
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload, require_usable
from ringg_provider.triggers.ringg import RinggCampaignTrigger, RinggUploadStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger


#: Seconds by which Airflow's own deadline comes later than the trigger's, which can say what it last saw.
FRAMEWORK_GRACE = 120


class _RinggSensor(BaseSensorOperator):
    """Base of the sensors: the same verdict in both modes, and ``soft_fail`` that skips on a timeout only.

    Airflow's own ``soft_fail`` also turns a failed campaign into a skip. So what a look finds is raised as an error of
    ours, which Airflow's sensor lets through, and becomes a failure without retry only outside of it.
    """

    ui_color = "#e3f1e1"

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        ringg_conn_id: str = RinggHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.ringg_conn_id = ringg_conn_id

    @cached_property
    def hook(self) -> RinggHook:
        """The hook of this attempt."""
        return RinggHook(self.ringg_conn_id)

    @property
    def watched_id(self) -> str:
        """The id that is waited for."""
        raise NotImplementedError

    def look(self) -> PokeReturnValue:
        """Look once; raises what cannot get better."""
        raise NotImplementedError

    def trigger(self, deadline: float) -> BaseTrigger:
        """The trigger that waits in the triggerer's stead."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        """Poke, or look once and then wait in the triggerer."""
        with failing_without_retry(), self.hook:
            if not self.deferrable:
                return super().execute(context)
            found = self.poke(context)
            if not found:
                self._defer()
            return found.xcom_value

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once, and take a platform that is briefly unwell for "not yet"."""
        try:
            return self.look()
        except TransientError as error:
            self.log.info("The platform could not be asked (%s); trying again.", type(error).__name__)
            return PokeReturnValue(is_done=False)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume from the trigger; Airflow turns the deferral's own timeout into the sensor's."""
        with failing_without_retry(), self.hook:
            return super().resume_execution(next_method, next_kwargs, context)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None) -> Any:
        """Look again after the trigger's event, which is not taken for the answer."""
        if not isinstance(event, Mapping) or event.get("id") != self.watched_id:
            raise UnexpectedResponse(f"The trigger that waited for {self.watched_id} sent no usable event.")
        message = str(event.get("message"))
        self.log.info("%s", message)
        match event.get("status"):
            case "error":
                raise UnexpectedResponse(message)
            case "timeout":
                if self.soft_fail:
                    raise AirflowSkipException(message)
                raise AirflowSensorTimeout(message)
        return self.conclude(event)

    def conclude(self, event: Mapping[str, Any]) -> Any:
        """What the sensor returns after an event that tells of an end; raises what it found wrong."""
        raise NotImplementedError

    def _defer(self) -> None:
        self.defer(
            trigger=self.trigger(time.time() + self.timeout),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout + FRAMEWORK_GRACE),
        )


class RinggUploadStatusSensor(_RinggSensor):
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

    def __init__(self, *, bulk_list_id: str, max_invalid_rows: int | float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bulk_list_id = bulk_list_id
        self.max_invalid_rows = max_invalid_rows

    @property
    def watched_id(self) -> str:
        """The list."""
        return self.bulk_list_id

    def look(self) -> PokeReturnValue:
        """Read the upload status once."""
        status = self.hook.client.get_upload_status(self.bulk_list_id)
        if judge_upload(status) is UploadVerdict.PENDING:
            self.log.info("Upload %s is %s.", self.bulk_list_id, status.status)
            return PokeReturnValue(is_done=False)
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

    def conclude(self, event: Mapping[str, Any]) -> Any:
        """Read what the platform found."""
        found = self.look()
        if not found:
            raise UnexpectedResponse(f"Upload {self.bulk_list_id} was reported as checked, but is not.")
        return found.xcom_value

    def trigger(self, deadline: float) -> RinggUploadStatusTrigger:
        """The trigger that waits in the triggerer's stead."""
        return RinggUploadStatusTrigger(
            ringg_conn_id=self.ringg_conn_id,
            bulk_list_id=self.bulk_list_id,
            poll_interval=self.poke_interval,
            deadline=deadline,
        )


class RinggCampaignSensor(_RinggSensor):
    """Wait for a campaign to end, and log its progress once per change, or that it waits because credits ran out.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/get-all-campaigns. Succeeds when the campaign
    completed, fails without retry when it failed or was terminated. Returns the campaign's id.

    :param campaign_id: the campaign, by its list id.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param ringg_conn_id: the connection. Default ``ringg_default``.

    ``poke_interval``, ``timeout`` (seconds) and ``mode`` are Airflow's; ``soft_fail`` skips on a timeout only. In mode
    ``reschedule`` every look starts afresh and does not notice that the campaign stands still; deferrable does.
    """

    template_fields: Sequence[str] = ("ringg_conn_id", "campaign_id")

    def __init__(self, *, campaign_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id

    @cached_property
    def reporter(self) -> ProgressReporter:
        """Says what changed since the last look."""
        return ProgressReporter(self.campaign_id)

    @cached_property
    def stalls(self) -> StallWatch:
        """Knows how long the campaign has stood still; for this attempt, or in mode ``reschedule`` for this look."""
        return StallWatch()

    @property
    def watched_id(self) -> str:
        """The campaign."""
        return self.campaign_id

    def look(self) -> PokeReturnValue:
        """Look at the campaign once."""
        progress = read_progress(self.hook.client, self.campaign_id, self.stalls)
        self.reporter.report(progress, self.log)
        if not progress.stage.is_final:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=ended(self.campaign_id, progress.stage, progress.status))

    def conclude(self, event: Mapping[str, Any]) -> Any:
        """Believe an event of a known kind; the trigger read it from the platform."""
        return ended_by_event(self.campaign_id, event)

    def trigger(self, deadline: float) -> RinggCampaignTrigger:
        """The trigger that waits in the triggerer's stead."""
        return RinggCampaignTrigger(
            ringg_conn_id=self.ringg_conn_id,
            campaign_id=self.campaign_id,
            poll_interval=self.poke_interval,
            deadline=deadline,
        )
