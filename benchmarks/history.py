"""How fast the call history gets into a warehouse: reading under the rate limit, merging, and how much memory it takes.

    python benchmarks/history.py                        # all three; about five minutes
    python benchmarks/history.py --only merge --calls 50000
    python benchmarks/history.py --only growth          # PostgreSQL beside the machine's MariaDB

Reading is measured against the sandbox over a socket, whose limit runs on a clock four times as fast: 10 requests in 15
seconds instead of 60. Merging is measured on a real PostgreSQL, first into an empty table, then over the same rows; on
a busy machine, see the rows per second of processor time (ours and the database's). Growth is a load as it comes: 2,000
calls a merge into a table that grows to 100,000; on MariaDB it may take five times as long as on PostgreSQL, and the
last merges as long as the first.
Memory is the peak of a process that loads all calls of one campaign, above what it held after a load of a hundredth.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa

from benchmarks import memory as process_memory
from demo.postgres import EmbeddedPostgres
from ringg_provider.api.rate_limit import Pacer
from ringg_provider.history.backlog import Scope
from ringg_provider.history.load import HistoryLoad
from ringg_provider.history.merging import CallStore, Wanted
from ringg_provider.history.options import LoadOptions
from ringg_provider.history.tables import calls_table
from ringg_provider.ringg import RinggClient

PERIOD = 15.0
ROWS_A_PAGE = 200
TARGETS = {
    "share of the limit": 0.95,
    "refusals": 0,
    "rows a second": 20_000.0,
    "memory in MB": 64.0,
    "MariaDB / PostgreSQL": 5.0,
    "MariaDB, last / first": 2.0,
}
ROWS_A_MERGE = 2_000
GROWTH = (10_000, 20_000, 40_000, 100_000)


@contextmanager
def sandbox(**settings: Any) -> Iterator[httpx.Client]:
    """A sandbox in a process of its own, so that its work is not counted as ours; yields its admin client."""
    command = [sys.executable, "-m", "ringg_provider.sandbox", "--port", "0", "--seed", "7"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().rsplit(maxsplit=1)[-1]
        with httpx.Client(base_url=url, timeout=600) as admin:
            admin.patch("/_sandbox/settings", json=settings).raise_for_status()
            yield admin
    finally:
        process.terminate()
        process.wait(10)


def seed(admin: httpx.Client, calls: int) -> str:
    """Make up a finished campaign; gives back its id."""
    answer = admin.post("/_sandbox/seed/calls", json={"count": calls, "hours": 24})
    answer.raise_for_status()
    return str(answer.json()["id"])


def client_of(url: str) -> RinggClient:
    return RinggClient("sandbox-key", f"{url.rstrip('/')}/ca/api/v0")


def load(url: str, database: str, list_id: str, pacer: Pacer) -> Any:
    """Load one campaign without its analysis, which has no published limit."""
    engine = sa.create_engine(database)
    with client_of(url) as client:
        scope = Scope(bulk_list_ids=[list_id])
        return HistoryLoad(client, engine, options=LoadOptions(include_analysis=False), pacer=pacer).run(scope)


def reading(database: str, requests: int) -> dict[str, float]:
    """Read under the limit and say which share of it was used."""
    calls = requests * ROWS_A_PAGE - 1
    with sandbox(history_rate_limit=10, history_rate_window_seconds=PERIOD) as admin:
        url = str(admin.base_url)
        list_id = seed(admin, calls)
        started = time.monotonic()
        counts = load(url, database, list_id, Pacer(10, PERIOD))
        seconds = time.monotonic() - started
        log = [each for each in admin.get("/_sandbox/requests").json() if each["path"] == "/calling/history"]
    assert counts.inserted == calls, counts
    # The first ten requests are free, and the window after the last ones is not waited for.
    windows = seconds / PERIOD + 1
    return {
        "rows": calls,
        "seconds": seconds,
        "rows a minute of the limit": calls / windows,
        "share of the limit": calls / windows / (10 * ROWS_A_PAGE),
        "refusals": sum(each["status"] == 429 for each in log),
    }


def a_call(number: int, read_at: dt.datetime) -> dict[str, Any]:
    """A row as wide as those of the platform."""
    phone = f"+9198{number:08d}"
    turns = [
        {"speaker": "bot", "text": "Hello, do you have a minute?"},
        {"speaker": "user", "text": "Yes, tell me more."},
    ]
    return {
        "call_id": f"{number:08d}-0000-4000-8000-000000000000",
        "bulk_list_id": "11111111-2222-4333-8444-555555555555",
        "agent_id": "22222222-2222-4222-8222-222222222222",
        "agent_name": "Survey",
        "call_type": "outbound",
        "to_number": phone,
        "to_number_e164": phone,
        "from_number": "+918031000001",
        "callee_name": f"Contact {number}",
        "status": "completed",
        "sub_status": "ACCEPTED",
        "created_at": read_at,
        "attempted_at": read_at,
        "duration_seconds": Decimal("31.25"),
        "cost": Decimal("0.52"),
        "cost_final": True,
        "voicemail_detected": False,
        "transcript": turns * 2,
        "recording_url": "https://recordings.example.com/0123456789abcdef0123456789abcdef.mp3?signature=0123456789",
        "raw": {"id": number, "to_number": phone, "status": "completed", "agent": {"id": "a", "agent_name": "Survey"}},
        "read_at": read_at,
    }


def processor_time(database: psutil.Process) -> float:
    """Seconds that this process and its connection's process in the database have computed so far."""
    return sum(sum(process.cpu_times()[:2]) for process in (psutil.Process(), database))


def merging(database: str, calls: int) -> dict[str, float]:
    """Merge into an empty table, then the same calls once more."""
    engine, table = sa.create_engine(database), calls_table()
    table.create(engine)
    store = CallStore(engine, table, Wanted(), lambda: dt.datetime.now(dt.UTC))
    with engine.connect() as connection:  # the pool gives the same one to the merge
        backend = psutil.Process(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
    result: dict[str, float] = {"rows": calls}
    for turn in ("first", "again"):
        now = dt.datetime.now(dt.UTC)
        rows = [a_call(number, now) for number in range(calls)]
        started, worked = time.monotonic(), processor_time(backend)
        counts = store.merge(rows)
        seconds = time.monotonic() - started
        assert counts.inserted + counts.updated == calls
        result[f"rows a second, {turn}"] = calls / seconds
        result[f"rows a second of processor time, {turn}"] = calls / (processor_time(backend) - worked)
    result["rows a second"] = min(result["rows a second, first"], result["rows a second, again"])
    return result


def growing(postgresql: str) -> dict[str, float]:
    """Load as a load does, on two databases, until the table is large."""
    from tests.support.mariadb import EmbeddedMariaDB, server_program  # with what only tests need

    result: dict[str, float] = {}
    if server_program() is None:
        raise SystemExit("growth: there is no MariaDB on this machine (mariadbd)")
    with tempfile.TemporaryDirectory(prefix="ringg-") as folder, EmbeddedMariaDB(Path(folder) / "mariadb") as mariadb:
        seconds = {
            name: seconds_of_merges(url)
            for name, url in {"PostgreSQL": postgresql, "MariaDB": mariadb.create_database("bench")}.items()
        }
    for name, merges in seconds.items():
        for rows in GROWTH:
            result[f"{name}, seconds to {rows:,} rows"] = sum(merges[: rows // ROWS_A_MERGE])
    result["MariaDB / PostgreSQL"] = sum(seconds["MariaDB"]) / sum(seconds["PostgreSQL"])
    last = seconds["MariaDB"][-len(seconds["MariaDB"]) // 5 :]
    first = seconds["MariaDB"][: len(last)]
    result["MariaDB, last / first"] = sum(last) / sum(first)
    return result


def seconds_of_merges(database: str) -> list[float]:
    """What each merge took until the table was as large as it gets; every tenth call was there already."""
    engine, table = sa.create_engine(database), calls_table()
    table.create(engine)
    store = CallStore(engine, table, Wanted(), lambda: dt.datetime.now(dt.UTC))
    seconds, known = [], 0
    while known < GROWTH[-1]:
        now = dt.datetime.now(dt.UTC)
        rows = [a_call(max(0, number - ROWS_A_MERGE // 10), now) for number in range(known, known + ROWS_A_MERGE)]
        started = time.monotonic()
        store.merge(rows)
        seconds.append(time.monotonic() - started)
        known += ROWS_A_MERGE
    engine.dispose()
    return seconds


def memory(database: str, calls: int) -> dict[str, float]:
    """Compare the peak of a large load with that of a small one, each in a process of its own."""
    with sandbox(history_rate_window_seconds=0) as admin:
        peaks = {}
        for count in (max(calls // 100, 1000), calls):
            arguments = ["--child", str(admin.base_url), database, seed(admin, count)]
            started = time.monotonic()
            child = subprocess.run(
                [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True, timeout=1800
            )
            peaks[count] = float(json.loads(child.stdout)["peak"])
            seconds = time.monotonic() - started
    small, large = sorted(peaks)
    return {"rows": calls, "seconds": seconds, "peak in MB": peaks[large], "memory in MB": peaks[large] - peaks[small]}


def child(url: str, database: str, list_id: str) -> None:
    """The process whose memory is measured."""
    counts = load(url, database, list_id, Pacer(10**6, 60.0))
    peak = process_memory.peak() / 1e6
    print(json.dumps({"peak": peak, "rows": counts.inserted}))


def main() -> None:
    """Measure, print, and fail when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="reading,merge,memory", help="which (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=100, help="pages to read under the limit")
    parser.add_argument("--calls", type=int, default=200_000, help="calls to merge, and to load for the memory")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return
    busy = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} processors, load {busy:.1f}, Python {platform.python_version()}")
    missed = []
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "data") as server:
        measures = {
            "reading": lambda url: reading(url, arguments.requests),
            "merge": lambda url: merging(url, arguments.calls),
            "memory": lambda url: memory(url, arguments.calls),
            "growth": growing,
        }
        for name in arguments.only.split(","):
            print(f"\n{name}")
            for what, value in measures[name](server.create_database(f"bench_{name}")).items():
                target = TARGETS.get(what)
                verdict = ""
                if target is not None:
                    good = value >= target if what in ("share of the limit", "rows a second") else value <= target
                    verdict = f"   target {target:,g}: {'met' if good else 'MISSED'}"
                    missed += [] if good else [what]
                print(f"  {what:<40} {value:>14,.2f}{verdict}", flush=True)
    if missed:
        raise SystemExit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
