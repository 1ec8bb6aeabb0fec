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

#: Its users have rights for single DAGs, the simple auth manager's have not.
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
SIMPLE = "tests.support.auth_manager.PerDagAuthManager"

_DAGS = f"""
from airflow.sdk import DAG
for dag_id in ({DAG!r}, {OTHERS_DAG!r}):
    globals()[dag_id] = DAG(dag_id, schedule=None)
"""

# The roles that FAB brings, and one whose members read a single DAG and its runs.
_FAB_PEOPLE = f"""
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
with get_application_builder() as builder:
    manager = builder.sm
    manager.sync_roles()
    stranger = manager.add_role("Stranger")
    for action, resource in (("can_read", "Website"), ("can_read", "DAG Runs"), ("can_read", "DAG:{OTHERS_DAG}")):
        manager.add_permission_to_role(stranger, manager.create_permission(action, resource))
    # Airflow shows no plugin's page in its menus to who may not read its list of plugins; see docs/control-room.md.
    plugins = manager.create_permission("can_read", "Plugins")
    manager.add_permission_to_role(manager.find_role("User"), plugins)
    for name, role in {PEOPLE!r}.items():
        role = stranger if name == "stranger" else manager.find_role(role.capitalize())
        assert manager.add_user(name, name, name, name + "@example.invalid", role, {PASSWORD!r})
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
        return self._run("-m", "airflow", *arguments)

    def python(self, program: str) -> str:
        """Run a program in this Airflow; what it printed."""
        return self._run("-c", program)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            env={**self.environment},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(arguments)}:\n{(done.stdout + done.stderr)[-4000:]}"
        return done.stdout


@contextmanager
def running_api_server(
    folder: Path, auth_manager: str = SIMPLE, *, path: str = "", **variables: str
) -> Iterator[ApiServer]:
    """Start one in a folder of its own, and stop it at the end.

    :param folder: where there is nothing yet.
    :param auth_manager: `SIMPLE` or `FAB`.
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
        "AIRFLOW__CORE__AUTH_MANAGER": auth_manager,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in PEOPLE.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        # By default nobody logs in more than five times in forty seconds, which tests do.
        "AIRFLOW__FAB__AUTH_RATE_LIMITED": "False",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        **variables,
    }
    server = ApiServer(f"http://127.0.0.1:{port}{path}", home, environment)
    server.airflow("db", "migrate")
    server.airflow("dags", "reserialize")
    if auth_manager == FAB:
        server.python(_FAB_PEOPLE)
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
