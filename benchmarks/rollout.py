"""How many campaigns brakes stop that should go on, and how many people a bad one calls until it is stopped.

    python benchmarks/rollout.py                  # needs the `bench` extra; 1,000 campaigns of each kind, a minute
    python benchmarks/rollout.py --campaigns 100

A simulation with the brakes that production has (`launch/rollout.py`). Each campaign calls its people in waves of 1 %,
10 % and the rest; of those who are called, 45 % are reached. It is judged after every tenth of a wave, and with four
brakes, each of which takes its share of the confidence. What is bad: three times the limit of 2 % opt out. All of a
tenth are called before it is judged.
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
from ringg_provider.launch.rollout import Brakes, Observed, judge

LIMIT = 0.02
BRAKES = Brakes(opt_outs=LIMIT, failures=0.7, short_calls=(5, 0.6), classifications={"complaint": 0.01})
WAVES = (0.01, 0.1)
REACHED = 0.45
#: What healthy campaigns have of everything else.
TAKEN, SHORT, COMPLAINTS = 0.5, 0.2, 0.002
LOOKS_PER_WAVE = 10
SIZES = (10_000, 50_000, 100_000, 200_000, 300_000)


@dataclass(frozen=True)
class Kind:
    """A kind of campaign.

    :param name: what it is.
    :param people: on its lists.
    :param opt_outs: of those who are reached, the true share.
    """

    name: str
    people: int
    opt_outs: float


@dataclass(frozen=True)
class Outcome:
    """What became of one campaign.

    :param called: people who were called.
    :param wave: in which wave it was stopped; None where it was not.
    """

    called: int
    wave: int | None


def simulate(kind: Kind, dice: np.random.Generator) -> Outcome:
    """Call the people of one campaign until its end, or until a brake is pulled."""
    first, second = (ceil(kind.people * share) for share in WAVES)
    called = reached = taken = opted_out = short = complaints = 0
    for wave, size in enumerate((first, second, kind.people - first - second), start=1):
        step = ceil(size / LOOKS_PER_WAVE)
        for begin in range(0, size, step):
            now = min(step, size - begin)
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
                return Outcome(called, wave)
    return Outcome(called, None)


def row(kind: Kind, outcomes: list[Outcome]) -> list[str]:
    """One line of the table."""
    stopped = [outcome for outcome in outcomes if outcome.wave is not None]
    in_first = sum(outcome.wave == 1 for outcome in stopped)
    by_second = sum(outcome.wave in (1, 2) for outcome in stopped)
    called = sorted(outcome.called for outcome in outcomes)
    return [
        kind.name,
        f"{kind.people:,}",
        f"{kind.opt_outs:.1%}",
        f"{len(stopped) / len(outcomes):.1%}",
        f"{in_first / len(outcomes):.1%}",
        f"{by_second / len(outcomes):.1%}",
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
    kinds = [
        Kind("healthy, half the limit", 100_000, LIMIT / 2),
        Kind("healthy, three quarters of it", 100_000, 0.75 * LIMIT),
        Kind("exactly at the limit", 100_000, LIMIT),
        *(Kind("bad, three times the limit", people, 3 * LIMIT) for people in SIZES),
    ]
    began = time.perf_counter()
    header = (
        "campaigns", "people", "opt out", "stopped", "in wave 1", "by wave 2", "called, median", "called, 99 %",
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
    waves = ", ".join(f"{share:.0%}" for share in WAVES)
    print(f"{BRAKES.confidence:.0%} over the whole rollout, waves of {waves} and the rest\n")
    print(wording.table(header, rows))
    print(f"\nin {wording.duration(time.perf_counter() - began)}")


if __name__ == "__main__":
    main()
