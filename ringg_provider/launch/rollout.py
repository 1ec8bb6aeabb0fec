"""When a campaign has to be stopped: its brakes, what is known of its calls, and the verdict. Knows no platform."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from ringg_provider import wording
from ringg_provider.exceptions import InvalidRequest

#: Numbers of calls up to which a share is judged: each a fifth larger than the one before.
_FIRST_CHECKPOINT, _STEP, _LAST_CHECKPOINT = 10, 1.2, 10_000_000
#: By which share of itself the bound that is told may be too low; whether it is above a limit is exact.
_PRECISION = 1e-3

OPT_OUTS, FAILURES, SHORT_CALLS = "opt_outs", "failures", "short_calls"


@dataclass(frozen=True)
class Brakes:
    """Shares of a campaign's calls that must not be exceeded; see :func:`judge`.

    ``Brakes(opt_outs=0.02, failures=0.5, short_calls=(5, 0.6), classifications={"complaint": 0.01})``

    **What the confidence means.** A brake is pulled when the true share is above its limit with this confidence, by an
    exact binomial bound (Clopper and Pearson). The confidence is that of the whole rollout: of campaigns whose shares
    all stand exactly at their limits, at most one in twenty is ever stopped at 0.95, however many brakes there are,
    however often they are judged, and over however many waves; of those that stay clearly below, far fewer. For that
    the chance of a false alarm is divided evenly among the brakes, and among 76 checkpoints, which are numbers of
    calls, each a fifth above the one before, up to ten million. Between two checkpoints a count is judged as if the
    calls up to the next one were known already and had brought nothing: so that it cannot be judged too often.

    :param opt_outs: the largest share of opt-outs among the people reached. Default None: no such brake.
    :param failures: the largest share of failed calls (nobody took them, or an error) among all calls that have
        ended. Default None.
    :param short_calls: ``(seconds, share)``: the largest share of calls that lasted less than so many seconds, among
        those that were taken. Default None.
    :param classifications: classification -> the largest share of it among the people reached. Upper and lower case
        are the same. Default none.
    :param min_calls: no brake is judged before so many calls have ended. Default 50.
    :param confidence: see above; above 0.5, below 1. Default 0.95.
    :raises InvalidRequest: one of them breaks its rule, or there is no brake at all.
    """

    opt_outs: float | None = None
    failures: float | None = None
    short_calls: tuple[float, float] | None = None
    classifications: Mapping[str, float] = field(default_factory=dict)
    min_calls: int = 50
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in (OPT_OUTS, FAILURES):
            if getattr(self, name) is not None:
                _require_share(f"brakes.{name}", getattr(self, name))
        if self.short_calls is not None:
            self._check_short_calls()
        object.__setattr__(self, "classifications", MappingProxyType(_shares_of(self.classifications)))
        fewest: object = self.min_calls
        if isinstance(fewest, bool) or not isinstance(fewest, int) or fewest < 1:
            raise _broken("brakes.min_calls", "must be a whole number from 1 on")
        if not _is_number(self.confidence) or not 0.5 < self.confidence < 1:
            raise _broken("brakes.confidence", "must be above 0.5 and below 1")
        if not self.limits:
            raise _broken("brakes", "has none: give opt_outs, failures, short_calls or classifications")

    def _check_short_calls(self) -> None:
        given: object = self.short_calls
        if not isinstance(given, tuple | list) or len(given) != 2 or not _is_number(given[0]) or given[0] <= 0:
            raise _broken("brakes.short_calls", "must be (seconds, share)")
        _require_share("brakes.short_calls", given[1])
        object.__setattr__(self, "short_calls", (float(given[0]), float(given[1])))

    @property
    def limits(self) -> dict[str, float]:
        """Brake -> its limit, in the order in which they are judged; classifications under their own words."""
        found = {OPT_OUTS: self.opt_outs, FAILURES: self.failures}
        found[SHORT_CALLS] = None if self.short_calls is None else self.short_calls[1]
        named = {f"classification {word}": share for word, share in self.classifications.items()}
        return {name: float(limit) for name, limit in (found | named).items() if limit is not None}

    @property
    def chance(self) -> float:
        """What is allowed of a false alarm to one brake at one checkpoint."""
        return (1 - self.confidence) / len(self.limits) / len(checkpoints())

    def __reduce__(self) -> tuple[Any, ...]:
        return (_from_json, (self.as_json(),))

    def as_json(self) -> dict[str, Any]:
        """The brakes as plain JSON, which :meth:`of` reads."""
        return {
            OPT_OUTS: self.opt_outs,
            FAILURES: self.failures,
            SHORT_CALLS: None if self.short_calls is None else list(self.short_calls),
            "classifications": dict(self.classifications),
            "min_calls": self.min_calls,
            "confidence": self.confidence,
        }

    @classmethod
    def of(cls, given: object, name: str = "brakes") -> Brakes:
        """Read brakes as a DAG gives them: themselves, or a dict of their parameters.

        :param given: the brakes.
        :param name: the parameter that they were given in, for the error.
        :raises InvalidRequest: it is neither, or a parameter is unknown or breaks its rule.
        """
        if isinstance(given, cls):
            return given
        if not isinstance(given, Mapping):
            raise _broken(name, "must be Brakes(...), or a dict of its parameters")
        if unknown := sorted(str(key) for key in given if key not in cls.__dataclass_fields__):
            raise _broken(name, f"knows no {', '.join(unknown)}")
        return cls(**given)


def _from_json(given: Mapping[str, Any]) -> Brakes:
    return Brakes.of(given)


@dataclass(frozen=True)
class Observed:
    """What is known so far of the calls of some lists.

    :param calls: calls that have ended for good.
    :param opt_outs: of them, those in which the person asked not to be called any more.
    :param failures: of them, those that nobody took, or that ended in an error.
    :param short_calls: of them, those that were taken and lasted less than the brake's seconds.
    :param connected: of them, those that were taken, by a person or a machine.
    :param reached: of them, those that a person took.
    :param classifications: classification, in lower case -> how many of them.
    :param pending: calls that have not ended, or people on the lists of whom no call is known yet.
    :param as_of: when this was known, aware; None where nothing is.
    :param source: where from: ``inbox``, ``tables`` or ``history``.
    """

    calls: int = 0
    opt_outs: int = 0
    failures: int = 0
    short_calls: int = 0
    connected: int = 0
    reached: int = 0
    classifications: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0
    as_of: datetime | None = None
    source: str = "tables"

    def as_json(self) -> dict[str, Any]:
        """For XCom: numbers only."""
        numbers = {name: getattr(self, name) for name in NUMBERS}
        as_of = None if self.as_of is None else self.as_of.isoformat()
        return numbers | {"classifications": dict(self.classifications), "as_of": as_of, "source": self.source}

    def __str__(self) -> str:
        when = "" if self.as_of is None else f", known from the {self.source} at {wording.moment(self.as_of)}"
        return (
            f"{wording.counted(self.calls, 'call')} ended, {self.connected:,} taken, {self.reached:,} by a person, "
            f"{self.opt_outs:,} opted out, {self.failures:,} failed, {self.pending:,} pending{when}"
        )


#: What of it can be added up.
NUMBERS = ("calls", "opt_outs", "failures", "short_calls", "connected", "reached", "pending")


@dataclass(frozen=True)
class Check:
    """What one brake was found to be.

    :param brake: its name: ``opt_outs``, ``failures``, ``short_calls``, or ``classification`` with its word.
    :param share: the bare share; 0 where there is nothing to take it of.
    :param count: how many calls count against it,
    :param of: of how many.
    :param bound: what the true share is at least, with the confidence asked for; None while too few calls are known,
        and where not even the bare share is above the limit.
    :param limit: the largest share allowed.
    """

    brake: str
    share: float
    count: int
    of: int
    bound: float | None
    limit: float

    @property
    def is_above(self) -> bool:
        """Whether the brake is to be pulled."""
        return self.bound is not None and self.bound > self.limit

    def as_json(self) -> dict[str, Any]:
        """For XCom."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def __str__(self) -> str:
        said = (
            f"{self.brake.replace('_', ' ')} {self.count:,} of {self.of:,} ({self.share:.1%}), limit {self.limit:.1%}"
        )
        if self.bound is None:
            return said if self.share <= self.limit else f"{said}: too few calls are known"
        return f"{said}: certainly at least {self.bound:.2%}"


@dataclass(frozen=True)
class Pulled:
    """A brake that was pulled.

    :param check: what it was found to be.
    :param confidence: with which it is above its limit.
    """

    check: Check
    confidence: float

    def __str__(self) -> str:
        check = self.check
        return (
            f"{check.brake.replace('_', ' ')}: {check.count:,} of {check.of:,} calls ({check.share:.1%}), where "
            f"{check.limit:.1%} is allowed; the true share is at least {check.bound or 0.0:.1%} with a confidence of "
            f"{self.confidence:.4g}"
        )


@dataclass(frozen=True)
class Verdict:
    """What all brakes were found to be.

    :param pulled: the first brake that is above its limit; None where the campaign may go on.
    :param checks: every brake.
    """

    pulled: Pulled | None
    checks: tuple[Check, ...]

    def as_json(self) -> dict[str, Any]:
        """For XCom."""
        pulled = None if self.pulled is None else self.pulled.check.brake
        return {"pulled": pulled, "checks": [check.as_json() for check in self.checks]}

    def __str__(self) -> str:
        said = "; ".join(map(str, self.checks))
        return f"goes on: {said}." if self.pulled is None else f"stopped by {self.pulled}. All: {said}."


def judge(brakes: Brakes, observed: Observed) -> Verdict:
    """Whether a campaign is to be stopped. It may be asked as often as there is something new.

    :param brakes: the limits, and the confidence that is asked for over the whole rollout.
    :param observed: all calls of the rollout so far, of every wave together and without the rehearsal: the confidence
        is that of one growing count.
    """
    checks = tuple(_checked(brakes, observed))
    above = next((check for check in checks if check.is_above), None)
    return Verdict(None if above is None else Pulled(above, brakes.confidence), checks)


def _checked(brakes: Brakes, observed: Observed) -> Iterator[Check]:
    for name, limit in brakes.limits.items():
        count, of = counted(name, observed)
        # Who counts against a brake is one of those that it is judged by, whatever else is said of the call.
        of = max(count, of)
        known = count > limit * of and observed.calls >= brakes.min_calls
        bound = lower_bound(count, _checkpoint(of), brakes.chance, limit) if known else None
        yield Check(name, count / of if of else 0.0, count, of, bound, limit)


def counted(name: str, observed: Observed) -> tuple[int, int]:
    """How many calls count against a brake, and of how many."""
    match name:
        case "opt_outs":
            return observed.opt_outs, observed.reached
        case "failures":
            return observed.failures, observed.calls
        case "short_calls":
            return observed.short_calls, observed.connected
    return observed.classifications.get(name.removeprefix("classification "), 0), observed.reached


@cache
def checkpoints() -> tuple[int, ...]:
    """The numbers of calls at which a share is judged."""
    found = [_FIRST_CHECKPOINT]
    while found[-1] < _LAST_CHECKPOINT:
        found.append(math.ceil(found[-1] * _STEP))
    return tuple(found)


def _checkpoint(calls: int) -> int:
    """The next checkpoint, at which so many calls will be known."""
    return next((each for each in checkpoints() if each >= calls), calls)


def lower_bound(count: int, of: int, chance: float, limit: float) -> float:
    """What a share is at least: the exact one-sided bound of Clopper and Pearson, or less by a thousandth of it.

    :param count: how often it was so,
    :param of: of how many.
    :param chance: that the bound is above the true share, at most.
    :param limit: to which it is compared: what is told is above it exactly where the bound is.
    """
    if count == 0:
        return 0.0
    low, high = 0.0, count / of
    if limit < high:
        low, high = (math.nextafter(limit, 1), high) if is_above(count, of, chance, limit) else (low, limit)
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        low, high = (middle, high) if is_above(count, of, chance, middle) else (low, middle)
    return low


def is_above(count: int, of: int, chance: float, share: float) -> bool:
    """Whether the true share is certainly above one: exact, so that a doubt counts as no."""
    # Loaded when a brake is judged, and not with every DAG file.
    from flint import arb

    # The chance of so many or more at this share, as an enclosure.
    return bool(arb(share).beta_lower(count, of - count + 1, regularized=True) < chance)


def _shares_of(given: object) -> dict[str, float]:
    """Classification, in lower case -> its limit."""
    if not isinstance(given, Mapping) or not all(isinstance(word, str) and word.strip() for word in given):
        raise _broken("brakes.classifications", "must map classifications to shares")
    for word, share in given.items():
        _require_share(f"brakes.classifications[{word!r}]", share)
    known = {word.strip().lower(): float(share) for word, share in given.items()}
    if len(known) < len(given):
        raise _broken("brakes.classifications", "has a classification twice, but for upper and lower case")
    return known


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require_share(name: str, value: object) -> None:
    if not _is_number(value) or not 0 <= value < 1:  # type: ignore[operator]
        raise _broken(name, "must be a share from 0 to below 1, such as 0.02")


def _broken(name: str, rule: str) -> InvalidRequest:
    return InvalidRequest(f"{name}: {rule}.", field=name)
