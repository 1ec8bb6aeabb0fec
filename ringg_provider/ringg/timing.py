"""Times between a DAG, the calling hours and the wire: ``call_config``, start and end, ``call_slots``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pendulum

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.plan import WindowPlan, spans_left
from ringg_provider.hours.schedule import (
    WIRE_FORMAT,
    DailyWindow,
    Schedule,
    Time,
    closing_after,
    read_time,
    resolve_schedule,
)
from ringg_provider.ringg.requests import CallConfig, CallSlots


def as_call_config(call_config: CallConfig | Mapping[str, Any]) -> CallConfig:
    """A checked ``call_config``, whether a DAG gave the model or a dict."""
    if isinstance(call_config, CallConfig):
        return call_config
    if not isinstance(call_config, Mapping):
        raise InvalidRequest("call_config: must be a dict or a CallConfig.", field="call_config")
    try:
        return CallConfig(**call_config)
    except InvalidRequest as error:
        # A DAG knows the field by the name of the operator's parameter, not by that of our model.
        said = str(error).removeprefix(f"{CallConfig.__name__}: ")
        raise InvalidRequest(f"call_config.{said}", field=f"call_config.{error.field}") from error


def schedule_of(call_config: CallConfig, start: Time, end: Time, *, late_start_ok: bool = False) -> Schedule:
    """When a campaign with this ``call_config`` starts and ends; see ``hours/schedule.py``."""
    return resolve_schedule(window_of(call_config), start, end, late_start_ok=late_start_ok)


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
    if plan.call_slots is None:
        return None
    return {
        "mode": "absolute",
        "intervals": [
            {"start": begin.strftime(WIRE_FORMAT), "end": end.strftime(WIRE_FORMAT)} for begin, end in plan.call_slots
        ],
    }


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
    """
    window = window_of(call_config)
    begin = None if start is None else read_time(start, window.zone, "campaign_start_time")
    until = None if end is None else read_time(end, window.zone, "campaign_end_time")
    if call_slots is None:
        if begin is None and until is None:
            return None
        first = begin or pendulum.instance(now)
        return spans_left(window, Schedule(first, until or closing_after(window, first)), now)
    present = pendulum.instance(now).in_timezone(window.zone)
    slots = CallSlots(**call_slots)
    local = slots.spans((begin or present).naive() if slots.mode == "weekly" else None)
    spans = ((pendulum.instance(a, tz=window.zone), pendulum.instance(b, tz=window.zone)) for a, b in local)
    clipped = ((max(a, begin or a, present), min(b, until or b)) for a, b in spans)
    return [(a, b) for a, b in clipped if a < b]
