"""Whatever was said: no error, nothing in the past, the same answer at every hour and on every machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from ringg_provider.callbacks.reading import FURTHEST, Instant, Span, Unclear, read
from ringg_provider.callbacks.words.vocabulary import vocabulary

SETTINGS = settings(deadline=None)
ZONES = ["Asia/Kolkata", "America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Santiago", "UTC"]

zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2037, 12, 31), timezones=zones)  # noqa: DTZ001 - zones are drawn
numbers = st.one_of(
    st.integers(), st.floats(), st.integers(10**9, 2 * 10**9), st.integers(10**12, 2 * 10**12), st.none(), st.booleans()
)
# Sentences out of what is known, which come closer to being read than any text.
pieces = st.one_of(
    st.sampled_from(sorted(" ".join(phrase) for phrase in vocabulary().phrases)),
    st.sampled_from(
        ["27 nov", "5/12", "2026-11-27", "17:00", "5", "05:30", "1730", "5th", "-", ",", "+05:30", "29 feb"]
    ),
    st.integers(0, 99).map(str),
    st.times().map(str),
    st.tuples(st.times(), st.integers(-9999, 9999)).map(lambda pair: f"{pair[0]}{pair[1]:+05}"),
    st.integers(-99, 99).map(lambda hours: f"UTC{hours:+}"),
    st.dates(datetime(2025, 1, 1).date(), datetime(2037, 1, 1).date()).map(str),  # noqa: DTZ001 - days
)
sentences = st.lists(pieces, max_size=7).map(" ".join)
anything = st.one_of(sentences, st.text(max_size=60), numbers, st.datetimes(), moments)


@SETTINGS
@given(anything, moments, zones)
def test_nothing_is_in_the_past_and_nothing_raises(
    words: str | float | datetime | None, said_at: datetime, zone: tzinfo
) -> None:
    answer = read(words, said_at=said_at, zone=zone)
    assert answer == read(words, said_at=said_at.astimezone(UTC), zone=zone)
    match answer:
        case Instant(at):
            assert at.tzinfo is UTC
            assert said_at.astimezone(UTC) < at <= said_at.astimezone(UTC) + FURTHEST
        case Span(earliest, latest):
            assert earliest.tzinfo is UTC
            assert latest.tzinfo is UTC
            assert said_at.astimezone(UTC) <= earliest < latest <= said_at.astimezone(UTC) + FURTHEST
        case Unclear(reason):
            assert reason


@SETTINGS
@given(sentences, st.sampled_from(["Tomorrow at 5 PM", "kal shaam", "27/11 17:00"]), st.data())
def test_what_is_not_understood_is_never_passed_over(words: str, clear: str, data: st.DataObject) -> None:
    said_at = datetime(2026, 11, 26, 12, tzinfo=UTC)
    strange = data.draw(st.text("bcdfgjkqvwxz", min_size=4, max_size=9))
    parts = data.draw(st.permutations([words, clear, strange]))
    assert isinstance(read(" ".join(parts), said_at=said_at, zone=UTC), Unclear)


@SETTINGS
@given(sentences, moments)
def test_the_reason_holds_nothing_that_was_said(words: str, said_at: datetime) -> None:
    answer = read(f"{words} zyxwv 98765", said_at=said_at, zone=UTC)
    assert isinstance(answer, Unclear)
    assert not any(secret in answer.reason for secret in ("zyxwv", "98765"))


@SETTINGS
@given(sentences, moments)
def test_small_or_capital_letters_spaces_and_full_stops_change_nothing(words: str, said_at: datetime) -> None:
    zone = ZoneInfo("Asia/Kolkata")
    expected = read(words, said_at=said_at, zone=zone)
    for same in (words.upper(), words.title(), f"  {words} .", words.replace(" ", "   "), f"Um, {words}"):
        if same.casefold() == same.lower():
            assert read(same, said_at=said_at, zone=zone) == expected, same


@SETTINGS
@given(st.integers(1, 999), moments, zones)
def test_so_many_minutes_from_now_are_so_many_in_every_zone(minutes: int, said_at: datetime, zone: tzinfo) -> None:
    answer = read(f"in {minutes} minutes", said_at=said_at, zone=zone)
    assert answer == Instant(said_at.astimezone(UTC) + timedelta(minutes=minutes))


_SCRIPT = """
import json, sys
from datetime import datetime
from zoneinfo import ZoneInfo
from ringg_provider.callbacks.reading import read
said_at = datetime.fromisoformat("2026-11-26T12:00:00+05:30")
print(json.dumps([str(read(words, said_at=said_at, zone=ZoneInfo("Asia/Kolkata"))) for words in json.load(sys.stdin)]))
"""
_WORDS = [
    "tomorrow at 5 PM",
    "27 Nov",
    "29 feb",
    "next week",
    "2026-11-27 17:00",
    "in an hour",
    "Monday evening",
    "noon",
    "27/11/26 5pm",
]


@pytest.mark.parametrize("there", ["America/Los_Angeles", "Pacific/Kiritimati", "UTC"])
def test_the_machine_s_zone_and_language_do_not_matter(there: str) -> None:
    said_at = datetime.fromisoformat("2026-11-26T12:00:00+05:30")
    expected = [str(read(words, said_at=said_at, zone=ZoneInfo("Asia/Kolkata"))) for words in _WORDS]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        input=json.dumps(_WORDS),
        env=os.environ | {"TZ": there, "LC_ALL": "C", "LANG": "de_DE.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == expected


@SETTINGS
@given(sentences, moments, moments)
def test_the_hour_at_which_it_is_read_does_not_matter(words: str, said_at: datetime, read_at: datetime) -> None:
    zone = ZoneInfo("Asia/Kolkata")
    expected = read(words, said_at=said_at, zone=zone)
    with time_machine.travel(read_at, tick=False):
        assert read(words, said_at=said_at, zone=zone) == expected
