"""From a query in a real database to contact lists on the sandbox."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from ringg_provider.exceptions import TransientError
from ringg_provider.history.tables import calls_table
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from tests.contacts.dirty_rows import ROWS
from tests.support.databases import Warehouse
from tests.support.statsd import StatsdServer
from tests.support.tasks import Run, TaskInstance

AGENT = "22222222-2222-4222-8222-222222222222"
WINDOW = {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}}


def transfer(*, clears: int = 0, **overrides: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run the operator once, in a run that was cleared so often; its result and its summary."""
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
    ti = TaskInstance(task_id="lists")
    run = {"dag_run": Run(clear_number=clears)} if clears else {}
    result = SqlToRinggOperator(**arguments).execute({"ti": ti, **run})  # type: ignore[typeddict-item]
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
        "rows", "rejected", "launch_key", "ledger_conn_id",
    }  # fmt: skip
    assert summary["reasons"] == {"listed": 2, "duplicate": 1, "phone_not_dialable": 1}
    people = database.query("SELECT * FROM ringg_contacts ORDER BY contact_key, occurrence")
    assert [(row["contact_key"], row["occurrence"], row["disposition"], row["list_id"]) for row in people] == [
        ("+919876543210", 1, "listed", lists[0]["list_id"]),
        ("+919876543210", 2, "duplicate", None),
        ("+919876543211", 1, "listed", lists[0]["list_id"]),
        ("12", 1, "phone_not_dialable", None),
    ]


def test_lists_say_after_which_clear_of_their_run_they_were_uploaded(database: Warehouse, sandbox: Any) -> None:
    fill(database, [("+919876543210", "Asha")])
    assert [item["clear_number"] for item in transfer(clears=2)[0]] == [2]
    assert "clear_number" not in transfer()[0][0]
    under_key = {"contacts_table": "ringg_contacts", "launch_key": "key"}
    assert "clear_number" not in transfer(clears=2, **under_key)[0][0], "the ledger tells what was launched"


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


class TestWhoIsListed:
    """Duplicates, suppression and the frequency cap, in a real database."""

    def test_every_dirty_row_gets_its_list_or_its_reason(self, database: Warehouse, sandbox: Any) -> None:
        fill(database, [(row.phone, row.name) for row in ROWS])
        lists, summary = transfer(contacts_table="ringg_contacts")
        told = database.query("SELECT phone, disposition FROM ringg_contacts")
        assert Counter((row["phone"], row["disposition"]) for row in told) == Counter(
            (row.called_at, row.disposition) for row in ROWS
        )
        assert summary["rows"] == len(ROWS)
        assert [item["rejected"] for item in lists] == [0], "the platform must find nothing that was not found here"

    def test_suppression_reads_numbers_in_any_spelling_and_contact_keys(
        self, database: Warehouse, sandbox: Any
    ) -> None:
        fill(database, [("9876543210", "a"), ("9876543211", "b"), ("9876543212", "c"), ("9876543213", "d")])
        _, summary = transfer(
            sql="SELECT id, phone, name FROM people ORDER BY id",
            contact_key="id",
            suppression_sql="SELECT '+91 98765-43210' AS x UNION ALL SELECT '3'",
            contacts_table="ringg_contacts",
        )
        assert summary["reasons"] == {"listed": 2, "suppressed": 2}
        told = database.query("SELECT contact_key, disposition, phone FROM ringg_contacts ORDER BY contact_key")
        assert [(row["contact_key"], row["disposition"]) for row in told] == [
            ("1", "suppressed"), ("2", "listed"), ("3", "suppressed"), ("4", "listed"),
        ]  # fmt: skip
        assert told[0]["phone"] == "+919876543210"

    def test_the_frequency_cap_reads_the_history_table(self, database: Warehouse, sandbox: Any) -> None:
        fill(database, [(f"987654321{number}", "x") for number in range(4)])
        calls = calls_table()
        calls.create(database.engine)
        now = datetime.now(UTC)
        with database.engine.begin() as connection:
            connection.execute(
                calls.insert(),
                [
                    {
                        "call_id": f"{number}-{days}",
                        "to_number_e164": f"+91987654321{number}",
                        "created_at": now - timedelta(days=days),
                    }
                    for number, days in ((0, 1), (1, 10), (2, 10), (2, 11), (2, 12))
                ],
            )
        _, summary = transfer(not_called_within_days=3, max_attempts=3)
        assert summary["reasons"] == {"listed": 2, "called_recently": 1, "too_many_attempts": 1}

    @pytest.mark.parametrize("cap", [{"max_attempts": 1}, {"not_called_within_days": 3}])
    def test_a_cap_whose_table_is_missing_calls_nobody_unless_the_dag_says_that_there_is_none_yet(
        self, database: Warehouse, sandbox: Any, cap: dict[str, Any]
    ) -> None:
        fill(database, [("9876543210", "x")])
        for table in ({}, {"history_table": "calls_of_ours"}):
            with pytest.raises(AirflowFailException, match="history_table: there is no table"):
                transfer(**cap, **table)
        assert sandbox.state()["campaigns"] == []
        assert transfer(**cap, history_table_may_be_missing=True)[1]["reasons"] == {"listed": 1}

    def test_countries_are_split_into_lists_of_their_own_when_asked(self, database: Warehouse, sandbox: Any) -> None:
        fill(database, [("9876543210", "x"), ("+14155552671", "y"), ("+447911123456", "z")])
        lists, _ = transfer(other_countries="split")
        assert sorted(item["country_code"] for item in lists) == ["+1", "+44", "+91"]
        assert transfer()[1]["reasons"] == {"listed": 1, "other_country": 2}


class TestWhatIsUploaded:
    """Sizes, allowances, dry runs and refusals."""

    def test_lists_roll_over_at_the_row_allowance_and_are_numbered(self, warehouse: Warehouse, sandbox: Any) -> None:
        fill(warehouse, [(f"98765432{number:02d}", "x") for number in range(25)])
        lists, _ = transfer(max_rows_per_list=10)
        assert [item["rows"] for item in lists] == [10, 10, 5]
        names = [campaign["name"] for campaign in sandbox.state()["campaigns"]]
        assert names == ["Survey (1 of 3)", "Survey (2 of 3)", "Survey (3 of 3)"]

    def test_a_402_names_the_parameter_and_the_allowance(self, warehouse: Warehouse, sandbox_factory: Any) -> None:
        sandbox_factory("g3", row_allowance=10)
        fill(warehouse, [(f"98765432{number:02d}", "x") for number in range(25)])
        with pytest.raises(AirflowFailException, match=r"set max_rows_per_list=10\b"):
            transfer()

    def test_auto_decides_once_for_the_whole_run(self, warehouse: Warehouse, sandbox: Any) -> None:
        fill(warehouse, [(f"+9198{number:08d}", "x") for number in range(5001)])
        lists, _ = transfer(max_rows_per_list=3000)
        assert [(item["flow"], item["rows"]) for item in lists] == [("large", 3000), ("large", 2001)]

    def test_max_rejects_fails_before_anything_is_uploaded_and_keeps_the_reasons(
        self, database: Warehouse, sandbox: Any
    ) -> None:
        fill(database, [("9876543210", "x"), ("12", "y"), ("N/A", "z")])
        for limit in (1, 0.5):
            with pytest.raises(AirflowFailException, match=r"2 of 3 rows are rejected"):
                transfer(max_rejects=limit, contacts_table="ringg_contacts", launch_key="key")
        assert sandbox.state()["campaigns"] == []
        told = database.query("SELECT launch_key, disposition FROM ringg_contacts ORDER BY contact_key")
        assert [tuple(row.values()) for row in told] == [
            ("key (refused)", "not_uploaded"),
            ("key (refused)", "phone_not_dialable"),
            ("key (refused)", "phone_unreadable"),
        ]
        transfer(max_rejects=2, contacts_table="ringg_contacts", launch_key="key")
        assert {row["launch_key"] for row in database.query("SELECT launch_key FROM ringg_contacts")} == {"key"}

    def test_people_who_are_rightly_left_alone_are_no_rejects(self, warehouse: Warehouse, sandbox: Any) -> None:
        fill(warehouse, [("9876543210", "x"), ("9876543211", "y")])
        assert transfer(max_rejects=0, suppression_sql="SELECT '9876543211'")[1]["reasons"]["suppressed"] == 1
        lists, _ = transfer(suppression_sql="SELECT phone FROM people")
        assert lists == []

    def test_a_query_with_nobody_to_call_fails_and_says_why(self, warehouse: Warehouse, sandbox: Any) -> None:
        fill(warehouse, [("12", "x"), ("N/A", "y")])
        with pytest.raises(AirflowFailException, match=r"None of the query's 2 rows can be called: 1 phone_"):
            transfer()

    def test_a_dry_run_does_everything_but_send(self, database: Warehouse, sandbox: Any) -> None:
        fill(database, [("9876543210", "x"), ("9876543210", "y")])
        real, told = transfer(contacts_table="ringg_contacts", launch_key="key")
        before = database.query("SELECT * FROM ringg_contacts WHERE launch_key = 'key' ORDER BY occurrence")
        dry, told_dry = transfer(contacts_table="ringg_contacts", launch_key="key", dry_run=True)
        assert len(sandbox.state()["campaigns"]) == 1
        changing = {"list_id", "campaign_start_time", "campaign_end_time"}
        strip = lambda item: {name: value for name, value in item.items() if name not in changing}  # noqa: E731
        assert [strip(item) for item in dry] == [strip(item) for item in real]
        assert [item["list_id"] for item in dry] == [None]
        assert told_dry["reasons"] == told["reasons"]
        assert database.query("SELECT * FROM ringg_contacts WHERE launch_key = 'key' ORDER BY occurrence") == before
        told = database.query("SELECT disposition, list_id FROM ringg_contacts WHERE launch_key = 'key (dry run)'")
        assert Counter(row["disposition"] for row in told) == {"not_uploaded": 1, "duplicate": 1}

    def test_a_dry_run_starts_nothing(self, sqlite_warehouse: Warehouse, sandbox: Any) -> None:
        fill(sqlite_warehouse, [("9876543210", "x")])
        lists, _ = transfer(dry_run=True)
        launch = RinggLaunchOperator(task_id="launch", launch=lists[0], number_pool_id="pool")
        with pytest.raises(AirflowSkipException, match="dry run"):
            launch.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]

    def test_rejects_go_to_a_private_csv(self, warehouse: Warehouse, sandbox: Any, tmp_path: Path) -> None:
        fill(warehouse, [("9876543210", "x"), ("N/A", "y"), ("+14155552671", "z")])
        target = tmp_path / "rejects.csv"
        transfer(rejects_path=f"file://{target}")
        assert list(csv.reader(target.open())) == [
            ["contact_key", "phone", "disposition", "detail"],
            ["N/A", "", "phone_unreadable", "letters in the number"],
            ["+14155552671", "+14155552671", "other_country", "a number of +1"],
        ]
        assert oct(target.stat().st_mode)[-3:] == "600"

    @pytest.mark.parametrize(("generation", "shape"), [("g2", "g2_openapi"), ("g3", "fx")])
    def test_the_platforms_report_of_invalid_rows_is_merged(
        self, database: Warehouse, sandbox_factory: Any, generation: str, shape: str
    ) -> None:
        sandbox_factory(generation, upload_status_shape=shape)
        fill(database, [("9876543210", "Asha"), ("9876543211", "12345")])
        lists, _ = transfer(flow="large", contacts_table="ringg_contacts", transliterate_callee_name=True)
        assert [(item["rows"], item["rejected"]) for item in lists] == [(1, 1)]
        told = database.query("SELECT phone, disposition, detail, list_id FROM ringg_contacts ORDER BY phone")
        assert [row["disposition"] for row in told] == ["listed", "rejected_by_platform"]
        assert told[1]["list_id"] == lists[0]["list_id"]
        assert "transliterated" in told[1]["detail"]

    def test_rows_that_the_platform_refuses_without_saying_which_are_counted(
        self, warehouse: Warehouse, sandbox: Any
    ) -> None:
        fill(warehouse, [("9876543210", "Asha"), ("9876543211", "12345")])
        for flow in ("standard", "large"):
            lists, _ = transfer(flow=flow, contacts_table="ringg_contacts", transliterate_callee_name=True)
            assert [(item["rows"], item["rejected"]) for item in lists] == [(1, 1)]

    @pytest.mark.parametrize("flow", ["standard", "large"])
    def test_whom_the_platform_refuses_is_left_out_in_the_summary_and_in_the_metrics(
        self, warehouse: Warehouse, sandbox: Any, counted: StatsdServer, flow: str
    ) -> None:
        fill(warehouse, [("9876543210", "Asha"), ("9876543211", "12345"), ("12", "Nobody")])
        more = {"contacts_table": "ringg_contacts", "transliterate_callee_name": True, "rehearsal": ["+919812345678"]}
        _, summary = transfer(flow=flow, **more)
        assert summary["reasons"] == {"listed": 1, "rejected_by_platform": 1, "phone_not_dialable": 1}
        assert sum(summary["reasons"].values()) == summary["rows"]
        sent = counted.sent()
        assert sent["ringg.contacts.listed,platform=ringg"] == 1
        assert sent["ringg.contacts.left_out,platform=ringg,reason=rejected_by_platform"] == 1

    def test_a_rehearsal_that_the_platform_refuses_is_no_row_of_the_query(
        self, warehouse: Warehouse, sandbox: Any
    ) -> None:
        fill(warehouse, [("9876543211", "12345")])
        more = {"contacts_table": "ringg_contacts", "transliterate_callee_name": True, "rehearsal": ["+919812345678"]}
        lists, summary = transfer(flow="large", **more)
        assert [(item["wave"], item["rejected"]) for item in lists] == [(0, 1), (1, 1)]
        assert summary["reasons"] == {"rejected_by_platform": 1}


class TestVariables:
    """The agent's own variables decide what must be mapped."""

    def test_every_variable_of_the_agent_must_be_mapped(self, warehouse: Warehouse, sandbox: Any) -> None:
        fill(warehouse, [("9876543210", "x")])
        with pytest.raises(AirflowFailException, match=r"due_date, policy_id"):
            transfer(agent_id="11111111-1111-4111-8111-111111111111")

    def test_an_agent_whose_variables_cannot_be_read_fails_closed_unless_told_otherwise(
        self, warehouse: Warehouse, sandbox: Any
    ) -> None:
        fill(warehouse, [("9876543210", "x"), ("9876543211", "")])
        sandbox.settings(variables_as="text")
        with pytest.raises(AirflowFailException, match="cannot be read"):
            transfer()
        assert sandbox.state()["campaigns"] == []
        # What the agent needs is not known then: what is mapped counts as needed.
        assert transfer(unreadable_variables="continue")[1]["reasons"] == {"listed": 1, "variable_empty": 1}
        assert len(sandbox.state()["campaigns"]) == 1

    def test_empty_cells_leave_a_row_out_unless_that_variable_may_be_empty(
        self, warehouse: Warehouse, sandbox: Any
    ) -> None:
        fill(warehouse, [("9876543210", ""), ("9876543211", "y")])
        assert transfer()[1]["reasons"] == {"listed": 1, "variable_empty": 1}
        assert transfer(may_be_empty=["callee_name"])[1]["reasons"] == {"listed": 2}

    def test_a_variable_the_agent_does_not_have_may_be_empty_and_is_warned_of(
        self, warehouse: Warehouse, sandbox: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        fill(warehouse, [("9876543210", "x")])
        columns = {"callee_name": "name", "nickname": "nick"}
        _, summary = transfer(sql="SELECT phone, name, NULL AS nick FROM people", variables_map=columns)
        assert summary["reasons"] == {"listed": 1}
        assert "nickname" in caplog.text

    def test_types_arrive_as_plain_text_and_text_arrives_unchanged(self, warehouse: Warehouse, sandbox: Any) -> None:
        name = 'Rao, "Asha"\nof\tPune 👩‍💻 محمد =1+1'
        sql = "SELECT '9876543210' AS phone, :name AS name, DATE '2026-12-01' AS due, 1250.50 AS policy"
        lists, _ = transfer(
            agent_id="11111111-1111-4111-8111-111111111111",
            sql=sql.replace(":name", "%(name)s::text"),
            parameters={"name": name},
            variables_map={"callee_name": "name", "due_date": "due", "policy_id": "policy"},
        )
        assert lists[0]["rows"] == 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"flow": "fast"}, "flow: must be one of"),
        ({"other_countries": "call"}, "other_countries: must be one of"),
        ({"max_rejects": -1}, "max_rejects"),
        ({"max_rejects": 1.5}, "max_rejects"),
        ({"max_rows_per_list": 0}, "max_rows_per_list"),
        ({"max_attempts": True}, "max_attempts: must be a whole number"),
        ({"not_called_within_days": -3}, "not_called_within_days: must be"),
        ({"not_called_within_days": float("nan")}, "not_called_within_days: must be"),
        ({"not_called_within_days": "3"}, "not_called_within_days: must be"),
        ({"suppression_sql": " "}, "suppression_sql: must not be blank"),
        ({"ledger_conn_id": "", "launch_key": "k"}, "ledger_conn_id: is blank"),
        ({"launch_key": " "}, "launch_key: must not be blank"),
        ({"launch_key": " ", "ledger_conn_id": "warehouse"}, "launch_key: must not be blank"),
        ({"purpose": ""}, "purpose: must be"),
        ({"contact_key": ""}, "contact_key: must not be blank"),
        ({"history_table": " ", "max_attempts": 1}, "history_table: must not be blank"),
        ({"timezone_column": "", "purpose": "service"}, "timezone_column: must not be blank"),
        ({"calling_hours": "", "purpose": "service"}, "calling_hours: must"),
        ({"calling_hours": "/no/such/file.toml", "purpose": "service"}, "calling_hours: the file cannot be read"),
        ({"calling_hours": {}, "purpose": "service"}, "calling_hours.rules"),
        ({"blackout_dates": "", "purpose": "service"}, "blackout_dates: must be"),
        ({"blackout_dates": ["2026-12-25"]}, "purpose: blackout_dates would do nothing"),
        ({"region_column": "name", "calling_hours": {}}, "purpose: region_column would do nothing"),
        ({"blackout_dates": ["Christmas"], "purpose": "service"}, "blackout_dates: must be a list of dates"),
        ({"ledger_conn_id": "warehouse"}, "launch_key"),
        ({"variables_map": {"callee_name": "name", "mobile_number": "name"}}, "mobile_number"),
        ({"variables_map": {}}, "callee_name"),
        ({"variables_map": {"callee_name": "nom"}}, "'nom'"),
        ({"may_be_empty": ["city"]}, "may_be_empty"),
        ({"timezone_column": "tz"}, "purpose"),
        ({"country_code": "91"}, "country_code"),
        ({"country_code": "+999"}, "country_code"),
        ({"phone_column": "mobile"}, "phone_column"),
        ({"contact_key": "customer"}, "contact_key"),
        ({"campaign_name": ""}, "campaign_name"),
        ({"agent_id": "99999999-9999-4999-8999-999999999999"}, "agent_id"),
        ({"agent_id": "33333333-3333-4333-8333-333333333333"}, "agent_id"),
        ({"campaign_start_time": "2020-01-01T10:00"}, "campaign_start_time"),
        ({"call_config": {"call_time": {**WINDOW["call_time"], "timezone": "Mars/Olympus"}}}, "timezone"),
        ({"sql": "SELECT phone, name FROM nobody"}, "sql: .*nobody"),
        ({"sql": "SELECT phone, name, name FROM people"}, "'name' more than once"),
        ({"suppression_sql": "SELECT x FROM nobody"}, "suppression_sql: .*nobody"),
        ({"phone_header": " Mobile Number"}, "phone_header"),
    ],
)
def test_bad_input_is_one_clear_error_before_anything_changes(
    sqlite_warehouse: Warehouse, sandbox: Any, overrides: dict[str, Any], message: str
) -> None:
    fill(sqlite_warehouse, [("9876543210", "x")])
    with pytest.raises(AirflowFailException, match=message):
        transfer(**overrides)
    assert sandbox.state()["campaigns"] == []


class TestAtMostOnce:
    """Retries, crashes and the launch ledger."""

    def test_the_tables_after_a_crash_and_a_retry_equal_those_without(self, database: Warehouse, sandbox: Any) -> None:
        fill(database, [(f"98765432{number:02d}", "x") for number in range(25)] + [("N/A", "y"), ("9876543200", "z")])
        options = {
            "max_rows_per_list": 10,
            "contacts_table": "ringg_contacts",
            "launch_key": "key",
            "ledger_conn_id": "warehouse",
        }
        sandbox.fault(method="POST", path="/campaign/save", kind="status", status=500, when="before", times=1, skip=1)
        with pytest.raises(TransientError):
            transfer(**options)
        assert database.query("SELECT * FROM ringg_contacts") == []
        assert database.query("SELECT * FROM ringg_launches") == []
        lists, _ = transfer(**options)
        after_crash = _without_ids(database, lists)
        database.execute("DELETE FROM ringg_contacts")
        lists, _ = transfer(**options)
        assert _without_ids(database, lists) == after_crash
        lists, _ = transfer(**options)
        assert _without_ids(database, lists) == after_crash, "a run again does not double anything"
        assert [
            row["list_id"] for row in database.query("SELECT list_id FROM ringg_launches WHERE state = 'listed'")
        ] == [item["list_id"] for item in lists]

    def test_a_key_that_was_launched_is_not_uploaded_again(self, database: Warehouse, sandbox: Any) -> None:
        fill(database, [("9876543210", "x")])
        options = {"contacts_table": "ringg_contacts", "launch_key": "key", "ledger_conn_id": "warehouse"}
        first, _ = transfer(**options)
        database.execute("UPDATE ringg_launches SET state = 'start_sent'")
        people = database.query("SELECT * FROM ringg_contacts")
        database.execute("INSERT INTO people VALUES (2, '9876543211', 'new')")
        again, summary = transfer(**options)
        assert again == first
        assert summary["already_launched"] is True
        assert len(sandbox.state()["campaigns"]) == 1
        assert database.query("SELECT * FROM ringg_contacts") == people

    def test_an_empty_query_empties_the_set_of_its_key(self, database: Warehouse, sandbox: Any) -> None:
        fill(database, [("9876543210", "x")])
        options = {"contacts_table": "ringg_contacts", "launch_key": "key", "ledger_conn_id": "warehouse"}
        transfer(**options)
        database.execute("DELETE FROM people")
        assert transfer(**options)[0] == []
        assert database.query("SELECT * FROM ringg_contacts") == []
        assert database.query("SELECT * FROM ringg_launches WHERE state = 'listed'") == []

    def test_without_a_launch_key_a_retry_of_the_same_task_replaces_its_people(
        self, database: Warehouse, sandbox: Any
    ) -> None:
        fill(database, [("9876543210", "x")])
        transfer(contacts_table="ringg_contacts")
        lists, _ = transfer(contacts_table="ringg_contacts")
        told = database.query("SELECT launch_key, list_id FROM ringg_contacts")
        assert [tuple(row.values()) for row in told] == [("dag/run/lists/-1", lists[0]["list_id"])]


def _without_ids(database: Warehouse, lists: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """The people ledger with the places of the lists instead of their ids, which the platform makes up."""
    places = {item["list_id"]: number for number, item in enumerate(lists)}
    rows = database.query("SELECT * FROM ringg_contacts ORDER BY launch_key, contact_key, occurrence")
    return [
        tuple(
            places.get(value, value) if name == "list_id" else value
            for name, value in row.items()
            if name != "recorded_at"
        )
        for row in rows
    ]


class TestCallingHours:
    """Lists are split by the hours in which their contacts may be called."""

    SPAN = {"campaign_start_time": "2035-03-05T00:00", "campaign_end_time": "2035-03-05T23:59"}  # a Monday

    def test_each_window_gets_a_list_of_its_own(self, database: Warehouse, sandbox: Any) -> None:
        people = [("9876543210", "India"), ("+12125550123", "New York"), ("+14155552671", "California")]
        fill(database, people)
        lists, summary = transfer(
            **self.SPAN, purpose="promotional", other_countries="split", contacts_table="ringg_contacts", flow="large"
        )
        windows: dict[str, list[tuple[str, str]]] = {}
        for item in lists:
            times = item["call_config"]["call_time"]
            windows.setdefault(item["country_code"], []).append((times["call_start_time"], times["call_end_time"]))
        # Morning in New York is evening in Kolkata; in California it is the next day, on which the campaign is over.
        assert windows == {"+91": [("09:00", "21:00")], "+1": [("20:30", "23:59")]}
        assert summary["reasons"] == {"listed": 2, "outside_calling_hours": 1}

    def test_who_cannot_be_called_within_the_dates_is_held_with_the_reason(
        self, database: Warehouse, sandbox: Any
    ) -> None:
        fill(database, [("9876543210", "India")])
        night = {"campaign_start_time": "2035-03-05T22:00", "campaign_end_time": "2035-03-05T23:30"}
        lists, summary = transfer(**night, purpose="promotional", contacts_table="ringg_contacts")
        assert lists == []
        assert summary["reasons"] == {"outside_calling_hours": 1}
        assert database.query("SELECT disposition FROM ringg_contacts") == [{"disposition": "outside_calling_hours"}]

    def test_a_day_on_which_nobody_may_be_called_is_warned_of_with_the_reason(
        self, database: Warehouse, sandbox: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        fill(database, [("9876543210", "India")])
        transfer(**self.SPAN, purpose="promotional", blackout_dates=["2035-03-05"])
        warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert warned == [
            (
                "Nobody is to be called: the query's only row is left out (1 outside calling hours). See the runbook,"
                " 'Nobody is called, and the run is green'."
            ),
            (
                "1 person is held for the calling hours: hours_not_callable: Between 05/03/2035, 00:00 and 05/03/2035,"
                " 23:59 (Asia/Kolkata) the campaign's daily window leaves no 30 minutes in which IN (Asia/Calcutta) may"
                " be called. Mon 2035-03-05 is one of blackout_dates."
            ),
        ]

    def test_when_the_calls_begin_is_in_the_line_of_each_list(
        self, database: Warehouse, sandbox: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        fill(database, [("9876543210", "India"), ("9876543211", "India too")])
        lists, _ = transfer(**self.SPAN, purpose="promotional")
        listed, uploaded = caplog.messages[-2:]
        assert listed == (
            f"List {lists[0]['list_id']}: 2 people of +91, to be called Mon 2035-03-05 09:00 to 21:00 Asia/Kolkata once"
            " it is launched."
        )
        assert uploaded == ("Uploaded: 2 people on 1 list (standard flow), from 2 rows of the query. Left out: nobody.")
        assert "98765" not in caplog.text

    def test_a_region_of_any_type_is_read_as_text(self, warehouse: Warehouse, sandbox: Any) -> None:
        fill(warehouse, [("9876543210", "a")])
        for region in ("5", "true", "ARRAY['a']", "'{}'::jsonb"):
            sql = f"SELECT phone, name, {region} AS region FROM people"
            assert transfer(sql=sql, **self.SPAN, purpose="promotional", region_column="region")[1]["rows"] == 1

    def test_the_contacts_own_zone_and_region_are_believed(self, warehouse: Warehouse, sandbox: Any) -> None:
        fill(warehouse, [("9876543210", "a"), ("9876543211", "b")])
        sql = "SELECT phone, name, CASE id WHEN 1 THEN 'Asia/Kolkata' ELSE 'Europe/London' END AS zone FROM people"
        lists, _ = transfer(sql=sql, **self.SPAN, purpose="promotional", timezone_column="zone")
        assert len({json.dumps(item["call_config"]["call_time"], sort_keys=True) for item in lists}) == 2


def test_the_query_and_the_opt_outs_are_read_as_hook_params_say(sandbox: Any, warehouse: Warehouse) -> None:
    warehouse.execute("CREATE SCHEMA crm")
    warehouse.execute("CREATE TABLE crm.people AS SELECT 1 AS id, '9876543210' AS \"PHONE\", 'Asha' AS \"Name\"")
    warehouse.execute("INSERT INTO crm.people VALUES (2, '9876543211', 'Ravi')")
    warehouse.execute("CREATE TABLE crm.opted_out AS SELECT 'x' AS note, '98765 43211' AS phone")
    (item,), summary = transfer(
        sql="SELECT * FROM people", suppression_sql="SELECT * FROM opted_out",
        hook_params={"options": "-c search_path=crm"},
    )  # fmt: skip
    assert (item["rows"], summary["reasons"]) == (1, {"listed": 1, "suppressed": 1})
