"""The operator of Ringg's promises: who people are is said by the table of contacts, where there is one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.contacts.people import people_table
from ringg_provider.history.tables import calls_table
from ringg_provider.operators.ringg import RinggCallbacksOperator
from tests.support.databases import Warehouse
from tests.support.statsd import StatsdServer
from tests.support.tasks import context


@pytest.mark.parametrize(("table", "key"), [("ringg_contacts", "P-1"), ("elsewhere", None), (None, None)])
def test_a_promise_names_the_person_as_the_table_of_contacts_does(
    sqlite_warehouse: Warehouse, table: str | None, key: str | None
) -> None:
    people, now = people_table("ringg_contacts", None), datetime.now(UTC)
    rows: list[tuple[sa.Table, dict[str, Any]]] = [
        (
            people,
            {"list_id": "list", "phone": "+919800000001", "contact_key": "P-1", "disposition": "listed"},
        ),
        (
            calls_table(),
            {
                "call_id": "asking", "bulk_list_id": "list", "to_number_e164": "+919800000001", "status": "completed",
                "created_at": now, "attempted_at": now, "first_read_at": now, "changed_at": now, "is_final": True,
                "callback_requested": True, "callback_requested_time": "later",
            },
        ),
    ]  # fmt: skip
    for each, row in rows:
        each.create(sqlite_warehouse.engine)
        needed = {
            column.name: {sa.Integer: 0}.get(type(column.type), now if "_at" in column.name else "-")
            for column in each.columns
            if not column.nullable and column.name not in row and column.default is None
        }
        with sqlite_warehouse.engine.begin() as connection:
            connection.execute(sa.insert(each).values(**needed, **row))
    operator = RinggCallbacksOperator(
        task_id="update", state_conn_id="warehouse", purpose="service", contacts_table=table
    )
    assert operator.execute(context())["new"] == 1
    assert [row["contact_key"] for row in sqlite_warehouse.query("SELECT contact_key FROM ringg_callbacks")] == [key]


def test_what_stands_is_said_of_the_connection_by_which_these_people_are_called(
    sqlite_warehouse: Warehouse, counted: StatsdServer
) -> None:
    calls_table().create(sqlite_warehouse.engine)
    RinggCallbacksOperator(
        task_id="update", ringg_conn_id="north", state_conn_id="warehouse", purpose="service"
    ).execute(context())
    assert counted.sent() == {
        f"ringg.promises.standing,platform=ringg,conn_id=north,state={state}": 0
        for state in ("open", "unclear", "listed")
    }


def test_openlineage_is_told_what_was_done(sqlite_warehouse: Warehouse) -> None:
    calls_table().create(sqlite_warehouse.engine)
    operator = RinggCallbacksOperator(task_id="update", state_conn_id="warehouse", purpose="service")
    before = operator.get_openlineage_facets_on_start()
    assert before is not None
    assert before.run_facets == {}
    counts = operator.execute(context())
    told = operator.get_openlineage_facets_on_complete(None)
    assert told is not None
    assert (told.run_facets["ringg_promises"].platform, told.run_facets["ringg_promises"].counts) == ("ringg", counts)
