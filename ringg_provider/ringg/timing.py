"""Times between a DAG, the calling hours and the wire: ``call_config``, start and end, ``call_slots``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pendulum
from pendulum import DateTime

from ringg_provider import wording
from ringg_provider.api.request_model import as_model
from ringg_provider.exceptions import InvalidRequest, StaleCampaign
from ringg_provider.hours.plan import WindowPlan, spans_left
from ringg_provider.hours.schedule import (
    DEFAULT_LEAD,
    WIRE_FORMAT,
    DailyWindow,
    Schedule,
    Time,
    closing_after,
    opens_between,
    read_time,
    resolve_schedule,
)
from ringg_provider.ringg.limits import LAST_SLOT_LEAD, MAX_CALL_SLOTS, MAX_SLOT_SPAN
from ringg_provider.ringg.requests import CallConfig, CallSlots, CampaignSpec
from ringg_provider.ringg.wire_types import parse_campaign_time

_SCHEDULED_AT = "call_config.call_time.scheduled_at"


def as_call_config(call_config: CallConfig | Mapping[str, Any]) -> CallConfig:
    """A checked ``call_config``, whether a DAG gave the model or a dict."""
    return as_model(CallConfig, call_config, "call_config")


def as_call_slots(call_slots: CallSlots | Mapping[str, Any]) -> CallSlots:
    """Checked ``call_slots``, whether a DAG gave the model or a dict."""
    return as_model(CallSlots, call_slots, "call_slots")


def schedule_of(call_config: CallConfig, start: Time, end: Time, *, late_start_ok: bool = False) -> Schedule:
    """When a campaign with this ``call_config``, which is about to be sent, starts and ends.

    See ``hours/schedule.py``.

    :raises InvalidRequest: the times, or ``scheduled_at``, have passed or leave nothing to dial in.
    """
    window = window_of(call_config)
    schedule = resolve_schedule(window, start, end, late_start_ok=late_start_ok)
    scheduled_at = check_scheduled_at(call_config)
    if scheduled_at is not None and not opens_between(window, max(schedule.start, scheduled_at), schedule.end):
        raise InvalidRequest(
            f"{_SCHEDULED_AT}: the daily window never opens between it and the campaign's end, so nobody would be"
            " called.",
            field=_SCHEDULED_AT,
        )
    return schedule


def hours_of(spec: CampaignSpec) -> str:
    """From when until when a campaign that is uploaded calls once it is started, for a person."""
    zone = window_of(spec.call_config).zone
    start, end = (
        read_time(time, zone, name)
        for name, time in (
            ("campaign_start_time", spec.campaign_start_time),
            ("campaign_end_time", spec.campaign_end_time),
        )
    )
    return said_hours(spec.call_config, start, end)


def said_hours(call_config: CallConfig, start: datetime, end: datetime) -> str:
    """From when until when a campaign calls, in its own zone, and between which hours where it takes several days."""
    window = window_of(call_config)
    begin, until = (pendulum.instance(moment).in_timezone(window.zone) for moment in (start, end))
    daily = "" if begin.date() == until.date() else f", daily {window.opens:%H:%M}-{window.closes:%H:%M}"
    return wording.span(begin, until) + daily


def check_scheduled_at(call_config: CallConfig) -> DateTime | None:
    """The moment before which a ``call_config``, which is about to be sent, lets no call be made; None without one.

    :raises InvalidRequest: it has passed.
    """
    moment = _scheduled_at(call_config)
    if moment is not None and moment <= pendulum.now("UTC"):
        raise InvalidRequest(
            f"{_SCHEDULED_AT}: must be in the future, and is {moment.isoformat()}; leave it out to call as soon as the"
            " campaign has started.",
            field=_SCHEDULED_AT,
        )
    return moment


def soon(call_config: CallConfig) -> DateTime:
    """The first whole minute of the campaign's zone that is surely still ahead when a request arrives."""
    return (pendulum.now(window_of(call_config).zone) + DEFAULT_LEAD).start_of("minute")


def _scheduled_at(call_config: CallConfig) -> DateTime | None:
    given = call_config.call_time.scheduled_at
    return None if given is None else read_time(given, window_of(call_config).zone, _SCHEDULED_AT)


def window_of(call_config: CallConfig) -> DailyWindow:
    """The daily window and zone that a ``call_config`` asks for."""
    times = call_config.call_time
    return DailyWindow.from_call_time(times.call_start_time, times.call_end_time, times.timezone)


def call_config_of(plan: WindowPlan, call_config: CallConfig) -> CallConfig:
    """The ``call_config`` of a plan's list.

    :param plan: when its contacts may be called.
    :param call_config: the one that was asked for.
    :return: a copy with the plan's window, and ``retry_count`` lowered to what its limit of attempts leaves.
    """
    config = call_config.wire()
    config["call_time"] = {
        **config["call_time"],
        "call_start_time": f"{plan.window.opens:%H:%M}",
        "call_end_time": f"{plan.window.closes:%H:%M}",
        "timezone": plan.window.timezone,
    }
    retries = config.get("call_retry_config")
    if plan.max_attempts_per_day is not None and retries:
        retries["retry_count"] = min(retries.get("retry_count") or 0, plan.max_attempts_per_day - 1)
    return CallConfig(**config)


def call_slots_of(plan: WindowPlan) -> dict[str, Any] | None:
    """The ``call_slots`` of a plan's list in the large flow; None when the daily window says it all."""
    return None if plan.call_slots is None else _absolute(plan.call_slots)


def slots_left(call_slots: Mapping[str, Any], start: DateTime) -> dict[str, Any]:
    """``call_slots`` without what lies before a start that has moved on; weekly ones begin with it by themselves.

    :param call_slots: as they were asked for.
    :param start: when the campaign starts now, in its zone.
    :raises StaleCampaign: nothing is left.
    """
    slots = as_call_slots(call_slots)
    if slots.mode == "weekly":
        return slots.wire()
    left = [(max(begin, start.naive()), end) for begin, end in slots.spans() if end > start.naive()]
    if not left:
        raise StaleCampaign("call_slots: all of them are over by now. Build a new list for a new time.")
    return _absolute(left)


def _absolute(spans: Iterable[tuple[datetime, datetime]]) -> dict[str, Any]:
    """Spans, local to the campaign's zone, as ``call_slots`` on the wire."""
    wire = [{"start": begin.strftime(WIRE_FORMAT), "end": end.strftime(WIRE_FORMAT)} for begin, end in spans]
    return {"mode": "absolute", "intervals": wire}


def planned_time(call_config: CallConfig | None, planned: Time, field: str) -> datetime | None:
    """A time that was planned, aware; a naive one is in the campaign's zone.

    :raises InvalidRequest: it cannot be read, or is naive while the campaign's zone is not known.
    """
    if planned is None:
        return None
    if call_config is not None:
        return read_time(planned, window_of(call_config).zone, field)
    # A naive time moves with the zone that it is read in.
    first, second = (read_time(planned, pendulum.timezone(zone), field) for zone in ("UTC", "Asia/Kolkata"))
    if first != second:
        raise InvalidRequest(f"{field}: give its zone, or call_config, which names the campaign's.", field=field)
    return first


def spans_ahead(
    call_config: CallConfig, start: Time, end: Time, call_slots: Mapping[str, Any] | None, now: datetime
) -> list[tuple[datetime, datetime]] | None:
    """The moments from ``now`` on at which a campaign will still dial.

    :return: aware spans, empty when its time is over; None when nothing was planned, so that it starts in the next
        open window.
    :raises InvalidRequest: a time cannot be read, or ``call_slots`` break a rule.
    """
    window = window_of(call_config)
    begin = None if start is None else read_time(start, window.zone, "campaign_start_time")
    until = None if end is None else read_time(end, window.zone, "campaign_end_time")
    scheduled_at = _scheduled_at(call_config)
    present = pendulum.instance(now).in_timezone(window.zone)
    if call_slots is None:
        first = max(filter(None, (begin, scheduled_at)), default=None)
        if first is None and until is None:
            return None
        first = first or present
        return spans_left(window, Schedule(first, until or closing_after(window, first)), now)
    slots = as_call_slots(call_slots)
    since = begin or present
    if slots.until is not None and parse_campaign_time(slots.until) - since.naive() > MAX_SLOT_SPAN:
        raise _slots("until", f"must be at most {MAX_SLOT_SPAN.days} days from the start on")
    local = slots.spans(since.naive() if slots.mode == "weekly" else None)
    if len(local) > MAX_CALL_SLOTS:
        raise _slots("windows", f"must give at most {MAX_CALL_SLOTS} slots from the start on")
    spans = [(pendulum.instance(a, tz=window.zone), pendulum.instance(b, tz=window.zone)) for a, b in local]
    if not spans or spans[-1][1] < present + LAST_SLOT_LEAD:
        return []
    earliest = max(filter(None, (begin, scheduled_at, present)))
    clipped = ((max(a, earliest), min(b, until or b)) for a, b in spans)
    return [(a, b) for a, b in clipped if a < b]


def _slots(field: str, rule: str) -> InvalidRequest:
    return InvalidRequest(f"call_slots.{field}: {rule}.", field=f"call_slots.{field}")
