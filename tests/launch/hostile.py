"""A hostile world for the launch protocol: a platform that starts a list as often as it is told to, and a scheduler
that stops an attempt between any two steps and then chooses what becomes of the next one.

An attempt runs in a greenlet of its own. Each callable that the protocol drives hands the baton back before it takes
effect, so that any number of attempts interleave at every step, in one thread and the same way each time.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from ringg_provider.exceptions import (
    AuthenticationError,
    InvalidRequest,
    NetworkError,
    NotFound,
    RateLimited,
    ServerError,
    UnexpectedResponse,
    WrongState,
)
from ringg_provider.launch import protocol as protocol
from ringg_provider.launch.terms import Evidence, Intent, IntentStore, Launched, ListState

T = TypeVar("T")

SETTLE_TIMEOUT, SETTLE_INTERVAL = 10.0, 5.0


class Fate(StrEnum):
    """What becomes of one step."""

    WELL = "it takes effect and is answered"
    CRASH_BEFORE = "the worker dies before it"
    CRASH_AFTER = "it takes effect, and the worker dies"
    CRASH_LATE = "the worker dies, and it takes effect later"
    BROKEN_BEFORE = "it fails without an effect, as far as the server knows"
    BROKEN_AFTER = "it takes effect, and the answer is lost"
    BROKEN_LATE = "the answer is lost, and it takes effect later"
    SERVER_ERROR_AFTER = "it takes effect, and the answer is 500"
    UNREADABLE_AFTER = "it takes effect, and the answer is gibberish"
    UNSENT = "no connection is made"
    LIMITED = "429"
    REFUSED = "400"
    REFUSED_AS_STARTED = "400, already started"
    REFUSED_AS_MISSING = "404"
    UNAUTHORISED = "401"
    SIGTERM = "the task is told to stop"


_CRASHES = (Fate.CRASH_BEFORE, Fate.CRASH_AFTER)
_STORE = (Fate.WELL, *_CRASHES, Fate.CRASH_LATE, Fate.BROKEN_BEFORE, Fate.BROKEN_AFTER, Fate.BROKEN_LATE)

#: What may become of each kind of step.
FATES: dict[str, tuple[Fate, ...]] = {
    "look": (Fate.WELL, Fate.BROKEN_BEFORE, Fate.UNREADABLE_AFTER, Fate.UNAUTHORISED, *_CRASHES),
    "start": tuple(fate for fate in Fate if fate is not Fate.SIGTERM),
    "read": (Fate.WELL, Fate.BROKEN_BEFORE, *_CRASHES),
    "write": _STORE,
    "transaction": (Fate.WELL, Fate.CRASH_BEFORE, Fate.BROKEN_BEFORE),
    "sleep": (Fate.WELL, *_CRASHES),
    "prepare": (Fate.WELL, Fate.REFUSED, *_CRASHES),
    "interrupted": (Fate.WELL, Fate.SIGTERM),
}


class Crash(BaseException):
    """The worker is gone: no code of the attempt runs any more."""


class StoreDown(Exception):
    """The database or Airflow's API does not answer; Airflow retries the task."""


@dataclass
class HostileList:
    """A list as the platform really has it, and what it shows of it."""

    list_id: str
    owner: str
    numbers: frozenset[str]
    state: ListState = ListState.READY
    starts: int = 0
    shown: ListState | None = None
    """What a lagging or hiding listing shows instead of the present state; None when it shows that."""
    hides_drafts: bool = False
    """Whether it shows nothing of the list until it is started."""
    says_completed: bool = False
    """Whether it says `completed` both for "processed" and for "finished"."""

    @property
    def visible_state(self) -> ListState:
        """What a listing shows that lags behind nothing."""
        return ListState.MISSING if self.hides_drafts and not self.starts else self.state


class HostilePlatform:
    """Dials everybody on a list each time it is told to start it."""

    def __init__(self) -> None:
        self.lists: dict[str, HostileList] = {}
        self.dials: Counter[tuple[str, str]] = Counter()
        self.later: list[Callable[[], None]] = []

    def upload(self, owner: str, numbers: frozenset[str]) -> str:
        """Make a list; `owner` is what its numbers may be dialled once for, such as a launch key."""
        list_id = f"list-{len(self.lists)}"
        self.lists[list_id] = HostileList(list_id, owner, numbers)
        return list_id

    def started(self, list_id: str) -> bool:
        """Whether the list has really been started, whatever is shown."""
        return self.lists[list_id].starts > 0

    def do_start(self, list_id: str) -> None:
        """What a start does when it arrives."""
        contacts = self.lists[list_id]
        contacts.starts += 1
        contacts.state = ListState.STARTED
        self.dials.update((contacts.owner, number) for number in contacts.numbers)

    def do_look(self, list_id: str) -> ListState:
        """What the platform shows."""
        contacts = self.lists[list_id]
        if contacts.says_completed and contacts.state in (ListState.READY, ListState.ENDED):
            return ListState.AMBIGUOUS
        return contacts.shown or contacts.visible_state

    def do_look_closer(self, list_id: str) -> Evidence:
        """What the campaign list and the history show."""
        contacts = self.lists[list_id]
        shown = contacts.shown or contacts.visible_state
        listed = None if shown is ListState.MISSING or contacts.says_completed else shown
        # A history that lags says as little as the listing.
        return Evidence(listed, has_calls=contacts.starts > 0 and shown is not ListState.MISSING)


class Baton:
    """Passes control between the scheduler and the attempts."""

    def step(self, kind: str, effect: Callable[[], T], later: list[Callable[[], None]]) -> T:
        """Let the scheduler run, then do to `effect` what it chose. Outside of an attempt: just do it."""
        attempt = getcurrent()
        if not isinstance(attempt, Attempt):
            return effect()
        fate = attempt.pause(kind)
        match fate:
            case Fate.CRASH_BEFORE:
                raise Crash
            case Fate.CRASH_LATE | Fate.BROKEN_LATE:
                later.append(effect)  # type: ignore[arg-type]
                raise Crash if fate is Fate.CRASH_LATE else self._broken(kind)
            case Fate.BROKEN_BEFORE:
                raise self._broken(kind)
            case Fate.UNSENT:
                raise NetworkError("no connection", sent=False)
            case Fate.LIMITED:
                raise RateLimited("slow down", retry_after=1.0)
            case Fate.REFUSED:
                raise InvalidRequest("no such number", field="from_numbers")
            case Fate.REFUSED_AS_STARTED:
                raise WrongState("already started")
            case Fate.REFUSED_AS_MISSING:
                raise NotFound("no such list")
            case Fate.UNAUTHORISED:
                raise AuthenticationError("the key was rotated")
        answer = effect()
        match fate:
            case Fate.CRASH_AFTER:
                raise Crash
            case Fate.BROKEN_AFTER:
                raise self._broken(kind)
            case Fate.SERVER_ERROR_AFTER:
                raise ServerError("internal server error", status_code=500)
            case Fate.UNREADABLE_AFTER:
                raise UnexpectedResponse("a page of HTML")
        return answer

    @staticmethod
    def _broken(kind: str) -> Exception:
        if kind in ("look", "start"):
            return NetworkError("connection reset", sent=True)
        return StoreDown()


class Attempt(greenlet):
    """One run of the protocol, or of an upload, that stops before every step.

    :param name: for the machine's notes.
    :param body: what it does.
    """

    def __init__(self, name: str, body: Callable[[], Any]) -> None:
        super().__init__(self._run_body)
        self.name = name
        self._body = body
        self.waiting_for: str | None = None
        self.outcome: Any = None
        self.error: BaseException | None = None
        self.sent_without_answer = False

    def _run_body(self) -> None:
        try:
            self.outcome = self._body()
        except (Crash, Exception) as error:  # noqa: BLE001
            self.error = error

    def pause(self, kind: str) -> Fate:
        """Called from inside: wait for the scheduler."""
        assert self.parent is not None
        fate = self.parent.switch(kind)
        assert isinstance(fate, Fate)
        if kind == "start" and fate in _MAY_HAVE_ARRIVED:
            self.sent_without_answer = True
        return fate

    def go(self, fate: Fate | None = None) -> None:
        """Called from outside: run to the next step."""
        self.parent = getcurrent()
        self.waiting_for = self.switch() if fate is None else self.switch(fate)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.dead

    @property
    def crashed(self) -> bool:
        """Whether the worker died."""
        return isinstance(self.error, Crash)


_MAY_HAVE_ARRIVED = frozenset(
    {
        Fate.BROKEN_BEFORE,
        Fate.BROKEN_AFTER,
        Fate.BROKEN_LATE,
        Fate.SERVER_ERROR_AFTER,
        Fate.UNREADABLE_AFTER,
    }
)


class SteppedPlatform:
    """The platform as one attempt reaches it."""

    def __init__(self, platform: HostilePlatform, baton: Baton) -> None:
        self._platform = platform
        self._baton = baton

    def look(self, list_id: str) -> ListState:
        return self._step("look", lambda: self._platform.do_look(list_id))

    def look_closer(self, list_id: str) -> Evidence:
        return self._step("look", lambda: self._platform.do_look_closer(list_id))

    def start(self, request: Mapping[str, Any]) -> None:
        self._step("start", lambda: self._platform.do_start(request["list_id"]))

    def _step(self, kind: str, effect: Callable[[], T]) -> T:
        return self._baton.step(kind, effect, self._platform.later)


class SteppedStore:
    """Any intent store, one step per call."""

    def __init__(self, store: IntentStore, baton: Baton, later: list[Callable[[], None]]) -> None:
        self._store = store
        self.remembers = store.remembers
        self._baton = baton
        self._later = later

    def find(self, list_id: str) -> Intent | None:
        return self._baton.step("read", lambda: self._store.find(list_id), self._later)

    def claim(self, intent: Intent) -> Intent | None:
        return self._baton.step("write", lambda: self._store.claim(intent), self._later)

    def forget(self, intent: Intent) -> None:
        self._baton.step("write", lambda: self._store.forget(intent), self._later)

    def confirm(self, list_id: str) -> None:
        self._baton.step("write", lambda: self._store.confirm(list_id), self._later)


class SteppedEngine:
    """A SQLAlchemy engine that stops before each transaction, which databases with locks run one after the other."""

    def __init__(self, engine: Any, baton: Baton) -> None:
        self._engine = engine
        self._baton = baton

    @contextmanager
    def begin(self) -> Any:
        self._baton.step("transaction", lambda: None, [])
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def connect(self) -> Any:
        self._baton.step("transaction", lambda: None, [])
        with self._engine.connect() as connection:
            yield connection


class TaskStateModel:
    """Airflow's task state store of one task instance: JSON values by key, None refused, gone once deleted."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self._values[key]) if key in self._values else default

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        assert value is not None
        self._values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self._values.pop(key, None)


@dataclass
class Clock:
    """Seconds, which pass only while somebody sleeps."""

    now: float = 0.0
    sleeps: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def launching(
    list_id: str,
    asked: Mapping[str, Any],
    platform: SteppedPlatform,
    store: IntentStore,
    baton: Baton,
    clock: Clock,
) -> Callable[[], Launched]:
    """One attempt of the real protocol, every callable of which stops for the scheduler."""
    told_to_stop = False

    def interrupted() -> bool:
        nonlocal told_to_stop
        attempt = getcurrent()
        if isinstance(attempt, Attempt) and attempt.pause("interrupted") is Fate.SIGTERM:
            told_to_stop = True
        return told_to_stop

    def sleep(seconds: float) -> None:
        baton.step("sleep", lambda: clock.sleep(seconds), [])

    def prepare() -> Mapping[str, Any]:
        return baton.step("prepare", lambda: {"list_id": list_id}, [])

    def run() -> Launched:
        return protocol.launch(
            list_id,
            asked,
            prepare,
            platform,
            store,
            sleep=sleep,
            monotonic=clock.monotonic,
            interrupted=interrupted,
            unwanted=lambda: told_to_stop,
            settle_timeout=SETTLE_TIMEOUT,
            settle_interval=SETTLE_INTERVAL,
            unsent_attempts=2,
        )

    return run
