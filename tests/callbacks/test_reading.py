"""What somebody said of when to call back becomes an instant, a span, or nothing: never a guess."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ringg_provider.callbacks.reading import Instant, Unclear, read

KOLKATA = ZoneInfo("Asia/Kolkata")
SAID_AT = datetime(2026, 11, 26, 12, 0, tzinfo=KOLKATA)
FIVE = Instant(datetime(2026, 11, 27, 11, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    "words",
    [
        "2026-11-27T17:00:00+05:30",
        "2026-11-27T11:30:00Z",
        " 2026-11-27 17:00:00 ",
        FIVE.at,
        FIVE.at.astimezone(ZoneInfo("America/New_York")),
        datetime(2026, 11, 27, 17, 0),  # noqa: DTZ001 - the callee's own clock is meant
        int(FIVE.at.timestamp()),
        FIVE.at.timestamp(),
        str(int(FIVE.at.timestamp())),
        int(FIVE.at.timestamp()) * 1000,
        str(int(FIVE.at.timestamp()) * 1000),
    ],
    ids=repr,
)
def test_a_machine_s_spelling_of_an_instant_is_that_instant(words: str | float | datetime) -> None:
    assert read(words, said_at=SAID_AT, zone=KOLKATA) == FIVE


@pytest.mark.parametrize(
    "words",
    [
        None,
        "",
        5,
        17,
        True,
        -1,
        0,
        float("nan"),
        float("inf"),
        10**30,
        "9876543210",
        9876543210,
        SAID_AT,
        SAID_AT - timedelta(seconds=1),
        SAID_AT + timedelta(days=200),
        "2025-11-27T17:00:00",
    ],
    ids=repr,
)
def test_what_is_no_time_ahead_is_unclear(words: str | float | datetime | None) -> None:
    assert isinstance(read(words, said_at=SAID_AT, zone=KOLKATA), Unclear)


@pytest.mark.parametrize("words", ["2027-03-14 02:30", "2026-11-01 01:30"])
def test_a_time_that_is_on_the_wall_never_or_twice_is_unclear(words: str) -> None:
    said_at = datetime(2026, 10, 30, 15, tzinfo=UTC)
    assert isinstance(read(words, said_at=said_at, zone=ZoneInfo("America/New_York")), Unclear)


def test_words_cannot_be_read_without_dateparser_and_the_error_says_how_to_get_it() -> None:
    script = """
import sys
from datetime import UTC, datetime
sys.modules["dateparser"] = None
from ringg_provider.callbacks.reading import read
said_at = datetime(2026, 11, 26, tzinfo=UTC)
print(read(1795779000, said_at=said_at, zone=UTC))
try:
    read("my secret words", said_at=said_at, zone=UTC)
except Exception as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    number, words = done.stdout.splitlines()
    assert number.startswith("Instant(")
    assert words.startswith("InvalidRequest")
    assert "pip install 'ringg-provider[callbacks]'" in words
    assert "secret" not in words


def test_now_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="said_at must have a time zone"):
        read("tomorrow", said_at=datetime(2026, 11, 26, 12, 0), zone=KOLKATA)  # noqa: DTZ001 - that it has none
