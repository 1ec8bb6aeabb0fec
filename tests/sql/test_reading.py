"""Queries are read in batches, from the server where plain cursors hold everything, and errors quote nobody."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time as clock
from collections.abc import Iterator
from contextlib import closing
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import psycopg2
import pytest
import sqlalchemy as sa

from ringg_provider.contacts.cells import column_texts
from ringg_provider.exceptions import DatabaseUnavailable, InvalidRequest, QueryFailed
from ringg_provider.sql.reading import open_rows
from ringg_provider.sql.values import Geography, read_alike, readers
from tests.support.databases import Warehouse

SERIES = "SELECT n AS id, 'Person ' || n AS name FROM generate_series(1, 25) AS n ORDER BY n"


@pytest.fixture(params=["psycopg", "psycopg2"])
def postgresql(request: pytest.FixtureRequest, warehouse: Warehouse) -> Iterator[Any]:
    """A connection of each driver."""
    dsn = sa.make_url(warehouse.url).set(drivername="postgresql").render_as_string(hide_password=False)
    driver = {"psycopg": psycopg, "psycopg2": psycopg2}[request.param]
    with closing(driver.connect(dsn)) as connection:
        yield connection


def test_a_batch_is_all_that_is_fetched_at_a_time(postgresql: Any) -> None:
    with open_rows(postgresql, SERIES, batch_rows=10) as rows:
        assert rows.columns == ("id", "name")
        first = next(rows.batches)
        assert [row[0] for row in first] == list(range(1, 11))
        with closing(postgresql.cursor()) as other:
            other.execute("SELECT count(*) FROM pg_cursors")
            assert other.fetchone()[0] == 1, "the rest must still be on the server"
        assert [len(batch) for batch in rows.batches] == [10, 5]


def test_parameters_are_bound_in_the_drivers_style(postgresql: Any) -> None:
    with open_rows(postgresql, "SELECT %(name)s::text AS name, '100%%' AS share", {"name": "O'Hara"}) as rows:
        assert [tuple(row) for batch in rows.batches for row in batch] == [("O'Hara", "100%")]
    with open_rows(postgresql, "SELECT '100%' AS share") as rows:
        assert [tuple(row) for batch in rows.batches for row in batch] == [("100%",)]


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("SELECT %(n)s AS n WHERE 'A' LIKE 'A%'", 1),
        ("SELECT %(n)s AS n\n-- 100 % of them", 2),
        ("SELECT %(n)s AS n, 7 % 2 AS rest", 1),
        ("SELECT %(n)s AS n, '%%%' AS x", 1),
    ],
)
def test_a_single_percent_sign_beside_parameters_is_told_with_its_line(postgresql: Any, sql: str, line: int) -> None:
    rule = rf"^sql: line {line} has a single %.*write %% for every other"
    with pytest.raises(InvalidRequest, match=rule), open_rows(postgresql, sql, {"n": 1}):
        pass


def test_a_doubled_percent_sign_is_one_beside_parameters(postgresql: Any) -> None:
    with open_rows(postgresql, "SELECT %(n)s AS n, '5%%' AS x -- %%\n WHERE 'A' LIKE '%%'", {"n": 1}) as rows:
        assert [tuple(row) for batch in rows.batches for row in batch] == [(1, "5%")]
    with open_rows(postgresql, "SELECT %s AS n, 7 %% 2 AS rest", [1]) as rows:
        assert [tuple(row) for batch in rows.batches for row in batch] == [(1, 1)]


def test_rows_are_tuples_whatever_the_connection_prefers(warehouse: Warehouse) -> None:
    dsn = sa.make_url(warehouse.url).set(drivername="postgresql").render_as_string(hide_password=False)
    with (
        closing(psycopg.connect(dsn, row_factory=psycopg.rows.dict_row)) as connection,
        open_rows(connection, SERIES) as rows,
    ):
        assert next(rows.batches)[0] == (1, "Person 1")


@pytest.mark.parametrize("sql", ["SELECT n FROM generate_series(1, 0) AS n", SERIES + ";"])
def test_no_rows_and_a_semicolon_are_fine(postgresql: Any, sql: str) -> None:
    with open_rows(postgresql, sql) as rows:
        assert sum(len(batch) for batch in rows.batches) in (0, 25)


def test_a_broken_query_says_what_is_wrong_with_it(postgresql: Any) -> None:
    with (
        pytest.raises(QueryFailed, match='relation "nobody" does not exist'),
        open_rows(postgresql, "SELECT 1 FROM nobody"),
    ):
        pass


def test_an_error_about_data_does_not_quote_it(postgresql: Any) -> None:
    sql = (
        "SELECT CASE WHEN n < 20 THEN 1 ELSE ('+91987654321' || n)::uuid::text::int END"
        " AS x FROM generate_series(1, 25) AS n"
    )
    with pytest.raises(QueryFailed) as caught, open_rows(postgresql, sql, batch_rows=10) as rows:
        list(rows.batches)
    assert "SQLSTATE 22" in str(caught.value)
    assert not any("98765" in str(error) for error in (caught.value, caught.value.__cause__, caught.value.__context__))


class Late(BaseException):
    """What a timeout raises in the middle of whatever is done."""


@pytest.mark.parametrize("where", ["while it waits for the server", "while it works on a batch"])
def test_a_timeout_does_not_wait_for_a_server_that_does_not_answer(warehouse: Warehouse, where: str) -> None:
    dsn = sa.make_url(warehouse.url).set(drivername="postgresql").render_as_string(hide_password=False)

    def late(*_: Any) -> None:
        raise Late

    def read() -> None:
        sql = "SELECT n, CASE WHEN n = 15 THEN pg_sleep(30)::text END AS x FROM generate_series(1, 40) AS n"
        with closing(psycopg.connect(dsn)) as connection, open_rows(connection, sql, batch_rows=10) as rows:
            for _ in rows.batches:
                signal.setitimer(signal.ITIMER_REAL, 0.5)
                if where == "while it works on a batch":
                    clock.sleep(10)

    previous = signal.signal(signal.SIGALRM, late)
    began = clock.monotonic()
    try:
        with pytest.raises(Late):
            read()
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert clock.monotonic() - began < 8
    while any(thread.name.startswith("ringg-rows") for thread in threading.enumerate()):
        assert clock.monotonic() - began < 8, "its reader is left behind"
        clock.sleep(0.05)


def test_whoever_stops_reading_can_use_the_connection_again(postgresql: Any) -> None:
    with open_rows(postgresql, SERIES, batch_rows=10) as rows:
        next(rows.batches)
    with open_rows(postgresql, SERIES) as rows:
        assert len(next(rows.batches)) == 25


def test_two_columns_of_one_name_are_refused(postgresql: Any) -> None:
    with pytest.raises(InvalidRequest, match="'a' more than once"), open_rows(postgresql, "SELECT 1 AS a, 2 AS a"):
        pass


def test_sqlite_streams_from_a_plain_cursor() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        series = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 25)"
        sql = f"{series} SELECT n, :label AS label FROM c"
        with open_rows(connection, sql, {"label": "x"}, batch_rows=10) as rows:
            assert rows.columns == ("n", "label")
            assert [len(batch) for batch in rows.batches] == [10, 10, 5]
        with pytest.raises(InvalidRequest, match="returns no rows"), open_rows(connection, "CREATE TABLE t (x)"):
            pass


def test_a_shape_of_postgis_is_no_text_and_other_types_of_extensions_are(postgresql: Any) -> None:
    with closing(postgresql.cursor()) as cursor:
        cursor.execute("CREATE TYPE geometry AS ENUM ('0101000020E6'); CREATE TYPE mood AS ENUM ('glad')")
    postgresql.commit()
    sql = "SELECT CAST('0101000020E6' AS geometry) AS place, CAST('glad' AS mood) AS mood"
    with open_rows(postgresql, sql) as rows:
        ((place, mood),) = next(rows.batches)
    assert (place, mood) == (Geography("0101000020E6"), "glad")
    with pytest.raises(InvalidRequest, match="column 'place' has values of type Geography, which are no text; cast it"):
        column_texts([place], "place")


@pytest.mark.parametrize(
    ("driver", "code", "given", "read"),
    [
        ("snowflake", 5, '{\n  "a": 1.10\n}', {"a": Decimal("1.10")}),
        ("snowflake", 5, '"Asha"', "Asha"),
        ("snowflake", 10, "[\n  undefined\n]", "[\n  undefined\n]"),
        ("snowflake", 14, '{"type": "Point"}', Geography('{"type": "Point"}')),
        ("ringg_provider", "GEOGRAPHY", "POINT(77 28)", Geography("POINT(77 28)")),
        ("redshift_connector", 4000, '{"a":1}', {"a": 1}),
        ("trino", "array(row(a integer))", [[1]], [[1]]),
        ("trino", "json", "[1]", [1]),
        ("trino", "SphericalGeography", "POINT (77 28)", Geography("POINT (77 28)")),
        ("databricks", "map", [("k", [("l", 1)])], {"k": {"l": 1}}),
        ("pymysql", 11, timedelta(hours=9, minutes=5), time(9, 5)),
        ("pymysql", 11, timedelta(hours=-9), timedelta(hours=-9)),
        ("pymysql", 11, timedelta(hours=24), timedelta(hours=24)),
    ],
)
def test_a_value_is_the_same_whatever_a_driver_hands_out(driver: str, code: Any, given: Any, read: Any) -> None:
    batches = read_alike(iter([[("x", given), ("y", None)]]), readers(driver, [("a", 2), ("b", code)]))
    assert list(batches) == [[("x", read), ("y", None)]]


def test_a_connection_that_dies_while_reading_may_be_tried_again(postgresql: Any, warehouse: Warehouse) -> None:
    with open_rows(postgresql, SERIES, batch_rows=10) as rows:
        next(rows.batches)
        warehouse.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(DatabaseUnavailable):
            list(rows.batches)
