"""What is sent to SmartAlex: campaigns, contacts, filters, webhooks; each rule is checked before anything leaves.

https://docs.getsmartalex.com/api-reference/campaigns
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from ringg_provider.api.request_model import (
    AwareTime,
    Clock,
    Distinct,
    HttpsUrl,
    Identifier,
    OneOrMany,
    PhoneNumber,
    RequestModel,
    Text,
)
from ringg_provider.hours.zones import ZoneName

#: What is known of a contact besides the number.
CONTACT_FIELDS = ("first_name", "last_name", "email", "company")

_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Generation(StrEnum):
    """The two generations of the vendor's documentation; which one answers is not known.

    OLD: a flat `settings` object, pause, resume and callbacks. NEW: `business_hours` by weekday, no pause.
    """

    OLD = "old"
    NEW = "new"


class CampaignSettings(RequestModel):
    """When and how a campaign calls.

    :param calling_hours_start: `HH:MM`, 24 hours, local to `timezone`. Default 09:00.
    :param calling_hours_end: `HH:MM`, later on the same day. Default 17:00.
    :param timezone: IANA zone. Default UTC, as the vendor's.
    :param concurrent_calls: calls at the same time, an absolute number. Default 1.
    :param max_retries: further attempts per contact. Default 3.

    https://docs.getsmartalex.com/api-reference/campaigns
    """

    calling_hours_start: Clock = "09:00"
    calling_hours_end: Clock = "17:00"
    timezone: ZoneName = "UTC"
    concurrent_calls: Annotated[StrictInt, Field(ge=1)] = 1
    max_retries: Annotated[StrictInt, Field(ge=0)] = 3

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.calling_hours_start >= self.calling_hours_end:
            raise ValueError(
                "calling_hours_end: must be later than calling_hours_start; hours over midnight are not documented"
            )
        return self

    def business_hours(self) -> dict[str, dict[str, Any]]:
        """The same hours in the form of the newer documentation, every day of the week."""
        return {
            day: {"enabled": True, "start": self.calling_hours_start, "end": self.calling_hours_end} for day in _WEEK
        }


class NewCampaign(RequestModel):
    """A campaign to be created; nobody is called before it is started.

    :param name: for people.
    :param agent_id: the agent that speaks.
    :param settings: hours, zone, concurrency, retries; a dict or `CampaignSettings`.
    :param description: for people. Default none.
    :param objective: what the agent is to reach; newer API only. Default none.
    :param phone_number_id: the caller number; newer API only. Default none.

    https://docs.getsmartalex.com/api-reference/campaigns
    """

    name: Text
    agent_id: Identifier
    settings: CampaignSettings = Field(default_factory=CampaignSettings)
    description: Text | None = None
    objective: Text | None = None
    phone_number_id: Identifier | None = None

    def wire_for(self, generation: Generation) -> dict[str, Any]:
        """The body in the form of a generation."""
        body = self.wire()
        if generation is Generation.NEW:
            del body["settings"]
            return body | {"timezone": self.settings.timezone, "business_hours": self.settings.business_hours()}
        return {name: value for name, value in body.items() if name not in ("objective", "phone_number_id")}


class NewContact(RequestModel):
    """A person to be called in a campaign.

    :param phone: E.164.
    :param first_name: one generation of the API may want it. Default none.
    :param last_name: default none.
    :param email: default none.
    :param company: default none.
    """

    phone: PhoneNumber = Field(repr=False)
    first_name: Text | None = Field(default=None, repr=False)
    last_name: Text | None = Field(default=None, repr=False)
    email: Text | None = Field(default=None, repr=False)
    company: Text | None = Field(default=None, repr=False)


class CallFilter(RequestModel):
    """Which calls to read. What is left as None does not narrow the search.

    :param agent_id: of one agent.
    :param campaign_id: of one campaign; the newer API does not know this filter.
    :param direction: inbound, outbound or web.
    :param status: completed, voicemail, no_answer or failed.
    :param sentiment: positive, neutral or negative.
    :param from_date: an aware datetime or an ISO 8601 string with offset.
    :param to_date: the same.
    :param since_hours: of the last so many hours; the newer API's only filter of time.

    https://docs.getsmartalex.com/api-reference/calls
    """

    agent_id: Identifier | None = None
    campaign_id: Identifier | None = None
    direction: Literal["inbound", "outbound", "web"] | None = None
    status: Literal["completed", "voicemail", "no_answer", "failed"] | None = None
    sentiment: Literal["positive", "neutral", "negative"] | None = None
    from_date: AwareTime | None = None
    to_date: AwareTime | None = None
    since_hours: Annotated[StrictInt, Field(ge=1)] | None = None


WebhookEvent = Literal[
    "call.started",
    "call.connected",
    "call.completed",
    "call.failed",
    "campaign.started",
    "campaign.paused",
    "campaign.resumed",
    "campaign.completed",
    "contact.created",
    "contact.updated",
    "contact.deleted",
    "contact.dnc",
    "callback.scheduled",
    "callback.completed",
    "callback.cancelled",
]


class NewWebhook(RequestModel):
    """Where events are to be sent.

    :param url: https.
    :param events: one event or several.
    :param secret: older API only. Default none.
    :param enabled: older API only. Default True.
    :param description: newer API only. Default none.

    https://docs.getsmartalex.com/api-reference/webhooks
    """

    url: HttpsUrl
    events: Annotated[list[WebhookEvent], OneOrMany, Field(min_length=1), Distinct]
    secret: Text | None = Field(default=None, repr=False)
    enabled: StrictBool = True
    description: Text | None = None

    def wire_for(self, generation: Generation) -> dict[str, Any]:
        """The body in the form of a generation."""
        body = self.wire()
        if generation is Generation.NEW:
            new = {"url": self.url, "event_types": body["events"], "description": self.description}
            return {name: value for name, value in new.items() if value is not None}
        return {name: value for name, value in body.items() if name != "description"}
