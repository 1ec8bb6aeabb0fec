"""How many webhooks a second `ringg-inbox` stores in PostgreSQL, each answered after its commit.

    python benchmarks/inbox.py                       # 200,000 deliveries; some five minutes
    python benchmarks/inbox.py --deliveries 20000

The receiver is the command itself in a process of its own, PostgreSQL is a real one, and whoever sends is a third
process on the same machine: what it takes is taken from the receiver. Deliveries are as
https://docs.ringg.ai/webhooks/payloads shows a completed call, with a transcript of twenty turns, no two the same.

First as many as it takes, by 64 connections that each send the next one when they have their answer. Then at a steady
rate, whatever the answers: a delivery that is sent late because others are waited for counts from when it was due. In
the end each delivery that was answered 200 must be a row, and the receiver's memory what it was.
"""

from __future__ import annotations

import argparse
import asyncio
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import sqlalchemy as sa

from demo.postgres import EmbeddedPostgres
from demo.server import free_port

SECRET = "the-secret-of-the-benchmark"
CONNECTIONS = 64
#: Deliveries a second, and the slowest answer of a hundred in milliseconds at half of that.
TARGET_RATE, TARGET_P99 = 1_000, 50
_TURNS = [{"bot": "Would Thursday at four suit you, or another day?"}, {"user": "Yes, Thursday is fine."}] * 10


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
def receiver(server: EmbeddedPostgres, folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The command, with its port and its process."""
    port = free_port()
    connection = {"conn_type": "ringg", "password": "key", "extra": {"webhook_secret": SECRET}}
    environment = os.environ | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_CONN_STATE": server.airflow_connection("state"),
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


def main() -> int:
    """Run the command; returns its exit code: 1 where an answer was no commit, or memory grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=200_000, help="in all")
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors")
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}; a delivery has {len(delivery()):,} bytes\n")
    with (
        tempfile.TemporaryDirectory(prefix="ringg-inbox-") as made,
        EmbeddedPostgres(Path(made) / "postgres") as server,
        multiprocessing.get_context("spawn").Pool(1) as sender,
    ):
        engine = sa.create_engine(server.create_database("state"))
        with receiver(server, Path(made)) as (port, process):

            def send(number: int, rate: float | None = None) -> Sent:
                return sender.apply(_sending, (port, number, rate))

            runs = [send(2_000)]
            memory = [process.memory_info().rss]
            share = (options.deliveries - 2_000) // 5
            print(
                "| deliveries | at | a second | p50 | p99 | slowest | receiver's memory |", "|---" * 7 + "|", sep="\n"
            )
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
    return int(rows != answered or growth > 20e6)


if __name__ == "__main__":
    sys.exit(main())
