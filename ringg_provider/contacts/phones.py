"""Telephone numbers in any common spelling -> E.164, or the reason why not.

`phonenumbers` reads and judges. What is ambiguous is refused, not guessed: a wrong guess rings a stranger.
Numbers that are spelled plainly skip the library where the numbering plan already says what it would say.
"""

from __future__ import annotations

import math
import re
import struct
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.numbers.plan import NumberOrigin, number_origin, numbering_plan

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# Direction marks, joiners and other characters without a width that copying leaves behind.
_INVISIBLE = dict.fromkeys(
    (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xAD, 0x61C, 0xFEFF)
)
_BLANKS = {ord("\t"): " ", ord("\r"): "\n"}
_PUNCTUATION = dict.fromkeys(map(ord, " -.()[]"))
# What floating point does to numbers; see `is_rounded` and `_is_single_precision`.
_ROUNDED_DIGITS, _ROUNDED_ZEROS = 7, 3
_EXACT_IN_SINGLE, _TOO_LARGE_FOR_SINGLE = 2.0**24, 2.0**127
_ROUNDED = Rejection(Disposition.PHONE_UNREADABLE, "rounded: the end of the number is lost")
_SINGLE = Rejection(Disposition.PHONE_UNREADABLE, "rounded: single precision has no room for telephone numbers")
_AMBIGUOUS = Rejection(Disposition.PHONE_UNREADABLE, "two numbers, one with and one without the country's code")
_AMBIGUOUS_ABROAD = Rejection(Disposition.PHONE_UNREADABLE, "two numbers, by two ways to dial abroad")
#: Why a number that lost its end is none.
ROUNDED = (_ROUNDED, _SINGLE)
_PLAIN = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch
_SHORTEST, _LONGEST = len("+1234567"), len("+123456789012345")
# No number with all its decoration is longer; what is, would only keep the expressions below busy.
_LONGEST_CELL = 250
_TOO_LARGE = 10**_LONGEST_CELL
_DIGITS = re.compile(r"\+?[0-9]{7,17}").fullmatch
_INTERNATIONAL_00 = re.compile(r"^[\s(]*00(?=[\s().-]*[1-9])")
_WHOLE_FLOAT = re.compile(r"\+?[0-9]{7,15}\.0+").fullmatch
_SCIENTIFIC = re.compile(r"[+]?[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]{1,2}").fullmatch
#: What follows a number inside a company.
EXTENSION = re.compile(
    r"(?:[;,]?\s*ext(?:ension|n)?|[;,]?\s*xtn|\s*x|\s*#|\s*int|\s*anexo)\s*[.:=]?\s*[0-9]{1,7}#?\s*$",
    re.IGNORECASE,
)
_TEL = re.compile(r"^\s*(?:tel|callto)\s*:\s*(?://)?", re.IGNORECASE)
_CONTEXT = re.compile(r";\s*(?:phone-context|isub)=[^;]*", re.IGNORECASE)
_SEVERAL = re.compile(r"[0-9][^0-9]*(?:[,;/|&\n]|\bor\b|\band\b)[^0-9]*[0-9]", re.IGNORECASE)
# How numbers were written before a country changed them all, and how they are written since.
_RENUMBERED = (
    (re.compile(r"52(?:1|01|044|045)([0-9]{10})"), r"52\1"),  # Mexico's mobiles, 2019
    (re.compile(r"55([0-9]{2})([6-9][0-9]{7})"), r"55\g<1>9\2"),  # Brazil's mobiles, 2016
)


@dataclass(frozen=True)
class PhoneColumn:
    """A column of phone cells that was read.

    :param texts: for each cell its E.164 number; empty where there is none.
    :param numbers: the same as integers, without the plus sign; 0 where there is none.
    :param rejections: position -> why there is no number.
    :param foreign: positions of numbers with another calling code than the cleaner's.
    """

    texts: Sequence[str]
    numbers: Sequence[int]
    rejections: Mapping[int, Rejection] = field(default_factory=dict)
    foreign: Sequence[int] = ()


class PhoneCleaner:
    """Reads phone cells as people of one country write them.

    :param country_code: the calling code, ``+91`` or ``91``, that a number without one belongs to.
    :raises InvalidRequest: ``country_code`` is not the calling code of a country.
    """

    def __init__(self, country_code: str) -> None:
        self.calling_code = read_calling_code(country_code)
        self._home = numbering_plan(self.calling_code)
        self._prefix = str(self.calling_code)
        self.region = _main_region(self.calling_code)
        metadata = _metadata(self.region)
        #: The fewest digits that a number has without its code.
        self.fewest_digits = min(metadata.general_desc.possible_length)
        self._trunk_zero = metadata.national_prefix_for_parsing == "0"
        self._is_national = re.compile(metadata.general_desc.national_number_pattern).fullmatch
        self._leads_abroad = re.compile(metadata.international_prefix or "00").match
        self._abroad_is_00 = metadata.international_prefix in (None, "00")
        # Room for the numbers that a batch repeats; a list without repeats gains nothing from more.
        self._judge = lru_cache(maxsize=4096)(self._read_and_judge)

    def column(self, cells: Sequence[Any]) -> PhoneColumn:
        """Read a whole column: the same as `clean` for each cell, several times as fast.

        :param cells: the values as the database gave them.
        """
        try:
            plain = _all_plain(cells)
        except TypeError:
            plain = False
        # What is not spelled plainly has the number 0 for now, which is in no set.
        numbers = list(map(int, cells if plain else _plain_or_zero(cells)))
        doubtful = self._home.doubtful(numbers)
        if plain and not doubtful:
            return PhoneColumn(cells, numbers)
        texts, rejections, foreign = list(cells), {}, []
        is_single = _is_single_precision(cells)
        for position in doubtful:
            cell = cells[position]
            read = _SINGLE if is_single and isinstance(cell, float) else self._clean(cell)
            if isinstance(read, Rejection):
                rejections[position] = read
                texts[position], numbers[position] = "", 0
            else:
                texts[position], numbers[position] = f"+{read}", read
                if not self.is_home(read):
                    foreign.append(position)
        return PhoneColumn(texts, numbers, rejections, foreign)

    def clean(self, cell: Any) -> int | Rejection:
        """Read one cell: its E.164 number as an integer, or why it is none that may be dialled.

        :param cell: text, a whole number, or None.
        """
        return _SINGLE if _is_single_precision((cell,)) else self._clean(cell)

    def _clean(self, cell: Any) -> int | Rejection:
        text = _text_of(cell)
        if isinstance(text, Rejection):
            return text
        quick = self._quick(text)
        return quick if quick is not None else self._judge(text)

    def number_of(self, cell: Any) -> int | None:
        """The number that a cell means, as E.164, dialable or not; None when no country has such a number.

        For lists of people who must *not* be called, where a strict reading would lose an opt-out.
        """
        from phonenumbers import is_valid_number

        text = _text_of(cell)
        if isinstance(text, Rejection):
            return None
        quick = self._quick(text, or_abroad=True)
        if quick is not None:
            return quick
        number = self._parse(text)
        if isinstance(number, Rejection):
            return None
        return _e164(number) if is_valid_number(number) else _renumbered(_e164(number))

    def numbers_of(self, cells: Sequence[Any]) -> list[int]:
        """`number_of` for a whole column, without the cells that mean none."""
        column = self.column(cells)
        others = map(self.number_of, (cells[position] for position in column.rejections))
        return [number for number in (*column.numbers, *others) if number]

    def origins(self, column: PhoneColumn) -> list[NumberOrigin]:
        """Where each number of a column is from; of a cell without one it says nothing."""
        origins = self._home.origins(column.numbers, dialable=True)
        for position in column.foreign:
            origins[position] = number_origin(column.texts[position])
        return origins

    def is_home(self, number: int) -> bool:
        """Whether an E.164 number (as an integer) has the cleaner's calling code."""
        # No calling code is the beginning of another one.
        return str(number).startswith(self._prefix)

    def _quick(self, text: str, *, or_abroad: bool = False) -> int | None:
        """The number, where its spelling leaves one reading only and its leading digits make it dialable.

        :param or_abroad: also where its first digits may lead abroad instead: 0199 in Uruguay, 012 in Israel.
        """
        digits = text.translate(_PUNCTUATION)
        if not _DIGITS(digits) or _WHOLE_FLOAT(text.strip()):
            return None
        home = self._home
        if digits[0] == "+":
            number = int(digits)
            return number if digits[1] != "0" and number in home else None
        if digits.startswith("00"):
            if not self._abroad_is_00:
                return None
            number = int(digits)
            return number if _INTERNATIONAL_00.match(text) and number in home else None
        if not or_abroad and self._leads_abroad(digits):
            return None
        if digits[0] == "0":
            if not self._trunk_zero:
                return None
            digits = self._prefix + digits[1:]
        elif not digits.startswith(self._prefix):
            digits = self._prefix + digits
        elif self._is_national(digits):
            if self._is_national(digits.removeprefix(self._prefix)):
                return None
            digits = self._prefix + digits
        number = int(digits)
        return number if number in home else None

    def _read_and_judge(self, text: str) -> int | Rejection:
        """The reading and the verdict of the library."""
        number = self._parse(text)
        if isinstance(number, Rejection):
            return number
        verdict = self._verdict(number, text)
        if isinstance(verdict, Rejection):
            return verdict
        if self._leads_elsewhere(text):
            return _AMBIGUOUS_ABROAD
        return _AMBIGUOUS if self._has_two_readings(text) else verdict

    def _has_two_readings(self, text: str) -> bool:
        """Whether there is such a number of the country, and another one if its first digits are the country's code.

        So it is with `628123456789` in Indonesia, and with some of Germany and Sweden; the library takes the first.
        """
        digits = EXTENSION.sub("", text).translate(_PUNCTUATION)
        if not digits.startswith(self._prefix) or not digits.isdecimal():
            return False
        return None not in (self.number_of(f"+{digits}"), self.number_of(f"+{self._prefix}{digits}"))

    def _leads_elsewhere(self, text: str) -> bool:
        """Whether 00 is read as a plus sign, and the country's own way abroad leads to somebody too.

        So it is with `0091...` in Thailand, where 009 leads abroad and the 1 after it to America.
        """
        from phonenumbers import NumberParseException, is_valid_number, parse

        if self._abroad_is_00 or not _INTERNATIONAL_00.match(text):
            return False
        try:
            return is_valid_number(parse(text, self.region))
        except NumberParseException:
            return False

    def _parse(self, text: str) -> PhoneNumber | Rejection:
        from phonenumbers import NumberParseException, parse

        if _SCIENTIFIC(text):
            return Rejection(Disposition.PHONE_UNREADABLE, "a spreadsheet turned it into scientific notation")
        if _WHOLE_FLOAT(text):
            text = text.partition(".")[0]
            if is_rounded(text):
                return _ROUNDED
        bare = EXTENSION.sub("", _CONTEXT.sub("", _TEL.sub("", text)))
        if _SEVERAL.search(bare):
            return Rejection(Disposition.PHONE_UNREADABLE, "several numbers in one cell")
        # The library reads letters as the keys of a telephone: a name in the phone column must not become a
        # number.
        if any(character.isalpha() for character in bare):
            return Rejection(Disposition.PHONE_UNREADABLE, "letters in the number")
        if not any(character.isdigit() for character in bare):
            return Rejection(Disposition.PHONE_UNREADABLE, "no digits")
        text = _INTERNATIONAL_00.sub("+", _TEL.sub("tel:", text), count=1) if "tel:" not in text else text
        try:
            return parse(text, self.region)
        except NumberParseException as error:
            if error.error_type == NumberParseException.NOT_A_NUMBER:
                return Rejection(Disposition.PHONE_UNREADABLE, "not a telephone number")
            short = _short_number(bare, self.region)
            return short or Rejection(Disposition.PHONE_INVALID, _parse_errors().get(error.error_type, "invalid"))

    def _verdict(self, number: PhoneNumber, text: str) -> int | Rejection:
        from phonenumbers import (
            PhoneNumberType,
            ValidationResult,
            is_possible_number_with_reason,
            is_valid_number,
            number_type,
        )

        if not is_valid_number(number):
            if short := _short_number(text, self.region):
                return short
            reason = is_possible_number_with_reason(number)
            detail = {ValidationResult.TOO_SHORT: "too short", ValidationResult.TOO_LONG: "too long"}.get(reason)
            return Rejection(Disposition.PHONE_INVALID, detail or f"no such number in +{number.country_code}")
        kind = number_type(number)
        if kind not in {
            PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE
        }:  # fmt: skip
            return Rejection(Disposition.PHONE_NOT_DIALABLE, _kind_names().get(kind, "unknown kind"))
        return _e164(number)


def read_calling_code(country_code: object) -> int:
    """Check a campaign's ``country_code`` (``+`` and 1 to 4 digits) and return it as an integer.

    :raises InvalidRequest: it is not spelled so, or no country has it.
    """
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    text = country_code if isinstance(country_code, str) else ""
    code = int(text.removeprefix("+")) if re.fullmatch(r"\+[1-9][0-9]{0,3}", text) else 0
    if COUNTRY_CODE_TO_REGION_CODE.get(code, ("001",)) == ("001",):
        raise InvalidRequest(
            "country_code must be '+' and the digits of an existing calling code, such as +91.",
            field="country_code",
        )
    return code


@cache
def _main_region(calling_code: int) -> str:
    from phonenumbers import region_code_for_country_code

    return str(region_code_for_country_code(calling_code))


@cache
def _metadata(region: str) -> Any:
    from phonenumbers.phonemetadata import PhoneMetadata

    return PhoneMetadata.metadata_for_region(region)


def _plain_or_zero(cells: Sequence[Any]) -> Iterator[str]:
    """The cells, with a zero in the place of those that are not `+` and ASCII digits."""
    texts = [cell if type(cell) is str else "" for cell in cells] if set(map(type, cells)) != {str} else cells
    return (text if plain else "0" for text, plain in zip(texts, map(_PLAIN, texts), strict=True))


def _all_plain(cells: Sequence[Any]) -> bool:
    """Whether every cell is `+` and ASCII digits: passes in C are cheaper than a regular expression per cell."""
    if not cells or min(map(len, cells)) < _SHORTEST or max(map(len, cells)) > _LONGEST:
        return False
    joined = "\n".join(cells)
    return (
        joined.isascii()
        and joined.startswith("+")
        and not joined.endswith("+")
        and "+\n" not in joined
        and joined.count("\n+") == len(cells) - 1
        and joined.count("+") == len(cells)
        and "+0" not in joined
        and joined.replace("\n+", "")[1:].isdigit()
    )


def _text_of(cell: Any) -> str | Rejection:
    """A cell's text in plain characters, or why it is none that could be a number."""
    if cell is None:
        return Rejection(Disposition.PHONE_MISSING)
    if isinstance(cell, bool) or not isinstance(cell, str | int | float | Decimal):
        return Rejection(Disposition.PHONE_UNREADABLE, f"a {type(cell).__name__} is not a telephone number")
    if isinstance(cell, float | Decimal):
        # NULLs in an integer column make some databases and pandas hand out 919876543210.0 and NaN.
        if not is_finite(cell):
            is_missing = "nan" in str(cell).lower()
            return Rejection(Disposition.PHONE_MISSING if is_missing else Disposition.PHONE_UNREADABLE)
        if not -_TOO_LARGE < cell < _TOO_LARGE:
            return Rejection(Disposition.PHONE_UNREADABLE, "too long to be a telephone number")
        if cell != int(cell):
            return Rejection(Disposition.PHONE_UNREADABLE, "a fraction is not a telephone number")
        cell = int(cell)
        if is_rounded(str(cell)):
            return _ROUNDED
    if isinstance(cell, int):
        # Python itself refuses to write numbers of thousands of digits.
        text = str(cell) if abs(cell) < _TOO_LARGE else "9" * (_LONGEST_CELL + 1)
    else:
        text = cell.strip()
    if len(text) > _LONGEST_CELL:
        return Rejection(Disposition.PHONE_UNREADABLE, "too long to be a telephone number")
    return plain_text(text) or Rejection(Disposition.PHONE_MISSING)


def is_finite(number: float | Decimal) -> bool:
    """Whether it is a number, and no infinite one."""
    return number.is_finite() if isinstance(number, Decimal) else math.isfinite(number)


def is_rounded(digits: str) -> bool:
    """Whether a number that went through a machine's floating point has been cut to seven digits or fewer.

    So many are what `%e` leaves, and what a spreadsheet, SAS or R shows at most. One true number in a thousand looks
    like this too; it is left out, because the others would ring strangers.
    """
    kept = digits.rstrip("0")
    return len(kept) <= _ROUNDED_DIGITS and len(digits) - len(kept) >= _ROUNDED_ZEROS


def _is_single_precision(cells: Sequence[Any]) -> bool:
    """Whether all floats of a column are such as single precision has, a `real` column's, which ends after 16,777,216.

    Of double precision, where telephone numbers are exact, one in a hundred looks so by itself.
    """
    floats = [cell for cell in cells if isinstance(cell, float) and _EXACT_IN_SINGLE < cell < _TOO_LARGE_FOR_SINGLE]
    return bool(floats) and all(map(_fits_single_precision, floats))


def _fits_single_precision(value: float) -> bool:
    packed = struct.pack("f", value)
    (nearest,) = struct.unpack("f", packed)
    if value == nearest:
        return True
    # Some databases send what they print: the fewest digits that name it.
    printed = (float(f"{nearest:.{digits}g}") for digits in range(1, 10))
    return value == next(text for text in printed if struct.pack("f", text) == packed)


def plain_text(text: str) -> str:
    """A text in plain characters: NFKC, ASCII digits, nothing invisible, blanks for tabs."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_INVISIBLE)
        text = "".join(str(unicodedata.digit(character)) if character.isdigit() else character for character in text)
    return text.translate(_BLANKS).strip()


def _e164(number: PhoneNumber) -> int:
    from phonenumbers import PhoneNumberFormat, format_number

    return int(format_number(number, PhoneNumberFormat.E164))


def _renumbered(number: int) -> int | None:
    from phonenumbers import is_valid_number, parse

    for before, now in _RENUMBERED:
        if before.fullmatch(str(number)) and is_valid_number(parse(spelled := before.sub(rf"+{now}", str(number)))):
            return int(spelled)
    return None


def _short_number(text: str, region: str) -> Rejection | None:
    from phonenumbers import shortnumberinfo

    digits = text.translate(_PUNCTUATION)
    if not digits.isascii() or not digits.isdigit() or len(digits) > 6:
        return None
    if shortnumberinfo.connects_to_emergency_number(digits, region):
        return Rejection(Disposition.PHONE_NOT_DIALABLE, "an emergency number")
    return Rejection(Disposition.PHONE_NOT_DIALABLE, "a short code")


@cache
def _kind_names() -> dict[int, str]:
    from phonenumbers import PhoneNumberType as Kind

    return {
        Kind.TOLL_FREE: "a toll-free number",
        Kind.PREMIUM_RATE: "a premium-rate number",
        Kind.SHARED_COST: "a shared-cost number",
        Kind.VOIP: "an internet telephony number",
        Kind.PERSONAL_NUMBER: "a personal number",
        Kind.PAGER: "a pager",
        Kind.UAN: "a company-wide number",
        Kind.VOICEMAIL: "a voicemail number",
    }


@cache
def _parse_errors() -> dict[int, str]:
    from phonenumbers import NumberParseException as Error

    return {
        Error.INVALID_COUNTRY_CODE: "an unknown calling code",
        Error.TOO_SHORT_AFTER_IDD: "too short",
        Error.TOO_SHORT_NSN: "too short",
        Error.TOO_LONG: "too long",
    }
