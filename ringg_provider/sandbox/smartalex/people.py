"""SmartAlex's contacts, with those who must not be called among them, and its agents."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.smartalex.shared import AGENTS, PageNumber, PageSize, contact_id, is_new, paged
from ringg_provider.sandbox.state import Sandbox, SandboxDep

router = APIRouter()


@router.get("/contacts", summary="People; those who must not be called have the status dnc")
async def list_contacts(
    sandbox: SandboxDep,
    request: Request,
    status: str | None = None,
    campaign_id: str | None = None,
    page: PageNumber = 1,
    per_page: PageSize = 20,
) -> dict[str, Any]:
    world, dnc = sandbox.smartalex, set(sandbox.settings.dnc_numbers)
    people: dict[str, dict[str, Any]] = {number: {} for number in sandbox.settings.dnc_numbers}
    for campaign in world.campaign_order:
        if campaign_id in (None, campaign.id):
            people |= {contact.number: contact.variables for contact in campaign.contacts}
    rows = [
        {
            "id": contact_id(number),
            "phone": number,
            "first_name": fields.get("first_name"),
            "last_name": fields.get("last_name"),
            "status": "dnc" if number in dnc else "active",
        }
        for number, fields in people.items()
    ]
    return paged(request, [row for row in rows if status in (None, row["status"])], dict, page, per_page)


@router.get("/agents", summary="Agents")
async def list_agents(
    sandbox: SandboxDep, request: Request, page: PageNumber = 1, per_page: PageSize = 20
) -> dict[str, Any]:
    answer = paged(request, list(AGENTS.values()), lambda agent: _agent(agent, sandbox), page, per_page)
    if is_new(sandbox):
        del answer["meta"]
    return answer


@router.get("/agents/{agent_id}", summary="One agent")
async def get_agent(sandbox: SandboxDep, agent_id: str) -> dict[str, Any]:
    if agent_id not in AGENTS:
        raise ApiError(404, "Agent not found", code="agent_not_found")
    return {"data": _agent(AGENTS[agent_id], sandbox)}


def _agent(agent: dict[str, Any], sandbox: Sandbox) -> dict[str, Any]:
    if not is_new(sandbox):
        return dict(agent)
    shown = {key: value for key, value in agent.items() if key != "status"}
    return shown | {"is_active": agent["status"] == "ready", "call_direction": "outbound"}
