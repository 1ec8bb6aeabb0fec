"""The cluster's processes, each with all that it started standing for a machine: it can die, freeze and come back."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from demo.processes import Processes


class Machines(Processes):
    """Processes that can be killed, frozen and started again; see `Processes`."""

    def __init__(self, logs: Path) -> None:
        super().__init__(logs)
        self._commands: dict[str, tuple[Sequence[str | Path], Mapping[str, str]]] = {}

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]) -> Path:
        """See `Processes.start`; the command is kept for `start_again`."""
        self._commands[name] = (command, environment)
        return super().start(name, command, environment)

    def start_again(self, name: str) -> None:
        """Start what has ended, was killed or was ended."""
        self.start(name, *self._commands[name])

    def kill(self, name: str) -> int:
        """Let a machine die: nothing on it has time for anything.

        Returns:
            How many processes that were.
        """
        killed = self._signal(name, signal.SIGKILL)
        self._running[name].wait()
        return killed

    def freeze(self, name: str) -> int:
        """Let nothing on a machine run on; it answers nobody, and does not know it."""
        return self._signal(name, signal.SIGSTOP)

    def wake(self, name: str) -> int:
        """Let a frozen machine go on where it was."""
        return self._signal(name, signal.SIGCONT)

    def ended(self) -> dict[str, int]:
        """Those that ended by themselves, with their exit codes."""
        codes = {name: process.poll() for name, process in self._running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def _signal(self, name: str, number: signal.Signals) -> int:
        struck: set[int] = set()
        # What is not frozen or dead yet may start another process meanwhile.
        while new := [member for member in self.members(name) if member.pid not in struck]:
            for member in new:
                struck.add(member.pid)
                with contextlib.suppress(psutil.Error):
                    os.kill(member.pid, number)
        return len(struck)
