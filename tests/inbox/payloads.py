# ruff: noqa: E501 - a line per body reads better
"""Bodies that a receiver of webhooks may be sent: those of the vendors' pages, and those that break something."""

from __future__ import annotations

import json
from typing import Any

CALL, CAMPAIGN = "0b9e7a52-5a3a-4c3c-9f0e-1d2c3b4a5f60", "123e4567-e89b-42d3-a456-426614174000"
#: What no log and no error may hold.
NUMBER, NAME, SAID = "+919876540987", "Zyxmarkedname", "my secret words"


def ringg(event_type: str = "call_completed", **fields: Any) -> bytes:
    """A delivery of Ringg, with the fields of https://docs.ringg.ai/webhooks/payloads."""
    document = {
        "event_type": event_type,
        "call_id": CALL,
        "parent_call_id": None,
        "agent_id": "22222222-2222-4222-8222-222222222222",
        "workspace_id": "c3",
        "status": "completed",
        "sub_status": "ACCEPTED",
        "call_type": "outbound",
        "call_duration": 15.73,
        "custom_args_values": {"callee_name": NAME},
        "to_number": NUMBER,
        "from_number": "+919876540111",
        "bulk_list_id": CAMPAIGN,
        "called_on": "2026-08-04T12:29:13.310707Z",
        "created_at": "2026-08-04T12:29:13.315211Z",
        "call_cost": 0.15,
        "transcript": [{"bot": "Hi"}, {"user": SAID}],
        "retry_count": 0,
        "attempts": [{"status": "ACCEPTED", "called_on_time": "2026-08-04T12:29:13Z"}],
        "recording_url": None,
        "tool_call_logs": [],
    }
    return json.dumps(document | fields).encode()


def smartalex(type_: str = "call.completed", **data: Any) -> bytes:
    """A delivery of SmartAlex, with the fields of https://docs.getsmartalex.com/api-reference/webhooks."""
    document = {"id": "evt_xyz789", "type": type_, "created_at": "2026-04-28T10:00:00Z", "data": data}
    return json.dumps(document).encode()


def _with_call_id(written: str) -> bytes:
    return f'{{"event_type": "call_completed", "call_id": {written}, "note": "{SAID}"}}'.encode()


#: What cannot be read, and why not.
UNREADABLE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is not JSON"),
    "a word": (SAID.encode(), "it is not JSON"),
    "cut": (ringg()[:-20], "it is not JSON"),
    "null": (b"null", "it is not JSON"),
    "a list": (b"[]", "it is not a JSON object"),
    "a number": (b"12", "it is not a JSON object"),
    "no UTF-8": (b'{"event_type": "call_completed", "note": "\xff\xfe"}', "it is not JSON"),
    "a NUL": (b'{"event_type": "call_completed"}\0', "it is not JSON"),
    "only NULs": (b"\0" * 100, "it is not JSON"),
    "not a number": (b'{"event_type": "call_completed", "call_cost": NaN}', "it is not JSON"),
    "an infinity": (b'{"event_type": "call_completed", "call_cost": -Infinity}', "it is not JSON"),
    "a number of 5,000 digits": (b'{"event_type": "call_completed", "call_cost": ' + b"9" * 5000 + b"}", "it is not JSON"),
    "100,000 brackets": (b"[" * 100_000, "it is not JSON"),
    "100,000 braces": (b'{"a":' * 100_000, "it is not JSON"),
    "500,000 closed brackets": (b"[" * 500_000 + b"]" * 500_000, "it is not JSON"),
    "500 levels": (b'{"a":' * 500 + b"1" + b"}" * 500, "it is nested more than 64 levels deep"),
    "a form": (b"event_type=call_completed", "it is not JSON"),
    "no event": (b'{"call_id": "c"}', "event_type is missing"),
    "a legacy callback": (b'{"status": "success", "data": {"call_id": "c"}}', "event_type is missing"),
    "an event that is a list": (b'{"event_type": ["call_completed"]}', "event_type must be text of 1 to 191 characters"),
    "an empty event": (b'{"event_type": ""}', "event_type must be text of 1 to 191 characters"),
    "an id that is a number": (_with_call_id("12"), "call_id must be text of 1 to 191 characters"),
    "an id that is true": (_with_call_id("true"), "call_id must be text of 1 to 191 characters"),
    "an id that is an object": (_with_call_id('{"a": 1}'), "call_id must be text of 1 to 191 characters"),
    "an id with a NUL": (_with_call_id('"c\\u0000"'), "call_id must be text of 1 to 191 characters"),
    "an id with half a character": (_with_call_id('"c\\ud800"'), "call_id must be text of 1 to 191 characters"),
    "an id with a line break": (_with_call_id('"c\\n"'), "call_id must be text of 1 to 191 characters"),
    "an id that is too long": (_with_call_id(f'"{"c" * 192}"'), "call_id must be text of 1 to 191 characters"),
    "a campaign that is a number": (ringg(bulk_list_id=7), "bulk_list_id must be text of 1 to 191 characters"),
}  # fmt: skip

#: What can be read, and is hard on a database or on whoever decodes it.
HARD: dict[str, bytes] = {
    "a NUL in a text": ringg(summary="a\0b"),
    "half a character in a text": ringg(summary="a\ud800b"),
    "a number that is no float": b'{"event_type": "call_completed", "call_id": "c", "call_cost": 1e999}',
    "a number of 4,000 digits": b'{"event_type": "call_completed", "call_id": "c", "call_cost": ' + b"9" * 4000 + b"}",
    "60 levels": b'{"event_type": "call_completed", "a":' + b"[" * 60 + b"]" * 60 + b"}",
    "a byte order mark": b"\xef\xbb\xbf" + ringg(),
    "UTF-16": ringg().decode().encode("utf-16"),
    "four bytes a character": ringg(summary="\U0001f4de" * 100),
    "four bytes a character, not escaped": b'{"event_type": "x", "note": "' + "\U0001f4de".encode() * 100 + b'"}',
    "the same name twice": b'{"event_type": "call_started", "event_type": "call_completed", "call_id": "c"}',
    "backslashes and quotes": ringg(summary="\\'\"%s%(x)s\\N\t\r\n"),
    "an empty name": b'{"": 1, "event_type": "x"}',
    "an unknown event": ringg("call_teleported"),
    "no call": ringg("chat_completed", call_id=None, bulk_list_id=None),
}
