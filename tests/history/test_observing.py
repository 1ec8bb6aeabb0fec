"""What is known of a wave's calls: counted alike on every database, and read again where it is not fresh."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.exceptions import NetworkError, PermissionDenied
from ringg_provider.history.observing import Watched, observe, observe_smartalex
from ringg_provider.history.smartalex import callbacks_table, smartalex_calls_table
from ringg_provider.history.tables import ANALYSIS_MISSING, COST_MISSING, calls_table, campaigns_table
from ringg_provider.launch.rollout import Brakes
from ringg_provider.sql.creating import create_tables

NOON = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
BRAKES = Brakes(opt_outs=0.02, short_calls=(5, 0.5), classifications={"Complaint": 0.01})
#: Each call with what it counts as, beside the call itself.
CALLS: list[dict[str, Any]] = [
    {"status": "completed", "duration_seconds": 40, "classification": "interested"},
    {"status": "completed", "duration_seconds": 3, "classification": "Opt-Out"},
    {"status": "completed", "duration_seconds": 4.9, "classification": "do not call"},
    {"status": "completed", "duration_seconds": 5, "classification": " COMPLAINT "},
    {"status": "completed", "duration_seconds": 2, "voicemail_detected": True, "classification": "voicemail"},
    {"status": "failed", "sub_status": "BUSY"},
    {"status": "error"},
    {"status": "cancelled", "attempted_at": None},
    {"status": "completed", "duration_seconds": 1, "history_state": "open", "history_reason": ANALYSIS_MISSING},
    {"status": "completed", "duration_seconds": 9, "history_state": "open", "history_reason": COST_MISSING},
    {"status": "retry", "is_final": False},
    {"status": "registered", "is_final": False, "attempted_at": None},
]


def fill(engine: sa.Engine, calls: list[dict[str, Any]], **more: Any) -> None:
    table = calls_table()
    create_tables(engine, table)
    usual = {"bulk_list_id": "list", "is_final": True, "attempted_at": NOON, "read_at": NOON} | more
    with engine.begin() as connection:
        for number, call in enumerate(calls):
            connection.execute(sa.insert(table).values({"call_id": f"{more}{number}", **usual, **call}))


def test_every_call_is_counted_once_and_for_what_it_is(engine: sa.Engine) -> None:
    fill(engine, CALLS)
    fill(engine, CALLS, bulk_list_id="another")
    known = observe(engine, Watched(["list"], 20, BRAKES))
    assert (known.calls, known.connected, known.reached) == (8, 6, 5)
    assert (known.opt_outs, known.failures, known.short_calls) == (2, 2, 3)
    assert dict(known.classifications) == {"complaint": 1}
    assert known.pending == 20 - 8 - 1  # one was cancelled, and is not called any more
    assert (known.as_of, known.source) == (NOON, "tables")


def test_what_was_said_is_not_waited_for_where_no_brake_asks_for_it(engine: sa.Engine) -> None:
    fill(engine, CALLS)
    known = observe(engine, Watched(["list"], 20, Brakes(failures=0.5)))
    assert (known.calls, known.short_calls, dict(known.classifications)) == (9, 0, {})


def test_nothing_is_known_where_there_is_no_table_yet(engine: sa.Engine) -> None:
    known = observe(engine, Watched(["list"], 20, BRAKES))
    assert (known.calls, known.pending, known.as_of) == (0, 20, None)


def _read(engine: sa.Engine, asked: list[list[str]]) -> Any:
    def read(list_ids: Any) -> None:
        asked.append(list(list_ids))
        later = NOON + dt.timedelta(hours=1)
        fill(engine, [{"status": "completed"}], call_id="new", read_at=later)

    return read


@pytest.mark.parametrize(
    ("people", "age", "is_read"), [(20, 6, True), (20, 4, False), (9, 6, False)], ids=["old", "fresh", "all known"]
)
def test_the_history_is_read_where_what_is_known_is_old_and_more_is_to_come(
    sqlite: sa.Engine, people: int, age: int, is_read: bool
) -> None:
    fill(sqlite, CALLS)
    asked: list[list[str]] = []
    now = NOON + dt.timedelta(minutes=age)
    known = observe(sqlite, Watched(["list"], people, BRAKES), read=_read(sqlite, asked), now=lambda: now)
    assert bool(asked) is is_read
    assert (known.calls, known.source) == ((9, "history") if is_read else (8, "tables"))


def test_a_platform_that_is_away_hides_nothing_that_is_known(sqlite: sa.Engine) -> None:
    fill(sqlite, CALLS)

    def away(list_ids: Any) -> None:
        raise NetworkError("away")

    assert observe(sqlite, Watched(["list"], 20, BRAKES), read=away).calls == 8

    def refused(list_ids: Any) -> None:
        raise PermissionDenied("no")

    with pytest.raises(PermissionDenied):
        observe(sqlite, Watched(["list"], 20, BRAKES), read=refused)


def test_it_says_when_the_inbox_knew_it_first(sqlite: sa.Engine) -> None:
    fill(sqlite, CALLS, read_at=NOON + dt.timedelta(minutes=1))
    campaigns = campaigns_table()
    create_tables(sqlite, campaigns, sa.Table("ringg_inbox", sa.MetaData(), sa.Column("digest", sa.String(64))))
    with sqlite.begin() as connection:
        connection.execute(sa.insert(campaigns).values(campaign_id="list", calls_read_at=NOON))
    known = observe(sqlite, Watched(["list"], 20, BRAKES))
    assert (known.source, known.as_of) == ("inbox", NOON + dt.timedelta(minutes=1))


def test_smartalex_is_counted_by_the_person(sqlite: sa.Engine) -> None:
    calls, callbacks = smartalex_calls_table(), callbacks_table()
    create_tables(sqlite, calls, callbacks)
    tried = [
        ("p1", "no_answer", 0),
        ("p1", "completed", 3),
        ("p2", "voicemail", 9),
        ("p3", "no_answer", 0),
        ("p3", "failed", 0),
        ("p4", "busy", 0),  # who will be called again
        ("p5", "ringing", 0),
    ]
    with sqlite.begin() as connection:
        for number, (person, status, seconds) in enumerate(tried):
            row = {"call_id": f"c{number}", "campaign_id": "k", "contact_id": person, "duration_seconds": seconds}
            final = status != "ringing"
            connection.execute(sa.insert(calls).values(**row, status=status, is_final=final, read_at=NOON))
        waiting = {"callback_id": "b", "campaign_id": "k", "contact_id": "p4", "state": "pending"}
        connection.execute(sa.insert(callbacks).values(**waiting))
    known = observe_smartalex(sqlite, Watched(["k"], 6, BRAKES))
    assert (known.calls, known.connected, known.reached) == (3, 2, 1)
    assert (known.failures, known.short_calls, known.pending) == (1, 1, 3)
