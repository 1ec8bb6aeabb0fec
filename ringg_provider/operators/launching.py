"""What every operator that starts a campaign shares: where intents are kept, waiting, and stopping when told.

Neutral to the platform: a subclass says how its platform is looked at, started, waited for and terminated.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from airflow.providers.common.compat.sdk import (
    AirflowSkipException,
    AirflowTaskTimeout,
    conf,
)

from ringg_provider import wording
from ringg_provider.api.arguments import BlankText, Seconds
from ringg_provider.exceptions import (
    InvalidRequest,
    LaunchedByAnotherRun,
    LaunchInterrupted,
    LaunchOutcomeUnknown,
    RinggProviderError,
)
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.progress import Progress, ProgressReporter, Stage
from ringg_provider.launch.protocol import launch
from ringg_provider.launch.terms import IntentStore, Launched, LaunchTarget, ListState
from ringg_provider.lineage.operator import LineageOperator
from ringg_provider.metrics import ADOPTED, ENDED, STARTED
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.counting import CountingLaunches
from ringg_provider.operators.errors import failing_without_retry
from ringg_provider.operators.intents import NoIntents, TaskStateIntents, note_first_attempt
from ringg_provider.operators.ledgers import launcher_of, ledger_connection, open_ledger
from ringg_provider.operators.private import Untold
from ringg_provider.operators.reaching import ReachingPlatform
from ringg_provider.operators.timely import TimelyOperator, clears_of
from ringg_provider.operators.waiting import dag_zone, ended, kill_deadline, sleep_until_told, wait_until
from ringg_provider.tracing import span
from ringg_provider.triggers.events import CAMPAIGN_ENDS, EventStatus, read_event
from ringg_provider.triggers.tasks import task_state

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from ringg_provider.hooks.platform import PlatformHook
    from ringg_provider.lineage.datasets import Lineage


class Start(Protocol):
    """A start of one list, before it is sent."""

    @property
    def list_id(self) -> str:
        """The list."""

    def asked(self) -> Mapping[str, Any]:
        """What is asked for, as plain JSON and before times are resolved."""

    def request(self) -> Mapping[str, Any]:
        """The request that is sent, as plain JSON."""

    def hours(self) -> str | None:
        """From when until when it calls, if it starts now, for a person; None where that is not known."""

    def item(self) -> LaunchItem:
        """All that is known of the list, for the ledger."""


class LaunchOperator(CountingLaunches, ReachingPlatform, LineageOperator, TimelyOperator):
    """Base of the operators that start a campaign and may wait for its end.

    :param wait_for_completion: wait until the campaign has ended. Default False.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poll_interval: seconds between two looks at the campaign. Default 60.
    :param timeout: seconds for which is waited; the campaign goes on after it. Default None: no bound.
        ``execution_timeout`` also terminates the campaign, when ``cancel_on_kill`` is on.
    :param launch_key: what is dialled at most once under this name, whatever is retried, cleared or raced. Needs
        ``ledger_conn_id`` or ``state_conn_id``. Default None.
    :param state_conn_id: connection of the state database, for every operator of a DAG alike: where there is a
        ``launch_key``, its launch ledger is used. Default None.
    :param ledger_conn_id: connection to the database that holds the launch ledger, where that is another one:
        PostgreSQL, MySQL 8, MariaDB or SQLite. Default ``state_conn_id``.
    :param durable: keep what was about to be sent in the task state store (Airflow 3.3+). Default True.
    :param cancel_on_kill: terminate the campaign, which is final, when a person marks the task failed or on
        ``execution_timeout``. Default True. An evicted worker or a cleared task leaves it running.

    How many people must be listed before the start, and reached at an end that is waited for, are parameters of
    :class:`~ringg_provider.operators.reaching.ReachingPlatform`.

    The parameters of :class:`~ringg_provider.operators.timely.TimelyOperator` are looked at only when a list is about
    to be started: one that runs already is adopted, whatever the clock says.
    """

    launching_template_fields: ClassVar[Sequence[str]] = ("launch_key", "state_conn_id", "ledger_conn_id")

    launch_key = Untold[str | None]()

    def __init__(
        self,
        *,
        wait_for_completion: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: Seconds = 60,
        timeout: Seconds | None = None,
        launch_key: str | None = None,
        state_conn_id: str | None = None,
        ledger_conn_id: BlankText | None = None,
        durable: bool = True,
        cancel_on_kill: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.launch_key = launch_key
        self.state_conn_id = state_conn_id
        self.ledger_conn_id = ledger_conn_id
        self.durable = durable
        self.cancel_on_kill = cancel_on_kill

    #: Where a person sees the campaign of this attempt; empty before there is one.
    campaign_page = ""

    # What a platform says about itself.

    @property
    @abstractmethod
    def hook(self) -> PlatformHook[Any, Any]:
        """The hook of this attempt."""

    @abstractmethod
    def campaign_url(self, campaign_id: str) -> str:
        """Where a person sees the campaign."""

    @abstractmethod
    def read_progress(self, campaign_id: str) -> Progress:
        """Look at the campaign once."""

    @abstractmethod
    def cancel_campaign(self, campaign_id: str) -> None:
        """Stop it for good."""

    @abstractmethod
    def completion_trigger(self, **options: Any) -> BaseTrigger:
        """The trigger that waits for a campaign's end."""

    @abstractmethod
    def listed(self) -> tuple[str | None, str | None, str, int | None]:
        """The list that the arguments name: its id, its agent, its flow, and its contacts; None what is not known."""

    def waiting(self, deadline: float | None, kill_deadline: float | None) -> dict[str, Any]:
        """How a trigger of this task waits; deadlines are seconds since the epoch."""
        return {
            "poll_interval": self.poll_interval,
            "deadline": deadline,
            "kill_deadline": kill_deadline,
            "cancel_on_kill": self.cancel_on_kill,
            "timezone": dag_zone(self),
        }

    def due(self, planned: datetime | None) -> datetime | None:
        """When a list was to be started, aware: as it was planned; None when nothing was."""
        return planned

    def reads_and_writes(self) -> Lineage:
        """A campaign of an agent in; calls, and the ledger where there is one, out."""
        from ringg_provider.launch.table import launches
        from ringg_provider.lineage.datasets import InDatabase, Lineage, calls_of, campaigns_of

        list_id, agent_id, flow, rows = self.listed()
        kept = ledger_connection(self.launch_key, self.ledger_conn_id, self.state_conn_id)
        return Lineage(
            inputs=[campaigns_of(self.hook, agent_id)] if agent_id else [],
            outputs=[
                calls_of(self.hook),
                *([InDatabase(kept.conn_id, tables={launches.name: None})] if kept else []),
            ],
            job={"ringg_launch": {"platform": self.platform, "flow": flow, "agentId": agent_id}},
            run={"ringg_campaign": {"campaignId": list_id, "contacts": rows}},
        )

    # Launching.

    #: The run's number of clears when the list was uploaded: no attempt before the last of them knew it.
    _uploaded_after_clear: int | None = None

    def pre_execute(self, context: Context) -> None:
        """Note the first attempt, before anything can fail that is cleared afterwards."""
        super().pre_execute(context)
        store = None if self.launch_key else self._task_state(context)
        if store is not None and context["ti"].try_number == 1:
            note_first_attempt(store)

    def launch_and_wait(
        self,
        context: Context,
        start: Start,
        target: LaunchTarget,
        check: Callable[[], None],
    ) -> str:
        """Start the list at most once, make its page reachable, and wait if asked to.

        :param context: of the task.
        :param start: which list, and how.
        :param target: the platform.
        :param check: makes the last checks; it is called only when the list is about to be started.
        :return: the id that was started or adopted.
        """
        list_id = start.list_id

        def prepare() -> Mapping[str, Any]:
            self.require_listed(start.item().rows)
            check()
            request = start.request()
            self.may_be_sent = True
            return request

        with failing_without_retry():
            intents = self._intents(context, start)
            launched: Launched | None = None
            try:
                with (
                    self.counting_start(intents, list_id),
                    span("ringg.launch", platform=self.platform, list_id=list_id) as traced,
                ):
                    launched = launch(
                        list_id,
                        start.asked(),
                        prepare,
                        target,
                        intents,
                        sleep=lambda seconds: sleep_until_told(seconds, lambda: self.told_to_stop),
                        monotonic=time.monotonic,
                        interrupted=lambda: self.told_to_stop,
                        unwanted=lambda: self._marked_failed(context),
                    )
                    traced.set_attribute("ringg.adopted", launched.adopted)
                (ADOPTED if launched.adopted else STARTED).send(platform=self.platform)
                self._show(context, launched, start)
                self.tell_hook_lineage()
            except LaunchOutcomeUnknown:
                # Whether it was started is unknown; that it shall not go on is not.
                if self._marked_failed(context):
                    self._cancel(list_id)
                raise
            except LaunchedByAnotherRun as elsewhere:
                raise AirflowSkipException(str(elsewhere)) from elsewhere
            except AirflowTaskTimeout:
                # It comes wherever the task is at, and so also while a start is only told about.
                self._cancel_if_started(target, intents, list_id if launched is None else launched.list_id)
                raise
            if self.told_to_stop:
                self._stop_as_told(context, launched.list_id)
        if not self.wait_for_completion:
            return launched.list_id
        return self._wait(context, launched)

    def take_ledger_of(self, item: LaunchItem) -> str:
        """Start a list that stands in a ledger through that ledger, also where the DAG forgot to name it here.

        :return: the list's id.
        :raises AirflowSkipException: the item comes of a dry run.
        :raises InvalidRequest: of a list of promises, another launch key or ledger is named: those who would take the
            promises back could not see it started.
        """
        if item.list_id is None:
            raise AirflowSkipException("The lists come from a dry run: nothing was uploaded, so nothing is started.")
        if item.callbacks_table is not None:
            for name, known in (("launch_key", item.launch_key), ("ledger_conn_id", item.ledger_conn_id)):
                if (getattr(self, name) or known) != known:
                    raise InvalidRequest(
                        f"{name}: is the list's own where it keeps promises; leave it out.", field=name
                    )
        self._uploaded_after_clear = item.clear_number
        self.ledger_conn_id = self.ledger_conn_id or item.ledger_conn_id
        if (self.ledger_conn_id or self.state_conn_id) and not self.launch_key:
            self.launch_key = item.launch_key
        return item.list_id

    def _intents(self, context: Context, start: Start) -> IntentStore:
        kept = ledger_connection(self.launch_key, self.ledger_conn_id, self.state_conn_id)
        if bool(self.launch_key) != bool(kept):
            raise InvalidRequest(
                "launch_key, ledger_conn_id: give both or neither; the ledger is where the key is looked up.",
                field="launch_key" if kept else "ledger_conn_id",
            )
        if self.launch_key and kept:
            ledger = open_ledger(kept.conn_id, kept.field)
            item = replace(start.item(), launch_key=self.launch_key, ledger_conn_id=kept.conn_id)
            return ledger.for_key(self.launch_key, item=item, launcher=launcher_of(context, self.hook.conn_id))
        store = self._task_state(context)
        if store is None:
            self.log.info("No launch ledger and no task state store: a worker that dies while it sends is not covered.")
            return NoIntents()
        return TaskStateIntents(store, cleared=lambda: self._may_be_cleared(context))

    def _task_state(self, context: Context) -> Any:
        return context.get("task_state_store") if self.durable else None

    def _may_be_cleared(self, context: Context) -> bool:
        """Whether this task may have been cleared after an attempt that knew this list."""
        ti, clears = context["ti"], clears_of(context)
        if ti.try_number == 1 or (clears and clears == self._uploaded_after_clear):
            return False
        # Clearing counts the tries on from those that were, and the clears of a run; not all ways of clearing do both.
        return ti.max_tries > (self.retries or 0) or clears > 0 or own_state(context) == "restarting"

    def _show(self, context: Context, launched: Launched, start: Start) -> None:
        self.campaign_page = self.campaign_url(launched.list_id)
        context["ti"].xcom_push(key="campaign_url", value=self.campaign_page)
        if not launched.adopted:
            item = start.item()
            people = "" if item.rows is None else f" for {wording.counted(item.rows, 'person', 'people')}"
            hours = None
            # What is only said must not fail a task that has started a campaign.
            with suppress(RinggProviderError):
                hours = start.hours()
            when = "" if hours is None else f", calling {hours}"
            self.log.info("Campaign %s is started%s%s.", launched.list_id, people, when)
            return
        ti, before = context["ti"], launched.before
        by_another = before is not None and before.run_id is not None and not before.is_of(ti.dag_id, ti.run_id)
        (self.log.warning if by_another else self.log.info)(
            "Campaign %s was started %s: nothing is sent now, nobody is called again, and this task takes it for its "
            "own.%s",
            launched.list_id,
            "before" if before is None else before.when_and_by_whom,
            " Whoever is to be called once more needs a list under another launch key." if by_another else "",
        )

    # Waiting.

    def _wait(self, context: Context, launched: Launched) -> str:
        now = time.time()
        deadline = None if self.timeout is None else now + self.timeout
        campaign_id = launched.list_id
        with failing_without_retry():
            if not self.deferrable:
                return self._wait_here(context, campaign_id, deadline)
            # What was started before may have ended long ago.
            if launched.adopted and (last := self._until_ended(campaign_id, now)) is not None:
                return self._ended_well(campaign_id, last.stage, last.status)
            if self.told_to_stop:
                self._stop_as_told(context, campaign_id)
            self.defer(
                trigger=self.completion_trigger(
                    campaign_id=campaign_id, **self.waiting(deadline, kill_deadline(self, context))
                ),
                method_name="execute_complete",
                kwargs={"campaign_id": campaign_id},
                timeout=None,
            )
            raise AssertionError("defer() always raises")

    def _wait_here(self, context: Context, campaign_id: str, deadline: float | None) -> str:
        try:
            last = self._until_ended(campaign_id, deadline)
        except AirflowTaskTimeout:
            self._cancel(campaign_id)
            raise
        if last is not None:
            return self._ended_well(campaign_id, last.stage, last.status)
        if self.told_to_stop:
            self._stop_as_told(context, campaign_id)
        raise waited_too_long(campaign_id)

    def _until_ended(self, campaign_id: str, deadline: float | None) -> Progress | None:
        """The last sighting; None when the campaign has not ended by the deadline."""
        reporter = ProgressReporter(campaign_id, zone=wording.zone_named(dag_zone(self)))

        def look() -> Progress | None:
            progress = self.read_progress(campaign_id)
            reporter.report(progress, self.log)
            return progress if progress.stage.is_final else None

        return wait_until(
            look, poll_interval=self.poll_interval, deadline=deadline, told_to_stop=lambda: self.told_to_stop
        )

    @with_checked_arguments
    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None, campaign_id: str | None = None
    ) -> str:
        """Resume after the trigger: believe its event only when it is about our campaign and of a known kind.

        ``dag.test()`` drops what ``defer`` passes on, so that ``campaign_id`` may be missing there.
        """
        with failing_without_retry():
            if campaign_id is not None:
                self.campaign_page = self.campaign_url(campaign_id)
            told = read_event(event, campaign_id, CAMPAIGN_ENDS)
            self.campaign_page = self.campaign_url(told.id)
            self.log.info("%s", told.message)
            match told.status:
                case EventStatus.TIMEOUT:
                    raise waited_too_long(told.id)
                case EventStatus.EXECUTION_TIMEOUT:
                    self._cancel(told.id)
                    raise AirflowTaskTimeout(told.message)
            with self.hook:
                return self._ended_well(told.id, Stage(told.status), told.status)

    def _ended_well(self, campaign_id: str, stage: Stage, status: str | None) -> str:
        """The id of a campaign that completed, which is looked at for somebody who was reached."""
        self._ended(campaign_id, stage, status)
        self.look_at_reach([campaign_id])
        return campaign_id

    def _ended(self, campaign_id: str, stage: Stage, status: str | None) -> str:
        ENDED.send(platform=self.platform, stage=stage.value)
        return ended(campaign_id, stage, status)

    # Stopping.

    #: Whether SIGTERM came.
    told_to_stop = False

    def on_kill(self) -> None:
        """Raise a flag and nothing else: this runs in a signal handler, and ``execute`` goes on after it."""
        self.told_to_stop = True

    def _marked_failed(self, context: Context) -> bool:
        """Whether a person marked the task failed, of which SIGTERM is the first sign."""
        return self.told_to_stop and own_state(context) == "failed"

    def _stop_as_told(self, context: Context, campaign_id: str) -> None:
        """SIGTERM came: terminate the campaign only if a person marked the task failed; stop the task in any case."""
        if self._marked_failed(context):
            self._cancel(campaign_id)
        raise LaunchInterrupted(
            f"The task was told to stop; campaign {campaign_id} can be adopted by its next attempt."
        )

    def _cancel_if_started(self, target: LaunchTarget, store: IntentStore, list_id: str) -> None:
        try:
            state = target.look(list_id)
            # Of a list that the platform hides only the intent tells that it may be calling.
            hidden = state in (ListState.MISSING, ListState.UNKNOWN, ListState.AMBIGUOUS)
            started = state.was_started or (hidden and store.find(list_id) is not None)
        except RinggProviderError:
            started = True
        if started:
            self._cancel(list_id)

    def _cancel(self, campaign_id: str) -> None:
        """Terminate if allowed to; never raises, because another error is on its way."""
        if not self.cancel_on_kill:
            self.log.info("Campaign %s goes on: cancel_on_kill is off.", campaign_id)
            return
        # Airflow kills a task that it has told to stop five seconds later, whatever it is at.
        self.log.info("Stopping campaign %s. Where this is the last line, stop it by hand.", campaign_id)
        try:
            self.cancel_campaign(campaign_id)
            self.log.info("Campaign %s was stopped: no new calls; live ones end by themselves.", campaign_id)
        except RinggProviderError as error:
            self.log.error("Campaign %s could not be terminated (%s). Stop it by hand.", campaign_id, error)


def waited_too_long(campaign_id: str) -> TimeoutError:
    """What is raised when ``timeout`` is over: the next attempt adopts the campaign and waits on."""
    return TimeoutError(f"Campaign {campaign_id} has not ended within the time that was given; it goes on.")


def own_state(context: Context) -> str | None:
    """What the scheduler holds to be this task's state; None when it cannot be asked."""
    ti = context["ti"]
    try:
        return task_state(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
    except Exception:  # noqa: BLE001
        # A worker that is being killed may have lost its supervisor; then nobody has marked anything.
        return None
