"""One pass over a query's rows: every row ends on a list or with a reason why not. Constant memory.

Rows are worked on a batch at a time and column by column, which is what makes it fast; what is wrong with
single rows is found by going back to them. What is kept over the whole run is a few bytes per number, in the
set that finds duplicates.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import compress, cycle, islice, repeat
from typing import Any

from ringg_provider.contacts.cells import column_texts, is_sendable, key_texts
from ringg_provider.contacts.exclusions import Exclusions
from ringg_provider.contacts.lists import ListGroup, ListWriter, csv_lines
from ringg_provider.contacts.people import PeopleSpool
from ringg_provider.contacts.phones import PhoneCleaner, PhoneColumn
from ringg_provider.contacts.reasons import Disposition, Rejection
from ringg_provider.contacts.waves import REHEARSAL, WaveDealer
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.numbers.plan import NumberOrigin, calling_code_of
from ringg_provider.numbers.sets import NumberSet
from ringg_provider.sql.reading import Rows, column_named

_PLANS_KEPT = 50_000
# Bytes of a row beside its texts: the number, with room to spare.
_REST_OF_ROW = 32

#: Called with an E.164 number and the row's time zone and region cells; the plan of its list, or why it has none.
Planner = Callable[[str, Any, Any], Hashable | Rejection]


@dataclass(frozen=True)
class Layout:
    """Which column of the query is what.

    :param phone: the phone column, in any case where that is clear, as are the others.
    :param variables: agent variable -> column, without the phone.
    :param contact_key: the column that names a person; None for the number itself.
    :param timezone: the column with IANA zone names, if there is one.
    :param region: the column with region codes, if there is one.
    :param may_be_empty: agent variables whose cell may be empty.
    :param variables_field: the parameter that `variables` came from, for errors.
    """

    phone: str
    variables: Mapping[str, str]
    contact_key: str | None = None
    timezone: str | None = None
    region: str | None = None
    may_be_empty: frozenset[str] = frozenset()
    variables_field: str = "variables_map"

    def found_in(self, columns: Sequence[str], padded: Collection[str] = ()) -> Layout:
        """The same with the columns as the query spells them.

        :param columns: of the query.
        :param padded: those of the type `char(n)`.
        :raises InvalidRequest: naming the parameter whose column the query lacks, or whose contact keys no query would
            find again.
        """

        def find(field: str, name: str | None) -> str | None:
            return None if name is None else column_named(name, columns, field)

        contact_key = find("contact_key", self.contact_key)
        if contact_key in padded:
            raise InvalidRequest(
                f"contact_key: column {contact_key!r} is of the type char(n), with blanks at the end that are lost"
                f" where it is compared, so that no query would find the person again. Cast it in the query:"
                f" CAST({contact_key} AS varchar(250)) AS {contact_key}.",
                field="contact_key",
            )
        return replace(
            self,
            phone=column_named(self.phone, columns, "phone_column"),
            variables={
                variable: column_named(column, columns, self.variables_field)
                for variable, column in self.variables.items()
            },
            contact_key=contact_key,
            timezone=find("timezone_column", self.timezone),
            region=find("region_column", self.region),
        )


@dataclass
class Sifter:
    """The pass.

    :param layout: which column is what.
    :param cleaner: reads numbers.
    :param writer: takes the contacts.
    :param spool: takes what became of each row; None to keep only the counts.
    :param exclusions: who must not be called.
    :param split_countries: whether numbers of other countries get lists of their own; if not, they are left out.
    :param planner: further splits a country's contacts; None not to.
    :param dealer: deals people into waves; None to call all at once.
    :param rehearsal: phones of one's own, as E.164 integers, which get a list of the first rows; nobody else has them.
    """

    layout: Layout
    cleaner: PhoneCleaner
    writer: ListWriter
    spool: PeopleSpool | None = None
    exclusions: Exclusions = field(default_factory=Exclusions)
    split_countries: bool = False
    planner: Planner | None = None
    dealer: WaveDealer | None = None
    rehearsal: Sequence[int] = field(default=(), repr=False)
    counts: Counter[Disposition] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        #: How many listed contacts have an empty key.
        self.without_key = 0
        #: Why people are held for the calling hours, and how many for each.
        self.held: Counter[str] = Counter()
        self._seen = NumberSet()
        self._home = ListGroup(f"+{self.cleaner.calling_code}")
        self._planned: dict[tuple[NumberOrigin, Any, Any], ListGroup | Rejection] = {}
        self._known_groups: dict[ListGroup, ListGroup] = {}
        self._first_rows: list[tuple[str, ...]] = []

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return self.counts.total()

    def run(self, rows: Rows, *, between: Callable[[], None] = lambda: None) -> None:
        """Read everything and finish the files.

        :param rows: the query.
        :param between: called after each batch; may raise to stop.
        """
        self.layout = self.layout.found_in(rows.columns, rows.padded)
        rehearsed = self._rehearsed()
        with _collector_paused():
            for batch in rows.batches:
                self._take(dict(zip(rows.columns, zip(*batch, strict=True), strict=True)))
                between()
        self._rehearse(rehearsed)
        self.writer.close()

    def _take(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Sort one batch into lists and reasons."""
        layout = self.layout
        cells = columns[layout.phone]
        phones = self.cleaner.column(cells)
        keys = self._keys(columns)
        texts = [column_texts(columns[column], column) for column in layout.variables.values()]
        # Of several reasons the first is told: phone, country, exclusion, text, hours, duplicate.
        rejected = dict(phones.rejections)
        if not self.split_countries:
            for position in phones.foreign:
                code = calling_code_of(phones.numbers[position])
                rejected[position] = Rejection(Disposition.OTHER_COUNTRY, f"a number of +{code}")
        for position, rejection in self.exclusions.rejections(phones.numbers, keys).items():
            rejected.setdefault(position, rejection)
        self._reject_texts(texts, rejected)
        groups = self._groups(columns, phones, rejected)
        for position in self._seen.add_new(phones.numbers, without=rejected):
            ours = phones.numbers[position] in self.rehearsal
            rejected[position] = Rejection(Disposition.DUPLICATE, "a phone of the rehearsal" if ours else "")
        if keys is not None and "" in keys:
            self.without_key += sum(not key for position, key in enumerate(keys) if position not in rejected)
        if self.dealer is not None:
            groups = self._dealt(self.dealer, phones.texts, keys, groups, rejected)
        if len(self._first_rows) < len(self.rehearsal):
            kept = (row for position, row in enumerate(_rows(texts, len(phones.texts))) if position not in rejected)
            self._first_rows += islice(kept, len(self.rehearsal) - len(self._first_rows))
        self._write(phones.texts, texts, keys, groups, rejected)
        self._note_rejected(cells, phones.texts, keys, rejected)

    def _keys(self, columns: Mapping[str, Sequence[Any]]) -> Sequence[str] | None:
        if self.layout.contact_key is None:
            return None
        return key_texts(columns[self.layout.contact_key], self.layout.contact_key)

    def _reject_texts(self, texts: Sequence[Sequence[str]], rejected: dict[int, Rejection]) -> None:
        for variable, column in zip(self.layout.variables, texts, strict=True):
            if variable not in self.layout.may_be_empty and not all(map(str.strip, column)):
                empty = Rejection(Disposition.VARIABLE_EMPTY, variable)
                for position, text in enumerate(column):
                    if not text.strip():
                        rejected.setdefault(position, empty)
            joined = "".join(column)
            if not is_sendable(joined):
                bad = Rejection(Disposition.TEXT_NOT_SENDABLE, variable)
                for position, text in enumerate(column):
                    if not is_sendable(text):
                        rejected.setdefault(position, bad)
            # Quotes inside are doubled, hence half of what each column may take; the rest is for the number.
            share = (self.writer.max_row_bytes - _REST_OF_ROW) // len(texts) // 2 - 3
            if max(map(len, column), default=0) * 4 > share:
                large = Rejection(Disposition.ROW_TOO_LARGE, variable)
                for position, text in enumerate(column):
                    if len(text) * 4 > share and len(text.encode("utf-8", "replace")) > share:
                        rejected.setdefault(position, large)

    def _groups(
        self, columns: Mapping[str, Sequence[Any]], phones: PhoneColumn, rejected: dict[int, Rejection]
    ) -> dict[int, ListGroup]:
        """The list group of each contact that is not in the plain one; may reject those that have none."""
        codes = {position: f"+{calling_code_of(phones.numbers[position])}" for position in phones.foreign}
        if self.planner is None:
            return {position: self._group(code) for position, code in codes.items()}
        layout, planner, home = self.layout, self.planner, self._home.country_code
        nothing = repeat(None)
        zones = column_texts(columns[layout.timezone], layout.timezone) if layout.timezone else nothing
        regions = column_texts(columns[layout.region], layout.region) if layout.region else nothing
        groups: dict[int, ListGroup] = {}
        planned = self._planned
        origins = self.cleaner.origins(phones)
        for position, where in enumerate(zip(origins, zones, regions, strict=False)):
            if position in rejected:
                continue
            found = planned.get(where)
            if found is None:
                plan = planner(phones.texts[position], *where[1:])
                found = plan if isinstance(plan, Rejection) else self._group(codes.get(position, home), plan)
                if len(planned) >= _PLANS_KEPT:  # a column of free text must not fill the memory
                    planned.clear()
                planned[where] = found
            if isinstance(found, Rejection):
                rejected[position] = found
            else:
                groups[position] = found
        return groups

    def _dealt(
        self,
        dealer: WaveDealer,
        phones: Sequence[str],
        keys: Sequence[str] | None,
        groups: Mapping[int, ListGroup],
        rejected: Mapping[int, Rejection],
    ) -> dict[int, ListGroup]:
        """The list group of each contact, in its wave."""
        dealt: dict[int, ListGroup] = {}
        for position, person in enumerate(phones if keys is None else map(_first_given, keys, phones)):
            if position not in rejected:
                group = groups.get(position, self._home)
                dealt[position] = self._group(group.country_code, group.plan, dealer.wave_of(person))
        return dealt

    def _rehearsed(self) -> list[tuple[ListGroup, str]]:
        """The rehearsal's phones, each with the group of its list; nobody of the query is called on one of them.

        :raises InvalidRequest: one must not be called.
        """
        self._seen.add_new(self.rehearsal)
        suppressed = self.exclusions.suppressed.positions(self.rehearsal)
        found = []
        for position, number in enumerate(self.rehearsal):
            field, phone = f"rehearsal.{position}", f"+{number}"
            if position in suppressed:
                raise InvalidRequest(f"{field}: is suppressed, so it is not called.", field=field)
            plan = None if self.planner is None else self.planner(phone, None, None)
            if isinstance(plan, Rejection):
                raise InvalidRequest(f"{field}: must not be called ({plan.detail}).", field=field)
            found.append((self._group(f"+{calling_code_of(number)}", plan, REHEARSAL), phone))
        return found

    def _rehearse(self, rehearsed: Sequence[tuple[ListGroup, str]]) -> None:
        """Put the rehearsal's phones on lists, with the variables of the first people, if there are people."""
        if not self._first_rows:
            return
        for number, ((group, phone), row) in enumerate(zip(rehearsed, cycle(self._first_rows), strict=False), 1):
            ((_, contacts),) = self.writer.write(group, csv_lines([[cell] for cell in (phone, *row)]))
            if self.spool is not None:
                self.spool.listed(contacts.number, [phone], [f"rehearsal {number}"], Disposition.REHEARSAL)

    def _group(self, country_code: str, plan: Hashable = None, wave: int | None = None) -> ListGroup:
        """One object for all equal groups."""
        group = ListGroup(country_code, plan, wave)
        return self._known_groups.setdefault(group, group)

    def _write(
        self,
        phones: Sequence[str],
        texts: Sequence[Sequence[str]],
        keys: Sequence[str] | None,
        groups: Mapping[int, ListGroup],
        rejected: dict[int, Rejection],
    ) -> None:
        """Put what is not rejected on its lists."""
        if not rejected and not groups:
            self._write_group(self._home, phones, texts, keys)
            return
        kept = bytearray(b"\x01") * len(phones)
        for position in rejected:
            kept[position] = 0
        chosen: dict[int, tuple[ListGroup, bytearray]] = {id(self._home): (self._home, kept)}
        for position, group in groups.items():
            if kept[position] and group is not self._home:
                mask = chosen.setdefault(id(group), (group, bytearray(len(phones))))[1]
                mask[position], kept[position] = 1, 0
        for group, mask in chosen.values():
            self._write_group(
                group,
                list(compress(phones, mask)),
                [list(compress(column, mask)) for column in texts],
                list(compress(keys, mask)) if keys is not None else None,
            )

    def _write_group(
        self,
        group: ListGroup,
        phones: Sequence[str],
        texts: Sequence[Sequence[str]],
        keys: Sequence[str] | None,
    ) -> None:
        if not phones:
            return
        self.counts[Disposition.LISTED] += len(phones)
        first = 0
        for count, contacts in self.writer.write(group, csv_lines([phones, *texts])):
            last = first + count
            if self.spool is not None:
                self.spool.listed(contacts.number, phones[first:last], keys[first:last] if keys else None)
            first = last

    def _note_rejected(
        self,
        cells: Sequence[Any],
        phones: Sequence[str],
        keys: Sequence[str] | None,
        rejected: Mapping[int, Rejection],
    ) -> None:
        for position in sorted(rejected):
            rejection = rejected[position]
            self.counts[rejection.disposition] += 1
            if rejection.disposition is Disposition.OUTSIDE_CALLING_HOURS:
                self.held[rejection.detail] += 1
            if self.spool is not None:
                phone = phones[position]
                key = keys[position] if keys is not None else ""
                self.spool.rejected(rejection, phone, key or phone or str(cells[position] or ""))


def _first_given(key: str, phone: str) -> str:
    """What names a person."""
    return key or phone


def _rows(texts: Sequence[Sequence[str]], count: int) -> Iterator[tuple[str, ...]]:
    """Columns as rows, also where there is no column."""
    return zip(*texts, strict=True) if texts else repeat((), count)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the cycle collector from walking through a batch's ten thousand row tuples again and again.

    There are no cycles in them, and it takes a third of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
