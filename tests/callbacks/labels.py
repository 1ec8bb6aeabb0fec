"""Utterances with what they mean, as the files `utterances.toml` and `strangers.toml` have them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from ringg_provider.callbacks.reading import Instant, Span, Unclear, read

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Labelled:
    """An utterance.

    :param expected: None where it is unclear on purpose.
    """

    words: str
    said_at: datetime
    zone: ZoneInfo
    expected: Instant | Span | None

    @property
    def answer(self) -> Instant | Span | Unclear:
        return read(self.words, said_at=self.said_at, zone=self.zone)

    @property
    def right(self) -> bool:
        answer = self.answer
        return isinstance(answer, Unclear) if self.expected is None else answer == self.expected

    def __str__(self) -> str:
        return f"{self.words!r} at {self.said_at}: {self._told(self.answer)}, not {self._told(self.expected)}"

    def _told(self, answer: Instant | Span | Unclear | None) -> str:
        match answer:
            case Instant(at):
                return f"{at.astimezone(self.zone):%a %d %b %H:%M}"
            case Span(earliest, latest):
                return " to ".join(f"{each.astimezone(self.zone):%a %d %b %H:%M}" for each in (earliest, latest))
            case Unclear(reason):
                return f"unclear ({reason})"
        return "unclear"


def labelled(name: str) -> list[Labelled]:
    """The utterances of a file."""
    return list(_labelled(HERE / name))


def _labelled(path: Path) -> Iterator[Labelled]:
    for context in tomllib.loads(path.read_text("utf-8"))["context"]:
        zone = ZoneInfo(context["zone"])
        for words, meaning in context["means"].items():
            yield Labelled(words, context["said_at"].replace(tzinfo=zone), zone, _meaning(meaning, zone))


def _meaning(text: str, zone: ZoneInfo) -> Instant | Span | None:
    if text == "unclear":
        return None
    moments = [datetime.fromisoformat(each).replace(tzinfo=zone).astimezone(UTC) for each in text.split(" to ")]
    return Instant(moments[0]) if len(moments) == 1 else Span(moments[0], moments[1])
