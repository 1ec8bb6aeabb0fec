"""Credits that run out: waited for before a start, and noticed while a campaign waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from ringg_provider.exceptions import InsufficientBalance, InvalidRequest, UnexpectedResponse
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.operators import waiting
from ringg_provider.operators.ringg import (
    RinggCheckBalanceOperator,
    RinggSaveCampaignOperator,
    RinggStartCampaignOperator,
    RinggUploadCsvOperator,
)
from ringg_provider.ringg.campaigns import RinggListing
from ringg_provider.sensors.ringg import RinggCampaignSensor
from ringg_provider.triggers.ringg import RinggBalanceTrigger, RinggCampaignTrigger
from tests.operators.campaigns import COMMON, LINE, NOON, checked, refused, state_of, upload
from tests.support.tasks import context

GENERATIONS = pytest.mark.parametrize("platform", ["g2", "g3"], indirect=True)
RUN_OUT = "out of credits"


def asked(platform: Any, end_of_path: str) -> int:
    return sum(request["path"].endswith(end_of_path) for request in platform.requests())


# While a campaign runs.


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


class Pauses:
    """Stands in for the waiting between two looks: counts, and does what is planned for a number."""

    def __init__(self, **plan: Callable[[], Any]) -> None:
        self.count = 0
        self.plan = {int(number.removeprefix("after_")): act for number, act in plan.items()}

    def __call__(self, seconds: float, told_to_stop: Callable[[], bool]) -> None:
        assert seconds == 60
        self.count += 1
        self.plan.get(self.count, lambda: None)()


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


# Before a start.


@pytest.fixture
def unpaid(platform: Any, contacts: str) -> str:
    """A list of the large flow that the workspace cannot pay."""
    platform.settings(balance="0.25")
    return checked(platform, upload(RinggUploadCsvOperator, contacts))


def check_balance(list_id: str, **arguments: Any) -> RinggCheckBalanceOperator:
    return RinggCheckBalanceOperator(
        task_id="task", ringg_conn_id="ringg_sandbox", bulk_list_id=list_id, deferrable=False, **arguments
    )


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pauses]:
    """Plan what happens in the pauses of `RinggCheckBalanceOperator`."""

    def plan(**acts: Callable[[], Any]) -> Pauses:
        made = Pauses(**acts)
        monkeypatch.setattr(waiting, "sleep_until_told", made)
        return made

    return plan


@GENERATIONS
def test_a_ready_list_counts_as_sufficient(platform: Any, uploaded: str) -> None:
    answer = check_balance(uploaded).execute(context())
    assert answer["sufficient"] is True
    # The newer generation refuses to check a list that does not wait for credits: its state is the answer.
    generation = platform.state()["generation"]
    assert answer["basis"] == {"g3": "status", "g2": "sufficient_balance"}[generation]


@GENERATIONS
def test_a_shortfall_fails_with_the_numbers_of_the_platform(platform: Any, unpaid: str) -> None:
    with pytest.raises(Exception, match="lacks credits") as caught:
        check_balance(unpaid).execute(context())
    error = caught.value.__cause__
    assert isinstance(error, InsufficientBalance)
    assert error.required_credits == 1


def test_a_shortfall_skips_or_goes_on_as_told(platform: Any, unpaid: str) -> None:
    with pytest.raises(AirflowSkipException):
        check_balance(unpaid, on_shortfall="skip").execute(context())
    assert check_balance(unpaid, on_shortfall="continue").execute(context())["sufficient"] is False
    with refused(InvalidRequest, "on_shortfall: must be one of"):
        check_balance(unpaid, on_shortfall="hope").execute(context())


@GENERATIONS
def test_it_waits_for_a_top_up(platform: Any, unpaid: str, pauses: Any) -> None:
    waited = pauses(after_3=lambda: platform.settings(balance=10))
    assert check_balance(unpaid, on_shortfall="wait").execute(context())["sufficient"] is True
    assert waited.count == 3


def test_it_gives_up_when_nobody_topped_up_in_time(platform: Any, unpaid: str, pauses: Any, clock: Any) -> None:
    waited = pauses(
        after_1=lambda: clock.shift(timedelta(minutes=59)), after_2=lambda: clock.shift(timedelta(minutes=2))
    )
    with refused(InsufficientBalance, "Nobody topped up in time"):
        check_balance(unpaid, on_shortfall="wait", timeout=3600).execute(context())
    assert waited.count == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_balance_that_cannot_be_asked_for_is_not_sufficient(platform: Any, uploaded: str, status: int) -> None:
    platform.fault(method="POST", path="/campaign/check-balance", kind="status", status=status)
    with pytest.raises(Exception, match=str(status)):
        check_balance(uploaded).execute(context())


def test_a_refusal_counts_as_sufficient_only_for_a_list_that_is_ready(platform: Any, uploaded: str) -> None:
    platform.settings(forced_statuses={uploaded: "somewhere"})
    with refused(InsufficientBalance, "does not say whether credits suffice"):
        check_balance(uploaded).execute(context())


def deferred(operator: RinggCheckBalanceOperator) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(context())
    return caught.value


@GENERATIONS
async def test_the_triggerer_waits_for_a_top_up_and_the_task_asks_again(platform: Any, unpaid: str) -> None:
    operator = check_balance(unpaid, on_shortfall="wait", poll_interval=0.01)
    operator.deferrable = True
    waiting = await asyncio.to_thread(deferred, operator)
    assert isinstance(waiting.trigger, RinggBalanceTrigger)
    assert waiting.timeout is None
    kind, arguments = waiting.trigger.serialize()
    assert kind == "ringg_provider.triggers.ringg.RinggBalanceTrigger"
    event = asyncio.ensure_future(anext(RinggBalanceTrigger(**arguments).run()))
    before = await asyncio.to_thread(asked, platform, f"/check-balance/{unpaid}")
    while await asyncio.to_thread(asked, platform, f"/check-balance/{unpaid}") < before + 3:
        assert not event.done()
    await asyncio.to_thread(platform.settings, balance=10)
    payload = (await event).payload
    assert payload["status"] == "changed"
    answer = await asyncio.to_thread(operator.execute_complete, context(), payload, deadline=None)
    assert answer["sufficient"] is True


async def test_the_triggerer_lets_an_interval_pass_before_it_asks_what_the_task_just_asked(
    platform: Any, unpaid: str
) -> None:
    before = await asyncio.to_thread(asked, platform, f"/check-balance/{unpaid}")
    trigger = RinggBalanceTrigger(ringg_conn_id="ringg_sandbox", bulk_list_id=unpaid, poll_interval=60)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(trigger.run()), timeout=0.5)
    assert await asyncio.to_thread(asked, platform, f"/check-balance/{unpaid}") == before


async def test_the_triggerer_gives_up_at_the_deadline_and_so_does_the_task(platform: Any, unpaid: str) -> None:
    deadline = NOON.timestamp() - 1
    trigger = RinggBalanceTrigger(ringg_conn_id="ringg_sandbox", bulk_list_id=unpaid, deadline=deadline)
    payload = (await anext(trigger.run())).payload
    assert payload["status"] == "timeout"

    def resume(event: Any) -> Any:
        return check_balance(unpaid, on_shortfall="wait").execute_complete(context(), event, deadline=deadline)

    with refused(InsufficientBalance, "Nobody topped up in time"):
        await asyncio.to_thread(resume, payload)
    for nonsense in (None, {}, {"id": "another", "status": "changed"}):
        with refused(UnexpectedResponse, "no usable event"):
            resume(nonsense)


def test_a_task_that_was_told_of_a_change_too_early_waits_on(platform: Any, unpaid: str) -> None:
    operator = check_balance(unpaid, on_shortfall="wait")
    with pytest.raises(TaskDeferred):
        operator.execute_complete(context(), {"id": unpaid, "status": "changed"}, deadline=NOON.timestamp() + 60)
