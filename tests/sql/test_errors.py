"""One database error means one thing, wherever it happens and whichever driver tells it, and quotes nobody."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import psycopg2
import pytest
import sqlalchemy as sa

from ringg_provider.contacts.people import PeopleLedger, PeopleSpool
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.exceptions import DatabaseUnavailable, QueryFailed, RinggProviderError
from ringg_provider.sql.errors import Verdict, begin_again, database_failure, verdict, without_driver_errors
from ringg_provider.sql.merge import merge_rows
from ringg_provider.sql.reading import open_rows
from tests.support.databases import Warehouse

Run = Callable[[str], None]


def _raised(call: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any driver's
        call()
    return caught.value


@pytest.fixture(params=["psycopg", "psycopg2"])
def two_sessions(request: pytest.FixtureRequest, warehouse: Warehouse) -> Iterator[tuple[Any, Any]]:
    """Two connections of a driver of PostgreSQL, and a table with one row in it."""
    dsn = sa.make_url(warehouse.url).set(drivername="postgresql").render_as_string(hide_password=False)
    warehouse.execute("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL)")
    warehouse.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
    driver = {"psycopg": psycopg, "psycopg2": psycopg2}[request.param]
    with closing(driver.connect(dsn)) as one, closing(driver.connect(dsn)) as other:
        yield one, other


def test_postgresql_says_what_passes_by_sqlstate(two_sessions: tuple[Any, Any]) -> None:
    one, other = two_sessions

    def fails(statement: str) -> Verdict:
        error = _raised(lambda: other.cursor().execute(statement))
        with suppress(psycopg.Error, psycopg2.Error):
            other.rollback()
        return verdict(error)

    one.cursor().execute("UPDATE t SET n = 5 WHERE id = 1")
    assert fails("SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT") is Verdict.COLLISION
    assert fails("SET statement_timeout = 50; SELECT pg_sleep(5)") is Verdict.UNAVAILABLE
    assert fails("INSERT INTO t VALUES (2, 3)") is Verdict.DUPLICATE
    assert fails("INSERT INTO t VALUES (3, NULL)") is Verdict.REFUSED
    assert fails("SELECT 1 / 0") is Verdict.REFUSED
    assert fails("SELECT 1 FROM nobody") is Verdict.REFUSED
    assert fails("SET TRANSACTION READ ONLY; DELETE FROM t") is Verdict.REFUSED
    assert fails("SELECT pg_terminate_backend(pg_backend_pid())") is Verdict.UNAVAILABLE


def test_sqlite_says_it_by_its_own_codes(tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "a.db", timeout=0)) as one,
        closing(sqlite3.connect(tmp_path / "a.db", timeout=0)) as other,
    ):
        one.execute("CREATE TABLE t (id int PRIMARY KEY, other int UNIQUE, n int NOT NULL)")
        one.execute("INSERT INTO t VALUES (1, 1, 1)")
        one.commit()
        for statement, expected in {
            "INSERT INTO t VALUES (1, 2, 2)": Verdict.DUPLICATE,
            "INSERT INTO t VALUES (2, 1, 2)": Verdict.DUPLICATE,
            "INSERT INTO t VALUES (2, 2, NULL)": Verdict.REFUSED,
            "SELECT 1 FROM nobody": Verdict.REFUSED,
        }.items():
            assert verdict(_raised(lambda sql=statement: one.execute(sql))) is expected, statement  # type: ignore[misc]
        one.rollback()
        one.execute("BEGIN IMMEDIATE")
        busy = _raised(lambda: other.execute("BEGIN IMMEDIATE"))
        assert verdict(busy) is Verdict.COLLISION
        assert isinstance(database_failure("t", busy), DatabaseUnavailable)


def test_duckdb_says_it_by_class(tmp_path: Path) -> None:
    with closing(duckdb.connect(str(tmp_path / "a.db"))) as one, closing(one.cursor()) as other:
        one.execute("CREATE TABLE t (id int PRIMARY KEY, n int)")
        one.execute("INSERT INTO t VALUES (1, 1)")
        assert verdict(_raised(lambda: one.execute("INSERT INTO t VALUES (1, 2)"))) is Verdict.DUPLICATE
        assert verdict(_raised(lambda: one.execute("SELECT 1 FROM nobody"))) is Verdict.REFUSED
        one.begin()
        other.begin()
        one.execute("UPDATE t SET n = 2")
        assert verdict(_raised(lambda: other.execute("UPDATE t SET n = 3"))) is Verdict.COLLISION
    refused = _raised(lambda: duckdb.connect(str(tmp_path / "no such folder" / "a.db")))
    assert verdict(refused) is Verdict.UNAVAILABLE


def _error(module: str, name: str, *arguments: Any, base: type[Exception] = Exception, **more: Any) -> Exception:
    """An error in the shape that a driver gives it; these drivers need servers or libraries that are not at hand."""
    error: Exception = type(name, (base,), {"__module__": module})(*arguments)
    for attribute, value in more.items():
        setattr(error, attribute, value)
    return error


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1213, Verdict.COLLISION),  # deadlock
        (1205, Verdict.COLLISION),  # lock wait timeout
        (1062, Verdict.DUPLICATE),
        (1040, Verdict.UNAVAILABLE),  # too many connections
        (2006, Verdict.UNAVAILABLE),  # gone away
        (2013, Verdict.UNAVAILABLE),  # lost
        (1146, Verdict.REFUSED),  # no such table
        (1045, Verdict.REFUSED),  # access denied
        (1366, Verdict.REFUSED),  # wrong value
    ],
)
def test_mysql_says_it_by_number_whatever_class_and_state_its_driver_gives(number: int, expected: Verdict) -> None:
    for error in (
        _error("MySQLdb._exceptions", "OperationalError", number, "text"),
        _error("pymysql.err", "InternalError", number, "text"),
        _error("mysql.connector.errors", "DatabaseError", f"{number} (HY000)", errno=number, sqlstate="HY000"),
        _error("mariadb", "OperationalError", "text", errno=number, sqlstate="40001"),
        sa.exc.OperationalError("SELECT 1", {}, _error("MySQLdb._exceptions", "OperationalError", number, "text")),
    ):
        assert verdict(error) is expected, error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_error("redshift_connector.error", "ProgrammingError", {"C": "40001", "M": "text"}), Verdict.COLLISION),
        (_error("pyodbc", "Error", "40001", "[40001] deadlock victim"), Verdict.COLLISION),
        (_error("pyodbc", "OperationalError", "HYT00", "[HYT00] time out"), Verdict.UNAVAILABLE),
        (_error("snowflake.connector.errors", "ProgrammingError", "text", sqlstate="42S02"), Verdict.REFUSED),
        (_error("oracledb.exceptions", "IntegrityError", "ORA-00001"), Verdict.DUPLICATE),
        (_error("some.driver", "DatabaseError", "text"), Verdict.REFUSED),
        (_error("requests.exceptions", "ConnectTimeout", base=TimeoutError), Verdict.UNAVAILABLE),
        (ConnectionResetError("text"), Verdict.UNAVAILABLE),
        (FileNotFoundError("key.pem"), Verdict.REFUSED),
    ],
    ids=lambda value: value.__class__.__module__ + "." + value.__class__.__name__,
)
def test_other_drivers_say_it_by_sqlstate_or_by_class(error: Exception, expected: Verdict) -> None:
    assert verdict(error) is expected


def test_one_deadlock_is_the_same_error_in_a_query_a_merge_and_the_table_of_people(warehouse: Warehouse) -> None:
    """Each of them meets the same deadlock five times, since a table that is locked again and again never lets go."""
    warehouse.execute("CREATE TABLE things (id varchar(191) PRIMARY KEY, n int)")
    warehouse.execute(
        "CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = 'deadlock_detected'; END $$"
    )
    warehouse.execute(
        "CREATE FUNCTION collide_too() RETURNS int LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = 'deadlock_detected'; END $$"
    )
    things = sa.Table("things", sa.MetaData(), autoload_with=warehouse.engine)
    with Scratch() as scratch:
        spool = PeopleSpool(scratch)
        spool.listed(1, ["+919876543210"], None)
        spool.close()
        ledger = PeopleLedger(warehouse.engine)
        ledger.replace("run", spool, {1: "l"})
        for table in ("things", "ringg_contacts"):
            warehouse.execute(f"CREATE TRIGGER c BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION collide()")

        def read() -> None:
            with (
                closing(warehouse.engine.raw_connection()) as pooled,
                open_rows(pooled, "SELECT collide_too()") as rows,
            ):
                list(rows.batches)

        def merge() -> None:
            merge_rows(warehouse.engine, things, [{"id": "a", "n": 1}], keys=["id"])

        failures = [_raised(call) for call in (read, merge, lambda: ledger.replace("run", spool, {1: "m"}))]
    assert {type(failure) for failure in failures} == {DatabaseUnavailable}
    assert all("SQLSTATE 40P01" in str(failure) for failure in failures)
    assert [str(failure).partition(":")[0] for failure in failures] == [
        "sql",
        "table 'things'",
        "table 'ringg_contacts'",
    ]


def test_a_transaction_is_begun_again_when_another_one_got_in_between() -> None:
    calls = []

    def transaction() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise psycopg.errors.DeadlockDetected("text")
        return 7

    assert begin_again(transaction) == 7
    assert len(calls) == 3


@pytest.mark.parametrize("error", [psycopg.errors.AdminShutdown("text"), psycopg.errors.UndefinedTable("text")])
def test_a_transaction_is_not_begun_again_on_a_connection_that_is_gone_nor_where_it_is_refused(
    error: Exception,
) -> None:
    calls = []

    def transaction() -> None:
        calls.append(1)
        raise error

    assert _raised(lambda: begin_again(transaction)) is error
    assert len(calls) == 1


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("Could not decode to UTF-8 column 'name' with text 'O'Brien Mary\ufffd'"),
        sqlite3.OperationalError("bad value 'Asha O'Brien"),
        sqlite3.OperationalError("bad value 'Asha\nO'Brien' in line 2"),
        psycopg.errors.UniqueViolation('duplicate key value violates "k": Asha'),
        psycopg.DataError("can't parse timestamp Asha"),
        _error("MySQLdb._exceptions", "OperationalError", 1644, "no consent of Asha Rao"),
        _error("MySQLdb._exceptions", "IntegrityError", 1062, "Duplicate entry Asha for key"),
        _error("mysql.connector.errors", "DatabaseError", "1644 (45000): no consent of Asha", sqlstate="45000"),
        _error("trino.exceptions", "TrinoUserError", "Cannot cast Asha to bigint"),
        _error("some.driver", "DataError", "Asha"),
        ValueError("year of Asha is out of range"),
    ],
    ids=lambda error: type(error).__module__ + "." + type(error).__name__,
)
def test_a_text_that_may_quote_a_row_is_left_out_or_masked(error: Exception) -> None:
    assert not re.search("Asha|Mary|Brien", str(database_failure("sql", error)))


def test_what_duckdb_says_of_rows_is_left_out(tmp_path: Path) -> None:
    with closing(duckdb.connect(str(tmp_path / "a.db"))) as one, closing(one.cursor()) as other:
        one.execute("CREATE TABLE t (id text PRIMARY KEY)")
        one.execute("INSERT INTO t VALUES ('Asha Rao')")
        errors = [
            _raised(lambda: one.execute("INSERT INTO t VALUES ('Asha Rao')")),
            _raised(lambda: one.execute("SELECT error('no consent of Asha Rao')")),
        ]
        one.begin()
        other.begin()
        one.execute("INSERT INTO t VALUES ('Asha')")
        other.execute("INSERT INTO t VALUES ('Asha')")
        one.commit()
        errors.append(_raised(other.commit))
        told = [str(database_failure("t", error)) for error in errors]
        assert all("Asha" in str(error) for error in errors)
        assert not any("Asha" in text for text in told)
        nobody = _raised(lambda: one.execute("SELECT nobody FROM t"))
        assert 'Referenced column "nobody" not found' in str(database_failure("t", nobody))


def test_what_a_function_raises_is_not_quoted(warehouse: Warehouse) -> None:
    warehouse.execute(
        "CREATE FUNCTION refuse() RETURNS int LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no consent of Asha Rao'; END $$"
    )
    error = _raised(lambda: warehouse.query("SELECT refuse()"))
    assert "Asha" in str(error)
    assert "Asha" not in str(database_failure("sql", error))


def test_the_column_and_the_constraint_are_named(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE t (id int CONSTRAINT positive CHECK (id > 0), n int NOT NULL)")
    told = [
        str(database_failure("t", _raised(lambda sql=sql: warehouse.execute(sql))))  # type: ignore[misc]
        for sql in ("INSERT INTO t VALUES (1, NULL)", "INSERT INTO t VALUES (-1, 1)")
    ]
    assert "SQLSTATE 23502, column n" in told[0]
    assert "SQLSTATE 23514, constraint positive" in told[1]


def test_our_error_has_the_drivers_neither_as_cause_nor_as_context() -> None:
    def fail() -> None:
        raise psycopg.errors.UniqueViolation("Asha")

    failure = _raised(lambda: without_driver_errors("t", fail))
    assert isinstance(failure, QueryFailed)
    assert (failure.__cause__, failure.__context__) == (None, None)


def test_errors_of_ours_and_of_others_pass_as_they_are() -> None:
    ours, others = RinggProviderError("x"), ZeroDivisionError("x")

    def fail(error: Exception) -> None:
        raise error

    assert _raised(lambda: without_driver_errors("t", fail, ours)) is ours
    assert _raised(lambda: without_driver_errors("t", fail, others, errors=(psycopg.Error,))) is others


@pytest.mark.parametrize("when", ["while it stages", "while it replaces"])
def test_a_merge_whose_connection_dies_may_be_tried_again(warehouse: Warehouse, when: str) -> None:
    warehouse.execute("CREATE TABLE things (id varchar(191) PRIMARY KEY, n int)")
    things = sa.Table("things", sa.MetaData(), autoload_with=warehouse.engine)

    def end_all() -> None:
        with closing(sa.create_engine(warehouse.url).raw_connection()) as pooled:
            pooled.driver_connection.autocommit = True  # type: ignore[union-attr]
            pooled.cursor().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def rows() -> Iterator[dict[str, Any]]:
        yield {"id": "a", "n": 1}
        if when == "while it stages":
            end_all()
        yield {"id": "b", "n": 1}

    def for_ever(stored: Any, staged: Any) -> Any:
        return sa.func.pg_sleep(30, type_=sa.Text).is_not(None)

    if when == "while it replaces":
        warehouse.execute("INSERT INTO things VALUES ('a', 1)")
        threading.Timer(1, end_all).start()
    failure = _raised(
        lambda: merge_rows(warehouse.engine, things, rows(), keys=["id"], supersedes=for_ever, batch_size=1)
    )
    assert isinstance(failure, DatabaseUnavailable)
    # The pool keeps no connection of those.
    merge_rows(warehouse.engine, things, [{"id": "a", "n": 2}], keys=["id"])
    assert warehouse.query("SELECT * FROM things") == [{"id": "a", "n": 2}]


def test_what_is_wrong_with_a_statement_is_told() -> None:
    error = _error("redshift_connector.error", "ProgrammingError", {"C": "42P01", "M": 'relation "x" does not exist'})
    assert str(database_failure("sql", error)) == (
        'sql: the database did not do what was asked: ProgrammingError (SQLSTATE 42P01): relation "x" does not exist'
    )
