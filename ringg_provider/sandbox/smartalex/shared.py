"""What all of SmartAlex's endpoints share: the key, pages, the agents, and how a person is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request

from ringg_provider.sandbox.calls import Call
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.state import Sandbox, bent_page, get_sandbox
from ringg_provider.sandbox.world import Campaign, World

#: What an attempt is called in a call's status.
STATUS = {
    "completed": "completed",
    "voicemail": "voicemail",
    "busy": "no_answer",
    "not_picked": "no_answer",
    "failed": "failed",
    "dnd": "failed",
    "error": "failed",
}
AGENTS: dict[str, dict[str, Any]] = {
    "agent_renewals": {"id": "agent_renewals", "name": "Renewals", "language": "en", "status": "ready"},
    "agent_survey": {"id": "agent_survey", "name": "Survey", "language": "en", "status": "ready"},
    "agent_unready": {"id": "agent_unready", "name": "Being built", "language": "en", "status": "training"},
}

Row = TypeVar("Row")

PageNumber = Annotated[int, Query(ge=1)]
PageSize = Annotated[int, Query(ge=1, le=100)]


def authenticate(request: Request) -> None:
    """A bearer token, which is the same key as Ringg's."""
    if request.headers.get("authorization") != f"Bearer {get_sandbox(request).settings.api_key}":
        raise ApiError(401, "Invalid API key", code="unauthorized")


def paged(
    request: Request, rows: Sequence[Row], shown: Callable[[Row], Any], page: int, per_page: int
) -> dict[str, Any]:
    """One page in the vendor's envelope."""
    found, total = bent_page(
        request, lambda at: list(rows[at : at + per_page]), len(rows), per_page, (page - 1) * per_page
    )
    meta = {"meta": {"total": total, "page": page, "per_page": per_page}}
    return {"data": [shown(row) for row in found], **meta}


def is_new(sandbox: Sandbox) -> bool:
    return sandbox.settings.smartalex == "new"


def find(world: World, campaign_id: str) -> Campaign:
    campaign = world.campaigns.get(campaign_id)
    if campaign is None:
        raise ApiError(404, "Campaign not found", code="campaign_not_found")
    return campaign


def called_person(call: Call) -> dict[str, Any]:
    fields = call.variables
    return {
        "id": contact_id(call.to_number),
        "first_name": fields.get("first_name"),
        "last_name": fields.get("last_name"),
        "phone": call.to_number,
    }


def smartalex_call_id(call: Call, attempt: int) -> str:
    """Each attempt is a call of its own."""
    return f"call_{call.id}_{attempt}"


def contact_id(number: str) -> str:
    return f"contact_{blake2b(number.encode(), digest_size=8).hexdigest()}"
