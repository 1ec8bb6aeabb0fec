"""What the demo does on its stage: two campaigns by two example DAGs, watched from outside through Airflow's API."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.airflow import AirflowApi
from demo.stage import Say, Stage

NIGHTLY, LARGE = "ringg_nightly_campaign", "ringg_large_campaign"

#: A person reads before answering. It is also more than Airflow needs to note that the task is waiting: an answer that
#: comes within the same second can overtake that, and Airflow then takes the task for lost.
READING = 3.0
#: How often the sandbox is asked how far the calls are.
PROGRESS_EVERY = 4.0


class RunFailed(RuntimeError):
    """A run did not succeed; the text carries the log of the task that failed."""


@dataclass
class Watched:
    """One run, and what has been said about it."""

    dag_id: str
    run_id: str
    done: bool = False
    states: dict[str, str] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    asked_since: dict[str, float] = field(default_factory=dict)

    @property
    def short(self) -> str:
        return self.dag_id.removeprefix("ringg_").removesuffix("_campaign")


def run_campaigns(stage: Stage, say: Say, show: Say, timeout: float = 480) -> None:
    """Trigger both DAGs, answer the approval, and return when both runs succeeded.

    Args:
        stage: what is running.
        say: gets one line per change.
        show: gets what a person reads before answering: the preflight's report, as Markdown.
        timeout: seconds for both.

    Raises:
        RunFailed: one did not succeed in time.
        ProcessEnded: a part of Airflow or the sandbox ended.
    """
    conf: dict[str, Mapping[str, Any]] = {NIGHTLY: {}, LARGE: {"contacts": str(stage.survey_csv)}}
    runs = []
    for dag_id, run_conf in conf.items():
        stage.api.wait_for_dag(dag_id)
        runs.append(Watched(dag_id, stage.api.trigger(dag_id, run_conf)))
        say(f"triggered {dag_id}")
    deadline = time.monotonic() + timeout
    next_progress, last_progress = time.monotonic() + PROGRESS_EVERY, ""
    while any(not run.done for run in runs):
        stage.processes.check()
        for run in runs:
            if not run.done:
                _look(stage.api, run, say, show)
        if time.monotonic() > next_progress:
            progress = _progress(stage)
            if progress != last_progress:
                say(progress)
            next_progress, last_progress = time.monotonic() + PROGRESS_EVERY, progress
        if time.monotonic() > deadline:
            late = next(run for run in runs if not run.done)
            raise RunFailed(f"{late.dag_id} did not end within {timeout:.0f} s.\n{_last_words(stage.api, late)}")
        time.sleep(0.5)


def _look(api: AirflowApi, run: Watched, say: Say, show: Say) -> None:
    """Say what changed in a run, and answer what waits for an answer."""
    state = api.run_state(run.dag_id, run.run_id)
    for task in api.tasks(run.dag_id, run.run_id):
        name = task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"
        if task["state"] != run.states.get(name) and task["state"] in _WORTH_SAYING:
            said = "goes on" if task["state"] == "running" and name in run.begun else _WORTH_SAYING[task["state"]]
            say(f"{run.short:>8} | {name}: {said}")
        if task["state"] == "running":
            run.begun.add(name)
        run.states[name] = task["state"]
    pending = api.pending_approvals(run.dag_id, run.run_id)
    # A task that Airflow tries again, because the answer came while it was still at work, asks again.
    run.asked_since = {task_id: since for task_id, since in run.asked_since.items() if task_id in pending}
    for task_id, body in pending.items():
        if task_id not in run.asked_since:
            say(f"{run.short:>8} | {task_id}: waits for an answer; its form in Airflow says:")
            show(body)
        since = run.asked_since.setdefault(task_id, time.monotonic())
        if time.monotonic() - since > READING:
            api.approve(run.dag_id, run.run_id, task_id)
            say(f"{run.short:>8} | {task_id}: answered with yes, through Airflow's API")
    if state == "failed":
        raise RunFailed(f"{run.dag_id} failed.\n{_last_words(api, run)}")
    run.done = state == "success"
    if run.done:
        say(f"{run.short:>8} | the run succeeded")


_WORTH_SAYING = {
    "running": "started",
    "deferred": "waits in the triggerer",
    "up_for_retry": "will be tried again",
    "success": "done",
    "failed": "FAILED",
    "skipped": "skipped",
    "upstream_failed": "not reached",
}


def _progress(stage: Stage) -> str:
    campaigns = stage.sandbox.get("/state", params={"calls": False}).json()["campaigns"]
    parts = []
    for campaign in campaigns:
        calls = campaign["calls"]
        total = sum(calls.values())
        if total:
            waiting = sum(calls.get(status, 0) for status in ("registered", "ongoing", "retry"))
            parts.append(f"{campaign['name']}: {total - waiting:,} of {total:,} calls ended")
    return "platform | " + ("; ".join(parts) or "no call yet")


def _last_words(api: AirflowApi, run: Watched) -> str:
    """The log of the task that failed, or of the one that was still at work."""
    tasks = api.tasks(run.dag_id, run.run_id)
    for state in ("failed", "up_for_retry", "running", "deferred"):
        for task in tasks:
            if task["state"] == state and task["try_number"]:
                lines = api.log(run.dag_id, run.run_id, task).splitlines()
                return "\n".join([f"The log of {task['task_id']} ({state}) ends:", *lines[-60:]])
    return "Its tasks: " + ", ".join(f"{task['task_id']} {task['state']}" for task in tasks)
