"""A table that an older version made gets what it lacks by itself, loses nothing, and takes what is written today."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from ringg_provider.contacts.people import PeopleLedger, PeopleSpool, people_table
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.exceptions import QueryFailed
from ringg_provider.history.counts import counts_table
from ringg_provider.history.smartalex import callbacks_table, smartalex_calls_table
from ringg_provider.history.tables import calls_table, campaigns_table, state_table
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.table import launches
from ringg_provider.launch.terms import Intent
from ringg_provider.publish.changes import noted_table
from ringg_provider.publish.marks import publications_table
from ringg_provider.sql.creating import columns_of, create_tables, described, is_there
from ringg_provider.sql.merge import merge_rows
from tests.support.databases import Warehouse

#: What `CREATE TABLE` was at commits of this repository's history, by SQLAlchemy's name of the database.
OLDER = Path(__file__).with_name("older")
TABLES = {
    table.name: table
    for table in (
        calls_table(),
        campaigns_table(),
        state_table(),
        counts_table(),
        people_table(),
        launches,
        smartalex_calls_table(),
        callbacks_table(),
        publications_table(),
        noted_table(calls_table()),
    )
}
#: The kinds of database, and SQLAlchemy's names of them.
KINDS = {"psycopg": "postgresql", "sqlite": "sqlite", "mariadb": "mysql", "duckdb": "duckdb"}
_BY_TWO = """
import sys, sqlalchemy as sa
from ringg_provider.sql.creating import create_tables
from tests.sql.test_older_tables import TABLES
engine = sa.create_engine(sys.argv[1])
engine.connect().close()
print("ready", flush=True)
sys.stdin.readline()
create_tables(engine, TABLES[sys.argv[2]])
"""


def older(dialect: str) -> Iterator[tuple[str, list[str]]]:
    for part in (OLDER / f"{dialect}.sql").read_text().split("-- ")[1:]:
        version, _, script = part.partition("\n")
        yield version, [one for one in script.split(";\n") if one.strip()]


def make(engine: sa.Engine, version: str) -> sa.Table:
    """The table as it was."""
    with engine.begin() as connection:
        for statement in dict(older(engine.dialect.name))[version]:
            connection.exec_driver_sql(statement)
    return TABLES[version.partition(" ")[0]]


def _stripped(table: sa.Table) -> sa.Table:
    """A table as an older version may have had it: with nothing that may be NULL, and without indexes."""
    kept = [column for column in table.columns if not column.nullable]
    return described(
        table.name,
        *(sa.Column(column.name, column.type, primary_key=column.primary_key, nullable=False) for column in kept),
    )


def _two_at_once(engine: sa.Engine, table: sa.Table) -> None:
    """As two workers do: by two processes. DuckDB's file is open to one alone."""
    if engine.dialect.name == "duckdb":
        create_tables(engine, table)
        return
    command = [sys.executable, "-c", _BY_TWO, engine.url.render_as_string(hide_password=False), table.name]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for one in both:
        assert one.stdout.readline() == "ready\n", one.communicate()
    for one in both:
        one.stdin.write("\n")
        one.stdin.flush()
    for one in both:
        _, errors = one.communicate(timeout=120)
        assert one.returncode == 0, errors


def _indexes(engine: sa.Engine, table: sa.Table) -> set[tuple[str | None, ...]]:
    return {tuple(index["column_names"]) for index in sa.inspect(engine).get_indexes(table.name)}


def _statements(engine: sa.Engine, table: sa.Table) -> list[str]:
    """What is altered when a table is completed once more."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    create_tables(engine, table)
    sa.event.remove(engine, "before_cursor_execute", note)
    return [one for one in seen if one.lstrip().upper().startswith(("ALTER", "CREATE", "DROP"))]


@pytest.mark.parametrize(
    ("engine", "version"),
    [(kind, version) for kind, dialect in KINDS.items() for version, _ in older(dialect)],
    indirect=["engine"],
)
def test_a_table_of_an_older_version_is_completed_by_two_at_once(engine: sa.Engine, version: str) -> None:
    table = make(engine, version)
    before = columns_of(engine, table)
    _two_at_once(engine, table)
    assert columns_of(engine, table) == before | {column.name for column in table.columns}
    if engine.dialect.name != "duckdb":
        assert {tuple(index.columns.keys()) for index in table.indexes} <= _indexes(engine, table)
    assert _statements(engine, table) == []


@pytest.mark.parametrize(
    ("engine", "version"),
    [(kind, version) for kind, dialect in KINDS.items() for version, _ in older(dialect)],
    indirect=["engine"],
)
def test_what_is_written_today_goes_into_a_table_of_an_older_version(
    engine: sa.Engine, version: str, tmp_path: Path
) -> None:
    table = make(engine, version)
    if table.name == "ringg_launches":
        item = LaunchItem(list_id="list", flow="standard", agent_id="agent", country_code="+91", rows=1)
        ledger = LaunchLedger(engine)
        ledger.replace_set("key", [item])
        assert ledger.for_key("key").claim(Intent("list", "fingerprint", {})) is None
        assert ledger.started_set("key") == [item]
    elif table.name == "ringg_contacts":
        with Scratch(tmp_path) as scratch:
            spool = PeopleSpool(scratch)
            spool.listed(1, ["+919876543210"], None)
            spool.close()
            PeopleLedger(engine).replace("key", spool, {1: "list"})
    else:
        create_tables(engine, table)
        (key,) = table.primary_key
        for _ in range(2):
            merge_rows(engine, table, [{key.name: "a"}], keys=[key.name])
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 1


@pytest.mark.parametrize("name", sorted(TABLES))
def test_any_table_gets_whatever_it_lacks(engine: sa.Engine, name: str) -> None:
    table = TABLES[name]
    create_tables(engine, _stripped(table))
    assert columns_of(engine, table) == {column.name for column in table.columns if not column.nullable}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: create_tables(engine, table), range(4)))
    assert columns_of(engine, table) == {column.name for column in table.columns}
    if engine.dialect.name != "duckdb":
        assert {tuple(index.columns.keys()) for index in table.indexes} <= _indexes(engine, table)
    assert _statements(engine, table) == []


def test_a_column_added_to_a_table_of_another_schema_lands_there(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE SCHEMA voice")
    table = calls_table(schema="voice")
    warehouse.execute("CREATE TABLE voice.ringg_calls (call_id varchar(191) PRIMARY KEY)")
    create_tables(warehouse.engine, table)
    assert columns_of(warehouse.engine, table) == {column.name for column in table.columns}
    assert not is_there(warehouse.engine, calls_table())


def _as_user_who_may_not_alter(database: Warehouse) -> sa.Engine:
    """One who reads and writes the tables, and owns none."""
    rights = "SELECT, INSERT, UPDATE, DELETE"
    if database.engine.dialect.name == "postgresql":
        database.execute("CREATE ROLE writer LOGIN PASSWORD 'writes'")
        database.execute("GRANT USAGE ON SCHEMA public TO writer")
        database.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO writer")
    else:
        database.execute("CREATE OR REPLACE USER writer IDENTIFIED BY 'writes'")
        database.execute(f"GRANT {rights}, CREATE TEMPORARY TABLES ON `{database.engine.url.database}`.* TO writer")
    return sa.create_engine(database.engine.url.set(username="writer", password="writes"))


@pytest.mark.parametrize("fixture", ["warehouse", "mariadb_warehouse"])
def test_who_may_not_alter_is_told_the_columns_and_the_statements(fixture: str, request: pytest.FixtureRequest) -> None:
    database: Warehouse = request.getfixturevalue(fixture)
    table = make(database.engine, "ringg_calls of 811d38f")
    writer = _as_user_who_may_not_alter(database)
    try:
        with pytest.raises(QueryFailed) as caught:
            create_tables(writer, table)
        text = str(caught.value)
        lacks = "details_raw, webhook_raw, told_at, settled_at, changed_at, erased_at"
        assert f"ringg_calls' was made by an older version and lacks {lacks}" in text
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        run = text.partition("may alter it run: ")[2].partition(". What happened")[0].split("; ")
        assert [one.partition(" ADD ")[0] for one in run] == ["ALTER TABLE ringg_calls"] * len(lacks.split(", "))
        for statement in run:
            database.execute(statement)
        create_tables(writer, table)
        assert columns_of(writer, table) >= {column.name for column in table.columns}
    finally:
        writer.dispose()
        if fixture == "warehouse":
            database.execute("DROP OWNED BY writer")
            database.execute("DROP ROLE writer")


@pytest.mark.parametrize("fixture", ["warehouse", "mariadb_warehouse"])
def test_an_index_that_cannot_be_made_stops_nobody(
    fixture: str, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    database: Warehouse = request.getfixturevalue(fixture)
    table = TABLES["ringg_calls"]
    bare = described(table.name, *(sa.Column(one.name, one.type, primary_key=one.primary_key) for one in table.columns))
    create_tables(database.engine, bare)
    writer = _as_user_who_may_not_alter(database)
    try:
        create_tables(writer, table)
        assert "Table ringg_calls has no index on to_number_e164" in caplog.text
    finally:
        writer.dispose()
        if fixture == "warehouse":
            database.execute("DROP OWNED BY writer")
            database.execute("DROP ROLE writer")
