"""How many calls a brake needs to find what is bad: exactly so many, and a first wave that has fewer is told of."""

from __future__ import annotations

import random
import re
from fractions import Fraction
from itertools import pairwise

import pytest

from ringg_provider.launch.power import calls_needed, has_enough, people_needed, too_small
from ringg_provider.launch.rollout import Brakes, Observed, judge
from tests.launch.test_rollout import tail

FOUR = Brakes(opt_outs=0.02, failures=0.7, short_calls=(5, 0.6), classifications={"complaint": 0.01})


def pulls(brakes: Brakes, calls: int, failures: int) -> bool:
    return judge(brakes, Observed(calls=calls, failures=failures)).pulled is not None


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "times"), [(0.2, 3), (0.1, 3), (0.3, 2), (0.25, 3)])
def test_the_number_is_that_of_a_slow_count(limit: float, times: int) -> None:
    brakes = Brakes(failures=limit, min_calls=1)
    found = []
    for calls in range(1, 260):
        fewest = next((count for count in range(calls + 1) if pulls(brakes, calls, count)), calls + 1)
        found.append(tail(fewest, calls, Fraction(limit * times)) >= Fraction(99, 100))
    slow = 1 + max(calls for calls, is_found in enumerate(found, start=1) if not is_found)
    assert slow < 200
    assert calls_needed(brakes, times=times) == {"failures": slow}


def test_a_campaign_at_three_times_its_limit_is_found_by_then() -> None:
    needed, dice = calls_needed(FOUR), random.Random(17)
    assert needed == {"opt_outs": 967, "classification complaint": 1_982}
    found = 0
    for _ in range(1_000):
        opted_out = sum(dice.random() < 0.06 for _ in range(needed["opt_outs"]))
        known = Observed(calls=2_000, connected=1_000, reached=needed["opt_outs"], opt_outs=opted_out)
        found += judge(FOUR, known).pulled is not None
    assert found >= 980


def test_a_share_that_cannot_be_so_large_asks_for_nothing() -> None:
    assert calls_needed(Brakes(failures=0.5, opt_outs=0)) == {}
    assert has_enough(Brakes(failures=0.5), Observed(calls=50))
    assert not has_enough(Brakes(failures=0.5), Observed(calls=49))


@pytest.mark.parametrize(("reached", "enough"), [(1_981, False), (1_982, True)])
def test_enough_is_what_the_brake_with_the_lowest_limit_needs(reached: int, enough: bool) -> None:
    assert has_enough(FOUR, Observed(calls=9_000, reached=reached)) is enough


def test_a_lower_limit_more_brakes_or_more_confidence_need_more() -> None:
    kinds = [Brakes(opt_outs=0.05), Brakes(opt_outs=0.02), Brakes(opt_outs=0.02, failures=0.5)]
    kinds += [Brakes(opt_outs=0.02, failures=0.5, confidence=0.999), Brakes(opt_outs=0.001)]
    people = [people_needed(brakes)["opt_outs"] for brakes in kinds]
    assert all(fewer < more for fewer, more in pairwise(people))
    assert people[1] == 1_798  # of whom 809 are reached


class TestAFirstWave:
    """Too small a first wave is told of, with the share that would do."""

    def test_that_is_large_enough_or_all_there_is_is_no_matter(self) -> None:
        assert too_small(FOUR, [4_405, 50_000]) is None
        assert too_small(FOUR, [100]) is None
        assert too_small(FOUR, []) is None
        assert too_small(Brakes(failures=0.5), [1, 9]) is None

    @pytest.mark.parametrize("people", [5_000, 60_000, 100_000, 20_000_000])
    def test_the_share_that_is_named_makes_it_large_enough(self, people: int) -> None:
        told = too_small(FOUR, [1_000, people - 1_000])
        assert told is not None
        assert told.startswith("The first wave has 1,000 people.")
        assert "opt outs 2,149, classification complaint 4,405" in told
        (share,) = re.findall(r"waves=\(([\d.e-]+), \.\.\.\)", told)
        first = round(people * float(share))
        assert 4_405 <= first <= max(4_405 * 1.1, people * 0.9)
        assert too_small(FOUR, [first, people - first]) is None

    def test_of_too_few_people_no_share_is_enough(self) -> None:
        told = too_small(FOUR, [10, 290])
        assert told is not None
        assert "There are too few people for that" in told
        assert "waves=" not in told
