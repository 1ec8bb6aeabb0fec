"""Dealing people into waves: fair whatever the order, always the same, and other people first on another night."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import Any

import pytest

from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.waves import MOST_REHEARSED, WaveDealer, read_rehearsal
from ringg_provider.exceptions import InvalidRequest

PEOPLE = [f"person {number}" for number in range(20_000)]


def test_each_wave_has_its_share_of_all_people() -> None:
    dealt = Counter(map(WaveDealer((0.01, 0.1), "tonight").wave_of, PEOPLE))
    # Five standard deviations of a binomial count: nothing a fair deal leaves.
    assert abs(dealt[1] - 200) < 75
    assert abs(dealt[2] - 2000) < 215
    assert set(dealt) == {1, 2, 3}
    assert dealt.total() == len(PEOPLE)


def test_a_wave_is_a_fair_sample_of_a_query_that_is_sorted_by_what_matters() -> None:
    """By position, the first hundredth of a query that is sorted by due date would be those who are due first."""
    dealer = WaveDealer((0.01, 0.1), "tonight")
    places = [place for place, person in enumerate(PEOPLE) if dealer.wave_of(person) == 1]
    quarters = Counter(place * 4 // len(PEOPLE) for place in places)
    assert min(quarters[quarter] for quarter in range(4)) > len(places) / 8, quarters


def test_the_same_person_has_the_same_wave_in_whatever_order_people_come() -> None:
    first, again = WaveDealer((0.2, 0.3), "tonight"), WaveDealer([0.2, 0.3], "tonight")
    dealt = {person: first.wave_of(person) for person in PEOPLE[:500]}
    shuffled = random.Random(1).sample(PEOPLE[:500], 500)
    assert {person: again.wave_of(person) for person in shuffled} == dealt


def test_another_night_begins_with_other_people() -> None:
    nights = [WaveDealer((0.1,), f"renewals-2026-11-{day}") for day in (24, 25)]
    first, second = ({person for person in PEOPLE if night.wave_of(person) == 1} for night in nights)
    assert len(first & second) < 300, "a tenth of a tenth of 20,000 is 200"


def test_without_shares_everybody_is_in_the_first_wave() -> None:
    assert {WaveDealer((), "k").wave_of(person) for person in PEOPLE[:100]} == {1}


def test_text_that_has_no_utf8_form_is_dealt_too() -> None:
    assert WaveDealer((0.5,), "k").wave_of("\ud800") in (1, 2)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.2), (0.0, 0.1), (-0.1,), (1.0,)])
def test_shares_by_which_nobody_can_be_dealt_are_refused(shares: Any) -> None:
    with pytest.raises(InvalidRequest, match="waves: must be shares above 0") as refused:
        WaveDealer(shares, "k")
    assert refused.value.field == "waves"


REHEARSED = [
    (["+919876543210", "not a number"], "rehearsal.1", "is no number that can be dialled"),
    (["+919876543210", "098765 43210"], "rehearsal.1", "is there twice"),
    (["112"], "rehearsal.0", "is no number that can be dialled"),
    ([f"+91987654{number}" for number in range(1000, 1001 + MOST_REHEARSED)], "rehearsal", "20 phones of your own"),
]


@pytest.mark.parametrize(("phones", "field", "rule"), REHEARSED)
def test_phones_of_a_rehearsal_that_cannot_be_called_are_refused_and_not_printed(
    phones: list[str], field: str, rule: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_rehearsal(phones, PhoneCleaner("+91"))
    assert refused.value.field == field
    assert rule in str(refused.value)
    assert not any(phone in str(refused.value) for phone in itertools.chain(phones, ("9876543210",)))


def test_phones_of_a_rehearsal_may_be_of_any_country_and_spelling() -> None:
    assert read_rehearsal(["098765 43210", "+44 7911 123456"], PhoneCleaner("+91")) == [919876543210, 447911123456]
