"""What docs/promises.md says of words is what they mean."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ringg_provider.callbacks.reading import Instant, Span, Unclear, read

PAGE = (Path(__file__).parents[2] / "docs" / "promises.md").read_text("utf-8")
KOLKATA = ZoneInfo("Asia/Kolkata")
KINDS = {"an instant": Instant, "a span; the call is due in its middle": Span, "unclear": Unclear}
ROWS = re.findall(r"^\| (`.+`) \| ([^|]+) \|$", PAGE, re.MULTILINE)
EXAMPLES = [(words, KINDS[kind]) for said, kind in ROWS if kind in KINDS for words in re.findall(r"`([^`]+)`", said)]


@pytest.mark.parametrize(("words", "kind"), EXAMPLES)
def test_an_example_is_what_the_page_says(words: str, kind: type) -> None:
    assert isinstance(read(words, said_at=datetime(2026, 11, 26, 12, tzinfo=KOLKATA), zone=KOLKATA), kind)


def test_the_page_has_examples_of_every_kind() -> None:
    assert {kind for _, kind in EXAMPLES} == set(KINDS.values())


def test_the_page_has_every_part_of_a_day_with_its_hours() -> None:
    text = (resources.files("ringg_provider.callbacks.words") / "data/parts.toml").read_text("utf-8")
    for part, hours in tomllib.loads(text).items():
        first, end = hours["said"].split("-")
        assert f"| {part.replace('_', ' ')} | {first} | {end} |" in PAGE
