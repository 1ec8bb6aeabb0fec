"""A warehouse query -> contact lists on Ringg AI, ready to be started, and a reason for every row left out."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from ringg_provider.api.arguments import Seconds
from ringg_provider.contacts.lists import ContactList, Form, ListGroup, quoting_no_cell
from ringg_provider.contacts.sifting import Planner, Sifter
from ringg_provider.exceptions import (
    InsufficientBalance,
    InvalidRequest,
    PermanentError,
    RinggProviderError,
    TransientError,
    UnexpectedResponse,
)
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hours.plan import WindowPlan
from ringg_provider.hours.schedule import DailyWindow, Schedule
from ringg_provider.launch.item import LaunchItem
from ringg_provider.ringg.client import RinggClient
from ringg_provider.ringg.invalid_rows import fetch_invalid_rows
from ringg_provider.ringg.limits import (
    LARGE_FLOW_ROWS,
    MAX_CALL_SLOTS,
    MAX_CSV_BYTES,
    PHONE_HEADER,
    PHONE_VARIABLE,
    Flow,
)
from ringg_provider.ringg.preflight import check_agent, check_variables
from ringg_provider.ringg.requests import CallConfig, CampaignSpec
from ringg_provider.ringg.responses import UploadStatus
from ringg_provider.ringg.timing import as_call_config, call_config_of, call_slots_of, schedule_of
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload
from ringg_provider.transfers.sql_to_lists import Invalid, SqlToListsOperator


class SqlToRinggOperator(SqlToListsOperator):
    """Run a query and upload the people in it as contact lists, cleaned, without duplicates, one country to a list.

    Nobody is called: give each item of the result to ``RinggLaunchOperator``. Everything is prepared on the worker's
    disk first and uploaded when the whole query was read, so a query that fails, or too many bad rows, leave nothing on
    the platform. See ``docs/contacts.md`` for what is cleaned, and what becomes of each row. Follows
    https://docs.ringg.ai/documentation/deploy/campaigns/calling-list.

    Returns a list with one dict per contact list: ``{"list_id", "flow", "agent_id", "country_code", "call_config",
    "campaign_start_time", "campaign_end_time", "rows", "rejected", "launch_key", "ledger_conn_id"}``, and
    ``call_slots`` where the large flow has several windows. ``rejected`` are rows of that list that the platform
    refused. The counts of the whole run, by reason, go to XCom ``summary``. A query without rows returns an empty list.

    :param sql_conn_id: connection of the database; any ``DbApiHook``.
    :param sql: one SELECT. PostgreSQL and MySQL are read through a server-side cursor.
    :param parameters: values for the query, in the driver's style. Templates in them are rendered; what comes of it is
        never logged and never stored. Beside them, a percent sign of the query is written ``%%`` where that
        style has them.
    :param ringg_conn_id: the connection. Default ``ringg_default``.
    :param agent_id: the outbound agent that speaks.
    :param campaign_name: a label for people; lists of one run are numbered after it.
    :param phone_column: column with the telephone numbers, in any spelling.
    :param variables_map: agent variable -> query column. Every variable of the agent must be in it, ``mobile_number``
        excepted, which is ``phone_column``.
    :param country_code: ``+91``: what a number without a code belongs to.
    :param call_config: daily window, zone and retries, as a dict or a ``CallConfig``.
    :param campaign_start_time: aware datetime, ISO string, or naive in the campaign's zone. Default: two minutes from
        now inside the daily window, otherwise its next opening.
    :param campaign_end_time: the same forms. Default: the closing of the start's day.
    :param contact_key: column that names a person in your tables. Default: the number.
    :param timezone_column: column with the contact's IANA zone, where it is known; needs ``purpose``.
    :param region_column: column with the contact's region, such as ``US-FL``; needs ``purpose``.
    :param suppression_sql: a query, in the same database, of people who must not be called: numbers in any spelling, or
        contact keys.
    :param flow: ``standard`` (``campaign/save``), ``large`` (``upload-csv``), or ``auto``: large from 5,000 contacts,
        decided once for the whole run.
    :param contacts_table: table that says who was put on which list, and why the others were not, in ``sql_conn_id``'s
        database. Default none.
    :param rejects_path: a CSV, at a path or any ``ObjectStoragePath`` address, of the rows that are on no list. It has
        numbers in it. Default none.
    :param launch_key: what the lists stand for. With ``ledger_conn_id``: if it was launched before, nothing is uploaded
        and the lists of then are returned.
    :param ledger_conn_id: connection to the database with the launch ledger. Default none.
    :param max_rejects: how many rows may be bad (an int), or which share of them (a float) before the task fails and
        nothing is uploaded. Suppressed people, and those whom the frequency cap or the hours protect, do not count.
        Default: any number, but not all rows: when every row is bad, the task fails.
    :param dry_run: do everything but upload; ``list_id`` is None in the result. Default False.
    :param other_countries: ``leave_out`` numbers of other countries than ``country_code`` (default), or ``split`` them
        off into lists of their own. They are never sent under the wrong code.
    :param may_be_empty: agent variables whose cell may be empty; an empty cell of any other leaves the row out.
    :param unreadable_variables: what to do when the agent's variables cannot be read: ``fail`` (default) or
        ``continue``.
    :param not_called_within_days: leave out numbers that ``history_table`` has a call to in the last so many days, or
        one that is still open.
    :param max_attempts: leave out numbers that ``history_table`` has so many calls to, or more.
    :param history_table: table of ``RinggCallsToSqlOperator``, in the same database. Default ``ringg_calls``.
    :param history_table_may_be_missing: with a frequency cap: there is no ``history_table`` yet, and nobody counts as
        called. Default False: a cap that cannot be checked fails the task.
    :param max_rows_per_list: contacts per list at most; the workspace's row allowance. Default: as many as 20 MB
        hold.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``: split lists by the hours in which their
        contacts may be called for it. Default: the hours of ``call_config`` hold for everybody.
    :param calling_hours: your own rules instead of the shipped ones: path of a TOML file, or a dict; needs ``purpose``.
    :param no_rule: for a country without a rule: ``refuse`` (default), ``hold`` its contacts, or ``allow``.
    :param blackout_dates: local dates on which nobody is called, as dates or ISO strings; needs ``purpose``.
    :param use_call_slots: send exact spans where one daily window would lose minutes; needs ``flow="large"``, and does
        nothing with ``auto``. Default False.
    :param invalid_rows_timeout: seconds to wait for the platform's check of a large upload, so that its report of
        invalid rows gets into ``contacts_table`` or ``rejects_path``. Default 300.
    :param phone_header: header of the phone column in what is uploaded. Default ``Mobile Number``.
    :param transliterate_callee_name: write the name in the agent's script. Default False.
    :param transliterate_fields: further agent variables to write in the agent's script. Default none.
    """

    template_fields: Sequence[str] = (
        *SqlToListsOperator.shared_template_fields,
        "ringg_conn_id",
        "variables_map",
        "call_config",
    )
    ui_color = "#e8e4f8"

    def __init__(
        self,
        *,
        variables_map: dict[str, str],
        call_config: dict[str, Any] | CallConfig,
        ringg_conn_id: str = RinggHook.default_conn_name,
        flow: Literal["auto"] | Flow = "auto",
        may_be_empty: Sequence[str] = (),
        unreadable_variables: Literal["fail", "continue"] = "fail",
        use_call_slots: bool = False,
        invalid_rows_timeout: Seconds = 300,
        phone_header: str = PHONE_HEADER,
        transliterate_callee_name: bool = False,
        transliterate_fields: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.variables_map = variables_map
        self.call_config = call_config
        self.ringg_conn_id = ringg_conn_id
        self.flow = flow
        self.may_be_empty = may_be_empty
        self.unreadable_variables = unreadable_variables
        self.use_call_slots = use_call_slots
        self.invalid_rows_timeout = invalid_rows_timeout
        self.phone_header = phone_header
        self.transliterate_callee_name = transliterate_callee_name
        self.transliterate_fields = transliterate_fields

    @cached_property
    def hook(self) -> RinggHook:
        """The hook of this attempt."""
        return RinggHook(self.ringg_conn_id)

    def check(self) -> None:
        """Refuse what can be known to be wrong without asking anybody."""
        super().check()
        if self.variables_map.get(PHONE_VARIABLE, self.phone_column) != self.phone_column:
            raise InvalidRequest(
                f"variables_map: {PHONE_VARIABLE} is mapped to another column than phone_column.", field="variables_map"
            )
        strangers = set(self.may_be_empty) - set(self.variables_map)
        if strangers:
            raise InvalidRequest(
                f"may_be_empty: not in variables_map: {', '.join(sorted(strangers))}.", field="may_be_empty"
            )

    def lists_on(self, client: RinggClient) -> _RinggLists:
        """Check the agent and the campaign; what is wrong with them is told before a row is read."""
        variables = {name: column for name, column in self.variables_map.items() if name != PHONE_VARIABLE}
        needed = check_variables(
            check_agent(client, self.agent_id),
            {**variables, PHONE_VARIABLE: self.phone_column},
            allow_unreadable=self.unreadable_variables == "continue",
        )
        empty = frozenset(self.may_be_empty) | (variables.keys() - needed)
        return _RinggLists(self, client, variables, empty)

    def choose_flow(self, rows: int) -> Flow:
        if self.flow != "auto":
            return self.flow
        return "large" if rows >= LARGE_FLOW_ROWS else "standard"

    def upload(self, client: RinggClient, spec: CampaignSpec, contacts: ContactList, flow: Flow) -> LaunchItem:
        """Upload one list; returns its item of the result."""
        try:
            with quoting_no_cell(contacts.path):
                if flow == "large":
                    list_id, refused = client.upload_csv(spec, contacts.path).bulk_list_id, 0
                else:
                    saved = client.save_campaign(spec, contacts.path)
                    list_id, refused = saved.list_id, saved.failed_rows or 0
        except InsufficientBalance as error:
            allowance = re.search(r"up to ([0-9][0-9,]*) contacts", str(error))
            if allowance is None:
                raise
            raise InvalidRequest(
                f"max_rows_per_list: the workspace takes at most {allowance[1]} contacts per list and this one has"
                f" {contacts.rows}: set max_rows_per_list={allowance[1].replace(',', '')}.",
                field="max_rows_per_list",
            ) from error
        self.log.info("List %s: %d contacts of %s.", list_id, contacts.rows, spec.country_code)
        return _item(self, spec, contacts, flow, list_id, refused)

    def invalid_rows(
        self, client: RinggClient, sifter: Sifter, items: Sequence[LaunchItem]
    ) -> tuple[list[LaunchItem], Invalid]:
        """Fetch the platform's own reports of invalid rows; the items with their counts corrected, and the reasons."""
        found: dict[str, Mapping[str, str]] = {}
        deadline = time.monotonic() + self.invalid_rows_timeout
        return [self._judged(client, sifter, item, deadline, found) for item in items], found

    def _judged(
        self,
        client: RinggClient,
        sifter: Sifter,
        item: LaunchItem,
        deadline: float,
        found: dict[str, Mapping[str, str]],
    ) -> LaunchItem:
        """An item as the platform's check of its list leaves it; what it refused, and why, goes to ``found``."""
        list_id = str(item.list_id)
        if item.flow == "standard" and not item.rejected:
            return item
        status = self._checked_upload(client, list_id, deadline)
        if status is None:
            return item
        if status.invalid_rows:
            rows = (item.rows or 0) + item.rejected - status.invalid_rows
            item = replace(item, rows=rows, rejected=status.invalid_rows)
        if status.invalid_rows and status.invalid_rows_csv_url:
            try:
                found[list_id] = fetch_invalid_rows(status.invalid_rows_csv_url, sifter.cleaner, self.phone_header)
            except RinggProviderError as error:
                self.log.warning("List %s: its report of invalid rows: %s", list_id, error)
        missing = item.rejected - len(found.get(list_id, ()))
        if missing > 0:
            self.log.warning(
                "List %s: the platform refused %d rows without saying which; they are noted as listed.",
                list_id,
                missing,
            )
        return item

    def _checked_upload(self, client: RinggClient, list_id: str, deadline: float) -> UploadStatus | None:
        """The list's status once the platform has checked it; None when it did not in time, or cannot be asked."""
        pause = 0.5
        while True:
            try:
                status = client.get_upload_status(list_id)
            except (TransientError, PermanentError, UnexpectedResponse) as error:
                self.log.warning("List %s: its status cannot be read: %s", list_id, error)
                return None
            if judge_upload(status) is not UploadVerdict.PENDING:
                return status
            if time.monotonic() >= deadline:
                self.log.warning("List %s is still being checked; rows that fail it stay 'listed'.", list_id)
                return None
            self._scratch.check()
            time.sleep(pause)
            pause = min(pause * 2, 10.0)


@dataclass
class _RinggLists:
    """This run's lists on Ringg: name, window, dates, and the flow that is chosen once for all of them."""

    task: SqlToRinggOperator
    client: RinggClient
    variables: Mapping[str, str]
    may_be_empty: frozenset[str]
    form: Form = field(init=False)
    schedule: Schedule = field(init=False)
    call_config: CallConfig = field(init=False)
    flow: Flow = "standard"

    def __post_init__(self) -> None:
        task = self.task
        self.form = Form(tuple(self.variables), task.phone_header, MAX_CSV_BYTES)
        self.call_config = as_call_config(task.call_config)
        self.schedule = schedule_of(self.call_config, task.campaign_start_time, task.campaign_end_time)
        # What is wrong with the campaign is told before a row is read.
        self.spec(ListGroup(task.country_code), 1, 1)

    def planner(self) -> Planner | None:
        """Plans each contact's calling window."""
        times = self.call_config.call_time
        window = DailyWindow.from_call_time(times.call_start_time, times.call_end_time, times.timezone)
        slots = MAX_CALL_SLOTS if self.task.use_call_slots and self.task.flow == "large" else 0
        return self.task.window_planner(window, self.schedule, most_slots=slots)

    def prepare(self, sifter: Sifter) -> None:
        """Nothing: the platform keeps no list of people who must not be called."""

    def begin(self, lists: Sequence[ContactList]) -> str:
        """Choose the flow."""
        self.flow = self.task.choose_flow(sum(contacts.rows for contacts in lists))
        return self.flow

    def item(self, contacts: ContactList, of: int) -> LaunchItem:
        """What is returned for a list that is not uploaded."""
        return _item(self.task, self.spec(contacts.group, contacts.number, of), contacts, self.flow, None)

    def upload(self, contacts: ContactList, of: int) -> LaunchItem:
        """Upload one list."""
        return self.task.upload(self.client, self.spec(contacts.group, contacts.number, of), contacts, self.flow)

    def refused(self, sifter: Sifter, items: Sequence[LaunchItem]) -> tuple[list[LaunchItem], Invalid]:
        """What the platform's own reports of invalid rows say."""
        return self.task.invalid_rows(self.client, sifter, items)

    def spec(self, group: ListGroup, number: int, of: int) -> CampaignSpec:
        """The campaign of a list, with dates as of now: a start that has passed meanwhile is as soon as possible."""
        task = self.task
        call_config, schedule = self.call_config, self.schedule
        if isinstance(group.plan, WindowPlan):
            call_config = call_config_of(group.plan, call_config)
            schedule = group.plan.schedule
        schedule = schedule_of(call_config, schedule.start, schedule.end, late_start_ok=True)
        return CampaignSpec(
            campaign_name=task.campaign_name if of == 1 else f"{task.campaign_name} ({number} of {of})",
            agent_id=task.agent_id,
            country_code=group.country_code,
            variables_map={PHONE_VARIABLE: self.form.phone_header, **{name: name for name in self.form.variables}},
            call_config=call_config,
            campaign_start_time=schedule.wire_start,
            campaign_end_time=schedule.wire_end,
            # What is wrong was left out already; should the platform see it otherwise, one row must not sink the list.
            remove_invalid_rows=True,
            transliterate_callee_name=task.transliterate_callee_name,
            transliterate_fields=task.transliterate_fields,
        )


def _item(
    task: SqlToRinggOperator,
    spec: CampaignSpec,
    contacts: ContactList,
    flow: Flow,
    list_id: str | None,
    refused: int = 0,
) -> LaunchItem:
    """What is returned for a list."""
    return LaunchItem(
        list_id=list_id,
        flow=flow,
        agent_id=spec.agent_id,
        country_code=spec.country_code,
        call_config=spec.call_config.wire(),
        campaign_start_time=spec.campaign_start_time,
        campaign_end_time=spec.campaign_end_time,
        rows=contacts.rows - refused,
        rejected=refused,
        launch_key=task.launch_key,
        ledger_conn_id=task.ledger_conn_id,
        call_slots=call_slots_of(contacts.group.plan) if isinstance(contacts.group.plan, WindowPlan) else None,
    )
