"""A sandbox on a real socket, for the tests of this project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from demo.processes import Processes
from demo.stage import start_sandbox
from ringg_provider.sandbox import RunningSandbox, Settings, running


@dataclass(frozen=True)
class Sandbox(RunningSandbox):
    """A running sandbox, as tests of this project use it.

    Attributes:
        admin: a client of its own endpoints.
        conn_id: the Airflow connection that points at it.
        smartalex_conn_id: the Airflow connection that points at it as SmartAlex.
    """

    admin: httpx.Client
    conn_id: str = "ringg_sandbox"
    smartalex_conn_id: str = "smartalex_sandbox"

    @property
    def connection(self) -> str:
        """As an address, to which a test appends extras; it is limited as a connection of production is."""
        return f"ringg://:{quote(self.api_key, safe='')}@{quote(self.base_url, safe='')}"


@contextmanager
def running_sandbox(generation: str = "g3", **options: Any) -> Iterator[Sandbox]:
    """A sandbox in a thread of this process; an hour passes in it with every second.

    Args:
        generation: "g2" or "g3".
        options: further fields of the sandbox's `Settings`.
    """
    settings = Settings(generation=generation, **{"speed": 3600, **options})
    # There is no TLS on loopback, and to read the certificates for it takes as long as a small test.
    with running(settings) as served, httpx.Client(base_url=served.url, timeout=30, verify=False) as admin:
        yield Sandbox(served.url, served.api_key, admin)


@contextmanager
def sandbox_of_its_own(folder: Path, api_key: str, *, speed: float, lines: int, **settings: Any) -> Iterator[Sandbox]:
    """A sandbox in a process of its own, whose clock no other test of this process can move.

    Args:
        folder: for its log.
        api_key: that it accepts.
        speed: simulated seconds per real second.
        lines: calls at the same time.
        settings: further fields of `Settings` that may be changed while it runs.
    """
    told = ("--generation", "g3", "--api-key", api_key, "--speed", str(speed), "--lines", str(lines))
    with Processes(folder) as processes:
        url = start_sandbox(processes, *told)
        with httpx.Client(base_url=url, timeout=30) as admin:
            sandbox = Sandbox(url, api_key, admin)
            sandbox.settings(**settings)
            yield sandbox


def where_it_is(hour: int) -> str:
    """A time zone in which clocks show this hour now, so that no test depends on when it is run."""
    ahead = (hour - datetime.now(UTC).hour + 11) % 24 - 11
    return f"Etc/GMT{-ahead:+d}"  # its signs are the other way round
