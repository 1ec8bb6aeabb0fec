"""dateparser reads the dates, and what it guesses is not taken for what was said."""

from __future__ import annotations

from datetime import date

import pytest

from ringg_provider.callbacks.words.dates import day_and_month, read_date
from ringg_provider.callbacks.words.doubts import Doubt

TODAY = date(2026, 11, 26)
LANGUAGES = ("en", "hi")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("27 nov", (27, 11, None)),
        ("november 27", (27, 11, None)),
        ("27 नवंबर", (27, 11, None)),
        ("29 feb", (29, 2, None)),
        ("27 nov 2026", (27, 11, 2026)),
        ("27-nov-26", (27, 11, 2026)),
        ("5/12/2026", (5, 12, 2026)),
        ("27", None),
        ("nov", None),
        ("nov 2026", None),
        ("friday", None),
        ("tomorrow", None),
        ("27 nov soon", None),
        ("31 nov", None),
        ("5 people", None),
    ],
)
def test_a_date_is_what_was_said_and_no_more(said: str, expected: tuple[int, int, int | None] | None) -> None:
    assert day_and_month(said, "DMY", LANGUAGES) == expected


@pytest.mark.parametrize("said", ["5 six", "5 an", "6 ten", "5 one"])
def test_a_number_in_words_is_no_month(said: str) -> None:
    with pytest.raises(Doubt):
        read_date(said, today=TODAY, month_first=False, languages=LANGUAGES)


@pytest.mark.parametrize("said", ["2026-12-05", "2026/12/05", "2026.12.5"])
@pytest.mark.parametrize("month_first", [False, True])
def test_a_year_that_stands_first_tells_the_order(said: str, month_first: bool) -> None:
    assert read_date(said, today=TODAY, month_first=month_first, languages=LANGUAGES) == date(2026, 12, 5)


def test_without_a_year_it_is_the_next_one() -> None:
    assert read_date("26 nov", today=TODAY, month_first=False, languages=LANGUAGES) == TODAY
    assert read_date("25 nov", today=TODAY, month_first=False, languages=LANGUAGES) == date(2027, 11, 25)


@pytest.mark.parametrize(("month_first", "expected"), [(False, date(2026, 12, 5)), (True, None)])
def test_the_day_is_first_and_where_it_need_not_be_nothing_is_certain(month_first: bool, expected: date | None) -> None:
    if expected is None:
        with pytest.raises(Doubt):
            read_date("5/12/2026", today=TODAY, month_first=month_first, languages=LANGUAGES)
    else:
        assert read_date("5/12/2026", today=TODAY, month_first=month_first, languages=LANGUAGES) == expected
    assert read_date("12/27/2026", today=TODAY, month_first=month_first, languages=LANGUAGES) == date(2026, 12, 27)
