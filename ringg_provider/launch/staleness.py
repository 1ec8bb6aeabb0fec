"""Whether it is too late to call people for a time that was meant to be earlier.

A scheduler catches up, retries and backfills; people must not be rung for last week's run. Pure: the operator
passes the clock and what it knows about its run.
"""

from __future__ import annotations

from datetime import datetime, timedelta

#: How late after its planned start a campaign may still be started, and after its due time a run may begin.
MAX_DELAY = timedelta(hours=2)
#: How old the run may be that starts it.
MAX_AGE = timedelta(days=1)


def why_missed(*, due: datetime, begun: datetime, max_delay: timedelta = MAX_DELAY) -> str | None:
    """Why a run of the schedule has missed its time, with the next step; None while it has not.

    Whoever unpauses a DAG gets the run whose time has passed at once, ``catchup=False`` or not; so does a scheduler
    that comes back. How long a run takes, once it has begun, is another matter.

    :param due: when the run was due, aware: ``dag_run.run_after``.
    :param begun: when it began, aware.
    :param max_delay: how much later than due that is still fine; default two hours.
    """
    if begun - due <= max_delay:
        return None
    return (
        f"Nobody is called: this run was due at {due.isoformat(timespec='minutes')} and began {_hours(begun - due)}"
        " later, as it happens when a DAG is unpaused after its time or no scheduler ran; at most"
        f" {_hours(max_delay)} are allowed (max_delay). To call after all, trigger the DAG, or clear this run."
    )


def why_too_late(
    *,
    now: datetime,
    planned_start: datetime | None = None,
    max_delay: timedelta = MAX_DELAY,
    run_date: datetime | None = None,
    max_age: timedelta = MAX_AGE,
    is_backfill: bool = False,
    allow_backfill: bool = False,
) -> str | None:
    """Why a campaign must not be started any more, with the next step; None while it may.

    :param now: the present, aware.
    :param planned_start: when it should have started, aware; None when nothing was planned.
    :param max_delay: how much later than that is still fine; default two hours. ``allow_backfill`` does not
        widen it.
    :param run_date: when the run was due, aware: ``dag_run.run_after``, not the start of its data interval,
        which is a whole interval earlier. None when the run has no date.
    :param max_age: how long ago that may be; default one day.
    :param is_backfill: the run is part of a backfill.
    :param allow_backfill: start even in a backfill or for an old run; default False.
    """
    if planned_start is not None and now - planned_start > max_delay:
        return (
            f"The start was planned for {planned_start.isoformat()}, and it is {_hours(now - planned_start)}"
            f" later; at most {_hours(max_delay)} are allowed (max_delay). Build a new list for a new time."
        )
    if is_backfill and not allow_backfill:
        return "This run is part of a backfill, and a backfill does not call people unless allow_backfill=True."
    if run_date is not None and now - run_date > max_age and not allow_backfill:
        return (
            f"This run was due {_hours(now - run_date)} ago; at most {_hours(max_age)} are allowed (max_age)."
            " Start a new run, or say allow_backfill=True."
        )
    return None


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f} h"
