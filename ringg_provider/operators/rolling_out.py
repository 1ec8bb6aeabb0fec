"""What every operator shares that launches one wave after the other: budget, brakes, and a person where one is asked.

Neutral to the platform. Every wave goes through the launch protocol of `operators/launching.py`; the ledger and the
platform say how far a rollout has come, so that an attempt that begins anew adopts what was started and goes on.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from ringg_provider import wording
from ringg_provider.api.arguments import Count, Seconds
from ringg_provider.exceptions import (
    CampaignBraked,
    CampaignTerminated,
    InvalidRequest,
    LaunchInterrupted,
    TransientError,
    UnexpectedResponse,
)
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.progress import Progress
from ringg_provider.operators.asking import is_yes
from ringg_provider.operators.braking import BrakingOperator
from ringg_provider.operators.counting import launching
from ringg_provider.operators.errors import failing_without_retry
from ringg_provider.operators.private import Untold
from ringg_provider.operators.waiting import kill_deadline, sleep_until_told
from ringg_provider.triggers.events import ROLLOUT_ENDS, UPLOAD_ENDS, EventStatus, read_event

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.providers.common.compat.sdk import Context
    from airflow.triggers.base import BaseTrigger
    from sqlalchemy import Engine

    from ringg_provider.launch.course import Course, Wave
    from ringg_provider.launch.ledger import LaunchLedger
    from ringg_provider.launch.terms import Launched
    from ringg_provider.lineage.datasets import Lineage


class RolloutOperator(BrakingOperator):
    """Base of the operators that launch one wave after the other.

    Between two waves it waits until ``min_wave_calls`` calls are known and judges all calls of the rollout so far. It
    says what it saw, and why it goes on, in the log and in XCom ``rollout``: ``{"launch_key", "state", "waves":
    [{"wave", "lists", "people", "observed", "verdict", "decision"}]}``. A pulled brake stops what runs, and the rest is
    never started under the launch key, by whatever attempt or run. Returns the ids of all lists.

    :param launches: the result of the operator that made the lists, made with a launch key and a ledger.
    :param min_wave_calls: how many calls of a wave must have ended before the next one; all of them, where it has fewer
        people. Default None: as many as the brakes need to find three times a limit in 99 of 100 campaigns
        (:func:`~ringg_provider.launch.power.calls_needed`); 50 without brakes.
    :param judge_interval: seconds between two looks at the calls. Default 300.
    :param ask_after: waves after which a person is asked in any case, such as ``(0,)`` to listen to the rehearsal. No,
        or no answer, ends the rollout for good. Default none.
    :param wait_for_completion: wait until the last wave has ended, and judge it meanwhile. Default True.
    """

    rollout_template_fields: ClassVar[Sequence[str]] = ("launches",)
    #: The table of calls, in the state database; a parameter of the subclasses.
    history_table: str

    launches = Untold[Sequence[dict[str, Any]]]()

    def __init__(
        self,
        *,
        launches: Sequence[dict[str, Any]],
        min_wave_calls: Count | None = None,
        judge_interval: Seconds = 300,
        ask_after: Sequence[int] = (),
        wait_for_completion: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(wait_for_completion=wait_for_completion, **kwargs)
        self.launches = launches
        self.min_wave_calls = min_wave_calls
        self.judge_interval = judge_interval
        self.ask_after = ask_after

    # What a platform says about itself.

    @abstractmethod
    def launch_item(self, context: Context, item: LaunchItem) -> str:
        """Start a list at most once, after the last checks."""

    @abstractmethod
    def pending_upload(self, context: Context, item: LaunchItem) -> BaseTrigger | None:
        """What waits until the platform has taken a list in; None where it has."""

    @abstractmethod
    def wait_until_taken_in(self, item: LaunchItem) -> None:
        """Wait here until the platform has taken a list in."""

    @abstractmethod
    def cost_so_far(self, engine: Engine, list_id: str) -> tuple[Decimal, bool] | None:
        """What a list has cost by now, and whether no more is to come; None where that is not known."""

    @abstractmethod
    def resume_campaign(self, campaign_id: str) -> None:
        """Let what was stopped go on, where the platform can."""

    @abstractmethod
    def rollout_trigger(self, **options: Any) -> BaseTrigger:
        """What waits for news."""

    def listed(self) -> tuple[str | None, str | None, str, int | None]:
        """The agent and the flow of all lists, and the people on them."""
        items = [LaunchItem.of(item, "launches") for item in self.launches]
        if not items:
            return None, None, self.platform, 0
        return None, items[0].agent_id, items[0].flow, sum(item.rows or 0 for item in items if item.wave != 0)

    def reads_and_writes(self) -> Lineage:
        """The same with the calls, which are judged, and read from the platform where they are not fresh."""
        from ringg_provider.lineage.datasets import InDatabase

        known = super().reads_and_writes()
        conn_id = self.state_conn_id or self.ledger_conn_id
        judged = [InDatabase(conn_id, tables={self.history_table: None})] if conn_id else []
        return replace(known, inputs=[*known.inputs, *judged], outputs=[*known.outputs, *judged])

    def require_listed(self, listed: int | None) -> None:
        """Not of one list: all are asked for together, before the first is started."""

    def is_last(self, list_id: str) -> bool:
        """Whether it is the last list of the last wave."""
        return list_id == self._last

    #: The last list of all, in this attempt.
    _last: str | None = None
    #: Whether this attempt has told the hook lineage.
    _has_told = False

    def tell_hook_lineage(self) -> None:
        """Once an attempt: all lists are told of together."""
        if not self._has_told:
            self._has_told = True
            super().tell_hook_lineage()

    def due(self, planned: datetime | None) -> datetime | None:
        """The first wave as it was planned, a later one when the one before was judged, if that is later."""
        times = [at for at in (planned, self.wave_due) if at is not None]
        return max(times, default=None)

    # How Airflow begins it, and goes on with it.

    #: When the present wave was to begin, aware; None where it was planned with the run.
    wave_due: datetime | None = None

    @launching
    def execute(self, context: Context) -> list[str]:
        """Launch the first wave, and go on."""
        # What a rollout needs is loaded when it runs, and not with every DAG file.
        from ringg_provider.launch.course import Course

        self._warn_of_a_small_wave()
        deadline = None if self.timeout is None else time.time() + self.timeout
        return self._go_on(context, Course(deadline=deadline, kill_deadline=kill_deadline(self, context)))

    @launching
    def execute_due(
        self, context: Context, event: Mapping[str, Any] | None, course: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Resume when there may be news; ``dag.test()`` drops the course, and then everything is looked at again."""
        from ringg_provider.launch.course import Course

        going = Course() if course is None else Course.of(course)
        self._remember(going)
        told = read_event(event, going.waits_for, ROLLOUT_ENDS | UPLOAD_ENDS)
        match told.status:
            case EventStatus.TIMEOUT:
                raise TimeoutError(f"{told.message} What was started goes on; the next attempt adopts it.")
            case EventStatus.EXECUTION_TIMEOUT:
                self._cancel_all()
                raise AirflowTaskTimeout(told.message)
        return self._go_on(context, going)

    @launching
    def execute_complete(  # type: ignore[override]
        self, context: Context, event: Mapping[str, Any] | None, course: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Resume with a person's answer; whatever is not a clear yes is a no."""
        from ringg_provider.launch.course import Course

        going = Course() if course is None else Course.of(course)
        self._remember(going)
        with failing_without_retry(), self.hook:
            if not is_yes(event):
                self._end_for_good(context, going, going.refused())
            self.log.warning("A person lets the rollout go on.")
            if going.asked is not None:
                for campaign_id in going.stopped:
                    self.resume_campaign(campaign_id)
            going.lifts()
            going.leaves()
        return self._go_on(context, going)

    def _go_on(self, context: Context, course: Course) -> list[str]:
        """From wherever an attempt has come to, to the end of the last wave."""
        with failing_without_retry(), self.hook:
            waves = self._waves()
            self._last = waves[-1].list_ids[-1]
            self._ledger()
            super().require_listed(sum(wave.people for wave in waves if not wave.is_rehearsal))
            with self._stopping_all(context):
                for wave in waves:
                    if course.has_left(wave):
                        continue
                    self.under_way = tuple(one for each in waves if each.number <= wave.number for one in each.list_ids)
                    if course.enters(wave):
                        self._begin(context, course, waves, wave)
                    self._watch(context, course, waves, wave)
            if self.wait_for_completion:
                self._settle(waves)
                self.look_at_reach([one for wave in waves if not wave.is_rehearsal for one in wave.list_ids])
            self._push(context, course, "ended" if self.wait_for_completion else "started")
            return [one for wave in waves for one in wave.list_ids]

    def _waves(self) -> list[Wave]:
        from ringg_provider.launch.course import waves_of

        items = [LaunchItem.of(item, "launches") for item in self.launches]
        if not items:
            self.log.warning("There is no list, so nobody is called.")
            raise AirflowSkipException("There is no list, so nobody is called.")
        if any(item.callbacks_table is not None for item in items):
            raise InvalidRequest(
                "launches: has lists of promises, each of which is asked once more right before its start. Give them to"
                " the operator that starts one list: RinggLaunchOperator or SmartAlexStartCampaignOperator.",
                field="launches",
            )
        for item in items:
            self.take_ledger_of(item)
        return waves_of(items)

    def _warn_of_a_small_wave(self) -> None:
        from ringg_provider.launch.power import too_small

        brakes, people = self._brakes(), [wave.people for wave in self._waves() if not wave.is_rehearsal]
        if brakes is not None and (warning := too_small(brakes, people)) is not None:
            self.log.warning("%s", warning)

    def _remember(self, course: Course) -> None:
        """Know again the launch key, which lists may be calling, and whether these are all."""
        waves = self._waves()
        self.is_launched = course.begun and course.wave == waves[-1].number
        if course.wave is not None:
            self.under_way = tuple(one for wave in waves if wave.number <= course.wave for one in wave.list_ids)

    # One wave.

    def _begin(self, context: Context, course: Course, waves: Sequence[Wave], wave: Wave) -> None:
        """Reserve what a wave costs, and start its lists."""
        self._judge_earlier(context, course, waves, wave)
        self.wave_due = None if course.due is None else datetime.fromtimestamp(course.due, UTC)
        for item in wave.items:
            if (trigger := self.pending_upload(context, item)) is not None:
                if self.deferrable:
                    self._defer(course, trigger, str(item.list_id))
                self.wait_until_taken_in(item)
        while (begins := self.reserve(wave)) is not None:
            course.due = begins.timestamp()
            self._wait_for_credits(course, begins)
        self.log.info("%s begins: %s.", str(wave).capitalize(), wording.counted(len(wave.items), "list"))
        for item in wave.items:
            try:
                self.launch_item(context, item)
            except AirflowFailException as failure:
                if not (isinstance(failure.__cause__, CampaignTerminated) and self._was_passed(waves, wave)):
                    self.release(wave)
                    raise
                self.log.warning("List %s was stopped, and a person has let the next wave begin.", item.list_id)
                course.stopped.append(str(item.list_id))
            except Exception:
                self.release(wave)
                raise
        course.begun = True

    def _judge_earlier(self, context: Context, course: Course, waves: Sequence[Wave], wave: Wave) -> None:
        """Judge once more what runs, right before more is started."""
        earlier = [each for each in waves if 0 < each.number < wave.number]
        if earlier:
            observed, verdict = self._judge(waves, earlier[-1])
            if (pulled := self._pulled(course, verdict)) is not None:
                self._brake(context, course, earlier[-1], observed, verdict, pulled)

    def _was_passed(self, waves: Sequence[Wave], wave: Wave) -> bool:
        """Whether a later wave was begun by an earlier attempt."""
        intents = self.ledger().for_key(str(self.launch_key))
        later = [one for each in waves if each.number > wave.number for one in each.list_ids]
        return any(intents.find(list_id) is not None for list_id in later)

    def _watch(self, context: Context, course: Course, waves: Sequence[Wave], wave: Wave) -> None:
        """Wait until a wave may be followed by the next one, or, if it is the last one, until all have ended."""
        from ringg_provider.launch.course import is_enough

        is_last = wave is waves[-1]
        while not (is_last and not self.wait_for_completion):
            try:
                going = self._going(course, waves if is_last else [wave])
                observed, verdict = self._judge(waves, wave)
            except (TransientError, UnexpectedResponse) as error:
                self.log.warning("What became of the calls could not be read (%s); looking again.", error)
                course.tolerates(error)
                self._wait_for_news(context, course, wave, {}, is_last=is_last)
                continue
            course.unreadable_since = None
            course.ended_at = None if going else course.ended_at or time.time()
            pulled = self._pulled(course, verdict)
            if pulled is not None:
                self._brake(context, course, wave, observed, verdict, pulled)
            ended_for = None if course.ended_at is None else time.time() - course.ended_at
            if is_last:
                is_done = ended_for is not None
            else:
                is_done = is_enough(
                    wave, observed, min_calls=self.min_wave_calls, brakes=self._brakes(), ended_for=ended_for
                )
            if is_done:
                decision = "All waves have ended." if is_last else "On with the next wave."
                self.log.info("%s", course.note(wave, observed, verdict, decision))
                self._push(context, course, "running")
                break
            self._wait_for_news(context, course, wave, going, is_last=is_last)
        if not is_last and wave.number in self.ask_after and wave.number not in course.approved:
            course.approved.append(wave.number)
            self._ask(context, course, wave, "A person is to look before the next wave.")
        course.leaves()

    def _going(self, course: Course, waves: Sequence[Wave]) -> dict[str, Progress]:
        """The lists that have not ended; one that went wrong ends the rollout."""
        going = {}
        known = {*course.stopped, *course.ended}
        for list_id in (one for wave in waves for one in wave.list_ids if one not in known):
            progress = self.read_progress(list_id)
            if progress.stage.is_final:
                course.ended.append(self._ended(list_id, progress.stage, progress.status))
            else:
                going[list_id] = progress
        return going

    def _wait_for_news(
        self, context: Context, course: Course, wave: Wave, going: Mapping[str, Progress], *, is_last: bool
    ) -> None:
        """Defer; or, in a worker, sleep until the next look."""
        if self.told_to_stop:
            self._stop_as_told(context, self.under_way[-1])
        if course.deadline is not None and time.time() >= course.deadline:
            raise TimeoutError(f"{str(wave).capitalize()} has not ended in time; it goes on.")
        if not self.deferrable:
            sleep_until_told(min(self.poll_interval, self.judge_interval), lambda: self.told_to_stop)
            return
        enough: int | None = min(self.min_wave_calls or wave.people, wave.people)
        if is_last or sum(progress.finished or 0 for progress in going.values()) >= (enough or 0):
            enough = None  # what the platform counts already is no news
        look_at = time.time() + self.judge_interval
        trigger = self._trigger(course, look_at=look_at, awaited=list(going), enough=enough)
        self._defer(course, trigger, str(self.launch_key))

    def _trigger(self, course: Course, **options: Any) -> BaseTrigger:
        """What waits for news of all that runs."""
        return self.rollout_trigger(
            launch_key=str(self.launch_key),
            campaign_ids=list(self.under_way),
            **self.waiting(course.deadline, course.kill_deadline),
            **options,
        )

    def _defer(self, course: Course, trigger: BaseTrigger, waits_for: str) -> NoReturn:
        course.waits_for = waits_for
        self.defer(trigger=trigger, method_name="execute_due", kwargs={"course": course.as_json()}, timeout=None)
        raise AssertionError("defer() always raises")

    def _wait(self, context: Context, launched: Launched) -> str:
        """A list alone is not waited for: the rollout waits for its wave."""
        return launched.list_id

    def _wait_for_credits(self, course: Course, begins: datetime) -> None:
        """Wait for the next period of the budget; what runs is judged meanwhile."""
        look_at = min(begins.timestamp(), time.time() + self.judge_interval)
        if self.deferrable:
            self._defer(course, self._trigger(course, look_at=look_at), str(self.launch_key))
        sleep_until_told(max(look_at - time.time(), 0.0), lambda: self.told_to_stop)
        if self.told_to_stop:
            raise LaunchInterrupted("The task was told to stop while it waited for the budget.")

    def _settle(self, waves: Sequence[Wave]) -> None:
        """Charge the budget with what the lists have cost, as far as it is known by now."""
        for list_id in (one for wave in waves for one in wave.list_ids):
            if self.budget is not None and (known := self.cost_so_far(self.state_engine(), list_id)) is not None:
                cost, is_final = known
                self.reservations().settle(str(self.launch_key), list_id, cost, datetime.now(UTC), final=is_final)

    def _ledger(self) -> LaunchLedger:
        """The launch ledger, unless a brake of the key was pulled, by whatever attempt or run: then it ends here."""
        ledger, key = self.ledger(), str(self.launch_key)
        if (braked := ledger.braked(key)) is not None:
            intents, started = ledger.for_key(key), []
            for list_id in (one for wave in self._waves() for one in wave.list_ids):
                # Of what was not started before, it says that it never will be.
                with suppress(CampaignBraked):
                    started += [list_id] if intents.find(list_id) is not None else []
            self.under_way = tuple(started)
            self.is_launched = len(started) == len(self.launches)
            self._stop_all()
            raise braked.error()
        return ledger
