"""Everything that could go wrong with a launch, looked at in one pass; nothing is changed by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.purposes import NoRule, Purpose
from ringg_provider.hours.rules import load_rules
from ringg_provider.hours.schedule import Time
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.terms import ListState
from ringg_provider.preflight.estimates import (
    CostEstimate,
    ListLoad,
    TimeSpan,
    expected_attempts,
    judge_credits,
    judge_feasibility,
    judge_retries,
)
from ringg_provider.preflight.report import Check, Finding, Level, PreflightReport
from ringg_provider.ringg.campaigns import RinggLaunchTarget
from ringg_provider.ringg.client import RinggClient
from ringg_provider.ringg.hours_check import judge_hours
from ringg_provider.ringg.limits import Flow
from ringg_provider.ringg.preflight import (
    judge_agent,
    judge_callers,
    judge_list_state,
    judge_rows,
    judge_staleness,
    judge_variables,
)
from ringg_provider.ringg.requests import CallConfig, CallRetryConfig
from ringg_provider.ringg.starts import Callers
from ringg_provider.ringg.timing import as_call_config, planned_time, said_hours, schedule_of, spans_ahead, window_of


@dataclass(frozen=True)
class ListToStart:
    """One list that is to be started, as a DAG or an item of ``SqlToRinggOperator`` says."""

    agent_id: str
    country_code: str
    call_config: CallConfig
    start: Time
    end: Time
    call_slots: Mapping[str, Any] | None
    rows: int | None
    list_id: str | None
    flow: Flow

    @classmethod
    def of_item(cls, item: LaunchItem) -> ListToStart:
        return cls(
            agent_id=item.agent_id,
            country_code=item.country_code,
            call_config=as_call_config(item.call_config or {}),
            start=item.campaign_start_time,
            end=item.campaign_end_time,
            call_slots=item.call_slots,
            rows=item.rows,
            list_id=item.list_id,
            flow=item.ringg_flow("launches"),
        )

    @property
    def retries(self) -> CallRetryConfig:
        return self.call_config.call_retry_config or CallRetryConfig()

    def planned_start(self) -> datetime | None:
        try:
            return planned_time(self.call_config, self.start, "campaign_start_time")
        except InvalidRequest:
            return None  # what cannot be read is the schedule's finding

    def state(self, client: RinggClient) -> ListState:
        """What the platform says, and what else proves it where that is ambiguous."""
        lists, list_id = RinggLaunchTarget(client, self.flow), str(self.list_id)
        state = lists.look(list_id)
        return lists.look_closer(list_id).state if state is ListState.AMBIGUOUS else state

    def judge_schedule(self, now: datetime) -> tuple[Finding, Sequence[TimeSpan]]:
        """Whether the campaign will dial at all; and when, from now on."""
        try:
            spans = spans_ahead(self.call_config, self.start, self.end, self.call_slots, now)
            if spans is None or spans:
                # What the start would say of these times, it says now.
                schedule = schedule_of(self.call_config, self.start, self.end, late_start_ok=True)
        except InvalidRequest as error:
            return Finding(Check.SCHEDULE, Level.ERROR, str(error)), ()
        if spans is None:
            spans = spans_ahead(self.call_config, schedule.start, schedule.end, None, now) or []
        if not spans:
            message = "The calling hours are over, so nobody would be called: give later dates."
            return Finding(Check.SCHEDULE, Level.ERROR, message), ()
        begin, end = spans[0][0], spans[-1][1]
        message = f"Calls from {said_hours(self.call_config, begin, end)}."
        return Finding(Check.SCHEDULE, Level.OK, message), spans


@dataclass(frozen=True, kw_only=True)
class LaunchCheck:
    """The checks of one launch; parameters that are not told here are as `RinggPreflightOperator` takes them.

    :param lists: what is to be started.
    :param callers: who is to call, and whom to tell.
    :param why_too_late: the reason why a planned start, which may be None, is too late; None when it is not.
    :param cost: what lists will cost, by the agent and the contacts of each.
    """

    lists: Sequence[ListToStart]
    callers: Callers
    why_too_late: Callable[[datetime | None], str | None]
    cost: Callable[[Sequence[tuple[str, int | None]]], CostEstimate]
    variables_map: Mapping[str, str] | None = None
    purpose: Purpose | None = None
    calling_hours: str | Mapping[str, Any] | None = None
    no_rule: NoRule = "refuse"
    blackout_dates: Sequence[date | str] = ()
    retries_must_fit: bool = False
    row_allowance: int | None = None
    balance: Mapping[str, Any] | None = None
    concurrent_lines: int | None = None
    average_seconds: float | None = None
    answer_rate: float | None = None

    def report(self, client: RinggClient) -> PreflightReport:
        """Make every check.

        :param client: reads what the platform knows.
        """
        known = [one.rows for one in self.lists]
        return PreflightReport(
            findings=list(self._findings(client)),
            lists=len(self.lists),
            rows=None if None in known else sum(rows or 0 for rows in known),
        )

    def _findings(self, client: RinggClient) -> Iterator[Finding]:
        lists = self.lists
        for agent_id in dict.fromkeys(one.agent_id for one in lists):
            finding, agent = judge_agent(client, agent_id)
            yield finding
            if agent is not None and self.variables_map is not None:
                yield judge_variables(agent, self.variables_map)
        yield from judge_callers(client, self.callers, {one.country_code for one in lists})
        states = [one.state(client) for one in lists if one.list_id is not None]
        yield from map(judge_list_state, states)
        loads: list[ListLoad] = []
        now = datetime.now(UTC)
        for one in lists:
            yield judge_staleness(self.why_too_late(one.planned_start()))
            finding, spans = one.judge_schedule(now)
            yield finding
            if spans:
                yield from self._judge_times(one, spans)
            loads.append(ListLoad(one.rows or 0, spans))
            yield judge_rows(
                one.rows,
                allowance=self.row_allowance,
                accepted=one.list_id is not None,
                large=one.flow == "large",
            )
        if lists:
            yield self._judge_credits(states)
        if lists and all(load.spans for load in loads):
            yield self._judge_feasibility(loads, now)

    def _judge_times(self, one: ListToStart, spans: Sequence[TimeSpan]) -> Iterator[Finding]:
        yield from judge_hours(
            load_rules(self.calling_hours),
            self.purpose,
            window_of(one.call_config),
            spans,
            one.country_code,
            no_rule=self.no_rule,
            blackout_dates=self.blackout_dates,
            calls_per_contact=one.retries.retry_count + 1,
        )
        yield judge_retries(spans, one.retries.retry_count, one.retries.longest_wait, must_fit=self.retries_must_fit)

    def _judge_credits(self, states: Sequence[ListState]) -> Finding:
        return judge_credits(
            self.cost([(one.agent_id, one.rows) for one in self.lists]),
            told_sufficient=None if self.balance is None else self.balance.get("sufficient") is True,
            unpaid_lists=sum(state is ListState.INSUFFICIENT_BALANCE for state in states),
        )

    def _judge_feasibility(self, loads: Sequence[ListLoad], now: datetime) -> Finding:
        if self.average_seconds is None or any(one.rows is None for one in self.lists):
            missing = "average_seconds" if self.average_seconds is None else "rows"
            message = f"Give {missing} to learn whether all contacts can be reached in time."
            return Finding(Check.FEASIBILITY, Level.WARNING, message)
        return judge_feasibility(
            loads,
            attempts=max(expected_attempts(one.retries.retry_count, self.answer_rate) for one in self.lists),
            average_seconds=self.average_seconds,
            concurrent_lines=self.concurrent_lines,
            now=now,
        )
