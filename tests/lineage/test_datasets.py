"""Which tables each operator says that it reads and writes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ringg_provider.lineage.datasets import InDatabase, parts
from ringg_provider.lineage.operator import LineageOperator
from ringg_provider.operators.ringg import RinggCallbacksOperator, RinggLaunchOperator, RinggRolloutOperator
from ringg_provider.operators.smartalex import SmartAlexRolloutOperator
from ringg_provider.transfers.callbacks_to_ringg import CallbacksToRinggOperator
from ringg_provider.transfers.ringg_publish import RinggPublishOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

RINGG: dict[str, Any] = {"ringg_conn_id": "ringg_sandbox", "agent_id": "agent", "variables_map": {}, "call_config": {}}
LISTS = {
    "task_id": "lists", "sql_conn_id": "warehouse", "sql": "SELECT 1", "phone_column": "p", "country_code": "+91",
    "campaign_name": "x", **RINGG,
}  # fmt: skip
PROMISES = {"task_id": "promises", "state_conn_id": "state", "purpose": "service"}
ITEM = {
    "list_id": "list", "agent_id": "agent", "flow": "standard", "rows": 1, "call_config": {}, "country_code": "+91",
    "launch_key": "k", "ledger_conn_id": "state",
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("sandbox")


def tables(task: LineageOperator) -> tuple[set[str], set[str]]:
    """What is read and written in databases, by connection and name."""
    known = task.reads_and_writes()
    read, written = (
        {
            f"{place.conn_id}:{place.qualified(table)}"
            for place in places
            if isinstance(place, InDatabase)
            for table in place.tables
        }
        for places in (known.inputs, known.outputs)
    )
    return read, written


@pytest.mark.parametrize(
    "cap", [{"max_attempts": 3}, {"not_called_within_days": 7}, {"attempts_within": (3, timedelta(days=1))}]
)
def test_a_frequency_cap_reads_the_calls_and_the_attempts_beside_them(cap: dict[str, Any]) -> None:
    read, _ = tables(SqlToRinggOperator(**LISTS, **cap, state_conn_id="state", history_table="crm.calls"))
    assert read == {"state:crm.calls", "state:crm.ringg_attempts"}


def test_without_a_cap_no_calls_are_read_for_lists() -> None:
    assert tables(SqlToRinggOperator(**LISTS))[0] == set()


def test_lists_of_promises_read_the_calls_and_with_a_cap_the_attempts() -> None:
    lists = {**PROMISES, **RINGG, "country_code": "+91", "horizon": timedelta(hours=1)}
    assert tables(CallbacksToRinggOperator(**lists))[0] == {"state:ringg_calls", "state:ringg_callbacks"}
    read, _ = tables(CallbacksToRinggOperator(**lists, max_attempts=3))
    assert read == {"state:ringg_calls", "state:ringg_attempts", "state:ringg_callbacks"}


@pytest.mark.parametrize(
    ("contacts", "read"),
    [("ringg_contacts", {"state:ringg_calls", "state:ringg_contacts"}), (None, {"state:ringg_calls"})],
)
def test_promises_come_of_the_calls_and_of_who_people_are(contacts: str | None, read: set[str]) -> None:
    assert tables(RinggCallbacksOperator(**PROMISES, contacts_table=contacts))[0] == read


@pytest.mark.parametrize(
    ("contacts", "schema", "view"),
    [
        ("ringg_contacts", None, {"state:ringg_outcomes"}),
        ("ringg_contacts", "calls", {"state:calls.ringg_outcomes"}),
        ("crm.ringg_contacts", None, {"state:crm.ringg_outcomes"}),
        (None, None, set()),
    ],
)
def test_the_view_of_outcomes_is_told_where_the_contacts_are(
    contacts: str | None, schema: str | None, view: set[str]
) -> None:
    load = RinggCallsToSqlOperator(
        task_id="load", ringg_conn_id="ringg_sandbox", state_conn_id="state", contacts_table=contacts, schema=schema
    )
    assert {table for table in tables(load)[1] if table.endswith("outcomes")} == view


@pytest.mark.parametrize(("published", "is_made"), [(None, True), (["ringg_calls"], False)])
def test_a_publication_writes_the_view_where_both_its_tables_are_published(
    published: list[str] | None, is_made: bool
) -> None:
    publish = RinggPublishOperator(
        task_id="publish", state_conn_id="state", warehouse_conn_id="warehouse", tables=published
    )
    read, written = tables(publish)
    assert ("warehouse:ringg_outcomes" in written) is is_made
    assert "state:ringg_outcomes" not in read


def test_a_start_writes_the_ledger_that_it_has() -> None:
    start: dict[str, Any] = {"task_id": "launch", "ringg_conn_id": "ringg_sandbox", "launch": ITEM}
    assert tables(RinggLaunchOperator(**start)) == (set(), set())
    assert tables(RinggLaunchOperator(**start, launch_key="k", state_conn_id="state"))[1] == {"state:ringg_launches"}


def test_a_rollout_reads_and_writes_the_calls_that_it_judges() -> None:
    ringg = RinggRolloutOperator(
        task_id="rollout", ringg_conn_id="ringg_sandbox", launches=[ITEM], state_conn_id="state", from_numbers=["a"]
    )
    alex = SmartAlexRolloutOperator(
        task_id="rollout", smartalex_conn_id="smartalex_sandbox", launches=[], ledger_conn_id="ledger"
    )
    assert tables(ringg) == ({"state:ringg_calls"}, {"state:ringg_calls"})
    assert tables(alex) == ({"ledger:smartalex_calls"}, {"ledger:smartalex_calls", "ledger:ringg_launches"})


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ringg_calls", ["ringg_calls"]),
        ("a.b.c", ["a", "b", "c"]),
        ('"My.lake".calls', ["My.lake", "calls"]),
        ("`my-project`.calls.t", ["my-project", "calls", "t"]),
    ],
)
def test_a_name_is_known_by_its_parts(name: str, found: list[str]) -> None:
    assert parts(name) == found
