"""Stopping from a page: who may, what the platform is asked, what is noted, and what the page says then."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import HTTPException

from ringg_provider.ui.access import HEADER, require_stop
from tests.support.api_server import DAG, OTHERS_DAG, ApiServer, running_api_server
from tests.support.sandbox import Sandbox
from tests.ui.night import NAME, PEOPLE, Night, launch_ringg

# The first of them waits for two servers, a database and a night.
pytestmark = pytest.mark.timeout(900)

OURS = {HEADER: "stop"}


@pytest.fixture
def campaign(
    server: ApiServer, connections: dict[str, str], platform: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A campaign of this test alone, which is calling."""
    for name, value in connections.items():
        monkeypatch.setenv(name, value)
    return launch_ringg(platform, tmp_path, DAG, NAME, f"{DAG}-{tmp_path.name}")


@pytest.fixture
def user(server: ApiServer) -> Iterator[httpx.Client]:
    """Somebody who may trigger DAGs."""
    with server.client("user") as client:
        yield client


def state_of(platform: Sandbox, campaign_id: str) -> str:
    return str(next(row["state"] for row in platform.state()["campaigns"] if row["id"] == campaign_id))


def origin(server: ApiServer) -> str:
    return server.url.removesuffix("/airflow")


def entries(server: ApiServer) -> list[tuple[Any, ...]]:
    """Airflow's audit log, as far as it is ours."""
    with closing(sqlite3.connect(server.home / "airflow.db")) as connection:
        query = "SELECT owner, dag_id, extra FROM log WHERE event = 'ringg_stop_campaign' ORDER BY id"
        return connection.execute(query).fetchall()


def test_the_question_names_the_campaign_and_how_many_calls_wait(user, platform, campaign) -> None:
    page = user.get(f"ringg/page/stop/{DAG}/{campaign}").text
    assert "Stop “Survey &lt;script&gt;" in page
    told = re.search(r'id="waiting">(.*?)<', page)
    assert told
    calls = [call for call in platform.state()["calls"] if call["list_id"] == campaign]
    assert len(calls) == PEOPLE
    # The sandbox may have gone on meanwhile.
    assert 0 <= int(told[1]) - sum(call["status"] in ("registered", "retry") for call in calls) <= 3


def test_a_stop_is_asked_of_the_platform_and_noted_in_airflows_audit_log(user, server, platform, campaign) -> None:
    answer = user.post(f"ringg/stop/{DAG}/{campaign}", headers={**OURS, "Origin": origin(server)})
    assert (answer.status_code, answer.json()) == (200, {"stopped": True})
    assert state_of(platform, campaign) == "terminated"
    owner, dag_id, extra = entries(server)[-1]
    assert (owner, dag_id) == ("user", DAG)
    assert json.loads(extra) == {"campaign_id": campaign, "method": "POST"}

    page = user.get(f"ringg/page/stop/{DAG}/{campaign}").text
    assert 'id="status">terminated' in page
    assert "There is nothing to stop." in page
    assert "<button" not in page
    again = user.post(f"ringg/stop/{DAG}/{campaign}", headers={**OURS, "Origin": origin(server)})
    assert again.status_code == 200


def test_smartalex_which_cannot_cancel_is_paused(user, server, platform, night: Night) -> None:
    where = f"{DAG}/{night.smartalex_id}"
    assert "Pause “Alex”?" in user.get(f"ringg/page/stop/{where}").text
    answer = user.post(f"ringg/stop/{where}", headers={**OURS, "Origin": origin(server)})
    assert (answer.status_code, answer.json()) == (200, {"stopped": True})
    assert state_of(platform, night.smartalex_id) == "paused"
    assert "There is nothing to pause." in user.get(f"ringg/page/stop/{where}").text


@pytest.mark.parametrize("person", ["viewer", "stranger"])
def test_who_may_not_trigger_the_dag_can_neither_ask_nor_stop(person, server, platform, campaign) -> None:
    noted = len(entries(server))
    with server.client(person) as client:
        assert client.get(f"ringg/page/stop/{DAG}/{campaign}").status_code == 403
        for dag_id in (DAG, OTHERS_DAG):
            refused = client.post(f"ringg/stop/{dag_id}/{campaign}", headers={**OURS, "Origin": origin(server)})
            assert refused.status_code == 403
    assert state_of(platform, campaign) not in ("terminated", "completed")
    assert len(entries(server)) == noted


def test_a_campaign_is_stopped_under_the_dag_that_launched_it_only(user, server, platform, campaign, night) -> None:
    for dag_id, campaign_id in ((OTHERS_DAG, campaign), (DAG, night.others_id), (DAG, night.unnoted_id), (DAG, "none")):
        answer = user.post(f"ringg/stop/{dag_id}/{campaign_id}", headers={**OURS, "Origin": origin(server)})
        assert answer.status_code == 404
    assert state_of(platform, campaign) not in ("terminated", "completed")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "own"},
        {HEADER: "stop"},
        {HEADER: "stop", "Origin": "null"},
        {HEADER: "stop", "Origin": "https://elsewhere.example"},
        {HEADER: "stop", "Origin": "own", "Sec-Fetch-Site": "cross-site"},
        {HEADER: "stop", "Origin": "own", "Sec-Fetch-Site": "same-site"},
        {HEADER: "stop", "Origin": "another port"},
    ],
)
def test_a_request_that_no_page_of_ours_sent_stops_nothing(headers, server, platform, campaign) -> None:
    own = {"own": origin(server), "another port": "http://127.0.0.1:1"}
    sent = {name: own.get(value, value) for name, value in headers.items()}
    with server.client("admin") as admin:
        # A browser sends the cookie along, whoever asks for the request.
        cookie = {"Cookie": f"_token={admin.headers.pop('Authorization').removeprefix('Bearer ')}"}
        assert admin.get(f"ringg/page/stop/{DAG}/{campaign}", headers=cookie).status_code == 200
        assert admin.post(f"ringg/stop/{DAG}/{campaign}", headers={**cookie, **sent}).status_code == 403
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            assert admin.request(method, f"ringg/stop/{DAG}/{campaign}", headers=cookie).status_code == 405
    assert state_of(platform, campaign) not in ("terminated", "completed")


def test_nobody_stops_where_the_configuration_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__RINGG__ALLOW_STOP", "False")
    with pytest.raises(HTTPException, match="allow_stop") as refused:
        require_stop(DAG, None)  # type: ignore[arg-type]
    assert refused.value.status_code == 403


def test_what_cannot_be_noted_in_the_audit_log_is_not_stopped(user, server, platform, campaign) -> None:
    def rename(one: str, other: str) -> None:
        with closing(sqlite3.connect(server.home / "airflow.db")) as connection, connection:
            connection.execute(f"ALTER TABLE {one} RENAME TO {other}")

    rename("log", "log_away")
    try:
        answer = user.post(f"ringg/stop/{DAG}/{campaign}", headers={**OURS, "Origin": origin(server)})
    finally:
        rename("log_away", "log")
    assert answer.status_code == 503
    assert answer.json() == {"detail": "Nothing was done: Airflow's audit log took no entry."}
    assert state_of(platform, campaign) not in ("terminated", "completed")


@pytest.fixture(scope="module")
def server_without_stop(
    night: Night, connections: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """A second API server over the same night, whose configuration says that nobody stops."""
    ours = {"AIRFLOW__RINGG__STATE_CONN_ID": "warehouse", "AIRFLOW__RINGG__ALLOW_STOP": "False", **connections}
    with running_api_server(tmp_path_factory.mktemp("without-stop"), **ours) as made:
        yield made


@pytest.mark.parametrize("person", ["admin", "user"])
def test_a_server_whose_configuration_takes_stop_away_offers_none_and_stops_nothing(
    person: str, server_without_stop: ApiServer, platform: Sandbox, night: Night
) -> None:
    before = state_of(platform, night.campaign_id)
    with server_without_stop.client(person) as client:
        page = client.get(f"ringg/page/campaign/{night.campaign_id}")
        assert page.status_code == 200
        assert "/page/stop/" not in page.text
        assert client.get(f"ringg/page/stop/{DAG}/{night.campaign_id}").status_code == 403
        headers = {**OURS, "Origin": server_without_stop.url}
        answer = client.post(f"ringg/stop/{DAG}/{night.campaign_id}", headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (403, "Stopping is switched off ([ringg] allow_stop).")
    assert state_of(platform, night.campaign_id) == before
    assert entries(server_without_stop) == []


def test_a_platform_that_is_down_is_said_and_nothing_is_claimed(user, server, platform, campaign) -> None:
    platform.fault(kind="status", method="PATCH", path="/campaign/terminate", status=503, times=50)
    try:
        answer = user.post(f"ringg/stop/{DAG}/{campaign}", headers={**OURS, "Origin": origin(server)})
    finally:
        platform.clear_faults()
    assert answer.status_code == 503
    assert state_of(platform, campaign) not in ("terminated", "completed")
