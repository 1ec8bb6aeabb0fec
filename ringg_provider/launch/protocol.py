"""The launch protocol: a list of people is started at most once, whatever crashes, repeats or races.

Pure: no Airflow, no SQL, no HTTP. :func:`launch` is driven by a :class:`LaunchTarget` (look at a list, start it) and an
:class:`IntentStore` (what was about to be sent, kept across crashes). Uploading never rings a phone; starting does, no
start returns a new id and no platform offers an idempotency key. So the start is what is guarded:

1. *Look* at the list. Started, running or ended: adopt it and send nothing.
2. *Intend*: claim the list in the store before anything is sent.
3. *Start once*: send; repeat only what certainly never reached the server.
4. *Settle*: after any answer but success, look again for a bounded time. What looking cannot settle ends in
   :class:`~ringg_provider.exceptions.LaunchOutcomeUnknown`, never in a second start.
5. *Again*: every later attempt begins at 1 with the intent in hand, and an intent leads to 4, not to 3.

Tier 1 keeps intents in Airflow's task state store, tier 2 in the launch ledger, where a claim is one atomic step and
a key stands for a set of lists:

======================================  ==============================  ======================================
what happens                            tier 1 (always)                 tier 2 (``ledger_conn_id`` + ``launch_key``)
======================================  ==============================  ======================================
retry of the task                       adopted or settled              adopted or settled
clear of the task                       adopted or settled              adopted or settled
clear of the run                        the same list: adopted; a new   the stored set is returned and adopted
                                        upload is a new launch
second run with the same key            a new launch                    adopted
two runs at once                        the platform's own refusal      one claim wins; the others adopt it, or
                                                                        end skipped where their own lists gave
                                                                        way to those that were launched
lost answer, 5xx or time-out            settled, else outcome unknown   settled, else outcome unknown
crash before the intent                 starts over                     starts over
crash between intent and POST           outcome unknown                 outcome unknown
crash during or after the POST          settled, else outcome unknown   settled, else outcome unknown
SIGTERM before the POST                 intent withdrawn, nothing sent  intent withdrawn, nothing sent
SIGTERM during or after the POST        settled, then as it was asked   settled, then as it was asked
changed query or window, second run     a new launch                    the stored set stands
listing hides drafts                    started; 404 where there is     started; 404 where there is no such
                                        no such list                    list
listing hides what an intent stands     outcome unknown                 outcome unknown
for
listing lags                            settled once it caught up,      settled once it caught up,
                                        else outcome unknown            else outcome unknown
Airflow older than 3.3                  no store: a worker that dies    as above: the ledger is the store
                                        between sending and hearing
                                        relies on the platform's
                                        refusal of a second start
======================================  ==============================  ======================================

What remains in both: a person may start a list by hand in the vendor's dashboard between our look and our start. What
remains in tier 1: another task or run that holds the same list id sees no intent of ours, only the platform's state.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from ringg_provider.exceptions import (
    CampaignFailed,
    CampaignTerminated,
    InsufficientBalance,
    LaunchInterrupted,
    LaunchOutcomeUnknown,
    NetworkError,
    NotFound,
    PermanentError,
    RateLimited,
    ReplacedByAnotherRun,
    RinggProviderError,
    ServerError,
    TransientError,
    UnexpectedResponse,
    WrongState,
)

log = logging.getLogger(__name__)
T = TypeVar("T")


class ListState(StrEnum):
    """What the platform says about a list, reduced to what a launch must know."""

    PREPARING = "preparing"
    READY = "ready"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    STARTED = "started"
    ENDED = "ended"
    FAILED = "failed"
    TERMINATED = "terminated"
    AMBIGUOUS = "ambiguous"
    """The word can mean "processed" or "finished"; see :meth:`LaunchTarget.look_closer`."""
    MISSING = "missing"
    UNKNOWN = "unknown"

    @property
    def was_started(self) -> bool:
        """Whether phones have been rung, or will be, without another start."""
        return self in (ListState.STARTED, ListState.ENDED)


@dataclass(frozen=True)
class Evidence:
    """A second opinion on a list whose state is ambiguous.

    :param listed: the state under which the campaign list shows it; None when it does not show it.
    :param has_calls: whether the call history has at least one call of it.
    """

    listed: ListState | None
    has_calls: bool

    @property
    def state(self) -> ListState:
        """The state that both together prove; still ambiguous when they prove none."""
        if self.listed in (ListState.STARTED, ListState.FAILED, ListState.TERMINATED):
            return self.listed
        if self.has_calls:
            return ListState.ENDED
        if self.listed in (ListState.READY, ListState.INSUFFICIENT_BALANCE):
            return self.listed
        return ListState.AMBIGUOUS


class LaunchTarget(Protocol):
    """A calling platform as a launch reaches it. Every method may raise the errors of this package."""

    def look(self, list_id: str) -> ListState:
        """Read the list's state; :attr:`ListState.MISSING` when the platform does not show it."""

    def look_closer(self, list_id: str) -> Evidence:
        """Read what else tells whether the list has been started."""

    def start(self, request: Mapping[str, Any]) -> None:
        """Send the start request exactly once, and return on success only."""


@dataclass(frozen=True)
class Intent:
    """A start that was about to be sent, as it is stored.

    :param list_id: the list to be started.
    :param fingerprint: digest of what was asked for, before times were resolved; see :func:`fingerprint`.
    :param request: the request as plain JSON, times resolved; it holds no personal data.
    :param confirmed: whether it was noted that the platform has the list as started; not every store notes it.
    """

    list_id: str
    fingerprint: str
    request: Mapping[str, Any]
    confirmed: bool = False


class IntentStore(Protocol):
    """Where intents outlive a crash. Tier 1: Airflow's task state store. Tier 2: the launch ledger."""

    #: Whether what was claimed is there for the next attempt: only then does no intent mean that nothing was sent.
    remembers: bool

    def find(self, list_id: str) -> Intent | None:
        """The intent that stands for ``list_id``.

        With a key it may be that of another list, when the key was launched with that one.

        :raises LaunchedByAnotherRun: another run launched the key with other lists.
        :raises ReplacedByAnotherRun: another run's lists took the place of this one, and were not launched yet.
        :raises WrongState: the list may not be started under the key.
        """

    def claim(self, intent: Intent) -> Intent | None:
        """Store ``intent`` unless another stands. Atomic where two can claim at once. Raises what :meth:`find` raises.

        :return: None when the claim is ours; otherwise the intent that stands.
        """

    def forget(self, intent: Intent) -> None:
        """Withdraw our intent: it is certain that nothing was started by it."""

    def confirm(self, list_id: str) -> None:
        """Note that the platform has the list as started."""


@dataclass(frozen=True)
class Launched:
    """How a launch ended well.

    :param list_id: the list that stands as started.
    :param state: the state in which it was last seen; started when it was started just now.
    :param adopted: whether it had been started before this attempt, which sent nothing.
    """

    list_id: str
    state: ListState
    adopted: bool


def fingerprint(request: Mapping[str, Any]) -> str:
    """Digest of a request: equal for equal JSON, whatever the order of its keys."""
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def launch(
    list_id: str,
    asked: Mapping[str, Any],
    prepare: Callable[[], Mapping[str, Any]],
    target: LaunchTarget,
    store: IntentStore,
    *,
    sleep: Callable[[float], None],
    monotonic: Callable[[], float],
    interrupted: Callable[[], bool] = lambda: False,
    unwanted: Callable[[], bool] = lambda: False,
    settle_timeout: float = 120.0,
    settle_interval: float = 5.0,
    unsent_attempts: int = 4,
) -> Launched:
    """Start a list at most once, or adopt what was started before.

    :param list_id: the list.
    :param asked: what is asked for, as plain JSON and before times are resolved: a later attempt that asks for
        something else is not taken for the same start.
    :param prepare: makes the last checks and builds the request, times resolved. It is called only when the list is
        about to be started, so that a list that runs already is adopted whatever has changed since.
    :param target: looks and starts.
    :param store: keeps intents across crashes.
    :param sleep: waits so many seconds.
    :param monotonic: a clock in seconds.
    :param interrupted: whether the task was told to stop; asked right before anything is sent.
    :param unwanted: whether a person has given the launch up; asked while looking, which ends then. Being told
        to stop does not end it: an evicted worker may still have the time to find out.
    :param settle_timeout: seconds for which the state is read after an answer that does not tell. Default 120.
    :param settle_interval: seconds between two such reads. Default 5.
    :param unsent_attempts: how often a request that certainly did not reach the server is sent. Default 4.
    :return: the list that stands as started.
    :raises LaunchOutcomeUnknown: looking did not settle it; trying again will not either.
    :raises LaunchedByAnotherRun: another run launched the key with its own lists; there is nothing to do.
    :raises ReplacedByAnotherRun: another run's lists took the place of this one, and were not launched in the time.
    :raises LaunchInterrupted: told to stop before anything was sent.
    :raises CampaignFailed: the list was started and failed, or can never be started.
    :raises CampaignTerminated: it was stopped for good.
    :raises InsufficientBalance: credits do not suffice; nothing was started.
    :raises PermanentError: ``prepare`` or the platform refused, and the list is still a draft.
    :raises TransientError: nothing was started and trying again may help.
    """
    settling = Settling(
        target,
        store,
        sleep=sleep,
        monotonic=monotonic,
        unwanted=unwanted,
        timeout=settle_timeout,
        interval=settle_interval,
    )
    ours = fingerprint(asked)
    standing = settling.unless_replaced(lambda: store.find(list_id))
    named = standing.list_id if standing else list_id
    if standing is not None and not standing.confirmed:
        log.warning(
            "A start of list %s was sent by an earlier attempt, or was about to be, so it may be calling. Looking what "
            "became of it; no other start is sent.",
            named,
        )
    try:
        state = settling.state_of(named)
    except UnexpectedResponse as error:
        raise ServerError(
            f"The state of list {named} cannot be read ({error}); nothing was sent by this attempt."
        ) from error
    if standing is None and state is ListState.MISSING:
        # A listing that lags does not show yet what was uploaded a moment ago.
        state = settling.until_seen(named)
        if state is ListState.MISSING:
            state = settling.shown_elsewhere(named)
        if state is ListState.MISSING and not store.remembers:
            raise NotFound(
                f"List {named} is shown nowhere, and no intent is kept that would tell whether an earlier attempt has "
                "started it, so it is not started. Give launch_key and ledger_conn_id, or use Airflow 3.3 or newer "
                "with durable=True."
            )
    if _already(state, named):
        return _adopt(store, named, state)
    if standing is not None:
        return _follow(standing, list_id, ours, settling)
    _require_startable(state, list_id)
    intent = Intent(list_id, ours, prepare())
    if interrupted():
        raise LaunchInterrupted(f"Told to stop before list {list_id} was started; nothing was sent.")
    standing = settling.unless_replaced(lambda: store.claim(intent))
    if standing is not None:
        return _follow(standing, list_id, ours, settling)
    return _start_once(intent, target, store, settling, sleep, interrupted, unsent_attempts)


def _follow(standing: Intent, list_id: str, ours: str, settling: Settling) -> Launched:
    """Somebody's start was, or may have been, sent: find out how it went, and never send another."""
    if standing.list_id == list_id and standing.fingerprint != ours:
        raise LaunchOutcomeUnknown(
            f"A start of list {standing.list_id} may have been sent with another request (other numbers, times or "
            "settings) than the present one, and the platform does not show it as started. Check in the dashboard "
            "whether it was started; see the runbook, 'Launch outcome unknown'."
        )
    state = settling.until_known(standing.list_id)
    if _already(state, standing.list_id):
        return _adopt(settling.store, standing.list_id, state)
    raise _unknown(standing.list_id, state)


def _start_once(
    intent: Intent,
    target: LaunchTarget,
    store: IntentStore,
    settling: Settling,
    sleep: Callable[[float], None],
    interrupted: Callable[[], bool],
    unsent_attempts: int,
) -> Launched:
    try:
        _send(intent, target, sleep, interrupted, unsent_attempts)
    except (LaunchInterrupted, RateLimited):
        store.forget(intent)
        raise
    except NetworkError as error:
        if not error.sent:
            store.forget(intent)
            raise
        return settling.after_lost_answer(intent, error)
    except PermanentError as error:
        return settling.after_refusal(intent, error)
    except RinggProviderError as error:
        return settling.after_lost_answer(intent, error)
    store.confirm(intent.list_id)
    return Launched(intent.list_id, ListState.STARTED, adopted=False)


def _send(
    intent: Intent,
    target: LaunchTarget,
    sleep: Callable[[float], None],
    interrupted: Callable[[], bool],
    unsent_attempts: int,
) -> None:
    """Send the start; again only where no connection was made or the rate limit turned it away at the door."""
    attempt = 0
    while True:
        # The flag is read between the intent and the POST too: a claim takes time in a busy database.
        if interrupted():
            raise LaunchInterrupted(f"Told to stop before list {intent.list_id} was started; nothing was started.")
        attempt += 1
        try:
            return target.start(intent.request)
        except RateLimited as error:
            if attempt == unsent_attempts:
                raise
            wait = error.retry_after
        except NetworkError as error:
            if error.sent or attempt == unsent_attempts:
                raise
            wait = None
        sleep(min(2.0**attempt if wait is None else wait, 60.0))


class Settling:
    """Finds out what became of a list, by looking at it for a bounded time; tolerates a platform that is unwell.

    :param target: looks.
    :param store: keeps the intents.
    :param sleep: waits so many seconds.
    :param monotonic: a clock in seconds.
    :param unwanted: whether to give up.
    :param timeout: seconds for which is looked.
    :param interval: seconds between two looks.
    """

    def __init__(
        self,
        target: LaunchTarget,
        store: IntentStore,
        *,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float],
        unwanted: Callable[[], bool],
        timeout: float,
        interval: float,
    ) -> None:
        self.target = target
        self.store = store
        self._sleep = sleep
        self._monotonic = monotonic
        self._unwanted = unwanted
        self._timeout = timeout
        self._interval = interval
        self._was_shown = False

    def after_lost_answer(self, intent: Intent, lost: RinggProviderError) -> Launched:
        """What an answer meant that does not tell, or never came: started, or not known."""
        log.warning(
            "The answer to the start of list %s is lost (%s), so it may be calling. Looking for up to %.0f seconds "
            "whether it was started; a later attempt looks too, and sends no other start.",
            intent.list_id,
            type(lost).__name__,
            self._timeout,
        )
        state = self._state_after_sending(self.until_known, intent.list_id)
        if _already(state, intent.list_id):
            self.store.confirm(intent.list_id)
            return Launched(intent.list_id, state, adopted=False)
        raise _unknown(intent.list_id, state) from lost

    def after_refusal(self, intent: Intent, refusal: PermanentError) -> Launched:
        """The platform said no: believe it when the list is still a draft, adopt when it was "already started"."""
        log.warning(
            "The platform refused to start list %s (%s). Looking for up to %.0f seconds whether it was started before.",
            intent.list_id,
            type(refusal).__name__,
            self._timeout,
        )
        drafts = {ListState.READY, ListState.INSUFFICIENT_BALANCE}
        look = self.until_seen
        if isinstance(refusal, WrongState):
            # "Already started" and a draft contradict each other; a listing that lags gets all the time there is.
            look = self.until_known
        elif not self._was_shown:
            # It was looked for in vain before: a draft that the listing hides, or no list at all.
            drafts.add(ListState.MISSING)
            look = self.state_of
        state = self._state_after_sending(look, intent.list_id)
        if _already(state, intent.list_id):
            return _adopt(self.store, intent.list_id, state)
        if state in drafts:
            self.store.forget(intent)
            raise refusal
        raise LaunchOutcomeUnknown(
            f"The platform refused to start list {intent.list_id} ({refusal}), but shows it as {state}. It is not "
            "started again. Check in the dashboard whether it dials; see the runbook, 'Launch outcome unknown'."
        ) from refusal

    def unless_replaced(self, ask: Callable[[], T]) -> T:
        """Ask the store; where another run's lists took the place of ours, they are given the time to be launched."""
        deadline = self._monotonic() + self._timeout
        while True:
            try:
                return ask()
            except ReplacedByAnotherRun as replaced:
                if self._monotonic() >= deadline or self._unwanted():
                    raise
                log.info("%s", replaced)
            self._sleep(self._interval)

    def state_of(self, list_id: str) -> ListState:
        """Look once, and closer where the first look is ambiguous."""
        state = self.target.look(list_id)
        self._was_shown = self._was_shown or state is not ListState.MISSING
        if state is ListState.AMBIGUOUS:
            return self.target.look_closer(list_id).state
        return state

    def shown_elsewhere(self, list_id: str) -> ListState:
        """What else tells of a list that was looked for in vain, a listing or a call; missing when nothing does."""
        evidence = self.target.look_closer(list_id)
        if evidence.listed in (None, ListState.MISSING) and not evidence.has_calls:
            return ListState.MISSING
        return evidence.state

    def until_known(self, list_id: str) -> ListState:
        """Look until the list is started, ended, failed or terminated, or until the time is up."""
        return self._until(
            list_id, lambda state: state.was_started or state in (ListState.FAILED, ListState.TERMINATED)
        )

    def until_seen(self, list_id: str) -> ListState:
        """Look until the platform says anything definite, a draft included."""
        return self._until(
            list_id,
            lambda state: state not in (ListState.UNKNOWN, ListState.MISSING, ListState.PREPARING),
        )

    @staticmethod
    def _state_after_sending(look: Callable[[str], ListState], list_id: str) -> ListState:
        """What looking says; once a start may have been sent, an error of looking must not hide that."""
        try:
            return look(list_id)
        except RinggProviderError as error:
            log.warning("The state of list %s cannot be read any more (%s).", list_id, type(error).__name__)
            return ListState.UNKNOWN

    def _until(self, list_id: str, enough: Callable[[ListState], bool]) -> ListState:
        deadline = self._monotonic() + self._timeout
        while True:
            try:
                state = self.state_of(list_id)
            except (TransientError, NotFound, UnexpectedResponse) as error:
                log.info("The state of list %s could not be read (%s).", list_id, type(error).__name__)
                state = ListState.UNKNOWN
            if enough(state) or self._monotonic() >= deadline or self._unwanted():
                return state
            self._sleep(self._interval)


def _adopt(store: IntentStore, list_id: str, state: ListState) -> Launched:
    log.info("List %s is %s already; it is adopted and nothing is sent.", list_id, state)
    store.confirm(list_id)
    return Launched(list_id, state, adopted=True)


def _already(state: ListState, list_id: str) -> bool:
    """Whether the list was started and did not go wrong; what went wrong for good is raised, never restarted."""
    if state is ListState.FAILED:
        raise CampaignFailed(
            f"List {list_id} failed on the platform; it is not started again by itself. See its reason in the "
            "dashboard, then upload and launch a new list."
        )
    if state is ListState.TERMINATED:
        raise CampaignTerminated(
            f"List {list_id} was terminated, which is final. To call the rest of its people, launch those without "
            "a call under a new key; see the runbook, 'Finish a stopped campaign'."
        )
    return state.was_started


def _require_startable(state: ListState, list_id: str) -> None:
    if state is ListState.READY:
        return
    if state is ListState.MISSING:
        log.warning("List %s is shown nowhere. It is started all the same: some platforms list no drafts.", list_id)
        return
    if state is ListState.INSUFFICIENT_BALANCE:
        raise InsufficientBalance(
            f"List {list_id} waits for credits: top up the workspace, check its balance, then run this task again."
        )
    if state is ListState.PREPARING:
        raise WrongState(
            f"List {list_id} is still being checked by the platform: wait for its upload before starting it."
        )
    raise LaunchOutcomeUnknown(
        f"It cannot be told whether list {list_id} has been started (its state is {state}); nothing was sent now. "
        "Check it in the dashboard; see the runbook, 'Launch outcome unknown'."
    )


def _unknown(list_id: str, state: ListState) -> LaunchOutcomeUnknown:
    return LaunchOutcomeUnknown(
        f"A start of list {list_id} was sent or was about to be, its answer is lost, and the platform shows the list "
        f"as {state}. It is not started again. Check in the dashboard whether it dials; see the runbook, 'Launch "
        "outcome unknown'."
    )
