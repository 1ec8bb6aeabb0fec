"""How the lists of one run look on Ringg, and how they get there."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from ringg_provider import wording
from ringg_provider.contacts.exclusions import Exclusions
from ringg_provider.contacts.lists import ContactList, Form, ListGroup, quoting_no_cell
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.pipeline import ListOptions, Refusals
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.contacts.sifting import Planner
from ringg_provider.exceptions import (
    InsufficientBalance,
    InvalidRequest,
    PermanentError,
    RinggProviderError,
    TransientError,
    UnexpectedResponse,
)
from ringg_provider.hours.plan import WindowPlan
from ringg_provider.hours.schedule import Schedule
from ringg_provider.launch.item import LaunchItem
from ringg_provider.ringg.client import RinggClient
from ringg_provider.ringg.invalid_rows import fetch_invalid_rows
from ringg_provider.ringg.limits import LARGE_FLOW_ROWS, MAX_CALL_SLOTS, MAX_CSV_BYTES, PHONE_VARIABLE, Flow
from ringg_provider.ringg.requests import CallConfig, CampaignSpec
from ringg_provider.ringg.responses import UploadStatus
from ringg_provider.ringg.timing import call_config_of, call_slots_of, hours_of, schedule_of, window_of
from ringg_provider.ringg.uploads import UploadVerdict, judge_upload

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class RinggDestination:
    """This run's lists on Ringg: name, window, dates, and the flow that is chosen once for all of them."""

    options: ListOptions
    client: RinggClient
    scratch: Scratch
    variables: Mapping[str, str]
    may_be_empty: frozenset[str]
    call_config: CallConfig
    flow: Literal["auto"] | Flow
    use_call_slots: bool
    invalid_rows_timeout: float
    phone_header: str
    transliterate_callee_name: bool
    transliterate_fields: list[str] | None
    variables_field: ClassVar[str] = "variables_map"
    form: Form = field(init=False)
    schedule: Schedule = field(init=False)
    chosen_flow: Flow = field(init=False, default="standard")

    def __post_init__(self) -> None:
        options = self.options
        self.form = Form(tuple(self.variables), self.phone_header, MAX_CSV_BYTES)
        self.schedule = schedule_of(self.call_config, options.campaign_start_time, options.campaign_end_time)
        # What is wrong with the campaign is told before a row is read.
        self._spec(ListGroup(options.country_code), 1, 1)

    def planner(self) -> Planner | None:
        """Plans each contact's calling window."""
        slots = MAX_CALL_SLOTS if self.use_call_slots and self.flow == "large" else 0
        return self.options.planner(window_of(self.call_config), self.schedule, most_slots=slots)

    def exclude(self, exclusions: Exclusions, cleaner: PhoneCleaner) -> None:
        """Nobody: the platform keeps no list of people who must not be called."""

    def choose_flow(self, rows: int) -> str:
        """What was asked for, or by how many contacts there are."""
        if self.flow == "auto":
            self.chosen_flow = "large" if rows >= LARGE_FLOW_ROWS else "standard"
        else:
            self.chosen_flow = self.flow
        return self.chosen_flow

    def item(self, contacts: ContactList, of: int) -> LaunchItem:
        """What is returned for a list that is not uploaded."""
        return self._item(self._spec(contacts.group, contacts.number, of), contacts, None)

    def upload(self, contacts: ContactList, of: int) -> LaunchItem:
        """Upload one list."""
        spec = self._spec(contacts.group, contacts.number, of)
        try:
            with quoting_no_cell(contacts.path):
                if self.chosen_flow == "large":
                    list_id, refused = self.client.upload_csv(spec, contacts.path).bulk_list_id, 0
                else:
                    saved = self.client.save_campaign(spec, contacts.path)
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
        log.info(
            "List %s: %s of %s, to be called %s once it is launched.",
            list_id,
            wording.counted(contacts.rows - refused, "person", "people"),
            spec.country_code,
            hours_of(spec),
        )
        return self._item(spec, contacts, list_id, refused)

    def judge(self, items: Sequence[LaunchItem], cleaner: PhoneCleaner) -> tuple[Sequence[LaunchItem], Refusals]:
        """Fetch the platform's own reports of invalid rows."""
        refusals: dict[str, Mapping[str, str]] = {}
        deadline = time.monotonic() + self.invalid_rows_timeout
        return [self._judged(item, cleaner, deadline, refusals) for item in items], refusals

    def _judged(
        self, item: LaunchItem, cleaner: PhoneCleaner, deadline: float, refusals: dict[str, Mapping[str, str]]
    ) -> LaunchItem:
        """An item as the platform's check of its list leaves it; what it refused, and why, goes to ``refusals``."""
        list_id = str(item.list_id)
        if item.flow == "standard" and not item.rejected:
            return item
        status = self._checked_upload(list_id, deadline)
        if status is None:
            return item
        if status.invalid_rows:
            rows = (item.rows or 0) + item.rejected - status.invalid_rows
            item = replace(item, rows=rows, rejected=status.invalid_rows)
        if status.invalid_rows and status.invalid_rows_csv_url:
            try:
                refusals[list_id] = fetch_invalid_rows(status.invalid_rows_csv_url, cleaner, self.phone_header)
            except RinggProviderError as error:
                log.warning("List %s: its report of invalid rows: %s", list_id, error)
        missing = item.rejected - len(refusals.get(list_id, ()))
        if missing > 0:
            log.warning(
                "List %s: the platform refused %s without saying which; what it refused is noted as listed.",
                list_id,
                wording.counted(missing, "row"),
            )
        return item

    def _checked_upload(self, list_id: str, deadline: float) -> UploadStatus | None:
        """The list's status once the platform has checked it; None when it did not in time, or cannot be asked."""
        pause = 0.5
        while True:
            try:
                status = self.client.get_upload_status(list_id)
            except (TransientError, PermanentError, UnexpectedResponse) as error:
                log.warning("List %s: its status cannot be read: %s", list_id, error)
                return None
            if judge_upload(status) is not UploadVerdict.PENDING:
                return status
            if time.monotonic() >= deadline:
                log.warning("List %s is still being checked; rows that fail it stay 'listed'.", list_id)
                return None
            self.scratch.check()
            time.sleep(pause)
            pause = min(pause * 2, 10.0)

    def _spec(self, group: ListGroup, number: int, of: int) -> CampaignSpec:
        """The campaign of a list, with dates as of now: a start that has passed meanwhile is as soon as possible."""
        call_config, schedule = self.call_config, self.schedule
        if isinstance(group.plan, WindowPlan):
            call_config = call_config_of(group.plan, call_config)
            schedule = group.plan.schedule
        schedule = schedule_of(call_config, schedule.start, schedule.end, late_start_ok=True)
        return CampaignSpec(
            campaign_name=self.options.list_name(number, of, group.wave),
            agent_id=self.options.agent_id,
            country_code=group.country_code,
            variables_map={PHONE_VARIABLE: self.phone_header, **{name: name for name in self.variables}},
            call_config=call_config,
            campaign_start_time=schedule.wire_start,
            campaign_end_time=schedule.wire_end,
            # What is wrong was left out already; should the platform see it otherwise, one row must not sink the list.
            remove_invalid_rows=True,
            transliterate_callee_name=self.transliterate_callee_name,
            transliterate_fields=self.transliterate_fields,
        )

    def _item(self, spec: CampaignSpec, contacts: ContactList, list_id: str | None, refused: int = 0) -> LaunchItem:
        plan = contacts.group.plan
        return LaunchItem(
            list_id=list_id,
            flow=self.chosen_flow,
            agent_id=spec.agent_id,
            country_code=spec.country_code,
            call_config=spec.call_config.wire(),
            campaign_start_time=spec.campaign_start_time,
            campaign_end_time=spec.campaign_end_time,
            rows=contacts.rows - refused,
            rejected=refused,
            launch_key=self.options.launch_key,
            ledger_conn_id=self.options.ledger_conn_id,
            wave=contacts.group.wave,
            call_slots=call_slots_of(plan) if isinstance(plan, WindowPlan) else None,
        )
