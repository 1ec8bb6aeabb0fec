"""Triggers to wait with, and what they tell, for the tests of this folder."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from airflow.sdk.execution_time.comms import GetTaskStates, TaskStatesResult

from ringg_provider.triggers.ringg import RinggBalanceTrigger, RinggCampaignTrigger, RinggUploadStatusTrigger
from ringg_provider.triggers.waiting import WaitingTrigger
from tests.support.sandbox import Sandbox

T = TypeVar("T", bound=WaitingTrigger)
both_generations = pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)
TICK = 0.05


def seed(sandbox: Sandbox, count: int = 1, state: str = "ongoing") -> list[str]:
    """Campaigns that stay as they are."""
    answer = sandbox.admin.post("/_sandbox/seed/campaigns", json={"count": count, "states": [state]})
    ids: list[str] = answer.json()["ids"]
    return ids


def campaign_trigger(campaign_id: str, **more: Any) -> RinggCampaignTrigger:
    return RinggCampaignTrigger(
        ringg_conn_id="ringg_sandbox", campaign_id=campaign_id, **{"poll_interval": TICK, **more}
    )


def upload_trigger(bulk_list_id: str, **more: Any) -> RinggUploadStatusTrigger:
    return RinggUploadStatusTrigger(
        ringg_conn_id="ringg_sandbox", bulk_list_id=bulk_list_id, **{"poll_interval": TICK, **more}
    )


def balance_trigger(bulk_list_id: str, **more: Any) -> RinggBalanceTrigger:
    return RinggBalanceTrigger(
        ringg_conn_id="ringg_sandbox", bulk_list_id=bulk_list_id, **{"poll_interval": TICK, **more}
    )


async def event_of(trigger: Any, within: float = 20) -> dict[str, Any]:
    """The one event of a trigger, as JSON gives it back."""
    async with asyncio.timeout(within):
        events = [event async for event in trigger.run()]
    assert len(events) == 1
    payload: dict[str, Any] = json.loads(json.dumps(events[0].payload))
    assert set(payload) == {"status", "id", "message"}
    return payload


class Supervisor:
    """Airflow's supervisor as a trigger reaches it: answers what state a task is in."""

    def __init__(self, state: str | Exception | None, slow: float = 0.0) -> None:
        self.state = state
        self.slow = slow
        self.asked: list[GetTaskStates] = []

    def send(self, message: Any) -> TaskStatesResult:
        assert isinstance(message, GetTaskStates)
        self.asked.append(message)
        time.sleep(self.slow)
        if isinstance(self.state, Exception):
            raise self.state
        mapped = message.map_index is not None
        name = f"wait_{message.map_index}" if mapped else "wait"
        return TaskStatesResult(task_states={"run-1": {} if self.state is None else {name: self.state}})


def of_task(trigger: T, map_index: int = -1) -> T:
    trigger.task_instance = SimpleNamespace(  # type: ignore[assignment]
        id="ti-1",
        dag_id="dag-1",
        run_id="run-1",
        task_id="wait",
        map_index=map_index,
        try_number=1,
        context_carrier=None,
    )
    return trigger


def terminations(sandbox: Sandbox) -> int:
    return sum(request["method"] == "PATCH" for request in sandbox.requests())
