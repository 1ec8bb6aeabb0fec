"""From a webhook on a socket to a row in the warehouse, in a whole Airflow; its triggerer killed, and a second one."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import conf

from demo.airflow import Airflow, AirflowApi
from demo.postgres import EmbeddedPostgres
from demo.processes import Processes
from demo.server import free_port
from ringg_provider.operators.ringg import RinggSetEventSubscriptionsOperator
from tests.sandbox.api import SURVEY, Api, contacts
from tests.support.dags import EXAMPLES
from tests.support.sandbox import Sandbox, running_sandbox

pytestmark = pytest.mark.slow

DAG, NEXT = "ringg_results_as_they_come", "ringg_new_calls"
ADDRESS = "https://calls.example.com"
SECRET = "a-secret-of-the-tests-0123456789"
INTERVAL = 4


@dataclass(frozen=True)
class Running:
    """An Airflow with the example, the inbox's receiver, and the sandbox that delivers."""

    airflow: Airflow
    api: AirflowApi
    processes: Processes
    sandbox: Sandbox
    warehouse: sa.Engine
    metadata: sa.Engine
    folder: Path

    def rows(self, query: str) -> list[dict[str, Any]]:
        with self.warehouse.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(query)).mappings()]

    def call(self, count: int, first: int) -> str:
        """Let a campaign call so many people, to its end."""
        api = Api(self.sandbox)
        try:
            return api.finished(contacts(count, first=first))
        finally:
            api.http.close()

    def until_known(self, list_id: str, count: int) -> None:
        """Until the warehouse knows how each of a campaign's calls ended."""
        known = f"SELECT call_id FROM ringg_calls WHERE bulk_list_id = '{list_id}' AND is_final"
        until(lambda: len(self.rows(known)) == count, f"{count} final calls of {list_id}")

    def logs(self) -> str:
        """All that any process wrote."""
        return "\n".join(file.read_text(errors="replace") for file in self.folder.rglob("*.log"))


def until(told: Callable[[], Any], what: str, timeout: float = 180) -> Any:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with suppress(httpx.TimeoutException, sa.exc.ProgrammingError):
            if answer := told():
                return answer
        time.sleep(0.5)
    raise AssertionError(f"not within {timeout:.0f} s: {what}")


@pytest.fixture(scope="module", params=["False", "True"], ids=["a run of each event", "batched"])
def running(
    request: pytest.FixtureRequest, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    if request.param == "False" and conf.get("scheduler", "batch_asset_events", fallback=None) is None:
        pytest.skip("before 3.4 Airflow makes one run of all events that wait")
    folder = tmp_path_factory.mktemp("inbox")
    dags = folder / "dags"
    dags.mkdir()
    source = (EXAMPLES / f"{DAG}.py").read_text()
    assert source.count("interval=30") == 1
    (dags / f"{DAG}.py").write_text(source.replace("interval=30", f"interval={INTERVAL}, poll_interval=0.5"))
    (dags / f"{NEXT}.py").write_text((EXAMPLES / f"{NEXT}.py").read_text())
    name = f"inbox_warehouse_{request.param.lower()}"
    warehouse = sa.create_engine(postgres.create_database(name))
    with ExitStack() as stack:
        stack.callback(warehouse.dispose)
        sandbox = stack.enter_context(running_sandbox(history_rate_window_seconds=0))
        processes = stack.enter_context(Processes(folder / "processes"))
        port = free_port()
        sandbox.settings(callback_origins={ADDRESS: f"http://127.0.0.1:{port}"})
        connection = {"conn_type": "ringg", "host": sandbox.base_url, "password": sandbox.api_key}
        variables = {
            "AIRFLOW_CONN_RINGG_SANDBOX": json.dumps({**connection, "extra": {"webhook_secret": SECRET}}),
            "AIRFLOW_CONN_WAREHOUSE": postgres.airflow_connection(name),
            # A watcher begins when its DAG's file is read for the first time after somebody has unpaused it.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__BATCH_ASSET_EVENTS": request.param,
        }
        database = postgres.create_airflow_database(f"airflow_{name}")
        metadata = sa.create_engine(database)
        stack.callback(metadata.dispose)
        airflow = Airflow(folder / "airflow", dags, database, variables)
        airflow.prepare()
        command = [sys.executable, "-c", "from ringg_provider.ui.inbox import main; main()"]  # ringg-inbox
        options = ["--state-conn-id", "warehouse", "--port", str(port)]
        processes.start("inbox", [*command, *options], airflow.environment)
        api = airflow.start(processes, timeout=300)
        for name in (DAG, NEXT):
            api.wait_for_dag(name, timeout=180)
            api.unpause(name)
        with pytest.MonkeyPatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value)
            RinggSetEventSubscriptionsOperator(
                task_id="subscribe",
                ringg_conn_id="ringg_sandbox",
                agent_id=SURVEY,
                subscriptions=[
                    {
                        "event_type": ["call_completed", "all_processing_completed"],
                        "callback_url": f"{ADDRESS}/ringg/webhooks/ringg_sandbox",
                    }
                ],
                secret_from="ringg_sandbox",
            ).execute({})
        yield Running(airflow, api, processes, sandbox, warehouse, metadata, folder)


def test_a_webhook_becomes_a_row_while_nobody_reads_the_history(running: Running) -> None:
    list_id = running.call(20, first=0)
    running.until_known(list_id, 20)
    assert not [asked for asked in running.sandbox.requests() if asked["path"].startswith("/calling")]
    attempts = running.rows("SELECT call_id, attempt FROM ringg_attempts")
    dialled = running.sandbox.dials()["lists"][list_id]["attempts"]
    assert len(attempts) == dialled
    until(lambda: [run for run, kind in running.api.runs(NEXT).items() if kind == "asset_triggered"], "the next DAG")


def test_a_triggerer_that_is_killed_loses_nothing(running: Running) -> None:
    for process in running.processes.members("triggerer"):
        process.send_signal(signal.SIGKILL)
    running.processes.end("triggerer")
    list_id = running.call(15, first=100)
    running.sandbox.deliveries()
    time.sleep(INTERVAL)
    running.airflow.start_triggerer(running.processes, "second")
    running.until_known(list_id, 15)


def test_two_triggerers_wake_once_for_each_delivery(running: Running) -> None:
    running.airflow.start_triggerer(running.processes, "third")
    lists = [running.call(10, first=200 + 10 * number) for number in range(3)]
    for list_id in lists:
        running.until_known(list_id, 10)
    per_call = "SELECT count(*) AS rows, count(DISTINCT call_id) AS calls FROM ringg_calls"
    assert running.rows(per_call) == [{"rows": 65, "calls": 65}]
    waiting = "SELECT count(*) AS n FROM ringg_inbox WHERE announced_at IS NULL OR applied_at IS NULL"
    until(lambda: running.rows(waiting) == [{"n": 0}], "everything to be told and applied")
    announced = running.rows("SELECT DISTINCT announced_at FROM ringg_inbox ORDER BY announced_at")
    moments: list[datetime] = [row["announced_at"] for row in announced]
    assert min((later - earlier).total_seconds() for earlier, later in pairwise(moments)) > INTERVAL - 0.5


def test_nothing_personal_is_in_any_log_nor_in_an_assets_event(running: Running) -> None:
    logs = running.logs()
    assert "Woken by" in logs
    assert SECRET not in logs
    assert not re.search(r"\+919876500\d{3}", logs)
    with running.metadata.connect() as connection:
        told = [json.dumps(extra) for extra in connection.execute(sa.text("SELECT extra FROM asset_event")).scalars()]
    assert any('"deliveries"' in each for each in told)
    assert not [each for each in told if "+91" in each]
