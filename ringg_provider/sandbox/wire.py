"""Chooses, by the settings, how things are worded on the wire; what both generations share is built here."""

from __future__ import annotations

import json
from typing import Any

from ringg_provider.sandbox import wire_g2, wire_g3
from ringg_provider.sandbox.calls import ATTEMPT_WORDS, Call, platform_analysis, transcript
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.workspace import POOL, SINCE, WORKSPACE_ID, Agent, Number
from ringg_provider.sandbox.world import STARTED, Campaign, UploadView, World

_UPLOAD_ACCEPTED = {
    "g3": wire_g3.upload_accepted,
    "fx": wire_g3.upload_accepted_fx,
    "g2_guide": wire_g2.upload_accepted_guide,
    "g2_openapi": wire_g2.upload_accepted_openapi,
}
_UPLOAD_STATUS = {
    "g3": wire_g3.upload_status,
    "fx": wire_g3.upload_status_fx,
    "g2_guide": wire_g2.upload_status_guide,
    "g2_openapi": wire_g2.upload_status_openapi,
}
_BALANCE = {
    "g3": wire_g3.balance,
    "fx": wire_g3.balance,
    "g2_guide": wire_g2.balance_guide,
    "g2_openapi": wire_g2.balance_openapi,
}
_MAKE_CALL_MESSAGES = {
    "g3": "Campaign calls scheduled",
    "fx": "Campaign scheduled successfully",
    "g2_guide": "Large campaign calls queued",
    "g2_openapi": "Campaign calls scheduled",
}


def _shape(chosen: str, settings: Settings) -> str:
    return chosen if chosen != "auto" else "g3" if settings.is_g3 else "g2_guide"


# -- workspace


def workspace(world: World) -> dict[str, Any]:
    info = {"id": WORKSPACE_ID, "name": "Sandbox", "created_at": SINCE}
    return {"workspace_info": {**info, **(wire_g3 if world.settings.is_g3 else wire_g2).workspace_fields(world)}}


def workspaces(world: World) -> dict[str, Any]:
    row = {"id": WORKSPACE_ID, "name": "Sandbox", "created_at": SINCE, "role": "owner"}
    balance = float(world.balance) if world.settings.is_g3 else int(world.balance)
    return {"workspaces": [{**row, "credits": balance, "locked_credits": 0}]}


def number_row(number: Number, settings: Settings) -> dict[str, Any]:
    return {
        "id": number.id,
        "number": number.number,
        "created_at": SINCE,
        "call_count": 0,
        "agent": None,
        "is_inbound_enabled": False,
        "is_test_number": number.is_test,
        "tags": [],
        "is_spam": number.is_spam,
        "spam_message": "Flagged by carriers" if number.is_spam else None,
        "provider": number.provider,
        "display_name": number.display_name,
        "is_custom_number": False,
        "telephony_id": None,
        "number_pool_id": number.pool_id,
        **(wire_g3 if settings.is_g3 else wire_g2).NUMBER_FIELDS,
    }


def pools(world: World) -> dict[str, Any]:
    members = [number for number in world.workspace.numbers if number.pool_id == POOL]
    spam = [number.number for number in members if number.is_spam]
    pool = {
        "id": POOL,
        "workspace_id": WORKSPACE_ID,
        "name": "Main pool",
        "description": None,
        "auto_purchase_enabled": False,
        "member_count": len(members),
        "spam_count": len(spam),
        "active": True,
        "is_default": True,
        "created_at": SINCE,
        "updated_at": SINCE,
        "spam_numbers": spam,
    }
    return {"status": "success", "data": {"pools": [pool], "limit": 100, "offset": 0, "count": 1}}


def _agent(agent: Agent) -> dict[str, Any]:
    return {
        "id": agent.id,
        "agent_display_name": agent.name,
        "agent_type": agent.kind,
        "orchestration_mode": agent.mode,
        "created_at": SINCE,
        "updated_at": SINCE,
        "template_type": agent.kind,
    }


def agent_row(agent: Agent, settings: Settings) -> dict[str, Any]:
    words = wire_g3 if settings.is_g3 else wire_g2
    return {**_agent(agent), **words.agent_row_fields(agent)}


def agent_detail(agent: Agent, settings: Settings) -> dict[str, Any]:
    """One agent under the key `agents`, plural, as the vendor has it."""
    how = settings.variables_as
    if how == "auto":
        how = "names" if settings.is_g3 else "map"
    variables: Any = agent.variables
    if how == "map":
        variables = dict.fromkeys(agent.variables, "string")
    elif how == "objects":
        variables = [{"name": name} for name in agent.variables]
    elif how == "text":
        variables = ", ".join(agent.variables)
    words = wire_g3 if settings.is_g3 else wire_g2
    return {"agents": {**_agent(agent), **words.agent_fields(agent, variables)}}


# -- campaigns


def _seen(campaign: Campaign, world: World, lag: float) -> tuple[float, str | None]:
    """Since when, and in which state, somebody sees the campaign whose view is `lag` seconds old."""
    return campaign.seen_at(world.clock.wall() - lag) if lag else campaign.states[-1]


def is_listed(campaign: Campaign, world: World) -> bool:
    """Whether `/campaign/all` shows this campaign at all, given the settings that hide or delay."""
    hides, lag = world.settings.listing_hides, world.settings.listing_lag_seconds
    if hides == "all" or (isinstance(hides, list) and campaign.id in hides):
        return False
    if campaign.states[0][0] > world.clock.wall() - lag:
        return False
    return not (hides == "unstarted" and _seen(campaign, world, lag)[1] not in STARTED)


def campaign_row(campaign: Campaign, world: World, *, counted: bool) -> dict[str, Any]:
    settings = world.settings
    since, state = _seen(campaign, world, settings.listing_lag_seconds)
    word = state if settings.is_g3 else wire_g2.STATUS_WORDS.get(state, state)
    row: dict[str, Any] = {
        "id": campaign.id,
        "name": campaign.name,
        "campaign_status": settings.forced_statuses.get(campaign.id, word),
        "created_at": wire_g2.instant(campaign.created_at),
        "updated_at": wire_g2.instant(since),
        "campaign_start_time": wire_g2.instant(campaign.starts_at),
        "campaign_end_time": wire_g2.instant(campaign.ends_at),
    }
    if settings.is_g3:
        row |= wire_g3.campaign_fields(campaign)
        if state == "insufficient_balance":
            row["additional_balance_required"] = f"{world.shortfall(campaign):.2f}"
    elif counted:
        row |= wire_g2.call_counters(campaign, started=state in STARTED)
    return row


def upload_accepted(campaign: Campaign, settings: Settings) -> dict[str, Any]:
    return _UPLOAD_ACCEPTED[_shape(settings.upload_shape, settings)](campaign)


def upload_status(campaign: Campaign, world: World, report_url: str | None) -> dict[str, Any]:
    settings = world.settings
    shape = _shape(settings.upload_status_shape, settings)
    state = _seen(campaign, world, settings.upload_status_lag_seconds)[1]
    progress = world.verification_progress(campaign)
    word = wire_g2.upload_word(state, progress) if shape == "g2_guide" else str(state)
    if state == "draft" and settings.upload_ready_word != "auto":
        word = settings.upload_ready_word
    word = str(settings.forced_statuses.get(campaign.id) or word)
    return _UPLOAD_STATUS[shape](UploadView(campaign, word, progress, report_url))


def balance(campaign: Campaign, world: World) -> dict[str, Any]:
    return _BALANCE[_shape(world.settings.check_balance_shape, world.settings)](campaign, world)


def make_call_accepted(campaign: Campaign, settings: Settings) -> dict[str, Any]:
    shape = _shape(settings.make_call_shape, settings)
    message = {"message": _MAKE_CALL_MESSAGES[shape]}
    return message if shape == "fx" else {**message, "bulk_list_id": campaign.id, "status": "scheduled"}


# -- calls


def _transcript(call: Call, world: World, as_string: bool) -> Any:
    if not call.attempts or not call.is_final:
        return None
    turns = transcript(call, world.settings)
    how = world.settings.transcript_as
    return json.dumps(turns, ensure_ascii=False) if how == "string" or (how == "auto" and as_string) else turns


def has_recording(call: Call) -> bool:
    return call.connected and not call.is_voicemail


def _costed(call: Call, world: World) -> bool:
    return call.costed_at is not None and call.costed_at <= world.events.now()


def history_row(call: Call, world: World, recording_url: str | None) -> dict[str, Any]:
    agent = world.workspace.agents[call.agent_id]
    costed = _costed(call, world)
    return {
        "id": call.id,
        "to_number": call.to_number,
        "name": call.name,
        "status": call.status,
        "sub_status": call.sub_status,
        "transcript": _transcript(call, world, as_string=True),
        "audio_recording": recording_url,
        "created_at": wire_g3.instant(call.created_at),
        "agent": {
            "id": agent.id,
            "agent_name": agent.name,
            "agent_version_id": agent.version_id,
            "orchestration_mode": agent.mode,
            "version": {"version_id": agent.version_id, "version_slug": "v1"},
        },
        "call_duration": call.duration,
        "call_attempt_time": wire_g3.instant(call.called_at),
        "call_cost": float(call.cost) if costed else None,
        "call_type": call.call_type,
        "inbound_from": None,
        "credits_processed": costed,
        "from_numbers": sorted({attempt.from_number for attempt in call.attempts}),
        "voicemail_detected": call.is_voicemail,
    }


def call_details(call: Call, world: World, recording_url: str | None, with_analysis: bool) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": call.id,
        "call_direction": "outbound",
        "call_status": call.status,
        "call_sub_status": call.sub_status,
        "from_number": call.attempts[-1].from_number if call.attempts else None,
        "to_number": call.to_number,
        "callee_name": call.name,
        "agent_id": call.agent_id,
        "initiation_time": wire_g3.instant(call.called_at or call.created_at),
        "recording_url": recording_url,
        "transcription_url": _transcript(call, world, as_string=world.settings.is_g3),
    }
    analysed = call.attempts and call.analysed_at is not None and call.analysed_at <= world.events.now()
    if with_analysis and analysed:
        data["platform_analysis"] = platform_analysis(call, world.settings)
    return {"status": "success", "data": data}


def single_call(call: Call, settings: Settings, from_number: str) -> dict[str, Any]:
    # The vendor shows this time without an offset; it is UTC.
    initiated = (wire_g3.instant(call.created_at) or "").removesuffix("+00:00")
    status = "ongoing" if call.status == "registered" else call.status
    if settings.single_call_shape == "old":
        return {
            "Call Status": status,
            "data": {
                "Unique Call ID": call.id,
                "Call Direction": "outbound",
                "Call Status": status,
                "From Number": from_number,
                "To Number": call.to_number,
                "Initiated at": initiated,
                "Agent ID": call.agent_id,
                "message": "Call initiated successfully",
            },
        }
    return {
        "status": "success",
        "data": {
            "call_id": call.id,
            "call_direction": "outbound",
            "call_status": status,
            "initiated_at": initiated,
            "agent_id": call.agent_id,
            "custom_args_values": call.variables,
        },
        "message": "Call initiated successfully",
    }


def instant(when: float | None) -> str | None:
    return wire_g3.instant(when)


def attempts(call: Call) -> list[dict[str, Any]]:
    return [
        {"status": ATTEMPT_WORDS[a.outcome], "called_on_time": wire_g3.instant(a.started_at)} for a in call.attempts
    ]
