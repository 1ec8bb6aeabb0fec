"""`python -m demo.pictures`: pages of the control room over some nights, as the pictures that the README shows.

Takes the machine's Chromium, drives it by playwright, and needs no Airflow around the app. `--all FOLDER` takes every
page, light and dark, wide and narrow, to be looked at, those of an empty installation and of a wrong one too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

# Airflow makes a folder for itself when it is imported; it shall not be the user's.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="ringg-pictures-"))
os.environ["AIRFLOW__RINGG__STATE_CONN_ID"] = "state"

import sqlalchemy as sa

from demo.nights import CAREFUL, RENEWALS, fill
from demo.postgres import EmbeddedPostgres
from demo.server import free_port
from demo.stage import ROOT

IMAGES = ROOT / "docs" / "images"
#: What the README and docs/control-room.md show: page, light or dark, and the height.
SHOWN = {
    "campaigns": ("campaigns", "light", 760),
    "campaign": ("campaign", "light", 1250),
    "dag": ("dag", "dark", 640),
}
#: Installations without a campaign to show, by what ``[ringg] state_conn_id`` names there; and which pages to look at.
BARE = {"empty": "empty", "unnamed": "", "unknown": "nowhere", "gone": "gone"}
BARE_PAGES = {
    "campaigns": "/page/",
    "none-like-that": "/page/?phase=running",
    "dag": f"/page/dag/{RENEWALS}",
    "run": f"/page/run/{RENEWALS}/manual__1",
    "callbacks": "/page/callbacks",
    "todo": "/page/todo",
}
_CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.pictures", description=__doc__)
    parser.add_argument("--all", type=Path, metavar="FOLDER", help="every page, light and dark, 1280 and 800 wide")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="ringg-pictures-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as server,
    ):
        engine = sa.create_engine(server.create_database("state"))
        server.create_database("empty")
        for name in ("state", "empty"):
            os.environ[f"AIRFLOW_CONN_{name.upper()}"] = server.airflow_connection(name)
        os.environ["AIRFLOW_CONN_GONE"] = "postgres://somebody:secret@127.0.0.1:1/state"
        fill(engine, rollout=True, promises=True)
        with _served() as address, _browser(options.chromium) as browser:
            pages = {name: f"{address}{path}" for name, path in _paths(engine).items()}
            if options.all:
                _take_all(browser, pages, options.all)
                for name, conn_id in BARE.items():
                    os.environ["AIRFLOW__RINGG__STATE_CONN_ID"] = conn_id
                    shown = BARE_PAGES if name == "empty" else {"campaigns": BARE_PAGES["campaigns"]}
                    _take_all(
                        browser, {f"{name}-{key}": f"{address}{path}" for key, path in shown.items()}, options.all
                    )
            else:
                for name, (page, scheme, height) in SHOWN.items():
                    _take(browser, pages[page], scheme, 1280, IMAGES / f"control-room-{name}.png", height)
    return 0


def _paths(engine: sa.Engine) -> dict[str, str]:
    newest = "SELECT list_id, run_id FROM ringg_launches WHERE dag_id = :dag ORDER BY listed_at DESC, rows DESC LIMIT 1"
    wave = "SELECT list_id FROM ringg_launches WHERE dag_id = :dag ORDER BY slot DESC LIMIT 1 OFFSET 1"
    unclear = "SELECT list_id FROM ringg_launches WHERE state = 'start_sent'"
    promise = (
        "SELECT promise_id FROM ringg_callbacks WHERE state = 'unclear' AND bulk_list_id IN"
        " (SELECT list_id FROM ringg_launches WHERE dag_id = :dag) LIMIT 1"
    )
    with engine.connect() as connection:
        campaign, run = connection.execute(sa.text(newest), {"dag": RENEWALS}).one()
        second = connection.execute(sa.text(wave), {"dag": CAREFUL}).scalar_one()
        unclear_promise = connection.execute(sa.text(promise), {"dag": RENEWALS}).scalar_one()
        unanswered = connection.execute(sa.text(unclear)).scalar_one()
    return {
        "campaigns": "/page/",
        "campaign": f"/page/campaign/{campaign}",
        "rollout": f"/page/campaign/{second}",
        "unanswered": f"/page/campaign/{unanswered}",
        "dag": f"/page/dag/{RENEWALS}",
        "run": f"/page/run/{RENEWALS}/{quote(run)}",
        "run-of-nobody": f"/page/run/{RENEWALS}/manual__1",
        "callbacks": "/page/callbacks",
        "settle": f"/page/settle/{RENEWALS}/{quote(unclear_promise)}",
        "todo": "/page/todo",
        "nothing": "/page/campaign/nothing",
        "malformed": "/page/?day=yesterday",
    }


def _take_all(browser: Any, pages: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, address in pages.items():
        for scheme in ("light", "dark"):
            for width in (1280, 800):
                _take(browser, address, scheme, width, folder / f"{name}-{scheme}-{width}.png")


def _take(browser: Any, address: str, scheme: str, width: int, file: Path, height: int | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": width, "height": height or 900}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=file, full_page=height is None)
    page.close()
    print(f"{file.stat().st_size:9,} bytes   {file.name}", *said)


@contextmanager
def _served() -> Iterator[str]:
    """The app by itself, for somebody who may see everything and stop nothing."""
    import uvicorn
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import FastAPI

    from ringg_provider.ui.access import may_trigger, readable_dags, require_dag, require_trigger
    from ringg_provider.ui.app import build_app
    from ringg_provider.ui.plugin import PREFIX

    app, port = build_app(), free_port()
    for dependency in (get_user, readable_dags, require_dag, require_trigger):
        app.dependency_overrides[dependency] = lambda: None
    app.dependency_overrides[may_trigger] = lambda: lambda _: True
    os.environ["AIRFLOW__RINGG__ALLOW_STOP"] = "False"
    outer = FastAPI()
    outer.mount(PREFIX, app)
    server = uvicorn.Server(uvicorn.Config(outer, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.1)
    try:
        yield f"http://127.0.0.1:{port}{PREFIX}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def _browser(program: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_CHROMIUM)
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    sys.exit(main())
