"""Dates in words and digits, read by dateparser, which knows the months of many languages.

It also guesses: it fills in what was not said from the present, and passes over words. So it is given nothing but a
date, is told what must be there, and is asked on two different days: what it takes from the words is the same on both.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Literal

from ringg_provider.callbacks.words.doubts import Doubt
from ringg_provider.exceptions import InvalidRequest

_ASKED_ON = (datetime(2020, 4, 10), datetime(2024, 8, 20))  # noqa: DTZ001 - days, without a zone
_UNDERSTOOD = {
    "PARSERS": ["absolute-time"],
    "REQUIRE_PARTS": ["day", "month"],
    "PREFER_LOCALE_DATE_ORDER": False,
    "PREFER_DATES_FROM": "current_period",
    "TIMEZONE": "UTC",
    "RETURN_AS_TIMEZONE_AWARE": False,
}

_YEAR_FIRST = re.compile(r"\d{4}\D")

Order = Literal["DMY", "MDY", "YMD"]


@lru_cache(maxsize=1)
def _parse() -> Callable[..., Any]:
    try:
        import dateparser
    except ModuleNotFoundError:
        raise InvalidRequest(
            "dateparser is not installed, which reads when somebody asked to be called back:"
            " pip install 'ringg-provider[callbacks]'"
        ) from None
    return dateparser.parse  # type: ignore[no-any-return]


def require_dateparser() -> None:
    """Make sure that dates can be read at all.

    :raises InvalidRequest: dateparser is not installed; says with which extra it comes.
    """
    _parse()


@lru_cache(maxsize=4096)
def day_and_month(said: str, order: Order, languages: Sequence[str]) -> tuple[int, int, int | None] | None:
    """Day, month and, where it was said, year of a date.

    :param said: nothing but a date, such as `27th nov` or `5/12/2026`.
    :param order: what stands first where digits could be either.
    :param languages: codes of dateparser.
    :return: None where it is no date.
    """
    with warnings.catch_warnings():  # a day without a year: Python warns the library of the 29th of February
        warnings.simplefilter("ignore")
        first, second = (
            _parse()(
                said, languages=list(languages), settings=_UNDERSTOOD | {"DATE_ORDER": order, "RELATIVE_BASE": day}
            )
            for day in _ASKED_ON
        )
    if first is None or second is None or (first.day, first.month) != (second.day, second.month):
        return None
    return first.day, first.month, first.year if first.year == second.year else None


def read_date(said: str, *, today: date, month_first: bool, languages: Sequence[str]) -> date:
    """The day that a date means: the next one where it has no year.

    :param said: nothing but a date.
    :param today: for the callee.
    :param month_first: whether `5/12` can be the twelfth of May where the callee lives.
    :param languages: codes of dateparser.
    :raises Doubt: it is no date, or two.
    """
    # A year that stands first tells the order, which older versions of dateparser do not notice.
    orders: tuple[Order, Order] = ("YMD", "YMD") if _YEAR_FIRST.match(said) else ("DMY", "MDY")
    day_first, other = (day_and_month(said, order, tuple(languages)) for order in orders)
    if any(each.isalpha() for each in said) and day_first != other:
        raise Doubt("there is a word in it that is not understood")  # a number in words, taken for a month
    if day_first is None:
        if other is None:
            raise Doubt("there is a word in it that is not understood")
        day_first = other
    if month_first and other is not None and other != day_first:
        raise Doubt("day and month can be told apart only by their order, which differs between countries")
    day, month, year = day_first
    try:
        if year is not None:
            return date(year, month, day)
        this_year = date(today.year, month, day)
        return this_year if this_year >= today else date(today.year + 1, month, day)
    except ValueError:
        raise Doubt("there is no such day") from None
