"""The compiled numbering plans say yes only where the library does."""

from __future__ import annotations

import random

import phonenumbers
import phonenumbers.timezone
import pytest

from ringg_provider.numbers.plan import dialable_numbers

_DIALABLE = {
    phonenumbers.PhoneNumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
}


def is_dialable(number: int) -> bool:
    """What the library says of an E.164 number."""
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return False
    spelled = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return (
        spelled == f"+{number}"
        and phonenumbers.is_valid_number(parsed)
        and phonenumbers.number_type(parsed) in _DIALABLE
    )


@pytest.mark.parametrize("code", [91, 1, 44, 49, 86, 62, 55, 52, 39, 7, 61, 971, 880, 92, 33, 65, 47, 358, 599, 212])
def test_yes_means_that_the_library_agrees_and_the_common_numbers_get_one(code: int) -> None:
    chance = random.Random(code)
    numbers = dialable_numbers(code)
    good = yes = 0
    for _ in range(1500):
        length = chance.choice((7, 8, 9, 9, 10, 10, 10, 11))
        number = int(f"{code}{chance.randrange(1, 10)}{chance.randrange(10 ** (length - 1)):0{length - 1}d}")
        dialable = is_dialable(number)
        good += dialable
        if number in numbers:
            yes += 1
            assert dialable
    assert yes >= 0.8 * good


def test_a_column_is_judged_as_its_numbers_one_by_one() -> None:
    numbers = dialable_numbers(91)
    assert numbers.doubtful([919876543210, 919876543211]) == []
    assert numbers.doubtful([911800112233, 919876543210, 9198765432, 14155552671]) == [0, 2, 3]


def test_a_code_without_a_country_has_no_numbers() -> None:
    assert 80012345678 not in dialable_numbers(800)


def test_no_code_takes_long_to_compile_nor_much_memory() -> None:
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        if regions != ("001",):
            assert len(dialable_numbers(code)._prefixes.serialize()) < 400_000


@pytest.mark.parametrize("code", [91, 1, 44, 7, 61, 55, 62, 86])
def test_numbers_with_the_same_leading_digits_are_from_the_same_country_and_zones(code: int) -> None:
    chance = random.Random(code)
    numbers = dialable_numbers(code)
    seen: dict[str, tuple[object, ...]] = {}
    for _ in range(200):
        prefix = numbers._prefixes[chance.randrange(len(numbers._prefixes))]
        for _ in range(3):
            number = prefix * 10_000 + chance.randrange(10_000)
            parsed = phonenumbers.parse(f"+{number}")
            zones = phonenumbers.timezone.time_zones_for_number(parsed)
            where = (phonenumbers.region_code_for_number(parsed), zones)
            (origin,) = numbers.origins([f"+{number}"], [number])
            assert seen.setdefault(origin, where) == where
    if code in (91, 1):  # elsewhere some zones take so many digits that each number is asked for itself
        assert len(seen) <= 200
