"""Two runs, or a run and a person, under one launch key, against the sandbox on a socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowSkipException,
)

from ringg_provider.exceptions import (
    ReplacedByAnotherRun,
)
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.table import Launcher
from ringg_provider.operators import launching
from ringg_provider.operators.ledgers import open_ledger
from ringg_provider.operators.ringg import (
    RinggLaunchOperator,
)
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from tests.operators.ringg.starts import (
    AGENT,
    COMMON,
    CONFIG,
    LINE,
    both_flows,
    launches,
    posts,
    starting,
)
from tests.support.sandbox import Sandbox
from tests.support.tasks import context


@pytest.fixture(autouse=True)
def clock() -> None:
    """Campaigns run to their end here, so time passes; the other modules of this folder hold it still."""


def test_two_lists_of_the_same_people_under_one_key_are_one_start(
    sandbox: Sandbox, upload: Any, sqlite_warehouse: Any
) -> None:
    first, second = upload("standard"), upload("standard")
    keyed = {"launch_key": "survey-2027-03-01", "ledger_conn_id": "warehouse"}
    assert starting("standard", first, **keyed).execute(context()) == first
    assert starting("standard", second, **keyed).execute(context()) == first
    assert launches(sandbox) == [1, 0]


# Two runs at once, under one key.


def racing(flow: str, item: LaunchItem, run_id: str) -> tuple[Any, Any]:
    """The launch of one of a run's lists, and the run."""
    operator = RinggLaunchOperator(**COMMON, launch=item.as_xcom(), from_numbers=[LINE], poll_interval=0.1)
    attempt = context()
    attempt["ti"].run_id = run_id
    return operator, attempt


@pytest.fixture
def listed_twice(upload: Any, sqlite_warehouse: Any) -> Callable[[str], tuple[LaunchItem, LaunchItem]]:
    """One run lists the people of a key, and another one does so right after it, so that its lists stand."""

    def listed_twice(flow: str) -> tuple[LaunchItem, LaunchItem]:
        items = [
            LaunchItem(
                list_id=upload(flow),
                flow=flow,  # type: ignore[arg-type]
                agent_id=AGENT,
                country_code="+91",
                call_config=CONFIG,
                launch_key="survey",
                ledger_conn_id="warehouse",
            )
            for _ in range(2)
        ]
        ledger = open_ledger("warehouse")
        for number, item in enumerate(items):
            ledger.replace_set("survey", [item], Launcher("dag", f"run-{number}", "lists"))
        return items[0], items[1]

    return listed_twice


@both_flows
def test_the_loser_of_a_race_ends_skipped_and_says_which_run_launched(
    sandbox: Sandbox, listed_twice: Any, flow: str
) -> None:
    theirs, ours = listed_twice(flow)
    winner, run = racing(flow, ours, "run-1")
    assert winner.execute(run) == ours.list_id
    loser, run = racing(flow, theirs, "run-0")
    with pytest.raises(AirflowSkipException, match="run run-1 of DAG dag launched its key"):
        loser.execute(run)
    assert sandbox.dials()["max_calls_per_number"] <= 1
    assert sorted(launches(sandbox)) == [0, 1]


def test_the_loser_of_a_race_waits_for_the_winner_to_launch(
    sandbox: Sandbox, listed_twice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = listed_twice("standard")
    winner, run = racing("standard", ours, "run-1")
    starting_now = threading.Timer(1.0, winner.execute, [run])
    starting_now.start()
    monkeypatch.setattr(launching, "sleep_until_told", lambda seconds, told: time.sleep(0.2))
    loser, run = racing("standard", theirs, "run-0")
    with pytest.raises(AirflowSkipException, match="run run-1"):
        loser.execute(run)
    starting_now.join()
    assert sorted(launches(sandbox)) == [0, 1]


@pytest.mark.usefixtures("quick_settling")
def test_lists_that_gave_way_to_others_which_nobody_launches_fail_with_the_advice_to_clear_the_run(
    sandbox: Sandbox, listed_twice: Any
) -> None:
    theirs, _ = listed_twice("standard")
    loser, run = racing("standard", theirs, "run-0")
    with pytest.raises(ReplacedByAnotherRun, match="clear the whole run, not this task alone") as caught:
        loser.execute(run)
    assert "another key" not in str(caught.value)
    assert launches(sandbox) == [0, 0]


# A key that was launched with a list that was saved by hand.


@both_flows
def test_a_run_whose_key_was_launched_by_hand_adopts_that_list_through_its_ledger(
    sandbox: Sandbox, upload: Any, sqlite_warehouse: Any, flow: str
) -> None:
    by_hand = upload(flow)
    assert starting(flow, by_hand, launch_key="survey", ledger_conn_id="warehouse").execute(context()) == by_hand
    sqlite_warehouse.execute("CREATE TABLE people (phone TEXT)")
    (item,) = SqlToRinggOperator(
        **COMMON,
        sql_conn_id="warehouse",
        sql="SELECT phone FROM people",
        agent_id=AGENT,
        campaign_name="Survey",
        phone_column="phone",
        variables_map={"callee_name": "phone"},
        country_code="+91",
        call_config=CONFIG,
        launch_key="survey",
        ledger_conn_id="warehouse",
    ).execute(context())
    assert (item["list_id"], item["launch_key"], item["ledger_conn_id"]) == (by_hand, "survey", "warehouse")
    assert RinggLaunchOperator(**COMMON, launch=item, from_numbers=[LINE]).execute(context()) == by_hand
    assert posts(sandbox) == 1
