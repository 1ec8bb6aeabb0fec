"""The two starts of a Ringg list: what is asked for, and the request that is sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from ringg_provider.hours.schedule import Time
from ringg_provider.launch.item import LaunchItem
from ringg_provider.ringg.limits import Flow
from ringg_provider.ringg.requests import CallConfig, MakeCallAsync, StartCampaign
from ringg_provider.ringg.timing import check_scheduled_at, said_hours, schedule_of, slots_left, soon, spans_ahead


@dataclass(frozen=True)
class Callers:
    """Who is to call, and whom to tell, as a DAG says.

    :param from_numbers: number ids, or numbers as the workspace lists them.
    :param number_pool_id: a pool, instead of numbers.
    :param email_completion_user_ids: members to mail.
    :param callback_url: whom the platform tells of each call.
    """

    from_numbers: Sequence[str] | None = None
    number_pool_id: str | None = None
    email_completion_user_ids: Sequence[str] | None = None
    callback_url: str | None = None

    def fields(self) -> dict[str, Any]:
        """What is given, as fields of a start request."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class RinggStart(ABC):
    """The start of a list, in either flow.

    :param list_id: the list.
    :param agent_id: its agent.
    :param callers: who is to call.
    :param country_code: the contacts' dial prefix; empty when it is not known.
    :param call_config: daily window, zone and retries; None when they are not known.
    :param start: planned start; None when it was left open.
    :param end: planned end; None when it was left open.
    :param call_slots: several calling windows instead of one; None for one.
    :param rows: contacts on the list; None when not known.
    """

    flow: ClassVar[Flow]

    list_id: str
    agent_id: str
    callers: Callers
    country_code: str = ""
    call_config: CallConfig | None = None
    start: Time = None
    end: Time = None
    call_slots: Mapping[str, Any] | None = None
    rows: int | None = None

    @abstractmethod
    def asked(self) -> dict[str, Any]:
        """What is asked for, before times are resolved: a retry an hour later still asks for the same thing."""

    @abstractmethod
    def request(self) -> dict[str, Any]:
        """The body of the start request, with times as of now."""

    def hours(self) -> str | None:
        """From when until when it calls, if it starts now, for a person; None where that is not known."""
        if self.call_config is None:
            return None
        spans = spans_ahead(self.call_config, self.start, self.end, self.call_slots, datetime.now(UTC))
        return said_hours(self.call_config, spans[0][0], spans[-1][1]) if spans else None

    def item(self) -> LaunchItem:
        """All that is known of the list."""
        return LaunchItem(
            list_id=self.list_id,
            flow=self.flow,
            agent_id=self.agent_id,
            country_code=self.country_code,
            call_config=None if self.call_config is None else self.call_config.wire(),
            campaign_start_time=_text(self.start),
            campaign_end_time=_text(self.end),
            rows=self.rows,
            call_slots=self.call_slots,
        )


@dataclass(frozen=True, kw_only=True)
class StandardStart(RinggStart):
    """The start of a list of ``campaign/save``; what it was saved with only feeds the last checks."""

    flow = "standard"

    def asked(self) -> dict[str, Any]:
        """What is asked for."""
        return self.request()

    def request(self) -> dict[str, Any]:
        """The body of ``StartCampaign``."""
        return StartCampaign(list_id=self.list_id, agent_id=self.agent_id, **self.callers.fields()).wire()


@dataclass(frozen=True, kw_only=True)
class LargeStart(RinggStart):
    """The start of a list of ``campaign/upload-csv``; a start that has passed meanwhile means as soon as possible.

    :param concurrency_percentage: share of the workspace's lines, 0 to 100; 0 is an equal share.
    """

    flow = "large"

    country_code: str
    call_config: CallConfig
    concurrency_percentage: int = 0

    def asked(self) -> dict[str, Any]:
        """What is asked for, before times are resolved: a retry an hour later still asks for the same thing."""
        return {
            **self._fixed(),
            "call_config": self.call_config.wire(),
            "start": _text(self.start),
            "end": _text(self.end),
        }

    def request(self) -> dict[str, Any]:
        """The body of ``MakeCallAsync``, with times as of now."""
        fixed = self._fixed()
        if self.call_slots is not None and self.start is None and self.end is None:
            check_scheduled_at(self.call_config)
            fixed["call_slots"] = slots_left(self.call_slots, soon(self.call_config))
            return MakeCallAsync(**fixed).wire()
        schedule = schedule_of(self.call_config, self.start, self.end, late_start_ok=True)
        times = {"campaign_start_time": schedule.wire_start, "campaign_end_time": schedule.wire_end}
        if self.call_slots is not None:
            fixed["call_slots"] = slots_left(self.call_slots, schedule.start)
        return MakeCallAsync(**fixed, **times).wire()

    def hours(self) -> str | None:
        """From when until when it calls; times that were left open are those of the request."""
        if self.start is None and self.end is None and self.call_slots is None:
            schedule = schedule_of(self.call_config, None, None)
            return said_hours(self.call_config, schedule.start, schedule.end)
        return super().hours()

    def _fixed(self) -> dict[str, Any]:
        """What no clock changes."""
        fixed: dict[str, Any] = {
            "bulk_list_id": self.list_id,
            "agent_id": self.agent_id,
            "country_code": self.country_code,
            "call_config": self.call_config,
            "concurrency_percentage": self.concurrency_percentage,
            **self.callers.fields(),
        }
        return fixed if self.call_slots is None else fixed | {"call_slots": self.call_slots}


def _text(time: Time) -> str | None:
    return None if time is None else str(time)
