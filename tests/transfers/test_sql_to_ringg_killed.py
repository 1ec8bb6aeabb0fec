"""Tasks that are told to stop, or killed: their files are gone, and a retry leaves the tables as if nothing was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.databases import Warehouse

# What Airflow's task runner does with SIGTERM: it calls on_kill and lets execute go on.
TASK = """
import json, os, signal
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

class TaskInstance:
    dag_id, run_id, task_id, map_index = "dag", "run", "lists", -1
    def xcom_push(self, key, value): pass

operator = SqlToRinggOperator(
    task_id="lists", sql_conn_id="warehouse", ringg_conn_id="ringg_sandbox", campaign_name="Killed",
    agent_id="22222222-2222-4222-8222-222222222222", phone_column="phone", variables_map={"callee_name": "name"},
    country_code="+91", contacts_table="ringg_contacts",
    call_config={"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}},
    **json.loads(os.environ["OPTIONS"]),
)
signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
operator.execute({"ti": TaskInstance()})
"""

SLOW = """
SELECT '+9198' || lpad(n::text, 8, '0') AS phone, 'x' AS name
FROM generate_series(1, 60000) AS n, LATERAL (SELECT pg_sleep(CASE WHEN n % 100 = 0 THEN 0.05 ELSE 0 END)) AS s
"""


@contextmanager
def running_task(scratch: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """The operator in a process of its own; killed at the end, if it still runs."""
    scratch.mkdir()
    environment = {
        **os.environ, "TMPDIR": str(scratch), "PYTHONWARNINGS": "ignore", "OPTIONS": json.dumps(options)
    }  # fmt: skip
    command = [sys.executable, "-c", TASK]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2], **pipes) as task:
        try:
            yield task
        finally:
            task.kill()


@pytest.mark.slow
def test_sigterm_removes_the_files_at_once_and_uploads_nothing(
    warehouse: Warehouse, sandbox: Any, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    with running_task(scratch, sql=SLOW) as task:
        _wait(lambda: any(scratch.glob("*/contacts-1.csv")), task)
        assert {oct(file.stat().st_mode)[-3:] for file in scratch.glob("ringg-contacts-*/*")} == {"600"}
        task.send_signal(signal.SIGTERM)
        _wait(lambda: not any(scratch.iterdir()), task)
        output, _ = task.communicate(timeout=60)
    assert task.returncode == 1
    assert "Stopped: The task was told to stop" in output
    assert list(scratch.iterdir()) == []
    assert sandbox.state()["campaigns"] == []
    assert _people(warehouse) == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["between two uploads", "in the people ledger"])
@pytest.mark.parametrize("kind", ["warehouse", "sqlite_warehouse"])
def test_the_tables_after_a_kill_and_a_retry_equal_those_of_a_run_without(
    kind: str, moment: str, request: pytest.FixtureRequest, sandbox: Any, tmp_path: Path
) -> None:
    database: Warehouse = request.getfixturevalue(kind)
    database.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT, name TEXT)")
    cells = [f"98765432{number:02d}" for number in range(25)] + ["N/A", "9876543200", ""]
    rows = [{"id": number, "phone": cell} for number, cell in enumerate(cells)]
    database.execute("INSERT INTO people VALUES (:id, :phone, 'x')", rows)
    options = {
        "sql": "SELECT phone, name FROM people ORDER BY id",
        "max_rows_per_list": 10,
        "ledger_conn_id": "warehouse",
    }

    def run(name: str) -> None:
        with running_task(tmp_path / name, launch_key="key", **options) as task:
            output, _ = task.communicate(timeout=120)
        assert task.returncode == 0, output

    def uploads() -> int:
        return len(sandbox.state()["campaigns"])

    run("whole")  # makes the tables, and tells what they are to look like
    expected = _people(database)
    assert len(expected) == len(cells)
    for table in ("ringg_contacts", "ringg_launches"):
        database.execute(f"DELETE FROM {table}")

    with running_task(tmp_path / "killed", launch_key="key", **options) as task:
        before = uploads()
        if moment == "between two uploads":
            sandbox.fault(method="POST", path="/campaign/save", kind="latency", seconds=30, skip=1)
            _wait(lambda: uploads() == before + 1, task)
            time.sleep(0.5)
        else:
            # Whoever holds the table, after it was tried, makes the task wait in the middle of its writing.
            sandbox.fault(method="POST", path="/campaign/save", kind="latency", seconds=3, skip=1)
            with database.engine.connect() as connection:
                _wait(lambda: uploads() == before + 1, task)
                locked = connection.begin()
                connection.execute(sa.text(_HOLD[kind]))
                _wait(lambda: uploads() == before + 3, task)
                time.sleep(1)
                assert task.poll() is None, "it was to wait for the table"
                task.kill()
                task.wait(30)
                locked.rollback()
    assert task.returncode == -signal.SIGKILL
    assert _people(database) == []
    sandbox.clear_faults()

    run("retry")
    assert _people(database) == expected
    listed = database.query("SELECT count(*) AS lists FROM ringg_launches WHERE state = 'listed'")
    assert listed == [{"lists": 3}]


_HOLD = {
    "warehouse": "LOCK TABLE ringg_contacts IN SHARE ROW EXCLUSIVE MODE",
    "sqlite_warehouse": "DELETE FROM ringg_contacts",
}


def _people(database: Warehouse) -> list[tuple[Any, ...]]:
    """The people ledger, with the numbers on a list in the place of the list's id, which the platform makes up."""
    columns = "launch_key, contact_key, occurrence, phone, disposition, detail"
    on_list = "(SELECT min(o.phone) FROM ringg_contacts o WHERE o.list_id = c.list_id)"
    rows = database.query(f"SELECT {columns}, {on_list} AS list_of FROM ringg_contacts c ORDER BY 1, 2, 3")
    return [tuple(row.values()) for row in rows]


def _wait(condition: Callable[[], bool], task: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert task.poll() is None, task.stdout.read() if task.stdout else ""
        assert time.monotonic() < deadline
        time.sleep(0.02)
