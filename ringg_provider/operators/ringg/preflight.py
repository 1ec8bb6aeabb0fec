"""Look at everything that could go wrong with a launch, while nobody's phone has rung yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from airflow.providers.common.compat.sdk import conf

from ringg_provider.api.arguments import DialPrefix, Seconds, Share, WholeNumber
from ringg_provider.exceptions import InvalidRequest, PreflightFailed
from ringg_provider.hours.purposes import Purpose
from ringg_provider.hours.schedule import Time
from ringg_provider.launch.item import LaunchItem
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.private import Untold
from ringg_provider.operators.ringg.campaign import BaseRinggCampaignOperator
from ringg_provider.operators.timely import TimelyOperator
from ringg_provider.ringg.limits import Flow
from ringg_provider.ringg.requests import CallConfig
from ringg_provider.ringg.timing import as_call_config

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from ringg_provider.preflight.report import PreflightReport
    from ringg_provider.ringg.client import RinggClient
    from ringg_provider.ringg.launch_check import LaunchCheck, ListToStart


class RinggPreflightOperator(BaseRinggCampaignOperator, TimelyOperator):
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
    :param state_conn_id: connection of the state database, for every operator of a DAG alike. Default None.
    :param about: more facts for the person who reads the report, by their names, such as ``{"File": "..."}``: where the
        people come from, how many were left out and why. Nothing personal. Default none.
    :param fail_on: fail the task on an ``error`` (default), or on a ``warning`` already.

    Who is to call and what it may cost are parameters of
    :class:`~ringg_provider.operators.ringg.campaign.BaseRinggCampaignOperator`, and how late it may be of
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
        "state_conn_id",
        "about",
        *BaseRinggCampaignOperator.campaign_template_fields,
    )
    ui_color = "#fbf3d9"

    launches = Untold[list[dict[str, Any]] | None]()
    about = Untold[Mapping[str, str] | None]()

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
        state_conn_id: str | None = None,
        about: Mapping[str, str] | None = None,
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
        self.state_conn_id = state_conn_id
        self.average_seconds = average_seconds
        self.answer_rate = answer_rate
        self.about = about
        self.fail_on = fail_on

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, Any]:
        """Make every check, push the report, and fail if it is as bad as ``fail_on``."""
        # What judges is loaded when a task runs, here and below, and not with every DAG file.
        from ringg_provider.preflight.report import Level

        self.skip_if_missed(context)
        with self.hook as hook:
            checks = self._check(context)
            report = checks.report(hook.client)
            report = replace(report, facts=self._facts(context, checks, report, hook.client))
            # Before it may fail: a person who is paged reads what was found.
            context["ti"].xcom_push(key="report", value=report.as_markdown())
            self.log.info("%s", report.as_markdown())
            if failing := report.failing(Level(self.fail_on)):
                codes = ", ".join(f"{finding.check} ({finding.level})" for finding in failing)
                raise PreflightFailed(f"Not ready to start: {codes}. The report is in the log and in XCom 'report'.")
            return report.as_dict()

    def _facts(
        self, context: Context, checks: LaunchCheck, report: PreflightReport, client: RinggClient
    ) -> dict[str, str]:
        """What is about to be launched, for a person who is to say yes or no."""
        from ringg_provider.preflight.report import Check
        from ringg_provider.ringg.preflight import said_agents, said_callers

        ids = [one.list_id for one in checks.lists if one.list_id]
        agents = dict.fromkeys(one.agent_id for one in checks.lists)
        facts = {
            **(self.about or {}),
            "Campaign" if len(ids) == 1 else "Campaigns": ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else ""),
            "Agent": said_agents(client, agents),
            "People": "not known" if report.rows is None else f"{report.rows:,}",
            "Called by": said_callers(client, self.callers()),
            "Hours": report.found(Check.SCHEDULE) or "not known",
            "Cost": report.found(Check.CREDITS) or "not known",
            "More": f"[Ringg campaigns of this run]({control_room(context)})",
        }
        return {name: text for name, text in facts.items() if text}

    def _check(self, context: Context) -> LaunchCheck:
        from ringg_provider.ringg.launch_check import LaunchCheck

        asked = {one.name: getattr(self, one.name) for one in fields(LaunchCheck) if one.name in vars(self)}
        return LaunchCheck(
            lists=self._lists(),
            callers=self.callers(),
            why_too_late=partial(self.why_too_late, context),
            cost=self.cost_of,
            **asked,
        )

    def _lists(self) -> list[ListToStart]:
        from ringg_provider.ringg.launch_check import ListToStart

        described = {"agent_id": self.agent_id, "country_code": self.country_code, "call_config": self.call_config}
        if self.launches is not None:
            if any(value is not None for value in (*described.values(), self.list_id, self.rows)):
                raise InvalidRequest(
                    "launches: it says agent, country, call_config, list and rows itself; leave those out.",
                    field="launches",
                )
            return [ListToStart.of_item(LaunchItem.of(item, "launches")) for item in self.launches]
        for name, value in described.items():
            if value is None:
                raise InvalidRequest(f"{name}: give it, or launches.", field=name)
        return [
            ListToStart(
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


def control_room(context: Context) -> str:
    """The address of this run's page in the control room, which the extra ``ui`` brings."""
    base = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
    ti = context["ti"]
    return f"{base}/ringg/page/run/{quote(ti.dag_id, safe='')}/{quote(ti.run_id, safe='')}"
