"""Strikes a task at an exact step of its launch, in the task's own process and without a change to what it tests.

A run's configuration says where and how: `{"sabotage": {"task": "launch", "step": "before_post", "blow": "SIGKILL"}}`.
The blow falls once, on the first try of the first of the mapped tasks. `unseen` lets the platform hide the start.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

#: How much faster than the wall the clock of a waiting task runs: two minutes of settling take six seconds.
HASTE = 20.0


class HastyTime:
    """Stands in for the module `time`, the one thing that is faked: waiting takes a fraction of its time."""

    def __init__(self, haste: float) -> None:
        self._haste = haste

    def time(self) -> float:
        """The wall's."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait for a fraction of it."""
        time.sleep(seconds / self._haste)

    def monotonic(self) -> float:
        """Runs as much faster as `sleep` is shorter."""
        return time.monotonic() * self._haste


class Blow:
    """What happens to the process, once.

    Args:
        kind: SIGKILL, SIGTERM, `worker` (SIGKILL of the task and of the worker that looks after it), or `error` (an
            exception).
        admin: the sandbox's own endpoints.
    """

    def __init__(self, kind: str, admin: str) -> None:
        self._kind = kind
        self._admin = admin
        self._fallen = False

    def __call__(self) -> None:
        """Fall, unless fallen before."""
        if self._fallen:
            return
        self._fallen = True
        match self._kind:
            case "worker":
                os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
            case "error":
                raise RuntimeError("Sabotage.")
            case number:
                os.kill(os.getpid(), signal.Signals[number])

    def falls_when_the_sandbox_has_acted(self) -> None:
        """Fall as soon as the sandbox has done what is asked next; it is told to take its time with the answer."""
        before = self._acts()

        def wait() -> None:
            while self._acts() == before:
                time.sleep(0.05)
            self()

        threading.Thread(target=wait, daemon=True).start()

    def _acts(self) -> list[tuple[str, int, int]]:
        """Which lists there are, how often each was started, and how many people are on it."""
        state = httpx.get(f"{self._admin}/state", params={"calls": False}).raise_for_status().json()
        return [(campaign["id"], campaign["launches"], campaign["contacts"]) for campaign in state["campaigns"]]


def arm(context: Mapping[str, Any]) -> None:
    """The tasks' `pre_execute`: hurry the clock, and lay the trap where this attempt is the one to be struck."""
    from ringg_provider.operators import launching, waiting

    plan, ti = context["dag_run"].conf["sabotage"], context["ti"]
    launching.time = waiting.time = HastyTime(plan["haste"])  # type: ignore[assignment]
    if ti.map_index > 0 or ti.try_number > 1:
        return
    if ti.task_id == "launch" and plan["unseen"]:
        _at_platform(_before, "start")(lambda: _hide_start(plan["admin"], _item(context["task"])["list_id"]))
    if ti.task_id == plan.get("task"):
        _TRAPS[plan["step"]](Blow(plan["blow"], plan["admin"]))


def _item(task: Any) -> Mapping[str, Any]:
    """The list that the task launches."""
    item: Mapping[str, Any] = task.launch if hasattr(task, "launch") else task.campaign_id
    return item


def _hide_start(admin: str, list_id: str) -> None:
    """From now on the platform calls the list a draft, whatever becomes of it."""
    httpx.patch(f"{admin}/settings", json={"forced_statuses": {list_id: "draft"}}).raise_for_status()


def _before(owner: type, method: str, blow: Callable[[], None]) -> None:
    original = getattr(owner, method)

    def struck(*args: Any, **kwargs: Any) -> Any:
        blow()
        return original(*args, **kwargs)

    setattr(owner, method, struck)


def _after(owner: type, method: str, blow: Callable[[], None]) -> None:
    original = getattr(owner, method)

    def struck(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        blow()
        return result

    setattr(owner, method, struck)


def _during(owner: type, method: str, blow: Blow) -> None:
    original = getattr(owner, method)

    def struck(*args: Any, **kwargs: Any) -> Any:
        blow.falls_when_the_sandbox_has_acted()
        return original(*args, **kwargs)

    setattr(owner, method, struck)


def _at_stores(when: Callable[..., None], method: str) -> Callable[[Any], None]:
    def trap(blow: Any) -> None:
        from ringg_provider.launch.keyed import KeyedIntents
        from ringg_provider.operators.intents import NoIntents, TaskStateIntents

        for store in (KeyedIntents, TaskStateIntents, NoIntents):
            when(store, method, blow)

    return trap


def _at_platform(when: Callable[..., None], method: str) -> Callable[[Any], None]:
    def trap(blow: Any) -> None:
        from ringg_provider.ringg.campaigns import RinggLaunchTarget
        from ringg_provider.smartalex.campaigns import SmartAlexLaunchTarget

        when(RinggLaunchTarget, method, blow)
        when(SmartAlexLaunchTarget, method, blow)

    return trap


def _at_upload(when: Callable[..., None]) -> Callable[[Any], None]:
    def trap(blow: Any) -> None:
        from ringg_provider.ringg import RinggClient
        from ringg_provider.smartalex import SmartAlexClient

        when(SmartAlexClient, "add_contacts", blow)
        when(RinggClient, "save_campaign", blow)
        when(RinggClient, "upload_csv", blow)

    return trap


def _at_set(blow: Callable[[], None]) -> None:
    from ringg_provider.launch.ledger import LaunchLedger

    _before(LaunchLedger, "replace_set", blow)


def _at_waiting(blow: Callable[[], None]) -> None:
    """A sync task is struck at its first look at the campaign, a deferrable one when it comes back."""
    from ringg_provider.operators.ringg import RinggLaunchOperator
    from ringg_provider.operators.smartalex import SmartAlexStartCampaignOperator

    for operator in (RinggLaunchOperator, SmartAlexStartCampaignOperator):
        _before(operator, "read_progress", blow)
        _before(operator, "execute_complete", blow)


def _at_reservations(when: Callable[..., None], method: str) -> Callable[[Any], None]:
    def trap(blow: Any) -> None:
        from ringg_provider.launch.reservations import Reservations

        when(Reservations, method, blow)

    return trap


def _between_waves(blow: Callable[[], None]) -> None:
    from ringg_provider.launch.course import Course

    _after(Course, "leaves", blow)


_TRAPS: dict[str, Callable[[Any], None]] = {
    "during_upload": _at_upload(_during),
    "between_uploads": _at_upload(_after),
    "before_set": _at_set,
    "before_look": _at_platform(_before, "look"),
    "before_intent": _at_stores(_before, "claim"),
    "before_post": _at_platform(_before, "start"),
    "during_post": _at_platform(_during, "start"),
    "after_answer": _at_platform(_after, "start"),
    "after_confirm": _at_stores(_after, "confirm"),
    "while_waiting": _at_waiting,
    # Of a rollout.
    "after_reserve": _at_reservations(_after, "reserve"),
    "before_settle": _at_reservations(_before, "settle"),
    "between_waves": _between_waves,
}
