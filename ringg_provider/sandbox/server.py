"""Serves the sandbox over a real socket, in the foreground or in a thread."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from ringg_provider.sandbox.app import create_app
from ringg_provider.sandbox.errors import BASE_PATH, SMARTALEX_BASE_PATH
from ringg_provider.sandbox.settings import Settings


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _server(settings: Settings) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(settings),
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _origin(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until interrupted; prints one line with the address once connections are accepted."""
    listener = _listen(host, port)
    # From here on the kernel queues connections, so whoever reads the line may connect.
    listener.listen(128)
    print(f"sandbox listening on {_origin(listener)}", flush=True)
    with suppress(KeyboardInterrupt):
        _server(settings).run(sockets=[listener])


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that runs: where it listens, what happened in it, and what shall go wrong next.

    :param url: its origin.
    :param api_key: the key that it accepts.
    """

    url: str
    api_key: str

    @property
    def base_url(self) -> str:
        """What goes into a connection's host."""
        return f"{self.url}{BASE_PATH}"

    @property
    def smartalex_url(self) -> str:
        """The same for a SmartAlex connection."""
        return f"{self.url}{SMARTALEX_BASE_PATH}"

    @property
    def connection(self) -> str:
        """The value of a variable ``AIRFLOW_CONN_...`` that leads here."""
        return self._connection("ringg", self.base_url, "history_requests_per_minute")

    @property
    def smartalex_connection(self) -> str:
        """The same for a connection to SmartAlex."""
        return self._connection("smartalex", self.smartalex_url, "requests_per_minute")

    def dials(self) -> dict[str, Any]:
        """How often each number was called: ``numbers``, ``lists`` and ``max_calls_per_number``.

        A call's retries by the platform are attempts of one call; a number that two starts called has two calls.
        """
        return dict(self._ask("GET", "dials"))

    def state(self) -> dict[str, Any]:
        """Campaigns and calls as they really are, whatever the API shows."""
        return dict(self._ask("GET", "state"))

    def callbacks(self) -> list[dict[str, Any]]:
        """Who asked to be called back, what they meant, and which calls they got; see ``docs/sandbox.md``."""
        return list(self._ask("GET", "callbacks"))

    def requests(self) -> list[dict[str, Any]]:
        """Method, path, status and duration of every request to the API so far."""
        return list(self._ask("GET", "requests"))

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change fields of ``Settings`` while it runs; returns all of them."""
        return dict(self._ask("PATCH", "settings", changes))

    def fault(self, **fault: Any) -> None:
        """Let a coming request fail, for example ``method="POST", path="/campaign/start", kind="cut", when="after"``.

        The fields are those of ``POST /_sandbox/faults``, see ``docs/sandbox.md``.
        """
        self._ask("POST", "faults", fault)

    def delivery_fault(self, **fault: Any) -> None:
        """Let webhooks to come go wrong; the fields are those of ``POST /_sandbox/webhooks/faults``."""
        self._ask("POST", "webhooks/faults", fault)

    def deliveries(self, timeout: float = 60.0) -> list[dict[str, Any]]:
        """Every attempt to deliver a webhook, once there is nothing more to deliver.

        :param timeout: real seconds to wait for that. Default 60; raises TimeoutError after it.
        """
        deadline = time.monotonic() + timeout
        while (found := self._ask("GET", "webhooks"))["pending"]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{found['pending']} deliveries are still to come")
            time.sleep(0.05)
        return list(found["attempts"])

    def clear_faults(self) -> None:
        """Forget every fault that has not happened yet."""
        self._ask("DELETE", "faults")

    def skip(self, *, hours: float) -> None:
        """Let simulated time pass at once."""
        self._ask("POST", "skip", {"seconds": hours * 3600})

    def reset(self) -> None:
        """Forget every campaign and call, changed settings and faults included."""
        self._ask("POST", "reset")

    def _connection(self, conn_type: str, host: str, limit: str) -> str:
        # Nobody counts requests here, so the client need not space them out either.
        extra = {limit: 60_000}
        return json.dumps({"conn_type": conn_type, "host": host, "password": self.api_key, "extra": extra})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask one of the sandbox's own endpoints; raises ValueError with its words when it refuses."""
        address = urlsplit(self.url)
        with closing(HTTPConnection(address.hostname or "", address.port, timeout=30)) as connection:
            headers = {"Content-Type": "application/json"}
            connection.request(method, f"/_sandbox/{path}", json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        if answer.status >= 400:
            raise ValueError(f"the sandbox refused {method} {path}: {text}")
        return json.loads(text)


@contextmanager
def running(settings: Settings | None = None, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[RunningSandbox]:
    """A sandbox in a thread of this process for as long as the block lasts.

    :param settings: what it does and how it words it. Default: those of ``Settings()``.
    :param host: address to listen on. Default loopback.
    :param port: the port. Default 0, a free one.
    """
    settings = settings or Settings()
    listener = _listen(host, port)
    listener.listen(128)
    server = _server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="ringg-sandbox", daemon=True)
    thread.start()
    try:
        yield RunningSandbox(_origin(listener), settings.api_key)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
