"""Sets the stage: a warehouse with contacts, the sandbox, and an Airflow wired to both; clears it away in the end."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa

from demo import contacts
from demo.airflow import Airflow, AirflowApi
from demo.postgres import EmbeddedPostgres
from demo.processes import Processes

ROOT = Path(__file__).parents[1]
API_KEY = "sandbox-key"
#: Seconds that pass in the sandbox with every second of ours: also at night the calling hours open soon.
SPEED = 1800

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """What is running.

    Attributes:
        airflow: the Airflow and how to log in to it.
        api: its REST API, logged in.
        warehouse: the database that holds contacts, lists and calls.
        sandbox: the sandbox's own endpoints.
        people: how many contacts there are.
        survey_csv: the contacts of the survey as a file, for the DAG that takes one.
    """

    airflow: Airflow
    api: AirflowApi
    warehouse: sa.Engine
    sandbox: httpx.Client
    processes: Processes
    people: int
    survey_csv: Path


@contextmanager
def set_stage(folder: Path, dags: Path, generation: str, say: Say, *, schedules: bool) -> Iterator[Stage]:
    """Start everything, hand it over, and leave no process behind, whatever happens in between.

    Args:
        folder: where all data and logs go; emptied first, and kept afterwards for a look.
        dags: Airflow's DAGs folder.
        generation: of the API that the sandbox speaks, "g2" or "g3".
        say: gets one line per step.
        schedules: whether unpaused DAGs run by their schedule too. The story triggers its runs, and one that the
            schedule adds would take their turn.

    Raises:
        StageTaken: another demo uses the folder.
        AirflowError: Airflow did not come up.
        ProcessEnded: one of the processes ended.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    with _owned(folder), _postgres(folder) as postgres, _processes(folder / "processes") as processes:
        warehouse = sa.create_engine(postgres.create_database("warehouse"))
        people = contacts.load(warehouse)
        say(f"PostgreSQL is up; its table contacts has {people:,} people in it")

        window = str(60 / SPEED)
        told = ("--generation", generation, "--speed", str(SPEED), "--history-rate-window-seconds", window)
        origin = start_sandbox(processes, *told)
        say(f"The sandbox is up at {origin}: generation {generation}, {SPEED // 60} minutes pass in a second")

        airflow = Airflow(
            folder / "airflow",
            dags,
            postgres.create_airflow_database(),
            {
                "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(schedules),
                "AIRFLOW__RINGG__STATE_CONN_ID": "warehouse",
                "AIRFLOW_CONN_WAREHOUSE": postgres.airflow_connection("warehouse"),
                "AIRFLOW_CONN_RINGG_SANDBOX": json.dumps(
                    {
                        "conn_type": "ringg",
                        "host": f"{origin}/ca/api/v0",
                        "password": API_KEY,
                        # Ten requests in a minute of the sandbox's time.
                        "extra": {"history_requests_per_minute": 10 * SPEED},
                    }
                ),
            },
        )
        airflow.prepare()
        api = airflow.start(processes)
        api.make_pool("ringg_history", 1, "Readers of Ringg's call history")
        say(f"Airflow is up at {airflow.url}: API server, scheduler, DAG processor, triggerer")
        with httpx.Client(base_url=f"{origin}/_sandbox", timeout=30) as sandbox:
            survey = _export_survey(warehouse, folder / "survey.csv")
            yield Stage(airflow, api, warehouse, sandbox, processes, people, survey)


def start_sandbox(processes: Processes, *options: str) -> str:
    """Start a sandbox as a process of its own.

    Args:
        processes: that it belongs to from now on.
        options: of its command line.

    Returns:
        Its origin.
    """
    command = [sys.executable, "-m", "ringg_provider.sandbox", "--port", "0", *options]
    log = processes.start("sandbox", command, os.environ)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if line.startswith("sandbox listening on "):
                return line.split()[-1]
        processes.check()
        time.sleep(0.05)
    raise RuntimeError(f"the sandbox did not start within 30 s; its log is {log}")


def _export_survey(warehouse: sa.Engine, file: Path) -> Path:
    """The people of the survey as a CSV: nobody of another country, nobody who opted out, nobody twice."""
    statement = sa.text(r"""
        WITH survey AS (
            SELECT contact_id, full_name, regexp_replace(trim(phone), '^00', '+') AS phone,
                   right(regexp_replace(phone, '\D', '', 'g'), 10) AS national
            FROM contacts
            WHERE segment = 'survey' AND trim(phone) <> ''
        )
        SELECT DISTINCT ON (national) phone, regexp_replace(coalesce(full_name, ''), '[[:cntrl:]]', '', 'g')
        FROM survey
        WHERE phone !~ '^\(?\+(?!91)'
          AND national NOT IN (SELECT right(regexp_replace(phone, '\D', '', 'g'), 10) FROM do_not_call)
        ORDER BY national, contact_id
    """)
    with warehouse.connect() as connection, file.open("w", newline="", encoding="utf-8") as output:
        rows: list[Any] = list(connection.execute(statement))
        writer = csv.writer(output)
        writer.writerow(["Mobile Number", "Name"])
        writer.writerows(rows)
    return file


class StageTaken(RuntimeError):
    """Another demo uses the folder at this moment."""


@contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """Empty the folder, and keep everybody else from doing so while we use it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageTaken(f"Another demo is running in {folder}; end that one first.") from None
        for found in folder.iterdir():
            if found.is_dir():
                shutil.rmtree(found)
            elif found.name != "lock":
                found.unlink()
        yield


@contextmanager
def _postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(folder / "postgres") as server:
        try:
            yield server
        finally:
            _be_deaf()


@contextmanager
def _processes(logs: Path) -> Iterator[Processes]:
    with Processes(logs) as processes:
        try:
            yield processes
        finally:
            _be_deaf()


def _be_deaf() -> None:
    """A second Ctrl-C must not interrupt the clearing away."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def left_behind() -> list[str]:
    """The names of processes that still descend from this one; none after a stage was cleared."""
    children = psutil.Process().children(recursive=True)
    return [child.name() for child in children if child.status() != psutil.STATUS_ZOMBIE]
