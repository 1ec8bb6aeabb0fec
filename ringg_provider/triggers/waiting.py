"""What all triggers share: what they are stored as, their deadlines, and one event at the end."""

from __future__ import annotations

import asyncio
import math
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from ringg_provider.api.arguments import check_arguments
from ringg_provider.exceptions import RateLimited, RinggProviderError, UnreadableAnswer
from ringg_provider.hooks.platform import PlatformHook
from ringg_provider.triggers.clients import shared_client
from ringg_provider.triggers.events import EventStatus, WaitEvent
from ringg_provider.triggers.tasks import ON_KILL_BY_AIRFLOW

#: The longest, in seconds, that a platform is believed when it asks to wait: some send a date in the far future.
LONGEST_PAUSE = 3600.0


class WaitingTrigger(BaseTrigger):
    """Wait for one thing on a platform: base of all triggers.

    :param watched_id: the id of what is waited for.
    :param poll_interval: seconds between two looks. Triggers live in Airflow's database for as long as a campaign, and
        one that an older version stored must not stop because of what this one refuses: numeric text and a timedelta
        are read, and for anything else there is the default.
    :param deadline: seconds since the epoch until which is waited. None: no bound.
    :param kill_deadline: seconds since the epoch at which the task's ``execution_timeout`` is over. None: never.
    """

    #: What the constructor of the subclass calls the id.
    id_field: ClassVar[str]
    default_poll_interval: ClassVar[float]

    def __init__(
        self, watched_id: str, *, poll_interval: float | None, deadline: float | None, kill_deadline: float | None
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        setattr(self, self.id_field, watched_id)
        self.poll_interval = _seconds(poll_interval) or self.default_poll_interval
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
            check_arguments(self)
            async with shared_client(self.hook) as client:
                told = await self.wait(client)
        except UnreadableAnswer as error:
            told = self.event(EventStatus.UNREADABLE, str(error))
        except RinggProviderError as error:
            told = self.event(EventStatus.ERROR, str(error))
        except asyncio.CancelledError:
            if not ON_KILL_BY_AIRFLOW:
                await self.on_kill()
            raise
        yield told.as_trigger_event()

    async def on_kill(self) -> None:
        """What is to be done when the trigger is cancelled; Airflow below 3.3 does not call it by itself."""

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


def pause_after(error: RinggProviderError, usual: float) -> float:
    """Seconds to wait after a failure: at least as long as usual, and within reason as long as the platform asks."""
    asked = error.retry_after if isinstance(error, RateLimited) else None
    return max(usual, min(asked or 0.0, LONGEST_PAUSE))


def _seconds(value: object) -> float | None:
    """A time span of more than nothing, in whatever form it was stored; None when it is none."""
    try:
        seconds = value.total_seconds() if isinstance(value, timedelta) else float(str(value))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
