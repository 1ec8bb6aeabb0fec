"""Which assets there are after a campaign, and that a table has the address of its database."""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from ringg_provider.hooks.sql import sql_hook
from ringg_provider.lineage.assets import (
    announce,
    convert_asset_to_openlineage,
    create_asset,
    sanitize_uri,
    table_asset,
)
from tests.support.databases import Warehouse

DAG = """
import pendulum
from airflow.sdk import DAG, AssetAlias
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallsToSqlOperator

HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}

with DAG("assets", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")):
    for task_id, sql in (("lists", "SELECT phone, name FROM people"),
                         ("nobody", "SELECT phone, name FROM people WHERE 1 = 0")):
        SqlToRinggOperator(
            task_id=task_id, ringg_conn_id="ringg_sandbox", agent_id="22222222-2222-4222-8222-222222222222",
            sql_conn_id="warehouse", variables_map={"callee_name": "name"}, call_config={"call_time": HOURS},
            sql=sql, phone_column="phone", country_code="+91", campaign_name="x", contacts_table="ringg_contacts",
            outlets=[AssetAlias(task_id)],
        )
"""


def test_after_a_campaign_its_assets_are_there(run_dag: Any, sandbox: Any, warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    warehouse.execute("INSERT INTO people VALUES ('9876543210', 'Asha')")
    run = run_dag(DAG)
    assert run.state == "success"
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        events = session.query(AssetEvent).filter_by(source_run_id=run.run_id, source_dag_id="assets").all()
        told = {(event.source_task_id, event.asset.uri): event.extra for event in events}
    place = warehouse.engine.url
    assert told == {
        ("lists", f"ringg://{urlsplit(sandbox.url).netloc}/campaigns/22222222-2222-4222-8222-222222222222"): {
            "contacts": 1
        },
        ("lists", f"postgres://{place.host}:{place.port}/{place.database}/public/ringg_contacts"): {"contacts": 1},
    }


@pytest.mark.parametrize(
    ("connection", "schema", "uri"),
    [
        ({"conn_type": "mysql", "host": "db", "schema": "calls"}, None, "mysql://db:3306/calls/t"),
        ({"conn_type": "mysql", "host": "db", "port": 3307}, "other", "mysql://db:3307/other/t"),
        ({"conn_type": "mysql", "host": "db"}, None, "x-ringg-sql://lake/t"),
        ({"conn_type": "postgres", "host": "db", "schema": "calls"}, "crm", "postgres://db:5432/calls/crm/t"),
        (
            {"conn_type": "snowflake", "schema": "PUBLIC", "extra": {"account": "org-acc", "database": "LAKE"}},
            None,
            "snowflake://org-acc/LAKE/PUBLIC/t",
        ),
        (
            {"conn_type": "snowflake", "extra": {"extra__snowflake__account": "org-acc"}},
            '"Lake".calls',
            "snowflake://org-acc/Lake/calls/t",
        ),
        ({"conn_type": "snowflake", "extra": {"account": "org-acc"}}, "calls", "x-ringg-sql://lake/calls.t"),
        (
            {"conn_type": "google_cloud_platform", "extra": {"project": "our-project"}},
            "calls",
            "bigquery://our-project/calls/t",
        ),
        ({"conn_type": "google_cloud_platform"}, "calls", "x-ringg-sql://lake/calls.t"),
        (
            {"conn_type": "databricks", "host": "https://abc.cloud.databricks.com"},
            "main.calls",
            "databricks://abc.cloud.databricks.com/main/calls/t",
        ),
        ({"conn_type": "redshift", "host": "db", "schema": "calls"}, "crm", "x-ringg-sql://lake/crm.t"),
        ({"conn_type": "sqlite", "host": "/tmp/x.db"}, None, "x-ringg-sql://lake/t"),
    ],
)
def test_a_table_has_the_address_of_airflows_own_providers(
    connection: dict[str, Any], schema: str | None, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({**connection, "login": "user", "password": "hidden"}))
    asset = table_asset("lake", "t", schema)
    assert asset.uri == uri
    assert "hidden" not in f"{asset.name}{asset.uri}"
    assert table_asset("lake", f"{schema}.t").uri == uri if schema else True


@pytest.mark.parametrize(
    ("connection", "hook_params", "uri"),
    [
        ({"conn_type": "mysql", "host": "db", "schema": "calls"}, {"schema": "other"}, "mysql://db:3306/other/t"),
        (
            {"conn_type": "snowflake", "schema": "PUBLIC", "extra": {"account": "org-acc", "database": "LAKE"}},
            {"database": "OTHER", "schema": "CALLS", "warehouse": "SMALL"},
            "snowflake://org-acc/OTHER/CALLS/t",
        ),
        (
            {"conn_type": "databricks", "host": "https://abc.cloud.databricks.com"},
            {"catalog": "main", "schema": "calls"},
            "databricks://abc.cloud.databricks.com/main/calls/t",
        ),
    ],
)
def test_the_address_is_that_to_which_arguments_of_the_hook_lead(
    connection: dict[str, Any], hook_params: dict[str, Any], uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(connection))
    assert table_asset("lake", "t", hook_params=hook_params).uri == uri


def test_on_postgresql_the_hook_itself_says_which_database_and_schema(warehouse: Warehouse, postgres: Any) -> None:
    other = Warehouse(postgres.create_database("other_calls"), "")
    other.execute("CREATE SCHEMA crm")
    other.engine.dispose()
    hook_params = {"database": "other_calls", "options": "-c search_path=crm"}
    hook = sql_hook("warehouse", hook_params=hook_params)
    asked = hook.get_first("SELECT current_database(), current_schema()")
    uri = table_asset("warehouse", "t", hook_params=hook_params).uri
    postgres.drop_database("other_calls")
    assert uri.rsplit("/", 3)[1:] == [*asked, "t"] == ["other_calls", "crm", "t"]


@pytest.mark.parametrize(
    ("connection", "table", "uri"),
    [
        ({"conn_type": "mysql", "host": "db", "schema": "für uns"}, "t", "mysql://db:3306/f%C3%BCr%20uns/t"),
        ({"conn_type": "mysql", "host": "db", "schema": "calls"}, "wer/was?", "mysql://db:3306/calls/wer%2Fwas%3F"),
        ({"conn_type": "sqlite", "host": "/tmp/x.db"}, "kontakte_für", "x-ringg-sql://lake/kontakte_f%C3%BCr"),
    ],
)
def test_a_name_that_is_no_address_is_written_as_part_of_one(
    connection: dict[str, Any], table: str, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(connection))
    assert table_asset("lake", table).uri == uri


def test_what_has_been_done_is_not_failed_by_a_table_that_cannot_be_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    down = {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "schema": "calls", "password": "hidden"}
    monkeypatch.setenv("AIRFLOW_CONN_DOWN", json.dumps(down))
    events, alias, asset = OutletEventAccessors(), AssetAlias("lists"), Asset("every_run")

    def assets() -> Any:
        yield Asset("ringg://host/campaigns/agent")
        yield table_asset("down", "ringg_contacts")

    with caplog.at_level(logging.WARNING):
        announce([alias, asset], {"outlet_events": events}, {"contacts": 3}, assets, is_news=True)
    # What could be named before it is told, and what comes after it, too.
    assert [each.dest_asset_key.uri for each in events[alias].asset_alias_events] == ["ringg://host/campaigns/agent"]
    assert events[asset].extra == {"contacts": 3}
    assert "the alias 'lists' could not be named (OperationalError)" in caplog.text
    assert "hidden" not in caplog.text


def test_a_platforms_asset_is_the_dataset_of_its_lineage() -> None:
    made = create_asset(platform="ringg", host="prod-api.ringg.ai", name="campaigns/agent")
    assert made.uri == "ringg://prod-api.ringg.ai/campaigns/agent"
    dataset = convert_asset_to_openlineage(made, None)
    assert (dataset.namespace, dataset.name) == ("ringg://prod-api.ringg.ai", "campaigns/agent")


@pytest.mark.parametrize("uri", ["ringg:///calls", "ringg://host", "ringg://user:key@host/calls"])
def test_an_address_without_a_host_or_with_credentials_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="ringg://"):
        sanitize_uri(urlsplit(uri))


def test_airflow_asks_for_the_check(airflow_home: Any) -> None:
    """Airflow normalizes an address by the handler of the provider info; 3.1 warns of what it cannot take."""
    assert Asset("ringg://prod-api.ringg.ai/calls/").uri == "ringg://prod-api.ringg.ai/calls"
