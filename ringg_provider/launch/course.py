"""How far a rollout has come: its waves, what is asked of each, and when the next one may begin. Knows no platform."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import groupby
from typing import Any

from ringg_provider import wording
from ringg_provider.exceptions import HistoryNotCurrent, InvalidRequest, RinggProviderError
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.power import has_enough
from ringg_provider.launch.rollout import NUMBERS, Brakes, Check, Observed, Pulled, Verdict

#: The wave of the rehearsal.
REHEARSAL = 0
#: Seconds for which a platform that cannot be read is looked at again.
UNREADABLE_FOR = 1800.0
#: Seconds for which a wave that has ended is looked at again while none of its calls is known.
KNOWN_WITHIN = 1800.0
#: How many calls of a wave must have ended before the next one, where nothing judges them.
WITHOUT_BRAKES = 50


@dataclass(frozen=True)
class Wave:
    """One wave.

    :param number: 0 the rehearsal, then 1 and so on.
    :param items: its lists.
    """

    number: int
    items: tuple[LaunchItem, ...]

    @property
    def list_ids(self) -> list[str]:
        """Its lists."""
        return [str(item.list_id) for item in self.items]

    @property
    def people(self) -> int:
        """How many are on them."""
        return sum(item.rows or 0 for item in self.items)

    @property
    def is_rehearsal(self) -> bool:
        """Whether it calls phones of one's own."""
        return self.number == REHEARSAL

    def __str__(self) -> str:
        return "the rehearsal" if self.is_rehearsal else f"wave {self.number}"


def waves_of(items: Iterable[LaunchItem], field: str = "launches") -> list[Wave]:
    """The waves of a set of lists, in their order; lists without one are one wave.

    :param items: the lists.
    :param field: the parameter that they were given in, for errors.
    :raises InvalidRequest: lists of several launch keys are among them.
    """
    in_order = sorted(items, key=_number)
    if len({item.launch_key for item in in_order}) > 1:
        raise InvalidRequest(f"{field}: are lists of several launch keys; roll out one after the other.", field=field)
    return [Wave(number, tuple(of_wave)) for number, of_wave in groupby(in_order, key=_number)]


def _number(item: LaunchItem) -> int:
    return 1 if item.wave is None else item.wave


@dataclass
class Course:
    """How far one attempt has come, as it travels through a deferral.

    :param wave: the wave that is under way; None before the first.
    :param begun: whether all its lists were started.
    :param is_left: whether it was judged, and the next one may begin.
    :param due: when it was to begin, in seconds since the epoch; None where it was planned with the run.
    :param ended_at: since when, in seconds since the epoch, all its calls have ended; None while they have not.
    :param unreadable_since: since when, in seconds since the epoch, no look at the calls has succeeded; None while they
        do.
    :param deadline: until when is waited; None: no bound.
    :param kill_deadline: when the task's ``execution_timeout`` is over; None: never.
    :param waits_for: what the trigger that is waited for tells of.
    :param ended: lists that were seen to have ended.
    :param stopped: lists that were stopped while a person was asked.
    :param asked: the brake about which a person is asked, with its confidence; None where it is about none.
    :param lifted: brakes that a person has let go.
    :param approved: waves after which a person was asked.
    :param notes: what was seen of each wave, as XCom ``rollout`` has it.
    """

    wave: int | None = None
    begun: bool = False
    is_left: bool = False
    due: float | None = None
    ended_at: float | None = None
    unreadable_since: float | None = None
    deadline: float | None = None
    kill_deadline: float | None = None
    waits_for: str | None = None
    ended: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    asked: dict[str, Any] | None = None
    lifted: list[str] = field(default_factory=list)
    approved: list[int] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Course:
        """Read what :meth:`as_json` made; what another version adds is passed over."""
        return cls(**{one.name: given[one.name] for one in fields(cls) if one.name in given})

    def as_json(self) -> dict[str, Any]:
        """The course as plain JSON."""
        return asdict(self)

    def has_left(self, wave: Wave) -> bool:
        """Whether a wave was judged, and the next one may begin."""
        return self.wave is not None and (wave.number < self.wave or (wave.number == self.wave and self.is_left))

    def enters(self, wave: Wave) -> bool:
        """Take up a wave, unless it is under way already; whether its lists are still to be started."""
        if self.wave != wave.number:
            self.wave, self.begun, self.is_left, self.ended_at = wave.number, False, False, None
        return not self.begun

    def leaves(self) -> None:
        """The wave was judged: the next one is due now."""
        self.is_left, self.due = True, time.time()

    def tolerates(self, error: RinggProviderError) -> None:
        """A look at the calls failed. A platform that is unwell for a while is looked at again, as in every wait.

        :raises RinggProviderError: it has been so for too long.
        """
        self.unreadable_since = self.unreadable_since or time.time()
        if time.time() - self.unreadable_since > UNREADABLE_FOR:
            raise error

    def asks_about(self, pulled: Pulled) -> None:
        """A person is asked about a brake."""
        self.asked = {"check": pulled.check.as_json(), "confidence": pulled.confidence}

    def refused(self) -> Pulled:
        """What ends the rollout where a person did not let it go on."""
        if self.asked is None:
            return NotApproved(Check("approval", 0.0, 0, 0, None, 0.0), 0.0)
        return Pulled(Check(**self.asked["check"]), self.asked["confidence"])

    def lifts(self) -> None:
        """A person lets the brake go that was asked about, until the rollout ends."""
        if self.asked is not None:
            self.lifted.append(self.asked["check"]["brake"])
        self.asked = None

    def pulled(self, verdict: Verdict | None, confidence: float) -> Pulled | None:
        """The first brake that is above its limit, and that nobody has let go."""
        checks = () if verdict is None else verdict.checks
        above = next((check for check in checks if check.is_above and check.brake not in self.lifted), None)
        return None if above is None else Pulled(above, confidence)

    def note(self, wave: Wave, observed: Observed, verdict: Verdict | None, decision: str) -> str:
        """Keep what was seen of a wave, in the place of what was seen of it before.

        :return: what was seen and what follows from it, for a person.
        """
        told = said(wave, observed, verdict, decision)
        seen = {
            "wave": wave.number,
            "lists": wave.list_ids,
            "people": wave.people,
            "observed": observed.as_json(),
            "verdict": None if verdict is None else verdict.as_json(),
            "decision": decision,
            "said": told,
        }
        self.notes = [*(note for note in self.notes if note["wave"] != wave.number), seen]
        return told


class NotApproved(Pulled):
    """Instead of a brake: a person was asked, and did not say yes."""

    def __str__(self) -> str:
        return "a person was asked whether it may go on, and did not say yes in time"


def together(observed: Sequence[Observed]) -> Observed:
    """What is known of several waves, counted as one."""
    words = dict.fromkeys(word for each in observed for word in each.classifications)
    known = [each.as_of for each in observed if each.as_of is not None]
    return replace(
        observed[-1] if observed else Observed(),
        **{name: sum(getattr(each, name) for each in observed) for name in NUMBERS},
        classifications={word: sum(each.classifications.get(word, 0) for each in observed) for word in words},
        as_of=min(known, default=None),
    )


def is_enough(
    wave: Wave,
    observed: Observed,
    *,
    min_calls: int | None = None,
    brakes: Brakes | None = None,
    ended_for: float | None = None,
) -> bool:
    """Whether so much is known of a wave's calls that it may be followed by the next one.

    :param wave: the wave.
    :param observed: what is known of it.
    :param min_calls: how many calls have to have ended; all of them where there are fewer people. Default None: as many
        as the brakes need to find what is far above a limit, or 50 without brakes.
    :param brakes: the brakes. Default None.
    :param ended_for: for how many seconds nobody has been called any more. Default None: somebody may still be.
    :raises HistoryNotCurrent: it has ended for long, and none of its calls is known.
    """
    if observed.calls and (observed.calls >= wave.people or _is_enough(observed, min_calls, brakes)):
        return True
    if ended_for is None:
        return False
    if observed.calls and (not observed.pending or ended_for > KNOWN_WITHIN):
        return True
    if ended_for > KNOWN_WITHIN:
        raise HistoryNotCurrent(
            f"{str(wave).capitalize()} has ended, and nothing is known of any of its calls, so the next one is not"
            " started. Load the calls of its lists, and try again."
        )
    return False


def _is_enough(observed: Observed, min_calls: int | None, brakes: Brakes | None) -> bool:
    if min_calls is None and brakes is not None:
        return has_enough(brakes, observed)
    return observed.calls >= (WITHOUT_BRAKES if min_calls is None else min_calls)


def said(wave: Wave, observed: Observed, verdict: Verdict | None, decision: str) -> str:
    """What was seen of a wave and what follows from it, for a person."""
    people = wording.counted(wave.people, *(("phone",) if wave.is_rehearsal else ("person", "people")))
    judged = "" if verdict is None else f" The brakes: {verdict}"
    begin = f"{str(wave).capitalize()}: {people} on {wording.counted(len(wave.items), 'list')}"
    return f"{begin}. {observed}.{judged} {decision}"
