"""The inbox as Airflow serves it, and as a command: who may deliver, whatever he is to Airflow, and what logs say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from demo.server import free_port
from ringg_provider.inbox.senders import Sender
from ringg_provider.ui.inbox import look_up
from tests.inbox.payloads import NAME, NUMBER, SAID, ringg
from tests.support.api_server import PEOPLE, ApiServer, running_api_server
from tests.support.databases import Warehouse
from tests.support.environment import airflow_environment, migrate
from tests.support.statsd import StatsdServer, statsd_server

pytestmark = pytest.mark.timeout(900)

SECRET, FORMER = "the-secret-of-the-inbox", "the-former-secret-of-it"
BEARER = {"Authorization": f"Bearer {SECRET}"}
COMMAND = [sys.executable, "-c", "from ringg_provider.ui.inbox import main; main()"]


def connection(conn_type: str = "ringg", **extra: Any) -> str:
    return json.dumps({"conn_type": conn_type, "password": "key", "extra": extra})


# Which secret is whose.


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (connection(webhook_secret=SECRET), Sender("ringg", (SECRET,))),
        (connection("smartalex", webhook_secret=SECRET), Sender("smartalex", (SECRET,))),
        (connection(webhook_secret=SECRET, webhook_secret_before=FORMER), Sender("ringg", (SECRET, FORMER))),
        (connection(webhook_secret=SECRET, webhook_secret_before=""), Sender("ringg", (SECRET,))),
        (connection(webhook_secret_before=FORMER), None),
        (connection(), None),
        (connection(webhook_secret=""), None),
        (connection(webhook_secret="short"), None),
        (connection(webhook_secret=SECRET, webhook_secret_before="short"), None),
        (connection(webhook_secret="with a blank in the middle"), None),
        (connection(webhook_secret=1234567890123456789), None),
        (connection("postgres", webhook_secret=SECRET), None),
        ('{"conn_type": "ringg", "extra": "no JSON"}', None),
    ],
)
def test_the_secret_is_the_connections(
    given: str, expected: Sender | None, monkeypatch: pytest.MonkeyPatch, airflow_home: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_INBOX", given)
    found = look_up("inbox")
    assert found == expected
    assert SECRET not in repr(found)


def test_a_connection_that_is_not_there_is_nobodys(airflow_home: Path) -> None:
    assert look_up("nowhere") is None


def test_where_airflow_itself_cannot_tell_nobody_is_said_to_be_missing(
    airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("away"))

    monkeypatch.setattr("airflow.utils.session.create_session", away)
    with pytest.raises(sa.exc.OperationalError):
        look_up("nowhere")


# In the API server.


@pytest.fixture(scope="module")
def conn_id(server: ApiServer) -> str:
    """A connection in Airflow's own database."""
    server.airflow("connections", "add", "inbox_conn", "--conn-json", connection(webhook_secret=SECRET))
    return "inbox_conn"


def stored(tables: sa.Engine) -> list[str]:
    with tables.connect() as asking:
        found = asking.execute(sa.text("SELECT payload FROM ringg_inbox")).scalars()
        return [str(payload) for payload in found]


def test_a_delivery_needs_no_login_and_a_login_is_no_secret(server: ApiServer, conn_id: str, tables: sa.Engine) -> None:
    url = f"{server.url}/ringg/webhooks/{conn_id}"
    body = ringg(unique="api server")
    assert httpx.post(url, content=body, headers=BEARER, timeout=60).status_code == 200
    assert body.decode() in stored(tables)
    before = len(stored(tables))
    for person in (None, *PEOPLE):
        with server.client(person) as client:
            token = client.headers.get("Authorization", "").removeprefix("Bearer ")
            for path in (conn_id, "nobody", "warehouse"):
                answer = client.post(f"ringg/webhooks/{path}", content=ringg(person=person))
                assert answer.status_code == 401
            cookies = {"Cookie": f"_token={token}", "Authorization": ""}
            assert client.post(f"ringg/webhooks/{conn_id}", content=body, headers=cookies).status_code == 401
            assert client.get(f"ringg/webhooks/{conn_id}").status_code == 405
            for path in ("", conn_id + "/more", "../webhooks"):
                assert client.post(f"ringg/webhooks/{path}", content=body, headers=BEARER).status_code in (
                    404,
                    405,
                    307,
                )
    assert len(stored(tables)) == before


def test_the_access_log_of_the_api_server_has_no_query(server: ApiServer, conn_id: str) -> None:
    query = {"to": NUMBER, "name": NAME, "said": SAID}
    url = f"{server.url}/ringg/webhooks/{conn_id}"
    assert httpx.post(url, params=query, content=ringg(), headers=BEARER, timeout=60).status_code == 200
    logs = [path for path in (server.home.parent / "processes").rglob("*") if path.is_file()]
    said = "\n".join(path.read_text(errors="replace") for path in logs)
    assert f"/ringg/webhooks/{conn_id}" in said
    assert [mark for mark in (NUMBER[1:], NAME, "secret+words", SECRET) if mark in said] == []


# By itself.


@contextmanager
def running(environment: dict[str, str], *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    port = free_port()
    process = subprocess.Popen(
        [*COMMAND, "--port", str(port), *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while process.poll() is None:
            try:
                if httpx.get(f"{url}/health", timeout=10).status_code == 200:
                    break
            except httpx.HTTPError:
                assert time.monotonic() < deadline, "the command did not answer"
                time.sleep(0.2)
        yield url, process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_command_takes_what_airflows_own_database_has_a_secret_for(
    server: ApiServer, conn_id: str, tables: sa.Engine
) -> None:
    body = ringg(unique="by itself")
    with running({**server.environment}) as (url, process):
        assert httpx.post(f"{url}/ringg/webhooks/{conn_id}", content=body, headers=BEARER).status_code == 200
        assert httpx.post(f"{url}/ringg/webhooks/{conn_id}", content=body).status_code == 401
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert body.decode() in stored(tables)
    assert [mark for mark in (NUMBER[1:], NAME, SAID, SECRET) if mark in said] == []


def test_the_command_says_what_it_lacks_before_it_takes_anything(airflow_home: Path, warehouse: Warehouse) -> None:
    for options, words in (
        ((), "AIRFLOW__RINGG__STATE_CONN_ID"),
        (("--state-conn-id", "nowhere"), "nowhere"),
        (("--state-conn-id", "warehouse", "--table", "a."), "inbox_table"),
    ):
        done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr


# What it counts, where Airflow's own metrics go.

STORED = "ringg.inbox.requests,platform=ringg,outcome=stored"


@pytest.fixture
def statsd() -> Iterator[StatsdServer]:
    with statsd_server() as server:
        yield server


@pytest.fixture
def inbox_counted(statsd: StatsdServer, tmp_path: Path) -> dict[str, str]:
    """An Airflow with an inbox, a connection of its own, and a StatsD server."""
    state = json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "state.db")})
    return {
        **statsd.environment,
        "AIRFLOW_CONN_STATE": state,
        "AIRFLOW_CONN_INBOX_CONN": connection(webhook_secret=SECRET),
        "AIRFLOW__RINGG__STATE_CONN_ID": "state",
        "AIRFLOW__RINGG__INBOX": "True",
    }


def test_the_command_counts_deliveries(inbox_counted: dict[str, str], statsd: StatsdServer, tmp_path: Path) -> None:
    home = tmp_path / "airflow"
    home.mkdir()
    migrate(home)
    with running({**os.environ, **airflow_environment(home), **inbox_counted}) as (url, _):
        delivered = httpx.post(f"{url}/ringg/webhooks/inbox_conn", content=ringg(), headers=BEARER, timeout=60)
        assert delivered.status_code == 200
        assert statsd.until(STORED)[STORED] == 1


def test_the_api_server_counts_deliveries(inbox_counted: dict[str, str], statsd: StatsdServer, tmp_path: Path) -> None:
    with running_api_server(tmp_path, **inbox_counted) as server:
        delivered = httpx.post(f"{server.url}/ringg/webhooks/inbox_conn", content=ringg(), headers=BEARER, timeout=60)
        assert delivered.status_code == 200
        assert statsd.until(STORED)[STORED] == 1


def test_where_there_is_no_statsd_server_deliveries_are_taken_all_the_same(
    inbox_counted: dict[str, str], tmp_path: Path
) -> None:
    home = tmp_path / "airflow"
    home.mkdir()
    migrate(home)
    elsewhere = {"AIRFLOW__METRICS__STATSD_HOST": "nowhere.invalid"}
    with running({**os.environ, **airflow_environment(home), **inbox_counted, **elsewhere}) as (url, _):
        delivered = httpx.post(f"{url}/ringg/webhooks/inbox_conn", content=ringg(), headers=BEARER, timeout=60)
        assert delivered.status_code == 200
