"""What is read from a warehouse is what stands in it, whatever its hook's own cursor makes of that."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import psycopg
import pyarrow as pa
import pytest
import redshift_connector
import snowflake.connector as snowflake_connector
import sqlalchemy as sa
from databricks.sql.result_set import ResultSet
from redshift_connector.utils.oids import RedshiftOID
from snowflake.connector.constants import FIELD_ID_TO_NAME

from ringg_provider.contacts.cells import column_texts
from ringg_provider.exceptions import InvalidRequest, QueryFailed
from ringg_provider.hooks.sql import sql_connection, sql_hook
from ringg_provider.ringg.client import RinggClient
from ringg_provider.sql.reading import open_rows
from ringg_provider.sql.values import _TYPES, read_alike, readers
from tests.support.databases import Warehouse
from tests.support.emulators import Emulated
from tests.support.kinds import Kind, check, kinds_of
from tests.support.mariadb import EmbeddedMariaDB
from tests.support.redshift import as_redshift
from tests.transfers.test_sql_to_ringg import transfer


@pytest.mark.parametrize(("kind", "expression"), kinds_of("snowflake"))
def test_snowflake(snowflake: Emulated, kind: Kind, expression: str) -> None:
    # The emulator makes 1970 of a NULL among times, and is out of order with other types.
    check(sql_connection("snowflake"), kind, expression, beside_null=False)


@pytest.mark.parametrize(("kind", "expression"), kinds_of("bigquery"))
def test_bigquery(bigquery: Emulated, kind: Kind, expression: str) -> None:
    # It has no NULL among arrays, but an empty one.
    check(sql_connection("bigquery"), kind, expression, beside_null=kind.name != "array")


def read(conn_id: str, sql: str, parameters: Any = None, **options: Any) -> list[list[tuple[Any, ...]]]:
    """The batches of a query."""
    with sql_connection(conn_id) as connection, open_rows(connection, sql, parameters, **options) as rows:
        return [[tuple(row) for row in batch] for batch in rows.batches]


def test_a_page_is_all_that_bigquery_hands_out_at_a_time(bigquery: Emulated) -> None:
    series = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 25)) AS n ORDER BY n"
    assert [len(batch) for batch in read("bigquery", series, batch_rows=10)] == [10, 10, 5]


@pytest.mark.parametrize("sql", ["SELECT @name, @n, '%'", "SELECT %(name)s, %(n)s, '%%'"])
def test_parameters_of_bigquery_are_bound_by_name(bigquery: Emulated, sql: str) -> None:
    assert read("bigquery", sql, {"name": "O'Hara", "n": 7}) == [[("O'Hara", 7, "%")]]


def test_the_connection_that_everybody_has_reads_bigquery_too(
    bigquery: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"project": "proj", "is_anonymous": True}
    for kind in ("google_cloud_platform", "gcpbigquery"):
        monkeypatch.setenv("AIRFLOW_CONN_BIGQUERY", json.dumps({"conn_type": kind, "extra": extra}))
        assert read("bigquery", "SELECT DATE '2026-11-20' AS due") == [[(date(2026, 11, 20),)]]  # no legacy SQL
        assert sql_hook("bigquery").use_legacy_sql is False
        assert sql_hook("bigquery", hook_params={"use_legacy_sql": True}).use_legacy_sql is True
        assert sql_hook("bigquery", hook_params={"location": "EU"}).location == "EU"


@pytest.mark.parametrize(
    "value",
    [True, 7, 0.5, Decimal("1.25"), "O'Hara", date(2026, 11, 20), datetime.fromisoformat("2026-11-20T18:30"),
     time(18, 30), datetime(2026, 11, 20, 18, 30, tzinfo=UTC), ["a", "b"], [1, 2]],
)  # fmt: skip
def test_every_type_of_parameter_arrives_as_it_is(bigquery: Emulated, value: Any) -> None:
    assert read("bigquery", "SELECT @given AS given", {"given": value}) == [[(value,)]]
    assert read("bigquery", "SELECT ? AS given", [value]) == [[(value,)]]


def test_the_last_statement_of_a_script_gives_the_rows(bigquery: Emulated) -> None:
    assert read("bigquery", "DECLARE n INT64 DEFAULT 7; SELECT n AS n;") == [[(7,)]]


@pytest.fixture
def redshift(warehouse: Warehouse) -> Iterator[Any]:
    """The driver of Redshift, on a PostgreSQL."""
    url = sa.make_url(warehouse.url)
    with as_redshift(int(url.port or 0)) as port:
        connection = redshift_connector.connect(
            host="127.0.0.1", port=port, database=url.database, user=url.username, password=url.password, ssl=False
        )
        with closing(connection):
            yield connection


def test_redshift_keeps_what_is_not_read_yet(redshift: Any) -> None:
    series = "SELECT n AS \"N\", 'x%' AS x FROM generate_series(1, 2500) AS n"
    with open_rows(redshift, f"{series};") as rows:
        assert rows.columns == ("N", "x")
        first = next(rows.batches)
        assert (len(first), tuple(first[0])) == (1000, (1, "x%"))
        cursor = redshift.cursor()
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE 'ringg_contacts%'")
        assert cursor.fetchone()[0] == 1, "the rest must still be on the server"
        assert [len(batch) for batch in rows.batches] == [1000, 500]
    with open_rows(redshift, "SELECT CAST('a' AS char(5)) AS a, 1 AS b, 2 AS c") as rows:
        assert (rows.columns, rows.padded) == (("a", "b", "c"), {"a"})


def test_redshift_binds_parameters(redshift: Any) -> None:
    with open_rows(redshift, "SELECT CAST(%s AS int) AS n, '5%' AS share", [7]) as rows:
        assert [tuple(row) for batch in rows.batches for row in batch] == [(7, "5%")]


def test_redshift_says_what_is_wrong_with_a_query(redshift: Any) -> None:
    with (
        pytest.raises(QueryFailed, match='relation "nobody" does not exist'),
        open_rows(redshift, "SELECT * FROM nobody"),
    ):
        pass


@pytest.mark.parametrize("driver", ["redshift_connector", "psycopg"])
def test_redshift_says_what_to_do_when_its_leader_node_cannot_keep_a_result(
    driver: str, redshift: Any, warehouse: Warehouse
) -> None:
    # The text is Redshift's own.
    warehouse.execute(
        "CREATE FUNCTION people() RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING MESSAGE = "
        "'exceeded the maximum size allowed for the total set of cursor data: 8000MB.', ERRCODE = 'XX000'; END $$"
    )
    with closing(psycopg.connect(warehouse.url.replace("+psycopg", ""))) as other:
        connection = redshift if driver == "redshift_connector" else other
        with (
            pytest.raises(QueryFailed, match=r"sql: the result is larger than .* Select fewer people"),
            open_rows(connection, "SELECT people() AS phone"),
        ):
            pass
        with open_rows(connection, "SELECT 1 AS n") as rows:
            assert list(map(len, rows.batches)) == [1]


def test_the_codes_of_types_are_those_of_the_drivers() -> None:
    assert {FIELD_ID_TO_NAME[code] for code in _TYPES["snowflake"]} == {
        "VARIANT", "OBJECT", "ARRAY", "VECTOR", "MAP", "GEOGRAPHY", "GEOMETRY",
    }  # fmt: skip
    assert {RedshiftOID(code).name for code in _TYPES["redshift_connector"]} == {"SUPER", "GEOMETRY", "GEOGRAPHY"}


def test_what_databricks_makes_of_arrow_is_read_alike() -> None:
    """The driver turns Arrow into numpy, and lists of pairs."""
    given = pa.table(
        {
            "tags": pa.array([["a", None], None]),
            "person": pa.array([{"a": 1, "b": [Decimal("1.50")]}, None]),
            "words": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
            "document": pa.array(['{"a": [1.50]}', None]),
            "n": pa.array([7, None]),
            "x": pa.array([0.5, None], pa.float32()),
            "is_due": pa.array([True, None]),
            "due": pa.array([datetime(2026, 11, 20, 13, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
            "price": pa.array([Decimal("1250.50"), None]),
        }
    )
    kinds = ["array", "struct", "map", "variant", "bigint", "float", "boolean", "timestamp", "decimal"]
    description = list(zip(given.column_names, kinds, strict=True))
    driver = SimpleNamespace(description=description, connection=SimpleNamespace(disable_pandas=False))
    rows = ResultSet._convert_arrow_table(driver, given)
    (read_rows,) = read_alike(iter([rows]), readers("databricks", description))
    columns = zip(given.column_names, zip(*read_rows, strict=True), strict=True)
    cells = [list(column_texts(column, name)) for name, column in columns]
    assert cells == [[cell, ""] for cell in (
        '["a", null]', '{"a": 1, "b": [1.50]}', '{"k": 1}', '{"a": [1.50]}', "7", "0.5", "true",
        "2026-11-20 13:00:00+00:00", "1250.50",
    )]  # fmt: skip


def test_snowflake_binds_parameters_and_tells_of_a_single_percent_sign(snowflake: Emulated) -> None:
    assert read("snowflake", "SELECT %(name)s, '5%%';", {"name": "O'Hara"}) == [[("O'Hara", "5%")]]
    assert read("snowflake", "SELECT '5%' -- 100 % of them") == [[("5%",)]]
    with pytest.raises(InvalidRequest, match="line 1 has a single %"):
        read("snowflake", "SELECT %(name)s, '5%'", {"name": "O'Hara"})


_PEOPLE = {
    "snowflake": "phone NUMBER(12, 0), full_name VARCHAR, due_at TIMESTAMP_NTZ, opted_out BOOLEAN",
    "bigquery": "phone INT64, full_name STRING, due_at DATETIME, opted_out BOOLEAN",
}


@pytest.mark.parametrize("name", ["snowflake", "bigquery"])
def test_people_are_listed_from_a_warehouse(
    request: pytest.FixtureRequest, sandbox: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    emulated = request.getfixturevalue(name)
    people = f"{emulated.schema}.people"
    emulated.query(f"CREATE TABLE {people} ({_PEOPLE[name]})")
    rows = "(9876543210, 'Asha', '2026-11-20 18:30:00', FALSE), (9876543211, 'Ravi', NULL, TRUE)"
    emulated.query(f"INSERT INTO {people} VALUES {rows}")
    written: list[str] = []
    save = RinggClient.save_campaign

    def noting(client: RinggClient, spec: Any, path: Any) -> Any:
        written.append(path.read_text())
        return save(client, spec, path)

    monkeypatch.setattr(RinggClient, "save_campaign", noting)
    (item,), summary = transfer(
        sql_conn_id=name,
        sql=f"SELECT * FROM {people} ORDER BY phone;",
        suppression_sql=f"SELECT phone FROM {people} WHERE opted_out",
        variables_map={"callee_name": "full_name", "due_date": "due_at"},
        contact_key="phone",
    )
    assert (item["rows"], summary["reasons"]) == (1, {"listed": 1, "suppressed": 1})
    assert written == ["Mobile Number,callee_name,due_date\n+919876543210,Asha,2026-11-20 18:30:00\n"]


@pytest.fixture(scope="module")
def mariadb_at(mariadb: EmbeddedMariaDB) -> dict[str, Any]:
    return sa.make_url(mariadb.create_database("reading")).translate_connect_args(username="user")


@pytest.fixture(params=["MySQLdb", "mysql.connector", "pymysql"])
def mysql(request: pytest.FixtureRequest, mariadb_at: dict[str, Any]) -> Iterator[Any]:
    """A connection of each driver to a MariaDB."""
    with closing(pytest.importorskip(request.param).connect(**mariadb_at)) as connection:
        yield connection


@pytest.mark.parametrize(("kind", "expression"), kinds_of("mariadb"))
def test_mysql(mysql: Any, kind: Kind, expression: str) -> None:
    check(nullcontext(mysql), kind, expression)


def test_mysqls_drivers_hold_a_batch_at_a_time(mysql: Any) -> None:
    series = "SELECT seq AS n, REPEAT('x', 500) AS words FROM seq_1_to_100000"
    tracemalloc.start()
    try:
        with open_rows(mysql, series, batch_rows=1000) as rows:
            assert sum(map(len, rows.batches)) == 100_000
        assert tracemalloc.get_traced_memory()[1] < 5e6, "all of them are about 60 MB"
    finally:
        tracemalloc.stop()


def test_whoever_stops_reading_can_use_mysqls_connection_again(mysql: Any) -> None:
    with open_rows(mysql, "SELECT seq FROM seq_1_to_25;", batch_rows=10) as rows:
        next(rows.batches)
    with open_rows(mysql, "SELECT seq FROM seq_1_to_25") as rows:
        assert len(next(rows.batches)) == 25


def test_a_row_of_trino_has_the_names_of_its_fields() -> None:
    types = pytest.importorskip("trino.types")
    rows = [types.NamedRowTuple([1, types.NamedRowTuple(["z"], ["b"], ["varchar"])], ["a", "c"], ["integer", "row"])]
    unnamed = types.NamedRowTuple([1, "z"], [None, None], ["integer", "varchar"])
    (read_rows,) = read_alike(
        iter([[(rows, unnamed)]]), readers("trino", [("a", "array(row(...))"), ("b", "row(...)")])
    )
    assert read_rows == [([{"a": 1, "c": {"b": "z"}}], [1, "z"])]


def test_the_hooks_of_warehouses_have_what_the_operator_gives_them(
    snowflake: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    connect = snowflake_connector.connect

    def noting(**options: Any) -> Any:
        asked.append((options["warehouse"], options["role"]))
        return connect(**options)

    monkeypatch.setattr(snowflake_connector, "connect", noting)
    sql_hook("snowflake", hook_params={"warehouse": "BIG", "role": "ANALYST"}).get_conn().close()
    assert asked == [("BIG", "ANALYST")]
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": "databricks", "host": "x.example.com"}))
    assert sql_hook("lake", hook_params={"http_path": "/sql/1.0/warehouses/1"})._http_path == "/sql/1.0/warehouses/1"
