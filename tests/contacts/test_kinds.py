"""A value becomes the same cell whatever database it comes from, and whatever driver."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import psycopg2
import pytest
import sqlalchemy as sa

from tests.support.databases import Warehouse
from tests.support.kinds import KINDS, Kind, check, kinds_of

CONTACTS = Path(__file__).parents[2] / "docs" / "contacts.md"


@pytest.mark.parametrize("connect", [psycopg.connect, psycopg2.connect])
@pytest.mark.parametrize(("kind", "expression"), kinds_of("postgresql"))
def test_postgresql(warehouse: Warehouse, connect: Callable[..., Any], kind: Kind, expression: str) -> None:
    dsn = sa.make_url(warehouse.url).set(drivername="postgresql").render_as_string(hide_password=False)
    check(closing(connect(dsn, options="-c timezone=UTC")), kind, expression)


@pytest.mark.parametrize(("kind", "expression"), kinds_of("sqlite"))
def test_sqlite(sqlite: sa.Engine, kind: Kind, expression: str) -> None:
    check(closing(sqlite.raw_connection().driver_connection), kind, expression)  # type: ignore[type-var]


@pytest.mark.parametrize(("kind", "expression"), kinds_of("duckdb"))
def test_duckdb(kind: Kind, expression: str) -> None:
    check(closing(duckdb.connect(config={"TimeZone": "UTC"})), kind, expression)


def test_the_documents_have_the_same_table() -> None:
    lines = re.findall(r"^\| ([^|]+) \| `?(.*?)`? \|$", CONTACTS.read_text(), re.MULTILINE)
    told = {name: cell for name, cell in lines if name in {kind.name for kind in KINDS}}
    assert told.keys() == {kind.name for kind in KINDS}
    for name, cells in told.items():
        for kind in KINDS:
            if kind.name == name and kind.cell:
                assert kind.cell in cells, f"{name}: {kind.cell} is not in docs/contacts.md"
