"""Tables and views are made where they are missing, by two at once too; a name may have its schema in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect

from ringg_provider.contacts.people import people_table
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.smartalex import callbacks_table, smartalex_calls_table
from ringg_provider.history.tables import calls_table, campaigns_table, state_table
from ringg_provider.inbox.store import inbox_table
from ringg_provider.launch.table import launches
from ringg_provider.publish.changes import noted_table
from ringg_provider.publish.marks import publications_table
from ringg_provider.sql.creating import (
    add_missing_columns,
    columns_of,
    create_tables,
    create_view,
    described,
    existing,
    is_there,
    temporary_table,
)
from tests.support.databases import Warehouse


def _things(schema: str | None = None) -> sa.Table:
    return described("things", sa.Column("id", sa.String(20), primary_key=True), schema=schema)


def _at_once(call: Callable[[], object], times: int = 4) -> list[BaseException]:
    start, failures = threading.Barrier(times), []

    def run() -> None:
        start.wait()
        try:
            call()
        except BaseException as failure:  # noqa: BLE001 - shown by the test
            failures.append(failure)

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


TABLES = [calls_table(), campaigns_table(), state_table(), people_table(), launches]
TABLES += [smartalex_calls_table(), callbacks_table(), inbox_table()]
TABLES += [*map(noted_table, TABLES), publications_table()]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("dialect", [mysql.dialect(), MariaDBDialect()], ids=lambda dialect: dialect.name)
def test_each_table_on_mysql_keeps_all_scripts_and_fractions_of_seconds(dialect: Any, table: sa.Table) -> None:
    made = str(sa.schema.CreateTable(table).compile(dialect=dialect))
    assert made.rstrip().endswith(")ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin")
    assert "DATETIME" not in made.replace("DATETIME(6)", "")
    # Four bytes a character, and no index may have more: https://dev.mysql.com/doc/refman/8.4/en/innodb-limits.html
    unique = [each for each in table.constraints if isinstance(each, sa.UniqueConstraint)]
    for key in (table.primary_key, *unique, *table.indexes):
        assert sum(4 * (getattr(column.type, "length", None) or 2) for column in key.columns) <= 3072


@pytest.mark.parametrize("describe", [people_table, calls_table, campaigns_table, described])
def test_a_name_may_have_its_schema_in_it(describe: Callable[..., sa.Table]) -> None:
    assert (describe("calls").name, describe("calls").schema) == ("calls", None)
    assert (describe("calls", schema="voice").name, describe("calls", schema="voice").schema) == ("calls", "voice")
    assert (describe("voice.calls").name, describe("voice.calls").schema) == ("calls", "voice")
    assert (describe("db.voice.calls").name, describe("db.voice.calls").schema) == ("calls", "db.voice")
    with pytest.raises(InvalidRequest, match="another one is given"):
        describe("voice.calls", schema="other")
    for wrong in ("", ".", "voice.", ".calls"):
        with pytest.raises(InvalidRequest, match="with or without its schema"):
            describe(wrong)


def test_the_parameter_that_names_a_table_is_named(engine: sa.Engine) -> None:
    with pytest.raises(InvalidRequest) as caught:
        people_table("crm.")
    assert caught.value.field == "contacts_table"
    assert not is_there(engine, _things())


def test_an_older_table_gets_what_it_lacks_and_loses_nothing(engine: sa.Engine) -> None:
    create_tables(engine, described("things", sa.Column("id", sa.String(20)), sa.Column("of_old", sa.Integer)))
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO things VALUES ('a', 1)"))
    newer = described("things", sa.Column("id", sa.String(20)), sa.Column("Note", sa.Text), sa.Column("seen", sa.Date))
    assert _at_once(lambda: add_missing_columns(engine, newer)) == []
    add_missing_columns(engine, newer)
    with engine.connect() as connection:
        (row,) = connection.execute(sa.text("SELECT * FROM things")).mappings()
    assert dict(row) == {"id": "a", "of_old": 1, "Note": None, "seen": None}


def test_a_column_that_cannot_be_added_is_told(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.SQLAlchemyError):
        add_missing_columns(engine, _things())


def test_a_table_is_made_where_it_is_missing_and_left_where_it_is(engine: sa.Engine) -> None:
    create_tables(engine, _things())
    with engine.begin() as connection:
        connection.execute(sa.insert(_things()), {"id": "a"})
    create_tables(engine, _things())
    assert is_there(engine, _things())
    with engine.connect() as connection:
        assert list(connection.execute(sa.select(_things().c.id)).scalars()) == ["a"]


@pytest.mark.parametrize("kind", ["table", "view"])
def test_four_at_once_make_one(engine: sa.Engine, kind: str) -> None:
    things, view = _things(), described("all_things")
    if kind == "view":
        create_tables(engine, things)
    for _ in range(5):
        if kind == "view":
            assert _at_once(lambda: create_view(engine, view, sa.select(things))) == []
        else:
            assert _at_once(lambda: create_tables(engine, things)) == []
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP {kind} {(view if kind == 'view' else things).name}")


def test_a_table_that_cannot_be_made_is_an_error(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError):
        create_tables(engine, _things("nowhere"))


def test_the_view_that_there_is_tells_its_statement(engine: sa.Engine) -> None:
    create_tables(engine, _things())
    view = described("all_things")
    assert create_view(engine, view, sa.select(_things())) is None
    assert "things" in (create_view(engine, view, sa.select(_things())) or "")


def test_a_schema_that_an_engine_translates_is_looked_into(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE SCHEMA voice")
    translated = warehouse.engine.execution_options(schema_translate_map={None: "voice"})
    create_tables(translated, _things())
    assert is_there(translated, _things())
    assert not is_there(warehouse.engine, _things())


def test_temporary_tables_go_whatever_happens(engine: sa.Engine) -> None:
    temporary = temporary_table("things", sa.Column("id", sa.String(20), primary_key=True))
    other = temporary_table("things", sa.Column("id", sa.String(20), primary_key=True))
    assert temporary.name != other.name
    with engine.connect() as connection:
        with pytest.raises(ZeroDivisionError), existing(connection, temporary, other), connection.begin():
            connection.execute(sa.insert(temporary), {"id": str(1 // 0)})
        with existing(connection, temporary, other), connection.begin():
            connection.execute(sa.insert(temporary), {"id": "a"})
        with pytest.raises(sa.exc.DBAPIError):
            connection.execute(sa.select(temporary))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_each_table_and_its_indexes_are_made_for_real(engine: sa.Engine, table: sa.Table) -> None:
    create_tables(engine, table)
    assert columns_of(engine, table) == {column.name for column in table.columns}
    if engine.dialect.name != "duckdb":  # SQLAlchemy asks it for its indexes as it asks PostgreSQL
        made = {index["name"] for index in sa.inspect(engine).get_indexes(table.name)}
        assert {index.name for index in table.indexes} <= made
