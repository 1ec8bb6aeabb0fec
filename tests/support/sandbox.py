"""A sandbox on a real socket, and its admin endpoints as methods."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from ringg_provider.sandbox import Settings, running


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox.

    Attributes:
        url: its origin.
        base_url: what a connection's host takes.
        api_key: the key it accepts.
        smartalex_url: the same as `base_url` for a SmartAlex connection.
        conn_id: the Airflow connection that points at it.
        smartalex_conn_id: the Airflow connection that points at it as SmartAlex.
    """

    url: str
    base_url: str
    api_key: str
    admin: httpx.Client
    smartalex_url: str = ""
    conn_id: str = "ringg_sandbox"
    smartalex_conn_id: str = "smartalex_sandbox"

    @property
    def connection(self) -> str:
        """The value of an `AIRFLOW_CONN_...` variable."""
        return f"ringg://:{quote(self.api_key, safe='')}@{quote(self.base_url, safe='')}"

    @property
    def smartalex_connection(self) -> str:
        """The same for SmartAlex; here nobody counts requests."""
        options = {"requests_per_minute": 60_000}
        return json.dumps(
            {"conn_type": "smartalex", "host": self.smartalex_url, "password": self.api_key, "extra": options}
        )

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings of the running sandbox; returns all of them."""
        return dict(self._call("PATCH", "settings", changes))

    def fault(self, **fault: Any) -> None:
        """Let a coming request fail; the fields are those of the sandbox's `Fault`."""
        self._call("POST", "faults", fault)

    def delivery_fault(self, **fault: Any) -> None:
        """Let webhooks to come go wrong; the fields are those of the sandbox's `DeliveryFault`."""
        self._call("POST", "webhooks/faults", fault)

    def deliveries(self) -> list[dict[str, Any]]:
        """Every attempt to deliver a webhook, once there is nothing more to deliver."""
        deadline = time.monotonic() + 60
        while (found := self._call("GET", "webhooks"))["pending"]:
            assert time.monotonic() < deadline, f"{found['pending']} deliveries are still to come"
            time.sleep(0.05)
        return list(found["attempts"])

    def clear_faults(self) -> None:
        """Forget every fault that has not happened yet."""
        self._call("DELETE", "faults")

    def skip(self, *, hours: float) -> None:
        """Let time pass."""
        self._call("POST", "skip", {"seconds": hours * 3600})

    def reset(self) -> None:
        """Forget every campaign and call."""
        self._call("POST", "reset")

    def state(self) -> dict[str, Any]:
        """Its campaigns and calls, as they really are."""
        return dict(self._call("GET", "state"))

    def dials(self) -> dict[str, Any]:
        """How often each number was called: `numbers`, `lists` and `max_calls_per_number`."""
        return dict(self._call("GET", "dials"))

    def requests(self) -> list[dict[str, Any]]:
        """Method, path and status of every request to the API so far."""
        return list(self._call("GET", "requests"))

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.admin.request(method, f"/_sandbox/{path}", json=body)
        assert answer.is_success, f"the sandbox refused {method} {path}: {answer.text}"
        return answer.json()


@contextmanager
def running_sandbox(generation: str = "g3", **options: Any) -> Iterator[Sandbox]:
    """A sandbox in a thread of this process; an hour passes in it with every second.

    Args:
        generation: "g2" or "g3".
        options: further fields of the sandbox's `Settings`.
    """
    settings = Settings(generation=generation, **{"speed": 3600, **options})
    with running(settings) as served, httpx.Client(base_url=served.url, timeout=30) as admin:
        yield Sandbox(served.url, served.base_url, served.api_key, admin, served.smartalex_url)


def where_it_is_day() -> str:
    """A time zone in which a calling window of a whole day is open, and stays so for a few hours."""
    return "Asia/Kolkata" if datetime.now(UTC).hour < 12 or datetime.now(UTC).hour >= 23 else "America/New_York"
