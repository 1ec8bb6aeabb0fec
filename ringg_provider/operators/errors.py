"""Which of our errors Airflow tries again after, and the line by which a failed task begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from ringg_provider.exceptions import LaunchInterrupted, RinggProviderError, TransientError


@contextmanager
def failing_without_retry() -> Iterator[None]:
    """Turn errors that trying again cannot help into AirflowFailException; let transient ones through."""
    try:
        yield
    except (TransientError, LaunchInterrupted):
        raise
    except RinggProviderError as error:
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


@contextmanager
def saying_what_failed(log: Any) -> Iterator[None]:
    """Log an error of ours with the runbook's heading, before Airflow's many lines about it.

    :param log: the task's logger.
    """
    try:
        yield
    except AirflowSkipException:
        raise
    except Exception as error:
        ours = error if isinstance(error, RinggProviderError) else error.__cause__
        if isinstance(ours, RinggProviderError):
            log.error("%s: %s%s", type(ours).__name__, ours, _see(str(ours), ours.runbook))
        elif isinstance(error, TimeoutError | AirflowTaskTimeout):
            log.error("%s%s", error, _see(str(error), "Time-out"))
        raise


def _see(said: str, heading: str) -> str:
    return "" if not heading or "see the runbook" in said.lower() else f" See the runbook, {heading!r}."
