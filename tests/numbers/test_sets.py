"""A set of numbers behaves as Python's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringg_provider.numbers.sets import NumberSet

_NUMBERS = st.lists(st.integers(0, 10**15 - 1) | st.integers(919876543210, 919876543220), max_size=30)


@given(_NUMBERS, _NUMBERS)
def test_it_knows_what_was_added(first: list[int], second: list[int]) -> None:
    found = NumberSet(first)
    found.add(second)
    assert len(found) == len({*first, *second})
    assert all(number in found for number in (*first, *second))
    assert NumberSet(first).positions(second) == [
        position for position, number in enumerate(second) if number in set(first)
    ]


@given(_NUMBERS, _NUMBERS, st.data())
def test_what_comes_again_is_told_and_what_is_passed_over_is_not_added(
    first: list[int], second: list[int], data: st.DataObject
) -> None:
    without = data.draw(st.sets(st.integers(0, max(0, len(second) - 1)))) if second else set()
    known, expected = set(first), []
    for position, number in enumerate(second):
        if position not in without:
            if number in known:
                expected.append(position)
            known.add(number)
    found = NumberSet(first)
    assert found.add_new(second, without=without) == expected
    assert len(found) == len(known)
