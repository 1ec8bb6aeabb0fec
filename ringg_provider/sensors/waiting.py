"""What the sensors of both platforms share: the same verdict in both modes, and being told the truth about ends."""

from __future__ import annotations

import time
from abc import abstractmethod
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from ringg_provider import wording
from ringg_provider.api.arguments import Seconds
from ringg_provider.exceptions import TransientError
from ringg_provider.hooks.platform import PlatformHook
from ringg_provider.launch.progress import Progress, ProgressReporter, Stage
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.reaching import ReachingPlatform
from ringg_provider.operators.waiting import dag_zone, ended, kill_deadline
from ringg_provider.triggers.events import CAMPAIGN_ENDS, EventStatus, WaitEvent, read_event

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger


#: Seconds by which Airflow's own deadline comes later than the trigger's, which can say what it last saw.
FRAMEWORK_GRACE = 120


class PlatformSensor(BaseSensorOperator):
    """Base of the sensors: the same verdict in both modes, and ``soft_fail`` that skips on a timeout only.

    Airflow's own ``soft_fail`` also turns a failed campaign into a skip. So what a look finds is raised as an error of
    ours, which Airflow's sensor lets through, and becomes a failure without retry only outside of it.
    """

    ui_color = "#e3f1e1"
    #: What the trigger may tell beside a deadline.
    ends: ClassVar[frozenset[EventStatus]]

    def __init__(
        self,
        *,
        poke_interval: Seconds = 60,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.deferrable = deferrable

    @property
    @abstractmethod
    def hook(self) -> PlatformHook[Any, Any]:
        """The hook of this attempt."""

    @property
    @abstractmethod
    def watched_id(self) -> str:
        """The id that is waited for."""

    @abstractmethod
    def look(self) -> PokeReturnValue:
        """Look once; raises what cannot get better."""

    @abstractmethod
    def trigger(self, deadline: float, kill_deadline: float | None) -> BaseTrigger:
        """The trigger that waits in the task's stead; deadlines are seconds since the epoch."""

    @with_checked_arguments
    def execute(self, context: Context) -> Any:
        """Poke, or look once and then wait in the triggerer."""
        with self.hook:
            if not self.deferrable:
                return super().execute(context)
            found = self.poke(context)
            if not found:
                self._defer(time.time() + self.timeout, kill_deadline(self, context))
            return found.xcom_value

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once, and take a platform that is briefly unwell for "not yet"."""
        try:
            return self.look()
        except TransientError as error:
            self.log.info("The platform could not be asked (%s); trying again.", type(error).__name__)
            return PokeReturnValue(is_done=False)

    @with_checked_arguments
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume from the trigger; Airflow turns the deferral's own timeout into the sensor's."""
        with self.hook:
            return super().resume_execution(next_method, next_kwargs, context)

    def execute_complete(
        self,
        context: Context,
        event: object,
        deadline: float | None = None,
        kill_deadline: float | None = None,
    ) -> Any:
        """Look again after the trigger's event, which is not taken for the answer."""
        told = read_event(event, self.watched_id, self.ends)
        self.log.info("%s", told.message)
        match told.status:
            case EventStatus.TIMEOUT:
                if self.soft_fail:
                    raise AirflowSkipException(told.message)
                raise AirflowSensorTimeout(told.message)
            case EventStatus.EXECUTION_TIMEOUT:
                raise AirflowTaskTimeout(told.message)
        try:
            return self.conclude(told)
        except TransientError as error:
            self.log.info("The platform could not be asked (%s); waiting on.", type(error).__name__)
            return self._defer(deadline or time.time() + self.timeout, kill_deadline)

    @abstractmethod
    def conclude(self, told: WaitEvent) -> Any:
        """What the sensor returns after an event that tells of an end; raises what it found wrong."""

    def _defer(self, deadline: float, kill_deadline: float | None) -> NoReturn:
        left = max(deadline - time.time(), 0.0)
        self.defer(
            trigger=self.trigger(deadline, kill_deadline),
            method_name="execute_complete",
            kwargs={"deadline": deadline, "kill_deadline": kill_deadline},
            timeout=timedelta(seconds=left + FRAMEWORK_GRACE),
        )
        raise AssertionError("defer() always raises")


class CampaignSensor(ReachingPlatform, PlatformSensor):
    """Base of the sensors that wait for a campaign to end, and log its progress once per change.

    :param campaign_id: the campaign.

    At its end it warns where nobody was called, or nobody was reached; ``min_listed`` and ``min_reached`` make an error
    of too few.
    """

    ends = CAMPAIGN_ENDS

    def __init__(self, *, campaign_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id

    @abstractmethod
    def read_progress(self) -> Progress:
        """Look at the campaign once."""

    @cached_property
    def reporter(self) -> ProgressReporter:
        """Says what changed since the last look."""
        return ProgressReporter(self.campaign_id, zone=wording.zone_named(dag_zone(self)))

    @property
    def watched_id(self) -> str:
        """The campaign."""
        return self.campaign_id

    def look(self) -> PokeReturnValue:
        """Look at the campaign once."""
        progress = self.read_progress()
        self.reporter.report(progress, self.log)
        if not progress.stage.is_final:
            return PokeReturnValue(is_done=False)
        ended(self.campaign_id, progress.stage, progress.status)
        self.require_listed(progress.contacts)
        self.look_at_reach([self.campaign_id])
        return PokeReturnValue(is_done=True, xcom_value=self.campaign_id)

    def conclude(self, told: WaitEvent) -> Any:
        """Believe an event of a known kind; the trigger read it from the platform."""
        ended(self.campaign_id, Stage(told.status), told.status)
        if self.min_listed is not None:
            self.require_listed(self.read_progress().contacts)
        self.look_at_reach([self.campaign_id])
        return self.campaign_id
