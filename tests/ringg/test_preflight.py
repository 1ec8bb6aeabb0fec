"""The preflight's judgement where no platform is needed, and the report that is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from ringg_provider.exceptions import PermissionDenied
from ringg_provider.launch.protocol import Evidence, ListState
from ringg_provider.preflight.estimates import CostEstimate, RetryFit
from ringg_provider.preflight.report import Check, Finding, Level, PreflightReport
from ringg_provider.ringg import RinggClient
from ringg_provider.ringg.preflight import (
    judge_callers,
    judge_credits,
    judge_list_state,
    judge_retries,
    judge_rows,
    judge_variables,
)
from ringg_provider.ringg.starts import Callers
from tests.support.http_server import Answer, Asked, ScriptedServer


@dataclass(frozen=True)
class Number:
    id: str = "n1"
    number: str | None = "+918031000001"
    is_test_number: bool = False
    is_spam: bool = False
    provider: str | None = "ringg"
    number_pool_id: str | None = "pool"


@dataclass(frozen=True)
class Workspace:
    numbers: Sequence[Number]

    def list_numbers(self) -> Sequence[Number]:
        return self.numbers

    def list_users(self) -> Sequence[Number]:
        return []


def levels(callers: Callers, *numbers: Number, country_codes: Sequence[str] = ("+91",)) -> dict[str, str]:
    return {found.check: found.level for found in judge_callers(Workspace(numbers), callers, country_codes)}


@pytest.mark.parametrize(
    ("members", "level"),
    [
        ([], "error"),
        ([Number(number_pool_id="another")], "error"),
        ([Number(is_test_number=True)], "error"),
        ([Number(is_spam=True), Number("n2", is_spam=True)], "warning"),
        ([Number(is_spam=True), Number("n2")], "ok"),
    ],
)
def test_a_pool_needs_a_number_that_can_call(members: list[Number], level: str) -> None:
    assert levels(Callers(number_pool_id="pool"), *members) == {"number_pool": level}


def test_a_number_may_be_named_by_its_spelling_and_only_once() -> None:
    assert levels(Callers(["+918031000001"]), Number())["caller_numbers"] == "ok"
    assert levels(Callers(["n1", "n1"]), Number())["caller_numbers"] == "error"


@pytest.mark.parametrize(
    ("provider", "country_codes", "level"),
    [
        ("ringg", ["+91"], "ok"),
        ("ringg", ["+91", "+1"], "warning"),
        ("Twilio", ["+91", "+1"], "ok"),
        (None, ["+1"], "warning"),
    ],
)
def test_only_twilio_numbers_call_abroad(provider: str | None, country_codes: list[str], level: str) -> None:
    found = levels(Callers(["n1"]), Number(provider=provider), country_codes=country_codes)
    assert found["foreign_numbers"] == level


@dataclass(frozen=True)
class Agent:
    variables: frozenset[str] | None
    id: str = "agent"
    agent_type: str | None = "outbound"
    is_outbound: bool = True


@pytest.mark.parametrize(
    ("variables", "mapped", "level"),
    [
        (frozenset({"city"}), ["callee_name", "mobile_number", "city"], "ok"),
        (frozenset({"city"}), ["callee_name", "mobile_number"], "error"),
        (frozenset(), ["callee_name", "mobile_number", "town"], "warning"),
        (None, ["callee_name", "mobile_number"], "error"),
    ],
)
def test_variables_are_all_mapped_and_none_in_vain(
    variables: frozenset[str] | None, mapped: list[str], level: str
) -> None:
    assert judge_variables(Agent(variables), dict.fromkeys(mapped, "column")).level == level


@pytest.mark.parametrize("state", ListState)
def test_every_state_of_a_list_has_a_level_and_only_a_startable_one_is_ok(state: ListState) -> None:
    startable = {ListState.READY, ListState.INSUFFICIENT_BALANCE}
    hopeless = {ListState.FAILED, ListState.TERMINATED, ListState.MISSING}
    expected = "ok" if state in startable else "error" if state in hopeless else "warning"
    assert judge_list_state(state).level == expected


@pytest.mark.parametrize(
    ("listed", "has_calls", "state"),
    [
        (ListState.STARTED, False, ListState.STARTED),
        (ListState.FAILED, True, ListState.FAILED),
        (ListState.READY, True, ListState.ENDED),
        (ListState.READY, False, ListState.READY),
        (None, True, ListState.ENDED),
        (None, False, ListState.AMBIGUOUS),
    ],
)
def test_an_ambiguous_list_is_what_the_listing_and_its_calls_prove(
    listed: ListState | None, has_calls: bool, state: ListState
) -> None:
    assert Evidence(listed, has_calls).state is state


def estimate(basis: str, sufficient: bool | None, spendable: str | None) -> CostEstimate:
    left = None if spendable is None else Decimal(spendable)
    return CostEstimate(sufficient, basis, None, None, "", left)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cost", "told", "unpaid", "level"),
    [
        (estimate("history", True, "9"), None, 0, "ok"),
        (estimate("history", False, "9"), True, 0, "error"),
        # Credits that cannot be read are never "go ahead".
        (estimate("history", None, None), None, 0, "error"),
        (estimate("none", None, "9"), None, 0, "warning"),
        (estimate("none", None, None), None, 0, "warning"),
        (estimate("none", None, "0"), None, 0, "error"),
        (estimate("none", None, "0"), True, 0, "ok"),
        (estimate("history", True, "9"), False, 0, "error"),
        (estimate("history", True, "9"), True, 1, "error"),
    ],
)
def test_credits_are_enough_when_nobody_says_otherwise(
    cost: CostEstimate, told: bool | None, unpaid: int, level: str
) -> None:
    assert judge_credits(cost, told_sufficient=told, unpaid_lists=unpaid).level == level


@pytest.mark.parametrize(("must_fit", "level"), [(False, "warning"), (True, "error")])
def test_retries_that_do_not_fit_are_a_warning_or_an_error(must_fit: bool, level: str) -> None:
    assert judge_retries(RetryFit(False, 3, 1, None, "Only 1 fits."), must_fit=must_fit).level == level
    assert judge_retries(RetryFit(True, 3, 3, None), must_fit=must_fit).level == "ok"


@pytest.mark.parametrize(
    ("rows", "allowance", "accepted", "large", "level"),
    [
        (None, None, False, True, "warning"),
        (100, None, False, True, "ok"),
        (101, None, False, True, "warning"),
        (101, 101, False, True, "ok"),
        (102, 101, False, True, "error"),
        (102, 101, True, True, "ok"),
        (4_999, None, True, False, "ok"),
        (5_000, None, True, False, "warning"),
    ],
)
def test_the_row_allowance(rows: int | None, allowance: int | None, accepted: bool, large: bool, level: str) -> None:
    assert judge_rows(rows, allowance=allowance, accepted=accepted, large=large).level == level


def finding(check: Check, level: Level, message: str) -> Finding:
    return Finding(check, level, message)


def test_findings_of_several_lists_become_one_line_with_the_worst_level() -> None:
    report = PreflightReport(
        [
            finding(Check.RETRIES, Level.OK, "Fine."),
            finding(Check.AGENT, Level.OK, "There."),
            finding(Check.RETRIES, Level.WARNING, "Tight."),
            finding(Check.RETRIES, Level.WARNING, "Tight."),
            finding(Check.RETRIES, Level.ERROR, "No | way."),
        ],
        lists=4,
        rows=None,
    )
    assert report.level is Level.ERROR
    assert report.counts == {"ok": 1, "warning": 0, "error": 1}
    assert [found.check for found in report.checks] == [Check.AGENT, Check.RETRIES]
    assert report.checks[1].message == "Tight. (2 of 4 lists) No | way. (1 of 4 lists)"
    assert report.failing(Level.WARNING) == report.failing(Level.ERROR) == [report.checks[1]]
    lines = report.as_markdown().splitlines()
    assert "an unknown number of contacts on 4 lists" in lines[0]
    # What is wrong comes first, and a bar in a message does not break the table.
    assert lines[4] == r"| ❌ | `retries` | Tight. (2 of 4 lists) No \| way. (1 of 4 lists) |"


def test_a_report_without_a_finding_is_fine() -> None:
    assert PreflightReport([], lists=0, rows=0).as_dict() == {
        "level": "ok",
        "counts": {"ok": 0, "warning": 0, "error": 0},
        "lists": 0,
        "rows": 0,
        "checks": [],
    }


@pytest.mark.parametrize(
    ("callers", "parameter"),
    [
        (Callers(from_numbers=["+911"]), "from_numbers"),
        (Callers(number_pool_id="pool"), "number_pool_id"),
        (Callers(from_numbers=["+911"], email_completion_user_ids=["u"]), "email_completion_user_ids"),
    ],
)
def test_what_a_key_may_not_read_is_named_with_the_parameter_that_needs_it(callers: Callers, parameter: str) -> None:
    def answer(asked: Asked) -> Answer:
        unreadable = asked.path.endswith("users" if parameter.startswith("email") else "numbers")
        number = {"id": "+911", "number": "+911", "type": "twilio"}
        return Answer(403, {"message": "No."}) if unreadable else Answer(body={"workspace_numbers": [number]})

    with (
        ScriptedServer(script=answer) as server,
        RinggClient("key", server.base_url) as client,
        pytest.raises(PermissionDenied, match=rf"^{parameter}: the workspace's .* cannot be read\. GET /workspace/"),
    ):
        list(judge_callers(client, callers, ["+91"]))
