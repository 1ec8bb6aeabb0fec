"""Answers as the vendor's second documentation generation (May to August 2026) shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .workspace import Agent, Number
from .world import Campaign, World

# The listing's words. Verification is "processing" here and not the enum's "pending", which reads like a start.
STATUS_WORDS: dict[str | None, str | None] = {
    "verifying": "processing",
    "no_valid_contacts": "failed",
    "preparing": "registered",
    "in_db": "registered",
    "scheduled": "registered",
    "ongoing": "running",
}


def instant(when: float | None) -> str | None:
    """`2024-01-15T14:30:00Z`, rounded down to whole seconds."""
    return None if when is None else f"{datetime.fromtimestamp(int(when), UTC):%Y-%m-%dT%H:%M:%SZ}"


def workspace_info(world: World, base: dict[str, Any]) -> dict[str, Any]:
    # Early answers of this generation carried the key itself; clients must drop it.
    return {**base, "credits": int(world.balance), "locked_credits": 0, "api_key": world.settings.api_key}


def number_row(number: Number, base: dict[str, Any]) -> dict[str, Any]:
    return {**base, "owner": "owner@example.com"}


def agent_row(agent: Agent, base: dict[str, Any]) -> dict[str, Any]:
    return {
        **base,
        "call_count": 0,
        "custom_variables": dict.fromkeys(agent.variables, "string"),
        "tools": [],
        "is_archived": False,
        "secondary_language": None,
        "secondary_voice_id": None,
    }


def agent_detail(agent: Agent, base: dict[str, Any], variables: Any) -> dict[str, Any]:
    return {
        **base,
        "language": "en-IN",
        "voice": {"id": "voice-1", "name": "Asha", "voice_preview": "https://example.com/voice.mp3"},
        "form_fields": [{"key": "company_name", "value": "Example"}],
        "agent_config": {
            "custom_variables": variables,
            "agent_prompt": "You call on behalf of Example.",
            "intro_message": "Hello @{{callee_name}}!",
        },
        "version_details": {agent.version_id: {"event_subscriptions": agent.event_subscriptions}},
        "tools": [],
    }


def campaign_row(
    campaign: Campaign, base: dict[str, Any], counted: bool, shown_as_started: bool
) -> dict[str, Any]:
    if not counted:
        return base
    counts = campaign.counts if shown_as_started else {}
    return {
        **base,
        "total_count": len(campaign.calls) if shown_as_started else 0,
        "registered_count": counts.get("registered", 0),
        "completed_count": counts.get("completed", 0),
    }


def _progress(campaign: Campaign, world: World) -> float:
    span = campaign.verify_until - campaign.verify_from
    return min(1.0, max(0.0, (world.events.now() - campaign.verify_from) / span)) if span > 0 else 1.0


def upload_word(state: str | None, campaign: Campaign, world: World) -> str:
    """`uploaded`, `processing`, then `completed` for good: this vocabulary speaks of the upload alone."""
    if state == "verifying":
        return "uploaded" if _progress(campaign, world) < 0.25 else "processing"
    if state == "no_valid_contacts" or state == "failed":
        return "failed"
    return "completed"


def upload_accepted_guide(campaign: Campaign) -> dict[str, Any]:
    return {
        "bulk_list_id": campaign.id,
        "status": "uploaded",
        "message": "CSV upload accepted for processing",
    }


def upload_accepted_openapi(campaign: Campaign) -> dict[str, Any]:
    return {
        "bulk_list_id": campaign.id,
        "status": "verifying",
        "campaign_name": campaign.name,
        "total_callees": 0,
        "invalidated_rows_count": 0,
        "invalidated_rows_csv_url": None,
    }


def upload_status_guide(
    campaign: Campaign, word: str, world: World, report_url: str | None
) -> dict[str, Any]:
    verifying = campaign.state == "verifying"
    return {
        "bulk_list_id": campaign.id,
        "status": word,
        "total_rows": campaign.total_rows,
        "processed_rows": int(campaign.total_rows * _progress(campaign, world))
        if verifying
        else campaign.total_rows,
        "successful_rows": len(campaign.contacts),
        "failed_rows": campaign.invalid_rows,
    }


def upload_status_openapi(
    campaign: Campaign, word: str, world: World, report_url: str | None
) -> dict[str, Any]:
    return {
        "bulk_list_id": campaign.id,
        "status": word,
        "campaign_name": campaign.name,
        "total_callees": len(campaign.contacts),
        "invalidated_rows_count": campaign.invalid_rows,
        "invalidated_rows_csv_url": report_url,
    }


def balance_guide(campaign: Campaign, world: World) -> dict[str, Any]:
    return {
        "bulk_list_id": campaign.id,
        "required_credits": float(world.required_credits(campaign)),
        "available_credits": float(world.balance),
        "sufficient_balance": world.can_afford(campaign),
    }


def balance_minimal(campaign: Campaign, world: World) -> dict[str, Any]:
    enough = world.can_afford(campaign)
    return {
        "status": "draft" if enough else "insufficient_balance",
        "bulk_list_id": campaign.id,
        "message": "Balance is sufficient." if enough else "Insufficient balance to start this campaign.",
    }


def make_call_accepted_page(campaign: Campaign) -> dict[str, Any]:
    return {"message": "Campaign calls scheduled", "bulk_list_id": campaign.id, "status": "scheduled"}


def make_call_accepted_guide(campaign: Campaign) -> dict[str, Any]:
    return {"bulk_list_id": campaign.id, "status": "scheduled", "message": "Large campaign calls queued"}
