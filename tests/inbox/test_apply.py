"""What deliveries become: rows that never move backwards, attempts that are the same in any order, or reasons."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.history.attempts import attempts_table
from ringg_provider.history.merging import CallStore, Wanted
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.tables import calls_table, campaigns_table
from ringg_provider.inbox.apply import ApplyCounts, RinggApply, SmartAlexApply
from ringg_provider.inbox.store import Delivery, add, inbox_table
from ringg_provider.sql.creating import create_tables
from tests.inbox.telling import GARBAGE, WORKSPACE
from tests.support.databases import engines

engine = engines("psycopg", "sqlite", "mariadb")

NOW = dt.datetime(2026, 8, 4, 12, 30, tzinfo=dt.UTC)
CALLS, ATTEMPTS, CAMPAIGNS, INBOX = calls_table(), attempts_table(), campaigns_table(), inbox_table()

COMMON = {
    "call_id": "c4",
    "workspace_id": WORKSPACE,
    "bulk_list_id": "list",
    "agent_id": "a1",
    "agent_name": "EMI Reminder",
    "call_type": "outbound",
    "to_number": "+919876543210",
    "created_at": "2026-08-04T12:25:00Z",
    "custom_args_values": {"callee_name": "Priya", "due_date": "12 August"},
}
FIRST = {"status": "Busy Line", "called_on_time": "2026-08-04T12:25:30Z"}
SECOND = {"status": "ACCEPTED", "called_on_time": "2026-08-04T12:29:13Z"}
STARTED = COMMON | {"event_type": "call_started", "status": "registered", "sub_status": "QUEUED", "called_on": None}
RETRY = COMMON | {
    "event_type": "call_completed",
    "status": "retry",
    "sub_status": "busy line",
    "from_number": "+911",
    "called_on": "2026-08-04T12:25:30.25Z",
    "call_duration": 3,
    "attempts": [FIRST],
}
ENDED = COMMON | {
    "status": "completed",
    "sub_status": "ACCEPTED",
    "from_number": "+912",
    "called_on": "2026-08-04T12:29:13.310707Z",
    "call_duration": 15.73,
    "call_cost": 0.1,
    "transcript": [{"bot": "Hi"}, {"user": "Yes"}],
    "retry_count": 0,
}
COMPLETED = ENDED | {"event_type": "call_completed", "attempts": [FIRST, SECOND]}
RECORDED = {
    "event_type": "recording_completed",
    "call_id": "c4",
    "bulk_list_id": "list",
    "recording_url": "https://x.example/r",
}
ANALYSED = ENDED | {
    "event_type": "platform_analysis_completed",
    "analysis_data": {"summary": "Said yes", "classification": "interested", "status": "analyzed"},
}
LAST = ENDED | {
    "event_type": "all_processing_completed",
    "call_cost": 0.15,
    "recording_url": "https://x.example/r",
    "platform_analysis": {"summary": "Said yes", "classification": "interested"},
    "platform_analysis_status": "success",
    "client_analysis": {"due": "paid"},
}
ALL = (STARTED, RETRY, COMPLETED, RECORDED, ANALYSED, LAST)


def tell(engine: sa.Engine, *payloads: dict[str, Any] | bytes, conn_id: str = "ringg") -> None:
    create_tables(engine, INBOX)
    with engine.begin() as connection:
        for second, payload in enumerate(payloads):
            body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            add(connection, INBOX, [Delivery.of(conn_id, body, NOW + dt.timedelta(seconds=second))])


def apply(engine: sa.Engine, **options: Any) -> ApplyCounts:
    return RinggApply(engine, "ringg", now=lambda: NOW + dt.timedelta(minutes=5), **options).run()


def all_of(engine: sa.Engine, table: sa.Table, *but: str) -> list[dict[str, Any]]:
    columns = [column for column in table.columns if column.name not in but]
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(*columns).order_by(columns[0])).mappings()]


def test_a_call_is_settled_by_its_last_webhook(engine: sa.Engine) -> None:
    tell(engine, *ALL)
    counts = apply(engine)
    assert counts == ApplyCounts(deliveries=6, told=1, inserted=1, settled=1, attempts=2, campaigns=1)
    (call,) = all_of(engine, CALLS)
    assert (call["status"], call["sub_status"], call["is_final"]) == ("completed", "ACCEPTED", True)
    assert (call["to_number_e164"], call["from_number"], call["callee_name"]) == ("+919876543210", "+912", "Priya")
    assert (float(call["cost"]), call["cost_final"], float(call["duration_seconds"])) == (0.15, True, 15.73)
    assert (call["summary"], call["client_analysis"]) == ("Said yes", {"due": "paid"})
    assert call["transcript"] == [{"speaker": "bot", "text": "Hi"}, {"speaker": "user", "text": "Yes"}]
    assert (call["history_state"], call["history_reason"]) == ("complete", None)
    assert call["settled_at"] == NOW + dt.timedelta(seconds=5)
    assert call["webhook_raw"]["custom_args_values"]["due_date"] == "12 August"
    assert "transcript" not in call["webhook_raw"]
    (campaign,) = all_of(engine, CAMPAIGNS)
    assert (campaign["campaign_id"], campaign["calls"], campaign["calls_reached"]) == ("list", 1, 1)
    # The platform has not said that it has ended, and nobody has read its calls.
    assert (campaign["history_state"], campaign["history_reason"]) == ("open", "calls are not read to the end")


def test_what_says_nothing_new_of_a_call_does_not_change_it(engine: sa.Engine) -> None:
    tell(engine, STARTED)
    assert apply(engine).inserted == 1
    tell(engine, LAST)
    assert apply(engine).changed == 1
    for number in range(2):
        tell(engine, LAST | {"copy": number})
        counts = apply(engine)
        assert (counts.told, counts.inserted, counts.changed) == (1, 0, 0)


def test_an_attempt_is_one_row_whoever_tells_of_it(engine: sa.Engine) -> None:
    tell(engine, COMPLETED, RETRY, LAST)
    apply(engine)
    rings = [(row["attempt"], row["status"], row["from_number"]) for row in all_of(engine, ATTEMPTS)]
    assert sorted(rings) == [(1, "Busy Line", "+911"), (2, "ACCEPTED", "+912")]
    assert {row["called_on"].microsecond for row in all_of(engine, ATTEMPTS)} == {250_000, 310_707}


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 3, 10])
def test_the_order_does_not_matter(sqlite: sa.Engine, batch: int) -> None:
    seen = set()
    clocks = ("status_since", "first_read_at", "changed_at", "read_at", "told_at", "settled_at")
    create_tables(sqlite, INBOX, CALLS, ATTEMPTS, CAMPAIGNS)
    for order in random.Random(batch).sample(list(itertools.permutations(ALL[1:])), 12):
        for table in (INBOX, CALLS, ATTEMPTS, CAMPAIGNS):
            with sqlite.begin() as connection:
                connection.execute(sa.delete(table))
        tell(sqlite, *order, *order[:2])
        apply(sqlite, batch=batch)
        seen.add(repr([all_of(sqlite, CALLS, *clocks), sorted(map(repr, all_of(sqlite, ATTEMPTS)))]))
    assert len(seen) == 1


def test_an_interim_retry_leaves_nothing_of_its_own_on_the_call_that_it_became(engine: sa.Engine) -> None:
    tell(engine, RETRY)
    apply(engine)
    (call,) = all_of(engine, CALLS)
    assert (call["status"], call["history_state"], call["duration_seconds"]) == ("retry", "open", None)
    failed = {**COMPLETED, "status": "failed", "call_duration": None, "transcript": []}
    tell(engine, failed, RETRY)
    apply(engine)
    (call,) = all_of(engine, CALLS)
    assert (call["status"], call["duration_seconds"]) == ("failed", None)


def test_a_call_that_was_not_settled_waits_for_the_platform(engine: sa.Engine) -> None:
    tell(engine, {**COMPLETED, "status": "failed", "sub_status": "no answer"})
    apply(engine)
    (call,) = all_of(engine, CALLS)
    assert (call["history_state"], call["history_reason"]) == ("open", "its last webhook has not come")
    listed = {"call_id": "c4", "status": "failed", "raw": {"id": "c4"}, "read_at": NOW + dt.timedelta(hours=1)}
    CallStore(engine, CALLS, Wanted(), lambda: NOW).merge([listed])
    (call,) = all_of(engine, CALLS)
    assert (call["history_state"], call["sub_status"], call["cost"]) == ("complete", "no answer", None)


def test_a_last_webhook_that_names_nobody_settles_nothing_alone(engine: sa.Engine) -> None:
    lean = {k: v for k, v in LAST.items() if k not in ("to_number", "from_number", "called_on", "created_at")}
    tell(engine, lean)
    apply(engine)
    (call,) = all_of(engine, CALLS)
    assert (call["history_state"], call["history_reason"]) == ("open", "its last webhook has not come")
    tell(engine, lean, COMPLETED)
    apply(engine)
    (call,) = all_of(engine, CALLS)
    assert (call["history_state"], call["to_number_e164"]) == ("complete", "+919876543210")
    assert float(call["cost"]) == 0.15


def test_what_the_platform_listed_of_a_call_that_ended_stands(engine: sa.Engine) -> None:
    create_tables(engine, CALLS)
    listed = {"call_id": "c4", "status": "completed", "sub_status": "ACCEPTED", "cost": 0.2, "raw": {"id": "c4"}}
    CallStore(engine, CALLS, Wanted(), lambda: NOW).merge([listed | {"read_at": NOW + dt.timedelta(hours=1)}])
    tell(engine, RETRY, LAST)
    apply(engine)
    (call,) = all_of(engine, CALLS)
    assert (call["status"], float(call["cost"]), call["raw"]) == ("completed", 0.2, {"id": "c4"})
    assert (call["summary"], call["history_state"]) == ("Said yes", "complete")


def test_what_was_erased_is_not_written_again(engine: sa.Engine) -> None:
    tell(engine, COMPLETED)
    apply(engine)
    with engine.begin() as connection:
        connection.execute(sa.update(CALLS).values(callee_name=None, erased_at=NOW))
    tell(engine, LAST)
    apply(engine)
    (call,) = all_of(engine, CALLS)
    assert (call["callee_name"], call["summary"]) == (None, None)


def test_what_cannot_be_read_stays_with_the_reason_and_fails_nothing(engine: sa.Engine) -> None:
    tell(engine, *GARBAGE, LAST)
    counts = apply(engine, workspace_id=WORKSPACE)
    assert (counts.deliveries, counts.unreadable, counts.ignored, counts.inserted) == (len(GARBAGE) + 1, 10, 1, 1)
    reasons = {row["unreadable"] for row in all_of(engine, INBOX)} - {None}
    assert reasons >= {"its event is not known", "call_id is missing", "workspace_id is of another workspace"}
    assert not [reason for reason in reasons if "heard" in reason or 'another"' in reason]
    assert apply(engine).deliveries == 0


def test_values_that_no_database_takes_are_cut_or_left_out(engine: sa.Engine) -> None:
    wild = LAST | {
        "agent_id": "x" * 500,
        "agent_name": "half \ud83d and \x00",
        "created_at": "0001-01-01T00:00:00Z",
        "called_on": 10**30,
        "call_duration": "many",
        "call_cost": 1e300,
        "attempts": ["none", {"called_on_time": "never"}, {"status": 7, "called_on_time": "9999-12-31T23:59:59Z"}],
        "platform_analysis": {"summary": ["a", {"b": 10**400}], "callback_requested": "maybe"},
        "large": 10**400,
    }
    tell(engine, wild)
    assert apply(engine).unreadable == 0
    (call,) = all_of(engine, CALLS)
    assert (len(call["agent_id"]), call["attempted_at"], call["cost"]) == (191, None, None)
    assert all_of(engine, ATTEMPTS) == []


def test_a_closed_campaign_is_opened_for_a_call_that_was_not_known(engine: sa.Engine) -> None:
    tell(engine, LAST)
    apply(engine)
    closed = {"history_state": "complete", "history_reason": None, "state": "completed", "status": "completed"}
    with engine.begin() as connection:
        connection.execute(sa.update(CAMPAIGNS).values(**closed))
    tell(engine, {**STARTED, "call_id": "another"})
    apply(engine)
    (campaign,) = all_of(engine, CAMPAIGNS)
    assert (campaign["history_state"], campaign["history_reason"]) == ("open", "calls await their last status")
    tell(engine, {**LAST, "call_id": "another"})
    apply(engine)
    (campaign,) = all_of(engine, CAMPAIGNS)
    assert (campaign["history_state"], campaign["calls"], campaign["calls_reached"]) == ("complete", 2, 2)


def test_only_the_connections_own_deliveries_are_applied(sqlite: sa.Engine) -> None:
    tell(sqlite, LAST, conn_id="another")
    assert apply(sqlite).deliveries == 0


def test_old_deliveries_are_purged_and_the_rows_stay(engine: sa.Engine) -> None:
    tell(engine, LAST)
    counts = apply(engine, purge_after=dt.timedelta(minutes=1))
    assert (counts.settled, counts.purged) == (1, 1)
    assert (all_of(engine, INBOX), len(all_of(engine, CALLS))) == ([], 1)


def test_smartalexs_calls_are_read_as_its_lists_have_them(engine: sa.Engine) -> None:
    call = {"id": "call_1", "campaign_id": "campaign_1", "phone_number": "+15551234567", "direction": "outbound"}
    ended = call | {"status": "no_answer", "duration": 0, "cost": 0.1, "created_at": "2026-08-04T12:25:00Z"}
    started = {"id": "evt_1", "type": "call.started", "data": call | {"status": "ringing"}}
    tell(engine, {"id": "evt_2", "type": "call.completed", "data": ended}, started, conn_id="smartalex")
    tell(engine, {"id": "evt_3", "type": "call.failed", "data": {"call_id": "call_2"}}, conn_id="smartalex")
    tell(engine, {"id": "evt_4", "type": "contact.dnc", "data": {"id": "c"}}, b"garbage", conn_id="smartalex")
    made = SmartAlexApply(engine, "smartalex", now=lambda: NOW)
    counts = made.run()
    assert (counts.deliveries, counts.inserted, counts.ignored, counts.unreadable) == (5, 2, 1, 1)
    tell(engine, {"id": "evt_5", "type": "call.completed", "data": ended}, conn_id="smartalex")
    again = SmartAlexApply(engine, "smartalex", now=lambda: NOW).run()
    assert (again.told, again.inserted, again.changed) == (1, 0, 0)
    tell(engine, {"id": "evt_6", "type": "call.completed", "data": ended | {"cost": 0.2}}, conn_id="smartalex")
    assert SmartAlexApply(engine, "smartalex", now=lambda: NOW).run().changed == 1
    one, two = all_of(engine, smartalex_calls_table())
    assert (one["status"], one["is_final"], one["campaign_id"]) == ("no_answer", True, "campaign_1")
    assert (two["call_id"], two["status"], two["is_final"]) == ("call_2", "failed", True)
