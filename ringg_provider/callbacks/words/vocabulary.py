"""What the words of a sentence mean: the files of `data/languages`, and a sentence cut into tokens by them.

A language is a file, not code. Each section of it maps meanings to phrases; a phrase means one thing in all languages
together, since people mix them, and the longest phrase counts.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from ringg_provider.callbacks.words.doubts import Doubt

#: Longer texts are not about a time alone.
LONGEST = 400
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# The kind of a token is one letter, so that a pattern of tokens is a regular expression (`grammar.py`).
_KIND_OF_SECTION = {
    "day": "d",
    "weekday": "w",
    "week": "k",
    "part": "P",
    "number": "N",
    "ordinal": "o",
    "shift": "S",
    "half_more": "V",
    "unit": "U",
    "unclear": "!",
    "ignored": ".",
}
_KIND_OF_WORD = {
    "am": "M",
    "pm": "M",
    "oclock": "H",
    "midday": "m",
    "same_time": "s",
    "half": "h",
    "quarter": "q",
    "past": ">",
    "article": "e",
    "at": "@",
    "after": "A",
    "before": "B",
    "after_that": "a",
    "before_that": "y",
    "within": "W",
    "to": "R",
    "until": "T",
    "between": "b",
    "from": "f",
    "and": "&",
    "next": "n",
    "this": "t",
    "for": "F",
    "comma": ",",
    "back": "j",
    "request": "c",
    "occupied": "Z",
}
_NUMBERED = {"day", "number", "ordinal", "shift", "half_more"}

_LEXEME = re.compile(
    r"""(?P<date>\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d)
               | \d{1,2}([-/.])\d{1,2}\2(?:\d{4}|\d{2})(?!\d)
               | \d{1,2}-[^\W\d_]{3,}-(?:\d{4}|\d{2})(?!\d)
               | \d{1,2}/\d{1,2}(?![\d/]))
      | (?P<clock>\d{1,2}[:.]\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?!\d))
      | (?P<decimal>\d{1,3}\.\d(?!\d))
      | (?P<ordinal>\d{1,2}(?:st|nd|rd|th)(?![^\W\d_]))
      | (?P<number>\d+)
      | (?P<offset>\x00[+-]\d{4})
      | (?P<dash>[-\u2010-\u2015])
      | (?P<comma>[,;.\u0964])
      | (?P<none>[\s!?()"“”:*|…]+)
      | (?P<word>[&@~]|[^\s\d!-/:-@\[-`{-~\u2010-\u2015\u0964“”…]+|.)""",
    re.VERBOSE | re.DOTALL,
)
_DROPPED = "'`\x00\u2018\u2019"  # apostrophes, and what marks an offset below
_SHORT_YEAR = re.compile(r"['\u2019](\d\d)\b")
_MERIDIEM = re.compile(r"(?<![^\W\d_])([ap])\s?\.\s?m\b\.?")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)t(\d\d:\d\d)(:\d\d)?")
# What stands behind a clock is an offset where nobody could take it for the end of a range.
_OFFSET = re.compile(
    r"(?:(?<=:\d\d)(?=\+)|(?<=:\d\d:\d\d)|(?<=:\d\d:\d\d\.\d{3})|(?<=:\d\d:\d\d\.\d{6})) ?([+-])(\d\d):?(\d\d)\b"
)
_OFFSET_OF_UTC = re.compile(r"\b(?:utc|gmt) ?([+-])(\d{1,2})(?::?(\d\d))?\b(?! ?:)")
_ZULU = re.compile(r"(?<=\d)z\b")
_FARTHEST_ZONE = 14 * 60
_TELEPHONE = 5  # digits that are no time, and no year


@dataclass(frozen=True)
class Token:
    """One thing that was said.

    :param kind: a letter: `D` a date in digits, `C` hours and minutes, `N` a number, `Q` a decimal one, `Y` a year,
        `O` the number of a day in digits, `X` an offset, `z` a zone's name, `L` a word that no language file has, `-`
        and `,` as written, and those of the sections and words of a language file.
    :param value: what it means.
    """

    kind: str
    value: Any


@dataclass(frozen=True)
class Vocabulary:
    """The words of several languages.

    :param phrases: phrase, as lexemes -> what it means.
    :param dateparser: the languages whose months dateparser is asked for, by its codes.
    """

    phrases: Mapping[tuple[str, ...], tuple[Token, ...]]
    dateparser: tuple[str, ...]

    def tokens(self, text: str) -> list[Token]:
        """Cut a text into what it says; what only makes a sentence of it is left out.

        :raises Doubt: a word of it says that no time can be told; or it is too long, or may hold a telephone number.
        """
        if len(text) > LONGEST:
            raise Doubt("it is too long to be about a time alone")
        lexemes = list(_lexemes(text))
        longest = max(map(len, self.phrases))
        found: list[Token] = []
        at = 0
        while at < len(lexemes):
            for end in range(min(len(lexemes), at + longest), at, -1):
                if (meant := self.phrases.get(tuple(each for _, each in lexemes[at:end]))) is not None:
                    found += meant
                    at = end
                    break
            else:
                found.append(_of_digits(*lexemes[at]))
                at += 1
        if reason := next((token.value for token in found if token.kind == "!"), None):
            raise Doubt(reason)
        return [token for token in found if token.kind != "."]


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The words of all languages in `data/languages`, read once."""
    files = sorted(
        (resources.files("ringg_provider.callbacks.words") / "data" / "languages").iterdir(), key=lambda file: file.name
    )
    languages = [tomllib.loads(file.read_text("utf-8")) for file in files if file.name.endswith(".toml")]
    zones = tomllib.loads(
        (resources.files("ringg_provider.callbacks.words") / "data" / "zones.toml").read_text("utf-8")
    )
    return vocabulary_of(languages, zones["names"])


def vocabulary_of(languages: list[dict[str, Any]], zones: Mapping[str, Mapping[str, str]]) -> Vocabulary:
    """Build a vocabulary.

    :param languages: language files, parsed.
    :param zones: a zone's name as people say it -> the IANA zones that it can mean, each with the offset it names.
    :raises ValueError: a phrase has two meanings, or a section or a word is not known.
    """
    phrases: dict[tuple[str, ...], tuple[Token, ...]] = {}

    def add(phrase: str, meant: tuple[Token, ...]) -> None:
        lexemes = tuple(each for _, each in _lexemes(phrase))
        if phrases.setdefault(lexemes, meant) != meant:
            raise ValueError(f"{phrase!r} has two meanings")

    for language in languages:
        for section, meanings in language.items():
            if section in {"dateparser", "same"}:
                continue
            for meaning, said in meanings.items():
                for phrase in said:
                    add(phrase, (_token(section, meaning),))
    for name, candidates in zones.items():
        add(name, (Token("z", tuple(candidates.items())),))
    known = Vocabulary(phrases, tuple(language["dateparser"] for language in languages))
    for language in languages:
        for phrase, other in language.get("same", {}).items():
            add(phrase, tuple(known.tokens(other)) if other != "never" else (Token("!", "no time was said"),))
    return known


def _token(section: str, meaning: str) -> Token:
    if section == "word":
        return Token(_KIND_OF_WORD[meaning], meaning)
    if section == "weekday":
        return Token("w", WEEKDAYS.index(meaning))
    if section not in _KIND_OF_SECTION:
        raise ValueError(f"[{section}] is no section of a language file")
    return Token(_KIND_OF_SECTION[section], int(meaning) if section in _NUMBERED else meaning)


def _lexemes(text: str) -> Iterator[tuple[str, str]]:
    """The kinds and texts of what a text is made of, without spaces; letters small, digits those of ASCII."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    plain = _SHORT_YEAR.sub(r" 20\1", plain)
    plain = "".join(
        str(unicodedata.decimal(each)) if each.isdecimal() else each
        for each in plain
        if each not in _DROPPED and unicodedata.category(each) != "Cf"
    )
    plain = _MERIDIEM.sub(r"\1m ", plain)
    plain = _ISO.sub(lambda found: f"{found[1]} {found[2]}{found[3] or ':00'}", plain)
    plain = _ZULU.sub(" \x00+0000", plain)
    plain = _OFFSET.sub(" \x00\\1\\2\\3", plain)
    plain = _OFFSET_OF_UTC.sub(lambda found: f" \x00{found[1]}{int(found[2]):02}{found[3] or '00'}", plain)
    for found in _LEXEME.finditer(plain):
        kind = found.lastgroup
        assert kind is not None
        if kind != "none":
            yield kind, "-" if kind == "dash" else "," if kind == "comma" else found[0]


def _of_digits(kind: str, lexeme: str) -> Token:
    """What a lexeme means that no phrase begins with."""
    match kind:
        case "date":
            return Token("D", lexeme)
        case "clock":
            return Token("C", lexeme)
        case "decimal":
            return Token("Q", float(lexeme))
        case "ordinal":
            return Token("O", int(lexeme[:-2]))
        case "offset":
            minutes = int(lexeme[2:4]) * 60 + int(lexeme[4:])
            if minutes > _FARTHEST_ZONE or int(lexeme[4:]) > 59:
                raise Doubt("there is no such time zone")
            return Token("X", -minutes if lexeme[1] == "-" else minutes)
        case "number" if len(lexeme) >= _TELEPHONE:
            raise Doubt("there may be a telephone number in it")
        case "number" if len(lexeme) == 4 and lexeme.startswith("20") and int(lexeme) > 2023:
            return Token("Y", lexeme)
        case "number":
            return Token("N", lexeme)
        case "dash" | "comma":
            return Token(lexeme, lexeme)
    return Token("L", lexeme)
