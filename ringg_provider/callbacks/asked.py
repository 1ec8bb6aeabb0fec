"""What somebody asked for in a call: their words, read in the zone that they are in, and when that makes them due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ringg_provider.callbacks.planning import NO_HOURS, bounds, due_time
from ringg_provider.callbacks.reading import Instant, Span, Unclear, read
from ringg_provider.hours.lawful import LawfulHours
from ringg_provider.hours.plan import Held
from ringg_provider.hours.zones import zone_names
from ringg_provider.numbers.plan import number_origin
from ringg_provider.ringg.responses import CallStatus
from ringg_provider.sql import fitting

#: What `settled_by` says where nobody had to.
PLATFORM_WORDS = "platform words"
#: Where the platform said a time of its own.
PLATFORM = "platform"
#: What it begins with where a person settled it.
PERSON = "person:"

BY_A_HUMAN = "they asked for a human agent"
NO_ZONE = "it is not known in which time zone they are"

_APART = ("UTC", "Asia/Tokyo")
# What a call is made of.
_READ = (
    "call_id", "bulk_list_id", "agent_id", "call_type", "to_number_e164", "from_number", "callee_name", "status",
    "sub_status", "created_at", "attempted_at", "first_read_at", "duration_seconds", "voicemail_detected", "is_final",
    "callback_requested", "callback_requested_time", "platform_analysis", "webhook_raw",
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A call with a person, as `ringg_calls` has it.

    :param call_id: its id.
    :param at: when it was made, or else registered.
    :param number: the person's, E.164.
    :param agent_id: the agent.
    :param list_id: the campaign.
    :param name: the person's.
    :param was_tried: it rang, or may have.
    :param reached: a person took it.
    :param asks: they asked to be called back.
    :param words: when.
    :param by_human: they asked for a human to call.
    :param timezone: in which the platform says that they are.
    :param ended_at: when it was over, as far as is known.
    :param is_final: the platform is not going to try again.
    :param is_callback: the platform called back by itself.
    :param parent_call_id: the call that it follows up, where a webhook told.
    :param contact_id: SmartAlex's own id of the person.
    """

    call_id: str
    at: datetime
    number: str = field(repr=False)
    agent_id: str | None = None
    list_id: str | None = None
    name: str | None = field(default=None, repr=False)
    was_tried: bool = True
    reached: bool = False
    asks: bool = False
    words: str | None = field(default=None, repr=False)
    by_human: bool = False
    timezone: str | None = None
    ended_at: datetime | None = None
    is_final: bool = True
    is_callback: bool = False
    parent_call_id: str | None = None
    contact_id: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Call | None:
        """Make one of a row of `ringg_calls`; None where nobody is to be found in it."""
        inbound = str(row["call_type"] or "").lower() == "inbound"
        number = fitting.e164(row["from_number"]) if inbound else row["to_number_e164"]
        at = row["attempted_at"] or row["created_at"] or row["first_read_at"]
        if number is None or at is None or not str(number).startswith("+"):
            return None
        status = str(row["status"] or "").lower()
        reached = status in CallStatus.TAKEN and not CallStatus.is_machine(row["voicemail_detected"], row["sub_status"])
        analysis, told = (
            row[name] if isinstance(row[name], Mapping) else {} for name in ("platform_analysis", "webhook_raw")
        )
        return cls(
            call_id=row["call_id"],
            at=at,
            number=number,
            agent_id=row["agent_id"],
            list_id=row["bulk_list_id"],
            name=row["callee_name"],
            was_tried=row["attempted_at"] is not None or status in CallStatus.TAKEN,
            reached=reached,
            # What a machine says ("call again later") is no promise to anybody.
            asks=reached and row["callback_requested"] is True,
            words=row["callback_requested_time"],
            by_human=fitting.flag(analysis.get("callback_requested_via_human_agent")) is True,
            timezone=analysis.get("timezone"),
            ended_at=at + timedelta(seconds=float(row["duration_seconds"] or 0)),
            is_final=bool(row["is_final"]),
            is_callback=str(row["call_type"] or "").lower() == "callback",
            parent_call_id=fitting.text(told.get("parent_call_id")),
        )

    @classmethod
    def of_smartalex(cls, row: Mapping[str, Any]) -> Call:
        """Make one of a row of `smartalex_calls`; of newer APIs it has no number."""
        return cls(
            row["call_id"],
            row["created_at"] or row["first_read_at"],
            row["to_number_e164"] or "",
            agent_id=row["agent_id"],
            was_tried=bool(row["is_final"]),
            reached=str(row["status"] or "").lower() == "completed",
            is_final=bool(row["is_final"]),
            contact_id=row["contact_id"],
        )


def calls_with(calls: sa.Table, numbers: Sequence[str]) -> sa.Select[Any]:
    """The rows of `ringg_calls` with some people: the calls to them, and those that they made.

    :param calls: the table.
    :param numbers: of the people, E.164.
    """
    columns = calls.c
    spelled = [*numbers, *(number.removeprefix("+") for number in numbers)]
    theirs = sa.and_(columns.call_type == "inbound", columns.from_number.in_(spelled))
    return sa.select(*(columns[name] for name in _READ)).where(sa.or_(columns.to_number_e164.in_(numbers), theirs))


@dataclass(frozen=True)
class Asked:
    """When somebody is to be called, as far as it is known.

    :param earliest: from when on; None while it is unclear, as for the next two.
    :param latest: until when.
    :param due: when they are called.
    :param timezone: where they are.
    :param unclear: why it is unclear; None when it is not.
    :param settled_by: who said when.
    """

    earliest: datetime | None = None
    latest: datetime | None = None
    due: datetime | None = None
    timezone: str | None = None
    unclear: str | None = None
    settled_by: str | None = None

    @property
    def since(self) -> datetime | None:
        """The first moment at which they want to be called; None while it is unclear."""
        return None if self.earliest is None or self.due is None else min(self.earliest, self.due)

    @property
    def until(self) -> datetime | None:
        """The last moment that is not late; None while it is unclear."""
        return None if self.latest is None or self.due is None else max(self.latest, self.due)


def asked_in(call: Call, hours: LawfulHours, timezone: str | None = None) -> Asked:
    """Read what somebody asked for.

    :param call: in which they did.
    :param hours: when they may be called.
    :param timezone: where people are whose number tells several zones, or none. Default None: then only words are read
        that mean the same in all of them.
    """
    zones = zones_of(call, timezone)
    zone = zones[0] if len(zones) == 1 else None
    if call.by_human:
        return Asked(timezone=zone, unclear=BY_A_HUMAN)
    said_at = call.ended_at or call.at
    # Where nothing tells a zone, words are read in two that never show the same time.
    readings = [read(call.words, said_at=said_at, zone=ZoneInfo(zone)) for zone in zones or _APART]
    said = readings[0]
    if isinstance(said, Unclear):
        return Asked(timezone=zone, unclear=said.reason)
    if any(each != said for each in readings):
        return Asked(unclear=NO_ZONE)
    return asked_for(said, call.number, zone, hours, PLATFORM_WORDS)


def asked_for(said: Instant | Span, number: str, timezone: str | None, hours: LawfulHours, settled_by: str) -> Asked:
    """What is to be done about a time that is known.

    :param said: when somebody wants to be called.
    :param number: the person's, E.164.
    :param timezone: where they are; None: all zones that the number may be in.
    :param hours: when they may be called.
    :param settled_by: who said it.
    """
    due = due_time(said, number, timezone, hours)
    if isinstance(due, Held):
        return Asked(timezone=timezone, unclear=f"{NO_HOURS}: {due.detail}")
    earliest, latest = bounds(said)
    return Asked(earliest, latest, due.astimezone(UTC), timezone, None, settled_by)


def zones_of(call: Call, timezone: str | None = None) -> tuple[str, ...]:
    """The zones in which somebody may be: what the number tells, and where it tells several, what else does.

    :param call: with them.
    :param timezone: where people are whose number tells several zones, or none.
    """
    zones = number_origin(call.number).zones
    if len(zones) == 1:
        return zones
    for known in (call.timezone, timezone):
        if known in zone_names() and (not zones or known in zones):
            return (str(known),)
    return zones
