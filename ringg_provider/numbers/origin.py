"""Where a phone number's holder is, as far as the number tells: its country and its possible time zones.

The answers are those of :mod:`phonenumbers` (``region_code_for_number`` and
``timezone.time_zones_for_number``), for a fraction of the cost. The library matches every number against
dozens of patterns and looks up prefixes. Here all these patterns and prefixes of one country calling code
become one automaton. Two numbers of equal length that end in the same state match exactly the same patterns
and prefixes, so the library must answer the same for both, and is asked once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from phonenumbers import PhoneMetadata, PhoneNumber, phonenumberutil, region_code_for_number
from phonenumbers import timezone as number_timezone
from phonenumbers.phonemetadata import REGION_CODE_FOR_NON_GEO_ENTITY
from phonenumbers.tzdata import TIMEZONE_DATA

from ringg_provider.numbers.patterns import ANY_DIGIT, Choice, Piece, UnreadablePattern, read_pattern

_PATTERNS = (
    "general_desc",
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)


class NumberOrigin(NamedTuple):
    """What a number tells about its holder.

    :param country: ISO 3166 country code, or None when the number belongs to none.
    :param zones: IANA zones the holder may be in; empty when the number does not tell.
    """

    country: str | None
    zones: tuple[str, ...]


NOWHERE = NumberOrigin(None, ())


def number_origin(e164: str) -> NumberOrigin:
    """Say where a number is from.

    :param e164: ``+`` and digits, as :mod:`phonenumbers` formats it. Costs about a microsecond.
    :return: country and zones; both empty for anything that is not a valid number.
    """
    plan = _plan_of(e164)
    if plan is None:
        return NOWHERE
    national = e164[plan.prefix_length :]
    state = plan.start
    if state is None:
        return _ask_library(plan.country_code, national)
    try:
        for digit in national:
            state = state[digit]
    except KeyError:
        return NOWHERE
    size = len(e164)
    origin = state.origins.get(size)
    if origin is None:
        origin = state.origins[size] = _ask_library(plan.country_code, national)
    return origin


class _State(dict[str, "_State"]):
    """One state of a calling code's automaton.

    A dict from digit to next state, made when it is first needed; ``origins`` has the library's answer by
    length.
    """

    __slots__ = ("nodes", "origins", "plan")

    def __init__(self, plan: _NumberPlan, nodes: frozenset[int]) -> None:
        super().__init__()
        self.plan = plan
        self.nodes = nodes
        self.origins: dict[int, NumberOrigin] = {}

    def __missing__(self, digit: str) -> _State:
        if digit not in ANY_DIGIT:
            raise KeyError(digit)
        state = self[digit] = self.plan.state(self.plan.step(self.nodes, digit))
        return state


class _NumberPlan:
    """The patterns and zone prefixes of one country calling code as one automaton."""

    def __init__(self, country_code: int) -> None:
        self.country_code = country_code
        self.prefix_length = 1 + len(str(country_code))
        self._edges: list[tuple[frozenset[str], int] | None] = []
        self._jumps: list[tuple[int, ...]] = []
        self._states: dict[frozenset[int], _State] = {}
        try:
            starts = [self._whole(read_pattern(pattern)) for pattern in _patterns_of(country_code)]
            starts += [self._beginning(read_pattern(pattern)) for pattern in _beginnings_of(country_code)]
        except UnreadablePattern:
            # A later release of the library writes this plan in a way we cannot read: ask for every number.
            self.start: _State | None = None
        else:
            self.start = self.state(self._reached(starts))

    def state(self, nodes: frozenset[int]) -> _State:
        """The one state for a set of nodes."""
        known = self._states.get(nodes)
        if known is None:
            known = self._states[nodes] = _State(self, nodes)
        return known

    def step(self, nodes: frozenset[int], digit: str) -> frozenset[int]:
        """The nodes that are reached from ``nodes`` by ``digit``."""
        edges = [edge for node in nodes if (edge := self._edges[node]) is not None]
        return self._reached(target for digits, target in edges if digit in digits)

    def _reached(self, nodes: Iterable[int]) -> frozenset[int]:
        reached: set[int] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in reached:
                reached.add(node)
                waiting.extend(self._jumps[node])
        return frozenset(reached)

    def _node(self, edge: tuple[frozenset[str], int] | None = None, jumps: tuple[int, ...] = ()) -> int:
        self._edges.append(edge)
        self._jumps.append(jumps)
        return len(self._edges) - 1

    def _whole(self, choice: Choice) -> int:
        return self._build(choice, self._node())

    def _beginning(self, choice: Choice) -> int:
        matched = self._node()
        self._edges[matched] = (ANY_DIGIT, matched)
        return self._build(choice, matched)

    def _build(self, choice: Choice, after: int) -> int:
        return self._node(jumps=tuple(self._build_sequence(sequence, after) for sequence in choice.sequences))

    def _build_sequence(self, sequence: list[Piece], after: int) -> int:
        for piece in reversed(sequence):
            end = after
            for _ in range(piece.most - piece.least):
                after = self._node(jumps=(self._build_atom(piece.atom, after), end))
            for _ in range(piece.least):
                after = self._build_atom(piece.atom, after)
        return after

    def _build_atom(self, atom: frozenset[str] | Choice, after: int) -> int:
        return self._build(atom, after) if isinstance(atom, Choice) else self._node(edge=(atom, after))


def _metadata_of(country_code: int) -> Iterator[PhoneMetadata]:
    for region in phonenumberutil.COUNTRY_CODE_TO_REGION_CODE[country_code]:
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
        if metadata is not None:
            yield metadata


def _patterns_of(country_code: int) -> set[str]:
    """The patterns that the library matches against a whole national number."""
    descriptions = [getattr(metadata, name) for metadata in _metadata_of(country_code) for name in _PATTERNS]
    return {
        description.national_number_pattern
        for description in descriptions
        if description is not None and description.national_number_pattern
    }


def _beginnings_of(country_code: int) -> set[str]:
    """The patterns and prefixes that the library matches against the beginning of a national number."""
    code = str(country_code)
    prefixes = {prefix[len(code) :] for prefix in TIMEZONE_DATA if prefix.startswith(code)}
    return prefixes | {metadata.leading_digits for metadata in _metadata_of(country_code) if metadata.leading_digits}


_PLANS: dict[str, _NumberPlan | None] = {}


def _plan_of(e164: str) -> _NumberPlan | None:
    for size in (2, 3, 4):
        code = e164[1:size]
        plan = _PLANS.get(code)
        if plan is not None:
            return plan
        if code not in _PLANS:
            known = code.isdecimal() and code.isascii() and code[0] != "0"
            exists = known and int(code) in phonenumberutil.COUNTRY_CODE_TO_REGION_CODE
            if not exists:
                continue
            plan = _PLANS[code] = _NumberPlan(int(code))
            return plan
    return None


def _ask_library(country_code: int, national: str) -> NumberOrigin:
    if not (national.isdecimal() and national.isascii()):
        return NOWHERE
    digits = national.lstrip("0")
    zeros = len(national) - len(digits)
    number = PhoneNumber(
        country_code=country_code,
        national_number=int(digits or "0"),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
    country = region_code_for_number(number)
    zones = number_timezone.time_zones_for_number(number)
    if zones == (number_timezone.UNKNOWN_TIMEZONE,):
        zones = ()
    return NumberOrigin(None if country in {None, REGION_CODE_FOR_NON_GEO_ENTITY} else country, tuple(zones))
