"""What is sent to Ringg AI: strict models that enforce, before anything leaves, every rule that needs no server.

A broken rule raises `InvalidRequest`, which names the field and the rule and never repeats the value. Rules
that need the clock or the workspace (a start in the future, an agent that exists) are checked by whoever knows those.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from ringg_provider.api.request_model import (
    AwareTime,
    Clock,
    Distinct,
    HttpsUrl,
    Identifier,
    OneOrMany,
    PhoneNumber,
    PlainDate,
    RequestModel,
    Text,
)
from ringg_provider.hours.wall_clock import normalise
from ringg_provider.hours.zones import ZoneName
from ringg_provider.ringg.limits import (
    DEFAULT_IDLE_END,
    DEFAULT_IDLE_WARNING,
    DEFAULT_RETRY_MINUTES,
    LONGEST_CALL_LIMIT,
    LONGEST_SLOT,
    MAX_CALL_SLOTS,
    MAX_PER_TERMINATE,
    MAX_RETRIES,
    MAX_SLOT_INTERVALS,
    MAX_SLOT_SPAN,
    MAX_SLOT_WINDOWS,
    MAX_SUBSCRIPTIONS_PER_EVENT,
    NAME_VARIABLE,
    PHONE_VARIABLE,
    SHORTEST_CALL_LIMIT,
    SHORTEST_SLOT,
    Event,
)
from ringg_provider.ringg.wire_types import CampaignTime, CountryCode, LocalTime, parse_campaign_time

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _in_order(start: str, end: str) -> None:
    if parse_campaign_time(end) <= parse_campaign_time(start):
        raise ValueError("campaign_end_time: must be after campaign_start_time")


def _one_number_source(from_numbers: list[str] | None, number_pool_id: str | None) -> None:
    if (from_numbers is None) == (number_pool_id is None):
        found = "neither is given" if from_numbers is None else "both are given"
        raise ValueError(f"from_numbers: or number_pool_id must be given, exactly one of the two; {found}")


# --- how calls are made -------------------------------------------------------------------------------------


class CallTime(RequestModel):
    """The daily calling window, local to the audience.

    :param call_start_time: when the window opens each day, `HH:MM`.
    :param call_end_time: when it closes, `HH:MM`, later the same day: campaigns have no window across midnight.
    :param timezone: IANA name. Campaign times and slots are read in this zone too.
    :param scheduled_at: a local time as `YYYY-MM-DDTHH:MM:SS`, before which no call is made; default none.

    All three of window and zone are required because the vendor's pages contradict each other on the defaults.
    https://docs.ringg.ai/api-reference/endpoint/campaign/upload-campaign-contact-list
    """

    call_start_time: Clock
    call_end_time: Clock
    timezone: ZoneName
    scheduled_at: LocalTime | None = None

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.call_start_time >= self.call_end_time:
            raise ValueError("call_end_time: must be later in the day than call_start_time")
        return self


class CallRetryConfig(RequestModel):
    """How often, and after how many minutes, a person who was not reached is called again.

    :param retry_count: further attempts after the first, 0 to 20; default 0.
    :param retry_busy: minutes to wait after a busy line; default 30.
    :param retry_not_picked: minutes to wait after no answer; default 30.
    :param retry_failed: minutes to wait after a failure; default 30.
    """

    retry_count: Annotated[StrictInt, Field(ge=0, le=MAX_RETRIES)] = 0
    retry_busy: Annotated[StrictInt, Field(ge=0)] = DEFAULT_RETRY_MINUTES
    retry_not_picked: Annotated[StrictInt, Field(ge=0)] = DEFAULT_RETRY_MINUTES
    retry_failed: Annotated[StrictInt, Field(ge=0)] = DEFAULT_RETRY_MINUTES

    @property
    def longest_wait(self) -> timedelta:
        """The longest that is waited between two attempts."""
        return timedelta(minutes=max(self.retry_busy, self.retry_not_picked, self.retry_failed))


class CallConfig(RequestModel):
    """How each call of a campaign is made. What is left as None is not sent, and the agent's own setting holds.

    :param call_time: the daily window and its zone; always required.
    :param call_retry_config: retries; None means no retries.
    :param idle_timeout_warning: seconds of silence before the agent speaks up; 0 disables it; the vendor's
        default is 5.
    :param idle_timeout_end: seconds of silence before the call ends; the vendor's default is 10.
    :param max_call_length: seconds after which a call is ended, 10 to 3600; the vendor's default is 240.

    https://docs.ringg.ai/api-reference/endpoint/campaign/upload-campaign-contact-list
    """

    call_time: CallTime
    call_retry_config: CallRetryConfig | None = None
    idle_timeout_warning: Annotated[StrictInt, Field(ge=0)] | None = None
    idle_timeout_end: Annotated[StrictInt, Field(gt=0)] | None = None
    max_call_length: Annotated[StrictInt, Field(ge=SHORTEST_CALL_LIMIT, le=LONGEST_CALL_LIMIT)] | None = None

    @model_validator(mode="after")
    def _warns_before_it_ends(self) -> Self:
        warning = DEFAULT_IDLE_WARNING if self.idle_timeout_warning is None else self.idle_timeout_warning
        end = DEFAULT_IDLE_END if self.idle_timeout_end is None else self.idle_timeout_end
        if end <= warning:
            raise ValueError(
                "idle_timeout_end: must be greater than idle_timeout_warning"
                f" (left out, they are {DEFAULT_IDLE_END} and {DEFAULT_IDLE_WARNING} seconds)"
            )
        return self


class SlotInterval(RequestModel):
    """One stretch of time in which calls may be made, 1 minute to 24 hours.

    :param start: `DD/MM/YYYY, HH:MM`.
    :param end: the same, later.
    """

    start: CampaignTime
    end: CampaignTime

    @model_validator(mode="after")
    def _has_a_sane_length(self) -> Self:
        length = parse_campaign_time(self.end) - parse_campaign_time(self.start)
        if not SHORTEST_SLOT <= length <= LONGEST_SLOT:
            raise ValueError("end: must be 1 minute to 24 hours after start")
        return self


class SlotWindow(RequestModel):
    """A window that comes back every week: `days` of `mon` to `sun`, `start` and `end` as `HH:MM`."""

    days: Annotated[
        list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]],
        OneOrMany,
        Field(min_length=1),
        Distinct,
    ]
    start: Clock
    end: Clock

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if self.start >= self.end:
            raise ValueError("end: must be later in the day than start")
        return self


class CallSlots(RequestModel):
    """Several calling windows instead of one; large flow only. Read in `call_config.call_time.timezone`.

    :param mode: `absolute` (give `intervals`) or `weekly` (give `windows` and `until`).
    :param intervals: 1 to 500 stretches of time.
    :param windows: 1 to 21 weekly windows, repeated from the campaign's start.
    :param until: the end of the repetition, `DD/MM/YYYY, HH:MM`, at most 90 days after the start.

    https://docs.ringg.ai/documentation/deploy/campaigns/campaigns-by-api
    """

    mode: Literal["absolute", "weekly"]
    intervals: Annotated[list[SlotInterval], Field(min_length=1, max_length=MAX_SLOT_INTERVALS)] | None = None
    windows: Annotated[list[SlotWindow], Field(min_length=1, max_length=MAX_SLOT_WINDOWS)] | None = None
    until: CampaignTime | None = None

    @model_validator(mode="after")
    def _has_the_shape_of_its_mode(self) -> Self:
        absolute = self.mode == "absolute"
        wanted = ("intervals",) if absolute else ("windows", "until")
        for field in ("intervals", "windows", "until"):
            given = getattr(self, field) is not None
            if given and field not in wanted:
                raise ValueError(f"{field}: does not belong to mode {self.mode}; do not mix the two shapes")
            if not given and field in wanted:
                raise ValueError(f"{field}: is required in mode {self.mode}")
        if absolute:
            spans = self.spans()
            if spans[-1][1] - spans[0][0] > MAX_SLOT_SPAN:
                raise ValueError(f"intervals: must lie within {MAX_SLOT_SPAN.days} days of each other")
            if len(spans) > MAX_CALL_SLOTS:
                raise ValueError(f"intervals: must be at most {MAX_CALL_SLOTS} after overlapping ones are merged")
        return self

    def spans(self, since: datetime | None = None) -> list[tuple[datetime, datetime]]:
        """The stretches of time in order, overlapping ones merged.

        :param since: local time without a zone from which weekly windows are repeated; absolute ones need none.
        """
        if since is None:
            found = [(parse_campaign_time(i.start), parse_campaign_time(i.end)) for i in self.intervals or ()]
        else:
            found = list(self._weekly(since))
        return normalise(found)

    def _weekly(self, since: datetime) -> Iterable[tuple[datetime, datetime]]:
        until = parse_campaign_time(self.until or "")
        for number in range((until.date() - since.date()).days + 1):
            day = since.date() + timedelta(days=number)
            for window in self.windows or ():
                if _WEEKDAYS[day.weekday()] in window.days:
                    start = max(datetime.combine(day, time.fromisoformat(window.start)), since)
                    end = min(datetime.combine(day, time.fromisoformat(window.end)), until)
                    if start < end:
                        yield start, end


# --- campaigns ----------------------------------------------------------------------------------------------


class CampaignSpec(RequestModel):
    """A campaign with its contact list, for `campaign/save` and `campaign/upload-csv` alike.

    :param campaign_name: a label for people.
    :param agent_id: the outbound agent that speaks.
    :param country_code: dial prefix of every number in the list, such as `+91`; it overrides what a row says.
    :param variables_map: agent variable -> CSV header, at least for `mobile_number` and `callee_name`.
    :param call_config: window, zone, retries; a dict or a `CallConfig`.
    :param campaign_start_time: `DD/MM/YYYY, HH:MM` in `call_config.call_time.timezone`.
    :param campaign_end_time: the same, later.
    :param remove_invalid_rows: drop rows with an invalid number instead of refusing the file; default False.
    :param transliterate_callee_name: write the callee's name in the agent's script; default False.
    :param transliterate_fields: further agent variables to write in the agent's script; default none.

    https://docs.ringg.ai/api-reference/endpoint/campaign/upload-campaign-contact-list
    https://docs.ringg.ai/api-reference/endpoint/campaign/upload-large-campaign-csv
    """

    campaign_name: Text
    agent_id: Identifier
    country_code: CountryCode
    variables_map: dict[StrictStr, StrictStr]
    call_config: CallConfig
    campaign_start_time: CampaignTime
    campaign_end_time: CampaignTime
    remove_invalid_rows: StrictBool = False
    transliterate_callee_name: StrictBool = False
    transliterate_fields: Annotated[list[Identifier], OneOrMany, Distinct] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for variable in (PHONE_VARIABLE, NAME_VARIABLE):
            if variable not in self.variables_map:
                raise ValueError(f"variables_map: must map {variable} to a column; every call needs it")
        for variable, header in self.variables_map.items():
            if not variable or variable != variable.strip() or not header or header != header.strip():
                raise ValueError(
                    "variables_map: names must not be empty nor padded with spaces; they are matched exactly"
                )
        for variable in self.transliterate_fields or ():
            if variable == PHONE_VARIABLE:
                raise ValueError(f"transliterate_fields: must not name {PHONE_VARIABLE}")
            if variable not in self.variables_map:
                raise ValueError("transliterate_fields: may only name variables that variables_map maps")
        _in_order(self.campaign_start_time, self.campaign_end_time)
        return self

    def form(self) -> dict[str, str]:
        """The fields of the multipart form: nested values as JSON text, booleans as `true` or `false`."""
        return {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in self.wire().items()
        }


class StartCampaign(RequestModel):
    """The start of a list that `campaign/save` made.

    :param agent_id: the agent of the list.
    :param list_id: what `save_campaign` returned.
    :param from_numbers: ids of caller numbers, in the order of use. Give these or a pool, not both.
    :param number_pool_id: a number pool, which rotates its numbers.
    :param email_completion_user_ids: users to mail when the campaign is complete; only with a pool.
    :param callback_url: dropped from the vendor's reference and not dependable; event subscriptions replace it.

    https://docs.ringg.ai/api-reference/endpoint/campaign/start-campaign
    https://docs.ringg.ai/api-reference/endpoint/campaign/start-campaign-v2
    """

    agent_id: Identifier
    list_id: Identifier
    from_numbers: Annotated[list[Identifier], OneOrMany, Field(min_length=1), Distinct] | None = None
    number_pool_id: Identifier | None = None
    email_completion_user_ids: Annotated[list[Identifier], OneOrMany, Distinct] | None = None
    callback_url: HttpsUrl | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _one_number_source(self.from_numbers, self.number_pool_id)
        if self.email_completion_user_ids and self.number_pool_id is None:
            raise ValueError(
                "email_completion_user_ids: works only with number_pool_id; a start with from_numbers has no such field"
            )
        return self


class MakeCallAsync(RequestModel):
    """The start of a list that `campaign/upload-csv` made.

    :param bulk_list_id: what `upload_csv` returned.
    :param agent_id: the same agent as at the upload.
    :param country_code: the same as at the upload.
    :param call_config: window, zone, retries; a dict or a `CallConfig`.
    :param campaign_start_time: `DD/MM/YYYY, HH:MM` in the call config's zone; together with the end, or
        neither with slots.
    :param campaign_end_time: the same, later.
    :param call_slots: several windows instead of one.
    :param from_numbers: ids of caller numbers, in the order of use. Give these or a pool, not both.
    :param number_pool_id: a number pool, which rotates its numbers.
    :param concurrency_percentage: share of the workspace's capacity, 0 to 100; 0 is an equal share of what is left.
    :param email_completion_user_ids: users to mail when the campaign is complete.
    :param callback_url: dropped from the vendor's reference and not dependable; event subscriptions replace it.

    https://docs.ringg.ai/api-reference/endpoint/campaign/make-large-campaign-calls-async
    """

    bulk_list_id: Identifier
    agent_id: Identifier
    country_code: CountryCode
    call_config: CallConfig
    campaign_start_time: CampaignTime | None = None
    campaign_end_time: CampaignTime | None = None
    call_slots: CallSlots | None = None
    from_numbers: Annotated[list[Identifier], OneOrMany, Field(min_length=1), Distinct] | None = None
    number_pool_id: Identifier | None = None
    concurrency_percentage: Annotated[StrictInt, Field(ge=0, le=100)] = 0
    email_completion_user_ids: Annotated[list[Identifier], OneOrMany, Distinct] | None = None
    callback_url: HttpsUrl | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _one_number_source(self.from_numbers, self.number_pool_id)
        start, end = self.campaign_start_time, self.campaign_end_time
        if (start is None) != (end is None):
            missing = "campaign_end_time" if end is None else "campaign_start_time"
            raise ValueError(f"{missing}: start and end of the campaign go together")
        if start is not None and end is not None:
            _in_order(start, end)
        elif self.call_slots is None:
            raise ValueError("campaign_start_time: is required unless call_slots are given")
        if self.call_slots is not None:
            self._check_slots(self.call_slots)
        return self

    def _check_slots(self, slots: CallSlots) -> None:
        opens, closes = self.call_config.call_time.call_start_time, self.call_config.call_time.call_end_time
        start = parse_campaign_time(self.campaign_start_time) if self.campaign_start_time else None
        end = parse_campaign_time(self.campaign_end_time) if self.campaign_end_time else None
        for window in slots.windows or ():
            if window.start < opens or window.end > closes:
                raise ValueError("call_slots.windows: must lie inside the daily window of call_config.call_time")
        for interval in slots.intervals or ():
            first, last = parse_campaign_time(interval.start), parse_campaign_time(interval.end)
            if (
                first.date() != last.date()
                or first.time() < time.fromisoformat(opens)
                or last.time() > time.fromisoformat(closes)
            ):
                raise ValueError("call_slots.intervals: must lie inside the daily window of call_config.call_time")
            if start is not None and end is not None and not start <= first < last <= end:
                raise ValueError("call_slots.intervals: must lie between campaign_start_time and campaign_end_time")
        if slots.until is not None and start is not None and end is not None:
            until = parse_campaign_time(slots.until)
            if until <= start or until > end:
                raise ValueError("call_slots.until: must lie between campaign_start_time and campaign_end_time")
            if until - start > MAX_SLOT_SPAN:
                raise ValueError(f"call_slots.until: must be at most {MAX_SLOT_SPAN.days} days after the start")
            spans = slots.spans(start)
            if not spans:
                raise ValueError("call_slots.windows: must open at least once between the start and until")
            if len(spans) > MAX_CALL_SLOTS:
                raise ValueError(
                    f"call_slots.windows: must give at most {MAX_CALL_SLOTS} slots between the start and until"
                )


class Terminate(RequestModel):
    """What to stop for good: exactly one of a campaign, an agent's calls, single calls, or numbers.

    :param campaign_id: the id of a list; with `mobile_numbers`, only those numbers of it.
    :param agent_id: all calls of an agent.
    :param call_ids: up to 100 calls.
    :param mobile_numbers: up to 100 numbers with + and country code, in one campaign or in all.

    https://docs.ringg.ai/api-reference/endpoint/terminate/campaign
    """

    campaign_id: Identifier | None = None
    agent_id: Identifier | None = None
    call_ids: (
        Annotated[list[Identifier], OneOrMany, Field(min_length=1, max_length=MAX_PER_TERMINATE), Distinct] | None
    ) = None
    mobile_numbers: (
        Annotated[
            list[PhoneNumber],
            OneOrMany,
            Field(min_length=1, max_length=MAX_PER_TERMINATE),
            Distinct,
        ]
        | None
    ) = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _has_one_mode(self) -> Self:
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        if len(given) != 1 and given != {"campaign_id", "mobile_numbers"}:
            raise ValueError(
                "campaign_id: or agent_id, call_ids or mobile_numbers must be given, exactly one of them"
                " (only mobile_numbers may be narrowed by campaign_id)"
            )
        return self


# --- calls --------------------------------------------------------------------------------------------------


class CallQuery(RequestModel):
    """Which calls of the history to read. What is left as None does not narrow the search.

    :param start_date: an aware datetime or an ISO 8601 string with offset. Default: before the platform's first call.
    :param end_date: the same. Default: after its last one.
    :param agent_id: one id or several.
    :param status: one call status or several.
    :param bulk_list_id: one campaign's id or several; the rows do not say which of them they belong to.
    :param version_id: one agent version or several.
    :param call_type: inbound, outbound, webcall, callback or voicemail.
    :param from_number: the caller's number.
    :param to_number: the callee's number.
    :param call_id: one call.
    :param sort_by: default `created_at`, which keeps pages stable while calls are being made.
    :param sort_order: `asc` (default) or `desc`.

    https://docs.ringg.ai/api-reference/endpoint/history/get-call-history
    """

    start_date: AwareTime | None = None
    end_date: AwareTime | None = None
    agent_id: Annotated[list[Identifier], OneOrMany] | None = None
    status: (
        Annotated[
            list[Literal["registered", "ongoing", "retry", "error", "completed", "failed", "cancelled", "forwarded"]],
            OneOrMany,
        ]
        | None
    ) = None
    bulk_list_id: Annotated[list[Identifier], OneOrMany] | None = None
    version_id: Annotated[list[Identifier], OneOrMany] | None = None
    call_type: Literal["inbound", "outbound", "webcall", "callback", "voicemail"] | None = None
    from_number: Annotated[Text | None, Field(repr=False)] = None
    to_number: Annotated[Text | None, Field(repr=False)] = None
    call_id: Identifier | None = None
    sort_by: (
        Literal["call_time", "created_at", "called_on_time", "call_duration", "credits_used", "retry_count"] | None
    ) = "created_at"
    sort_order: Literal["asc", "desc"] | None = "asc"

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        start, end = self.start_date, self.end_date
        if start and end and datetime.fromisoformat(str(start)) > datetime.fromisoformat(str(end)):
            raise ValueError("end_date: must not be before start_date")
        return self


class TransliterationLanguage(RequestModel):
    """Language codes: from `source` (default `en`) to `target` (default `hi`)."""

    source: Text = "en"
    target: Text = "hi"


class SmartFormatter(RequestModel):
    """How a single call's callee name is prepared before it is spoken."""

    extract_first_name: StrictBool = False
    transliteration: StrictBool = False
    transliteration_language: TransliterationLanguage | None = None


class SingleCall(RequestModel):
    """One outbound call, outside any campaign.

    :param name: the callee's name.
    :param mobile_number: the callee's number with + and country code.
    :param agent_id: the outbound agent that speaks.
    :param from_number_id: one id of a caller number or several. At most one of this, `from_number`,
        `number_pool_id`; none only for an agent that has its own outbound numbers.
    :param from_number: one caller number or several, as the workspace lists them.
    :param number_pool_id: a number pool.
    :param custom_args_values: a value for each variable of the agent.
    :param smart_formatter: how the name is prepared.
    :param call_config: window, zone, retries.
    :param voice_id: another voice than the agent's.
    :param version_id: another version of the agent than the active one.
    :param call_category: a label.
    :param parent_call_id: the call that this one follows up.
    :param purpose: `transactional` is exempt from the workspace's call limits.
    :param call_validity_hours: hours after which the call is no longer made.
    :param call_deadline: time with offset after which the call is no longer made.

    https://docs.ringg.ai/api-reference/endpoint/calling/initiate-individual-call
    https://docs.ringg.ai/api-reference/endpoint/calling/initiate-individual-call-v2
    """

    name: Text = Field(repr=False)
    mobile_number: PhoneNumber = Field(repr=False)
    agent_id: Identifier
    from_number_id: Annotated[list[Identifier], OneOrMany, Field(min_length=1), Distinct] | None = None
    from_number: Annotated[list[PhoneNumber], OneOrMany, Field(min_length=1), Distinct] | None = Field(
        default=None, repr=False
    )
    number_pool_id: Identifier | None = None
    custom_args_values: dict[StrictStr, Any] | None = Field(default=None, repr=False)
    smart_formatter: SmartFormatter | None = None
    call_config: CallConfig | None = None
    voice_id: Identifier | None = None
    version_id: Identifier | None = None
    call_category: Text | None = None
    parent_call_id: Identifier | None = None
    purpose: Literal["transactional"] | None = None
    call_validity_hours: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] | None = None
    call_deadline: AwareTime | None = None

    @model_validator(mode="after")
    def _has_one_number_source(self) -> Self:
        sources = [
            name for name in ("from_number_id", "from_number", "number_pool_id") if getattr(self, name) is not None
        ]
        if len(sources) > 1:
            raise ValueError(f"{sources[1]}: must be the only one of from_number_id, from_number and number_pool_id")
        if self.voice_id is not None and not sources:
            raise ValueError("voice_id: needs one of number_pool_id, from_number_id and from_number")
        return self


# --- agents and analytics -----------------------------------------------------------------------------------


class EventSubscription(RequestModel):
    """Where the platform sends an agent's call events.

    :param event_type: one event or several, such as `all_processing_completed`.
    :param callback_url: an https URL that answers 200 within 30 seconds.
    :param method_type: POST (default), GET, PUT or PATCH.
    :param headers: sent along; the place for a secret, because events are not signed.

    https://docs.ringg.ai/webhooks/initial-setup
    """

    event_type: Annotated[
        list[Event],
        OneOrMany,
        Field(min_length=1),
        Distinct,
    ]
    callback_url: HttpsUrl
    method_type: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    headers: dict[StrictStr, StrictStr] | None = Field(default=None, repr=False)


class EventSubscriptions(RequestModel):
    """All event subscriptions of an agent; they replace what it had, and an empty list clears it."""

    agent_id: Identifier
    event_subscriptions: list[EventSubscription]

    @model_validator(mode="after")
    def _keeps_the_vendors_limits(self) -> Self:
        pairs = Counter((event, s.callback_url) for s in self.event_subscriptions for event in s.event_type)
        if any(count > 1 for count in pairs.values()):
            raise ValueError("event_subscriptions: must not send one event to the same URL twice")
        events = Counter(event for event, _ in pairs)
        if any(count > MAX_SUBSCRIPTIONS_PER_EVENT for count in events.values()):
            raise ValueError(f"event_subscriptions: must be at most {MAX_SUBSCRIPTIONS_PER_EVENT} for each event")
        return self


AnalyticsKind = Literal[
    "platform-analytics",
    "drill-down-analytics",
    "number-analytics",
    "duration-distribution",
    "classification-analytics",
]


class AnalyticsQuery(RequestModel):
    """Which figures to read.

    :param kind: one of the vendor's five reports.
    :param start_date: first day, `YYYY-MM-DD` or a date.
    :param end_date: last day.
    :param agent_id: of one agent only.
    :param bulk_list_id: of one campaign only; required for `drill-down-analytics`.
    :param voicemail: with or without calls that reached a voicemail.

    https://docs.ringg.ai/api-reference/endpoint/analytics/get-platform-analytics
    """

    kind: AnalyticsKind
    start_date: PlainDate | None = None
    end_date: PlainDate | None = None
    agent_id: Identifier | None = None
    bulk_list_id: Identifier | None = None
    voicemail: StrictBool | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.kind == "drill-down-analytics" and self.bulk_list_id is None:
            raise ValueError("bulk_list_id: is required for drill-down-analytics")
        if self.start_date and self.end_date and str(self.start_date) > str(self.end_date):
            raise ValueError("end_date: must not be before start_date")
        return self
