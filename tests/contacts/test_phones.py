"""Phone cells in any spelling become E.164, or a reason."""

from __future__ import annotations

import random
import re
from decimal import Decimal
from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.numbers.plan import calling_code_of
from tests.contacts.dirty_rows import ROWS

INDIA = PhoneCleaner("+91")
_LINES = {
    phonenumbers.PhoneNumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
}


@pytest.mark.parametrize("row", [row for row in ROWS if row.called_at or row.disposition.startswith("phone_")])
def test_every_dirty_spelling_is_read_or_refused_for_its_reason(row: Any) -> None:
    read = INDIA.clean(row.phone)
    if row.called_at:
        assert read == int(row.called_at)
    else:
        assert isinstance(read, Rejection)
        assert read.disposition == row.disposition
        assert row.detail in read.detail


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (919876543210, 919876543210),
        (9876543210, 919876543210),
        (919876543210.0, 919876543210),
        (Decimal(9876543210), 919876543210),
        (Decimal("9876543210.00"), 919876543210),
    ],
)
def test_numbers_that_the_database_kept_as_numbers_are_read(cell: Any, number: int) -> None:
    assert INDIA.clean(cell) == number


@pytest.mark.parametrize(
    ("cell", "disposition"),
    [
        (float("nan"), Disposition.PHONE_MISSING),
        (Decimal("NaN"), Disposition.PHONE_MISSING),
        (Decimal("sNaN"), Disposition.PHONE_MISSING),
        (Decimal("-Infinity"), Disposition.PHONE_UNREADABLE),
        (Decimal("1E+999999999"), Disposition.PHONE_UNREADABLE),
        (float("inf"), Disposition.PHONE_UNREADABLE),
        (9876543210.5, Disposition.PHONE_UNREADABLE),
        (True, Disposition.PHONE_UNREADABLE),
        (b"9876543210", Disposition.PHONE_UNREADABLE),
        ([], Disposition.PHONE_UNREADABLE),
    ],
)
def test_what_is_no_number_of_any_type_is_refused(cell: Any, disposition: Disposition) -> None:
    read = INDIA.clean(cell)
    assert isinstance(read, Rejection)
    assert read.disposition is disposition


@pytest.mark.parametrize(
    ("country_code", "cell", "number"),
    [
        ("+1", "(415) 555-2671", 14155552671),
        ("+1", "1-415-555-2671", 14155552671),
        ("+1", "011 44 7911 123456", 447911123456),
        ("+1", "0044 7911 123456", 447911123456),
        ("+1", "416 555 0123", 14165550123),
        ("+44", "07911 123456", 447911123456),
        ("+44", "+44 (0)7911 123456", 447911123456),
        ("+49", "0151 23456789", 4915123456789),
        ("+39", "06 6982 1234", 390669821234),
        ("+39", "312 345 6789", 393123456789),
        ("+7", "8 (912) 345-67-89", 79123456789),
        ("+52", "55 1234 5678", 525512345678),
        ("+54", "011 15-2345-6789", 5491123456789),
        ("+55", "(11) 91234-5678", 5511912345678),
        ("+65", "8123 4567", 6581234567),
        ("+971", "050 123 4567", 971501234567),
    ],
)
def test_other_countries_are_read_as_their_people_write(country_code: str, cell: str, number: int) -> None:
    assert PhoneCleaner(country_code).clean(cell) == number


def _lines_of(code: int, count: int, chance: random.Random) -> list[int]:
    """Numbers of a code that may be dialled."""
    cleaner, region = PhoneCleaner(f"+{code}"), phonenumbers.region_code_for_country_code(code)
    found: list[int] = []
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        example = phonenumbers.example_number_for_type(region, kind)
        for _ in range(count if example else 0):
            text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            kept = chance.randrange(len(str(code)) + 2, len(text) - 2)
            read = cleaner.clean(text[:kept] + "".join(chance.choices("0123456789", k=len(text) - kept)))
            found += [read] if isinstance(read, int) else []
    return found


def test_what_is_written_without_a_plus_is_the_number_meant_or_none() -> None:
    """In Indonesia all such numbers were read as others, in Germany and Sweden every second one."""
    chance = random.Random(20261120)
    read = refused = 0
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        if regions == ("001",):
            continue
        cleaner = PhoneCleaner(f"+{code}")
        for number in _lines_of(code, 20, chance):
            found = cleaner.clean(str(number))
            read += found == number
            refused += isinstance(found, Rejection)
            assert found == number or isinstance(found, Rejection), number
    assert read > 20 * refused


@pytest.mark.parametrize("cell", ["62218453661", "62 21-845-3661", 62218453661, "62218453661 ext. 5"])
def test_a_number_that_is_two_is_none(cell: Any) -> None:
    read = PhoneCleaner("+62").clean(cell)
    assert isinstance(read, Rejection)
    assert read.detail == "two numbers, one with and one without the country's code"


@pytest.mark.parametrize(
    ("country", "cell", "number"),
    [
        ("+62", "+62 812 3456 789", 628123456789),
        ("+62", "0062 812 3456 789", 628123456789),
        ("+62", "0812 3456 789", 628123456789),
        ("+62", "812 3456 789", 628123456789),
        ("+91", "9123456789", 919123456789),
        ("+91", "919123456789", 919123456789),
        ("+91", "9112345678", 919112345678),
    ],
)
def test_what_is_clear_without_a_plus_is_read(country: str, cell: str, number: int) -> None:
    assert PhoneCleaner(country).clean(cell) == number


@pytest.mark.parametrize(
    ("country", "cell", "number"),
    [
        ("+598", "019-979868", 59819979868),
        ("+972", "012-3456789", None),
        ("+886", "019 123 4567", None),
        ("+66", "00912025550143", 912025550143),
    ],
)
def test_a_number_whose_first_digits_may_lead_abroad_is_dialled_for_nobody_and_opted_out_for_whoever_has_it(
    country: str, cell: str, number: int | None
) -> None:
    cleaner = PhoneCleaner(country)
    assert isinstance(cleaner.clean(cell), Rejection)
    assert cleaner.number_of(cell) == number


@pytest.mark.parametrize("cell", ["911", "1-900-234-5678", "800 234 5678", "900-976-1234"])
def test_american_numbers_that_are_no_persons_are_refused(cell: str) -> None:
    read = PhoneCleaner("+1").clean(cell)
    assert isinstance(read, Rejection)
    assert read.disposition in {Disposition.PHONE_NOT_DIALABLE, Disposition.PHONE_INVALID}


def test_no_reason_quotes_the_number() -> None:
    for row in ROWS:
        read = INDIA.clean(row.phone)
        if isinstance(read, Rejection):
            assert not any(character.isdigit() for character in read.detail.replace("+91", ""))


_DIGITS = st.text("0123456789", min_size=5, max_size=13)
_CELLS = st.one_of(
    st.builds("+91{}".format, _DIGITS),
    st.builds("+{}".format, _DIGITS),
    _DIGITS,
    st.text("0123456789+-() .x/", max_size=16),
    st.text(max_size=12),
    st.sampled_from([row.phone for row in ROWS]),
    st.integers(),
    st.none(),
)


_PLAIN_CELLS = st.integers(6_000_000_000, 9_999_999_999).map("+91{}".format)


@given(st.one_of(st.lists(_CELLS, max_size=20), st.lists(_PLAIN_CELLS, max_size=20)))
def test_a_column_is_read_as_its_cells_one_by_one(cells: list[Any]) -> None:
    column = INDIA.column(cells)
    for position, cell in enumerate(cells):
        read = INDIA.clean(cell)
        if isinstance(read, Rejection):
            assert column.rejections[position] == read
            assert (column.texts[position], column.numbers[position]) == ("", 0)
        else:
            assert position not in column.rejections
            assert (column.texts[position], column.numbers[position]) == (f"+{read}", read)
            assert (position in column.foreign) == (calling_code_of(read) != 91)


@pytest.mark.parametrize(
    "cell",
    ["+" + "9" * 17, "+" + "9" * 30, "+" + "9" * 5000, 10**400, 10**5000, "9" + " " * 20_000 + "a", "1" + "," * 20_000],
    ids=["17", "30", "5000", "an integer", "a large integer", "blanks", "commas"],
)
def test_a_cell_that_is_far_too_long_is_refused_at_once_and_spoils_no_column(cell: Any) -> None:
    column = PhoneCleaner("+91").column(["+919876543210", cell])
    assert list(column.numbers) == [919876543210, 0]
    assert set(column.rejections) == {1}


@pytest.mark.parametrize(
    ("country", "cell"),
    [("+49", "34567\n67891"), ("+49", "030 12345\r67"), ("+1", "8682211\n733"), ("+91", "98765\r\n43210")],
)
def test_numbers_on_two_lines_are_not_made_into_one(country: str, cell: str) -> None:
    read = PhoneCleaner(country).clean(cell)
    assert isinstance(read, Rejection)
    assert read.detail == "several numbers in one cell"


def test_every_number_of_a_column_is_found_dialable_or_not() -> None:
    cells = ["+919876543210", "N/A", None, "1800 123 4567", "+1 (415) 555-2671", "98765 43211"]
    assert sorted(INDIA.numbers_of(cells)) == [14155552671, 919876543210, 919876543211, 9118001234567]


@given(_CELLS)
def test_what_was_cleaned_is_clean(cell: Any) -> None:
    read = INDIA.clean(cell)
    if not isinstance(read, Rejection):
        assert INDIA.clean(f"+{read}") == read


@pytest.mark.parametrize(
    "spelling", ["0+91 9876543210", "١٢٣", "²³", "①②③④⑤⑥⑦⑧⑨⑩", "+", "()", "x12", ";ext=12", "tel:", "*123#"]
)
def test_odd_cells_get_a_reason_and_no_crash(spelling: str) -> None:
    assert isinstance(INDIA.clean(spelling), Rejection)


def _spelled(code: int, national: str, chance: random.Random) -> str:
    """A national number in one of the spellings that people use, right or wrong."""
    cut = len(national) // 2
    return chance.choice(
        [
            f"+{code}{national}",
            f"+{code}{national}",
            national,
            f"0{national}",
            f"{code}{national}",
            f"00{code}{national}",
            f"+{code} (0){national}",
            f"({national[:3]}) {national[3:]}",
            f"+{code}-{national[:cut]} {national[cut:]}",
            f"0{national[:2]}-{national[2:]}",
            f"00{national}",
            f"1{national}",
            f"0{code}{national}",
            f"{code}0{national}",
            f"+{national}",
        ]
    )


def _as_the_library_reads(cell: str, region: str) -> int | None:
    """The number that the library makes of a cell, and calls a mobile or fixed line."""
    try:
        number = phonenumbers.parse(re.sub(r"^\(?00(?=[1-9])", "+", cell), region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in _LINES:
        return None
    return int(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_short_cuts_agree_with_the_library_on_a_hundred_thousand_random_numbers() -> None:
    chance = random.Random(20261120)
    codes = [code for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items() if regions != ("001",)]
    cleaners = {code: PhoneCleaner(f"+{code}") for code in codes}
    regions = {code: phonenumbers.region_code_for_country_code(code) for code in codes}
    examples = {}
    for code, region in regions.items():
        found = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        found = found or phonenumbers.example_number(region)
        assert found is not None
        examples[code] = phonenumbers.national_significant_number(found)
    weights = [20 if code in (91, 1, 44) else 1 for code in codes]
    accepted = 0
    for turn, code in enumerate(chance.choices(codes, weights, k=100_000)):
        example = examples[code]
        # Half of them near a real number, where the borders are; half anywhere.
        kept = chance.randrange(len(example) + 1) if chance.random() < 0.5 else 0
        length = len(example) + chance.choice((0, 0, 0, 0, -1, 1))
        national = example[:kept] + "".join(chance.choices("0123456789", k=max(length - kept, 0)))
        cell = _spelled(code, national, chance)
        read = cleaners[code].clean(cell)
        if isinstance(read, int):
            accepted += 1
            assert _as_the_library_reads(cell, regions[code]) == read, f"+{code}: {cell}"
        elif read.detail == "two numbers, by two ways to dial abroad":
            assert re.match(r"\(?00", cell), f"+{code}: {cell}"
        elif read.detail.startswith("two numbers"):
            assert _as_the_library_reads(f"+{code} {cell}", regions[code]), f"+{code}: {cell}"
        elif turn % 20 == 0:  # nothing else is refused but by the library itself, which is slow
            assert _as_the_library_reads(cell, regions[code]) is None, f"+{code}: {cell}"
    assert accepted > 20_000
