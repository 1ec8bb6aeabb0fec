"""How OpenLineage is told of tables: each of them, by the name that Airflow's own SQL operator has for it.

Beside each of our lineages, that operator is asked for every statement by itself, on the same real PostgreSQL.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from ringg_provider.lineage.datasets import InDatabase, Lineage
from ringg_provider.lineage.openlineage import facets
from tests.support.databases import Warehouse


def theirs(*statements: str) -> set[str]:
    """What Airflow's own operator reads, asked for one statement after the other."""
    told = [
        SQLExecuteQueryOperator(task_id="theirs", conn_id="warehouse", sql=sql).get_openlineage_facets_on_start()
        for sql in statements
    ]
    return {table.name for each in told if each is not None for table in each.inputs}


def ours(*queries: str, **place: Any) -> list[str]:
    return [table.name for table in facets(Lineage(inputs=[InDatabase("warehouse", queries, **place)])).inputs]


def test_a_materialized_view_and_a_missing_table_are_told_beside_a_table_that_is_there(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE people (phone TEXT)")
    warehouse.execute("CREATE MATERIALIZED VIEW tonight AS SELECT phone FROM people")
    queries = ("SELECT phone FROM tonight", "SELECT phone FROM people")
    told = ours(*queries, tables={"ringg_calls": None})
    assert len(told) == 3
    assert set(told) == theirs(*queries, "SELECT 1 FROM ringg_calls")


def test_a_materialized_view_is_told_that_stands_in_one_query_with_a_table(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE people (phone TEXT)")
    warehouse.execute("CREATE MATERIALIZED VIEW tonight AS SELECT phone FROM people")
    told = ours("SELECT t.phone FROM tonight t JOIN people p ON p.phone = t.phone")
    assert set(told) == theirs("SELECT 1 FROM tonight", "SELECT 1 FROM people")


def test_tables_of_one_name_in_two_schemas_are_two(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE SCHEMA crm")
    for table in ("people", "crm.people"):
        warehouse.execute(f"CREATE TABLE {table} (phone TEXT)")
    queries = ("SELECT phone FROM crm.people", "SELECT phone FROM people")
    told = ours(*queries)
    assert len(told) == 2
    assert set(told) == theirs(*queries)


def test_each_of_two_tables_of_one_name_has_its_own_count_of_rows(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE SCHEMA crm")
    for table in ("people", "crm.people"):
        warehouse.execute(f"CREATE TABLE {table} (phone TEXT)")
    place = InDatabase("warehouse", tables={"crm.people": 5, "people": None})
    counts = {
        table.name.partition(".")[2]: {name: facet.rowCount for name, facet in table.outputFacets.items()}
        for table in facets(Lineage(outputs=[place])).outputs
    }
    assert counts == {"crm.people": {"outputStatistics": 5}, "public.people": {}}


@pytest.mark.parametrize(
    "condition",
    [
        "phone IN %(keys)s",
        "phone not in %s",
        "phone IN (%s, %s)",
        "phone = ANY(%(keys)s)",
        "phone = %(my-key)s",
        "phone = %b",
        "phone LIKE '%%1' AND length(phone) %% 2 = %t",
    ],
)
def test_a_query_is_told_of_whatever_its_driver_wants_for_a_value(warehouse: Warehouse, condition: str) -> None:
    warehouse.execute("CREATE TABLE people (phone TEXT)")
    assert ours(f"SELECT phone FROM people WHERE {condition}") == [*theirs("SELECT phone FROM people")]


@pytest.mark.parametrize("schema", ["my-schema", "Copy", "order", "für uns", 'so "called"', "a`b"])
@pytest.mark.parametrize("there", [True, False], ids=["there", "not there yet"])
def test_our_tables_are_told_in_a_schema_of_any_name(warehouse: Warehouse, schema: str, there: bool) -> None:
    quoted = warehouse.engine.dialect.identifier_preparer.quote(schema)
    if there:
        warehouse.execute(f"CREATE SCHEMA {quoted}")
        warehouse.execute(f"CREATE TABLE {quoted}.ringg_calls (call_id TEXT)")
    told = ours(tables={"ringg_calls": None}, schema=schema)
    assert told == [f"{warehouse.engine.url.database}.{schema}.ringg_calls"]
    assert set(told) == theirs(f"SELECT 1 FROM {quoted}.ringg_calls")


def test_columns_are_told_of_what_is_there(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE people (phone TEXT, name TEXT)")
    place = InDatabase("warehouse", ["SELECT phone FROM people"], tables={"ringg_calls": None})
    told = facets(Lineage(inputs=[place])).inputs
    columns = [[field.name for field in table.facets["schema"].fields] for table in told if "schema" in table.facets]
    assert columns == [["phone", "name"]]


def test_the_database_is_asked_twice_however_many_tables_there_are(warehouse: Warehouse, postgres: Any) -> None:
    warehouse.execute("CREATE TABLE people (phone TEXT)")
    warehouse.engine.dispose()
    # No other database's connections, and none that is still open, are counted there.
    watched = Warehouse(postgres.url("postgres"), "")
    opened = f"SELECT sessions FROM pg_stat_database WHERE datname = '{warehouse.engine.url.database}'"

    def sessions() -> int:
        before = -1
        while before != (now := watched.count(opened)):
            before = now
            time.sleep(1.2)
        return now

    before = sessions()
    ours("SELECT phone FROM people", "SELECT phone FROM gone", tables=dict.fromkeys("abcdef"))
    assert sessions() - before == 2
    watched.engine.dispose()
