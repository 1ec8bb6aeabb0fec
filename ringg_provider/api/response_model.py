"""What answers of both platforms are read into: a tolerant base, and the kinds of values that it is made of.

A field that cannot be read is None; only what a thing cannot do without is required. `.raw` keeps the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from ringg_provider.exceptions import UnexpectedResponse

M = TypeVar("M", bound="ResponseModel")


def _or_none(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


def _in_utc(moment: datetime) -> datetime:
    """A time without an offset is read as UTC, which is what the platform's examples mean by it."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


Lenient = WrapValidator(_or_none)
OptionalText = Annotated[str | None, BeforeValidator(_as_text), Lenient]
OptionalCount = Annotated[int | None, Lenient]
OptionalFlag = Annotated[bool | None, Lenient]
OptionalMoney = Annotated[Annotated[Decimal, Field(allow_inf_nan=False)] | None, Lenient]
OptionalNumber = Annotated[Annotated[float, Field(allow_inf_nan=False)] | None, Lenient]
OptionalMoment = Annotated[Annotated[datetime, AfterValidator(_in_utc)] | None, Lenient]
OptionalObject = Annotated[dict[str, Any] | None, Lenient]
RequiredId = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]


def named(*names: str, default: Any = None, shown: bool = True) -> Any:
    """A field that goes by several names on the wire, the first that is there and not null wins."""
    return Field(default=default, validation_alias=AliasChoices(*names), repr=shown)


def without(body: Any, *names: str) -> Any:
    """A copy of a body without the keys of these names, at any depth."""
    if isinstance(body, Mapping):
        return {key: without(value, *names) for key, value in body.items() if key not in names}
    if isinstance(body, list):
        return [without(value, *names) for value in body]
    return body


class ResponseModel(BaseModel):
    """The base of every response: unknown fields are ignored here and kept in `.raw`."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
        defer_build=True,  # until a task or trigger reads something: DAG files need none of them
    )

    #: Keys that are left out of `.raw`.
    stripped: ClassVar[tuple[str, ...]] = ("api_key",)

    raw: dict[str, Any] = Field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, body: Any) -> Self:
        """The model of a decoded JSON body.

        Raises `UnexpectedResponse` when the body is not an object or lacks what the model cannot do without.
        """
        if not isinstance(body, Mapping):
            raise UnexpectedResponse(f"The platform's answer is not the expected object ({cls.__name__}).")
        problem: ValidationError | None = None
        try:
            # A null counts as absent, so that the next of a field's names is tried.
            present = {key: value for key, value in body.items() if value is not None}
            return cls.model_validate(cls._arrange(present) | {"raw": without(body, *cls.stripped)})
        except ValidationError as error:
            problem = error
        fields = ", ".join(sorted({".".join(map(str, found["loc"])) for found in problem.errors()}))
        raise UnexpectedResponse(
            f"The platform's answer cannot be read as {cls.__name__}: missing or unreadable {fields}."
        )

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        """Bring a shape that is not flat into one that is; the hook for subclasses."""
        return body


def read_list(body: Any, *path: str, model: type[M]) -> list[M]:
    """The models of the list at `path` in a body, or of the body itself when it is a list."""
    found = body
    for name in path:
        if isinstance(found, list):
            break
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, list):
        raise UnexpectedResponse(f"The platform's answer has no list {'.'.join(path)}.")
    return [model.read(item) for item in found]


def to_decimal(value: Any) -> Decimal | None:
    """A number of any JSON form as a Decimal, or None when it is not a finite number."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value).strip())
    except ArithmeticError:
        return None
    return number if number.is_finite() else None
