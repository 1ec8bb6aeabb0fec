"""Which of our errors Airflow tries again after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException

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
