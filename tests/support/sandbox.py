"""The sandbox on a real socket, served by a thread of the test process."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

import httpx
import uvicorn

from ringg_provider.sandbox import Settings, create_app

API_PATH = "/ca/api/v0"


@dataclass
class Sandbox:
    """One running sandbox: where it is, and what its admin endpoints tell and take.

    Attributes:
        generation: "g2" or "g3".
        options: further fields of the sandbox's `Settings`.
        conn_id: the Airflow connection that points at it.
    """

    generation: str = "g3"
    options: dict[str, Any] = field(default_factory=dict)
    conn_id: str = "ringg_sandbox"
    api_key: str = "sandbox-key"
    url: str = field(init=False, default="")

    def start(self) -> Self:
        """Serve on a free loopback port and return once it answers."""
        settings = Settings(generation=self.generation, **{"seed": 7, "speed": 3600, **self.options})
        config = uvicorn.Config(
            create_app(settings),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=2,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="sandbox", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + 15
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.01)
        self._admin = httpx.Client(base_url=f"{self.url}/_sandbox", timeout=15)
        return self

    def stop(self) -> None:
        """Stop serving and wait for the thread."""
        self._admin.close()
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    @property
    def base_url(self) -> str:
        """What a connection's host field takes."""
        return self.url + API_PATH

    @property
    def connection(self) -> str:
        """The value of an `AIRFLOW_CONN_...` variable."""
        return f"ringg://:{quote(self.api_key, safe='')}@{quote(self.base_url, safe='')}"

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings of the running sandbox."""
        return self._call("PATCH", "settings", changes)

    def fault(self, **fault: Any) -> dict[str, Any]:
        """Let a coming request fail; see the sandbox's documentation for the fields."""
        return self._call("POST", "faults", fault)

    def clear_faults(self) -> None:
        """Forget every fault that has not happened yet."""
        self._call("DELETE", "faults")

    def reset(self) -> None:
        """Forget every campaign and call."""
        self._call("POST", "reset")

    def state(self) -> dict[str, Any]:
        """Its campaigns and calls."""
        return self._call("GET", "state")

    def dials(self) -> dict[str, Any]:
        """How often each number was dialled, in all and per list."""
        return self._call("GET", "dials")

    def requests(self) -> list[dict[str, Any]]:
        """Method, path and status of every request so far."""
        return self._call("GET", "requests")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._admin.request(method, f"/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None
