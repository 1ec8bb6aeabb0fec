"""One client per workspace for all triggers of an event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.ringg import AsyncRinggClient
from ringg_provider.triggers import clients
from tests.support.sandbox import Sandbox
from tests.triggers.waits import (
    campaign_trigger,
    event_of,
    seed,
    upload_trigger,
)


async def test_all_triggers_of_a_workspace_share_one_client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[AsyncRinggClient] = []

    def make(**options: Any) -> AsyncRinggClient:
        made.append(AsyncRinggClient(**options))
        return made[-1]

    monkeypatch.setattr(RinggHook, "async_client_class", staticmethod(make))
    ids = seed(sandbox, 20, "completed")
    await asyncio.gather(
        *(event_of(campaign_trigger(campaign_id)) for campaign_id in ids), event_of(upload_trigger(ids[0]))
    )
    assert len(made) == 1


async def test_a_client_that_cannot_be_made_is_made_for_the_next_who_comes(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = seed(sandbox, 3, "completed")
    made = 0

    def make(**options: Any) -> AsyncRinggClient:
        nonlocal made
        made += 1
        if made == 1:
            raise OSError("no certificates")
        return AsyncRinggClient(**options)

    monkeypatch.setattr(RinggHook, "async_client_class", staticmethod(make))
    first, *others = await asyncio.gather(
        *(event_of(campaign_trigger(campaign_id)) for campaign_id in ids), return_exceptions=True
    )
    assert isinstance(first, OSError), "Airflow fails its task, and tries it again"
    assert [event["status"] for event in others if isinstance(event, dict)] == ["completed", "completed"]
    assert made == 2


async def test_whoever_is_cancelled_while_the_client_is_made_takes_it_from_nobody(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = seed(sandbox, 2, "completed")

    def slowly(**options: Any) -> AsyncRinggClient:
        time.sleep(0.5)
        return AsyncRinggClient(**options)

    monkeypatch.setattr(RinggHook, "async_client_class", staticmethod(slowly))
    first, second = (asyncio.create_task(event_of(campaign_trigger(campaign_id))) for campaign_id in ids)
    await asyncio.sleep(0.1)
    first.cancel()
    assert (await second)["status"] == "completed"


async def test_two_workspaces_have_two_clients(sandbox_factory: Callable[..., Sandbox]) -> None:
    here, there = RinggHook("ringg_sandbox"), RinggHook("ringg_elsewhere")
    with pytest.MonkeyPatch.context() as connections:
        connections.setenv("AIRFLOW_CONN_RINGG_ELSEWHERE", sandbox_factory().connection)
        sandbox_factory()
        async with clients.shared_client(here) as one, clients.shared_client(there) as other:
            async with clients.shared_client(here) as same:
                assert same is one
            assert other is not one
