"""What all triggers share: what they are stored as, their deadlines, and one event at the end."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from ringg_provider.exceptions import RinggProviderError, UnreadableAnswer
from ringg_provider.hooks.platform import PlatformHook
from ringg_provider.triggers.clients import shared_client
from ringg_provider.triggers.events import EventStatus, WaitEvent


class WaitingTrigger(BaseTrigger):
    """Wait for one thing on a platform: base of all triggers.

    :param watched_id: the id of what is waited for.
    :param poll_interval: seconds between two looks.
    :param deadline: seconds since the epoch until which is waited. None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. None: never.
    """

    #: What the constructor of the subclass calls the id.
    id_field: ClassVar[str]

    def __init__(
        self, watched_id: str, *, poll_interval: float, deadline: float | None, kill_deadline: float | None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        setattr(self, self.id_field, watched_id)
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.kill_deadline = kill_deadline

    @property
    @abstractmethod
    def hook(self) -> PlatformHook[Any, Any]:
        """The connection's hook."""

    @abstractmethod
    async def wait(self, client: Any) -> WaitEvent:
        """Wait for the end, or for a deadline."""

    @property
    def watched_id(self) -> str:
        """The id of what is waited for."""
        return str(getattr(self, self.id_field))

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and plain JSON arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                self.hook.conn_name_attr: self.hook.conn_id,
                self.id_field: getattr(self, self.id_field),
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "kill_deadline": self.kill_deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire one event ``{"status", "id", "message"}``."""
        try:
            async with shared_client(self.hook) as client:
                told = await self.wait(client)
        except UnreadableAnswer as error:
            told = self.event(EventStatus.UNREADABLE, str(error))
        except RinggProviderError as error:
            told = self.event(EventStatus.ERROR, str(error))
        yield told.as_trigger_event()

    def event(self, status: EventStatus, message: str) -> WaitEvent:
        """What the task gets to know."""
        return WaitEvent(status, self.watched_id, message)

    def overdue(self) -> EventStatus | None:
        """Which deadline has passed; the task's own comes first."""
        both = ((EventStatus.EXECUTION_TIMEOUT, self.kill_deadline), (EventStatus.TIMEOUT, self.deadline))
        return next((status for status, at in both if at is not None and time.time() >= at), None)

    def seconds_left(self) -> float | None:
        """Until the first deadline; None without one."""
        deadlines = [at for at in (self.deadline, self.kill_deadline) if at is not None]
        return max(min(deadlines) - time.time(), 0.0) if deadlines else None
