"""A query to drafts on SmartAlex, against the sandbox: cleaned, suppressed, and under a key never twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider.exceptions import NetworkError
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.operators.smartalex import SmartAlexStartCampaignOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator
from tests.support.databases import Warehouse
from tests.support.sandbox import Sandbox
from tests.support.tasks import context

PEOPLE = [
    ("1", "98100 00001", "Asha", "Rao"),
    ("2", "+919810000002", "Ben", None),
    ("3", "9810000002", "Ben again", None),
    ("4", "9810000004", "Opted out", None),
    ("5", "9810000005", "Do not call", None),
    ("6", "n/a", "Nobody", None),
]
SETTINGS = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC", "concurrent_calls": 5}


@pytest.fixture
def sandbox(sandbox_factory: Callable[..., Sandbox], sqlite_warehouse: Warehouse) -> Sandbox:
    sqlite_warehouse.execute("CREATE TABLE people (id text, phone text, first text, last text)")
    rows = [dict(zip(("id", "phone", "first", "last"), person, strict=True)) for person in PEOPLE]
    sqlite_warehouse.execute("INSERT INTO people VALUES (:id, :phone, :first, :last)", rows)
    return sandbox_factory(speed=86_400, dnc_numbers=["+919810000005"])


def transfer(**options: Any) -> SqlToSmartAlexOperator:
    given = {
        "sql_conn_id": "warehouse",
        "sql": "SELECT * FROM people",
        "smartalex_conn_id": "smartalex_sandbox",
        "agent_id": "agent_survey",
        "campaign_name": "Survey",
        "phone_column": "phone",
        "contact_columns": {"first_name": "first", "last_name": "last"},
        "country_code": "+91",
        "settings": SETTINGS,
        "contact_key": "id",
        "suppression_sql": "SELECT '9810000004'",
        "contacts_table": "contacts",
        **options,
    }
    return SqlToSmartAlexOperator(task_id="lists", **given)


KEY = {"launch_key": "survey", "ledger_conn_id": "warehouse"}


def test_people_are_cleaned_suppressed_and_put_on_one_draft(sandbox: Sandbox, sqlite_warehouse: Warehouse) -> None:
    (item,) = transfer(**KEY).execute(context())
    assert (item["rows"], item["flow"], item["launch_key"]) == (2, "smartalex", "survey")
    assert item["settings"] == {**SETTINGS, "max_retries": 3}
    (campaign,) = sandbox.state()["campaigns"]
    assert (campaign["id"], campaign["state"], campaign["contacts"]) == (item["list_id"], "draft", 2)
    noted = {row["contact_key"]: row["disposition"] for row in sqlite_warehouse.query("SELECT * FROM contacts")}
    assert noted == {
        "1": "listed",
        "2": "listed",
        "3": "duplicate",
        "4": "suppressed",
        "5": "suppressed",
        "6": "phone_unreadable",
    }


def test_the_frequency_cap_reads_smartalexs_own_history(sandbox: Sandbox, sqlite_warehouse: Warehouse) -> None:
    calls = smartalex_calls_table()
    calls.create(sqlite_warehouse.engine)
    now = datetime.now(UTC)
    with sqlite_warehouse.engine.begin() as connection:
        connection.execute(
            calls.insert(),
            [
                {"call_id": "a", "to_number_e164": "+919810000002", "created_at": now - timedelta(days=1)},
                {"call_id": "b", "to_number_e164": "+919810000001", "created_at": now - timedelta(days=9)},
            ],
        )
    transfer(not_called_within_days=3).execute(context())
    noted = {row["contact_key"]: row["disposition"] for row in sqlite_warehouse.query("SELECT * FROM contacts")}
    assert noted["2"] == "called_recently"
    assert noted["1"] == "listed"


def test_its_items_can_be_mapped_over_the_start(sandbox: Sandbox, sqlite_warehouse: Warehouse) -> None:
    items = transfer(max_rows_per_list=1, **KEY).execute(context())
    assert len(items) == 2
    for item in items:
        start = SmartAlexStartCampaignOperator(task_id="start", campaign_id=item, smartalex_conn_id="smartalex_sandbox")
        assert start.execute(context()) == item["list_id"]
    assert sandbox.dials()["max_calls_per_number"] == 1
    started = sqlite_warehouse.query("SELECT state FROM ringg_launches")
    assert [row["state"] for row in started] == ["started", "started"], "the item names its ledger"
    assert transfer(**KEY).execute(context()) == items, "the key was launched: nothing new is made"
    assert len(sandbox.state()["campaigns"]) == 2


def test_a_crash_while_adding_leaves_a_draft_that_is_never_started(
    sandbox: Sandbox, sqlite_warehouse: Warehouse
) -> None:
    sandbox.fault(method="POST", path="/campaigns/{id}/contacts", kind="cut", when="after", skip=1)
    with pytest.raises(NetworkError):
        transfer(contacts_per_request=1, **KEY).execute(context())
    (orphan,) = [row["id"] for row in sandbox.state()["campaigns"]]
    assert sqlite_warehouse.query("SELECT * FROM ringg_launches") == []
    (item,) = transfer(**KEY).execute(context())
    assert item["list_id"] != orphan
    with pytest.raises(AirflowFailException, match="WrongState"):
        SmartAlexStartCampaignOperator(
            task_id="start", campaign_id=orphan, smartalex_conn_id="smartalex_sandbox", **KEY
        ).execute(context())
    assert {row["state"] for row in sandbox.state()["campaigns"]} == {"draft"}


def test_with_a_purpose_lists_have_the_hours_of_their_people(sandbox: Sandbox) -> None:
    # In the evening nobody may be called on this day any more.
    with time_machine.travel("2026-10-14T10:00:00+05:30"):
        items = transfer(purpose="promotional", settings={**SETTINGS, "timezone": "Asia/Kolkata"}).execute(context())
    assert items
    for item in items:
        assert item["settings"]["calling_hours_start"] >= "09:00"
        assert item["settings"]["calling_hours_end"] <= "21:00"
        assert item["settings"]["timezone"] == "Asia/Kolkata"


@pytest.mark.parametrize("status", [403, 404])
def test_do_not_call_contacts_that_cannot_be_read_are_named_with_their_parameter(sandbox: Sandbox, status: int) -> None:
    sandbox.fault(method="GET", path="/contacts", kind="status", status=status, body={"message": "No route."})
    with pytest.raises(AirflowFailException) as raised:
        transfer().execute(context())
    said = str(raised.value)
    assert (
        "skip_dnc: the contacts that the platform holds as do-not-call cannot be read, so nothing is uploaded" in said
    )
    assert f"GET /contacts was answered {status}: No route." in said
    assert "Check the id" not in said
    assert sandbox.state()["campaigns"] == []
    transfer(skip_dnc=False).execute(context())
    assert len(sandbox.state()["campaigns"]) == 1


def test_a_dry_run_creates_nothing(sandbox: Sandbox) -> None:
    (item,) = transfer(dry_run=True).execute(context())
    assert (item["list_id"], item["rows"]) == (None, 2)
    assert sandbox.state()["campaigns"] == []


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"agent_id": "agent_unready"}, "agent_unready is not ready"),
        ({"settings": {**SETTINGS, "calling_hours_start": "23:59"}}, "calling_hours_end"),
        ({"contact_columns": {"nickname": "first"}}, "contact_columns"),
        ({"max_rejects": 0}, "max_rejects"),
        ({"phone_column": "telephone"}, "phone_column"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_created(sandbox: Sandbox, wrong: dict[str, Any], match: str) -> None:
    with pytest.raises(AirflowFailException, match=match):
        transfer(**wrong).execute(context())
    assert sandbox.state()["campaigns"] == []
