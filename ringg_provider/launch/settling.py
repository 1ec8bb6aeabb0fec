"""Settling a launch: finding out what became of a list by looking, when no answer tells."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from ringg_provider.exceptions import (
    CampaignFailed,
    CampaignTerminated,
    LaunchOutcomeUnknown,
    NotFound,
    PermanentError,
    ReplacedByAnotherRun,
    RinggProviderError,
    TransientError,
    UnexpectedResponse,
    WrongState,
)
from ringg_provider.launch.terms import Intent, IntentStore, Launched, LaunchTarget, ListState
from ringg_provider.tracing import span

log = logging.getLogger(__name__)
T = TypeVar("T")


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

    def adopt(self, list_id: str, state: ListState, before: Intent | None = None) -> Launched:
        """Take a list that stands as started for ours; nothing is sent."""
        self.store.confirm(list_id)
        return Launched(list_id, state, adopted=True, before=before)

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
        if is_started(state, intent.list_id):
            self.store.confirm(intent.list_id)
            return Launched(intent.list_id, state, adopted=False)
        raise outcome_unknown(intent, state) from lost

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
        if is_started(state, intent.list_id):
            return self.adopt(intent.list_id, state)
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
        with span("ringg.launch.look", list_id=list_id) as looking:
            state = self.target.look(list_id)
            self._was_shown = self._was_shown or state is not ListState.MISSING
            if state is ListState.AMBIGUOUS:
                state = self.target.look_closer(list_id).state
            looking.set_attribute("ringg.state", state.value)
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
        with span("ringg.launch.settle", list_id=list_id) as settling:
            while True:
                try:
                    state = self.state_of(list_id)
                except (TransientError, NotFound, UnexpectedResponse) as error:
                    log.info("The state of list %s could not be read (%s).", list_id, type(error).__name__)
                    state = ListState.UNKNOWN
                if enough(state) or self._monotonic() >= deadline or self._unwanted():
                    settling.set_attribute("ringg.state", state.value)
                    return state
                self._sleep(self._interval)


def is_started(state: ListState, list_id: str) -> bool:
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


def outcome_unknown(intent: Intent, state: ListState) -> LaunchOutcomeUnknown:
    """The error for a start that may have been sent, and of which the platform shows nothing."""
    if intent.is_forgotten:
        return LaunchOutcomeUnknown(
            "Nothing is left of what earlier attempts of this task noted, as after a clear without 'Keep task state "
            f"and resume': it cannot be told whether one sent a start of list {intent.list_id}, which the platform "
            f"shows as {state}. It is not started now. Check in the dashboard whether it dials; see the runbook, "
            "'Launch outcome unknown'. With launch_key and ledger_conn_id nothing is forgotten."
        )
    return LaunchOutcomeUnknown(
        f"A start of list {intent.list_id} was sent or was about to be, its answer is lost, and the platform shows the "
        f"list as {state}. It is not started again. Check in the dashboard whether it dials; see the runbook, 'Launch "
        "outcome unknown'."
    )
