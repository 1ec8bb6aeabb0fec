"""Values of a database become the text of a cell."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ringg_provider.contacts.cells import MAX_KEY, column_texts, comparable_keys, is_sendable, key_texts
from ringg_provider.exceptions import InvalidRequest


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("as it is ", "as it is "),
        (True, "true"),
        (12, "12"),
        (12.0, "12"),
        (0.1, "0.1"),
        (1e22, "10000000000000000000000"),
        (1e-7, "0.0000001"),
        (float("nan"), ""),
        (Decimal("1250.50"), "1250.50"),
        (Decimal("1E+3"), "1000"),
        (dt.date(2026, 11, 20), "2026-11-20"),
        (dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC), "2026-11-20 09:30:00+00:00"),
        (dt.time(9, 30), "09:30:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"नाम": "आशा"}, '{"नाम": "आशा"}'),
        ([1, "a"], '[1, "a"]'),
    ],
)
def test_every_type_has_its_plain_text(value: Any, text: str) -> None:
    assert list(column_texts([value], "x")) == [text]
    assert list(column_texts([value, None, "x"], "x")) == [text, "", "x"]


def test_bytes_have_no_text_and_the_column_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"'photo'.*bytes.*cast it"):
        column_texts([b"x"], "photo")


@pytest.mark.parametrize("text", ["", "a", "tab\t", "line\nline\r\n", "👩‍💻", "محمد", "\u00a0", "\u202e", "\U0001f600"])
def test_text_of_any_language_may_be_sent(text: str) -> None:
    assert is_sendable(text)


@pytest.mark.parametrize("text", ["\0", "a\x07", "\x1b[0m", "\x7f", "\x85", "\ud83d"])
def test_control_characters_and_broken_text_may_not(text: str) -> None:
    assert not is_sendable(text)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("A1", "A1"),
        (" A1\t", " A1\t"),
        ("", ""),
        (None, ""),
        (7, "7"),
        (Decimal("7.00"), "7.00"),
        (Decimal("1E+3"), "1000"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("x" * MAX_KEY, "x" * MAX_KEY),
    ],
)
def test_a_key_is_stored_as_it_is(key: Any, text: str) -> None:
    assert list(key_texts([key, "x", None, 1], "id")) == [text, "x", "", "1"]


@pytest.mark.parametrize(
    "key",
    [
        7.0,
        True,
        b"7",
        dt.date(2026, 11, 20),
        dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
        ["7"],
        "x" * (MAX_KEY + 1),
        "a\0b",
    ],
)
def test_a_key_that_queries_would_not_find_again_is_refused(key: Any) -> None:
    with pytest.raises(InvalidRequest, match="contact_key: column 'id' has") as caught:
        key_texts(["fine", key], "id")
    assert caught.value.field == "contact_key"


def test_keys_are_compared_without_what_differs_between_types() -> None:
    assert comparable_keys(["7", " 7 ", "7.00", "-7.0", "7.50", "A.0", "1.2.0", ""]) == [
        "7", "7", "7", "-7", "7.50", "A.0", "1.2.0", "",
    ]  # fmt: skip
