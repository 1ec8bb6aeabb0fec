"""Waiting for a SmartAlex campaign in the triggerer, and pausing it: the platform cannot cancel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from ringg_provider.triggers.smartalex import SmartAlexCampaignTrigger
from tests.support.sandbox import Sandbox
from tests.support.smartalex import started_campaign, state_of
from tests.triggers.waits import TICK, Supervisor, event_of, of_task


@pytest.fixture
def sandbox(sandbox_factory: Callable[..., Sandbox]) -> Sandbox:
    """A day passes with every second."""
    return sandbox_factory(speed=86_400)


def campaign_trigger(campaign_id: str, **more: Any) -> SmartAlexCampaignTrigger:
    return SmartAlexCampaignTrigger(
        smartalex_conn_id="smartalex_sandbox", campaign_id=campaign_id, **{"poll_interval": TICK, **more}
    )


async def test_a_campaign_is_followed_to_its_end(sandbox: Sandbox) -> None:
    campaign_id = await asyncio.to_thread(started_campaign, sandbox)
    event = await event_of(campaign_trigger(campaign_id))
    assert (event["status"], event["id"]) == ("completed", campaign_id)


async def test_a_campaign_that_has_not_ended_in_time_is_a_timeout(sandbox: Sandbox) -> None:
    await asyncio.to_thread(sandbox.settings, speed=1)
    campaign_id = await asyncio.to_thread(started_campaign, sandbox)
    assert (await event_of(campaign_trigger(campaign_id, deadline=time.time() + 0.5)))["status"] == "timeout"


async def test_marking_the_task_failed_pauses_the_campaign_once_and_for_all(
    sandbox: Sandbox, task_is: Callable[..., Supervisor]
) -> None:
    await asyncio.to_thread(sandbox.settings, speed=1)
    campaign_id = await asyncio.to_thread(started_campaign, sandbox)
    task_is("failed")
    trigger = of_task(campaign_trigger(campaign_id, cancel_on_kill=True))
    await trigger.on_kill()
    await trigger.on_kill()
    assert state_of(sandbox, campaign_id) == "paused"


def test_it_is_stored_as_plain_json_under_the_name_that_airflow_has_of_it() -> None:
    path, arguments = campaign_trigger("c-1", deadline=1.5, cancel_on_kill=True).serialize()
    assert path == "ringg_provider.triggers.smartalex.SmartAlexCampaignTrigger"
    assert arguments == {
        "smartalex_conn_id": "smartalex_sandbox",
        "campaign_id": "c-1",
        "poll_interval": TICK,
        "deadline": 1.5,
        "kill_deadline": None,
        "cancel_on_kill": True,
        "timezone": None,
    }
