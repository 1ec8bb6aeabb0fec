"""Databases for one test: an empty one, its connection id, and ways to look into it; or one of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa


@dataclass
class Warehouse:
    """An empty database that exists for one test.

    Attributes:
        url: its SQLAlchemy URL.
        connection: the value of its `AIRFLOW_CONN_...` variable.
        conn_id: the Airflow connection that points at it.
    """

    url: str
    connection: str
    conn_id: str = "warehouse"
    engine: sa.Engine = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.engine = sa.create_engine(self.url)

    def query(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a statement as dicts."""
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(statement), parameters).mappings()]

    def execute(self, statement: str, rows: list[dict[str, Any]] | None = None, **parameters: Any) -> None:
        """Run one statement, once or for every row, in a transaction of its own."""
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), rows if rows is not None else parameters)

    def count(self, statement: str) -> int:
        """The one number that a statement gives."""
        with self.engine.connect() as connection:
            return int(connection.execute(sa.text(statement)).scalar_one())

    def pretend_to_be(self, told: str) -> None:
        """Let a PostgreSQL say in `version()` that it is something else, to whoever connects from now on."""
        self.execute("CREATE SCHEMA pretended")
        self.execute(
            f"CREATE FUNCTION pretended.version() RETURNS text LANGUAGE sql AS $$ SELECT '{told}' $$",
        )
        self.execute(f"ALTER DATABASE {self.engine.url.database} SET search_path TO pretended, pg_catalog, public")
        self.engine.dispose()

    def tables(self) -> set[str]:
        """The names of the tables that exist by now."""
        return set(sa.inspect(self.engine).get_table_names())


def each_of(*fixtures: str) -> Any:
    """A fixture that gives the databases of several fixtures, one after the other.

    Args:
        fixtures: such as "warehouse" and "sqlite_warehouse".
    """

    @pytest.fixture(params=fixtures)
    def database(request: pytest.FixtureRequest) -> Warehouse:
        """Each test runs on every one of them."""
        found: Warehouse = request.getfixturevalue(request.param)
        return found

    return database


def engines(*kinds: str) -> Any:
    """A fixture that gives an engine of an empty database of each kind.

    Args:
        kinds: "psycopg" and "psycopg2" (PostgreSQL), "mariadb", "sqlite", "duckdb".
    """

    @pytest.fixture(params=kinds)
    def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
        """An empty database of each kind."""
        if request.param == "mariadb":
            yield request.getfixturevalue("mariadb_warehouse").engine
            return
        url = sa.make_url(f"{request.param}:///{tmp_path / 'warehouse.db'}")
        if request.param.startswith("psycopg"):
            url = sa.make_url(request.getfixturevalue("warehouse").url).set(drivername=f"postgresql+{request.param}")
        made = sa.create_engine(url)
        yield made
        made.dispose()

    return engine
