"""The terms of a launch: what a list's state can be, and what the launch protocol asks of a platform and of a store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from ringg_provider import wording


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
    :param fingerprint: digest of what was asked for, before times were resolved; see :func:`fingerprint`. None where
        the store forgot it, and with it whether there was such an intent at all.
    :param request: the request as plain JSON, times resolved; it holds no personal data.
    :param confirmed: whether it was noted that the platform has the list as started; not every store notes it.
    :param sent_at: when it was sent, aware; None where the store does not note it.
    :param dag_id: the DAG that sent it; None where it is not known.
    :param run_id: its run.
    """

    list_id: str
    fingerprint: str | None
    request: Mapping[str, Any]
    confirmed: bool = False
    sent_at: datetime | None = field(default=None, compare=False)
    dag_id: str | None = field(default=None, compare=False)
    run_id: str | None = field(default=None, compare=False)

    @property
    def is_forgotten(self) -> bool:
        """Whether the store lost it, or there never was one: nobody can tell."""
        return self.fingerprint is None

    def is_of(self, dag_id: str, run_id: str) -> bool:
        """Whether it is known to be of this run."""
        return (self.dag_id, self.run_id) == (dag_id, run_id)

    @property
    def when_and_by_whom(self) -> str:
        """For a person, as far as it is known: ``on Mon 2027-03-01 12:00 Asia/Kolkata by run r of DAG d``."""
        when = "before" if self.sent_at is None else f"on {wording.moment(self.sent_at)}"
        return f"{when} by run {self.run_id} of DAG {self.dag_id}" if self.run_id else when


class IntentStore(Protocol):
    """Where intents outlive a crash. Tier 1: Airflow's task state store. Tier 2: the launch ledger."""

    #: Whether what was claimed is there for the next attempt: only then does no intent mean that nothing was sent.
    remembers: bool

    def find(self, list_id: str) -> Intent | None:
        """The intent that stands for ``list_id``.

        With a key it may be that of another list, when the key was launched with that one.

        :raises LaunchedByAnotherRun: another run launched the key with other lists.
        :raises ReplacedByAnotherRun: another run's lists took the place of this one, and were not launched yet.
        :raises CampaignBraked: a brake of the key was pulled before the list was started.
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
    :param before: by whose start, where that is known.
    """

    list_id: str
    state: ListState
    adopted: bool
    before: Intent | None = None


def fingerprint(request: Mapping[str, Any]) -> str:
    """Digest of a request: equal for equal JSON, whatever the order of its keys."""
    canonical = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
