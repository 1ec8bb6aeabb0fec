"""What a trigger tells the task that waits for it, and the one reader of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from airflow.triggers.base import TriggerEvent

from ringg_provider.exceptions import UnexpectedResponse, UnreadableAnswer


class EventStatus(StrEnum):
    """How a wait in the triggerer ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    TERMINATED = "terminated"
    SETTLED = "settled"
    """The upload was checked, with whatever result."""
    CHANGED = "changed"
    """The workspace may have enough credits now."""
    DUE = "due"
    """A rollout may have something new to look at."""
    TIMEOUT = "timeout"
    EXECUTION_TIMEOUT = "execution_timeout"
    ERROR = "error"
    UNREADABLE = "unreadable"
    """The platform's answers could not be read for long; the next attempt waits on."""


#: The ends of a campaign; their words are those of :class:`~ringg_provider.launch.progress.Stage`.
CAMPAIGN_ENDS = frozenset({EventStatus.COMPLETED, EventStatus.FAILED, EventStatus.TERMINATED})
UPLOAD_ENDS = frozenset({EventStatus.SETTLED})
CREDITS_ENDS = frozenset({EventStatus.CHANGED})
ROLLOUT_ENDS = frozenset({EventStatus.DUE})
_DEADLINES = frozenset({EventStatus.TIMEOUT, EventStatus.EXECUTION_TIMEOUT})


@dataclass(frozen=True)
class WaitEvent:
    """The one event of a trigger, ``{"status", "id", "message"}`` as JSON.

    :param status: how the wait ended.
    :param id: of what was waited for.
    :param message: one sentence for the log.
    """

    status: EventStatus
    id: str
    message: str

    def as_trigger_event(self) -> TriggerEvent:
        """As Airflow hands it to the task."""
        return TriggerEvent({**asdict(self), "status": self.status.value})


def read_event(event: object, waited_for: str | None, ends: frozenset[EventStatus]) -> WaitEvent:
    """The event of a trigger, as Airflow gave it to the task.

    :param event: what ``execute_complete`` was given.
    :param waited_for: the id that it must be about; None where Airflow has lost it (``dag.test()`` drops what ``defer``
        passes on), and then the event's own counts.
    :param ends: the ends that this task waits for; a deadline may pass in every wait.
    :raises UnexpectedResponse: there is no event, it is about another id or of another kind, or it tells of an error.
    :raises UnreadableAnswer: the platform could not be read for long; Airflow tries again.
    """
    told: Mapping[object, object] = event if isinstance(event, Mapping) else {}
    found = told.get("id")
    if not isinstance(found, str) or found != (waited_for or found):
        raise UnexpectedResponse("The trigger that this task waited for sent no usable event.")
    message = str(told.get("message", ""))
    if told.get("status") == EventStatus.ERROR:
        raise UnexpectedResponse(message)
    if told.get("status") == EventStatus.UNREADABLE:
        raise UnreadableAnswer(message)
    for status in ends | _DEADLINES:
        if told.get("status") == status:
            return WaitEvent(status, found, message)
    raise UnexpectedResponse("The trigger that this task waited for sent an event of an unknown kind.")
