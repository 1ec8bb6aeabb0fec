"""An Airflow of its own for one DAG, run from its command line as a person would, and all that it writes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.support.environment import airflow_environment


@dataclass(frozen=True)
class AirflowHome:
    """A migrated Airflow with the DAG ``marked``.

    :param path: its folder.
    :param environment: of every command.
    """

    path: Path
    environment: dict[str, str]

    def airflow(self, *arguments: str) -> str:
        """Run a command; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def task_states(self) -> list[tuple[str, str]]:
        """Task and state of every task instance; what else identifies one differs from Airflow to Airflow."""
        with closing(sqlite3.connect(self.path / "airflow.db")) as connection:
            return connection.execute("SELECT task_id, state FROM task_instance").fetchall()

    def holding(self, marks: tuple[str, ...], output: str, *more: Path) -> list[str]:
        """Where any of the marks is: in what a command printed, in the home, or in further files.

        Airflow's own supervisor says at DEBUG which secrets it masks; that line is not ours to change.
        """
        files = [file for file in [*more, *self.path.rglob("*")] if file.is_file()]
        assert any(file.name == "airflow.db" for file in files)
        texts = {str(file): file.read_bytes().decode("utf-8", "ignore") for file in files}
        texts |= {f"output: {line}": line for line in output.splitlines() if "MaskSecret(" not in line}
        return [f"{mark} in {place}" for place, text in texts.items() for mark in marks if mark in text]


def home_of(folder: Path, dag: str, **environment: str) -> AirflowHome:
    """Make one.

    :param folder: where there is nothing yet.
    :param dag: source of the DAG ``marked``.
    :param environment: further variables.
    """
    home = folder / "airflow"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "marked.py").write_text(dag)
    made = AirflowHome(home, {**os.environ, **airflow_environment(home), **environment})
    made.airflow("db", "migrate")
    return made
