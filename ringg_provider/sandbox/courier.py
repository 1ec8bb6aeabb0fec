"""Delivers webhooks: over real connections, several at once, again after a failure, and wrongly where a fault says so.

Nothing here waits for a receiver but the courier's own connections. Between two attempts simulated time passes, so at
speed 3600 a retry after a minute comes at once; what a receiver asks for in `Retry-After` is real.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ringg_provider.sandbox.clock import EventQueue
from ringg_provider.sandbox.faults import DeliveryFault, FaultBook
from ringg_provider.sandbox.settings import Settings

if TYPE_CHECKING:
    import httpx

_LOGGED = 100_000
_GARBAGE: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: body[: len(body) // 2],
    lambda _: b"\xff\xfe\x00 not a text in any encoding \xc3\x28",
    lambda _: b"[]",
    lambda _: b'{"event_type": "an_event_of_tomorrow"}',
    lambda _: b"<html><body>502 Bad Gateway</body></html>",
    lambda _: b"",
)


@dataclass(frozen=True)
class Rules:
    """How a platform delivers.

    :param is_success: whether an answer with this status ends a delivery.
    :param pause: simulated seconds before the next attempt, from how many were made and the last status (None: there
        was no answer); None gives up. Default: it is sent once.
    :param heeds_retry_after: whether the receiver's `Retry-After` on a 429 is kept to.
    """

    is_success: Callable[[int], bool]
    pause: Callable[[int, int | None], float | None] = lambda *_: None
    heeds_retry_after: bool = False


@dataclass(frozen=True)
class Delivery:
    """One webhook to one address.

    :param lot: tells it from every other, whatever ids a run makes up; decides which ones a fault's share strikes.
    :param call_id: what it is about, for the log; the log never holds the body.
    """

    event_type: str
    call_id: str
    url: str
    body: bytes
    lot: str
    rules: Rules
    events: EventQueue
    method: str = "POST"
    headers: Mapping[str, str] | None = None
    attempt: int = 1
    fault: str | None = None


@dataclass(slots=True)
class _Held:
    """A delivery that lets some later ones pass first."""

    delivery: Delivery
    behind: int


class Courier:
    """All deliveries of one sandbox, of both platforms. Everything runs in the server's event loop.

    :param settings: asked each time, because they change while it runs.
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self.faults: FaultBook[DeliveryFault] = FaultBook()
        self.log: deque[dict[str, Any]] = deque(maxlen=_LOGGED)
        self.pending = 0
        self._era = 0
        self._ready: deque[Delivery] = deque()
        self._held: list[_Held] = []
        self._garbage = itertools.cycle(_GARBAGE)
        self._arrived = asyncio.Event()

    def clear(self) -> None:
        """Forget what was not delivered yet, faults and log included."""
        self._era += 1
        self.pending = 0
        self._ready.clear()
        self._held.clear()
        self.log.clear()
        self.faults.clear()

    def post(self, delivery: Delivery) -> None:
        """Take a delivery on; returns at once."""
        fault = self.faults.take(delivery.event_type, f"{self._settings().seed}|{delivery.lot}")
        kind = None if fault is None else fault.kind
        delivery = replace(delivery, fault=kind)
        if fault is None or kind == "cut":
            self._put(delivery)
        elif kind == "lost":
            self._note(delivery, None, "never sent", 0.0)
        elif kind == "doubled":
            for _ in range(fault.copies):
                self._put(delivery)
        elif kind == "late":
            self._put_later(delivery, fault.seconds)
        elif kind == "reordered":
            self._hold(delivery, fault)
        else:
            body = next(self._garbage)(delivery.body) if fault.body is None else fault.body.encode()
            self._put(replace(delivery, body=body))

    def _put(self, delivery: Delivery) -> None:
        self.pending += 1
        self._again(delivery)
        for held in self._held:
            held.behind -= 1
        while released := next((held for held in self._held if held.behind <= 0), None):
            self._release(released)

    def _put_later(self, delivery: Delivery, seconds: float) -> None:
        self.pending += 1
        self._in_real_time(seconds, lambda: self._again(delivery))

    def _hold(self, delivery: Delivery, fault: DeliveryFault) -> None:
        held = _Held(delivery, fault.behind)
        self.pending += 1
        self._held.append(held)
        self._in_real_time(fault.seconds, lambda: self._release(held))

    def _release(self, held: _Held) -> None:
        if held in self._held:
            self._held.remove(held)
            self._again(held.delivery)

    def _again(self, delivery: Delivery) -> None:
        """Put in what is pending already."""
        self._ready.append(delivery)
        self._arrived.set()

    def _in_real_time(self, seconds: float, action: Callable[[], None]) -> None:
        era = self._era
        asyncio.get_running_loop().call_later(seconds, lambda: action() if era == self._era else None)

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self._arrived.wait()
        # Not before: most sandboxes send nothing.
        import httpx

        under_way: set[asyncio.Task[None]] = set()
        # Neither a proxy nor a netrc of this machine's user has a part in what a platform far away does.
        async with httpx.AsyncClient(
            trust_env=False, follow_redirects=False, limits=httpx.Limits(max_keepalive_connections=64)
        ) as client:
            try:
                while True:
                    self._arrived.clear()
                    while self._ready and len(under_way) < self._settings().webhook_connections:
                        task = asyncio.create_task(self._attempt(client, self._ready.popleft()))
                        under_way.add(task)
                        task.add_done_callback(under_way.discard)
                        task.add_done_callback(lambda _: self._arrived.set())
                    await self._arrived.wait()
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    async def _attempt(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        import httpx

        era, began = self._era, time.monotonic()
        status, error, asked = None, None, None
        content: Any = _cut(delivery.body) if delivery.fault == "cut" and delivery.attempt == 1 else delivery.body
        headers = {
            "content-type": "application/json",
            **{name.lower(): value for name, value in (delivery.headers or {}).items()},
            "content-length": str(len(delivery.body)),
        }
        try:
            answer = await client.request(
                delivery.method,
                self._address(delivery.url),
                content=content,
                headers=headers,
                timeout=self._settings().webhook_timeout_seconds,
            )
        except (httpx.HTTPError, httpx.InvalidURL, _Cut) as failed:
            error = "cut" if isinstance(failed, _Cut) else type(failed).__name__
        else:
            status, asked = answer.status_code, answer.headers.get("retry-after")
        if era == self._era:
            self._note(delivery, status, error, time.monotonic() - began)
            self._after(delivery, status, asked)

    def _after(self, delivery: Delivery, status: int | None, asked: str | None) -> None:
        """Be done with it, or plan the next attempt."""
        pause = None
        if status is None or not delivery.rules.is_success(status):
            pause = delivery.rules.pause(delivery.attempt, status)
        if pause is None:
            self.pending -= 1
            return None
        following = replace(delivery, attempt=delivery.attempt + 1)
        if status == 429 and delivery.rules.heeds_retry_after and asked is not None:
            with suppress(ValueError):
                return self._in_real_time(float(asked), lambda: self._again(following))
        delivery.events.after(pause, self._again, following)
        return None

    def _address(self, url: str) -> str:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        moved = self._settings().callback_origins.get(origin)
        return url if moved is None else moved.rstrip("/") + url.removeprefix(origin)

    def _note(self, delivery: Delivery, status: int | None, error: str | None, seconds: float) -> None:
        self.log.append(
            {
                "at": delivery.events.clock.wall(),
                "event_type": delivery.event_type,
                "call_id": delivery.call_id,
                "url": delivery.url,
                "attempt": delivery.attempt,
                "fault": delivery.fault,
                "status": status,
                "error": error,
                "seconds": round(seconds, 4),
            }
        )


class _Cut(Exception):
    """The connection is closed under a delivery."""


async def _cut(body: bytes) -> AsyncIterator[bytes]:
    """The first half of a body, and then the end of the connection."""
    yield body[: len(body) // 2]
    await asyncio.sleep(0.02)
    raise _Cut
