"""What MySQL refuses and MariaDB allows is noticed in the tests that run on MariaDB, which no MySQL was at hand for."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.contacts.people import PeopleLedger, PeopleSpool
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.history.tables import CALLS, calls_table
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.sql.creating import add_missing_columns, described, existing, temporary_table
from ringg_provider.sql.merge import merge_rows
from ringg_provider.warehouse import create_ringg_tables, require_history_within
from tests.support.databases import Warehouse

DOCS = Path(__file__).parents[2] / "docs"


def test_a_temporary_table_that_is_named_twice(mariadb_warehouse: Warehouse) -> None:
    key = sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)
    table = temporary_table("things", key, sa.Column("of", sa.Integer))
    one, other = table.alias("one"), table.alias("other")
    with mariadb_warehouse.engine.connect() as connection, existing(connection, table), connection.begin():
        connection.execute(sa.select(one.c.id).where(one.c.id.in_([1, 2])))
        with pytest.raises(pytest.fail.Exception, match=r"error 1137.*things_[0-9a-f]{8} is named twice"):
            connection.execute(sa.select(one.c.id).select_from(one.join(other, one.c.id == other.c.of)))
        with pytest.raises(pytest.fail.Exception, match="error 1137"):
            connection.execute(sa.insert(table).from_select(["id"], sa.select(one.c.of)))


def test_a_temporary_table_without_a_key(mariadb_warehouse: Warehouse) -> None:
    table = temporary_table("things", sa.Column("id", sa.Integer))
    with (
        pytest.raises(pytest.fail.Exception, match="error 3750"),
        mariadb_warehouse.engine.connect() as connection,
        existing(connection, table),
    ):
        pass


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM things WHERE id IN (SELECT id FROM things)",
        "UPDATE things SET id = 1 WHERE id = (SELECT max(id) FROM things)",
        "update `things` set id = 1 where exists (select * from others join `things` on true)",
    ],
)
def test_a_table_that_is_changed_by_what_is_selected_from_it(mariadb_warehouse: Warehouse, statement: str) -> None:
    mariadb_warehouse.execute("CREATE TABLE things (id INTEGER)")
    mariadb_warehouse.execute("CREATE TABLE others (id INTEGER)")
    with pytest.raises(pytest.fail.Exception, match="error 1093"):
        mariadb_warehouse.execute(statement)
    for allowed in (
        "DELETE FROM things USING things, others WHERE things.id = others.id",
        "DELETE FROM things WHERE id IN (SELECT id FROM others)",
        "INSERT INTO things SELECT max(id) FROM things",
    ):
        mariadb_warehouse.execute(allowed)


def test_a_row_of_a_group_that_could_be_any(mariadb_warehouse: Warehouse) -> None:
    mariadb_warehouse.execute("CREATE TABLE things (id INTEGER, of INTEGER)")
    with pytest.raises(sa.exc.DBAPIError, match="GROUP BY"):
        mariadb_warehouse.query("SELECT id, count(*) FROM things GROUP BY of")


def test_the_rights_that_the_documents_name_are_enough(mariadb_warehouse: Warehouse) -> None:
    (grant,) = re.findall(r"<!-- rights on MySQL -->\n```sql\n(.*?)```", (DOCS / "tables.md").read_text(), re.DOTALL)
    url = sa.make_url(mariadb_warehouse.url)
    user = f"user_of_{url.database}"
    mariadb_warehouse.execute(f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'secret'")
    mariadb_warehouse.execute(grant.replace("calling", str(url.database)).replace("airflow@'%'", f"{user}@'127.0.0.1'"))
    engine = sa.create_engine(url.set(username=user, password="secret"))
    try:
        create_ringg_tables(engine)
        for _ in range(2):
            merge_rows(engine, calls_table(), [{"call_id": "a"}], keys=["call_id"])
        with Scratch() as scratch:
            spool = PeopleSpool(scratch)
            spool.listed(1, ["+919876543210"], None)
            spool.close()
            PeopleLedger(engine).replace("run", spool, {1: "list"})
        item = LaunchItem(list_id="list", flow="standard", agent_id="agent", country_code="+91")
        assert LaunchLedger(engine).replace_set("key", [item]) == [item]
        assert require_history_within(engine, timedelta(days=1)) == 0
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT contact_key FROM ringg_outcomes")).all() == [("+919876543210",)]
        add_missing_columns(engine, described(CALLS, *_with_one_more(calls_table())))
    finally:
        engine.dispose()
        mariadb_warehouse.execute(f"DROP USER {user}@'127.0.0.1'")


def _with_one_more(table: sa.Table) -> list[sa.Column[Any]]:
    return [sa.Column(column.name, column.type) for column in table.columns] + [sa.Column("more", sa.Integer)]
