"""An API server with the control room over a night's tables, and a sandbox that the night's campaigns run in."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

from demo.postgres import EmbeddedPostgres
from tests.support.api_server import FAB, PASSWORD, SIMPLE, ApiServer, running_api_server
from tests.support.browser import Window, open_window
from tests.support.sandbox import Sandbox, sandbox_of_its_own
from tests.ui.night import API_KEY, Night, spend_a_night

_AUTH_MANAGERS = {"simple": SIMPLE}
if find_spec("airflow.providers.fab"):  # of the extra `warehouses`, apart from the other tests' Airflow
    _AUTH_MANAGERS["fab"] = FAB


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that calls one person at a time, in no hurry, whatever time other tests have travelled to."""
    settings = {"preparing_seconds": 0, "verify_rows_per_second": 1e9, "verify_seconds": 0}
    folder = tmp_path_factory.mktemp("platform")
    with sandbox_of_its_own(folder, API_KEY, speed=1, lines=1, **settings) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def connections(postgres: EmbeddedPostgres, platform: Sandbox) -> dict[str, str]:
    """What the DAGs and the control room reach, as variables of the environment."""
    postgres.create_database("control_room")
    return {
        "AIRFLOW_CONN_WAREHOUSE": postgres.airflow_connection("control_room"),
        "AIRFLOW_CONN_RINGG_SANDBOX": platform.connection,
        "AIRFLOW_CONN_SMARTALEX_SANDBOX": platform.smartalex_connection,
    }


@pytest.fixture(scope="session")
def tables(postgres: EmbeddedPostgres, connections: dict[str, str]) -> Iterator[sa.Engine]:
    """The database of the night."""
    engine = sa.create_engine(postgres.url("control_room"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def night(
    connections: dict[str, str], tables: sa.Engine, platform: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Night:
    """The night, launched and read."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in connections.items():
            patch.setenv(name, value)
        return spend_a_night(tables, platform, tmp_path_factory.mktemp("night"))


@pytest.fixture(scope="session", params=_AUTH_MANAGERS)
def server(
    night: Night,
    connections: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[ApiServer]:
    """The API server, below a path, as behind a proxy that others share; once with each auth manager there is."""
    folder: Path = tmp_path_factory.mktemp("api-server")
    ours = {"AIRFLOW__RINGG__STATE_CONN_ID": "warehouse", "AIRFLOW__RINGG__INBOX": "True", **connections}
    with running_api_server(folder, _AUTH_MANAGERS[request.param], path="/airflow", **ours) as made:
        yield made


@pytest.fixture
def window(server: ApiServer, request: pytest.FixtureRequest) -> Iterator[Window]:
    """A window that somebody who may trigger DAGs has logged in in; its console must not say an error of ours.

    `parametrize("window", [{"color_scheme": "dark"}], indirect=True)` gives options to the browser.
    """
    with open_window(**getattr(request, "param", {})) as opened:
        opened.log_in(server.url, "user", PASSWORD)
        yield opened
        assert opened.errors == []
