"""What can go wrong with a launch, in which combinations it is tried, and how each has to end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from itertools import product
from typing import Any

from allpairspy import AllPairs

from tests.faults.sabotage import HASTE

#: Below 3.3 there is no task state store: without a ledger no intent outlives a worker.
HAS_TASK_STATE_STORE = tuple(map(int, version("apache-airflow").split(".")[:2])) >= (3, 3)
START, UPLOAD = "{start}", "{upload}"
_PATHS = {
    "standard": {START: "/campaign/start", UPLOAD: "/campaign/save"},
    "large": {START: "/campaign/make-call-async", UPLOAD: "/campaign/upload-csv"},
    # The second platform, which has one flow.
    "smartalex": {START: "/campaigns/{id}/start", UPLOAD: "/campaigns/{id}/contacts"},
}


@dataclass(frozen=True)
class Schedule:
    """One combination: what is launched, how, with which memory, and what goes wrong."""

    flow: str
    generation: str
    mode: str
    fault: str
    store: str
    second_start: str

    def __str__(self) -> str:
        return f"{self.fault}-{self.flow}-{self.generation}-{self.mode}-{self.store}-{self.second_start}"

    @property
    def dag_id(self) -> str:
        """The DAG of `tests/faults/dags/launching.py`."""
        return f"launch_{self.flow}_{self.mode}_{self.store}"

    @property
    def ledger(self) -> bool:
        """Whether there is a launch key and a ledger."""
        return self.store == "ledger"

    @property
    def remembers(self) -> bool:
        """Whether what was about to be sent outlives the worker."""
        return self.ledger or HAS_TASK_STATE_STORE

    def path(self, name: str) -> str:
        """The vendor's path of the start or of the upload in this flow."""
        return _PATHS[self.flow][name]


@dataclass(frozen=True)
class Expected:
    """The one right ending.

    Attributes:
        state: of the run.
        error: the class of the error that fails the launch for good.
        starts: how many lists were started.
        campaigns: the state that the platform must show for every list that was started.
    """

    state: str = "success"
    error: str | None = None
    starts: int = 1
    campaigns: str = "completed"


SUCCESS = Expected()
#: Nothing was started, and whether it was cannot be told.
IN_DOUBT = Expected("failed", "LaunchOutcomeUnknown", starts=0)
#: It was started, and that cannot be told either.
STARTED_IN_DOUBT = Expected("failed", "LaunchOutcomeUnknown")
#: A person has stopped it.
STOPPED = Expected("failed", campaigns="terminated")


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and how that ends.

    Attributes:
        sabotage: where the task is struck and how; see `tests/faults/sabotage.py`.
        lies: faults of the sandbox; `{start}` and `{upload}` stand for the flow's paths.
        settings: of the sandbox.
        people: how many are called; more than two make a second list.
        patience: seconds that the client waits for an answer.
        unseen: whether the platform keeps calling the list a draft after its start.
        afterwards: what happens once the first run has ended, or in its middle; see `tests/faults/drills.py`.
        ends: how it must end.
        needs_ledger: whether it makes sense with a ledger only.
        strikes: whether the struck task needs another try.
        haste: how much faster the clock of a waiting task runs.
        needs_memory: whether it can end right only where what was to be sent outlives the worker.
    """

    ends: Callable[[Schedule], Expected] = lambda _: SUCCESS
    sabotage: tuple[str, str, str] | None = None
    lies: tuple[dict[str, Any], ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    people: int = 2
    patience: float | None = None
    unseen: bool = False
    afterwards: str | None = None
    needs_ledger: bool = False
    needs_memory: bool = False
    strikes: Callable[[Schedule], bool] = lambda _: True
    haste: float = HASTE


def _start(**lie: Any) -> tuple[dict[str, Any], ...]:
    return ({"method": "POST", "path": START, **lie},)


def _dies_between_intent_and_post(schedule: Schedule) -> Expected:
    return IN_DOUBT if schedule.remembers else SUCCESS


def _hidden(schedule: Schedule) -> Expected:
    if schedule.flow == "smartalex":
        return SUCCESS  # a campaign is asked for by its id, and no listing is needed
    if schedule.generation == "g3":
        return SUCCESS  # the upload status is answered for every list, before and after its start
    if schedule.flow == "standard":
        return STARTED_IN_DOUBT  # a draft that no listing shows is started; what then became of it, nothing tells
    return IN_DOUBT  # "completed" may mean processed or finished, and nothing else tells


def _drafts_are_hidden(schedule: Schedule) -> Expected:
    """What is shown nowhere is started; "completed" alone may mean that it was started before."""
    return IN_DOUBT if (schedule.flow, schedule.generation) == ("large", "g2") else SUCCESS


def _once_per_run(schedule: Schedule) -> Expected:
    """A new run is a new launch, except under a key."""
    return SUCCESS if schedule.ledger else Expected(starts=2)


_SLOW_START = _start(kind="latency", when="after", seconds=3.0)
_SLOW_UPLOAD = ({"method": "POST", "path": UPLOAD, "kind": "latency", "when": "after", "seconds": 3.0},)

FAULTS: dict[str, Fault] = {
    # SIGKILL, at every step.
    "kill_during_upload": Fault(sabotage=("upload", "during_upload", "SIGKILL"), lies=_SLOW_UPLOAD),
    "kill_between_uploads": Fault(
        lambda _: Expected(starts=2), sabotage=("upload", "between_uploads", "SIGKILL"), people=4
    ),
    "kill_before_set": Fault(sabotage=("upload", "before_set", "SIGKILL"), needs_ledger=True),
    "kill_before_look": Fault(sabotage=("launch", "before_look", "SIGKILL")),
    "kill_before_intent": Fault(sabotage=("launch", "before_intent", "SIGKILL")),
    "kill_before_post": Fault(_dies_between_intent_and_post, sabotage=("launch", "before_post", "SIGKILL")),
    "kill_during_post": Fault(sabotage=("launch", "during_post", "SIGKILL"), lies=_SLOW_START),
    "kill_during_post_unseen": Fault(
        lambda _: STARTED_IN_DOUBT,
        sabotage=("launch", "during_post", "SIGKILL"),
        lies=_SLOW_START,
        unseen=True,
        needs_memory=True,
    ),
    "kill_after_answer": Fault(sabotage=("launch", "after_answer", "SIGKILL")),
    "kill_after_confirm": Fault(sabotage=("launch", "after_confirm", "SIGKILL")),
    "kill_while_waiting": Fault(sabotage=("launch", "while_waiting", "SIGKILL")),
    "kill_worker_during_post": Fault(sabotage=("launch", "during_post", "worker"), lies=_SLOW_START),
    # SIGTERM, as an evicted worker gets it.
    "term_during_upload": Fault(sabotage=("upload", "during_upload", "SIGTERM"), lies=_SLOW_UPLOAD),
    "term_before_look": Fault(sabotage=("launch", "before_look", "SIGTERM")),
    "term_before_intent": Fault(sabotage=("launch", "before_intent", "SIGTERM")),
    "term_before_post": Fault(sabotage=("launch", "before_post", "SIGTERM")),
    # These campaigns are under way when it comes, so that it would show if they were stopped.
    "term_during_post": Fault(
        sabotage=("launch", "during_post", "SIGTERM"), lies=_SLOW_START, settings={"speed": 2}, afterwards="hurry"
    ),
    "term_after_answer": Fault(
        sabotage=("launch", "after_answer", "SIGTERM"), settings={"speed": 2}, afterwards="hurry"
    ),
    "term_while_waiting": Fault(
        sabotage=("launch", "while_waiting", "SIGTERM"),
        settings={"speed": 2},
        afterwards="hurry",
        strikes=lambda schedule: schedule.mode == "sync",  # what comes back from a deferral has only to end
    ),
    # Answers that are lost, late or wrong.
    "cut_before_acting": Fault(lambda _: IN_DOUBT, lies=_start(kind="cut", when="before")),
    "cut_after_acting": Fault(lies=_start(kind="cut", when="after")),
    "cut_during_answer": Fault(lies=_start(kind="cut", when="during")),
    "503_before_acting": Fault(lambda _: IN_DOUBT, lies=_start(kind="status", status=503)),
    "500_after_acting": Fault(lies=_start(kind="status", when="after", status=500)),
    "400_before_acting": Fault(
        lambda _: Expected("failed", "InvalidRequest", starts=0), lies=_start(kind="status", status=400)
    ),
    "429_before_acting": Fault(lies=_start(kind="status", status=429)),
    "time_out_before_acting": Fault(lies=_start(kind="latency", when="before", seconds=4.0), patience=2.0),
    "time_out_after_acting": Fault(lies=_start(kind="latency", when="after", seconds=4.0), patience=2.0),
    "500_and_acting_later": Fault(lies=_start(kind="late_effect", seconds=2.0, answer="status", status=500)),
    # Lists that hide or lag, while the answer is lost.
    "hidden": Fault(_hidden, lies=_start(kind="cut", when="after"), settings={"listing_hides": "all"}),
    "hidden_until_started": Fault(_drafts_are_hidden, settings={"listing_hides": "unstarted"}),
    "lagging": Fault(
        lies=_start(kind="cut", when="after"),
        settings={"listing_lag_seconds": 2.0, "upload_status_lag_seconds": 2.0},
    ),
    "cut_and_unseen": Fault(lambda _: STARTED_IN_DOUBT, lies=_start(kind="cut", when="after"), unseen=True),
    # What people and schedulers repeat.
    "error_then_retry": Fault(sabotage=("launch", "after_answer", "error")),
    "clear_task": Fault(afterwards="clear_task"),
    "clear_run": Fault(_once_per_run, afterwards="clear_run"),
    "clear_while_waiting": Fault(afterwards="clear_while_waiting", settings={"speed": 2}),
    "clear_when_in_doubt": Fault(
        _dies_between_intent_and_post, sabotage=("launch", "before_post", "SIGKILL"), afterwards="clear_task"
    ),
    # From 3.4 on Airflow discards with it what the task had noted.
    "clear_after_unseen_start": Fault(
        lambda _: STARTED_IN_DOUBT,
        sabotage=("launch", "during_post", "SIGKILL"),
        lies=_SLOW_START,
        unseen=True,
        afterwards="clear_task",
        needs_memory=True,
    ),
    "same_key_again": Fault(_once_per_run, afterwards="run_again"),
    "changed_contacts": Fault(
        lambda schedule: SUCCESS if schedule.ledger else Expected(starts=3), afterwards="run_again_with_more"
    ),
    "two_runs_racing": Fault(_once_per_run, afterwards="race"),
    "marked_success_while_waiting": Fault(afterwards="mark_success", settings={"speed": 2}),
    "marked_failed_while_waiting": Fault(lambda _: STOPPED, afterwards="mark_failed", settings={"speed": 2}),
    "marked_failed_during_post": Fault(
        lambda _: STOPPED,
        lies=_start(kind="latency", when="after", seconds=4.0),
        afterwards="mark_failed_during_post",
        settings={"speed": 2},
    ),
    # Two minutes of looking take half of one here, so that there is time to mark it.
    "marked_failed_while_in_doubt": Fault(
        lambda _: Expected("failed", "LaunchOutcomeUnknown", campaigns="terminated"),
        lies=_start(kind="cut", when="after"),
        unseen=True,
        afterwards="mark_failed_during_post",
        settings={"speed": 2},
        haste=4.0,
    ),
}

#: What an older Airflow must stand as well; the rest depends on nothing that Airflow's versions differ in.
CORE = (
    "kill_before_intent",
    "kill_before_post",
    "kill_during_post",
    "kill_during_post_unseen",
    "kill_while_waiting",
    "term_during_post",
    "cut_before_acting",
    "500_after_acting",
    "error_then_retry",
    "clear_task",
    "clear_while_waiting",
    "clear_when_in_doubt",
    "clear_after_unseen_start",
    "same_key_again",
    "two_runs_racing",
    "hidden_until_started",
    "marked_failed_while_waiting",
    "marked_failed_during_post",
)

_FACTORS = {
    "flow": ["standard", "large", "smartalex"],
    "generation": ["g2", "g3"],
    "mode": ["sync", "deferrable"],
    "fault": list(FAULTS if HAS_TASK_STATE_STORE else CORE),
    "store": ["ledger", "task"],
    # Whether the platform refuses a second start of a list by itself.
    "second_start": ["refused", "dials_again"],
}


def _is_possible(row: list[str]) -> bool:
    if len(row) <= list(_FACTORS).index("store"):
        return True
    fault, ledger = FAULTS[row[3]], row[4] == "ledger"
    if fault.needs_memory and not (ledger or HAS_TASK_STATE_STORE):
        return False
    return ledger or not fault.needs_ledger


@cache
def schedules() -> tuple[Schedule, ...]:
    """Those to be run: chosen pairwise, or with RINGG_FAULTS=full every one."""
    rows = product(*_FACTORS.values()) if os.environ.get("RINGG_FAULTS") == "full" else _pairwise()
    return tuple(Schedule(*row) for row in rows if _is_possible(list(row)))


def _pairwise() -> Iterator[list[str]]:
    return iter(AllPairs(list(_FACTORS.values()), filter_func=_is_possible))
