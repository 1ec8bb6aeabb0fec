"""What an operator on duty does with Airflow, through its REST API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from demo.airflow import AirflowApi
from tests.support.dags import AIRFLOW
from tests.support.sandbox import Sandbox


class Operations(AirflowApi):
    """What an operator on duty does."""

    def connect(self, conn_id: str, sandbox: Sandbox, timeout: float | None, platform: str) -> None:
        """Add a connection to a sandbox, which is the one platform or the other."""
        host = sandbox.smartalex_url if platform == "smartalex" else sandbox.base_url
        options = {"timeout": timeout, "requests_per_minute": 60_000 if platform == "smartalex" else None}
        extra = json.dumps({name: value for name, value in options.items() if value is not None})
        body = {"connection_id": conn_id, "conn_type": platform, "host": host, "password": sandbox.api_key}
        self._send("POST", "/connections", {**body, "extra": extra})

    def clear_task(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task of a run, whatever its state."""
        body = {"dry_run": False, "only_failed": False, "task_ids": [task_id], "dag_run_id": run_id}
        self._send("POST", f"/dags/{dag_id}/clearTaskInstances", body)

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Clear all tasks of a run."""
        body = {"dry_run": False, "only_failed": False}
        self._send("POST", f"/dags/{dag_id}/dagRuns/{run_id}/clear", body)

    def mark(self, dag_id: str, run_id: str, task_id: str, map_index: int, state: str) -> None:
        """Mark a task failed, or a success."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/{map_index}"
        self._send("PATCH", path, {"new_state": state})

    def assets(self) -> list[str]:
        """The address of every asset that Airflow shows.

        Before 3.3 it shows none that only a task has announced, but knows them.
        """
        answer = self._get("/assets", limit=100, only_active=AIRFLOW >= (3, 3))
        return [asset["uri"] for asset in answer["assets"]]

    def start_run(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
        """Let a DAG run under an id of ours, so that asking again after an answer that was lost makes no second run."""
        self._send("PATCH", f"/dags/{dag_id}", {"is_paused": False})
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        answer = self._http.post(f"/dags/{dag_id}/dagRuns", json=body)
        if answer.status_code != httpx.codes.CONFLICT:
            self._answer(answer)
