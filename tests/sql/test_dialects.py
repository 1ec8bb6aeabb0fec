"""What a database can do is asked of the database that it really is."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import registry

from ringg_provider.sql.bulk import can_copy
from ringg_provider.sql.dialects import database_behind, database_of
from ringg_provider.sql.types import Json
from tests.support.databases import Warehouse


@pytest.fixture
def pretended(warehouse: Warehouse, request: pytest.FixtureRequest) -> sa.Engine:
    """A PostgreSQL whose `version()` says that it is something else."""
    told = {"redshift": "PostgreSQL 8.0.2 on i686, Redshift 1.0.88395", "cockroachdb": "CockroachDB CCL v25.1.0"}
    warehouse.execute("CREATE SCHEMA other")
    warehouse.execute(
        f"CREATE FUNCTION other.version() RETURNS text LANGUAGE sql AS $$ SELECT '{told[request.param]}' $$"
    )
    return sa.create_engine(
        sa.make_url(warehouse.url), connect_args={"options": "-c search_path=other,pg_catalog"}, poolclass=sa.NullPool
    )


def test_a_database_at_hand_is_what_it_says(engine: sa.Engine) -> None:
    database = database_of(engine)
    assert database.name == engine.dialect.name
    assert database.claims_once == (database.name != "duckdb")
    assert can_copy(engine) == (database.name == "postgresql")
    with engine.connect() as connection:
        assert database_of(connection) is database


@pytest.mark.parametrize("pretended", ["redshift", "cockroachdb"], indirect=True)
def test_what_only_speaks_postgresqls_protocol_is_asked_what_it_is(pretended: sa.Engine) -> None:
    assert database_behind(pretended.dialect).name == "postgresql"
    database = database_of(pretended)
    assert pretended.dialect.name == "postgresql"
    assert database.name in ("redshift", "cockroachdb")
    assert database.claims_once == (database.name == "cockroachdb")
    assert not can_copy(pretended)
    assert database.lock != "LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"
    # From then on its dialect is known too, so that tables get types that it has.
    assert database_behind(pretended.dialect) is database
    assert (Json().compile(dialect=pretended.dialect) == "JSONB") == (database.name == "cockroachdb")


def test_it_is_asked_once(warehouse: Warehouse) -> None:
    asked: list[str] = []
    sa.event.listen(warehouse.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    for _ in range(3):
        database_of(warehouse.engine)
    assert sum("version()" in statement for statement in asked) == 1


@pytest.mark.parametrize("name", ["duckdb", "snowflake", "bigquery", "redshift"])
def test_a_warehouse_that_only_declares_keys_is_not_trusted_with_a_claim(name: str) -> None:
    assert not database_behind(registry.load(name)()).claims_once


def test_what_is_not_known_of_a_database_is_taken_for_missing() -> None:
    dialect = registry.load("sqlite")()
    dialect.name = "somethingelse"
    database = database_behind(dialect)
    assert database.name == "somethingelse"
    assert not database.claims_once
    assert not database.copies
    assert database.lock is None
    assert database.document is None
