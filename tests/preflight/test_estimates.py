"""Estimates: do the retries fit, will everybody be reached, do the credits suffice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.preflight.estimates import (
    CostEstimate,
    ListLoad,
    estimate_cost,
    expected_attempts,
    judge_credits,
    judge_feasibility,
    judge_retries,
)
from ringg_provider.preflight.report import Check, Finding, Level
from ringg_provider.wording import moment


def at(hour: float, day: int = 14) -> datetime:
    return datetime(2026, 10, day, tzinfo=UTC) + timedelta(hours=hour)


NINE_TO_FIVE = [(at(9), at(17))]
TWO_DAYS = [(at(9), at(17)), (at(9, 15), at(17, 15))]


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


class TestRetries:
    def judge(self, spans, retries, wait, *, must_fit=False):
        return judge_retries(spans, retries, minutes(wait), must_fit=must_fit)

    @pytest.mark.parametrize("wait", [0, 30, 600])
    def test_no_retries_always_fit(self, wait):
        assert self.judge(NINE_TO_FIVE, 0, wait) == Finding(
            Check.RETRIES, Level.OK, "Before the calling hours are over, 1 attempt fits."
        )

    def test_the_last_retry_must_come_before_closing(self):
        assert self.judge(NINE_TO_FIVE, 4, 119).level is Level.OK
        # 09:00 and four times two hours is 17:00, when the window is closed
        assert "4 of 5 attempts" in self.judge(NINE_TO_FIVE, 4, 120).message

    def test_a_retry_after_closing_waits_for_the_next_opening(self):
        assert "2 of 3" in self.judge(NINE_TO_FIVE, 2, 300).message  # 09:00, 14:00, never
        assert self.judge(TWO_DAYS, 2, 300).level is Level.OK  # 09:00, 14:00, 09:00 of the next day

    def test_without_any_callable_time_nothing_fits(self):
        assert "0 of 2" in self.judge([], 1, 30).message

    def test_waits_are_real_minutes_over_a_change_of_the_clocks(self):
        zone = ZoneInfo("America/New_York")
        # Clocks go back at 02:00: from 00:30 to 03:30 on the wall are four hours.
        night = [(datetime(2026, 11, 1, 0, 30, tzinfo=zone), datetime(2026, 11, 1, 3, 30, tzinfo=zone))]
        assert self.judge(night, 1, 210).level is Level.OK

    @pytest.mark.parametrize(("must_fit", "level"), [(False, "warning"), (True, "error")])
    def test_retries_that_do_not_fit_are_a_warning_or_an_error(self, must_fit, level):
        assert self.judge(NINE_TO_FIVE, 2, 300, must_fit=must_fit).level == level
        assert self.judge(NINE_TO_FIVE, 0, 300, must_fit=must_fit).level == "ok"


class TestExpectedAttempts:
    def test_without_a_rate_every_retry_counts(self):
        assert expected_attempts(3) == 4

    def test_answered_calls_need_no_retry(self):
        assert expected_attempts(3, 1) == 1
        assert expected_attempts(2, 0.5) == 1.75
        assert expected_attempts(2, 0) == 3

    @pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
    def test_a_rate_is_a_share(self, rate):
        with pytest.raises(InvalidRequest, match="between 0 and 1") as caught:
            expected_attempts(2, rate)
        assert caught.value.field == "answer_rate"


class TestFeasibility:
    def judge(self, *lists, lines=10, seconds=60, attempts=1, **options):
        loads = [ListLoad(contacts, spans) for contacts, spans in lists]
        return judge_feasibility(loads, attempts=attempts, average_seconds=seconds, concurrent_lines=lines, **options)

    def unreached(self, *lists, **options):
        found = self.judge(*lists, **options)
        told = re.match(r"About (\d+) of ", found.message)
        assert (found.level is Level.ERROR) is (told is not None)
        return int(told[1]) if told else 0

    def test_without_lines_there_is_no_verdict(self):
        found = self.judge((100, NINE_TO_FIVE), lines=None)
        assert found.level is Level.WARNING
        assert "concurrent_lines" in found.message

    def test_what_fits_ends_when_the_lines_are_done(self):
        found = self.judge((1200, NINE_TO_FIVE), lines=10)  # 120 minutes
        assert found == Finding(Check.FEASIBILITY, Level.OK, f"All 1,200 contacts can be reached by {moment(at(11))}.")

    def test_what_does_not_fit_says_how_many_are_left(self):
        found = self.judge((6000, NINE_TO_FIVE), lines=10)  # 4,800 line minutes for 6,000 contacts
        assert found.level is Level.ERROR
        assert "1200 of 6000" in found.message

    def test_attempts_and_seconds_multiply(self):
        found = self.judge((1000, NINE_TO_FIVE), lines=10, seconds=90, attempts=2)  # 3,000 line minutes
        assert moment(at(14)) in found.message

    def test_only_the_time_that_is_left_counts(self):
        assert self.unreached((1200, NINE_TO_FIVE), lines=10, now=pendulum.instance(at(16))) == 600
        assert self.unreached((5, NINE_TO_FIVE), now=at(18)) == 5

    def test_lists_share_the_lines_and_the_one_that_closes_first_goes_first(self):
        early, late = [(at(9), at(10))], [(at(9), at(11))]
        found = self.judge((600, late), (600, early), lines=10)
        assert moment(at(11)) in found.message
        assert self.unreached((600, late), (601, early), lines=10) == 1

    def test_nobody_to_call_fits(self):
        assert self.judge((0, NINE_TO_FIVE)) == Finding(Check.FEASIBILITY, Level.OK, "There is nobody to call.")

    @pytest.mark.parametrize("wrong", [{"lines": 0}, {"seconds": 0}, {"attempts": -1}, {"seconds": float("inf")}])
    def test_numbers_must_be_positive(self, wrong):
        with pytest.raises(InvalidRequest, match="greater than 0"):
            self.judge((1, NINE_TO_FIVE), **wrong)

    @given(
        loads=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 20), st.integers(1, 10)), min_size=1, max_size=4),
        lines=st.integers(1, 5),
    )
    def test_reached_people_never_need_more_minutes_than_there_are(self, loads, lines):
        unreached = self.unreached(
            *((contacts, [(at(first), at(first + hours))]) for contacts, first, hours in loads), lines=lines
        )
        total = sum(contacts for contacts, _, _ in loads)
        # One minute each: the lines are busy, at most, in every hour in which some list is open.
        hours = [set(range(first, first + length)) for _, first, length in loads]
        assert total - unreached <= 60 * lines * len(set().union(*hours))
        assert 0 <= unreached <= total
        if len(loads) == 1:
            assert (unreached == 0) is (total <= 60 * lines * len(hours[0]))


class TestCost:
    def test_the_stated_cost_decides(self):
        found = estimate_cost(
            1000, spendable_credits=Decimal(500), credits_per_call=Decimal("0.5"), average_credits=Decimal(9)
        )
        assert found.sufficient is True
        assert found.basis == "credits_per_call"
        assert found.estimated_credits == Decimal(500)
        assert found.shortfall == 0

    def test_the_history_is_the_second_choice(self):
        found = estimate_cost(1000, spendable_credits=Decimal(500), average_credits=Decimal("0.75"))
        assert found.sufficient is False
        assert found.basis == "history"
        assert found.shortfall == Decimal(250)
        assert "top up 250" in found.message

    def test_without_a_cost_there_is_no_verdict(self):
        found = estimate_cost(1000, spendable_credits=Decimal(500))
        assert (found.sufficient, found.basis, found.estimated_credits) == (None, "none", None)

    def test_without_credits_there_is_no_verdict(self):
        found = estimate_cost(1000, spendable_credits=None, credits_per_call=Decimal(1))
        assert found.sufficient is None
        assert found.estimated_credits == 1000

    @pytest.mark.parametrize("cost", ["-1", "NaN"])
    def test_a_cost_is_a_number_of_at_least_zero(self, cost):
        with pytest.raises(InvalidRequest, match="credits_per_call"):
            estimate_cost(1, spendable_credits=Decimal(1), credits_per_call=Decimal(cost))


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
