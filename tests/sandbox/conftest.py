"""One sandbox for these tests: an hour passes with every second, and history may be read as fast as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.api import Api, MakeApi
from tests.support.sandbox import Sandbox, running_sandbox


@pytest.fixture(scope="session")
def served() -> Iterator[Sandbox]:
    """Shared, because a reset is faster than a new server; `make_api` resets it."""
    with running_sandbox(history_rate_window_seconds=0) as sandbox:
        yield sandbox


@pytest.fixture
def make_api(served: Sandbox) -> Iterator[MakeApi]:
    """`make_api("g2", lines=1)`: an empty sandbox with these settings, instead of the one before."""
    clients = []

    def make(generation: str = "g3", **options: Any) -> Api:
        served.reset()
        served.settings(generation=generation, **options)
        clients.append(Api(served))
        return clients[-1]

    yield make
    for client in clients:
        client.http.close()


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """Generation 3."""
    return make_api()


@pytest.fixture(params=["g2", "g3"])
def either(request: pytest.FixtureRequest, make_api: MakeApi) -> Api:
    """Both generations, one after the other."""
    return make_api(request.param)
