"""How many webhooks a second `ringg-inbox` stores in PostgreSQL, each answered after its commit.

    python benchmarks/inbox.py                       # 200,000 deliveries; some five minutes
    python benchmarks/inbox.py --deliveries 20000
    python benchmarks/inbox.py --only night          # history requests that webhooks save; also: seconds, receiver

The receiver is the command itself in a process of its own, PostgreSQL is a real one whose commits are on the disk, and
whoever sends is a third process on the same machine, over plain sockets: what it takes is taken from the receiver.
Deliveries are as https://docs.ringg.ai/webhooks/payloads shows a completed call, with a transcript of twenty turns, no
two the same.

First as many as it takes, by 64 connections that each send the next one when they have their answer. Then at a steady
rate, whatever the answers: a delivery that is sent late because others are waited for counts from when it was due. In
the end each delivery that was answered 200 must be a row, and the receiver's memory what it was.

A night is a campaign of 20,000 calls that has ended, loaded by the history alone, and loaded after the sandbox has told
of each call over a socket: once all of them, once but for one call in twenty. Seconds are how long after a call's end
in the sandbox its row stands in `ringg_calls`, while the inbox is applied again and again.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa

from benchmarks.history import client_of, sandbox, seed
from demo.postgres import EmbeddedPostgres
from demo.server import free_port
from ringg_provider.api.rate_limit import Pacer
from ringg_provider.history.load import HistoryLoad, LoadCounts
from ringg_provider.history.options import LoadOptions
from ringg_provider.history.tables import calls_table
from ringg_provider.inbox.apply import RinggApply
from ringg_provider.inbox.store import inbox_table
from ringg_provider.ringg.requests import CallConfig, CallTime, CampaignSpec, EventSubscription, StartCampaign
from ringg_provider.sql.creating import create_tables

SECRET = "the-secret-of-the-benchmark"
CONNECTIONS = 64
#: Deliveries a second, and the slowest answer of a hundred in milliseconds at half of that.
TARGET_RATE, TARGET_P99 = 1_000, 50
#: The share of history requests that webhooks save of a night.
TARGET_SAVED = 0.9
AGENT, CALLER = "22222222-2222-4222-8222-222222222222", "aaaaaaaa-0000-4000-8000-000000000001"
_TURNS = [{"bot": "Would Thursday at four suit you, or another day?"}, {"user": "Yes, Thursday is fine."}] * 10


class DurablePostgres(EmbeddedPostgres):
    """One that answers a commit when it is on the disk, unlike that of the tests."""

    def prepare(self) -> tuple[Sequence[str | Path], dict[str, Any]]:
        """Turn on again what the tests have turned off."""
        command, options = super().prepare()
        return [*command, "--fsync=on", "--synchronous_commit=on", "--full_page_writes=on"], options


@dataclass(frozen=True)
class Sent:
    """What became of what was sent.

    :param answers: status -> how many.
    :param seconds: how long it took.
    :param latencies: of each answer, in seconds, sorted.
    """

    answers: dict[int, int]
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        """Answers of 200 a second."""
        return self.answers.get(200, 0) / self.seconds

    def p(self, percent: int) -> float:
        """So many of a hundred answers came within so many milliseconds."""
        return 1000 * self.latencies[min(len(self.latencies) - 1, len(self.latencies) * percent // 100)]


def delivery() -> bytes:
    """A request, ready to be sent."""
    body = json.dumps(
        {
            "event_type": "call_completed",
            "call_id": str(uuid.uuid4()),
            "parent_call_id": None,
            "call_sid": str(uuid.uuid4()),
            "agent_id": "22222222-2222-4222-8222-222222222222",
            "workspace_id": "11111111-1111-4111-8111-111111111111",
            "status": "completed",
            "sub_status": "ACCEPTED",
            "call_type": "outbound",
            "call_duration": 15.73,
            "custom_args_values": {"callee_name": "Priya", "due_date": "12 August"},
            "to_number": "+919876543210",
            "from_number": "+919876540111",
            "bulk_list_id": "123e4567-e89b-42d3-a456-426614174000",
            "called_on": "2026-08-04T12:29:13.310707Z",
            "created_at": "2026-08-04T12:29:13.315211Z",
            "call_cost": 0.15,
            "transcript": _TURNS,
            "retry_count": 0,
            "attempts": [{"status": "ACCEPTED", "called_on_time": "2026-08-04T12:29:13Z"}],
            "recording_url": None,
            "tool_call_logs": [],
        }
    ).encode()
    head = (
        f"POST /ringg/webhooks/ringg_default HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {SECRET}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    writer.write(delivery())
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(head[9:12])


async def _send(port: int, number: int, rate: float | None) -> Sent:
    answers: dict[int, int] = {}
    latencies: list[float] = []
    began = time.perf_counter()
    places = iter(range(number))

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for place in places:
            due = time.perf_counter() if rate is None else began + place / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            status = await _ask(reader, writer)
            latencies.append(time.perf_counter() - due)
            answers[status] = answers.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))
    return Sent(answers, time.perf_counter() - began, sorted(latencies))


def _sending(port: int, number: int, rate: float | None) -> Sent:
    return asyncio.run(_send(port, number, rate))


@contextmanager
def receiver(server: EmbeddedPostgres, folder: Path, database: str = "state") -> Iterator[tuple[int, psutil.Process]]:
    """The command over a new database, with its port and its process."""
    server.create_database(database)
    port = free_port()
    connection = {"conn_type": "ringg", "password": "key", "extra": {"webhook_secret": SECRET}}
    environment = os.environ | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_CONN_STATE": server.airflow_connection(database),
        "AIRFLOW_CONN_RINGG_DEFAULT": json.dumps(connection),
    }
    command = [sys.executable, "-c", "from ringg_provider.ui.inbox import main; main()"]
    process = subprocess.Popen([*command, "--state-conn-id", "state", "--port", str(port)], env=environment)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, "ringg-inbox ended"
                assert time.monotonic() < deadline, "ringg-inbox did not answer"
                time.sleep(0.2)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def _store_of(server: EmbeddedPostgres, name: str) -> sa.Engine:
    return sa.create_engine(server.create_database(name))


def _subscribe(admin: httpx.Client, port: int, events: list[str]) -> None:
    """Let the agent of the sandbox send its events to the receiver."""
    origin = "https://inbox.example.com"
    settings = {"callback_origins": {origin: f"http://127.0.0.1:{port}"}}
    admin.patch("/_sandbox/settings", json=settings).raise_for_status()
    wanted = EventSubscription(
        event_type=events,
        callback_url=f"{origin}/ringg/webhooks/ringg_default",
        headers={"Authorization": f"Bearer {SECRET}"},
    )
    with client_of(str(admin.base_url)) as client:
        client.set_event_subscriptions(AGENT, [wanted])


def _load(admin: httpx.Client, engine: sa.Engine) -> LoadCounts:
    with client_of(str(admin.base_url)) as client:
        options = LoadOptions(include_analysis=False)
        return HistoryLoad(client, engine, options=options, pacer=Pacer(60_000, 60.0)).run()


def _wait_for_deliveries(admin: httpx.Client) -> list[dict[str, Any]]:
    while (found := admin.get("/_sandbox/webhooks").json())["pending"]:
        # The answer lists every attempt, and is made by who has them to make.
        time.sleep(3.0)
    return list(found["attempts"])


def night(server: EmbeddedPostgres, folder: Path, calls: int = 20_000) -> bool:
    """Print what a night costs with webhooks and without; whether the target was met."""
    with sandbox(history_rate_window_seconds=0) as admin:
        seed(admin, calls)
        engine = _store_of(server, "alone")
        alone = _load(admin, engine)
        engine.dispose()
        print(f"\n{calls:,} calls by the history alone: {alone.requests} list requests")
        saved = []
        for lost in (0.0, 0.05):
            name = f"night_{lost:g}".replace(".", "_")
            with receiver(server, folder, name) as (port, _):
                events = ["call_completed", "all_processing_completed"]
                _subscribe(admin, port, events)
                admin.post("/_sandbox/webhooks/send", json={"events": events}).raise_for_status()
                _wait_for_deliveries(admin)
            engine = sa.create_engine(server.url(name))
            if lost:
                with engine.begin() as connection:
                    connection.execute(sa.text(f"DELETE FROM ringg_inbox WHERE digest < '{int(lost * 256):02x}'"))
            began = time.monotonic()
            applied = RinggApply(engine, "ringg_default").run()
            seconds = time.monotonic() - began
            counts = _load(admin, engine)
            engine.dispose()
            saved.append(1 - counts.requests / alone.requests)
            print(
                f"{lost:.0%} lost: {applied.settled:,} settled in {seconds:.0f} s; the load then took {counts.requests}"
                f" list requests, {saved[-1]:.0%} fewer ({counts.requests_saved} saved by its own count)",
                flush=True,
            )
    is_met = saved[0] >= TARGET_SAVED
    print(f"saved where nothing was lost: {saved[0]:.0%} (target {TARGET_SAVED:.0%}); {'met' if is_met else 'NOT met'}")
    return is_met


def seconds(server: EmbeddedPostgres, folder: Path, people: int = 200) -> None:
    """Print how long after a call's end its row is there."""
    with sandbox(speed=60) as admin, receiver(server, folder, "seconds") as (port, _):
        _subscribe(admin, port, ["call_completed", "all_processing_completed"])
        engine = sa.create_engine(server.url("seconds"))
        create_tables(engine, inbox_table())
        launch_campaign(admin, folder, people)
        seen: dict[str, float] = {}
        table, deadline = calls_table().c, time.monotonic() + 240
        while len(seen) < people and time.monotonic() < deadline:
            RinggApply(engine, "ringg_default").run()
            with engine.connect() as connection:
                ended = connection.execute(sa.select(table.call_id).where(table.is_final == sa.true())).scalars()
                now = time.time()
                for call_id in ended:
                    seen.setdefault(call_id, now)
            time.sleep(0.05)
        ends: dict[str, float] = {}
        for attempt in _wait_for_deliveries(admin):
            if attempt["event_type"] == "call_completed" and attempt["status"] == 200:
                # The last one of a call is that of its end; it is noted when it was answered.
                ends[attempt["call_id"]] = attempt["at"] - attempt["seconds"]
        engine.dispose()
    took = sorted(seen[call_id] - ends[call_id] for call_id in seen.keys() & ends.keys())
    middle, late = took[len(took) // 2], took[len(took) * 95 // 100]
    print(f"\n{len(took)} calls: the row was there {middle:.2f} s after the call's end (p95 {late:.2f} s)")


def launch_campaign(admin: httpx.Client, folder: Path, people: int) -> None:
    """Start a campaign in the sandbox."""
    csv = folder / "people.csv"
    rows = [f"Person {number},+9198{number:08d}" for number in range(10_000_000, 10_000_000 + people)]
    csv.write_text("name,phone\n" + "\n".join(rows) + "\n")
    start = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2)
    spec = CampaignSpec(
        campaign_name="Seconds",
        agent_id=AGENT,
        country_code="+91",
        variables_map={"callee_name": "name", "mobile_number": "phone"},
        call_config=CallConfig(call_time=CallTime(call_start_time="00:00", call_end_time="23:59", timezone="UTC")),
        campaign_start_time=f"{start:%d/%m/%Y, %H:%M}",
        campaign_end_time=f"{start + dt.timedelta(days=3):%d/%m/%Y, %H:%M}",
    )
    with client_of(str(admin.base_url)) as client:
        list_id = client.save_campaign(spec, csv).list_id
        client.start_campaign(StartCampaign(agent_id=AGENT, list_id=list_id, from_numbers=[CALLER]))


def receiving(server: EmbeddedPostgres, folder: Path, sender: Any, deliveries: int) -> bool:
    """Print what the receiver stores a second; whether each answer was a commit, and memory stayed what it was."""
    engine = sa.create_engine(server.url("state"))
    with receiver(server, folder) as (port, process):

        def send(number: int, rate: float | None = None) -> Sent:
            return sender.apply(_sending, (port, number, rate))

        runs = [send(2_000)]
        memory = [process.memory_info().rss]
        share = (deliveries - 2_000) // 5
        print("| deliveries | at | a second | p50 | p99 | slowest | receiver's memory |", "|---" * 7 + "|", sep="\n")
        for rate in (None, TARGET_RATE / 2, TARGET_RATE, None, None):
            sent = send(share, rate)
            runs.append(sent)
            memory.append(process.memory_info().rss)
            at = "as many as it takes" if rate is None else f"{rate:,.0f} a second"
            print(
                f"| {share:,} | {at} | {sent.rate:,.0f} | {sent.p(50):.1f} ms | {sent.p(99):.1f} ms"
                f" | {sent.p(100):.0f} ms | {memory[-1] / 1e6:.0f} MB |",
                flush=True,
            )
        processor = process.cpu_times()
    answered = sum(run.answers.get(200, 0) for run in runs)
    others = sum(count for run in runs for status, count in run.answers.items() if status != 200)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT count(*) FROM ringg_inbox")).scalar_one()
    engine.dispose()
    rate = statistics.median(run.rate for run in (runs[1], runs[4], runs[5]))
    p99 = runs[2].p(99)
    print(f"\n{answered:,} answers of 200, {rows:,} rows, {others:,} other answers")
    print(f"the receiver's processor time a delivery: {1000 * (processor.user + processor.system) / answered:.2f} ms")
    print(f"sustained: {rate:,.0f} a second (target {TARGET_RATE:,}); {'met' if rate >= TARGET_RATE else 'NOT met'}")
    is_met = "met" if p99 < TARGET_P99 else "NOT met"
    print(f"p99 at {TARGET_RATE / 2:,.0f} a second: {p99:.1f} ms (target {TARGET_P99}); {is_met}")
    growth = memory[-1] - memory[1]
    print(f"memory after {answered:,} deliveries: {growth / 1e6:+.1f} MB")
    return rows == answered and growth <= 20e6


def main() -> int:
    """Run the command; returns its exit code: 1 where an answer was no commit, memory grew, or too little was saved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=200_000, help="in all")
    parser.add_argument("--only", choices=["receiver", "night", "seconds"])
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors")
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}; a delivery has {len(delivery()):,} bytes\n")
    is_met = True
    with (
        tempfile.TemporaryDirectory(prefix="ringg-inbox-") as made,
        DurablePostgres(Path(made) / "postgres") as server,
        multiprocessing.get_context("spawn").Pool(1) as sender,
    ):
        if options.only in (None, "receiver"):
            is_met = receiving(server, Path(made), sender, options.deliveries)
        if options.only in (None, "night"):
            is_met = night(server, Path(made)) and is_met
        if options.only in (None, "seconds"):
            seconds(server, Path(made))
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
