"""What plugins that read Airflow's hook lineage are told: the same assets, and nothing of what stood in a query."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.airflow_home import home_of
from tests.support.databases import Warehouse

NUMBER, NAME = "9876543987", "Zyxmarkedname"

#: Airflow collects only where a plugin reads.
PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
from airflow.providers.common.compat.sdk import HookLineageReader

class Reader(AirflowPlugin):
    name = "reader"
    hook_lineage_readers = [HookLineageReader]
"""
DAG = """
import json
import os
from datetime import datetime
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.sdk import DAG, task
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

NUMBER, NAME = os.environ["MARKED"].split()
HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}

with DAG("marked", schedule=None, start_date=datetime(2026, 1, 1)):
    lists = SqlToRinggOperator(
        task_id="lists", ringg_conn_id="ringg_sandbox", agent_id="22222222-2222-4222-8222-222222222222",
        variables_map={"callee_name": "name"}, call_config={"call_time": HOURS}, sql_conn_id="warehouse",
        sql="SELECT phone, name FROM people WHERE phone = %(number)s", parameters={"number": NUMBER},
        suppression_sql=f"SELECT phone FROM people WHERE name = '{NAME}, but another'",
        phone_column="phone", country_code="+91", campaign_name="Marked", contacts_table="ringg_contacts",
    )
    launch = RinggLaunchOperator.partial(
        task_id="launch", ringg_conn_id="ringg_sandbox", from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
    ).expand(launch=lists.output)
    calls = RinggCallsToSqlOperator(task_id="calls", ringg_conn_id="ringg_sandbox", sql_conn_id="warehouse")

    @task
    def collected():
        found = get_hook_lineage_collector().collected_assets
        told = {
            "inputs": [each.asset.uri for each in found.inputs],
            "outputs": [each.asset.uri for each in found.outputs],
            "extra": [[each.key, str(each.value)] for each in found.extra],
        }
        with open(os.environ["COLLECTED"], "w") as file:
            json.dump(told, file)

    launch >> calls >> collected()
"""


@pytest.mark.slow
def test_hook_lineage_has_the_assets_and_no_query(
    sandbox_factory: Any, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = sandbox_factory("g3", history_rate_window_seconds=0)
    warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    warehouse.execute("INSERT INTO people VALUES (:phone, :name)", phone=NUMBER, name=NAME)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "reader.py").write_text(PLUGIN)
    collected = tmp_path / "collected.json"
    home = home_of(
        tmp_path,
        DAG,
        AIRFLOW__CORE__PLUGINS_FOLDER=str(tmp_path / "plugins"),
        MARKED=f"{NUMBER} {NAME}",
        COLLECTED=str(collected),
    )
    output = home.airflow("dags", "test", "marked")
    told = json.loads(collected.read_text()) if collected.exists() else output[-3000:]
    place, host = warehouse.engine.url, urlsplit(sandbox.url).netloc
    database = f"postgres://{place.host}:{place.port}/{place.database}/public"
    campaigns = f"ringg://{host}/campaigns/22222222-2222-4222-8222-222222222222"
    assert {kind: set(uris) for kind, uris in told.items() if kind != "extra"} == {
        "inputs": {campaigns, f"ringg://{host}/calls"},
        "outputs": {
            campaigns,
            f"ringg://{host}/calls",
            *(f"{database}/{table}" for table in ("ringg_contacts", "ringg_calls", "ringg_campaigns")),
        },
    }
    assert NUMBER not in collected.read_text()
    assert NAME not in collected.read_text()
    assert told["extra"] == []
