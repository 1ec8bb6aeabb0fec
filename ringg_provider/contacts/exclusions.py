"""Who must not be called: suppressed numbers and keys, and those whom the frequency cap protects."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ringg_provider import wording
from ringg_provider.contacts.cells import TEXTLESS, column_texts, comparable_keys
from ringg_provider.contacts.optouts import as_written, read_opt_outs
from ringg_provider.contacts.phones import ROUNDED, PhoneCleaner
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.numbers.sets import NumberSet
from ringg_provider.sql.reading import Rows, open_rows

log = logging.getLogger(__name__)


@dataclass
class Exclusions:
    """The people to leave out. Numbers take a few bytes each; suppressed keys, which are kept as text, about 100.

    :param suppressed: numbers from the suppression query.
    :param suppressed_keys: contact keys from the suppression query, as `comparable_keys` spells them.
    :param called_recently: numbers called within the cap's days.
    :param exhausted: numbers called as often as the cap allows,
    :param exhausted_lately: or as often as it allows in the time before now.
    :param unreadable: values of the suppression query that could not be read as a number, so that whoever they mean may
        be called: such cells in columns that mostly hold numbers, and rows without any number, unless they may be keys.
    """

    suppressed: NumberSet = field(default_factory=NumberSet)
    suppressed_keys: set[str] = field(default_factory=set)
    called_recently: NumberSet = field(default_factory=NumberSet)
    exhausted: NumberSet = field(default_factory=NumberSet)
    exhausted_lately: NumberSet = field(default_factory=NumberSet)
    unreadable: int = 0

    def suppress(self, rows: Rows, cleaner: PhoneCleaner, *, with_keys: bool, field: str = "suppression_sql") -> int:
        """Take in a suppression query's result.

        Every value of every column counts: as a number, however spelled, several to a cell or one in several cells; and
        as a contact key, if there are such.

        :param rows: the result.
        :param cleaner: reads numbers.
        :param with_keys: whether contacts have a key besides their number.
        :param field: the parameter that the query came from, for errors.
        :return: how many rows there were.
        """
        tally = _Tally()
        count = 0
        for batch in rows.batches:
            count += len(batch)
            columns = list(zip(*batch, strict=True))
            read = [cleaner.column(column) for column in columns]
            doubtful: dict[int, set[int]] = {}
            for position, phones in enumerate(read):
                self.suppressed.add([number for number in phones.numbers if number])
                tally.found[position] += len(batch) - len(phones.rejections)
                for row, rejection in phones.rejections.items():
                    if rejection.disposition is not Disposition.PHONE_MISSING:
                        doubtful.setdefault(row, set()).add(position)
                if with_keys:
                    # What has no text can be no key, but it may have numbers in it.
                    cells = [cell for cell in columns[position] if not isinstance(cell, TEXTLESS)]
                    texts = column_texts(cells, rows.columns[position], field=field)
                    self.suppressed_keys.update(comparable_keys(texts))
            for row, positions in doubtful.items():
                rounded = {position for position in positions if read[position].rejections[row] in ROUNDED}
                certain = [None if position in rounded else cell for position, cell in enumerate(batch[row])]
                opt_outs = read_opt_outs(certain, cleaner)
                # As written a lost one may be somebody's all the same; to leave out one too many harms nobody.
                lost = [as_written(batch[row][position]) for position in opt_outs.lost | rounded]
                self.suppressed.add(sorted(opt_outs.numbers.union(cleaner.numbers_of(lost))))
                tally.note(opt_outs.read & positions, opt_outs.lost | rounded, has_number=bool(opt_outs.numbers))
        self.suppressed_keys.discard("")
        self.unreadable += tally.lost_values(with_keys=with_keys)
        return count

    def add_suppressed(self, others: Exclusions) -> None:
        """Take in whom other exclusions suppress."""
        self.suppressed.update(others.suppressed)
        self.suppressed_keys |= others.suppressed_keys
        self.unreadable += others.unreadable

    def rejections(self, numbers: Sequence[int], keys: Sequence[str] | None) -> dict[int, Rejection]:
        """Why which of a batch's contacts are left out.

        :param numbers: E.164 numbers as integers; 0 where there is none.
        :param keys: their contact keys, if they have such.
        :return: Position -> reason.
        """
        found: dict[int, Rejection] = {}
        for people, rejection in (
            (self.exhausted, Rejection(Disposition.TOO_MANY_ATTEMPTS)),
            (self.exhausted_lately, Rejection(Disposition.TOO_MANY_ATTEMPTS, "attempts_within")),
            (self.called_recently, Rejection(Disposition.CALLED_RECENTLY)),
            (self.suppressed, Rejection(Disposition.SUPPRESSED)),
        ):
            if people:
                found.update((position, rejection) for position in people.positions(numbers))
        if keys is not None and self.suppressed_keys:
            found.update(
                (position, Rejection(Disposition.SUPPRESSED, "by contact key"))
                for position, key in enumerate(comparable_keys(keys))
                if key in self.suppressed_keys
            )
        return found


def read_suppression(connection: Any, sql: str, cleaner: PhoneCleaner, *, with_keys: bool, field: str) -> Exclusions:
    """Read whom a suppression query names.

    :param connection: DB-API, to the database that it is asked of.
    :param sql: the query.
    :param cleaner: reads numbers.
    :param with_keys: whether contacts have a key besides their number.
    :param field: the parameter that the query came from, for errors and warnings.
    :raises InvalidRequest: it names nobody, although it has rows: that is no protection.
    :raises QueryFailed, DatabaseUnavailable: the database refused.
    """
    found = Exclusions()
    with open_rows(connection, sql, field=field) as rows:
        count = found.suppress(rows, cleaner, with_keys=with_keys, field=field)
    numbers, keys = len(found.suppressed), len(found.suppressed_keys)
    if found.unreadable:
        log.warning(
            "%s: whoever is meant may be called, as these are no valid telephone numbers: %s.",
            field,
            wording.counted(found.unreadable, "value"),
        )
    if not count:
        log.warning(
            "%s returned no row and leaves nobody out. If there are opt-outs, it reads another table or schema than"
            " theirs.",
            field,
        )
    elif not numbers and not keys:
        what = "telephone number or a contact key" if with_keys else "telephone number"
        raise InvalidRequest(
            f"{field}: none of its {count} rows holds a {what}, so it would leave nobody out.", field=field
        )
    log.info("%s names %s and %s.", field, wording.counted(numbers, "number"), wording.counted(keys, "contact key"))
    return found


@dataclass
class _Tally:
    """How much of a suppression query is no number, by column.

    :param found: values that are numbers, or parts of one.
    :param lost: values that are none.
    :param beside: of these, the ones with a number in their row.
    :param rows: rows without a number.
    """

    found: Counter[int] = field(default_factory=Counter)
    lost: Counter[int] = field(default_factory=Counter)
    beside: Counter[int] = field(default_factory=Counter)
    rows: int = 0

    def note(self, read: set[int], lost: set[int], *, has_number: bool) -> None:
        """Count the doubtful cells of one row, by whether they were read."""
        self.found.update(read)
        self.lost.update(lost)
        if has_number:
            self.beside.update(lost)
        else:
            self.rows += 1

    def lost_values(self, *, with_keys: bool) -> int:
        """How many values count as lost: a column with more numbers than other values is one of numbers."""
        numbers = [position for position in self.lost if self.found[position] > self.lost[position]]
        if with_keys:
            return sum(self.lost[position] for position in numbers)
        return self.rows + sum(self.beside[position] for position in numbers)
