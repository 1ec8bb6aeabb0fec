"""Waiting while a rollout calls: what wakes its task, and what is stopped when a person marks it failed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from ringg_provider.triggers.ringg import RinggRolloutTrigger
from tests.support.sandbox import Sandbox
from tests.triggers.waits import TICK, Supervisor, event_of, of_task, seed


def rollout_trigger(campaign_ids: list[str], **more: Any) -> RinggRolloutTrigger:
    return RinggRolloutTrigger(
        ringg_conn_id="ringg_sandbox",
        launch_key="tonight",
        campaign_ids=campaign_ids,
        **{"awaited": campaign_ids, "poll_interval": TICK, **more},
    )


def states(sandbox: Sandbox) -> dict[str, str]:
    return {campaign["id"]: campaign["state"] for campaign in sandbox.state()["campaigns"]}


async def test_it_is_time_to_look_again_though_nothing_has_ended(sandbox: Sandbox) -> None:
    ids = await asyncio.to_thread(seed, sandbox, 2)
    event = await event_of(rollout_trigger(ids, look_at=time.time() + 0.5))
    assert (event["status"], event["id"]) == ("due", "tonight")


async def test_without_a_campaign_to_wait_for_it_waits_for_the_time(sandbox: Sandbox) -> None:
    began = time.time()
    event = await event_of(rollout_trigger([], look_at=began + 0.5))
    assert event["status"] == "due"
    assert time.time() >= began + 0.5


async def test_the_end_of_all_its_campaigns_is_news_and_that_of_one_is_none(sandbox: Sandbox) -> None:
    first, second = await asyncio.to_thread(seed, sandbox, 2)
    await asyncio.to_thread(sandbox.settings, forced_statuses={first: "completed"})
    event = await event_of(rollout_trigger([first, second], look_at=time.time() + 1.5))
    assert "looked at again" in event["message"]
    await asyncio.to_thread(sandbox.settings, forced_statuses={first: "completed", second: "failed"})
    event = await event_of(rollout_trigger([first, second], look_at=time.time() + 60))
    assert (event["status"], event["message"]) == ("due", "The rollout has news.")


async def test_a_deadline_is_told_as_such(sandbox: Sandbox) -> None:
    ids = await asyncio.to_thread(seed, sandbox)
    event = await event_of(rollout_trigger(ids, look_at=time.time() + 60, deadline=time.time() + 0.5))
    assert event["status"] == "timeout"
    event = await event_of(rollout_trigger(ids, kill_deadline=time.time() + 0.5))
    assert event["status"] == "execution_timeout"


async def test_marking_the_task_failed_stops_every_campaign_also_those_that_are_not_waited_for(
    sandbox: Sandbox, task_is: Callable[..., Supervisor]
) -> None:
    ids = await asyncio.to_thread(seed, sandbox, 3)
    task_is("failed")
    trigger = of_task(rollout_trigger(ids, awaited=ids[:1], cancel_on_kill=True))
    await trigger.on_kill()
    await trigger.on_kill()
    assert {states(sandbox)[one] for one in ids} == {"terminated"}


async def test_clearing_the_task_stops_none(sandbox: Sandbox, task_is: Callable[..., Supervisor]) -> None:
    ids = await asyncio.to_thread(seed, sandbox, 2)
    task_is("scheduled")
    await of_task(rollout_trigger(ids, cancel_on_kill=True)).on_kill()
    assert {states(sandbox)[one] for one in ids} == {"ongoing"}


def test_it_is_stored_as_plain_json_under_the_name_that_airflow_has_of_it() -> None:
    path, arguments = rollout_trigger(["a"], enough=7, look_at=1.5, deadline=2.5, cancel_on_kill=True).serialize()
    assert path == "ringg_provider.triggers.ringg.RinggRolloutTrigger"
    assert arguments == {
        "ringg_conn_id": "ringg_sandbox",
        "launch_key": "tonight",
        "campaign_ids": ["a"],
        "awaited": ["a"],
        "enough": 7,
        "look_at": 1.5,
        "poll_interval": TICK,
        "deadline": 2.5,
        "kill_deadline": None,
        "cancel_on_kill": True,
        "timezone": None,
    }
