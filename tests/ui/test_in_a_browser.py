"""The control room as a person meets it: in Airflow's own pages, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.api_server import DAG, ApiServer
from tests.support.browser import Window
from tests.support.sandbox import Sandbox
from tests.ui.night import NAME, Night, launch_ringg
from tests.ui.test_stop import state_of

# The first of them waits for two servers, a database and a night.
pytestmark = pytest.mark.timeout(900)


def test_the_menu_browse_leads_to_the_campaigns(window: Window, server: ApiServer) -> None:
    window.page.goto(f"{server.url}/")
    window.page.get_by_text("Browse", exact=True).click()
    window.page.get_by_text("Ringg campaigns", exact=True).click()
    frame = window.page.frame_locator("iframe")
    frame.get_by_role("heading", name="Campaigns").wait_for()
    assert window.page.url.endswith("/plugin/ringg")


def test_a_stop_is_asked_back_and_the_page_says_what_the_platform_says(
    window: Window,
    server: ApiServer,
    platform: Sandbox,
    connections: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in connections.items():
        monkeypatch.setenv(name, value)
    campaign = launch_ringg(platform, tmp_path, DAG, NAME, f"{DAG}-{tmp_path.name}")
    window.page.goto(f"{server.url}/ringg/page/stop/{DAG}/{campaign}")
    assert window.page.get_by_role("heading", level=1).inner_text() == f"Stop “{NAME}”?"
    assert window.page.title() == "Stop a campaign"  # the name's script did not run
    assert state_of(platform, campaign) != "terminated"
    window.page.get_by_role("button", name="Stop this campaign").click()
    window.page.get_by_text("There is nothing to stop.").wait_for()
    assert window.page.locator("#status").inner_text() == "terminated"
    assert state_of(platform, campaign) == "terminated"


def test_a_platform_that_is_down_is_said_beside_the_button(
    window: Window, server: ApiServer, platform: Sandbox, night: Night
) -> None:
    window.page.goto(f"{server.url}/ringg/page/stop/{DAG}/{night.campaign_id}")
    platform.fault(kind="status", method="PATCH", path="/campaign/terminate", status=503, times=50)
    try:
        window.page.get_by_role("button", name="Stop this campaign").click()
        window.page.get_by_text("Not stopped: ").wait_for()
    finally:
        platform.clear_faults()
    # The console tells of every answer that is an error.
    window.errors[:] = [error for error in window.errors if "503" not in error]
