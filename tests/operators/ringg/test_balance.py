"""Whether a list can be paid, and waiting until it can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout, TaskDeferred

from ringg_provider.exceptions import InsufficientBalance, InvalidRequest, UnexpectedResponse
from ringg_provider.operators import waiting
from ringg_provider.operators.ringg import RinggCheckBalanceOperator, RinggUploadCsvOperator
from ringg_provider.triggers.ringg import RinggBalanceTrigger
from tests.operators.campaigns import NOON, Pauses, checked, refused, upload
from tests.support.tasks import context

GENERATIONS = pytest.mark.parametrize("platform", ["g2", "g3"], indirect=True)


def asked(platform: Any, end_of_path: str) -> int:
    return sum(request["path"].endswith(end_of_path) for request in platform.requests())


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
    assert waited.seconds == [60] * 3


@pytest.mark.parametrize(
    ("trouble", "pause"),
    [
        ({"kind": "status", "status": 500}, 60),
        ({"kind": "status", "status": 429, "headers": {"Retry-After": "300"}}, 300),
    ],
    ids=["500", "429"],
)
def test_a_platform_that_is_briefly_unwell_ends_no_wait(
    platform: Any, unpaid: str, pauses: Any, trouble: dict[str, Any], pause: float
) -> None:
    def pay_and_fall_ill() -> None:
        platform.fault(path="/campaign/check-balance", **trouble)
        platform.settings(balance=10)

    waited = pauses(after_2=pay_and_fall_ill)
    assert check_balance(unpaid, on_shortfall="wait").execute(context())["sufficient"] is True
    assert waited.seconds == [60, 60, pause]


def test_a_ready_list_whose_state_cannot_be_read_now_is_asked_for_again(
    platform: Any, uploaded: str, pauses: Any
) -> None:
    platform.fault(path="/campaign/upload-status", kind="status", status=500)
    waited = pauses()
    assert check_balance(uploaded, on_shortfall="wait").execute(context())["sufficient"] is True
    assert waited.seconds == [60]


def test_it_gives_up_when_nobody_topped_up_in_time(platform: Any, unpaid: str, pauses: Any, clock: Any) -> None:
    waited = pauses(
        after_1=lambda: clock.shift(timedelta(minutes=59)), after_2=lambda: clock.shift(timedelta(minutes=2))
    )
    with refused(InsufficientBalance, "Nobody topped up in time"):
        check_balance(unpaid, on_shortfall="wait", timeout=3600).execute(context())
    assert waited.seconds == [60] * 2


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


def test_a_task_that_was_told_of_a_change_too_early_waits_on_with_the_deadlines_that_it_had(
    platform: Any, unpaid: str
) -> None:
    operator = check_balance(unpaid, on_shortfall="wait")
    deadlines = {"deadline": NOON.timestamp() + 60, "kill_deadline": NOON.timestamp() + 90}
    with pytest.raises(TaskDeferred) as again:
        operator.execute_complete(context(), {"id": unpaid, "status": "changed"}, **deadlines)
    assert again.value.kwargs == deadlines
    arguments = again.value.trigger.serialize()[1]
    assert {name: arguments[name] for name in deadlines} == deadlines


@pytest.mark.parametrize("status", [500, 429])
def test_a_platform_that_is_briefly_unwell_is_left_to_the_triggerer(platform: Any, unpaid: str, status: int) -> None:
    operator = check_balance(unpaid, on_shortfall="wait")
    operator.deferrable = True
    fault = {"path": "/campaign/check-balance", "kind": "status", "status": status, "headers": {"Retry-After": "300"}}
    platform.fault(**fault)
    with pytest.raises(TaskDeferred):
        operator.execute(context())
    platform.fault(**fault)
    with pytest.raises(TaskDeferred):
        operator.execute_complete(context(), {"id": unpaid, "status": "changed"})


def test_execution_timeout_goes_on_counting_while_the_task_is_deferred(platform: Any, unpaid: str) -> None:
    operator = check_balance(unpaid, on_shortfall="wait", execution_timeout=timedelta(minutes=10))
    operator.deferrable = True
    attempt = context()
    with pytest.raises(TaskDeferred) as waiting_there:
        operator.execute(attempt)
    kill_deadline = attempt["ti"].start_date.timestamp() + 600
    assert waiting_there.value.trigger.serialize()[1]["kill_deadline"] == kill_deadline
    over = {"id": unpaid, "status": "execution_timeout", "message": "is still short of credits"}
    with pytest.raises(AirflowTaskTimeout, match="still short of credits"):
        operator.execute_complete(context(), over)
