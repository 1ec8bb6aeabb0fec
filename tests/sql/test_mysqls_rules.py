"""What MySQL refuses and MariaDB allows is noticed in the tests that run on MariaDB, which no MySQL was at hand for."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from ringg_provider.sql.creating import existing, temporary_table
from tests.support.databases import Warehouse


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
