"""Nobody's data is uploaded for calls that will not be made: of a run that missed its time, a backfill, an old run, or
when the calling hours are over. It is noon in India on a Monday, see `conftest.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from ringg_provider.exceptions import InvalidRequest, StaleCampaign
from ringg_provider.operators.ringg import RinggPreflightOperator, RinggSaveCampaignOperator, RinggUploadCsvOperator
from ringg_provider.operators.smartalex import SmartAlexAddContactsOperator, SmartAlexCreateCampaignOperator
from ringg_provider.transfers import sql_to_lists
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator
from tests.operators.campaigns import CALL_CONFIG, COMMON, LINE, NOON, refused, started
from tests.operators.ringg.test_before_start import start
from tests.support.databases import Warehouse
from tests.support.tasks import context

SMARTALEX = {"task_id": "task", "smartalex_conn_id": "smartalex_sandbox"}
QUERY = {"sql_conn_id": "warehouse", "sql": "SELECT phone, first_name FROM people", "country_code": "+91"}
LISTS = {**QUERY, "campaign_name": "Survey", "phone_column": "phone"}
SETTINGS = {"calling_hours_start": "10:00", "calling_hours_end": "19:00", "timezone": "Asia/Kolkata"}
FILE = {"campaign_name": "Survey", "country_code": "+91", "call_config": CALL_CONFIG}
VARIABLES = {"mobile_number": "Mobile Number", "callee_name": "Name"}

MISSED = {"run_after": NOON - timedelta(hours=10), "start_date": NOON - timedelta(minutes=1)}
GOING = {
    "begun in time": {"run_after": NOON - timedelta(hours=10), "start_date": NOON - timedelta(hours=8)},
    "triggered by hand": {"run_after": NOON - timedelta(hours=10), "start_date": NOON, "run_type": "manual"},
    "of an asset": {"run_after": NOON - timedelta(hours=10), "start_date": NOON, "run_type": "asset_triggered"},
    "cleared": {**MISSED, "clear_number": 1},
}
REFUSED = {
    "part of a backfill": {"run_after": NOON, "run_type": "backfill"},
    "due 24.0 h ago": {"run_after": NOON - timedelta(hours=24, minutes=1), "run_type": "manual"},
}

Attempt = Callable[..., Any]


@pytest.fixture(params=["sql to ringg", "sql to smartalex", "save", "upload csv", "add contacts"])
def attempt(request: Any, platform: Any, sqlite_warehouse: Warehouse, contacts: str) -> Attempt:
    """Runs one of the operators that upload people's data: `attempt({"run_type": ...}, max_delay=...)`."""
    sqlite_warehouse.execute("CREATE TABLE people (phone TEXT, first_name TEXT)")
    sqlite_warehouse.execute("INSERT INTO people VALUES ('+919876543210', 'Asha')")
    operators: dict[str, Callable[..., Any]] = {
        "sql to ringg": lambda **more: SqlToRinggOperator(
            **COMMON, **LISTS, variables_map={"callee_name": "first_name"}, call_config=CALL_CONFIG, **more
        ),
        "sql to smartalex": lambda **more: SqlToSmartAlexOperator(
            **SMARTALEX, **LISTS, agent_id="agent_survey", settings=SETTINGS, **more
        ),
        "save": lambda **more: RinggSaveCampaignOperator(
            **COMMON, **FILE, contacts=contacts, variables_map=VARIABLES, **more
        ),
        "upload csv": lambda **more: RinggUploadCsvOperator(
            **COMMON, **FILE, contacts=contacts, variables_map=VARIABLES, **more
        ),
        "add contacts": lambda **more: SmartAlexAddContactsOperator(
            **SMARTALEX, **QUERY, campaign_id=request.getfixturevalue("draft"), **more
        ),
    }

    def run(run: dict[str, Any] | None = None, **more: Any) -> Any:
        return operators[request.param](**more).execute(context(**run or {}))

    return run


@pytest.fixture
def draft(platform: Any) -> str:
    """A draft on SmartAlex with nobody on it."""
    created = SmartAlexCreateCampaignOperator(**SMARTALEX, name="Survey", agent_id="agent_survey", settings=SETTINGS)
    return str(created.execute(context()))


def uploads(platform: Any) -> list[str]:
    """The requests that could have carried people's data."""
    written = [one for one in platform.requests() if one["method"] not in ("GET", "HEAD")]
    return [one["path"] for one in written if not one["path"].endswith("/campaigns")]


@pytest.mark.parametrize("words", REFUSED)
def test_a_backfill_and_an_old_run_upload_nothing_unless_told_to(attempt: Attempt, platform: Any, words: str) -> None:
    with refused(StaleCampaign, words):
        attempt(REFUSED[words])
    assert uploads(platform) == []
    attempt(REFUSED[words], allow_backfill=True)
    assert len(uploads(platform)) == 1


def test_a_run_that_missed_its_time_ends_skipped_and_says_what_to_do(attempt: Attempt, platform: Any) -> None:
    with pytest.raises(AirflowSkipException) as caught:
        attempt(MISSED)
    assert str(caught.value) == (
        "Nobody is called: this run was due at 2027-02-28T20:30+00:00 and began 10.0 h later, as it happens when a DAG "
        "is unpaused after its time or no scheduler ran; at most 2.0 h are allowed (max_delay). To call after all, "
        "trigger the DAG, or clear this run."
    )
    with pytest.raises(AirflowSkipException):
        attempt(MISSED, allow_backfill=True)  # a parameter for other runs
    assert uploads(platform) == []
    attempt(MISSED, max_delay=timedelta(hours=10))
    assert len(uploads(platform)) == 1


@pytest.mark.parametrize("which", GOING)
def test_a_run_that_began_in_time_or_that_somebody_wanted_uploads(attempt: Attempt, platform: Any, which: str) -> None:
    attempt(GOING[which])
    assert len(uploads(platform)) == 1


@pytest.mark.parametrize("attempt", ["sql to ringg", "sql to smartalex", "save", "upload csv"], indirect=True)
def test_for_a_schedule_that_is_over_nothing_is_uploaded(attempt: Attempt, platform: Any) -> None:
    with refused(InvalidRequest, "campaign_end_time has passed, so nobody would be called"):
        attempt(campaign_end_time=NOON - timedelta(hours=1))
    with refused(InvalidRequest, "the daily window 10:00-19:00 never opens between"):
        attempt(campaign_start_time="2027-03-01T19:30", campaign_end_time="2027-03-01T22:00")
    assert uploads(platform) == []


@pytest.mark.parametrize("attempt", ["sql to ringg", "sql to smartalex"], indirect=True)
def test_hours_that_end_while_the_query_is_read_are_noticed(
    attempt: Attempt, platform: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sql_to_lists.sql_connection

    def slow(*arguments: Any, **options: Any) -> Any:
        clock.move_to(NOON + timedelta(hours=3))
        return connect(*arguments, **options)

    monkeypatch.setattr(sql_to_lists, "sql_connection", slow)
    with pytest.raises(Exception, match=r"has passed|were over"):
        attempt(campaign_end_time=NOON + timedelta(hours=2))
    assert uploads(platform) == []
    assert not [one for one in platform.requests() if one["method"] == "POST"]


@pytest.mark.parametrize("attempt", ["sql to ringg"], indirect=True)
def test_a_dry_run_is_made_in_any_run(attempt: Attempt, platform: Any) -> None:
    (item,) = attempt(REFUSED["part of a backfill"], dry_run=True)
    assert (item["list_id"], item["rows"]) == (None, 1)
    assert uploads(platform) == []


@pytest.mark.parametrize("attempt", ["sql to ringg"], indirect=True)
def test_lists_that_were_launched_before_are_returned_in_any_run(attempt: Attempt, platform: Any) -> None:
    keyed = {"launch_key": "key", "ledger_conn_id": "warehouse"}
    (item,) = attempt(**keyed)
    start(item["list_id"], **keyed)
    assert attempt(REFUSED["part of a backfill"], **keyed) == [item]
    assert len(uploads(platform)) == 2, "one upload and one start"


def test_a_list_of_another_run_is_not_started_by_one_that_missed_its_time(platform: Any, saved: str) -> None:
    with pytest.raises(AirflowSkipException, match=r"began 10\.0 h later"):
        start(saved, MISSED)
    assert started(platform) == 0
    assert start(saved, GOING["cleared"]) == saved
    assert start(saved, MISSED) == saved, "what runs is adopted"


def test_a_preflight_judges_nothing_in_a_run_that_missed_its_time(platform: Any, saved: str) -> None:
    check = RinggPreflightOperator(
        **COMMON, list_id=saved, country_code="+91", call_config=CALL_CONFIG, from_numbers=LINE, flow="standard"
    )
    before = len(platform.requests())
    with pytest.raises(AirflowSkipException):
        check.execute(context(**MISSED))
    assert len(platform.requests()) == before
    assert check.execute(context(**GOING["begun in time"]))["lists"] == 1
