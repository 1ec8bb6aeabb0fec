"""`docs/tables.md` says what the tables are; the columns in it are written by this file, the SQL in it is run here."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.callbacks.table import callbacks_table as promises_table
from ringg_provider.contacts.people import people_table
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.history.attempts import attempts_table
from ringg_provider.history.counts import counts_table
from ringg_provider.history.outcomes import create_outcomes_view
from ringg_provider.history.smartalex import CallLoad, callbacks_table, smartalex_calls_table
from ringg_provider.history.tables import calls_table, campaigns_table, state_table
from ringg_provider.inbox.store import inbox_table
from ringg_provider.launch.table import launches
from ringg_provider.publish.marks import publications_table
from ringg_provider.smartalex.requests import CallFilter, Generation
from ringg_provider.smartalex.responses import Call
from tests.support.databases import Warehouse

DOCUMENT = Path(__file__).parents[2] / "docs" / "tables.md"
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
LONG_AGO = NOW - dt.timedelta(days=400)


def described(table: sa.Table) -> str:
    """The columns of a table as the document lists them."""
    lines = ["| column | type | source | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        source, meaning = column.info["source"], column.info["meaning"]
        key = " (key)" if column.primary_key else ""
        lines.append(f"| `{column.name}`{key} | {_type_name(column.type)} | {source} | {meaning} |")
    return "\n".join(lines)


def _type_name(column_type: Any) -> str:
    name = type(column_type).__name__
    return {
        "String": f"text, up to {getattr(column_type, 'length', '')}",
        "Text": "text",
        "Boolean": "boolean",
        "BigInteger": "bigint",
        "Integer": "integer",
        "UtcDateTime": "timestamp, UTC",
        "Json": "JSON",
        "Numeric": f"numeric({getattr(column_type, 'precision', '')}, {getattr(column_type, 'scale', '')})",
    }[name]


TABLES = [
    calls_table(),
    attempts_table(),
    campaigns_table(),
    state_table(),
    counts_table(),
    smartalex_calls_table(),
    callbacks_table(),
    publications_table(),
    inbox_table(),
    promises_table(),
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_is_in_the_document_as_it_is_in_the_code(table: sa.Table) -> None:
    assert described(table) in DOCUMENT.read_text(), "copy this into docs/tables.md:\n" + described(table)


@pytest.mark.parametrize("table", [people_table(), launches], ids=lambda table: table.name)
def test_every_column_of_the_other_tables_is_mentioned(table: sa.Table) -> None:
    section = DOCUMENT.read_text().partition(f"## `{table.name}`")[2].partition("\n## ")[0]
    for column in table.columns:
        assert f"`{column.name}`" in section, f"{table.name}.{column.name}"


def snippet(name: str) -> list[str]:
    """The statements of one named block of SQL in the document."""
    block = re.search(rf"<!-- {name} -->\n```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert block, f"the document has no SQL named {name}"
    return [statement for statement in block[1].split(";") if statement.strip()]


def _people(engine: sa.Engine) -> tuple[sa.Table, sa.Table]:
    contacts, calls = people_table(), calls_table()
    contacts.create(engine)
    calls.create(engine)
    with engine.begin() as connection:
        for days, who in ((400, "+919800000001"), (2, "+919800000002")):
            at = NOW - dt.timedelta(days=days)
            connection.execute(
                sa.insert(calls).values(
                    call_id=f"call-{days}",
                    bulk_list_id="list",
                    to_number=who,
                    to_number_e164=who,
                    callee_name="Asha Rao",
                    status="completed",
                    is_final=True,
                    created_at=at,
                    attempted_at=at,
                    duration_seconds=20,
                    transcript=[{"speaker": "user", "text": "my secret"}],
                    summary="my secret",
                    platform_analysis={"summary": "my secret"},
                    client_analysis={"why": "my secret"},
                    recording_url="https://x.example/my-secret",
                    recording_path="s3://bucket/my-secret",
                    raw={"name": "Asha Rao", "to_number": who},
                    details_raw={"said": "my secret"},
                    webhook_raw={"custom_args_values": {"said": "my secret"}},
                    history_state="complete",
                )
            )
            connection.execute(
                sa.insert(contacts).values(
                    launch_key="k",
                    contact_key=f"person-{days}",
                    occurrence=1,
                    list_id="list",
                    phone=who,
                    disposition="listed",
                    recorded_at=at,
                )
            )
    return contacts, calls


def _run(engine: sa.Engine, name: str, **parameters: Any) -> None:
    with engine.begin() as connection:
        for statement in snippet(name):
            bound = {key: value for key, value in parameters.items() if f":{key}" in statement}
            typed = [sa.bindparam(key, type_=calls_table().c.created_at.type) for key in bound if key == "before"]
            connection.execute(sa.text(statement).bindparams(*typed), bound)


def _everything(engine: sa.Engine, *tables: sa.Table) -> dict[str, str]:
    with engine.connect() as connection:
        return {row[0]: repr(row) for table in tables for row in connection.execute(sa.select(table))}


def test_erasing_what_was_said_takes_old_calls_and_leaves_new_ones(engine: sa.Engine) -> None:
    _, calls = _people(engine)
    _run(engine, "erase what was said", before=NOW - dt.timedelta(days=90))
    found = _everything(engine, calls)
    assert "my secret" not in found["call-400"]
    assert "my-secret" not in found["call-400"]
    assert "Asha" not in found["call-400"]
    assert "my secret" in found["call-2"]
    with engine.connect() as connection:
        erased = connection.execute(sa.select(calls.c.call_id).where(calls.c.erased_at.is_not(None))).scalars().all()
    assert erased == ["call-400"]


@pytest.fixture(params=["postgresql", "sqlite"])
def hashing(request: pytest.FixtureRequest, sqlite: sa.Engine) -> sa.Engine:
    """An empty PostgreSQL; and a SQLite that was given the functions that it lacks, for the rest of the statements."""
    if request.param == "postgresql":
        warehouse: Warehouse = request.getfixturevalue("warehouse")
        return warehouse.engine

    def add_functions(connection: Any, _record: Any) -> None:
        connection.create_function("convert_to", 2, lambda text, _encoding: None if text is None else text.encode())
        connection.create_function("sha256", 1, lambda data: None if data is None else hashlib.sha256(data).digest())
        connection.create_function("encode", 2, lambda data, _form: None if data is None else data.hex())

    sa.event.listen(sqlite, "connect", add_functions)
    return sqlite


def test_hashing_numbers_takes_the_number_and_keeps_the_join(hashing: sa.Engine) -> None:
    contacts, calls = _people(hashing)
    create_outcomes_view(hashing, contacts, calls)
    _run(hashing, "hash numbers", before=NOW - dt.timedelta(days=90), salt="pepper")
    with hashing.connect() as connection:
        everything = repr(connection.execute(sa.select(calls)).all()) + repr(
            connection.execute(sa.select(contacts)).all()
        )
        rows = connection.execute(sa.text("SELECT contact_key, calls FROM ringg_outcomes"))
        outcomes = {row.contact_key: row.calls for row in rows}
    assert "9800000001" not in everything
    assert "9800000002" in everything
    assert outcomes == {"person-400": 1, "person-2": 1}


def test_erasing_and_hashing_take_calls_without_a_time_and_who_called_in(hashing: sa.Engine) -> None:
    contacts, calls = _people(hashing)
    old, young = NOW - dt.timedelta(days=400), NOW - dt.timedelta(days=2)
    same = {"history_state": "complete", "transcript": [{"text": "my secret"}], "bulk_list_id": "other"}
    with hashing.begin() as connection:
        for row in (
            {"call_id": "timeless", "to_number": "+919800000007", "to_number_e164": "+919800000007"},
            {
                "call_id": "inbound",
                "from_number": "+919800000008",
                "call_type": "inbound",
                "to_number": "+918031000001",
            },
            {"call_id": "unreadable", "to_number": "9800000009"},
        ):
            connection.execute(sa.insert(calls).values(first_read_at=old, **same, **row))
        # Listed before the day in question, called after it.
        late = {"call_id": "late", "to_number_e164": "+919800000010", "created_at": young, "status": "completed"}
        connection.execute(sa.insert(calls).values(**same, **late))
        listed = {"launch_key": "k", "occurrence": 1, "list_id": "other", "disposition": "listed", "recorded_at": old}
        connection.execute(sa.insert(contacts).values(contact_key="person-late", phone="+919800000010", **listed))
    create_outcomes_view(hashing, contacts, calls)
    before = NOW - dt.timedelta(days=90)
    _run(hashing, "erase what was said", before=before)
    _run(hashing, "hash numbers", before=before, salt="pepper")
    found = _everything(hashing, calls)
    for call_id in ("timeless", "inbound", "unreadable"):
        assert "my secret" not in found[call_id]
        assert "98000000" not in found[call_id]
    with hashing.connect() as connection:
        reached = sa.text("SELECT reached FROM ringg_outcomes WHERE contact_key = 'person-late'")
        assert connection.execute(reached).scalar_one()


def test_hashing_numbers_takes_keys_that_are_numbers_too(hashing: sa.Engine) -> None:
    contacts, calls = _people(hashing)
    create_outcomes_view(hashing, contacts, calls)
    rows = [
        # key, phone, disposition: without a contact_key; what is in the phone cell; a key with and without a number
        ("+919800000001", "+919800000001", "listed"),
        ("+919800000003", "+919800000003", "duplicate"),
        ("98000 00004 or 98000 00005", None, "phone_unreadable"),
        ("", None, "phone_missing"),
        ("C6", "+919800000006", "suppressed"),
    ]
    with hashing.begin() as connection:
        for age, launch_key in ((400, "old"), (2, "new")):
            same = {"launch_key": launch_key, "occurrence": 1, "list_id": "list"}
            at = NOW - dt.timedelta(days=age)
            for key, phone, disposition in rows:
                row = {"contact_key": key, "phone": phone, "disposition": disposition, "recorded_at": at}
                connection.execute(sa.insert(contacts).values(**same, **row))

    def of(launch_key: str) -> list[tuple[str, str | None]]:
        query = sa.select(contacts.c.contact_key, contacts.c.phone).where(contacts.c.launch_key == launch_key)
        with hashing.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]

    for _ in range(2):  # again changes nothing
        _run(hashing, "hash numbers", before=NOW - dt.timedelta(days=90), salt="pepper")
        found = of("old")
        assert "98000" not in repr(found)
        assert {key for key, _ in found} >= {"", "C6"}
        hashed = "sha:" + hashlib.sha256(b"pepper+919800000001").hexdigest()[:16]
        assert (hashed, hashed) in found
        assert len({key for key, _ in found}) == len(rows)
    assert sorted(of("new"), key=repr) == sorted(((key, phone) for key, phone, _ in rows), key=repr)
    with hashing.connect() as connection:
        counted = connection.execute(
            sa.text("SELECT calls FROM ringg_outcomes WHERE contact_key = :key"), {"key": hashed}
        )
        assert counted.scalar_one() == 1


def test_a_hashed_number_is_no_number_to_the_frequency_cap() -> None:
    hashed = ["sha:1234567890123456", "sha:98450000019e4567", "sha:a4f0000000000001"]
    assert PhoneCleaner("+91").numbers_of([*hashed, "+919845000001"]) == [919845000001]


def test_tonights_query_takes_a_started_list_without_calls_for_uncalled(engine: sa.Engine) -> None:
    """Which is why the document puts it behind `require_history_within`."""
    contacts, calls = _people(engine)
    create_outcomes_view(engine, contacts, calls)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE contacts (contact_id integer)"))
        connection.execute(sa.text("INSERT INTO contacts VALUES (7), (8), (9)"))
        for key, phone in (("7", "+919800000001"), ("8", "+919800000008")):  # the first was reached
            row = {"contact_key": key, "phone": phone, "list_id": "list", "disposition": "listed", "recorded_at": NOW}
            connection.execute(sa.insert(contacts).values(launch_key="t", occurrence=1, **row))
    with engine.connect() as connection:
        (statement,) = snippet("tonight's query")
        assert sorted(connection.execute(sa.text(statement)).scalars()) == [8, 9]


class _SmartAlex:
    """A platform that lists one old call, whatever is asked for."""

    generation = Generation.OLD

    def __init__(self) -> None:
        contact = {"id": "p1", "phone": "+15551230001", "first_name": "Asha"}
        at = (NOW - dt.timedelta(days=400)).isoformat()
        self.row = {"id": "call-1", "contact": contact, "status": "completed", "created_at": at}
        self.details = self.row | {"summary": "my secret", "transcript": [{"text": "my secret"}]}
        self.asked = 0

    def iter_calls(self, _wanted: CallFilter) -> Iterator[Call]:
        yield Call.read(self.row)

    def get_call(self, _call_id: str) -> Call:
        self.asked += 1
        return Call.read(self.details)


def test_smartalex_calls_are_erased_until_they_are_read_again(engine: sa.Engine) -> None:
    platform = _SmartAlex()
    load = CallLoad(platform, engine, now=lambda: NOW)  # type: ignore[arg-type]
    load.run()
    row = _everything(engine, load.table)["call-1"]
    assert "my secret" in row
    assert "Asha" in row
    _run(engine, "erase what SmartAlex said", before=NOW - dt.timedelta(days=500))
    assert "my secret" in _everything(engine, load.table)["call-1"]
    _run(engine, "erase what SmartAlex said", before=NOW - dt.timedelta(days=90))
    row = _everything(engine, load.table)["call-1"]
    assert "my secret" not in row
    assert "Asha" not in row
    load.run(["campaign"])
    row = _everything(engine, load.table)["call-1"]
    assert "Asha" in row
    assert "my secret" not in row
    assert platform.asked == 1


def test_smartalex_numbers_become_hashes(hashing: sa.Engine) -> None:
    load = CallLoad(_SmartAlex(), hashing, now=lambda: NOW)  # type: ignore[arg-type]
    load.run()
    for _ in range(2):
        _run(hashing, "hash SmartAlex numbers", before=NOW - dt.timedelta(days=90), salt="pepper")
        row = _everything(hashing, load.table)["call-1"]
        assert "15551230001" not in row
        assert "sha:" + hashlib.sha256(b"pepper+15551230001").hexdigest()[:16] in row
    load.run(["campaign"])
    assert "+15551230001" in _everything(hashing, load.table)["call-1"]


def test_smartalex_callbacks_that_were_made_are_deleted(engine: sa.Engine) -> None:
    table = callbacks_table()
    table.create(engine)
    long_ago, lately = NOW - dt.timedelta(days=400), NOW - dt.timedelta(days=2)
    with engine.begin() as connection:
        for key, state, done_at in (("a/+1/1", "done", long_ago), ("b", "done", lately), ("c", "pending", None)):
            connection.execute(sa.insert(table).values(callback_id=key, state=state, done_at=done_at, read_at=long_ago))
    _run(engine, "delete SmartAlex callbacks", before=NOW - dt.timedelta(days=90))
    assert set(_everything(engine, table)) == {"b", "c"}


def test_the_recordings_to_delete_can_be_listed(engine: sa.Engine) -> None:
    _people(engine)
    with engine.connect() as connection:
        (statement,) = snippet("recordings to delete")
        before = sa.bindparam("before", NOW - dt.timedelta(days=90), type_=calls_table().c.created_at.type)
        assert connection.execute(sa.text(statement).bindparams(before)).scalars().all() == ["s3://bucket/my-secret"]
