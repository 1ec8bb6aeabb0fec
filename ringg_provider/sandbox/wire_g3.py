"""What generation 3 of the vendor's documentation words differently, and its dashboard's fixtures (FX)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ringg_provider.sandbox.workspace import Agent
from ringg_provider.sandbox.world import Campaign, UploadView, World

NUMBER_FIELDS = {"owner": "ringg", "is_relay": False}


def instant(when: float | None) -> str | None:
    """ISO 8601 in UTC with microseconds and offset."""
    return None if when is None else datetime.fromtimestamp(when, UTC).isoformat(timespec="microseconds")


def workspace_fields(world: World) -> dict[str, Any]:
    balance = float(world.balance)
    return {"credits": balance, "locked_credits": 0.0, "total_available_credits": balance}


def agent_row_fields(agent: Agent) -> dict[str, Any]:
    versions = [{"version_id": agent.version_id, "version_slug": "v1", "is_archived": False}]
    return {"versions": versions, "call_frequency_cap": None}


def agent_fields(agent: Agent, variables: Any) -> dict[str, Any]:
    return {
        "form_fields": [],
        "is_ab_live": False,
        "active_agent_version_id": agent.version_id,
        "ab_versions": [],
        "version_details": {agent.version_id: _version(agent, variables)},
    }


def _version(agent: Agent, variables: Any) -> dict[str, Any]:
    shared = {"call_config": agent.call_config, "event_subscriptions": agent.event_subscriptions, "tools": []}
    if agent.mode == "multi_node":
        return {**shared, "custom_variables": variables, "additional_languages": []}
    prompt = " ".join(f"@{{{{{name}}}}}" for name in agent.variables)
    return {
        **shared,
        "language": "en-IN",
        "voice": {
            "id": "voice-1",
            "name": "Asha",
            "voice_preview": "https://example.com/voice.mp3",
            "image_url": None,
        },
        "agent_config": {
            "agent_prompt": {"prompt_sections": [{"section_title": "Task", "section_content": prompt}]},
            "intro_message": "Hello @{{callee_name}}!",
            "custom_variables": variables,
        },
        "knowledge_bases": [],
    }


def campaign_fields(campaign: Campaign) -> dict[str, Any]:
    """`total_calls` is the number of valid contacts, known once the list was verified."""
    return {
        "agent_id": campaign.agent_id,
        "total_calls": len(campaign.contacts),
        "invalidated_rows_count": campaign.invalid_rows,
    }


def upload_accepted(campaign: Campaign) -> dict[str, Any]:
    return {
        "message": "CSV uploaded successfully. Processing in background.",
        "bulk_list_id": campaign.id,
        "status": "verifying",
        "total_rows": campaign.total_rows,
        "campaign_name": campaign.name,
    }


def upload_accepted_fx(campaign: Campaign) -> dict[str, Any]:
    return {**upload_accepted(campaign), "message": "CSV uploaded", "status": "in_db"}


def upload_status(view: UploadView) -> dict[str, Any]:
    return {
        "bulk_list_id": view.campaign.id,
        "status": view.word,
        "campaign_name": view.campaign.name,
        "total_callees": len(view.campaign.contacts),
        "invalidated_rows_count": view.campaign.invalid_rows,
    }


def upload_status_fx(view: UploadView) -> dict[str, Any]:
    return {
        "status": view.word,
        "campaign_id": view.campaign.id,
        "total_contacts": len(view.campaign.contacts),
        "invalidated_rows_count": view.campaign.invalid_rows,
        "invalid_entries_file": view.report_url,
    }


def balance(campaign: Campaign, world: World) -> dict[str, Any]:
    if world.can_afford(campaign):
        return {
            "status": "draft",
            "message": "Balance is sufficient. You can now start the campaign via /make-call-async.",
            "bulk_list_id": campaign.id,
            "total_callees": len(campaign.contacts),
        }
    return {
        "status": "insufficient_balance",
        "message": "Insufficient balance to start this campaign.",
        "required_credits": float(world.required_credits(campaign)),
        "additional_balance_required": float(world.shortfall(campaign)),
    }
