"""The rules that say when people may be called: the data file's format, loading, and looking one up.

A rule belongs to a jurisdiction (a country, or one of its subdivisions) and to purposes, and names its source
and the day on which it was checked. The shipped rules are ``data/calling_hours.toml``; a user replaces all of
them with a TOML file or a dict of the same form. They are a mechanism with defaults, not legal advice.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.purposes import Purpose
from ringg_provider.hours.wall_clock import MINUTES_PER_DAY, Span, intersect, normalise
from ringg_provider.hours.zones import zone_names, zones_of_country

#: Seven days from Monday, each with its allowed spans in minutes after local midnight.
Week = tuple[tuple[Span, ...], ...]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_JURISDICTION = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"


def _read_week(value: object) -> Week:
    if not isinstance(value, Mapping) or not value:
        raise ValueError('must be a table such as { daily = "09:00-21:00" } or { mon-fri = "09:00-18:00" }')
    week: dict[int, tuple[Span, ...]] = {}
    for name, text in value.items():
        for day in _read_days(name):
            if day in week:
                raise ValueError(f"names {_DAYS[day]} twice")
            week[day] = _read_spans(text)
    return tuple(week.get(day, ()) for day in range(7))


def _read_days(name: object) -> range:
    first, _, last = str(name).partition("-")
    if name == "daily":
        return range(7)
    if first in _DAYS and (not last or last in _DAYS):
        days = range(_DAYS.index(first), _DAYS.index(last or first) + 1)
        if days:
            return days
    raise ValueError(f"days are 'daily', one of {', '.join(_DAYS)}, or a range such as mon-fri")


def _read_spans(value: object) -> tuple[Span, ...]:
    texts = value if isinstance(value, list) else [value]
    spans: list[Span] = []
    for text in texts:
        match = _HOURS.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError("hours are 'HH:MM-HH:MM' on a 24-hour clock, or a list of such")
        from_hour, from_minute, to_hour, to_minute = match.groups()
        opens = int(from_hour) * 60 + int(from_minute)
        closes = MINUTES_PER_DAY if to_hour is None else int(to_hour) * 60 + int(to_minute)
        if opens >= closes:
            raise ValueError("hours must open before they close on the same day")
        spans.append((opens, closes))
    return tuple(normalise(spans))


def _read_date(value: object) -> object:
    return date.fromisoformat(value) if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


class CallingRule(_Strict):
    """In which hours people in one jurisdiction may be called for some purposes.

    :param jurisdiction: ISO 3166 code, ``IN`` or ``US-FL``. A subdivision's rule applies *on top of* its
        country's.
    :param purposes: what the call is for.
    :param hours: days (``daily``, ``mon``, ``mon-fri``) to ``HH:MM-HH:MM`` or a list of such, in the called
        person's local time, the closing minute excluded. A day that is not named is closed.
    :param public_holidays: ``forbidden`` closes the public holidays of the country and of the subdivision.
    :param max_attempts_per_day: most calls to one person in 24 hours; None when the rule sets no limit.
    :param basis: ``law`` when the rule's own words were read, ``listed`` when it comes from a published summary,
        ``default`` when it is a choice, because no hours were found.
    :param source: where the rule stands: a citation, an address, or both.
    :param checked: the day on which the source was last read.
    :param note: anything that the hours alone do not say.
    """

    jurisdiction: Annotated[str, Field(pattern=_JURISDICTION)]
    purposes: Annotated[list[Purpose], Field(min_length=1)]
    hours: Annotated[Week, BeforeValidator(_read_week)]
    public_holidays: Literal["allowed", "forbidden"] = "allowed"
    max_attempts_per_day: Annotated[int, Field(ge=1)] | None = None
    basis: Literal["law", "listed", "default"] = "law"
    source: Annotated[str, Field(min_length=1)]
    checked: Annotated[date, BeforeValidator(_read_date)]
    note: str = ""

    @property
    def country(self) -> str:
        """The ISO code of the country."""
        return self.jurisdiction[:2]

    @field_validator("jurisdiction")
    @classmethod
    def _is_in_a_country(cls, jurisdiction: str) -> str:
        # A rule for "UK" would never apply to anybody, and what it forbids would be done.
        if jurisdiction[:2] not in zones_of_country():
            raise ValueError("must begin with the ISO 3166 code of a country, such as GB")
        return jurisdiction

    @model_validator(mode="after")
    def _has_a_holiday_calendar(self) -> CallingRule:
        if self.public_holidays == "forbidden":
            subdivisions, own = _holiday_calendars().get(self.country), self.jurisdiction[3:]
            # Where none is known, the country's holidays hold everywhere.
            if subdivisions is None or (own and subdivisions and own not in subdivisions):
                raise ValueError("public_holidays cannot be 'forbidden': the holidays package has no such calendar")
        return self


@dataclass(frozen=True)
class CallingHours:
    """What all rules together allow for one kind of contact.

    :param week: the allowed spans of each weekday.
    :param holiday_calendars: jurisdictions whose public holidays are closed.
    :param max_attempts_per_day: most calls to one person in 24 hours, or None.
    """

    week: Week
    holiday_calendars: frozenset[str] = frozenset()
    max_attempts_per_day: int | None = None

    def on(self, day: date) -> tuple[Span, ...]:
        """The allowed spans of a local date, in minutes after local midnight."""
        spans = self.week[day.weekday()]
        return () if spans and self.holiday(day) is not None else spans

    def holiday(self, day: date) -> str | None:
        """The name of the public holiday that closes a local date; None where none does."""
        names = (public_holiday(calendar, day) for calendar in sorted(self.holiday_calendars))
        return next((name for name in names if name is not None), None)


#: Every hour of every day: what ``no_rule="allow"`` means.
ANY_HOUR = CallingHours(week=(((0, MINUTES_PER_DAY),),) * 7)


class CallingRules(_Strict):
    """A complete set of rules, as in ``data/calling_hours.toml``.

    :param about: free text on where the set comes from.
    :param rules: the rules, at most one per jurisdiction and purpose.
    :param territories: countries of a number that are subdivisions of another country (``PR`` is ``US-PR``).
    :param zones: IANA zones of a subdivision, for telling whether a number's zone fits the contact's region.
    """

    about: str = ""
    rules: list[CallingRule]
    territories: dict[
        Annotated[str, Field(pattern="^[A-Z]{2}$")], Annotated[str, Field(pattern="^[A-Z]{2}-[A-Z0-9]{1,3}$")]
    ] = {}
    zones: dict[Annotated[str, Field(pattern=_JURISDICTION)], Annotated[list[str], Field(min_length=1)]] = {}

    @model_validator(mode="after")
    def _is_unambiguous(self) -> CallingRules:
        seen: set[tuple[str, str]] = set()
        for rule in self.rules:
            for purpose in rule.purposes:
                if (rule.jurisdiction, purpose) in seen:
                    raise ValueError(f"rules: two rules for {rule.jurisdiction} and {purpose}; there may be one")
                seen.add((rule.jurisdiction, purpose))
        for jurisdiction, names in self.zones.items():
            if not zone_names().issuperset(names):
                raise ValueError(f"zones.{jurisdiction}: every entry must be an IANA time zone name")
        return self

    def hours_for(
        self, country: str, region: str | None, purpose: Purpose, *, without_a_rule: CallingHours | None = None
    ) -> CallingHours | None:
        """What may be done for contacts of a country and subdivision.

        :param country: ISO 3166 country code.
        :param region: full subdivision code such as ``US-FL``; None when it is not known, and then every
            subdivision's rule applies: the strictest intersection.
        :param purpose: what the call is for.
        :param without_a_rule: what holds when neither the country nor, for a known region, the region has a rule for
            this purpose. Rules of regions in which the contact may be apply on top of it. Default None: nothing.
        :return: the intersection of all that applies; None when nothing does.
        """
        rules = [rule for rule in self.rules if rule.country == country and purpose in rule.purposes]
        apply = [rule for rule in rules if region is None or rule.jurisdiction in {country, region}]
        ruled = any(rule.jurisdiction in {country, region} for rule in apply)
        base = ANY_HOUR if ruled else without_a_rule
        if base is None:
            return None
        week = [list(spans) for spans in base.week]
        calendars = set(base.holiday_calendars)
        limits = [] if base.max_attempts_per_day is None else [base.max_attempts_per_day]
        for rule in apply:
            week = [intersect(spans, rule.hours[day]) for day, spans in enumerate(week)]
            if rule.public_holidays == "forbidden":
                calendars |= {rule.country, rule.jurisdiction}
            if rule.max_attempts_per_day is not None:
                limits.append(rule.max_attempts_per_day)
        return CallingHours(tuple(map(tuple, week)), frozenset(calendars), min(limits, default=None))

    def read_region(self, country: str, region: str) -> tuple[str, str | None]:
        """Turn what a table says about a contact's region into a country and a full subdivision code.

        :param country: ISO code of the country that a bare subdivision belongs to.
        :param region: ``US-FL``, ``FL`` or ``Florida``, in any case.
        :return: ``US`` and ``US-FL``; the country and None when it has no such subdivision, so that the strictest of
            its rules apply.
        """
        text = region.strip()
        stated = re.fullmatch(r"([A-Za-z]{2})-([A-Za-z0-9]{1,3})", text)
        if stated and stated[1].upper() in zones_of_country():
            country, text = stated[1].upper(), stated[2]
        codes = _subdivisions(country)
        code = codes.get(text.casefold(), text.upper())
        full = f"{country}-{code}"
        known = code in codes.values() or full in self.zones or any(rule.jurisdiction == full for rule in self.rules)
        return country, full if known else None


def load_rules(calling_hours: str | Path | Mapping[str, Any] | None = None) -> CallingRules:
    """Read and check a set of calling rules.

    :param calling_hours: None for the shipped rules, the path of a TOML file, or a dict of the same form. It
        replaces the shipped rules completely.
    :raises InvalidRequest: the file cannot be read, or an entry breaks its rule; the message names rule and
        field.
    """
    if calling_hours is None:
        return _shipped_rules()
    if isinstance(calling_hours, Mapping):
        return _validated(calling_hours)
    try:
        text = Path(calling_hours).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"calling_hours: the file cannot be read ({type(error).__name__}). Give the path of a TOML file.",
            field="calling_hours",
        ) from error
    return _validated(_parsed(text))


def public_holiday(calendar: str, day: date) -> str | None:
    """The name of a public holiday in a country (``US``) or one of its subdivisions (``US-AL``); None on other days."""
    return _public_holidays(calendar, day.year).get(day)


def shipped_zones() -> Mapping[str, Sequence[str]]:
    """The zones of the subdivisions that the shipped rules know: facts that hold under any other rules too."""
    return _shipped_rules().zones


@lru_cache(maxsize=1)
def _shipped_rules() -> CallingRules:
    text = resources.files("ringg_provider.hours").joinpath("data/calling_hours.toml").read_text("utf-8")
    return _validated(_parsed(text))


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"calling_hours: the file is not valid TOML: {error}.", field="calling_hours") from error


def _validated(document: Mapping[str, Any]) -> CallingRules:
    try:
        return CallingRules.model_validate(dict(document))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(["calling_hours", *map(str, first["loc"])])
        where = re.sub(r"\.(\d+)", r"[\1]", where)
        rule = first["msg"].removeprefix("Value error, ")
        raise InvalidRequest(
            f"{where}{_jurisdiction_of(document, first['loc'])}: {rule}.",
            field=where,
        ) from error


def _jurisdiction_of(document: Mapping[str, Any], location: tuple[int | str, ...]) -> str:
    """Name the rule that an error is about: an index alone is hard to find in a long file."""
    match location:
        case ("rules", int(index), *_):
            rule = document["rules"][index]
            name = rule.get("jurisdiction") if isinstance(rule, Mapping) else None
            return f" (the rule for {name})" if isinstance(name, str) else ""
    return ""


# The calendars of all countries are imported when a rule first asks for one.


@lru_cache(maxsize=1)
def _holiday_calendars() -> Mapping[str, Sequence[str]]:
    """Country code -> the codes of its subdivisions with holidays of their own."""
    from holidays import list_supported_countries

    return list_supported_countries()


@lru_cache(maxsize=4096)
def _public_holidays(calendar: str, year: int) -> Mapping[date, str]:
    from holidays import country_holidays

    country, _, subdivision = calendar.partition("-")
    known = subdivision in _holiday_calendars().get(country, ())
    return dict(country_holidays(country, subdiv=subdivision if known else None, years=year))


@lru_cache(maxsize=256)
def _subdivisions(country: str) -> dict[str, str]:
    """Names and codes of a country's subdivisions, in small letters, to their codes."""
    from holidays import country_holidays

    codes = _holiday_calendars().get(country)
    if codes is None:
        return {}
    names = getattr(country_holidays(country), "subdivisions_aliases", {})
    return {code.casefold(): code for code in codes} | {name.casefold(): code for name, code in names.items()}
