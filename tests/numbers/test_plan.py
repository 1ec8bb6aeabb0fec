"""A compiled numbering plan: always what the library says, only faster."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import phonenumbers
import phonenumbers.timezone
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType
from phonenumbers.tzdata import TIMEZONE_DATA

from ringg_provider.numbers.plan import NOWHERE, NumberingPlan, NumberOrigin, calling_code_of, number_origin
from ringg_provider.numbers.plan import numbering_plan as plan_of

CODES = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
DIALABLE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


def is_dialable(number: int) -> bool:
    """What the library says of an E.164 number."""
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return False
    spelled = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    is_valid = phonenumbers.is_valid_number(parsed)
    return spelled == f"+{number}" and is_valid and phonenumbers.number_type(parsed) in DIALABLE


def origin_of(parsed: phonenumbers.PhoneNumber) -> NumberOrigin:
    """What the library says."""
    country = phonenumbers.region_code_for_number(parsed)
    zones = phonenumbers.timezone.time_zones_for_number(parsed)
    unknown = (phonenumbers.timezone.UNKNOWN_TIMEZONE,)
    return NumberOrigin(None if country == "001" else country, () if zones == unknown else tuple(zones))


def examples(code: int) -> list[str]:
    """The library's example numbers of a code, of every kind."""
    regions = [region for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code] if region != "001"]
    found = [phonenumbers.example_number_for_type(region, kind) for region in regions for kind in range(11)]
    found.append(phonenumbers.example_number_for_non_geo_entity(code))
    return [phonenumbers.format_number(number, PhoneNumberFormat.E164) for number in found if number]


def made_up(code: int, count: int, seed: int) -> Iterator[str]:
    """Numbers of a code in E.164: near its examples and the borders of zones, some of a wrong length, some random."""
    chance = random.Random(f"{code}/{seed}")
    known = examples(code)
    zones = [f"+{prefix}" for prefix in TIMEZONE_DATA if prefix.startswith(str(code))]
    while count:
        example = chance.choice(known)
        start = chance.choice(zones) if zones and chance.random() < 0.4 else example
        kept = chance.randrange(len(str(code)) + 1, len(start) + 1)
        length = len(example) + chance.choice((0, 0, 0, 0, 0, 0, -1, 1))
        number = start[:kept] + "".join(chance.choices("0123456789", k=length - kept))
        try:
            parsed = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == number:  # what cleaning gives
            count -= 1
            yield number


def compare(code: int, numbers: list[str]) -> tuple[int, int, int]:
    """How many are dialable, how many are known to be, and how many have a place; all as the library says."""
    plan = plan_of(code)
    origins = plan.origins([int(number) for number in numbers])
    good = yes = placed = 0
    for number, origin in zip(numbers, origins, strict=True):
        assert origin == origin_of(phonenumbers.parse(number)), number
        assert number_origin(number) == origin
        dialable = is_dialable(int(number))
        good += dialable
        placed += origin.country is not None and bool(origin.zones)
        if int(number) in plan:
            assert dialable, number
            yes += 1
    return good, yes, placed


def test_every_calling_codes_examples_and_random_numbers_are_what_the_library_says() -> None:
    good = yes = placed = 0
    for code in CODES:
        found = compare(code, [*examples(code), *made_up(code, 200, seed=20261120)])
        good, yes, placed = good + found[0], yes + found[1], placed + found[2]
    assert good > 10_000  # or the comparison would be about nothing
    assert placed > 10_000
    assert yes > 0.9 * good


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("code", [1, 7, 44, 49, 52, 54, 55, 61, 62, 86, 91, 262, 358, 881])
def test_the_codes_with_many_zones_patterns_and_countries_are_what_the_library_says(code: int) -> None:
    compare(code, list(made_up(code, 20_000, seed=7)))


@pytest.mark.parametrize("code", [91, 1, 44, 49, 86, 62, 55, 52, 39, 7, 61, 971, 880, 92, 33, 65, 47, 358, 599, 212])
def test_the_common_numbers_are_known_to_be_dialable(code: int) -> None:
    good, yes, _ = compare(code, list(made_up(code, 500, seed=1)))
    assert yes >= 0.75 * good > 0


@pytest.mark.parametrize(
    ("number", "country", "zones"),
    [
        ("+919876543210", "IN", ("Asia/Calcutta",)),
        ("+13055551234", "US", ("America/New_York",)),
        ("+14155552671", "US", ("America/Los_Angeles",)),
        ("+12045551234", "CA", ("America/Winnipeg",)),
        ("+442071234567", "GB", ("Europe/London",)),
        ("+4915123456789", "DE", ("Europe/Berlin",)),
        ("+17872345678", "PR", ("America/Puerto_Rico",)),
        ("+390612345678", "IT", ("Europe/Rome",)),
    ],
)
def test_a_number_tells_country_and_zones(number: str, country: str, zones: tuple[str, ...]) -> None:
    assert number_origin(number) == NumberOrigin(country, zones)


def test_all_that_a_toll_free_number_may_reach_is_named() -> None:
    assert len(number_origin("+18005551234").zones) > 20


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "919876543210",
        "+0123456789",
        "+999123456",
        "+91 98765",
        "+91\u096f\u096e\u096d\u096c\u096b\u096a\u0969\u0968\u0967\u0966",
        "+1abc",
        "+" + "9" * 5000,
    ],
)
def test_what_is_not_e164_is_from_nowhere(text: str) -> None:
    assert number_origin(text) == NOWHERE


def test_a_column_may_hold_numbers_of_other_codes_and_none() -> None:
    india = NumberOrigin("IN", ("Asia/Calcutta",))
    assert plan_of(91).origins([919876543210, 14155552671, 0]) == [india, NOWHERE, NOWHERE]


@pytest.mark.parametrize("code", [91, 1, 44, 7, 61, 55])
def test_of_dialable_numbers_alone_it_says_the_same_at_once(code: int) -> None:
    numbers = [int(number) for number in made_up(code, 300, seed=3) if is_dialable(int(number))]
    assert plan_of(code).origins(numbers, dialable=True) == plan_of(code).origins(numbers)


def test_a_column_is_judged_as_its_numbers_one_by_one() -> None:
    numbers = plan_of(91)
    assert numbers.doubtful([919876543210, 919876543211]) == []
    assert numbers.doubtful([911800112233, 919876543210, 9198765432, 14155552671]) == [0, 2, 3]


def test_a_code_without_a_country_has_no_dialable_numbers() -> None:
    assert 80012345678 not in plan_of(800)


def test_the_calling_code_is_told_from_the_number() -> None:
    for code in CODES:
        assert {calling_code_of(int(number)) for number in examples(code)} == {code}
    assert calling_code_of(0) == calling_code_of(999) == 0


def test_patterns_of_a_kind_that_is_not_known_are_the_librarys_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = PhoneMetadata.metadata_for_region("LU")
    assert metadata is not None
    monkeypatch.setattr(metadata.mobile, "_mutable", True)  # the library's own metadata, as a later release may have it
    monkeypatch.setattr(metadata.mobile, "national_number_pattern", r"6(?!99)\d{8}")
    plan = NumberingPlan(352)
    numbers = [352628123456, 352699123456, 352222222]
    assert plan.doubtful(numbers) == [0, 1, 2]
    assert plan.origins(numbers) == [origin_of(phonenumbers.parse(f"+{number}")) for number in numbers]
    assert plan.origins([352628123456])[0].country == "LU"


def test_every_code_is_compiled_fast_enough_and_answers_by_the_million() -> None:
    # Measured on a quiet machine: 1.5 s for all codes, and 0.15 us a number for its verdict and 0.3 us for its origin.
    started = time.process_time()
    for code in CODES:
        NumberingPlan(code)
    assert time.process_time() - started < 15
    for code in (91, 1):
        numbers = [int(number) for number in made_up(code, 2_000, seed=2)] * 25
        plan = plan_of(code)
        # What is no number of the code at all is asked of the library; a cleaned column has none such.
        numbers = [number for number in numbers if number in plan]
        assert len(numbers) > 5_000
        started = time.process_time()
        assert plan.doubtful(numbers) == []
        plan.origins(numbers)
        assert (time.process_time() - started) / len(numbers) < 5e-6
