"""What a platform answers is made to fit: cut or left out, never raised."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from ringg_provider.sql.fitting import document, e164, flag, key, moment, number, text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("+919876543210", "+919876543210"),
        ("+91 98765-43210", "+919876543210"),
        ("919876543210", "+919876543210"),
        ("00919876543210", "+919876543210"),
        ("9876543210", None),
        ("", None),
        (None, None),
        ("anonymous", None),
    ],
)
def test_numbers_are_written_the_way_contacts_are(given: str | None, expected: str | None) -> None:
    assert e164(given) == expected


def test_text_has_nothing_that_a_database_refuses_and_a_key_is_cut() -> None:
    assert text("a\0b\ud800c") == "abc"
    assert text({"a": ["é", None]}) == '{"a": ["é", null]}'
    assert text(None) is None
    assert key("x" * 500) == "x" * 191
    assert key(None) is None


def test_a_document_is_clean_in_its_keys_too() -> None:
    given = {"a\0": ["\ud800x", float("nan"), float("inf"), 1.5, True, None, ("t",)], 7: dt.date(2026, 3, 1)}
    assert document(given) == {"a": ["x", None, None, 1.5, True, None, ["t"]], "7": "2026-03-01"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0.1, Decimal("0.1")),
        (Decimal("7.00"), Decimal("7.00")),
        (-3, Decimal(-3)),
        (1e12, None),
        (float("nan"), None),
        (float("-inf"), None),
        (None, None),
    ],
)
def test_a_number_fits_the_columns_for_money_or_is_none(given: Any, expected: Decimal | None) -> None:
    assert number(given) == expected


@pytest.mark.parametrize(("year", "kept"), [(1, False), (1969, False), (1970, True), (9000, True), (9999, False)])
def test_a_time_that_is_centuries_off_says_nothing(year: int, kept: bool) -> None:
    given = dt.datetime(year, 6, 1, tzinfo=dt.UTC)
    assert moment(given) == (given if kept else None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (True, True),
        ("Yes", True),
        (1, True),
        ("false", False),
        ("NO", False),
        (0, False),
        ("maybe", None),
        (None, None),
    ],
)
def test_a_yes_or_no_is_read_however_it_is_written(given: Any, expected: bool | None) -> None:
    assert flag(given) is expected
