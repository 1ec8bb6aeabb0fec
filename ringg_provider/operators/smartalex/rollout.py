"""Launch a campaign in waves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pendulum

from ringg_provider.api.arguments import Amount
from ringg_provider.exceptions import InvalidRequest, StaleCampaign
from ringg_provider.history.options import SMARTALEX_CALLS
from ringg_provider.hours.plan import spans_left
from ringg_provider.hours.schedule import DailyWindow, Schedule
from ringg_provider.launch.item import LaunchItem
from ringg_provider.operators.launching import LaunchOperator
from ringg_provider.operators.rolling_out import RolloutOperator
from ringg_provider.operators.smartalex.campaign import BaseSmartAlexCampaignOperator, planned_at
from ringg_provider.smartalex.campaigns import SmartAlexLaunchTarget, SmartAlexStart, resume
from ringg_provider.smartalex.preflight import as_settings
from ringg_provider.triggers.smartalex import SmartAlexRolloutTrigger

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.providers.common.compat.sdk import Context
    from sqlalchemy import Engine

    from ringg_provider.history.observing import Watched
    from ringg_provider.launch.rollout import Observed


class SmartAlexRolloutOperator(RolloutOperator, BaseSmartAlexCampaignOperator):
    """Launch the waves of ``SqlToSmartAlexOperator(waves=...)`` one after the other.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. The platform cannot cancel: what a brake stops is
    paused, and where a person lets the rollout go on, resumed. A wave whose planned hours are over is not started
    (`StaleCampaign`), so give the lists days enough. See ``docs/rollouts.md``.

    :param credits_per_call: what one contact costs, for the ``budget``; the platform tells no price. Default None.
    :param history_table: table of ``SmartAlexCallsToSqlOperator``, in the state database. Default ``smartalex_calls``.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.

    Waves are parameters of :class:`~ringg_provider.operators.rolling_out.RolloutOperator`, brakes of
    :class:`~ringg_provider.operators.braking.BrakingOperator`, the budget of
    :class:`~ringg_provider.operators.budgeted.BudgetedOperator`, waiting and launching of
    :class:`~ringg_provider.operators.launching.LaunchOperator`.
    """

    template_fields: Sequence[str] = (
        *RolloutOperator.rollout_template_fields,
        "smartalex_conn_id",
        "credits_per_call",
        "history_table",
        *LaunchOperator.launching_template_fields,
    )

    def __init__(
        self, *, credits_per_call: Amount | None = None, history_table: str = SMARTALEX_CALLS, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.credits_per_call = credits_per_call
        self.history_table = history_table

    def launch_item(self, context: Context, item: LaunchItem) -> str:
        """Start a draft at most once, unless its time is over."""
        if item.flow != "smartalex":
            raise InvalidRequest("launches: the lists are of another platform than SmartAlex.", field="launches")
        start = SmartAlexStart(self.take_ledger_of(item), planned_at(item.campaign_start_time))
        return self.launch_and_wait(
            context, start, SmartAlexLaunchTarget(self.hook.client), partial(self._check, context, start, item)
        )

    def pending_upload(self, context: Context, item: LaunchItem) -> None:
        """The platform takes people in at once."""

    def wait_until_taken_in(self, item: LaunchItem) -> None:
        """The platform takes people in at once."""

    def estimated_cost(self, items: Sequence[LaunchItem]) -> Decimal | None:
        """By ``credits_per_call``."""
        if self.credits_per_call is None or any(item.rows is None for item in items):
            return None
        return self.credits_per_call * sum(item.rows or 0 for item in items)

    def look_at_calls(self, engine: Engine, watched: Watched) -> Observed:
        """What the table of calls knows; what is not fresh in it, the campaigns' calls are read for first."""
        from ringg_provider.history.observing import observe_smartalex
        from ringg_provider.history.smartalex import CallLoad, smartalex_calls_table

        load = CallLoad(self.hook.client, engine, smartalex_calls_table(self.history_table))
        return observe_smartalex(
            engine,
            watched,
            table=self.history_table,
            client=self.hook.client,
            read=load.run,
            fresh_for=timedelta(seconds=self.judge_interval),
        )

    def cost_so_far(self, engine: Engine, list_id: str) -> None:
        """The platform tells no cost."""

    def resume_campaign(self, campaign_id: str) -> None:
        """Let a paused campaign go on."""
        resume(self.hook.client, campaign_id)

    def rollout_trigger(self, **options: Any) -> SmartAlexRolloutTrigger:
        """What waits for news."""
        return SmartAlexRolloutTrigger(smartalex_conn_id=self.smartalex_conn_id, **options)

    def _check(self, context: Context, start: SmartAlexStart, item: LaunchItem) -> None:
        """Refuse a campaign that comes too late, or whose planned hours are over by now."""
        self.refuse_if_stale(context, f"Campaign {start.list_id} was not started.", self.due(start.planned))
        end = planned_at(item.campaign_end_time)
        if start.planned is None or end is None:
            return
        settings = as_settings(item.settings)
        window = DailyWindow.from_call_time(settings.calling_hours_start, settings.calling_hours_end, settings.timezone)
        begin, until = (pendulum.instance(at).in_timezone(window.zone) for at in (start.planned, end))
        if not spans_left(window, Schedule(begin, until), datetime.now(UTC)):
            raise StaleCampaign(
                f"Campaign {start.list_id} was not started: its calling hours are over, so nobody would be called."
                " Build a new list for a new time."
            )
