"""The shared poller: one pass over the listing per interval, however many wait."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from ringg_provider.exceptions import (
    AuthenticationError,
    InvalidRequest,
    RateLimited,
    RinggProviderError,
    ServerError,
    UnexpectedResponse,
    UnreadableAnswer,
)
from ringg_provider.launch.progress import Progress, Stage
from ringg_provider.triggers import poller
from ringg_provider.triggers import waiting as waiting_module

TICK = 0.03
RUNNING = Progress(Stage.RUNNING, "ongoing")
DONE = Progress(Stage.COMPLETED, "completed")
Trouble = Exception | None


class Workspace:
    """A source that the test fills, and that counts what it is asked for."""

    def __init__(self) -> None:
        self.shown: dict[str, Progress] = {}
        self.hidden: dict[str, Progress | Exception] = {}
        self.troubles: list[Trouble] = []
        self.passes: list[set[str]] = []
        self.passed_at: list[float] = []
        self.asked_alone: list[str] = []
        self.opened = 0
        self.before_reading: Callable[[], None] = lambda: None

    def open(self) -> Workspace:
        self.opened += 1
        return self

    async def read_listing(self, wanted: set[str]) -> dict[str, Progress]:
        self.passes.append(set(wanted))
        self.passed_at.append(time.monotonic())
        self.before_reading()
        await asyncio.sleep(0)
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is not None:
            raise trouble
        return {campaign_id: self.shown[campaign_id] for campaign_id in wanted & self.shown.keys()}

    async def read_one(self, campaign_id: str) -> Progress:
        self.asked_alone.append(campaign_id)
        found = self.hidden.get(campaign_id, Progress(Stage.MISSING))
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    yield
    assert poller.pollers == {}


@pytest.fixture(autouse=True)
def full_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)


def watch(workspace: Workspace, campaign_id: str, interval: float = TICK) -> AsyncGenerator[Progress]:
    return poller.sightings("workspace", workspace.open, campaign_id, interval)


async def until_final(workspace: Workspace, campaign_id: str, interval: float = TICK) -> list[Progress]:
    seen = []
    async with aclosing(watch(workspace, campaign_id, interval)) as sightings:
        async for progress in sightings:
            seen.append(progress)
            if progress.stage.is_final:
                break
    return seen


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(TICK)


async def test_one_pass_per_interval_serves_everybody(workspace: Workspace) -> None:
    workspace.shown = {f"campaign-{n}": RUNNING for n in range(200)}
    begun = time.monotonic()
    waiting = [asyncio.create_task(until_final(workspace, campaign_id)) for campaign_id in workspace.shown]
    await eventually(lambda: len(workspace.passes) >= 3)
    workspace.shown = dict.fromkeys(workspace.shown, DONE)
    for seen in await asyncio.gather(*waiting):
        assert seen[-1] == DONE
    assert workspace.opened == 1
    assert len(workspace.passes) <= (time.monotonic() - begun) / TICK + 1
    assert workspace.passes[0] == set(workspace.shown), "a burst of triggers is served by the first pass already"


async def test_the_shortest_interval_counts(workspace: Workspace) -> None:
    workspace.shown = {"patient": RUNNING, "hasty": RUNNING}
    patient = asyncio.create_task(until_final(workspace, "patient", 60))
    hasty = asyncio.create_task(until_final(workspace, "hasty", TICK))
    await eventually(lambda: len(workspace.passes) >= 3)
    workspace.shown = {"patient": DONE, "hasty": DONE}
    assert (await patient)[-1] == (await hasty)[-1] == DONE


async def test_a_newcomer_joins_the_poller_that_runs_and_may_hurry_it(workspace: Workspace) -> None:
    workspace.shown = {"first": RUNNING, "second": DONE}
    first = asyncio.create_task(until_final(workspace, "first", 60))
    await eventually(lambda: bool(workspace.passes))
    await asyncio.sleep(2 * TICK)
    assert len(workspace.passes) == 1
    assert await until_final(workspace, "second", TICK) == [DONE]
    assert workspace.opened == 1
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first


async def test_the_last_who_leaves_stops_the_poller(workspace: Workspace) -> None:
    workspace.shown = {"a": RUNNING, "b": DONE}
    a = asyncio.create_task(until_final(workspace, "a"))
    await until_final(workspace, "b")
    assert poller.pollers
    a.cancel()
    with suppress(asyncio.CancelledError):
        await a
    assert not poller.pollers
    passes = len(workspace.passes)
    await asyncio.sleep(3 * TICK)
    assert len(workspace.passes) == passes


async def test_whoever_comes_while_the_last_one_leaves_gets_a_poller_that_works(workspace: Workspace) -> None:
    workspace.shown = {"a": DONE, "b": DONE}

    async def many(campaign_id: str) -> None:
        for _ in range(15):
            assert await until_final(workspace, campaign_id, 0.001) == [DONE]

    await asyncio.gather(*(many(campaign_id) for campaign_id in "abab"))


# What the listing does not show.


async def test_an_id_that_one_pass_missed_is_missing_and_one_that_two_missed_is_asked_for_alone(
    workspace: Workspace,
) -> None:
    workspace.hidden = {"hidden": DONE}
    assert await until_final(workspace, "hidden") == [Progress(Stage.MISSING), DONE]
    assert workspace.asked_alone == ["hidden"]
    assert len(workspace.passes) == 2


async def test_a_pass_that_failed_does_not_count_as_one_that_missed_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "LONGEST_BACKOFF", TICK)
    workspace.troubles = [ServerError("unwell"), ServerError("unwell"), None]
    workspace.hidden = {"hidden": DONE}
    assert await until_final(workspace, "hidden") == [Progress(Stage.MISSING), DONE]
    assert len(workspace.passes) == 4


async def test_two_who_wait_for_the_same_hidden_campaign_ask_once(workspace: Workspace) -> None:
    workspace.hidden = {"hidden": DONE}
    await asyncio.gather(until_final(workspace, "hidden"), until_final(workspace, "hidden"))
    assert workspace.asked_alone == ["hidden"]


async def test_hidden_campaigns_take_turns_so_that_no_pass_takes_for_ever(workspace: Workspace) -> None:
    ids = [f"hidden-{n}" for n in range(12)]
    waiting = [asyncio.create_task(until_final(workspace, campaign_id)) for campaign_id in ids]
    per_pass: list[int] = []
    workspace.before_reading = lambda: per_pass.append(len(workspace.asked_alone))
    await eventually(lambda: len(workspace.asked_alone) >= 36)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    asked = [later - earlier for earlier, later in pairwise(per_pass)]
    assert max(asked) == poller.MOST_ASKED_ALONE
    turns = Counter(workspace.asked_alone)
    assert set(turns) == set(ids)
    assert max(turns.values()) - min(turns.values()) <= 1


@pytest.mark.parametrize("trouble", [RateLimited("slow down"), ServerError("unwell")])
async def test_a_hidden_campaign_that_cannot_be_read_keeps_nobody_else_waiting(
    workspace: Workspace, trouble: RinggProviderError
) -> None:
    workspace.hidden = {"hidden": trouble}
    workspace.shown = {"shown": RUNNING}
    hidden = asyncio.create_task(until_final(workspace, "hidden"))
    shown = asyncio.create_task(until_final(workspace, "shown"))
    await eventually(lambda: bool(workspace.asked_alone))
    workspace.shown = {"shown": DONE}
    assert (await shown)[-1] == DONE
    workspace.hidden = {"hidden": DONE}
    assert (await hidden)[-1] == DONE


@pytest.mark.parametrize("trouble", [InvalidRequest("no such id"), KeyError("id")])
async def test_an_id_that_the_platform_refuses_is_told_to_who_waits_for_it_alone(
    workspace: Workspace, trouble: Exception
) -> None:
    workspace.hidden = {"bad": trouble}
    workspace.shown = {"shown": RUNNING}
    shown = asyncio.create_task(until_final(workspace, "shown"))
    with pytest.raises((InvalidRequest, UnexpectedResponse)):
        await until_final(workspace, "bad")
    workspace.shown = {"shown": DONE}
    assert (await shown)[-1] == DONE


# What goes wrong with the listing.


async def test_a_transient_failure_is_nobodys_news(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "LONGEST_BACKOFF", TICK)
    workspace.troubles = [ServerError("unwell"), RateLimited("slow down"), None]
    workspace.shown = {"a": DONE}
    assert await until_final(workspace, "a") == [DONE]
    assert len(workspace.passes) == 3


async def test_failures_in_a_row_wait_longer_each_time_and_a_success_starts_over(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: 0.01)
    monkeypatch.setattr(poller, "LONGEST_BACKOFF", 16)
    unwell = ServerError("unwell")
    workspace.troubles = [*[unwell] * 6, None, unwell, None]
    workspace.shown = {"a": RUNNING}
    waiting = asyncio.create_task(until_final(workspace, "a", 0.001))
    await eventually(lambda: len(workspace.passes) >= 9)
    workspace.shown = {"a": DONE}
    assert (await waiting)[-1] == DONE
    waits = [later - earlier for earlier, later in pairwise(workspace.passed_at)]
    for wait, least in zip(waits, (0.02, 0.04, 0.08, 0.16, 0.16, 0.16, 0, 0.02), strict=False):
        assert wait >= least
    assert max(waits) < 0.32, "the longest wait is not exceeded"
    assert waits[7] < 0.08, "a success starts over"


async def test_the_wait_that_the_platform_asks_for_is_kept_also_when_somebody_is_in_a_hurry(
    workspace: Workspace,
) -> None:
    workspace.troubles = [RateLimited("slow down", retry_after=0.4), None]
    workspace.shown = {"a": DONE}
    await until_final(workspace, "a", 0.001)
    first, second = workspace.passed_at
    assert second - first >= 0.4


async def test_nobody_waits_until_the_date_in_a_far_future_that_a_proxy_sends(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_module, "LONGEST_PAUSE", 0.2)
    workspace.troubles = [RateLimited("slow down", retry_after=9_999_999_999.0), None]
    workspace.shown = {"a": DONE}
    assert await until_final(workspace, "a") == [DONE]


async def test_one_page_that_cannot_be_read_fails_nobody_and_one_that_stays_is_told_to_everybody(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "LONGEST_BACKOFF", 0.001)
    workspace.shown = {"a": DONE}
    workspace.troubles = [UnexpectedResponse("a page of HTML"), None]
    assert await until_final(workspace, "a") == [DONE]
    workspace.troubles = [UnexpectedResponse("a page of HTML")] * (poller.UNREADABLE_PASSES + 1)
    with pytest.raises(UnexpectedResponse, match="HTML"):
        await until_final(workspace, "a")


@pytest.mark.parametrize(
    ("trouble", "told"),
    [(AuthenticationError("the key was rotated"), AuthenticationError), (KeyError("campaigns"), UnexpectedResponse)],
)
async def test_what_cannot_get_better_is_told_to_everybody_and_leaves_nobody_waiting(
    workspace: Workspace, trouble: Exception, told: type[RinggProviderError]
) -> None:
    workspace.troubles = [trouble]
    ended = await asyncio.wait_for(
        asyncio.gather(*(until_final(workspace, f"campaign-{n}") for n in range(5)), return_exceptions=True), 5
    )
    assert {type(error) for error in ended} == {told}


# Whatever a poller dies of, nobody is left waiting, and whoever comes later gets one that works.


class Exhausted(Workspace):
    """Kills the poller's own task, in a way that no pass can catch."""

    def __init__(self, kill: Callable[[], None]) -> None:
        super().__init__()
        self.kill = kill

    async def read_listing(self, wanted: set[str]) -> dict[str, Progress]:
        self.passes.append(set(wanted))
        self.kill()
        await asyncio.sleep(0)
        raise AssertionError("nobody is here any more")


def interrupt() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


def break_down() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("kill", [interrupt, break_down])
async def test_a_poller_that_is_interrupted_tells_everybody(kill: Callable[[], None]) -> None:
    dead = Exhausted(kill)
    ended = await asyncio.wait_for(
        asyncio.gather(*(until_final(dead, f"campaign-{n}") for n in range(5)), return_exceptions=True), 5
    )
    assert {type(error) for error in ended} == {UnreadableAnswer}
    alive = Workspace()
    alive.shown = {"a": DONE}
    assert await until_final(alive, "a") == [DONE]


@pytest.mark.parametrize("interval", ["2", timedelta(seconds=2), None])
async def test_an_interval_that_cannot_be_compared_is_told_and_stops_nobody_who_comes_later(
    workspace: Workspace, interval: Any
) -> None:
    """The triggers let none of these through; what dies here dies of whatever comes next."""
    workspace.shown = {"odd": RUNNING, "even": RUNNING}
    odd = asyncio.create_task(until_final(workspace, "odd", interval))
    even = asyncio.create_task(until_final(workspace, "even"))
    ended = await asyncio.wait_for(asyncio.gather(odd, even, return_exceptions=True), 5)
    assert [type(error) for error in ended] == [UnreadableAnswer] * 2
    workspace.shown = {"later": DONE}
    assert await until_final(workspace, "later") == [DONE]


async def test_whoever_comes_first_may_leave_first(workspace: Workspace) -> None:
    workspace.shown = {"first": RUNNING, "second": RUNNING}
    first = asyncio.create_task(until_final(workspace, "first"))
    second = asyncio.create_task(until_final(workspace, "second"))
    await eventually(lambda: len(workspace.passes) >= 2)
    first.cancel()
    await asyncio.wait([first])
    workspace.shown = {"second": DONE}
    assert (await asyncio.wait_for(second, 5))[-1] == DONE


async def test_one_who_breaks_down_over_the_news_keeps_them_from_nobody(workspace: Workspace) -> None:
    workspace.shown = {"a": RUNNING}

    async def break_down() -> None:
        async with aclosing(watch(workspace, "a")) as sightings:
            async for _ in sightings:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.gather(*(break_down() for _ in range(3)), until_final(workspace, "a"))
    workspace.shown = {"a": DONE}
    assert await until_final(workspace, "a") == [DONE]
    await eventually(lambda: not poller.pollers)


def test_a_poller_of_an_event_loop_that_was_closed_is_nobodys_poller(workspace: Workspace) -> None:
    """`dag.test()` has an event loop for each trigger."""
    workspace.shown = {"a": RUNNING}

    async def abandon() -> None:
        asyncio.get_running_loop().create_task(until_final(workspace, "a"))
        await eventually(lambda: bool(workspace.passes))

    asyncio.run(abandon())
    workspace.shown = {"a": DONE}
    assert asyncio.run(asyncio.wait_for(until_final(workspace, "a"), 5)) == [DONE]
