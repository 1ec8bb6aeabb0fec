"""What only a whole Airflow does: the run that unpausing makes, deadlines that pass, and callbacks of failures."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pendulum
import pytest
import sqlalchemy as sa

from demo import contacts
from demo.airflow import USER, Airflow
from demo.postgres import EmbeddedPostgres
from demo.processes import Processes
from tests.support.dags import AIRFLOW, EXAMPLES
from tests.support.operations import Operations
from tests.support.sandbox import Sandbox, running_sandbox, where_it_is

# All of them in one process, so that one Airflow serves them all.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("running Airflow")]

ZONE = "Asia/Kolkata"
NIGHTLY, ALERTED, FAILING = "ringg_nightly_campaign", "ringg_alerted_campaign", "ringg_failing_campaign"
HISTORY, NEW_CALLS, BATCHED = "ringg_call_history", "ringg_new_calls", "ringg_new_calls_batched"
SETTING = 'os.environ["AIRFLOW__SCHEDULER__BATCH_ASSET_EVENTS"]'
BATCH = f'import os\n\n{SETTING} = "True"\n\nimport pendulum'


@dataclass(frozen=True)
class Running:
    """An Airflow with the examples below, and the sandbox that they call."""

    airflow: Airflow
    processes: Processes
    api: Operations
    sandbox: Sandbox
    warehouse: sa.Engine
    folder: Path

    def logged(self, text: str) -> str | None:
        """The first line with a text, of any log of any process."""
        for file in self.folder.rglob("*.log"):
            found = [line for line in file.read_text(errors="replace").splitlines() if text in line]
            if found:
                return found[0]
        return None

    def announce_calls(self) -> None:
        """Let calls be made, and the history of calls be loaded, by an example that runs without a scheduler."""
        self.sandbox.admin.post("/_sandbox/seed/calls", json={"count": 40, "hours": 0.001}).raise_for_status()
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "dags", "test", HISTORY],
            env=self.airflow.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert not done.returncode, done.stdout[-4000:] + done.stderr[-4000:]


def until(told: Callable[[], Any], what: str, timeout: float = 300) -> Any:
    """What a question is answered with, once it is answered; a machine that is busy may take its time."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with suppress(httpx.TimeoutException):
            if answer := told():
                return answer
        time.sleep(1)
    raise AssertionError(f"not within {timeout:.0f} s: {what}")


def _example(dag_id: str, **changes: str) -> str:
    source = (EXAMPLES / f"{dag_id}.py").read_text()
    for old, new in changes.items():
        assert old in source, old
        source = source.replace(old, new)
    return source


def _dags() -> dict[str, str]:
    zone = where_it_is(12)
    soon = {
        '"Asia/Kolkata", "19:00"': f'"{zone}", "{pendulum.now(zone) + timedelta(minutes=30):%H:%M}"',
        '"10:00", "call_end_time": CLOSES': '"00:00", "call_end_time": "23:59"',
        '        purpose="survey",\n': "",
    }
    # The night was four to five hours ago.
    night = {'"0 2 * * *"': '"0 8 * * *"'}
    return {
        # The hours of India say nothing about a campaign in that zone.
        NIGHTLY: _example(NIGHTLY, **night, **{f'"{ZONE}"': f'"{zone}"', 'PURPOSE = "promotional"': "PURPOSE = None"}),
        # An hour before the closing was half an hour ago; Airflow 3.1, which knows no closing, counts from the start.
        ALERTED: _example(ALERTED, **night, **soon, **{"timedelta(hours=16)": "timedelta(seconds=5)"}),
        # With a key of its own: under the other's it would only take over what that one has launched.
        FAILING: _example(
            ALERTED,
            **soon,
            **{
                ALERTED: FAILING,
                "alerted-survey": "failing-survey",
                "22222222-2222": "00000000-0000",
                '"retries": 2': '"retries": 0',
            },
        ),
        HISTORY: _example(HISTORY),
        NEW_CALLS: _example(NEW_CALLS),
        # The setting is read where a DAG is, before Airflow 3.4 by nobody; one process may read other files after this.
        BATCHED: _example(NEW_CALLS, **{"import pendulum": BATCH, NEW_CALLS: BATCHED}) + f"\ndel {SETTING}\n",
    }


@pytest.fixture(scope="module")
def running(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for the module; time passes in the sandbox as it does here, so that a campaign lasts."""
    folder = tmp_path_factory.mktemp("airflow")
    dags = folder / "dags"
    dags.mkdir()
    for name, source in _dags().items():
        (dags / f"{name}.py").write_text(source)
    warehouse = sa.create_engine(postgres.create_database("running_airflow"))
    contacts.load(warehouse, 200)
    with ExitStack() as stack:
        stack.callback(warehouse.dispose)
        sandbox = stack.enter_context(running_sandbox(speed=1))
        processes = stack.enter_context(Processes(folder / "processes"))
        connection = {"conn_type": "ringg", "host": sandbox.base_url, "password": sandbox.api_key}
        airflow = Airflow(
            folder / "airflow",
            dags,
            postgres.create_airflow_database(),
            {
                "AIRFLOW_CONN_RINGG_SANDBOX": json.dumps(connection),
                "AIRFLOW_CONN_WAREHOUSE": postgres.airflow_connection("running_airflow"),
            },
        )
        airflow.prepare()
        airflow.start(processes, timeout=300)
        api = Operations(airflow.url, USER, airflow.password)
        api.make_pool("ringg_history", 1, "Readers of Ringg's call history")
        for name in _dags():
            api.wait_for_dag(name, timeout=180)
        yield Running(airflow, processes, api, sandbox, warehouse, folder)


def _uploads(sandbox: Sandbox) -> int:
    return sum(request["method"] == "POST" and "/campaign/" in request["path"] for request in sandbox.requests())


def test_unpausing_an_example_whose_night_has_passed_calls_nobody_and_triggering_it_does(running: Running) -> None:
    api, sandbox = running.api, running.sandbox
    before = _uploads(sandbox)
    api.unpause(NIGHTLY)
    (run_id,) = until(lambda: [run for run, kind in api.runs(NIGHTLY).items() if kind == "scheduled"], "a run is made")
    state = until(lambda: (now := api.run_state(NIGHTLY, run_id)) in {"success", "failed"} and now, "the run ends")
    tasks = {task["task_id"]: task for task in api.tasks(NIGHTLY, run_id)}
    assert (state, tasks["upload_contacts"]["state"]) == ("success", "skipped"), tasks
    log = api.log(NIGHTLY, run_id, tasks["upload_contacts"])
    log += running.logged("Nobody is called: this run was due at") or ""
    assert "at most 2.0 h are allowed (max_delay). To call after all, trigger the DAG, or clear this run." in log
    assert not {"failed", "upstream_failed"} & {task["state"] for task in tasks.values()}
    assert _uploads(sandbox) == before

    api.trigger(NIGHTLY)
    until(lambda: _uploads(sandbox) >= before + 2, "what is triggered by hand uploads and starts")
    place = running.warehouse.url
    people = f"postgres://{place.host}:{place.port}/{place.database}/public/ringg_contacts"
    until(lambda: people in api.assets(), "the table of its people is an asset")
    assert [uri for uri in api.assets() if uri.startswith("ringg://") and "/campaigns/" in uri]


def test_a_campaign_that_has_not_ended_an_hour_before_the_hours_close_is_told(running: Running) -> None:
    run_id = running.api.trigger(ALERTED)
    told = until(lambda: running.logged(f"ALERT {ALERTED} {run_id}: not ended an hour before"), "the deadline's alert")
    assert "+91" not in told
    assert running.api.run_state(ALERTED, run_id) in {"queued", "running"}, "the run goes on"
    (missed,) = [run for run, kind in running.api.runs(ALERTED).items() if kind == "scheduled"]
    until(lambda: running.logged(f"ALERT {ALERTED} {missed}: nobody was called"), "the missed night's alert")


def test_a_run_that_fails_is_told(running: Running) -> None:
    run_id = running.api.trigger(FAILING)
    until(lambda: running.logged(f"ALERT {FAILING} {run_id}: failed"), "the failure's alert")
    assert running.api.run_state(FAILING, run_id) == "failed"


def test_whether_airflow_makes_a_run_of_each_announcement_or_of_all_each_callback_is_counted_once(
    running: Running,
) -> None:
    api = running.api
    for dag_id in (NEW_CALLS, BATCHED):
        api.unpause(dag_id)
    # Who is not there to see them one by one finds two announcements waiting.
    running.processes.end("scheduler")
    running.announce_calls()
    running.announce_calls()
    running.airflow.start_scheduler(running.processes)

    def counted(dag_id: str) -> list[dict[str, int]]:
        found = [api.xcom(dag_id, run_id, "count_callbacks") for run_id in api.runs(dag_id)]
        return [told for told in found if told]

    def announcements(dag_id: str) -> int:
        return sum(told["announcements"] for told in counted(dag_id))

    until(lambda: announcements(NEW_CALLS) and announcements(BATCHED), "they have runs")
    # Where announcements share a run, Airflow gives it the first one; the others are the next one's.
    running.announce_calls()
    until(lambda: announcements(NEW_CALLS) == announcements(BATCHED) == 3, "each announcement has its run")
    assert (len(counted(NEW_CALLS)) == 3) is (AIRFLOW >= (3, 4))
    assert len(counted(BATCHED)) < 3
    with running.warehouse.connect() as connection:
        wanted = connection.scalar(sa.text("SELECT count(*) FROM ringg_calls WHERE callback_requested"))
    assert wanted
    assert {sum(told["callbacks"] for told in counted(dag_id)) for dag_id in (NEW_CALLS, BATCHED)} == {wanted}
