"""A value becomes the same cell whatever database it comes from, and whatever driver."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import psycopg2
import pymysql
import pytest
import sqlalchemy as sa

from demo.postgres import EmbeddedPostgres
from tests.support.kinds import KINDS, Kind, check, kinds_of
from tests.support.mariadb import EmbeddedMariaDB

CONTACTS = Path(__file__).parents[2] / "docs" / "contacts.md"


@pytest.fixture(scope="module")
def dsn(postgres: EmbeddedPostgres) -> str:
    url = sa.make_url(postgres.create_database("kinds")).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


@pytest.mark.parametrize("connect", [psycopg.connect, psycopg2.connect])
@pytest.mark.parametrize(("kind", "expression"), kinds_of("postgresql"))
def test_postgresql(dsn: str, connect: Callable[..., Any], kind: Kind, expression: str) -> None:
    check(closing(connect(dsn, options="-c timezone=UTC")), kind, expression)


@pytest.fixture(scope="module")
def mariadb_at(mariadb: EmbeddedMariaDB) -> dict[str, Any]:
    url = sa.make_url(mariadb.create_database("kinds"))
    return {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "database": url.database,
    }


@pytest.mark.parametrize(("kind", "expression"), kinds_of("mariadb"))
def test_mariadb(mariadb_at: dict[str, Any], kind: Kind, expression: str) -> None:
    check(closing(pymysql.connect(**mariadb_at)), kind, expression)


@pytest.mark.parametrize(("kind", "expression"), kinds_of("sqlite"))
def test_sqlite(kind: Kind, expression: str) -> None:
    check(closing(sqlite3.connect(":memory:")), kind, expression)


@pytest.mark.parametrize(("kind", "expression"), kinds_of("duckdb"))
def test_duckdb(kind: Kind, expression: str) -> None:
    check(closing(duckdb.connect()), kind, expression)


def test_the_documents_have_the_same_table() -> None:
    told = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", CONTACTS.read_text().partition("## Cells")[2], re.MULTILINE))
    assert {kind.name for kind in KINDS} - told.keys() == set()
    for kind in KINDS:
        if kind.cell is None:
            assert told[kind.name] == "refused" or kind.name == "array"
        elif kind.cell not in ("", "1"):
            assert f"`{kind.cell}`" in told[kind.name]
