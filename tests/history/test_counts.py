"""A campaign's calls, counted by quarter of an hour, caller number and outcome; on every database that has calls."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from ringg_provider.history.counts import CountedBy, counts_table, read_counts, write_counts
from ringg_provider.history.tables import calls_table
from ringg_provider.sql.creating import create_tables

MORNING = dt.datetime(2026, 3, 1, 9, 14, 59, 999_000, tzinfo=dt.UTC)
LATER = MORNING + dt.timedelta(seconds=1)
ONE, TWO = "+918020001001", "+918020001002"
CALLS: list[dict[str, Any]] = [
    {"status": "completed", "attempted_at": MORNING, "from_number": ONE, "cost": 2, "classification": "yes"},
    {"status": "completed", "attempted_at": MORNING, "from_number": ONE, "cost": 1, "voicemail_detected": True},
    {"status": "failed", "sub_status": "BUSY", "attempted_at": LATER, "from_number": TWO},
    {"status": "registered", "created_at": MORNING},
    {"status": "cancelled", "created_at": MORNING},
    {"status": "failed", "sub_status": "BUSY", "created_at": LATER, "from_number": TWO, "cost": 0},
    {"status": "completed", "attempted_at": LATER, "from_number": "+919812345678", "call_type": "inbound"},
]


def fill(engine: sa.Engine, *more: dict[str, Any]) -> tuple[sa.Table, sa.Table]:
    calls, counts = calls_table(), counts_table()
    create_tables(engine, calls, counts)
    with engine.begin() as connection:
        for number, call in enumerate([*CALLS, *more]):
            connection.execute(sa.insert(calls).values({"call_id": f"c{number}", "bulk_list_id": "list", **call}))
    return calls, counts


def counted(engine: sa.Engine, counts: sa.Table, kind: CountedBy) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        found = [count for count in read_counts(connection, counts, "list") if count.counted_by is kind]
    keys = ("quarter", "from_number", "status", "sub_status", "classification")
    return [
        (
            *(getattr(count, key) for key in keys if getattr(count, key) is not None),
            (count.tally.calls, count.tally.dialled, count.tally.connected, count.tally.reached),
            None if count.tally.cost is None else float(count.tally.cost),
        )
        for count in found
    ]


def test_each_of_the_three_ways_counts_every_call_once(engine: sa.Engine) -> None:
    calls, counts = fill(engine, {"call_id": "other", "bulk_list_id": "another", "status": "completed"})
    write_counts(engine, counts, calls, ["list"])
    nine, quarter_past = (dt.datetime(2026, 3, 1, 9, minute, tzinfo=dt.UTC) for minute in (0, 15))
    assert counted(engine, counts, CountedBy.QUARTER) == [
        (nine, (2, 2, 2, 1), 3.0),
        (quarter_past, (3, 3, 1, 1), 0.0),
        ((2, 0, 0, 0), None),
    ]
    assert counted(engine, counts, CountedBy.CALLER_NUMBER) == [
        (ONE, (2, 2, 2, 1), 3.0),
        (TWO, (2, 2, 0, 0), 0.0),
        ((3, 1, 1, 1), None),
    ]
    assert counted(engine, counts, CountedBy.OUTCOME) == [
        ("cancelled", (1, 0, 0, 0), None),
        ("completed", "yes", (1, 1, 1, 1), 2.0),
        ("completed", (2, 2, 2, 1), 1.0),
        ("failed", "BUSY", (2, 2, 0, 0), 0.0),
        ("registered", (1, 0, 0, 0), None),
    ]


def test_counting_again_replaces_what_was_counted(engine: sa.Engine) -> None:
    calls, counts = fill(engine)
    write_counts(engine, counts, calls, ["list"])
    with engine.begin() as connection:
        connection.execute(sa.delete(calls).where(calls.c.status != "failed"))
    write_counts(engine, counts, calls, ["list"])
    assert counted(engine, counts, CountedBy.OUTCOME) == [("failed", "BUSY", (2, 2, 0, 0), 0.0)]
