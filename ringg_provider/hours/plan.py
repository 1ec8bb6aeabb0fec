"""What the planner says of a contact: the window plan of its list, or why it is held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from typing import NamedTuple

from ringg_provider.hours.schedule import DailyWindow, Schedule
from ringg_provider.hours.wall_clock import Span, ceil_minute, clock_in, floor_minute, normalise


class HoldCode:
    """Why a contact was held: stable codes, for the table of contacts and the docs."""

    NO_COUNTRY = "hours_no_country"
    NO_ZONE = "hours_no_zone"
    UNKNOWN_ZONE = "hours_unknown_timezone"
    REGION_CONFLICT = "hours_region_conflict"
    NO_RULE = "hours_no_rule"
    NOT_CALLABLE = "hours_not_callable"


class ContactProfile(NamedTuple):
    """All that matters about a contact for the hours; many contacts share one.

    :param country: ISO 3166 code of the jurisdiction.
    :param region: full subdivision code such as ``US-FL``, or None when it is not known.
    :param zones: IANA zones the contact may be in; at least one.
    """

    country: str
    region: str | None
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A contact that must not be on any list of this campaign.

    :param code: one of :class:`HoldCode`.
    :param detail: one sentence with nothing personal in it.
    """

    code: str
    detail: str


@dataclass(frozen=True)
class WindowPlan:
    """What to send for all contacts that may be called in the same way.

    Plans are equal, and hash alike, when the same thing is sent for them: use one as the key of a list.

    :param window: the daily window in the campaign's zone.
    :param schedule: start and end of the campaign, in the campaign's zone.
    :param call_slots: the exact spans (aware starts and ends) when the window alone would allow too much;
        else None.
    :param max_attempts_per_day: most calls to one person in 24 hours, or None.
    """

    window: DailyWindow
    schedule: Schedule
    call_slots: tuple[tuple[datetime, datetime], ...] | None = None
    max_attempts_per_day: int | None = None


def spans_left(window: DailyWindow, schedule: Schedule, now: datetime) -> list[tuple[datetime, datetime]]:
    """The moments from ``now`` (aware) on at which a campaign will still dial; empty when its time is over."""
    left = [span for span in dialled(window, schedule) if span[1] > ceil_minute(now)]
    return as_moments(window, [(max(begin, ceil_minute(now)), end) for begin, end in left])


def dialled(window: DailyWindow, schedule: Schedule) -> list[Span]:
    """The minutes at which the platform may dial: inside the dates, with the wall inside the window."""
    hours = [(minute_of_day(window.opens), minute_of_day(window.closes))]
    first, end = ceil_minute(schedule.start), floor_minute(schedule.end)
    return clock_in(window.timezone).when(lambda _: hours, first, end) if first < end else []


def as_moments(window: DailyWindow, spans: Iterable[Span]) -> list[tuple[datetime, datetime]]:
    clock = clock_in(window.timezone)
    return [(clock.moment(begin), clock.moment(end)) for begin, end in normalise(spans)]


def minute_of_day(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def time_of_day(minute: int) -> time:
    return time(*divmod(minute, 60))
