"""What a delivery is about: its event, its call and its campaign, out of a body that anybody could have written.

What it means for a row is `apply.py`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

#: How deep the containers of a payload may be nested; the vendors' own have five levels.
DEEPEST = 64

# No database takes a NUL in text, nor half a character; and no id has a line break.
_IDENTIFIER = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,191}")
_IDENTIFIER_RULE = "must be text of 1 to 191 characters"


class Unreadable(ValueError):
    """A payload cannot be read.

    :param reason: why; no value of the payload is in it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Reading:
    """What a payload is about.

    :param event_type: as the platform writes it, such as `call_completed`; perhaps one that is not known here.
    :param call_id: the call; None where the event is not of one.
    :param bulk_list_id: the campaign; None for single calls.
    :param document: the payload, decoded; at most `DEEPEST` levels.
    """

    event_type: str
    call_id: str | None
    bulk_list_id: str | None
    document: Mapping[str, Any] = field(repr=False)


def read_ringg(body: bytes) -> Reading:
    """Read a delivery of Ringg.

    https://docs.ringg.ai/webhooks/payloads

    :param body: as it came.
    :raises Unreadable: it is not JSON, not an object, nested too deeply, or names no event; or an id of it is none.
    """
    document = _decode(body)
    return Reading(
        event_type=_event(document, "event_type"),
        call_id=_identifier(document, "call_id"),
        bulk_list_id=_identifier(document, "bulk_list_id"),
        document=document,
    )


def read_smartalex(body: bytes) -> Reading:
    """Read a delivery of SmartAlex: `{"id", "type", "created_at", "data"}`.

    What `data` holds is on no page, so an event of a call is taken for one with that call in it, and an event of a
    campaign for one with that campaign, as the platform's other answers have them.

    https://docs.getsmartalex.com/api-reference/webhooks

    :param body: as it came.
    :raises Unreadable: as for `read_ringg`.
    """
    document = _decode(body)
    event_type = _event(document, "type")
    data = document.get("data")
    about: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    kind = event_type.partition(".")[0]

    def named(what: str) -> str | None:
        return _identifier(about, f"{what}_id") or (_identifier(about, "id") if kind == what else None)

    return Reading(event_type=event_type, call_id=named("call"), bulk_list_id=named("campaign"), document=document)


def _decode(body: bytes) -> Mapping[str, Any]:
    """A JSON object; what raises leaves no trace in our error, because it quotes the body."""
    try:
        document = json.loads(body, parse_constant=_refuse)
    # A text that is no UTF-8, a number of more digits than Python reads; and thousands of brackets.
    except (ValueError, RecursionError):
        document = None
    if document is None:
        raise Unreadable("it is not JSON")
    if not isinstance(document, dict):
        raise Unreadable("it is not a JSON object")
    if _is_deeper(document, DEEPEST):
        raise Unreadable(f"it is nested more than {DEEPEST} levels deep")
    return document


def _refuse(_: str) -> NoReturn:
    """NaN and the infinities, which Python reads and no database takes."""
    raise ValueError


def _is_deeper(document: Any, levels: int) -> bool:
    """Whether containers are nested deeper; without recursion, which is what it protects others from."""
    level = [document]
    while level and levels:
        level = [item for each in level for item in (each.values() if isinstance(each, dict) else each)]
        level = [item for item in level if isinstance(item, dict | list)]
        levels -= 1
    return bool(level)


def _event(document: Mapping[str, Any], name: str) -> str:
    event_type = _identifier(document, name)
    if event_type is None:
        raise Unreadable(f"{name} is missing")
    return event_type


def _identifier(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise Unreadable(f"{name} {_IDENTIFIER_RULE}")
    return value
