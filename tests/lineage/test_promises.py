"""What promises tell OpenLineage: where they come from and which lists are made of them, and nothing of a person.

The real provider, in a real Airflow, on PostgreSQL, for both platforms, and with whatever it finds on an operator.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.callbacks.table import callbacks_table
from ringg_provider.history.smartalex import callbacks_table as pending_table
from tests.support.airflow_home import home_of
from tests.support.databases import Warehouse
from tests.support.openlineage import event_of, events_in, names, require_specified, told_to
from tests.support.sandbox import Sandbox

NAME, KEY, WORDS = "Zyxmarkedname", "person-zq77", "qwmarkedwords"
AGENT = "22222222-2222-4222-8222-222222222222"

DAG = """
import os
from datetime import datetime
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.sdk import DAG
from ringg_provider.operators.ringg import RinggCallbacksOperator, RinggLaunchOperator
from ringg_provider.operators.smartalex import SmartAlexCallbacksOperator, SmartAlexStartCampaignOperator
from ringg_provider.transfers.callbacks_to_ringg import CallbacksToRinggOperator
from ringg_provider.transfers.callbacks_to_smartalex import CallbacksToSmartAlexOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallsToSqlOperator

CODE, OPTED_OUT = os.environ["MARKED"].split()
AGENT = "22222222-2222-4222-8222-222222222222"
# Whatever the hour is.
RULES = {"about": "the tests", "rules": [
    {"jurisdiction": place, "purposes": ["promotional"], "hours": {"daily": "00:00-24:00"}, "source": "none",
     "checked": "2026-11-20"} for place in ("IN", "US")
]}
DAYS = {"state_conn_id": "state", "purpose": "promotional", "calling_hours": RULES}
LISTS = {
    "sql_conn_id": "warehouse", "country_code": CODE, "contacts_table": "ringg_contacts",
    "sql": "SELECT person_key AS contact_key, policy FROM people WHERE name <> %(name)s",
    "parameters": {"name": OPTED_OUT}, "suppression_sql": "SELECT phone FROM do_not_call", **DAYS,
}
HOURS = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "UTC"}

with DAG("promised", schedule=None, start_date=datetime(2026, 1, 1)):
    calls = RinggCallsToSqlOperator(task_id="calls", ringg_conn_id="ringg_sandbox", sql_conn_id="state")
    update = RinggCallbacksOperator(task_id="update", ringg_conn_id="ringg_sandbox", **DAYS)
    lists = CallbacksToRinggOperator(
        task_id="lists", ringg_conn_id="ringg_sandbox", agent_id=AGENT, variables_map={"callee_name": "callee_name"},
        call_config={"call_time": HOURS}, platform_calls_back=False, **LISTS,
    )
    launch = RinggLaunchOperator.partial(
        task_id="launch", ringg_conn_id="ringg_sandbox", from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
        state_conn_id="state",
    ).expand(launch=lists.output)
    alex = {"smartalex_conn_id": "smartalex_sandbox"}
    alex_calls = SmartAlexCallsToSqlOperator(task_id="alex_calls", sql_conn_id="state", **alex)
    alex_update = SmartAlexCallbacksOperator(task_id="alex_update", **alex, **DAYS)
    drafts = CallbacksToSmartAlexOperator(
        task_id="drafts", agent_id="agent_survey", contact_columns={"first_name": "callee_name"},
        settings={"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC"}, **alex,
        **LISTS | {"sql": None, "sql_conn_id": None, "suppression_sql": None, "parameters": None},
    )
    start = SmartAlexStartCampaignOperator.partial(task_id="start", state_conn_id="state", **alex).expand(
        campaign_id=drafts.output
    )
    calls >> update >> lists >> launch >> alex_calls >> alex_update >> drafts >> start
    for task_id, conn_id, sql in (
        ("chosen_theirs", "warehouse", ["SELECT 1 FROM people", "SELECT 1 FROM do_not_call"]),
        ("tables_theirs", "state", [f"SELECT 1 FROM {table}" for table in (
            "ringg_calls", "ringg_callbacks", "ringg_contacts", "ringg_launches", "smartalex_calls",
            "smartalex_callbacks")]),
    ):
        start >> SQLExecuteQueryOperator(task_id=task_id, conn_id=conn_id, sql=sql, split_statements=False)
"""


def by_daylight(now: datetime) -> tuple[str, str, str, str]:
    """A country code, two of its numbers and their zone, where the day of the promise does not end while this runs."""
    india = ("+91", "9876543987", "9876543986", "Asia/Kolkata")
    return india if 2 <= now.hour < 15 else ("+1", "4158675309", "4158675310", "America/Los_Angeles")


def promise(number: str, zone: str, promise_id: str, due: datetime, **more: Any) -> dict[str, Any]:
    row = {
        "promise_id": promise_id, "platform": "ringg", "conn_id": "ringg_sandbox", "contact_key": KEY,
        "to_number_e164": number, "callee_name": NAME, "agent_id": AGENT, "bulk_list_id": "earlier",
        "asked_call_id": promise_id, "asked_at": due - timedelta(hours=1), "words": WORDS, "timezone": zone,
        "earliest_at": due, "latest_at": due, "due_at": due, "state": "open",
    }  # fmt: skip
    return row | more


@pytest.mark.slow
def test_promises_tell_where_they_come_from_and_what_is_made_of_them_and_nothing_of_a_person(
    warehouse: Warehouse,
    postgres: Any,
    sandbox_factory: Callable[..., Sandbox],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = datetime.now(UTC)
    code, national, opted_out, zone = by_daylight(now)
    number = f"{code}{national}"
    state = Warehouse(postgres.create_database("promises_state"), "")
    monkeypatch.setenv("AIRFLOW_CONN_STATE", postgres.airflow_connection("promises_state"))
    sandbox = sandbox_factory("g3", history_rate_window_seconds=0)
    warehouse.execute("CREATE TABLE people (person_key TEXT, name TEXT, policy TEXT)")
    warehouse.execute("INSERT INTO people VALUES (:key, :name, 'POL-1')", key=KEY, name=NAME)
    warehouse.execute("CREATE TABLE do_not_call (phone TEXT)")
    warehouse.execute("INSERT INTO do_not_call VALUES (:phone)", phone=f"{code}{opted_out}")
    given_up = now - timedelta(minutes=20)
    rows = [
        promise(number, zone, "asked-1", now + timedelta(minutes=1)),
        promise(f"{code}{opted_out}", zone, "asked-2", now + timedelta(minutes=1)),
        promise(number, zone, "asked-3", now, state="unclear", due_at=None, earliest_at=None, latest_at=None),
    ]
    forgotten = {
        "callback_id": "callback-1", "campaign_id": "earlier", "agent_id": "agent_survey", "contact_id": "contact-1",
        "to_number_e164": number, "scheduled_at": given_up, "first_read_at": given_up - timedelta(hours=1),
        "read_at": given_up, "state": "done", "done_at": given_up,
    }  # fmt: skip
    for table, inserted in ((callbacks_table(), rows), (pending_table(), [forgotten])):
        table.create(state.engine)
        with state.engine.begin() as connection:
            connection.execute(sa.insert(table), inserted)
    events = tmp_path / "events.jsonl"
    home = home_of(
        tmp_path,
        DAG,
        **told_to(events),
        MARKED=f"{code} {opted_out}",
    )
    output = home.airflow("dags", "test", "promised")
    ended = {row["promise_id"]: row["state"] for row in state.query("SELECT promise_id, state FROM ringg_callbacks")}
    state.engine.dispose()
    postgres.drop_database("promises_state")
    failed = [task for task in home.task_states() if task[1] != "success"]
    assert failed == [], [line for line in output.splitlines() if "Exception" in line or "Error" in line]
    # Two of Ringg's people were looked at and one of SmartAlex's, or the search below proves nothing.
    assert ended == {"asked-1": "listed", "asked-2": "withdrawn", "asked-3": "unclear", "callback-1": "listed"}

    told = events_in(events)
    for event in told:
        require_specified(event)
    assert "variables_map" in events.read_text()
    marks = (national, opted_out, NAME, KEY, WORDS, "sandbox-key")
    assert home.holding(marks, output, events) == []

    def of(task: str, kind: str = "COMPLETE") -> dict[str, Any]:
        return event_of(told, f"promised.{task}", kind)

    place = warehouse.engine.url
    server = f"postgres://{place.host}:{place.port}"
    ringg, alex = (f"{name}://{sandbox.url.removeprefix('http://')}" for name in ("ringg", "smartalex"))
    theirs = names(of("tables_theirs")["inputs"])
    chosen = names(of("chosen_theirs")["inputs"])
    assert len(chosen) == 2

    def in_state(*tables: str) -> set[str]:
        found = {f"{server}/promises_state.public.{table}" for table in tables}
        assert found <= theirs
        return found

    def rows_of(event: dict[str, Any]) -> dict[str, int]:
        written = {each["name"]: each.get("outputFacets", {}) for each in event["outputs"]}
        return {name: facets["outputStatistics"]["rowCount"] for name, facets in written.items() if facets}

    for task, tables, platform, standing in (
        ("update", ("ringg_calls", "ringg_contacts"), "ringg", {"open": 2, "unclear": 1, "listed": 0}),
        ("alex_update", ("smartalex_calls", "smartalex_callbacks"), "smartalex", {"open": 1, "unclear": 0}),
    ):
        for kind in ("START", "COMPLETE"):
            assert names(of(task, kind)["inputs"]) == in_state(*tables)
            assert names(of(task, kind)["outputs"]) == in_state("ringg_callbacks")
        facet = of(task)["run"]["facets"]["ringg_promises"]
        assert facet["platform"] == platform
        assert standing.items() <= facet["counts"].items()
        assert "ringg_promises" not in of(task, "START")["run"]["facets"]
    assert rows_of(of("alex_update")) == {"promises_state.public.ringg_callbacks": 1}

    kept = ("ringg_callbacks", "ringg_contacts", "ringg_launches")
    for task, history, campaigns, queried, reasons in (
        ("lists", "ringg_calls", f"{ringg}/campaigns/{AGENT}", chosen, {"listed": 1, "suppressed": 1}),
        ("drafts", "smartalex_calls", f"{alex}/campaigns/agent_survey", set(), {"listed": 1}),
    ):
        for kind in ("START", "COMPLETE"):
            assert names(of(task, kind)["inputs"]) == queried | in_state(history, "ringg_callbacks")
            assert names(of(task, kind)["outputs"]) == {campaigns} | in_state(*kept)
        assert rows_of(of(task))[campaigns.split("/", 3)[3]] == 1
        facet = of(task)["run"]["facets"]["ringg_contacts"]
        assert facet["reasons"] == reasons

    for task, source, campaigns in (
        ("launch", ringg, f"{ringg}/campaigns/{AGENT}"),
        ("start", alex, f"{alex}/campaigns/agent_survey"),
    ):
        assert names(of(task)["inputs"]) == {campaigns}
        assert names(of(task)["outputs"]) == {f"{source}/calls"} | in_state("ringg_launches")
        assert of(task)["run"]["facets"]["ringg_campaign"]["contacts"] == 1
