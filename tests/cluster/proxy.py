"""A proxy between the workers and the platform that loses answers, and starts on their way.

A fault of the sandbox acts, or does not, whatever becomes of the client. Here a start is under way for some seconds in
which its sender can die: then it never arrives, or it arrives though nobody waits for its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tests.cluster.journal import Journal

_REQUEST = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (\S+) HTTP/1\.1\r\n")
_START = re.compile(rb"POST \S*(/start|/make-call-async) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)

PASSED, DROPPED, LATE, LOST = "passed", "answer dropped", "held, arrives in any case", "held, is lost with its sender"


@dataclass(frozen=True)
class Odds:
    """How often what happens.

    Attributes:
        starts: weights of what becomes of a start.
        others: the same of any other request, none of which is held.
        held_for: the shortest and the longest time in seconds that a start is held.
    """

    starts: Mapping[str, float]
    others: Mapping[str, float]
    held_for: tuple[float, float] = (4.0, 12.0)


class LossyProxy:
    """Listens on loopback, in a thread, inside a `with` block.

    Args:
        target: the platform's port on loopback.
        odds: how often what happens.
        seed: by which the requests' fates are drawn, in the order in which they come.
        journal: gets what happened to starts.
    """

    def __init__(self, target: int, odds: Odds, seed: int, journal: Journal) -> None:
        self.port = 0
        #: How many starts are being held at this moment.
        self.holding = 0
        self._target, self._odds, self._journal = target, odds, journal
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._loop.close()

    def behave(self) -> None:
        """From now on let everything pass."""
        self._odds = Odds({PASSED: 1}, {PASSED: 1})

    async def _serve(self) -> None:
        async with await asyncio.start_server(self._connected, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stopped.wait()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.05)  # what was closed is gone after another round

    async def _connected(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        line = _Line(self._target, to_client)
        try:
            while data := await client.read(65536):
                # A client sends its next request when it has the answer to the last one.
                if _START.match(data):
                    data = await _whole(data, client)
                    # The platform hangs up where nothing is said for as long as a start is held.
                    await line.close()
                    line = _Line(self._target, to_client)
                    line.fate = await self._fate(data, client)
                elif _REQUEST.match(data):
                    line.fate = await self._fate(data, client)
                if line.fate == LOST:
                    break
                await line.send(data)
        except OSError:
            pass
        finally:
            await line.close()
            await _closed(to_client)

    async def _fate(self, request: bytes, client: asyncio.StreamReader) -> str:
        is_start = bool(_START.match(request))
        weights = self._odds.starts if is_start else self._odds.others
        fate = self._random.choices(list(weights), list(weights.values()))[0]
        if fate == PASSED:
            return PASSED
        if fate == DROPPED:
            what = "a start" if is_start else "another request"
            self._journal.note(f"proxy: the answer to {what} is dropped", counted_as=f"answer to {what} dropped")
            return DROPPED
        self.holding += 1
        try:
            await asyncio.sleep(self._random.uniform(*self._odds.held_for))
        finally:
            self.holding -= 1
        gone = client.at_eof() or client.exception() is not None
        if not gone:
            self._journal.note("proxy: a start was held", counted_as="start held, its sender waited")
            return PASSED
        if fate == LOST:
            self._journal.note("proxy: a start was lost with its sender", counted_as="start lost with its sender")
            return LOST
        self._journal.note("proxy: a start arrives after its sender died", counted_as="start outlived its sender")
        return LATE


class _Line:
    """A connection to the platform, opened with the first thing said.

    Args:
        port: the platform's.
        to_client: gets what the platform answers.
    """

    def __init__(self, port: int, to_client: asyncio.StreamWriter) -> None:
        self.fate = PASSED
        self._port, self._to_client = port, to_client
        self._to_platform: asyncio.StreamWriter | None = None
        self._answers: asyncio.Task[None] | None = None

    async def send(self, data: bytes) -> None:
        """Pass something on."""
        if self._to_platform is None:
            platform, self._to_platform = await asyncio.open_connection("127.0.0.1", self._port)
            self._answers = asyncio.create_task(self._answer(platform))
        self._to_platform.write(data)
        await self._to_platform.drain()

    async def close(self) -> None:
        """Hang up; but not before a late start was read, for the platform does not act on what hangs up before."""
        if self._to_platform is None or self._answers is None:
            return
        if self.fate == LATE:
            await asyncio.wait([self._answers], timeout=10)
        self._answers.cancel()
        await asyncio.gather(self._answers, return_exceptions=True)
        await _closed(self._to_platform)

    async def _answer(self, platform: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await platform.read(65536):
                if self.fate == DROPPED:
                    self._to_client.transport.abort()
                    return
                self._to_client.write(data)
                await self._to_client.drain()
            # The platform has hung up.
            self._to_client.close()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _whole(head: bytes, client: asyncio.StreamReader) -> bytes:
    """The request to its end, so that what else the client does can only be to hang up."""
    while b"\r\n\r\n" not in head:
        if not (more := await client.read(65536)):
            return head
        head += more
    length = _LENGTH.search(head)
    missing = (int(length[1]) if length else 0) - (len(head) - head.index(b"\r\n\r\n") - 4)
    return head + (await client.readexactly(missing) if missing > 0 else b"")
