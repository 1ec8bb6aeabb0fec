"""The examples of promises where somebody waits to be called back: they ask in words, and the runs call them then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine

from demo.contacts import contacts, do_not_call, load, metadata
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.operators.smartalex import SmartAlexStartCampaignOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator
from tests.callbacks.living import connection
from tests.support.dags import DagRunner, FinishedRun
from tests.support.databases import Warehouse
from tests.support.sandbox import Sandbox
from tests.support.tasks import Run, TaskInstance

#: A Monday, two minutes past noon in India, whatever the hour at which this runs.
NOON = datetime(2027, 3, 1, 6, 32, tzinfo=UTC)
HOUR = 3600
ASHA, LATA, OMAR, RAVI, UMA = (f"+9198765000{n:02d}" for n in range(5))
#: What they say, and how many seconds later they mean.
WISHES: dict[str, list[list[Any]]] = {
    ASHA: [["in an hour", HOUR]],
    LATA: [["later", None]],
    OMAR: [["ek ghante baad", HOUR]],
    RAVI: [["in three hours", 3 * HOUR]],
    UMA: [],
}
#: Everybody takes the call, and what they said is known a minute after it.
SURE = {
    "speed": 1, "busy_rate": 0, "not_picked_rate": 0, "failed_rate": 0, "voicemail_rate": 0, "callback_rate": 0,
    "history_rate_window_seconds": 0, "analysis_min_seconds": 60, "analysis_max_seconds": 60, "forced_wishes": WISHES,
}  # fmt: skip
PEOPLE: dict[str, Any] = {
    "sql_conn_id": "warehouse", "state_conn_id": "warehouse",
    "sql": "SELECT contact_id, full_name, phone, policy_id, due_date FROM contacts", "contact_key": "contact_id",
    "phone_column": "phone", "country_code": "+91", "purpose": "promotional",
    "suppression_sql": "SELECT phone FROM do_not_call", "history_table_may_be_missing": True,
}  # fmt: skip
DAY = {"call_start_time": "09:00", "call_end_time": "21:00", "timezone": "Asia/Kolkata"}
AGENT = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def travel() -> Iterator[time_machine.Traveller]:
    """It is noon in India, and time passes."""
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def people(warehouse: Warehouse) -> Warehouse:
    """Five people; whom a campaign called since noon, and who asked it to call again."""
    metadata.create_all(warehouse.engine)
    row = {
        "city": "Pune", "state": "MH", "timezone": "Asia/Kolkata", "segment": "renewal", "policy_id": "POL-1",
        "due_date": NOON.date(), "updated_at": NOON,
    }  # fmt: skip
    rows = [row | {"contact_id": f"C{n}", "full_name": "Zyx", "phone": phone} for n, phone in enumerate(WISHES)]
    with warehouse.engine.begin() as begun:
        begun.execute(sa.insert(contacts), rows)
    return warehouse


def opt_out(warehouse: Warehouse, phone: str) -> None:
    """Somebody tells by another way that nobody may call them."""
    with warehouse.engine.begin() as begun:
        begun.execute(sa.insert(do_not_call).values(phone=phone, reason="they said so", added_at=NOON))


def context(task_id: str) -> Any:
    return {"ti": TaskInstance(dag_id="noon", run_id="noon", task_id=task_id), "dag_run": Run()}


def done(run: FinishedRun) -> FinishedRun:
    assert run.state == "success", run
    return run


def became(warehouse: Warehouse) -> dict[str, str]:
    rows = warehouse.query("SELECT to_number_e164, state FROM ringg_callbacks")
    return {row["to_number_e164"]: row["state"] for row in rows}


def rung(sandbox: Sandbox) -> dict[str, int]:
    return {number: each["attempts"] for number, each in sandbox.dials()["numbers"].items()}


@pytest.mark.slow
def test_who_asked_for_a_call_in_words_is_called_then_and_once(
    travel: time_machine.Traveller,
    people: Warehouse,
    sandbox_factory: Callable[..., Sandbox],
    run_dag: DagRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox = sandbox_factory(**SURE)
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", connection(sandbox))
    (item,) = SqlToRinggOperator(
        task_id="upload", ringg_conn_id="ringg_sandbox", agent_id=AGENT, campaign_name="Noon",
        call_config={"call_time": DAY}, contacts_table="ringg_contacts", launch_key="noon",
        variables_map={"callee_name": "full_name", "policy_id": "policy_id", "due_date": "due_date"}, **PEOPLE,
    ).execute(context("upload"))  # fmt: skip
    RinggLaunchOperator(
        task_id="launch", launch=item, ringg_conn_id="ringg_sandbox", state_conn_id="warehouse",
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
    ).execute(context("launch"))  # fmt: skip
    travel.shift(timedelta(minutes=15))
    assert rung(sandbox) == dict.fromkeys(WISHES, 1)

    # A quarter past twelve: it is known what they said, and nobody is due.
    first = done(run_dag("ringg_promises"))
    assert first.xcom("list_promises") == []
    assert became(people) == {ASHA: "open", LATA: "unclear", OMAR: "open", RAVI: "open"}
    (asha,) = people.query("SELECT * FROM ringg_callbacks WHERE to_number_e164 = :number", number=ASHA)
    assert (asha["words"], asha["contact_key"]) == ("in an hour", "C0")
    assert abs(asha["due_at"] - asha["asked_at"] - timedelta(hours=1)) < timedelta(minutes=2)

    # A quarter to one: two are due before the next run, of whom one has opted out meanwhile.
    opt_out(people, f"0{OMAR.removeprefix('+91')}")
    travel.move_to(NOON + timedelta(minutes=45))
    second = done(run_dag("ringg_promises"))
    (listed,) = second.xcom("list_promises")
    assert (listed["rows"], second.tasks["launch", 0]) == (1, "success")
    assert became(people) == {ASHA: "listed", LATA: "unclear", OMAR: "withdrawn", RAVI: "open"}
    assert rung(sandbox) == dict.fromkeys(WISHES, 1), "it is not time yet"

    # A quarter past one.
    travel.move_to(NOON + timedelta(minutes=80))
    third = done(run_dag("ringg_promises"))
    assert third.xcom("list_promises") == []
    assert became(people) == {ASHA: "kept", LATA: "unclear", OMAR: "withdrawn", RAVI: "open"}
    assert rung(sandbox) == {**dict.fromkeys(WISHES, 1), ASHA: 2}
    (asha,) = people.query("SELECT * FROM ringg_callbacks WHERE to_number_e164 = :number", number=ASHA)
    assert timedelta(0) <= asha["kept_at"] - asha["due_at"] <= timedelta(minutes=5, seconds=30)
    assert asha["list_id"] == listed["list_id"]

    # What nobody could read waits for a person, who says: at two. The example takes it from there.
    two = NOON + timedelta(hours=2)
    people.execute(
        "UPDATE ringg_callbacks SET state = 'open', earliest_at = :at, latest_at = :at, due_at = :at,"
        " state_reason = NULL, settled_by = 'person:asha', changed_at = CURRENT_TIMESTAMP WHERE to_number_e164 = :who",
        at=two, who=LATA,
    )  # fmt: skip
    travel.move_to(two - timedelta(minutes=10))
    done(run_dag("ringg_promises"))
    travel.move_to(two + timedelta(minutes=12))
    done(run_dag("ringg_promises"))
    assert became(people) == {ASHA: "kept", LATA: "kept", OMAR: "withdrawn", RAVI: "open"}
    assert rung(sandbox) == {**dict.fromkeys(WISHES, 1), ASHA: 2, LATA: 2}


@pytest.mark.slow
def test_what_smartalex_forgets_is_called_once_and_what_it_still_has_is_left_to_it(
    travel: time_machine.Traveller, people: Warehouse, sandbox_factory: Callable[..., Sandbox], run_dag: DagRunner
) -> None:
    # Who waits for the platform, and is then called by us, has to be patient.
    sandbox = sandbox_factory(**SURE, callback_patience_seconds=2 * HOUR)
    settings = {
        "calling_hours_start": "09:00", "calling_hours_end": "21:00", "timezone": "Asia/Kolkata", "max_retries": 0,
    }  # fmt: skip
    (draft,) = SqlToSmartAlexOperator(
        task_id="draft", smartalex_conn_id="smartalex_sandbox", agent_id="agent_survey", campaign_name="Noon",
        contact_columns={"first_name": "full_name"}, settings=settings, contacts_table="smartalex_contacts",
        launch_key="noon", **PEOPLE,
    ).execute(context("draft"))  # fmt: skip
    SmartAlexStartCampaignOperator(
        task_id="start", campaign_id=draft, smartalex_conn_id="smartalex_sandbox", state_conn_id="warehouse"
    ).execute(context("start"))

    def run(minutes: float) -> FinishedRun:
        travel.move_to(NOON + timedelta(minutes=minutes))
        return done(run_dag("smartalex_promises"))

    # The campaign is over before anybody looks at it.
    assert run(15).xcom("list_promises") == []
    # Only what has a time is a callback of the platform.
    assert became(people) == {ASHA: "open", OMAR: "open", RAVI: "open"}
    opt_out(people, OMAR)
    assert run(68).xcom("list_promises") == [], "they are due, and the platform still means to call"
    # Somebody deletes the campaign's callbacks with it.
    sandbox.fault(method="GET", path="/v1/campaigns/{id}/callbacks", kind="status", status=404, times=1000)
    assert run(73).xcom("list_promises") == [], "it may have called since"
    (listed,) = run(93).xcom("list_promises")
    assert listed["rows"] == 1
    assert became(people) == {ASHA: "listed", OMAR: "withdrawn", RAVI: "open"}
    run(103)
    assert became(people) == {ASHA: "late", OMAR: "withdrawn", RAVI: "open"}
    assert rung(sandbox) == {**dict.fromkeys(WISHES, 1), ASHA: 2}


@pytest.mark.parametrize("dag_id", ["ringg_promises", "smartalex_promises"])
def test_a_run_without_a_promise_that_is_due_is_a_success_that_uploads_nothing(
    run_dag: DagRunner, sandbox: Any, warehouse: Warehouse, dag_id: str
) -> None:
    load(warehouse.engine, 100)
    run = run_dag(dag_id)
    assert run.state == "success", run
    assert run.xcom("list_promises") == []
    assert not [request for request in sandbox.requests() if request["method"] == "POST"]
