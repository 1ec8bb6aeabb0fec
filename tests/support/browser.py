"""The machine's Chromium, driven by playwright: a window for one test, and what its console said."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

#: Milliseconds for each step of a login, and for everything else.
LOGIN_WITHIN, WITHIN = 180_000, 60_000
#: A browser in a container, as root, that talks to nobody but us.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_program() -> str | None:
    """Where the machine has Chromium; None where it has none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Window:
    """A browser's window.

    :param page: what playwright drives.
    :param errors: what the console said against pages of ours, and their uncaught exceptions.
    """

    page: Any
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", self._uncaught)

    def log_in(self, url: str, person: str, password: str) -> None:
        """Log in by Airflow's own form; a busy machine takes long for the first page, and for hashing a password."""
        # Not until all is loaded: FAB's form works before its scripts are there.
        self.page.goto(f"{url}/auth/login", wait_until="commit", timeout=LOGIN_WITHIN)
        fill_in_login(self.page, person, password)
        self.page.wait_for_url(lambda reached: "/login" not in reached, wait_until="commit", timeout=LOGIN_WITHIN)

    def _uncaught(self, error: Any) -> None:
        # FAB's own login page has one: it wants a library that it no longer ships.
        if "/ringg/" in f"{self.page.url} {error.stack}":
            self.errors.append(f"uncaught: {error}")

    def _console(self, message: Any) -> None:
        if message.type == "error" and "/ringg/" in f"{message.location.get('url', '')} {message.text}":
            self.errors.append(message.text)


def fill_in_login(place: Any, person: str, password: str) -> None:
    """Fill Airflow's own form in and send it, without waiting for what comes then.

    :param place: the page, or the frame in it, that shows the form.
    """
    place.locator("input[name=username]").fill(person, timeout=LOGIN_WITHIN)
    place.locator("input[name=password]").fill(password)
    place.locator("[type=submit]").first.click(no_wait_after=True)


@contextmanager
def open_window(**options: Any) -> Iterator[Window]:
    """Open a window of a browser that knows nobody.

    :param options: of playwright's ``launch_persistent_context``, such as ``color_scheme`` and ``viewport``.
    """
    program = chromium_program()
    if program is None:
        pytest.skip("there is no Chromium on this machine; Debian has it as chromium")
    from playwright.sync_api import sync_playwright

    folder = tempfile.mkdtemp(prefix="ringg-chromium-")
    try:
        # Its event loop must end with the test: those of other tests do not run beside it.
        with sync_playwright() as playwright:
            context = playwright.chromium.launch_persistent_context(
                folder, executable_path=program, headless=True, args=_ARGUMENTS, **options
            )
            context.set_default_timeout(WITHIN)
            try:
                yield Window(context.pages[0] if context.pages else context.new_page())
            finally:
                context.close()
    finally:
        shutil.rmtree(Path(folder), ignore_errors=True)
