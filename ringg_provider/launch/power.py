"""How many calls must be known until a brake finds what is far above its limit: how large a first wave has to be.

The counterpart of `rollout.py`: there nothing healthy is stopped by chance, here nothing bad is passed by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from ringg_provider import wording
from ringg_provider.launch.rollout import FAILURES, SHORT_CALLS, Brakes, Observed, checkpoints, counted, is_above

#: What is bad: a share of so many times its limit,
TIMES = 3.0
#: which is to be found in so large a share of campaigns.
FOUND_IN = 0.99
#: Of the people who are called, those who are reached, and those whose calls are taken, a machine included: what is
#: reckoned with before anybody was called.
REACHED, TAKEN = 0.45, 0.5


def calls_needed(brakes: Brakes, *, times: float = TIMES, found_in: float = FOUND_IN) -> dict[str, int]:
    """How many of the calls that a brake is judged by must be known: exact, by the binomial distribution.

    :param brakes: the limits, and the confidence that is asked for.
    :param times: how many times its limit the true share is.
    :param found_in: in how large a share of such campaigns the brake is to be pulled by then.
    :return: brake -> calls. One that no share can exceed so far is not among them.
    """
    chance = brakes.chance
    bad = {name: (limit, times * limit) for name, limit in brakes.limits.items() if 0 < times * limit < 1}
    return {name: _needed(limit, share, chance, found_in) for name, (limit, share) in bad.items()}


def people_needed(brakes: Brakes, *, times: float = TIMES, found_in: float = FOUND_IN) -> dict[str, int]:
    """How many people have to be called until so many calls are known, where 45 of 100 are reached, and 50 taken.

    :return: brake -> people; the parameters are those of :func:`calls_needed`.
    """
    needed = calls_needed(brakes, times=times, found_in=found_in)
    return {
        name: ceil(calls / {FAILURES: 1.0, SHORT_CALLS: TAKEN}.get(name, REACHED)) for name, calls in needed.items()
    }


def has_enough(brakes: Brakes, observed: Observed) -> bool:
    """Whether so many calls are known that what is three times a limit was found in 99 of 100 campaigns."""
    if observed.calls < brakes.min_calls:
        return False
    return all(counted(name, observed)[1] >= calls for name, calls in calls_needed(brakes).items())


def too_small(brakes: Brakes, waves: Sequence[int]) -> str | None:
    """What there is to say of a first wave that is too small to find what is three times a limit.

    :param brakes: the limits.
    :param waves: the people of each wave, in their order.
    :return: for a person; None where it is large enough, or is all there is.
    """
    if len(waves) < 2:
        return None
    needed = people_needed(brakes)
    missing = {name: people for name, people in needed.items() if people > waves[0]}
    if not missing:
        return None
    largest, everybody = max(missing.values()), sum(waves)
    advice = (
        f"Give the first wave {largest:,} people: waves=({_rounded_up(largest / everybody):.2g}, ...)."
        if largest < everybody
        else "There are too few people for that, in waves or not: a limit that is higher, or fewer brakes, need fewer."
    )
    return (
        f"The first wave has {wording.counted(waves[0], 'person', 'people')}. Three times its limit is found in 99 of"
        f" 100 campaigns once so many were called, where 45 of 100 are reached: {_said(missing)}. A campaign so bad may"
        f" be stopped in a later wave only. {advice}"
    )


def _said(people: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in people.items())


def _rounded_up(share: float) -> float:
    """To two digits, and not below it."""
    unit = 10.0 ** -next(digits for digits in range(2, 12) if share >= 10.0 ** (1 - digits))
    return ceil(share / unit) * unit


def _needed(limit: float, share: float, chance: float, found_in: float) -> int:
    """From how many calls on, at whatever number of them is looked, the brake is pulled in so many campaigns."""
    reached, before = 1, 0
    for checkpoint in checkpoints():
        count = _first_above(checkpoint, chance, limit)
        if _chance_of(count, before + 1, share) < found_in:
            # All of this step's calls, or more; what is needed lies in it if its end is enough.
            low, high = before + 1, checkpoint + 1
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _chance_of(count, middle, share) >= found_in else (middle, high)
            reached = high
        elif before:
            return reached
        before = checkpoint
    return reached


def _first_above(of: int, chance: float, limit: float) -> int:
    """The smallest count that is certainly above a limit; one more than there are calls where none is."""
    low, high = int(limit * of), of + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_above(middle, of, chance, limit) else (middle, high)
    return high


def _chance_of(count: int, of: int, share: float) -> float:
    """That it is so in at least so many of so many calls."""
    from flint import arb

    if count > of:
        return 0.0
    return float(arb(share).beta_lower(count, of - count + 1, regularized=True).lower())
