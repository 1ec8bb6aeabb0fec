"""What a database can do is asked of the database that it really is."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import BaseHook
from airflow.providers.common.sql.hooks.sql import DbApiHook
from sqlalchemy.dialects import registry

from ringg_provider.exceptions import DatabaseUnavailable, InvalidRequest
from ringg_provider.sql.bulk import can_copy
from ringg_provider.sql.dialects import Kept, as_told, database_behind, database_of, require_state
from ringg_provider.sql.types import Json
from tests.support.databases import Warehouse


@pytest.fixture
def pretended(warehouse: Warehouse, request: pytest.FixtureRequest) -> sa.Engine:
    """A PostgreSQL whose `version()` says that it is something else."""
    told = {"redshift": "PostgreSQL 8.0.2 on i686, Redshift 1.0.88395", "cockroachdb": "CockroachDB CCL v25.1.0"}
    warehouse.pretend_to_be(told[request.param])
    return warehouse.engine


def test_a_database_at_hand_is_what_it_says(engine: sa.Engine) -> None:
    database = database_of(engine)
    assert database.name == ("mariadb" if engine.dialect.name == "mysql" else engine.dialect.name)
    assert database.claims_once == (database.name != "duckdb")
    assert can_copy(engine) == (database.name == "postgresql")
    with engine.connect() as connection:
        assert database_of(connection) is database


@pytest.mark.parametrize("pretended", ["redshift", "cockroachdb"], indirect=True)
def test_what_only_speaks_postgresqls_protocol_is_asked_what_it_is(pretended: sa.Engine) -> None:
    assert database_behind(pretended.dialect).name == "postgresql"
    database = database_of(pretended)
    assert pretended.dialect.name == "postgresql"
    assert database.name in ("redshift", "cockroachdb")
    assert database.claims_once == (database.name == "cockroachdb")
    assert not can_copy(pretended)
    assert database.lock != "LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"
    # From then on its dialect is known too, so that tables get types that it has.
    assert database_behind(pretended.dialect) is database
    # The hook of the same connection is asked, too.
    assert database_of(BaseHook.get_hook("warehouse")).name == database.name
    assert (Json().compile(dialect=pretended.dialect) == "JSONB") == (database.name == "cockroachdb")


def test_it_is_asked_once(warehouse: Warehouse) -> None:
    asked: list[str] = []
    sa.event.listen(warehouse.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for _ in range(3):
        database_of(warehouse.engine)
    assert sum("version()" in statement for statement in asked) == 1


def test_what_is_not_known_of_a_database_is_taken_for_missing() -> None:
    dialect = registry.load("sqlite")()
    dialect.name = "somethingelse"
    database = database_behind(dialect)
    assert database.name == "somethingelse"
    assert not database.claims_once
    assert not database.copies
    assert database.lock is None
    assert database.document is None


def test_a_hook_tells_what_its_engine_tells(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse.connection)
    by_hook = database_of(BaseHook.get_hook("warehouse"))
    assert (by_hook.name, by_hook.version) == (warehouse.engine.dialect.name, database_of(warehouse.engine).version)
    for kept in get_args(Kept):
        assert require_state(BaseHook.get_hook("warehouse"), for_=kept, field="sql_conn_id").name == by_hook.name


def _hook(conn_type: str) -> DbApiHook:
    return type("Hook", (DbApiHook,), {"conn_type": conn_type, "conn_name_attr": "some_conn_id"})()


@pytest.mark.parametrize("kept", get_args(Kept))
@pytest.mark.parametrize(
    ("conn_type", "name"),
    [
        ("snowflake", "snowflake"),
        ("gcpbigquery", "bigquery"),
        ("google_cloud_platform", "bigquery"),
        ("redshift", "redshift"),
        ("databricks", "databricks"),
        ("mssql", "mssql"),
        ("oracle", "oracle"),
        ("trino", "trino"),
        ("clickhouse", "clickhouse"),
    ],
)
def test_a_warehouse_is_refused_as_state_by_name_and_never_connected_to(conn_type: str, name: str, kept: Kept) -> None:
    with pytest.raises(InvalidRequest, match=rf"^from_dag: .*{name} .*Set state_conn_id .*PostgreSQL") as caught:
        require_state(_hook(conn_type), for_=kept, field="from_dag")
    assert caught.value.field == "from_dag"


@pytest.mark.parametrize("kept", get_args(Kept))
def test_duckdb_holds_what_nobody_claims(kept: Kept) -> None:
    if kept in ("ledger", "publications", "inbox", "budgets"):
        with pytest.raises(InvalidRequest, match=r"^state_conn_id: duckdb does not enforce unique keys with row locks"):
            require_state(_hook("duckdb"), for_=kept, field="state_conn_id")
    else:
        assert require_state(_hook("duckdb"), for_=kept, field="state_conn_id").name == "duckdb"


def _unknown_driver(url: str | None) -> DbApiHook:
    """A hook whose driver could be anybody's, as that of ODBC."""
    hook = _hook("acme")
    driver = type("Connection", (), {"__module__": "acme.dbapi", "close": lambda _: None})
    hook.get_conn = lambda: driver()  # type: ignore[method-assign]
    if url is not None:
        hook.get_uri = lambda: url  # type: ignore[method-assign]
        hook.get_sqlalchemy_engine = lambda: sa.create_engine(url)  # type: ignore[method-assign, misc]
    return hook


def test_what_nobody_knows_is_refused_by_its_connections_type() -> None:
    with pytest.raises(InvalidRequest, match=r"^sql_conn_id: nobody has tried whether unknown: acme does"):
        require_state(_unknown_driver(None), for_="history", field="sql_conn_id")


def test_a_driver_that_nobody_knows_is_told_by_its_engine(warehouse: Warehouse) -> None:
    assert database_of(_unknown_driver(warehouse.url)).name == "postgresql"
    warehouse.pretend_to_be("PostgreSQL 8.0.2, Redshift 1.0")
    assert database_of(_unknown_driver(warehouse.url)).name == "redshift"


def test_a_hooks_database_that_is_away_can_be_asked_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWAY", "postgres://airflow:secret@127.0.0.1:1/warehouse")
    with pytest.raises(DatabaseUnavailable, match=r"connection 'away'.*refused") as told:
        require_state(BaseHook.get_hook("away"), for_="publications", field="state_conn_id")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("protocol", "told", "name", "version", "holds"),
    [
        ("postgresql", "PostgreSQL 17.2 (Debian 17.2-1) on x86_64-pc-linux-gnu", "postgresql", (17, 2), True),
        ("postgresql", "PostgreSQL 9.4.26 (Greenplum Database 6.25.3 build)", "greenplum", (9, 4, 26), False),
        ("postgresql", "PostgreSQL 8.0.2 on i686, compiled by GCC, Redshift 1.0.88395", "redshift", (8, 0, 2), False),
        ("mysql", "8.0.36 MySQL Community Server - GPL", "mysql", (8, 0, 36), True),
        ("mysql", "5.7.44-log MySQL Community Server (GPL)", "mysql", (5, 7, 44), False),
        ("mysql", "10.11.19-MariaDB-0+deb12u1 Debian 12", "mariadb", (10, 11, 19), True),
        ("mysql", "5.5.5-10.6.12-MariaDB Source distribution", "mariadb", (10, 6, 12), True),
        ("mysql", "10.1.48-MariaDB Debian", "mariadb", (10, 1, 48), False),
        ("mysql", "8.0.33 StarRocks version 3.3.0", "starrocks", (8, 0, 33), False),
    ],
)
def test_what_a_server_says_of_itself(
    protocol: str, told: str, name: str, version: tuple[int, ...], holds: bool
) -> None:
    database: Any = as_told(protocol, told)
    assert (database.name, database.version) == (name, version)
    assert database.holds_state == database.holds_ledger == holds


def test_a_version_that_is_too_old_is_named() -> None:
    assert "a newer mysql" in as_told("mysql", "5.7.44-log MySQL").refusal
