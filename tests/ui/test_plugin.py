"""What Airflow is told by the plugin: where the pages are, below a path too; and nothing where they cannot be shown."""

from __future__ import annotations

import pytest

from ringg_provider.ui import plugin


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


def test_the_app_is_made_once() -> None:
    made = plugin.RinggPlugin()
    assert made.fastapi_apps[0]["app"] is made.fastapi_apps[0]["app"]
