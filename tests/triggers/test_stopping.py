"""A campaign is stopped when a person marked its task failed, for no other reason, and whatever interrupts that."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.jobs.triggerer_job_runner import TriggerRunner
from airflow.secrets.environment_variables import EnvironmentVariablesBackend

from ringg_provider.triggers import stopping
from ringg_provider.triggers.tasks import ON_KILL_BY_AIRFLOW
from ringg_provider.triggers.waiting import WaitingTrigger
from tests.support.sandbox import Sandbox
from tests.triggers.waits import (
    Supervisor,
    both_generations,
    campaign_trigger,
    of_task,
    seed,
    terminations,
)

TERMINATE = {"method": "PATCH", "path": "/campaign/terminate"}


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Everything that was logged, whatever Airflow of the day logs with."""
    caplog.set_level("INFO")
    return lambda: caplog.text + capsys.readouterr().out


class Triggerer:
    """Airflow's own runner of triggers, with one trigger of a task that a person has touched."""

    def __init__(self, trigger: WaitingTrigger) -> None:
        self.runner = TriggerRunner()  # type: ignore[no-untyped-call]
        self.task = asyncio.get_running_loop().create_task(self.runner.run_trigger(1, trigger))
        self.runner.triggers[1] = {"task": self.task, "is_watcher": False, "name": "the trigger", "events": 0}

    async def cancel(self, every: float = 0.2, times: int = 1000) -> None:
        """Cancel the trigger again and again until it has ended, as Airflow does every second."""
        await asyncio.sleep(0.25)
        assert not self.task.done()
        for _ in range(times):
            self.runner.to_cancel.append(1)
            await self.runner.cancel_triggers()
            await asyncio.wait([self.task], timeout=every)
            if self.task.done():
                break


async def all_is_done() -> None:
    """Wait for what goes on after the triggers have ended; nothing but the module itself holds it."""
    gc.collect()
    while stopping.under_way:
        await asyncio.wait(stopping.under_way)


def watching(sandbox: Sandbox, campaign_id: str | None = None, map_index: int = -1, **more: Any) -> WaitingTrigger:
    campaign_id = campaign_id or seed(sandbox)[0]
    return of_task(campaign_trigger(campaign_id, cancel_on_kill=True, **more), map_index)


async def test_what_marks_a_task_failed_terminates_its_campaign(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], said: Callable[[], str]
) -> None:
    task_is("failed")
    await Triggerer(watching(sandbox)).cancel()
    await all_is_done()
    assert sandbox.state()["campaigns"][0]["state"] == "terminated"
    assert "was terminated: the task was marked failed" in said()


@both_generations
@pytest.mark.parametrize("map_index", [-1, 3])
async def test_the_state_of_the_triggers_own_task_is_asked_for(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], map_index: int
) -> None:
    supervisor = task_is("failed")
    await watching(sandbox, map_index=map_index).on_kill()
    assert terminations(sandbox) == 1
    (asked,) = supervisor.asked
    assert (asked.dag_id, asked.run_ids, asked.task_ids) == ("dag-1", ["run-1"], ["wait"])
    assert asked.map_index == (None if map_index < 0 else map_index)


@pytest.mark.parametrize("state", ["success", "running", "deferred", "queued", "up_for_retry", None])
async def test_any_other_reason_leaves_the_campaign_running(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], state: str | None, said: Callable[[], str]
) -> None:
    task_is(state, slow=0.5)
    await Triggerer(watching(sandbox)).cancel()
    await all_is_done()
    assert terminations(sandbox) == 0
    assert "goes on" in said()


async def test_cancel_on_kill_off_leaves_the_campaign_running_and_asks_nobody(
    sandbox: Sandbox, task_is: Callable[..., Supervisor]
) -> None:
    supervisor = task_is("failed")
    await Triggerer(of_task(campaign_trigger(seed(sandbox)[0], cancel_on_kill=False))).cancel()
    await all_is_done()
    assert terminations(sandbox) == 0
    assert supervisor.asked == []


# Airflow is impatient, and all of this takes time.


async def test_finding_out_slowly_is_not_interrupted_by_the_next_cancel(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], said: Callable[[], str]
) -> None:
    task_is("failed", slow=1.5)
    await Triggerer(watching(sandbox)).cancel(every=0.1)
    await all_is_done()
    assert sandbox.state()["campaigns"][0]["state"] == "terminated"
    assert "was terminated" in said()


async def test_a_trigger_that_is_cancelled_while_it_still_opens_its_connection_stops_its_campaign(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow tells by the cancel's message that a person acted, and what waits for a thread loses it."""
    read = EnvironmentVariablesBackend.get_conn_value

    def slowly(self: EnvironmentVariablesBackend, *args: Any, **kwargs: Any) -> Any:
        time.sleep(0.8)
        return read(self, *args, **kwargs)

    monkeypatch.setattr(EnvironmentVariablesBackend, "get_conn_value", slowly)
    task_is("failed")
    await Triggerer(watching(sandbox)).cancel()
    await all_is_done()
    assert sandbox.state()["campaigns"][0]["state"] == "terminated"


@pytest.mark.parametrize(
    "slow",
    [
        {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
        {"kind": "latency", "seconds": 1.5},
        {"kind": "latency", "when": "after", "seconds": 1.5},
        {"kind": "status", "status": 503},
        {"kind": "cut"},
    ],
    ids=["429", "late", "late answer", "503", "cut"],
)
async def test_stopping_slowly_is_not_interrupted_by_the_next_cancel(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], slow: dict[str, Any]
) -> None:
    task_is("failed")
    sandbox.fault(**TERMINATE, **slow)
    await Triggerer(watching(sandbox)).cancel(every=0.1)
    await all_is_done()
    assert sandbox.state()["campaigns"][0]["state"] == "terminated"


async def test_two_whose_tasks_are_marked_at_once_are_both_stopped_while_a_third_goes_on_waiting(
    sandbox: Sandbox, task_is: Callable[..., Supervisor]
) -> None:
    ids = seed(sandbox, 3)
    task_is("failed", slow=0.7)
    first, second, third = (Triggerer(watching(sandbox, campaign_id)) for campaign_id in ids)
    await asyncio.gather(first.cancel(every=0.1), second.cancel(every=0.15))
    await all_is_done()
    assert not third.task.done()
    assert [one["state"] for one in sandbox.state()["campaigns"]] == ["terminated", "terminated", "ongoing"]
    third.task.cancel()
    await asyncio.wait([third.task])


async def test_a_platform_that_cannot_stop_it_now_is_asked_again(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch, said: Callable[[], str]
) -> None:
    monkeypatch.setattr(stopping, "STOP_INTERVAL", 0.3)
    task_is("failed")
    sandbox.fault(**TERMINATE, kind="status", status=500, times=2)
    await Triggerer(watching(sandbox)).cancel(every=0.1)
    await all_is_done()
    assert sandbox.state()["campaigns"][0]["state"] == "terminated"
    assert said().count("is not stopped yet") == 2


# What cannot be done is said.


async def test_a_refusal_is_said_with_what_to_do(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], said: Callable[[], str]
) -> None:
    task_is("failed")
    sandbox.fault(**TERMINATE, kind="status", status=403)
    await Triggerer(watching(sandbox)).cancel()
    await all_is_done()
    text = said()
    assert "could not be stopped though its task was marked failed (PermissionDenied" in text
    assert "Stop it by hand" in text


async def test_a_platform_that_stays_unwell_is_given_up_and_that_is_said(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch, said: Callable[[], str]
) -> None:
    monkeypatch.setattr(stopping, "STOP_INTERVAL", 0.05)
    monkeypatch.setattr(stopping, "STOP_WITHIN", 0.5)
    task_is("failed")
    sandbox.fault(**TERMINATE, kind="status", status=500, times=1000)
    await Triggerer(watching(sandbox)).cancel(every=0.1)
    await all_is_done()
    assert "could not be stopped though its task was marked failed (TimeoutError" in said()


@pytest.mark.parametrize("state", [BrokenPipeError(), RuntimeError("the API server is away")])
async def test_a_state_that_cannot_be_read_leaves_the_campaign_running_and_that_is_said(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], state: Exception, said: Callable[[], str]
) -> None:
    task_is(state)
    await Triggerer(watching(sandbox)).cancel()
    await all_is_done()
    assert terminations(sandbox) == 0
    assert f"could not be found out whether its task was marked failed ({type(state).__name__})" in said()


async def test_a_supervisor_that_does_not_answer_is_not_waited_for_for_ever(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch, said: Callable[[], str]
) -> None:
    monkeypatch.setattr(stopping, "CHECK_WITHIN", 0.2)
    task_is("failed", slow=3.0)
    triggerer = Triggerer(watching(sandbox))
    begun = time.monotonic()
    await triggerer.cancel(every=0.1)
    assert time.monotonic() - begun < 2.5
    await all_is_done()
    assert terminations(sandbox) == 0
    assert "could not be found out whether its task was marked failed (TimeoutError)" in said()


# A triggerer that shuts down.


def test_a_triggerer_that_shuts_down_leaves_the_campaign_running(
    sandbox: Sandbox, task_is: Callable[..., Supervisor]
) -> None:
    supervisor = task_is("deferred")

    async def shut_down() -> None:
        Triggerer(watching(sandbox))
        await asyncio.sleep(0.3)

    asyncio.run(shut_down())
    assert terminations(sandbox) == 0
    # From Airflow 3.3 on it says itself why it cancels; before, each trigger has to find out.
    assert bool(supervisor.asked) != ON_KILL_BY_AIRFLOW


def test_a_stop_that_a_shutdown_interrupts_is_tried_once_more(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], said: Callable[[], str]
) -> None:
    task_is("failed")
    sandbox.fault(**TERMINATE, kind="status", status=429, headers={"Retry-After": "60"})

    async def shut_down() -> None:
        await Triggerer(watching(sandbox)).cancel(times=2)
        while not terminations(sandbox):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    begun = time.monotonic()
    asyncio.run(shut_down())
    assert time.monotonic() - begun < 10
    assert sandbox.state()["campaigns"][0]["state"] == "terminated"
    assert "was terminated" in said()


def test_a_shutdown_that_leaves_no_time_to_stop_it_is_said(
    sandbox: Sandbox, task_is: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch, said: Callable[[], str]
) -> None:
    monkeypatch.setattr(stopping, "SHUTDOWN_WITHIN", 0.3)
    task_is("failed")
    sandbox.fault(**TERMINATE, kind="status", status=429, headers={"Retry-After": "60"}, times=9)

    async def shut_down() -> None:
        await Triggerer(watching(sandbox)).cancel(times=2)

    asyncio.run(shut_down())
    assert "could not be stopped though its task was marked failed" in said()
