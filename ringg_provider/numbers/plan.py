"""The numbering plan of a calling code: which numbers may be dialled, and where they are from.

The answers are those of `phonenumbers`, which matches every number against dozens of patterns: 20 to 120 microseconds,
a million times for a list of a million contacts. Here the patterns of a calling code are walked once, digit by digit,
until the digits so far say of each pattern whether it matches. Numbers that match the same patterns are alike to the
library, so it is asked about one of them, and what is left of a plan is a table of ranges.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pyroaring import BitMap64

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# The set of dialable numbers counts in blocks of so many, and leaves longer numbers, which a handful of countries have,
# to the library: it would be large otherwise.
_BLOCK = 10_000
_LONGEST = 11
_E164 = re.compile(r"\+[1-9][0-9]{0,19}").fullmatch


class NumberOrigin(NamedTuple):
    """What a number tells about its holder.

    :param country: ISO 3166 country code, or None when the number belongs to none.
    :param zones: IANA zones the holder may be in; empty when the number does not tell.
    """

    country: str | None
    zones: tuple[str, ...]


NOWHERE = NumberOrigin(None, ())


class NumberingPlan:
    """The numbers of one calling code.

    :param calling_code: such as 91; every country that shares it counts.
    """

    def __init__(self, calling_code: int) -> None:
        self.calling_code = calling_code
        self._dialable = BitMap64()
        # Where each range of numbers of one origin begins; it goes on to where the next begins. None stands for what is
        # no part of the plan, such as numbers that are too short.
        self._starts: list[int] = [0]
        self._origins: list[NumberOrigin | None] = [None]
        lines: set[NumberOrigin] = set()
        end = 0
        for found in _ranges(calling_code):
            if found.first != end:
                self._append(end, None)
            self._append(found.first, found.origin)
            end = found.end
            if found.is_line:
                lines.add(found.origin)
            if found.is_certain:
                self._dialable.add_range(-(-found.first // _BLOCK), end // _BLOCK)
        self._append(end, None)
        self._dialable.run_optimize()
        self._only_origin = lines.pop() if len(lines) == 1 else None

    def __contains__(self, number: int) -> bool:
        """Whether an E.164 number (as an integer) is certainly spelled as such, and a mobile or fixed line."""
        return number // _BLOCK in self._dialable

    def doubtful(self, numbers: Iterable[int]) -> list[int]:
        """The positions of the numbers of a column that are not certainly dialable, in one pass."""
        blocks = [number // _BLOCK for number in numbers]
        missing = set(BitMap64(blocks) - self._dialable)
        return [position for position, block in enumerate(blocks) if block in missing] if missing else []

    def origins(self, numbers: Sequence[int], *, dialable: bool = False) -> list[NumberOrigin]:
        """Where each of a column's E.164 numbers (as integers) is from.

        :param numbers: those of other codes are from `NOWHERE`.
        :param dialable: whether they are all mobile or fixed lines of the code, or else do not matter.
        """
        if dialable and self._only_origin is not None:
            return [self._only_origin] * len(numbers)
        starts, origins = self._starts, self._origins
        found = [origins[bisect_right(starts, number) - 1] for number in numbers]
        return [origin or self._ask(number) for origin, number in zip(found, numbers, strict=True)]

    def _append(self, start: int, origin: NumberOrigin | None) -> None:
        if start == self._starts[-1]:
            self._origins[-1] = origin
        elif origin is not self._origins[-1]:
            self._starts.append(start)
            self._origins.append(origin)

    def _ask(self, number: int) -> NumberOrigin:
        code, digits = str(self.calling_code), str(number)
        if not digits.startswith(code):
            return NOWHERE
        return _Kind.of(sample := _number(self.calling_code, digits.removeprefix(code))).origin(sample)


@cache
def numbering_plan(calling_code: int) -> NumberingPlan:
    """The plan of a calling code, compiled at its first use: some milliseconds, 0.2 seconds for +91 and +1."""
    return NumberingPlan(calling_code)


def number_origin(e164: str) -> NumberOrigin:
    """Say where a number is from.

    :param e164: ``+`` and digits, as :mod:`phonenumbers` formats it.
    :return: country and zones as the library tells them; `NOWHERE` for what is no such text.
    """
    number = int(e164) if _E164(e164) else 0
    code = calling_code_of(number)
    return numbering_plan(code).origins((number,))[0] if code else NOWHERE


def calling_code_of(number: int) -> int:
    """The calling code of an E.164 number (as an integer); 0 when it has none."""
    digits = str(number)
    codes = _calling_codes()
    return next((int(digits[:size]) for size in (1, 2, 3) if digits[:size] in codes), 0)


@cache
def _calling_codes() -> frozenset[str]:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return frozenset(map(str, COUNTRY_CODE_TO_REGION_CODE))


# --- compiling

_KINDS = (
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
# All that the patterns of numbers are written with, so that none is misread that a later release writes otherwise.
_READABLE = re.compile(r"(?:\\d|\(\?:|[\d\[\](){}|,?$-])*").fullmatch
_TOKENS = re.compile(r"(?P<choice>\[[^\]]*\])|(?P<any>\\d)|(?P<count>\{[^}]*\})|(?P<digit>\d)")


class _Range(NamedTuple):
    """Numbers that are alike, from the first up to the end, which is the first of others."""

    first: int
    end: int
    origin: NumberOrigin
    is_line: bool
    is_certain: bool


def _ranges(code: int) -> Iterator[_Range]:
    """All numbers that are as long as some number of the code may be, in order; none if its patterns are unreadable."""
    from phonenumbers.tzdata import TIMEZONE_DATA

    patterns, national_prefix = _patterns_of(code)
    if not all(_READABLE(pattern.source) for pattern in patterns):
        return
    zones = [zone.removeprefix(str(code)) for zone in TIMEZONE_DATA if zone.startswith(str(code))]
    kinds: dict[tuple[_Pattern, ...], _Kind] = {}
    origins: dict[tuple[tuple[_Pattern, ...], str], NumberOrigin] = {}
    for length in sorted({length for pattern in patterns for length in pattern.lengths}):
        for prefix, matched, zone in _decided(length, patterns, zones):
            if (kind := kinds.get(matched)) is None:
                kind = kinds[matched] = _Kind.of(_number(code, prefix.ljust(length, "0")))
            if (origin := origins.get((matched, zone))) is None:
                origin = origins[matched, zone] = kind.origin(_number(code, prefix.ljust(length, "0")))
            size = 10 ** (length - len(prefix))
            first = code * 10**length + int(prefix or "0") * size
            # What could be taken apart as a number with a national prefix is the library's to read.
            is_certain = kind.is_line and length <= _LONGEST and national_prefix not in matched
            yield _Range(first, first + size, origin, kind.is_line, is_certain)


def _decided(
    length: int, patterns: Sequence[_Pattern], zones: Collection[str]
) -> Iterator[tuple[str, tuple[_Pattern, ...], str]]:
    """The shortest beginnings of numbers that say all about them, in order.

    :param length: of the numbers.
    :param patterns: of their calling code.
    :param zones: the beginnings that tell a time zone.
    :return: beginning, the patterns that every number with it matches (none matches another), the longest of the zones.
    """
    matched: tuple[_Pattern, ...] = ()
    waiting = [("", [pattern for pattern in patterns if pattern.may_have(length)], matched, zones, "")]
    while waiting:
        prefix, patterns, matched, zones, zone = waiting.pop()
        numbers = prefix + "x" * (length - len(prefix))
        matched += tuple(pattern for pattern in patterns if pattern.all_match(numbers))
        patterns = [pattern for pattern in patterns if pattern not in matched and pattern.some_match(numbers)]
        if prefix in zones:
            zone = prefix
        zones = [longer for longer in zones if longer.startswith(prefix) and longer != prefix]
        if patterns or (matched and zones):
            waiting += [(prefix + digit, patterns, matched, zones, zone) for digit in "9876543210"]
        else:
            yield prefix, matched, zone


class _Pattern:
    """One pattern of the metadata, asked about all numbers with the same beginning at once.

    It is compiled twice, with the letter x for a digit that is not known: in one x fits only where every digit does, in
    the other wherever some digit does.
    """

    def __init__(self, source: str, lengths: Iterable[int] = (), *, beginning: bool = False) -> None:
        self.source = source
        self.lengths = frozenset(length for length in lengths if length > 0)
        surely, maybe = (re.compile(_with_wildcard(source, everywhere=everywhere)) for everywhere in (False, True))
        self.all_match = surely.match if beginning else surely.fullmatch
        self.some_match = maybe.match if beginning else maybe.fullmatch

    def may_have(self, length: int) -> bool:
        """Whether it matches any number of this length."""
        return not self.lengths or length in self.lengths


def _with_wildcard(source: str, *, everywhere: bool) -> str:
    def spell(token: re.Match[str]) -> str:
        text = token.group()
        if token["any"]:
            return r"[\dx]"
        if everywhere and token["choice"]:
            return f"{text[:-1]}x]"
        if everywhere and token["digit"]:
            return f"[{text}x]"
        return text

    return _TOKENS.sub(spell, source)


def _patterns_of(code: int) -> tuple[list[_Pattern], _Pattern | None]:
    """What the library matches against numbers of a calling code, and which of it is the national prefix."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    found = [PhoneMetadata.metadata_for_region_or_calling_code(code, region) for region in regions]
    plans = [metadata for metadata in found if metadata is not None]
    descriptions = [getattr(metadata, kind) for metadata in plans for kind in _KINDS]
    whole = {
        (description.national_number_pattern, tuple(description.possible_length))
        for description in descriptions
        if description is not None and description.national_number_pattern
    }
    beginnings = {metadata.leading_digits for metadata in plans if metadata.leading_digits}
    patterns = [_Pattern(source, lengths) for source, lengths in whole]
    patterns += [_Pattern(source, beginning=True) for source in beginnings]
    # The first country's rules take apart the numbers of all.
    source = plans[0].national_prefix_for_parsing if plans else None
    if source is None:
        return patterns, None
    national_prefix = _Pattern(source, beginning=True)
    return [*patterns, national_prefix], national_prefix


class _Kind(NamedTuple):
    """What the library says alike of all numbers that match the same patterns."""

    country: str | None
    is_line: bool
    zones: tuple[str, ...] | None
    """None: the numbers' own beginnings tell them."""

    @classmethod
    def of(cls, number: PhoneNumber) -> _Kind:
        from phonenumbers import PhoneNumberType, is_number_type_geographical, number_type, region_code_for_number
        from phonenumbers.phonemetadata import REGION_CODE_FOR_NON_GEO_ENTITY
        from phonenumbers.timezone import time_zones_for_number

        kind = number_type(number)
        country = region_code_for_number(number)
        return cls(
            None if country == REGION_CODE_FOR_NON_GEO_ENTITY else country,
            kind in {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE},
            None if is_number_type_geographical(kind, number.country_code or 0) else time_zones_for_number(number),
        )

    def origin(self, number: PhoneNumber) -> NumberOrigin:
        from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_geographical_number

        zones = time_zones_for_geographical_number(number) if self.zones is None else self.zones
        return _one_origin(self.country, () if zones == (UNKNOWN_TIMEZONE,) else zones)


@cache
def _one_origin(country: str | None, zones: tuple[str, ...]) -> NumberOrigin:
    """One object for all that are equal: they are compared by the million."""
    return NumberOrigin(country, zones)


def _number(code: int, national: str) -> PhoneNumber:
    from phonenumbers import PhoneNumber

    zeros = len(national[:-1]) - len(national[:-1].lstrip("0"))
    return PhoneNumber(
        country_code=code,
        national_number=int(national or "0"),
        italian_leading_zero=True if zeros else None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
