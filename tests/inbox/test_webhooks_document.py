"""What `docs/webhooks.md` tells people to run does what it says."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from ringg_provider.history.tables import calls_table
from ringg_provider.inbox.store import Delivery, add, inbox_table
from ringg_provider.sql.creating import create_tables
from tests.support.databases import Warehouse, each_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "webhooks.md"
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)

database = each_of("warehouse", "sqlite_warehouse", "mariadb_warehouse")


def statement(name: str) -> sa.TextClause:
    """The statement below the comment with this name."""
    found = re.search(rf"<!-- {name} -->\n```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None, name
    return sa.text(found[1])


@pytest.fixture
def engine(database: Warehouse) -> sa.Engine:
    create_tables(database.engine, inbox_table(), calls_table())
    old, new = NOW - dt.timedelta(days=40), NOW - dt.timedelta(days=20)
    with database.engine.begin() as connection:
        deliveries = [
            Delivery.of("c", f"{at} {call}".encode(), at, call_id=call) for at in (old, new) for call in ("a", "b")
        ]
        add(connection, inbox_table(), deliveries)
        for call, number in (("a", "+919876500001"), ("b", "+919876500002")):
            row = {"call_id": call, "to_number_e164": number}
            calls = calls_table()
            needed = {each.name for each in calls.columns if not each.nullable} - set(row)
            kinds = {each.name: each.type.python_type for each in calls.columns if each.name in needed}
            row |= {name: NOW if kind is dt.datetime else kind() for name, kind in kinds.items()}
            connection.execute(calls.insert().values(row))
    return database.engine


def left(engine: sa.Engine) -> list[tuple[str, int]]:
    table = inbox_table()
    with engine.connect() as connection:
        rows = connection.execute(sa.select(table.c.call_id, sa.func.count()).group_by(table.c.call_id))
        return sorted((row[0], row[1]) for row in rows)


def test_what_came_long_ago_is_purged(engine: sa.Engine) -> None:
    before = (NOW - dt.timedelta(days=30)).replace(tzinfo=None)
    with engine.begin() as connection:
        connection.execute(statement("purge the inbox"), {"before": before})
    assert left(engine) == [("a", 1), ("b", 1)]


def test_one_persons_deliveries_are_purged(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(statement("purge one call's deliveries"), {"number": "+919876500001"})
    assert left(engine) == [("b", 2)]
