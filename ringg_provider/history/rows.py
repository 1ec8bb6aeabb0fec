"""What the platform says about a call or a campaign, as rows of the tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ringg_provider.ringg.responses import Call, CallDetails, Campaign
from ringg_provider.sql import fitting

Row = dict[str, Any]


def call_row(call: Call, *, bulk_list_id: str | None, read_at: dt.datetime, transcripts: bool) -> Row:
    """Turn one row of the call history into a row of `ringg_calls`.

    :param call: as the platform sent it.
    :param bulk_list_id: the list that was asked for; the row's own wins, where it has one.
    :param read_at: when it was asked for.
    :param transcripts: whether to keep what was said.
    :return: values by column; a column that the platform says nothing about is left out.
    """
    return {
        "call_id": fitting.key(call.id),
        "bulk_list_id": fitting.key(call.bulk_list_id or bulk_list_id),
        "agent_id": fitting.key(call.agent_id),
        "agent_name": fitting.text(call.agent_name),
        "call_type": fitting.key(call.call_type),
        "to_number": fitting.key(call.to_number),
        "to_number_e164": fitting.e164(call.to_number),
        "from_number": fitting.key(call.from_numbers[0]) if call.from_numbers else None,
        "callee_name": fitting.text(call.name),
        "status": fitting.key(call.status) or None,
        "sub_status": fitting.text(call.sub_status),
        "created_at": fitting.moment(call.created_at),
        "attempted_at": fitting.moment(call.call_attempt_time),
        "duration_seconds": fitting.number(call.call_duration),
        "cost": fitting.number(call.call_cost),
        "currency": fitting.key(call.currency),
        "cost_final": call.credits_processed,
        "voicemail_detected": call.voicemail_detected,
        "transcript": transcript(call.transcript) if transcripts else None,
        "recording_url": fitting.text(call.audio_recording),
        "raw": fitting.document({k: v for k, v in call.raw.items() if k not in ("transcript", "audio_recording")}),
        "read_at": read_at,
    }


# fmt: off
_KNOWN_DETAILS = frozenset({
    "id", "call_id", "call_status", "status", "call_sub_status", "sub_status", "call_direction", "from_number",
    "to_number", "callee_name", "agent_id", "initiation_time", "recording_url", "transcription_url", "transcript",
    "platform_analysis", "client_analysis",
})
# fmt: on


def details_row(details: CallDetails, *, read_at: dt.datetime, transcripts: bool) -> Row:
    """Turn the details of one call into a partial row of `ringg_calls`; see `call_row`."""
    data = details.raw.get("data", details.raw)
    unknown = {k: v for k, v in data.items() if k not in _KNOWN_DETAILS} if isinstance(data, Mapping) else {}
    return {
        "call_id": fitting.key(details.id),
        "agent_id": fitting.key(details.agent_id),
        "call_type": fitting.key(details.call_direction),
        "to_number": fitting.key(details.to_number),
        "to_number_e164": fitting.e164(details.to_number),
        "from_number": fitting.key(details.from_number),
        "callee_name": fitting.text(details.callee_name),
        "status": fitting.key(details.status),
        "sub_status": fitting.text(details.sub_status),
        "attempted_at": fitting.moment(details.initiation_time),
        "transcript": transcript(details.transcript) if transcripts else None,
        "recording_url": fitting.text(details.recording_url),
        **analysis_columns(details.platform_analysis or {}),
        "client_analysis": fitting.document(details.client_analysis) or None,
        "details_raw": fitting.document(unknown) or None,
        "read_at": read_at,
    }


def analysis_columns(analysis: Mapping[str, Any]) -> Row:
    """What the platform's own analysis says of a call, in the columns of `ringg_calls`."""
    return {
        "summary": fitting.text(analysis.get("summary")),
        "classification": fitting.text(analysis.get("classification")),
        "sentiment": fitting.text(analysis.get("sentiment")),
        "callback_requested": fitting.flag(analysis.get("callback_requested")),
        "callback_requested_time": fitting.text(analysis.get("callback_requested_time")),
        "disconnect_reason": fitting.text(analysis.get("call_disconnect_reason")),
        "platform_analysis": fitting.document(analysis) or None,
    }


def campaign_row(campaign: Campaign, *, read_at: dt.datetime) -> Row:
    """Turn one row of the campaign list into a partial row of `ringg_campaigns`."""
    return {
        "campaign_id": fitting.key(campaign.id),
        "name": fitting.text(campaign.name),
        "agent_id": fitting.key(campaign.agent_id),
        "status": fitting.key(campaign.status),
        "state": campaign.state.value,
        "created_at": fitting.moment(campaign.created_at),
        "updated_at": fitting.moment(campaign.updated_at),
        "campaign_start_time": fitting.moment(campaign.campaign_start_time),
        "campaign_end_time": fitting.moment(campaign.campaign_end_time),
        "total_count": _count(campaign.total_count if campaign.total_count is not None else campaign.total_calls),
        "registered_count": _count(campaign.registered_count),
        "completed_count": _count(campaign.completed_count),
        "raw": fitting.document(campaign.raw),
        "read_at": read_at,
    }


def _count(value: int | None) -> int | None:
    """A count that fits its column; None otherwise."""
    return value if value is not None and abs(value) < 2**63 else None


def transcript(turns: list[dict[str, Any]] | None) -> list[Row] | None:
    """Bring both shapes of a transcript into one: `[{"speaker": "bot" | "user" | None, "text": ...}, ...]`.

    What else a turn carries (`timestamp`, `message_id`) stays in it. An empty transcript is None.
    """
    normal: list[Row] = []
    for turn in turns or ():
        more = {k: v for k, v in turn.items() if k not in ("bot", "user", "role", "speaker", "content", "text")}
        spoken: list[tuple[Any, Any]] = [(who, turn[who]) for who in ("bot", "user") if turn.get(who) is not None]
        if not spoken:
            who = turn.get("speaker") or turn.get("role")
            words = turn.get("text") if turn.get("text") is not None else turn.get("content")
            spoken = [(who, words)] if words is not None else []
        normal += [
            {"speaker": fitting.text(who), "text": fitting.text(words), **fitting.document(more)}
            for who, words in spoken
        ]
    return normal or None
