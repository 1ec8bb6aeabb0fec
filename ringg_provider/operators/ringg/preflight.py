"""Look at everything that could go wrong with a launch, while nobody's phone has rung yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from ringg_provider.api.arguments import DialPrefix, Seconds, Share, WholeNumber
from ringg_provider.exceptions import InvalidRequest, PreflightFailed
from ringg_provider.hours.rules import Purpose, load_rules
from ringg_provider.hours.schedule import Time
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.protocol import ListState
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.ringg.campaign import RinggCampaignOperator
from ringg_provider.operators.timely import TimelyOperator
from ringg_provider.preflight.estimates import (
    Feasibility,
    ListLoad,
    TimeSpan,
    check_retries,
    estimate_feasibility,
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
from ringg_provider.ringg.timing import (
    as_call_config,
    planned_time,
    schedule_of,
    spans_ahead,
    window_of,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class RinggPreflightOperator(RinggCampaignOperator, TimelyOperator):
    """Check everything that can be checked before a launch, and report it; nothing is changed and nobody is called.

    Looks at one list, described by parameters of their own, or at all ``launches`` of ``SqlToRinggOperator``. Returns
    ``{"level", "counts", "lists", "rows", "checks": [{"code", "level", "message"}]}``, levels being ``ok``, ``warning``
    and ``error``; XCom ``report`` holds the same as Markdown for a person, for example in an approval. Both hold counts
    and reasons, and nothing personal. The codes are stable; ``docs/preflight.md`` has a line for each. Follows
    https://docs.ringg.ai/documentation/deploy/campaigns/campaigns-by-api.

    :param launches: the result of ``SqlToRinggOperator``; then leave out the parameters that describe one list.
    :param agent_id: the agent of the list.
    :param country_code: its dial prefix, such as ``+91``.
    :param call_config: daily window, zone and retries, as a dict or a ``CallConfig``.
    :param campaign_start_time: aware datetime, ISO string, or naive in the campaign's zone. Default: two minutes from
        now inside the daily window, otherwise its next opening.
    :param campaign_end_time: the same forms. Default: the closing of the start's day.
    :param call_slots: several calling windows instead of one, as the vendor's ``call_slots``. Default none.
    :param rows: contacts on the list. Default None: not known, which is a warning.
    :param list_id: the list, where it is uploaded already; a ``bulk_list_id`` in the large flow. Default none.
    :param flow: ``large`` (default) or ``standard``.
    :param variables_map: agent variable -> column. Default None: not checked.
    :param purpose: ``promotional``, ``service``, ``recovery`` or ``survey``: hold the hours against the rules for it.
        Default None: not checked, which is a warning.
    :param calling_hours: your own rules instead of the shipped ones: path of a TOML file, or a dict.
    :param no_rule: ``allow`` calls to a country without a rule; ``refuse`` (default) makes them an error.
    :param blackout_dates: local dates on which nobody is called, as dates or ISO strings.
    :param retries_must_fit: make retries that do not fit into the hours an error. Default False: a warning.
    :param row_allowance: rows that the workspace may upload per list. Default None: not known.
    :param balance: the result of ``RinggCheckBalanceOperator``: the platform's own word on the credits. Default none.
    :param concurrent_lines: calls that the workspace holds at a time. Default None: whether everybody is reached in
        time cannot be said, which is a warning.
    :param average_seconds: length of a call, ringing included. Default None: the same.
    :param answer_rate: share of calls after which nobody is tried again, 0 to 1. Default None: every retry is used.
    :param fail_on: fail the task on an ``error`` (default), or on a ``warning`` already.

    Who is to call and what it may cost are parameters of
    :class:`~ringg_provider.operators.ringg.campaign.RinggCampaignOperator`, and how late it may be of
    :class:`~ringg_provider.operators.timely.TimelyOperator`.
    """

    template_fields: Sequence[str] = (
        "launches",
        "agent_id",
        "country_code",
        "call_config",
        "campaign_start_time",
        "campaign_end_time",
        "call_slots",
        "rows",
        "list_id",
        "variables_map",
        "calling_hours",
        "blackout_dates",
        "balance",
        "concurrent_lines",
        "row_allowance",
        *RinggCampaignOperator.campaign_template_fields,
    )
    ui_color = "#fbf3d9"

    def __init__(
        self,
        *,
        launches: list[dict[str, Any]] | None = None,
        agent_id: str | None = None,
        country_code: DialPrefix | None = None,
        call_config: dict[str, Any] | CallConfig | None = None,
        campaign_start_time: Time = None,
        campaign_end_time: Time = None,
        call_slots: dict[str, Any] | None = None,
        rows: WholeNumber | None = None,
        list_id: str | None = None,
        flow: Flow = "large",
        variables_map: dict[str, str] | None = None,
        purpose: Purpose | None = None,
        calling_hours: str | Mapping[str, Any] | None = None,
        no_rule: Literal["refuse", "hold", "allow"] = "refuse",
        blackout_dates: Sequence[date | str] = (),
        retries_must_fit: bool = False,
        row_allowance: WholeNumber | None = None,
        balance: Mapping[str, Any] | None = None,
        concurrent_lines: WholeNumber | None = None,
        average_seconds: Seconds | None = None,
        answer_rate: Share | None = None,
        fail_on: Literal["error", "warning"] = "error",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.launches = launches
        self.agent_id = agent_id
        self.country_code = country_code
        self.call_config = call_config
        self.campaign_start_time = campaign_start_time
        self.campaign_end_time = campaign_end_time
        self.call_slots = call_slots
        self.rows = rows
        self.list_id = list_id
        self.flow = flow
        self.variables_map = variables_map
        self.purpose = purpose
        self.calling_hours = calling_hours
        self.no_rule = no_rule
        self.blackout_dates = blackout_dates
        self.retries_must_fit = retries_must_fit
        self.row_allowance = row_allowance
        self.balance = balance
        self.concurrent_lines = concurrent_lines
        self.average_seconds = average_seconds
        self.answer_rate = answer_rate
        self.fail_on = fail_on

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, Any]:
        """Make every check, push the report, and fail if it is as bad as ``fail_on``."""
        with self.hook as hook:
            lists = self._lists()
            known = [one.rows for one in lists]
            report = PreflightReport(
                findings=list(self._findings(context, hook.client, lists)),
                lists=len(lists),
                rows=None if None in known else sum(rows or 0 for rows in known),
            )
            # Before it may fail: a person who is paged reads what was found.
            context["ti"].xcom_push(key="report", value=report.as_markdown())
            self.log.info("%s", report.as_markdown())
            if failing := report.failing(Level(self.fail_on)):
                codes = ", ".join(f"{finding.check} ({finding.level})" for finding in failing)
                raise PreflightFailed(f"Not ready to start: {codes}. The report is in the log and in XCom 'report'.")
            return report.as_dict()

    def _findings(self, context: Context, client: RinggClient, lists: Sequence[_List]) -> Iterator[Finding]:
        for agent_id in dict.fromkeys(one.agent_id for one in lists):
            finding, agent = judge_agent(client, agent_id)
            yield finding
            if agent is not None and self.variables_map is not None:
                yield judge_variables(agent, self.variables_map)
        yield from judge_callers(client, self.callers(), {one.country_code for one in lists})
        states = [one.state(client) for one in lists if one.list_id is not None]
        yield from map(judge_list_state, states)
        loads: list[ListLoad] = []
        now = datetime.now(UTC)
        for one in lists:
            yield judge_staleness(self.staleness(context, one.planned_start()))
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
            yield self._judge_credits(lists, states)
        if lists and all(load.spans for load in loads):
            yield judge_feasibility(self._outlook(lists, loads, now))

    def _judge_times(self, one: _List, spans: Sequence[TimeSpan]) -> Iterator[Finding]:
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
        fit = check_retries(spans, one.retries.retry_count, one.retries.longest_wait)
        yield judge_retries(fit, must_fit=self.retries_must_fit)

    def _judge_credits(self, lists: Sequence[_List], states: Sequence[ListState]) -> Finding:
        return judge_credits(
            self.cost_of([(one.agent_id, one.rows) for one in lists]),
            told_sufficient=None if self.balance is None else self.balance.get("sufficient") is True,
            unpaid_lists=sum(state is ListState.INSUFFICIENT_BALANCE for state in states),
        )

    def _outlook(self, lists: Sequence[_List], loads: Sequence[ListLoad], now: datetime) -> Feasibility:
        if self.average_seconds is None or any(one.rows is None for one in lists):
            missing = "average_seconds" if self.average_seconds is None else "rows"
            return Feasibility(
                None, 0, None, None, None, f"Give {missing} to learn whether all contacts can be reached in time."
            )
        return estimate_feasibility(
            loads,
            attempts=max(expected_attempts(one.retries.retry_count, self.answer_rate) for one in lists),
            average_seconds=self.average_seconds,
            concurrent_lines=self.concurrent_lines,
            now=now,
        )

    def _lists(self) -> list[_List]:
        described = {"agent_id": self.agent_id, "country_code": self.country_code, "call_config": self.call_config}
        if self.launches is not None:
            if any(value is not None for value in (*described.values(), self.list_id, self.rows)):
                raise InvalidRequest(
                    "launches: it says agent, country, call_config, list and rows itself; leave those out.",
                    field="launches",
                )
            return [_List.of_item(LaunchItem.of(item, "launches")) for item in self.launches]
        for name, value in described.items():
            if value is None:
                raise InvalidRequest(f"{name}: give it, or launches.", field=name)
        return [
            _List(
                agent_id=str(self.agent_id),
                country_code=str(self.country_code),
                call_config=as_call_config(self.call_config or {}),
                start=self.campaign_start_time,
                end=self.campaign_end_time,
                call_slots=self.call_slots,
                rows=self.rows,
                list_id=self.list_id,
                flow=self.flow,
            )
        ]


@dataclass(frozen=True)
class _List:
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
    def of_item(cls, item: LaunchItem) -> _List:
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
        message = f"Calls from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} ({window_of(self.call_config).timezone})."
        return Finding(Check.SCHEDULE, Level.OK, message), spans
