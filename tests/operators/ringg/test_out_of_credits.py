"""Credits that run out while a campaign runs are noticed by whoever waits for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.operators import waiting
from ringg_provider.operators.ringg import (
    RinggSaveCampaignOperator,
    RinggStartCampaignOperator,
)
from ringg_provider.ringg.campaigns import RinggListing
from ringg_provider.sensors.ringg import RinggCampaignSensor
from ringg_provider.triggers.ringg import RinggCampaignTrigger
from tests.operators.campaigns import COMMON, LINE, NOON, Pauses, state_of, upload
from tests.support.tasks import context

GENERATIONS = pytest.mark.parametrize("platform", ["g2", "g3"], indirect=True)
RUN_OUT = "out of credits"


def asked(platform: Any, end_of_path: str) -> int:
    return sum(request["path"].endswith(end_of_path) for request in platform.requests())


@pytest.fixture
def both_stalled(platform: Any, saved: str, contacts: str, clock: Any) -> list[str]:
    """Two campaigns in the middle of their hours, whose workspace has nothing left."""
    lists = [saved, upload(RinggSaveCampaignOperator, contacts, campaign_start_time="2027-03-01T13:00")]
    for list_id in lists:
        RinggStartCampaignOperator(list_id=list_id, from_numbers=LINE, **COMMON).execute(context())
    platform.settings(balance=0)
    clock.move_to(NOON + timedelta(hours=2))
    assert [state_of(platform, list_id) for list_id in lists] == ["ongoing", "ongoing"]
    return lists


@pytest.fixture
def stalled(both_stalled: list[str]) -> str:
    """One of them."""
    return both_stalled[0]


def let_it_end(platform: Any, clock: Any) -> None:
    clock.move_to(NOON + timedelta(hours=6))


@GENERATIONS
def test_a_waiting_task_says_once_that_the_credits_ran_out_and_asks_for_them_rarely(
    platform: Any, stalled: str, clock: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = RinggStartCampaignOperator(
        list_id=stalled, from_numbers=LINE, wait_for_completion=True, poll_interval=60, **COMMON
    )
    heard: list[int] = []
    pauses = Pauses(
        after_5=lambda: heard.append(capsys.readouterr().out.count(RUN_OUT)),
        after_16=lambda: heard.append(capsys.readouterr().out.count(RUN_OUT)),
        after_20=lambda: let_it_end(platform, clock),
    )
    monkeypatch.setattr(waiting, "sleep_until_told", pauses)
    before = asked(platform, "/workspace")
    operator.execute(context())
    assert heard == [0, 1]
    assert asked(platform, "/workspace") - before == 3  # at the looks 6, 11 and 16


def test_a_top_up_is_seen_and_the_next_time_is_said_again(
    platform: Any, stalled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sensor = RinggCampaignSensor(task_id="task", ringg_conn_id="ringg_sandbox", campaign_id=stalled)
    with sensor.hook:
        for _ in range(6):
            assert not sensor.look().is_done
        assert capsys.readouterr().out.count(RUN_OUT) == 1
        # What is topped up here is used up by the calls of the moment: the sandbox's time stands still.
        platform.settings(balance=1000)
        for _ in range(5):
            sensor.look()
        said = capsys.readouterr().out
        assert "is ongoing" in said
        assert RUN_OUT not in said


def test_credits_that_cannot_be_read_prove_nothing(
    platform: Any, stalled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sensor = RinggCampaignSensor(task_id="task", ringg_conn_id="ringg_sandbox", campaign_id=stalled)
    platform.fault(method="GET", path="/workspace", kind="status", status=403, times=1)
    with sensor.hook:
        for _ in range(15):
            assert not sensor.look().is_done
        assert RUN_OUT not in capsys.readouterr().out
        sensor.look()
        assert RUN_OUT in capsys.readouterr().out


@GENERATIONS
async def test_all_campaigns_in_one_triggerer_ask_for_the_credits_once(
    platform: Any, both_stalled: list[str], contacts: str
) -> None:
    unstarted = await asyncio.to_thread(upload, RinggSaveCampaignOperator, contacts)
    before = await asyncio.to_thread(asked, platform, "/workspace")
    async with await RinggHook("ringg_sandbox").aclient() as client:
        listing = RinggListing(client)
        wanted = {*both_stalled, unstarted}
        sightings = [await listing.read_listing(wanted) for _ in range(7)]
    for list_id in both_stalled:
        assert [seen[list_id].out_of_credits for seen in sightings] == [False] * 5 + [True] * 2
    # What has not been started does not stand still.
    assert not sightings[-1][unstarted].out_of_credits
    assert await asyncio.to_thread(asked, platform, "/workspace") - before == 1


async def test_the_trigger_warns_and_goes_on_waiting(
    platform: Any, stalled: str, clock: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    trigger = RinggCampaignTrigger(ringg_conn_id="ringg_sandbox", campaign_id=stalled, poll_interval=0.01)
    events = trigger.run()
    ending = asyncio.ensure_future(anext(events))
    said = ""
    while RUN_OUT not in said + caplog.text:
        assert not ending.done()
        await asyncio.sleep(0)
        said += capsys.readouterr().out
    let_it_end(platform, clock)
    event = await ending
    assert event.payload["status"] == "completed"
    assert (said + caplog.text).count(RUN_OUT) == 1
