"""Exact sets of phone numbers, a few bytes each: ten million take about 50 MB, where Python's own set takes 600."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyroaring import BitMap64


class NumberSet:
    """A set of E.164 numbers as integers."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._numbers = BitMap64(numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, number: int) -> bool:
        return number in self._numbers

    def add(self, numbers: Sequence[int]) -> None:
        """Add many numbers."""
        self._numbers.update(numbers)

    def positions(self, numbers: Sequence[int]) -> list[int]:
        """The positions of those numbers that are in the set."""
        return [position for position, number in enumerate(numbers) if number in self._numbers]

    def add_new(self, numbers: Sequence[int]) -> list[int]:
        """Add many numbers, and tell which were there before.

        :return: The positions of numbers that were in the set already, or come a second time.
        """
        known = self._numbers
        if len(set(numbers)) == len(numbers) and not any(map(known.__contains__, numbers)):
            known.update(numbers)
            return []
        repeated = []
        for position, number in enumerate(numbers):
            if number in known:
                repeated.append(position)
            else:
                known.add(number)
        return repeated
