"""Carries a schedule out: sets the traps, runs the DAG, does what people do, and reads what the sandbox counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.schedules import FAULTS, Fault, Schedule
from tests.faults.stage import Drill, Ending, Stage

#: At full speed an hour passes in the sandbox with every second of ours.
FULL_SPEED = 3600
#: Seconds in which a task that was told to stop has stopped its campaign; Airflow's own patience with it is five.
TIME_TO_STOP = 12.0


@dataclass(frozen=True)
class Outcome:
    """What came of a schedule.

    Attributes:
        ending: how the last run ended; with two at once, the worse one.
        starts: how many lists were started.
        most_starts_of_a_list: how often the list was started that was started most often.
        most_calls_within_a_list: how often the number was called that one list called most often.
        most_calls: the same over all lists.
        campaigns: the states in which the started lists are.
        struck: whether the task that was to be struck needed another try.
        lied: whether the sandbox misbehaved.
    """

    ending: Ending
    starts: int
    most_starts_of_a_list: int
    most_calls_within_a_list: int
    most_calls: int
    campaigns: frozenset[str | None]
    struck: bool
    lied: bool


def carry_out(stage: Stage, schedule: Schedule) -> Outcome:
    """Run one schedule to its end."""
    fault = FAULTS[schedule.fault]
    refuses = schedule.second_start == "refused"
    with stage.campaign(
        schedule.dag_id,
        schedule.generation,
        fault.patience,
        **{"refuse_second_start": refuses, "speed": FULL_SPEED, **fault.settings},
    ) as drill:
        for lie in fault.lies:
            drill.sandbox.fault(**{**lie, "path": schedule.path(lie["path"])})
        run = _first_run(drill, schedule, fault)
        ending = _AFTERWARDS[fault.afterwards or "nothing"](drill, schedule, fault, run)
        _let_campaigns_end(drill)
        return _outcome(drill, ending, struck=fault.sabotage is not None and _was_tried_again(drill, run, fault))


def _first_run(drill: Drill, schedule: Schedule, fault: Fault) -> str:
    sabotage: dict[str, Any] = {"unseen": fault.unseen, "haste": fault.haste}
    if fault.sabotage is not None:
        sabotage |= dict(zip(("task", "step", "blow"), fault.sabotage, strict=True))
    return drill.run(people=fault.people, sabotage=sabotage)


def _nothing(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    return drill.ending(run)


def _hurry(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    """Let the campaign go on slowly for as long as the struck attempt lasts."""
    if fault.strikes(schedule):
        drill.until(lambda: _was_tried_again(drill, run, fault), "the next try")
    else:
        drill.until_waiting(run)
    drill.sandbox.settings(speed=FULL_SPEED)
    return drill.ending(run)


def _clear_task(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    drill.ending(run)
    drill.stage.api.clear_task(drill.dag_id, run, "launch")
    return drill.ending(run)


def _clear_run(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    drill.ending(run)
    drill.stage.api.clear_run(drill.dag_id, run)
    return drill.ending(run)


def _clear_while_waiting(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    drill.until_waiting(run)
    drill.stage.api.clear_task(drill.dag_id, run, "launch")
    drill.sandbox.settings(speed=FULL_SPEED)
    return drill.ending(run)


def _run_again(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    drill.ending(run)
    return drill.ending(drill.run())


def _run_again_with_more(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    drill.ending(run)
    return drill.ending(drill.run(people=4))


def _race(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    """Both end well: what one launches, the other adopts or, where it has uploaded lists of its own, leaves to it."""
    endings = [drill.ending(one) for one in (run, drill.run())]
    return min(endings, key=lambda ending: ending.state)


def _mark_failed(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    drill.until_waiting(run)
    return _mark(drill, run, "failed")


def _mark_failed_during_post(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    drill.until(lambda: drill.start_was_sent, "the start to be sent")
    return _mark(drill, run, "failed")


def _mark_success(drill: Drill, schedule: Schedule, fault: Fault, run: str) -> Ending:
    drill.until_waiting(run)
    return _mark(drill, run, "success")


def _mark(drill: Drill, run: str, state: str) -> Ending:
    drill.stage.api.mark(drill.dag_id, run, "launch", 0, state)
    drill.ending(run)
    # Whoever wants to stop the campaign because of that shall have the time to, and to say why in the log.
    time.sleep(TIME_TO_STOP)
    return drill.ending(run)


_AFTERWARDS: dict[str, Callable[[Drill, Schedule, Fault, str], Ending]] = {
    "nothing": _nothing,
    "hurry": _hurry,
    "clear_task": _clear_task,
    "clear_run": _clear_run,
    "clear_while_waiting": _clear_while_waiting,
    "run_again": _run_again,
    "run_again_with_more": _run_again_with_more,
    "race": _race,
    "mark_failed": _mark_failed,
    "mark_failed_during_post": _mark_failed_during_post,
    "mark_success": _mark_success,
}


def _let_campaigns_end(drill: Drill) -> None:
    """Whoever is to be dialled twice shall be: let every started list come to its end before anything is counted."""
    drill.sandbox.settings(speed=FULL_SPEED)
    ends = {"completed", "terminated", "failed", "paused"}
    drill.until(lambda: campaign_states(drill) <= ends, "the campaigns to end")


def campaign_states(drill: Drill) -> frozenset[str | None]:
    """In which states the lists are that were started."""
    return frozenset(campaign["state"] for campaign in drill.sandbox.state()["campaigns"] if campaign["launches"])


def _was_tried_again(drill: Drill, run: str, fault: Fault) -> bool:
    assert fault.sabotage is not None
    return any(task["try_number"] > 1 for task in drill.tasks(run, fault.sabotage[0]) if task["map_index"] <= 0)


def _outcome(drill: Drill, ending: Ending, struck: bool) -> Outcome:
    dials = drill.sandbox.dials()
    lists = dials["lists"].values()
    return Outcome(
        ending=ending,
        starts=sum(entry["launches"] for entry in lists),
        most_starts_of_a_list=max((entry["launches"] for entry in lists), default=0),
        most_calls_within_a_list=max((entry["max_calls_per_number"] for entry in lists), default=0),
        most_calls=dials["max_calls_per_number"],
        campaigns=campaign_states(drill),
        struck=struck,
        lied=any(entry["fault"] for entry in drill.sandbox.requests()),
    )
