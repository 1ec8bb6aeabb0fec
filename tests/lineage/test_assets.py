"""Which assets there are after a campaign, and that a table has the address of its database."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset

from ringg_provider.lineage.assets import convert_asset_to_openlineage, create_asset, sanitize_uri, table_asset
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
