"""A StatsD server, as far as its clients can tell."""

from __future__ import annotations

import socket
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest

from ringg_provider.metrics import set_up

PREFIX = "airflow"


class StatsdServer:
    """Listens on a port of its own.

    :param listening: the socket.
    """

    def __init__(self, listening: socket.socket) -> None:
        self._socket = listening

    @property
    def environment(self) -> Mapping[str, str]:
        """What sends an Airflow's metrics here, with their tags."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self._socket.getsockname()[1]),
            "AIRFLOW__METRICS__STATSD_PREFIX": PREFIX,
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        }

    def lines(self) -> list[str]:
        """All that has come since it was asked last."""
        lines: list[str] = []
        try:
            while True:
                lines += self._socket.recv(65_536).decode().splitlines()
        except TimeoutError:
            return lines

    def sent(self) -> Counter[str]:
        """What has come of ours since it was asked last."""
        return ours(self.lines())

    def until(self, name: str, seconds: float = 30) -> Counter[str]:
        """What has come of ours, once a metric is among it or the time is up.

        :param name: of the metric, with its tags.
        :param seconds: for which is waited.
        """
        sent: Counter[str] = Counter()
        until = time.monotonic() + seconds
        while name not in sent and time.monotonic() < until:
            sent.update(self.sent())
        return sent


def ours(lines: list[str]) -> Counter[str]:
    """Metric with its tags -> the sum of what was sent of it, for those of this package."""
    sent: Counter[str] = Counter()
    for line in lines:
        name, _, value = line.removeprefix(f"{PREFIX}.").rpartition(":")
        if name.startswith("ringg."):
            sent[name] += int(value.partition("|")[0])
    return sent


@contextmanager
def statsd_server() -> Iterator[StatsdServer]:
    """Start one, and stop it at the end."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 2**20)
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.2)
        yield StatsdServer(listening)


@contextmanager
def counting_here() -> Iterator[StatsdServer]:
    """Let this process send its metrics to a server of its own, and to nobody afterwards."""
    from airflow.providers.common.compat.sdk import Stats

    stats: Any = Stats
    with statsd_server() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        if hasattr(stats, "initialize"):
            set_up()
        else:  # Airflow 3.1 finds out once, when it is loaded
            patch.setattr(type(stats), "factory", import_module("airflow.metrics.statsd_logger").get_statsd_logger)
            patch.setattr(stats, "instance", None)
        yield server
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Airflow closes no socket that it sent by
        set_up()
