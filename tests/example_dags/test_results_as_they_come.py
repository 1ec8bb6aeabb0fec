"""SmartAlex's webhooks, as the sandbox sends them, become rows; Ringg's do in a whole Airflow, in the file beside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from ringg_provider.inbox.store import Delivery, add, inbox_table
from ringg_provider.sql.creating import create_tables
from tests.sandbox.api import wait_for
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse
from tests.support.http_server import ScriptedServer
from tests.support.sandbox import Sandbox

ADDRESS = "https://calls.example.com"


@pytest.mark.parametrize("generation", ["old", "new"])
def test_smartalexs_webhooks_become_rows(
    run_dag: DagRunner, sandbox_factory: Callable[..., Sandbox], warehouse: Warehouse, generation: str
) -> None:
    with ScriptedServer() as receiver:
        sandbox = sandbox_factory(speed=86_400, smartalex=generation, callback_origins={ADDRESS: receiver.origin})
        key = {"Authorization": f"Bearer {sandbox.api_key}"}
        with httpx.Client(base_url=sandbox.smartalex_url, headers=key) as alex:
            events = {"event_types" if generation == "new" else "events": ["call.completed", "call.failed"]}
            alex.post("/webhooks", json={"url": f"{ADDRESS}/smartalex", **events}).raise_for_status()
            hours = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC", "max_retries": 0}
            body = {"name": "Survey", "agent_id": "agent_survey", "settings": hours}
            campaign_id = alex.post("/campaigns", json=body).json()["data"]["id"]
            people = [{"phone": f"+1555123000{number}", "first_name": "Ann"} for number in range(5)]
            alex.post(f"/campaigns/{campaign_id}/contacts", json={"contacts": people}).raise_for_status()
            alex.post(f"/campaigns/{campaign_id}/start").raise_for_status()
        wait_for(lambda: len(receiver.asked) == 5, "every call's end to be told")
        now = datetime.now(UTC)
        deliveries = [Delivery.of("smartalex_sandbox", asked.body, now) for asked in receiver.asked]
    create_tables(warehouse.engine, inbox_table())
    with warehouse.engine.begin() as connection:
        add(connection, inbox_table(), deliveries)
    run = run_dag("smartalex_results_as_they_come")
    assert run.state == "success", run
    assert run.xcom("apply")["told"] == 5
    assert warehouse.query("SELECT count(*) AS n, count(DISTINCT call_id) AS calls FROM smartalex_calls") == [
        {"n": 5, "calls": 5}
    ]
    assert run_dag("smartalex_results_as_they_come").xcom("apply")["deliveries"] == 0
