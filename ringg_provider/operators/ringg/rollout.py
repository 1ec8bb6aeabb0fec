"""Launch the waves of ``SqlToRinggOperator`` one after the other, with brakes and a budget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ringg_provider.launch.item import LaunchItem
from ringg_provider.operators.ringg.campaign import BaseRinggStartOperator
from ringg_provider.operators.ringg.lists import BaseRinggListOperator
from ringg_provider.operators.rolling_out import RolloutOperator
from ringg_provider.triggers.ringg import RinggRolloutTrigger, RinggUploadStatusTrigger

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.providers.common.compat.sdk import Context
    from sqlalchemy import Engine

    from ringg_provider.history.observing import Watched
    from ringg_provider.launch.rollout import Observed

#: How many minutes a look at the calls may read the history, whose rate limit all share who read it.
MOST_MINUTES = 5


class RinggRolloutOperator(RolloutOperator, BaseRinggListOperator):
    """Launch the waves of ``SqlToRinggOperator(waves=...)`` one after the other, in either flow.

    Each list is launched as :class:`~ringg_provider.operators.ringg.launch.RinggLaunchOperator` does it, at most once.
    Ringg has no pause: what a brake stops is terminated, which is final. A wave that comes outside the calling hours is
    called from the next opening of its list's days on; where there is none left, it is not started
    (``StaleCampaign``), so give the lists days enough. See ``docs/rollouts.md``.

    Waves are parameters of :class:`~ringg_provider.operators.rolling_out.RolloutOperator`, brakes of
    :class:`~ringg_provider.operators.braking.BrakingOperator`, the budget of
    :class:`~ringg_provider.operators.budgeted.BudgetedOperator`, uploads of
    :class:`~ringg_provider.operators.ringg.lists.BaseRinggListOperator`, who is to call and what it may cost of
    :class:`~ringg_provider.operators.ringg.campaign.BaseRinggCampaignOperator`, waiting and launching of
    :class:`~ringg_provider.operators.launching.LaunchOperator`.
    """

    template_fields: Sequence[str] = (
        *RolloutOperator.rollout_template_fields,
        *BaseRinggStartOperator.start_template_fields,
    )

    def launch_item(self, context: Context, item: LaunchItem) -> str:
        """Start a list at most once, after the last checks."""
        return self.launch_list(context, self.start_of(item, "launches"))

    def pending_upload(self, context: Context, item: LaunchItem) -> RinggUploadStatusTrigger | None:
        """Waits while the platform checks a large list."""
        start = self.start_of(item, "launches")
        return self.upload_trigger(context, start.list_id) if self.is_pending(start) else None

    def wait_until_taken_in(self, item: LaunchItem) -> None:
        """Wait here while the platform checks a large list."""
        self.wait_for_upload(str(item.list_id))

    def estimated_cost(self, items: Sequence[LaunchItem]) -> Decimal | None:
        """By ``credits_per_call``, or by what the agent's calls have cost."""
        return self.cost_of([(item.agent_id, item.rows) for item in items]).estimated_credits

    def look_at_calls(self, engine: Engine, watched: Watched) -> Observed:
        """What the table of calls knows; what is not fresh in it, the lists' history is read for first."""
        from ringg_provider.history.backlog import Scope
        from ringg_provider.history.load import HistoryLoad
        from ringg_provider.history.observing import observe
        from ringg_provider.history.options import LoadOptions
        from ringg_provider.history.tables import calls_table

        load = HistoryLoad(
            source=self.hook.client,
            engine=engine,
            calls=calls_table(self.history_table),
            # What was said is asked for only where a brake needs it: that is one request a call.
            options=LoadOptions(include_analysis=watched.needs_analysis, max_minutes=MOST_MINUTES),
            pacer=self.hook.history_pacer(),
        )
        return observe(
            engine,
            watched,
            table=self.history_table,
            read=lambda ids: load.run(Scope(bulk_list_ids=list(ids))),
            fresh_for=timedelta(seconds=self.judge_interval),
        )

    def cost_so_far(self, engine: Engine, list_id: str) -> tuple[Decimal, bool] | None:
        """What the calls of a list have cost by now, and whether no more is to come."""
        from ringg_provider.history.costs import spent

        return spent(engine, self.history_table, list_id)

    def resume_campaign(self, campaign_id: str) -> None:
        """Nothing: what was terminated stays so."""

    def rollout_trigger(self, **options: Any) -> RinggRolloutTrigger:
        """What waits for news."""
        return RinggRolloutTrigger(ringg_conn_id=self.ringg_conn_id, **options)
