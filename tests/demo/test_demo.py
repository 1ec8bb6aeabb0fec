"""`make demo`, as somebody runs it: a whole run, Ctrl-C, and a failure."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from demo.contacts import generate
from demo.postgres import EmbeddedPostgres

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


class Demo:
    """One run of the demo as a process of its own, in a folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.mkdir()
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # So it is where the tests run in the background, and what ignores Ctrl-C hands that down.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.log = folder / "terminal.txt"
        with self.log.open("w") as terminal:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo", "run", "--folder", folder / "stage", *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str, timeout: float = 300) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)

    def end(self, timeout: float) -> int:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(60)
            pytest.fail(f"the demo took longer than {timeout} s:\n{self.output}")

    def living(self) -> list[str]:
        """What still runs with this demo's folder in its command line or environment."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = " ".join([*process.cmdline(), *process.environ().values()])
                alive = process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid()
                if alive and str(self.folder) in words:
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
        return found

    def listening(self) -> list[str]:
        """Which of the servers that the demo named still take connections."""
        found = []
        for port in set(re.findall(r"http://127\.0\.0\.1:(\d+)", self.output)):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                    found.append(port)
        return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below `tmp_path`, which another pytest run closes to everybody but its user while PostgreSQL runs as one."""
    made = Path(tempfile.mkdtemp(prefix="ringg-demo-"))
    yield made / "demo"
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.timeout(660)
def test_the_demo_runs_both_campaigns_and_leaves_no_process(folder: Path) -> None:
    demo = Demo(folder)
    assert demo.end(600) == 0, demo.output

    output = demo.output
    for run in ("nightly", "large"):
        assert re.search(rf"{run} \| the run succeeded", output)
    # The preflight of the demo's data, as the person reads it who says yes.
    assert re.search(r"Preflight: all is well for 3,\d{3} contacts on 1 list: no error, no warning", output), output
    assert re.search(r"✅ ok +feasibility +All 3,\d{3} contacts can be reached by", output)
    assert "approve: answered with yes, through Airflow's API" in output
    dispositions = {
        name: int(count.replace(",", "")) for name, count in re.findall(r"│ (\w+) +│ +([\d,]+) │\n", output)
    }
    assert dispositions.pop("all") == sum(dispositions.values()) > 2000
    assert dispositions["listed"] > 1500
    assert {"suppressed", "duplicate", "other_country", "phone_missing"} <= set(dispositions)
    assert re.search(r"│ completed │ ACCEPTED +│ +\d", output)
    assert "Numbers that one campaign called twice: 0" in output
    assert len(re.findall(r"│ \+91\*{8}\d\d │ completed", output)) == 10
    assert re.search(r"\+91[6-9]\d{9}", output) is None, "a whole phone number is on the terminal"
    assert "no process is left" in output
    assert (demo.living(), demo.listening()) == ([], [])
    assert personal_in([*files(demo.folder / "stage" / "airflow"), *rows(demo.folder / "stage" / "postgres")]) == set()


def files(folder: Path) -> list[str]:
    return [file.read_bytes().decode("latin-1") for file in folder.rglob("*") if file.is_file()]


def rows(folder: Path) -> list[str]:
    """Every row of Airflow's own database, which the demo left in the data folder of its PostgreSQL."""
    found = []
    with EmbeddedPostgres(folder) as server, psycopg.connect(server.url("airflow", driver="postgresql")) as connection:
        for (table,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))):
                found += [cell.decode("latin-1") if isinstance(cell, bytes) else str(cell) for cell in row]
    return found


def personal_in(texts: list[str]) -> set[str]:
    """The demo's numbers and names in what Airflow wrote: logs, and a database with XComs, confs and approvals."""
    people = list(generate())
    numbers = {re.sub(r"\D", "", person["phone"] or "")[-10:] for person in people}
    numbers = {number for number in numbers if len(number) == 10}
    names = {person["full_name"] for person in people if (person["full_name"] or "").strip()}
    assert len(numbers) > 5000
    # What must be there, or the search proves nothing: a conf, a result, and what the approval's answerer was shown.
    assert all(any(mark in text for text in texts) for mark in ("survey.csv", "list_id", "Preflight: "))
    found = {
        run[place : place + 10]
        for text in texts
        for run in re.findall(r"\d{10,}", text)
        for place in range(len(run) - 9)
    }
    words = {match[1] for text in texts for match in re.finditer(r"(?=\b([A-Z][a-z]+ [A-Z][a-z]+)\b)", text)}
    return (found & numbers) | (words & names)


@pytest.mark.timeout(480)
@pytest.mark.parametrize("moment", ["PostgreSQL is up", "triggered ringg_large_campaign"])
def test_ctrl_c_stops_everything(folder: Path, moment: str) -> None:
    demo = Demo(folder)
    demo.wait_for(moment)
    os.killpg(demo.process.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
    assert demo.end(120) == 130, demo.output
    assert "Interrupted." in demo.output
    assert "Traceback" not in demo.output
    assert (demo.living(), demo.listening()) == ([], [])


@pytest.mark.timeout(600)
def test_a_failure_prints_the_failed_tasks_log_and_stops_everything(folder: Path, tmp_path: Path) -> None:
    dags = shutil.copytree(ROOT / "example_dags", tmp_path / "dags")
    nightly = dags / "ringg_nightly_campaign.py"
    agent = "11111111-1111-4111-8111-111111111111"
    assert agent in nightly.read_text()
    nightly.write_text(nightly.read_text().replace(agent, "99999999-9999-4999-8999-999999999999"))

    demo = Demo(folder, "--dags", str(dags))
    assert demo.end(400) == 1, demo.output
    assert "ringg_nightly_campaign failed." in demo.output
    assert "The log of upload_contacts (failed) ends:" in demo.output
    assert "99999999-9999-4999-8999-999999999999" in demo.output
    assert (demo.living(), demo.listening()) == ([], [])
