"""Which launches are counted as refused, and as unknown: each once, whatever ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from ringg_provider.exceptions import (
    CampaignFailed,
    CampaignTerminated,
    LaunchedByAnotherRun,
    LaunchInterrupted,
    LaunchOutcomeUnknown,
    RinggProviderError,
)
from ringg_provider.launch.terms import IntentStore
from ringg_provider.metrics import ADOPTED, REFUSED, UNKNOWN
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.on_platform import OnPlatform

P = ParamSpec("P")
R = TypeVar("R")
Task = TypeVar("Task", bound="CountingLaunches")

#: What ends a launch that nobody refused: it was told to stop, or a person has stopped the campaign.
_NO_REFUSALS = (LaunchInterrupted, CampaignTerminated)


def launching(method: Callable[Concatenate[Task, P], R]) -> Callable[Concatenate[Task, P], R]:
    """For what Airflow calls of an operator before all is started: with checked arguments, and refusals are counted."""
    checked = with_checked_arguments(method)

    @wraps(method)
    def counted(task: Task, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with task.counting_refusals():
            return checked(task, *args, **kwargs)

    return counted


class CountingLaunches(OnPlatform):
    """Base of the operators whose launches are counted."""

    #: Whether nothing is left to be started, so that what fails from here on refuses no launch.
    is_launched = False
    #: Whether a start may have been sent that nobody has seen succeed, or fail.
    may_be_sent = False

    @contextmanager
    def counting_refusals(self) -> Iterator[None]:
        """Count a launch that ends before a start, whatever ends it; what ends skipped was not refused."""
        self.is_launched = self.may_be_sent = False
        try:
            yield
        except AirflowSkipException:
            raise
        except (Exception, AirflowTaskTimeout) as error:
            why = error.__cause__ if isinstance(error, AirflowFailException) and error.__cause__ else error
            if not (self.is_launched or self.may_be_sent or isinstance(why, _NO_REFUSALS)):
                REFUSED.send(platform=self.platform, error=type(why).__name__)
            raise

    @contextmanager
    def counting_start(self, intents: IntentStore, list_id: str) -> Iterator[None]:
        """Count a start of which nobody knows, and note what else becomes of one."""
        try:
            yield
        except LaunchOutcomeUnknown:
            UNKNOWN.send(platform=self.platform)
            raise
        except LaunchedByAnotherRun:
            ADOPTED.send(platform=self.platform)
            raise
        except RinggProviderError as error:
            # Who finds a campaign failed that was started before was not refused.
            self.may_be_sent = isinstance(error, CampaignFailed) and _stands(intents, list_id)
            raise
        self.may_be_sent, self.is_launched = False, self.is_last(list_id)

    def is_last(self, list_id: str) -> bool:
        """Whether no other list is to be started after this one."""
        return True


def _stands(intents: IntentStore, list_id: str) -> bool:
    """Whether a start of the list was sent before, or may have been."""
    # It must not take the place of the error that the launch has ended with.
    with suppress(Exception):
        return intents.find(list_id) is not None
    return False
