"""The kinds of values that requests to both platforms are made of, and the base that reports a broken rule.

A rule is checked before anything leaves; breaking it raises `InvalidRequest`, which names the field and never
repeats the value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    StrictStr,
    ValidationError,
)

from ringg_provider.exceptions import InvalidRequest

Model = TypeVar("Model", bound="RequestModel")

# True while an outer model is being built: only the outermost one turns pydantic's error into ours, so that
# the field is named with its whole path.
_nested: ContextVar[bool] = ContextVar("ringg_provider_request_nested", default=False)


class RequestModel(BaseModel):
    """The base of every request: an unknown field or a broken rule raises `InvalidRequest`."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,  # until one is made: most DAG files make none, or a few
    )

    def __init__(self, **data: Any) -> None:
        token = _nested.set(True)
        problem: ValidationError | None = None
        try:
            super().__init__(**data)
        except ValidationError as error:
            problem = error
        finally:
            _nested.reset(token)
        # Raised outside the except block: pydantic's error holds the input, and must not be its context.
        if problem is not None:
            raise problem if _nested.get() else _invalid_request(type(self).__name__, problem)

    def wire(self) -> dict[str, Any]:
        """The JSON object that is sent: the vendor's field names, what was left out is not sent."""
        return self.model_dump(mode="json", exclude_none=True)


def as_model(model: type[Model], given: Model | Mapping[str, Any], field: str) -> Model:
    """A checked model, whether a DAG gave it or a dict of its fields.

    :param field: the parameter that it was given in: a DAG knows a nested field by that, not by the model's name.
    :raises InvalidRequest: a rule is broken.
    """
    if isinstance(given, model):
        return given
    if not isinstance(given, Mapping):
        raise InvalidRequest(f"{field}: must be a dict or a {model.__name__}.", field=field)
    try:
        return model(**given)
    except InvalidRequest as error:
        said = str(error).removeprefix(f"{model.__name__}: ")
        raise InvalidRequest(f"{field}.{said}", field=f"{field}.{error.field}") from error


# How pydantic's own findings read as rules; what is in braces comes from the finding.
_RULES = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this request",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "datetime_type": "must be a datetime",
    "date_type": "must be a date",
    "date_from_datetime_inexact": "must be a date",
    "finite_number": "must be a finite number",
    "is_instance_of": "must be a {class}",
    "model_type": "must be an object with the fields of {class_name}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be greater than {gt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} entry",
    "too_long": "must have at most {max_length} entries",
    "literal_error": "must be one of {expected}",
}


def _invalid_request(model: str, error: ValidationError) -> InvalidRequest:
    """One `InvalidRequest` for everything that pydantic found, without any of the values."""
    problems = broken_rules(error)
    text = "; ".join(f"{field} {rule}" for field, rule in problems)
    return InvalidRequest(f"{model}: {text}.", field=problems[0][0] or None)


def broken_rules(error: ValidationError) -> list[tuple[str, str]]:
    """Everything that pydantic found, as pairs of a field, with dots into nested ones, and the rule that it breaks."""
    problems: list[tuple[str, str]] = []
    for found in error.errors(include_url=False, include_input=False):
        path = [str(part) for part in found["loc"]]
        context = found.get("ctx", {})
        if found["type"] == "value_error":
            rule = str(context["error"])
            # A rule about several fields names the one that it is reported for: "field: rule".
            if named := re.match(r"([\w.]+): ", rule):
                path.append(named[1])
                rule = rule[named.end() :]
        else:
            rule = _RULES.get(found["type"], "has a value that is not allowed").format(**context)
        problems.append((".".join(path), rule))
    return problems


# --- the kinds of values ------------------------------------------------------------------------------------


def matching(pattern: str, rule: str) -> AfterValidator:
    """A text that a pattern matches as a whole; what does not is told the rule."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value, re.DOTALL):
            raise ValueError(rule)
        return value

    return AfterValidator(check)


def _https_url(value: str) -> str:
    try:
        url = urlsplit(value)
        valid = url.scheme == "https" and bool(url.hostname)
    except ValueError:
        valid = False
    if not valid or re.search(r"\s", value):
        raise ValueError("must be an https:// URL")
    return value


def without_duplicates(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("must not name the same entry twice")
    return values


def as_list(value: Any) -> Any:
    """One value or several, as a list."""
    if isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, tuple | set | frozenset) else value


def _iso_date(value: Any) -> str:
    text = value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value
    try:
        valid = date.fromisoformat(text).isoformat() == text
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError("must be a date, or one as YYYY-MM-DD")
    return str(text)


def _aware_iso(value: Any) -> str:
    text = value.isoformat() if isinstance(value, datetime) else value
    try:
        valid = datetime.fromisoformat(text).utcoffset() is not None
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError("must be a time with its offset from UTC: an aware datetime or an ISO 8601 string")
    return str(text)


Identifier = Annotated[
    StrictStr, matching(r"[^\s/]+", "must be an id as the platform gave it: not empty, without spaces or slashes")
]
Text = Annotated[StrictStr, matching(r".*\S.*", "must not be empty")]
Clock = Annotated[
    StrictStr,
    matching(
        r"([01][0-9]|2[0-3]):[0-5][0-9]",
        "must be a time of day as HH:MM, 24 hours, zero-padded, from 00:00 to 23:59",
    ),
]
PhoneNumber = Annotated[
    StrictStr, matching(r"\+[1-9][0-9]{6,14}", "must be a phone number with + and country code, digits only")
]
HttpsUrl = Annotated[StrictStr, AfterValidator(_https_url)]
AwareTime = Annotated[str | datetime, PlainValidator(_aware_iso)]
PlainDate = Annotated[str | date, PlainValidator(_iso_date)]
Distinct = AfterValidator(without_duplicates)
OneOrMany = BeforeValidator(as_list)
