"""Assistants and their settings (https://docs.ringg.ai/api-reference/endpoint/assistant/get-assistants)."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Query
from pydantic import BaseModel, field_validator

from ringg_provider.sandbox import wire
from ringg_provider.sandbox.csv_rules import PERMANENT_VARIABLES
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.state import SandboxDep
from ringg_provider.sandbox.workspace import Agent

router = APIRouter(tags=["Agents"])


@router.get("/agent/all", summary="All assistants")
async def get_agents(
    sandbox: SandboxDep,
    search: str | None = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    agents = sandbox.world.workspace.search_agents(search if sandbox.settings.is_g3 else None)
    size = limit or (len(agents) if sandbox.settings.is_g3 else 10)
    rows = [wire.agent_row(agent, sandbox.settings) for agent in agents[offset : offset + size]]
    return {"status": "success", "data": {"agents": rows, "workspace_call_frequency_cap": None}}


@router.get("/agent/{agent_id}", summary="One assistant with its variables")
async def get_agent(sandbox: SandboxDep, agent_id: str) -> dict[str, Any]:
    agent = sandbox.world.workspace.agents.get(agent_id)
    if agent is None:
        raise ApiError(404, "Agent not found")
    return wire.agent_detail(agent, sandbox.settings)


class Subscription(BaseModel):
    """Which events of an agent's calls are posted where."""

    event_type: list[str]
    callback_url: str
    method_type: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    headers: dict[str, str] = {}

    @field_validator("event_type", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class AgentEdit(BaseModel):
    """The body of `PATCH /agent/v1`."""

    operation: Literal["edit_event_subscriptions", "edit_custom_vars", "edit_call_config"]
    agent_id: str
    event_subscriptions: list[Subscription] | None = None
    custom_variables: list[str] | None = None
    call_config: dict[str, Any] | None = None


@router.patch("/agent/v1", summary="Edit subscriptions, variables or call settings of an assistant")
async def edit_agent(sandbox: SandboxDep, edit: AgentEdit) -> dict[str, Any]:
    agent = sandbox.world.workspace.agents.get(edit.agent_id)
    if agent is None:
        raise ApiError(404, "Agent not found")
    match edit.operation:
        case "edit_event_subscriptions":
            _subscribe(agent, edit.event_subscriptions)
        case "edit_custom_vars":
            _set_variables(agent, edit.custom_variables)
        case "edit_call_config":
            if edit.call_config is None:
                raise ApiError(422, "call_config: Field required")
            _merge(agent.call_config, edit.call_config)
    return {"message": "Agent updated successfully!", "agent_id": agent.id}


def _subscribe(agent: Agent, wanted: list[Subscription] | None) -> None:
    if wanted is None:
        raise ApiError(422, "event_subscriptions: Field required")
    pairs = Counter((one.callback_url, event) for one in wanted for event in one.event_type)
    if any(count > 1 for count in pairs.values()):
        raise ApiError(400, "The same callback_url is subscribed to an event more than once.")
    if any(count > 4 for count in Counter(event for _, event in pairs).values()):
        raise ApiError(400, "At most 4 subscriptions are allowed per event type.")
    if any(urlsplit(one.callback_url).scheme != "https" for one in wanted):
        raise ApiError(400, "callback_url must use https.")
    agent.event_subscriptions = [one.model_dump() for one in wanted]


def _set_variables(agent: Agent, wanted: list[str] | None) -> None:
    if wanted is None:
        raise ApiError(422, "custom_variables: Field required")
    missing = [name for name in PERMANENT_VARIABLES if agent.is_outbound and name not in wanted]
    if missing:
        raise ApiError(403, f"These variables cannot be removed: {', '.join(missing)}")
    agent.variables = list(dict.fromkeys(wanted))


def _merge(into: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
