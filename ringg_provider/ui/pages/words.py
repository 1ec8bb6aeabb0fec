"""Numbers, times and states as the templates write them; times as `ringg_provider.wording` says them in a log."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from ringg_provider import wording
from ringg_provider.ui.campaign import PHASES
from ringg_provider.ui.charts import local
from ringg_provider.ui.promises import STATES

#: Where a number or a time is not known.
UNKNOWN = "\N{EN DASH}"

_TONES = {
    "completed": "good",
    "running": "busy",
    "started": "busy",
    "scheduled": "busy",
    "failed": "bad",
    "start_sent": "bad",
    "braked": "bad",
    "insufficient_balance": "bad",
    "unknown": "bad",
    "terminated": "warn",
    "paused": "warn",
}


def count(number: int | None) -> str:
    """A whole number, by thousands."""
    return UNKNOWN if number is None else f"{number:,}"


def share(part: float | None) -> str:
    """A share, in percent."""
    return UNKNOWN if part is None else f"{part:.1%}"


def amount(value: Any) -> str:
    """A cost, in the platform's credits."""
    return UNKNOWN if value is None else f"{Decimal(str(value)):,.2f}"


def cell(value: Any) -> str:
    """A cell of a chart's table."""
    if value is None:
        return UNKNOWN
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else str(value)


def at(moment: datetime | None, zone: ZoneInfo) -> str:
    """A time in a zone, which is named."""
    return UNKNOWN if moment is None else wording.moment(moment, zone)


def span(begin: datetime | None, end: datetime | None, zone: ZoneInfo) -> str:
    """From when until when, in a zone, which is named."""
    if begin is None and end is None:
        return UNKNOWN
    if begin is None or end is None:
        return f"{at(begin, zone)} to {at(end, zone)}"
    return wording.span(begin.astimezone(zone), end)


def short(moment: datetime | None, zone: ZoneInfo) -> str:
    """The same without the zone, where that stands beside it."""
    return UNKNOWN if moment is None else local(moment, zone)


def machine(moment: datetime) -> str:
    """A time as machines read it."""
    return moment.isoformat()


def phase(name: str) -> str:
    """A phase in words."""
    return PHASES.get(name, name.replace("_", " ").capitalize())


def tone(name: str) -> str:
    """The class of a phase's colour; the words beside it say the same."""
    return _TONES.get(name, "plain")


def promise(state: str) -> str:
    """The state of a promise in words."""
    return {str(name): words for name, words in STATES.items()}.get(state, state.capitalize())


FILTERS = {
    "count": count,
    "share": share,
    "amount": amount,
    "cell": cell,
    "at": at,
    "span": span,
    "short": short,
    "machine": machine,
    "phase": phase,
    "tone": tone,
    "promise": promise,
}
