"""Fixtures of the examples' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.dags import EXAMPLES
from tests.support.databases import Warehouse


@pytest.fixture(scope="module")
def bag(airflow_home: Path) -> Any:
    from tests.support.dags import _dag_bag

    return _dag_bag(EXAMPLES)


@pytest.fixture
def apart(postgres: Any, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A second database, the connection `analytics`: the contacts are there, and the state is `warehouse`."""
    name = f"{warehouse.engine.url.database}_apart"
    database = Warehouse(postgres.create_database(name), postgres.airflow_connection(name), "analytics")
    monkeypatch.setenv("AIRFLOW_CONN_ANALYTICS", database.connection)
    yield database
    database.engine.dispose()
    postgres.drop_database(name)
