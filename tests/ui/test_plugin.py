"""What Airflow is told by the plugin: where the pages are, below a path too; and nothing where they cannot be shown."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

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


@pytest.mark.parametrize(("conn_id", "words"), [("", "AIRFLOW__RINGG__STATE_CONN_ID"), ("nowhere", "nowhere")])
def test_without_a_connection_the_page_says_what_to_set(
    conn_id: str, words: str, airflow_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__RINGG__STATE_CONN_ID", conn_id)
    app = build_app()
    app.dependency_overrides = {get_user: lambda: None, readable_dags: lambda: None}
    answer = TestClient(app).get("/page/", headers={"Accept": "text/html"})
    assert answer.status_code == 503
    assert words in answer.text
