"""The sandbox's people ask to be called back in their own words, which were not written for this reading."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ringg_provider.callbacks.reading import Instant, Span, Unclear, read
from ringg_provider.sandbox.wishes import wish_for


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/London", "Australia/Sydney"])
def test_what_the_sandbox_s_people_ask_for_is_what_is_read(zone: str) -> None:
    dice = random.Random(zone)
    clear = read_right = 0
    for _ in range(1500):
        said_at = datetime(2026, 3, 1, 4, tzinfo=ZoneInfo(zone)) + timedelta(minutes=dice.randrange(300 * 24 * 60))
        said_at = said_at.replace(hour=dice.randrange(9, 20))
        wish = wish_for(dice, said_at.timestamp(), zone, vague=0.1)
        answer = read(wish.words, said_at=said_at, zone=ZoneInfo(zone))
        if wish.earliest is None or wish.latest is None:
            assert isinstance(answer, Unclear), wish.words
            continue
        clear += 1
        read_right += not isinstance(answer, Unclear)
        earliest, latest = (datetime.fromtimestamp(each, UTC) for each in (wish.earliest, wish.latest))
        match answer:
            case Instant(at):
                assert at == earliest == latest, wish.words
            case Span():
                # What a part of the day is differs from one to another; the middle is meant by both.
                assert earliest <= answer.earliest + (answer.latest - answer.earliest) / 2 <= latest, wish.words
    print(f"{zone}: {read_right} of {clear} read")
    assert read_right >= 0.98 * clear
