"""Webhooks over a socket into a real PostgreSQL, while the receiver and the apply task are killed at random.

    python -m tests.inbox.drill                       # 100,000 deliveries
    python -m tests.inbox.drill --deliveries 5000 --seed 7

The deliveries are doubled, reordered, one in twenty is lost, and one in a hundred is garbage. A receiver in a process
of its own takes them, another one applies them; both get a SIGKILL every few seconds. Whoever sends tries four times,
as the platform does, and then drops what was not answered 200. In the end the history is loaded once, and the tables
are compared with those that loading the history alone gives.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from demo.postgres import EmbeddedPostgres
from demo.server import free_port
from ringg_provider.history.attempts import attempts_table
from ringg_provider.inbox.apply import RinggApply
from ringg_provider.inbox.receiver import PATH, build_app
from ringg_provider.inbox.senders import Sender
from ringg_provider.inbox.store import inbox_table
from ringg_provider.sql.creating import create_tables
from tests.history.diary import Diary
from tests.history.hostile_platform import HostilePlatform
from tests.inbox.telling import CLOCKS, CONN_ID, WORKSPACE, Mail, comparable_calls, first_ring, rows_of

SECRET = "the-secret-of-the-drill"
SENDERS = 16
#: How long the platform waits before it tries again; here in seconds instead of minutes.
WAITS = (0.5, 2.0, 4.0)


@dataclass
class Outcome:
    """What a drill came to.

    :param sent: deliveries that were tried, and what became of them.
    :param kills: how often each of the two was killed.
    :param calls: calls in the tables; of them
    :param settled: settled by webhooks.
    :param attempts: rings that are known.
    :param unreadable: deliveries that stayed with a reason.
    :param different: rows that are not as polling alone gives them, by table.
    :param requests: list requests that the load took, and those that polling alone took.
    """

    sent: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    settled: int = 0
    attempts: int = 0
    unreadable: int = 0
    different: dict[str, int] = field(default_factory=dict)
    requests: tuple[int, int] = (0, 0)


class Process:
    """A process that is killed and started again.

    :param arguments: of this module.
    """

    def __init__(self, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "tests.inbox.drill", *arguments]
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start it."""
        self.process = subprocess.Popen(self._command)
        return self.process

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def drill(url: str, deliveries: int, seed: int) -> Outcome:
    """Hold one.

    :param url: of an empty PostgreSQL database.
    :param deliveries: about so many.
    :param seed: of everything that is left to chance but the moments of the kills.
    """
    outcome, dice = Outcome(), random.Random(seed)
    platform = HostilePlatform(seed)
    platform.calm = True
    for share in (0.5, 0.3, 0.2):
        platform.plan_campaign(int(deliveries / 4.1 * share), begin=-100_000, spread=3_000)
    platform.plan_single(-100_000)
    calls = list(platform.calls)
    while not platform.settled():
        platform.sleep(3600)
    platform.sleep(3600)
    mail = Mail(seed, lost=0.05, doubled=0.1, late=0.3, garbled=0.01)
    mail.post(platform, calls)

    engine = sa.create_engine(url)
    create_tables(engine, inbox_table())
    port = free_port()
    receiver = Process("receive", url, str(port))
    sending = threading.Thread(target=_send_all, args=(port, mail.bodies(), outcome.sent))
    sending.start()
    killing = threading.Thread(target=_kill_now_and_then, args=(receiver, dice, sending.is_alive, outcome.kills))
    killing.start()
    while sending.is_alive():
        applying = Process("apply", url, platform.now().isoformat())
        with suppress(subprocess.TimeoutExpired):
            applying.process.wait(dice.uniform(1, 12))
        if applying.process.poll() is None:
            outcome.kills["apply"] += 1
        applying.kill()
    killing.join()
    receiver.kill()
    _apply(url, platform.now())

    together, alone = Diary(platform, engine), Diary(platform)
    loads = [each.load().run() for each in (together, alone)]
    for each in (together, alone):
        each.load().run()
    outcome.requests = (loads[0].requests, loads[1].requests)
    tables = [comparable_calls(each.engine, each.calls) for each in (together, alone)]
    campaigns = [rows_of(each.engine, each.campaigns, *CLOCKS, "calls_read_at", "cost") for each in (together, alone)]
    rings = {(call.id, int(call.starts_at.timestamp())) for call in calls}
    rings |= {(call.id, int(first_ring(call).timestamp())) for call in calls if call.retried}
    with engine.connect() as connection:
        known = {(row.call_id, row.rang_in) for row in connection.execute(sa.select(attempts_table()))}
        inbox, table = inbox_table().c, together.calls.c
        waiting = connection.execute(sa.select(sa.func.count()).where(inbox.applied_at.is_(None))).scalar_one()
        outcome.unreadable = connection.execute(sa.select(sa.func.count(inbox.unreadable))).scalar_one()
        outcome.settled = connection.execute(sa.select(sa.func.count(table.settled_at))).scalar_one()
    engine.dispose()
    outcome.calls, outcome.attempts = len(tables[0]), len(known)
    outcome.different = {
        "ringg_calls": _differing(*tables),
        "ringg_campaigns": _differing(*campaigns),
        "ringg_attempts, never rung": len(known - rings),
        "ringg_inbox, not applied": waiting,
    }
    return outcome


def _differing(one: dict[str, Any], other: dict[str, Any]) -> int:
    return sum(one.get(key) != other.get(key) for key in one.keys() | other.keys())


def _send_all(port: int, bodies: list[bytes], sent: Counter[str]) -> None:
    """Send in this order, several at once, each up to four times."""
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for body in bodies:
        waiting.put(body)
    lock = threading.Lock()

    def send() -> None:
        # The standard library's takes a fraction of the processor's time, of which the receiver has the rest.
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection, suppress(queue.Empty):
            while True:
                became = _send(connection, waiting.get_nowait())
                with lock:
                    sent[became] += 1

    senders = [threading.Thread(target=send) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()


def _send(connection: HTTPConnection, body: bytes) -> str:
    for wait in (*WAITS, None):
        with suppress(OSError, HTTPException):
            connection.request("POST", f"{PATH}/{CONN_ID}", body, {"Authorization": f"Bearer {SECRET}"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return "stored"
        # With the next try it connects anew.
        connection.close()
        if wait is not None:
            time.sleep(wait)
    return "dropped"


def _kill_now_and_then(
    receiver: Process, dice: random.Random, goes_on: Callable[[], bool], kills: Counter[str]
) -> None:
    while goes_on():
        until = time.monotonic() + dice.uniform(4, 20)
        while goes_on() and time.monotonic() < until:
            time.sleep(0.1)
        if goes_on():
            receiver.kill()
            kills["receiver"] += 1
            receiver.start()


def _receive(url: str, port: int) -> None:
    import uvicorn

    app = build_app(lambda _: Sender("ringg", (SECRET,)), lambda: sa.create_engine(url), table=inbox_table())
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, ws="none", log_level="error")


def _apply(url: str, now: dt.datetime) -> None:
    engine = sa.create_engine(url)
    RinggApply(engine, CONN_ID, now=lambda: now, workspace_id=WORKSPACE).run()
    engine.dispose()


def main() -> int:
    """Run the command; returns its exit code: 1 where a row is another one."""
    if sys.argv[1:2] == ["receive"]:
        _receive(sys.argv[2], int(sys.argv[3]))
        return 0
    if sys.argv[1:2] == ["apply"]:
        _apply(sys.argv[2], dt.datetime.fromisoformat(sys.argv[3]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=100_000, help="about so many")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="ringg-drill-") as made,
        EmbeddedPostgres(Path(made) / "postgres") as server,
    ):
        outcome = drill(server.create_database("state"), options.deliveries, options.seed)
    print(f"{sum(outcome.sent.values()):,} deliveries: {dict(outcome.sent)}; killed: {dict(outcome.kills)}")
    print(f"{outcome.unreadable:,} cannot be read and stayed with the reason")
    print(f"{outcome.calls:,} calls, {outcome.settled:,} settled by webhooks; {outcome.attempts:,} rings")
    print(f"list requests of the load after: {outcome.requests[0]:,}; of polling alone: {outcome.requests[1]:,}")
    print(f"rows that differ from those of polling alone: {outcome.different}")
    print(f"{time.monotonic() - began:,.0f} s on {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    return int(any(outcome.different.values()))


if __name__ == "__main__":
    sys.exit(main())
