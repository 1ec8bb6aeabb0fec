"""When a campaign may dial: `DD/MM/YYYY, HH:MM` times, the daily window and call slots, as spans of Unix time."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

Span = tuple[float, float]

_CAMPAIGN_TIME = re.compile(r"\d{2}/\d{2}/\d{4}, \d{2}:\d{2}")
_CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGEST_CAMPAIGN_DAYS = 3660


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call that did not connect is tried again, and after how many minutes."""

    count: int = 0
    busy: int = 30
    not_picked: int = 30
    failed: int = 30
    voicemail: int = 30

    def wait_seconds(self, outcome: str) -> float:
        minutes = {
            "busy": self.busy,
            "not_picked": self.not_picked,
            "failed": self.failed,
            "voicemail": self.voicemail,
        }
        return 60.0 * minutes[outcome]


@dataclass(frozen=True, slots=True)
class CallPlan:
    """A `call_config`, read: daily window, zone, retries and the longest call in seconds."""

    opens: str
    closes: str
    zone: ZoneInfo
    retry: RetryPolicy
    max_call_length: int


def _whole_number(value: Any, name: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"call_config.{name} must be an integer between {low} and {high}.")
    return value


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    section = config.get(name)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise ValueError(f"call_config.{name} must be an object.")
    return section


def clock_time(text: Any, name: str) -> str:
    if not isinstance(text, str) or not _CLOCK_TIME.fullmatch(text):
        raise ValueError(f"{name} must be in HH:MM format.")
    return text


def read_call_config(config: Any, default_window: tuple[str, str]) -> CallPlan:
    """Read a `call_config` object as the vendor documents it; raises ValueError with the vendor-like sentence."""
    if not isinstance(config, dict):
        raise ValueError("call_config must be an object.")
    times, retry = _section(config, "call_time"), _section(config, "call_retry_config")
    opens = clock_time(times.get("call_start_time", default_window[0]), "call_start_time")
    closes = clock_time(times.get("call_end_time", default_window[1]), "call_end_time")
    if opens >= closes:
        raise ValueError("call_start_time must be before call_end_time.")
    zone = times.get("timezone", "Asia/Kolkata")
    if zone not in available_timezones():
        raise ValueError("Invalid timezone.")
    warning, end = config.get("idle_timeout_warning", 5), config.get("idle_timeout_end", 10)
    _whole_number(warning, "idle_timeout_warning", 0, 86_400)
    _whole_number(end, "idle_timeout_end", 0, 86_400)
    if "idle_timeout_end" in config and end <= warning:
        raise ValueError("idle_timeout_end must be greater than idle_timeout_warning.")
    minutes = {k: _whole_number(retry.get(f"retry_{k}", 30), f"retry_{k}", 0, 10_080)
               for k in ("busy", "not_picked", "failed")}  # fmt: skip
    return CallPlan(
        opens=opens,
        closes=closes,
        zone=ZoneInfo(zone),
        retry=RetryPolicy(count=_whole_number(retry.get("retry_count", 0), "retry_count", 0, 20), **minutes),
        max_call_length=_whole_number(config.get("max_call_length", 240), "max_call_length", 10, 3600),
    )


def campaign_time(text: Any, zone: ZoneInfo, name: str) -> float:
    """`18/10/2026, 09:00` in `zone` -> Unix time."""
    if isinstance(text, str) and _CAMPAIGN_TIME.fullmatch(text):
        try:
            return datetime.strptime(text, "%d/%m/%Y, %H:%M").replace(tzinfo=zone).timestamp()
        except ValueError:
            pass
    raise ValueError(f"{name} must be in DD/MM/YYYY, HH:MM format.")


def _local(day: date, hhmm: str, zone: ZoneInfo) -> float:
    return datetime.combine(day, time.fromisoformat(hhmm), zone).timestamp()


def daily_spans(plan: CallPlan, start: float, end: float) -> list[Span]:
    """The daily window of `plan` on every day between `start` and `end`, clipped to them."""
    first = datetime.fromtimestamp(start, plan.zone).date()
    last = datetime.fromtimestamp(end, plan.zone).date()
    if (last - first).days > _LONGEST_CAMPAIGN_DAYS:
        raise ValueError("The campaign is too long.")
    spans = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        opens = max(start, _local(day, plan.opens, plan.zone))
        closes = min(end, _local(day, plan.closes, plan.zone))
        if opens < closes:
            spans.append((opens, closes))
    return spans


def merge_spans(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for opens, closes in sorted(spans):
        if merged and opens <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], closes))
        else:
            merged.append((opens, closes))
    return merged


def _weekly(slots: dict[str, Any], plan: CallPlan, start: float) -> list[Span]:
    until = campaign_time(slots.get("until"), plan.zone, "call_slots.until")
    windows = slots.get("windows")
    if not isinstance(windows, list) or not 1 <= len(windows) <= 21:
        raise ValueError("call_slots.windows must hold 1 to 21 windows.")
    if until - start > 90 * 86_400:
        raise ValueError("call_slots may span at most 90 days.")
    day, last = (
        datetime.fromtimestamp(start, plan.zone).date(),
        datetime.fromtimestamp(until, plan.zone).date(),
    )
    spans = []
    while day <= last:
        for window in windows:
            days = window.get("days") if isinstance(window, dict) else None
            if not isinstance(days, list) or not days or not set(days) <= set(_WEEKDAYS):
                raise ValueError("call_slots.windows[].days must name weekdays as mon..sun.")
            if _WEEKDAYS[day.weekday()] in days:
                opens = _local(day, clock_time(window.get("start"), "call_slots start"), plan.zone)
                closes = _local(day, clock_time(window.get("end"), "call_slots end"), plan.zone)
                if closes <= opens:
                    raise ValueError("call_slots: a slot must end after it starts.")
                if closes > start and opens < until:
                    spans.append((max(opens, start), min(closes, until)))
        day += timedelta(days=1)
    return spans


def _absolute(slots: dict[str, Any], plan: CallPlan) -> list[Span]:
    intervals = slots.get("intervals")
    if not isinstance(intervals, list) or not 1 <= len(intervals) <= 500:
        raise ValueError("call_slots.intervals must hold 1 to 500 intervals.")
    spans = []
    for interval in intervals:
        if not isinstance(interval, dict):
            raise ValueError("call_slots.intervals[] must be objects with start and end.")
        spans.append(
            (
                campaign_time(interval.get("start"), plan.zone, "call_slots start"),
                campaign_time(interval.get("end"), plan.zone, "call_slots end"),
            )
        )
    return spans


def slot_spans(slots: Any, plan: CallPlan, now: float, campaign: Span | None) -> list[Span]:
    """The spans of a `call_slots` object, merged; raises ValueError for whatever the vendor refuses."""
    if not isinstance(slots, dict):
        raise ValueError("call_slots must be an object.")
    shapes = {"absolute": {"mode", "intervals"}, "weekly": {"mode", "until", "windows"}}
    mode = slots.get("mode")
    if mode not in shapes or not set(slots) <= shapes[mode]:
        raise ValueError("call_slots must be either absolute (intervals) or weekly (until, windows), not a mix.")
    start = campaign[0] if campaign else now
    spans = _absolute(slots, plan) if mode == "absolute" else _weekly(slots, plan, start)
    if not spans:
        raise ValueError("call_slots contain no time at all.")
    for opens, closes in spans:
        if mode == "absolute" and opens < now:
            raise ValueError("call_slots: a slot is in the past.")
        if not 60 <= closes - opens <= 86_400:
            raise ValueError("call_slots: a slot must last between 1 minute and 24 hours.")
        local_open, local_close = (datetime.fromtimestamp(t, plan.zone) for t in (opens, closes))
        if (
            local_open.date() != local_close.date()
            or f"{local_open:%H:%M}" < plan.opens
            or f"{local_close:%H:%M}" > plan.closes
        ):
            raise ValueError("call_slots: a slot is outside the daily call_time window.")
        if campaign and (opens < campaign[0] or closes > campaign[1]):
            raise ValueError("call_slots: a slot is outside the campaign times.")
    if max(closes for _, closes in spans) < now + 300:
        raise ValueError("call_slots: the last slot must end at least 5 minutes from now.")
    merged = merge_spans(spans)
    if len(merged) > 100:
        raise ValueError("call_slots: more than 100 slots after merging.")
    return merged


class Openings:
    """Sorted spans, asked two questions: is it open now, and when does it open next?"""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._opens = [opens for opens, _ in spans]
        self._closes = [closes for _, closes in spans]

    def is_open(self, when: float) -> bool:
        index = bisect_right(self._opens, when) - 1
        return index >= 0 and when < self._closes[index]

    def next_opening(self, when: float) -> float | None:
        index = bisect_right(self._opens, when)
        return self._opens[index] if index < len(self._opens) else None
