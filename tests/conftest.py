"""Fixtures for all tests. Airflow is pointed at a folder of its own here, before any test imports it."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from tests.support.environment import isolate_airflow, migrate

_HOME = Path(tempfile.mkdtemp(prefix="ringg-provider-airflow-"))
isolate_airflow(_HOME)

from demo.postgres import EmbeddedPostgres  # noqa: E402
from demo.server import EmbeddedServer  # noqa: E402
from tests.support.browser import chromium_program  # noqa: E402
from tests.support.dags import DagRunner  # noqa: E402
from tests.support.databases import Warehouse, engines  # noqa: E402
from tests.support.mariadb import EmbeddedMariaDB, hold_to_mysqls_rules, server_program  # noqa: E402
from tests.support.sandbox import Sandbox, running_sandbox  # noqa: E402
from tests.support.statsd import StatsdServer, counting_here  # noqa: E402

Server = TypeVar("Server", bound=EmbeddedServer)


def pytest_report_header() -> str:
    """Say which Airflow, MariaDB and Chromium this is, and refuse another Airflow than `make` meant."""
    installed, expected = version("apache-airflow"), os.environ.get("EXPECTED_AIRFLOW", "")
    if expected and not installed.startswith(f"{expected}."):
        pytest.exit(f"Airflow {expected} was to be tested, but {installed} is installed", returncode=3)
    mariadb = server_program() or "not on this machine, so its tests are skipped; Debian has it as mariadb-server"
    chromium = chromium_program() or "not on this machine, so its tests are skipped; Debian has it as chromium"
    return f"airflow: {installed}\nmariadb: {mariadb}\nchromium: {chromium}"


def pytest_configure(config: pytest.Config) -> None:
    """Let several workers begin the files in the order in which they come, not with the one of the most tests."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that hold slow tests, or many: in the end nobody waits for the last of them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, -tests[item.path]))


def pytest_unconfigure() -> None:
    """Take Airflow's folder away again."""
    shutil.rmtree(_HOME, ignore_errors=True)


def _running(server: type[Server], prefix: str) -> Iterator[Server]:
    """A server in a folder of its own, for the whole session."""
    # Not in pytest's own folder: every other pytest that starts closes that one to all users but its own, and for
    # root's sake PostgreSQL runs as another; and a socket of MariaDB takes no long path.
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        with server(folder / "data") as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A real PostgreSQL for the whole session; `warehouse` makes a fresh database in it."""
    yield from _running(EmbeddedPostgres, "ringg-provider-postgres-")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[EmbeddedMariaDB]:
    """The machine's MariaDB for the whole session; `mariadb_warehouse` makes a fresh database in it."""
    if server_program() is None:
        pytest.skip("there is no MariaDB on this machine (mariadbd); Debian has it as mariadb-server")
    yield from _running(EmbeddedMariaDB, "ringg-mariadb-")


_databases = itertools.count(1)


@contextmanager
def _fresh(server: EmbeddedPostgres | EmbeddedMariaDB, *conn_type: str) -> Iterator[Warehouse]:
    """An empty database of a server."""
    name = f"warehouse_{next(_databases)}"
    database = Warehouse(server.create_database(name), server.airflow_connection(name), *conn_type)
    yield database
    database.engine.dispose()
    server.drop_database(name)


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """An empty PostgreSQL database, known to Airflow as the connection `warehouse`."""
    with _fresh(postgres) as database:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", database.connection)
        yield database


@pytest.fixture
def redshift(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A PostgreSQL that says it is a Redshift, known to Airflow as the connection `redshift`."""
    with _fresh(postgres, "redshift") as database:
        database.pretend_to_be("PostgreSQL 8.0.2 on i686-pc-linux-gnu, Redshift 1.0.88395")
        monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT", database.connection)
        yield database


@pytest.fixture
def sqlite_warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """An empty SQLite database, known to Airflow as the connection `warehouse`."""
    file = tmp_path / "warehouse.db"
    database = Warehouse(f"sqlite:///{file}", json.dumps({"conn_type": "sqlite", "host": str(file)}))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", database.connection)
    yield database
    database.engine.dispose()


@pytest.fixture
def duckdb_warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    """An empty DuckDB database; Airflow does not know it."""
    file = tmp_path / "warehouse.duckdb"
    database = Warehouse(f"duckdb:///{file}", json.dumps({"conn_type": "duckdb", "host": str(file)}))
    yield database
    database.engine.dispose()


@pytest.fixture
def mariadb_warehouse(mariadb: EmbeddedMariaDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """An empty MariaDB database, held to MySQL's rules, known to Airflow as the connection `warehouse`."""
    with _fresh(mariadb) as database:
        hold_to_mysqls_rules(database.engine)
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", database.connection)
        yield database


engine = engines("psycopg", "sqlite", "duckdb", "mariadb")


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Airflow this is, it discards a task's state when the task is cleared, as it does from 3.4 on."""
    monkeypatch.setattr("ringg_provider.operators.intents.clearing_forgets", lambda: True)


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty SQLite database, for what does not depend on the database."""
    made = sa.create_engine(f"sqlite:///{tmp_path / 'warehouse.db'}")
    yield made
    made.dispose()


@pytest.fixture
def sandbox_factory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sandbox]]:
    """Start sandboxes on free ports: `sandbox_factory("g2", speed=60)`.

    The last one started is what the Airflow connections `ringg_sandbox` and `smartalex_sandbox` point at.
    """
    with ExitStack() as running:

        def start(generation: str = "g3", **options: Any) -> Sandbox:
            sandbox = running.enter_context(running_sandbox(generation, **options))
            monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", sandbox.connection)
            monkeypatch.setenv("AIRFLOW_CONN_SMARTALEX_SANDBOX", sandbox.smartalex_connection)
            return sandbox

        yield start


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, sandbox_factory: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox of generation 3; `parametrize("sandbox", ["g2", "g3"], indirect=True)` chooses."""
    return sandbox_factory(getattr(request, "param", "g3"))


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """AIRFLOW_HOME with a migrated SQLite metadata database; its `dags` folder is Airflow's DAGs folder."""
    migrate(_HOME)
    return _HOME


@pytest.fixture
def run_dag(airflow_home: Path) -> Iterator[DagRunner]:
    """Run a DAG from a path, an example's id or source text: `run_dag(...)` tells how it ended."""
    runner = DagRunner(airflow_home / "dags")
    yield runner
    runner.clean()


@pytest.fixture
def counted() -> Iterator[StatsdServer]:
    """A StatsD server that this process sends its metrics to."""
    with counting_here() as server:
        yield server
