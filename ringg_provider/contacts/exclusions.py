"""Who must not be called: suppressed numbers and keys, and those whom the frequency cap protects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ringg_provider.contacts.cells import key_texts
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.numbers.sets import NumberSet
from ringg_provider.sql.reading import Rows

_SEPARATORS = re.compile(r"[,;/|&\n]|\bor\b|\band\b", re.IGNORECASE)


@dataclass
class Exclusions:
    """The people to leave out. Numbers take a few bytes each; suppressed keys, which are kept as text, about 100.

    :param suppressed: numbers from the suppression query.
    :param suppressed_keys: contact keys from the suppression query.
    :param called_recently: numbers called within the cap's days.
    :param exhausted: numbers called as often as the cap allows.
    :param unreadable: values of the suppression query that are neither a number nor a key.
    """

    suppressed: NumberSet = field(default_factory=NumberSet)
    suppressed_keys: set[str] = field(default_factory=set)
    called_recently: NumberSet = field(default_factory=NumberSet)
    exhausted: NumberSet = field(default_factory=NumberSet)
    unreadable: int = 0

    def suppress(self, rows: Rows, cleaner: PhoneCleaner, *, with_keys: bool) -> int:
        """Take in the suppression query's result.

        Every value of every column counts: as a number, however spelled, several to a cell if need be; and as a
        contact key, if there are such.

        :param rows: the result.
        :param cleaner: reads numbers.
        :param with_keys: whether contacts have a key besides their number.
        :return: how many rows there were.
        """
        count = 0
        for batch in rows.batches:
            count += len(batch)
            for column in zip(*batch, strict=True):
                read = cleaner.column(column)
                self.suppressed.add([number for number in read.numbers if number])
                for position, rejection in read.rejections.items():
                    if rejection.disposition is not Disposition.PHONE_MISSING:
                        found = {number for text in _texts(column[position]) for number in _numbers_in(text, cleaner)}
                        self.suppressed.add(sorted(found))
                        self.unreadable += not found and not with_keys
                if with_keys:
                    self.suppressed_keys.update(filter(None, key_texts(column, "suppression_sql")))
        return count

    def rejections(self, numbers: Sequence[int], keys: Sequence[str] | None) -> dict[int, Rejection]:
        """Why which of a batch's contacts are left out.

        :param numbers: E.164 numbers as integers; 0 where there is none.
        :param keys: their contact keys, if they have such.
        :return: Position -> reason.
        """
        found: dict[int, Rejection] = {}
        for people, rejection in (
            (self.exhausted, Rejection(Disposition.TOO_MANY_ATTEMPTS)),
            (self.called_recently, Rejection(Disposition.CALLED_RECENTLY)),
            (self.suppressed, Rejection(Disposition.SUPPRESSED)),
        ):
            if people:
                found.update((position, rejection) for position in people.positions(numbers))
        if keys is not None and self.suppressed_keys and not self.suppressed_keys.isdisjoint(keys):
            found.update(
                (position, Rejection(Disposition.SUPPRESSED, "by contact key"))
                for position, key in enumerate(keys)
                if key in self.suppressed_keys
            )
        return found


def _numbers_in(text: str, cleaner: PhoneCleaner) -> set[int]:
    """All numbers that a text can be read as: as free text, and cut at what separates numbers, dates and the like."""
    parts = map(cleaner.number_of, _SEPARATORS.split(text))
    return cleaner.numbers_in(text) | {number for number in parts if number is not None}


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
        yield from (str(cell),) if abs(cell) < 10**30 else ()
