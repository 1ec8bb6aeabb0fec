"""The people ledger: one row per row of the query, the same after any number of retries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.contacts.cells import MAX_KEY
from ringg_provider.contacts.people import PeopleLedger, PeopleSpool, people_table
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.exceptions import QueryFailed
from ringg_provider.history.tables import calls_table
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.merge import MergeCounts, merge_rows
from tests.support.databases import Warehouse, engines

BAD = Rejection(Disposition.PHONE_UNREADABLE, "letters in the number")


engine = engines("psycopg", "psycopg2", "sqlite", "duckdb", "mariadb")


@pytest.fixture
def scratch() -> Iterator[Scratch]:
    """A private folder."""
    with Scratch() as folder:
        yield folder


def rows(engine: sa.Engine, *columns: str) -> list[tuple[Any, ...]]:
    """What stands in the table."""
    table = people_table()
    picked = (
        [table.c[name] for name in columns]
        if columns
        else [c for c in table.c if c.name not in ("recorded_at", "wave")]
    )
    keys = (table.c.launch_key, table.c.contact_key, table.c.occurrence)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*picked).order_by(*keys))]


def spool_of(scratch: Scratch) -> PeopleSpool:
    """Listed people with and without a key of their own, and one that is not listed."""
    spool = PeopleSpool(scratch)
    spool.listed(1, ["+919876543210", "+919876543211"], None)
    spool.listed(2, ["+919876543212"], ["key\twith\\odd\nsigns\r"])
    spool.rejected(BAD, "", "N/A")
    spool.rejected(Rejection(Disposition.DUPLICATE), "+919876543210", "+919876543210")
    spool.close()
    return spool


EXPECTED = [
    ("run", "+919876543210", 1, "list-1", "+919876543210", "listed", None),
    ("run", "+919876543210", 2, None, "+919876543210", "duplicate", None),
    ("run", "+919876543211", 1, "list-1", "+919876543211", "listed", None),
    ("run", "N/A", 1, None, None, "phone_unreadable", "letters in the number"),
    ("run", "key\twith\\odd\nsigns\r", 1, "list-2", "+919876543212", "listed", None),
]


def test_every_row_has_its_key_its_list_and_its_reason(engine: sa.Engine, scratch: Scratch) -> None:
    PeopleLedger(engine).replace("run", spool_of(scratch), {1: "list-1", 2: "list-2"})
    assert rows(engine) == EXPECTED


def test_a_retry_replaces_and_does_not_double(engine: sa.Engine, scratch: Scratch) -> None:
    spool = spool_of(scratch)
    ledger = PeopleLedger(engine)
    ledger.replace("run", spool, {1: "old-1", 2: "old-2"})
    ledger.replace("another run", spool, {1: "a", 2: "b"})
    ledger.replace("run", spool, {1: "list-1", 2: "list-2"})
    assert [row for row in rows(engine) if row[0] == "run"] == EXPECTED
    assert len(rows(engine)) == 10


def test_a_write_that_fails_half_way_changes_nothing(engine: sa.Engine, scratch: Scratch) -> None:
    spool = spool_of(scratch)
    ledger = PeopleLedger(engine)
    ledger.replace("run", spool, {1: "list-1", 2: "list-2"})
    broken = sa.text("ALTER TABLE ringg_contacts RENAME COLUMN disposition TO dispo")
    repaired = sa.text("ALTER TABLE ringg_contacts RENAME COLUMN dispo TO disposition")
    with engine.begin() as connection:
        connection.execute(broken)
    with pytest.raises(QueryFailed, match="ringg_contacts"):
        ledger.replace("run", spool, {1: "other-1", 2: "other-2"})
    with engine.begin() as connection:
        if engine.name == "mysql":  # which undoes no ALTER TABLE: the column that was missing was added, and stays
            connection.execute(sa.text("ALTER TABLE ringg_contacts DROP COLUMN disposition"))
        connection.execute(repaired)
    assert rows(engine) == EXPECTED


def test_no_temporary_table_stays_on_a_pooled_connection(engine: sa.Engine, scratch: Scratch) -> None:
    spool = spool_of(scratch)
    for _ in range(3):
        PeopleLedger(engine).replace("run", spool, {1: "list-1", 2: "list-2"})
    with engine.connect() as connection:
        tables = sa.inspect(connection).get_temp_table_names() if engine.name == "postgresql" else []
        assert tables == []


def test_the_platforms_own_report_is_merged_by_list_and_number(engine: sa.Engine, scratch: Scratch) -> None:
    invalid = {"list-1": {"+919876543211": "not on a network"}, "list-2": {"+919876543210": "of the other list"}}
    PeopleLedger(engine).replace("run", spool_of(scratch), {1: "list-1", 2: "list-2"}, invalid)
    assert [row for row in rows(engine, "phone", "disposition", "detail") if row[1] == "rejected_by_platform"] == [
        ("+919876543211", "rejected_by_platform", "not on a network")
    ]


def test_people_whose_list_was_not_uploaded_are_not_listed(engine: sa.Engine, scratch: Scratch) -> None:
    PeopleLedger(engine).replace("run", spool_of(scratch), {}, why_not_uploaded="a dry run")
    told = {row for row in rows(engine, "list_id", "disposition", "detail") if row[1] != "duplicate"}
    assert told == {(None, "not_uploaded", "a dry run"), (None, "phone_unreadable", "letters in the number")}


def test_a_run_that_works_removes_the_rows_of_the_refused_one(engine: sa.Engine, scratch: Scratch) -> None:
    spool = spool_of(scratch)
    ledger = PeopleLedger(engine)
    ledger.replace("run (refused)", spool, {}, why_not_uploaded="too many")
    ledger.replace("run", spool, {1: "list-1", 2: "list-2"}, instead_of="run (refused)")
    assert rows(engine) == EXPECTED


def test_long_and_odd_keys_are_kept_as_far_as_they_fit(engine: sa.Engine, scratch: Scratch) -> None:
    spool = PeopleSpool(scratch)
    spool.rejected(BAD, "", "x" * 1000)
    spool.rejected(BAD, "", "nul\0and half a pair \ud800")
    spool.rejected(BAD, "", "\\N")
    spool.rejected(BAD, "", "")
    spool.close()
    PeopleLedger(engine).replace("run", spool, {})
    assert [row[0] for row in rows(engine, "contact_key")] == ["", "\\N", "nuland half a pair ?", "x" * MAX_KEY]
    assert sorted(person.contact_key for person in spool) == ["", "\\N", "nuland half a pair ?", "x" * MAX_KEY]


@pytest.mark.parametrize("database", ["warehouse", "mariadb_warehouse"])
def test_a_table_in_a_schema_of_its_own(request: pytest.FixtureRequest, scratch: Scratch, database: str) -> None:
    warehouse: Warehouse = request.getfixturevalue(database)
    warehouse.execute("CREATE SCHEMA crm")
    try:
        spool, ledger = spool_of(scratch), PeopleLedger(warehouse.engine, "crm.people")
        for _ in range(2):
            ledger.replace("run", spool, {1: "a", 2: "b"})
        assert warehouse.query("SELECT count(*) AS n FROM crm.people") == [{"n": 5}]
        calls = calls_table(schema="crm")
        create_tables(warehouse.engine, calls)
        for inserted in (1, 0):
            counts = merge_rows(warehouse.engine, calls, [{"call_id": "a"}], keys=["call_id"])
            assert counts == MergeCounts(inserted=inserted, updated=1 - inserted)
    finally:
        warehouse.execute("DROP SCHEMA crm" + (" CASCADE" if database == "warehouse" else ""))


def test_an_error_of_the_database_quotes_nobody(warehouse: Warehouse, scratch: Scratch) -> None:
    warehouse.execute("CREATE TABLE ringg_contacts AS SELECT '' AS launch_key, '' AS contact_key, 1 AS occurrence")
    with pytest.raises(QueryFailed) as caught:
        PeopleLedger(warehouse.engine).replace("run", spool_of(scratch), {1: "a", 2: "b"})
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert not any("98765" in str(error) for error in chain)
