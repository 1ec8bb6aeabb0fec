"""Runs that race for promises: any number of them, each stopped between any two steps, and left dead at any.

The operators, the database and the sandbox are real. A run is a thread that stops before each transaction and before
each request that changes something; which one goes on, for how long, and what time it is by then, the dice decide. No
two of them go on at once, so that a race is the same each time.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import httpx
import sqlalchemy as sa
import time_machine
from airflow.providers.common.compat.sdk import AirflowException

from ringg_provider.callbacks.planning import due_time
from ringg_provider.callbacks.reading import Instant
from ringg_provider.callbacks.table import callbacks_table
from ringg_provider.exceptions import RinggProviderError
from ringg_provider.history.tables import calls_table, state_table
from ringg_provider.hours.lawful import LawfulHours
from ringg_provider.hours.plan import Held
from ringg_provider.hours.rules import load_rules
from ringg_provider.operators import launching
from ringg_provider.operators.ringg import RinggCallbacksOperator, RinggLaunchOperator
from ringg_provider.transfers.callbacks_to_ringg import CallbacksToRinggOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from tests.support.sandbox import Sandbox
from tests.support.tasks import Run, TaskInstance

AGENT = "22222222-2222-4222-8222-222222222222"
HOURS = LawfulHours(load_rules(None), purpose="promotional", no_rule="hold")
#: How numbers begin that are in one zone each, the zone, and who calls there.
COUNTRIES = (
    ("+91987650", "Asia/Kolkata", "aaaaaaaa-0000-4000-8000-000000000001"),
    ("+1212867", "America/New_York", "aaaaaaaa-0000-4000-8000-000000000005"),
    ("+1213867", "America/Los_Angeles", "aaaaaaaa-0000-4000-8000-000000000005"),
    ("+44207946", "Europe/London", "aaaaaaaa-0000-4000-8000-000000000005"),
)
INDIA_ONLY = COUNTRIES[:1]
PROMISES = 6
MOST_AT_ONCE = 4
AROUND_THE_CLOCK = {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "UTC"}}


class Crash(BaseException):
    """The worker is gone."""


class Attempt:
    """A task that stops before every step.

    :param body: what it does.
    """

    _here = threading.local()

    def __init__(self, body: Callable[[], None]) -> None:
        self._body = body
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._may_go, self._has_stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._is_killed = False
        self.has_begun = self.is_over = False
        self.error: BaseException | None = None

    def go(self, *, kill: bool = False) -> None:
        """Let it run to its next step, or kill it where it is."""
        self._is_killed = kill
        if self.has_begun:
            self._may_go.release()
        else:
            self.has_begun = True
            self._thread.start()
        self._has_stopped.acquire()

    def _run(self) -> None:
        self._here.attempt = self
        try:
            self._body()
        except (Exception, Crash) as error:  # noqa: BLE001
            self.error = error
        self.is_over = True
        self._has_stopped.release()

    @classmethod
    def stop(cls) -> None:
        """Whoever is in one waits for its turn."""
        attempt = getattr(cls._here, "attempt", None)
        if attempt is None:
            return
        attempt._has_stopped.release()
        attempt._may_go.acquire()
        if attempt._is_killed:
            raise Crash


@dataclass
class Race:
    """One table of promises, one sandbox, and runs that are stepped.

    :param engine: the database, with its tables.
    :param sandbox: started at the present of `travel`.
    :param travel: moves on.
    :param dice: decide everything.
    """

    engine: sa.Engine
    sandbox: Sandbox
    travel: time_machine.Traveller
    dice: random.Random
    live: list[Attempt] = field(default_factory=list)
    dead: list[Attempt] = field(default_factory=list)
    items: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    runs: int = 0
    rung: list[tuple[str, datetime]] = field(default_factory=list)

    def run(self, steps: int) -> None:
        """Promise, let things happen, and then let whoever is alive come to an end."""
        self.promise()
        with _stepped(self.travel):
            for _ in range(steps):
                self.dice.choice((self.begin, self.begin, self.go_on, self.go_on, self.go_on, self.wait, self.die))()
            for attempt in list(self.live):
                self._go(attempt, 1000)
            self.travel.shift(timedelta(minutes=11))
            self._update()
            self._go(self._list(), 1000)
            for attempt in [self._launch(*item) for item in self.items[-4:]]:
                self._go(attempt, 1000)
            self.travel.shift(timedelta(minutes=30))
        self._end()

    def overtake(self, steps: int, wait: timedelta) -> None:
        """A run stops on its way, another one overtakes it, and then the first one goes on to its end.

        :param steps: after which it stops.
        :param wait: how much time passes then.
        """
        self.promise(INDIA_ONLY, minutes=(-5, 0))
        first, second = (self._list(launches=True) for _ in range(2))
        with _stepped(self.travel):
            self._go(first, steps)
            self.travel.shift(wait)
            self._go(second, 1000)
            self._go(first, 1000)
            self.travel.shift(timedelta(minutes=30))
        self._end()

    def _end(self) -> None:
        self.rung = self._rings()
        for attempt in self.dead:
            # Whatever they still do as they are cleared away does not count any more.
            while not attempt.is_over:
                attempt.go(kill=True)

    def promise(
        self, countries: Sequence[tuple[str, str, str]] = COUNTRIES, minutes: tuple[int, int] = (-40, 60)
    ) -> None:
        """People of several countries who are to be called about now; some rows name an hour that is not lawful."""
        now = datetime.now(UTC)
        for n in range(PROMISES):
            prefix, zone, _ = self.dice.choice(countries)
            number = f"{prefix}{self.dice.randrange(10)}{self.dice.randrange(10)}{n:02d}"
            said = (now + timedelta(minutes=self.dice.randint(*minutes))).replace(microsecond=0)
            due = due_time(Instant(said), number, zone, HOURS)
            row = {
                "promise_id": f"promise-{n}", "platform": "ringg", "conn_id": "ringg_sandbox", "agent_id": AGENT,
                "to_number_e164": number, "callee_name": f"Person {n}", "asked_call_id": f"asked-{n}",
                "asked_at": now - timedelta(hours=3), "timezone": zone, "earliest_at": said, "latest_at": said,
                "due_at": said if isinstance(due, Held) or self.dice.random() < 0.2 else due, "state": "open",
            }  # fmt: skip
            with self.engine.begin() as connection:
                connection.execute(sa.insert(callbacks_table()).values(**row))

    # What may happen.

    def begin(self) -> None:
        """A run, a retry of one, or the start of a list, however old."""
        if len(self.live) >= MOST_AT_ONCE:
            return
        if self.items and self.dice.random() < 0.5:
            self.live.append(self._launch(*self.dice.choice(self.items)))
        elif self.runs and self.dice.random() < 0.3:
            self.live.append(self._list(f"run-{self.dice.randrange(self.runs)}"))
        else:
            self.live.append(self._list())

    def go_on(self) -> None:
        """One of them comes further, by a step or by many."""
        if self.live:
            self._go(self.dice.choice(self.live), self.dice.choice((1, 3, 8, 20, 100)))

    def die(self) -> None:
        """One of them dies where it is."""
        if self.live and self.dice.random() < 0.4:
            attempt = self.live.pop(self.dice.randrange(len(self.live)))
            # One that has not begun has nothing to leave behind.
            self.dead += [attempt] if attempt.has_begun else []

    def wait(self) -> None:
        """Time passes, and the calls of it may become known."""
        self.travel.shift(timedelta(minutes=self.dice.choice((1, 3, 6, 11))))
        if self.dice.random() < 0.15:
            self._update()

    def _go(self, attempt: Attempt, steps: int) -> None:
        for _ in range(steps):
            if attempt.is_over:
                break
            attempt.go()
        if attempt.is_over and attempt in self.live:
            self.live.remove(attempt)
        if not isinstance(attempt.error, AirflowException | RinggProviderError | None):
            raise attempt.error

    def _list(self, run_id: str | None = None, *, launches: bool = False) -> Attempt:
        if run_id is None:
            run_id, self.runs = f"run-{self.runs}", self.runs + 1

        def body() -> None:
            lister = CallbacksToRinggOperator(
                task_id="lists", state_conn_id="warehouse", ringg_conn_id="ringg_sandbox", agent_id=AGENT,
                purpose="promotional", country_code="+91", variables_map={"callee_name": "callee_name"},
                call_config=AROUND_THE_CLOCK, invalid_rows_timeout=0.001, platform_calls_back=False,
            )  # fmt: skip
            items = lister.execute(_context(run_id, "lists"))
            self.items += [(run_id, item) for item in items]
            for item in items if launches else ():
                with suppress(AirflowException):
                    self._launcher(item).execute(_context(run_id, "launch"))

        return Attempt(body)

    def _launch(self, run_id: str, item: dict[str, Any]) -> Attempt:
        def body() -> None:
            self._launcher(item).execute(_context(run_id, "launch"))

        return Attempt(body)

    def _launcher(self, item: dict[str, Any]) -> RinggLaunchOperator:
        (line, *_) = (line for prefix, _, line in COUNTRIES if prefix.startswith(item["country_code"]))
        return RinggLaunchOperator(
            task_id="launch", launch=item, from_numbers=[line], state_conn_id="warehouse",
            ringg_conn_id="ringg_sandbox",
        )  # fmt: skip

    def _update(self) -> None:
        known: dict[str, Any] = {"ringg_conn_id": "ringg_sandbox", "state_conn_id": "warehouse"}
        RinggCallsToSqlOperator(task_id="load", **known).execute(_context("load", "load"))
        purpose: Any = "promotional"
        RinggCallbacksOperator(task_id="update", purpose=purpose, **known).execute(_context("load", "update"))

    # What became of it.

    def complaints(self) -> list[str]:
        """What must not be."""
        times = Counter(number for number, _ in self.rung)
        twice = [f"rung {count} times" for count in times.values() if count > 1]
        return twice + [f"rung at {at:%Y-%m-%d %H:%M} UTC" for number, at in self.rung if not is_lawful(number, at)]

    def _rings(self) -> list[tuple[str, datetime]]:
        """Whose phone rang, and when."""
        return [
            (call["to_number"], datetime.fromisoformat(attempt["called_on_time"]))
            for call in self.sandbox.state()["calls"]
            for attempt in call["attempts"]
        ]


def is_lawful(number: str, at: datetime) -> bool:
    """Whether somebody may be called then."""
    # The sandbox rounds down to microseconds, and hours are of whole minutes.
    at += timedelta(milliseconds=1)
    spans = HOURS.spans(number, at - timedelta(minutes=2), at + timedelta(minutes=2))
    return not isinstance(spans, Held) and any(opens <= at < closes for opens, closes in spans)


def make_tables(engine: sa.Engine) -> None:
    """The tables that a first run finds."""
    for table in (callbacks_table(), calls_table(), state_table()):
        table.create(engine)


def _context(run_id: str, task_id: str) -> Any:
    return {"ti": TaskInstance(dag_id="promises", run_id=run_id, task_id=task_id), "dag_run": Run()}


@contextmanager
def _stepped(travel: time_machine.Traveller) -> Iterator[None]:
    """An `Attempt` stops before each transaction, each request that changes something and each wait."""
    connect, send = sa.Engine.connect, httpx.Client.send

    def stopped_connect(engine: sa.Engine) -> sa.Connection:
        Attempt.stop()
        return connect(engine)

    def stopped_send(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        if request.method != "GET":
            Attempt.stop()
        return send(client, request, **options)

    def stopped_wait(seconds: float, _told_to_stop: object) -> None:
        Attempt.stop()
        travel.shift(timedelta(seconds=seconds))

    with ExitStack() as patched:
        patched.enter_context(patch.object(launching, "sleep_until_told", stopped_wait))
        patched.enter_context(patch.object(launching, "time", SimpleNamespace(time=time.time, monotonic=time.time)))
        patched.enter_context(patch.object(sa.Engine, "connect", stopped_connect))
        patched.enter_context(patch.object(httpx.Client, "send", stopped_send))
        yield
