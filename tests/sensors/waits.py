"""Sensors that wait to their end in either mode, for the tests of this folder."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from tests.support.tasks import context

both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["poke", "deferrable"])


async def event_of(trigger: Any) -> Any:
    """The event of a trigger that went through JSON, after JSON."""
    _, kwargs = trigger.serialize()
    async with asyncio.timeout(20):
        (event,) = [event async for event in type(trigger)(**json.loads(json.dumps(kwargs))).run()]
    return json.loads(json.dumps(event.payload))


def waited(sensor: Any) -> Any:
    """What the sensor returns, by the triggerer if it defers."""
    try:
        return sensor.execute(context())
    except TaskDeferred as interruption:
        deferred = interruption
    assert deferred.timeout is not None
    assert deferred.timeout > timedelta(seconds=sensor.timeout), "the trigger says first what it last saw"
    event = asyncio.run(event_of(deferred.trigger))
    return sensor.resume_execution(deferred.method_name, {"event": event, **(deferred.kwargs or {})}, context())
