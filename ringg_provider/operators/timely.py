"""Operators that refuse to call people too late: for a planned start that has passed, or for an old run."""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from ringg_provider.api.arguments import Span
from ringg_provider.launch.staleness import MAX_AGE, MAX_DELAY, why_too_late

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class TimelyOperator(BaseOperator):
    """Base of the operators that start a campaign, or check whether it may be started.

    :param max_delay: how much later than planned the campaign may still be started, as a ``timedelta``. Default two
        hours.
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
