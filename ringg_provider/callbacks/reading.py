"""When somebody asked to be called back, out of what a platform wrote down of it.

No page says in which form that is written, so every form is taken that can be read for certain. What cannot is
*unclear*, with the reason, and a matter for a person: nothing is guessed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

#: How far ahead a promise may be; what lies further is a slip of the tongue, or no time at all.
FURTHEST = timedelta(days=366)
# Seconds since 1970 have ten digits from 2001 to 2286; the same in milliseconds has thirteen.
_SECONDS = range(10**9, 10**10)
_MILLISECONDS = range(10**12, 10**13)


@dataclass(frozen=True)
class Instant:
    """They said exactly when.

    :param at: UTC.
    """

    at: datetime


@dataclass(frozen=True)
class Span:
    """They said roughly when, such as "tomorrow evening".

    :param earliest: UTC.
    :param latest: UTC, after `earliest`.
    """

    earliest: datetime
    latest: datetime


@dataclass(frozen=True)
class Unclear:
    """It cannot be told for certain when.

    :param reason: why; nothing of what was said is in it.
    """

    reason: str


def read(words: str | int | float | datetime | None, *, said_at: datetime, zone: tzinfo) -> Instant | Span | Unclear:
    """Read when somebody wants to be called.

    https://docs.ringg.ai/api-reference/endpoint/history/get-call-details (`platform_analysis.callback_requested_time`)

    :param words: as the platform has them: a time with or without an offset, seconds or milliseconds since 1970.
    :param said_at: when it was said, which is what "now" means; aware.
    :param zone: of the callee, for a time without an offset.
    :return: nothing of it lies before `said_at`, or later than a year (366 days) after it.
    :raises ValueError: `said_at` has no zone.
    """
    if said_at.utcoffset() is None:
        raise ValueError("said_at must have a time zone")
    now = said_at.astimezone(UTC)
    if isinstance(words, str):
        words = words.strip()
        try:
            words = int(words) if words.isascii() and words.isdigit() else datetime.fromisoformat(words)
        except ValueError:
            return Unclear("it is not a time in a form that is known")
    if isinstance(words, datetime):
        return _ahead(words, now, zone)
    if isinstance(words, bool) or words is None:
        return Unclear("no time was said")
    return _since_1970(words, now)


def _since_1970(number: float, now: datetime) -> Instant | Unclear:
    whole = math.floor(number) if math.isfinite(number) else 0
    if whole in _SECONDS:
        return _ahead(datetime.fromtimestamp(number, UTC), now, UTC)
    if whole in _MILLISECONDS:
        return _ahead(datetime.fromtimestamp(number / 1000, UTC), now, UTC)
    return Unclear("a number alone is no time")


def _ahead(moment: datetime, now: datetime, zone: tzinfo) -> Instant | Unclear:
    if moment.utcoffset() is None:
        local = moment.replace(tzinfo=zone, fold=0)
        first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
        if first != second:
            return Unclear("the clocks are changed then, so that this time is there twice or never")
        moment = first
    moment = moment.astimezone(UTC)
    if moment <= now:
        return Unclear("it is in the past")
    if moment - now > FURTHEST:
        return Unclear("it is more than a year ahead")
    return Instant(moment)
