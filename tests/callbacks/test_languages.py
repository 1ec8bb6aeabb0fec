"""A language is a file: its words are understood without a line of code, and what would be read two ways is refused."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ringg_provider.callbacks.words.grammar import understand
from ringg_provider.callbacks.words.resolving import resolve
from ringg_provider.callbacks.words.vocabulary import vocabulary, vocabulary_of

BERLIN = ZoneInfo("Europe/Berlin")
SAID_AT = datetime(2026, 11, 26, 12, tzinfo=BERLIN)
GERMAN = """
dateparser = "de"
[day]
1 = ["morgen"]
2 = ["übermorgen"]
[weekday]
monday = ["montag"]
[part]
morning = ["früh", "vormittag"]
evening = ["abend", "abends"]
[number]
2 = ["zwei"]
5 = ["fünf"]
[unit]
hour = ["stunde", "stunden"]
[word]
oclock = ["uhr"]
at = ["um", "gegen"]
after = ["nach"]
article = ["einer"]
half = ["halbe", "halben"]
request = ["bitte", "anrufen"]
[unclear]
"it says no, or not" = ["nicht", "nie"]
[ignored]
anywhere = ["am"]
"""


def _german(**more: Any) -> Any:
    german = tomllib.loads(GERMAN)
    del german["ignored"]
    return vocabulary_of([german | more], {})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Bitte morgen um fünf Uhr anrufen", "2026-11-27T16:00"),
        ("übermorgen Abend gegen 7", "2026-11-28T18:00"),
        ("in zwei Stunden", None),
        ("nach zwei Stunden", "2026-11-26T13:00"),
        ("27. Dezember um 11 Uhr", "2026-12-27T10:00"),
    ],
)
def test_a_language_is_a_file(words: str, expected: str | None) -> None:
    german = _german(ignored={"anywhere": ["in"]} if expected is None else {})
    said = understand(german.tokens(words))
    earliest, latest = resolve(said, said_at=SAID_AT, zone=BERLIN, languages=german.dateparser)
    assert earliest == latest == datetime.fromisoformat(expected or "2026-11-26T13:00").replace(tzinfo=UTC)


def test_a_phrase_with_two_meanings_is_refused() -> None:
    english = tomllib.loads((resources.files("ringg_provider.callbacks.words") / "data/languages/en.toml").read_text())
    with pytest.raises(ValueError, match="'um' has two meanings"):
        vocabulary_of([english, tomllib.loads(GERMAN)], {})


def test_a_section_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r"\[mood\] is no section of a language file"):
        _german(mood={"good": ["gern"]})


def test_every_language_names_every_day_of_the_week_and_says_no() -> None:
    for file in (resources.files("ringg_provider.callbacks.words") / "data/languages").iterdir():
        language = tomllib.loads(file.read_text("utf-8"))
        assert len(language["weekday"]) == 7, file.name
        assert {"it says no, or not", "no time was said"} <= set(language["unclear"]), file.name
    assert set(vocabulary().dateparser) == {"en", "hi"}
