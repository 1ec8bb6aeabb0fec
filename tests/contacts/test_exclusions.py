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
from ringg_provider.numbers.sets import NumberSet
from ringg_provider.sql.reading import Rows

INDIA = PhoneCleaner("+91")
NUMBER = 919876543210


def suppressed(*rows: tuple[Any, ...], with_keys: bool = False) -> Exclusions:
    """Exclusions out of a suppression query's rows."""
    found = Exclusions()
    found.suppress(Rows(tuple("abcdefgh"[: len(rows[0])]), iter([list(rows)])), INDIA, with_keys=with_keys)
    return found


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
    found = suppressed((None, "9876543210"), ("+919876543211", None))
    assert len(found.suppressed) == 2
    assert found.unreadable == 0


def test_a_number_that_cannot_be_dialled_is_suppressed_all_the_same() -> None:
    assert 18001234567 in suppressed(("+1 800 123 4567",)).suppressed


def test_what_cannot_be_read_is_counted() -> None:
    assert suppressed(("opted out",), ("9876543210",)).unreadable == 1


@pytest.mark.parametrize("key", [5, 5.0, Decimal(5), Decimal("5.00"), "5", " 5 "])
def test_a_contact_key_is_suppressed_whatever_type_the_database_gives_it(key: Any) -> None:
    contacts = key_texts([5.0, None], "contact_id")
    rejected = suppressed((key,), (None,), with_keys=True).rejections([NUMBER, NUMBER], contacts)
    assert {position: reason.detail for position, reason in rejected.items()} == {0: "by contact key"}


def test_contact_keys_are_suppressed_too_where_there_are_such() -> None:
    found = suppressed(("customer-7",), (8.0,), with_keys=True)
    rejected = found.rejections([NUMBER, NUMBER + 1, NUMBER + 2], ["customer-7", "8", "9"])
    assert sorted(rejected) == [0, 1]
    assert found.unreadable == 0


def test_suppression_is_told_before_the_frequency_cap() -> None:
    found = Exclusions(NumberSet([1]), called_recently=NumberSet([1, 2, 3]), exhausted=NumberSet([1, 2, 4]))
    told = {position: str(reason.disposition) for position, reason in found.rejections([1, 2, 3, 4, 5], None).items()}
    assert told == {0: "suppressed", 1: "called_recently", 2: "called_recently", 3: "too_many_attempts"}


def test_a_row_without_a_number_is_not_looked_up() -> None:
    assert suppressed(("9876543210",)).rejections([0], None) == {}
