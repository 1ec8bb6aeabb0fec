"""What comes back from Ringg AI: tolerant models that read every documented shape into one normal form.

Fields that some generation of the API does not send are optional, and one that cannot be read is None; only
what a thing cannot do without is required. Statuses are open: the raw word is always kept, and an unknown one
never counts as success. `.raw` keeps the body. Personal data is in no `repr`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

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
    to_decimal,
)
from ringg_provider.exceptions import UnexpectedResponse
from ringg_provider.ringg.limits import PERMANENT_VARIABLES

# --- states -------------------------------------------------------------------------------------------------


class CampaignState(StrEnum):
    """Where a campaign is, in one vocabulary for all generations of the API."""

    PREPARING = "preparing"
    DRAFT = "draft"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    TERMINATED = "terminated"
    FAILED = "failed"
    NOT_A_CAMPAIGN = "not_a_campaign"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, raw: str | None) -> CampaignState:
        """The state that a raw status means; null is a contact list, and an unknown word is `UNKNOWN`."""
        if raw is None:
            return cls.NOT_A_CAMPAIGN
        return _STATES.get(raw.strip().lower(), cls.UNKNOWN)

    @property
    def is_final(self) -> bool:
        """Whether the campaign has ended, one way or another."""
        return self in (CampaignState.COMPLETED, CampaignState.TERMINATED, CampaignState.FAILED)


_STATES: dict[str, CampaignState] = {
    word: state
    for state, words in {
        CampaignState.PREPARING: "uploaded processing verifying preparing in_db",
        CampaignState.DRAFT: "draft ready",
        CampaignState.INSUFFICIENT_BALANCE: "insufficient_balance",
        CampaignState.SCHEDULED: "pending registered scheduled",
        CampaignState.RUNNING: "running ongoing",
        CampaignState.PAUSED: "paused",
        CampaignState.COMPLETED: "completed",
        CampaignState.TERMINATED: "terminated cancelled",
        CampaignState.FAILED: "failed no_valid_contacts",
    }.items()
    for word in words.split()
}


class CallStatus(str):
    """A call's status as the platform wrote it; any word is possible."""

    __slots__ = ()

    FINAL: ClassVar[frozenset[str]] = frozenset({"completed", "failed", "error", "cancelled", "forwarded"})
    #: Somebody took the call, a person or a machine.
    TAKEN: ClassVar[frozenset[str]] = frozenset({"completed", "forwarded"})
    #: With what a sub-status begins that tells of an answering machine.
    MACHINE: ClassVar[str] = "VOICEMAIL"

    @property
    def is_final(self) -> bool:
        """Whether the platform will not change it any more; False for a word that is not known."""
        return self.lower() in self.FINAL

    @classmethod
    def is_machine(cls, voicemail_detected: bool | None, sub_status: str | None) -> bool:
        """Whether an answering machine took a call, as the history says it, or a webhook."""
        return bool(voicemail_detected) or (sub_status or "").upper().startswith(cls.MACHINE)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


# --- workspace ----------------------------------------------------------------------------------------------


class Workspace(ResponseModel):
    """The workspace of an API key, and what it can spend. `.raw` is without the key."""

    id: OptionalText = None
    name: OptionalText = None
    spendable_credits: Decimal | None = None

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        info = body.get("workspace_info", body)
        if not isinstance(info, Mapping) or not info.keys() & {"id", "name", "credits"}:
            raise UnexpectedResponse("The platform's answer holds no workspace_info; check the base URL.")
        return {"id": info.get("id"), "name": info.get("name"), "spendable_credits": _spendable(info)}


def _spendable(info: Mapping[str, Any]) -> Decimal | None:
    """Prepaid credits, else what is left of a postpaid limit, else unlocked credits; None if unreadable."""
    if info.get("total_available_credits") is not None:
        return to_decimal(info["total_available_credits"])
    if info.get("credit_limit") is not None:
        limit, used = to_decimal(info["credit_limit"]), to_decimal(info.get("utilized_limit"))
        return None if limit is None or used is None else limit - used
    available, locked = to_decimal(info.get("credits")), to_decimal(info.get("locked_credits", 0))
    return None if available is None or locked is None else available - locked


class User(ResponseModel):
    """A member of the workspace; the id is what `email_completion_user_ids` takes."""

    id: RequiredId
    username: OptionalText = Field(default=None, repr=False)
    email: OptionalText = Field(default=None, repr=False)
    role: OptionalText = None
    invite_status: OptionalText = None


class CallerNumber(ResponseModel):
    """A number of the workspace that calls can be made from; a test number cannot make any."""

    id: RequiredId
    number: OptionalText = Field(default=None, repr=False)
    display_name: OptionalText = None
    provider: OptionalText = None
    owner: OptionalText = Field(default=None, repr=False)
    is_test_number: bool = False
    is_spam: bool = False
    is_relay: bool = False
    is_inbound_enabled: OptionalFlag = None
    telephony_id: OptionalText = None
    number_pool_id: OptionalText = None
    tags: Annotated[list[Any] | None, Lenient] = None
    created_at: OptionalMoment = None


class NumberPool(ResponseModel):
    """Numbers of the workspace that take turns."""

    id: RequiredId
    name: OptionalText = None


# --- agents -------------------------------------------------------------------------------------------------

_PLACEHOLDER = re.compile(r"@?\{\{\s*([A-Za-z_]\w*)\s*\}\}")


class Agent(ResponseModel):
    """A voice agent and the variables that a contact list must fill for it.

    `.variables` is None when they could not be read; `.event_subscriptions` is what the agent has at present.
    """

    id: RequiredId
    name: OptionalText = named("agent_display_name", "agent_name", "name")
    agent_type: OptionalText = None
    orchestration_mode: OptionalText = None
    is_archived: bool = False
    active_version_id: OptionalText = named("active_agent_version_id")
    variables: frozenset[str] | None = None
    event_subscriptions: list[dict[str, Any]] | None = Field(default=None, repr=False)

    @property
    def is_outbound(self) -> bool:
        """Whether the agent can make calls."""
        return (self.agent_type or "").lower() in {"outbound", "outbound_inbound"}

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        agent = body.get("agents") or body.get("agent") or body.get("data") or body
        if isinstance(agent, Mapping) and not agent.get("id"):
            agent = agent.get("agents") or agent.get("agent") or agent
        if isinstance(agent, list):
            agent = agent[0] if len(agent) == 1 else None
        if not isinstance(agent, Mapping):
            raise UnexpectedResponse("The platform's answer holds no single agent.")
        versions = _versions(agent)
        return {key: value for key, value in agent.items() if value is not None} | {
            "is_archived": _is_archived(agent),
            "variables": _variables_of(versions, agent),
            "event_subscriptions": _subscriptions_of(versions),
        }


def _is_archived(agent: Mapping[str, Any]) -> bool:
    """One generation says it of the agent, the other of each of its versions."""
    listed = agent.get("versions")
    versions = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    all_archived = bool(versions) and all(one.get("is_archived") is True for one in versions)
    return agent.get("is_archived") is True or all_archived


def _versions(agent: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts of an agent that say how it now speaks: the version in use, or all when it cannot be told."""
    details = agent.get("version_details")
    versions = (
        {key: version for key, version in details.items() if isinstance(version, Mapping)}
        if isinstance(details, Mapping)
        else {}
    )
    if not versions:
        return [agent]
    chosen = agent.get("active_agent_version_id") or _busiest(agent.get("ab_versions"))
    for key in (chosen, "latest"):
        if key in versions:
            return [versions[key]]
    return list(versions.values())


def _busiest(ab_versions: Any) -> str | None:
    """The id of the version that gets most calls while an A/B test is running."""
    found: list[tuple[Decimal, str]] = []
    if isinstance(ab_versions, Mapping):
        entries: Iterable[tuple[Any, Any]] = ab_versions.items()
    elif isinstance(ab_versions, list):
        entries = [(e.get("version_id") or e.get("id"), e) for e in ab_versions if isinstance(e, Mapping)]
    else:
        entries = ()
    for key, entry in entries:
        traffic = to_decimal(entry.get("call_traffic")) if isinstance(entry, Mapping) else None
        if isinstance(key, str) and traffic is not None:
            found.append((traffic, key))
    return max(found)[1] if found else None


def _variables_of(versions: list[Mapping[str, Any]], agent: Mapping[str, Any]) -> frozenset[str] | None:
    """The union over the given versions; what the agent itself declares when no version says; else None."""
    read = [names for names in map(_variables, versions) if names is not None]
    return frozenset().union(*read) if read else _variables(agent)


def _variables(version: Mapping[str, Any]) -> frozenset[str] | None:
    config = version.get("agent_config")
    for holder in (config, version):
        declared = holder.get("custom_variables") if isinstance(holder, Mapping) else None
        if declared is not None:
            return _variable_names(declared)
    return _placeholders(config) if isinstance(config, Mapping) else None


def _variable_names(declared: Any) -> frozenset[str] | None:
    """Names from an array of strings, an array of objects, or an object whose keys are the names."""
    if isinstance(declared, Mapping):
        return frozenset(map(str, declared))
    if not isinstance(declared, list):
        return None
    names: set[str] = set()
    for entry in declared:
        name = entry
        if isinstance(entry, Mapping):
            name = entry.get("key") or entry.get("name") or entry.get("variable_name")
        if not isinstance(name, str):
            return None
        names.add(name)
    return frozenset(names)


def _placeholders(config: Mapping[str, Any]) -> frozenset[str] | None:
    """Names from the prompt's `@{{...}}`, for an agent that declares none."""
    prompt = config.get("agent_prompt")
    sections = prompt.get("prompt_sections") if isinstance(prompt, Mapping) else None
    texts = [s.get("section_content") for s in sections if isinstance(s, Mapping)] if isinstance(sections, list) else []
    texts += [prompt, config.get("intro_message")]
    spoken = [text for text in texts if isinstance(text, str)]
    if not spoken:
        return None
    names = {name for text in spoken for name in _PLACEHOLDER.findall(text)}
    # The platform itself provides original_<field> for each field that it transliterates.
    return frozenset(name for name in names if not name.startswith("original_")) | PERMANENT_VARIABLES


def _subscriptions_of(versions: list[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    found = versions[0].get("event_subscriptions") if len(versions) == 1 else None
    return [dict(entry) for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else None


# --- campaigns ----------------------------------------------------------------------------------------------


class SavedCampaign(ResponseModel):
    """What `campaign/save` made. `.raw` is without the contacts."""

    stripped: ClassVar[tuple[str, ...]] = ("api_key", "custom_args_values")

    list_id: RequiredId = Field(validation_alias=AliasChoices("list_id", "bulk_list_id", "campaign_id", "id"))
    message: OptionalText = None
    total_rows: OptionalCount = None
    successful_rows: OptionalCount = None
    failed_rows: OptionalCount = None


class UploadedCsv(ResponseModel):
    """What `campaign/upload-csv` made; only the id is certain."""

    bulk_list_id: RequiredId = Field(validation_alias=AliasChoices("bulk_list_id", "list_id", "campaign_id", "id"))
    message: OptionalText = None
    status: OptionalText = None
    total_rows: OptionalCount = None
    campaign_name: OptionalText = None

    @property
    def state(self) -> CampaignState:
        """The state that the status means."""
        return CampaignState.UNKNOWN if self.status is None else CampaignState.of(self.status)


class UploadStatus(ResponseModel):
    """How far the platform is with an uploaded list.

    `completed` is ambiguous: one generation means "the file is processed", the other "the campaign has
    ended". Only who knows whether a start was sent can tell.
    """

    bulk_list_id: OptionalText = named("bulk_list_id", "list_id", "campaign_id", "id")
    status: str
    campaign_name: OptionalText = None
    valid_rows: OptionalCount = named("total_callees", "successful_rows", "total_contacts")
    invalid_rows: OptionalCount = named("invalidated_rows_count", "failed_rows")
    total_rows: OptionalCount = None
    processed_rows: OptionalCount = None
    invalid_rows_csv_url: OptionalText = named("invalidated_rows_csv_url", "invalid_entries_file", shown=False)

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        return body["data"] if isinstance(body.get("data"), dict) and "status" in body["data"] else body

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.total_rows is None and self.valid_rows is not None and self.invalid_rows is not None:
            object.__setattr__(self, "total_rows", self.valid_rows + self.invalid_rows)
        return self

    @property
    def state(self) -> CampaignState:
        """The state that the status means."""
        return CampaignState.of(self.status)


class Balance(ResponseModel):
    """Whether the workspace can pay for a list.

    `.sufficient` is None when the answer does not settle it, and `.basis` names the field that it was read
    from: `sufficient_balance`, `status`, `additional_balance_required`, `available_credits`; `not_short` when
    the platform refused to check because the list is not waiting for money; `unknown` otherwise.
    """

    bulk_list_id: OptionalText = None
    status: OptionalText = None
    message: OptionalText = None
    required_credits: OptionalMoney = None
    available_credits: OptionalMoney = None
    additional_balance_required: OptionalMoney = None
    sufficient: bool | None = None
    basis: str = "unknown"

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        sufficient, basis = _sufficiency(body)
        return body | {"sufficient": sufficient, "basis": basis}


#: What `Balance.basis` says when the list is not waiting for money.
NOT_SHORT = "not_short"


def _sufficiency(body: Mapping[str, Any]) -> tuple[bool | None, str]:
    missing = to_decimal(body.get("additional_balance_required"))
    verdict, basis = _stated_sufficiency(body, missing)
    # A stated shortfall outweighs a kind word elsewhere in the same answer.
    if verdict and missing is not None and missing > 0:
        return False, "additional_balance_required"
    return verdict, basis


def _stated_sufficiency(body: Mapping[str, Any], missing: Decimal | None) -> tuple[bool | None, str]:
    if "sufficient_balance" in body:
        stated = body["sufficient_balance"]
        word = stated.strip().lower() if isinstance(stated, str) else stated
        readable = {True: True, False: False, "true": True, "false": False}
        return (readable.get(word), "sufficient_balance") if isinstance(word, bool | str) else (None, "unknown")
    match CampaignState.of(status) if isinstance(status := body.get("status"), str) else CampaignState.UNKNOWN:
        case CampaignState.DRAFT:
            return True, "status"
        case CampaignState.INSUFFICIENT_BALANCE:
            return False, "status"
    if missing is not None:
        return missing <= 0, "additional_balance_required"
    required, available = to_decimal(body.get("required_credits")), to_decimal(body.get("available_credits"))
    if required is not None and available is not None:
        return available >= required, "available_credits"
    return None, "unknown"


class StartResult(ResponseModel):
    """The platform accepted a start. There is no new id in it: the list's id is the campaign's."""

    message: OptionalText = None
    status: OptionalText = None
    bulk_list_id: OptionalText = None
    has_ongoing_calls: OptionalFlag = None


class Campaign(ResponseModel):
    """One row of the campaign list; all counters are optional."""

    id: RequiredId
    name: OptionalText = None
    status: OptionalText = named("campaign_status", "status")
    agent_id: OptionalText = None
    created_at: OptionalMoment = None
    updated_at: OptionalMoment = None
    campaign_start_time: OptionalMoment = None
    campaign_end_time: OptionalMoment = None
    total_count: OptionalCount = None
    registered_count: OptionalCount = None
    completed_count: OptionalCount = None
    total_calls: OptionalCount = None
    total_contacts: OptionalCount = None
    invalid_rows: OptionalCount = named("invalidated_rows_count", "failed_rows")
    additional_balance_required: OptionalMoney = None

    @property
    def state(self) -> CampaignState:
        """The state that the status means."""
        return CampaignState.of(self.status)


class CampaignPage(ResponseModel):
    """One page of the campaign list; `.total` is what the platform says there is in all, if it does."""

    campaigns: list[Campaign]
    total: OptionalCount = None
    limit: OptionalCount = None
    offset: OptionalCount = None

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        data = body["data"] if isinstance(body.get("data"), Mapping) else body
        pagination = data.get("pagination")
        place = pagination if isinstance(pagination, Mapping) else data
        return {
            "campaigns": read_list(data, "campaigns", model=Campaign),
            **{name: place.get(name) for name in ("total", "limit", "offset")},
        }


# --- calls --------------------------------------------------------------------------------------------------


def _turns(value: Any) -> Any:
    """A transcript that arrives as a list, or as the JSON text of one."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return [{"text": value}] if value.strip() else None
    return value


_Transcript = Annotated[list[dict[str, Any]] | None, BeforeValidator(_turns), Lenient]


def _status_or_none_yet(value: Any) -> Any:
    # One row that says nothing of its status must not keep a whole history from being read.
    return value if isinstance(value, str) else ""


class Call(ResponseModel):
    """One row of the call history. `status` is empty, which is not final, when the platform gives none.

    `call_duration` is in seconds, `call_cost` in the platform's credits. `audio_recording` is a link that
    expires, and a row does not say which campaign it belongs to unless the platform sends `bulk_list_id`.
    """

    id: RequiredId
    status: Annotated[CallStatus, BeforeValidator(_status_or_none_yet)] = CallStatus("")
    sub_status: OptionalText = None
    to_number: OptionalText = Field(default=None, repr=False)
    name: OptionalText = Field(default=None, repr=False)
    from_numbers: Annotated[list[str] | None, Lenient] = Field(default=None, repr=False)
    transcript: _Transcript = Field(default=None, repr=False)
    audio_recording: OptionalText = Field(default=None, repr=False)
    call_type: OptionalText = None
    created_at: OptionalMoment = None
    call_attempt_time: OptionalMoment = None
    call_duration: OptionalNumber = None
    call_cost: OptionalMoney = None
    currency: OptionalText = None
    retry_count: OptionalCount = None
    voicemail_detected: OptionalFlag = None
    credits_processed: OptionalFlag = None
    bulk_list_id: OptionalText = None
    agent_id: OptionalText = None
    agent_name: OptionalText = None
    agent_version_id: OptionalText = None

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        agent = body.get("agent")
        if not isinstance(agent, Mapping):
            return body
        version = agent.get("version")
        known = version.get("version_id") if isinstance(version, Mapping) else None
        return {
            "agent_id": agent.get("id"),
            "agent_name": agent.get("agent_name") or agent.get("agent_display_name"),
            "agent_version_id": agent.get("agent_version_id") or known,
        } | body


class CallPage(ResponseModel):
    """One page of the call history; `.total` is None when the platform only says "many"."""

    calls: list[Call] = Field(repr=False)
    count: OptionalCount = None
    total: OptionalCount = None
    limit: OptionalCount = None
    offset: OptionalCount = None

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        data = body["data"] if isinstance(body.get("data"), Mapping) else body
        return {**data, "calls": read_list(data, "calls", model=Call)}


class CallDetails(ResponseModel):
    """One call with its transcript and, once they are ready, its analyses."""

    id: RequiredId = Field(validation_alias=AliasChoices("id", "call_id"))
    status: CallStatus = Field(validation_alias=AliasChoices("call_status", "status"))
    sub_status: OptionalText = named("call_sub_status", "sub_status")
    call_direction: OptionalText = None
    from_number: OptionalText = Field(default=None, repr=False)
    to_number: OptionalText = Field(default=None, repr=False)
    callee_name: OptionalText = Field(default=None, repr=False)
    agent_id: OptionalText = None
    initiation_time: OptionalMoment = None
    recording_url: OptionalText = Field(default=None, repr=False)
    transcript: _Transcript = named("transcription_url", "transcript", shown=False)
    platform_analysis: OptionalObject = Field(default=None, repr=False)
    client_analysis: OptionalObject = Field(default=None, repr=False)
    metrics: Annotated[list[dict[str, Any]] | None, Lenient] = Field(default=None, repr=False)

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        return _call_in(body)


class Attempt(ResponseModel):
    """One ring of a call, as webhooks list them."""

    status: OptionalText = None
    called_on_time: OptionalMoment = named("called_on_time", "called_on")


class WebhookEvent(StrEnum):
    """The events of a call that an agent can be subscribed to, from https://docs.ringg.ai/webhooks/payloads."""

    CALL_STARTED = "call_started"
    CALL_RINGING = "call_ringing"
    CALL_ONGOING = "call_ongoing"
    CALL_COMPLETED = "call_completed"
    RECORDING_COMPLETED = "recording_completed"
    PLATFORM_ANALYSIS_COMPLETED = "platform_analysis_completed"
    CLIENT_ANALYSIS_COMPLETED = "client_analysis_completed"
    ALL_PROCESSING_COMPLETED = "all_processing_completed"


class Webhook(ResponseModel):
    """What the platform tells of a call as it happens; which fields there are depends on the event.

    `call_completed` comes for every attempt that ended, with the status `retry` while another one is planned.
    `all_processing_completed` is the last one of a call.
    """

    event_type: str
    call_id: RequiredId
    status: Annotated[CallStatus | None, Lenient] = None
    sub_status: OptionalText = None
    bulk_list_id: OptionalText = None
    agent_id: OptionalText = None
    agent_name: OptionalText = None
    workspace_id: OptionalText = None
    call_type: OptionalText = None
    to_number: OptionalText = Field(default=None, repr=False)
    from_number: OptionalText = Field(default=None, repr=False)
    created_at: OptionalMoment = None
    called_on: OptionalMoment = None
    call_duration: OptionalNumber = None
    call_cost: OptionalMoney = None
    transcript: _Transcript = Field(default=None, repr=False)
    recording_url: OptionalText = Field(default=None, repr=False)
    custom_args_values: OptionalObject = Field(default=None, repr=False)
    analysis_data: OptionalObject = Field(default=None, repr=False)
    platform_analysis: OptionalObject = Field(default=None, repr=False)
    client_analysis: OptionalObject = Field(default=None, repr=False)
    attempts: Annotated[list[Attempt] | None, Lenient] = Field(default=None, repr=False)

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        listed = body.get("attempts")
        if not isinstance(listed, list):
            return body
        return body | {"attempts": [Attempt.read(each) for each in listed if isinstance(each, Mapping)]}


class StartedCall(ResponseModel):
    """A single call that the platform took on."""

    stripped: ClassVar[tuple[str, ...]] = ("api_key", "custom_args_values")

    # The second name of each is that of the older shape.
    call_id: RequiredId = Field(validation_alias=AliasChoices("call_id", "Unique Call ID"))
    status: OptionalText = named("call_status", "Call Status")
    initiated_at: OptionalMoment = named("initiated_at", "Initiated at")
    agent_id: OptionalText = named("agent_id", "Agent ID")

    @classmethod
    def _arrange(cls, body: dict[str, Any]) -> dict[str, Any]:
        return _call_in(body)


def _call_in(body: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer says of one call, in its envelope or without it."""
    data = body.get("data", body)
    if not isinstance(data, Mapping):
        raise UnexpectedResponse("The platform's answer holds no call.")
    return {key: value for key, value in data.items() if value is not None}
