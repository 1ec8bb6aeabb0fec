"""SmartAlex's pending callbacks -> drafts: left to the platform, and listed once where it certainly did not call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from ringg_provider.callbacks.claims import OPTED_OUT
from ringg_provider.callbacks.table import callbacks_table
from ringg_provider.history.smartalex import STATE, smartalex_calls_table
from ringg_provider.history.smartalex import callbacks_table as pending_table
from ringg_provider.history.tables import state_table
from ringg_provider.operators.smartalex import SmartAlexCallbacksOperator, SmartAlexStartCampaignOperator
from ringg_provider.smartalex import SmartAlexClient
from ringg_provider.smartalex.responses import Contact
from ringg_provider.transfers.callbacks_to_smartalex import CallbacksToSmartAlexOperator
from tests.support.databases import Warehouse
from tests.support.sandbox import Sandbox
from tests.support.tasks import Run, TaskInstance

#: Noon in India, on a Monday.
NOON = datetime(2027, 3, 1, 6, 30, tzinfo=UTC)
SETTINGS = {"calling_hours_start": "09:00", "calling_hours_end": "21:00", "timezone": "Asia/Kolkata"}


@pytest.fixture
def travel() -> Iterator[time_machine.Traveller]:
    """It is noon in India, and time passes."""
    with time_machine.travel(NOON, tick=True) as traveller:
        yield traveller


@pytest.fixture
def platform(
    travel: time_machine.Traveller, sandbox_factory: Callable[..., Sandbox], sqlite_warehouse: Warehouse
) -> Sandbox:
    """A sandbox that lives in that time, where everybody answers, beside a database with the tables."""
    for table in (callbacks_table(), smartalex_calls_table(), pending_table(), state_table(STATE)):
        table.create(sqlite_warehouse.engine)
    rates = {"busy_rate": 0, "not_picked_rate": 0, "failed_rate": 0, "voicemail_rate": 0, "callback_rate": 0}
    return sandbox_factory(speed=1, history_rate_window_seconds=0, **rates)


def number(n: int) -> str:
    return f"+9198765{n:05d}"


def insert(database: Warehouse, table: sa.Table, **row: Any) -> None:
    with database.engine.begin() as connection:
        connection.execute(sa.insert(table).values(**row))


def pending(database: Warehouse, n: int, minutes: float, *, gone: bool = False) -> None:
    """A callback that the platform has scheduled for so many minutes after noon, and does not know any more then."""
    at = NOON + timedelta(minutes=minutes)
    insert(
        database, pending_table(), callback_id=f"callback-{n}", campaign_id="earlier", agent_id="agent_survey",
        contact_id=f"contact-{n}", to_number_e164=number(n), scheduled_at=at, first_read_at=NOON - timedelta(hours=2),
        **{"state": "done", "read_at": at, "done_at": at} if gone else {"state": "pending", "read_at": NOON},
    )  # fmt: skip


def call(database: Warehouse, n: int, minutes: float, status: str) -> None:
    """A call to somebody; as the newer API tells of it, without a number."""
    at = NOON + timedelta(minutes=minutes)
    insert(
        database, smartalex_calls_table(), call_id=f"call-{n}-{minutes}", agent_id="agent_survey", status=status,
        contact_id=f"contact-{n}", is_final=True, created_at=at, first_read_at=at, read_at=at,
    )  # fmt: skip


def known_until(database: Warehouse, minutes: float) -> None:
    """All calls until so many minutes after noon are in the table."""
    at, table = NOON + timedelta(minutes=minutes), state_table(STATE)
    with database.engine.begin() as connection:
        connection.execute(sa.delete(table))
    insert(database, table, calls_table="smartalex_calls", read_until=at, changed_at=NOON)


def context(run_id: str, task_id: str) -> Any:
    return {"ti": TaskInstance(run_id=run_id, task_id=task_id), "dag_run": Run()}


def listed(run_id: str) -> list[dict[str, Any]]:
    """Bring the promises up to the calls, and list those that are due."""
    purpose: Any = "promotional"
    known: dict[str, Any] = {"state_conn_id": "warehouse", "smartalex_conn_id": "smartalex_sandbox"}
    SmartAlexCallbacksOperator(task_id="update", purpose=purpose, **known).execute(context(run_id, "update"))
    result: list[dict[str, Any]] = CallbacksToSmartAlexOperator(
        task_id="lists", agent_id="agent_survey", country_code="+91", purpose=purpose, settings=SETTINGS,
        contact_columns={"first_name": "callee_name"}, **known,
    ).execute(context(run_id, "lists"))  # fmt: skip
    return result


def started(item: dict[str, Any], run_id: str) -> str:
    start = SmartAlexStartCampaignOperator(
        task_id="start", campaign_id=item, state_conn_id="warehouse", smartalex_conn_id="smartalex_sandbox"
    )
    return start.execute(context(run_id, "start"))


def states(database: Warehouse) -> dict[str, str]:
    rows = database.query("SELECT to_number_e164, state FROM ringg_callbacks")
    return {row["to_number_e164"]: row["state"] for row in rows}


def test_a_callback_is_left_to_the_platform_until_it_certainly_did_not_call(
    platform: Sandbox, sqlite_warehouse: Warehouse
) -> None:
    pending(sqlite_warehouse, 1, -20, gone=True)
    pending(sqlite_warehouse, 2, -2)
    pending(sqlite_warehouse, 3, 60)
    pending(sqlite_warehouse, 4, -40)
    assert listed("a") == [], "nothing is known of calls"
    known_until(sqlite_warehouse, -6)
    assert listed("b") == [], "what is known ends before it is certain"
    known_until(sqlite_warehouse, -4)
    (item,) = listed("c")
    assert (item["rows"], item["flow"], item["callbacks_table"]) == (1, "smartalex", "ringg_callbacks")
    assert states(sqlite_warehouse) == {number(1): "listed", number(2): "open", number(3): "open", number(4): "open"}
    assert platform.dials()["numbers"] == {}, "nobody is called by it"


def test_each_is_on_one_draft_and_rung_once(
    platform: Sandbox, sqlite_warehouse: Warehouse, travel: time_machine.Traveller
) -> None:
    pending(sqlite_warehouse, 1, -20, gone=True)
    known_until(sqlite_warehouse, -4)
    (item,) = listed("first")
    assert listed("second") == []
    (again,) = listed("first")
    assert started(again, "first") == again["list_id"]
    with pytest.raises((AirflowFailException, AirflowSkipException)):
        started(item, "first")
    travel.shift(timedelta(minutes=30))
    assert listed("third") == []
    assert {who: each["attempts"] for who, each in platform.dials()["numbers"].items()} == {number(1): 1}


@pytest.mark.parametrize(("status", "becomes"), [("completed", "kept"), ("no_answer", "missed")])
def test_whom_the_platform_rang_at_their_time_is_rung_by_nobody_else(
    platform: Sandbox, sqlite_warehouse: Warehouse, status: str, becomes: str
) -> None:
    pending(sqlite_warehouse, 1, -20, gone=True)
    call(sqlite_warehouse, 1, -19, status)
    known_until(sqlite_warehouse, -1)
    assert listed("a") == []
    assert states(sqlite_warehouse) == {number(1): becomes}


def test_a_draft_is_not_started_when_the_platform_has_called_meanwhile(
    platform: Sandbox, sqlite_warehouse: Warehouse
) -> None:
    pending(sqlite_warehouse, 1, -20, gone=True)
    known_until(sqlite_warehouse, -4)
    (item,) = listed("a")
    call(sqlite_warehouse, 1, -3, "no_answer")
    assert listed("b") == []
    with pytest.raises(AirflowSkipException, match="never started"):
        started(item, "a")
    assert platform.dials()["numbers"] == {}


def test_a_draft_is_not_started_when_somebody_on_it_is_do_not_call_by_now(
    platform: Sandbox, sqlite_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending(sqlite_warehouse, 1, -20, gone=True)
    pending(sqlite_warehouse, 2, -20, gone=True)
    known_until(sqlite_warehouse, -4)
    (item,) = listed("a")
    assert (item["rows"], item["suppression"]) == (2, {"country_code": "+91", "skip_dnc": True})
    by_now = Contact(id="contact-1", phone=number(1), status="dnc")
    monkeypatch.setattr(SmartAlexClient, "iter_contacts", lambda *_, **__: iter([by_now]))
    with pytest.raises(AirflowSkipException, match=OPTED_OUT):
        started(item, "a")
    assert states(sqlite_warehouse) == {number(1): "withdrawn", number(2): "open"}
    assert platform.dials()["numbers"] == {}


@pytest.mark.parametrize(("minutes", "found"), [(29, 1), (31, 0)])
def test_no_draft_is_made_in_the_last_half_hour_of_the_day(
    platform: Sandbox, sqlite_warehouse: Warehouse, travel: time_machine.Traveller, minutes: int, found: int
) -> None:
    """It would call who is left on the next day."""
    travel.move_to(NOON + timedelta(hours=8, minutes=minutes))
    pending(sqlite_warehouse, 1, 8 * 60, gone=True)
    known_until(sqlite_warehouse, 8 * 60 + minutes)
    assert len(listed("a")) == found
    assert states(sqlite_warehouse) == {number(1): "listed" if found else "open"}
