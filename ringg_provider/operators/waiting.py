"""Waiting in a worker: look again and again until a look settles it, a deadline passes, or the task is told to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import BaseOperator

from ringg_provider.exceptions import (
    CampaignFailed,
    CampaignTerminated,
    TransientError,
    UnexpectedResponse,
)
from ringg_provider.launch.progress import Stage
from ringg_provider.triggers.waiting import pause_after

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How long, in seconds, a wait tolerates a platform that cannot be read.
UNREADABLE_FOR = 1800.0
#: The longest, in seconds, that a task which is told to stop does not notice.
NAP = 0.2


def wait_until(
    look: Callable[[], T | None],
    *,
    poll_interval: float,
    deadline: float | None = None,
    told_to_stop: Callable[[], bool] = lambda: False,
) -> T | None:
    """Look until there is something to return; a platform that is unwell for a while is looked at again.

    :param look: looks once; None means that there is more to wait for.
    :param poll_interval: seconds between two looks.
    :param deadline: seconds since the epoch until which is waited; there is always one look. None: no bound.
    :param told_to_stop: asked before and while it sleeps.
    :return: what was found; None when the deadline passed or the task was told to stop.
    :raises RinggProviderError: what a look raised: at once where looking again cannot help, after half an hour in which
        no look succeeded where it can.
    """
    readable_at = time.monotonic()
    while True:
        pause = poll_interval
        try:
            if (found := look()) is not None:
                return found
            readable_at = time.monotonic()
        except (TransientError, UnexpectedResponse) as error:
            if time.monotonic() - readable_at > UNREADABLE_FOR:
                raise
            log.info("The platform could not be read (%s); trying again.", type(error).__name__)
            pause = pause_after(error, pause)
        left = None if deadline is None else deadline - time.time()
        if told_to_stop() or (left is not None and left <= 0):
            return None
        sleep_until_told(pause if left is None else min(pause, left), told_to_stop)
        if told_to_stop():
            return None


def sleep_until_told(seconds: float, told_to_stop: Callable[[], bool]) -> None:
    """Sleep, but wake up when the task is told to stop meanwhile: Airflow kills it five seconds later.

    In naps, because the signal handler that tells it only raises a flag.
    """
    told_before = told_to_stop()
    until = time.monotonic() + seconds
    while told_to_stop() == told_before and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, NAP))


def dag_zone(operator: BaseOperator) -> str:
    """The IANA name of the zone of the task's DAG, in which its log tells times; ``UTC`` where it has none."""
    dag = operator.get_dag()
    return str(getattr(getattr(dag, "timezone", None), "name", None) or "UTC")


def kill_deadline(operator: BaseOperator, context: Context) -> float | None:
    """When ``execution_timeout`` is over, in seconds since the epoch: Airflow stops counting at a deferral."""
    if operator.execution_timeout is None:
        return None
    started: Any = context["ti"].start_date
    return float(started.timestamp() + operator.execution_timeout.total_seconds())


def ended(campaign_id: str, stage: Stage, status: str | None) -> str:
    """The id of a campaign that completed; one that did not is an error.

    :raises CampaignFailed: it failed.
    :raises CampaignTerminated: it was stopped.
    """
    if stage is Stage.FAILED:
        raise CampaignFailed(f"Campaign {campaign_id} failed on the platform (status {status}).")
    if stage is Stage.TERMINATED:
        raise CampaignTerminated(f"Campaign {campaign_id} was terminated before it had called everybody.")
    return campaign_id
