"""Who may deliver: what a connection's secret is at present, and whether a request proves that it knows it.

The secrets are the connections', and who looks them up is handed in. Nobody may learn from an answer which connections
there are, nor make us look up without end.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

log = logging.getLogger(__name__)

#: Seconds for which a secret is taken to be what it was, and a name to be nobody's.
KEPT_FOR = 60.0
#: Who offers another secret than the known one has it looked up again, unless that was done within so many seconds:
#: once a connection has a new secret, hardly a delivery that has it is refused.
LOOKED_UP_EVERY = 1.0
#: Seconds for which somebody who was known is not believed to be gone: Airflow takes a secrets backend that is away for
#: one that does not have the connection, and a refusal is final.
MISSED_FOR = 600.0
#: Names that are nobody's, of those that were asked for lately.
_NOBODIES = 1_000
#: Look-ups a second that strangers may cause, and how many at once.
_STRANGERS_PER_SECOND, _STRANGERS_AT_ONCE = 10.0, 50
#: Airflow's connections have up to 250 characters; the table takes 191.
_NAME = re.compile(r"[\w.\-]{1,191}", re.ASCII)

# https://docs.getsmartalex.com/guides/http-tools/signature-verification, for which webhooks are not named.
_SIGNED = re.compile(rb"t=(\d{13}),\s*v1=([0-9a-f]{64})")
_MILLISECONDS_LATE, _MILLISECONDS_EARLY = 300_000, 60_000


Platform = Literal["ringg", "smartalex"]
"""Whose words the payloads are in."""


@dataclass(frozen=True)
class Sender:
    """Who delivers for a connection.

    :param platform: whose deliveries are expected.
    :param secrets: each of them proves it: the present one, and while it is being changed the former one.
    """

    platform: Platform
    secrets: tuple[str, ...] = field(repr=False)


LookUp = Callable[[str], Sender | None]
"""Find the sender of a connection, blocking; None where there is no such connection, or it has no secret.

What it raises means that nobody can tell at present.
"""


class CannotTell(Exception):
    """Who delivers cannot be looked up at present."""


@dataclass(frozen=True)
class Proof:
    """What a request offers.

    :param token: of `Authorization: Bearer`; None where there is none.
    :param signature: of SmartAlex: when it was signed, in milliseconds as text, and what came of it.
    """

    token: bytes | None = field(default=None, repr=False)
    signature: tuple[bytes, bytes] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> Proof:
        """Read it out of a request's headers; of two that contradict each other, neither counts."""
        tokens: set[bytes | None] = set()
        signatures: set[tuple[bytes, bytes] | None] = set()
        for name, value in headers:
            if name == b"authorization":
                scheme, _, token = value.partition(b" ")
                tokens.add(token.strip() or None if scheme.lower() == b"bearer" else None)
            elif name == b"x-smartalex-signature":
                signed = _SIGNED.fullmatch(value.strip())
                signatures.add((signed[1], signed[2]) if signed and _is_recent(int(signed[1])) else None)
        if tokens:
            return cls(token=tokens.pop() if len(tokens) == 1 else None)
        return cls(signature=signatures.pop() if len(signatures) == 1 else None)

    @property
    def is_any(self) -> bool:
        """Whether anything is offered at all that could be right."""
        return self.token is not None or self.signature is not None

    def is_of(self, sender: Sender | None, body: bytes = b"") -> bool:
        """Whether the request is from a sender.

        :param sender: who it would be; None for nobody.
        :param body: what was signed, where there is a `signature`.
        """
        # For nobody there is something to compare with as well, so that it takes as long.
        secrets = sender.secrets if sender is not None and self._suits(sender) else ()
        fits = [self._fits(secret.encode(), body) for secret in (*secrets, "")]
        return any(fits[:-1])

    def _suits(self, sender: Sender) -> bool:
        return self.token is not None or sender.platform == "smartalex"

    def _fits(self, secret: bytes, body: bytes) -> bool:
        if self.signature is not None:
            at, signature = self.signature
            expected = hmac.new(secret, at + b"." + body, hashlib.sha256).hexdigest()
            return hmac.compare_digest(expected.encode(), signature)
        # Of digests, because comparing texts would tell how long they are.
        offered = hashlib.sha256(self.token or b"").digest()
        return hmac.compare_digest(hashlib.sha256(secret).digest(), offered)


class Senders:
    """The senders that were looked up lately. For one event loop.

    :param look_up: see `LookUp`; called in a thread.
    :param clock: seconds. Default the monotonic clock.
    """

    def __init__(self, look_up: LookUp, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: dict[str, tuple[Sender, float]] = {}
        self._nobodies: OrderedDict[str, float] = OrderedDict()
        self._running: dict[str, asyncio.Task[Sender | None]] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="ringg-inbox-senders")
        self._strangers, self._strangers_at = float(_STRANGERS_AT_ONCE), clock()

    async def prove(self, conn_id: str, proof: Proof, body: bytes = b"") -> Sender | None:
        """Who delivers for a connection, if the request proves it; None otherwise, for whatever reason.

        :param conn_id: the name in the address, whatever it is.
        :param proof: what the request offers.
        :param body: what was signed, where the proof is a signature.
        :raises CannotTell: it cannot be looked up, or strangers ask for too many names.
        """
        if not proof.is_any or not _NAME.fullmatch(conn_id):
            return None
        sender = await self._find(conn_id, KEPT_FOR)
        if not proof.is_of(sender, body):
            # By nothing may a connection that there is differ from one that there is not.
            sender = await self._find(conn_id, LOOKED_UP_EVERY, is_stranger=True)
        return sender if proof.is_of(sender, body) else None

    def close(self) -> None:
        """Look up no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _find(self, conn_id: str, oldest: float, *, is_stranger: bool = False) -> Sender | None:
        """What was found at most so many seconds ago, or is found now; for strangers at a bounded rate."""
        now = self._clock()
        sender, found_at = self._known.get(conn_id) or (None, self._nobodies.get(conn_id))
        if found_at is not None and now - found_at < oldest:
            return sender
        if conn_id not in self._running:
            if is_stranger or conn_id not in self._known:
                self._count_a_stranger(now)
            task = self._running[conn_id] = asyncio.create_task(self._find_now(conn_id))
            task.add_done_callback(lambda _: self._running.pop(conn_id))
        # Whoever waits may be gone; the others still want to know.
        return await asyncio.shield(self._running[conn_id])

    async def _find_now(self, conn_id: str) -> Sender | None:
        began = self._clock()
        try:
            sender = await asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, conn_id)
        except Exception as error:  # noqa: BLE001 - of any secrets backend
            log.error("The secret of a connection cannot be looked up (%s).", type(error).__name__)
            raise CannotTell from None
        known, found_at = self._known.get(conn_id, (None, 0.0))
        if sender is None and known is not None and began - found_at < MISSED_FOR:
            raise CannotTell
        self._known.pop(conn_id, None)
        self._nobodies.pop(conn_id, None)
        if sender is not None:
            self._known[conn_id] = sender, began
        else:
            self._nobodies[conn_id] = began
            if len(self._nobodies) > _NOBODIES:
                self._nobodies.popitem(last=False)
        return sender

    def _count_a_stranger(self, now: float) -> None:
        """Let no more be looked up for them than any secrets backend can bear."""
        refilled = self._strangers + (now - self._strangers_at) * _STRANGERS_PER_SECOND
        self._strangers, self._strangers_at = min(refilled, float(_STRANGERS_AT_ONCE)), now
        if self._strangers < 1:
            raise CannotTell
        self._strangers -= 1


def _is_recent(milliseconds: int) -> bool:
    now = int(time.time() * 1000)
    return now - _MILLISECONDS_LATE <= milliseconds <= now + _MILLISECONDS_EARLY
