"""SmartAlex's calls and callbacks in a warehouse: real PostgreSQL, real sandbox, both generations."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AssetAlias

from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.smartalex_campaigns import tell
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.smartalex.requests import NewCampaign, NewContact
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallbacksToSqlOperator, SmartAlexCallsToSqlOperator
from tests.support.databases import Warehouse
from tests.support.log import TaskLog
from tests.support.sandbox import Sandbox
from tests.support.statsd import StatsdServer
from tests.support.tasks import OutletEvents, context

PEOPLE = [f"+1555123{n:04}" for n in range(3)]
WHERE = {"sql_conn_id": "warehouse", "smartalex_conn_id": "smartalex_sandbox"}
OUTCOMES = {PEOPLE[0]: ["completed"], PEOPLE[1]: ["not_picked", "completed"], PEOPLE[2]: ["voicemail", "voicemail"]}


def launched(sandbox: Sandbox) -> str:
    """A campaign of three people whose first attempts are over."""
    with SmartAlexHook("smartalex_sandbox") as hook:
        settings = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "max_retries": 1}
        campaign = hook.client.create_campaign(NewCampaign(name="a", agent_id="agent_survey", settings=settings))
        hook.client.add_contacts(campaign.id, [NewContact(phone=phone, first_name="Ann") for phone in PEOPLE])
        hook.client.start_campaign(campaign.id)
    sandbox.skip(hours=1)
    return campaign.id


@pytest.fixture
def slow(sandbox_factory: Callable[..., Sandbox], warehouse: Warehouse) -> Sandbox:
    """Time stands still but for what a test skips, and nobody asks to be called back."""
    return sandbox_factory(speed=0.001, forced_outcomes=OUTCOMES, callback_rate=0)


def speak(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, generation: str) -> None:
    """Let the sandbox and the connection speak one of SmartAlex's two APIs."""
    sandbox.settings(smartalex=generation)
    named = f'"generation": "{generation}", "requests_per_minute"'
    monkeypatch.setenv(
        "AIRFLOW_CONN_SMARTALEX_SANDBOX", sandbox.smartalex_connection.replace('"requests_per_minute"', named)
    )


def load_calls(events: OutletEvents | None = None, **options: Any) -> dict[str, int]:
    told: Any = {**context(), "outlet_events": events or OutletEvents()}
    return SmartAlexCallsToSqlOperator(task_id="calls", **WHERE, **options).execute(told)


def load_callbacks(**options: Any) -> dict[str, int]:
    return SmartAlexCallbacksToSqlOperator(task_id="callbacks", **WHERE, **options).execute(context())


@pytest.mark.parametrize("generation", ["old", "new"])
def test_every_call_is_there_once_however_often_it_is_read(
    slow: Sandbox, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, generation: str
) -> None:
    campaign = launched(slow)
    speak(slow, monkeypatch, generation)
    assert load_calls() == {"calls_read": 3, "inserted": 3, "changed": 0, "details_read": 3}
    slow.skip(hours=48)
    assert load_calls()["inserted"] == 2
    assert load_calls()["inserted"] == 0
    rows = warehouse.query("SELECT * FROM smartalex_calls ORDER BY created_at, status")
    assert sorted(row["status"] for row in rows) == ["completed", "completed", "no_answer", "voicemail", "voicemail"]
    assert {row["campaign_id"] for row in rows} == {campaign}
    assert all(row["is_final"] and row["details_read_at"] and row["contact_id"] for row in rows)
    said = {row["status"]: row["summary"] is not None for row in rows}
    assert said == {"completed": True, "no_answer": False, "voicemail": False}
    if generation == "old":
        assert {row["to_number_e164"] for row in rows} == set(PEOPLE)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was warned of so far."""
    caplog.set_level(logging.INFO, logger="ringg_provider")
    return lambda: [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_load_says_how_each_campaign_stands(
    slow: Sandbox, warehouse: Warehouse, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, logger="ringg_provider")
    log = TaskLog(capsys)
    campaign = launched(slow)
    load_calls()
    (told,) = (text for text in caplog.messages if text.startswith("How the campaigns stand:"))
    header, row = told.splitlines()[1:]
    assert header.split() == ["campaign", "calls", "dialled", "reached", "failed", "cost", "last", "call", "history"]
    assert row.split()[:5] == [campaign, "3", "3", "1", "1"]
    read = "Call history: 3 calls read (3 new, 0 changed), the details of 3 calls."
    assert log.line("Call history: ", "info") == read


def test_a_campaign_that_reached_nobody_is_warned_of_once_it_has_ended(
    sandbox_factory: Callable[..., Sandbox], warehouse: Warehouse, warnings: Callable[[], list[str]]
) -> None:
    silent = {number: ["not_picked", "not_picked"] for number in PEOPLE}
    slow = sandbox_factory(speed=0.001, forced_outcomes=silent)
    campaign = launched(slow)
    load_calls(campaign_ids=campaign)
    assert warnings() == []  # the retries are still to be made
    slow.skip(hours=48)
    load_calls()
    (warning,) = warnings()
    assert warning == (
        f"Campaign {campaign} has ended and nobody was reached: of 6 calls dialled, no person took one (6 no answer). "
        "Look at its caller numbers (flagged as spam?), its hours and its agent; see the runbook, 'Nobody was reached'."
    )


def test_a_campaign_that_ended_without_a_call_is_warned_of(
    slow: Sandbox, warehouse: Warehouse, warnings: Callable[[], list[str]]
) -> None:
    campaign = launched(slow)
    slow.skip(hours=48)
    # A load of another time has seen none of its calls, which says nothing.
    load_calls(campaign_ids=campaign, start=TOMORROW + dt.timedelta(days=90))
    assert warnings() == []
    with SmartAlexHook("smartalex_sandbox") as hook:
        tell(hook.client, warehouse.engine, smartalex_calls_table(), [campaign], dt.UTC)
    (warning,) = warnings()
    assert warning == (
        f"Campaign {campaign} has ended and nobody was called: no call, none dialled (the platform tells no reason). "
        "Look at its calling hours, its credits and whether it was stopped; see the runbook, 'Nobody is called, and the"
        " run is green'."
    )


@pytest.mark.parametrize("generation", ["old", "new"])
def test_an_outcome_that_came_later_is_told_as_a_change_and_what_was_read_again_is_not(
    slow: Sandbox, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, generation: str
) -> None:
    launched(slow)
    speak(slow, monkeypatch, generation)
    load_calls()
    warehouse.execute("UPDATE smartalex_calls SET status = 'ringing', is_final = false, cost = NULL")
    news, nothing = OutletEvents(), OutletEvents()
    assert load_calls(outlets=[AssetAlias("calls")], events=news)["changed"] == 3
    assert [added[1]["changed"] for added in news[AssetAlias("calls")].added] == [3]
    assert load_calls(outlets=[AssetAlias("calls")], events=nothing)["changed"] == 0
    assert nothing[AssetAlias("calls")].added == []


def test_one_campaign_can_be_read_alone(slow: Sandbox, warehouse: Warehouse) -> None:
    first, second = launched(slow), launched(slow)
    assert load_calls(campaign_ids=[{"list_id": second}])["inserted"] == 3
    assert {row["campaign_id"] for row in warehouse.query("SELECT campaign_id FROM smartalex_calls")} == {second}
    assert load_calls(campaign_ids=first, include_details=False) == {
        "calls_read": 3,
        "inserted": 3,
        "changed": 0,
        "details_read": 0,
    }


def test_callbacks_are_pending_until_the_platform_lists_them_no_more(slow: Sandbox, warehouse: Warehouse) -> None:
    launched(slow)
    assert load_callbacks() == {"pending": 2, "done": 0}
    assert load_callbacks() == {"pending": 2, "done": 0}
    pending = warehouse.query("SELECT * FROM smartalex_callbacks")
    assert {(row["to_number_e164"], row["original_outcome"], row["state"]) for row in pending} == {
        (PEOPLE[1], "no_answer", "pending"),
        (PEOPLE[2], "voicemail", "pending"),
    }
    assert all(row["scheduled_at"] and row["done_at"] is None for row in pending)
    slow.skip(hours=48)
    assert load_callbacks() == {"pending": 0, "done": 2}
    assert all(
        row["state"] == "done" and row["done_at"] for row in warehouse.query("SELECT * FROM smartalex_callbacks")
    )
    assert load_callbacks() == {"pending": 0, "done": 0}


def test_only_a_load_of_all_campaigns_says_how_many_callbacks_are_pending(
    slow: Sandbox, warehouse: Warehouse, counted: StatsdServer
) -> None:
    campaign, _ = launched(slow), launched(slow)
    assert load_callbacks(campaign_ids=campaign)["pending"] == 2
    assert counted.sent() == {}
    load_callbacks()
    assert counted.sent() == {"ringg.callbacks.pending,platform=smartalex,conn_id=smartalex_sandbox": 4}


def test_what_is_no_campaign_id_is_refused(slow: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="campaign_ids"):
        load_calls(campaign_ids=[3])


NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
YESTERDAY, TOMORROW = NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=1)


@pytest.mark.parametrize("generation", ["old", "new"])
@pytest.mark.parametrize(
    "spelling",
    [
        lambda moment: moment,
        lambda moment: moment.astimezone(ZoneInfo("Asia/Kolkata")),
        pendulum.instance,
        lambda moment: pendulum.instance(moment).in_timezone("America/New_York"),
        dt.datetime.isoformat,
        lambda moment: f"{moment:%Y-%m-%d %H:%M}",
        lambda moment: f"{moment:%Y-%m-%d}",
        dt.datetime.date,
    ],
    ids=["aware", "aware elsewhere", "pendulum", "pendulum elsewhere", "ISO", "naive", "day", "date"],
)
def test_calls_of_an_interval_are_read_however_it_is_written(
    slow: Sandbox, monkeypatch: pytest.MonkeyPatch, spelling: Callable[[dt.datetime], Any], generation: str
) -> None:
    launched(slow)
    speak(slow, monkeypatch, generation)
    start, end = spelling(YESTERDAY), spelling(TOMORROW + dt.timedelta(days=1))
    assert load_calls(start=start, end=end)["inserted"] == 3
    assert load_calls(start=spelling(YESTERDAY - dt.timedelta(days=9)), lookback=pendulum.duration(hours=1))
    assert load_calls(lookback=pendulum.duration(hours=1))["inserted"] == 0
