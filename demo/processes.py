"""Child processes that are all gone when the block that started them ends, however it ends."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

_MARK = "RINGG_DEMO_PROCESSES"


class ProcessEnded(RuntimeError):
    """A process that should have kept running ended by itself; the text carries the end of its log."""


class Processes:
    """Start processes, each in a session of its own, and end them and all they started.

    All that a process starts is found by its session; what made itself a session of its own, by a mark in the
    environment that descendants inherit. (The mark alone does not do: a program that sets its title overwrites it.)

    Args:
        logs: the folder that gets one log file per process.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._token = secrets.token_hex(12)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._sessions: set[int] = set()

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> Path:
        """Start one process in the background.

        Args:
            name: what it is called in messages and what its log file is named after.
            command: the program and its arguments.
            environment: its whole environment.

        Returns:
            The log file that gets its output.
        """
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            self._running[name] = subprocess.Popen(
                list(map(str, command)),
                env={**environment, _MARK: self._token},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._sessions.add(self._running[name].pid)
        return log

    def check(self) -> None:
        """Raise `ProcessEnded` if one of them is no longer running."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = (self.logs / f"{name}.log").read_text(errors="replace")
                raise ProcessEnded(f"{name} ended with code {process.returncode}:\n{log[-4000:]}")

    def end(self, name: str, patience: float = 30) -> None:
        """Ask one process to end, and kill it when it has not ended in time.

        Args:
            name: as it was started.
            patience: seconds that it has.
        """
        process = self._running.pop(name)
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        _signal_group(process, signal.SIGKILL)
        process.wait()

    def stop(self, patience: float = 15) -> None:
        """Ask all to end, the latest started first, and kill what has not ended in time; safe to call twice.

        Args:
            patience: seconds that they have.
        """
        deadline = time.monotonic() + patience
        for process in reversed(self._running.values()):
            _signal_group(process, signal.SIGTERM)
        for process in reversed(self._running.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            _signal_group(process, signal.SIGKILL)
            process.wait()
        self._running.clear()
        while left := list(self.survivors()):
            for survivor in left:
                with contextlib.suppress(psutil.Error):
                    survivor.kill()
            psutil.wait_procs(left, timeout=2)

    def survivors(self) -> Iterator[psutil.Process]:
        """Every living process of theirs."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                ours = os.getsid(process.pid) in self._sessions or process.environ().get(_MARK) == self._token
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    yield process

    def members(self, name: str) -> Iterator[psutil.Process]:
        """What was started under this name, and every living process of its session."""
        session = self._running[name].pid
        for process in self.survivors():
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(process.pid) == session:
                    yield process


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
