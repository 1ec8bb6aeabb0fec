"""Serves the sandbox over a real socket, in the foreground or in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """Where a sandbox in this process listens."""

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


@contextmanager
def running(settings: Settings | None = None, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[RunningSandbox]:
    """A sandbox in a thread of this process for as long as the block lasts.

    Args:
        settings: what it does and how it words it; the defaults are those of `Settings`.
        host: address to listen on.
        port: 0 takes a free one.
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
