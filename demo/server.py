"""A database server that is started for a while and thrown away: what PostgreSQL and MariaDB have in common."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmbeddedServer(ABC):
    """A server of our own, alive between `start` and `stop` (or inside a `with` block).

    It listens on 127.0.0.1 only and asks for a password made up at the start; as root too.

    Args:
        folder: where the data goes; made if missing, never removed here.
    """

    #: What it is called.
    product: ClassVar[str]
    #: What stops it, dropping its clients; for how many seconds that is waited for; and what it gets afterwards.
    stopped_by: ClassVar[tuple[signal.Signals, float, signal.Signals]]

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.port = 0
        self._password = secrets.token_urlsafe(18)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    @abstractmethod
    def log(self) -> Path:
        """What it writes."""

    @abstractmethod
    def prepare(self) -> tuple[Sequence[str | Path], dict[str, Any]]:
        """Make the data folder; the command that starts the server on `port`, and what else `Popen` is to be told."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it takes a connection."""

    def start(self, timeout: float = 60) -> Self:
        """Make the data folder if it is new, start the server and wait until it answers.

        Args:
            timeout: seconds to wait for the first answer.

        Raises:
            RuntimeError: the server ended, or did not answer in time; the text carries its log.
        """
        self.port = free_port()
        command, options = self.prepare()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; the server is told to stop after its clients
                **options,
            )
        try:
            self._wait(self._process, timeout)
        except BaseException:  # Ctrl-C too: nobody else knows this process yet
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server, dropping its clients; safe to call twice."""
        if self._process is None or self._process.poll() is not None:
            return
        first, patience, then = self.stopped_by
        self._process.send_signal(first)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.send_signal(then)
            self._process.wait(10)

    @property
    def pid(self) -> int | None:
        """The server's process id; None when it was not started."""
        return self._process.pid if self._process else None

    def _wait(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and process.poll() is None:
            if self.answers():
                return
            time.sleep(0.05)
        ended = process.poll()
        why = f"did not answer within {timeout:.0f} s" if ended is None else f"ended with {ended}"
        log = self.log.read_text(errors="replace")
        raise RuntimeError(f"{self.product} did not start in {self.folder}: it {why}.\n{log[-4000:]}")
