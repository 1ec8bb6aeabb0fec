"""The preflight: all is well when all is well, each check can fail alone, and nothing is changed by looking."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from ringg_provider.exceptions import InvalidRequest, PreflightFailed
from ringg_provider.operators.ringg import RinggPreflightOperator, RinggStartCampaignOperator
from ringg_provider.preflight.report import Check
from tests.operators.campaigns import AGENT, CALL_CONFIG, COMMON, LINE, NOON, refused
from tests.support.tasks import context

DOCS = Path(__file__).parents[3] / "docs" / "preflight.md"
NUMBERS = "aaaaaaaa-0000-4000-8000-00000000000"
NOBODY = "99999999-9999-4999-8999-999999999999"
WELL: dict[str, Any] = {
    **COMMON,
    "country_code": "+91",
    "call_config": {**CALL_CONFIG, "call_retry_config": {"retry_count": 1, "retry_not_picked": 60}},
    "rows": 2,
    "variables_map": {"mobile_number": "Mobile Number", "callee_name": "Name"},
    "from_numbers": [f"{NUMBERS}1", f"{NUMBERS}2"],
    "email_completion_user_ids": ["cccccccc-0000-4000-8000-000000000001"],
    "purpose": "promotional",
    "credits_per_call": 3,
    "concurrent_lines": 2,
    "average_seconds": 60,
}


def preflight(run: dict[str, Any] | None = None, **changes: Any) -> tuple[dict[str, Any], str]:
    """What the operator returns, and its Markdown."""
    task = context(**run or {})
    result = RinggPreflightOperator(**{**WELL, **changes}).execute(task)
    return result, task["ti"].xcom["report"]


def findings(run: dict[str, Any] | None = None, **changes: Any) -> dict[str, tuple[str, str]]:
    """Level and message by code, whether or not the task fails."""
    task = context(**run or {})
    try:
        RinggPreflightOperator(**{**WELL, **changes}).execute(task)
    except AirflowFailException as failure:
        if not isinstance(failure.__cause__, PreflightFailed):
            raise
    rows = re.findall(r"^\| \S+ \w+ \| `(\w+)` \| (.*) \|$", task["ti"].xcom["report"], re.MULTILINE)
    marks = re.findall(r"^\| \S+ (\w+) \| `", task["ti"].xcom["report"], re.MULTILINE)
    return {code: (mark, message) for mark, (code, message) in zip(marks, rows, strict=True)}


def test_all_is_well_when_everything_is_said_and_right(platform: Any, uploaded: str) -> None:
    result, report = preflight(list_id=uploaded)
    assert result["level"] == "ok"
    assert (result["lists"], result["rows"]) == (1, 2)
    # A pool was not asked about: everything else was.
    assert [check["code"] for check in result["checks"]] == [code for code in Check if code != "number_pool"]
    assert {check["level"] for check in result["checks"]} == {"ok"}
    assert result["counts"] == {"ok": 16, "warning": 0, "error": 0}
    assert report.startswith("**Preflight: all is well** for 2 contacts on 1 list: no error, no warning, 16 checks")
    assert json.loads(json.dumps(result)) == result


IST_MORNING = "2027-03-01T11:00"
ONE_CALL_A_DAY = {
    "rules": [
        {
            "jurisdiction": "IN",
            "purposes": ["promotional"],
            "hours": {"daily": "09:00-21:00"},
            "max_attempts_per_day": 1,
            "source": "a test",
            "checked": "2026-11-20",
        }
    ]
}
ALONE: dict[Check, tuple[str, dict[str, Any], str]] = {
    Check.AGENT: ("error", {"agent_id": NOBODY}, f"there is no agent {NOBODY}"),
    Check.VARIABLES: ("error", {"variables_map": {"mobile_number": "Mobile Number"}}, "not mapped: callee_name"),
    Check.CALLER_NUMBERS: (
        "error",
        {"from_numbers": [LINE, NOBODY]},
        "not caller numbers .*: entries 2",
    ),
    Check.TEST_NUMBERS: ("error", {"from_numbers": [LINE, f"{NUMBERS}3"]}, f"campaign calls: {NUMBERS}3"),
    Check.SPAM_NUMBERS: ("warning", {"from_numbers": [LINE, f"{NUMBERS}4"]}, f"flagged as spam.*{NUMBERS}4"),
    Check.FOREIGN_NUMBERS: (
        "warning",
        {"country_code": "+971", "no_rule": "allow", "from_numbers": [LINE, f"{NUMBERS}5"]},
        f"Twilio numbers only.*: {LINE}",
    ),
    Check.NUMBER_POOL: (
        "error",
        {"from_numbers": None, "number_pool_id": NOBODY},
        "no caller number .* in that pool",
    ),
    Check.USERS: ("error", {"email_completion_user_ids": [NOBODY]}, f"not members of this workspace: {NOBODY}"),
    Check.LIST_STATE: ("error", {"list_id": NOBODY}, "does not exist"),
    Check.STALENESS: (
        "error",
        {"campaign_start_time": "2027-03-01T09:59", "campaign_end_time": "2027-03-01T19:00"},
        r"max_delay",
    ),
    Check.SCHEDULE: ("error", {"campaign_end_time": IST_MORNING}, "calling hours are over"),
    Check.CALLING_HOURS: (
        "error",
        {"call_config": {"call_time": {**CALL_CONFIG["call_time"], "call_end_time": "21:01"}}},
        r"At 2027-03-01 21:00 IST .* nobody in IN .*may be called then for promotional",
    ),
    Check.ATTEMPTS: ("error", {"calling_hours": ONE_CALL_A_DAY}, "Up to 2 calls .* in IN at most 1 in 24 hours"),
    Check.RETRIES: (
        "warning",
        {"call_config": {**CALL_CONFIG, "call_retry_config": {"retry_count": 7, "retry_not_picked": 60}}},
        "Only 7 of 8 attempts fit",
    ),
    Check.ROW_ALLOWANCE: ("error", {"row_allowance": 1}, "2 rows are more than the workspace's allowance of 1 a list"),
    Check.CREDITS: ("error", {"credits_per_call": 600_000}, "top up 200,000 credits"),
    Check.FEASIBILITY: ("error", {"average_seconds": 20_000}, "About 1 of 2 contacts would not be reached"),
}


@pytest.mark.parametrize("check", Check)
def test_each_check_can_fail_alone(platform: Any, check: Check) -> None:
    level, change, words = ALONE[check]
    found = findings(**change)
    assert {code for code, (how, _) in found.items() if how != "ok"} == {check}
    assert found[check][0] == level
    assert re.search(words, found[check][1])


def test_an_old_run_and_a_backfill_may_not_call_unless_told_to(platform: Any) -> None:
    for run, words in (
        ({"run_after": NOON - timedelta(days=2)}, "due 48.0 h ago"),
        ({"run_after": NOON, "run_type": "backfill"}, "part of a backfill"),
    ):
        assert words in findings(run)["staleness"][1]
        assert findings(run, allow_backfill=True)["staleness"][0] == "ok"


def test_the_docs_have_one_line_for_each_check() -> None:
    lines = re.findall(r"^\| `(\w+)` \|", DOCS.read_text(), re.MULTILINE)
    assert lines == [check.value for check in Check]


# What the task does with it.


def test_an_error_fails_the_task_without_retry_and_leaves_the_report_behind(platform: Any) -> None:
    task = context()
    with refused(PreflightFailed, r"agent \(error\)"):
        RinggPreflightOperator(**{**WELL, "agent_id": NOBODY}).execute(task)
    assert "❌ error | `agent`" in task["ti"].xcom["report"]
    assert task["ti"].xcom["report"].startswith("**Preflight: do not start**")


def test_a_warning_fails_the_task_only_when_asked_to(platform: Any) -> None:
    result, report = preflight(concurrent_lines=None)
    assert (result["level"], result["counts"]["warning"]) == ("warning", 1)
    # What is wrong stands at the top.
    assert report.split("|---|---|---|\n")[1].startswith("| ⚠️ warning | `feasibility` |")
    with refused(PreflightFailed, r"feasibility \(warning\)"):
        preflight(concurrent_lines=None, fail_on="warning")
    preflight(fail_on="warning")


def test_retries_that_do_not_fit_are_an_error_by_choice(platform: Any) -> None:
    _, change, _ = ALONE[Check.RETRIES]
    assert findings(**change, retries_must_fit=True)["retries"][0] == "error"


@pytest.mark.parametrize("platform", ["g2", "g3"], indirect=True)
def test_looking_changes_nothing(platform: Any, uploaded: str) -> None:
    before, asked = platform.state(), len(platform.requests())
    preflight(list_id=uploaded, sql_conn_id=None)
    assert platform.state() == before
    made = platform.requests()[asked:]
    assert made
    assert {request["method"] for request in made} == {"GET"}


def test_nothing_personal_is_in_the_report_or_the_result(platform: Any, capsys: pytest.CaptureFixture[str]) -> None:
    spelled = ["+918031000001", "+918031000003", "+918031000004", "+918031999999"]
    task = context()
    with refused(PreflightFailed):
        RinggPreflightOperator(**{**WELL, "from_numbers": spelled}).execute(task)
    text = task["ti"].xcom["report"] + capsys.readouterr().out
    assert "test_numbers" in text
    assert "8031" not in text


# What is not said is not taken for fine.


@pytest.mark.parametrize(
    ("left_out", "warned"),
    [
        ({"purpose": None}, {"calling_hours"}),
        ({"rows": None}, {"row_allowance", "credits", "feasibility"}),
        ({"credits_per_call": None}, {"credits"}),
        ({"concurrent_lines": None}, {"feasibility"}),
        ({"average_seconds": None}, {"feasibility"}),
    ],
)
def test_what_cannot_be_judged_is_a_warning(platform: Any, left_out: dict[str, Any], warned: set[str]) -> None:
    found = findings(**left_out)
    assert {code for code, (level, _) in found.items() if level == "warning"} == warned
    assert "error" not in {level for level, _ in found.values()}


def test_neither_numbers_nor_a_pool_is_an_error_and_so_are_both(platform: Any) -> None:
    pool = "bbbbbbbb-0000-4000-8000-000000000001"
    assert findings(from_numbers=None)["caller_numbers"][0] == "error"
    assert findings(number_pool_id=pool)["caller_numbers"][0] == "error"
    assert findings(from_numbers=None, number_pool_id=pool)["number_pool"] == (
        "ok",
        "The pool has 3 numbers; 1 flagged as spam is skipped.",
    )


@pytest.mark.parametrize(("rows", "level"), [(100, "ok"), (101, "warning"), (5_000, "warning"), (5_001, "warning")])
def test_the_row_allowance_is_hinted_at_where_it_is_not_known(platform: Any, rows: int, level: str) -> None:
    how, message = findings(rows=rows, concurrent_lines=500)["row_allowance"]
    assert how == level
    assert ("agreement" in message) == (rows > 5_000)


def test_a_long_list_is_not_meant_for_the_standard_flow(platform: Any) -> None:
    assert "large flow" in findings(rows=5_000, flow="standard", concurrent_lines=500)["row_allowance"][1]


# Where people are.


@pytest.mark.parametrize(
    ("opens", "closes", "level", "words"),
    [
        ("14:00", "17:00", "error", "There is no calling-hours rule"),
        ("07:00", "12:00", "error", "nobody in US (America/New_York) may be called then"),
        ("09:00", "17:00", "warning", "only some parts of US may be called"),
    ],
)
def test_a_country_of_many_zones_is_forbidden_allowed_or_a_matter_of_where(
    platform: Any, opens: str, closes: str, level: str, words: str
) -> None:
    call_time = {"call_start_time": opens, "call_end_time": closes, "timezone": "America/New_York"}
    change = {"country_code": "+1", "call_config": {"call_time": call_time}, "from_numbers": [f"{NUMBERS}5"]}
    if level == "error" and opens == "14:00":
        change["calling_hours"] = ONE_CALL_A_DAY  # which says nothing about the United States
    found = findings(campaign_start_time="2027-03-02T00:00-05:00", **change)
    assert found["calling_hours"][0] == level
    assert words in found["calling_hours"][1]


def test_slots_are_what_is_held_against_the_hours(platform: Any) -> None:
    late = {"call_time": {**CALL_CONFIG["call_time"], "call_end_time": "23:00"}}
    fine = {"mode": "absolute", "intervals": [{"start": "01/03/2027, 13:00", "end": "01/03/2027, 21:00"}]}
    too_late = {"mode": "absolute", "intervals": [{"start": "01/03/2027, 13:00", "end": "01/03/2027, 21:30"}]}
    assert findings(call_config=late)["calling_hours"][0] == "error"
    assert findings(call_config=late, call_slots=fine)["calling_hours"][0] == "ok"
    assert findings(call_config=late, call_slots=too_late)["calling_hours"][0] == "error"


def test_a_blackout_date_is_a_day_on_which_nobody_may_be_called(platform: Any) -> None:
    assert findings(blackout_dates=["2027-03-01"])["calling_hours"][0] == "error"
    assert findings(blackout_dates=["2027-03-02"])["calling_hours"][0] == "ok"


# The list and the credits, as the platform has them.


def test_a_list_that_was_started_is_a_warning_because_nobody_is_called_again(platform: Any, saved: str) -> None:
    RinggStartCampaignOperator(list_id=saved, from_numbers=LINE, **COMMON).execute(context())
    found = findings(list_id=saved, flow="standard")
    assert found["list_state"][0] == "warning"
    assert "adopted" in found["list_state"][1]


def test_a_list_that_waits_for_credits_is_an_error_whatever_the_estimate_says(
    platform: Any, contacts: str, request: pytest.FixtureRequest
) -> None:
    platform.settings(balance="0.5")
    unpaid = request.getfixturevalue("uploaded")
    platform.settings(balance=1_000_000)
    found = findings(list_id=unpaid)
    assert {code: level for code, (level, _) in found.items() if level != "ok"} == {"credits": "error"}
    # Asking about it would have made it a draft: nothing was changed.
    assert platform.state()["campaigns"][0]["state"] == "insufficient_balance"


@pytest.mark.parametrize(
    ("balance", "credits_per_call", "level"),
    [
        ({"sufficient": True, "basis": "status"}, None, "ok"),
        ({"sufficient": False, "basis": "status"}, 1, "error"),
        ({}, 1, "error"),
        ({"sufficient": True, "basis": "status"}, 600_000, "error"),
    ],
)
def test_the_platforms_own_word_on_the_credits_counts_beside_the_estimate(
    platform: Any, balance: dict[str, Any], credits_per_call: Any, level: str
) -> None:
    assert findings(balance=balance, credits_per_call=credits_per_call)["credits"][0] == level


def test_without_a_price_a_workspace_without_credits_is_an_error(platform: Any) -> None:
    platform.settings(balance=0)
    assert findings(credits_per_call=None)["credits"] == ("error", "The workspace has no credits to spend: top up.")


# Several lists.


def items(*rows: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "list_id": None,
            "flow": "large",
            "agent_id": AGENT,
            "country_code": "+91",
            "call_config": CALL_CONFIG,
            "campaign_start_time": "01/03/2027, 13:00",
            "campaign_end_time": "01/03/2027, 17:00",
            "rows": count,
            **changes,
        }
        for count in rows
    ]


OF_LISTS: dict[str, Any] = {
    "agent_id": None,
    "country_code": None,
    "call_config": None,
    "rows": None,
    "variables_map": None,
}


def test_all_lists_of_a_query_share_the_lines_and_the_credits(platform: Any) -> None:
    result, _ = preflight(**OF_LISTS, launches=items(60, 40), average_seconds=120)
    assert (result["lists"], result["rows"], result["level"]) == (2, 100, "ok")
    # Each list alone would be done in time; both together are not: two lines, four hours, five minutes a call.
    alone = findings(**OF_LISTS, launches=items(90), average_seconds=300)
    together = findings(**OF_LISTS, launches=items(90, 90), average_seconds=300)
    assert (alone["feasibility"][0], together["feasibility"][0]) == ("ok", "error")
    platform.settings(balance=299)
    assert findings(**OF_LISTS, launches=items(60, 40))["credits"][0] == "error"


def test_a_finding_says_of_how_many_lists_it_is_true(platform: Any) -> None:
    late = items(1, campaign_start_time="01/03/2027, 09:00")
    found = findings(**OF_LISTS, launches=[*items(1, 1), *late])
    assert found["staleness"][0] == "error"
    assert found["staleness"][1].endswith("(1 of 3 lists)")


def test_no_list_at_all_is_nothing_to_worry_about(platform: Any) -> None:
    result, _ = preflight(**OF_LISTS, launches=[])
    assert (result["lists"], result["rows"], result["level"]) == (0, 0, "ok")


def test_bad_arguments_are_named(platform: Any) -> None:
    for words, change in {
        "launches: it says agent": {"launches": []},
        "call_config: give it, or launches": {"call_config": None},
        "launches: .* missing: agent_id": {**OF_LISTS, "launches": [{"flow": "large"}]},
        "fail_on: must be": {"fail_on": "never"},
        "rows: must be a whole number": {"rows": "many"},
    }.items():
        with refused(InvalidRequest, words):
            preflight(**change)
