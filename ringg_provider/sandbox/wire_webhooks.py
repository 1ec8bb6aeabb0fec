"""What Ringg's webhooks say (https://docs.ringg.ai/webhooks/payloads)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from ringg_provider.sandbox.calls import Call, platform_analysis, transcript
from ringg_provider.sandbox.wire import attempts
from ringg_provider.sandbox.workspace import WORKSPACE_ID
from ringg_provider.sandbox.world import World

# What the event of a recording leaves out of what all others have.
_NOT_OF_A_RECORDING = ("status", "agent_id", "workspace_id", "version_slug", "version_description")


def payload(event: str, call: Call, world: World, recording_url: str | None) -> dict[str, Any]:
    """The body of one event of a call, as it is at this moment."""
    known = _common(event, call, world)
    match event:
        case "call_started":
            return known | _started(call, world)
        case "call_completed":
            own = {"retry_count": 0, "attempts": _attempts(call), "recording_url": None}
            return known | _ended(call, world) | own
        case "recording_completed":
            kept = {name: value for name, value in known.items() if name not in _NOT_OF_A_RECORDING}
            return kept | {"recording_url": recording_url, "recording_duration": call.duration}
        case "platform_analysis_completed":
            return known | _ended(call, world) | {"entity_type": "call", "analysis_data": _analysis(call, world)}
        case "client_analysis_completed":
            keys = dict(world.settings.client_analysis)
            return known | _ended(call, world) | {"entity_type": "call", "analysis_data": keys}
        case _:
            full = _ended(call, world) if world.settings.all_processing_shape == "full" else {}
            return known | full | _all(call, world, recording_url)


def _common(event: str, call: Call, world: World) -> dict[str, Any]:
    agent = world.workspace.agents[call.agent_id]
    begun = event != "call_started"
    spoken = begun and call.connected
    direct = {"parent_call_id": call.parent_call_id} if world.settings.is_g3 else {}
    return {
        "event_type": event,
        "call_id": call.id,
        **direct,
        "call_sid": _derived(call, "sid") if begun and call.attempts else None,
        "agent_id": agent.id,
        "workspace_id": WORKSPACE_ID,
        "status": call.status,
        "sub_status": "ACCEPTED" if call.status == "ongoing" else call.sub_status,
        "custom_args_values": call.variables,
        "bulk_list_id": call.list_id,
        "agent_name": agent.name,
        "version_id": agent.version_id,
        "version_slug": "v1",
        "version_description": "Initial version",
        "call_cost": float(call.cost) if begun else None,
        "overall_latency_seconds": 0.89 if spoken else None,
        "first_utterance_seconds": 0.45 if spoken else None,
        "tool_call_logs": [],
    }


def _started(call: Call, world: World) -> dict[str, Any]:
    return {
        "event_id": _derived(call, f"started {call.status}"),
        "version": "1.0",
        "timestamp": _instant(world.events.wall()),
        "call_type": call.call_type,
        "calling_source": "plivo",
        "to_number": call.to_number,
        "from_number": call.attempts[-1].from_number if call.attempts else None,
        "called_on": None,
        "created_at": None,
    }


def _ended(call: Call, world: World) -> dict[str, Any]:
    turns = transcript(call, world.settings)
    return {
        "call_type": call.call_type,
        "call_duration": call.duration,
        "agent_message_count": sum("bot" in turn for turn in turns),
        "user_message_count": sum("user" in turn for turn in turns),
        "to_number": call.to_number,
        "from_number": call.attempts[-1].from_number if call.attempts else None,
        "called_on": _instant(call.called_at),
        "created_at": _instant(call.created_at),
        "transcript": turns,
    }


def _all(call: Call, world: World, recording_url: str | None) -> dict[str, Any]:
    own: dict[str, Any] = dict(world.settings.client_analysis)
    return {
        "recording_url": recording_url,
        "platform_analysis": _analysis(call, world),
        "platform_analysis_status": "success",
        "client_analysis": own or None,
        "client_analysis_status": "success" if own else "not_enabled",
        "transcript": transcript(call, world.settings),
    }


def _analysis(call: Call, world: World) -> dict[str, Any]:
    return platform_analysis(call, world.settings) | {"status": "analyzed"}


def _attempts(call: Call) -> list[dict[str, Any]]:
    """As the history has them, but for their times, which come without fractions here."""
    whole = [datetime.fromtimestamp(int(attempt.started_at), UTC) for attempt in call.attempts]
    return [
        {**said, "called_on_time": f"{at:%Y-%m-%dT%H:%M:%SZ}"} for said, at in zip(attempts(call), whole, strict=True)
    ]


def _instant(when: float | None) -> str | None:
    """`2026-08-04T12:29:13.310707Z`."""
    return None if when is None else f"{datetime.fromtimestamp(when, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _derived(call: Call, what: str) -> str:
    """An id that is always the same for the same call."""
    return str(uuid.UUID(bytes=blake2b(f"{call.id}|{what}".encode(), digest_size=16).digest(), version=4))
