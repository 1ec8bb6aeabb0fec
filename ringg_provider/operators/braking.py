"""How a rollout is judged, and how it ends before its end: for good, or until a person says yes."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from ringg_provider.api.arguments import Span
from ringg_provider.exceptions import LaunchInterrupted, RinggProviderError
from ringg_provider.operators.asking import ask_a_person
from ringg_provider.operators.budgeted import BudgetedOperator
from ringg_provider.operators.ledgers import launcher_of
from ringg_provider.operators.waiting import wait_until

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context
    from sqlalchemy import Engine

    from ringg_provider.history.observing import Watched
    from ringg_provider.launch.course import Course, Wave
    from ringg_provider.launch.rollout import Brakes, Observed, Pulled, Verdict

#: Seconds for which a platform that is unwell is asked again to stop a campaign whose brake was pulled.
STOP_WITHIN = 120.0


class BrakingOperator(BudgetedOperator):
    """Base of the operators that stop what they have launched when its calls are bad.

    :param brakes: a :class:`~ringg_provider.launch.rollout.Brakes`, or a dict of its parameters. Default None: nothing
        is judged, and each wave is followed by the next one.
    :param on_brake: ``stop``, or ``ask``: what runs is stopped all the same, and a person decides whether the rest is
        called; who says no, or does not answer in ``answer_within``, lets it end as with ``stop``. Default ``stop``.
    :param answer_within: how long a person has, as a ``timedelta``. Default 12 hours.
    """

    def __init__(
        self,
        *,
        brakes: Any = None,
        on_brake: Literal["stop", "ask"] = "stop",
        answer_within: Span = timedelta(hours=12),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.brakes = brakes
        self.on_brake = on_brake
        self.answer_within = answer_within

    #: Lists that may be calling.
    under_way: tuple[str, ...] = ()

    @abstractmethod
    def look_at_calls(self, engine: Engine, watched: Watched) -> Observed:
        """What is known of calls."""

    # The verdict.

    def _judge(self, waves: Sequence[Wave], wave: Wave) -> tuple[Observed, Verdict | None]:
        """What is known of a wave, and the verdict on all people's calls so far; a rehearsal calls nobody to judge."""
        from ringg_provider.launch.course import together
        from ringg_provider.launch.rollout import judge

        observed = self._observe(wave)
        brakes = self._brakes()
        if brakes is None or wave.is_rehearsal:
            return observed, None
        earlier = [self._observe(each) for each in waves if 0 < each.number < wave.number]
        return observed, judge(brakes, together([*earlier, observed]))

    def _observe(self, wave: Wave) -> Observed:
        from ringg_provider.history.observing import Watched

        return self.look_at_calls(self.state_engine(), Watched(wave.list_ids, wave.people, self._brakes()))

    def _pulled(self, course: Course, verdict: Verdict | None) -> Pulled | None:
        brakes = self._brakes()
        return None if brakes is None else course.pulled(verdict, brakes.confidence)

    def _brakes(self) -> Brakes | None:
        from ringg_provider.launch.rollout import Brakes

        return None if self.brakes is None else Brakes.of(self.brakes)

    def _push(self, context: Context, course: Course, state: str) -> None:
        told = {"launch_key": self.launch_key, "state": state, "waves": course.notes}
        context["ti"].xcom_push(key="rollout", value=told)

    # The end before the end.

    def _brake(
        self,
        context: Context,
        course: Course,
        wave: Wave,
        observed: Observed,
        verdict: Verdict | None,
        pulled: Pulled,
    ) -> None:
        """Stop what runs; then end the rollout for good, or ask a person."""
        asks = self.on_brake == "ask"
        decision = "What runs is stopped, and a person is asked." if asks else "What runs is stopped, for good."
        self.log.warning("%s", course.note(wave, observed, verdict, decision))
        if not asks:
            self._end_for_good(context, course, pulled)
        course.asks_about(pulled)
        course.stopped = list(dict.fromkeys((*course.stopped, *self._stop_all())))
        self._ask(context, course, wave, f"A brake was pulled. {pulled}.")

    def _end_for_good(self, context: Context, course: Course, pulled: Pulled) -> NoReturn:
        """First nothing more can be started, then what runs is stopped."""
        braked = self.ledger().pull_brake(str(self.launch_key), pulled, launcher_of(context, self.hook.conn_id))
        self._push(context, course, "braked")
        self._stop_all()
        raise braked.error()

    def _ask(self, context: Context, course: Course, wave: Wave, why: str) -> NoReturn:
        """Let a person decide whether the rest is called."""
        self._push(context, course, "asking")
        ask_a_person(
            context,
            self.task_id,
            subject=f"Rollout {self.launch_key}: go on after {wave}?",
            body="\n\n".join([why, *(note["said"] for note in course.notes)]),
            answer_within=self.answer_within,
            resumed_with={"course": course.as_json()},
        )

    def _stop_all(self) -> list[str]:
        """Stop every list that may be calling; what cannot be stopped is named aloud.

        :return: those that were called when it was stopped.
        """
        stopped = []
        for campaign_id in self.under_way:
            try:
                if self.read_progress(campaign_id).stage.is_final:
                    continue
                done = wait_until(
                    partial(self._was_cancelled, campaign_id),
                    poll_interval=5.0,
                    deadline=time.time() + STOP_WITHIN,
                )
            except RinggProviderError as error:
                self.log.error("Campaign %s could not be stopped (%s). Stop it by hand.", campaign_id, error)
                continue
            if not done:
                self.log.error("Campaign %s could not be stopped in time. Stop it by hand.", campaign_id)
                continue
            stopped.append(campaign_id)
            self.log.info("Campaign %s was stopped: no new calls; live ones end by themselves.", campaign_id)
        return stopped

    def _was_cancelled(self, campaign_id: str) -> bool:
        self.cancel_campaign(campaign_id)
        return True

    def _cancel(self, campaign_id: str) -> None:
        """Whoever gives up one wave gives up all that run."""
        for one in dict.fromkeys((*self.under_way, campaign_id)):
            super()._cancel(one)

    def _cancel_all(self) -> None:
        if self.under_way:
            self._cancel(self.under_way[-1])

    @contextmanager
    def _stopping_all(self, context: Context) -> Iterator[None]:
        """What was given up while a wave was being started, or judged, goes for the waves before it, too."""
        try:
            yield
        except AirflowTaskTimeout:
            self._cancel_all()
            raise
        except LaunchInterrupted:
            if self._marked_failed(context):
                self._cancel_all()
            raise
