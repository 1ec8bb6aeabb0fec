"""From a query in a real database to contact lists on the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from tests.support.databases import Warehouse

AGENT = "22222222-2222-4222-8222-222222222222"
WINDOW = {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}}


class TaskInstance:
    """What the operator needs of a task instance, so that one call does not take a whole DAG run."""

    dag_id, run_id, task_id, map_index = "dag", "run", "lists", -1

    def __init__(self) -> None:
        self.xcom: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcom[key] = value


def transfer(**overrides: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run the operator once; its result and its summary."""
    arguments: dict[str, Any] = {
        "task_id": "lists",
        "sql_conn_id": "warehouse",
        "sql": "SELECT phone, name FROM people ORDER BY id",
        "ringg_conn_id": "ringg_sandbox",
        "agent_id": AGENT,
        "campaign_name": "Survey",
        "phone_column": "phone",
        "variables_map": {"callee_name": "name"},
        "country_code": "+91",
        "call_config": WINDOW,
        **overrides,
    }
    ti = TaskInstance()
    result = SqlToRinggOperator(**arguments).execute({"ti": ti})  # type: ignore[typeddict-item]
    return result, ti.xcom["summary"]


@pytest.fixture(params=["warehouse", "sqlite_warehouse"])
def database(request: pytest.FixtureRequest) -> Warehouse:
    """PostgreSQL, then SQLite."""
    return request.getfixturevalue(request.param)


def fill(database: Warehouse, people: list[tuple[Any, ...]]) -> None:
    """Make the table `people` with an id, a phone and a name."""
    database.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT, name TEXT)")
    rows = [{"id": number, "phone": phone, "name": name} for number, (phone, name) in enumerate(people, 1)]
    if rows:
        database.execute("INSERT INTO people VALUES (:id, :phone, :name)", rows)


def test_a_query_becomes_one_saved_list_that_can_be_started(database: Warehouse, sandbox: Any) -> None:
    fill(database, [("+919876543210", "Asha"), ("098765 43211", "Ravi"), ("+919876543210", "Asha again"), ("12", "x")])
    lists, summary = transfer(contacts_table="ringg_contacts", launch_key="key")
    assert [(item["flow"], item["rows"], item["country_code"]) for item in lists] == [("standard", 2, "+91")]
    assert set(lists[0]) == {
        "list_id", "flow", "agent_id", "country_code", "call_config", "campaign_start_time", "campaign_end_time",
        "rows", "rejected", "launch_key",
    }  # fmt: skip
    assert summary["reasons"] == {"listed": 2, "duplicate": 1, "phone_not_dialable": 1}
    people = database.query("SELECT * FROM ringg_contacts ORDER BY contact_key, occurrence")
    assert [(row["contact_key"], row["occurrence"], row["disposition"], row["list_id"]) for row in people] == [
        ("+919876543210", 1, "listed", lists[0]["list_id"]),
        ("+919876543210", 2, "duplicate", None),
        ("+919876543211", 1, "listed", lists[0]["list_id"]),
        ("12", 1, "phone_not_dialable", None),
    ]


@pytest.mark.parametrize("generation", ["g2", "g3"])
def test_auto_takes_the_large_flow_from_5000_contacts(
    database: Warehouse, sandbox_factory: Any, generation: str
) -> None:
    sandbox_factory(generation)
    fill(database, [(f"+9198{number:08d}", f"Person {number}") for number in range(5000)])
    lists, _ = transfer()
    assert [(item["flow"], item["rows"]) for item in lists] == [("large", 5000)]
    lists, _ = transfer(sql="SELECT phone, name FROM people WHERE id < 5000")
    assert [(item["flow"], item["rows"]) for item in lists] == [("standard", 4999)]


def test_an_empty_query_is_a_success_without_a_list(database: Warehouse, sandbox: Any) -> None:
    fill(database, [])
    lists, summary = transfer(contacts_table="ringg_contacts")
    assert lists == []
    assert summary["rows"] == 0
    assert not [request for request in sandbox.requests() if request["method"] == "POST"]
