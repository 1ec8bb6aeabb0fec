"""The control room as a person meets it: in Airflow's own pages, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from tests.support.api_server import DAG, PASSWORD, ApiServer
from tests.support.browser import LOGIN_WITHIN, Window, fill_in_login
from tests.support.sandbox import Sandbox
from tests.ui.night import NAME, RUN_ID, Night, launch_ringg
from tests.ui.test_stop import state_of

# The first of them waits for two servers, a database and a night.
pytestmark = pytest.mark.timeout(900)


def test_the_menu_browse_leads_to_the_campaigns(window: Window, server: ApiServer) -> None:
    window.page.goto(f"{server.url}/")
    window.page.get_by_text("Browse", exact=True).click()
    window.page.get_by_text("Ringg campaigns", exact=True).click()
    frame = window.page.frame_locator("iframe")
    frame.get_by_role("heading", name="Campaigns").wait_for()
    assert "/plugin/ringg" in window.page.url  # Airflow adds the address of the page in the frame


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


def campaign_page(server: ApiServer, night: Night) -> str:
    return f"{server.url}/ringg/page/campaign/{night.campaign_id}"


def test_from_the_list_to_a_campaign_by_the_keyboard_alone(window: Window, server: ApiServer, night: Night) -> None:
    window.page.goto(f"{server.url}/ringg/page/")
    window.page.get_by_role("link", name=NAME).first.wait_for()
    for _ in range(400):
        window.page.keyboard.press("Tab")
        if window.page.evaluate("document.activeElement.textContent") == NAME:
            break
    window.page.keyboard.press("Enter")
    window.page.wait_for_url(f"**/page/campaign/{night.campaign_id}")
    assert window.page.get_by_role("heading", level=1).inner_text() == NAME
    assert window.page.evaluate("document.title") == NAME, "the name's script did not run"


def test_every_chart_is_drawn_read_by_the_keyboard_and_equal_to_its_table(
    window: Window, server: ApiServer, night: Night, tables: sa.Engine
) -> None:
    window.page.goto(campaign_page(server, night))
    drawings = window.page.locator(".drawing svg")
    drawings.first.wait_for()
    assert drawings.count() == window.page.locator(".chart table").count() >= 4
    for number in range(drawings.count()):
        chart = window.page.locator(".chart").nth(number)
        chart.locator("svg").focus()
        window.page.keyboard.press("Home")
        chart.locator("summary").press("Enter")
        label, first = chart.locator("tbody tr").first.locator("th, td").all_inner_texts()[:2]
        chart.locator("svg").focus()
        window.page.keyboard.press("Home")
        read = chart.locator(".readout").inner_text()
        assert read.startswith(f"{label}: ")
        assert first in read
    with tables.connect() as connection:
        query = "SELECT calls_reached FROM ringg_campaigns WHERE campaign_id = :campaign"
        reached = connection.execute(sa.text(query), {"campaign": night.campaign_id}).scalar_one()
    funnel = window.page.locator(".chart", has_text="From the query to a person").locator("tbody tr").last
    assert funnel.locator("th, td").all_inner_texts()[:2] == ["Reached", f"{reached:,}"]


def test_a_chart_is_kept_as_a_file_where_the_frame_allows_it_and_shown_where_it_does_not(
    window: Window, server: ApiServer, night: Night
) -> None:
    window.page.goto(campaign_page(server, night))
    with window.page.expect_download() as kept:
        window.page.locator(".chart", has_text="From the query to a person").get_by_text("As a CSV file").click()
    file = Path(kept.value.path()).read_text().splitlines()
    assert kept.value.suggested_filename == "funnel.csv"
    assert file[0] == "Step,People,% of the first step"
    assert file[-1].startswith("Reached,")
    window.page.goto(f"{server.url}/api/v2/version")  # of the same site, and with no page of its own
    page = campaign_page(server, night)
    window.page.set_content(f'<iframe sandbox="allow-scripts allow-same-origin" src="{page}" height="900"></iframe>')
    frame = window.page.frame_locator("iframe")
    frame.get_by_text("As a CSV file").first.click()
    frame.get_by_text("Step,People").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_takes_the_colours_that_are_asked_for_and_fits_a_narrow_window(
    scheme: Literal["light", "dark"], window: Window, server: ApiServer, night: Night
) -> None:
    window.page.emulate_media(color_scheme=scheme)
    window.page.set_viewport_size({"width": 800, "height": 900})
    for path in ("page/", "page/todo", f"page/dag/{DAG}", f"page/campaign/{night.campaign_id}"):
        window.page.goto(f"{server.url}/ringg/{path}")
        ground = window.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) is (scheme == "dark")
        assert window.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_page_in_the_frame_turns_dark_with_airflow(window: Window, server: ApiServer) -> None:
    window.page.goto(f"{server.url}/api/v2/version")  # of the same site, and with no page of its own
    window.page.set_content(f'<iframe sandbox="allow-scripts allow-same-origin" src="{server.url}/ringg/page/todo">')
    frame = window.page.frame_locator("iframe")
    frame.get_by_role("heading", name="What is left to do").wait_for()
    for theme in ("dark", "light"):
        window.page.evaluate(f"document.documentElement.className = {theme!r}")
        frame.locator(f"html[data-theme={theme}]").wait_for(state="attached")


def test_who_is_no_longer_logged_in_logs_in_within_the_frame_and_comes_back(window: Window, server: ApiServer) -> None:
    window.page.goto(f"{server.url}/api/v2/version")  # of the same site, and with no page of its own
    window.page.context.clear_cookies()
    window.page.set_content(
        '<iframe sandbox="allow-scripts allow-same-origin allow-forms" height="900"'
        f' src="{server.url}/ringg/page/todo">'
        "</iframe>"
    )
    frame = window.page.frame_locator("iframe")
    frame.get_by_role("link", name="Log in to Airflow").click()
    fill_in_login(frame, "user", PASSWORD)
    frame.get_by_role("heading", name="What is left to do").wait_for(timeout=LOGIN_WITHIN)
    # The console tells of every answer that is an error.
    window.errors[:] = [error for error in window.errors if "401" not in error]


def test_a_run_has_a_tab_with_its_campaigns(window: Window, server: ApiServer) -> None:
    with server.client("admin") as admin:
        run = {"dag_run_id": RUN_ID, "logical_date": None}
        admin.post(f"api/v2/dags/{DAG}/dagRuns", json=run).raise_for_status()
    window.page.goto(f"{server.url}/dags/{DAG}/runs/{quote(RUN_ID)}")
    window.page.get_by_text("Ringg", exact=True).click()
    frame = window.page.frame_locator("iframe")
    frame.get_by_text("Survey <script>").first.wait_for()
