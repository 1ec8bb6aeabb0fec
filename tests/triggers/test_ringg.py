"""Waiting for uploads and credits in the triggerer, against the sandbox on a socket."""

from __future__ import annotations

import asyncio
import time

import pytest

from ringg_provider.triggers.ringg import RinggBalanceTrigger
from tests.support.sandbox import Sandbox
from tests.triggers.waits import (
    TICK,
    both_generations,
    event_of,
    upload_trigger,
)


@both_generations
async def test_an_upload_is_waited_for_until_the_platform_has_checked_it(sandbox: Sandbox, bulk_list_id: str) -> None:
    event = await event_of(upload_trigger(bulk_list_id))
    assert (event["status"], event["id"]) == ("settled", bulk_list_id)


@both_generations
@pytest.mark.parametrize("status", ["failed", "no_valid_contacts", "terminated", "scheduled"])
async def test_an_upload_that_went_wrong_or_on_has_settled_too(
    sandbox: Sandbox, bulk_list_id: str, status: str
) -> None:
    sandbox.settings(forced_statuses={bulk_list_id: status})
    assert (await event_of(upload_trigger(bulk_list_id)))["status"] == "settled"


@pytest.mark.parametrize("status", ["verifying", "something new"])
async def test_an_upload_that_is_not_checked_in_time_is_a_timeout(
    sandbox: Sandbox, bulk_list_id: str, status: str
) -> None:
    sandbox.settings(forced_statuses={bulk_list_id: status})
    event = await event_of(upload_trigger(bulk_list_id, deadline=time.time() + 0.3))
    assert event["status"] == "timeout"
    event = await event_of(upload_trigger(bulk_list_id, kill_deadline=time.time() + 0.3))
    assert event["status"] == "execution_timeout"


async def test_an_upload_that_does_not_exist_is_an_error(sandbox: Sandbox) -> None:
    assert (await event_of(upload_trigger("nowhere")))["status"] == "error"


async def test_an_upload_status_that_cannot_be_read_is_read_again(sandbox: Sandbox, bulk_list_id: str) -> None:
    sandbox.fault(method="GET", path="/campaign/upload-status", kind="status", status=500, times=2)
    sandbox.fault(method="GET", path="/campaign/upload-status", kind="cut", times=1)
    assert (await event_of(upload_trigger(bulk_list_id)))["status"] == "settled"


@both_generations
async def test_credits_are_waited_for_until_somebody_tops_up(sandbox: Sandbox, bulk_list_id: str) -> None:
    await event_of(upload_trigger(bulk_list_id))
    sandbox.settings(balance=0)
    trigger = RinggBalanceTrigger(ringg_conn_id="ringg_sandbox", bulk_list_id=bulk_list_id, poll_interval=TICK)
    if sandbox.state()["generation"] == "g3":
        sandbox.settings(forced_statuses={})
        sandbox.settings(check_balance_only_when_short=False)
    waiting = asyncio.create_task(event_of(trigger))
    await asyncio.sleep(5 * TICK)
    assert not waiting.done()
    await asyncio.to_thread(sandbox.settings, balance=1000)
    assert (await waiting)["status"] == "changed"


async def test_credits_that_do_not_come_in_time_are_a_timeout(sandbox: Sandbox, bulk_list_id: str) -> None:
    await event_of(upload_trigger(bulk_list_id))
    sandbox.settings(balance=0, check_balance_only_when_short=False)
    trigger = RinggBalanceTrigger(
        ringg_conn_id="ringg_sandbox", bulk_list_id=bulk_list_id, poll_interval=TICK, deadline=time.time() + 0.3
    )
    assert (await event_of(trigger))["status"] == "timeout"
