"""Days in the life of promises: people of the sandbox ask to be called back, and every quarter of an hour a run looks.

Time is travelled through; the sandbox, the database and the operators are real. Also `benchmarks/promises.py` lives
such days.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import time_machine

from ringg_provider.callbacks.claims import Claims
from ringg_provider.hours.lawful import LawfulHours
from ringg_provider.hours.plan import Held
from ringg_provider.hours.rules import load_rules
from ringg_provider.operators.ringg import RinggCallbacksOperator, RinggLaunchOperator, RinggSaveCampaignOperator
from ringg_provider.transfers.callbacks_to_ringg import CallbacksToRinggOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from tests.support.sandbox import Sandbox
from tests.support.tasks import Run, TaskInstance

AGENT = "22222222-2222-4222-8222-222222222222"
INTERVAL = timedelta(minutes=15)
PUNCTUAL = timedelta(minutes=15)
#: Airflow notes after five minutes that a worker is dead, and the example's tasks wait one before they try again.
NOTED_DEAD = timedelta(minutes=6)
#: An analysis is there a quarter of an hour after the call, is seen by the next run, and its list starts minutes later.
NOTICE = timedelta(minutes=15) + INTERVAL + timedelta(minutes=10)


@dataclass(frozen=True)
class Country:
    """Where the people of one life live.

    :param prefix: how their numbers begin; four digits follow.
    :param code: of the country.
    :param zone: by whose clocks they live.
    :param caller: the line that calls them.
    """

    prefix: str
    code: str
    zone: str
    caller: str

    def number(self, n: int) -> str:
        return f"{self.prefix}{n:04d}"


INDIA = Country("+91987650", "+91", "Asia/Kolkata", "aaaaaaaa-0000-4000-8000-000000000001")
NEW_YORK = Country("+1212867", "+1", "America/New_York", "aaaaaaaa-0000-4000-8000-000000000005")


def connection(sandbox: Sandbox) -> str:
    """The connection to it, at no pace: real time would pass over the platform's limit, ten requests a minute."""
    return f"{sandbox.connection}/?history_requests_per_minute=600000"


class Crash(Exception):
    """A worker died."""


@dataclass
class Life:
    """One workspace, one database and the time that passes in both.

    :param sandbox: which was started in that time.
    :param travel: moves on.
    :param country: of the people.
    :param dice: decides who crashes, and where.
    :param crashes: how often a run crashes somewhere.
    :param arguments: more for the operator that lists.
    :param retries: how often a start is tried again whose worker died before it; else it died for good.
    """

    sandbox: Sandbox
    travel: time_machine.Coordinates
    country: Country
    dice: random.Random
    crashes: float = 0.0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    retries: int = 0
    crashed: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    could: list[dict[str, Any]] = field(default_factory=list)
    rung_twice: list[str] = field(default_factory=list)
    rung_unlawfully: list[str] = field(default_factory=list)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.country.zone)

    @property
    def window(self) -> dict[str, Any]:
        hours = {"call_start_time": "08:00", "call_end_time": "21:00", "timezone": self.country.zone}
        return {"call_time": hours}

    def call_everybody(self, people: int, folder: Path) -> None:
        """The campaign in which they ask."""
        rows = [f"{self.country.number(n)},Person {n}" for n in range(people)]
        contacts = folder / "contacts.csv"
        contacts.write_text("\n".join(["Mobile Number,Name", *rows]))
        common = {"ringg_conn_id": "ringg_sandbox", "agent_id": AGENT}
        list_id = RinggSaveCampaignOperator(
            task_id="save", campaign_name="Survey", contacts=str(contacts), country_code=self.country.code,
            variables_map={"mobile_number": "Mobile Number", "callee_name": "Name"}, call_config=self.window, **common,
        ).execute(_context("campaign", "save"))  # fmt: skip
        item = {
            "list_id": list_id, "flow": "standard", "agent_id": AGENT, "country_code": self.country.code,
            "call_config": self.window,
        }  # fmt: skip
        RinggLaunchOperator(
            task_id="launch", launch=item, from_numbers=[self.country.caller], ringg_conn_id="ringg_sandbox"
        ).execute(_context("campaign", "launch"))

    def live(self, until: datetime, *, only_eventful: bool = False) -> None:
        """A run every quarter of an hour; at night, when nobody may be called, there is none.

        Args:
            until: when it ends, aware.
            only_eventful: leave out the runs in whose hour nobody asks for anything and nobody is to be called.
        """
        while (now := datetime.now(UTC)) < until:
            start = now.replace(second=0, microsecond=0)
            ahead = INTERVAL - timedelta(minutes=start.minute % 15)
            self.travel.move_to(start + ahead)
            is_day = time(7, 30) <= datetime.now(self.zone).time() <= time(21, 15)
            if is_day and not (only_eventful and self._is_quiet()):
                self.run()

    def _is_quiet(self) -> bool:
        now = datetime.now(UTC)
        for promise in self.sandbox.callbacks():
            if now - datetime.fromisoformat(promise["asked_at"]) < timedelta(hours=1):
                return False
            if promise["earliest"] is not None:
                begin, end = (datetime.fromisoformat(promise[name]) for name in ("earliest", "latest"))
                if begin - timedelta(hours=0.5) <= now <= end + timedelta(hours=1):
                    return False
        return True

    def run(self) -> None:
        """One run of the DAG, with its retries; two of them at the same time where both are awake."""
        run_id = f"{datetime.now(UTC):%d %H:%M}"
        self.load()
        twice = self.crashes and self.dice.random() < 0.2
        for run in (run_id, f"{run_id} again") if twice else (run_id,):
            self._list_and_launch(run)

    def load(self) -> None:
        """Load the calls and bring the promises up to them."""
        known = {"ringg_conn_id": "ringg_sandbox", "state_conn_id": "warehouse"}
        RinggCallsToSqlOperator(task_id="load", **known).execute(_context("load", "load"))
        purpose: Any = "promotional"
        RinggCallbacksOperator(task_id="update", purpose=purpose, **known).execute(_context("load", "update"))

    def _list_and_launch(self, run_id: str) -> None:
        items: list[dict[str, Any]] = []
        for _attempt in range(3):
            # Whoever crashed for good leaves what it took to the runs after it.
            with suppress(Exception), self._crashing("upload"):
                items = self._lister().execute(_context(run_id, "lists"))
                break
            if self.dice.random() < 0.3:
                return
        for attempt in range(1 + self.retries):
            if attempt and items:
                self.travel.shift(NOTED_DEAD)
            items = [item for item in items if not self._launch(run_id, item)]

    def _launch(self, run_id: str, item: dict[str, Any]) -> bool:
        """Start a list; False where the worker died before it."""
        if self.crashes and self.dice.random() < self.crashes:
            self.crashed.append("before the start")
            return False
        for _attempt in range(2):
            with suppress(Exception), self._crashing("start"):
                self._launcher(item).execute(_context(run_id, "launch"))
                break
        return True

    def _lister(self) -> CallbacksToRinggOperator:
        return CallbacksToRinggOperator(
            task_id="lists", state_conn_id="warehouse", ringg_conn_id="ringg_sandbox", agent_id=AGENT,
            purpose="promotional", country_code=self.country.code, variables_map={"callee_name": "callee_name"},
            call_config=self.window, invalid_rows_timeout=1, **{"platform_calls_back": False} | self.arguments,
        )  # fmt: skip

    def _launcher(self, item: dict[str, Any]) -> RinggLaunchOperator:
        return RinggLaunchOperator(
            task_id="launch", launch=item, from_numbers=[self.country.caller], state_conn_id="warehouse",
            ringg_conn_id="ringg_sandbox",
        )  # fmt: skip

    @contextmanager
    def _crashing(self, where: str) -> Iterator[None]:
        """Let something go wrong on the way, or nothing."""
        if self.dice.random() >= self.crashes:
            yield
            return
        how = self.dice.choice(_CRASHES[where])
        self.crashed.append(how.__name__.removeprefix("_").replace("_", " "))
        try:
            with how(self.sandbox):
                yield
        finally:
            self.sandbox.clear_faults()

    # What became of it.

    def look_back(self) -> None:
        """See what became of everybody, while it is still that time."""
        now = datetime.now(UTC)
        self.asked = self.sandbox.callbacks()
        self.could = [promise for promise in self.asked if self.could_be_kept(promise, now)]
        self.rung_twice = self.more_than_once()
        self.rung_unlawfully = self.unlawful()

    def could_be_kept(self, promise: Mapping[str, Any], until: datetime) -> bool:
        """Whether they named a time of which some is lawful, far enough ahead, and over by now."""
        if promise["earliest"] is None:
            return False
        asked, earliest, latest = (datetime.fromisoformat(promise[name]) for name in ("asked_at", "earliest", "latest"))
        first = max(earliest, asked + NOTICE)
        return first <= latest + PUNCTUAL and latest + PUNCTUAL < until and self._is_lawful(promise, first, latest)

    def _is_lawful(self, promise: Mapping[str, Any], first: datetime, latest: datetime) -> bool:
        hours = LawfulHours(load_rules(None), purpose="promotional")
        # Hours are of whole minutes.
        spans = hours.spans(promise["to_number"], first, max(latest, first) + timedelta(minutes=2))
        return not isinstance(spans, Held) and bool(spans)

    def more_than_once(self) -> list[str]:
        """What was said by whoever was rung twice for it: before they were reached, or once more afterwards."""
        found = [promise["words"] for promise in self.asked if len(promise["calls"]) > 1]
        for number, dialled in self.sandbox.dials()["numbers"].items():
            said = [promise for promise in self.asked if promise["to_number"] == number]
            # The campaign rang them once.
            if dialled["attempts"] > 1 + sum(len(promise["calls"]) for promise in said):
                found += [promise["words"] for promise in said] or ["nothing"]
        return found

    def unlawful(self) -> list[str]:
        """When phones rang, by our doing, at an hour at which they must not."""
        hours = LawfulHours(load_rules(None), purpose="promotional")
        found = []
        for promise in self.asked:
            for ring in promise["calls"]:
                # The sandbox rounds down to microseconds: what is to begin at nine may be told as a moment before.
                at = datetime.fromisoformat(ring["at"]) + timedelta(milliseconds=1)
                spans = hours.spans(promise["to_number"], at - timedelta(minutes=2), at + timedelta(minutes=2))
                if ring["call_type"] != "callback" and not any(
                    opens <= at < closes for opens, closes in ([] if isinstance(spans, Held) else spans)
                ):
                    found.append(f"{at.astimezone(self.zone):%H:%M}")
        return found


def _context(run_id: str, task_id: str) -> Any:
    return {"ti": TaskInstance(dag_id="promises", run_id=run_id, task_id=task_id), "dag_run": Run()}


@contextmanager
def _platform_down(sandbox: Sandbox) -> Iterator[None]:
    sandbox.fault(method="POST", path="/campaign/save", kind="status", status=500, times=20)
    yield


@contextmanager
def _upload_cut(sandbox: Sandbox) -> Iterator[None]:
    sandbox.fault(method="POST", path="/campaign/save", kind="cut", when="after")
    yield


@contextmanager
def _killed_after_the_claim(sandbox: Sandbox) -> Iterator[None]:
    with _dying(Claims, "rows"):
        yield


@contextmanager
def _killed_after_the_upload(sandbox: Sandbox) -> Iterator[None]:
    with _dying(Claims, "note"):
        yield


@contextmanager
def _start_cut(sandbox: Sandbox) -> Iterator[None]:
    sandbox.fault(method="POST", path="/campaign/start", kind="cut", when="after")
    yield


@contextmanager
def _start_refused(sandbox: Sandbox) -> Iterator[None]:
    sandbox.fault(method="POST", path="/campaign/start", kind="status", status=400, body={"detail": "Not now."})
    yield


@contextmanager
def _dying(owner: type, method: str) -> Iterator[None]:
    def die(*_: Any, **__: Any) -> Any:
        raise Crash(method)

    with patch.object(owner, method, die):
        yield


_CRASHES: dict[str, list[Callable[[Sandbox], Any]]] = {
    "upload": [_platform_down, _upload_cut, _killed_after_the_claim, _killed_after_the_upload],
    "start": [_start_cut, _start_refused],
}
