"""Upload a contact list to Ringg AI, in the standard or in the large flow; no phone rings by it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ringg_provider import wording
from ringg_provider.api.arguments import DialPrefix
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hours.schedule import Time
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.files import local_copy
from ringg_provider.operators.on_platform import OnRingg
from ringg_provider.operators.private import Untold
from ringg_provider.operators.timely import TimelyOperator
from ringg_provider.ringg.limits import Flow
from ringg_provider.ringg.requests import CallConfig, CampaignSpec
from ringg_provider.ringg.timing import as_call_config, hours_of, schedule_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class _RinggUploadOperator(OnRingg, TimelyOperator):
    """Base of the two uploads: checks the file and what it is for before anything is sent."""

    template_fields: Sequence[str] = (
        "ringg_conn_id",
        "agent_id",
        "campaign_name",
        "contacts",
        "variables_map",
        "country_code",
        "call_config",
        "campaign_start_time",
        "campaign_end_time",
    )
    ui_color = "#e8e4f8"
    flow: ClassVar[Flow]

    campaign_name = Untold[str]()
    contacts = Untold[str]()

    def __init__(
        self,
        *,
        agent_id: str,
        campaign_name: str,
        contacts: str,
        variables_map: dict[str, str],
        country_code: DialPrefix,
        call_config: dict[str, Any] | CallConfig,
        campaign_start_time: Time = None,
        campaign_end_time: Time = None,
        remove_invalid_rows: bool = False,
        transliterate_callee_name: bool = False,
        transliterate_fields: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.agent_id = agent_id
        self.campaign_name = campaign_name
        self.contacts = contacts
        self.variables_map = variables_map
        self.country_code = country_code
        self.call_config = call_config
        self.campaign_start_time = campaign_start_time
        self.campaign_end_time = campaign_end_time
        self.remove_invalid_rows = remove_invalid_rows
        self.transliterate_callee_name = transliterate_callee_name
        self.transliterate_fields = transliterate_fields

    @with_checked_arguments
    def execute(self, context: Context) -> str:
        """Check, upload, and return the new list's id; counts go to XCom ``summary``."""
        # Loaded when a task runs, and not with every DAG file.
        from ringg_provider.contacts.lists import quoting_no_cell
        from ringg_provider.preflight.report import Level
        from ringg_provider.ringg.csv_check import inspect_csv
        from ringg_provider.ringg.preflight import check_agent, check_variables, judge_rows

        self.refuse_if_stale(context, "Nothing was uploaded.")
        spec = self._spec()
        with self.hook as hook, local_copy(self.contacts) as csv:
            report = inspect_csv(csv, spec.variables_map, spec.country_code, spec.remove_invalid_rows)
            check_variables(check_agent(hook.client, spec.agent_id), spec.variables_map)
            allowance = judge_rows(report.rows, allowance=None, accepted=False, large=self.flow == "large")
            if allowance.level is not Level.OK:
                self.log.warning("%s", allowance.message)
            with quoting_no_cell(csv):
                list_id, counts = self.upload(hook, spec, csv)
        summary = {"rows": report.rows, "valid_rows": report.valid_rows, "invalid_rows": report.invalid_rows} | counts
        context["ti"].xcom_push(key="summary", value=summary)
        refused = counts.get("failed_rows", 0)
        people = counts.get("successful_rows", report.valid_rows)
        self.log.info(
            "List %s was uploaded: %s from %s%s%s, to be called %s once it is started.",
            list_id,
            wording.counted(people, "person", "people"),
            wording.counted(report.rows, "row"),
            f"; {report.invalid_rows:,} invalid by this provider's check" if report.invalid_rows else "",
            f"; {refused:,} refused by the platform" if refused else "",
            hours_of(spec),
        )
        return list_id

    @abstractmethod
    def upload(self, hook: RinggHook, spec: CampaignSpec, csv: Path) -> tuple[str, dict[str, int]]:
        """Send the file; returns the list's id and what the platform counted."""

    def _spec(self) -> CampaignSpec:
        call_config = as_call_config(self.call_config)
        schedule = schedule_of(call_config, self.campaign_start_time, self.campaign_end_time)
        return CampaignSpec(
            campaign_name=self.campaign_name,
            agent_id=self.agent_id,
            country_code=self.country_code,
            variables_map=self.variables_map,
            call_config=call_config,
            campaign_start_time=schedule.wire_start,
            campaign_end_time=schedule.wire_end,
            remove_invalid_rows=self.remove_invalid_rows,
            transliterate_callee_name=self.transliterate_callee_name,
            transliterate_fields=self.transliterate_fields,
        )


class RinggSaveCampaignOperator(_RinggUploadOperator):
    """Upload a contact list for the standard flow; nobody is called until it is started.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/upload-campaign-contact-list. Returns the ``list_id``;
    the counts ``rows``, ``valid_rows``, ``invalid_rows`` (found here) and ``total_rows``, ``successful_rows``,
    ``failed_rows`` (told by the platform) go to XCom ``summary``.

    :param agent_id: the outbound agent that speaks.
    :param campaign_name: a label for people.
    :param contacts: the CSV: a path, or any ``ObjectStoragePath`` address.
    :param variables_map: agent variable -> CSV header, exactly as written; at least ``callee_name``, ``mobile_number``.
    :param country_code: dial prefix of every number, such as ``+91``; it overrides what a row says.
    :param call_config: daily window, zone and retries, as a dict or a ``CallConfig``.
    :param campaign_start_time: aware datetime, ISO string, or naive in the campaign's zone. Default: two minutes from
        now inside the daily window, otherwise its next opening.
    :param campaign_end_time: the same forms. Default: the closing of the start's day.
    :param remove_invalid_rows: upload without the invalid rows instead of refusing the file. Default False.
    :param transliterate_callee_name: write the name in the agent's script. Default False.
    :param transliterate_fields: further agent variables to write in the agent's script. Default none.
    :param ringg_conn_id: the connection. Default ``ringg_default``.

    In which runs nothing is uploaded is said by the parameters of
    :class:`~ringg_provider.operators.timely.TimelyOperator`.
    """

    flow = "standard"

    def upload(self, hook: RinggHook, spec: CampaignSpec, csv: Path) -> tuple[str, dict[str, int]]:
        """``POST /campaign/save``."""
        saved = hook.client.save_campaign(spec, csv)
        told = {
            "total_rows": saved.total_rows,
            "successful_rows": saved.successful_rows,
            "failed_rows": saved.failed_rows,
        }
        return saved.list_id, {name: count for name, count in told.items() if count is not None}


class RinggUploadCsvOperator(_RinggUploadOperator):
    """Upload a contact list for the large flow; the platform checks it in the background.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/upload-large-campaign-csv. Takes what
    :class:`RinggSaveCampaignOperator` takes and returns the ``bulk_list_id``. Wait for the check with
    ``RinggUploadStatusSensor``.
    """

    flow = "large"

    def upload(self, hook: RinggHook, spec: CampaignSpec, csv: Path) -> tuple[str, dict[str, int]]:
        """``POST /campaign/upload-csv``."""
        uploaded = hook.client.upload_csv(spec, csv)
        return uploaded.bulk_list_id, {}
