"""A whole Airflow in a folder of its own on loopback: its settings, its four processes, and its REST API."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from demo.processes import Processes
from demo.server import free_port

USER = "admin"


class AirflowError(RuntimeError):
    """Airflow did not do what it was asked to; the text says what and where to look."""


class Airflow:
    """One Airflow: scheduler, triggerer, DAG processor and API server.

    Args:
        home: its AIRFLOW_HOME; made if missing.
        dags: its DAGs folder.
        database: the SQLAlchemy URL of its metadata database. No SQLite: it answers "database is locked" to one of
            the five processes that write sooner or later.
        variables: further environment for its processes, such as `AIRFLOW_CONN_...`.
        port: of the UI and the API; 0 takes a free one.
    """

    def __init__(self, home: Path, dags: Path, database: str, variables: Mapping[str, str], port: int = 0) -> None:
        self.home = home.absolute()
        self.url = f"http://127.0.0.1:{port or free_port()}"
        self.password = secrets.token_urlsafe(9)
        self._passwords = self.home / "passwords.json"
        # Nothing of an Airflow that this machine has otherwise may leak into this one.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_")}
        self.environment = {**inherited, **self._settings(dags.absolute(), database), **variables}

    def prepare(self) -> None:
        """Create the folder, the login and the tables.

        Raises:
            AirflowError: the metadata database could not be made.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self._passwords.touch(mode=0o600)
        self._passwords.write_text(json.dumps({USER: self.password}))
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AirflowError(f"airflow db migrate failed:\n{(done.stdout + done.stderr)[-4000:]}")

    def start(self, processes: Processes, timeout: float = 120) -> AirflowApi:
        """Start the processes and wait until the API answers and all of them say that they are healthy.

        Args:
            processes: what starts and ends them.
            timeout: seconds to wait.

        Raises:
            AirflowError: they were not healthy in time.
            ProcessEnded: one of them ended.
        """
        self.start_servers(processes)
        self.start_scheduler(processes)
        self.start_triggerer(processes)
        self.wait_until_healthy(processes, timeout)
        return AirflowApi(self.url, USER, self.password)

    def start_servers(self, processes: Processes) -> None:
        """Start what there is one of: the API server and the DAG processor."""
        host, port = self.url.removeprefix("http://").split(":")
        self._start(processes, "api-server", "api-server", "--workers", "1", "--host", host, "--port", port)
        self._start(processes, "dag-processor", "dag-processor")

    # Task logs are read from the folder; the log servers would listen on all interfaces for nobody.

    def start_scheduler(self, processes: Processes, name: str = "scheduler") -> None:
        """Start a scheduler."""
        self._start(processes, name, "scheduler", "--skip-serve-logs", "--pid", self._pid_file(name))

    def start_triggerer(self, processes: Processes, name: str = "triggerer") -> None:
        """Start a triggerer, the first one or another in its place."""
        self._start(processes, name, "triggerer", "--skip-serve-logs", "--pid", self._pid_file(name))

    def wait_until_healthy(self, processes: Processes, timeout: float) -> None:
        """Wait until every part is healthy.

        Raises:
            AirflowError: they were not in time.
            ProcessEnded: one of them ended.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            processes.check()
            if self.healthy():
                return
            time.sleep(0.3)
        raise AirflowError(f"Airflow was not healthy within {timeout:.0f} s; its logs are in {processes.logs}")

    def _pid_file(self, name: str) -> str:
        return str(self.home / f"{name}.pid")

    def _start(self, processes: Processes, name: str, *command: str) -> Path:
        return processes.start(name, [sys.executable, "-m", "airflow", *command], self.environment)

    def healthy(self) -> bool:
        """Whether every part says that it is."""
        try:
            health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
        except (httpx.HTTPError, ValueError):
            return False
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    def _settings(self, dags: Path, database: str) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__EXPOSE_CONFIG": "False",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",  # two cores
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",  # the files do not change
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            "AIRFLOW__LOGGING__REMOTE_LOGGING": "False",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # A worker is forked from a process with threads; on macOS that needs this.
            "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
        }


class AirflowApi:
    """The few calls of Airflow's public REST API that a run from outside needs.

    Args:
        url: where Airflow is.
        user: who logs in.
        password: with what.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        token = httpx.post(
            f"{url}/auth/token", json={"username": user, "password": password}, timeout=30
        ).raise_for_status()
        self._http = httpx.Client(
            base_url=f"{url}/api/v2",
            headers={"Authorization": f"Bearer {token.json()['access_token']}"},
            timeout=30,
        )

    def wait_for_dag(self, dag_id: str, timeout: float = 60) -> None:
        """Wait until the DAG processor has read a DAG.

        Raises:
            AirflowError: it did not in time; the text carries the import errors.
        """
        deadline = time.monotonic() + timeout
        while self._http.get(f"/dags/{dag_id}").status_code != httpx.codes.OK:
            errors = self._get("/importErrors")["import_errors"]
            if errors or time.monotonic() > deadline:
                text = "\n".join(f"{error['filename']}:\n{error['stack_trace']}" for error in errors)
                raise AirflowError(f"Airflow did not load {dag_id}.\n{text}")
            time.sleep(0.3)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Let a DAG run once, and return the run's id; a paused DAG is unpaused."""
        self.unpause(dag_id)
        run = self._send("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf or {})})
        return str(run["dag_run_id"])

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run by its schedule."""
        self._send("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def runs(self, dag_id: str) -> dict[str, str]:
        """The type of each run of a DAG, by its id: "scheduled", "manual", ..."""
        answer = self._get(f"/dags/{dag_id}/dagRuns", limit=100)
        return {str(run["dag_run_id"]): str(run["run_type"]) for run in answer["dag_runs"]}

    def make_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool, whose tasks run at most `slots` at a time."""
        self._send("POST", "/pools", {"name": name, "slots": slots, "description": description})

    def run_state(self, dag_id: str, run_id: str) -> str:
        """ "queued", "running", "success" or "failed"."""
        return str(self._get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The run's task instances: `task_id`, `map_index`, `state`, `try_number` and more."""
        answer = self._get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)
        return list(answer["task_instances"])

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """A value that a task left behind; None when it left none."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        answer = self._http.get(path, params={"deserialize": True})
        return answer.json()["value"] if answer.status_code == httpx.codes.OK else None

    def log(self, dag_id: str, run_id: str, task: Mapping[str, Any]) -> str:
        """The log of a task's last try, one line per event."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        content = self._get(path, map_index=task["map_index"], full_content=True)["content"]
        return "\n".join(_log_line(event) for event in content)

    def pending_approvals(self, dag_id: str, run_id: str) -> dict[str, str]:
        """The tasks of a run that wait for a person's answer, each with what that person is given to read."""
        answer = self._get(f"/dags/{dag_id}/dagRuns/{run_id}/hitlDetails", response_received=False)
        return {detail["task_instance"]["task_id"]: detail["body"] or "" for detail in answer["hitl_details"]}

    def approve(self, dag_id: str, run_id: str, task_id: str, answer: str = "Approve") -> None:
        """Answer an `ApprovalOperator`, with yes if nothing else is given."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._send("PATCH", path, {"chosen_options": [answer], "params_input": {}})

    def _get(self, path: str, **query: Any) -> Any:
        return self._answer(self._http.get(path, params=query))

    def _send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        return self._answer(self._http.request(method, path, json=body))

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        if response.is_error:
            request = response.request
            raise AirflowError(f"{request.method} {request.url.path}: {response.status_code} {response.text[:500]}")
        return response.json()


def _log_line(event: Any) -> str:
    """One event of a task's log, which is a dict or a plain line, as text."""
    if not isinstance(event, dict):
        return str(event)
    text = f"{event.get('level', '')!s:>8} {event.get('event', '')}".rstrip()
    for error in event.get("error_detail") or []:
        text += f"\n         {error.get('exc_type')}: {error.get('exc_value')}"
    return text
