"""A thousand waiting triggers: what they ask of the platform per interval, and what they weigh.

    python benchmarks/waiting.py

All of them wait in this process against a sandbox in another one, over a socket. The listing holds ten thousand
campaigns; a server that caps its pages at 50 is tried beside one that gives the 1000 that are asked for.

Then they are shared out among triggerers, each of which is a process, as Airflow does it: one waits for a single
campaign, one for all, two for half of them each.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

# Airflow makes a folder for itself when it is imported; it shall not be the user's.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="ringg-waiting-"))
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"

import httpx
import psutil

from ringg_provider.ringg.campaigns import RinggListing
from ringg_provider.triggers.ringg import RinggCampaignTrigger

KEY = "sandbox-key"
INTERVAL = 4.0


@dataclass(frozen=True)
class Row:
    """One measurement."""

    page: int
    watched: str
    requests: float
    seconds: float
    longest_stall: float
    bytes_per_trigger: float


def serve(cap: int, port: Any) -> None:
    """A sandbox whose pages hold at most `cap` campaigns; runs in a process of its own."""
    import socket

    import uvicorn

    from ringg_provider.sandbox import Settings, create_app

    app = create_app(Settings(api_key=KEY))

    async def capped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/campaign/all"):
            query = dict(parse_qsl(scope["query_string"].decode()))
            query["limit"] = str(min(int(query.get("limit", 10)), cap))
            scope = {**scope, "query_string": urlencode(query).encode()}
        await app(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    port.put(listener.getsockname()[1])
    server = uvicorn.Server(uvicorn.Config(capped, log_level="warning"))
    server.run(sockets=[listener])


@contextmanager
def sandbox(cap: int, campaigns: int) -> Iterator[tuple[httpx.Client, list[str]]]:
    """A running sandbox with so many campaigns; yields its admin client and their ids, oldest first."""
    context = multiprocessing.get_context("spawn")
    port = context.Queue()
    process = context.Process(target=serve, args=(cap, port), daemon=True)
    process.start()
    try:
        origin = f"http://127.0.0.1:{port.get(timeout=60)}"
        os.environ["AIRFLOW_CONN_RINGG_WAITING"] = f"ringg://:{KEY}@{quote(f'{origin}/ca/api/v0', safe='')}"
        with httpx.Client(base_url=f"{origin}/_sandbox", timeout=120) as admin:
            seeded = admin.post("seed/campaigns", json={"count": campaigns, "states": ["ongoing"]})
            yield admin, seeded.raise_for_status().json()["ids"]
    finally:
        process.terminate()
        process.join(10)


class Passes:
    """Counts the passes over the listing, and how long they take."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._read: Callable[..., Awaitable[Any]] = RinggListing.read_listing

    def __enter__(self) -> Passes:
        read, seconds = self._read, self.seconds

        async def timed(listing: RinggListing, wanted: set[str]) -> Any:
            begun = time.perf_counter()
            found = await read(listing, wanted)
            assert found.keys() == wanted
            seconds.append(time.perf_counter() - begun)
            return found

        RinggListing.read_listing = timed  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        RinggListing.read_listing = self._read  # type: ignore[method-assign]

    async def reach(self, count: int) -> None:
        """Wait until so many passes have ended, and everybody has been told."""
        async with asyncio.timeout(300):
            while len(self.seconds) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)


async def wait_for(campaign_id: str) -> None:
    """What the triggerer does with one trigger."""
    trigger = RinggCampaignTrigger(ringg_conn_id="ringg_waiting", campaign_id=campaign_id, poll_interval=INTERVAL)
    async for event in trigger.run():
        raise AssertionError(f"a trigger fired: {event}")


@contextmanager
def waiting(ids: list[str]) -> Iterator[list[asyncio.Task[None]]]:
    """Triggers that wait for these campaigns."""
    tasks = [asyncio.create_task(wait_for(campaign_id)) for campaign_id in ids]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()


async def stalls(longest: list[float]) -> None:
    """Note the most that was computed at a stretch, once all wait; in processor time, so that load is no stall."""
    last = time.thread_time()
    while True:
        await asyncio.sleep(0.001)
        now = time.thread_time()
        longest[0] = max(longest[0], now - last)
        last = now


async def measure(page: int, watched: str, ids: list[str], admin: httpx.Client, passes_wanted: int) -> Row:
    """Requests and time without a memory profiler, then memory with one."""
    longest = [0.0]
    with Passes() as passes, waiting(ids) as tasks:
        before = await requests(admin)
        await passes.reach(1)
        heart = asyncio.create_task(stalls(longest))
        await passes.reach(passes_wanted)
        heart.cancel()
        asked = (await requests(admin)) - before
        seconds = sum(passes.seconds) / len(passes.seconds)
        count = len(passes.seconds)
    await ended(tasks)
    with Passes() as passes:
        tracemalloc.start()
        with waiting(ids[:1]) as first:
            await passes.reach(1)
            shared = weight()
            with waiting(ids[1:]) as rest:
                await passes.reach(3)
                each = (weight() - shared) / (len(ids) - 1)
        await ended([*first, *rest])
        tracemalloc.stop()
    return Row(page, watched, asked / count, seconds, longest[0], each)


async def requests(admin: httpx.Client) -> int:
    """How many requests the platform has seen."""
    return len((await asyncio.to_thread(admin.get, "requests")).raise_for_status().json())


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    """Wait until cancelled triggers have gone."""
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)


def weight() -> int:
    """Bytes that Python holds."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@dataclass(frozen=True)
class Share:
    """One measurement of triggerers that share the campaigns: requests of all of them, the rest of each."""

    triggerers: int
    campaigns: int
    requests: float
    megabytes: float


def triggerer(ids: list[str], passes_wanted: int, told: Any, go_on: Any) -> None:
    """A triggerer that waits for these campaigns; runs in a process of its own.

    It tells when all wait, then when so many passes are over, and by how many bytes it has grown with them.
    """
    process = psutil.Process()

    async def wait() -> None:
        with Passes() as passes:
            with waiting(ids[:1]) as first:
                await passes.reach(1)
                gc.collect()
                before = process.memory_full_info().uss
                with waiting(ids[1:]) as rest:
                    await passes.reach(3)
                    told.put("all wait")
                    await asyncio.to_thread(go_on.wait)
                    await passes.reach(len(passes.seconds) + passes_wanted)
                    gc.collect()
                    told.put(process.memory_full_info().uss - before)
            await ended([*first, *rest])

    asyncio.run(wait())


def share_out(count: int, ids: list[str], admin: httpx.Client, passes_wanted: int) -> Share:
    """Let so many triggerers wait for these campaigns, each for a part of them."""
    context = multiprocessing.get_context("spawn")
    told, go_on = context.Queue(), context.Event()
    processes = [
        context.Process(target=triggerer, args=(ids[number::count], passes_wanted, told, go_on), daemon=True)
        for number in range(count)
    ]
    for process in processes:
        process.start()
    try:
        for _ in processes:
            assert told.get(timeout=300) == "all wait"
        before = asyncio.run(requests(admin))
        go_on.set()
        grown = [told.get(timeout=300) for _ in processes]
        asked = asyncio.run(requests(admin)) - before
    finally:
        for process in processes:
            process.terminate()
            process.join(10)
    return Share(count, len(ids), asked / passes_wanted, sum(grown) / count / 2**20)


def print_shares(triggers: int, campaigns: int, passes: int) -> None:
    """Compare one triggerer with two, and with one that waits for a single campaign."""
    with sandbox(1000, campaigns) as (admin, ids):
        chosen = ids[:: max(1, campaigns // triggers)][:triggers]
        alone = share_out(1, chosen[:1], admin, passes)
        shares = [alone, share_out(1, chosen, admin, passes), share_out(2, chosen, admin, passes)]
    print(f"\n{triggers} waiting triggers, shared out among triggerers; per interval:")
    print("  triggerers  campaigns   requests  x one campaign  grown, each")
    for share in shares:
        ratio = share.requests / alone.requests
        grown = "" if share is alone else f"{share.megabytes:.1f} MB"
        print(f"{share.triggerers:>12} {share.campaigns:>10} {share.requests:>10.1f} {ratio:>14.1f}x {grown:>12}")
    one, two = shares[1:]
    assert two.requests < 2.5 * one.requests, "two triggerers ask more than twice as often as one"
    assert two.megabytes < one.megabytes + 1, "half of the campaigns weigh as much as all"


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=1000)
    parser.add_argument("--campaigns", type=int, default=10_000)
    parser.add_argument("--passes", type=int, default=3)
    arguments = parser.parse_args()
    rows = []
    for page in (50, 1000):
        with sandbox(page, arguments.campaigns) as (admin, ids):
            step = max(1, arguments.campaigns // arguments.triggers)
            choices = {"all over the listing": ids[::step], "the newest": ids[-arguments.triggers :]}
            for watched, chosen in choices.items():
                some = chosen[: arguments.triggers]
                rows.append(asyncio.run(measure(page, watched, some, admin, arguments.passes)))
    print(f"{arguments.triggers} waiting triggers, {arguments.campaigns} campaigns in the listing; per interval:")
    print("  page  watched               requests   seconds  longest stall  memory per trigger")
    for row in rows:
        stall, kilobytes = row.longest_stall * 1000, row.bytes_per_trigger / 1024
        print(
            f"{row.page:>6}  {row.watched:<20} {row.requests:>9.1f} {row.seconds:>9.2f} {stall:>11.0f} ms"
            f" {kilobytes:>16.1f} KB"
        )
    full = " and ".join(str(-(-arguments.campaigns // page)) for page in (50, 1000))
    print(f"A full pass over the listing is {full} pages.")
    worst = max(row.bytes_per_trigger for row in rows)
    assert worst < 10 * 1024, f"a trigger weighs {worst / 1024:.1f} KB"
    print_shares(arguments.triggers, arguments.campaigns, arguments.passes)


if __name__ == "__main__":
    main()
