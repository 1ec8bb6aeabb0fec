"""People who must not be called are left out however their number is spelled."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ringg_provider.contacts.cells import key_texts
from ringg_provider.contacts.exclusions import Exclusions
from ringg_provider.contacts.phones import PhoneCleaner
from ringg_provider.contacts.reasons import Disposition
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.numbers.sets import NumberSet
from ringg_provider.sql.reading import Rows
from ringg_provider.sql.values import Geography

INDIA = PhoneCleaner("+91")
NUMBER = 919876543210


def suppress(*rows: tuple[Any, ...], with_keys: bool = False, home: PhoneCleaner = INDIA) -> tuple[Exclusions, int]:
    """Exclusions out of a suppression query's rows, and how many values were lost."""
    found = Exclusions()
    columns = tuple("abcdefgh"[: len(rows[0])])
    assert found.suppress(Rows(columns, iter([list(rows)])), home, with_keys=with_keys) == len(rows)
    return found, found.unreadable


def suppressed(*rows: tuple[Any, ...], with_keys: bool = False) -> Exclusions:
    """The same without the count."""
    return suppress(*rows, with_keys=with_keys)[0]


@pytest.mark.parametrize(
    "cell", ["+919876543210", "9876543210", "098765 43210", 9876543210, "91 98765-43210", "x: 9876543210; 9876543219"]
)
def test_a_suppressed_number_is_found_in_any_spelling(cell: Any) -> None:
    if isinstance(cell, str) and cell.startswith("x"):
        cell = cell.removeprefix("x: ")
    rejected = suppressed((cell,)).rejections([NUMBER, NUMBER + 1], None)
    assert {position: reason.disposition for position, reason in rejected.items()} == {0: Disposition.SUPPRESSED}


@pytest.mark.parametrize(
    "cell",
    [
        ["9876543219", "9876543210"],
        {"home": "9876543210"},
        [{"phones": ["+91 98765 43210"]}],
        b"9876543210",
        memoryview(b"9876543210"),
        "9876543219 9876543210",
        "9876543219\t9876543210",
        "9876543219\r9876543210",
        "9876543219\u20289876543210",
        "9876543219 - 9876543210",
        "9876543219、9876543210",
        "9876543210 (mobile)",
        "Ravi 9876543210",
        "whatsapp:+919876543210",
        "office 080 4123 4567, mobile 98765 43210",
        "20/11/2026 / 9876543210",
        "9876543210 / 06087415214 / 20/11/2026",
        "9876543210.0, 9123456780.0",
        "9876543210.0;9123456780",
    ],
)
def test_a_suppressed_number_is_found_in_whatever_a_cell_is(cell: Any) -> None:
    assert NUMBER in suppressed((cell,)).suppressed


@pytest.mark.parametrize("cell", ["447911123456", "+44\t7911 123456", "0044 7911 123456", "UK: 447911123456"])
def test_a_suppressed_number_of_another_country_is_found_without_its_plus(cell: str) -> None:
    assert 447911123456 in suppressed((cell,)).suppressed


def test_what_is_no_text_and_no_whole_number_names_nobody() -> None:
    moment = datetime(2022, 11, 5, 10, 15, tzinfo=UTC)
    row = (moment, moment.date(), moment.time(), UUID(int=9876543210), Decimal("98765432.10"), 9876543210.5, True)
    found = suppressed(row)
    assert len(found.suppressed) == 0


def test_every_column_counts_and_nulls_do_not() -> None:
    found, lost = suppress((None, "9876543210"), ("+919876543211", None), ("", " "))
    assert len(found.suppressed) == 2
    assert lost == 0


def test_a_number_that_cannot_be_dialled_is_suppressed_all_the_same() -> None:
    assert 18002345678 in suppressed(("+1 800 234 5678",)).suppressed


GOOD = [(f"98765432{tail}",) for tail in range(10, 20)]


@pytest.mark.parametrize(
    "cell",
    [
        "opted out",
        "5550143",
        "987654321",
        "+91 98765",
        "9.87654E+09",
        "9,87654E+09",
        "919877000000.0",
        919877000000.0,
        Decimal("9.19877E+11"),
        9876543210.5,
        datetime(2026, 11, 20, tzinfo=UTC),
        True,
    ],
)
@pytest.mark.parametrize("with_keys", [False, True])
def test_a_value_that_is_nobodys_number_is_counted(cell: Any, with_keys: bool) -> None:
    found, lost = suppress((cell,), *GOOD, with_keys=with_keys)
    assert lost == 1
    # One that was rounded is left out as it is written, too: that harms nobody.
    assert len(found.suppressed) - len(GOOD) in (0, 1)
    assert suppress((cell,))[1] == 1


@pytest.mark.parametrize("cell", [Decimal(9876543000), 9876543000.0, "9876543000.0", "9.876543E9"])
def test_a_number_that_looks_rounded_is_an_opt_out_all_the_same(cell: Any) -> None:
    found, lost = suppress((cell,))
    assert found.rejections([919876543000, 919876543001], None).keys() == {0}
    assert lost == 1


def test_what_may_be_a_key_is_not_counted_where_there_are_keys() -> None:
    assert suppress(("customer-7",), ("5550143",), with_keys=True)[1] == 0
    assert suppress(*[(f"customer-{n}", *phone) for n, phone in enumerate(GOOD)], with_keys=True)[1] == 0


def test_a_lost_number_is_counted_beside_a_good_one_and_a_remark_is_not() -> None:
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    rows = [(f"98765432{n}", f"91234567{n}", "by mail", moment) for n in range(10, 20)]
    assert suppress(*rows)[1] == 0
    assert suppress(*rows, ("9876543230", "91234567", "by mail", moment))[1] == 1
    assert suppress(*rows, ("98765432", "91234567", "by mail", moment))[1] == 1


@pytest.mark.parametrize("cells", [("202", "5550143"), (202, 5550143), (202.0, 5550143.0), ("202,5550143",)])
def test_the_american_registrys_own_file_is_read(cells: tuple[Any, ...]) -> None:
    found, lost = suppress(cells, home=PhoneCleaner("+1"))
    assert 12025550143 in found.suppressed
    assert lost == 0


def test_a_column_of_single_precision_is_left_out_as_it_is_written_and_counted() -> None:
    # 9876543210 and its like, as DuckDB and as PostgreSQL hand them out.
    for column in ([9876543488.0, 9123456000.0], [9876543000.0, 9123456000.0]):
        found, lost = suppress(*((cell,) for cell in column))
        assert (len(found.suppressed), lost) == (2, 2)


@pytest.mark.parametrize("key", [7, 7.0, Decimal(7), Decimal("7.00"), "7", " 7 ", "7.00"])
@pytest.mark.parametrize("contact", [7, Decimal("7.00"), "7", "7 ", None])
def test_a_contact_key_is_suppressed_whatever_type_the_database_gives_it(key: Any, contact: Any) -> None:
    contacts = key_texts([contact, "8"], "contact_id")
    rejected = suppressed((key,), (None,), with_keys=True).rejections([NUMBER, NUMBER], contacts)
    assert {position: reason.detail for position, reason in rejected.items()} == (
        {} if contact is None else {0: "by contact key"}
    )


def test_contact_keys_are_suppressed_too_where_there_are_such() -> None:
    found, lost = suppress(("customer-7",), (8.0,), with_keys=True)
    rejected = found.rejections([NUMBER, NUMBER + 1, NUMBER + 2], ["customer-7", "8", "9"])
    assert sorted(rejected) == [0, 1]
    assert lost == 0


def test_what_has_no_text_is_no_key_and_yet_may_have_a_number_in_it() -> None:
    found = suppressed(("A1", b"98765 43210", None), (None, b"\xff", Geography("POINT(77 28)")), with_keys=True)
    assert found.suppressed_keys == {"A1"}
    assert NUMBER in found.suppressed


def test_a_column_that_could_not_be_compared_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"^suppression_sql: column 'b' has values of type complex") as caught:
        suppressed(("A1", 1j), with_keys=True)
    assert caught.value.field == "suppression_sql"


def test_suppression_is_told_before_the_frequency_cap() -> None:
    found = Exclusions(NumberSet([1]), called_recently=NumberSet([1, 2, 3]), exhausted=NumberSet([1, 2, 4]))
    told = {position: str(reason.disposition) for position, reason in found.rejections([1, 2, 3, 4, 5], None).items()}
    assert told == {0: "suppressed", 1: "called_recently", 2: "called_recently", 3: "too_many_attempts"}


def test_a_row_without_a_number_is_not_looked_up() -> None:
    assert suppressed(("9876543210",)).rejections([0], None) == {}
