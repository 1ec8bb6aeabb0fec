"""What a webhook of Ringg says about a call, as rows of the tables; nothing here knows a database.

A call is told of several times, in any order, and each time again. So several tellings are folded into one row by the
same rule that merges a row into the table: what is further on stands, and the rest fills in what that lacks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from ringg_provider.history.rows import Row, analysis_columns, transcript
from ringg_provider.ringg.responses import CallStatus, Webhook, WebhookEvent
from ringg_provider.sql import fitting

# fmt: off
_KNOWN = frozenset({
    "event_type", "call_id", "status", "sub_status", "bulk_list_id", "agent_id", "agent_name", "call_type", "to_number",
    "from_number", "created_at", "called_on", "call_duration", "call_cost", "transcript", "recording_url", "attempts",
    "platform_analysis", "client_analysis", "analysis_data",
})
# fmt: on


def call_row(event: Webhook, *, received_at: dt.datetime, read_at: dt.datetime, transcripts: bool) -> Row:
    """Turn a webhook into a partial row of `ringg_calls`; what it says nothing about is None.

    :param event: as the platform sent it.
    :param received_at: when it came.
    :param read_at: the present time.
    :param transcripts: whether to keep what was said.
    """
    kind = event.event_type
    row: Row = {
        "call_id": fitting.key(event.call_id.strip()),
        "bulk_list_id": fitting.key(event.bulk_list_id),
        "agent_id": fitting.key(event.agent_id),
        "agent_name": fitting.text(event.agent_name),
        "call_type": fitting.key(event.call_type),
        "to_number": fitting.key(event.to_number),
        "to_number_e164": fitting.e164(event.to_number),
        "from_number": fitting.key(event.from_number),
        "callee_name": fitting.text((event.custom_args_values or {}).get("callee_name")),
        "status": fitting.key(event.status) or None,
        "sub_status": fitting.text(event.sub_status),
        "created_at": fitting.moment(event.created_at),
        "attempted_at": fitting.moment(event.called_on),
        "told_at": received_at,
        "read_at": read_at,
    }
    if kind == WebhookEvent.RECORDING_COMPLETED:
        row["recording_url"] = fitting.text(event.recording_url)
    if _has_ended(event):
        # Of an attempt that another one follows, these are not the call's.
        row |= {
            "duration_seconds": fitting.number(event.call_duration),
            "voicemail_detected": _voicemail(event),
            "transcript": transcript(event.transcript) if transcripts else None,
            "recording_url": fitting.text(event.recording_url),
        }
    if kind == WebhookEvent.PLATFORM_ANALYSIS_COMPLETED:
        row |= _analysis(event.analysis_data)
    elif kind == WebhookEvent.CLIENT_ANALYSIS_COMPLETED:
        row["client_analysis"] = fitting.document(event.analysis_data) or None
    elif is_last_word(event):
        row |= _analysis(event.platform_analysis)
        row |= {
            "client_analysis": fitting.document(event.client_analysis) or None,
            # Before, the platform may still be computing it.
            "cost": fitting.number(event.call_cost),
            "cost_final": True if event.call_cost is not None or not _was_taken(event) else None,
            "webhook_raw": fitting.document({k: v for k, v in event.raw.items() if k not in _KNOWN}) or None,
            "settled_at": received_at,
        }
    return row


def is_last_word(event: Webhook) -> bool:
    """Whether nothing more will be told of the call."""
    return event.event_type == WebhookEvent.ALL_PROCESSING_COMPLETED and _has_ended(event)


def _has_ended(event: Webhook) -> bool:
    return (event.status or "").lower() in CallStatus.FINAL


def _was_taken(event: Webhook) -> bool:
    return (event.status or "").lower() in CallStatus.TAKEN


def _voicemail(event: Webhook) -> bool | None:
    """Whether a machine took the call; the history says so by a field of its own, a webhook by its sub-status."""
    if not _was_taken(event):
        return False
    return None if event.sub_status is None else CallStatus.is_machine(None, event.sub_status)


def _analysis(block: dict[str, Any] | None) -> Row:
    # A word about the webhook; the details have none.
    return analysis_columns({name: value for name, value in (block or {}).items() if name != "status"})


#: The time of a ring is told with a fraction of a second in one place, and without in another.
_SAME_RING = dt.timedelta(seconds=2)


def attempt_rows(event: Webhook, *, read_at: dt.datetime) -> list[Row]:
    """Turn a webhook into rows of `ringg_attempts`: its list of them, and the ring that it is about itself.

    :param event: as the platform sent it.
    :param read_at: the present time.
    """
    call_id = fitting.key(event.call_id.strip())
    rows: list[Row] = []
    for number, ring in enumerate(event.attempts or (), start=1):
        if called_on := fitting.moment(ring.called_on_time):
            row = _attempt(call_id, called_on, read_at, attempt=number, status=fitting.text(ring.status))
            # Where time runs faster, as in a sandbox, a second has room for several.
            while row["rang_in"] in {each["rang_in"] for each in rows}:
                row["rang_in"] += 1
            rows.append(row)
    if called_on := fitting.moment(event.called_on):
        from_number = fitting.key(event.from_number)
        last = rows[-1] if rows else None
        if last is not None and abs(last["called_on"] - called_on) < _SAME_RING:
            last |= {"called_on": max(last["called_on"], called_on), "from_number": from_number}
        else:
            words = fitting.text(event.sub_status or event.status) if event.status else None
            rows.append(_attempt(call_id, called_on, read_at, status=words, from_number=from_number))
    return rows


def _attempt(call_id: str | None, called_on: dt.datetime, read_at: dt.datetime, **more: Any) -> Row:
    second = int(called_on.timestamp())
    empty = {"attempt": None, "status": None, "from_number": None}
    return {"call_id": call_id, "rang_in": second, "called_on": called_on, "read_at": read_at, **empty, **more}


def fold_calls(rows: Iterable[Row]) -> list[Row]:
    """Make one row of each call out of several, by the rule of `ringg_provider.history.merging.told`."""
    of_call: dict[str, list[Row]] = {}
    for row in rows:
        of_call.setdefault(row["call_id"], []).append(row)
    return [_together(sorted(of_one, key=_further)) for of_one in of_call.values()]


def _together(ascending: list[Row]) -> Row:
    folded: Row = {}
    for row in ascending:
        folded |= {name: value for name, value in row.items() if value is not None}
    return folded | {"told_at": max(row["told_at"] for row in ascending)}


_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def _further(row: Row) -> tuple[Any, ...]:
    """How far on a row is, to sort by."""
    word = (row["status"] or "").lower()
    progress = 0 if word == "registered" else 2 if word in CallStatus.FINAL else 1
    if not row["status"]:
        return (-1,)
    if progress == 2:
        return (progress, row.get("settled_at") is not None)
    return (progress, row["attempted_at"] or _NEVER, row["status"])


def fold_attempts(rows: Iterable[Row]) -> list[Row]:
    """Make one row of each ring out of several, by the rule of `ringg_provider.history.attempts.merge_attempts`."""
    folded: dict[tuple[str, int], Row] = {}
    # Those of the longest list last, whose words stand.
    for row in sorted(rows, key=lambda row: row["attempt"] or 0):
        known = folded.setdefault((row["call_id"], row["rang_in"]), row)
        if known is not row:
            exact = max(known["called_on"], row["called_on"])
            known |= {name: value for name, value in row.items() if value is not None} | {"called_on": exact}
    return list(folded.values())
