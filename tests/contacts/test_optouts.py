"""Whoever wants to be left alone is found, however his number is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import combinations
from typing import Any

import phonenumbers
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ringg_provider.contacts.optouts import read_opt_outs
from ringg_provider.contacts.phones import PhoneCleaner

CODES = (91, 1, 44, 52, 55, 39, 49, 7, 62, 65, 971)
WITH_TRUNK_ZERO = (91, 44, 55, 49, 62, 971)


@cache
def cleaner(code: int) -> PhoneCleaner:
    return PhoneCleaner(f"+{code}")


@pytest.mark.parametrize(
    ("home", "cells", "number"),
    [
        # What is written before the number.
        (91, ["0919876543210"], 919876543210),
        (91, ["091-98765 43210"], 919876543210),
        (91, ["0091 98765 43210"], 919876543210),
        (91, ["00 98765 43210"], 919876543210),
        (91, ["011 91 98765 43210"], 919876543210),
        (91, ["+091 98765 43210"], 919876543210),
        (91, ["+91 (0) 98765 43210"], 919876543210),
        (91, ["+91 91 98765 43210"], 919876543210),
        (91, ["Ravi: 0919876543210 (mobile)"], 919876543210),
        (44, ["+44 (0)7911 123456"], 447911123456),
        (44, ["0447911123456"], 447911123456),
        (91, ["0447911123456"], 447911123456),
        (1, ["+1 (1) 415 555 2671"], 14155552671),
        (1, ["001 415 555 2671"], 14155552671),
        # What follows it.
        (91, ["98765 43210 ext. 12"], 919876543210),
        (91, ["0919876543210 x12"], 919876543210),
        (91, ["98765 43210;ext=12"], 919876543210),
        # Numbers that a machine wrote as numbers.
        (91, ["9.87654321E9"], 919876543210),
        (91, ["9,87654321E+9"], 919876543210),
        (91, ["9.1987654321E11"], 919876543210),
        (91, ["9,876,543,210"], 919876543210),
        (91, ["919,876,543,210"], 919876543210),
        (91, ["0919876543210.0"], 919876543210),
        (91, [919876543210], 919876543210),
        (91, [9876543210.0], 919876543210),
        (91, [Decimal("9876543210.00")], 919876543210),
        # Other alphabets and blanks.
        (91, ["\u0966\u096f\u0967 \u096f\u096e\u096d\u096c\u096b \u096a\u0969\u0968\u0967\u0966"], 919876543210),
        (91, ["098765\u00a043210"], 919876543210),
        (91, ["098765\u200943210\u200b"], 919876543210),
        # A number in several cells or pieces.
        (1, ["202", "5550143"], 12025550143),
        (1, [202, 5550143], 12025550143),
        (1, ["202", None, "555-0143", "by mail", date(2026, 11, 20)], 12025550143),
        (1, ["1", "202", "555", "0143"], 12025550143),
        (1, ["(202)", "555-0143"], 12025550143),
        (1, ["Area 202", "5550143"], 12025550143),
        (1, ["202,5550143"], 12025550143),
        (1, ["202|5550143"], 12025550143),
        (1, ["202;5550143;202;5550199"], 12025550143),
        (91, ["98765", "43210"], 919876543210),
        (91, ["022", "27781234"], 912227781234),
        (91, [22, 27781234], 912227781234),
        (49, ["030", "123456"], 4930123456),
        (91, ["44", "7911123456"], 447911123456),
        (91, ["+44", "7911 123456"], 447911123456),
        (91, [1, 4155552671], 14155552671),
        # Numbers from before all of a country's were changed.
        (52, ["+52 1 55 1234 5678"], 525512345678),
        (52, ["5215512345678"], 525512345678),
        (52, ["1 55 1234 5678"], 525512345678),
        (52, ["044 55 1234 5678"], 525512345678),
        (91, ["+52 1 55 1234 5678"], 525512345678),
        (55, ["+55 11 8765-4321"], 5511987654321),
        (55, ["(11) 8765-4321"], 5511987654321),
        (55, ["+55 11 7765-4321"], 551177654321),  # trunked radio kept its eight digits
        # The zero that Italy's numbers begin with, and the one that others leave out.
        (39, ["06 6982 1234"], 390669821234),
        (39, [669821234], 390669821234),
        (39, ["+39 6 6982 1234"], 390669821234),
        (39, ["+39 0333 123 4567"], 393331234567),
    ],
)
def test_what_can_be_read_is_read(home: int, cells: list[Any], number: int) -> None:
    read = read_opt_outs(cells, cleaner(home))
    assert number in read.numbers
    assert read.read >= {position for position, cell in enumerate(cells) if isinstance(cell, int | float)}


@pytest.mark.parametrize(
    ("home", "cells", "lost"),
    [
        (1, ["5550143"], {0}),
        (1, [5550143], {0}),
        (1, ["202", None], {0}),
        (91, ["987654321"], {0}),
        (91, ["98765432101"], {0}),
        (91, ["+91 98765"], {0}),
        (91, ["9.87654E+09"], {0}),
        (91, ["9,87654E+09"], {0}),
        (91, ["919877000000.0"], {0}),
        (91, [919877000000.0], {0}),
        (91, [Decimal("9.19877E+11")], {0}),
        (91, [9876543210.5], {0}),
        (91, ["N/A"], {0}),
        (91, ["98765OO051"], {0}),
        (91, [None, "", " \u200b ", float("nan")], set()),
        (91, [b"", [], {}], {0, 1, 2}),
        (91, [True, date(2026, 11, 20)], {0, 1}),
    ],
)
def test_what_is_nobodys_number_is_told_apart_from_nothing(home: int, cells: list[Any], lost: set[int]) -> None:
    read = read_opt_outs(cells, cleaner(home))
    assert (read.numbers, read.lost) == (set(), lost)


def test_argentinas_numbers_with_and_without_nine_are_two_numbers() -> None:
    """A limitation: which of them are the same telephone, the numbers do not tell."""
    assert read_opt_outs(["+54 9 11 2345 6789"], cleaner(54)).numbers == {5491123456789}
    assert read_opt_outs(["+54 11 2345 6789"], cleaner(54)).numbers == {541123456789}


@st.composite
def dialable(draw: st.DrawFn) -> tuple[int, int]:
    """A calling code and a number of it that a contact may have."""
    code = draw(st.sampled_from(CODES))
    region = phonenumbers.region_code_for_country_code(code)
    kind = draw(st.sampled_from([phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE]))
    example = phonenumbers.example_number_for_type(region, kind)
    assert example is not None
    text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    kept = draw(st.integers(len(text) - 6, len(text)))
    tail = draw(st.text("0123456789", min_size=len(text) - kept, max_size=len(text) - kept))
    read = cleaner(code).clean(text[:kept] + tail)
    return code, read if isinstance(read, int) else int(text)


def has_shorter(groups: Sequence[str], home: int) -> bool:
    """Whether some of the groups of a number's digits are a number by themselves."""
    runs = combinations(range(len(groups) + 1), 2)
    read = ("".join(groups[first:last]) for first, last in runs if last - first < len(groups))
    return any(cleaner(home).number_of(text) or cleaner(home).number_of(f"+{text}") for text in read)


@st.composite
def written(draw: st.DrawFn) -> tuple[int, int, Sequence[str | None]]:
    """A number as somebody may have written it, in one cell or several, and whose numbers lack their code.

    Where numbers may be short or long, a piece can be one by itself; nothing says then that more is to come.
    """
    code, number = draw(dialable())
    home = draw(st.sampled_from([code, code, 91]))
    national = str(number).removeprefix(str(code))
    before = [f"+{code}", f"00{code}"]
    if code in WITH_TRUNK_ZERO:
        before.append(f"+{code} (0) ")
    if home == code:
        before += ["", str(code), f"0{code}"]
    spelled = draw(st.sampled_from(before)) + national
    # In Germany, a trunk zero and the code before a number can be the beginning of another one.
    assume(not spelled.startswith(f"0{code}") or cleaner(home).number_of(spelled) in (None, number))
    cuts = sorted(draw(st.sets(st.integers(len(spelled) - len(national) + 1, len(spelled) - 1), max_size=2)))
    pieces = [spelled[first:last] for first, last in zip([0, *cuts], [*cuts, len(spelled)], strict=True)]
    between = st.sampled_from([" ", "-", "\u00a0", " - ", ",", "/", ";", "|"])
    if home == code and draw(st.booleans()):
        assume(not has_shorter(pieces, home))
        return home, number, draw(st.sampled_from([pieces, [*pieces, None], ["by mail", *pieces], [*pieces, "x y"]]))
    text = pieces[0] + "".join(draw(between) + piece for piece in pieces[1:])
    assume(not has_shorter(re.findall(r"\+?\d+", text), home))
    return home, number, [draw(st.sampled_from(["{}", " {} ", "Ravi {}", "({})", "tel:{}"])).format(text)]


@settings(deadline=None)
@given(written())
def test_a_number_is_found_however_it_is_written(case: tuple[int, int, Sequence[str | None]]) -> None:
    home, number, cells = case
    assert number in read_opt_outs(cells, cleaner(home)).numbers


@settings(deadline=None)
@given(dialable(), st.sampled_from([0, 1, 3]))
def test_a_lost_digit_names_nobody_or_somebody_else_but_never_fails(number: tuple[int, int], cut: int) -> None:
    code, digits = number
    read = read_opt_outs([str(digits)[: -cut or None]], cleaner(code))
    assert bool(read.numbers) != bool(read.lost)
    assert cut or digits in read.numbers


_CELLS = st.none() | st.text(max_size=30) | st.integers() | st.floats() | st.decimals() | st.binary()


@settings(deadline=None)
@given(st.lists(_CELLS, max_size=4))
def test_any_row_can_be_read(cells: list[Any]) -> None:
    read = read_opt_outs(cells, cleaner(91))
    assert not read.read & read.lost
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(f"+{number}")) for number in read.numbers)
