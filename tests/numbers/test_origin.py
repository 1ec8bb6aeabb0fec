"""Numbers to countries and zones: always what phonenumbers says, only faster."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, timezone

from ringg_provider.numbers import origin as contact_region
from ringg_provider.numbers.origin import NOWHERE, NumberOrigin, number_origin
from ringg_provider.numbers.patterns import UnreadablePattern, read_pattern


def as_the_library_says(e164: str) -> NumberOrigin:
    number = phonenumbers.parse(e164)
    country = phonenumbers.region_code_for_number(number)
    zones = timezone.time_zones_for_number(number)
    return NumberOrigin(
        None if country in {None, "001"} else country, () if zones == (timezone.UNKNOWN_TIMEZONE,) else tuple(zones)
    )


def example_numbers() -> list[str]:
    kinds = range(11)  # every PhoneNumberType but UNKNOWN
    found = (
        phonenumbers.example_number_for_type(region, kind)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in kinds
    )
    return [phonenumbers.format_number(number, PhoneNumberFormat.E164) for number in found if number]


def random_numbers(seed: int, count: int) -> Iterator[str]:
    """Valid numbers with their tails replaced, some with a wrong length, and plain random ones."""
    choose = random.Random(seed)
    examples = example_numbers()
    while count:
        if choose.random() < 0.7:
            number = choose.choice(examples)
        else:
            code = choose.choice(["1", "1", "7", "44", "55", "61", "91", "91", "262", "358", "881"])
            number = "+" + code + "".join(choose.choices("0123456789", k=choose.choice([8, 9, 10, 10, 10, 11])))
        kept = choose.randrange(3, len(number) + 1)
        number = number[:kept] + "".join(choose.choices("0123456789", k=len(number) - kept))
        try:
            parsed = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.format_number(parsed, PhoneNumberFormat.E164) == number:  # what the contacts' cleaning gives
            count -= 1
            yield number


@pytest.mark.parametrize(
    ("number", "country", "zones"),
    [
        ("+919876543210", "IN", ("Asia/Calcutta",)),
        ("+13055551234", "US", ("America/New_York",)),
        ("+14155552671", "US", ("America/Los_Angeles",)),
        ("+14015551234", "US", ("America/New_York",)),
        ("+12045551234", "CA", ("America/Winnipeg",)),
        ("+442071234567", "GB", ("Europe/London",)),
        ("+4915123456789", "DE", ("Europe/Berlin",)),
        ("+17872345678", "PR", ("America/Puerto_Rico",)),
    ],
)
def test_a_number_tells_country_and_zones(number, country, zones):
    assert number_origin(number) == NumberOrigin(country, zones)


def test_all_that_a_toll_free_number_may_reach_is_named():
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
    ],
)
def test_what_is_not_e164_is_from_nowhere(text):
    assert number_origin(text) == NOWHERE


def test_it_says_the_same_as_the_library_for_every_example_number():
    examples = example_numbers()
    assert len(examples) > 1000
    assert [number_origin(number) for number in examples] == [as_the_library_says(number) for number in examples]


@pytest.mark.parametrize("seed", [20261120, 7])
def test_it_says_the_same_as_the_library_for_random_numbers(seed):
    valid = 0
    for number in random_numbers(seed, 30_000):
        expected = as_the_library_says(number)
        assert number_origin(number) == expected, f"seed {seed}"
        valid += expected.country is not None and bool(expected.zones)
    assert valid > 10_000  # or the comparison would be about nothing


def test_every_number_plan_of_the_installed_library_can_be_read():
    plans = {code: contact_region._NumberPlan(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE}
    assert [code for code, plan in plans.items() if plan.start is None] == []


def test_a_number_plan_that_cannot_be_read_is_answered_by_the_library(monkeypatch):
    monkeypatch.setattr(contact_region, "_PLANS", {})
    monkeypatch.setattr(contact_region, "_patterns_of", lambda code: {r"(?=unheard of)\d+"})
    assert number_origin("+13055551234") == NumberOrigin("US", ("America/New_York",))
    assert number_origin("+1305abc1234") == NOWHERE
    assert contact_region._PLANS["1"].start is None


@pytest.mark.parametrize(
    "pattern", ["[a-z]", "1{2,}", "1+", "1*", "(?!1)2", "[^1]", "[12", "1|(2", "1)", ".", "1{2", "^1", "1$", " ", "a"]
)
def test_a_pattern_outside_the_known_language_is_never_misread(pattern):
    with pytest.raises(UnreadablePattern, match="pattern of a number plan"):
        read_pattern(pattern)


def test_a_million_rows_would_cost_seconds_not_minutes():
    # Measured at about one microsecond a row; the bound is what half of the upload path may cost on a busy machine.
    choose = random.Random(1)
    numbers = ["+91" + choose.choice("6789") + f"{choose.randrange(10**9):09}" for _ in range(50_000)]
    started = time.perf_counter()
    for number in numbers:
        number_origin(number)
    assert (time.perf_counter() - started) / len(numbers) < 10e-6
