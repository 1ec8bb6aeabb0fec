"""What generation 2 of the vendor's documentation (May to August 2026) words differently from generation 3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ringg_provider.sandbox.workspace import Agent
from ringg_provider.sandbox.world import Campaign, UploadView, World

# The listing's words. Verification is "processing" here and not the enum's "pending", which reads like a start.
STATUS_WORDS: dict[str | None, str] = {
    "verifying": "processing",
    "no_valid_contacts": "failed",
    "preparing": "registered",
    "in_db": "registered",
    "scheduled": "registered",
    "ongoing": "running",
}

NUMBER_FIELDS = {"owner": "owner@example.com"}


def instant(when: float | None) -> str | None:
    """`2024-01-15T14:30:00Z`, rounded down to whole seconds."""
    return None if when is None else f"{datetime.fromtimestamp(int(when), UTC):%Y-%m-%dT%H:%M:%SZ}"


def workspace_fields(world: World) -> dict[str, Any]:
    # Early answers of this generation carried the key itself; clients must drop it.
    return {"credits": int(world.balance), "locked_credits": 0, "api_key": world.settings.api_key}


_TEMPLATE: dict[str, Any] = {
    "template_name": "sales",
    "template_label": "Sales Agent",
    "template_icon": "",
    "template_source": "custom",
    "secondary_language": None,
    "secondary_voice_id": None,
    "tools": [],
}


def agent_row_fields(agent: Agent) -> dict[str, Any]:
    return {
        **_TEMPLATE,
        "call_count": 0,
        "custom_variables": dict.fromkeys(agent.variables, "string"),
        "is_archived": False,
    }


def agent_fields(agent: Agent, variables: Any) -> dict[str, Any]:
    return {
        **_TEMPLATE,
        "language": "en-IN",
        "whitelisted_domains": [],
        "knowledge_base_id": None,
        "knowledge_base_name": None,
        "voice": {"id": "voice-1", "name": "Asha", "voice_preview": "https://example.com/voice.mp3"},
        "form_fields": [{"key": "company_name", "value": "Example"}],
        "agent_config": {
            "custom_variables": variables,
            "agent_prompt": "You call on behalf of Example.",
            "intro_message": "Hello @{{callee_name}}!",
        },
        "version_details": {agent.version_id: {"event_subscriptions": agent.event_subscriptions}},
    }


def call_counters(campaign: Campaign, *, started: bool) -> dict[str, int]:
    """The counters that `call_count=true` adds; all zero for a campaign that does not look started."""
    counts = campaign.counts if started else {}
    return {
        "total_count": sum(counts.values()),
        "registered_count": counts.get("registered", 0),
        "completed_count": counts.get("completed", 0),
    }


def upload_word(state: str | None, progress: float) -> str:
    """`uploaded`, `processing`, then `completed` for good: this vocabulary speaks of the upload alone."""
    if state == "verifying":
        return "uploaded" if progress < 0.25 else "processing"
    return "failed" if state in ("no_valid_contacts", "failed") else "completed"


def upload_accepted_guide(campaign: Campaign) -> dict[str, Any]:
    return {"bulk_list_id": campaign.id, "status": "uploaded", "message": "CSV upload accepted for processing"}


def upload_accepted_openapi(campaign: Campaign) -> dict[str, Any]:
    return {
        "bulk_list_id": campaign.id,
        "status": "verifying",
        "campaign_name": campaign.name,
        "total_callees": 0,
        "invalidated_rows_count": 0,
        "invalidated_rows_csv_url": None,
    }


def upload_status_guide(view: UploadView) -> dict[str, Any]:
    return {
        "bulk_list_id": view.campaign.id,
        "status": view.word,
        "total_rows": view.campaign.total_rows,
        "processed_rows": int(view.campaign.total_rows * view.progress),
        "successful_rows": len(view.campaign.contacts),
        "failed_rows": view.campaign.invalid_rows,
    }


def upload_status_openapi(view: UploadView) -> dict[str, Any]:
    return {
        "bulk_list_id": view.campaign.id,
        "status": view.word,
        "campaign_name": view.campaign.name,
        "total_callees": len(view.campaign.contacts),
        "invalidated_rows_count": view.campaign.invalid_rows,
        "invalidated_rows_csv_url": view.report_url,
    }


def balance_guide(campaign: Campaign, world: World) -> dict[str, Any]:
    return {
        "bulk_list_id": campaign.id,
        "required_credits": float(world.required_credits(campaign)),
        "available_credits": float(world.balance),
        "sufficient_balance": world.can_afford(campaign),
    }


def balance_openapi(campaign: Campaign, world: World) -> dict[str, Any]:
    enough = world.can_afford(campaign)
    return {
        "status": "draft" if enough else "insufficient_balance",
        "bulk_list_id": campaign.id,
        "message": "Balance is sufficient." if enough else "Insufficient balance to start this campaign.",
    }
