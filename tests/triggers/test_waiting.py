"""What all triggers do, and what Airflow does with them."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pkgutil import resolve_name
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.secrets.environment_variables import EnvironmentVariablesBackend

from ringg_provider.triggers.ringg import RinggBalanceTrigger, RinggCampaignTrigger, RinggUploadStatusTrigger
from tests.support.sandbox import Sandbox
from tests.triggers.waits import (
    TICK,
    Supervisor,
    balance_trigger,
    both_generations,
    campaign_trigger,
    event_of,
    of_task,
    seed,
    upload_trigger,
)


@both_generations
@pytest.mark.parametrize(
    "make",
    [
        lambda: campaign_trigger("any"),
        lambda: RinggUploadStatusTrigger(ringg_conn_id="ringg_sandbox", bulk_list_id="any"),
        lambda: RinggBalanceTrigger(ringg_conn_id="ringg_sandbox", bulk_list_id="any", poll_interval=TICK),
    ],
    ids=["campaign", "upload", "balance"],
)
async def test_a_key_that_is_refused_is_an_error_at_once_and_is_not_repeated(
    sandbox: Sandbox, make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", sandbox.connection.replace(sandbox.api_key, "wrong-key-1"))
    event = await event_of(make())
    assert event["status"] == "error"
    assert "Check the API key" in event["message"]
    assert "wrong-key-1" not in event["message"]
    assert sandbox.api_key not in event["message"]


@pytest.mark.parametrize(
    "trigger",
    [
        RinggCampaignTrigger(
            ringg_conn_id="c", campaign_id="id", poll_interval=7, deadline=1.5, kill_deadline=2.5, cancel_on_kill=True
        ),
        RinggCampaignTrigger(ringg_conn_id="c", campaign_id="id"),
        RinggUploadStatusTrigger(
            ringg_conn_id="c", bulk_list_id="id", poll_interval=7, deadline=1.5, kill_deadline=2.5
        ),
        RinggUploadStatusTrigger(ringg_conn_id="c", bulk_list_id="id"),
        RinggBalanceTrigger(ringg_conn_id="c", bulk_list_id="id", poll_interval=7, deadline=1.5),
        RinggBalanceTrigger(ringg_conn_id="c", bulk_list_id="id"),
    ],
    ids=lambda trigger: type(trigger).__name__,
)
def test_a_trigger_comes_back_from_airflows_database_as_it_went_in(trigger: Any) -> None:
    classpath, kwargs = trigger.serialize()
    assert json.loads(json.dumps(kwargs)) == kwargs
    row = Trigger.from_object(trigger)
    stored = Trigger(classpath=row.classpath, kwargs={})
    stored.encrypted_kwargs = row.encrypted_kwargs
    again = resolve_name(stored.classpath)(**stored.kwargs)
    assert type(again) is type(trigger)
    assert again.serialize() == (classpath, kwargs)
    given = {name: value for name, value in vars(trigger).items() if name in kwargs}
    assert given == kwargs


# A trigger lives in Airflow's database for as long as a campaign: an older version may have stored it.

TRIGGERS = {
    "campaign": (campaign_trigger, 60.0),
    "upload": (upload_trigger, 10.0),
    "credits": (balance_trigger, 10.0),
}


@pytest.mark.parametrize(("make", "default"), TRIGGERS.values(), ids=TRIGGERS)
@pytest.mark.parametrize(
    ("stored", "seconds"),
    [(2, 2.0), (0.5, 0.5), ("2", 2.0), (" 2.5 ", 2.5), (timedelta(minutes=2), 120.0)],
)
def test_an_interval_is_read_in_every_form_that_means_one(
    make: Callable[..., Any], default: float, stored: object, seconds: float
) -> None:
    trigger = make("id", poll_interval=stored)
    assert trigger.poll_interval == seconds
    assert trigger.serialize()[1]["poll_interval"] == seconds


@pytest.mark.parametrize(("make", "default"), TRIGGERS.values(), ids=TRIGGERS)
@pytest.mark.parametrize(
    "stored",
    [None, "", "soon", 0, -1, True, False, math.nan, math.inf, "nan", "-inf", [2], {"seconds": 2}, timedelta(0)],
)
def test_what_is_no_interval_becomes_the_default(make: Callable[..., Any], default: float, stored: object) -> None:
    assert make("id", poll_interval=stored).poll_interval == default


@pytest.mark.parametrize("odd", ["0.05", timedelta(seconds=0.05), "soon", None, math.nan])
async def test_one_odd_interval_stops_no_wait_of_the_workspace(sandbox: Sandbox, odd: object) -> None:
    ids = seed(sandbox, 3)
    odd_one = campaign_trigger(ids[0], poll_interval=odd)
    waiting = [asyncio.create_task(event_of(trigger)) for trigger in (odd_one, *map(campaign_trigger, ids[1:]))]
    await asyncio.sleep(5 * TICK)
    await asyncio.to_thread(sandbox.settings, forced_statuses=dict.fromkeys(ids, "completed"))
    assert [event["status"] for event in await asyncio.gather(*waiting)] == ["completed"] * 3


async def test_nothing_blocks_the_event_loop(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 triggers, whose connection, listing, upload status and task state all take two seconds to come."""
    slow = 2.0
    ids = seed(sandbox, 200, "completed")
    read = EnvironmentVariablesBackend.get_conn_value
    lookups = 0

    def slow_once(self: EnvironmentVariablesBackend, *args: Any, **kwargs: Any) -> Any:
        nonlocal lookups
        lookups += 1
        if lookups == 1:
            time.sleep(slow)
        return read(self, *args, **kwargs)

    monkeypatch.setattr(EnvironmentVariablesBackend, "get_conn_value", slow_once)
    sandbox.fault(method="GET", path="/campaign/all", kind="latency", seconds=slow)
    sandbox.fault(method="GET", path="/campaign/upload-status", kind="latency", seconds=slow)
    task_is("running", slow=slow)
    gaps: list[float] = []

    async def heartbeat() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    beating = asyncio.create_task(heartbeat())
    begun = time.monotonic()
    async with asyncio.timeout(60):
        events = await asyncio.gather(
            *(event_of(campaign_trigger(campaign_id), 60) for campaign_id in ids),
            event_of(upload_trigger(ids[0])),
            of_task(campaign_trigger(ids[0], cancel_on_kill=True)).on_kill(),
        )
    beating.cancel()
    with suppress(asyncio.CancelledError):
        await beating
    assert {event["status"] for event in events if event} == {"completed", "settled"}
    assert lookups > 0
    assert time.monotonic() - begun >= 2 * slow, "everything was slow as it was meant to be"
    assert max(gaps) < slow, "had any of them been waited for in the event loop, nothing else had run meanwhile"
