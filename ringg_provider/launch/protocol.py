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
clear that discards the task's state    adopted, else outcome unknown   as above
(Airflow 3.4, unless it is kept)
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

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ringg_provider.exceptions import (
    InsufficientBalance,
    LaunchInterrupted,
    LaunchOutcomeUnknown,
    NetworkError,
    NotFound,
    PermanentError,
    RateLimited,
    RinggProviderError,
    ServerError,
    UnexpectedResponse,
    WrongState,
)
from ringg_provider.launch.settling import Settling, is_started, outcome_unknown
from ringg_provider.launch.terms import Intent, IntentStore, Launched, LaunchTarget, ListState, fingerprint
from ringg_provider.tracing import span

log = logging.getLogger(__name__)


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
            "became of it; no other start is sent."
            if not standing.is_forgotten
            else "Nothing is left of what earlier attempts of this task noted, so list %s may be calling. Looking what "
            "became of it; no start is sent.",
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
    if is_started(state, named):
        return settling.adopt(named, state, standing)
    if standing is not None:
        return _follow(standing, list_id, ours, settling)
    _require_startable(state, list_id)
    intent = Intent(list_id, ours, prepare())
    if interrupted():
        raise LaunchInterrupted(f"Told to stop before list {list_id} was started; nothing was sent.")
    with span("ringg.launch.intend", list_id=list_id):
        standing = settling.unless_replaced(lambda: store.claim(intent))
    if standing is not None:
        return _follow(standing, list_id, ours, settling)
    return _start_once(intent, settling, sleep, interrupted, unsent_attempts)


def _follow(standing: Intent, list_id: str, ours: str, settling: Settling) -> Launched:
    """Somebody's start was, or may have been, sent: find out how it went, and never send another."""
    if standing.list_id == list_id and standing.fingerprint != ours and not standing.is_forgotten:
        raise LaunchOutcomeUnknown(
            f"A start of list {standing.list_id} may have been sent with another request (other numbers, times or "
            "settings) than the present one, and the platform does not show it as started. Check in the dashboard "
            "whether it was started; see the runbook, 'Launch outcome unknown'."
        )
    state = settling.until_known(standing.list_id)
    if is_started(state, standing.list_id):
        return settling.adopt(standing.list_id, state, standing)
    raise outcome_unknown(standing, state)


def _start_once(
    intent: Intent,
    settling: Settling,
    sleep: Callable[[float], None],
    interrupted: Callable[[], bool],
    unsent_attempts: int,
) -> Launched:
    store = settling.store
    try:
        _send(intent, settling.target, sleep, interrupted, unsent_attempts)
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
            with span("ringg.launch.start", list_id=intent.list_id, attempt=attempt):
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
