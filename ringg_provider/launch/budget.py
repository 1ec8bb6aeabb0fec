"""A budget of credits that many launches share: what it is, and its periods. The store is `reservations.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from ringg_provider.exceptions import InvalidRequest

Per = Literal["launch", "day", "month"]
OnExhausted = Literal["fail", "wait"]

#: How many characters a budget's name may have.
LONGEST_NAME = 100
#: Credits are counted to six places, as the tables are.
PLACES = Decimal("0.000001")
_MOST_CREDITS = Decimal(10) ** 11


class Period(NamedTuple):
    """One period of a budget.

    :param name: by which it is stored: ``2026-11-26``, ``2026-11``, or a launch key.
    :param ends: when the next one begins, aware, in UTC; None for a launch, which has no next one.
    """

    name: str
    ends: datetime | None


@dataclass(frozen=True)
class Budget:
    """Credits that may be spent in a period, by all launches that name the budget.

    ``Budget("renewals", 5_000, per="month", timezone="Asia/Kolkata")``

    What a wave is estimated to cost is reserved before it is started, in one atomic step, and settled by what it did
    cost. So a budget is exceeded by no more than the estimates were wrong, and by how much is reported. Where two DAGs
    give one name different ``credits``, the smallest that was asked for in a period holds until its end, and the log
    says so; different periods or zones under one name are an error.

    :param name: whoever names it, shares it, in every DAG with the same state database.
    :param credits: how many, above 0. Int, Decimal, text or float.
    :param per: ``launch``: for each launch key by itself; ``day``, ``month``: of the calendar in ``timezone``. Default
        ``launch``.
    :param timezone: an IANA zone, in which days and months begin. Default ``UTC``.
    :param on_exhausted: ``fail``, or ``wait`` for the next period. Default ``fail``.
    :raises InvalidRequest: one of them breaks its rule.
    """

    name: str
    credits: Decimal
    per: Per = "launch"
    timezone: str = "UTC"
    on_exhausted: OnExhausted = "fail"

    def __post_init__(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
            raise _broken("name", f"must have 1 to {LONGEST_NAME} characters")
        object.__setattr__(self, "credits", as_credits(self.credits, "budget.credits"))
        if self.credits <= 0:
            raise _broken("credits", "must be above 0")
        if self.per not in get_args(Per):
            raise _broken("per", f"must be one of {', '.join(get_args(Per))}")
        if self.on_exhausted not in get_args(OnExhausted):
            raise _broken("on_exhausted", f"must be one of {', '.join(get_args(OnExhausted))}")
        if self.per == "launch" and self.on_exhausted == "wait":
            raise _broken("on_exhausted", "must be 'fail' for a budget of one launch, which has no next period")
        try:
            ZoneInfo(self.timezone)
        except (TypeError, ValueError, KeyError, OSError):
            raise _broken("timezone", "must be an IANA time zone, such as Asia/Kolkata") from None

    def period(self, at: datetime, launch_key: str) -> Period:
        """The period that an instant lies in.

        :param at: aware.
        :param launch_key: of the launch; it is the period of a budget per launch.
        """
        if self.per == "launch":
            return Period(launch_key, None)
        local = at.astimezone(ZoneInfo(self.timezone))
        if self.per == "day":
            return Period(f"{local:%Y-%m-%d}", self.next_period(at))
        return Period(f"{local:%Y-%m}", self.next_period(at))

    def next_period(self, at: datetime) -> datetime | None:
        """When the next period begins, aware, in UTC; None for a budget per launch.

        :param at: aware.
        """
        if self.per == "launch":
            return None
        zone = ZoneInfo(self.timezone)
        today = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
        following = today + timedelta(days=1) if self.per == "day" else (today.replace(day=1) + timedelta(days=32))
        if self.per == "month":
            following = following.replace(day=1)
        # Of a midnight that comes twice, the first; one that the clocks skip is read as the first moment after it.
        return following.replace(tzinfo=zone).astimezone(UTC)

    def as_json(self) -> dict[str, Any]:
        """The budget as plain JSON, which :meth:`of` reads."""
        return asdict(self) | {"credits": str(self.credits)}

    @classmethod
    def of(cls, given: object, name: str = "budget") -> Budget:
        """Read a budget as a DAG gives it: itself, or a dict of its parameters.

        :param given: the budget.
        :param name: the parameter that it was given in, for the error.
        :raises InvalidRequest: it is neither, or a parameter is missing, unknown, or breaks its rule.
        """
        if isinstance(given, cls):
            return given
        known = cls.__dataclass_fields__
        if not isinstance(given, Mapping) or not {"name", "credits"} <= given.keys() <= known.keys():
            raise InvalidRequest(
                f"{name}: must be Budget(...), or a dict of its parameters {', '.join(known)}.", field=name
            )
        return cls(**given)


def as_credits(value: object, field: str) -> Decimal:
    """Read an amount of credits, to six places.

    :param value: int, Decimal, text or float.
    :param field: what it is, for the error.
    :raises InvalidRequest: it is no such number, is below 0 or beyond all sense.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
            raise InvalidOperation
        found = Decimal(str(value)).quantize(PLACES)
    except InvalidOperation:
        raise InvalidRequest(f"{field}: must be a number of credits.", field=field) from None
    if not found.is_finite() or not 0 <= found < _MOST_CREDITS:
        raise InvalidRequest(f"{field}: must be from 0 to below a hundred thousand million credits.", field=field)
    return found


def _broken(parameter: str, rule: str) -> InvalidRequest:
    return InvalidRequest(f"budget.{parameter}: {rule}.", field=f"budget.{parameter}")
