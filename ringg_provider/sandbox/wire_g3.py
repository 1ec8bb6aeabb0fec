"""Answers as the vendor's third documentation generation shows them, and as its dashboard's fixtures do (FX)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .workspace import Agent, Number
from .world import Campaign, World

STATUS_WORDS: dict[str | None, str | None] = {}


def instant(when: float | None) -> str | None:
    """ISO 8601 in UTC with microseconds and offset."""
    return None if when is None else datetime.fromtimestamp(when, UTC).isoformat(timespec="microseconds")


def workspace_info(world: World, base: dict[str, Any]) -> dict[str, Any]:
    credits = float(world.balance)
    return {**base, "credits": credits, "locked_credits": 0.0, "total_available_credits": credits}


def number_row(number: Number, base: dict[str, Any]) -> dict[str, Any]:
    return {**base, "owner": "ringg", "is_relay": False}


def agent_row(agent: Agent, base: dict[str, Any]) -> dict[str, Any]:
    versions = [{"version_id": agent.version_id, "version_slug": "v1", "is_archived": False}]
    return {**base, "versions": versions, "call_frequency_cap": None}


def agent_detail(agent: Agent, base: dict[str, Any], variables: Any) -> dict[str, Any]:
    voice = {
        "id": "voice-1",
        "name": "Asha",
        "voice_preview": "https://example.com/voice.mp3",
        "image_url": None,
    }
    shared = {"call_config": agent.call_config, "event_subscriptions": agent.event_subscriptions, "tools": []}
    if agent.mode == "multi_node":
        version = {**shared, "custom_variables": variables, "additional_languages": []}
    else:
        prompt = " ".join(f"@{{{{{name}}}}}" for name in agent.variables)
        version = {
            **shared,
            "language": "en-IN",
            "voice": voice,
            "agent_config": {
                "agent_prompt": {"prompt_sections": [{"section_title": "Task", "section_content": prompt}]},
                "intro_message": "Hello @{{callee_name}}!",
                "custom_variables": variables,
            },
            "knowledge_bases": [],
        }
    return {
        **base,
        "form_fields": [],
        "is_ab_live": False,
        "active_agent_version_id": agent.version_id,
        "ab_versions": [],
        "version_details": {agent.version_id: version},
    }


def campaign_row(
    campaign: Campaign, base: dict[str, Any], counted: bool, shown_as_started: bool
) -> dict[str, Any]:
    return {
        **base,
        "agent_id": campaign.agent_id,
        "total_calls": len(campaign.contacts),
        "invalidated_rows_count": campaign.invalid_rows,
    }


def upload_word(state: str | None, campaign: Campaign, world: World) -> str:
    return str(state)


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


def upload_status(campaign: Campaign, word: str, world: World, report_url: str | None) -> dict[str, Any]:
    return {
        "bulk_list_id": campaign.id,
        "status": word,
        "campaign_name": campaign.name,
        "total_callees": len(campaign.contacts),
        "invalidated_rows_count": campaign.invalid_rows,
    }


def upload_status_fx(campaign: Campaign, word: str, world: World, report_url: str | None) -> dict[str, Any]:
    return {
        "status": word,
        "campaign_id": campaign.id,
        "total_contacts": len(campaign.contacts),
        "invalidated_rows_count": campaign.invalid_rows,
        "invalid_entries_file": report_url,
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


def make_call_accepted(campaign: Campaign) -> dict[str, Any]:
    return {"message": "Campaign calls scheduled", "bulk_list_id": campaign.id, "status": "scheduled"}


def make_call_accepted_fx(campaign: Campaign) -> dict[str, Any]:
    return {"message": "Campaign scheduled successfully"}
