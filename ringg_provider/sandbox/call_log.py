"""Searching the calls: filters, order and pages of `/calling/history`, fast for some hundred thousand calls."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any, TypeVar

from ringg_provider.sandbox.calls import Call
from ringg_provider.sandbox.world import World

Row = TypeVar("Row")

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
STATUSES = ("registered", "ongoing", "retry", "error", "completed", "failed", "cancelled", "forwarded")
CALL_TYPES = ("inbound", "outbound", "webcall", "callback", "voicemail")

_SORT_KEYS: dict[str, Callable[[Call], Any]] = {
    "created_at": lambda call: call.created_at,
    "call_time": lambda call: call.called_at or call.created_at,
    "called_on_time": lambda call: call.called_at or 0.0,
    "call_duration": lambda call: call.duration,
    "credits_used": lambda call: call.cost,
    "retry_count": lambda call: len(call.attempts),
}


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def read_date(text: str | None, name: str) -> float | None:
    """ISO 8601 with an offset (none is read as UTC) -> Unix time; raises ValueError with the vendor's sentence."""
    if text is None:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"Invalid date format for {name}.") from None
    return parsed.timestamp() if parsed.tzinfo else datetime.fromisoformat(f"{parsed.isoformat()}+00:00").timestamp()


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What to look for. Empty means everything; dates are Unix times, both included."""

    start: float | None = None
    end: float | None = None
    agent_ids: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    list_ids: tuple[str, ...] = ()
    version_ids: tuple[str, ...] = ()
    call_types: tuple[str, ...] = ()
    from_number: str | None = None
    to_number: str | None = None
    call_id: str | None = None
    sort_by: str = "call_time"
    descending: bool = True


def newest_first(rows: Sequence[Row], limit: int, offset: int) -> list[Row]:
    """A page of ascending rows, read from their end."""
    last = max(0, len(rows) - offset)
    return list(reversed(rows[max(0, last - limit) : last]))


class CallLog:
    """Answers filters over one world; remembers the last result while nothing has changed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._last: tuple[CallFilter, int, Sequence[Call]] | None = None

    def page(self, wanted: CallFilter, limit: int, offset: int) -> list[Call]:
        matches = self._matches(wanted)
        if wanted.descending:
            return newest_first(matches, limit, offset)
        return list(matches[offset : offset + limit])

    def all(self, wanted: CallFilter) -> Sequence[Call]:
        return self._matches(wanted)

    def _matches(self, wanted: CallFilter) -> Sequence[Call]:
        """All matches in ascending order."""
        if self._last and self._last[0] == wanted and self._last[1] == self.world.version:
            return self._last[2]
        found = self._candidates(wanted)
        found = self._called_between(found, wanted) if self._by_call_time else self._created_between(found, wanted)
        if tests := self._tests(wanted):
            found = [call for call in found if all(test(call) for test in tests)]
        if wanted.sort_by != "created_at":
            found = sorted(found, key=_SORT_KEYS[wanted.sort_by])
        self._last = (wanted, self.world.version, found)
        return found

    def _candidates(self, wanted: CallFilter) -> Sequence[Call]:
        world = self.world
        if wanted.call_id is not None:
            call = world.calls_by_id.get(wanted.call_id)
            return [call] if call else []
        if wanted.list_ids:
            campaigns = [world.campaigns[i] for i in dict.fromkeys(wanted.list_ids) if i in world.campaigns]
            if len(campaigns) == 1:
                return campaigns[0].calls
            return sorted((c for campaign in campaigns for c in campaign.calls), key=_SORT_KEYS["created_at"])
        if wanted.to_number is not None:
            return sorted(world.calls_by_number.get(wanted.to_number, ()), key=_SORT_KEYS["created_at"])
        return world.calls

    @staticmethod
    def _created_between(calls: Sequence[Call], wanted: CallFilter) -> Sequence[Call]:
        created = _SORT_KEYS["created_at"]
        first = 0 if wanted.start is None else bisect_left(calls, wanted.start, key=created)
        last = len(calls) if wanted.end is None else bisect_right(calls, wanted.end, key=created)
        return calls if (first, last) == (0, len(calls)) else calls[first:last]

    @property
    def _by_call_time(self) -> bool:
        return self.world.settings.history_dates_filter == "call_time"

    @staticmethod
    def _called_between(calls: Sequence[Call], wanted: CallFilter) -> Sequence[Call]:
        first, last = wanted.start or 0.0, wanted.end or inf
        return [call for call in calls if first <= (call.called_at or call.created_at) <= last]

    def _tests(self, wanted: CallFilter) -> list[Callable[[Call], bool]]:
        tests: list[Callable[[Call], bool]] = []
        agents = set(wanted.agent_ids)
        if wanted.version_ids:
            by_version = {agent.version_id: agent.id for agent in self.world.workspace.agents.values()}
            versions = {by_version[version] for version in wanted.version_ids if version in by_version}
            tests.append(lambda call: call.agent_id in versions)
        if agents:
            tests.append(lambda call: call.agent_id in agents)
        if statuses := set(wanted.statuses):
            tests.append(lambda call: call.status in statuses)
        if kinds := set(wanted.call_types):
            tests.append(lambda call: call.call_type in kinds or ("voicemail" in kinds and call.is_voicemail))
        if wanted.to_number is not None:
            tests.append(lambda call: call.to_number == wanted.to_number)
        if wanted.from_number is not None:
            tests.append(lambda call: any(a.from_number == wanted.from_number for a in call.attempts))
        if wanted.list_ids and (wanted.call_id is not None):
            lists = set(wanted.list_ids)
            tests.append(lambda call: call.list_id in lists)
        return tests
