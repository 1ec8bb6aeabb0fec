"""Brakes: pulled where chance does not explain what was seen, and not otherwise; how sure that is, counted exactly."""

from __future__ import annotations

import json
import pickle
import random
from datetime import UTC, datetime
from fractions import Fraction
from math import comb
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.launch.rollout import Brakes, Observed, judge, lower_bound

ALL = Brakes(opt_outs=0.02, failures=0.5, short_calls=(5, 0.6), classifications={"Complaint": 0.01})


def tail(count: int, of: int, share: Fraction) -> Fraction:
    """The chance of so many or more, summed up term by term."""
    return sum(
        (comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(count, of + 1)),
        start=Fraction(0),
    )


@settings(deadline=None)
@given(st.integers(1, 60), st.data(), st.sampled_from([0.05, 0.01, 1e-4]))
def test_the_bound_is_the_exact_one(of: int, data: st.DataObject, chance: float) -> None:
    count = data.draw(st.integers(0, of))
    limit = data.draw(st.floats(0, 0.9))
    bound = lower_bound(count, of, chance, limit)
    assert 0 <= bound <= count / of
    if count == 0:
        assert bound == 0
        return
    assert tail(count, of, Fraction(bound)) < chance
    assert tail(count, of, Fraction(bound * 1.002)) >= chance
    assert (bound > limit) is (tail(count, of, Fraction(limit)) < chance)


def test_the_bound_of_a_million_calls_is_found_at_once() -> None:
    assert 0.0199 < lower_bound(20_500, 1_000_000, 1e-4, 0.02) < 0.0205


def test_three_times_the_limit_pulls_the_brake_and_says_what_was_seen() -> None:
    verdict = judge(ALL, Observed(calls=2_000, reached=1_000, connected=1_200, opt_outs=60, failures=800))
    assert verdict.pulled is not None
    assert verdict.pulled.check.brake == "opt_outs"
    assert (verdict.pulled.check.count, verdict.pulled.check.of) == (60, 1_000)
    assert "opt outs: 60 of 1,000 calls (6.0%), where 2.0% is allowed" in str(verdict)
    assert [check.brake for check in verdict.checks] == [
        "opt_outs", "failures", "short_calls", "classification complaint",
    ]  # fmt: skip


def test_a_share_above_its_limit_that_chance_explains_does_not() -> None:
    # 5 % of a hundred, where 2 % are allowed: of campaigns at the limit, one in twenty shows as many.
    verdict = judge(Brakes(opt_outs=0.02), Observed(calls=100, reached=100, connected=100, opt_outs=5))
    assert verdict.checks[0].share > 0.02
    assert verdict.pulled is None


@pytest.mark.parametrize(
    ("brakes", "bad"),
    [
        (Brakes(failures=0.5), {"failures": 900}),
        (Brakes(short_calls=(5, 0.2)), {"short_calls": 500}),
        (Brakes(classifications={" COMPLAINT ": 0.01}), {"classifications": {"complaint": 60}}),
        (Brakes(opt_outs=0), {"opt_outs": 1}),
    ],
)
def test_each_brake_has_its_own_count(brakes: Brakes, bad: dict[str, Any]) -> None:
    healthy = {"calls": 1_000, "reached": 600, "connected": 700}
    assert judge(brakes, Observed(**healthy)).pulled is None
    assert judge(brakes, Observed(**healthy | bad)).pulled is not None


def test_what_counts_against_a_brake_is_one_of_those_that_it_is_judged_by() -> None:
    # A call without a duration, or one that is said to be a machine's, in which somebody opted out all the same.
    verdict = judge(Brakes(opt_outs=0.02, min_calls=1), Observed(calls=10, reached=0, opt_outs=10))
    assert verdict.pulled is not None
    assert verdict.checks[0].of == 10


def test_nothing_is_judged_before_enough_calls_have_ended() -> None:
    few = Observed(calls=49, reached=49, connected=49, opt_outs=49)
    verdict = judge(ALL, few)
    assert verdict.pulled is None
    assert "too few calls are known" in str(verdict)


def stopped(brakes: Brakes, rates: dict[str, float], calls: int, dice: random.Random) -> bool:
    """Whether a campaign is ever stopped that is judged after each of its calls."""
    seen = dict.fromkeys(rates, 0)
    for number in range(1, calls + 1):
        changed = [name for name, rate in rates.items() if dice.random() < rate]
        for name in changed:
            seen[name] += 1
        known = Observed(
            calls=number,
            reached=number,
            connected=number,
            opt_outs=seen["opt_outs"],
            failures=seen["failures"],
            short_calls=seen["short_calls"],
            classifications={"complaint": seen["complaint"]},
        )
        # Only what is worse than before can pull a brake.
        if changed and number >= brakes.min_calls and judge(brakes, known).pulled is not None:
            return True
    return False


def test_looking_after_every_call_does_not_multiply_chance_alarms() -> None:
    at_the_limits = {"opt_outs": 0.02, "failures": 0.05, "short_calls": 0.04, "complaint": 0.01}
    brakes = Brakes(opt_outs=0.02, failures=0.05, short_calls=(5, 0.04), classifications={"complaint": 0.01})
    dice = random.Random(17)
    stops = sum(stopped(brakes, at_the_limits, 400, dice) for _ in range(100))
    # At most one in twenty is promised of campaigns that stand at all four limits; far fewer are, since it is exact.
    assert stops <= 5


def test_the_checkpoints_bound_what_any_number_of_looks_may_find() -> None:
    # Between two checkpoints, one more call without a finding never makes the verdict harsher.
    brakes = Brakes(opt_outs=0.02, min_calls=1)
    for count in range(1, 30):
        pulled = [
            judge(brakes, Observed(calls=of, reached=of, opt_outs=count)).pulled is not None for of in range(30, 400)
        ]
        assert pulled == sorted(pulled, reverse=True)


def test_brakes_travel_as_plain_json() -> None:
    assert Brakes.of(json.loads(json.dumps(ALL.as_json()))) == ALL
    assert Brakes.of(ALL) is ALL
    assert pickle.loads(pickle.dumps(ALL)) == ALL
    verdict = judge(ALL, Observed(calls=60, reached=30, as_of=datetime(2026, 11, 26, tzinfo=UTC)))
    assert json.loads(json.dumps(verdict.as_json()))["pulled"] is None
    assert json.loads(json.dumps(Observed(classifications={"a": 1}).as_json()))["classifications"] == {"a": 1}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"opt_outs": 1.5}, "brakes.opt_outs"),
        ({"opt_outs": 2}, "brakes.opt_outs"),
        ({"failures": "0.5"}, "brakes.failures"),
        ({"failures": float("nan")}, "brakes.failures"),
        ({"short_calls": 0.6}, "brakes.short_calls"),
        ({"short_calls": (0, 0.6)}, "brakes.short_calls"),
        ({"short_calls": (5, 60)}, "brakes.short_calls"),
        ({"classifications": ["complaint"]}, "brakes.classifications"),
        ({"classifications": {"complaint": 1}}, "brakes.classifications['complaint']"),
        ({"classifications": {"a": 0.1, "A": 0.2}}, "brakes.classifications"),
        ({"opt_outs": 0.1, "min_calls": 0}, "brakes.min_calls"),
        ({"opt_outs": 0.1, "confidence": 95}, "brakes.confidence"),
        ({}, "brakes"),
        ({"complaints": 0.1}, "brakes"),
        (0.02, "brakes"),
    ],
)
def test_what_breaks_a_rule_is_named(given: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        Brakes.of(given)
    assert raised.value.field == field
