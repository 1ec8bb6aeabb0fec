"""Stopping: by campaign, agent, calls and numbers, and by a query of numbers in any spelling."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider.exceptions import InvalidRequest, QueryFailed
from ringg_provider.operators.ringg import RinggStartCampaignOperator, RinggTerminateOperator
from tests.operators.campaigns import AGENT, COMMON, LINE, refused
from tests.support.tasks import context

ASHA, RAVI = "+919876543210", "+919876543211"


@pytest.fixture
def running(platform: Any, saved: str) -> str:
    """A campaign that has called nobody yet."""
    RinggStartCampaignOperator(list_id=saved, from_numbers=LINE, **COMMON).execute(context())
    return saved


def stop(**how: Any) -> int:
    return RinggTerminateOperator(task_id="task", ringg_conn_id="ringg_sandbox", **how).execute(context())


def stopped(platform: Any) -> set[str]:
    return {call["to_number"] for call in platform.state()["calls"] if call["status"] == "cancelled"}


@pytest.fixture(params=["warehouse", "sqlite_warehouse"])
def opt_outs(request: pytest.FixtureRequest) -> Any:
    """A table of numbers as people enter them, in PostgreSQL and in SQLite."""
    database = request.getfixturevalue(request.param)
    database.execute("CREATE TABLE do_not_call (phone TEXT)")
    return database


def enter(database: Any, *phones: Any) -> None:
    database.execute("INSERT INTO do_not_call VALUES (:phone)", [{"phone": phone} for phone in phones])


@pytest.mark.parametrize("platform", ["g2", "g3"], indirect=True)
@pytest.mark.parametrize(
    ("how", "asked", "who"),
    [
        (lambda running: {"campaign_id": running}, 1, {ASHA, RAVI}),
        (lambda _: {"agent_id": AGENT}, 1, {ASHA, RAVI}),
        (lambda _: {"mobile_numbers": [RAVI, RAVI]}, 1, {RAVI}),
        (lambda running: {"mobile_numbers": [RAVI, "+919999999999"], "campaign_id": running}, 2, {RAVI}),
    ],
)
def test_each_way_stops_what_it_names_and_again_is_no_error(
    platform: Any, running: str, how: Any, asked: int, who: set[str]
) -> None:
    for _ in range(2):
        assert stop(**how(running)) == asked
        assert stopped(platform) == who


def test_a_query_stops_numbers_in_any_spelling_and_leaves_out_what_is_none(
    platform: Any, running: str, opt_outs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    enter(opt_outs, "098765 43210", "+91 (98765) 43210", "call the office", None)
    sql = "SELECT phone FROM do_not_call WHERE phone IS NULL OR phone LIKE '%4321_' OR phone LIKE 'call%'"
    assert stop(sql_conn_id="warehouse", sql=sql, country_code="+91") == 1
    assert stopped(platform) == {ASHA}
    said = capsys.readouterr().out
    assert "What cannot be read as a phone number stops nobody: 2 values to stop." in said
    assert "43210" not in said


def test_one_bad_number_among_many_stops_nobody_half_way(platform: Any, running: str) -> None:
    numbers = [RAVI, *(f"+9198{place:08d}" for place in range(150)), "9876543210"]
    with pytest.raises(AirflowFailException, match="mobile_numbers") as caught:
        stop(mobile_numbers=numbers)
    assert "98765" not in str(caught.value)
    assert stopped(platform) == set()
    assert [request for request in platform.requests() if request["method"] == "PATCH"] == []


def test_a_long_query_is_sent_a_hundred_numbers_at_a_time(platform: Any, running: str, opt_outs: Any) -> None:
    enter(opt_outs, *(f"+9198460{number:05d}" for number in range(249)), RAVI)
    before = len(platform.requests())
    assert stop(sql_conn_id="warehouse", sql="SELECT phone FROM do_not_call", country_code="+91") == 250
    # Two requests name nobody who is called; the third is said again without those whom the platform does not know.
    assert {request["method"] for request in platform.requests()[before:]} == {"PATCH"}
    assert 3 <= len(platform.requests()) - before <= 4
    assert stopped(platform) == {RAVI}


def test_nobody_to_stop_asks_nobody(platform: Any, running: str, opt_outs: Any) -> None:
    before = len(platform.requests())
    assert stop(sql_conn_id="warehouse", sql="SELECT phone FROM do_not_call", country_code="+91") == 0
    assert len(platform.requests()) == before


def test_a_query_that_the_database_refuses_fails_without_a_value_in_the_text(platform: Any, opt_outs: Any) -> None:
    enter(opt_outs, RAVI)
    with pytest.raises(AirflowFailException) as caught:
        stop(sql_conn_id="warehouse", sql=f"SELECT nothing FROM do_not_call WHERE phone = '{RAVI}'")
    assert isinstance(caught.value.__cause__, QueryFailed)
    assert RAVI not in str(caught.value)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "give exactly one"),
        ({"campaign_id": "c", "agent_id": "a"}, "give exactly one"),
        ({"mobile_numbers": [RAVI], "agent_id": "a"}, "give exactly one"),
        ({"sql": "SELECT 1"}, "sql, sql_conn_id: give both"),
    ],
)
def test_what_is_not_exactly_one_way_is_refused_before_anything_is_asked(
    platform: Any, how: dict[str, Any], words: str
) -> None:
    with refused(InvalidRequest, words):
        stop(**how)
    assert platform.requests() == []
