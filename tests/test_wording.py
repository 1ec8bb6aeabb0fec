"""Numbers, times and money as they are said in a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pendulum
import pytest

from ringg_provider import wording

INDIA = ZoneInfo("Asia/Kolkata")
ONE = datetime(2027, 3, 1, 13, 0, tzinfo=INDIA)


@pytest.mark.parametrize(
    ("number", "said"), [(0, "no list"), (1, "1 list"), (2, "2 lists"), (1_000_000, "1,000,000 lists")]
)
def test_a_count_has_its_plural(number: int, said: str) -> None:
    assert wording.counted(number, "list") == said


def test_a_plural_of_its_own() -> None:
    assert [wording.counted(n, "person", "people") for n in (0, 1, 2)] == ["no person", "1 person", "2 people"]


def test_codes_are_read_as_words_and_nobody_is_left_away() -> None:
    assert wording.tallied({"listed": 1_200, "called_recently": 1, "duplicate": 0}) == "1,200 listed, 1 called recently"
    assert wording.tallied({}) == ""


@pytest.mark.parametrize(("whole", "said"), [(200, "95 of 200 (48%)"), (None, "95"), (0, "95")])
def test_a_share(whole: int | None, said: str) -> None:
    assert wording.share(95, whole) == said


@pytest.mark.parametrize("zone", [INDIA, pendulum.timezone("Asia/Kolkata")])
def test_a_time_is_local_and_names_its_zone(zone: object) -> None:
    assert wording.moment(ONE.astimezone(UTC), zone) == "Mon 2027-03-01 13:00 Asia/Kolkata"  # type: ignore[arg-type]


def test_a_time_in_its_own_zone() -> None:
    assert wording.moment(ONE.astimezone(UTC)) == "Mon 2027-03-01 07:30 UTC"


def test_a_span_names_a_second_day_only_where_there_is_one() -> None:
    assert wording.span(ONE, ONE + timedelta(hours=4)) == "Mon 2027-03-01 13:00 to 17:00 Asia/Kolkata"
    until = (ONE + timedelta(days=1)).astimezone(UTC)
    assert wording.span(ONE, until) == "Mon 2027-03-01 13:00 to Tue 2027-03-02 13:00 Asia/Kolkata"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.4, "0 s"), (59.6, "1 min"), (125, "2 min 5 s"), (7_500, "2 h 5 min"), (259_200, "3 d")],
)
def test_a_duration(seconds: float, said: str) -> None:
    assert wording.duration(seconds) == wording.duration(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (None, "unknown"),
        (Decimal("1.00"), "1 credit"),
        (Decimal("0E-8"), "0 credits"),
        (Decimal("1250.50"), "1,250.5 credits"),
        (Decimal("1E+3"), "1,000 credits"),
    ],
)
def test_money_loses_no_digit_and_has_no_exponent(amount: Decimal | None, said: str) -> None:
    assert wording.money(amount) == said


def test_a_table_is_aligned() -> None:
    assert wording.table(("campaign", "people"), [("a", "1,200"), ("bcd", "7")]) == (
        "campaign  people\na          1,200\nbcd            7"
    )


@pytest.mark.parametrize("name", [None, "", "+05:30", "Nowhere/Land", "../etc/passwd"])
def test_a_zone_that_is_none_is_utc(name: str | None) -> None:
    assert wording.zone_named(name).utcoffset(ONE) == timedelta(0)
    assert wording.zone_named("Asia/Kolkata") == INDIA
