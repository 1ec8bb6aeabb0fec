"""A task that is told to stop takes its files with it at once, before anybody kills it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.databases import Warehouse

# What Airflow's task runner does with SIGTERM: it calls on_kill and lets execute go on.
TASK = """
import os, signal
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

class TaskInstance:
    dag_id, run_id, task_id, map_index = "dag", "run", "lists", -1
    def xcom_push(self, key, value): pass

operator = SqlToRinggOperator(
    task_id="lists", sql_conn_id="warehouse", ringg_conn_id="ringg_sandbox", campaign_name="Killed",
    agent_id="22222222-2222-4222-8222-222222222222", phone_column="phone", variables_map={"callee_name": "name"},
    country_code="+91", contacts_table="ringg_contacts",
    call_config={"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}},
    sql="SELECT '+9198' || lpad(n::text, 8, '0') AS phone, 'x' AS name"
        " FROM generate_series(1, 60000) AS n,"
        " LATERAL (SELECT pg_sleep(CASE WHEN n % 100 = 0 THEN 0.05 ELSE 0 END)) AS s",
)
signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
operator.execute({"ti": TaskInstance()})
"""


def test_sigterm_removes_the_files_at_once_and_uploads_nothing(
    warehouse: Warehouse, sandbox: Any, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONWARNINGS": "ignore"}
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", TASK]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, cwd=root, **pipes) as task:
        try:
            _wait(lambda: any(scratch.glob("*/contacts-1.csv")), task)
            assert {oct(file.stat().st_mode)[-3:] for file in scratch.glob("ringg-contacts-*/*")} == {"600"}
            task.send_signal(signal.SIGTERM)
            _wait(lambda: not any(scratch.iterdir()), task)
            output, _ = task.communicate(timeout=60)
        finally:
            task.kill()
    assert task.returncode == 1
    assert "Stopped: The task was told to stop" in output
    assert list(scratch.iterdir()) == []
    assert sandbox.state()["campaigns"] == []
    assert "ringg_contacts" not in warehouse.tables()


def _wait(condition: Any, task: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert task.poll() is None, task.stdout.read() if task.stdout else ""
        assert time.monotonic() < deadline
        time.sleep(0.02)
