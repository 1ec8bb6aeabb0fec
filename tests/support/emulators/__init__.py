"""Emulators of warehouses, each a server in a process of its own, and Airflow's own hooks pointed at them.

Only addresses and credentials are replaced: hooks, clients and drivers are the real ones, over a socket.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from demo.server import free_port

ROOT = Path(__file__).parents[3]
#: The emulator of BigQuery wants older packages than Airflow; `make test-warehouses` makes this.
BQEMULATOR = Path(os.environ.get("BQEMULATOR_PYTHON", ROOT / ".venv-bqemulator" / "bin" / "python"))

SNOWFLAKE = {
    "conn_type": "snowflake",
    "login": "airflow",
    "password": "secret",
    "schema": "PUBLIC",
    "extra": {"account": "acme-prod", "database": "DB", "warehouse": "WH", "role": "LOADER"},
}
BIGQUERY = {
    "conn_type": "gcpbigquery",
    "extra": {"project": "proj", "is_anonymous": True, "use_legacy_sql": False, "location": "US"},
}


@dataclass(frozen=True)
class Emulated:
    """An empty schema in a warehouse.

    Attributes:
        conn_id: the Airflow connection.
        schema: its name, as a person writes it.
        hook: Airflow's own, on that connection.
    """

    conn_id: str
    schema: str
    hook: Any

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        if self.conn_id == "bigquery":
            client = self.hook.get_client(project_id="proj")
            try:
                return [tuple(row) for row in client.query(statement).result()]
            finally:
                client.close()
        with self.hook.get_conn() as connection, connection.cursor() as cursor:
            return list(cursor.execute(statement).fetchall())


@contextmanager
def snowflake_emulator() -> Iterator[int]:
    """A Snowflake (fakesnow) that lives as long as the block; yields its port."""
    port = free_port()
    with _process([sys.executable, "-m", "fakesnow", "--server", "--port", str(port)], f"http://127.0.0.1:{port}/"):
        yield port


@contextmanager
def bigquery_emulator() -> Iterator[str]:
    """A BigQuery (bqemulator, made as strict as the real one) for the length of the block; yields its origin."""
    origin = f"http://127.0.0.1:{free_port()}"
    command = [str(BQEMULATOR), str(Path(__file__).with_name("bigquery_server.py")), origin.rpartition(":")[2]]
    with _process(command, f"{origin}/bigquery/v2/projects/proj/datasets"):
        yield origin


def point_snowflake_at(port: int) -> None:
    """Let Snowflake's driver find the emulator in this process; only the server's address is not what is asked for."""
    connector = importlib.import_module("snowflake.connector")
    connect = connector.connect
    address = {"host": "127.0.0.1", "port": port, "protocol": "http", "network_timeout": 60}
    connector.connect = lambda **options: connect(**options, **address)


def make_dataset(origin: str, dataset: str) -> None:
    """A dataset in the emulated BigQuery, as somebody with the right to it makes one by hand."""
    body = {"datasetReference": {"projectId": "proj", "datasetId": dataset}, "location": "US"}
    request = urllib.request.Request(
        f"{origin}/bigquery/v2/projects/proj/datasets",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


@contextmanager
def _process(command: list[str], probe: str) -> Iterator[None]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=tempfile.gettempdir())
        try:
            _wait(process, probe, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], probe: str, log: Any, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(probe, timeout=5):
                return
        except HTTPError:
            return  # it answers
        except (URLError, OSError):
            pass
        if process.poll() is not None:
            break
        time.sleep(0.1)
    log.seek(0)
    raise RuntimeError(f"the emulator did not start: {log.read()[-2000:].decode(errors='replace')}")
