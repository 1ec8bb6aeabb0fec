"""The monkey: kills, freezes and restarts machines, and clears tasks and runs, as its seed has it.

A seed does not replay a trial, since what happens depends on when; the journal says what was done when.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import httpx

from demo.airflow import AirflowError
from tests.cluster.airflow import TASK_IS_DEAD_AFTER, TWICE
from tests.cluster.journal import Journal
from tests.cluster.processes import Machines
from tests.support.operations import Operations

_TRICKS = {"kill": 6, "freeze": 3, "restart": 2, "clear a task": 2, "clear a run": 2}
_MACHINES = {"worker": 4, "triggerer": 2, "scheduler": 2, "api-server": 1, "dag-processor": 1}


class Monkey:
    """Does one thing at a time, and keeps what it has frozen in mind.

    Args:
        seed: draws what it does.
        pace: how many times slower than two idle cores this machine is.
        machines: its victims.
        api: clears.
        journal: gets what it does.
    """

    def __init__(self, seed: int, pace: float, machines: Machines, api: Operations, journal: Journal) -> None:
        self._chance = random.Random(seed)
        self._pace, self._machines, self._api, self._journal = pace, machines, api, journal
        self._frozen: dict[str, float] = {}
        self._last = time.monotonic()

    def is_tempted(self) -> bool:
        """Whether it does not wait for its turn, because a start is on its way; asked twice a second meanwhile."""
        return time.monotonic() - self._last > 2 * self._pace and self._chance.random() < 0.3

    def pause(self) -> float:
        """Seconds until it does something again."""
        return self._chance.uniform(3, 7) * self._pace

    def strike(self, runs: Sequence[tuple[str, str]], start_is_held: Callable[[], bool]) -> None:
        """Do something.

        Args:
            runs: the runs so far, as DAG and run id.
            start_is_held: whether a start is on its way at this moment, which is the time to kill its sender.
        """
        self._last = time.monotonic()
        if start_is_held() and self._chance.random() < 0.8:
            self._kill(self._a_machine("worker"))
            return
        trick = self._chance.choices(list(_TRICKS), list(_TRICKS.values()))[0]
        match trick:
            case "kill":
                self._kill(self._a_machine())
            case "freeze" if not self._frozen:
                self._freeze(self._a_machine())
            case "restart":
                self._restart(self._a_machine())
            case "clear a task" | "clear a run" if runs:
                self._clear(trick, *self._chance.choice(runs))

    def tend(self) -> None:
        """Wake what has been frozen for long enough; start again what has ended by itself."""
        for name, until in list(self._frozen.items()):
            if time.monotonic() > until:
                self._wake(name)
        for name, code in self._machines.ended().items():
            self._journal.note(f"{name} ended by itself with code {code}", counted_as=f"{_kind(name)} ended by itself")
            self._machines.start_again(name)

    def stop(self) -> None:
        """Wake everything."""
        for name in list(self._frozen):
            self._wake(name)

    def _a_machine(self, kind: str | None = None) -> str:
        kind = kind or self._chance.choices(list(_MACHINES), list(_MACHINES.values()))[0]
        return f"{kind}{self._chance.choice('12')}" if kind in TWICE else kind

    def _kill(self, name: str) -> None:
        self._frozen.pop(name, None)
        count = self._machines.kill(name)
        self._journal.note(f"killed {name} ({count} processes)", counted_as=f"{_kind(name)} killed")
        time.sleep(self._chance.uniform(0.2, 2))
        self._machines.start_again(name)

    def _restart(self, name: str) -> None:
        self._wake(name)
        self._machines.end(name, patience=5 * self._pace)
        self._journal.note(f"restarted {name}", counted_as=f"{_kind(name)} restarted")
        self._machines.start_again(name)

    def _freeze(self, name: str) -> None:
        seconds = self._chance.uniform(1.2, 1.8) * TASK_IS_DEAD_AFTER * self._pace
        count = self._machines.freeze(name)
        self._frozen[name] = time.monotonic() + seconds
        self._journal.note(f"froze {name} ({count} processes) for {seconds:.0f} s", counted_as=f"{_kind(name)} frozen")

    def _wake(self, name: str) -> None:
        if self._frozen.pop(name, None) is not None:
            self._machines.wake(name)
            self._journal.note(f"woke {name}")

    def _clear(self, trick: str, dag_id: str, run_id: str) -> None:
        try:
            if trick == "clear a run":
                self._api.clear_run(dag_id, run_id)
                what = "run"
            else:
                task_id = self._chance.choice(("upload", "launch", "load"))
                self._api.clear_task(dag_id, run_id, task_id)
                what = f"task {task_id}"
        except (httpx.HTTPError, AirflowError) as refused:
            self._journal.note(f"could not clear {run_id}: {type(refused).__name__}")
        else:
            self._journal.note(f"cleared {what} of {run_id}", counted_as=f"{what.split()[0]} cleared")


def _kind(name: str) -> str:
    return name.rstrip("12")
