"""What Airflow is told by the plugin: where the pages are, below a path too; and nothing where they cannot be shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.ui import plugin
from ringg_provider.ui.access import get_user, readable_dags
from ringg_provider.ui.app import build_app


@pytest.mark.parametrize(
    ("base_url", "path"),
    [
        ("http://localhost:8080", ""),
        ("https://example.com/airflow", "/airflow"),
        ("https://example.com/team/airflow/", "/team/airflow"),
        ("", ""),
    ],
)
def test_views_lead_below_the_path_that_airflow_is_served_at(
    base_url: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    menu, tab = plugin.RinggPlugin().external_views
    assert (menu["href"], menu["destination"]) == (f"{path}/ringg/page/", "nav")
    assert (tab["href"], tab["destination"]) == (f"{path}/ringg/page/run/{{DAG_ID}}/{{RUN_ID}}", "dag_run")


def test_without_the_extra_airflow_gets_no_page_and_no_menu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "find_spec", lambda module: None)
    made = plugin.RinggPlugin()
    assert (made.fastapi_apps, made.external_views) == ([], [])


@pytest.mark.parametrize(("inbox", "expected"), [("True", ["/ringg/webhooks", "/ringg"]), ("False", ["/ringg"])])
def test_the_inbox_is_there_where_it_is_asked_for_and_before_the_pages(
    inbox: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__RINGG__INBOX", inbox)
    made = plugin.RinggPlugin()
    assert [app["url_prefix"] for app in made.fastapi_apps] == expected
    # It needs nothing that Airflow has not.
    monkeypatch.setattr(plugin, "find_spec", lambda module: None)
    assert [app["url_prefix"] for app in plugin.RinggPlugin().fastapi_apps] == expected[:-1]


def test_the_app_is_made_once() -> None:
    made = plugin.RinggPlugin()
    assert made.fastapi_apps[0]["app"] is made.fastapi_apps[0]["app"]


@pytest.mark.parametrize(
    ("conn_id", "words"),
    [
        ("", ["AIRFLOW__RINGG__STATE_CONN_ID"]),
        ("nowhere", ["nowhere", "finds no such connection"]),
        ("gone", ["gone", "port 1", "Runbook: “The database refused”."]),
    ],
)
def test_without_a_database_the_page_says_why_and_what_to_do(
    conn_id: str, words: list[str], airflow_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__RINGG__STATE_CONN_ID", conn_id)
    monkeypatch.setenv("AIRFLOW_CONN_GONE", "postgres://somebody:a-secret@127.0.0.1:1/state")
    app = build_app()
    app.dependency_overrides = {get_user: lambda: None, readable_dags: lambda: None}
    answer = TestClient(app).get("/page/", headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert "The control room cannot show this now" in answer.text
    assert [each for each in words if each not in answer.text] == []
    assert "a-secret" not in answer.text


@pytest.mark.parametrize("path", ["/page/", "/page/todo"])
def test_a_database_without_our_tables_is_not_taken_for_a_quiet_month(
    path: str, airflow_home: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__RINGG__STATE_CONN_ID", "another")
    file = tmp_path / "another.db"
    monkeypatch.setenv("AIRFLOW_CONN_ANOTHER", json.dumps({"conn_type": "sqlite", "host": str(file)}))
    app = build_app()
    app.dependency_overrides = {get_user: lambda: None, readable_dags: lambda: None}
    client = TestClient(app)
    assert "None of the tables of this provider is in the database" in client.get(path).text
    LaunchLedger(sa.create_engine(f"sqlite:///{file}"))
    later = client.get(path).text
    assert "None of the tables" not in later
    assert "There was no campaign" in later or "No campaign waits" in later
