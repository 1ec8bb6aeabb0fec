"""Promises in a real database, out of the tables of calls, as a DAG has them loaded."""

from __future__ import annotations

import datetime as dt
import random
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.callbacks.loading import PromiseCounts, PromiseLoad, PromiseTerms
from ringg_provider.callbacks.reading import Instant, Span
from ringg_provider.callbacks.settling import WITHDRAWN, settle
from ringg_provider.callbacks.smartalex import SmartAlexPromises
from ringg_provider.callbacks.table import callbacks_table
from ringg_provider.contacts.people import people_table
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.smartalex import callbacks_table as pending_table
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.tables import calls_table
from tests.callbacks.people import HOURS, NOON, NUMBER, hours
from tests.support.databases import engines

DOCS = Path(__file__).parents[2] / "docs"
FIVE = NOON + hours(5)
CALLS, PROMISES, CONTACTS = calls_table(), callbacks_table(), people_table()

#: The databases that hold the state.
engine = engines("psycopg", "sqlite", "mariadb")


def call(call_id: str, at: dt.datetime, asks: str | None = None, **more: Any) -> dict[str, Any]:
    """A row of `ringg_calls`."""
    told = {"callback_requested": asks is not None, "callback_requested_time": asks}
    row = {"call_id": call_id, "to_number_e164": NUMBER, "status": "completed", "is_final": True, "attempted_at": at}
    return {**row, "agent_id": "agent", "bulk_list_id": "list", "changed_at": at, "created_at": at, **told, **more}


def write(engine: sa.Engine, *rows: dict[str, Any], table: sa.Table = CALLS) -> None:
    table.create(engine, checkfirst=True)
    with engine.begin() as connection:
        for row in rows:
            connection.execute(sa.insert(table).values(**row))


def load(engine: sa.Engine, now: dt.datetime) -> PromiseCounts:
    return PromiseLoad(
        engine, CALLS, PromiseTerms(HOURS), PROMISES, CONTACTS, conn_id="ringg_default", now=lambda: now
    ).run()


def promises(engine: sa.Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(PROMISES).order_by("promise_id")).mappings()]


def change(engine: sa.Engine, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(sa.update(PROMISES).values(**values))


def test_a_promise_comes_is_moved_and_is_kept(engine: sa.Engine) -> None:
    write(
        engine, call("a", NOON, FIVE.isoformat(), callee_name="Asha"), call("x", NOON, to_number_e164="+919800000002")
    )
    contact = {"launch_key": "k", "contact_key": "C7", "occurrence": 1, "list_id": "list", "phone": NUMBER}
    write(engine, {**contact, "disposition": "listed", "recorded_at": NOON}, table=CONTACTS)
    assert load(engine, NOON + hours(1)) == PromiseCounts(new=1, open=1)
    (row,) = promises(engine)
    assert (row["due_at"], row["contact_key"], row["callee_name"]) == (FIVE, "C7", "Asha")
    assert (row["conn_id"], row["timezone"], row["settled_by"]) == ("ringg_default", "Asia/Calcutta", "platform words")
    assert load(engine, NOON + hours(1)) == PromiseCounts(open=1)

    write(engine, call("b", NOON + hours(2), (FIVE + hours(1)).isoformat()))
    assert load(engine, NOON + hours(2)) == PromiseCounts(moved=1, open=1)
    write(engine, call("c", FIVE + hours(1.1), call_type="callback", bulk_list_id=None))
    assert load(engine, FIVE + hours(2)) == PromiseCounts(kept=1)
    (row,) = promises(engine)
    assert (row["promise_id"], row["asked_call_id"], row["kept_call_id"], row["seconds_late"]) == ("a", "b", "c", 360)
    assert load(engine, FIVE + hours(40)) == PromiseCounts()


def test_an_erased_promise_does_not_come_back_with_the_call_that_moved_it(engine: sa.Engine) -> None:
    write(engine, call("a", NOON, FIVE.isoformat()))
    load(engine, NOON)
    write(engine, call("b", NOON + hours(1), (FIVE + hours(1)).isoformat()))
    load(engine, NOON + hours(1))
    change(engine, erased_at=NOON + hours(2), to_number_e164=None, words=None, callee_name=None)
    with engine.begin() as connection:
        connection.execute(sa.delete(CALLS).where(CALLS.c.call_id == "a"))
    assert load(engine, NOON + hours(2)).new == 0
    assert [row["promise_id"] for row in promises(engine)] == ["a"]


def test_who_calls_has_kept_it_and_may_ask_too(engine: sa.Engine) -> None:
    inbound = {"call_type": "inbound", "from_number": NUMBER, "to_number_e164": "+918031000001"}
    write(engine, call("a", NOON, FIVE.isoformat(), **inbound))
    assert load(engine, NOON).new == 1
    write(engine, call("b", FIVE, **inbound))
    assert load(engine, FIVE + hours(1)).kept == 1


def test_a_machine_that_says_call_later_is_promised_nothing(engine: sa.Engine) -> None:
    write(engine, call("a", NOON, FIVE.isoformat(), sub_status="VOICEMAIL_DETECTED"), call("b", NOON, status="failed"))
    assert load(engine, NOON) == PromiseCounts()


def test_nobody_called_is_missed_and_a_call_that_is_read_late_still_counts(engine: sa.Engine) -> None:
    write(engine, call("a", NOON, FIVE.isoformat()))
    load(engine, NOON)
    assert load(engine, FIVE + hours(30)).missed == 1
    write(engine, call("b", FIVE, changed_at=FIVE + hours(31)))
    assert load(engine, FIVE + hours(32)).kept == 1


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_the_same_whatever_order_calls_are_read_in(engine: sa.Engine, seed: int) -> None:
    chance, now = random.Random(seed), NOON + hours(60)
    rows = []
    for number in range(60):
        at = NOON + dt.timedelta(minutes=chance.randrange(3_000))
        when = (at + hours(chance.randrange(1, 30))).isoformat()
        asks = chance.choice([None, when, when, "some day"])
        status = "completed" if asks else chance.choice(["completed", "failed"])
        who = f"+91980000{chance.randrange(12):04}"
        rows.append(call(f"call-{number}", at, asks, status=status, to_number_e164=who, changed_at=now))
    write(engine, *rows)
    load(engine, now)
    at_once = [{**row, "changed_at": None, "first_seen_at": None} for row in promises(engine)]
    assert len({row["state"] for row in at_once}) >= 3
    with engine.begin() as connection:
        connection.execute(sa.delete(CALLS))
        connection.execute(sa.delete(PROMISES))
    chance.shuffle(rows)
    for begin in range(0, 60, 20):
        write(engine, *rows[begin : begin + 20])
        load(engine, now)
    assert [{**row, "changed_at": None, "first_seen_at": None} for row in promises(engine)] == at_once


def test_a_person_settles_what_is_unclear_and_nothing_else(engine: sa.Engine) -> None:
    write(engine, call("a", NOON, "some day"))
    assert load(engine, NOON).unclear == 1
    with pytest.raises(InvalidRequest, match="when"):
        settle(engine, PROMISES, "a", Instant(NOON - hours(1)), by="Asha", now=NOON)
    with pytest.raises(InvalidRequest, match="by"):
        settle(engine, PROMISES, "a", Instant(FIVE), by=" ", now=NOON)
    assert settle(engine, PROMISES, "a", Span(FIVE, FIVE + hours(1)), by="Asha", now=NOON)
    load(engine, NOON + hours(1))
    (row,) = promises(engine)
    assert (row["state"], row["due_at"], row["settled_by"]) == ("open", FIVE + hours(0.5), "person:Asha")
    change(engine, state="listed", claim_key="key")
    assert not settle(engine, PROMISES, "a", WITHDRAWN, by="Asha", now=NOON)
    change(engine, state="open", claim_key=None)
    assert settle(engine, PROMISES, "a", WITHDRAWN, by="Asha", now=NOON)
    load(engine, NOON + hours(1))
    (row,) = promises(engine)
    assert (row["state"], row["state_reason"]) == ("withdrawn", "a person said so")
    assert not settle(engine, PROMISES, "nobody", WITHDRAWN, by="Asha", now=NOON)


def test_a_settled_time_outside_lawful_hours_is_moved_into_them(engine: sa.Engine) -> None:
    write(engine, call("a", NOON, "some day"))
    load(engine, NOON)
    night, morning = NOON + hours(14), NOON + hours(21)  # 02:00 and 09:00 in India
    settle(engine, PROMISES, "a", Instant(night), by="Asha", now=NOON)
    load(engine, NOON + hours(1))
    (row,) = promises(engine)
    assert (row["due_at"], row["earliest_at"], row["settled_by"]) == (morning, night, "person:Asha")


def test_an_erased_promise_is_not_made_anew(engine: sa.Engine) -> None:
    write(engine, call("a", NOON, FIVE.isoformat()))
    load(engine, NOON)
    change(engine, to_number_e164=None, words=None, callee_name=None, contact_key=None, erased_at=NOON)
    before = promises(engine)
    load(engine, NOON)
    assert promises(engine) == before


def test_a_table_of_calls_that_is_not_there_is_told(engine: sa.Engine) -> None:
    with pytest.raises(InvalidRequest, match="there is no table ringg_calls"):
        load(engine, NOON)


def test_smartalex_keeps_its_callbacks_or_not(engine: sa.Engine) -> None:
    pending, calls = pending_table(), smartalex_calls_table()
    made = {"campaign_id": "c", "agent_id": "agent", "first_read_at": NOON, "state": "pending", "scheduled_at": FIVE}
    people = {"kept": 1, "silent": 2, "again": 3, "never": 4}
    rows = [
        {**made, "callback_id": who, "contact_id": who, "to_number_e164": f"+91980000000{digit}"}
        for who, digit in people.items()
    ]
    rows.append({**rows[2], "callback_id": "again/+1", "scheduled_at": FIVE + hours(24)})
    write(engine, *rows, table=pending)
    write(engine, table=calls)
    bring = SmartAlexPromises(engine, pending, calls, PromiseTerms(HOURS), PROMISES, now=lambda: NOON)
    counts = bring.run()
    assert (counts.new, counts.open, counts.withdrawn) == (5, 4, 1)
    at = FIVE + dt.timedelta(minutes=20)
    rang = {"created_at": at, "first_read_at": at, "is_final": True}
    write(
        engine,
        {**rang, "call_id": "1", "contact_id": "kept", "status": "completed"},
        {**rang, "call_id": "2", "contact_id": "silent", "status": "no_answer"},
        table=calls,
    )
    bring.now = lambda: FIVE + hours(6)
    bring.run()
    found = {row["promise_id"]: (row["state"], row["state_reason"]) for row in promises(engine)}
    assert found["kept"] == ("late", None)
    assert found["silent"] == ("missed", "they were called and not reached")
    assert found["never"] == ("missed", "the platform did not call")
    assert found["again"] == ("withdrawn", "a later promise replaced it")
    (waiting,) = (of for of in found if of.startswith("callback-"))  # whose own id has a number in it
    assert found[waiting][0] == "open"


def snippet(page: str, name: str) -> str:
    """A named block of SQL of the documentation."""
    block = re.search(rf"<!-- {name} -->\n```sql\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert block, f"{page} has no SQL named {name}"
    return block[1]


def by_hand(engine: sa.Engine, page: str, name: str, **values: Any) -> int:
    """Run a statement of the documentation: how many rows it changed."""
    typed = [
        sa.bindparam(key, value, type_=PROMISES.c.due_at.type if isinstance(value, dt.datetime) else sa.String)
        for key, value in values.items()
    ]
    with engine.begin() as connection:
        return connection.execute(sa.text(snippet(page, name)).bindparams(*typed)).rowcount


def test_the_page_settles_by_hand_as_the_button_does(engine: sa.Engine) -> None:
    write(engine, call("a", NOON, "some day"), call("b", NOON, "some day", to_number_e164="+919800000002"))
    load(engine, NOON)
    with engine.connect() as connection:
        waiting = connection.execute(sa.text(snippet("promises.md", "what is unclear"))).all()
    assert sorted(row.promise_id for row in waiting) == ["a", "b"]
    same = {"promise_id": "a", "who": "person:Asha"}
    assert by_hand(engine, "promises.md", "settle a promise", at=FIVE, **same) == 1
    settle(engine, PROMISES, "b", Instant(FIVE), by="Asha", now=NOON)
    one, other = ({**row, "changed_at": None} for row in promises(engine))
    differ = ("promise_id", "asked_call_id", "to_number_e164")
    assert {name: one[name] for name in one if name not in differ} == {
        name: other[name] for name in other if name not in differ
    }
    load(engine, NOON + hours(1))
    assert {row["state"] for row in promises(engine)} == {"open"}
    assert by_hand(engine, "promises.md", "withdraw a promise", **same) == 1
    assert by_hand(engine, "promises.md", "withdraw a promise", **same) == 0
    assert load(engine, NOON + hours(1)) == PromiseCounts(open=1)


def test_what_has_ended_is_erased_by_the_documented_statement(engine: sa.Engine) -> None:
    write(engine, call("a", NOON, FIVE.isoformat(), callee_name="Asha"))
    load(engine, NOON)
    assert by_hand(engine, "tables.md", "erase promises", before=NOON + hours(1)) == 0
    load(engine, NOON + hours(48))
    assert by_hand(engine, "tables.md", "erase promises", before=NOON + hours(1)) == 1
    assert "Asha" not in repr(promises(engine))
    assert NUMBER not in repr(promises(engine))
    assert load(engine, NOON + hours(48)) == PromiseCounts()
