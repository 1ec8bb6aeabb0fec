# ruff: noqa: E501 - a line per column reads better than a screen per column
"""The tables of the history: their columns, the field that each comes from, and the words that stand in them.

`docs/tables.md` is checked against this module. `ringg_contacts` belongs to the contacts package.
"""

from __future__ import annotations

import enum
import logging
from typing import Any

import sqlalchemy as sa

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.options import CALLS, CAMPAIGNS
from ringg_provider.ringg.responses import CampaignState
from ringg_provider.sql.creating import described, is_there, namesakes
from ringg_provider.sql.types import Json, Key, Money, Seconds, Text, UtcDateTime

log = logging.getLogger(__name__)

STATE = "ringg_history_state"


class HistoryState(enum.StrEnum):
    """Whether a call, or a campaign, is all there in the table.

    OPEN: something is missing and will be read again. COMPLETE: nothing is missing. INCOMPLETE: something is
    missing and was given up; `history_reason` says what.
    """

    OPEN = "open"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"


#: Nothing more is read of a campaign whose history is in one of these.
CLOSED = frozenset({HistoryState.COMPLETE.value, HistoryState.INCOMPLETE.value})

#: A list in one of these states has never been dialled.
NOT_STARTED = frozenset(
    state.value
    for state in (
        CampaignState.PREPARING,
        CampaignState.DRAFT,
        CampaignState.INSUFFICIENT_BALANCE,
        CampaignState.SCHEDULED,
        CampaignState.NOT_A_CAMPAIGN,
    )
)

#: No more calls are made in one of these.
ENDED = frozenset(state.value for state in CampaignState if state.is_final)

#: What an open call lacks, as its `history_reason` says.
STATUS_MISSING = "status is not final"
COST_MISSING = "cost is not computed"
ANALYSIS_MISSING = "analysis is missing"
RECORDING_MISSING = "recording is not stored"

UNSETTLED = "its last webhook has not come"

#: Open calls of which the platform's list of calls can still say something.
LISTED_ANEW = frozenset({STATUS_MISSING, COST_MISSING, UNSETTLED})

#: Why a campaign is open that has ended and was read to the end.
AWAITS_STATUS = "calls await their last status"
AWAITS_COST = "calls await their cost"
AWAITS_DETAILS = "calls await their analysis or recording"

#: Why a campaign is open whose calls have to be read, or read again because it moved on.
UNREAD = "calls are not read to the end"

#: Why a campaign is open that has ended, or that the platform does not list, without a single call.
NO_CALL_YET = "no call yet"

#: Why a campaign is open that the platform does not list: more calls may come. All that it has are there.
NOT_LISTED = "the platform does not list it; more calls may come"

#: Who was reached is known for certain, although something else is still missing.
REACHED_KNOWN = frozenset({AWAITS_COST, AWAITS_DETAILS, NOT_LISTED})


def require_table(engine: sa.Engine, table: sa.Table, *, field: str, may_be_missing: bool) -> bool:
    """Whether a table is there that protects people: what cannot be checked is not skipped.

    :param engine: the database.
    :param table: what is looked for.
    :param field: the parameter that names it, for the error.
    :param may_be_missing: whether the DAG says that there is none yet.
    :raises InvalidRequest: it is not there, and the DAG does not say so.
    """
    if is_there(engine, table):
        return True
    if may_be_missing:
        log.warning(
            "There is no table %s yet, so nobody counts as called before. Take history_table_may_be_missing away when"
            " calls were loaded: from then on a missing table is a mistake.",
            table.fullname,
        )
        return False
    raise not_found(
        engine,
        table,
        field,
        "so nobody would count as called before. Where none was made yet, create it first, or say so with"
        " history_table_may_be_missing=True.",
    )


def not_found(engine: sa.Engine, table: sa.Table, field: str, consequence: str) -> InvalidRequest:
    """The error that a table is not there, with those that it may be taken for.

    :param engine: the database.
    :param table: what was looked for.
    :param field: the parameter that names it.
    :param consequence: what follows from it, and what to do.
    """
    others = namesakes(engine, table)
    found = f" There is {', '.join(others)}: write schema and name as the database has them." if others else ""
    return InvalidRequest(f"{field}: there is no table {table.fullname}, {consequence}{found}", field=field)


def column(name: str, type_: Any, source: str, meaning: str, **more: Any) -> sa.Column[Any]:
    return sa.Column(name, type_, info={"source": source, "meaning": meaning}, **more)


def calls_table(name: str = CALLS, *, schema: str | None = None, metadata: sa.MetaData | None = None) -> sa.Table:
    """Describe the table of calls: one row per call id; a retry keeps its id, a callback has its own.

    :param name: of the table; `schema.name` is understood too.
    :param schema: where it lives; the connection's default when left out.
    :param metadata: to add it to; its own when left out.
    :return: a SQLAlchemy table; nothing is created.
    """
    # fmt: off
    columns = [
        column("call_id", Key, "history `id`", "the call; a retry keeps it", primary_key=True),
        column("bulk_list_id", Key, "the filter it was read with", "the list, which is the campaign; NULL for single calls and callbacks", index=True),
        column("agent_id", Key, "history `agent.id`, details `agent_id`", "the agent that called"),
        column("agent_name", Text, "history `agent.agent_name`", "its name then"),
        column("call_type", Key, "history `call_type`, details `call_direction`", "outbound, inbound, webcall, callback, voicemail", index=True),
        column("to_number", Key, "history and details `to_number`", "who was called, as the platform writes it; personal"),
        column("to_number_e164", Key, "`to_number`", "the same as `+` and digits, which joins contacts; personal", index=True),
        column("from_number", Key, "history `from_numbers[0]`, details `from_number`", "the caller number", index=True),
        column("callee_name", Text, "history `name`, details `callee_name`", "personal"),
        column("status", Key, "history `status`, details `call_status`", "registered, ongoing, retry, completed, failed, error, cancelled, forwarded, or a new one"),
        column("sub_status", Text, "history `sub_status`, details `call_sub_status`", "why; an open set"),
        column("is_final", sa.Boolean, "`status`", "no other status is to come"),
        column("created_at", UtcDateTime, "history `created_at`", "when the platform registered the call"),
        column("attempted_at", UtcDateTime, "history `call_attempt_time`, details `initiation_time`", "the last attempt"),
        column("duration_seconds", Seconds, "history `call_duration`", "seconds"),
        column("cost", Money, "history `call_cost`", "in credits, or in `currency`"),
        column("currency", Key, "history `currency`", "only newer answers give it"),
        column("cost_final", sa.Boolean, "history `credits_processed`", "false while the platform still computes the cost"),
        column("voicemail_detected", sa.Boolean, "history `voicemail_detected`, webhooks `sub_status`", "an answering machine took the call"),
        column("summary", Text, "details `platform_analysis.summary`", "what was said; personal"),
        column("classification", Text, "details `platform_analysis.classification`", "the disposition"),
        column("sentiment", Text, "details `platform_analysis.sentiment`", "positive, neutral, negative"),
        column("callback_requested", sa.Boolean, "details `platform_analysis.callback_requested`", "the callee asked to be called back"),
        column("callback_requested_time", Text, "details `platform_analysis.callback_requested_time`", "when; as the platform writes it, since its format is not documented"),
        column("disconnect_reason", Text, "details `platform_analysis.call_disconnect_reason`", "agent_hangup, user_hangup"),
        column("platform_analysis", Json, "details `platform_analysis`", "the whole block; personal"),
        column("client_analysis", Json, "details `client_analysis`", "the agent's own analysis; personal"),
        column("transcript", Json, "history `transcript`, details `transcription_url`", '`[{"speaker": "bot" or "user", "text": "..."}]`; personal'),
        column("recording_url", Text, "history `audio_recording`, details `recording_url`", "a link that dies after 24 hours"),
        column("recording_path", Text, "`recordings_path`", "where the recording was stored"),
        column("recording_bytes", sa.BigInteger, "the recording", "its size"),
        column("raw", Json, "history", "the whole row, unknown fields too, without transcript and recording; personal"),
        column("details_raw", Json, "details", "fields of the details that are not known here"),
        column("webhook_raw", Json, "webhook `all_processing_completed`", "its fields that are not known here; personal"),
        column("told_at", UtcDateTime, "webhooks", "when the last one of this call came; NULL: none did"),
        column("settled_at", UtcDateTime, "webhook `all_processing_completed`", "when it came: nothing more is read of the call"),
        column("status_since", UtcDateTime, "this provider", "when the present status was first read"),
        column("history_state", Key, "this provider", "open (will be read again), complete, incomplete (given up)", index=True),
        column("history_reason", Text, "this provider", "what is missing; NULL when complete"),
        column("first_read_at", UtcDateTime, "this provider", "when the row was first written"),
        column("changed_at", UtcDateTime, "this provider", "when a reading last brought something new", index=True),
        column("read_at", UtcDateTime, "this provider", "when the platform was last asked for it"),
        column("erased_at", UtcDateTime, "your retention job", "set it when personal data are erased: the row is never written again"),
    ]
    # fmt: on
    return described(name, *columns, schema=schema, metadata=metadata)


def campaigns_table(
    name: str = CAMPAIGNS, *, schema: str | None = None, metadata: sa.MetaData | None = None
) -> sa.Table:
    """Describe the table of campaigns: one row per list that was ever seen, with what became of its calls.

    :param name: of the table; `schema.name` is understood too.
    :param schema: where it lives; the connection's default when left out.
    :param metadata: to add it to; its own when left out.
    :return: a SQLAlchemy table; nothing is created.
    """
    # fmt: off
    columns = [
        column("campaign_id", Key, "`id`", "the same value as `list_id` and `bulk_list_id`", primary_key=True),
        column("name", Text, "`name`", "the campaign's name"),
        column("agent_id", Key, "`agent_id`", "only newer answers give it"),
        column("status", Key, "`campaign_status`", "as the platform writes it"),
        column("state", Key, "`campaign_status`", "preparing, draft, insufficient_balance, scheduled, running, paused, completed, terminated, failed, not_a_campaign, unknown"),
        column("created_at", UtcDateTime, "`created_at`", "when the list was uploaded", index=True),
        column("updated_at", UtcDateTime, "`updated_at`", "when the platform last touched it"),
        column("campaign_start_time", UtcDateTime, "`campaign_start_time`", "planned"),
        column("campaign_end_time", UtcDateTime, "`campaign_end_time`", "planned"),
        column("total_count", sa.BigInteger, "`total_count`, else `total_calls`", "the platform's own count of its calls"),
        column("registered_count", sa.BigInteger, "`registered_count`", "of them, not dialled yet"),
        column("completed_count", sa.BigInteger, "`completed_count`", "of them, completed"),
        column("calls", sa.BigInteger, "`ringg_calls`", "calls in the table"),
        column("calls_open", sa.BigInteger, "`ringg_calls`", "of them, still open"),
        column("calls_incomplete", sa.BigInteger, "`ringg_calls`", "of them, given up"),
        column("calls_completed", sa.BigInteger, "`ringg_calls`", "of them, with status completed"),
        column("calls_dialled", sa.BigInteger, "`ringg_calls`", "of them, dialled at least once"),
        column("calls_connected", sa.BigInteger, "`ringg_calls`", "of them, taken by a person or a machine"),
        column("calls_reached", sa.BigInteger, "`ringg_calls`", "of them, taken by a person"),
        column("cost", Money, "`ringg_calls`", "the sum over its calls"),
        column("first_call_at", UtcDateTime, "`ringg_calls`", "the earliest attempt"),
        column("last_call_at", UtcDateTime, "`ringg_calls`", "the latest attempt"),
        column("raw", Json, "`/campaign/all`", "the whole row, unknown fields too"),
        column("history_state", Key, "this provider", "open (will be read again), complete, incomplete (closed, calls given up)", index=True),
        column("history_reason", Text, "this provider", "what is missing; NULL when complete"),
        column("calls_read_at", UtcDateTime, "this provider", "when its calls were last asked for"),
        column("first_read_at", UtcDateTime, "this provider", "when the row was first written"),
        column("read_at", UtcDateTime, "this provider", "when the platform was last asked for it"),
    ]
    # fmt: on
    return described(name, *columns, schema=schema, metadata=metadata, field="campaigns_table")


def state_table(name: str = STATE, *, schema: str | None = None) -> sa.Table:
    """Describe the table that says how far the history has been read: one row per table of calls.

    :param name: of the table.
    :param schema: where it lives: beside the table of calls.
    :return: a SQLAlchemy table; nothing is created.
    """
    # fmt: off
    columns = [
        column("calls_table", Key, "this provider", "the name of the table of calls, or of promises that are made of it", primary_key=True),
        column("read_until", UtcDateTime, "this provider", "every call up to this time was read by date; for promises: every call that changed up to then was looked at"),
        column("changed_at", UtcDateTime, "this provider", "when this was last moved"),
    ]
    # fmt: on
    return described(name, *columns, schema=schema)
