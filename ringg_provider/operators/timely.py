"""Operators that refuse to call people too late: the run missed its time or is old, or a planned start has passed."""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

from ringg_provider.api.arguments import Span
from ringg_provider.exceptions import StaleCampaign
from ringg_provider.launch.staleness import MAX_AGE, MAX_DELAY, why_missed, why_too_late

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


def clears_of(context: Context) -> int:
    """How often this run has been cleared."""
    run = context.get("dag_run")
    return 0 if run is None else run.clear_number or 0


class TimelyOperator(BaseOperator):
    """Base of the operators that upload people's data, start a campaign, or check whether it may be started.

    :param max_delay: how much later than planned the campaign may still be started, and how much later than due a run
        of the schedule may begin, as a ``timedelta``. Default two hours. A run that began later, because the DAG was
        unpaused after its time or no scheduler ran, ends skipped and calls nobody; one that a person triggered or
        cleared, or that an asset triggered, is never late in this way.
    :param max_age: how old the run may be that starts it, counted from when the run was due. Default one day.
    :param allow_backfill: let a backfill, or an older run, start it too. Default False.
    """

    def __init__(
        self,
        *,
        max_delay: Span = MAX_DELAY,
        max_age: Span = MAX_AGE,
        allow_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_delay = max_delay
        self.max_age = max_age
        self.allow_backfill = allow_backfill

    @abstractmethod
    def execute(self, context: Context) -> Any:
        """What a subclass does."""

    def skip_if_missed(self, context: Context) -> None:
        """Skip in a run of the schedule that began too long after it was due.

        :param context: of the task.
        :raises AirflowSkipException: with what may be done about it.
        """
        run = context.get("dag_run")
        if run is None or run.run_type != "scheduled" or run.clear_number:
            return
        begun = run.start_date or datetime.now(UTC)
        if (why := why_missed(due=run.run_after, begun=begun, max_delay=self.max_delay)) is not None:
            raise AirflowSkipException(why)

    def refuse_if_stale(self, context: Context, what: str, planned_start: datetime | None = None) -> None:
        """Refuse to go on too late, in a backfill, or for an old run.

        :param context: of the task.
        :param what: that which does not happen, as a sentence.
        :param planned_start: when the campaign should have started, aware. Default: nothing was planned.
        :raises AirflowSkipException: the run has missed its time.
        :raises StaleCampaign: with what may be done about it.
        """
        self.skip_if_missed(context)
        if (why := self.why_too_late(context, planned_start)) is not None:
            raise StaleCampaign(f"{what} {why}")

    def why_too_late(self, context: Context, planned_start: datetime | None) -> str | None:
        """Why a campaign must not be started now, in this run; None while it may.

        :param context: of the task.
        :param planned_start: when it should have started, aware; None when nothing was planned.
        """
        run = context.get("dag_run")
        return why_too_late(
            now=datetime.now(UTC),
            planned_start=planned_start,
            run_date=None if run is None else run.run_after,
            is_backfill=run is not None and run.run_type == "backfill",
            max_delay=self.max_delay,
            max_age=self.max_age,
            allow_backfill=self.allow_backfill,
        )
