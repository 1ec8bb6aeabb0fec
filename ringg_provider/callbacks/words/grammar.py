"""What stands in a sentence: days, times, parts of the day, durations; every word of it, or nothing.

The kinds of the tokens are one letter each (`vocabulary.py`), so what can be said is a regular expression over letters.
A sentence is understood when its phrases cover it; their order does not matter, as it does not in speech.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from ringg_provider.callbacks.words.doubts import Doubt
from ringg_provider.callbacks.words.vocabulary import Token

Relation = Literal["at", "after", "before"]
_RELATIONS: Mapping[str, Relation] = {"A": "after", "a": "after", "B": "before", "y": "before"}
_UNITS = {"minute": 1, "hour": 60, "day": 1, "week": 7}  # of the clock in minutes, of the calendar in days
_OF_CALENDAR = {"day", "week"}
_UNITS_TOGETHER = [["minute"], ["hour"], ["day"], ["week"], ["hour", "minute"], ["week", "day"]]

# An hour on the clock: half past five, quarter to six, twenty past four, saade paanch, dedh baje, 5:30, 5 30 pm, 5.
_CLOCK = r"(?:m|h>?N|q>N|qRN|N>N|SN|V(?=H)|C|NN|N|Y(?=[MH]))[MH]*"
_AMOUNT = r"(?:[NQ]&?e?h|[NQ]|e?h?q?e|e?h|q|V|SN|S)"
_LENGTH = rf"{_AMOUNT}U(?:&?{_AMOUNT}U|&e?[hq])?"
_PHRASES = re.compile(
    rf"""(?P<date>D|[NOo][,-]?L(?:,?Y(?!U))?|L[,-]?[NOo](?![MHUC])(?:,?Y(?!U))?)
       | (?P<lengths>[AWFn@]*N[RT-]?NU[aW]?)
       | (?P<length>[AWFn@]*{_LENGTH}[aW]?|[Wn]+U)
       | (?P<range>[bf]*@?{_CLOCK}(?:[RT-]@?|&){_CLOCK}[by]?)
       | (?P<clock>f?[AB]?@?{_CLOCK}[ay]?)
       | (?P<same_time>@?s)
       | (?P<week>nk|k)
       | (?P<weekday>[nt]?w)
       | (?P<ordinal>O)
       | (?P<part>t?@?P)
       | (?P<day>d)
       | (?P<zone>z)
       | (?P<offset>X)
       | (?P<rest>.)""",
    re.VERBOSE,
)
# The numbers, in words, that are not only numbers: this one, do call.
_WORDS_OF_SENTENCES = {1, 2}
# Behind such a date the clock has 24 hours.
_ISO_DATE = re.compile(r"\d{4}\D")


@dataclass(frozen=True)
class Clock:
    """A time of the day, as it was said.

    :param hour: 0 to 23.
    :param minute: 0 to 59.
    :param second: 0 to 59.
    :param half: `am`, `pm`, or None.
    :param written: `exact` on 24 hours, `zero` with a zero before the hour, else `plain`.
    :param alone: a bare number, which is an hour only beside a day.
    """

    hour: int
    minute: int = 0
    second: int = 0
    half: str | None = None
    written: Literal["exact", "zero", "plain"] = "plain"
    alone: bool = False


@dataclass
class Said:
    """What a sentence holds.

    :param days: from today.
    :param weekdays: Monday is 0; with `next` before it, or not.
    :param dates: as written.
    :param ordinals: days of a month.
    :param weeks: `this_week`, `next_week`, `weekend`.
    :param parts: names of parts of the day.
    :param clocks: times, and whether at, after or before them.
    :param ranges: from one time to another.
    :param lengths: shortest and longest time from now, in minutes.
    :param later_days: the same in days.
    :param zones: what each name of a zone can mean.
    :param offsets: from UTC, in minutes.
    :param same_time: at the time of the day at which it is said.
    """

    days: list[int] = field(default_factory=list)
    weekdays: list[tuple[int, bool]] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    weeks: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    clocks: list[tuple[Clock, Relation]] = field(default_factory=list)
    ranges: list[tuple[Clock, Clock]] = field(default_factory=list)
    lengths: list[tuple[float, float]] = field(default_factory=list)
    later_days: list[tuple[int, int]] = field(default_factory=list)
    zones: list[tuple[tuple[str, str], ...]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    same_time: bool = False

    @property
    def has_day(self) -> bool:
        """Whether a day was said, or a week."""
        return bool(self.days or self.weekdays or self.dates or self.ordinals or self.weeks or self.later_days)


def understand(tokens: Sequence[Token]) -> Said:
    """What stands in a sentence.

    :param tokens: of the sentence, without what only makes a sentence of it.
    :raises Doubt: a part of it has no place in what can be said of a time.
    """
    said = Said()
    tokens = [
        Token("H", "oclock") if token.value == "hour" and _of_24_hours(before) else token
        for before, token in zip([None, *tokens], tokens, strict=False)
    ]
    kinds = "".join(token.kind for token in tokens)
    phrases = [(str(found.lastgroup), list(tokens[slice(*found.span())])) for found in _PHRASES.finditer(kinds)]
    previous: Sequence[Token] = ()
    for name, own in phrases:
        if name == "clock" and own[0].kind == "C" and previous and _ISO_DATE.match(str(previous[-1].value)):
            own[0] = Token("E", own[0].value)
        if name == "same_time":
            said.same_time = True
        elif name != "rest":
            _ADD[name](said, own)
        if name == "weekday" and "".join(token.kind for token in previous) == "N":
            raise Doubt("it can be any of several days")
        previous = own
    _check_rest([name if name != "rest" else own[0].kind for name, own in phrases])
    bare = any(clock.alone for clock, _ in said.clocks) or any(first.alone and end.alone for first, end in said.ranges)
    if bare and not (said.has_day or said.parts):
        raise Doubt("a number alone is no time")
    return said


def _of_24_hours(token: Token | None) -> bool:
    if token is not None and token.kind == "C":
        return ":" in token.value
    return token is not None and token.kind in "NY" and len(str(token.value)) == 4


def _check_rest(names: Sequence[str]) -> None:
    """What is left between the phrases says nothing, or it says what is not understood."""
    if "L" not in names and not any(len(name) > 1 for name in names):
        raise Doubt("no time was said")
    if any(pair in {("e", "weekday"), ("ordinal", "weekday"), ("o", "weekday")} for pair in pairwise(names)):
        raise Doubt("it can be any of several days")
    for at, name in enumerate(names):
        before = next((each for each in reversed(names[:at]) if len(each) > 1), None)
        behind = next((each for each in names[at + 1 :] if len(each) > 1), None)
        if len(name) > 1 or name in ",e@&c":
            continue
        if name == "Z" and _apart(names[:at][::-1]) and _apart(names[at + 1 :]):
            continue  # he is busy, call tomorrow
        if name == "j" and "c" in names[:at]:
            continue  # call him back
        if name == "L":
            raise Doubt("there is a word in it that is not understood")
        if name == "F":
            continue  # a call for tomorrow
        if name == "R" and (before is None or behind is None):
            continue  # asked to be called
        if name == "-" and (before is None or behind is None or (before in _OF_DAY) != (behind in _OF_DAY)):
            continue  # 27 Nov - 5 pm
        raise Doubt("how its parts belong together is not certain")


def _apart(names: Sequence[str]) -> bool:
    """Whether something stands between this and the next time."""
    return next((name for name in names if name not in {"e", "@", "F", "Z"}), ",") in {",", "&", "c"}


_OF_DAY = {"date", "day", "weekday", "ordinal", "week"}


def _number(token: Token) -> int:
    return int(token.value)


def _clock(tokens: Sequence[Token]) -> Clock:
    """The time that the tokens of `_CLOCK` say."""
    halves = {token.value for token in tokens if token.kind == "M"}
    if len(halves) > 1:
        raise Doubt("it contradicts itself")
    half = halves.pop() if halves else None
    marked = any(token.kind in "MH" for token in tokens)
    core = [token for token in tokens if token.kind not in "MH"]
    kinds = "".join(token.kind for token in core)
    written: Literal["exact", "zero", "plain"] = "plain"
    second, alone = 0, False
    match kinds:
        case "m":
            return Clock(12, half="pm" if half is None else half)
        case "hN" | "h>N":
            hour, minute = _number(core[-1]), 30
        case "q>N":
            hour, minute = _number(core[-1]), 15
        case "qRN":
            hour, minute = _before(_number(core[-1]), 15)
        case "N>N":
            hour, minute = _number(core[-1]), _number(core[0])
        case "SN":
            shift = core[0].value
            hour, minute = (_number(core[1]), shift) if shift > 0 else _before(_number(core[1]), -shift)
        case "V":
            hour, minute = divmod(core[0].value, 60)
        case "C" | "E":
            hour, minute, second, written = _digits(core[0].value)
            written = "exact" if kinds == "E" else written
        case "NN":
            hour, minute = _number(core[0]), _number(core[1])
            if minute < 10 or hour > 24:
                raise Doubt("it says more than one number")
        case _:
            text = str(core[0].value)
            alone = not marked
            if alone and len(text) <= 2 and int(text) > 12:
                raise Doubt("a number alone is no time")
            if len(text) > 2:
                hour, minute = divmod(int(text), 100)
                written = "exact" if hour > 12 else "zero" if text.startswith("0") else written
            else:
                hour, minute = int(text), 0
                written = "zero" if text.startswith("0") else written
    if hour > 23 or minute > 59 or second > 59:
        raise Doubt("there is no such time")
    return Clock(hour, minute, second, half, written, alone)


def _before(hour: int, minutes: int) -> tuple[int, int]:
    return (hour - 1 if hour > 1 else 12), 60 - minutes


def _digits(text: str) -> tuple[int, int, int, Literal["exact", "zero", "plain"]]:
    hour, minute, *rest = (int(each) for each in re.split(r"[:.,]", text)[:3])
    return hour, minute, rest[0] if rest else 0, "exact" if rest else "zero" if text.startswith("0") else "plain"


def _relation(tokens: list[Token]) -> Relation:
    found: set[Relation] = {_RELATIONS[token.kind] for token in tokens if token.kind in _RELATIONS}
    if len(found) > 1:
        raise Doubt("how its parts belong together is not certain")
    return next(iter(found), "at")


def _add_date(said: Said, tokens: list[Token]) -> None:
    said.dates.append(" ".join(str(token.value) for token in tokens if token.kind not in ",-"))


def _add_clock(said: Said, tokens: list[Token]) -> None:
    relation = _relation(tokens)
    if tokens[0].kind == "f" and relation == "at":
        raise Doubt("it says from when, and not until when")
    core = [token for token in tokens if token.kind not in "fABay@"]
    clock = _clock(core)
    if clock.alone and (relation != "at" or any(token.kind == "@" for token in tokens)):
        clock = Clock(clock.hour, clock.minute, clock.second, clock.half, clock.written)
    if clock.alone and core[0].value in _WORDS_OF_SENTENCES:
        raise Doubt("a number alone is no time")
    said.clocks.append((clock, relation))


def _add_range(said: Said, tokens: list[Token]) -> None:
    core = [token for token in tokens if token.kind not in "bfy@"]
    between = any(token.kind in "bf" for token in tokens)
    at = next(at for at, token in enumerate(core) if token.kind in "RT-&" and at and not _quarter_to(core, at))
    first, end = core[:at], core[at + 1 :]
    if core[at].kind == "&" and not between:
        said.clocks += [(_clock(first), "at"), (_clock(end), "at")]
        return
    from_, until = _clock(first), _clock(end)
    minutes_to = core[at].kind == "R" and not between and first[-1].kind == "N" and len(first) == 1
    if minutes_to and from_.minute == 0 and from_.hour in {5, 10, 20} and until.hour != from_.hour + 1:
        raise Doubt("it can be minutes before an hour, or from one hour to another")
    if between:
        until = Clock(until.hour, until.minute, until.second, until.half, until.written)
    said.ranges.append((from_, until))


def _quarter_to(tokens: list[Token], at: int) -> bool:
    return tokens[at].kind == "R" and tokens[at - 1].kind == "q"


def _add_length(said: Said, tokens: list[Token]) -> None:
    kinds = "".join(token.kind for token in tokens)
    if "F" in kinds:
        raise Doubt("it says for how long, not when")
    core = [token for token in tokens if token.kind not in "AWFn@a"]
    total = 0.0
    amount: list[Token] = []
    units: list[str] = []
    for token in [*core, Token("U", "")]:
        if token.kind != "U":
            amount.append(token)
            continue
        if token.value:
            units.append(token.value)
        elif not amount:
            break
        total += _amount(amount) * _UNITS[units[-1]]
        amount = []
    if units not in _UNITS_TOGETHER:
        raise Doubt("how its parts belong together is not certain")
    within = "W" in kinds or "n" in kinds
    if within and ("A" in kinds or "a" in kinds):
        raise Doubt("how its parts belong together is not certain")
    if units[0] in _OF_CALENDAR:
        if total != int(total) or within:
            raise Doubt("how its parts belong together is not certain")
        said.later_days.append((int(total), int(total)))
    else:
        said.lengths.append((0.0 if within else total, total))


def _amount(tokens: list[Token]) -> float:
    """How many of a unit: two and a half, half a, one and a quarter, saade teen."""
    kinds = "".join(token.kind for token in tokens if token.kind not in "&e")
    values = [token.value for token in tokens if token.kind not in "&e"]
    match kinds:
        case "":
            return 1
        case "N" | "Q":
            return float(values[0])
        case "Nh" | "Qh":
            return float(values[0]) + 0.5
        case "h":
            return 0.5
        case "q":
            return 0.25
        case "V":
            return float(values[0]) / 60
        case "S":
            return 1 + float(values[0]) / 60
        case "SN":
            return float(values[1]) + float(values[0]) / 60
    raise Doubt("how its parts belong together is not certain")


def _add_lengths(said: Said, tokens: list[Token]) -> None:
    kinds = "".join(token.kind for token in tokens)
    if set("FWn") & set(kinds):
        raise Doubt("it says for how long, not when")
    first, second = (_number(token) for token in tokens if token.kind == "N")
    unit = next(token.value for token in tokens if token.kind == "U")
    if not first < second:
        raise Doubt("it says more than one number")
    if unit in _OF_CALENDAR:
        said.later_days.append((first * _UNITS[unit], second * _UNITS[unit]))
    else:
        said.lengths.append((first * _UNITS[unit], second * _UNITS[unit]))


def _add_part(said: Said, tokens: list[Token]) -> None:
    if tokens[0].kind == "t":
        said.days.append(0)
    said.parts.append(tokens[-1].value)


def _add_week(said: Said, tokens: list[Token]) -> None:
    if len(tokens) > 1:
        raise Doubt("next can mean this one or the one after it")
    said.weeks.append(tokens[0].value)


_ADD: Mapping[str, Callable[[Said, list[Token]], None]] = {
    "date": _add_date,
    "lengths": _add_lengths,
    "length": _add_length,
    "range": _add_range,
    "clock": _add_clock,
    "week": _add_week,
    "weekday": lambda said, tokens: said.weekdays.append((tokens[-1].value, tokens[0].kind == "n")),
    "ordinal": lambda said, tokens: said.ordinals.append(tokens[0].value),
    "part": _add_part,
    "day": lambda said, tokens: said.days.append(tokens[0].value),
    "zone": lambda said, tokens: said.zones.append(tokens[0].value),
    "offset": lambda said, tokens: said.offsets.append(tokens[0].value),
}
