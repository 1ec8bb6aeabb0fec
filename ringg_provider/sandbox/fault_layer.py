"""An ASGI layer around the API that carries faults out: it delays, refuses, cuts or bends chosen requests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ringg_provider.sandbox.errors import below_base, error_body, server_error_text
from ringg_provider.sandbox.faults import Fault
from ringg_provider.sandbox.state import Sandbox

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class FaultLayer:
    """Wraps the API: lets the world catch up, applies at most one fault per request, logs the request."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], sandbox: Sandbox) -> None:
        self.app = app
        self.sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.sandbox.origin = _origin_of(scope)
            self.sandbox.advance()
        if scope["type"] != "http" or below_base(scope["path"]) is None:
            await self.app(scope, receive, send)
            return
        fault = self.sandbox.faults.take(scope["method"], scope["path"])
        entry = {
            "at": self.sandbox.world.clock.wall(),
            "method": scope["method"],
            "path": below_base(scope["path"]),
            "page": _page_of(scope),
            "fault": fault and fault.kind,
            "status": None,
        }
        self.sandbox.requests.append(entry)
        began = time.monotonic()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        try:
            await self._serve(scope, receive, noting, send, fault)
        finally:
            entry["seconds"] = round(time.monotonic() - began, 4)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, raw_send: Send, fault: Fault | None) -> None:
        if fault is None:
            await self.app(scope, receive, send)
            return
        scope["sandbox.fault"] = fault
        match fault.kind, fault.when:
            case "latency", "before":
                receive = await _replaying(receive)
                await asyncio.sleep(fault.seconds)
                self.sandbox.advance()
                await self.app(scope, receive, send)
            case "latency", _:
                answer = await self._act(scope, receive)
                await asyncio.sleep(fault.seconds)
                for message in answer:
                    await send(message)
            case "status", when:
                if when == "after":
                    await self._act(scope, receive)
                else:
                    await _read_all(receive)
                await self._refuse(scope, send, fault)
            case "cut", "before":
                await _cut(receive, raw_send)
            case "cut", "after":
                await self._act(scope, receive)
                await _cut(receive, raw_send)
            case "cut", _:
                await self._cut_in_the_middle(scope, receive, send, raw_send)
            case "late_effect", _ if fault.answer != "normal":
                await self._act(scope, receive)
                if fault.answer == "cut":
                    await _cut(receive, raw_send)
                else:
                    await self._refuse(scope, send, fault)
            case _:
                await self.app(scope, receive, send)

    async def _act(self, scope: Scope, receive: Receive) -> list[Message]:
        """Let the API do its work and keep what it would have answered."""
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self.app(scope, receive, keep)
        return answer

    async def _refuse(self, scope: Scope, send: Send, fault: Fault) -> None:
        settings = self.sandbox.settings
        body: Any = fault.body
        if body is None:
            text = {401: "Invalid credentials", 429: "Too many requests."}.get(
                fault.status, server_error_text(settings, scope["path"])
            )
            body = error_body(settings, scope["path"], fault.status, text)
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = {"content-type": "application/json", "content-length": str(len(content)), **fault.headers}
        raw_headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": fault.status, "headers": raw_headers})
        await send({"type": "http.response.body", "body": content})

    async def _cut_in_the_middle(self, scope: Scope, receive: Receive, send: Send, raw_send: Send) -> None:
        start, *rest = await self._act(scope, receive)
        body = b"".join(message.get("body", b"") for message in rest)
        await send(start)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(0.02)
        await _cut(receive, raw_send)


def _origin_of(scope: Scope) -> str:
    """By which address the caller knows this server, for the links that it is given."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    return f"{scope['scheme']}://{host}"


def _page_of(scope: Scope) -> str | None:
    """`limit` and `offset` of the query; the rest of a query can hold phone numbers and is not logged."""
    pairs = scope["query_string"].decode(errors="replace").split("&")
    return "&".join(pair for pair in pairs if pair.startswith(("limit=", "offset="))) or None


async def _read_all(receive: Receive) -> list[Message]:
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


async def _replaying(receive: Receive) -> Receive:
    """The request, read to its end now: it will be acted upon even if the caller hangs up meanwhile."""
    messages = await _read_all(receive)

    async def replay() -> Message:
        return messages.pop(0) if messages else await receive()

    return replay


async def _cut(receive: Receive, send: Send) -> None:
    """Close the socket under the request, without an answer.

    ASGI has no word for that. Uvicorn hands out `send` as a method of its request cycle, which knows the transport.
    """
    transport = send.__self__.transport  # type: ignore[attr-defined]
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
