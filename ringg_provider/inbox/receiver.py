"""The receiver of webhooks, an ASGI app: what is authentic is stored whole before it is answered 200.

It answers within the 30 seconds that the platforms wait. A 4xx is final for them, so there is none for what may become
right: whatever cannot be stored now is answered 503, and sent again.
https://docs.ringg.ai/webhooks/error-handling

Nothing of a request but its connection's name is ever logged; a query string is taken away before any server could.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Self

import sqlalchemy as sa

from ringg_provider.inbox.senders import CannotTell, LookUp, Proof, Senders
from ringg_provider.inbox.store import inbox_table
from ringg_provider.inbox.writer import Accepted, Count, Writer

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: Where deliveries go; the connection's name follows.
PATH = "/ringg/webhooks"
#: Where somebody may ask whether deliveries can be stored.
HEALTH = "/health"
#: The vendors' `method_type`, but for GET: what a GET tells stands in the address, which every proxy writes down.
METHODS = ("POST", "PUT", "PATCH")
#: The longest body.
MAX_BODY = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What a receiver holds at most, and how long it waits.

    :param requests: requests that are being read or stored. Default 2,000.
    :param held: bytes of their bodies. Default 64 MB.
    :param unproved: of them, bytes of bodies whose signature is still to be checked. Default 8 MB.
    :param read_within: seconds until a body is there. Default 15.
    :param stored_within: seconds until it is stored. Default 10.
    :param refused_after: seconds until a refusal is sent, so that nobody sees what was looked up for it. Default 0.25.
    :param retry_after: seconds after which to send again what could not be stored. Default 10.
    """

    requests: int = 2_000
    held: int = 64_000_000
    unproved: int = 8_000_000
    read_within: float = 15.0
    stored_within: float = 10.0
    refused_after: float = 0.25
    retry_after: int = 10


@dataclass(frozen=True)
class Answer:
    """What is sent back.

    :param status: of HTTP.
    :param text: what it means, for a person.
    :param outcome: what it is counted as; None where the writer counts.
    """

    status: int
    text: str
    outcome: str | None = None


STORED = Answer(200, "stored")
HEALTHY, UNHEALTHY = Answer(200, "deliveries can be stored"), Answer(503, "deliveries cannot be stored")
REFUSED = Answer(401, "no secret, or not the connection's", "refused")
NOT_FOUND = Answer(404, "not an address of the inbox")
NOT_ALLOWED = Answer(405, "send deliveries by POST")
TOO_LARGE = Answer(413, "the body is too large", "too_large")
BUSY = Answer(503, "too much at once: send it again", "busy")
SLOW = Answer(503, "the body did not come: send it again", "busy")
NOT_STORED = Answer(503, "it could not be stored: send it again")
FAILED = Answer(503, "something failed: send it again", "failed")


def build_app(
    look_up: LookUp,
    open_engine: Callable[[], sa.Engine],
    *,
    table: sa.Table | None = None,
    count: Count = lambda *_: None,
    prefix: str = PATH,
    limits: Limits | None = None,
) -> Receiver:
    """Make the app, for any ASGI server, or to be mounted.

    :param look_up: finds the platform and the secrets of a connection; see `ringg_provider.inbox.senders.LookUp`.
    :param open_engine: opens the state database, which is done with the first delivery.
    :param table: the inbox. Default `ringg_inbox` in the connection's own schema; made where it is missing.
    :param count: is told what became of deliveries; see `ringg_provider.inbox.writer.Count`. Default nobody.
    :param prefix: the path that the connection's name follows. Default `/ringg/webhooks`; empty where the app is
        mounted there, and then it has no page that says how it is.
    :param limits: what it holds at most. Default those of `Limits`.
    """
    writer = Writer(open_engine, inbox_table() if table is None else table, count)
    return Receiver(Senders(look_up), writer, count, prefix, limits or Limits())


class Receiver:
    """The app. Parameters: see `build_app`."""

    def __init__(self, senders: Senders, writer: Writer, count: Count, prefix: str, limits: Limits) -> None:
        self._senders = senders
        self._writer = writer
        self._count = count
        self._prefix = prefix
        self._limits = limits
        self._requests = _Room(limits.requests)
        self._held = _Room(limits.held)
        self._unproved = _Room(limits.unproved)
        self._health: asyncio.Future[bool] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or follow a server's begin and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        else:
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        # By now a server has answered whatever it let in.
        self._senders.close()
        await asyncio.to_thread(self._writer.close)
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        # Servers write the address into their log when all is over.
        scope["query_string"] = b""
        began = asyncio.get_running_loop().time()
        try:
            answer = await self._answer(scope, receive)
        except _Gone:
            return
        except _Unfit as unfit:
            answer = unfit.answer
        except CannotTell:
            answer = BUSY
        except Exception as error:  # noqa: BLE001 - its text could quote the body
            log.error("A delivery could not be received (%s).", type(error).__name__)
            answer = FAILED
        if answer.outcome is not None:
            self._count(answer.outcome, "unknown", 1)
        if answer is REFUSED:
            await asyncio.sleep(began + self._limits.refused_after - asyncio.get_running_loop().time())
        await self._send(answer, send, has_body=scope["method"] != "HEAD")

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        # A mounted app is told the whole path, and how much of it is its server's.
        root: str = scope.get("root_path", "")
        path: str = scope["path"].removeprefix(root)
        if self._prefix and path == HEALTH:
            return await self._say_how_it_is() if scope["method"] in ("GET", "HEAD") else NOT_ALLOWED
        before, _, conn_id = path.rpartition("/")
        # A proxy may have taken the first part of the path away.
        is_mounted_there = not self._prefix and root.endswith(before)
        if not conn_id or (before != self._prefix and not is_mounted_there):
            return NOT_FOUND
        if scope["method"] not in METHODS:
            return NOT_ALLOWED
        return await self._receive(conn_id, scope["headers"], receive)

    async def _receive(self, conn_id: str, headers: list[tuple[bytes, bytes]], receive: Receive) -> Answer:
        """Store a delivery if it is one."""
        proof = Proof.of(headers)
        with _Held() as held:
            held.take(self._requests, 1)
            # A stranger's body is not even read, unless its signature is what proves it.
            sender = None
            if proof.signature is None and (sender := await self._senders.prove(conn_id, proof)) is None:
                return REFUSED
            body = await self._read(headers, receive, held, is_proved=sender is not None)
            if sender is None and (sender := await self._senders.prove(conn_id, proof, body)) is None:
                return REFUSED
            done = asyncio.get_running_loop().create_future()
            # Whoever sent it may be told to send it again; it is held as long as it waits to be stored.
            done.add_done_callback(held.handed_over())
            self._writer.store(Accepted(sender.platform, conn_id, body, dt.datetime.now(dt.UTC), done))
            await asyncio.wait([done], timeout=self._limits.stored_within)
            if not done.done():
                return BUSY
            return STORED if done.result() else NOT_STORED

    async def _read(
        self, headers: list[tuple[bytes, bytes]], receive: Receive, held: _Held, *, is_proved: bool
    ) -> bytes:
        """The body, as far as there is room for it."""
        # A server has checked that it is a number, and that the body is not longer.
        if any(name == b"content-length" and int(value) > MAX_BODY for name, value in headers):
            raise _Unfit(TOO_LARGE)
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.read_within):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    chunk: bytes = message.get("body", b"")
                    if len(body) + len(chunk) > MAX_BODY:
                        raise _Unfit(TOO_LARGE)
                    held.take(self._held, len(chunk))
                    if not is_proved:
                        held.take(self._unproved, len(chunk))
                    body += chunk
                    more = message.get("more_body", False)
        except TimeoutError:
            raise _Unfit(SLOW) from None
        return bytes(body)

    async def _say_how_it_is(self) -> Answer:
        """Ask the database; whoever asks meanwhile gets the same answer."""
        if self._health is None or self._health.done():
            self._health = asyncio.get_running_loop().create_future()
            self._writer.check(self._health)
        try:
            async with asyncio.timeout(self._limits.stored_within):
                return HEALTHY if await asyncio.shield(self._health) else UNHEALTHY
        except TimeoutError:
            return UNHEALTHY

    async def _send(self, answer: Answer, send: Send, *, has_body: bool) -> None:
        body = json.dumps({"detail": answer.text}).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), "cache-control": "no-store"}
        if answer.status == 503:
            headers["retry-after"] = str(self._limits.retry_after)
        if answer is REFUSED:
            headers["www-authenticate"] = "Bearer"
        elif answer is NOT_ALLOWED:
            headers["allow"] = ", ".join(METHODS)
        elif answer is SLOW:
            # The server would go on waiting.
            headers["connection"] = "close"
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": body if has_body else b""})


class _Room:
    """So much that may be held at the same time.

    :param left: how much it is.
    """

    def __init__(self, left: int) -> None:
        self.left = left


class _Held:
    """What a request holds, until the end of the block or, handed over, of something else."""

    def __init__(self) -> None:
        self._amounts: Counter[_Room] = Counter()

    def take(self, room: _Room, amount: int) -> None:
        """Take some more.

        :raises _Unfit: there is no room.
        """
        if amount > room.left:
            raise _Unfit(BUSY)
        room.left -= amount
        self._amounts[room] += amount

    def handed_over(self) -> Callable[[object], None]:
        """What gives back, now that the end of the block does not."""
        other = _Held()
        other._amounts, self._amounts = self._amounts, other._amounts
        return other.__exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for room, amount in self._amounts.items():
            room.left += amount


class _Gone(Exception):
    """Who sent it hung up before its end."""


class _Unfit(Exception):
    """It is answered at once.

    :param answer: how.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer
