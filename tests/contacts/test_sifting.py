"""Every row ends on a list or with a reason; the CSV is what the platform wants; memory stays constant."""

from __future__ import annotations

import csv
import os
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringg_provider.contacts.lists import ContactList, Form, ListWriter, csv_lines
from ringg_provider.contacts.people import PeopleSpool, Person
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Disposition
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.contacts.sifting import Layout, Sifter
from ringg_provider.exceptions import InvalidRequest, Stopped
from ringg_provider.ringg.csv_check import inspect_csv
from ringg_provider.ringg.limits import MAX_CSV_BYTES, PHONE_HEADER
from ringg_provider.sql.reading import Rows
from tests.contacts.dirty_rows import ROWS

COLUMNS = ("phone", "name")
LAYOUT = Layout("phone", {"callee_name": "name"})
NAME_ONLY = Form(("callee_name",), PHONE_HEADER, MAX_CSV_BYTES)
NAME_ONLY_MAP = {"mobile_number": PHONE_HEADER, "callee_name": "callee_name"}
INDIA = PhoneCleaner("+91")


class Sifted:
    """What one pass made."""

    def __init__(self, rows: Sequence[Sequence[Any]], **options: Any) -> None:
        columns = options.pop("columns", COLUMNS)
        layout = options.pop("layout", LAYOUT)
        batch = options.pop("batch", 7)
        form = Form(tuple(layout.variables), PHONE_HEADER, options.pop("max_bytes", MAX_CSV_BYTES))
        writer_options = {"max_rows": options.pop("max_rows", None)}
        batches = (rows[first : first + batch] for first in range(0, len(rows), batch))
        with Scratch() as scratch:
            spool = PeopleSpool(scratch)
            sifter = Sifter(layout, INDIA, ListWriter(scratch, form, **writer_options), spool, **options)
            sifter.run(Rows(columns, batches))
            spool.close()
            self.lists: list[ContactList] = sifter.writer.lists
            self.files = [contacts.path.read_bytes() for contacts in self.lists]
            self.counts: Counter[Disposition] = sifter.counts
            self.people: list[Person] = list(spool)

    def cells(self, number: int = 0) -> list[list[str]]:
        """The rows of one file, without its header."""
        return list(csv.reader(self.files[number].decode().splitlines(keepends=True)))[1:]


def test_every_dirty_row_ends_where_it_should() -> None:
    sifted = Sifted([(row.phone, row.name) for row in ROWS])
    assert len(ROWS) >= 60
    told = Counter((person.phone, str(person.disposition)) for person in sifted.people)
    expected = Counter((row.called_at, row.disposition) for row in ROWS)
    assert told == expected
    details = {
        person.disposition: {p.detail for p in sifted.people if p.disposition == person.disposition}
        for person in sifted.people
    }
    for row in ROWS:
        assert any(row.detail in detail for detail in details[Disposition(row.disposition)])
    assert sifted.cells() == [[row.called_at, row.name] for row in ROWS if row.disposition == "listed"]
    assert sifted.counts.total() == len(ROWS)


def test_what_was_cleaned_is_clean() -> None:
    once = Sifted([(row.phone, row.name) for row in ROWS])
    again = Sifted(once.cells())
    assert again.files == once.files
    assert again.counts == {Disposition.LISTED: once.counts[Disposition.LISTED]}


_NAMES = st.text(min_size=1).filter(lambda name: name.strip())


@given(st.lists(st.tuples(st.sampled_from([row.phone for row in ROWS]), st.one_of(st.none(), _NAMES)), max_size=30))
@settings(deadline=None)
def test_whatever_was_listed_passes_the_check_of_a_users_own_csv_and_sifting_again(rows: list[tuple[Any, ...]]) -> None:
    once = Sifted(rows)
    assert once.counts.total() == len(rows)
    if once.lists:
        with Scratch() as scratch:
            path, file = scratch.create("contacts.csv")
            with file:
                file.write(once.files[0])
            report = inspect_csv(path, NAME_ONLY_MAP, "+91", remove_invalid_rows=False)
        assert report.valid_rows == once.counts[Disposition.LISTED]
        assert Sifted(once.cells()).files == once.files


def test_the_file_has_exact_headers_no_byte_order_mark_and_no_padding() -> None:
    layout = Layout("phone", {"callee_name": "name", "due_date": "name"})
    sifted = Sifted([("9876543210", "Asha")], layout=layout)
    assert sifted.files == [b"Mobile Number,callee_name,due_date\n+919876543210,Asha,Asha\n"]


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=4), min_size=1))
def test_quick_csv_is_the_same_as_the_librarys(rows: list[list[str]]) -> None:
    width = min(map(len, rows))
    columns = list(zip(*(row[:width] for row in rows), strict=True))
    with Scratch() as scratch:
        path, file = scratch.create("x.csv")
        file.close()
        with path.open("w", newline="", encoding="utf-8") as text:
            csv.writer(text, lineterminator="\r\n").writerows(row[:width] for row in rows)
        expected = path.read_bytes()
    assert ("\r\n".join(csv_lines(columns)) + "\r\n").encode() == expected


def numbers(count: int, first: int = 919_000_000_000) -> list[tuple[str, str]]:
    return [(f"+{first + number}", f"Person {number}") for number in range(count)]


def test_duplicates_are_found_over_all_batches_and_all_lists() -> None:
    people = numbers(50)
    spelled = [(phone.replace("+91", "0"), name) for phone, name in people]
    sifted = Sifted([*people, *spelled], max_rows=20)
    assert [contacts.rows for contacts in sifted.lists] == [20, 20, 10]
    assert sifted.counts == {Disposition.LISTED: 50, Disposition.DUPLICATE: 50}


def test_lists_roll_over_at_the_row_allowance_and_say_who_is_where() -> None:
    sifted = Sifted(numbers(25), max_rows=10)
    assert [len(sifted.cells(number)) for number in range(3)] == [10, 10, 5]
    for person in sifted.people:
        assert person.list_number is not None
        assert person.phone in {row[0] for row in sifted.cells(person.list_number - 1)}


def test_lists_roll_over_before_they_are_too_large() -> None:
    sifted = Sifted(numbers(1000), max_bytes=5_000, batch=300)
    assert len(sifted.lists) > 5
    assert all(len(file) <= 5_000 for file in sifted.files)
    assert all(len(file) > 4_900 for file in sifted.files[:-1])
    assert [contacts.size for contacts in sifted.lists] == [len(file) for file in sifted.files]
    assert sum(len(sifted.cells(number)) for number in range(len(sifted.lists))) == 1000


def test_a_real_list_stays_under_20_mb() -> None:
    people = [(phone, name * 30) for phone, name in numbers(80_000)]
    sifted = Sifted(people, batch=10_000)
    assert len(sifted.lists) == 2
    assert 19_900_000 < len(sifted.files[0]) <= 20_000_000


def test_a_row_that_fits_in_no_list_gets_its_reason() -> None:
    sifted = Sifted([("9876543210", "x" * 6_000), ("9876543211", '"' * 2_000), ("9876543212", "ok")], max_bytes=4_000)
    assert sifted.counts == {Disposition.LISTED: 1, Disposition.ROW_TOO_LARGE: 2}


def test_a_row_that_is_too_large_only_as_a_whole_gets_its_reason_too() -> None:
    quotes = '"' * 4_900_000
    people = [{"phone": "9876543210", "a": quotes, "b": quotes, "c": quotes}]
    with Scratch() as scratch:
        writer = ListWriter(scratch, Form(("a", "b", "c"), PHONE_HEADER, MAX_CSV_BYTES))
        layout = Layout("phone", {"a": "a", "b": "b", "c": "c"})
        sifter = Sifter(layout, PhoneCleaner("+91"), writer)
        sifter.run(Rows(tuple(people[0]), iter([[tuple(row.values()) for row in people]])))
    assert sifter.counts == {Disposition.ROW_TOO_LARGE: 1}
    assert writer.lists == []


ABROAD = [("+919876543210", "India"), ("+14155552671", "America"), ("+447911123456", "Britain"), ("4155552672", "?")]


def test_numbers_of_other_countries_are_left_out_unless_told_otherwise() -> None:
    sifted = Sifted(ABROAD)
    assert sifted.counts == {Disposition.LISTED: 2, Disposition.OTHER_COUNTRY: 2}
    assert [row[0] for row in sifted.cells()] == ["+919876543210", "+914155552672"]


def test_numbers_of_other_countries_get_lists_of_their_own_when_split() -> None:
    sifted = Sifted(ABROAD, split_countries=True)
    told = {contacts.group.country_code: sifted.cells(contacts.number - 1) for contacts in sifted.lists}
    assert {code: [row[0] for row in rows] for code, rows in told.items()} == {
        "+91": ["+919876543210", "+914155552672"],
        "+1": ["+14155552671"],
        "+44": ["+447911123456"],
    }


def test_no_list_ever_has_a_number_of_another_code() -> None:
    chance = random.Random(4)
    cells = ["+91987654", "+1415555", "+4479111", "+4915123", "+6581234"]
    rows = [(chance.choice(cells) + f"{chance.randrange(10**5):05d}", "x") for _ in range(500)]
    for contacts, file in zip((sifted := Sifted(rows, split_countries=True)).lists, sifted.files, strict=True):
        for line in file.decode().splitlines()[1:]:
            assert line.startswith(contacts.group.country_code)


def test_variables_that_may_be_empty_may_be_empty() -> None:
    layout = Layout("phone", {"callee_name": "name", "city": "city"}, may_be_empty=frozenset({"city"}))
    sifted = Sifted(
        [("9876543210", "Asha", None), ("9876543211", "", "Pune")], layout=layout, columns=("phone", "name", "city")
    )
    assert sifted.cells() == [["+919876543210", "Asha", ""]]
    assert sifted.counts[Disposition.VARIABLE_EMPTY] == 1


def test_a_missing_column_is_named_with_its_parameter() -> None:
    with pytest.raises(InvalidRequest, match=r"'nmae'.*'phone', 'name'") as caught:
        Sifted([("9876543210", "x")], layout=Layout("phone", {"callee_name": "nmae"}))
    assert caught.value.field == "variables_map"


@pytest.mark.parametrize("columns", [("PHONE", "Name"), ("phone", "name"), ("Phone", "NAME")])
def test_a_column_is_found_in_any_case(columns: tuple[str, str]) -> None:
    layout = Layout("phone", {"callee_name": "name"}, contact_key="Phone", timezone="name", region="NAME")
    assert Sifted([("9876543210", "Asha")], layout=layout, columns=columns).cells() == [["+919876543210", "Asha"]]


def test_of_two_columns_the_one_that_is_written_so_is_meant() -> None:
    row = [("9876543210", "Asha", "Rao")]
    columns = ("phone", "Name", "name")
    assert Sifted(row, columns=columns).cells() == [["+919876543210", "Rao"]]
    layout = Layout("phone", {"callee_name": "NAME"})
    with pytest.raises(InvalidRequest, match=r"variables_map: 'NAME' may be any of .*'Name', 'name'") as caught:
        Sifted(row, layout=layout, columns=columns)
    assert caught.value.field == "variables_map"


@pytest.mark.parametrize(
    ("field", "layout"),
    [
        ("phone_column", Layout("telephone", {})),
        ("contact_key", Layout("phone", {}, contact_key="id")),
        ("timezone_column", Layout("phone", {}, timezone="zone")),
        ("region_column", Layout("phone", {}, region="state")),
        ("contact_columns", Layout("phone", {"company": "firm"}, variables_field="contact_columns")),
    ],
)
def test_a_column_that_is_not_there_is_named_with_the_parameter_that_asks_for_it(field: str, layout: Layout) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}: the query returns no column .*'PHONE', 'NAME'") as caught:
        Sifted([("9876543210", "x")], layout=layout, columns=("PHONE", "NAME"))
    assert caught.value.field == field


def test_a_stopped_run_leaves_no_file_behind() -> None:
    scratch = Scratch()
    with scratch:
        sifter = Sifter(LAYOUT, INDIA, ListWriter(scratch, NAME_ONLY))
        folder = scratch.create("probe")[0].parent

        def batches() -> Iterable[list[tuple[str, str]]]:
            yield numbers(10)
            assert oct(folder.stat().st_mode)[-3:] == "700"
            assert {oct(file.stat().st_mode)[-3:] for file in folder.iterdir()} == {"600"}
            scratch.discard()  # what a signal handler does
            assert not folder.exists()
            yield numbers(10, 919_100_000_000)

        with pytest.raises(Stopped):
            sifter.run(Rows(COLUMNS, iter(batches())), between=scratch.check)
        with pytest.raises(Stopped):
            scratch.create("later")
    assert not folder.exists()


def test_memory_does_not_grow_with_the_rows() -> None:
    def peak(rows: int) -> int:
        batches = (
            [(f"+9190{number:08d}", f"Person {number}") for number in range(first, first + 1000)]
            for first in range(0, rows, 1000)
        )
        with Scratch() as scratch:
            sifter = Sifter(
                LAYOUT,
                INDIA,
                ListWriter(scratch, NAME_ONLY),
                PeopleSpool(scratch),
            )
            tracemalloc.start()
            sifter.run(Rows(COLUMNS, batches))
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert sifter.counts[Disposition.LISTED] == rows
        return found

    peak(1_000)  # what is loaded once
    assert peak(100_000) < peak(10_000) + 1_000_000


def test_the_umask_does_not_matter(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Scratch(tmp_path) as scratch:
            path, file = scratch.create("contacts.csv")
            file.close()
            assert oct(path.stat().st_mode)[-3:] == "600"
            assert oct(path.parent.stat().st_mode)[-3:] == "700"
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == []
