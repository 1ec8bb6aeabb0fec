"""Machines die, freeze and come back with all that they started."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.cluster.processes import Machines

#: Counts up in a file; a child in a process group of its own, whose title overwrites its environment, does the same.
COUNTING = """
import os, sys, time, setproctitle
name = "parent"
if not os.fork():
    os.setpgid(0, 0)
    setproctitle.setproctitle("x" * 5000)
    name = "child"
file = os.path.join(sys.argv[1], name)
for number in range(10_000):
    with open(file + ".new", "w") as output:
        output.write(f"{os.getpid()} {number}")
    os.rename(file + ".new", file)
    time.sleep(0.02)
"""


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with Machines(tmp_path / "logs") as started:
        started.start("machine", [sys.executable, "-c", COUNTING, tmp_path], os.environ)
        until(lambda: all((tmp_path / name).exists() for name in ("parent", "child")))
        yield started


def counted(folder: Path) -> list[tuple[int, int]]:
    """Process id and count, of parent and child."""
    found = [(folder / name).read_text().split() for name in ("parent", "child")]
    return [(int(pid), int(number)) for pid, number in found]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_machine_dies_with_all_that_it_started_and_is_started_again(machines: Machines, tmp_path: Path) -> None:
    before = [pid for pid, _ in counted(tmp_path)]
    assert machines.kill("machine") == 2
    until(lambda: not any(map(is_alive, before)))
    machines.start_again("machine")
    until(lambda: not {pid for pid, _ in counted(tmp_path)} & set(before))


def test_nothing_on_a_frozen_machine_goes_on_until_it_is_woken(machines: Machines, tmp_path: Path) -> None:
    assert machines.freeze("machine") == 2
    time.sleep(0.2)
    frozen = counted(tmp_path)
    time.sleep(0.5)
    assert counted(tmp_path) == frozen
    assert machines.wake("machine") == 2
    until(lambda: all(now > then for (_, now), (_, then) in zip(counted(tmp_path), frozen, strict=True)))


def test_a_machine_that_ends_by_itself_is_noticed(machines: Machines, tmp_path: Path) -> None:
    assert machines.ended() == {}
    psutil.Process(counted(tmp_path)[0][0]).kill()
    until(lambda: machines.ended() == {"machine": -9})


def test_in_the_end_nothing_is_left_of_it(machines: Machines, tmp_path: Path) -> None:
    started = [pid for pid, _ in counted(tmp_path)]
    machines.stop()
    assert list(machines.survivors()) == []
    assert not any(map(is_alive, started))
