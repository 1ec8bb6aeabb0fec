"""How many campaigns brakes stop that should go on, and how many people a bad one calls until it is stopped.

    python benchmarks/rollout.py                  # needs the `bench` extra; 1,000 campaigns of each kind, a minute
    python benchmarks/rollout.py --campaigns 100

A simulation with the brakes that production has (`launch/rollout.py`). Each campaign calls its people in waves of 1 %,
10 % and the rest, or with a first wave as large as the operator asks for (`launch/power.py`); of those who are called,
45 % are reached. It is judged after every hundred people, with four brakes, each of which takes its share of the
confidence. A wave is followed by the next one when all its calls are known, or so many as the brakes need; who calls on
meanwhile is counted as called. What is bad: three times the limit of 2 % opt out.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from dataclasses import dataclass
from math import ceil

import numpy as np

from ringg_provider import wording
from ringg_provider.launch.power import calls_needed, people_needed
from ringg_provider.launch.rollout import Brakes, Observed, judge

LIMIT = 0.02
BRAKES = Brakes(opt_outs=LIMIT, failures=0.7, short_calls=(5, 0.6), classifications={"complaint": 0.01})
#: Both brakes of which three times the limit is a share go by the people reached.
ENOUGH = max(calls_needed(BRAKES).values())
REACHED = 0.45
#: What healthy campaigns have of everything else.
TAKEN, SHORT, COMPLAINTS = 0.5, 0.2, 0.002
#: How many people are called between two looks.
STEP = 100
SIZES = (10_000, 50_000, 100_000, 300_000, 1_000_000)


@dataclass(frozen=True)
class Kind:
    """A kind of campaign.

    :param name: what it is.
    :param people: on its lists.
    :param opt_outs: of those who are reached, the true share.
    :param first: the share of the first wave; the second is 10 %.
    """

    name: str
    people: int
    opt_outs: float
    first: float = 0.01


@dataclass(frozen=True)
class Outcome:
    """What became of one campaign.

    :param called: people who were called.
    :param waves: how many waves had begun when it was stopped; None where it was not.
    """

    called: int
    waves: int | None


def simulate(kind: Kind, dice: np.random.Generator) -> Outcome:
    """Call the people of one campaign until its end, or until a brake is pulled."""
    ends = [ceil(kind.people * kind.first), ceil(kind.people * (kind.first + 0.1)), kind.people]
    called = reached = taken = opted_out = short = complaints = 0
    waves, reached_before = 1, 0
    while called < kind.people:
        now = min(STEP, kind.people - called, *(end - called for end in ends if end > called))
        called += now
        # A person who is reached takes the call; the others of those who take it are machines.
        answered = int(dice.binomial(now, TAKEN))
        people = int(dice.binomial(answered, REACHED / TAKEN))
        taken += answered
        reached += people
        opted_out += int(dice.binomial(people, kind.opt_outs))
        short += int(dice.binomial(answered, SHORT))
        complaints += int(dice.binomial(people, COMPLAINTS))
        known = Observed(
            calls=called,
            opt_outs=opted_out,
            failures=called - taken,
            short_calls=short,
            connected=taken,
            reached=reached,
            classifications={"complaint": complaints},
        )
        if judge(BRAKES, known).pulled is not None:
            return Outcome(called, waves)
        if waves < len(ends) and (called >= ends[waves - 1] or reached - reached_before >= ENOUGH):
            waves, reached_before = waves + 1, reached
    return Outcome(called, None)


def row(kind: Kind, outcomes: list[Outcome]) -> list[str]:
    """One line of the table."""
    stopped = [outcome.waves for outcome in outcomes if outcome.waves is not None]
    called = sorted(outcome.called for outcome in outcomes)
    return [
        kind.name,
        f"{kind.people:,}",
        f"{kind.first:.2%}",
        f"{len(stopped) / len(outcomes):.1%}",
        f"{sum(waves == 1 for waves in stopped) / len(outcomes):.1%}",
        f"{sum(waves <= 2 for waves in stopped) / len(outcomes):.1%}",
        f"{statistics.median(called):,.0f}",
        f"{called[ceil(0.99 * len(called)) - 1]:,}",
        f"{kind.people:,}",
    ]


def main() -> None:
    """Simulate all kinds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=1_000, help="of each kind (default: 1,000)")
    parser.add_argument("--seed", type=int, default=17)
    args = parser.parse_args()
    asked_for, of_opt_outs = max(people_needed(BRAKES).values()), people_needed(BRAKES)["opt_outs"]
    kinds = [
        Kind("healthy, half the limit", 100_000, LIMIT / 2),
        Kind("healthy, three quarters of it", 100_000, 0.75 * LIMIT),
        Kind("exactly at the limit", 100_000, LIMIT),
        *(Kind("bad, first wave of 1 %", people, 3 * LIMIT) for people in SIZES),
        *(Kind(f"bad, of {of_opt_outs:,} people", people, 3 * LIMIT, of_opt_outs / people) for people in SIZES[:3]),
        *(Kind(f"bad, of {asked_for:,} people", people, 3 * LIMIT, asked_for / people) for people in SIZES[:3]),
    ]
    began = time.perf_counter()
    header = (
        "campaigns", "people", "first wave", "stopped", "in wave 1", "by wave 2", "called, median", "called, 99 %",
        "without waves",
    )  # fmt: skip
    rows = [
        row(
            kind,
            [simulate(kind, np.random.default_rng([args.seed, place, number])) for number in range(args.campaigns)],
        )
        for place, kind in enumerate(kinds)
    ]
    print(f"Python {platform.python_version()}, {args.campaigns:,} campaigns of each kind, seed {args.seed}")
    print(f"{BRAKES.confidence:.0%} over the whole rollout; three times the limit is found in 99 of 100 campaigns")
    print(f"once so many people were reached: {calls_needed(BRAKES)}\n")
    print(wording.table(header, rows))
    print(f"\nin {wording.duration(time.perf_counter() - began)}")


if __name__ == "__main__":
    main()
