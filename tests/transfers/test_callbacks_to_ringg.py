"""Promises that are due -> lists on the sandbox, each promise on one at most, whatever crashes or races."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from ringg_provider.callbacks.claims import NEVER_STARTED, OPTED_OUT, Claims
from ringg_provider.callbacks.elsewhere import PLATFORM_CALLED, UNDER_WAY
from ringg_provider.callbacks.keeping import NOT_CALLED_BACK
from ringg_provider.callbacks.loading import PromiseLoad, PromiseTerms
from ringg_provider.callbacks.planning import NO_HOURS, PLATFORM_CALLS, REACHED_SINCE, TOO_LATE
from ringg_provider.callbacks.table import callbacks_table
from ringg_provider.history.tables import calls_table, state_table
from ringg_provider.hours.lawful import LawfulHours
from ringg_provider.hours.rules import load_rules
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.callbacks_to_ringg import CallbacksToRinggOperator
from tests.support.databases import Warehouse
from tests.support.log import TaskLog
from tests.support.sandbox import Sandbox
from tests.support.tasks import Run, TaskInstance

AGENT = "22222222-2222-4222-8222-222222222222"
LINE = "aaaaaaaa-0000-4000-8000-000000000001"
WINDOW = {"call_time": {"call_start_time": "09:00", "call_end_time": "21:00", "timezone": "Asia/Kolkata"}}
#: Noon in India, on a Monday.
NOON = datetime(2027, 3, 1, 6, 30, tzinfo=UTC)
#: Of the agent.
LINE_NUMBER = "+918000000000"
#: An argument that is left out.
UNSAID: Any = object()


@pytest.fixture(params=["warehouse", "sqlite_warehouse"])
def database(request: pytest.FixtureRequest) -> Warehouse:
    """PostgreSQL, then SQLite, with the tables."""
    database: Warehouse = request.getfixturevalue(request.param)
    for table in (callbacks_table(), calls_table(), state_table()):
        table.create(database.engine)
    return database


@pytest.fixture
def travel() -> Iterator[time_machine.Traveller]:
    """It is noon in India, and time passes."""
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def platform(travel: time_machine.Traveller, sandbox_factory: Callable[..., Sandbox]) -> Sandbox:
    """A sandbox that lives in that time, where everybody answers and asks for nothing."""
    rates = {"busy_rate": 0, "not_picked_rate": 0, "failed_rate": 0, "voicemail_rate": 0, "callback_rate": 0}
    return sandbox_factory(speed=1, history_rate_window_seconds=0, **rates)


def number(n: int) -> str:
    return f"+9198765{n:05d}"


def promise(database: Warehouse, n: int, minutes: float, **more: Any) -> str:
    """Somebody who is to be called so many minutes after noon."""
    due = NOON + timedelta(minutes=minutes)
    row = {
        "promise_id": f"promise-{n}", "platform": "ringg", "conn_id": "ringg_sandbox", "contact_key": f"person-{n}",
        "to_number_e164": number(n), "callee_name": f"Person {n}", "agent_id": AGENT, "bulk_list_id": "earlier",
        "asked_call_id": f"asked-{n}", "asked_at": NOON - timedelta(hours=2), "words": "at that time",
        "timezone": "Asia/Kolkata", "earliest_at": due, "latest_at": due, "due_at": due, "state": "open",
    }  # fmt: skip
    with database.engine.begin() as connection:
        connection.execute(sa.insert(callbacks_table()).values(**row | more))
    return str(row["promise_id"])


def call(database: Warehouse, n: int, minutes: float, **more: Any) -> None:
    """A call to somebody so many minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    row = {
        "call_id": f"call-{n}-{minutes}", "agent_id": AGENT, "to_number_e164": number(n), "call_type": "outbound",
        "status": "completed", "is_final": True, "created_at": at, "attempted_at": at, "history_state": "complete",
        "voicemail_detected": False,
    }  # fmt: skip
    with database.engine.begin() as connection:
        connection.execute(sa.insert(calls_table()).values(**row | more))


def asking(n: int, minutes: float) -> dict[str, Any]:
    """What the call tells in which somebody asked for such a promise."""
    at = (NOON + timedelta(minutes=minutes)).isoformat()
    return {
        "call_id": f"asked-{n}", "callback_requested": True, "callback_requested_time": at, "changed_at": NOON,
        "bulk_list_id": "earlier", "callee_name": f"Person {n}",
    }  # fmt: skip


def update(database: Warehouse) -> None:
    """Bring the promises up to the calls."""
    hours = LawfulHours(load_rules(), purpose="promotional", no_rule="hold")
    PromiseLoad(database.engine, calls_table(), PromiseTerms(hours)).run()


def asked_again(database: Warehouse, n: int, minutes: float) -> None:
    """They ask for another time, and `RinggCallbacksOperator` reads it."""
    call(database, n, -120, call_id=f"asked-{n}", callback_requested=True, changed_at=NOON, to_number_e164=number(n))
    at = (NOON + timedelta(minutes=minutes)).isoformat()
    call(database, n, 1, callback_requested=True, callback_requested_time=at, changed_at=NOON)
    update(database)
    assert rows(database)[f"promise-{n}"]["asked_call_id"] == f"call-{n}-1"


def rows(database: Warehouse) -> dict[str, dict[str, Any]]:
    found = database.query("SELECT * FROM ringg_callbacks")
    return {row["promise_id"]: dict(row) for row in found}


def states(database: Warehouse) -> dict[str, str]:
    return {promise_id: row["state"] for promise_id, row in sorted(rows(database).items())}


def context(run_id: str = "run") -> Any:
    return {"ti": TaskInstance(task_id="lists", run_id=run_id), "dag_run": Run()}


def operator(**overrides: Any) -> CallbacksToRinggOperator:
    arguments: dict[str, Any] = {
        "task_id": "lists",
        "state_conn_id": "warehouse",
        "ringg_conn_id": "ringg_sandbox",
        "agent_id": AGENT,
        "purpose": "promotional",
        "country_code": "+91",
        "variables_map": {"callee_name": "callee_name"},
        "call_config": WINDOW,
        "invalid_rows_timeout": 1,
        "platform_calls_back": False,
        **overrides,
    }
    return CallbacksToRinggOperator(**{name: value for name, value in arguments.items() if value is not UNSAID})


def listed(run_id: str = "run", **overrides: Any) -> list[dict[str, Any]]:
    """Run the operator once."""
    result: list[dict[str, Any]] = operator(**overrides).execute(context(run_id))
    return result


def launched(item: dict[str, Any], run_id: str = "run", **more: Any) -> str:
    arguments = {"task_id": "launch", "from_numbers": [LINE], "state_conn_id": "warehouse", **more}
    launch = RinggLaunchOperator(launch=item, ringg_conn_id="ringg_sandbox", **arguments)
    return launch.execute(context(run_id))


def rung(platform: Sandbox) -> dict[str, int]:
    return {phone: each["calls"] for phone, each in platform.dials()["numbers"].items()}


def local(item: dict[str, Any]) -> str:
    return str(item["campaign_start_time"])[-5:]


def test_who_is_due_before_the_next_run_is_on_a_small_list_for_that_time(
    database: Warehouse, platform: Sandbox
) -> None:
    for n, minutes in enumerate([-10, 1, 6, 8, 10, 18, 25, 60]):
        promise(database, n, minutes)
    items = listed()
    assert [(item["rows"], local(item)) for item in items] == [(2, "12:03"), (3, "12:10"), (1, "12:20")]
    assert len({item["launch_key"] for item in items}) == 3
    assert {item["callbacks_table"] for item in items} == {"ringg_callbacks"}
    found = rows(database)
    assert [found[f"promise-{n}"]["state"] for n in range(8)] == ["listed"] * 6 + ["open"] * 2
    assert [found[f"promise-{n}"]["list_id"] for n in (2, 3, 4)] == [items[1]["list_id"]] * 3
    assert found["promise-2"]["claim_key"] == items[1]["launch_key"]
    for item in items:
        assert launched(item) == item["list_id"]
    assert platform.dials()["max_calls_per_number"] == 1


def test_people_are_called_at_their_time_and_not_before(
    database: Warehouse, platform: Sandbox, travel: time_machine.Traveller
) -> None:
    promise(database, 1, 8)
    (item,) = listed()
    launched(item)
    travel.shift(8 * 60)
    assert [each["attempts"] for each in platform.dials()["numbers"].values()] == [0]
    travel.shift(4 * 60)
    assert [each["attempts"] for each in platform.dials()["numbers"].values()] == [1]


def test_the_next_run_lists_nobody_again_and_the_same_run_again_finds_its_lists(
    database: Warehouse, platform: Sandbox
) -> None:
    promise(database, 1, 8)
    first = listed("first")
    assert listed("second") == []
    again = listed("first")
    assert [item["rows"] for item in again] == [1], "not launched yet, so it is uploaded anew"
    assert again[0]["list_id"] != first[0]["list_id"]
    launched(again[0])
    with pytest.raises((AirflowFailException, AirflowSkipException)):
        launched(first[0])
    assert listed("first")[0]["list_id"] == again[0]["list_id"], "launched by now"
    assert listed("second") == []
    assert rung(platform) == {number(1): 1}


def test_a_fixed_launch_key_is_another_one_in_every_run(database: Warehouse, platform: Sandbox) -> None:
    promise(database, 1, 8)
    (first,) = listed("first", launch_key="mine")
    launched(first, "first")
    promise(database, 2, 8)
    (second,) = listed("second", launch_key="mine")
    launched(second, "second")
    assert first["launch_key"] != second["launch_key"]
    assert second["launch_key"].startswith("mine/")
    assert rung(platform) == {number(1): 1, number(2): 1}


def test_who_is_left_for_the_next_run_is_counted(
    database: Warehouse, platform: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    promise(database, 1, 8)
    (first,) = listed("run")
    launched(first, "run")
    database.execute("UPDATE ringg_callbacks SET state = 'kept'")
    promise(database, 2, 8)
    assert listed("run") == []
    assert TaskLog(capsys).line("Left for the next run").endswith("1 promise.")
    assert states(database)["promise-2"] == "open"


class TestWhoIsNotListed:
    """Opt-outs, caps, hours, and people whom somebody else calls."""

    def test_whoever_opted_out_is_withdrawn_for_good(self, database: Warehouse, platform: Sandbox) -> None:
        promise(database, 1, 8)
        promise(database, 2, 8)
        database.execute("CREATE TABLE do_not_call (phone TEXT)")
        database.execute("INSERT INTO do_not_call VALUES (:phone)", [{"phone": "98765 00001"}])
        items = listed(suppression_sql="SELECT phone FROM do_not_call")
        assert [item["rows"] for item in items] == [1]
        found = rows(database)
        assert states(database) == {"promise-1": "withdrawn", "promise-2": "listed"}
        assert (found["promise-1"]["state_reason"], found["promise-1"]["claim_key"]) == ("opted out", None)

    def test_whoever_a_cap_protects_is_open_again_and_says_why(self, database: Warehouse, platform: Sandbox) -> None:
        promise(database, 1, 8)
        for minutes in (-300, -200, -130):
            call(database, 1, minutes, status="failed")
        assert listed(attempts_within=(3, timedelta(hours=24))) == []
        row = rows(database)["promise-1"]
        assert (row["state"], row["state_reason"]) == ("open", "left out: too many attempts")
        assert (row["claim_key"], row["claimed_at"], row["list_id"]) == (None, None, None)

    def test_somebody_who_was_called_today_may_be_called_as_they_asked(
        self, database: Warehouse, platform: Sandbox
    ) -> None:
        promise(database, 1, 8)
        call(database, 1, -120, call_id="asked-1")
        assert [item["rows"] for item in listed()] == [1]
        with pytest.raises(AirflowFailException, match="not_called_within_days: means nothing"):
            listed(not_called_within_days=3)

    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"is_final": False, "status": "registered", "history_state": "open"}, UNDER_WAY),
            ({"call_type": "callback", "status": "failed"}, PLATFORM_CALLED),
            ({"call_type": "callback"}, PLATFORM_CALLED),
            ({"webhook_raw": {"parent_call_id": "asked-1"}, "status": "failed"}, PLATFORM_CALLED),
            ({}, REACHED_SINCE),
            ({"status": "forwarded"}, REACHED_SINCE),
            ({"call_type": "inbound", "from_number": "919876500001", "to_number_e164": LINE_NUMBER}, REACHED_SINCE),
        ],
    )
    def test_nobody_is_listed_whom_somebody_else_calls_or_reached(
        self, database: Warehouse, platform: Sandbox, more: dict[str, Any], why: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        promise(database, 1, 8)
        call(database, 1, -60, **more)
        assert listed() == []
        row = rows(database)["promise-1"]
        assert (row["state"], row["state_reason"]) == ("open", why)
        assert TaskLog(capsys).line("not listed now").endswith(f"1 {why}.")
        assert listed("next") == []
        assert rows(database)["promise-1"] == row, "what is known is not written again"

    @pytest.mark.parametrize(
        "more",
        [
            {"status": "failed"},
            {"voicemail_detected": True},
            {"sub_status": "VOICEMAIL_DETECTED"},
            {"webhook_raw": {"parent_call_id": "another"}, "status": "failed"},
            {"call_type": "inbound", "from_number": "919876500002", "to_number_e164": LINE_NUMBER},
        ],
    )
    def test_a_call_that_did_not_reach_them_keeps_nobody_from_it(
        self, database: Warehouse, platform: Sandbox, more: dict[str, Any]
    ) -> None:
        promise(database, 1, 8)
        call(database, 1, -60, **more)
        assert [item["rows"] for item in listed()] == [1]

    def test_the_platforms_own_callback_is_waited_for_until_it_certainly_did_not_come(
        self, database: Warehouse, platform: Sandbox, capsys: pytest.CaptureFixture[str]
    ) -> None:
        promise(database, 1, -20)
        assert listed("a", platform_calls_back=True) == []
        assert listed("a", platform_calls_back=UNSAID) == [], "nobody said that it does not"
        call(database, 99, -60 * 24 * 29, call_type="callback")
        assert listed("a") == [], "the agent is known to call back"
        assert "platform_calls_back=False, and the platform has called back" in capsys.readouterr().out
        state = {"calls_table": "ringg_calls", "read_until": NOON - timedelta(minutes=6), "changed_at": NOON}
        with database.engine.begin() as connection:
            connection.execute(sa.insert(state_table()).values(**state))
        assert listed("b") == [], "what is known ends before it is certain"
        with database.engine.begin() as connection:
            connection.execute(sa.update(state_table()).values(read_until=NOON - timedelta(minutes=4)))
        assert [item["rows"] for item in listed("c")] == [1]

    def test_an_agent_that_has_not_called_back_for_a_month_is_believed_not_to(
        self, database: Warehouse, platform: Sandbox
    ) -> None:
        promise(database, 1, 8)
        call(database, 99, -60 * 24 * 31, call_type="callback")
        assert [item["rows"] for item in listed()] == [1]

    def test_only_promises_of_the_agent_the_platform_and_the_connection_are_taken(
        self, database: Warehouse, platform: Sandbox
    ) -> None:
        other = "11111111-1111-4111-8111-111111111111"
        promise(database, 1, 8, agent_id=other)
        promise(database, 2, 8, platform="smartalex")
        promise(database, 3, 8, conn_id="another")
        promise(database, 4, 8, conn_id=None)
        promise(database, 5, 8, erased_at=NOON)
        promise(database, 6, 8, state="unclear", due_at=None)
        listed()
        assert Counter(states(database).values()) == {"open": 4, "listed": 1, "unclear": 1}
        listed("other", asked_of=[other])
        assert states(database)["promise-1"] == "listed"

    def test_nobody_is_listed_after_the_time_at_which_it_is_given_up(
        self, database: Warehouse, platform: Sandbox
    ) -> None:
        promise(database, 1, -20)
        promise(database, 2, -5)
        for n, minutes in ((1, -5), (2, 10)):
            database.execute(
                "UPDATE ringg_callbacks SET give_up_at = :at WHERE promise_id = :who",
                [{"at": NOON + timedelta(minutes=minutes), "who": f"promise-{n}"}],
            )
        (item,) = listed()
        assert (item["rows"], str(item["campaign_end_time"])[-5:]) == (1, "12:10")
        assert states(database) == {"promise-1": "open", "promise-2": "listed"}

    def test_a_list_calls_nobody_after_the_first_of_its_promises_is_given_up(
        self, database: Warehouse, platform: Sandbox
    ) -> None:
        for n, minutes in ((1, 40), (2, 60), (3, 16)):
            promise(database, n, 12, give_up_at=NOON + timedelta(minutes=minutes))
        (item,) = listed()
        assert (item["rows"], local(item), str(item["campaign_end_time"])[-5:]) == (3 - 1, "12:15", "12:40")
        assert rows(database)["promise-3"]["state_reason"] == TOO_LATE

    def test_a_promise_without_a_rule_is_held_alone(self, database: Warehouse, platform: Sandbox) -> None:
        promise(database, 1, 8)
        promise(database, 2, 8, to_number_e164="+4930901820", timezone="Europe/Berlin")
        assert [item["rows"] for item in listed()] == [1]
        assert states(database) == {"promise-1": "listed", "promise-2": "open"}

    def test_nobody_is_listed_outside_the_hours_of_the_campaign(self, database: Warehouse, platform: Sandbox) -> None:
        promise(database, 1, 8)
        narrow = {"call_time": {"call_start_time": "09:00", "call_end_time": "12:05", "timezone": "Asia/Kolkata"}}
        assert listed(call_config=narrow) == []
        assert rows(database)["promise-1"]["state_reason"] == "left out: outside the hours of the campaign"

    def test_why_nobody_was_called_stands_in_the_row_until_its_end(
        self, database: Warehouse, platform: Sandbox, travel: time_machine.Traveller
    ) -> None:
        for n, minutes in ((1, 8), (2, -20)):
            promise(database, n, minutes, promise_id=f"asked-{n}")
            call(database, n, -120, **asking(n, minutes))
        call(database, 1, -60, status="registered", is_final=False, history_state="open")
        update(database)
        assert listed(platform_calls_back=True, asked_of=[AGENT]) == []
        why = {"asked-1": UNDER_WAY, "asked-2": PLATFORM_CALLS}
        assert {promise_id: row["state_reason"] for promise_id, row in rows(database).items()} == why
        update(database)
        assert {promise_id: row["state_reason"] for promise_id, row in rows(database).items()} == why
        travel.shift(24 * 60 * 60)
        for _ in range(2):
            update(database)
            assert {promise_id: (row["state"], row["state_reason"]) for promise_id, row in rows(database).items()} == {
                "asked-1": ("missed", UNDER_WAY), "asked-2": ("missed", NOT_CALLED_BACK),
            }  # fmt: skip

    def test_what_a_list_could_not_take_and_who_was_reached_before_end_with_that_reason(
        self, database: Warehouse, platform: Sandbox, travel: time_machine.Traveller
    ) -> None:
        for n in (1, 2):
            promise(database, n, 30, promise_id=f"asked-{n}")
            call(database, n, -120, **asking(n, 30))
        for minutes in (-300, -200, -130):
            call(database, 1, minutes, status="failed")
        call(database, 2, -60, changed_at=NOON)
        assert listed(attempts_within=(3, timedelta(hours=24)), horizon=timedelta(minutes=40)) == []
        update(database)
        capped = rows(database)["asked-1"]
        assert (capped["state"], capped["state_reason"]) == ("open", "left out: too many attempts")
        reached = rows(database)["asked-2"]
        assert (reached["state"], reached["state_reason"]) == ("withdrawn", REACHED_SINCE)
        travel.shift(24 * 60 * 60)
        update(database)
        assert rows(database)["asked-1"]["state_reason"] == "left out: too many attempts"
        assert states(database) == {"asked-1": "missed", "asked-2": "withdrawn"}

    def test_without_a_rule_a_promise_waits_and_the_log_says_for_which(
        self, database: Warehouse, platform: Sandbox, capsys: pytest.CaptureFixture[str]
    ) -> None:
        promise(database, 1, 8, to_number_e164="+4930901820", timezone="Europe/Berlin")
        assert listed() == []
        row = rows(database)["promise-1"]
        assert row["state"] == "open"
        assert row["state_reason"].startswith(f"{NO_HOURS}: There is no calling-hours rule for DE")
        assert TaskLog(capsys).line("not listed now").endswith(f"1 {row['state_reason']}.")


def test_variables_come_from_the_promise_or_from_a_query(database: Warehouse, platform: Sandbox) -> None:
    for n in (1, 2):
        promise(database, n, 8)
    database.execute("CREATE TABLE policies (contact_key TEXT, policy TEXT, due TEXT)")
    database.execute("INSERT INTO policies VALUES (:a, :b, :c)", [{"a": "person-1", "b": "P-77", "c": "3 March"}])
    renewals = "11111111-1111-4111-8111-111111111111"
    items = listed(
        agent_id=renewals,
        asked_of=[AGENT],
        sql="SELECT * FROM policies",
        variables_map={"callee_name": "callee_name", "policy_id": "policy", "due_date": "due"},
    )
    assert [item["rows"] for item in items] == [1]
    found = rows(database)
    assert (found["promise-1"]["state"], found["promise-2"]["state"]) == ("listed", "open")
    assert found["promise-2"]["state_reason"] == "left out: not in the query"


class TestCrashesAndRaces:
    """Claimed, uploaded, started: whatever dies in between, and whoever else is at it."""

    def test_a_run_that_died_before_its_upload_gives_back_what_it_took(
        self, database: Warehouse, platform: Sandbox, travel: time_machine.Traveller
    ) -> None:
        promise(database, 1, 12)
        platform.fault(method="POST", path="/campaign/save", kind="status", status=500, times=10)
        with pytest.raises(Exception, match="500"):
            listed("died")
        platform.clear_faults()
        assert states(database) == {"promise-1": "listed"}
        assert listed("next") == [], "the run may still be at it"
        travel.shift(11 * 60)
        items = listed("later")
        assert [item["rows"] for item in items] == [1]
        assert rows(database)["promise-1"]["claim_key"] == items[0]["launch_key"]

    def test_a_retry_of_the_run_goes_on_with_what_it_took(self, database: Warehouse, platform: Sandbox) -> None:
        promise(database, 1, 12)
        platform.fault(method="POST", path="/campaign/save", kind="cut", when="after", times=1)
        with pytest.raises(Exception, match="save"):
            listed("run")
        (item,) = listed("run")
        launched(item)
        assert rung(platform) == {number(1): 1}

    def test_what_is_given_back_can_never_be_started_by_the_run_that_had_it(
        self, database: Warehouse, platform: Sandbox, travel: time_machine.Traveller
    ) -> None:
        promise(database, 1, 12)
        (slow,) = listed("slow")
        travel.shift(11 * 60)
        (item,) = listed("next")
        with pytest.raises((AirflowFailException, AirflowSkipException)):
            launched(slow, "slow")
        launched(item, "next")
        assert rung(platform) == {number(1): 1}

    def test_what_was_started_is_never_given_back(
        self, database: Warehouse, platform: Sandbox, travel: time_machine.Traveller
    ) -> None:
        promise(database, 1, 2)
        (item,) = listed("run")
        launched(item)
        travel.shift(60 * 60)
        assert listed("next") == []
        assert rows(database)["promise-1"]["list_id"] == item["list_id"]
        assert rung(platform) == {number(1): 1}

    def test_what_stands_in_another_ledger_is_never_given_back(
        self,
        warehouse: Warehouse,
        platform: Sandbox,
        travel: time_machine.Traveller,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for table in (callbacks_table(), calls_table(), state_table()):
            table.create(warehouse.engine)
        monkeypatch.setenv(
            "AIRFLOW_CONN_OTHER_LEDGER", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "other.db")})
        )
        promise(warehouse, 1, 12)
        (item,) = listed("first", ledger_conn_id="other_ledger")
        launched(item, "first")
        travel.shift(11 * 60)
        assert listed("second") == []
        assert rung(platform) == {number(1): 1}

    @pytest.mark.parametrize(
        "other", [{"launch_key": "mine"}, {"ledger_conn_id": "elsewhere"}, {"launch_key": "a", "ledger_conn_id": "b"}]
    )
    def test_a_list_of_promises_is_started_under_no_other_key_and_through_no_other_ledger(
        self, database: Warehouse, platform: Sandbox, other: dict[str, str]
    ) -> None:
        promise(database, 1, 12)
        (item,) = listed()
        with pytest.raises(AirflowFailException, match=next(iter(other))):
            launched(item, **other)
        assert rung(platform) == {}
        launched(item, launch_key=item["launch_key"], ledger_conn_id=item["ledger_conn_id"])
        assert rung(platform) == {number(1): 1}

    def test_a_list_that_somebody_started_by_hand_is_not_given_back(
        self, database: Warehouse, platform: Sandbox, travel: time_machine.Traveller
    ) -> None:
        promise(database, 1, 2)
        (item,) = listed("first")
        by_hand = {**item, "callbacks_table": None, "launch_key": None, "ledger_conn_id": None}
        launched(by_hand, state_conn_id=None)
        travel.shift(11 * 60)
        assert listed("next", release_after=timedelta(minutes=5)) == []
        assert states(database) == {"promise-1": "listed"}
        assert rung(platform) == {number(1): 1}

    def test_a_slow_run_finds_that_its_promises_were_given_back_while_it_uploaded(
        self, database: Warehouse, platform: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        promise(database, 1, 8)
        others: list[Any] = []
        note = Claims.note

        def meanwhile(claims: Claims, claim: Any, list_ids: Any) -> bool:
            if not others:
                others.append(None)
                others.extend(listed("next", release_after=timedelta(seconds=1e-6)))
            return note(claims, claim, list_ids)

        monkeypatch.setattr(Claims, "note", meanwhile)
        with pytest.raises(Exception, match="took promises over"):
            listed("slow")
        launched(others[1], "next")
        assert rung(platform) == {number(1): 1}

    def test_two_runs_at_once_share_the_promises_between_them(self, warehouse: Warehouse, platform: Sandbox) -> None:
        for table in (callbacks_table(), calls_table(), state_table()):
            table.create(warehouse.engine)
        for n in range(40):
            promise(warehouse, n, 8)
        found: dict[str, list[dict[str, Any]]] = {}
        threads = [
            threading.Thread(target=lambda name=name: found.update({name: listed(name)})) for name in ("a", "b", "c")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(item["rows"] for items in found.values() for item in items) == 40
        for name, items in found.items():
            for item in items:
                launched(item, name)
        assert Counter(rung(platform).values()) == {1: 40}


class TestRightBeforeTheStart:
    """A list is not started when one of its promises is not to be kept any more."""

    @pytest.mark.parametrize("more", [{"call_type": "callback", "status": "failed", "agent_id": "another"}, {}])
    def test_who_was_called_since_the_upload_is_not_called_again_and_the_others_are_listed_next(
        self, database: Warehouse, platform: Sandbox, more: dict[str, Any]
    ) -> None:
        promise(database, 1, 8)
        promise(database, 2, 8)
        (item,) = listed("first")
        call(database, 1, 0.1, **more)
        with pytest.raises(AirflowSkipException, match="never started"):
            launched(item, "first")
        assert states(database) == {"promise-1": "open", "promise-2": "open"}
        assert rows(database)["promise-2"]["state_reason"] == NEVER_STARTED
        (again,) = listed("second")
        launched(again, "second")
        with pytest.raises((AirflowFailException, AirflowSkipException)):
            launched(item, "first")
        assert rung(platform) == {number(2): 1}

    @pytest.mark.parametrize("state", ["open", "withdrawn", "kept"])
    def test_a_promise_that_moved_on_stops_its_list(self, database: Warehouse, platform: Sandbox, state: str) -> None:
        promise(database, 1, 8)
        (item,) = listed()
        database.execute(f"UPDATE ringg_callbacks SET state = '{state}', claim_key = NULL, list_id = NULL")
        with pytest.raises(AirflowSkipException, match="moved on"):
            launched(item)
        assert rung(platform) == {}

    def test_whose_data_were_erased_is_not_called(self, database: Warehouse, platform: Sandbox) -> None:
        promise(database, 1, 8)
        promise(database, 2, 8)
        (item,) = listed("first")
        database.execute("UPDATE ringg_callbacks SET erased_at = claimed_at WHERE promise_id = 'promise-1'")
        with pytest.raises(AirflowSkipException, match="never started"):
            launched(item, "first")
        (again,) = listed("second")
        launched(again, "second")
        assert rung(platform) == {number(2): 1}

    @pytest.mark.parametrize(
        ("query", "opted_out"),
        [
            ({"suppression_sql": "SELECT phone FROM do_not_call"}, "98765 00001"),
            ({"suppression_sql": "SELECT phone FROM do_not_call"}, "person-1"),
            ({"state_suppression_sql": "SELECT phone FROM do_not_call"}, "+919876500001"),
        ],
    )
    def test_who_opted_out_since_the_upload_is_withdrawn_and_the_others_are_listed_next(
        self, database: Warehouse, platform: Sandbox, query: dict[str, str], opted_out: str
    ) -> None:
        promise(database, 1, 8)
        promise(database, 2, 8)
        database.execute("CREATE TABLE do_not_call (phone TEXT)")
        database.execute("INSERT INTO do_not_call VALUES (:phone)", [{"phone": "+919876599999"}])
        (item,) = listed("first", **query)
        assert item["rows"] == 2
        database.execute("INSERT INTO do_not_call VALUES (:phone)", [{"phone": opted_out}])
        with pytest.raises(AirflowSkipException, match=rf"never started, .*: {OPTED_OUT}\. .*: 1 of 2"):
            launched(item, "first")
        found = rows(database)
        assert states(database) == {"promise-1": "withdrawn", "promise-2": "open"}
        assert (found["promise-1"]["state_reason"], found["promise-1"]["claim_key"]) == (OPTED_OUT, None)
        (again,) = listed("second", **query)
        launched(again, "second")
        assert rung(platform) == {number(2): 1}

    def test_nobody_is_called_while_it_cannot_be_asked_who_opted_out(
        self, database: Warehouse, platform: Sandbox
    ) -> None:
        promise(database, 1, 8)
        database.execute("CREATE TABLE do_not_call (phone TEXT)")
        (item,) = listed(suppression_sql="SELECT phone FROM do_not_call")
        database.execute("ALTER TABLE do_not_call RENAME TO gone")
        with pytest.raises(AirflowFailException, match="suppression_sql"):
            launched(item)
        assert rung(platform) == {}
        database.execute("ALTER TABLE gone RENAME TO do_not_call")
        launched(item)
        assert rung(platform) == {number(1): 1}

    def test_a_promise_that_is_given_up_by_now_stops_its_list(
        self, database: Warehouse, platform: Sandbox, travel: time_machine.Traveller
    ) -> None:
        promise(database, 1, -5, give_up_at=NOON + timedelta(minutes=10))
        promise(database, 2, -5)
        (item,) = listed("first")
        database.execute("UPDATE ringg_callbacks SET give_up_at = claimed_at WHERE promise_id = 'promise-1'")
        with pytest.raises(AirflowSkipException, match=TOO_LATE):
            launched(item, "first")
        assert states(database) == {"promise-1": "open", "promise-2": "open"}

    def test_who_asked_again_is_taken_off_a_list_that_was_not_started(
        self, database: Warehouse, platform: Sandbox
    ) -> None:
        promise(database, 1, 8)
        promise(database, 2, 8)
        (item,) = listed("first")
        asked_again(database, 1, 120)
        with pytest.raises(AirflowSkipException, match="moved on"):
            launched(item, "first")
        assert states(database) == {"promise-1": "open", "promise-2": "open"}

    def test_who_asked_again_is_on_no_second_list_while_the_first_may_call(
        self, database: Warehouse, platform: Sandbox, travel: time_machine.Traveller
    ) -> None:
        promise(database, 1, 8)
        (item,) = listed("first")
        launched(item, "first")
        asked_again(database, 1, 30)
        travel.shift(15 * 60)
        assert listed("second") == []
        assert rows(database)["promise-1"]["list_id"] == item["list_id"]

    def test_a_retry_of_the_run_lists_nobody_who_asked_again(self, database: Warehouse, platform: Sandbox) -> None:
        promise(database, 1, 8)
        promise(database, 2, 8)
        listed("run")
        asked_again(database, 1, 120)
        (item,) = listed("run")
        assert item["rows"] == 1
        launched(item)
        assert rung(platform) == {number(2): 1}
        assert states(database) == {"promise-1": "open", "promise-2": "listed"}


def test_no_promise_is_listed_without_its_tables_or_a_ledger(warehouse: Warehouse, platform: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="callbacks_table: there is no table"):
        listed()
    callbacks_table().create(warehouse.engine)
    with pytest.raises(AirflowFailException, match="history_table: there is no table"):
        listed()
    calls_table().create(warehouse.engine)
    with pytest.raises(AirflowFailException, match="ledger"):
        listed(ledger_conn_id=" ")
    assert not [request for request in platform.requests() if request["method"] == "POST"]


def test_a_dry_run_takes_nothing(database: Warehouse, platform: Sandbox) -> None:
    promise(database, 1, 8)
    items = listed(dry_run=True)
    assert [(item["list_id"], item["rows"]) for item in items] == [(None, 1)]
    assert states(database) == {"promise-1": "open"}
