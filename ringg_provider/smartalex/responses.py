"""What comes back from SmartAlex: tolerant models that read both generations of its API into one form.

https://docs.getsmartalex.com/api-reference/introduction
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import Field

from ringg_provider.api.messages import Response
from ringg_provider.api.response_model import (
    Lenient,
    OptionalCount,
    OptionalFlag,
    OptionalMoment,
    OptionalMoney,
    OptionalNumber,
    OptionalObject,
    OptionalText,
    RequiredId,
    ResponseModel,
    named,
    read_list,
)
from ringg_provider.smartalex.limits import SMALLEST_PAGE

M = TypeVar("M", bound=ResponseModel)


class CampaignState(StrEnum):
    """Where a campaign is; the vendor's words, and one for those that are not known."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, raw: str | None) -> CampaignState:
        """The state of a raw status."""
        try:
            return cls((raw or "").strip().lower())
        except ValueError:
            return cls.UNKNOWN


class SmartAlexModel(ResponseModel):
    """The base: secrets are not kept."""

    stripped: ClassVar[tuple[str, ...]] = ("api_key", "secret", "signing_secret")


def unwrapped(body: Any) -> Any:
    """What is in `data`, or the body itself: one generation answers some requests without the envelope."""
    return body["data"] if isinstance(body, Mapping) and "data" in body else body


def read_one(model: type[M]) -> Callable[[Response], M]:
    """Read an answer as one object, in its envelope or without it."""
    return lambda response: model.read(unwrapped(response.body()))


@dataclass(frozen=True)
class Page(Generic[M]):
    """One page of a list.

    :param items: what is on it.
    :param total: how many there are in all; None when the platform does not say.
    :param per_page: how many the platform says it puts on a page; None when it does not.
    """

    items: list[M]
    total: int | None = None
    per_page: int | None = None

    def is_last(self, number: int, asked: int) -> bool:
        """Whether nothing comes after it.

        :param number: of this page, from 1.
        :param asked: how many items were asked for.
        """
        if self.total is not None:
            return number * min(asked, self.per_page or asked) >= self.total
        return len(self.items) < min(asked, SMALLEST_PAGE)


def read_page(model: type[M]) -> Callable[[Response], Page[M]]:
    """Read an answer as a page, with `meta` or without."""

    def read(response: Response) -> Page[M]:
        items = read_list(response.body(), "data", model=model)
        total, per_page = response.value("meta", "total"), response.value("meta", "per_page")
        return Page(items, _count(total), _count(per_page))

    return read


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class Campaign(SmartAlexModel):
    """A campaign. The names of its figures are on no page: those that are found are read."""

    id: RequiredId
    name: OptionalText = None
    status: OptionalText = None
    agent_id: OptionalText = None
    description: OptionalText = None
    objective: OptionalText = None
    phone_number_id: OptionalText = None
    timezone: OptionalText = None
    settings: OptionalObject = None
    business_hours: OptionalObject = None
    statistics: OptionalObject = None
    contacts: OptionalCount = None
    finished: OptionalCount = None
    created_at: OptionalMoment = None
    started_at: OptionalMoment = None

    @property
    def state(self) -> CampaignState:
        """Where it is."""
        return CampaignState.of(self.status)

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        settings = body.get("settings")
        figures = body.get("statistics") or body.get("stats")
        arranged = dict(body)
        if isinstance(settings, Mapping):
            arranged.setdefault("timezone", settings.get("timezone"))
        if isinstance(figures, Mapping):
            arranged["statistics"] = dict(figures)
            arranged["contacts"] = _first(figures, "total_contacts", "contacts_total", "contacts_count")
            arranged["finished"] = _first(figures, "contacts_completed", "completed_contacts", "contacts_processed")
        return arranged


def _first(figures: Mapping[str, Any], *names: str) -> Any:
    return next((figures[name] for name in names if figures.get(name) is not None), None)


class Call(SmartAlexModel):
    """One call. A retry is another call."""

    FINAL: ClassVar[frozenset[str]] = frozenset({"completed", "voicemail", "no_answer", "failed", "busy"})

    id: RequiredId
    direction: OptionalText = None
    agent_id: OptionalText = None
    campaign_id: OptionalText = None
    contact_id: OptionalText = None
    phone_number: OptionalText = named("phone_number", "phone", shown=False)
    first_name: OptionalText = Field(default=None, repr=False)
    last_name: OptionalText = Field(default=None, repr=False)
    email: OptionalText = Field(default=None, repr=False)
    status: OptionalText = named("status", "call_status")
    duration: OptionalNumber = named("duration", "duration_seconds")
    sentiment: OptionalText = None
    cost: OptionalMoney = None
    created_at: OptionalMoment = named("created_at", "start_timestamp")
    ended_at: OptionalMoment = named("ended_at", "end_timestamp")
    summary: OptionalText = Field(default=None, repr=False)
    recording_url: OptionalText = Field(default=None, repr=False)
    transcript: Annotated[list[dict[str, Any]] | None, Lenient] = Field(default=None, repr=False)

    @property
    def is_final(self) -> bool:
        """Whether the status will not change any more; False for a word that is not known."""
        return (self.status or "").lower() in self.FINAL

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        return _with_contact(body)


class Callback(SmartAlexModel):
    """A call that is still to be made again. Its fields are on no page; these names are inferred."""

    id: OptionalText = None
    campaign_id: OptionalText = None
    agent_id: OptionalText = None
    contact_id: OptionalText = None
    phone_number: OptionalText = named("phone_number", "phone", shown=False)
    original_outcome: OptionalText = named("original_outcome", "outcome", "reason")
    attempt: OptionalCount = named("attempt", "attempt_number", "retry")
    max_attempts: OptionalCount = named("max_attempts", "max_retries")
    scheduled_at: OptionalMoment = named("scheduled_at", "scheduled_time", "scheduled_for")
    status: OptionalText = None

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        return _with_contact(body)


def _with_contact(body: dict[str, Any]) -> dict[str, Any]:
    """One generation nests the contact, the other gives its id alone."""
    contact = body.get("contact")
    if not isinstance(contact, Mapping):
        return body
    inner = {name: contact.get(name) for name in ("phone", "first_name", "last_name", "email")}
    return (
        {name: value for name, value in inner.items() if value is not None} | {"contact_id": contact.get("id")} | body
    )


class Contact(SmartAlexModel):
    """A person in the workspace."""

    id: RequiredId
    phone: OptionalText = Field(default=None, repr=False)
    first_name: OptionalText = Field(default=None, repr=False)
    last_name: OptionalText = Field(default=None, repr=False)
    email: OptionalText = Field(default=None, repr=False)
    company: OptionalText = Field(default=None, repr=False)
    status: OptionalText = None
    created_at: OptionalMoment = None

    @property
    def is_dnc(self) -> bool:
        """Whether this person must not be called."""
        return (self.status or "").lower() == "dnc"


class Agent(SmartAlexModel):
    """A voice agent."""

    id: RequiredId
    name: OptionalText = named("name", "assistant_name")
    language: OptionalText = None
    status: OptionalText = None
    is_active: OptionalFlag = None
    call_direction: OptionalText = None

    @property
    def is_usable(self) -> bool:
        """Whether it can make calls: one generation says `ready`, the other `is_active`."""
        return (self.status or "").lower() == "ready" or self.is_active is True


class Webhook(SmartAlexModel):
    """Where events are sent. `signing_secret` comes with the creation and never again: store it at once."""

    id: RequiredId
    url: OptionalText = None
    events: Annotated[list[str] | None, Lenient] = named("events", "event_types")
    enabled: OptionalFlag = named("enabled", "is_active")
    signing_secret: OptionalText = Field(default=None, repr=False)
    created_at: OptionalMoment = None
