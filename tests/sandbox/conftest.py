"""One sandbox for these tests: an hour passes with every second, and history may be read as fast as one likes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.api import Api, MakeApi
from tests.support.sandbox import running_sandbox

# A project of its own, which test_pytest_plugin.py tests in a process of its own.
collect_ignore = ["users_project"]


@pytest.fixture(scope="session")
def served() -> Iterator[Api]:
    """Shared, because a reset is faster than a new server and a new client; `make_api` resets it."""
    with running_sandbox(history_rate_window_seconds=0) as sandbox:
        api = Api(sandbox)
        yield api
        api.http.close()


@pytest.fixture
def make_api(served: Api) -> MakeApi:
    """`make_api("g2", lines=1)`: an empty sandbox with these settings, instead of the one before."""

    def make(generation: str = "g3", **options: Any) -> Api:
        served.sandbox.reset()
        served.sandbox.settings(generation=generation, **options)
        return served

    return make


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """Generation 3."""
    return make_api()


@pytest.fixture(params=["g2", "g3"])
def either(request: pytest.FixtureRequest, make_api: MakeApi) -> Api:
    """Both generations, one after the other."""
    return make_api(request.param)
