"""A reader for the small part of the regular expression language that phone number plans are written in.

Digits, classes of digits, ``\\d``, groups, alternatives, ``?`` and ``{n}`` or ``{n,m}``: nothing else is used in the
metadata of :mod:`phonenumbers`, and nothing else is read, so that a new kind of pattern is never misread.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ANY_DIGIT = frozenset("0123456789")

_REPEAT = re.compile(r"\?|\{(\d+)(?:,(\d+))?\}")
_CLASS = re.compile(r"\[((?:\d-\d|\d)+)\]")
_RANGE = re.compile(r"(\d)(?:-(\d))?")


class UnreadablePattern(ValueError):
    """The pattern uses something that this reader does not know."""


class Choice(NamedTuple):
    """Alternatives, each a sequence of pieces."""

    sequences: list[list[Piece]]


class Piece(NamedTuple):
    """One digit out of a set, or a group, and how often it comes."""

    atom: frozenset[str] | Choice
    least: int
    most: int


def read_pattern(pattern: str) -> Choice:
    """Read a whole pattern.

    :raises UnreadablePattern: for anything outside the language above.
    """
    choice, position = _choice(pattern, 0)
    if position != len(pattern):
        raise UnreadablePattern(f"Not the pattern of a number plan: {pattern}")
    return choice


def _choice(pattern: str, position: int) -> tuple[Choice, int]:
    sequences: list[list[Piece]] = []
    while True:
        sequence, position = _sequence(pattern, position)
        sequences.append(sequence)
        if not pattern.startswith("|", position):
            return Choice(sequences), position
        position += 1


def _sequence(pattern: str, position: int) -> tuple[list[Piece], int]:
    pieces: list[Piece] = []
    while position < len(pattern) and pattern[position] not in "|)":
        atom, position = _atom(pattern, position)
        least = most = 1
        if repeat := _REPEAT.match(pattern, position):
            position = repeat.end()
            least = int(repeat[1] or 0)
            most = int(repeat[2] or repeat[1] or 1)
        pieces.append(Piece(atom, least, most))
    return pieces, position


def _atom(pattern: str, position: int) -> tuple[frozenset[str] | Choice, int]:
    if pattern[position] in ANY_DIGIT:
        return frozenset(pattern[position]), position + 1
    if pattern.startswith("\\d", position):
        return ANY_DIGIT, position + 2
    if digits := _CLASS.match(pattern, position):
        ranges = _RANGE.findall(digits[1])
        found = {str(digit) for first, last in ranges for digit in range(int(first), int(last or first) + 1)}
        return frozenset(found), digits.end()
    if pattern[position] == "(":
        inner = position + (3 if pattern.startswith("(?:", position) else 1)
        choice, position = _choice(pattern, inner)
        if pattern.startswith(")", position):
            return choice, position + 1
    raise UnreadablePattern(f"Not the pattern of a number plan: {pattern}")
