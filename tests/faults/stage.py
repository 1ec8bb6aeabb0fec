"""One real Airflow for all schedules, a sandbox of its own for each, and what a person does through the REST API."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import sqlalchemy as sa

from demo.airflow import USER, Airflow
from demo.postgres import EmbeddedPostgres
from demo.processes import Processes
from tests.faults.sabotage import HASTE
from tests.support.operations import Operations
from tests.support.sandbox import Sandbox, running_sandbox, where_it_is

DAGS = Path(__file__).parent / "dags"
#: Seconds that a run may take; one takes five to twenty on two idle cores.
PATIENCE = 300.0
#: Seconds between two heartbeats that the scheduler tolerates before it calls a task's worker dead.
WORKER_IS_DEAD_AFTER = 60
PEOPLE = 4


def is_start(entry: Mapping[str, Any]) -> bool:
    """Whether a request was to start a list, on either platform."""
    return bool(entry["method"] == "POST" and re.search(r"/start$|/make-call-async$", entry["path"]))


def is_look(entry: Mapping[str, Any]) -> bool:
    """Whether a request was to see how a campaign is, on either platform."""
    return entry["path"] == "/campaign/all" or (entry["method"] == "GET" and entry["path"].startswith("/campaigns"))


_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        state: "success" or "failed".
        errors: the errors of its failed tasks that are not to be retried, by the names of their classes.
    """

    state: str
    errors: frozenset[str]


class Stage:
    """The one Airflow, and the warehouse that is also the ledger's database.

    Args:
        airflow: the Airflow.
        api: its REST API.
        processes: its processes.
        warehouse: the database with people, ledger and budgets.
    """

    def __init__(self, airflow: Airflow, api: Operations, processes: Processes, warehouse: sa.Engine) -> None:
        self.airflow = airflow
        self.api = api
        self.processes = processes
        self.warehouse = warehouse
        self.is_over = Event()

    def replace_triggerer(self) -> None:
        """Another triggerer in the place of the one that runs; no schedule may be under way."""
        self.processes.end("triggerer")
        self.airflow.start_triggerer(self.processes)

    @contextmanager
    def campaign(self, dag_id: str, generation: str, timeout: float | None = None, **options: Any) -> Iterator[Drill]:
        """A sandbox and a connection to it, for the runs of one DAG.

        Args:
            dag_id: which DAG.
            generation: "g2" or "g3".
            timeout: seconds that the client waits for an answer; default its own.
            options: further settings of the sandbox.
        """
        # A history that may be read ten times a minute is not what is tested here, and time runs fast.
        options = {"history_rate_window_seconds": 0, **options}
        with running_sandbox(generation, **options) as sandbox:
            conn_id = f"ringg_{next(_numbers)}"
            platform = "smartalex" if "smartalex" in dag_id else "ringg"
            self.api.connect(conn_id, sandbox, timeout, platform)
            yield Drill(self, dag_id, conn_id, sandbox)


@dataclass(frozen=True)
class Drill:
    """What a schedule does with one sandbox.

    Attributes:
        stage: where.
        dag_id: the DAG that is run.
        conn_id: the connection to the sandbox, and the launch key.
        sandbox: the sandbox.
    """

    stage: Stage
    dag_id: str
    conn_id: str
    sandbox: Sandbox

    def run(self, *, people: int = 2, sabotage: Mapping[str, Any] | None = None) -> str:
        """Trigger a run.

        Args:
            people: how many are to be called; more than two make a second list.
            sabotage: see `tests/faults/sabotage.py`.
        """
        conf: dict[str, Any] = {
            "ringg": self.conn_id,
            "key": self.conn_id,
            "ledger": "warehouse",
            "people": ", ".join(map(str, range(1, people + 1))),
            "timezone": where_it_is(6),
            "sabotage": {"unseen": False, "haste": HASTE, **(sabotage or {}), "admin": f"{self.sandbox.url}/_sandbox"},
        }
        return self.stage.api.trigger(self.dag_id, conf)

    def ending(self, run_id: str) -> Ending:
        """Wait for the end of a run."""
        api = self.stage.api
        self.until(lambda: api.run_state(self.dag_id, run_id) in ("success", "failed"), f"{run_id} to end")
        errors = set()
        for task in api.tasks(self.dag_id, run_id):
            if task["state"] == "failed":
                errors.update(re.findall(r"AirflowFailException: (\w+):", api.log(self.dag_id, run_id, task)))
        return Ending(api.run_state(self.dag_id, run_id), frozenset(errors))

    def until_waiting(self, run_id: str) -> None:
        """Wait until the campaign is on and its task waits for the end: deferred, or sync and past the start."""
        state = "deferred" if "_deferrable_" in self.dag_id else "running"

        def waits() -> bool:
            entries = self.sandbox.requests()
            looks = [number for number, entry in enumerate(entries) if is_look(entry)]
            starts = [number for number, entry in enumerate(entries) if is_start(entry)]
            return (
                bool(starts and looks)
                and looks[-1] > starts[-1]
                and all(task["state"] == state for task in self.tasks(run_id, "launch"))
            )

        self.until(waits, f"{run_id} to wait for its campaign")

    @property
    def start_was_sent(self) -> bool:
        """Whether a start has reached the sandbox, answered or not."""
        return any(is_start(entry) for entry in self.sandbox.requests())

    def tasks(self, run_id: str, task_id: str) -> list[dict[str, Any]]:
        """The instances of a task."""
        return [task for task in self.stage.api.tasks(self.dag_id, run_id) if task["task_id"] == task_id]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something, within reason."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.stage.processes.check()
            assert not self.stage.is_over.is_set(), "the session was ended meanwhile"
            assert time.monotonic() < deadline, f"{self.dag_id}: waited {PATIENCE:.0f} s for {what}"
            time.sleep(0.7)


@contextmanager
def set_stage(postgres: EmbeddedPostgres, home: Path) -> Iterator[Stage]:
    """Start Airflow, and end all of it.

    Args:
        postgres: gets the warehouse.
        home: an empty folder.
    """
    engine = sa.create_engine(postgres.create_database("faults"))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE people (id integer PRIMARY KEY, phone text, name text)"))
        people = [{"id": n, "phone": f"+9198100000{n:02d}", "name": f"Person {n}"} for n in range(1, PEOPLE + 1)]
        connection.execute(sa.text("INSERT INTO people VALUES (:id, :phone, :name)"), people)
    airflow = Airflow(
        home,
        DAGS,
        postgres.create_airflow_database(),
        {
            "AIRFLOW_CONN_WAREHOUSE": postgres.airflow_connection("faults"),
            "AIRFLOW__CORE__PARALLELISM": "6",
            "AIRFLOW__CORE__FERNET_KEY": "cmluZ2ctcHJvdmlkZXItdGVzdHMtZmVybmV0LWtleS0=",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(WORKER_IS_DEAD_AFTER),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
    )
    airflow.prepare()
    try:
        with Processes(home / "processes") as processes:
            airflow.start(processes)
            api = Operations(airflow.url, USER, airflow.password)
            api.wait_for_dag("launch_large_deferrable_task")
            yield Stage(airflow, api, processes, engine)
    finally:
        engine.dispose()
        postgres.drop_database("faults")
        postgres.drop_database("airflow")
