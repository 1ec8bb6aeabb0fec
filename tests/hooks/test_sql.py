"""What a connection demands in its extra holds for its queries and for SQLAlchemy, or is refused by name."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.providers.postgres.hooks import postgres as airflow_postgres

from ringg_provider.contacts.people import people_table
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hooks.sql import engine_of, sql_connection, sql_engine, sql_hook, unpooled_engine
from ringg_provider.operators.ledgers import open_ledger
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.merge import merge_rows
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from tests.history.launching import wait_until
from tests.support.databases import Warehouse
from tests.transfers.test_sql_to_ringg import transfer

Demand = Callable[..., None]
THINGS = sa.Table("things", sa.MetaData(), sa.Column("id", sa.String(20), primary_key=True), sa.Column("n", sa.Integer))


@pytest.fixture
def demand(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Demand:
    """Give the connection `warehouse` an extra."""
    url = sa.make_url(warehouse.url)

    def with_extra(**extra: Any) -> None:
        fields = {"host": url.host, "port": url.port, "login": url.username, "password": url.password}
        connection = {"conn_type": "postgres", "schema": url.database, "extra": extra, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))

    return with_extra


@pytest.fixture(params=["psycopg", "psycopg2"])
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each driver that Airflow's hook of PostgreSQL connects by."""
    monkeypatch.setattr(airflow_postgres, "USE_PSYCOPG3", request.param == "psycopg")
    return f"postgresql+{request.param}"


def _shown(name: str, open_engine: Any = sql_engine) -> Any:
    with open_engine("warehouse") as engine, engine.connect() as connection:
        return connection.exec_driver_sql(f"SHOW {name}").scalar_one()


def _reads_the_scheme() -> bool:
    """Whether SQLAlchemy takes the driver that the connection names: the oldest hooks of PostgreSQL do not read it."""
    return bool(airflow_postgres.PostgresHook("warehouse").sqlalchemy_url.drivername == "postgresql+psycopg2")


def test_sqlalchemy_is_in_the_schema_that_the_options_name(demand: Demand, driver: str) -> None:
    demand(options="-c search_path=crm -c statement_timeout=12s", application_name="dialling", sqlalchemy_scheme=driver)
    assert _shown("search_path") == "crm"
    assert _shown("statement_timeout") == "12s"
    assert _shown("application_name") == "dialling"
    with unpooled_engine("warehouse").connect() as connection:
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == "crm"
    with sql_connection("warehouse") as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("crm",)


def test_the_hook_has_what_the_operator_gives_it(warehouse: Warehouse) -> None:
    given = {"options": "-c search_path=crm"}
    with sql_connection("warehouse", hook_params=given) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("crm",)
    with sql_engine("warehouse", hook_params=given) as engine, engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == "crm"
    assert given == {"options": "-c search_path=crm"}


def test_what_the_hook_does_not_take_is_named(warehouse: Warehouse) -> None:
    with (
        pytest.raises(InvalidRequest, match=r"^hook_params: .* not take options, postgres_conn_id") as caught,
        sql_connection("warehouse", hook_params={"options": "", "postgres_conn_id": "another"}),
    ):
        pass
    assert caught.value.field == "hook_params"


@pytest.mark.parametrize("extra", [{"sslmode": "require"}, {"sslmode": "verify-full"}])
def test_nothing_goes_in_clear_text_where_tls_is_required(demand: Demand, driver: str, extra: dict[str, str]) -> None:
    """The server has no TLS, so that there must be no connection."""
    demand(**extra, sqlalchemy_scheme=driver)
    refused = "SSL|root certificate"
    with pytest.raises(sa.exc.OperationalError, match=refused):
        _shown("server_version")
    with pytest.raises(Exception, match=refused):
        open_ledger("warehouse")
    with pytest.raises(Exception, match=refused), sql_connection("warehouse"):
        pass


@pytest.mark.parametrize("who", ["the history", "the contacts", "the ledger"])
def test_no_operator_connects_in_clear_text(
    who: str, demand: Demand, warehouse: Warehouse, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT, name TEXT)")
    warehouse.execute("INSERT INTO people VALUES (1, '+919876543210', 'Asha')")
    demand(sslmode="require")
    monkeypatch.setenv("AIRFLOW_CONN_PLAIN", warehouse.connection)
    history = RinggCallsToSqlOperator(task_id="t", sql_conn_id="warehouse", ringg_conn_id="ringg_sandbox")
    run: dict[str, Callable[[], Any]] = {
        "the history": lambda: history.execute({}),  # type: ignore[typeddict-item]
        "the contacts": lambda: transfer(contacts_table="ringg_contacts"),
        "the ledger": lambda: transfer(sql_conn_id="plain", ledger_conn_id="warehouse", launch_key="key"),
    }
    with pytest.raises(Exception, match="SSL"):
        run[who]()
    assert warehouse.tables() == {"people"}


def test_both_halves_of_an_operator_work_in_one_schema(demand: Demand, warehouse: Warehouse, sandbox: Any) -> None:
    warehouse.execute("CREATE SCHEMA crm")
    warehouse.execute("CREATE TABLE crm.people (id INTEGER PRIMARY KEY, phone TEXT, name TEXT)")
    warehouse.execute("INSERT INTO crm.people VALUES (1, '+919876543210', 'Asha')")
    demand(options="-c search_path=crm")
    transfer(contacts_table="ringg_contacts", ledger_conn_id="warehouse", launch_key="key")
    assert warehouse.tables() == set()
    assert set(sa.inspect(warehouse.engine).get_table_names("crm")) == {
        "people",
        "ringg_brakes",
        "ringg_contacts",
        "ringg_launches",
    }
    assert warehouse.query("SELECT count(*) AS n FROM crm.ringg_contacts") == [{"n": 1}]


def test_a_connection_that_may_only_read_writes_nothing(demand: Demand, warehouse: Warehouse, sandbox: Any) -> None:
    warehouse.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT, name TEXT)")
    warehouse.execute("INSERT INTO people VALUES (1, '+919876543210', 'Asha')")
    create_tables(warehouse.engine, people_table())
    demand(options="-c default_transaction_read_only=on")
    transfer()
    with pytest.raises(AirflowFailException, match="SQLSTATE 25006"):
        transfer(contacts_table="ringg_contacts")
    with pytest.raises(sa.exc.InternalError, match="read-only"):
        open_ledger("warehouse")
    assert warehouse.query("SELECT count(*) AS n FROM ringg_contacts") == [{"n": 0}]
    assert warehouse.tables() == {"people", "ringg_contacts"}


@pytest.mark.parametrize("cursor", ["dictcursor", "namedtuplecursor"])
def test_a_cursor_of_the_connections_own_changes_nothing(demand: Demand, driver: str, cursor: str) -> None:
    demand(cursor=cursor, sqlalchemy_scheme=driver)
    with sql_engine("warehouse") as engine:
        create_tables(engine, THINGS)
        assert merge_rows(engine, THINGS, [{"id": "a", "n": 1}], keys=["id"]).inserted == 1
        with engine.connect() as connection:
            assert connection.execute(sa.select(THINGS)).all() == [("a", 1)]


def test_a_connection_that_commits_by_itself_is_told_not_to(demand: Demand, warehouse: Warehouse) -> None:
    demand(autocommit=True)
    with sql_engine("warehouse") as engine:
        create_tables(engine, THINGS)
        with engine.connect() as connection:
            connection.execute(sa.insert(THINGS), {"id": "a"})
            connection.rollback()
    assert warehouse.query("SELECT * FROM things") == []


def test_what_is_said_to_sqlalchemy_alone_is_refused_by_name(demand: Demand) -> None:
    demand(sqlalchemy_query={"sslmode": "require", "application_name": "x"}, application_name="x")
    with pytest.raises(InvalidRequest, match="has sslmode in sqlalchemy_query") as caught, sql_engine("warehouse"):
        pass
    assert caught.value.field == "sql_conn_id"
    with pytest.raises(InvalidRequest) as caught:
        open_ledger("warehouse")
    assert caught.value.field == "ledger_conn_id"


def test_another_driver_for_sqlalchemy_is_refused_where_demands_would_be_lost(demand: Demand) -> None:
    demand(sqlalchemy_scheme="postgresql+psycopg2")
    assert _shown("search_path") == '"$user", public'
    demand(sqlalchemy_scheme="postgresql+psycopg2", keepalives_idle=10, options="-c search_path=crm")
    if not _reads_the_scheme():
        assert _shown("search_path") == "crm"
        return
    with pytest.raises(InvalidRequest, match=r"asks for keepalives_idle, options\. .*\(psycopg2\).*sqlalchemy_scheme"):
        _shown("search_path")


@pytest.mark.parametrize(
    "said", [{"sqlalchemy_scheme": "postgresql+psycopg2"}, {"sqlalchemy_query": {"sslmode": "require"}}], ids=str
)
def test_the_password_is_in_no_refusal(demand: Demand, warehouse: Warehouse, said: dict[str, Any]) -> None:
    demand(**said, passfile="secret")
    if "sqlalchemy_scheme" in said and not _reads_the_scheme():
        assert _shown("search_path") == '"$user", public'
        return
    with pytest.raises(InvalidRequest) as caught:
        _shown("search_path")
    assert str(sa.make_url(warehouse.url).password) not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_connections_are_closed_at_the_end(demand: Demand, warehouse: Warehouse, driver: str) -> None:
    demand(application_name="dialling", sqlalchemy_scheme=driver)
    count = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'dialling'"
    with sql_engine("warehouse") as engine:
        for _ in range(3):
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
        assert warehouse.query(count) == [{"n": 1}], "one connection of the pool served all three"
    wait_until(lambda: warehouse.query(count) == [{"n": 0}])
    engine = unpooled_engine("warehouse")
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    wait_until(lambda: warehouse.query(count) == [{"n": 0}])


@pytest.mark.parametrize("name", ["a b%41é.db", "plain.db"])
def test_both_halves_open_the_same_sqlite_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / name)}))
    with sql_connection("warehouse") as connection:
        connection.execute("CREATE TABLE t (id int)")
        connection.commit()
    with sql_engine("warehouse") as engine:
        assert sa.inspect(engine).get_table_names() == ["t"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_sqlite_file_that_may_only_be_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "warehouse.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE t (id int)")
        connection.commit()
    extra = {"mode": "ro"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(file), "extra": extra}))
    with sql_engine("warehouse") as engine:
        assert sa.inspect(engine).get_table_names() == ["t"]
        with pytest.raises(sa.exc.OperationalError, match="readonly database"):
            create_tables(engine, THINGS)


def test_an_engine_of_sqlite_can_be_used_by_several_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "a.db")}))
    with sql_engine("warehouse") as engine:
        create_tables(engine, THINGS)
        failures: list[BaseException] = []

        def write(number: int) -> None:
            try:
                merge_rows(engine, THINGS, [{"id": str(number), "n": 1}], keys=["id"])
            except BaseException as failure:  # noqa: BLE001 - shown below
                failures.append(failure)

        for number in range(4):
            thread = threading.Thread(target=write, args=(number,))
            thread.start()
            thread.join()
    assert failures == []


class DuckDBHook(DbApiHook):
    """The hook of DuckDB's provider in what counts here: a path, or memory."""

    conn_name_attr = "duckdb_conn_id"
    default_conn_name = "warehouse"

    def get_conn(self) -> Any:
        return duckdb.connect(self.connection.host, config={"threads": 1})

    def get_uri(self) -> str:
        return f"duckdb:///{self.connection.host}"


def test_duckdb_is_opened_by_its_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "generic", "host": str(tmp_path / "a.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    engine = engine_of(DuckDBHook())
    create_tables(engine, THINGS)
    assert merge_rows(engine, THINGS, [{"id": "a", "n": 1}], keys=["id"]).inserted == 1
    with engine.connect() as connected:
        assert connected.exec_driver_sql("SELECT current_setting('threads')").scalar_one() == 1
        # Its other half is open at the same time, which DuckDB allows to the very same settings alone.
        with closing(DuckDBHook().get_conn()) as other:
            assert other.execute("SELECT count(*) FROM things").fetchone() == (1,)
    engine.dispose()


class OneConnectionHook(DbApiHook):
    """A hook that keeps its connection and gives it again, as that of Databricks does."""

    conn_name_attr = "one_conn_id"
    default_conn_name = "warehouse"
    kept: Any = None

    def get_conn(self) -> Any:
        if self.kept is None:
            fields = self.connection
            self.kept = psycopg.connect(
                host=fields.host,
                port=fields.port,
                user=fields.login,
                password=fields.password,
                dbname=fields.schema,
                options=self.connection.extra_dejson.get("flags"),
            )
        return self.kept

    def get_uri(self) -> str:
        return super().get_uri().replace("postgres://", "postgresql+psycopg://").partition("?")[0]


class OtherDriverHook(OneConnectionHook):
    """A hook whose queries go by a driver that SQLAlchemy has not for it, as that of Redshift does."""

    def get_conn(self) -> Any:
        return type("Connection", (), {"__module__": "redshift_connector.core", "close": lambda _: None})()


def test_a_hook_that_keeps_its_connection_gives_a_pool_several(demand: Demand) -> None:
    demand(flags="-c search_path=crm")
    engine = engine_of(OneConnectionHook())
    with engine.connect() as one, engine.connect() as other:
        pids = [each.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for each in (one, other)]
        assert one.exec_driver_sql("SHOW search_path").scalar_one() == "crm"
    assert len(set(pids)) == 2
    engine.dispose()


def test_a_hook_of_another_driver_is_refused_only_what_it_demands(demand: Demand) -> None:
    demand()
    engine = engine_of(OtherDriverHook())
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    engine.dispose()
    demand(iam=True, cluster_identifier="c", extra__redshift__profile="p", region="")
    with (
        pytest.raises(InvalidRequest, match="asks for cluster_identifier, iam, profile") as caught,
        engine_of(OtherDriverHook(), field="ledger_conn_id").connect(),
    ):
        pass
    assert caught.value.field == "ledger_conn_id"


def test_a_connection_of_no_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "ringg", "password": "x"}))
    for open_it in (sql_connection, sql_engine):
        with pytest.raises(InvalidRequest, match="not one of a SQL database"), open_it("warehouse"):
            pass


@pytest.mark.parametrize(
    ("conn_type", "remedy"),
    [
        ("snowflake", r"pip install 'ringg-provider\[snowflake\]'"),
        ("google_cloud_platform", r"pip install 'ringg-provider\[bigquery\]'"),
        ("databricks", r"pip install 'ringg-provider\[databricks\]'"),
        ("vertica", "install it"),
    ],
)
def test_a_provider_that_is_not_there_is_named_with_the_package(
    conn_type: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": conn_type, "host": "h", "password": "x"}))
    with pytest.raises(InvalidRequest, match=f"state_conn_id: .* type '{conn_type}'.*{remedy}"):
        sql_hook("warehouse", field="state_conn_id")


def test_the_rule_of_percent_signs_is_said(demand: Demand, warehouse: Warehouse, sandbox: Any) -> None:
    warehouse.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT, name TEXT)")
    warehouse.execute("INSERT INTO people VALUES (1, '+919876543210', 'Asha')")
    wrong = "SELECT phone, name FROM people\nWHERE name LIKE 'A%' AND id = %(id)s"
    with pytest.raises(AirflowFailException, match=r"sql: line 2 has a single %"):
        transfer(sql=wrong, parameters={"id": 1})
    lists, _ = transfer(sql=wrong.replace("'A%'", "'A%%'"), parameters={"id": 1})
    assert len(lists) == 1
    lists, _ = transfer(sql="SELECT phone, name FROM people WHERE name LIKE 'A%'")
    assert len(lists) == 1
