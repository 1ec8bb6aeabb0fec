"""What plugins that read Airflow's hook lineage are told: the same assets, and nothing of a query or of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ringg_provider.hooks import sql
from ringg_provider.lineage import hook_lineage
from ringg_provider.lineage.datasets import InDatabase, Lineage
from tests.support.airflow_home import AirflowHome, home_of
from tests.support.databases import Warehouse

try:
    from airflow.sdk.lineage import HookLineageCollector
except ImportError:  # Airflow 3.1
    from airflow.lineage.hook import HookLineageCollector

NUMBER, NAME = "9876543987", "Zyxmarkedname"

#: Airflow collects only where a plugin reads.
PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
from airflow.providers.common.compat.sdk import HookLineageReader

class Reader(AirflowPlugin):
    name = "reader"
    hook_lineage_readers = [HookLineageReader]
"""
#: Writes what was collected in this process into a file.
COLLECTED = """
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
"""
HEAD = f"""
import json
import os
from datetime import datetime
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.sdk import DAG, task
from ringg_provider.operators.ringg import (
    RinggLaunchOperator, RinggSaveCampaignOperator, RinggStartCampaignOperator,
)
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

HOURS = {{"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}}
AGENT = "22222222-2222-4222-8222-222222222222"
FROM = ["aaaaaaaa-0000-4000-8000-000000000001"]
{COLLECTED}
"""
DAG = """
NUMBER, NAME = os.environ["MARKED"].split()

with DAG("marked", schedule=None, start_date=datetime(2026, 1, 1)):
    lists = SqlToRinggOperator(
        task_id="lists", ringg_conn_id="ringg_sandbox", agent_id=AGENT,
        variables_map={"callee_name": "name"}, call_config={"call_time": HOURS}, sql_conn_id="warehouse",
        sql="SELECT phone, name FROM people WHERE phone = %(number)s", parameters={"number": NUMBER},
        suppression_sql=f"SELECT phone FROM people WHERE name = '{NAME}, but another'",
        phone_column="phone", country_code="+91", campaign_name="Marked", contacts_table="ringg_contacts",
    )
    launch = RinggLaunchOperator.partial(
        task_id="launch", ringg_conn_id="ringg_sandbox", from_numbers=FROM,
    ).expand(launch=lists.output)
    calls = RinggCallsToSqlOperator(task_id="calls", ringg_conn_id="ringg_sandbox", sql_conn_id="warehouse")
    launch >> calls >> collected()
"""


def home_that_collects(folder: Path, dag: str, **environment: str) -> tuple[AirflowHome, Path]:
    """An Airflow with a plugin that reads, and the file that its DAG writes at its end."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / "reader.py").write_text(PLUGIN)
    collected = folder / "collected.json"
    home = home_of(
        folder,
        HEAD + dag,
        AIRFLOW__CORE__PLUGINS_FOLDER=str(folder / "plugins"),
        COLLECTED=str(collected),
        **environment,
    )
    return home, collected


def test_no_database_is_opened_to_name_a_table_and_one_that_was_open_is_known(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = HookLineageCollector()
    monkeypatch.setattr(hook_lineage, "get_hook_lineage_collector", lambda: collector)
    monkeypatch.setattr(sql, "_dialects", {})

    def told() -> set[str]:
        hook_lineage.report(
            lambda: Lineage(outputs=[InDatabase("warehouse", tables={"ringg_launches": 1, "crm.people": None})])
        )
        return {urlsplit(each.asset.uri).path.split("/", 2)[2] for each in collector.collected_assets.outputs}

    opened: list[bool] = []
    with monkeypatch.context() as watched:
        watched.setattr(sql._Opener, "connect", lambda *_: opened.append(True))
        assert told() == {"crm/people"}
    assert opened == []
    with sql.sql_engine("warehouse") as engine, engine.connect():
        assert told() == {"crm/people", "public/ringg_launches"}


@pytest.mark.slow
def test_hook_lineage_has_the_assets_and_no_query(
    sandbox_factory: Any, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = sandbox_factory("g3", history_rate_window_seconds=0)
    warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    warehouse.execute("INSERT INTO people VALUES (:phone, :name)", phone=NUMBER, name=NAME)
    home, collected = home_that_collects(tmp_path, DAG, MARKED=f"{NUMBER} {NAME}")
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


FILES = """
with DAG("marked", schedule=None, start_date=datetime(2026, 1, 1)):
    folder = os.environ["FOLDER"]
    rejects = SqlToRinggOperator(
        task_id="lists", ringg_conn_id="ringg_sandbox", agent_id=AGENT, variables_map={"callee_name": "name"},
        call_config={"call_time": HOURS}, sql_conn_id="warehouse", sql="SELECT phone, name FROM people",
        phone_column="phone", country_code="+91", campaign_name="Marked", rejects_path=f"{folder}/rejects.csv",
    )
    upload = RinggSaveCampaignOperator(
        task_id="upload", ringg_conn_id="ringg_sandbox", agent_id=AGENT, campaign_name="Marked", country_code="+91",
        variables_map={"callee_name": "Name", "mobile_number": "Phone"}, call_config={"call_time": HOURS},
        contacts=f"{folder}/contacts.csv",
    )
    start = RinggStartCampaignOperator(
        task_id="start", ringg_conn_id="ringg_sandbox", agent_id=AGENT, list_id=upload.output, from_numbers=FROM,
        wait_for_completion=True, deferrable=False, poll_interval=1,
    )
    calls = RinggCallsToSqlOperator(
        task_id="calls", ringg_conn_id="ringg_sandbox", sql_conn_id="warehouse",
        recordings_path=f"{folder}/recordings", recording_hosts=["127.0.0.1"],
    )
    rejects >> upload >> start >> calls >> collected()
"""


@pytest.mark.slow
def test_hook_lineage_has_no_file_whatever_it_is_named_after(
    sandbox_factory: Any, warehouse: Warehouse, tmp_path: Path
) -> None:
    sandbox_factory("g3", history_rate_window_seconds=0)
    warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    warehouse.execute("INSERT INTO people VALUES (:phone, 'a'), ('nonsense', 'b')", phone=NUMBER)
    folder = tmp_path / f"of-{NAME}"
    folder.mkdir()
    people = [f"a,+9198765{number}" for number in range(43200, 43212)]
    (folder / "contacts.csv").write_text("\n".join(["Name,Phone", *people]))
    home, collected = home_that_collects(tmp_path, FILES, FOLDER=f"file://{folder}")
    output = home.airflow("dags", "test", "marked")
    # All three were opened, or the search proves nothing.
    errors = [line for line in output.splitlines() if "Exception" in line or "Error" in line]
    assert [state for _, state in home.task_states()] == ["success"] * 5, errors
    assert "nonsense" in (folder / "rejects.csv").read_text()
    assert [*(folder / "recordings").iterdir()]
    told = json.loads(collected.read_text())
    assert not [uri for uri in told["inputs"] + told["outputs"] if NAME in uri]
    assert f"{warehouse.engine.url.database}/public/ringg_calls" in "".join(told["outputs"])
