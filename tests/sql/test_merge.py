"""Merging by key, on the databases that are at hand, and as SQL for those that are not."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import threading
import traceback
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, registry
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect

from ringg_provider.exceptions import DatabaseUnavailable, QueryFailed
from ringg_provider.history.merging import Wanted, carried_over, completeness, moves_forward
from ringg_provider.history.tables import calls_table, campaigns_table
from ringg_provider.sql.creating import described
from ringg_provider.sql.dialects import database_behind
from ringg_provider.sql.merge import MergeCounts, merge_rows, statements
from ringg_provider.sql.types import Json, Key, Money, UtcDateTime
from tests.support.mariadb import temporary_tables_named_twice

HOLDS_STATE = ["postgresql", "mysql", "mariadb", "sqlite", "duckdb"]
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def _table() -> sa.Table:
    return described(
        "things",
        sa.Column("id", Key, primary_key=True),
        sa.Column("version", sa.Integer),
        sa.Column("note", sa.Text),
        sa.Column("moment", UtcDateTime),
        sa.Column("price", Money),
        sa.Column("document", Json),
    )


@pytest.fixture
def table(engine: sa.Engine) -> sa.Table:
    things = _table()
    things.create(engine)
    return things


def _rows(engine: sa.Engine, table: sa.Table) -> dict[str, dict[str, Any]]:
    with engine.connect() as connection:
        return {row["id"]: dict(row) for row in connection.execute(sa.select(table)).mappings()}


def test_new_rows_are_inserted_and_stored_ones_replaced(engine: sa.Engine, table: sa.Table) -> None:
    assert merge_rows(engine, table, [{"id": "a", "version": 1}, {"id": "b", "version": 1}], keys=["id"]) == (
        MergeCounts(inserted=2)
    )
    assert merge_rows(engine, table, [{"id": "b", "version": 2}, {"id": "c", "version": 2}], keys=["id"]) == (
        MergeCounts(inserted=1, updated=1)
    )
    assert {key: row["version"] for key, row in _rows(engine, table).items()} == {"a": 1, "b": 2, "c": 2}


def test_values_come_back_as_they_went_in(engine: sa.Engine, table: sa.Table) -> None:
    ist = dt.timezone(dt.timedelta(hours=5, minutes=30))
    row = {
        "id": "a",
        "moment": dt.datetime(2026, 3, 1, 17, 30, 0, 123456, tzinfo=ist),
        "price": Decimal("1234.500001"),
        "document": {"यह": ["é", 1.5, None, True], "nested": {"quote": "\"'\\"}},
        "note": "line\nbreak\ttab \\N %s %(x)s ; 'quoted' \u200d",
        "version": 1,
    }
    merge_rows(engine, table, [row], keys=["id"])
    stored = _rows(engine, table)["a"]
    assert stored["moment"] == row["moment"]
    assert stored["moment"].utcoffset() == dt.timedelta(0)
    assert Decimal(str(stored["price"])) == row["price"]
    assert stored["document"] == row["document"]
    assert stored["note"] == row["note"]


def test_empty_text_is_not_null_and_null_is_not_empty_text(engine: sa.Engine, table: sa.Table) -> None:
    merge_rows(engine, table, [{"id": "a", "note": ""}, {"id": "b", "note": None}], keys=["id"])
    stored = _rows(engine, table)
    assert stored["a"]["note"] == ""
    assert stored["b"]["note"] is None
    assert stored["b"]["document"] is None


def test_the_last_row_of_a_key_wins_within_one_merge(engine: sa.Engine, table: sa.Table) -> None:
    rows = [{"id": "a", "version": version} for version in range(7)]
    assert merge_rows(engine, table, rows, keys=["id"], batch_size=3) == MergeCounts(inserted=1)
    assert _rows(engine, table)["a"]["version"] == 6


def test_a_stored_row_that_is_further_on_stays(engine: sa.Engine, table: sa.Table) -> None:
    def newer(stored: Any, staged: Any) -> Any:
        return staged["version"] >= stored["version"]

    merge_rows(engine, table, [{"id": "a", "version": 5, "note": "later"}], keys=["id"], supersedes=newer)
    counts = merge_rows(
        engine,
        table,
        [{"id": "a", "version": 4, "note": "earlier"}, {"id": "b", "version": 1}],
        keys=["id"],
        supersedes=newer,
    )
    assert counts == MergeCounts(inserted=1, kept=1)
    assert _rows(engine, table)["a"]["note"] == "later"


def test_a_comparison_with_null_keeps_the_stored_row(engine: sa.Engine, table: sa.Table) -> None:
    merge_rows(engine, table, [{"id": "a", "version": None, "note": "stored"}], keys=["id"])
    counts = merge_rows(
        engine,
        table,
        [{"id": "a", "version": 1, "note": "new"}],
        keys=["id"],
        supersedes=lambda stored, staged: staged["version"] >= stored["version"],
    )
    assert counts == MergeCounts(kept=1)
    assert _rows(engine, table)["a"]["note"] == "stored"


def test_what_a_row_does_not_say_is_carried_over(engine: sa.Engine, table: sa.Table) -> None:
    merge_rows(engine, table, [{"id": "a", "note": "kept", "document": {"kept": 1}, "version": 1}], keys=["id"])
    merge_rows(engine, table, [{"id": "a", "moment": NOON}], keys=["id"], carry_over=["note", "document"])
    stored = _rows(engine, table)["a"]
    assert stored["note"] == "kept"
    assert stored["document"] == {"kept": 1}
    assert stored["version"] is None
    assert stored["moment"] == NOON


def test_derived_columns_are_computed_from_the_row_as_it_will_stand(engine: sa.Engine, table: sa.Table) -> None:
    def count(stored: Any, staged: Any, merged: Any) -> Any:
        return {"version": sa.func.coalesce(stored["version"], 0) + 1}

    for _ in range(3):
        merge_rows(engine, table, [{"id": "a", "note": "x"}], keys=["id"], derive=count)
    assert _rows(engine, table)["a"]["version"] == 3


def test_a_row_that_says_nothing_new_is_updated_and_not_changed(engine: sa.Engine, table: sa.Table) -> None:
    def merge(*rows: dict[str, Any]) -> MergeCounts:
        return merge_rows(
            engine,
            table,
            rows,
            keys=["id"],
            news=lambda stored, merged: merged["note"].is_distinct_from(stored["note"]),
        )

    first = {"id": "a", "version": 1, "note": "x", "price": Decimal("0.15")}
    assert merge(first, {"id": "b", "version": 1}) == MergeCounts(inserted=2)
    assert merge(first | {"version": 2}, {"id": "b", "version": 2}) == MergeCounts(updated=2)
    assert merge(first | {"note": None}, {"id": "b", "note": "y"}) == MergeCounts(updated=2, changed=2)


def test_several_columns_can_be_the_key(engine: sa.Engine) -> None:
    pairs = described(
        "pairs",
        sa.Column("list_id", Key, primary_key=True),
        sa.Column("phone", Key, primary_key=True),
        sa.Column("n", sa.Integer),
    )
    pairs.create(engine)
    first = [{"list_id": "l", "phone": str(n), "n": 1} for n in range(4)]
    merge_rows(engine, pairs, first, keys=["list_id", "phone"])
    counts = merge_rows(
        engine,
        pairs,
        [{"list_id": "l", "phone": "3", "n": 2}, {"list_id": "m", "phone": "3", "n": 2}],
        keys=["list_id", "phone"],
    )
    assert counts == MergeCounts(inserted=1, updated=1)


def test_no_temporary_table_is_left_behind(engine: sa.Engine, table: sa.Table) -> None:
    merge_rows(engine, table, [{"id": "a"}], keys=["id"])
    with pytest.raises(ZeroDivisionError):
        merge_rows(engine, table, ({"id": str(1 // n)} for n in (1, 0)), keys=["id"], batch_size=1)
    inspector = sa.inspect(engine)
    assert set(inspector.get_table_names()) == {"things"}
    assert inspector.get_temp_table_names() == [] if engine.dialect.name == "sqlite" else True


def test_a_source_that_fails_half_way_changes_nothing(engine: sa.Engine, table: sa.Table) -> None:
    def failing() -> Iterator[dict[str, Any]]:
        yield from ({"id": str(n), "version": 2} for n in range(10))
        raise RuntimeError("the platform went away")

    merge_rows(engine, table, [{"id": "1", "version": 1}], keys=["id"])
    with pytest.raises(RuntimeError):
        merge_rows(engine, table, failing(), keys=["id"], batch_size=3)
    assert {key: row["version"] for key, row in _rows(engine, table).items()} == {"1": 1}


def test_a_refused_row_shows_in_no_error_and_no_log(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    strict = _table()
    strict.c.note.nullable = False
    strict.create(engine)
    personal = {"id": "+919812345678", "version": 1, "note": None, "document": {"name": "Asha Rao"}}
    with pytest.raises(QueryFailed) as caught:
        merge_rows(engine, strict, [{"id": "fine", "note": "fine"}, personal], keys=["id"])
    seen = "".join(traceback.format_exception(caught.value)) + caplog.text + "".join(capfd.readouterr())
    assert "9812345678" not in seen
    assert "Asha" not in seen
    assert "things" in str(caught.value)
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert _rows(engine, strict) == {}


def test_two_merges_at_once_end_like_one_after_the_other(engine: sa.Engine, table: sa.Table) -> None:
    if engine.dialect.name == "duckdb":
        engine = sa.create_engine(engine.url, poolclass=sa.pool.NullPool)
    start = threading.Barrier(4)
    failures: list[BaseException] = []

    def merge(worker: int) -> None:
        try:
            start.wait()
            for turn in range(5):
                rows = [{"id": str(n), "version": worker * 100 + turn} for n in range(50)]
                merge_rows(
                    engine, table, rows, keys=["id"], supersedes=lambda old, new: new["version"] >= old["version"]
                )
        except BaseException as failure:  # noqa: BLE001 - shown below
            failures.append(failure)

    workers = [threading.Thread(target=merge, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert {row["version"] for row in _rows(engine, table).values()} == {304}
    assert len(_rows(engine, table)) == 50


def test_a_merge_whose_connection_is_lost_at_any_statement_is_done_wholly_or_not_at_all(
    engine: sa.Engine, table: sa.Table
) -> None:
    first, then = [{"id": "a", "version": 1}], [{"id": "a", "version": 2}, {"id": "b", "version": 2}]
    merge_rows(engine, table, first, keys=["id"])
    before, after = {"a": 1}, {"a": 2, "b": 2}
    at_all = False
    for last in itertools.count(1):
        left = itertools.count(last, -1)

        def cut(connection: sa.Connection, *_: Any, left: Iterator[int] = left) -> None:
            if next(left) == 0:
                connection.connection.driver_connection.close()  # type: ignore[union-attr]

        sa.event.listen(engine, "before_cursor_execute", cut)
        try:
            merge_rows(engine, table, then, keys=["id"])
            break
        except (DatabaseUnavailable, QueryFailed):
            pass
        finally:
            sa.event.remove(engine, "before_cursor_execute", cut)
        versions = {key: row["version"] for key, row in _rows(engine, table).items()}
        at_all = at_all or versions == after  # only what was left to tidy up failed
        assert versions == (after if at_all else before)
    assert last > 6
    assert {key: row["version"] for key, row in _rows(engine, table).items()} == after
    assert len(_rows(engine, table)) == 2


def test_a_row_that_is_stored_twice_is_stored_once_after_the_next_merge(engine: sa.Engine) -> None:
    loose = _table()
    with engine.begin() as connection:
        # As somebody may have made it by hand: nothing enforces its key.
        made = str(sa.schema.CreateTable(loose).compile(engine))
        connection.execute(sa.text(made.replace(", \n\tPRIMARY KEY (id)", "")))
        stored = [{"id": "a", "version": version, "note": "kept"} for version in (1, 3, 2)]
        connection.execute(sa.insert(loose), [*stored, {"id": "b", "version": 1, "note": "kept"}])

    def merge(version: int) -> MergeCounts:
        return merge_rows(
            engine,
            loose,
            [{"id": "a", "version": version}],
            keys=["id"],
            supersedes=lambda old, new: new["version"] >= old["version"],
            carry_over=["note"],
        )

    def versions() -> list[tuple[str, int, str]]:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.select(loose.c.id, loose.c.version, loose.c.note))]

    # One of the three is further on.
    assert merge(2) == MergeCounts(kept=1)
    assert len(versions()) == 4
    assert merge(4) == MergeCounts(updated=1)
    assert sorted(versions()) == [("a", 4, "kept"), ("b", 1, "kept")]
    assert merge(5) == MergeCounts(updated=1)


def _dialect(name: str) -> Any:
    return {"mysql": mysql.dialect, "mariadb": MariaDBDialect}.get(name, registry.load(name))()


@pytest.mark.parametrize("name", HOLDS_STATE)
@pytest.mark.parametrize("table", [calls_table(schema="voice"), campaigns_table()], ids=lambda table: table.name)
def test_every_statement_of_a_merge_is_one_that_each_database_has(name: str, table: sa.Table) -> None:
    dialect = _dialect(name)
    calls = table.name == "ringg_calls"
    made = statements(
        table,
        keys=[next(iter(table.primary_key)).name],
        supersedes=moves_forward if calls else None,
        carry_over=carried_over(table) if calls else (),
        derive=completeness(Wanted(client_analysis=True, recording=True)) if calls else None,
        database=database_behind(dialect),
    )
    sql = [" ".join(str(statement.compile(dialect=dialect)).split()) for statement in made]
    create_staging, create_merged, stage, _, merge, _, delete, insert, *drops = sql
    assert all(drop.startswith("DROP TABLE") for drop in drops)
    assert create_staging.startswith("CREATE TEMPORARY TABLE")
    assert create_merged.startswith("CREATE TEMPORARY TABLE")
    assert stage.startswith("INSERT INTO")
    assert merge.startswith("INSERT INTO")
    assert "LEFT OUTER JOIN" in merge
    assert "row_number() OVER" in merge
    assert delete.startswith("DELETE FROM")
    # MySQL and MariaDB would run a subquery for every stored row.
    assert (" IN (SELECT " in delete) == (name not in ("mysql", "mariadb"))
    assert insert.startswith("INSERT INTO")
    assert not any(map(temporary_tables_named_twice, sql))
    # Nothing that only some databases have.
    for word in ("MERGE ", "ON CONFLICT", "ON DUPLICATE", "IS DISTINCT", "RETURNING", "IDENTITY"):
        assert word not in " ".join(sql)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mysql", {"created_at": "DATETIME(6)", "raw": "JSON", "cost": "NUMERIC(18, 6)", "summary": "LONGTEXT"}),
        ("mariadb", {"created_at": "DATETIME(6)", "raw": "JSON", "cost": "NUMERIC(18, 6)", "summary": "LONGTEXT"}),
        ("duckdb", {"created_at": "TIMESTAMP WITHOUT TIME ZONE", "raw": "JSON", "cost": "NUMERIC(18, 6)"}),
        ("sqlite", {"created_at": "DATETIME", "raw": "JSON", "cost": "FLOAT"}),
        ("postgresql", {"created_at": "TIMESTAMP WITH TIME ZONE", "raw": "JSONB", "cost": "NUMERIC(18, 6)"}),
    ],
)
def test_column_types_are_those_of_the_database(name: str, expected: dict[str, str]) -> None:
    dialect = _dialect(name)
    columns = calls_table().c
    found = {column: columns[column].type.compile(dialect=dialect) for column in expected}
    assert found == expected
