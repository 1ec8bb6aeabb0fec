"""A platform that also sends webhooks, and a mail that loses, doubles, delays and garbles them."""

from __future__ import annotations

import datetime as dt
import heapq
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ringg_provider.inbox.store import Delivery, add, inbox_table
from ringg_provider.sql.creating import create_tables
from tests.history.hostile_platform import HostilePlatform, TrueCall

CONN_ID = "ringg"
WORKSPACE = "5b0c0f2e-0000-4000-8000-000000000001"

#: What only one of the two ways tells, and what says when something was read.
ONLY_LISTED = frozenset({"raw", "currency", "details_raw"})
ONLY_TOLD = frozenset({"told_at", "settled_at", "webhook_raw"})
CLOCKS = frozenset({"status_since", "first_read_at", "changed_at", "read_at"})


def first_ring(call: TrueCall) -> dt.datetime:
    """When a call that was tried twice rang for the first time."""
    return call.created_at + (call.starts_at - call.created_at) / 2


def webhooks(platform: HostilePlatform, call: TrueCall) -> Iterator[tuple[dt.datetime, dict[str, Any]]]:
    """What the platform tells of a call, and when."""
    rings = [{"status": "ACCEPTED" if call.outcome == "completed" else "no answer", "called_on_time": call.starts_at}]
    if call.retried:
        rings.insert(0, {"status": "Busy Line", "called_on_time": first_ring(call)})
    # The list has no fractions of a second.
    listed = [{**ring, "called_on_time": f"{ring['called_on_time']:%Y-%m-%dT%H:%M:%SZ}"} for ring in rings]
    common = {
        "call_id": call.id,
        "parent_call_id": None,
        "workspace_id": WORKSPACE,
        "bulk_list_id": call.list_id,
        "to_number": call.number,
        "created_at": call.created_at.isoformat(),
        "custom_args_values": {"callee_name": "Somebody"},
        "a_new_field": {"unknown": 1},
    }
    yield (
        call.created_at,
        common
        | {
            "event_type": "call_started",
            "status": "registered",
            "sub_status": "QUEUED",
            "called_on": None,
        },
    )
    if call.retried:
        yield (
            first_ring(call) + dt.timedelta(seconds=20),
            common
            | {
                "event_type": "call_completed",
                "status": "retry",
                "sub_status": "QUEUED",
                "called_on": first_ring(call).isoformat(),
                "call_duration": 0.5,
                "attempts": listed[:1],
            },
        )
    talked = call.outcome == "completed"
    ended = common | {
        "status": call.outcome,
        "sub_status": "ACCEPTED" if talked else "no answer",
        "called_on": call.starts_at.isoformat(),
        "call_duration": 12.5 if talked else None,
        "call_cost": 0.1 if talked else None,
        "transcript": [{"bot": "Hello"}, {"user": "Yes"}] if talked else [],
    }
    yield call.ends_at, ended | {"event_type": "call_completed", "attempts": listed, "recording_url": None}
    analysis = None
    if talked:
        analysis = {"summary": f"Said yes {call.id[:4]}", "classification": "interested"}
        yield call.analysed_at, ended | {"event_type": "platform_analysis_completed", "analysis_data": analysis}
    yield (
        max(call.ends_at, call.costed_at, call.analysed_at),
        ended
        | {
            "event_type": "all_processing_completed",
            "call_cost": 0.25 if talked else None,
            "platform_analysis": analysis,
            "platform_analysis_status": "success" if talked else "not_enabled",
            "recording_url": None,
        },
    )


GARBAGE = (
    b"",
    b"\xff\xfe\x00",
    b"not json",
    b"[]",
    b'"text"',
    b'{"event_type": "call_completed"}',
    b'{"event_type": "call_completed", "call_id": ""}',
    b'{"event_type": "call_completed", "call_id": 7}',
    b'{"event_type": "never_heard_of", "call_id": "x"}',
    b'{"event_type": "chat_completed"}',
    b'{"event_type": "call_completed", "call_id": "x", "workspace_id": "another"}',
)


@dataclass
class Mail:
    """What becomes of webhooks between the platform and the inbox; each may also come twice.

    :param lost: the share that never comes,
    :param doubled: that comes twice,
    :param late: that comes up to a day late, and so in another order,
    :param garbled: and of how many a piece of garbage comes beside them.
    """

    seed: int
    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    garbled: float = 0.0
    _due: list[tuple[dt.datetime, int, bytes]] = field(default_factory=list)

    def post(self, platform: HostilePlatform, calls: list[TrueCall]) -> None:
        """Take on all webhooks of some calls, those of the future too."""
        dice = random.Random(self.seed)
        number = 0
        for call in calls:
            for at, payload in webhooks(platform, call):
                if dice.random() < self.lost:
                    continue
                body = json.dumps(payload).encode()
                bodies = [body] * (2 if dice.random() < self.doubled else 1)
                if dice.random() < self.garbled:
                    bodies.append(dice.choice([*GARBAGE, body[: dice.randrange(len(body))]]))
                for each in bodies:
                    delay = dice.uniform(0, 86_400) if dice.random() < self.late else dice.uniform(0, 2)
                    number += 1
                    heapq.heappush(self._due, (at + dt.timedelta(seconds=delay), number, each))

    def bodies(self) -> list[bytes]:
        """Everything, in the order in which it comes."""
        return [body for _, _, body in sorted(self._due)]

    def deliver(self, engine: sa.Engine, now: dt.datetime | None = None) -> int:
        """Put what is due into the inbox; everything, where no time is given."""
        table = inbox_table()
        create_tables(engine, table)
        due = []
        while self._due and (now is None or self._due[0][0] <= now):
            at, _, body = heapq.heappop(self._due)
            due.append(Delivery.of(CONN_ID, body, at))
        with engine.begin() as connection:
            return add(connection, table, due)


def rows_of(engine: sa.Engine, table: sa.Table, *but: str) -> dict[str, dict[str, Any]]:
    """All rows of a table by their key, without some columns."""
    columns = [column for column in table.columns if column.name not in but]
    key = next(iter(table.primary_key)).name
    with engine.connect() as connection:
        return {row[key]: dict(row) for row in connection.execute(sa.select(*columns)).mappings()}


def comparable_calls(engine: sa.Engine, table: sa.Table) -> dict[str, dict[str, Any]]:
    """The calls, but for what only one way tells of them."""
    rows = rows_of(engine, table, *ONLY_LISTED, *ONLY_TOLD, *CLOCKS)
    for row in rows.values():
        # Of a call that nobody took, a webhook has the carrier's words, and the history has its own.
        if row["status"] != "completed":
            del row["sub_status"]
        for name in ("cost", "duration_seconds"):
            row[name] = None if row[name] is None else float(row[name])
    return rows
