"""A receiver behind a real socket, and raw sockets that do to it what no HTTP client would."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import sqlalchemy as sa
import uvicorn

from ringg_provider.inbox.receiver import PATH, Limits, build_app
from ringg_provider.inbox.senders import Sender
from ringg_provider.inbox.store import inbox_table

#: Whose deliveries are taken.
CONN, ALEX = "ringg_default", "smartalex_default"
SECRET, ALEX_SECRET = "a-secret-of-the-tests", "another-secret-of-the-tests"
BEARER = {"Authorization": f"Bearer {SECRET}"}


@dataclass
class Serving:
    """A running receiver.

    :param port: where it listens.
    :param senders: what is looked up; change it.
    :param looked_up: which names were looked up, in their order.
    :param counted: (outcome, platform) -> how many.
    """

    port: int = 0
    senders: dict[str, Sender | Exception] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def look_up(self, conn_id: str) -> Sender | None:
        """What the receiver asks."""
        self.looked_up.append(conn_id)
        found = self.senders.get(conn_id)
        if isinstance(found, Exception):
            raise found
        return found

    def count(self, outcome: str, platform: str, number: int) -> None:
        """What the receiver tells."""
        self.counted[outcome, platform] += number

    def deliver(self, body: Any, conn_id: str = CONN, *, method: str = "POST", **options: Any) -> httpx.Response:
        """Send a delivery as the platform would, unless the options say otherwise."""
        headers = options.pop("headers", BEARER)
        return httpx.request(
            method, f"{self.url}{PATH}/{conn_id}", content=body, headers=headers, timeout=30, **options
        )

    def connect(self) -> socket.socket:
        """A raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


def request(body: bytes = b"", *headers: str, method: str = "POST", conn_id: str = CONN, secret: str = SECRET) -> bytes:
    """A request, byte by byte; its length is not said unless a header does."""
    lines = [
        f"{method} {PATH}/{conn_id} HTTP/1.1",
        "Host: x",
        *([f"Authorization: Bearer {secret}"] if secret else []),
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def whole(body: bytes, **options: Any) -> bytes:
    """A request with the length of its body."""
    return request(body, f"Content-Length: {len(body)}", **options)


def statuses(connection: socket.socket, count: int = 1) -> list[int]:
    """The statuses of the next answers; fewer where the server hangs up."""
    found: list[int] = []
    received = b""
    while len(found) < count:
        head, separator, rest = received.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
        )
        if separator and len(rest) >= length:
            found.append(int(head.split(b" ")[1]))
            received = rest[length:]
            continue
        try:
            more = connection.recv(65_536)
        except OSError:
            break
        if not more:
            break
        received += more
    return found


@contextmanager
def serving(
    engine: sa.Engine | Callable[[], sa.Engine], limits: Limits | None = None, **options: Any
) -> Iterator[Serving]:
    """Run a receiver in a thread.

    :param engine: of the state database, or what opens it.
    :param limits: see `Limits`.
    :param options: of uvicorn.
    """
    made = Serving(senders={CONN: Sender("ringg", (SECRET,)), ALEX: Sender("smartalex", (ALEX_SECRET,))})
    open_engine = (lambda: engine) if isinstance(engine, sa.Engine) else engine
    app = build_app(made.look_up, open_engine, table=inbox_table(), count=made.count, limits=limits)
    settings = {"access_log": False, "ws": "none", "http": "h11", "log_level": "warning"} | options
    config = uvicorn.Config(app, host="127.0.0.1", port=0, **settings)
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    made.port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive(), "the receiver did not end"
