"""Points in time that a deadline alert of Airflow counts from; needs Airflow 3.2 or newer.

Follows https://airflow.apache.org/docs/apache-airflow/stable/howto/deadline-alerts.html.
"""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from airflow import __version__ as airflow_version
from airflow.sdk.definitions.deadline import BaseDeadlineReference

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.schedule import DailyWindow, closing_after

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: From 3.4 on Airflow reads the method's parameters itself, and warns of a class that names them.
_ASKS_FOR_KWARGS = tuple(map(int, airflow_version.split(".")[:2])) < (3, 4)


class CallingHoursClose(BaseDeadlineReference):
    """When the calling hours close that follow the time at which a run is due.

    ``DeadlineAlert(reference=CallingHoursClose("19:00", "Asia/Kolkata"), interval=timedelta(hours=-1), callback=...)``
    tells when a campaign has not ended an hour before that. A run that is due after the closing has the next day's.

    :param closes: ``HH:MM``, as in ``call_config``'s ``call_end_time``.
    :param timezone: the IANA zone in which that is meant, such as ``Asia/Kolkata``.
    :raises InvalidRequest: one of them is none.
    """

    if _ASKS_FOR_KWARGS:
        #: What Airflow passes to ``_evaluate_with``.
        required_kwargs = frozenset({"dag_id", "run_id"})

    def __init__(self, closes: str, timezone: str) -> None:
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", str(closes)):
            raise InvalidRequest("closes: must be a time of day as HH:MM, such as 19:00.", field="closes")
        self.closes = closes
        self.timezone = timezone
        self._window = DailyWindow(time.min, time.fromisoformat(closes), timezone)
        try:
            self._window.zone  # noqa: B018 - refuses what is none
        except InvalidRequest as error:
            raise InvalidRequest("timezone: must be an IANA name such as Asia/Kolkata.", field="timezone") from error

    def after(self, moment: datetime) -> datetime:
        """The first closing after a moment.

        :param moment: aware.
        """
        import pendulum

        return closing_after(self._window, pendulum.instance(moment))

    def serialize_reference(self) -> dict[str, Any]:
        """As Airflow stores it with the DAG."""
        return {"reference_type": self.reference_name, "closes": self.closes, "timezone": self.timezone}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> CallingHoursClose:
        """Back from what was stored."""
        return cls(reference_data["closes"], reference_data["timezone"])

    def _evaluate_with(self, *, session: Session, dag_id: str, run_id: str) -> datetime | None:
        """Called by the scheduler, or whoever makes a run, with Airflow's own session."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        due = session.scalar(select(DagRun.run_after).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
        return None if due is None else self.after(due)
