"""The databases that the history is merged into for real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

REAL_ENGINES = ["postgresql", "sqlite", "duckdb"]


@pytest.fixture(params=REAL_ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database of each kind."""
    if request.param == "postgresql":
        yield request.getfixturevalue("warehouse").engine
        return
    made = sa.create_engine(f"{request.param}:///{tmp_path / 'warehouse.db'}")
    yield made
    made.dispose()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty SQLite database, for what does not depend on the database."""
    made = sa.create_engine(f"sqlite:///{tmp_path / 'warehouse.db'}")
    yield made
    made.dispose()
