"""What a process holds in memory, and the most that it ever held, as the kernel counts it."""

from __future__ import annotations

from pathlib import Path


def resident() -> int:
    """Bytes that this process holds now."""
    return _status("VmRSS")


def peak() -> int:
    """The most bytes that this process ever held; what `getrusage` says begins with what its starter held."""
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024
