"""From a query to waves: whose turn it is, the phones of the rehearsal, and what is noted of both."""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider.history.tables import calls_table
from ringg_provider.launch.item import LaunchItem
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator
from ringg_provider.warehouse import create_ringg_tables
from tests.support.databases import Warehouse
from tests.support.tasks import TaskInstance

OURS, COLLEAGUE = "+919812345678", "+447911123456"
WINDOW = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}
KEY = {"launch_key": "tonight", "ledger_conn_id": "warehouse"}
PLATFORMS = {
    "ringg": (
        SqlToRinggOperator,
        {
            "ringg_conn_id": "ringg_sandbox",
            "agent_id": "22222222-2222-4222-8222-222222222222",
            "variables_map": {"callee_name": "name"},
            "call_config": {"call_time": WINDOW},
        },
    ),
    "smartalex": (
        SqlToSmartAlexOperator,
        {
            "smartalex_conn_id": "smartalex_sandbox",
            "agent_id": "agent_survey",
            "contact_columns": {"first_name": "name"},
            "settings": {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "Asia/Kolkata"},
        },
    ),
}


@pytest.fixture(params=list(PLATFORMS))
def platform(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def people(sqlite_warehouse: Warehouse, sandbox: Any) -> Warehouse:
    """400 people of one country and 20 of another."""
    sqlite_warehouse.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, phone TEXT, name TEXT)")
    rows = [{"id": n, "phone": f"+9198765{n:05d}", "name": f"Person {n}"} for n in range(400)]
    rows += [{"id": n, "phone": f"+447400123{n:03d}", "name": f"Person {n}"} for n in range(500, 520)]
    sqlite_warehouse.execute("INSERT INTO people VALUES (:id, :phone, :name)", rows)
    return sqlite_warehouse


def lists(platform: str, **options: Any) -> tuple[list[LaunchItem], dict[str, Any]]:
    """Run the operator once; its items and its summary."""
    operator, given = PLATFORMS[platform]
    arguments = {
        "task_id": "lists",
        "sql_conn_id": "warehouse",
        "sql": "SELECT id, phone, name FROM people ORDER BY id",
        "campaign_name": "Survey",
        "phone_column": "phone",
        "contact_key": "id",
        "country_code": "+91",
        "other_countries": "split",
        "contacts_table": "ringg_contacts",
        **given,
        **options,
    }
    ti = TaskInstance(task_id="lists")
    result = operator(**arguments).execute({"ti": ti})  # type: ignore[arg-type]
    json.dumps(result)
    return [LaunchItem.of(item) for item in result], ti.xcom["summary"]


def noted(database: Warehouse) -> list[dict[str, Any]]:
    return database.query("SELECT * FROM ringg_contacts WHERE launch_key = 'tonight' ORDER BY contact_key")


def test_each_wave_has_lists_of_its_own_in_the_order_of_the_waves(people: Warehouse, platform: str) -> None:
    items, summary = lists(platform, waves=(0.1, 0.3), **KEY)
    assert [item.wave for item in items] == sorted(item.wave or 0 for item in items)
    assert {item.wave for item in items} == {1, 2, 3}
    assert {item.country_code for item in items} == {"+91", "+44"}
    rows = {wave["wave"]: wave["rows"] for wave in summary["waves"]}
    assert sum(rows.values()) == 420
    assert rows[1] < rows[2] < rows[3]
    by_list = Counter(row["list_id"] for row in noted(people))
    assert {item.list_id: item.rows for item in items} == by_list
    waves = {item.list_id: item.wave for item in items}
    assert all(row["wave"] == waves[row["list_id"]] for row in noted(people))


def test_without_waves_an_item_is_what_it_was(people: Warehouse, platform: str) -> None:
    items, summary = lists(platform)
    assert {item.wave for item in items} == {None}
    assert "wave" not in items[0].as_xcom()
    assert "waves" not in summary


def test_whoever_is_in_which_wave_does_not_depend_on_the_querys_order(people: Warehouse, platform: str) -> None:
    def dealt(order: str, key: str) -> dict[str, int]:
        lists(platform, waves=(0.1,), sql=f"SELECT id, phone, name FROM people ORDER BY {order}", launch_key=key)
        found = people.query(f"SELECT contact_key, wave FROM ringg_contacts WHERE launch_key = '{key}'")
        return {row["contact_key"]: row["wave"] for row in found}

    assert dealt("id", "tonight") == dealt("phone DESC", "tonight")
    assert dealt("id", "tonight") != dealt("id", "tomorrow")


def test_other_waves_at_the_next_attempt_change_nothing_once_one_list_is_started(
    people: Warehouse, platform: str
) -> None:
    items, _ = lists(platform, waves=(0.1,), **KEY)
    again, _ = lists(platform, waves=(0.2, 0.3), **KEY)
    assert {item.wave for item in again} == {1, 2, 3}, "nothing was started: the new set took the old one's place"
    people.execute("UPDATE ringg_launches SET state = 'started' WHERE list_id = :one", one=again[0].list_id)
    stands, summary = lists(platform, waves=(0.5,), rehearsal=[OURS], **KEY)
    assert stands == again
    assert summary["already_launched"]
    assert items[0].list_id not in {item.list_id for item in stands}


def test_a_wave_without_anybody_is_told_and_fails_nothing(
    people: Warehouse, platform: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    items, summary = lists(platform, waves=(0.001, 0.002), sql="SELECT id, phone, name FROM people WHERE id < 3")
    assert {item.wave for item in items} == {3}
    assert [wave["rows"] for wave in summary["waves"]] == [0, 0, 3]
    assert "Wave 1 is empty: there are too few people for it." in caplog.text
    assert "One wave after the other, by a rollout: wave 1 0, wave 2 0, wave 3 3." in caplog.text


class TestRehearsal:
    """Your own phones first, with what the first people will hear."""

    def test_the_first_lists_are_of_our_own_phones(self, people: Warehouse, platform: str) -> None:
        items, summary = lists(platform, rehearsal=[OURS, "+44 7911 123456"], waves=(0.1,), **KEY)
        assert [(item.wave, item.country_code, item.rows) for item in items[:2]] == [(0, "+91", 1), (0, "+44", 1)]
        assert summary["waves"][0] == {"wave": 0, "rows": 2, "lists": 2}
        assert summary["reasons"]["listed"] == 420
        assert sum(item.rows or 0 for item in items if item.wave) == 420, "nobody of the query is missing"
        assert not any(person["phone"] in (OURS, COLLEAGUE) for person in noted(people) if person["wave"])

    def test_they_are_marked_and_count_as_nobody_of_the_query(self, people: Warehouse, platform: str) -> None:
        items, _ = lists(platform, rehearsal=[OURS, COLLEAGUE], **KEY)
        marked = [row for row in noted(people) if row["disposition"] == "rehearsal"]
        assert [(row["contact_key"], row["phone"], row["wave"]) for row in marked] == [
            ("rehearsal 1", OURS, 0),
            ("rehearsal 2", COLLEAGUE, 0),
        ]
        assert {row["wave"] for row in noted(people) if row["disposition"] == "listed"} == {1}
        assert {item.wave for item in items} == {0, 1}
        create_ringg_tables(state_conn_id="warehouse")
        calls = [
            {"call_id": "a", "bulk_list_id": marked[0]["list_id"], "to_number_e164": OURS, "status": "completed"},
            {"call_id": "b", "bulk_list_id": items[-1].list_id, "to_number_e164": "+919876500000", "status": "busy"},
        ]
        with people.engine.begin() as connection:
            connection.execute(calls_table().insert(), [{**call, "is_final": True} for call in calls])
        outcomes = people.query("SELECT contact_key, reached FROM ringg_outcomes WHERE calls > 0 OR reached")
        assert {row["contact_key"] for row in outcomes} <= {"0"}
        assert not people.query("SELECT 1 FROM ringg_outcomes WHERE contact_key LIKE 'rehearsal%'")

    def test_nobody_of_the_query_is_called_on_a_phone_of_the_rehearsal(self, people: Warehouse, platform: str) -> None:
        people.execute("INSERT INTO people VALUES (999, '98123 45678', 'Us')")
        lists(platform, rehearsal=[OURS], **KEY)
        told = {row["contact_key"]: (row["disposition"], row["detail"]) for row in noted(people)}
        assert told["999"] == ("duplicate", "a phone of the rehearsal")
        phones = Counter(row["phone"] for row in noted(people) if row["list_id"])
        assert max(phones.values()) == 1

    def test_no_cap_keeps_our_own_phone_from_ringing_every_night(self, people: Warehouse, platform: str) -> None:
        create_ringg_tables(state_conn_id="warehouse")
        more: dict[str, Any] = {"not_called_within_days": 3}
        if platform == "ringg":
            with people.engine.begin() as connection:
                row = {"call_id": "last night", "to_number_e164": OURS, "is_final": True}
                connection.execute(calls_table().insert(), [row])
        else:
            more |= {"history_table_may_be_missing": True}
        items, _ = lists(platform, rehearsal=[OURS], **more, **KEY)
        assert (items[0].wave, items[0].rows) == (0, 1)

    def test_a_phone_that_opted_out_is_not_called_and_nothing_is_uploaded(
        self, people: Warehouse, platform: str, sandbox: Any
    ) -> None:
        with pytest.raises(AirflowFailException, match=r"rehearsal\.0: is suppressed") as refused:
            lists(platform, rehearsal=[OURS], suppression_sql="SELECT '98123-45678'")
        assert "98123" not in str(refused.value)
        assert sandbox.state()["campaigns"] == []

    def test_a_phone_outside_its_own_hours_is_refused(self, people: Warehouse) -> None:
        # A Monday's working hours in India, which are Sunday night in New York.
        hours = {"campaign_start_time": "2035-03-05T10:00", "campaign_end_time": "2035-03-05T17:00"}
        with pytest.raises(AirflowFailException, match=r"rehearsal\.0: must not be called") as refused:
            lists("ringg", rehearsal=["+12125550123"], purpose="promotional", no_rule="hold", **hours)
        assert "212" not in str(refused.value)

    def test_a_bad_phone_is_named_by_its_place_before_anything_is_read(self, people: Warehouse, platform: str) -> None:
        people.execute("DROP TABLE people")
        with pytest.raises(AirflowFailException, match=r"rehearsal\.1: is no number that can be dialled") as refused:
            lists(platform, rehearsal=[OURS, "98123"])
        assert "98123" not in str(refused.value)

    def test_phones_are_no_text_and_are_kept_out_of_every_serializer(self, people: Warehouse) -> None:
        with pytest.raises(AirflowFailException, match=r"rehearsal: must be a list"):
            lists("ringg", rehearsal=OURS)
        assert not any("rehearsal" in operator.template_fields for operator, _ in PLATFORMS.values())
