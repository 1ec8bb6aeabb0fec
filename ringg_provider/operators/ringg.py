"""Operators for Ringg AI campaigns: upload a list, check the money, start at most once, stop."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseOperator,
    conf,
)
from more_itertools import chunked

from ringg_provider.campaign.preflight import check_agent, check_callers, check_variables
from ringg_provider.campaign.progress import Progress
from ringg_provider.campaign.schedule import DailyWindow, Schedule, resolve_schedule
from ringg_provider.contacts.csv_check import inspect_csv
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.exceptions import InsufficientBalance, InvalidRequest, UnexpectedResponse
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hooks.sql import sql_engine
from ringg_provider.links.ringg import RinggCampaignLink
from ringg_provider.operators.files import local_copy
from ringg_provider.operators.launching import LaunchOperator, failing_without_retry
from ringg_provider.ringg.campaigns import Flow, RinggLists, read_progress
from ringg_provider.ringg.requests import CallConfig, CampaignSpec, MakeCallAsync, StartCampaign, Terminate
from ringg_provider.ringg.responses import Balance, CampaignState, UploadStatus
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload, require_usable
from ringg_provider.triggers.ringg import (
    RinggBalanceTrigger,
    RinggCampaignTrigger,
    RinggUploadStatusTrigger,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: How many numbers, or calls, one terminate request may name.
TERMINATE_CHUNK = 100

Time = datetime | str | None


def as_call_config(call_config: CallConfig | Mapping[str, Any]) -> CallConfig:
    """A checked ``call_config``, whether a DAG gave the model or a dict."""
    if isinstance(call_config, CallConfig):
        return call_config
    if not isinstance(call_config, Mapping):
        raise InvalidRequest("call_config: must be a dict or a CallConfig.", field="call_config")
    return CallConfig(**call_config)


def schedule_of(call_config: CallConfig, start: Time, end: Time, *, late_start_ok: bool = False) -> Schedule:
    """When a campaign with this ``call_config`` starts and ends; see ``campaign/schedule.py``."""
    times = call_config.call_time
    window = DailyWindow.from_call_time(times.call_start_time, times.call_end_time, times.timezone)
    return resolve_schedule(window, start, end, late_start_ok=late_start_ok)


class _RinggUploadOperator(BaseOperator):
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

    def __init__(
        self,
        *,
        agent_id: str,
        campaign_name: str,
        contacts: str,
        variables_map: dict[str, str],
        country_code: str,
        call_config: dict[str, Any] | CallConfig,
        campaign_start_time: Time = None,
        campaign_end_time: Time = None,
        remove_invalid_rows: bool = False,
        transliterate_callee_name: bool = False,
        transliterate_fields: list[str] | None = None,
        ringg_conn_id: str = RinggHook.default_conn_name,
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
        self.ringg_conn_id = ringg_conn_id

    def execute(self, context: Context) -> str:
        """Check, upload, and return the new list's id; counts go to XCom ``summary``."""
        with failing_without_retry(), RinggHook(self.ringg_conn_id) as hook, local_copy(self.contacts) as csv:
            spec = self._spec()
            report = inspect_csv(csv, spec.variables_map, spec.country_code, spec.remove_invalid_rows)
            check_variables(check_agent(hook.client, spec.agent_id), spec.variables_map)
            list_id, counts = self.upload(hook, spec, csv)
        summary = {"rows": report.rows, "valid_rows": report.valid_rows, "invalid_rows": report.invalid_rows} | counts
        context["ti"].xcom_push(key="summary", value=summary)
        self.log.info("List %s was uploaded: %s.", list_id, summary)
        return list_id

    def upload(self, hook: RinggHook, spec: CampaignSpec, csv: Path) -> tuple[str, dict[str, int]]:
        """Send the file; returns the list's id and what the platform counted."""
        raise NotImplementedError

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
    """

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

    def upload(self, hook: RinggHook, spec: CampaignSpec, csv: Path) -> tuple[str, dict[str, int]]:
        """``POST /campaign/upload-csv``."""
        uploaded = hook.client.upload_csv(spec, csv)
        return uploaded.bulk_list_id, {}


class RinggCheckBalanceOperator(BaseOperator):
    """Ask whether the workspace can pay for an uploaded list.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/check-large-campaign-balance. Returns ``{"sufficient",
    "basis", "required_credits", "available_credits", "additional_balance_required"}``, credits as text or None.

    :param bulk_list_id: a list of the large flow whose upload is ready.
    :param on_shortfall: what to do without enough credits, or when the answer does not tell: ``fail`` (default),
        ``skip`` what is downstream, ``continue``, or ``wait`` for a top-up.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poll_interval: seconds between two looks while waiting. Default 60.
    :param timeout: seconds for which is waited. Default None: no bound.
    :param ringg_conn_id: the connection. Default ``ringg_default``.
    """

    template_fields: Sequence[str] = ("ringg_conn_id", "bulk_list_id")
    ui_color = "#e8e4f8"

    def __init__(
        self,
        *,
        bulk_list_id: str,
        on_shortfall: Literal["fail", "skip", "continue", "wait"] = "fail",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = 60,
        timeout: float | None = None,
        ringg_conn_id: str = RinggHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bulk_list_id = bulk_list_id
        self.on_shortfall = on_shortfall
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.ringg_conn_id = ringg_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, and act on a shortfall as told."""
        if self.on_shortfall not in ("fail", "skip", "continue", "wait"):
            with failing_without_retry():
                raise InvalidRequest("on_shortfall: must be one of fail, skip, continue, wait.", field="on_shortfall")
        deadline = None if self.timeout is None else time.time() + self.timeout
        with failing_without_retry(), RinggHook(self.ringg_conn_id) as hook:
            while True:
                balance = settled_balance(hook, self.bulk_list_id)
                if balance.sufficient or self.on_shortfall != "wait":
                    return self._decide(balance)
                if self.deferrable:
                    self._defer(deadline)
                self._require_time(deadline)
                time.sleep(self.poll_interval)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None, deadline: float | None = None
    ) -> dict[str, Any]:
        """Ask again after the trigger saw a change; its event is not taken for the answer."""
        with failing_without_retry(), RinggHook(self.ringg_conn_id) as hook:
            if not isinstance(event, Mapping) or event.get("id") != self.bulk_list_id:
                raise UnexpectedResponse("The trigger that waited for credits sent no usable event.")
            if event.get("status") == "error":
                raise UnexpectedResponse(str(event.get("message")))
            balance = settled_balance(hook, self.bulk_list_id)
            if balance.sufficient:
                return self._decide(balance)
            self._require_time(deadline)
            return self._defer(deadline)

    def _defer(self, deadline: float | None) -> NoReturn:
        self.defer(
            trigger=RinggBalanceTrigger(
                ringg_conn_id=self.ringg_conn_id,
                bulk_list_id=self.bulk_list_id,
                poll_interval=self.poll_interval,
                deadline=deadline,
            ),
            method_name="execute_complete",
            kwargs={"deadline": deadline},
            timeout=None,
        )
        raise AssertionError("defer() always raises")

    def _require_time(self, deadline: float | None) -> None:
        if deadline is not None and time.time() >= deadline:
            raise InsufficientBalance(f"Nobody topped up in time for list {self.bulk_list_id}; nothing was started.")

    def _decide(self, balance: Balance) -> dict[str, Any]:
        answer = balance_answer(balance)
        self.log.info("Balance for list %s: %s.", self.bulk_list_id, answer)
        if balance.sufficient or self.on_shortfall == "continue":
            return answer
        shortfall = shortfall_of(self.bulk_list_id, balance)
        if self.on_shortfall == "skip":
            raise AirflowSkipException(str(shortfall))
        raise shortfall


class _RinggLaunchingOperator(LaunchOperator):
    """Base of the operators that start a Ringg campaign."""

    operator_extra_links = (RinggCampaignLink(),)
    ui_color = "#d9e8fb"

    def __init__(
        self,
        *,
        from_numbers: list[str] | str | None = None,
        number_pool_id: str | None = None,
        email_completion_user_ids: list[str] | None = None,
        callback_url: str | None = None,
        ringg_conn_id: str = RinggHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.from_numbers = from_numbers
        self.number_pool_id = number_pool_id
        self.email_completion_user_ids = email_completion_user_ids
        self.callback_url = callback_url
        self.ringg_conn_id = ringg_conn_id

    @cached_property
    def hook(self) -> RinggHook:
        """The hook of this attempt."""
        return RinggHook(self.ringg_conn_id)

    def campaign_url(self, campaign_id: str) -> str:
        """Where a person sees the campaign."""
        return self.hook.campaign_url(campaign_id)

    def read_progress(self, campaign_id: str) -> Progress:
        """Look at the campaign once."""
        return read_progress(self.hook.client, campaign_id)

    def cancel_campaign(self, campaign_id: str) -> None:
        """``PATCH /campaign/terminate``."""
        self.hook.client.terminate(Terminate(campaign_id=campaign_id))

    def completion_trigger(
        self, campaign_id: str, deadline: float | None, kill_deadline: float | None
    ) -> RinggCampaignTrigger:
        """The trigger that waits for the campaign's end."""
        return RinggCampaignTrigger(
            ringg_conn_id=self.ringg_conn_id,
            campaign_id=campaign_id,
            poll_interval=self.poll_interval,
            deadline=deadline,
            kill_deadline=kill_deadline,
            cancel_on_kill=self.cancel_on_kill,
        )

    def launch_standard(self, context: Context, list_id: str, agent_id: str) -> str:
        """Start a list of ``campaign/save``."""
        asked = StartCampaign(list_id=list_id, agent_id=agent_id, **self._callers()).wire()

        def prepare() -> dict[str, Any]:
            self._check_callers()
            return asked

        return self._launch_ringg(context, "standard", list_id, asked, prepare)

    def launch_large(
        self,
        context: Context,
        list_id: str,
        *,
        agent_id: str,
        country_code: str,
        call_config: CallConfig | Mapping[str, Any],
        start: Time,
        end: Time,
        call_slots: Mapping[str, Any] | None,
        concurrency_percentage: int,
        late_start_ok: bool,
    ) -> str:
        """Start a list of ``campaign/upload-csv``."""
        checked = as_call_config(call_config)
        fixed: dict[str, Any] = {
            "bulk_list_id": list_id,
            "agent_id": agent_id,
            "country_code": country_code,
            "call_config": checked,
            "concurrency_percentage": concurrency_percentage,
            **self._callers(),
        }
        if call_slots is not None:
            fixed["call_slots"] = call_slots

        def request() -> MakeCallAsync:
            if call_slots is not None and start is None and end is None:
                return MakeCallAsync(**fixed)
            schedule = schedule_of(checked, start, end, late_start_ok=late_start_ok)
            return MakeCallAsync(**fixed, campaign_start_time=schedule.wire_start, campaign_end_time=schedule.wire_end)

        def prepare() -> dict[str, Any]:
            self._check_callers()
            check_agent(self.hook.client, agent_id)
            return request().wire()

        # What was asked for, before times are resolved: a retry an hour later still asks for the same thing.
        asked = {
            **fixed,
            "call_config": checked.wire(),
            "start": None if start is None else str(start),
            "end": None if end is None else str(end),
        }
        return self._launch_ringg(context, "large", list_id, asked, prepare)

    def _launch_ringg(self, context: Context, flow: Flow, list_id: str, asked: Any, prepare: Any) -> str:
        with self.hook:
            return self.launch_and_wait(context, list_id, asked, prepare, RinggLists(self.hook.client, flow))

    def _callers(self) -> dict[str, Any]:
        callers = {
            "from_numbers": [self.from_numbers] if isinstance(self.from_numbers, str) else self.from_numbers or None,
            "number_pool_id": self.number_pool_id or None,
            "email_completion_user_ids": self.email_completion_user_ids or None,
            "callback_url": self.callback_url,
        }
        return {name: value for name, value in callers.items() if value is not None}

    def _check_callers(self) -> None:
        callers = self._callers()
        check_callers(self.hook.client, callers.get("from_numbers"), callers.get("email_completion_user_ids"))


_CALLER_FIELDS = ("ringg_conn_id", "from_numbers", "number_pool_id", "email_completion_user_ids", "callback_url")


class RinggStartCampaignOperator(_RinggLaunchingOperator):
    """Start a saved list at most once, whatever is retried; optionally wait for the campaign's end.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/start-campaign, with a pool
    https://docs.ringg.ai/api-reference/endpoint/campaign/start-campaign-v2. Returns the id that was started or adopted.

    :param list_id: from :class:`RinggSaveCampaignOperator`.
    :param agent_id: the agent of the list.
    :param from_numbers: ids of caller numbers, in the order of use. Exactly one of this and ``number_pool_id``.
    :param number_pool_id: a pool of caller numbers.
    :param email_completion_user_ids: members to mail at the end; with a pool only. Default none.
    :param callback_url: dropped from the vendor's reference; prefer event subscriptions. Default none.
    :param ringg_conn_id: the connection. Default ``ringg_default``.

    The parameters for waiting and launching are those of
    :class:`~ringg_provider.operators.launching.LaunchOperator`.
    """

    template_fields: Sequence[str] = (
        "list_id",
        "agent_id",
        *_CALLER_FIELDS,
        *LaunchOperator.launching_template_fields,
    )

    def __init__(self, *, list_id: str, agent_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.list_id = list_id
        self.agent_id = agent_id

    def execute(self, context: Context) -> str:
        """Look, intend, start once, settle; then wait if asked to."""
        with failing_without_retry():
            return self.launch_standard(context, self.list_id, self.agent_id)


class RinggMakeCallAsyncOperator(_RinggLaunchingOperator):
    """Start an uploaded list of the large flow at most once; optionally wait for the campaign's end.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/make-large-campaign-calls-async. Returns the id that
    was started or adopted.

    :param bulk_list_id: from :class:`RinggUploadCsvOperator`, ready according to ``RinggUploadStatusSensor``.
    :param agent_id: the same agent as at the upload.
    :param country_code: the same as at the upload.
    :param call_config: daily window, zone and retries, as a dict or a ``CallConfig``.
    :param campaign_start_time: aware datetime, ISO string, or naive in the campaign's zone. Default: two minutes from
        now inside the daily window, otherwise its next opening.
    :param campaign_end_time: the same forms. Default: the closing of the start's day.
    :param call_slots: several calling windows instead of one, as the vendor's ``call_slots``. Default none.
    :param from_numbers: ids of caller numbers, in the order of use. Exactly one of this and ``number_pool_id``.
    :param number_pool_id: a pool of caller numbers.
    :param concurrency_percentage: share of the workspace's lines, 0 to 100; 0 is an equal share. Default 0.
    :param email_completion_user_ids: members to mail at the end. Default none.
    :param callback_url: dropped from the vendor's reference; prefer event subscriptions. Default none.
    :param ringg_conn_id: the connection. Default ``ringg_default``.

    The parameters for waiting and launching are those of
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
        *_CALLER_FIELDS,
        *LaunchOperator.launching_template_fields,
    )

    def __init__(
        self,
        *,
        bulk_list_id: str,
        agent_id: str,
        country_code: str,
        call_config: dict[str, Any] | CallConfig,
        campaign_start_time: Time = None,
        campaign_end_time: Time = None,
        call_slots: dict[str, Any] | None = None,
        concurrency_percentage: int = 0,
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

    def execute(self, context: Context) -> str:
        """Look, intend, start once, settle; then wait if asked to."""
        with failing_without_retry():
            return self.launch_large(
                context,
                self.bulk_list_id,
                agent_id=self.agent_id,
                country_code=self.country_code,
                call_config=self.call_config,
                start=self.campaign_start_time,
                end=self.campaign_end_time,
                call_slots=self.call_slots,
                concurrency_percentage=self.concurrency_percentage,
                late_start_ok=False,
            )


class RinggLaunchOperator(_RinggLaunchingOperator):
    """Take one list of ``SqlToRinggOperator`` to its end, in either flow; made for ``.expand(launch=...)``.

    Waits for the upload, checks the balance, starts at most once, and waits for the campaign if asked to. Returns the
    id that was started or adopted. In the large flow a start that has passed meanwhile means "now, inside the window".

    :param launch: one item of ``SqlToRinggOperator``'s result.
    :param from_numbers: ids of caller numbers, in the order of use. Exactly one of this and ``number_pool_id``.
    :param number_pool_id: a pool of caller numbers.
    :param concurrency_percentage: share of the workspace's lines in the large flow, 0 to 100. Default 0, equal.
    :param max_invalid_rows: how many rows the platform may find invalid in the large flow: an int is a number of
        rows, a float a share. Default None: any.
    :param upload_poll_interval: seconds between two looks at the upload. Default 10.
    :param email_completion_user_ids: members to mail at the end. Default none.
    :param callback_url: dropped from the vendor's reference; prefer event subscriptions. Default none.
    :param ringg_conn_id: the connection. Default ``ringg_default``.

    The parameters for waiting and launching are those of
    :class:`~ringg_provider.operators.launching.LaunchOperator`; ``launch_key`` defaults to the item's own when
    ``ledger_conn_id`` is given.
    """

    template_fields: Sequence[str] = ("launch", *_CALLER_FIELDS, *LaunchOperator.launching_template_fields)

    def __init__(
        self,
        *,
        launch: dict[str, Any],
        concurrency_percentage: int = 0,
        max_invalid_rows: int | float | None = None,
        upload_poll_interval: float = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.launch = launch
        self.concurrency_percentage = concurrency_percentage
        self.max_invalid_rows = max_invalid_rows
        self.upload_poll_interval = upload_poll_interval

    def execute(self, context: Context) -> str:
        """Wait for the upload where the flow has one, then launch."""
        with failing_without_retry():
            item = self._item()
            if item["flow"] == "large" and (status := self._pending_upload(item["list_id"])) is not None:
                self.log.info("Upload %s is %s.", item["list_id"], status.status)
                if self.deferrable:
                    self._defer_upload(context, item["list_id"])
                self._wait_for_upload(item["list_id"])
            return self._launch_item(context)

    def execute_uploaded(self, context: Context, event: Mapping[str, Any] | None) -> str:
        """Resume when the platform has checked the upload; what it found is read again, not taken from the event."""
        with failing_without_retry():
            item = self._item()
            if not isinstance(event, Mapping) or event.get("id") != item["list_id"]:
                raise UnexpectedResponse("The trigger that waited for the upload sent no usable event.")
            match event.get("status"):
                case "settled":
                    return self._launch_item(context)
                case "timeout":
                    raise TimeoutError(str(event.get("message")))
                case "execution_timeout":
                    raise AirflowTaskTimeout(str(event.get("message")))
                case _:
                    raise UnexpectedResponse(str(event.get("message")))

    def _item(self) -> dict[str, Any]:
        missing = {"list_id", "flow", "agent_id", "country_code", "call_config"} - set(self.launch)
        if missing:
            raise InvalidRequest(
                f"launch: must be one item of SqlToRinggOperator's result; missing: {', '.join(sorted(missing))}.",
                field="launch",
            )
        if self.ledger_conn_id and not self.launch_key:
            self.launch_key = self.launch.get("launch_key")
        return self.launch

    def _launch_item(self, context: Context) -> str:
        item = self._item()
        if item["flow"] == "standard":
            return self.launch_standard(context, item["list_id"], item["agent_id"])
        self._require_usable_upload(item["list_id"])
        return self.launch_large(
            context,
            item["list_id"],
            agent_id=item["agent_id"],
            country_code=item["country_code"],
            call_config=item["call_config"],
            start=item.get("campaign_start_time"),
            end=item.get("campaign_end_time"),
            call_slots=item.get("call_slots"),
            concurrency_percentage=self.concurrency_percentage,
            late_start_ok=True,
        )

    def _pending_upload(self, list_id: str) -> UploadStatus | None:
        status = self.hook.client.get_upload_status(list_id)
        return status if judge_upload(status) is UploadVerdict.PENDING else None

    def _require_usable_upload(self, list_id: str) -> None:
        status = self.hook.client.get_upload_status(list_id)
        if status.state is CampaignState.INSUFFICIENT_BALANCE:
            balance = settled_balance(self.hook, list_id)
            if not balance.sufficient:
                raise shortfall_of(list_id, balance)
        elif status.state is not CampaignState.TERMINATED and status.state is not CampaignState.FAILED:
            # What was started and stopped, or failed, is told by the launch protocol in its own words.
            require_usable(list_id, status, self.max_invalid_rows)

    def _wait_for_upload(self, list_id: str) -> None:
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        while self._pending_upload(list_id) is not None:
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"Upload {list_id} was not ready in time.")
            self._rest(self.upload_poll_interval)
            if self._told_to_stop:
                raise InterruptedError("The task was told to stop; nothing was started.")

    def _defer_upload(self, context: Context, list_id: str) -> None:
        self.defer(
            trigger=RinggUploadStatusTrigger(
                ringg_conn_id=self.ringg_conn_id,
                bulk_list_id=list_id,
                poll_interval=self.upload_poll_interval,
                deadline=None if self.timeout is None else time.time() + self.timeout,
                kill_deadline=self.kill_deadline(context),
            ),
            method_name="execute_uploaded",
            timeout=None,
        )


class RinggTerminateOperator(BaseOperator):
    """Stop calls for good: queued and to-be-retried ones are cancelled, live ones end by themselves.

    Follows https://docs.ringg.ai/api-reference/endpoint/terminate/campaign. Exactly one of ``campaign_id`` (alone),
    ``agent_id``, ``call_ids``, ``mobile_numbers`` (with or without ``campaign_id``), or ``sql_conn_id`` with ``sql``
    (the same). "Nothing to stop" is a success. Returns how many campaigns, agents, calls or numbers were asked for.

    :param campaign_id: a campaign, by its list id; with numbers, only those in it.
    :param agent_id: all calls of an agent.
    :param call_ids: single calls.
    :param mobile_numbers: numbers with ``+`` and country code; no template field: rendered fields are stored.
    :param sql_conn_id: connection to a database, with ``sql``.
    :param sql: a query whose first column holds numbers.
    :param country_code: dial prefix for numbers from SQL that are spelled without one, such as ``+91``. Default None:
        they must carry it.
    :param ringg_conn_id: the connection. Default ``ringg_default``.
    """

    template_fields: Sequence[str] = (
        "ringg_conn_id",
        "campaign_id",
        "agent_id",
        "call_ids",
        "sql_conn_id",
        "sql",
        "country_code",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql"}
    ui_color = "#fbe0dc"

    def __init__(
        self,
        *,
        campaign_id: str | None = None,
        agent_id: str | None = None,
        call_ids: list[str] | None = None,
        mobile_numbers: list[str] | None = None,
        sql_conn_id: str | None = None,
        sql: str | None = None,
        country_code: str | None = None,
        ringg_conn_id: str = RinggHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.agent_id = agent_id
        self.call_ids = call_ids
        self.mobile_numbers = mobile_numbers
        self.sql_conn_id = sql_conn_id
        self.sql = sql
        self.country_code = country_code
        self.ringg_conn_id = ringg_conn_id

    def execute(self, context: Context) -> int:
        """Send one request per mode, or per hundred numbers or calls."""
        with failing_without_retry(), RinggHook(self.ringg_conn_id) as hook:
            asked = stopped = 0
            for request, size in self._requests():
                asked += size
                stopped += hook.client.terminate(request)
            self.log.info("Asked to stop %d; %d requests found something to stop.", asked, stopped)
            return asked

    def _requests(self) -> Iterator[tuple[Terminate, int]]:
        self._require_one_mode()
        if self.call_ids is not None:
            for chunk in chunked(dict.fromkeys(self.call_ids), TERMINATE_CHUNK):
                yield Terminate(call_ids=chunk), len(chunk)
        elif self.sql or self.mobile_numbers is not None:
            scope = {"campaign_id": self.campaign_id} if self.campaign_id else {}
            for chunk in chunked(self._numbers(), TERMINATE_CHUNK):
                yield Terminate(mobile_numbers=chunk, **scope), len(chunk)
        elif self.agent_id:
            yield Terminate(agent_id=self.agent_id), 1
        else:
            yield Terminate(campaign_id=self.campaign_id), 1

    def _require_one_mode(self) -> None:
        if bool(self.sql) != bool(self.sql_conn_id):
            raise InvalidRequest("sql, sql_conn_id: give both or neither.", field="sql")
        by_number = bool(self.sql) + (self.mobile_numbers is not None)
        others = bool(self.agent_id) + (self.call_ids is not None) + bool(self.campaign_id and not by_number)
        if by_number + others != 1 or (by_number and (self.agent_id or self.call_ids is not None)):
            raise InvalidRequest(
                "campaign_id, agent_id, call_ids, mobile_numbers, sql: give exactly one; campaign_id may narrow "
                "mobile_numbers or sql down.",
                field="campaign_id",
            )

    def _numbers(self) -> Iterable[str]:
        cells = self.mobile_numbers if self.mobile_numbers is not None else self._selected()
        if self.country_code is None:
            return dict.fromkeys(str(cell).strip() for cell in cells)
        cleaner = PhoneCleaner(self.country_code)
        cleaned = dict.fromkeys(cleaner.number_of(cell) for cell in cells)
        unreadable = cleaned.pop(None, 0) is None
        if unreadable:
            self.log.warning("Some numbers to stop cannot be read as phone numbers and are left out.")
        return [f"+{number}" for number in cleaned]

    def _selected(self) -> Iterator[Any]:
        with sql_engine(str(self.sql_conn_id)).connect() as connection:
            for row in connection.exec_driver_sql(str(self.sql)):
                yield row[0]


def settled_balance(hook: RinggHook, bulk_list_id: str) -> Balance:
    """The balance for a list; a refusal to check a list that is ready counts as sufficient, with basis ``status``."""
    balance = hook.client.check_balance(bulk_list_id)
    if balance.sufficient is None and balance.basis == "not_short":
        state = hook.client.get_upload_status(bulk_list_id).state
        if state in (CampaignState.DRAFT, CampaignState.COMPLETED):
            return balance.model_copy(update={"sufficient": True, "basis": "status"})
    return balance


def balance_answer(balance: Balance) -> dict[str, Any]:
    """The balance as plain JSON, credits as text so that no digit is lost."""

    def text(amount: Decimal | None) -> str | None:
        return None if amount is None else str(amount)

    return {
        "sufficient": bool(balance.sufficient),
        "basis": balance.basis,
        "required_credits": text(balance.required_credits),
        "available_credits": text(balance.available_credits),
        "additional_balance_required": text(balance.additional_balance_required),
    }


def shortfall_of(bulk_list_id: str, balance: Balance) -> InsufficientBalance:
    """The error for a list that cannot be paid, or not surely, with the numbers that the platform gave."""
    known = balance.sufficient is False
    what = "the workspace lacks credits" if known else "the platform does not say whether credits suffice"
    missing = balance.additional_balance_required
    amount = "" if missing is None else f" ({missing} more needed)"
    return InsufficientBalance(
        f"List {bulk_list_id}: {what}{amount}. Top up, then run this task again.",
        required_credits=balance.required_credits,
        available_credits=balance.available_credits,
        additional_balance_required=missing,
    )
