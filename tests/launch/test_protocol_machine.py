"""The launch protocol against a hostile scheduler and a platform that never refuses a second start.

Two machines drive the real protocol: one over the real intent store of tier 1 (on a model of Airflow's task state
store), one over the real ledger of tier 2. At the end, mutants of the protocol show that the machines would notice.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import StaticPool, create_engine, update

from ringg_provider.exceptions import (
    CampaignFailed,
    CampaignTerminated,
    LaunchedByAnotherRun,
    LaunchInterrupted,
    LaunchOutcomeUnknown,
    PermanentError,
    RinggProviderError,
    TransientError,
    UnexpectedResponse,
)
from ringg_provider.launch import protocol as protocol
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.keyed import KeyedIntents
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.settling import Settling
from ringg_provider.launch.table import launches
from ringg_provider.launch.terms import Intent, IntentStore, Launched, ListState, fingerprint
from ringg_provider.operators.intents import TaskStateIntents, note_first_attempt
from tests.launch.hostile import (
    FATES,
    Attempt,
    Baton,
    Clock,
    Fate,
    HostilePlatform,
    SteppedEngine,
    SteppedPlatform,
    SteppedStore,
    StoreDown,
    TaskStateModel,
    launching,
)

PEOPLE = ("p1", "p2", "p3")
KEYS = ("key-a", "key-b")
#: Ways in which a day's contacts are split into lists; a number is on one list of a set at most.
SPLITS = (
    [{"p1"}],
    [{"p1", "p2"}],
    [{"p1"}, {"p2"}],
    [{"p2", "p3"}, {"p1"}],
)
MOST_ATTEMPTS_AT_ONCE = 4
MOST_LISTS = 8
#: What becomes of a campaign by itself or by a person, and of a list that is checked, unpaid or broken.
MOVES_ONCE_STARTED = (ListState.ENDED, ListState.FAILED, ListState.TERMINATED)
MOVES_OF_A_DRAFT = (ListState.READY, ListState.READY, ListState.PREPARING, ListState.INSUFFICIENT_BALANCE)
MOVES = (*MOVES_ONCE_STARTED, *MOVES_OF_A_DRAFT)
#: How the platform shows a list from now on.
SHOWS = ("truly", "late", "late", "never", "only once started", "as completed")
#: The steps at which it pays to look around or to strike.
KINDS = ("start", "start", "write", "look", "transaction")
#: More steps than any attempt can take; one that takes more would never end.
ENDLESS = 200

BEFORE_SENDING = (
    PermanentError,
    TransientError,
    LaunchInterrupted,
    LaunchedByAnotherRun,
    UnexpectedResponse,
    StoreDown,
)
ALWAYS = (LaunchOutcomeUnknown, CampaignFailed, CampaignTerminated)


@dataclass
class Task:
    """A task instance that launches one list: its attempts share what identifies it."""

    name: str
    list_id: str
    open_store: Callable[[], IntentStore]
    attempts: list[Attempt] = field(default_factory=list)


class HostileMachine(RuleBasedStateMachine):
    """What both tiers share: attempts that are stepped, crashed and lied to, and a platform that does as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.baton = Baton()
        self.clock = Clock()
        self.platform = HostilePlatform()
        self.tasks: list[Task] = []
        self.live: list[Attempt] = []
        self.numbers = itertools.count()

    # What a mutant may replace.

    def reach_platform(self, store: IntentStore) -> SteppedPlatform:
        """The platform as one attempt reaches it."""
        return SteppedPlatform(self.platform, self.baton)

    def stepped(self, store: IntentStore) -> IntentStore:
        """The store as one attempt reaches it."""
        return SteppedStore(store, self.baton, self.platform.later)

    # Attempts.

    def may_begin(self, task: Task) -> bool:
        """Whether the task may run once more beside what runs already."""
        raise NotImplementedError

    @precondition(lambda self: len(self.live) < MOST_ATTEMPTS_AT_ONCE and any(map(self.may_begin, self.tasks)))
    @rule(which=st.integers(0, 7), asked=st.sampled_from(("the same", "another")))
    def attempt(self, which: int, asked: str) -> None:
        """A first run, a retry, a clear, a second scheduler: all the same to the protocol."""
        ready = [task for task in self.tasks if self.may_begin(task)]
        self._begin(ready[which % len(ready)], asked)

    def _begin(self, task: Task, asked: str = "the same") -> Attempt:
        store = self.stepped(task.open_store())
        body = launching(task.list_id, {"for": asked}, self.reach_platform(store), store, self.baton, self.clock)
        attempt = Attempt(f"{task.name}, attempt {next(self.numbers)}", body)
        task.attempts.append(attempt)
        self.live.append(attempt)
        attempt.go()
        self._settle_accounts()
        return attempt

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, MOST_ATTEMPTS_AT_ONCE - 1), data=st.data())
    def step(self, which: int, data: st.DataObject) -> None:
        """One step of one attempt, with whatever fate."""
        attempt = self.live[which % len(self.live)]
        attempt.go(data.draw(st.sampled_from(FATES[attempt.waiting_for or ""]), label=attempt.name))
        self._settle_accounts()

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, MOST_ATTEMPTS_AT_ONCE - 1), kind=st.sampled_from(KINDS))
    def run_on(self, which: int, kind: str) -> None:
        """An attempt runs undisturbed up to its next step of a kind."""
        self._run_on(self.live[which % len(self.live)], kind)
        self._settle_accounts()

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, MOST_ATTEMPTS_AT_ONCE - 1), kind=st.sampled_from(KINDS), data=st.data())
    def disturb(self, which: int, kind: str, data: st.DataObject) -> None:
        """An attempt runs up to its next step of a kind, which has whatever fate."""
        attempt = self.live[which % len(self.live)]
        self._run_on(attempt, kind)
        if not attempt.over:
            attempt.go(data.draw(st.sampled_from(FATES[kind]), label=attempt.name))
        self._settle_accounts()

    @staticmethod
    def _run_on(attempt: Attempt, kind: str) -> None:
        for _ in range(ENDLESS):
            if attempt.over or attempt.waiting_for == kind:
                return
            attempt.go(Fate.WELL)

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, MOST_ATTEMPTS_AT_ONCE - 1))
    def finish(self, which: int) -> None:
        """An attempt runs undisturbed to its end."""
        self._finish(self.live[which % len(self.live)])

    def _finish(self, attempt: Attempt) -> None:
        for _ in range(ENDLESS):
            if attempt.over:
                break
            attempt.go(Fate.WELL)
        assert attempt.over, f"{attempt.name} does not end"
        self._settle_accounts()

    def _settle_accounts(self) -> None:
        for attempt in [attempt for attempt in self.live if attempt.over]:
            self.live.remove(attempt)
            self.ended(attempt)

    def ended(self, attempt: Attempt) -> None:
        """Every path ends in success, a permanent error or "outcome unknown", or may be retried as nothing was sent."""
        if isinstance(attempt.outcome, Launched):
            started = self.platform.started(attempt.outcome.list_id)
            assert started, f"{attempt.name} reports success, but the list was never started"
        elif not attempt.crashed:
            allowed = ALWAYS if attempt.sent_without_answer else ALWAYS + BEFORE_SENDING
            # After a start whose answer is lost, a database that fails too is Airflow's to retry.
            assert isinstance(attempt.error, (*allowed, StoreDown)), f"{attempt.name} ended in {attempt.error!r}"

    # The platform.

    @precondition(lambda self: self.platform.later)
    @rule(which=st.integers(0, 7))
    def arrive(self, which: int) -> None:
        """What was under way when an answer was lost takes effect."""
        effect = self.platform.later.pop(which % len(self.platform.later))
        with suppress(RinggProviderError):
            effect()

    @precondition(lambda self: self.platform.lists)
    @rule(which=st.integers(0, MOST_LISTS - 1), change=st.sampled_from((*MOVES, *SHOWS)))
    def change(self, which: int, change: ListState | str) -> None:
        """A list goes on, or the way in which the listing shows it changes."""
        contacts = self._list(which)
        if isinstance(change, ListState):
            if change in (MOVES_ONCE_STARTED if contacts.starts else MOVES_OF_A_DRAFT):
                contacts.state = change
            return
        contacts.shown = {"late": contacts.state, "never": ListState.MISSING}.get(change)
        contacts.hides_drafts = change == "only once started"
        contacts.says_completed = change == "as completed"

    def _list(self, which: int) -> Any:
        lists = list(self.platform.lists.values())
        return lists[which % len(lists)]

    # What must hold.

    @invariant()
    def nobody_is_dialled_twice(self) -> None:
        twice = {what: count for what, count in self.platform.dials.items() if count > 1}
        assert not twice, f"dialled more than once: {twice}"

    def teardown(self) -> None:
        """Let everything come to its end, and run every task again before and after the platform is well again."""
        for attempt in list(self.live):
            self._finish(attempt)
        self._run_every_task()
        while self.platform.later:
            self.arrive(0)
        for contacts in self.platform.lists.values():
            contacts.shown, contacts.says_completed, contacts.hides_drafts = None, False, False
        self._run_every_task()
        self.nobody_is_dialled_twice()

    def _run_every_task(self) -> None:
        for task in list(self.tasks):
            self._finish(self._begin(task))


class ClearedState(TaskStateModel):
    """A task's state store that Airflow 3.4 empties when the task is cleared."""

    cleared = False

    def clear(self) -> None:
        """Also counts on from the attempts there were, by which the task knows."""
        self._values.clear()
        self.cleared = True


class Tier1Machine(HostileMachine):
    """Task instances, each with a list of its own and the task state store, whose attempts follow one another."""

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, ClearedState] = {}

    @precondition(lambda self: len(self.tasks) < 2)
    @rule()
    def new_task(self) -> None:
        """A task instance comes to be, with a list that was uploaded for it."""
        name = f"task {len(self.tasks)}"
        state = self.states[name] = ClearedState()
        list_id = self.platform.upload(name, frozenset({"p1"}))
        self.tasks.append(Task(name, list_id, lambda: self.begin(state)))

    def begin(self, state: ClearedState) -> IntentStore:
        """The store of one attempt, which has begun."""
        if not state.cleared:
            note_first_attempt(state)
        return self.intents(state)

    def intents(self, state: ClearedState) -> TaskStateIntents:
        """The store of one attempt."""
        return TaskStateIntents(state, cleared=lambda: state.cleared)

    @precondition(lambda self: any(task.attempts and self.may_begin(task) for task in self.tasks))
    @rule(which=st.integers(0, 7))
    def clear(self, which: int) -> None:
        """A person clears a task that has been attempted, and Airflow discards its state."""
        attempted = [task for task in self.tasks if task.attempts and self.may_begin(task)]
        self.states[attempted[which % len(attempted)].name].clear()

    def may_begin(self, task: Task) -> bool:
        """Airflow runs one attempt of a task instance at a time."""
        return all(attempt.over for attempt in task.attempts)


class Tier2Machine(HostileMachine):
    """Runs with a launch key: each uploads a set or is given the stored one, and launches its lists, also at once."""

    open_ledger: ClassVar[type[LaunchLedger]] = LaunchLedger

    def __init__(self) -> None:
        super().__init__()
        self.engine = create_engine("sqlite://", poolclass=StaticPool)
        self.ledger = self.open_ledger(self.engine)
        self.ledger.engine = SteppedEngine(self.engine, self.baton)  # type: ignore[assignment]

    @precondition(lambda self: len(self.platform.lists) < MOST_LISTS and len(self.live) < MOST_ATTEMPTS_AT_ONCE)
    @rule(key=st.sampled_from((*KEYS, KEYS[0], KEYS[0])), split=st.sampled_from(SPLITS))
    def run_with(self, key: str, split: Iterable[set[str]]) -> None:
        """A run begins, or is cleared as a whole; the query gives other people than the last time."""

        def prepare_lists() -> list[LaunchItem]:
            stored = self.baton.step("read", lambda: self.ledger.started_set(key), [])
            if stored is not None:
                return stored
            items = [
                LaunchItem(
                    list_id=self.platform.upload(key, frozenset(people)),
                    flow="standard",
                    agent_id="agent",
                    country_code="+91",
                    call_config={},
                    rows=len(people),
                )
                for people in split
            ]
            return self.baton.step("write", lambda: self.ledger.replace_set(key, items), self.platform.later)

        attempt = Attempt(f"upload {next(self.numbers)} for {key}", prepare_lists)
        self.live.append(attempt)
        attempt.key = key  # type: ignore[attr-defined]
        attempt.go()
        self._settle_accounts()

    @precondition(lambda self: len(self.platform.lists) < MOST_LISTS)
    @rule(key=st.sampled_from(KEYS), people=st.sampled_from(({"p1"}, {"p1", "p2"})))
    def list_by_hand(self, key: str, people: set[str]) -> None:
        """A list that nobody registered is to be started under a key."""
        self._add_task(key, self.platform.upload(key, frozenset(people)))

    def ended(self, attempt: Attempt) -> None:
        """A finished upload hands its lists to the launching tasks, which begin as far as there are workers."""
        if not isinstance(attempt.outcome, list):
            super().ended(attempt)
            return
        for item in attempt.outcome:
            task = self._add_task(attempt.key, item.list_id)  # type: ignore[attr-defined]
            if len(self.live) < MOST_ATTEMPTS_AT_ONCE:
                self._begin(task)

    def _add_task(self, key: str, list_id: str) -> Task:
        self.tasks.append(Task(f"launch of {list_id} for {key}", list_id, lambda: self.open_store(key)))
        return self.tasks[-1]

    def open_store(self, key: str) -> IntentStore:
        """The store of one attempt."""
        return self.ledger.for_key(key)

    def may_begin(self, task: Task) -> bool:
        """Two schedulers, two people, an evicted worker that lives on: any number at once."""
        return True

    def teardown(self) -> None:
        """Also close the database."""
        try:
            super().teardown()
        finally:
            self.engine.dispose()


pytestmark = pytest.mark.usefixtures("forgetful")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Hundreds of thousands of launches need not tell of themselves."""
    caplog.set_level("WARNING", logger="ringg_provider")


def thorough(examples: int, steps: int = 40) -> settings:
    """The same examples on every machine and in every run, so that a red test stays red."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        database=None,
        # Shrinking a failure takes minutes: to shorten one, add Phase.shrink and raise pytest's timeout.
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


def test_one_task_instance_starts_its_list_at_most_once_whatever_happens_to_its_attempts() -> None:
    run_state_machine_as_test(Tier1Machine, settings=thorough(400))


@pytest.mark.slow
def test_no_number_under_a_launch_key_is_dialled_twice_whatever_runs_at_once_with_whatever_contacts() -> None:
    run_state_machine_as_test(Tier2Machine, settings=thorough(250))


# Mutants: each breaks one rule of the protocol, and the machines must notice.


class ClaimsAfterSending:
    """A store and a platform that, between them, write the intent after the POST instead of before it."""

    def __init__(self, store: IntentStore) -> None:
        self._store = store
        self._intent: Intent | None = None
        self.find, self.confirm, self.remembers = store.find, store.confirm, store.remembers

    def claim(self, intent: Intent) -> Intent | None:
        self._intent = intent
        return self._store.find(intent.list_id)

    def forget(self, intent: Intent) -> None:
        if self._intent is None:
            self._store.forget(intent)

    def sent(self) -> None:
        assert self._intent is not None
        self._store.claim(self._intent)
        self._intent = None


class PlatformThatNotesSending(SteppedPlatform):
    def __init__(self, platform: HostilePlatform, baton: Baton, store: ClaimsAfterSending) -> None:
        super().__init__(platform, baton)
        self._claims = store

    def start(self, request: Any) -> None:
        super().start(request)
        self._claims.sent()


class IntentAfterThePost(Tier1Machine):
    def stepped(self, store: IntentStore) -> IntentStore:
        return ClaimsAfterSending(super().stepped(store))

    def reach_platform(self, store: IntentStore) -> SteppedPlatform:
        assert isinstance(store, ClaimsAfterSending)
        return PlatformThatNotesSending(self.platform, self.baton, store)


class LooksThenClaims(KeyedIntents):
    """Claims in two transactions: one looks, the other writes whatever stands there by then."""

    def claim(self, intent: Intent) -> Intent | None:
        standing = self.find(intent.list_id)
        if standing is not None:
            return standing
        with self.engine.begin() as connection:
            connection.execute(
                update(launches)
                .where(launches.c.launch_key == self.launch_key, launches.c.list_id == intent.list_id)
                .values(state="start_sent", intent={"fingerprint": intent.fingerprint, "request": dict(intent.request)})
            )
        return None


class ClaimWithoutAtomicity(Tier2Machine):
    def open_store(self, key: str) -> IntentStore:
        return LooksThenClaims(self.ledger.engine, key)


class SettleThatTrustsCompleted(Tier1Machine):
    """With `Settling` replaced by one that takes `completed` for an end; see the test."""


class TrustingSettling(Settling):
    def state_of(self, list_id: str) -> ListState:
        state = self.target.look(list_id)
        return ListState.ENDED if state is ListState.AMBIGUOUS else state


class ForgetsLostAnswers(Tier1Machine):
    """With `Settling` replaced by one that takes "still a draft" for "not started"; see the test."""


class SettlingByOneLook(Settling):
    def after_lost_answer(self, intent: Intent, lost: RinggProviderError) -> Launched:
        if self.state_of(intent.list_id).was_started:
            return Launched(intent.list_id, ListState.STARTED, adopted=False)
        self.store.forget(intent)
        raise lost


class ForgetsOtherRequests(TaskStateIntents):
    """Does not know an intent again whose request was another one."""

    def find(self, list_id: str) -> Intent | None:
        standing = super().find(list_id)
        same = standing is None or standing.fingerprint == fingerprint({"for": "the same"})
        return standing if same else None


class ForgetsIntentsOfHiddenLists(TaskStateIntents):
    """Takes a list that is shown nowhere for a draft, also where a start of it may have been sent."""

    def __init__(self, state: ClearedState, platform: HostilePlatform) -> None:
        super().__init__(state, cleared=lambda: state.cleared)
        self._platform = platform

    def find(self, list_id: str) -> Intent | None:
        hidden = self._platform.do_look(list_id) is ListState.MISSING
        return None if hidden else super().find(list_id)


class StartsHiddenListsAgain(Tier1Machine):
    def intents(self, state: ClearedState) -> TaskStateIntents:
        return ForgetsIntentsOfHiddenLists(state, self.platform)


class IgnoresOtherFingerprints(Tier1Machine):
    def intents(self, state: ClearedState) -> TaskStateIntents:
        return ForgetsOtherRequests(state, cleared=lambda: state.cleared)


class BelievesAnEmptiedStore(Tier1Machine):
    def intents(self, state: ClearedState) -> TaskStateIntents:
        return TaskStateIntents(state)


class ReplacesWithoutLooking(LaunchLedger):
    """Replaces whatever set stands, also one of which a start was sent since the upload began."""

    def replace_set(self, launch_key: str, items: Any, launcher: Any = None) -> list[LaunchItem]:
        of_key = update(launches).where(launches.c.launch_key == launch_key)
        with self.engine.begin() as connection:
            connection.execute(of_key.values(state="started"))
            connection.execute(of_key.values(state="listed"))
        return super().replace_set(launch_key, items, launcher)


class SetReplacedAfterItsStart(Tier2Machine):
    open_ledger = ReplacesWithoutLooking


@pytest.mark.parametrize(
    ("mutant", "settling", "complaint"),
    [
        (IntentAfterThePost, Settling, "dialled more than once"),
        (ClaimWithoutAtomicity, Settling, "dialled more than once"),
        (SettleThatTrustsCompleted, TrustingSettling, "the list was never started"),
        (ForgetsLostAnswers, SettlingByOneLook, "dialled more than once|ended in"),
        (IgnoresOtherFingerprints, Settling, "dialled more than once"),
        (StartsHiddenListsAgain, Settling, "dialled more than once"),
        (BelievesAnEmptiedStore, Settling, "dialled more than once"),
        (SetReplacedAfterItsStart, Settling, "dialled more than once"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) and issubclass(value, HostileMachine) else "",
)
def test_the_machines_notice_a_protocol_that_breaks_a_rule(
    mutant: type[HostileMachine],
    settling: type[Settling],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "Settling", settling)
    with pytest.raises(AssertionError, match=complaint):
        run_state_machine_as_test(mutant, settings=thorough(500))
