"""A real HTTP server on a socket that answers as it is told, remembers what was asked, and can break off."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    length: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to answer.

    Attributes:
        body: JSON if it is not bytes.
        cut: break the connection instead, when the whole request was read.
        headers: a `Content-Length` among them is sent in place of the true one; an empty one is left out.
        truncate: announce this many bytes more than are sent, then break the connection.
        delay: seconds before the answer.
    """

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    truncate: int = 0
    delay: float = 0.0


_HALF = b'{"data": [{"id": "1"}, {"i'

#: Successes in which nothing can be read that was asked for.
UNREADABLE = {
    "a page of HTML": Answer(body=b"<html><body>Please log in.</body></html>"),
    "JSON that is cut": Answer(body=_HALF),
    "cut without a length": Answer(body=_HALF, headers={"Content-Length": "", "Connection": "close"}),
    "a length that is too small": Answer(
        body={"data": [{"id": "1"}]}, headers={"Content-Length": "10", "Connection": "close"}
    ),
    "no text": Answer(body=b"\xff\x00"),
    "null": Answer(body=b"null"),
    "too deep": Answer(body=b"[" * 20_000),
    "no gzip": Answer(body=b"not gzip at all", headers={"Content-Encoding": "gzip"}),
    "gzip that is cut": Answer(body=gzip.compress(b'{"ok": 1}')[:-12], headers={"Content-Encoding": "gzip"}),
    "a success that is none": Answer(body={"success": False, "error": {"message": "Upstream failed"}}),
    "an error as a success": Answer(body={"status": "error", "message": "Upstream failed"}),
}

Script = Callable[[Asked], Answer]


class ScriptedServer:
    """Answers each request with the next answer, and with the last one ever after; or by a function."""

    def __init__(
        self,
        *answers: Answer,
        script: Script | None = None,
        keep_bodies: bool = True,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.asked: list[Asked] = []
        self.answers = list(answers) or [Answer()]
        self.script = script
        self.keep_bodies = keep_bodies
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        if tls is not None:
            self.origin = f"https://127.0.0.1:{self.port}"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
            # Who does not trust us hangs up; that is what is tested.
            self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.base_url = f"{self.origin}/ca/api/v0"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def paths(self) -> list[str]:
        """Method and path of each request, below the base path of the API."""
        return [f"{asked.method} {asked.path.removeprefix('/ca/api/v0')}" for asked in self.asked]

    def next_answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            if self.script is not None:
                return self.script(asked)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

            def _serve(self) -> None:
                left = length = int(self.headers.get("Content-Length") or 0)
                kept: list[bytes] = []
                while left > 0:
                    chunk = self.rfile.read(min(left, 65536))
                    if not chunk:
                        break
                    left -= len(chunk)
                    if owner.keep_bodies:
                        kept.append(chunk)
                url = urlsplit(self.path)
                answer = owner.next_answer(
                    Asked(
                        method=self.command,
                        path=url.path,
                        query=parse_qsl(url.query, keep_blank_values=True),
                        headers={name.lower(): value for name, value in self.headers.items()},
                        body=b"".join(kept),
                        length=length - left,
                    )
                )
                if answer.delay:
                    time.sleep(answer.delay)
                if answer.cut:
                    self._cut()
                    return
                body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                length = str(len(body) + answer.truncate)
                headers = {"Content-Type": "application/json", "Content-Length": length, **answer.headers}
                for name, value in headers.items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                if answer.truncate:
                    self.wfile.flush()
                    self._cut()

            def _cut(self) -> None:
                # Linger 0 sends a reset, as a dying server or a proxy does.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve

        return Handler
