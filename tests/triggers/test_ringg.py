"""The Ringg triggers against the sandbox on a socket, and what Airflow does with them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from pkgutil import resolve_name
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetTaskStates, TaskStatesResult
from airflow.secrets.environment_variables import EnvironmentVariablesBackend

from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.ringg import AsyncRinggClient, RinggClient
from ringg_provider.ringg.requests import CampaignSpec
from ringg_provider.triggers import campaign as module
from ringg_provider.triggers import clients, poller
from ringg_provider.triggers.ringg import RinggBalanceTrigger, RinggCampaignTrigger, RinggUploadStatusTrigger
from tests.support.sandbox import Sandbox

both_generations = pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)
AGENT = "22222222-2222-4222-8222-222222222222"
CONFIG = {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "UTC"}}
TICK = 0.05


def seed(sandbox: Sandbox, count: int = 1, state: str = "ongoing") -> list[str]:
    """Campaigns that stay as they are."""
    answer = sandbox.admin.post("/_sandbox/seed/campaigns", json={"count": count, "states": [state]})
    ids: list[str] = answer.json()["ids"]
    return ids


@pytest.fixture
def campaign_id(sandbox: Sandbox) -> str:
    (campaign_id,) = seed(sandbox)
    return campaign_id


@pytest.fixture
def bulk_list_id(sandbox: Sandbox, tmp_path: Path) -> str:
    """A real upload of one contact."""
    csv = tmp_path / "contacts.csv"
    csv.write_text("Name,Phone\nAsha,9876543210\n")
    spec = CampaignSpec(
        campaign_name="triggers",
        agent_id=AGENT,
        country_code="+91",
        variables_map={"callee_name": "Name", "mobile_number": "Phone"},
        call_config=CONFIG,
        campaign_start_time="01/01/2030, 10:00",
        campaign_end_time="01/01/2030, 20:00",
    )
    with RinggClient(sandbox.api_key, sandbox.base_url) as client:
        return client.upload_csv(spec, csv).bulk_list_id


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert poller._pollers == {}
    assert clients._clients == {}


def campaign_trigger(campaign_id: str, **more: Any) -> RinggCampaignTrigger:
    return RinggCampaignTrigger(
        ringg_conn_id="ringg_sandbox", campaign_id=campaign_id, **{"poll_interval": TICK, **more}
    )


async def event_of(trigger: Any, within: float = 20) -> dict[str, Any]:
    """The one event of a trigger, as JSON gives it back."""
    async with asyncio.timeout(within):
        events = [event async for event in trigger.run()]
    assert len(events) == 1
    payload: dict[str, Any] = json.loads(json.dumps(events[0].payload))
    assert set(payload) == {"status", "id", "message"}
    return payload


# Waiting for a campaign.


@both_generations
@pytest.mark.parametrize("status", ["completed", "failed", "terminated"])
async def test_a_campaign_is_followed_to_its_end(sandbox: Sandbox, campaign_id: str, status: str) -> None:
    waiting = asyncio.create_task(event_of(campaign_trigger(campaign_id)))
    await asyncio.sleep(5 * TICK)
    assert not waiting.done()
    await asyncio.to_thread(sandbox.settings, forced_statuses={campaign_id: status})
    event = await waiting
    assert (event["status"], event["id"]) == (status, campaign_id)


@both_generations
async def test_a_campaign_that_has_not_ended_in_time_is_a_timeout(sandbox: Sandbox, campaign_id: str) -> None:
    event = await event_of(campaign_trigger(campaign_id, deadline=time.time() + 0.5))
    assert event["status"] == "timeout"


async def test_execution_timeout_is_told_apart_from_timeout(sandbox: Sandbox, campaign_id: str) -> None:
    now = time.time()
    event = await event_of(campaign_trigger(campaign_id, deadline=now + 600, kill_deadline=now + 0.5))
    assert event["status"] == "execution_timeout"


@pytest.mark.parametrize("deadline", ["deadline", "kill_deadline"])
async def test_a_trigger_that_starts_after_its_deadline_still_sees_that_the_campaign_has_ended(
    sandbox: Sandbox, campaign_id: str, deadline: str
) -> None:
    sandbox.settings(forced_statuses={campaign_id: "completed"})
    event = await event_of(campaign_trigger(campaign_id, **{deadline: time.time() - 3600}))
    assert event["status"] == "completed"


async def test_a_status_that_nobody_knows_is_no_end_and_becomes_a_timeout(sandbox: Sandbox, campaign_id: str) -> None:
    sandbox.settings(forced_statuses={campaign_id: "evaporated"})
    event = await event_of(campaign_trigger(campaign_id, deadline=time.time() + 0.5))
    assert event["status"] == "timeout"


async def test_a_platform_that_does_not_answer_before_the_deadline_is_a_timeout(
    sandbox: Sandbox, campaign_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.3)
    sandbox.fault(method="GET", path="/campaign/all", kind="latency", seconds=5)
    event = await event_of(campaign_trigger(campaign_id, deadline=time.time()), within=4)
    assert event["status"] == "timeout"


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


async def test_a_platform_that_is_unwell_is_asked_again(sandbox: Sandbox, campaign_id: str) -> None:
    sandbox.fault(method="GET", path="/campaign/all", kind="status", status=500, times=2)
    sandbox.settings(forced_statuses={campaign_id: "completed"})
    assert (await event_of(campaign_trigger(campaign_id)))["status"] == "completed"


async def test_a_campaign_that_the_listing_hides_is_found_by_its_upload_status(
    sandbox: Sandbox, campaign_id: str
) -> None:
    sandbox.settings(listing_hides="all", forced_statuses={campaign_id: "terminated"})
    assert (await event_of(campaign_trigger(campaign_id)))["status"] == "terminated"


async def test_many_campaigns_cost_one_listing_per_interval_and_not_one_each(sandbox: Sandbox) -> None:
    ids = seed(sandbox, 60)
    waiting = [asyncio.create_task(event_of(campaign_trigger(campaign_id, poll_interval=0.4))) for campaign_id in ids]
    await asyncio.sleep(1.5)
    await asyncio.to_thread(sandbox.settings, forced_statuses=dict.fromkeys(ids, "completed"))
    events = await asyncio.gather(*waiting)
    assert {event["status"] for event in events} == {"completed"}
    asked = await asyncio.to_thread(sandbox.requests)
    assert {request["path"].rsplit("/v0", 1)[-1] for request in asked} == {"/campaign/all"}
    assert len(asked) <= 10, "a pass needs one page, and there was time for about five passes"


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


async def test_a_pass_ends_as_soon_as_every_watched_campaign_was_seen(sandbox: Sandbox) -> None:
    seed(sandbox, 2500, "completed")
    (newest,) = seed(sandbox, 1, "completed")
    assert (await event_of(campaign_trigger(newest)))["status"] == "completed"
    assert len(sandbox.requests()) == 1


async def test_the_progress_is_logged_once_per_change(
    sandbox: Sandbox, campaign_id: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    trigger = campaign_trigger(campaign_id)
    monkeypatch.setattr(trigger.log, "info", lambda text, *args: lines.append(text % args))
    waiting = asyncio.create_task(event_of(trigger))
    await asyncio.sleep(8 * TICK)
    assert len(lines) == 1
    await asyncio.to_thread(sandbox.settings, forced_statuses={campaign_id: "completed"})
    await waiting
    assert [line.split(",")[0].rstrip(".") for line in lines] == [
        f"Campaign {campaign_id} is ongoing",
        f"Campaign {campaign_id} is completed",
    ]


# Waiting for an upload and for credits.


def upload_trigger(bulk_list_id: str, **more: Any) -> RinggUploadStatusTrigger:
    return RinggUploadStatusTrigger(
        ringg_conn_id="ringg_sandbox", bulk_list_id=bulk_list_id, **{"poll_interval": TICK, **more}
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


# What Airflow does with a trigger.


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


@pytest.fixture
def task_is(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Supervisor]:
    def be(state: str | Exception | None, **more: Any) -> Supervisor:
        supervisor = Supervisor(state, **more)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
        return supervisor

    return be


def of_task(trigger: RinggCampaignTrigger, map_index: int = -1) -> RinggCampaignTrigger:
    trigger.task_instance = SimpleNamespace(  # type: ignore[assignment]
        dag_id="dag-1", run_id="run-1", task_id="wait", map_index=map_index
    )
    return trigger


def terminations(sandbox: Sandbox) -> int:
    return sum(request["method"] == "PATCH" for request in sandbox.requests())


@both_generations
@pytest.mark.parametrize("map_index", [-1, 3])
async def test_marking_the_task_failed_terminates_the_campaign(
    sandbox: Sandbox, campaign_id: str, task_is: Callable[..., Supervisor], map_index: int
) -> None:
    supervisor = task_is("failed")
    await of_task(campaign_trigger(campaign_id, cancel_on_kill=True), map_index).on_kill()
    assert sandbox.state()["campaigns"][0]["state"] == "terminated"
    (asked,) = supervisor.asked
    assert (asked.dag_id, asked.run_ids, asked.task_ids) == ("dag-1", ["run-1"], ["wait"])
    assert asked.map_index == (None if map_index < 0 else map_index)


@pytest.mark.parametrize("state", ["success", "running", "deferred", "queued", "up_for_retry", None])
async def test_any_other_reason_leaves_the_campaign_running(
    sandbox: Sandbox, campaign_id: str, task_is: Callable[..., Supervisor], state: str | None
) -> None:
    task_is(state)
    await of_task(campaign_trigger(campaign_id, cancel_on_kill=True)).on_kill()
    assert terminations(sandbox) == 0


async def test_cancel_on_kill_off_leaves_the_campaign_running_and_asks_nobody(
    sandbox: Sandbox, campaign_id: str, task_is: Callable[..., Supervisor]
) -> None:
    supervisor = task_is("failed")
    await of_task(campaign_trigger(campaign_id, cancel_on_kill=False)).on_kill()
    assert terminations(sandbox) == 0
    assert supervisor.asked == []


async def cancelled_while_waiting(trigger: RinggCampaignTrigger) -> float:
    """Cancel a trigger that waits, as a triggerer does; returns how many seconds it took to end."""
    waiting = asyncio.create_task(event_of(trigger))
    await asyncio.sleep(5 * TICK)
    begun = time.monotonic()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    return time.monotonic() - begun


@pytest.mark.parametrize(("state", "stopped"), [("failed", 1), ("success", 0), ("deferred", 0), (None, 0)])
async def test_below_airflow_3_3_a_cancelled_trigger_looks_at_its_task_by_itself(
    sandbox: Sandbox,
    campaign_id: str,
    task_is: Callable[..., Supervisor],
    monkeypatch: pytest.MonkeyPatch,
    state: str | None,
    stopped: int,
) -> None:
    monkeypatch.setattr(module, "ON_KILL_BY_AIRFLOW", False)
    task_is(state)
    await cancelled_while_waiting(of_task(campaign_trigger(campaign_id, cancel_on_kill=True)))
    assert terminations(sandbox) == stopped


async def test_below_airflow_3_3_a_triggerer_that_shuts_down_is_not_kept_waiting(
    sandbox: Sandbox, campaign_id: str, task_is: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ON_KILL_BY_AIRFLOW", False)
    monkeypatch.setattr(module, "ON_CANCEL_TIMEOUT", 0.2)
    task_is("failed", slow=2.0)
    assert await cancelled_while_waiting(of_task(campaign_trigger(campaign_id, cancel_on_kill=True))) < 1.5
    assert terminations(sandbox) == 0


async def test_below_airflow_3_3_a_supervisor_that_is_gone_leaves_the_campaign_running(
    sandbox: Sandbox, campaign_id: str, task_is: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ON_KILL_BY_AIRFLOW", False)
    task_is(BrokenPipeError())
    await cancelled_while_waiting(of_task(campaign_trigger(campaign_id, cancel_on_kill=True)))
    assert terminations(sandbox) == 0


async def test_from_airflow_3_3_on_a_cancelled_trigger_leaves_stopping_to_on_kill(
    sandbox: Sandbox, campaign_id: str, task_is: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ON_KILL_BY_AIRFLOW", True)
    supervisor = task_is("failed")
    await cancelled_while_waiting(of_task(campaign_trigger(campaign_id, cancel_on_kill=True)))
    assert terminations(sandbox) == 0
    assert supervisor.asked == []


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
