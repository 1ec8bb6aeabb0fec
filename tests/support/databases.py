"""A warehouse for one test: an empty database, its connection id, and two ways to look into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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

    def tables(self) -> set[str]:
        """The names of the tables that exist by now."""
        return set(sa.inspect(self.engine).get_table_names())
