"""What the platform says about a call or a campaign, as rows of the tables, and when a row may replace another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from ringg_provider.history.tables import HistoryState
from ringg_provider.ringg.responses import Call, CallDetails, CallStatus, Campaign
from ringg_provider.sql import fitting
from ringg_provider.sql.merge import Columns

Row = dict[str, Any]

STATUS_MISSING = "status is not final"
COST_MISSING = "cost is not computed"
ANALYSIS_MISSING = "analysis is missing"
RECORDING_MISSING = "recording is not stored"

#: Columns of a call that the provider computes while merging; all others keep what is stored where a row says nothing.
_DERIVED = frozenset(
    {
        "is_final",
        "status_since",
        "first_read_at",
        "changed_at",
        "cost_final",
        "watermark",
        "history_state",
        "history_reason",
    }
)
#: What makes a call worth looking at again for those who read the table.
_NEWS = ("status", "sub_status", "attempted_at", "duration_seconds", "cost", "bulk_list_id", "recording_path")
_NEWS_BY_PRESENCE = ("platform_analysis", "client_analysis", "transcript")  # documents are not compared
_NOT_CARRIED = _DERIVED | {"call_id", "read_at"}

_ANALYSED = ("completed", "forwarded")


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
    analysis = details.platform_analysis or {}
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
        "summary": fitting.text(analysis.get("summary")),
        "classification": fitting.text(analysis.get("classification")),
        "sentiment": fitting.text(analysis.get("sentiment")),
        "callback_requested": fitting.flag(analysis.get("callback_requested")),
        "callback_requested_time": fitting.text(analysis.get("callback_requested_time")),
        "disconnect_reason": fitting.text(analysis.get("call_disconnect_reason")),
        "platform_analysis": fitting.document(analysis) or None,
        "client_analysis": fitting.document(details.client_analysis) or None,
        "details_raw": fitting.document(unknown) or None,
        "read_at": read_at,
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


def carried_over(table: sa.Table) -> frozenset[str]:
    """The columns of `ringg_calls` that keep what is stored when a row says nothing about them."""
    return frozenset(column.name for column in table.columns) - _NOT_CARRIED


def moves_forward(stored: Columns, staged: Columns) -> sa.ColumnElement[bool]:
    """Whether a call's staged row may replace the stored one: never from an end back to a retry.

    Of two rows that are equally far on, the one that was read later stands. A row whose personal data were erased
    is never written again.
    """
    before, after = _progress(stored["status"]), _progress(staged["status"])
    return sa.and_(
        stored["erased_at"].is_(None),
        sa.or_(
            staged["status"].is_(None),
            stored["status"].is_(None),
            after > before,
            sa.and_(after == before, staged["read_at"] >= stored["read_at"]),
        ),
    )


def completeness(
    *, analysis: bool, client_analysis: bool, recordings: bool
) -> Callable[[Columns, Columns, Columns], Columns]:
    """Make the rule that says, in SQL, what a call still lacks once a new row is merged into it.

    :param analysis: wait for the platform's analysis of calls that can have one.
    :param client_analysis: and for the agent's own.
    :param recordings: wait until the recording of a call that has one is stored.
    :return: what `merge_rows` takes as `derive`.
    """

    def derive(stored: Columns, staged: Columns, merged: Columns) -> Columns:
        status = sa.func.lower(merged["status"])
        final = sa.func.coalesce(status.in_(sorted(CallStatus.FINAL)), sa.false())
        connected = _connected(merged["status"], merged["duration_seconds"])
        cost_final = sa.case(
            (stored["cost_final"] == sa.true(), sa.true()),
            else_=sa.func.coalesce(staged["cost_final"], stored["cost_final"]),
        )
        cost_missing = sa.or_(
            cost_final == sa.false(),
            sa.and_(cost_final.is_(None), merged["cost"].is_(None), status.in_(_ANALYSED)),
        )
        whens = [(sa.not_(final), STATUS_MISSING), (cost_missing, COST_MISSING)]
        if analysis:
            whens.append((sa.and_(connected, merged["platform_analysis"].is_(sa.null())), ANALYSIS_MISSING))
        if client_analysis:
            whens.append((sa.and_(connected, merged["client_analysis"].is_(sa.null())), ANALYSIS_MISSING))
        if recordings:
            unstored = sa.and_(merged["recording_url"].is_not(None), merged["recording_path"].is_(None))
            whens.append((unstored, RECORDING_MISSING))
        missing = sa.case(*((condition, sa.literal(reason)) for condition, reason in whens), else_=sa.null())
        same_status = sa.func.coalesce(stored["status"], "") == sa.func.coalesce(merged["status"], "")
        # What was given up stays so until the call moves on.
        given_up = sa.and_(stored["history_state"] == HistoryState.INCOMPLETE.value, same_status)
        return {
            # The history tells a callback and a redial from other outbound calls; the details only know the direction.
            "call_type": sa.case(
                (staged["raw"].is_(sa.null()), sa.func.coalesce(stored["call_type"], staged["call_type"])),
                else_=merged["call_type"],
            ),
            "is_final": final,
            "status_since": sa.func.coalesce(
                sa.case((same_status, stored["status_since"]), else_=staged["read_at"]), staged["read_at"]
            ),
            "first_read_at": sa.func.coalesce(stored["first_read_at"], staged["read_at"]),
            "changed_at": sa.case((_brings_news(stored, merged), staged["read_at"]), else_=stored["changed_at"]),
            "cost_final": cost_final,
            "watermark": sa.case(
                (staged["watermark"] < stored["watermark"], stored["watermark"]),
                else_=sa.func.coalesce(staged["watermark"], stored["watermark"]),
            ),
            "history_state": sa.case(
                (missing.is_(None), sa.literal(HistoryState.COMPLETE.value)),
                (given_up, sa.literal(HistoryState.INCOMPLETE.value)),
                else_=sa.literal(HistoryState.OPEN.value),
            ),
            "history_reason": sa.case(
                (sa.and_(missing.is_not(None), given_up), stored["history_reason"]), else_=missing
            ),
        }

    return derive


def _brings_news(stored: Columns, merged: Columns) -> sa.ColumnElement[bool]:
    different = [
        sa.case((merged[name].is_(None), sa.false()), (merged[name] == stored[name], sa.false()), else_=sa.true())
        for name in _NEWS
    ]
    arrived = [sa.and_(stored[name].is_(sa.null()), merged[name].is_not(sa.null())) for name in _NEWS_BY_PRESENCE]
    return sa.or_(stored["call_id"].is_(None), *(each == sa.true() for each in different), *arrived)


def lacks_analysis(calls: sa.Table, *, client_analysis: bool) -> sa.ColumnElement[bool]:
    """Which rows of `ringg_calls` can have an analysis and do not have it yet."""
    missing: sa.ColumnElement[bool] = calls.c.platform_analysis.is_(sa.null())
    if client_analysis:
        missing = sa.or_(missing, calls.c.client_analysis.is_(sa.null()))
    return sa.and_(_connected(calls.c.status, calls.c.duration_seconds), missing)


def lacks_recording(calls: sa.Table) -> sa.ColumnElement[bool]:
    """Which rows of `ringg_calls` have a recording that is not stored yet."""
    return sa.and_(calls.c.recording_url.is_not(None), calls.c.recording_path.is_(None))


def _connected(status: sa.ColumnElement[Any], duration: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    # An analysis exists for calls that connected: of a call that nobody took there is nothing to say.
    return sa.and_(sa.func.lower(status).in_(_ANALYSED), sa.func.coalesce(duration, 1) > 0)


def _progress(status: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    word = sa.func.lower(status)
    return sa.case((word == "registered", 0), (word.in_(sorted(CallStatus.FINAL)), 2), else_=1)
