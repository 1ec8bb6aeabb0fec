"""Waiting for a campaign in the triggerer, against the sandbox on a socket."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from ringg_provider.exceptions import UnreadableAnswer
from ringg_provider.triggers import campaign, poller
from ringg_provider.triggers.events import CAMPAIGN_ENDS, read_event
from ringg_provider.triggers.ringg import RinggCampaignTrigger
from tests.support.http_server import Answer, ScriptedServer
from tests.support.sandbox import Sandbox
from tests.triggers.waits import (
    TICK,
    both_generations,
    campaign_trigger,
    event_of,
    seed,
)


@both_generations
@pytest.mark.parametrize("status", ["completed", "failed", "terminated"])
async def test_a_campaign_is_followed_to_its_end(sandbox: Sandbox, campaign_id: str, status: str) -> None:
    waiting = asyncio.create_task(event_of(campaign_trigger(campaign_id)))
    await asyncio.sleep(5 * TICK)
    assert not waiting.done()
    await asyncio.to_thread(sandbox.settings, forced_statuses={campaign_id: status})
    event = await waiting
    assert (event["status"], event["id"]) == (status, campaign_id)


@both_generations
async def test_a_campaign_that_has_not_ended_in_time_is_a_timeout(sandbox: Sandbox, campaign_id: str) -> None:
    event = await event_of(campaign_trigger(campaign_id, deadline=time.time() + 0.5))
    assert event["status"] == "timeout"


async def test_execution_timeout_is_told_apart_from_timeout(sandbox: Sandbox, campaign_id: str) -> None:
    now = time.time()
    event = await event_of(campaign_trigger(campaign_id, deadline=now + 600, kill_deadline=now + 0.5))
    assert event["status"] == "execution_timeout"


@pytest.mark.parametrize("deadline", ["deadline", "kill_deadline"])
async def test_a_trigger_that_starts_after_its_deadline_still_sees_that_the_campaign_has_ended(
    sandbox: Sandbox, campaign_id: str, deadline: str
) -> None:
    sandbox.settings(forced_statuses={campaign_id: "completed"})
    event = await event_of(campaign_trigger(campaign_id, **{deadline: time.time() - 3600}))
    assert event["status"] == "completed"


async def test_a_status_that_nobody_knows_is_no_end_and_becomes_a_timeout(sandbox: Sandbox, campaign_id: str) -> None:
    sandbox.settings(forced_statuses={campaign_id: "evaporated"})
    event = await event_of(campaign_trigger(campaign_id, deadline=time.time() + 0.5))
    assert event["status"] == "timeout"


async def test_a_platform_that_does_not_answer_before_the_deadline_is_a_timeout(
    sandbox: Sandbox, campaign_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "GRACE", 0.3)
    sandbox.fault(method="GET", path="/campaign/all", kind="latency", seconds=5)
    event = await event_of(campaign_trigger(campaign_id, deadline=time.time()), within=4)
    assert event["status"] == "timeout"


async def test_a_platform_that_is_unwell_is_asked_again(sandbox: Sandbox, campaign_id: str) -> None:
    sandbox.fault(method="GET", path="/campaign/all", kind="status", status=500, times=2)
    sandbox.settings(forced_statuses={campaign_id: "completed"})
    assert (await event_of(campaign_trigger(campaign_id)))["status"] == "completed"


async def test_a_campaign_that_the_listing_hides_is_found_by_its_upload_status(
    sandbox: Sandbox, campaign_id: str
) -> None:
    sandbox.settings(listing_hides="all", forced_statuses={campaign_id: "terminated"})
    assert (await event_of(campaign_trigger(campaign_id)))["status"] == "terminated"


async def test_many_campaigns_cost_one_listing_per_interval_and_not_one_each(sandbox: Sandbox) -> None:
    ids = seed(sandbox, 60)
    waiting = [asyncio.create_task(event_of(campaign_trigger(campaign_id, poll_interval=0.4))) for campaign_id in ids]
    await asyncio.sleep(1.5)
    await asyncio.to_thread(sandbox.settings, forced_statuses=dict.fromkeys(ids, "completed"))
    events = await asyncio.gather(*waiting)
    assert {event["status"] for event in events} == {"completed"}
    asked = await asyncio.to_thread(sandbox.requests)
    assert {request["path"].rsplit("/v0", 1)[-1] for request in asked} == {"/campaign/all"}
    assert len(asked) <= 10, "a pass needs one page, and there was time for about five passes"


async def test_a_pass_ends_as_soon_as_every_watched_campaign_was_seen(sandbox: Sandbox) -> None:
    seed(sandbox, 2500, "completed")
    (newest,) = seed(sandbox, 1, "completed")
    assert (await event_of(campaign_trigger(newest)))["status"] == "completed"
    assert len(sandbox.requests()) == 1


async def test_the_progress_is_logged_once_per_change(
    sandbox: Sandbox, campaign_id: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    trigger = campaign_trigger(campaign_id)
    monkeypatch.setattr(trigger.log, "info", lambda text, *args: lines.append(text % args))
    waiting = asyncio.create_task(event_of(trigger))
    await asyncio.sleep(8 * TICK)
    assert len(lines) == 1
    await asyncio.to_thread(sandbox.settings, forced_statuses={campaign_id: "completed"})
    await waiting
    assert [line.split(",")[0].rstrip(".") for line in lines] == [
        f"Campaign {campaign_id} is ongoing",
        f"Campaign {campaign_id} is completed",
    ]


async def test_a_listing_that_stays_unreadable_is_told_and_worth_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "UNREADABLE_PASSES", 0)
    with ScriptedServer(Answer(body=b"<html>")) as server:
        connection = {"conn_type": "ringg", "host": server.base_url, "password": "key"}
        monkeypatch.setenv("AIRFLOW_CONN_PROXIED", json.dumps(connection))
        trigger = RinggCampaignTrigger(ringg_conn_id="proxied", campaign_id="c-1", poll_interval=0.1)
        (event,) = [event async for event in trigger.run()]
    with pytest.raises(UnreadableAnswer, match="not JSON"):
        read_event(event.payload, "c-1", CAMPAIGN_ENDS)
