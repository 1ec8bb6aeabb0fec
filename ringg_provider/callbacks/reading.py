"""When somebody asked to be called back, out of what a platform wrote down of it.

No page says in which form that is written, so every form is taken that can be read for certain. What cannot is
*unclear*, with the reason, and a matter for a person: nothing is guessed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from ringg_provider.callbacks.words.dates import require_dateparser
from ringg_provider.callbacks.words.doubts import Doubt
from ringg_provider.callbacks.words.grammar import understand
from ringg_provider.callbacks.words.resolving import Moments, on_the_wall, resolve
from ringg_provider.callbacks.words.vocabulary import vocabulary

#: How far ahead a promise may be; what lies further is a slip of the tongue, or no time at all.
FURTHEST = timedelta(days=183)
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

    :param words: as the platform has them: words (English, Hindi, and both mixed), a date and time with or without an
        offset, seconds or milliseconds since 1970.
    :param said_at: when it was said, which is what "now" means; aware.
    :param zone: of the callee, for what is said without a zone.
    :return: nothing of it lies before `said_at`, or later than half a year (183 days) after it.
    :raises ValueError: `said_at` has no zone.
    :raises InvalidRequest: dateparser is not installed, which comes with `ringg-provider[callbacks]`.
    """
    if said_at.utcoffset() is None:
        raise ValueError("said_at must have a time zone")
    try:
        earliest, latest = _moments(words, said_at, zone)
        now = said_at.astimezone(UTC)
        if earliest < now or latest <= now:
            raise Doubt("it is in the past")
        if latest - now > FURTHEST:
            raise Doubt("it is more than half a year ahead")
    except Doubt as doubt:
        return Unclear(doubt.reason)
    except OverflowError:  # the first or last day that there is, in another zone
        return Unclear("it is not a time of these years")
    return Instant(latest) if earliest == latest else Span(earliest, latest)


def _moments(words: str | float | datetime | None, said_at: datetime, zone: tzinfo) -> Moments:
    if isinstance(words, str):
        text = words.strip()
        if text.isascii() and text.isdigit() and len(text) in {10, 13}:
            return _since_1970(int(text))
        require_dateparser()
        known = vocabulary()
        return resolve(understand(known.tokens(text)), said_at=said_at, zone=zone, languages=known.dateparser)
    if isinstance(words, datetime):
        moment = on_the_wall(words.replace(tzinfo=zone)) if words.utcoffset() is None else words.astimezone(UTC)
        return moment, moment
    if words is None or isinstance(words, bool):
        raise Doubt("no time was said")
    return _since_1970(words)


def _since_1970(number: float) -> Moments:
    whole = math.floor(number) if math.isfinite(number) else 0
    if whole in _SECONDS:
        moment = datetime.fromtimestamp(number, UTC)
    elif whole in _MILLISECONDS:
        moment = datetime.fromtimestamp(number / 1000, UTC)
    else:
        raise Doubt("a number alone is no time")
    return moment, moment
