"""Numbers of people who want to be left alone, read out of whatever they are written in.

A strict reading would lose somebody here, and a wrong one does no harm: it leaves a stranger alone. So everything that
is a number counts, however it is written and wherever it stands in a row. What is a number of no country can never be
that of a contact; it is counted as lost, because somebody may be called who should not be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from ringg_provider.contacts.phones import EXTENSION, PhoneCleaner, is_finite, is_rounded, plain_text

_SEPARATORS = re.compile(r"[,;/|&\n]|\bor\b|\band\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
_GROUPS = re.compile(r"\+?[0-9]+").findall
_WITH_POINT = re.compile(r"[0-9]+\.0+").fullmatch
_SCIENTIFIC = re.compile(r"\+?[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,2}").fullmatch
#: One number is written in so many groups of digits at most, and of digits with all that stands before it.
_MOST_GROUPS, _MOST_DIGITS, _FEWEST_DIGITS = 6, 18, 7
_LONGEST_CODE = 3
#: What stands before a number, or before its country's code: a trunk zero, or a country's own way abroad.
_BEFORE = ("0011", "011", "010", "810", "000", "00", "0", "")
#: A number with the code of another country and no plus sign is told from others by its length.
_WITH_CODE = 11


class OptOuts(NamedTuple):
    """What was read out of a row.

    :param numbers: E.164 numbers as integers, whether they can be dialled or not.
    :param read: positions of the cells that have a number, or a part of one.
    :param lost: positions of those that have something else.
    """

    numbers: set[int]
    read: set[int]
    lost: set[int]


def read_opt_outs(cells: Sequence[Any], cleaner: PhoneCleaner) -> OptOuts:
    """Read all numbers of a row: several to a cell, or one in several cells.

    :param cells: values of any types: text, whole numbers, arrays, documents, bytes.
    :param cleaner: of the country whose numbers may lack their code.
    """
    parts = [(position, part) for position, cell in enumerate(cells) for part in _parts(cell)]
    numbers, read = _in_one_piece(parts, cleaner) or _in_many(parts, cleaner)
    filled = {position for position, cell in enumerate(cells) if _is_filled(cell)}
    return OptOuts(numbers, read, filled - read)


def _in_one_piece(parts: Sequence[tuple[int, str]], cleaner: PhoneCleaner) -> tuple[set[int], set[int]] | None:
    """The number that a row is which has but one, in parts that are none by themselves; so are most."""
    short = all(_is_too_short(part, cleaner) for _, part in parts)
    numbers = _as_one(" ".join(part for _, part in parts), cleaner) if short else None
    return (numbers, {position for position, _ in parts}) if numbers else None


def _in_many(parts: Sequence[tuple[int, str]], cleaner: PhoneCleaner) -> tuple[set[int], set[int]]:
    """All numbers, and the positions of the cells that they are in."""
    numbers: set[int] = set()
    read: set[int] = set()
    # Groups of digits that are no numbers by themselves, with the positions of their cells; None keeps others apart.
    groups: list[tuple[int, str] | None] = []
    for position, part in parts:
        found = set() if _is_too_short(part, cleaner) else _numbers_in(part, cleaner)
        if found and groups and groups[-1] and len(code := groups[-1][1].removeprefix("+")) <= _LONGEST_CODE:
            # A country's code may have a column of its own.
            abroad = cleaner.number_of(f"+{code}{''.join(_GROUPS(part))}")
            if abroad is not None:
                found.add(abroad)
                read.add(groups[-1][0])
        if found:
            numbers |= found
            read.add(position)
        if found or _SCIENTIFIC(part):
            groups.append(None)
            continue
        for number, between_words in enumerate(_WORD.split(EXTENSION.sub("", part))):
            groups += [None] if number else []
            groups += [(position, digits) for digits in _GROUPS(between_words)]
    for neighbours in _neighbours(groups):
        if found := _read_digits("".join(digits for _, digits in neighbours), cleaner):
            numbers |= found
            read.update(position for position, _ in neighbours)
    return numbers, read


def _is_too_short(text: str, cleaner: PhoneCleaner) -> bool:
    """Whether it has too few digits to be a number by itself, and nothing but what a number is written with."""
    return len(text) < cleaner.fewest_digits and not _WORD.search(text)


def _numbers_in(text: str, cleaner: PhoneCleaner) -> set[int]:
    """The numbers that a text says in so many words."""
    from phonenumbers import Leniency, PhoneNumberMatcher

    if not _GROUPS(text):
        return set()
    if _SCIENTIFIC(text):
        value = Decimal(text)
        text = str(int(value)) if value == int(value) and not is_rounded(str(int(value))) else ""
    texts = [text]
    if not text.isdecimal():
        matches = PhoneNumberMatcher(text, cleaner.region, leniency=Leniency.POSSIBLE)
        texts += [match.raw_string for match in matches]
    found = set().union(*(_as_one(text, cleaner) for text in texts))
    # What is a number may be the beginning of a longer one.
    return found | _read_digits("".join(_GROUPS(text)), cleaner) if found and len(texts) > 1 else found


def _as_one(text: str, cleaner: PhoneCleaner) -> set[int]:
    """The number that a text is: two where its first digits may be a country's code without a plus sign, or not."""
    spellings = [text]
    digits = "".join(_GROUPS(text))
    if digits.startswith(str(cleaner.calling_code)) or len(digits) >= _WITH_CODE:
        spellings.append(f"+{text}")
    return {number for number in map(cleaner.number_of, spellings) if number is not None}


def _neighbours(groups: Sequence[tuple[int, str] | None]) -> Iterator[list[tuple[int, str]]]:
    """All groups of digits one by one, and those that follow each other together, as far as they may be a number."""
    for first in range(len(groups)):
        together: list[tuple[int, str]] = []
        for group in groups[first : first + _MOST_GROUPS]:
            if group is None or (together and group[1].startswith("+")):
                break
            together = [*together, group]
            if _FEWEST_DIGITS <= sum(len(digits) for _, digits in together) <= _MOST_DIGITS:
                yield together


def _read_digits(text: str, cleaner: PhoneCleaner) -> set[int]:
    """The numbers that digits can stand for, whatever is written before them and whatever was left out."""
    home = str(cleaner.calling_code)
    has_plus, digits = text.startswith("+"), text.removeprefix("+")
    spellings: dict[str, None] = {}
    for rest in (digits.removeprefix(before) for before in _BEFORE if digits.startswith(before)):
        if has_plus or rest.startswith(home) or len(rest) >= _WITH_CODE:
            spellings[f"+{rest}"] = None
        # Some countries' numbers begin with a zero, which a column of whole numbers has not, or people leave out.
        if rest.startswith(home):
            spellings[f"+{home}0{rest.removeprefix(home)}"] = None
        if not has_plus:
            spellings |= dict.fromkeys((f"+{home}{rest}", f"+{home}0{rest}"))
    found = map(cleaner.number_of, spellings)
    return {number for number in found if number is not None}


def _is_filled(cell: Any) -> bool:
    if isinstance(cell, str):
        return bool(plain_text(cell))
    return cell is not None and not (isinstance(cell, float | Decimal) and not is_finite(cell))


def as_written(cell: Any) -> str:
    """The digits of a whole number that a machine may have rounded; empty when it is no such number."""
    try:
        value = Decimal(str(cell).strip())
        return str(int(value)) if value == int(value) and abs(value) < 10**_MOST_DIGITS else ""
    except (ArithmeticError, ValueError):
        return ""


def _parts(cell: Any) -> Iterator[str]:
    """The texts in a cell, cut at what separates numbers, dates and the like."""
    for text in _texts(cell):
        plain = plain_text(text)
        if _WITH_POINT(plain):
            plain = plain.partition(".")[0]
            plain = "" if is_rounded(plain) else plain
        # A decimal comma, in a number that a spreadsheet has spoilt.
        parts = [comma] if _SCIENTIFIC(comma := plain.replace(",", ".")) else _SEPARATORS.split(plain)
        yield from filter(None, map(str.strip, parts))


def _texts(cell: Any) -> Iterator[str]:
    """The texts in a cell, which may be an array, a document or bytes; what is no text and no whole number has none."""
    if isinstance(cell, Mapping):
        cell = list(cell.values())
    if isinstance(cell, list | tuple | set | frozenset):
        for item in cell:
            yield from _texts(item)
    elif isinstance(cell, bytes | bytearray | memoryview):
        yield bytes(cell).decode("utf-8", "replace")
    elif isinstance(cell, str):
        yield cell
    elif isinstance(cell, int) and not isinstance(cell, bool):
        yield from (str(cell),) if 0 <= cell < 10**_MOST_DIGITS else ()
    elif isinstance(cell, float | Decimal) and is_finite(cell) and 0 <= cell < 10**_MOST_DIGITS and cell == int(cell):
        yield from () if is_rounded(digits := str(int(cell))) else (digits,)
