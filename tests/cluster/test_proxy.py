"""The proxy loses what it is told to lose, and nothing else, between a real client and the sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.cluster.journal import Journal
from tests.cluster.proxy import DROPPED, LATE, LOST, PASSED, LossyProxy, Odds
from tests.support.sandbox import Sandbox

KEY = {"Authorization": "Bearer sandbox-key"}
START = "/v1/campaigns/{}/start"
HELD = 0.8


@pytest.fixture
def draft(sandbox: Sandbox) -> str:
    """A SmartAlex campaign with one person on it, not started."""
    with httpx.Client(base_url=f"{sandbox.url}/v1", headers=KEY) as client:
        made = client.post("/campaigns", json={"name": "Survey", "agent_id": "agent_survey"}).raise_for_status()
        campaign_id = str(made.json()["data"]["id"])
        contacts = {"contacts": [{"phone": "+919810000001", "first_name": "Ann"}]}
        client.post(f"/campaigns/{campaign_id}/contacts", json=contacts).raise_for_status()
    return campaign_id


@contextmanager
def proxied(sandbox: Sandbox, start: str, other: str = PASSED) -> Iterator[tuple[httpx.Client, LossyProxy, Journal]]:
    journal = Journal(lambda line: None)
    odds = Odds({start: 1}, {other: 1}, held_for=(HELD, HELD))
    with (
        LossyProxy(int(sandbox.url.rsplit(":", 1)[1]), odds, 1, journal) as proxy,
        httpx.Client(base_url=f"http://127.0.0.1:{proxy.port}", headers=KEY, timeout=20) as client,
    ):
        yield client, proxy, journal


def starts(sandbox: Sandbox) -> int:
    return sum(entry["launches"] for entry in sandbox.dials()["lists"].values())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_passes_arrives_whole_and_is_answered(sandbox: Sandbox, draft: str) -> None:
    with proxied(sandbox, PASSED) as (client, _, journal):
        many = {"contacts": [{"phone": f"+9198{number:08d}", "first_name": "A"} for number in range(100)]}
        assert client.post(f"/v1/campaigns/{draft}/contacts", json=many).json()["data"]["added"] == 100
        assert client.post(START.format(draft)).is_success
        assert len(client.get("/v1/campaigns").json()["data"]) == 1
    assert starts(sandbox) == 1
    assert not journal.counts


def test_a_start_whose_answer_is_dropped_has_acted(sandbox: Sandbox, draft: str) -> None:
    with proxied(sandbox, DROPPED) as (client, _, journal):
        with pytest.raises(httpx.TransportError):
            client.post(START.format(draft))
        assert journal.counts == {"answer to a start dropped": 1}
    assert starts(sandbox) == 1


def test_another_answer_can_be_dropped_too(sandbox: Sandbox, draft: str) -> None:
    with proxied(sandbox, PASSED, DROPPED) as (client, _, journal):
        with pytest.raises(httpx.TransportError):
            client.get("/v1/campaigns")
        assert journal.counts == {"answer to another request dropped": 1}


@pytest.mark.parametrize("fate", [LATE, LOST])
def test_a_start_that_is_held_is_answered_where_its_sender_waits(sandbox: Sandbox, draft: str, fate: str) -> None:
    with proxied(sandbox, fate) as (client, _, journal):
        assert client.post(START.format(draft)).is_success
        assert journal.counts == {"start held, its sender waited": 1}
    assert starts(sandbox) == 1


@pytest.mark.parametrize(("fate", "arrive"), [(LATE, 1), (LOST, 0)])
def test_a_start_whose_sender_has_gone_is_late_or_lost(sandbox: Sandbox, draft: str, fate: str, arrive: int) -> None:
    with proxied(sandbox, fate) as (client, proxy, journal):
        with pytest.raises(httpx.ReadTimeout):
            client.post(START.format(draft), timeout=httpx.Timeout(20, read=HELD / 4))
        until(lambda: proxy.holding == 1)
        client.close()
        until(lambda: journal.counts.total() == 1)
        until(lambda: starts(sandbox) == arrive)
    assert starts(sandbox) == arrive


def test_it_can_be_told_to_let_everything_pass(sandbox: Sandbox, draft: str) -> None:
    with proxied(sandbox, DROPPED, DROPPED) as (client, proxy, _):
        proxy.behave()
        assert client.post(START.format(draft)).is_success
