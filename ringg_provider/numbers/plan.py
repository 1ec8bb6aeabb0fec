"""The numbers of a country that may be dialled, compiled out of the metadata of `phonenumbers`.

The library answers one number in 20 to 40 microseconds; a list of a million contacts asks a million times.
Whether a number is a mobile or fixed line depends on its leading digits alone, nearly always, so its
patterns are walked once per calling code and the deciding prefixes kept as a compressed bitmap. The bitmap
only ever says "certainly dialable, and spelled as E.164"; every other number is the library's to judge.
`tests/contacts/test_numbering.py` compares the two on a million numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from pyroaring import BitMap64

# The last digits of a number are never looked at: a prefix stands for 10,000 numbers.
_FREE_DIGITS = 4
_FREE = 10**_FREE_DIGITS
# Longer national numbers (a handful of countries with open numbering plans) are left to the library.
_LONGEST = 11

_OTHER_KINDS = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)


class DialableNumbers:
    """The mobile and fixed-line numbers of one calling code, as far as leading digits decide.

    :param calling_code: such as 91; every country that shares it counts.
    """

    def __init__(self, calling_code: int) -> None:
        self.calling_code = calling_code
        self._prefixes = _dialable_prefixes(calling_code)
        self._zone_digits, self._is_shared = _where_digits(calling_code)

    def __contains__(self, number: int) -> bool:
        """Whether the library would certainly call this E.164 number (as an integer) a mobile or fixed
        line.
        """
        return number // _FREE in self._prefixes

    def doubtful(self, numbers: Iterable[int]) -> list[int]:
        """The positions of the numbers of a column that are not in the set, in one pass."""
        prefixes = [number // _FREE for number in numbers]
        missing = set(BitMap64(prefixes) - self._prefixes)
        return [position for position, prefix in enumerate(prefixes) if prefix in missing] if missing else []

    def origins(self, texts: Sequence[str], numbers: Sequence[int]) -> Sequence[str]:
        """For each dialable number of the code the leading digits that say where it is from.

        Numbers with the same have the same country and time zones, so that what depends on them is asked once.

        :param texts: E.164.
        :param numbers: the same as integers.
        """
        if not self._is_shared:
            digits = self._zone_digits + 1
            return [text[:digits] for text in texts]
        # Where countries share a code, the deciding prefix decides the country too; zones have shorter ones.
        prefixes = self._prefixes
        return [
            text[:-_FREE_DIGITS]
            if number // _FREE in prefixes and len(text) > self._zone_digits + _FREE_DIGITS
            else text
            for text, number in zip(texts, numbers, strict=True)
        ]


@cache
def dialable_numbers(calling_code: int) -> DialableNumbers:
    """The set of a calling code, compiled at its first use (some milliseconds) and kept."""
    return DialableNumbers(calling_code)


def _where_digits(calling_code: int) -> tuple[int, bool]:
    """How many leading digits, code included, tell the time zones of a code; and whether countries share it."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
    from phonenumbers.tzdata import TIMEZONE_DATA

    code = str(calling_code)
    digits = max((len(prefix) for prefix in TIMEZONE_DATA if prefix.startswith(code)), default=len(code))
    return digits, len(COUNTRY_CODE_TO_REGION_CODE.get(calling_code, ())) > 1


def _dialable_prefixes(calling_code: int) -> BitMap64:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
    from phonenumbers.phonemetadata import PhoneMetadata

    names = COUNTRY_CODE_TO_REGION_CODE.get(calling_code, ())
    found = [PhoneMetadata.metadata_for_region(name) for name in names if name != "001"]
    regions = [_Region.of(metadata) for metadata in found if metadata is not None]
    prefixes = BitMap64()
    if not regions or regions[0].national_prefix.matches_nothing:
        return prefixes
    for length in sorted({length for region in regions for length in region.lengths}):
        if _FREE_DIGITS < length <= _LONGEST:
            shift = 10 ** (length - _FREE_DIGITS)
            _walk("", length, [region.of_length(length) for region in regions], prefixes, calling_code * shift)
    prefixes.run_optimize()
    return prefixes


def _walk(prefix: str, length: int, regions: Sequence[_Region], prefixes: BitMap64, offset: int) -> None:
    verdict = _verdict(prefix, length, regions)
    depth = length - _FREE_DIGITS
    if verdict is True:
        width = 10 ** (depth - len(prefix))
        first = offset + int(prefix or 0) * width
        prefixes.add_range(first, first + width)
    elif verdict is None and len(prefix) < depth:
        for digit in "0123456789":
            _walk(prefix + digit, length, regions, prefixes, offset)


def _verdict(prefix: str, length: int, regions: Sequence[_Region]) -> bool | None:
    """Are all numbers of this length and prefix dialable (True), none (False), or does it take more digits
    (None)?

    The library asks the countries of a calling code in its own order; the first that knows the number
    decides.
    """
    # The national prefix is read by the first country's rules, before anything else: a number that could be
    # taken apart by them is the library's to judge.
    verdicts = [region.dialable(prefix, length) for region in regions]
    if all(verdict is False for verdict in verdicts):
        return False
    if regions[0].national_prefix.matches(prefix, length) is not False:
        return None
    undecided = False
    for region, dialable in zip(regions, verdicts, strict=True):
        known = region.known(prefix, length, alone=len(regions) == 1)
        if known is False:
            continue
        if known is None:
            undecided = True
            if dialable is False:
                # If this country knows it, it is not dialable; if it does not, another one may.
                continue
            return None
        if dialable is True and not undecided:
            return True
        return False if dialable is False and not undecided else None
    return None if undecided else False


@dataclass(frozen=True)
class _Region:
    general: _Pattern
    others: tuple[_Pattern, ...]
    lines: tuple[_Pattern, ...]
    leading_digits: _Pattern | None
    national_prefix: _Pattern
    lengths: frozenset[int]

    @classmethod
    def of(cls, metadata: object) -> _Region:
        lines = [_Pattern.of(getattr(metadata, "fixed_line", None))]
        if not getattr(metadata, "same_mobile_and_fixed_line_pattern", False):
            lines.append(_Pattern.of(getattr(metadata, "mobile", None)))
        general = _Pattern.of(getattr(metadata, "general_desc", None))
        leading = getattr(metadata, "leading_digits", None)
        national_prefix = getattr(metadata, "national_prefix_for_parsing", None)
        return cls(
            general=general,
            others=tuple(_Pattern.of(getattr(metadata, kind, None)) for kind in _OTHER_KINDS),
            lines=tuple(lines),
            leading_digits=_Pattern(leading, start_only=True) if leading else None,
            national_prefix=_Pattern(national_prefix, start_only=True),
            lengths=frozenset(length for line in lines for length in line.lengths),
        )

    def of_length(self, length: int) -> _Region:
        """The same without the patterns that no number of this length can match."""
        return replace(
            self,
            others=tuple(pattern for pattern in self.others if pattern.may_have(length)),
            lines=tuple(pattern for pattern in self.lines if pattern.may_have(length)),
        )

    def dialable(self, prefix: str, length: int) -> bool | None:
        """Whether this country's own patterns call it a mobile or fixed line, and nothing dearer."""
        # In the order that decides soonest: most prefixes are no numbers at all.
        general = self.general.matches(prefix, length)
        if general is False:
            return False
        line = _any(pattern.matches(prefix, length) for pattern in self.lines)
        if line is False:
            return False
        dearer = _any(pattern.matches(prefix, length) for pattern in self.others)
        return _all(general, line, _not(dearer))

    def known(self, prefix: str, length: int, *, alone: bool) -> bool | None:
        """Whether the library gives the number to this country."""
        if alone:
            return True
        if self.leading_digits is not None:
            return self.leading_digits.matches(prefix, length)
        return _all(
            self.general.matches(prefix, length),
            _any(pattern.matches(prefix, length) for pattern in (*self.others, *self.lines)),
        )


class _Pattern:
    """One pattern of the metadata, asked about all numbers that begin with a prefix at once.

    It is compiled twice, with the letter x standing for a digit that is not looked at: x fits only where
    every digit does (`_surely`), or wherever some digit does (`_maybe`).
    """

    def __init__(self, source: str | None, lengths: Iterable[int] = (), *, start_only: bool = False) -> None:
        self.lengths = frozenset(length for length in lengths if length > 0)
        self._start_only = start_only
        self._source = source
        if source:
            self._surely = re.compile(_with_wildcard(source, everywhere=False))
            self._maybe = re.compile(_with_wildcard(source, everywhere=True))

    @classmethod
    def of(cls, description: object) -> _Pattern:
        return cls(getattr(description, "national_number_pattern", None), getattr(description, "possible_length", ()))

    def matches(self, prefix: str, length: int) -> bool | None:
        if not self.may_have(length):
            return False
        text = prefix + "x" * (length - len(prefix))
        surely, maybe = (
            (self._surely.match, self._maybe.match)
            if self._start_only
            else (self._surely.fullmatch, self._maybe.fullmatch)
        )
        return True if surely(text) else None if maybe(text) else False

    def may_have(self, length: int) -> bool:
        """Whether it matches any number of this length."""
        return bool(self._source) and (not self.lengths or length in self.lengths)

    @property
    def matches_nothing(self) -> bool:
        """Whether it fits before any digit was read, and so at every number."""
        return bool(self._source and self._surely.match(""))


_TOKENS = re.compile(r"(?P<cls>\[[^\]]*\])|(?P<any>\\d)|(?P<count>\{\d+(?:,\d*)?\})|(?P<digit>\d)")


def _with_wildcard(source: str, *, everywhere: bool) -> str:
    def spell(token: re.Match[str]) -> str:
        text = token.group()
        if token["any"]:
            return r"[\dx]"
        if everywhere and token["cls"]:
            return f"{text[:-1]}x]"
        if everywhere and token["digit"]:
            return f"[{text}x]"
        return text

    return _TOKENS.sub(spell, source)


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _any(values: Iterable[bool | None]) -> bool | None:
    found: bool | None = False
    for value in values:
        if value is True:
            return True
        if value is None:
            found = None
    return found


def _all(*values: bool | None) -> bool | None:
    return False if False in values else None if None in values else True
