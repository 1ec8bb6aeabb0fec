"""Start one Ringg campaign, which was uploaded before, at most once; optionally wait for its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ringg_provider.api.arguments import DialPrefix, Percent, WholeNumber
from ringg_provider.hours.schedule import Time
from ringg_provider.operators.counting import launching
from ringg_provider.operators.ringg.campaign import BaseRinggStartOperator
from ringg_provider.ringg.requests import CallConfig
from ringg_provider.ringg.starts import LargeStart, StandardStart
from ringg_provider.ringg.timing import as_call_config

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class RinggStartCampaignOperator(BaseRinggStartOperator):
    """Start a saved list at most once, whatever is retried; optionally wait for the campaign's end.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/start-campaign, with a pool
    https://docs.ringg.ai/api-reference/endpoint/campaign/start-campaign-v2. Returns the id that was started or adopted.

    What the list was saved with stays as it is; saying it again lets the last checks see it.

    :param list_id: from :class:`RinggSaveCampaignOperator`.
    :param agent_id: the agent of the list.
    :param call_config: as at saving: with ``planned_start`` it lets a campaign whose calling hours are over be refused.
        Default None: not checked.
    :param planned_start: ``campaign_start_time`` as at saving, in its forms: more than ``max_delay`` after it, the list
        is not started. Default None: not checked.
    :param campaign_end_time: as at saving. Default: the closing of the start's day.
    :param rows: contacts on the list, for the estimate of its cost. Default None: no estimate.

    Who is to call and what it may cost are parameters of
    :class:`~ringg_provider.operators.ringg.campaign.BaseRinggCampaignOperator`, waiting and launching of
    :class:`~ringg_provider.operators.launching.LaunchOperator`.
    """

    start_parameter = "planned_start"

    template_fields: Sequence[str] = (
        "list_id",
        "agent_id",
        "call_config",
        "planned_start",
        "campaign_end_time",
        "rows",
        *BaseRinggStartOperator.start_template_fields,
    )

    def __init__(
        self,
        *,
        list_id: str,
        agent_id: str,
        call_config: dict[str, Any] | CallConfig | None = None,
        planned_start: Time = None,
        campaign_end_time: Time = None,
        rows: WholeNumber | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.list_id = list_id
        self.agent_id = agent_id
        self.call_config = call_config
        self.planned_start = planned_start
        self.campaign_end_time = campaign_end_time
        self.rows = rows

    def listed(self) -> tuple[str | None, str | None, str, int | None]:
        """The list that the arguments name."""
        return self.list_id, self.agent_id, "standard", self.rows

    @launching
    def execute(self, context: Context) -> str:
        """Look, intend, start once, settle; then wait if asked to."""
        start = StandardStart(
            list_id=self.list_id,
            agent_id=self.agent_id,
            callers=self.callers(),
            call_config=None if self.call_config is None else as_call_config(self.call_config),
            start=self.planned_start,
            end=self.campaign_end_time,
            rows=self.rows,
        )
        return self.launch_ringg(context, start)


class RinggMakeCallAsyncOperator(BaseRinggStartOperator):
    """Start an uploaded list of the large flow at most once; optionally wait for the campaign's end.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/make-large-campaign-calls-async. Returns the id that
    was started or adopted.

    :param bulk_list_id: from :class:`RinggUploadCsvOperator`, ready according to ``RinggUploadStatusSensor``.
    :param agent_id: the same agent as at the upload.
    :param country_code: the same as at the upload.
    :param call_config: daily window, zone and retries, as a dict or a ``CallConfig``.
    :param campaign_start_time: aware datetime, ISO string, or naive in the campaign's zone. One that has passed, by no
        more than ``max_delay``, means as soon as possible. Default: two minutes from now inside the daily window,
        otherwise its next opening.
    :param campaign_end_time: the same forms. Default: the closing of the start's day.
    :param call_slots: several calling windows instead of one, as the vendor's ``call_slots``. Default none.
    :param rows: contacts on the list. With ``credits_per_call`` or ``sql_conn_id`` their cost is compared with the
        credits, beside the platform's own check. Default None: that one alone.
    :param concurrency_percentage: share of the workspace's lines, 0 to 100; 0 is an equal share. Default 0.

    Who is to call and what it may cost are parameters of
    :class:`~ringg_provider.operators.ringg.campaign.BaseRinggCampaignOperator`, waiting and launching of
    :class:`~ringg_provider.operators.launching.LaunchOperator`.
    """

    template_fields: Sequence[str] = (
        "bulk_list_id",
        "agent_id",
        "country_code",
        "call_config",
        "campaign_start_time",
        "campaign_end_time",
        "call_slots",
        "rows",
        *BaseRinggStartOperator.start_template_fields,
    )

    def __init__(
        self,
        *,
        bulk_list_id: str,
        agent_id: str,
        country_code: DialPrefix,
        call_config: dict[str, Any] | CallConfig,
        campaign_start_time: Time = None,
        campaign_end_time: Time = None,
        call_slots: dict[str, Any] | None = None,
        concurrency_percentage: Percent = 0,
        rows: WholeNumber | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bulk_list_id = bulk_list_id
        self.agent_id = agent_id
        self.country_code = country_code
        self.call_config = call_config
        self.campaign_start_time = campaign_start_time
        self.campaign_end_time = campaign_end_time
        self.call_slots = call_slots
        self.concurrency_percentage = concurrency_percentage
        self.rows = rows

    def listed(self) -> tuple[str | None, str | None, str, int | None]:
        """The list that the arguments name."""
        return self.bulk_list_id, self.agent_id, "large", self.rows

    @launching
    def execute(self, context: Context) -> str:
        """Look, intend, start once, settle; then wait if asked to."""
        start = LargeStart(
            list_id=self.bulk_list_id,
            agent_id=self.agent_id,
            callers=self.callers(),
            country_code=self.country_code,
            call_config=as_call_config(self.call_config),
            start=self.campaign_start_time,
            end=self.campaign_end_time,
            call_slots=self.call_slots,
            concurrency_percentage=self.concurrency_percentage,
            rows=self.rows,
        )
        return self.launch_ringg(context, start)
