"""The arguments of operators, sensors and triggers, checked by the annotations of the constructors that take them.

Airflow's constructors only assign, because templates are rendered much later. So arguments are checked when a task
begins to run, before anything is sent: a wrong type must neither mean the opposite (``dry_run="False"``) nor show only
after phones have rung (``timeout="7200"``).

The rules, for all parameters alike:

- An annotation means what it says: a ``bool`` is no text, an ``int`` is no ``bool``, a ``float`` is finite, and text is
  neither blank nor the ``None`` that a template makes of nothing.
- A length of time may always be a ``timedelta``. A number is taken where the annotation names its unit.
- A whole number stands for its digits where text is meant, because ``render_template_as_native_obj`` makes numbers of
  them; and digits for their number where the annotation says that they may, because rendering makes text of numbers.
"""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Mapping, Sequence, Set
from datetime import date, timedelta
from decimal import Decimal
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainValidator,
    SkipValidation,
    StrictStr,
    TypeAdapter,
    ValidationError,
)

from ringg_provider.api.request_model import broken_rules
from ringg_provider.api.response_model import to_decimal
from ringg_provider.exceptions import InvalidRequest

_UNIONS = (Union, types.UnionType)
_PACKAGE = __name__.partition(".")[0]
#: Longer than anybody waits; what is longer is in another unit.
_LONGEST = timedelta(days=3660)
#: Attributes that are not named after their parameter, because Airflow's base has something else of that name.
_ATTRIBUTES = {"dry_run": "is_dry_run"}


def check_arguments(given: object) -> None:
    """Check every argument of an operator, sensor or trigger, and put the checked value into its place.

    :param given: what was constructed. A parameter that has no attribute of its name is kept out of sight: whoever
        renders it checks it, by :func:`checked_argument`.
    :raises InvalidRequest: an argument breaks the rule of its parameter; the text names both and repeats no value.
    """
    for name in _parameters(type(given)):  # type: ignore[arg-type]  # a class has a hash
        attribute = _ATTRIBUTES.get(name, name)
        if hasattr(given, attribute):
            value = getattr(given, attribute)
            checked = checked_argument(type(given), name, value)
            if checked is not value:
                setattr(given, attribute, checked)


def checked_argument(kind: type, name: str, value: Any) -> Any:
    """The value of one argument of a class, as its annotation wants it; what is no parameter of ours, as it is.

    :raises InvalidRequest: it breaks the rule of its parameter.
    """
    parameters = _parameters(kind)
    if name not in parameters:
        return value
    adapter, has_choice = parameters[name]
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        problem = error
    # Raised outside the except block: pydantic's error holds the value, and must not be its context.
    place, rule = _explain(problem, has_choice)
    shape = "" if place else f" (given: {type(value).__name__})"
    raise InvalidRequest(f"{name}{place}: {rule}{shape}.", field=f"{name}{place}")


@cache
def _parameters(kind: type) -> Mapping[str, tuple[TypeAdapter[Any], bool]]:
    """The parameters of a class and its bases, as far as they are ours; the rest is Airflow's to check.

    :return: by name, the rule, and whether it is one of several kinds of values that are allowed.
    """
    found: dict[str, tuple[TypeAdapter[Any], bool]] = {}
    config = ConfigDict(strict=True, arbitrary_types_allowed=True, hide_input_in_errors=True)
    for base in reversed(kind.__mro__):
        constructor = vars(base).get("__init__")
        if constructor is None or base.__module__.partition(".")[0] != _PACKAGE:
            continue
        hints = get_type_hints(constructor, include_extras=True)
        for name, parameter in inspect.signature(constructor).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                found[name] = TypeAdapter(_rule(hints[name]), config=config), len(_choices(hints[name])) > 1
    return found


def _choices(hint: Any) -> list[Any]:
    """The kinds of values that an annotation allows, None left out."""
    if get_origin(hint) is Annotated:
        return _choices(get_args(hint)[0])
    if get_origin(hint) in _UNIONS:
        return [choice for one in get_args(hint) for choice in _choices(one)]
    return [] if hint is types.NoneType else [hint]


def _rule(hint: Any) -> Any:
    """The annotation of a parameter as a rule: what is wanted of text, numbers and lists wherever they stand in it."""
    if hint is str:
        return Text
    if inspect.isclass(hint) and issubclass(hint, BaseModel | date):
        return Annotated[hint, InstanceOf()]  # type: ignore[type-arg]
    if hint is float:
        return Annotated[float, Field(allow_inf_nan=False)]
    origin, inner = get_origin(hint), tuple(map(_rule, get_args(hint)))
    if origin in _UNIONS:
        return reduce(or_, inner)
    if origin in (list, Sequence):
        return Annotated[list[inner], BeforeValidator(_as_list)]  # type: ignore[valid-type]
    if origin is tuple:
        return Annotated[tuple[inner], BeforeValidator(_as_tuple)]  # type: ignore[valid-type]
    if origin in (dict, Mapping):
        return origin[inner]
    return hint


def _explain(error: ValidationError, has_choice: bool) -> tuple[str, str]:
    """Where in the value something is wrong, and what is wanted there; of a choice, what any of its kinds wants."""
    rules = list(dict.fromkeys(rule for _, rule in broken_rules(error)))
    if not has_choice:
        place = broken_rules(error)[0][0]
        return f".{place}" if place else "", rules[0]
    return "", " or ".join([rules[0], *(rule.removeprefix("must be ") for rule in rules[1:])])


# --- the kinds of arguments ---------------------------------------------------------------------------------


def _digits(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _not_blank(value: str) -> str:
    if not value.strip() or value.strip() == "None":
        raise ValueError("must not be blank, nor the None that a template makes of nothing")
    return value


def _with_plus(value: Any) -> Any:
    return f"+{value}" if isinstance(value, int) and not isinstance(value, bool) else value


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip() in ("", "None") else value


def _as_list(value: Any) -> Any:
    """Airflow gives the results of mapped tasks as a sequence of its own that is no list."""
    return list(value) if isinstance(value, Sequence | Set) and not isinstance(value, str | bytes) else value


def _as_tuple(value: Any) -> Any:
    """A template that is rendered natively, and JSON, give a list."""
    return tuple(value) if isinstance(value, list) else value


def _length(unit: timedelta, name: str) -> PlainValidator:
    def read(value: Any) -> float:
        number = value.total_seconds() / unit.total_seconds() if isinstance(value, timedelta) else value
        if not _is_number(number) or not 0 < number <= _LONGEST / unit:
            raise ValueError(f"must be a number of {name} above 0, or a timedelta")
        return float(number)

    return PlainValidator(read)


def _span(value: Any) -> timedelta:
    if not isinstance(value, timedelta) or not timedelta(0) <= value <= _LONGEST:
        raise ValueError("must be a timedelta of 0 to 10 years")
    return value


def _whole_number(value: Any) -> int:
    number = to_decimal(value)
    if number is None or not 0 <= number < 10**15 or number != number.to_integral_value():
        raise ValueError("must be a whole number of at least 0")
    return int(number)


def _amount(value: Any) -> Decimal:
    number = to_decimal(value)
    if number is None or number < 0:
        raise ValueError("must be a number of at least 0")
    return number


def _rows_or_share(value: Any) -> int | float:
    if not _is_number(value) or value < 0 or (isinstance(value, float) and value > 1):
        raise ValueError("must be a number of rows (an int) or a share from 0.0 to 1.0 (a float)")
    rows: int | float = value
    return rows


def _parameters_of_a_query(value: Any) -> Mapping[str, Any] | Sequence[Any]:
    if not isinstance(value, Mapping | Sequence) or isinstance(value, str | bytes):
        raise ValueError("must be an object or a list, as the driver takes them")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


#: Text with something in it. What is annotated as `str` is checked so too.
Text = Annotated[StrictStr, BeforeValidator(_digits), AfterValidator(_not_blank)]
#: Text that may be blank; whoever reads it says what that means.
BlankText = Annotated[StrictStr, BeforeValidator(_digits)]
#: Text that may be left out by a template that renders to nothing, where that switches no protection off.
OptionalText = Annotated[Text | None, BeforeValidator(_blank_is_none)]
#: A point in time that may be left out in the same way.
OptionalTime = Annotated[Annotated[date, InstanceOf()] | Text | None, BeforeValidator(_blank_is_none)]
#: A dial prefix or a caller number: text with a plus before its digits, which native rendering makes a number of.
PlusText = Annotated[StrictStr, BeforeValidator(_with_plus), AfterValidator(_not_blank)]
DialPrefix = PlusText
#: A length of time in seconds, above 0; a `timedelta` too.
Seconds = Annotated[float, _length(timedelta(seconds=1), "seconds")]
#: The same in minutes, and in days.
Minutes = Annotated[float, _length(timedelta(minutes=1), "minutes")]
Days = Annotated[float, _length(timedelta(days=1), "days")]
#: A length of time as a `timedelta`, at least 0.
Span = Annotated[timedelta, PlainValidator(_span)]
#: How many at least one.
Count = Annotated[int, Field(ge=1)]
#: A whole number of at least 0, or its digits.
WholeNumber = Annotated[int, PlainValidator(_whole_number)]
#: A finite number of at least 0, of any type, or its digits.
Amount = Annotated[Decimal, PlainValidator(_amount)]
#: A share, from 0 to 1.
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
#: List ids in any form that a DAG has them: :func:`ringg_provider.launch.item.list_ids` says what is wrong with them.
ListIds = Annotated[str | Sequence[str | Mapping[str, Any]] | None, SkipValidation]
#: Per cent, as a whole number.
Percent = Annotated[int, Field(ge=0, le=100)]
#: Values for a query, as the driver takes them; they are not copied.
Parameters = Annotated[Mapping[str, Any] | Sequence[Any], PlainValidator(_parameters_of_a_query)]
#: How many rows, as an int, or which share of all rows, as a float.
RowsOrShare = Annotated[int | float, PlainValidator(_rows_or_share)]
