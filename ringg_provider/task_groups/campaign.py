"""What the task groups of both platforms share: steps that can be left out, replaced or given arguments.

Three things about Airflow are said here once, instead of in every DAG:

- The calls are loaded by a teardown, which runs whatever became of the launches; in a run that called nobody it reads
  nothing.
- A teardown that is a DAG's only leaf says how the run ended, and hides that a launch failed. So the group has an end
  of its own behind both, and what stands behind the group waits for the calls, too.
- A task inside a mapped group cannot be mapped again. There, one task launches all lists of its segment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, TaskGroup, chain, task_group
from airflow.providers.standard.operators.empty import EmptyOperator

from ringg_provider.task_groups.checks import require_own_key, task_of

if TYPE_CHECKING:
    from airflow.sdk import XComArg

#: The day on which a run is due, in the zone of its DAG: for launch keys, names and queries. ``run_after | ds`` alone
#: is the day in UTC, which at two in the morning in India is yesterday.
RINGG_DAY = "{{ dag_run.run_after.astimezone(dag.timezone) | ds }}"

#: Which iteration of a Task Loop (Airflow 3.4) this is, as the end of a key or a name; nothing outside of one, and for
#: the first, which had no such end before there was one.
ITERATION = "{{ '-%d' % loop.index if loop is defined and loop is not none and loop.index else '' }}"

#: A step: as it stands (True), left out (False), with more arguments (a dict), or made by a callable of yours, which is
#: given the arguments that the step would have.
Step = bool | Mapping[str, Any] | Callable[..., Any]

#: Trying again is safe: that nobody is called twice does not depend on it. A DAG's ``default_args`` come before these.
DEFAULTS: Mapping[str, Any] = {"retries": 2, "retry_delay": timedelta(minutes=1)}

#: Seconds that an attempt waits: a campaign that is paused in the dashboard must not hold a run for ever.
WAIT = 18 * 3600


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """One wave after the other instead of everybody at once; ``docs/rollouts.md`` says what it protects from.

    :param waves: shares of the people for the first waves, such as ``(0.01, 0.1)``; the rest is the last wave. Default
        none: everybody is one wave.
    :param rehearsal: your own telephone numbers, which are called before anybody else. Default none.
    :param brakes: a ``Brakes``: what stops the campaign. Default none.
    :param budget: a ``Budget``: what it may cost. Default none.
    :param min_wave_calls: how many calls of a wave must have ended before the next one. Default None: as many as the
        brakes need to find what is far above a limit; 50 without brakes.
    """

    waves: Sequence[float] = ()
    rehearsal: Sequence[str] = ()
    brakes: Any = None
    budget: Any = None
    min_wave_calls: int | None = None

    def of_upload(self) -> dict[str, Any]:
        """What the upload is given."""
        return {name: getattr(self, name) for name in ("waves", "rehearsal") if getattr(self, name)}

    def of_launch(self) -> dict[str, Any]:
        """What the launch is given."""
        return {name: getattr(self, name) for name in ("brakes", "budget", "min_wave_calls")}


class CampaignGroup(TaskGroup):
    """Base of a campaign in one call."""

    def __init__(self, group_id: str = "campaign") -> None:
        super().__init__(group_id=group_id)
        self.tooltip = (type(self).__doc__ or "").strip().splitlines()[0]
        self.default_args = {**DEFAULTS, **(self.dag.default_args or {}), **self.default_args}

    @classmethod
    def partial(cls, group_id: str = "campaigns", **shared: Any) -> PartialCampaign:
        """The same campaign for several segments: give what differs to ``expand`` or ``expand_kwargs`` of the result.

        The segments run side by side under launch keys of their own, and a key knows nothing of the others: leave out
        of each query, or of its ``suppression_sql``, who stands in another segment.

        :param group_id: of the mapped group.
        :param shared: the arguments that the segments share.
        """
        return PartialCampaign(cls, group_id, shared)

    #: The lists that were uploaded; what the upload returns.
    lists: XComArg

    @property
    def is_in_mapped_group(self) -> bool:
        """Whether the tasks of this group run once for each segment of a mapped group around it."""
        return next(self.iter_mapped_task_groups(), None) is not None

    @property
    def day_key(self) -> str:
        """The default launch key: DAG, group and day, in a mapped group which segment, in a loop which iteration."""
        segment = "-{{ ti.map_index }}" if self.is_in_mapped_group else ""
        return f"{{{{ dag.dag_id }}}}-{self.group_id}-{RINGG_DAY}{segment}{ITERATION}"

    def uploading(
        self,
        step: Step,
        operator: type[BaseOperator],
        *,
        campaign_name: str | None,
        launch_key: str | None,
        rollout: Rollout | None,
        **arguments: Any,
    ) -> Any:
        """The upload, under the group's own name and key where the DAG gives none.

        :param step: what the DAG says about it.
        :param operator: chooses, cleans and uploads.
        :param campaign_name: a label for people; None: the group's id and the day.
        :param launch_key: what the lists stand for; None: `day_key`.
        :param rollout: into which waves, where the DAG asks for them.
        :param arguments: what it is given besides, unless the DAG gives something else.
        """
        if self.is_in_mapped_group:
            require_own_key(step.get("launch_key", launch_key) if isinstance(step, Mapping) else launch_key)
        uploaded = made(
            step,
            operator,
            campaign_name=campaign_name or f"{self.group_id} {RINGG_DAY}{ITERATION}",
            launch_key=launch_key or self.day_key,
            **arguments,
            **(rollout.of_upload() if rollout else {}),
        )
        self.lists = uploaded.output
        return uploaded

    def launching(
        self,
        step: Step,
        operator: type[BaseOperator],
        over: str,
        *,
        in_waves: type[BaseOperator],
        rollout: Rollout | None,
        map_index_template: str | None = None,
        **arguments: Any,
    ) -> Any:
        """The launch: a task for each list; or one for all lists, in waves or where a task cannot be mapped.

        :param step: what the DAG says about it; a callable is given ``launches``, the result of the upload.
        :param operator: launches one list.
        :param over: its argument that takes the list.
        :param in_waves: launches all lists.
        :param rollout: how, where the DAG asks for waves.
        :param map_index_template: what each task is called in Airflow's UI.
        :param arguments: what it is given, unless the DAG gives something else.
        """
        arguments["wait_for_completion"] = True
        if callable(step):
            return made(step, step, launches=self.lists, **arguments, **(rollout.of_launch() if rollout else {}))
        if rollout is not None or self.is_in_mapped_group:
            return made(step, in_waves, launches=self.lists, **arguments, **(rollout or Rollout()).of_launch())
        arguments["map_index_template"] = map_index_template
        return made(step, lambda **given: operator.partial(**given).expand(**{over: self.lists}), **arguments)

    def follow(self, steps: Sequence[Any], loads: Sequence[Any], setup: Any) -> None:
        """Put the steps in order, and the end behind them that says whether the campaign failed.

        :param steps: up to the launch; None for one that is left out.
        :param loads: what loads the calls, whatever became of the launch; the last one must succeed.
        :param setup: what must have succeeded before any of them; None where nothing must.
        """
        in_order = [step for step in steps if step is not None]
        campaign_ended = EmptyOperator(task_id="campaign_ended")
        if setup is not None:
            setup.as_setup() >> in_order[0]
        chain(*in_order, campaign_ended)
        teardowns = [load.as_teardown(setups=setup) for load in loads if load is not None]
        if teardowns:
            teardowns[-1].on_failure_fail_dagrun = True
            chain(in_order[-1], *teardowns, campaign_ended)


def made(step: Step, operator: Callable[..., Any], **arguments: Any) -> Any:
    """A step of a campaign, as a DAG wants it; arguments that are None are left to the operator's defaults.

    :param step: what the DAG says about it.
    :param operator: what makes it, unless the DAG names something else.
    :param arguments: what it is given, unless the DAG gives something else.
    :return: the task, or None where it is left out.
    """
    if step is False:
        return None
    given = {name: value for name, value in arguments.items() if value is not None}
    if callable(step):
        return task_of(given["task_id"], step(**given))
    return operator(**{**given, **(step if isinstance(step, Mapping) else {})})


def approving(step: Step, report_of: Any = None) -> Any:
    """A person reads the preflight's report, and nobody is called without a yes.

    :param step: what the DAG says about it.
    :param report_of: the preflight. Default None: there is none.
    :return: the task, or None where nobody is asked.
    """
    if step is False:
        return None
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    report = None
    if report_of is not None:
        report = f"{{{{ ti.xcom_pull('{report_of.task_id}', key='report', map_indexes=ti.map_index) }}}}"
    return made(
        step,
        ApprovalOperator,
        task_id="approve",
        subject="Call everybody on these lists?",
        body=report,
        # Nobody answers: nobody is called.
        defaults="Reject",
        response_timeout=timedelta(hours=12),
    )


class PartialCampaign:
    """A campaign of which some arguments are still to come; see :meth:`CampaignGroup.partial`."""

    def __init__(self, campaign: type[CampaignGroup], group_id: str, shared: Mapping[str, Any]) -> None:
        self._campaign = campaign
        self._group_id = group_id
        self._shared = dict(shared)

    def expand(self, **mapped: Any) -> Any:
        """One campaign for each value, or for each combination of the values of several arguments.

        :param mapped: lists, or the results of tasks, by the name of the argument.
        :return: the mapped task group.
        """
        return self._segments(mapped).expand(**mapped)

    def expand_kwargs(self, segments: Sequence[Mapping[str, Any]]) -> Any:
        """One campaign for each dict of arguments.

        :param segments: dicts with the same names in each.
        :return: the mapped task group.
        """
        return self._segments(dict.fromkeys(name for each in segments for name in each)).expand_kwargs(segments)

    def _segments(self, names: Mapping[str, Any]) -> Any:
        """A mappable group whose function takes just these arguments: Airflow maps what its signature names."""

        def segment(**mapped: Any) -> None:
            self._campaign(**self._shared, **mapped)

        segment.__signature__ = Signature(  # type: ignore[attr-defined]
            [Parameter(name, Parameter.KEYWORD_ONLY) for name in names]
        )
        return task_group(group_id=self._group_id)(segment)
