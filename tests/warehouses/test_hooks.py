"""The hooks that people have: which database each one is, and what is said where it cannot do what is asked."""

from __future__ import annotations

import importlib
import json
import socket
from pathlib import Path
from typing import Any, NoReturn, get_args

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider.contacts.people import PeopleLedger, PeopleSpool
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hooks.sql import sql_connection, sql_engine, sql_hook
from ringg_provider.operators.ledgers import open_ledger
from ringg_provider.sql.dialects import Kept, database_of, require_state
from ringg_provider.sql.reading import open_rows
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.warehouse import create_ringg_tables
from tests.support.tasks import TaskInstance

PROVIDERS = "airflow.providers"
KEY = {"type": "service_account", "project_id": "proj"}
#: Connection type -> its database, the class that speaks SQL, and an extra as people have it.
HOOKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "snowflake": ("snowflake", "snowflake.hooks.snowflake.SnowflakeHook", {"account": "acme", "warehouse": "WH"}),
    "gcpbigquery": ("bigquery", "google.cloud.hooks.bigquery.BigQueryHook", {"project": "p", "keyfile_dict": KEY}),
    "google_cloud_platform": ("bigquery", "google.cloud.hooks.bigquery.BigQueryHook", {"project": "p"}),
    "redshift": ("redshift", "amazon.aws.hooks.redshift_sql.RedshiftSQLHook", {"iam": True, "cluster_identifier": "c"}),
    "athena": ("athena", "amazon.aws.hooks.athena_sql.AthenaSQLHook", {"s3_staging_dir": "s3://bucket"}),
    "databricks": ("databricks", "databricks.hooks.databricks_sql.DatabricksSqlHook", {"http_path": "/sql/1.0/x"}),
    "mssql": ("mssql", "microsoft.mssql.hooks.mssql.MsSqlHook", {}),
    "oracle": ("oracle", "oracle.hooks.oracle.OracleHook", {"service_name": "crm"}),
    "trino": ("trino", "trino.hooks.trino.TrinoHook", {"catalog": "hive"}),
    "clickhouse": ("clickhouse", "clickhousedb.hooks.clickhouse.ClickHouseHook", {}),
}


@pytest.fixture(params=sorted(HOOKS))
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A connection type, whose connection is `warehouse`; nothing may be connected to."""
    extra = HOOKS[request.param][2]
    fields = {"host": "warehouse.example.com", "login": "me", "password": "secret", "schema": "crm"}
    given = json.dumps({"conn_type": request.param, "extra": extra, **fields})
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", given)

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("something was connected to")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return str(request.param)


def test_a_connection_is_opened_by_the_hook_that_speaks_sql(kind: str) -> None:
    module, _, name = HOOKS[kind][1].rpartition(".")
    assert type(sql_hook("warehouse")) is getattr(importlib.import_module(f"{PROVIDERS}.{module}"), name)


def test_its_database_is_known_without_connecting(kind: str) -> None:
    assert database_of(sql_hook("warehouse")).name == HOOKS[kind][0]


@pytest.mark.parametrize("kept", get_args(Kept))
def test_it_is_refused_as_state_with_what_to_set(kind: str, kept: Kept) -> None:
    with pytest.raises(InvalidRequest, match=rf"^state_conn_id: .*{HOOKS[kind][0]} .*Set state_conn_id") as caught:
        require_state(sql_hook("warehouse"), for_=kept, field="state_conn_id")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("kept", [{"contacts_table": "c"}, {"max_attempts": 3}, {"ledger_conn_id": "warehouse"}])
def test_operators_refuse_it_before_anything_is_connected_to(kind: str, kept: dict[str, Any]) -> None:
    transfer = SqlToRinggOperator(
        task_id="lists",
        sql_conn_id="warehouse",
        sql="SELECT phone FROM people",
        ringg_conn_id="nowhere",
        agent_id="a",
        campaign_name="c",
        phone_column="phone",
        variables_map={},
        country_code="+91",
        call_config={"call_time": {"call_start_time": "09:00", "call_end_time": "18:00", "timezone": "Asia/Kolkata"}},
        launch_key="key",
        **kept,
    )
    calls = RinggCallsToSqlOperator(task_id="calls", sql_conn_id="warehouse", ringg_conn_id="nowhere")
    for operator in (transfer, calls):
        with pytest.raises(AirflowFailException, match=rf"_conn_id: .*{HOOKS[kind][0]} .*Set state_conn_id"):
            operator.execute({"ti": TaskInstance()})  # type: ignore[arg-type]


def test_redshift_is_redshift_though_its_engine_says_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "redshift://me:secret@127.0.0.1:1/crm")
    hook = sql_hook("warehouse")
    assert hook.get_sqlalchemy_engine().dialect.name == "postgresql"
    assert database_of(hook).name == "redshift"


@pytest.mark.parametrize("conn_type", ["gcpbigquery", "google_cloud_platform"])
@pytest.mark.parametrize(
    ("extra", "legacy"),
    [({}, False), ({"use_legacy_sql": False}, False), ({"use_legacy_sql": True}, True)],
)
def test_bigquery_speaks_standard_sql_unless_told(
    conn_type: str, extra: dict[str, Any], legacy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": conn_type, "extra": {"project": "p", **extra}})
    )
    assert sql_hook("warehouse").use_legacy_sql is legacy
    assert sql_hook("warehouse", hook_params={"use_legacy_sql": True}).use_legacy_sql is True


def read(sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with sql_connection("warehouse") as connection, open_rows(connection, sql, parameters) as rows:
        return [tuple(row) for batch in rows.batches for row in batch]


class TestDuckDB:
    """The provider's own hook, on a file."""

    @pytest.fixture(autouse=True)
    def connection(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        given = {"conn_type": "duckdb", "host": str(tmp_path / "a.db")}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(given))

    def test_it_keeps_the_history_and_the_people(self, tmp_path: Path) -> None:
        with sql_engine("warehouse") as engine:
            create_ringg_tables(engine)
            with Scratch(tmp_path) as scratch:
                PeopleLedger(engine).try_out(scratch)
                spool = PeopleSpool(scratch)
                spool.listed(1, ["+919876543210"], None)
                spool.close()
                PeopleLedger(engine).replace("key", spool, {1: "list"})
        assert read("SELECT phone, list_id FROM ringg_contacts") == [("+919876543210", "list")]

    def test_it_keeps_no_ledger(self) -> None:
        with pytest.raises(InvalidRequest, match="ledger_conn_id: duckdb does not enforce unique keys with row locks"):
            open_ledger("warehouse")
