"""The last checks before a start: not too late, not for an old run, not outside its hours, not without the credits.

It is noon in India on a Monday, see `conftest.py`.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider.exceptions import InsufficientBalance, InvalidRequest, StaleCampaign
from ringg_provider.history.tables import calls_table
from ringg_provider.operators.ringg import (
    RinggLaunchOperator,
    RinggMakeCallAsyncOperator,
    RinggSaveCampaignOperator,
    RinggStartCampaignOperator,
    RinggUploadCsvOperator,
)
from tests.operators.campaigns import AGENT, CALL_CONFIG, COMMON, LINE, NOON, checked, refused, started, upload
from tests.support.tasks import context


def start(list_id: str, run: dict[str, Any] | None = None, **arguments: Any) -> str:
    operator = RinggStartCampaignOperator(list_id=list_id, from_numbers=LINE, **COMMON, **arguments)
    return operator.execute(context(**run or {}))


def call(list_id: str, **arguments: Any) -> str:
    operator = RinggMakeCallAsyncOperator(
        bulk_list_id=list_id, country_code="+91", call_config=CALL_CONFIG, from_numbers=LINE, **COMMON, **arguments
    )
    return operator.execute(context())


def launch(item: dict[str, Any], **arguments: Any) -> str:
    operator = RinggLaunchOperator(
        task_id="task", ringg_conn_id="ringg_sandbox", launch=item, from_numbers=LINE, **arguments
    )
    return operator.execute(context())


def item_of(list_id: str, flow: str, **changes: Any) -> dict[str, Any]:
    return {
        "list_id": list_id,
        "flow": flow,
        "agent_id": AGENT,
        "country_code": "+91",
        "call_config": CALL_CONFIG,
        "campaign_start_time": "01/03/2027, 13:00",
        "campaign_end_time": "01/03/2027, 17:00",
        "rows": 2,
        "rejected": 0,
        "launch_key": None,
        **changes,
    }


# Too late.


def test_a_saved_list_is_started_up_to_two_hours_after_its_planned_start(platform: Any, saved: str, clock: Any) -> None:
    clock.move_to(NOON + timedelta(hours=3))
    assert start(saved, call_config=CALL_CONFIG, planned_start="2027-03-01T13:00") == saved
    assert started(platform) == 1


def test_a_saved_list_is_not_started_later_than_that(platform: Any, saved: str, clock: Any) -> None:
    clock.move_to(NOON + timedelta(hours=3, minutes=1))
    with refused(StaleCampaign, r"planned for 2027-03-01T13:00:00\+05:30.*at most 2.0 h are allowed \(max_delay\)"):
        start(saved, call_config=CALL_CONFIG, planned_start="2027-03-01T13:00")
    assert started(platform) == 0


def test_max_delay_is_how_late_a_start_may_be(platform: Any, saved: str, clock: Any) -> None:
    clock.move_to(NOON + timedelta(hours=4))
    late = {"call_config": CALL_CONFIG, "planned_start": "2027-03-01T13:00"}
    with refused(StaleCampaign, "max_delay"):
        start(saved, max_delay=timedelta(hours=2, minutes=59), **late)
    assert start(saved, max_delay=timedelta(hours=3), **late) == saved


def test_a_planned_start_without_a_zone_needs_the_call_config_that_has_one(
    platform: Any, saved: str, clock: Any
) -> None:
    clock.move_to(NOON + timedelta(hours=3, minutes=1))
    with refused(InvalidRequest, "planned_start: give its zone, or call_config"):
        start(saved, planned_start="2027-03-01T13:00")
    with refused(StaleCampaign, "max_delay"):
        start(saved, planned_start="2027-03-01T13:00+05:30")
    with refused(StaleCampaign, "max_delay"):
        start(saved, planned_start="2027-03-01T13:00", call_config=CALL_CONFIG)


def test_a_list_that_runs_already_is_adopted_whatever_the_clock_says(platform: Any, saved: str, clock: Any) -> None:
    planned = {"call_config": CALL_CONFIG, "planned_start": "2027-03-01T13:00", "campaign_end_time": "2027-03-01T17:00"}
    start(saved, **planned)
    clock.move_to(NOON + timedelta(days=3))
    assert start(saved, {"run_after": NOON, "run_type": "backfill"}, **planned) == saved
    assert started(platform) == 1


@pytest.mark.parametrize("flow", ["standard", "large"])
def test_an_item_of_a_query_is_refused_when_its_own_start_is_too_long_ago(
    platform: Any, request: Any, flow: str, clock: Any
) -> None:
    list_id = request.getfixturevalue("saved" if flow == "standard" else "uploaded")
    clock.move_to(NOON + timedelta(hours=3, minutes=1))
    with refused(StaleCampaign, "max_delay"):
        launch(item_of(list_id, flow))
    assert launch(item_of(list_id, flow), max_delay=timedelta(hours=3)) == list_id
    assert started(platform) == 1


def test_a_large_campaign_whose_start_passed_a_moment_ago_starts_as_soon_as_possible(
    platform: Any, uploaded: str, clock: Any
) -> None:
    clock.move_to(NOON + timedelta(hours=2))
    assert call(uploaded, campaign_start_time="2027-03-01T13:00", campaign_end_time="2027-03-01T17:00") == uploaded
    assert started(platform) == 1


def test_a_large_campaign_is_not_started_more_than_two_hours_late(platform: Any, uploaded: str, clock: Any) -> None:
    clock.move_to(NOON + timedelta(hours=3, minutes=1))
    with refused(StaleCampaign, "max_delay"):
        call(uploaded, campaign_start_time="2027-03-01T13:00", campaign_end_time="2027-03-01T17:00")
    assert started(platform) == 0


# For a run that should not call.


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"run_after": NOON, "run_type": "backfill"}, "part of a backfill"),
        ({"run_after": NOON - timedelta(hours=24, minutes=1)}, "due 24.0 h ago"),
    ],
)
def test_a_backfill_and_an_old_run_start_nothing_unless_told_to(
    platform: Any, saved: str, run: dict[str, Any], words: str
) -> None:
    with refused(StaleCampaign, words):
        start(saved, run)
    assert started(platform) == 0
    assert start(saved, run, allow_backfill=True) == saved


def test_a_run_of_a_day_ago_still_starts_and_max_age_draws_the_line_elsewhere(platform: Any, saved: str) -> None:
    with refused(StaleCampaign, "max_age"):
        start(saved, {"run_after": NOON - timedelta(hours=24)}, max_age=timedelta(hours=23))
    assert start(saved, {"run_after": NOON - timedelta(hours=24)}) == saved


# Outside its hours.


def test_a_saved_list_whose_calling_hours_are_over_is_not_started(
    platform: Any, contacts: str, saved: str, clock: Any
) -> None:
    until_evening = [upload(RinggSaveCampaignOperator, contacts, campaign_start_time="2027-03-01T13:00") for _ in "12"]
    clock.move_to(NOON + timedelta(hours=5))
    late = {"call_config": CALL_CONFIG, "planned_start": "2027-03-01T13:00", "max_delay": timedelta(days=1)}
    with refused(StaleCampaign, "calling hours are over"):
        start(saved, campaign_end_time="2027-03-01T17:00", **late)
    assert started(platform) == 0
    # Without an end, the daily window's closing at 19:00 is meant.
    clock.move_to(NOON + timedelta(hours=6, minutes=59))
    assert start(until_evening[0], **late) == until_evening[0]
    clock.move_to(NOON + timedelta(hours=7))
    with refused(StaleCampaign, "calling hours are over"):
        start(until_evening[1], **late)


def test_a_large_campaign_whose_calling_hours_are_over_is_not_started(platform: Any, uploaded: str, clock: Any) -> None:
    clock.move_to(NOON + timedelta(hours=5))
    late = {"campaign_start_time": "2027-03-01T13:00", "max_delay": timedelta(days=1)}
    with refused(StaleCampaign, "calling hours are over"):
        call(uploaded, campaign_end_time="2027-03-01T17:00", **late)
    assert started(platform) == 0
    assert call(uploaded, campaign_end_time="2027-03-01T18:00", **late) == uploaded


@pytest.mark.parametrize(
    ("slots", "over"),
    [
        (
            {"mode": "absolute", "intervals": [{"start": "01/03/2027, 10:00", "end": "01/03/2027, 12:00"}]},
            True,
        ),
        (
            {"mode": "absolute", "intervals": [{"start": "01/03/2027, 12:30", "end": "01/03/2027, 14:00"}]},
            False,
        ),
        (
            {
                "mode": "weekly",
                "windows": [{"days": ["mon"], "start": "10:00", "end": "11:00"}],
                "until": "03/03/2027, 19:00",
            },
            True,
        ),
        (
            {
                "mode": "weekly",
                "windows": [{"days": ["mon", "tue"], "start": "10:00", "end": "11:00"}],
                "until": "03/03/2027, 19:00",
            },
            False,
        ),
    ],
)
def test_slots_that_have_all_passed_leave_nothing_to_call(
    platform: Any, uploaded: str, slots: dict[str, Any], over: bool
) -> None:
    if over:
        with refused(StaleCampaign, "calling hours are over"):
            call(uploaded, call_slots=slots)
    else:
        assert call(uploaded, call_slots=slots) == uploaded
    assert started(platform) == (not over)


# Without the credits.


def test_a_standard_start_that_would_cost_more_than_there_is_is_refused_with_the_numbers(
    platform: Any, saved: str
) -> None:
    platform.settings(balance=20)
    operator = RinggStartCampaignOperator(list_id=saved, from_numbers=LINE, rows=3, credits_per_call="7.5", **COMMON)
    with pytest.raises(
        AirflowFailException, match=r"About 22.5 credits are needed, and 20 credits can be spent"
    ) as caught:
        operator.execute(context())
    error = caught.value.__cause__
    assert isinstance(error, InsufficientBalance)
    assert (error.required_credits, error.available_credits, error.additional_balance_required) == (
        Decimal("22.5"),
        Decimal(20),
        Decimal("2.5"),
    )
    assert started(platform) == 0
    assert not [request for request in platform.requests() if request["path"].endswith("/start")]
    platform.settings(balance="22.5")
    assert operator.execute(context()) == saved


def test_without_a_price_the_start_goes_on_with_a_warning_and_no_verdict(
    platform: Any, saved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.settings(balance=1)
    assert start(saved, rows=2) == saved
    assert "The cost cannot be estimated" in capsys.readouterr().out


def test_without_the_number_of_rows_the_log_says_that_nothing_was_compared(
    platform: Any, saved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(saved, credits_per_call=7) == saved
    assert "give the number of rows" in capsys.readouterr().out


def calls_that_cost(warehouse: Any, *costs: Any, agent_id: str = AGENT, **changes: Any) -> None:
    table = calls_table()
    table.create(warehouse.engine, checkfirst=True)
    rows = [
        {
            "call_id": f"{agent_id}-{cost}-{number}",
            "agent_id": agent_id,
            "cost": cost,
            "is_final": True,
            "cost_final": True,
            "created_at": NOON - timedelta(days=3),
            **changes,
        }
        for number, cost in enumerate(costs)
    ]
    with warehouse.engine.begin() as connection:
        connection.execute(sa.insert(table), rows)


@pytest.mark.parametrize("database", ["warehouse", "sqlite_warehouse"])
def test_the_price_is_the_agents_average_in_the_history(platform: Any, saved: str, request: Any, database: str) -> None:
    warehouse = request.getfixturevalue(database)
    calls_that_cost(warehouse, 4, 0, 8)
    calls_that_cost(warehouse, 100, agent_id="another")
    calls_that_cost(warehouse, 101, is_final=False)
    calls_that_cost(warehouse, 102, cost_final=False)
    calls_that_cost(warehouse, 103, created_at=NOON - timedelta(days=91))
    platform.settings(balance=7)
    with refused(InsufficientBalance, r"About 8 credits are needed, and 7"):
        start(saved, rows=2, sql_conn_id="warehouse")
    platform.settings(balance=8)
    assert start(saved, rows="2", sql_conn_id="warehouse") == saved


def test_the_history_is_read_as_hook_params_say(platform: Any, saved: str, warehouse: Any) -> None:
    calls_that_cost(warehouse, 4)
    warehouse.execute("CREATE SCHEMA crm")
    warehouse.execute("ALTER TABLE ringg_calls SET SCHEMA crm")
    platform.settings(balance=7)
    with refused(InsufficientBalance, r"About 8 credits are needed, and 7"):
        start(saved, rows=2, sql_conn_id="warehouse", hook_params={"options": "-c search_path=crm"})


def test_the_price_of_a_warehouses_campaign_is_in_the_state_database(
    platform: Any, saved: str, sqlite_warehouse: Any, redshift: Any
) -> None:
    calls_that_cost(sqlite_warehouse, 4)
    platform.settings(balance=7)
    with refused(InsufficientBalance, r"About 8 credits are needed, and 7"):
        start(saved, rows=2, sql_conn_id="redshift", state_conn_id="warehouse")
    with refused(InvalidRequest, "sql_conn_id: redshift is not a transactional database"):
        start(saved, rows=2, sql_conn_id="redshift")
    # By itself it asks for no estimate: it is given to every task of a DAG.
    assert start(saved, rows=2, state_conn_id="warehouse") == saved


def test_an_agent_without_history_has_no_price(
    platform: Any, saved: str, sqlite_warehouse: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(saved, rows=2, sql_conn_id="warehouse") == saved
    assert "The cost cannot be estimated" in capsys.readouterr().out


def test_an_item_of_a_query_brings_its_own_rows(platform: Any, saved: str) -> None:
    platform.settings(balance=9)
    with refused(InsufficientBalance, "top up 1"):
        launch(item_of(saved, "standard"), credits_per_call=5)
    assert started(platform) == 0


def test_a_large_campaign_is_compared_too_when_a_price_is_given(platform: Any, uploaded: str) -> None:
    platform.settings(balance=9)
    with refused(InsufficientBalance, "top up 1"):
        call(uploaded, rows=2, credits_per_call=5)
    assert call(uploaded, rows=2, credits_per_call=4) == uploaded


def test_a_price_that_is_no_number_is_named(platform: Any, saved: str) -> None:
    with refused(InvalidRequest, "credits_per_call: must be a number"):
        start(saved, rows=2, credits_per_call="a lot")


@pytest.mark.parametrize("platform", ["g2", "g3"], indirect=True)
def test_a_402_is_insufficient_balance_in_both_flows(platform: Any, contacts: str) -> None:
    saved = upload(RinggSaveCampaignOperator, contacts)
    uploaded = checked(platform, upload(RinggUploadCsvOperator, contacts))
    platform.settings(balance=0)
    for begin, list_id in ((start, saved), (call, uploaded)):
        with refused(InsufficientBalance, "insufficient|Insufficient|waits for credits"):
            begin(list_id)
    assert started(platform) == 0
