"""A running API server of Airflow with a few people and two DAGs: what the control room is part of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from demo.processes import Processes
from demo.server import free_port
from tests.support.environment import airflow_environment

ROOT = Path(__file__).parents[2]
#: The DAG whose campaigns are looked at, and one that a stranger may read.
DAG, OTHERS_DAG = "nightly", "others_dag"
#: Everybody's name is his role, but the stranger's, who reads `OTHERS_DAG` alone, and the password of all is one.
PEOPLE = {"admin": "admin", "op": "op", "user": "user", "viewer": "viewer", "stranger": "viewer"}
PASSWORD = "a-password-of-the-tests"

_DAGS = f"""
from airflow.sdk import DAG
for dag_id in ({DAG!r}, {OTHERS_DAG!r}):
    globals()[dag_id] = DAG(dag_id, schedule=None)
"""


@dataclass(frozen=True)
class ApiServer:
    """A running API server.

    :param url: its address, with the path that it is served below.
    :param home: its AIRFLOW_HOME.
    :param environment: of its process, and of every command of the same Airflow.
    """

    url: str
    home: Path
    environment: Mapping[str, str]

    def client(self, person: str | None) -> httpx.Client:
        """Somebody's client; None for who is not logged in."""
        headers = {}
        if person is not None:
            login = {"username": person, "password": PASSWORD}
            token = httpx.post(f"{self.url}/auth/token", json=login, timeout=60).raise_for_status().json()
            headers["Authorization"] = f"Bearer {token['access_token']}"
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def airflow(self, *arguments: str) -> str:
        """Run a command of this Airflow; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env={**self.environment},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"airflow {' '.join(arguments)}:\n{(done.stdout + done.stderr)[-4000:]}"
        return done.stdout


@contextmanager
def running_api_server(folder: Path, *, path: str = "", **variables: str) -> Iterator[ApiServer]:
    """Start one in a folder of its own, and stop it at the end.

    :param folder: where there is nothing yet.
    :param path: what it is served below, such as ``/airflow``.
    :param variables: more of its environment.
    """
    home = folder / "airflow"
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "dags.py").write_text(_DAGS)
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps(dict.fromkeys(PEOPLE, PASSWORD)))
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        **airflow_environment(home),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}{path}",
        "AIRFLOW__CORE__AUTH_MANAGER": "tests.support.auth_manager.PerDagAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in PEOPLE.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        **variables,
    }
    server = ApiServer(f"http://127.0.0.1:{port}{path}", home, environment)
    server.airflow("db", "migrate")
    server.airflow("dags", "reserialize")
    with Processes(folder / "processes") as processes:
        command = [sys.executable, "-m", "airflow", "api-server", "--workers", "1", "--host", "127.0.0.1"]
        processes.start("api-server", [*command, "--port", str(port)], environment)
        deadline = time.monotonic() + 180
        while not _answers(server):
            processes.check()
            assert time.monotonic() < deadline, "the API server did not answer in time"
            time.sleep(0.3)
        yield server


def _answers(server: ApiServer) -> bool:
    try:
        return httpx.get(f"{server.url}/api/v2/version", timeout=10).is_success
    except httpx.HTTPError:
        return False
