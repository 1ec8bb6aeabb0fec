"""Start Ringg AI campaigns, each list at most once, and wait for their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from ringg_provider.api.arguments import Amount, DialPrefix, OptionalText, Percent, RowsOrShare, Seconds, WholeNumber
from ringg_provider.exceptions import (
    InsufficientBalance,
    LaunchInterrupted,
    NotFound,
    StaleCampaign,
)
from ringg_provider.history.tables import CALLS
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hours.schedule import Time
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.progress import Progress, StallWatch
from ringg_provider.links.ringg import RinggCampaignLink
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.errors import failing_without_retry
from ringg_provider.operators.launching import LaunchOperator
from ringg_provider.operators.ringg.balance import expected_cost, settled_balance, shortfall_of
from ringg_provider.operators.waiting import kill_deadline, sleep_until_told, wait_until
from ringg_provider.ringg.campaigns import RinggLaunchTarget, read_progress
from ringg_provider.ringg.limits import Flow
from ringg_provider.ringg.preflight import check_agent, check_callers
from ringg_provider.ringg.requests import CallConfig, MakeCallAsync, StartCampaign, Terminate
from ringg_provider.ringg.responses import CampaignState, UploadStatus
from ringg_provider.ringg.timing import as_call_config, planned_time, schedule_of, spans_ahead
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload, require_usable
from ringg_provider.triggers.events import UPLOAD_ENDS, EventStatus, read_event
from ringg_provider.triggers.ringg import RinggCampaignTrigger, RinggUploadStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


#: Seconds within which the platform must show what was uploaded a moment ago.
VISIBLE_WITHIN = 120.0


class _RinggLaunchingOperator(LaunchOperator):
    """Base of the operators that start a Ringg campaign."""

    #: What the parameter with the planned start is called.
    start_parameter = "campaign_start_time"

    operator_extra_links = (RinggCampaignLink(),)
    ui_color = "#d9e8fb"

    def __init__(
        self,
        *,
        from_numbers: list[str] | str | None = None,
        number_pool_id: str | None = None,
        email_completion_user_ids: list[str] | None = None,
        callback_url: str | None = None,
        credits_per_call: Amount | None = None,
        sql_conn_id: OptionalText = None,
        history_table: str = CALLS,
        ringg_conn_id: str = RinggHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.from_numbers = from_numbers
        self.number_pool_id = number_pool_id
        self.email_completion_user_ids = email_completion_user_ids
        self.callback_url = callback_url
        self.credits_per_call = credits_per_call
        self.sql_conn_id = sql_conn_id
        self.history_table = history_table
        self.ringg_conn_id = ringg_conn_id

    @cached_property
    def hook(self) -> RinggHook:
        """The hook of this attempt."""
        return RinggHook(self.ringg_conn_id)

    @cached_property
    def stalls(self) -> StallWatch:
        """Knows how long the campaign has stood still while this attempt waits."""
        return StallWatch()

    def campaign_url(self, campaign_id: str) -> str:
        """Where a person sees the campaign."""
        return self.hook.campaign_url(campaign_id)

    def read_progress(self, campaign_id: str) -> Progress:
        """Look at the campaign once."""
        return read_progress(self.hook.client, campaign_id, self.stalls)

    def cancel_campaign(self, campaign_id: str) -> None:
        """``PATCH /campaign/terminate``."""
        with RinggHook(self.ringg_conn_id) as hook:
            hook.client.terminate(Terminate(campaign_id=campaign_id))

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

    def launch_standard(
        self,
        context: Context,
        list_id: str,
        *,
        agent_id: str,
        call_config: CallConfig | Mapping[str, Any] | None,
        start: Time,
        end: Time,
        rows: int | str | None,
    ) -> str:
        """Start a list of ``campaign/save``; what it was saved with only feeds the last checks."""
        asked = StartCampaign(list_id=list_id, agent_id=agent_id, **self._callers()).wire()
        checked = None if call_config is None else as_call_config(call_config)

        def prepare() -> dict[str, Any]:
            self._require_timely(context, list_id, checked, start, end, None)
            self._check_callers()
            self._require_credits(list_id, agent_id, rows)
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
        rows: int | str | None,
        check: Callable[[], None] = lambda: None,
    ) -> str:
        """Start a list of ``campaign/upload-csv``; a start that has passed meanwhile means as soon as possible."""
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
            schedule = schedule_of(checked, start, end, late_start_ok=True)
            return MakeCallAsync(**fixed, campaign_start_time=schedule.wire_start, campaign_end_time=schedule.wire_end)

        def prepare() -> dict[str, Any]:
            check()
            self._require_timely(context, list_id, checked, start, end, call_slots)
            self._check_callers()
            check_agent(self.hook.client, agent_id)
            # The platform has compared this list with the credits itself, by prices that it knows better.
            if rows is not None and (self.credits_per_call is not None or self.sql_conn_id):
                self._require_credits(list_id, agent_id, rows)
            return request().wire()

        # What was asked for, before times are resolved: a retry an hour later still asks for the same thing.
        asked = {
            **fixed,
            "call_config": checked.wire(),
            "start": None if start is None else str(start),
            "end": None if end is None else str(end),
        }
        return self._launch_ringg(context, "large", list_id, asked, prepare)

    def _require_timely(
        self,
        context: Context,
        list_id: str,
        call_config: CallConfig | None,
        start: Time,
        end: Time,
        call_slots: Mapping[str, Any] | None,
    ) -> None:
        """Refuse a campaign that comes too late, or whose calling hours are over by now."""
        planned = planned_time(call_config, start, self.start_parameter)
        self.refuse_if_stale(context, list_id, planned)
        if call_config is None:
            return
        if spans_ahead(call_config, start, end, call_slots, datetime.now(UTC)) == []:
            raise StaleCampaign(
                f"List {list_id} was not started: its calling hours are over, so nobody would be called. Build a new "
                "list for a new time."
            )

    def _require_credits(self, list_id: str, agent_id: str, rows: int | str | None) -> None:
        """Compare the credits with an estimate; without one there is no verdict, and the log says so."""
        cost = expected_cost(
            self.hook.client,
            rows=[(agent_id, rows)],
            credits_per_call=self.credits_per_call,
            sql_conn_id=self.sql_conn_id,
            history_table=self.history_table,
        )
        if cost.basis == "none":
            self.log.warning("List %s: %s The workspace can spend %s.", list_id, cost.message, cost.spendable_credits)
        elif cost.sufficient:
            self.log.info("List %s: %s", list_id, cost.message)
        else:
            raise InsufficientBalance(
                f"List {list_id} was not started. {cost.message}",
                required_credits=cost.estimated_credits,
                additional_balance_required=cost.shortfall,
                available_credits=cost.spendable_credits,
            )

    def _launch_ringg(self, context: Context, flow: Flow, list_id: str, asked: Any, prepare: Any) -> str:
        with self.hook:
            return self.launch_and_wait(context, list_id, asked, prepare, RinggLaunchTarget(self.hook.client, flow))

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
_MONEY_FIELDS = ("credits_per_call", "sql_conn_id", "history_table")


class RinggStartCampaignOperator(_RinggLaunchingOperator):
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
    :param from_numbers: ids of caller numbers, in the order of use. Exactly one of this and ``number_pool_id``.
    :param number_pool_id: a pool of caller numbers.
    :param email_completion_user_ids: members to mail at the end; with a pool only. Default none.
    :param callback_url: dropped from the vendor's reference; prefer event subscriptions. Default none.
    :param credits_per_call: what one contact costs, for comparing the credits with what the list will cost before it is
        started. Default None: the agent's average in ``history_table``.
    :param sql_conn_id: connection to the warehouse with ``history_table``. Default None: there is none.
    :param history_table: table of ``RinggCallsToSqlOperator``. Default ``ringg_calls``.
    :param ringg_conn_id: the connection. Default ``ringg_default``.

    The parameters for waiting and launching are those of
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
        *_CALLER_FIELDS,
        *_MONEY_FIELDS,
        *LaunchOperator.launching_template_fields,
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

    @with_checked_arguments
    def execute(self, context: Context) -> str:
        """Look, intend, start once, settle; then wait if asked to."""
        with failing_without_retry():
            return self.launch_standard(
                context,
                self.list_id,
                agent_id=self.agent_id,
                call_config=self.call_config,
                start=self.planned_start,
                end=self.campaign_end_time,
                rows=self.rows,
            )


class RinggMakeCallAsyncOperator(_RinggLaunchingOperator):
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
    :param from_numbers: ids of caller numbers, in the order of use. Exactly one of this and ``number_pool_id``.
    :param number_pool_id: a pool of caller numbers.
    :param concurrency_percentage: share of the workspace's lines, 0 to 100; 0 is an equal share. Default 0.
    :param email_completion_user_ids: members to mail at the end. Default none.
    :param callback_url: dropped from the vendor's reference; prefer event subscriptions. Default none.
    :param credits_per_call: what one contact costs, for comparing the credits with what the list will cost before it is
        started. Default None: the agent's average in ``history_table``.
    :param sql_conn_id: connection to the warehouse with ``history_table``. Default None: there is none.
    :param history_table: table of ``RinggCallsToSqlOperator``. Default ``ringg_calls``.
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
        "rows",
        *_CALLER_FIELDS,
        *_MONEY_FIELDS,
        *LaunchOperator.launching_template_fields,
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

    @with_checked_arguments
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
                rows=self.rows,
            )


class RinggLaunchOperator(_RinggLaunchingOperator):
    """Take one list of ``SqlToRinggOperator`` to its end, in either flow; made for ``.expand(launch=...)``.

    Waits for the upload, checks the balance, starts at most once, and waits for the campaign if asked to. Returns the
    id that was started or adopted. In the large flow a start that has passed meanwhile, by no more than ``max_delay``,
    means "now, inside the window".

    :param launch: one item of ``SqlToRinggOperator``'s result.
    :param from_numbers: ids of caller numbers, in the order of use. Exactly one of this and ``number_pool_id``.
    :param number_pool_id: a pool of caller numbers.
    :param concurrency_percentage: share of the workspace's lines in the large flow, 0 to 100. Default 0, equal.
    :param max_invalid_rows: how many rows the platform may find invalid in the large flow: an int is a number of
        rows, a float a share. Default None: any.
    :param upload_poll_interval: seconds between two looks at the upload. Default 10.
    :param email_completion_user_ids: members to mail at the end. Default none.
    :param callback_url: dropped from the vendor's reference; prefer event subscriptions. Default none.
    :param credits_per_call: what one contact costs, for comparing the credits with what the list will cost before it is
        started. Default None: the agent's average in ``history_table``.
    :param sql_conn_id: connection to the warehouse with ``history_table``. Default None: there is none.
    :param history_table: table of ``RinggCallsToSqlOperator``. Default ``ringg_calls``.
    :param ringg_conn_id: the connection. Default ``ringg_default``.

    The parameters for waiting and launching are those of
    :class:`~ringg_provider.operators.launching.LaunchOperator`; ``launch_key`` defaults to the item's own when
    ``ledger_conn_id`` is given.
    """

    template_fields: Sequence[str] = (
        "launch",
        *_CALLER_FIELDS,
        *_MONEY_FIELDS,
        *LaunchOperator.launching_template_fields,
    )

    def __init__(
        self,
        *,
        launch: dict[str, Any],
        concurrency_percentage: Percent = 0,
        max_invalid_rows: RowsOrShare | None = None,
        upload_poll_interval: Seconds = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.launch = launch
        self.concurrency_percentage = concurrency_percentage
        self.max_invalid_rows = max_invalid_rows
        self.upload_poll_interval = upload_poll_interval

    @with_checked_arguments
    def execute(self, context: Context) -> str:
        """Wait for the upload where the flow has one, then launch."""
        with failing_without_retry(), self.hook:
            item, list_id = self._item()
            if item.flow == "large" and (status := self._pending_upload(list_id)) is not None:
                self.log.info("Upload %s is %s.", list_id, status.status)
                if self.deferrable:
                    self._defer_upload(context, list_id)
                self._wait_for_upload(list_id)
            return self._launch_item(context, item, list_id)

    @with_checked_arguments
    def execute_uploaded(self, context: Context, event: Mapping[str, Any] | None) -> str:
        """Resume when the platform has checked the upload; what it found is read again, not taken from the event."""
        with failing_without_retry(), self.hook:
            item, list_id = self._item()
            match (told := read_event(event, list_id, UPLOAD_ENDS)).status:
                case EventStatus.TIMEOUT:
                    raise TimeoutError(told.message)
                case EventStatus.EXECUTION_TIMEOUT:
                    raise AirflowTaskTimeout(told.message)
            return self._launch_item(context, item, list_id)

    def _item(self) -> tuple[LaunchItem, str]:
        """The item, and its list."""
        item = LaunchItem.of(self.launch)
        item.ringg_flow("launch")
        return item, self.take_ledger_of(item)

    def _launch_item(self, context: Context, item: LaunchItem, list_id: str) -> str:
        if item.flow == "standard":
            return self.launch_standard(
                context,
                list_id,
                agent_id=item.agent_id,
                call_config=item.call_config,
                start=item.campaign_start_time,
                end=item.campaign_end_time,
                rows=item.rows,
            )
        self._require_paid(list_id)
        return self.launch_large(
            context,
            list_id,
            agent_id=item.agent_id,
            country_code=item.country_code,
            call_config=item.call_config or {},
            start=item.campaign_start_time,
            end=item.campaign_end_time,
            call_slots=item.call_slots,
            concurrency_percentage=self.concurrency_percentage,
            rows=item.rows,
            check=lambda: require_usable(list_id, self._upload(list_id), self.max_invalid_rows),
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
            balance = settled_balance(self.hook, list_id)
            if not balance.sufficient:
                raise shortfall_of(list_id, balance)

    def _wait_for_upload(self, list_id: str) -> None:
        settled = wait_until(
            lambda: True if self._pending_upload(list_id) is None else None,
            poll_interval=self.upload_poll_interval,
            deadline=None if self.timeout is None else time.time() + self.timeout,
            told_to_stop=lambda: self.told_to_stop,
        )
        if self.told_to_stop:
            raise LaunchInterrupted("The task was told to stop; nothing was started.")
        if not settled:
            raise TimeoutError(f"Upload {list_id} was not ready in time.")

    def _defer_upload(self, context: Context, list_id: str) -> None:
        self.defer(
            trigger=RinggUploadStatusTrigger(
                ringg_conn_id=self.ringg_conn_id,
                bulk_list_id=list_id,
                poll_interval=self.upload_poll_interval,
                deadline=None if self.timeout is None else time.time() + self.timeout,
                kill_deadline=kill_deadline(self, context),
            ),
            method_name="execute_uploaded",
            timeout=None,
        )
