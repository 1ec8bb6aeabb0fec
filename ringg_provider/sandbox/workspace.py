"""The one workspace of the sandbox: its agents, caller numbers, pool and members, with ids that never change."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

WORKSPACE_ID = "dddddddd-0000-4000-8000-000000000001"
RENEWALS = "11111111-1111-4111-8111-111111111111"
SURVEY = "22222222-2222-4222-8222-222222222222"
INBOUND = "33333333-3333-4333-8333-333333333333"
MULTI_NODE = "44444444-4444-4444-8444-444444444444"
POOL = "bbbbbbbb-0000-4000-8000-000000000001"
MEMBER = "cccccccc-0000-4000-8000-000000000001"
SINCE = "2026-01-05T09:30:00.120000+00:00"


@dataclass(slots=True)
class Agent:
    """An assistant. `variables` are the placeholders of its prompt; on outbound ones two are permanent."""

    id: str
    name: str
    kind: str
    variables: list[str]
    mode: str = "single_node"
    call_config: dict[str, Any] = field(default_factory=dict)
    event_subscriptions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def version_id(self) -> str:
        return f"{self.id[:-1]}f"

    @property
    def is_outbound(self) -> bool:
        return self.kind in ("outbound", "outbound_inbound")


@dataclass(frozen=True, slots=True)
class Number:
    """A caller number of the workspace."""

    id: str
    number: str
    display_name: str
    provider: str = "ringg"
    is_test: bool = False
    is_spam: bool = False
    pool_id: str | None = None


@dataclass(slots=True)
class Workspace:
    """What the workspace owns; `reset` makes a new one."""

    agents: dict[str, Agent]
    numbers: list[Number]
    users: list[dict[str, str]]

    def find_number(self, id_or_number: str) -> Number | None:
        return next((n for n in self.numbers if id_or_number in (n.id, n.number)), None)

    def pool_members(self, pool_id: str) -> list[Number]:
        """Members that may dial: those flagged as spam are skipped unless all are."""
        members = [number for number in self.numbers if number.pool_id == pool_id]
        return [number for number in members if not number.is_spam] or members[:1]

    def search_agents(self, text: str | None) -> list[Agent]:
        pattern = re.compile(re.escape(text or ""), re.IGNORECASE)
        return [agent for agent in self.agents.values() if pattern.search(agent.name)]


def new_workspace() -> Workspace:
    agents = [
        Agent(RENEWALS, "Renewals", "outbound", ["callee_name", "mobile_number", "policy_id", "due_date"]),
        Agent(SURVEY, "Survey", "outbound", ["callee_name", "mobile_number"]),
        Agent(INBOUND, "Front desk", "inbound", []),
        Agent(MULTI_NODE, "City events", "outbound", ["callee_name", "mobile_number", "city"], "multi_node"),
    ]
    number = "aaaaaaaa-0000-4000-8000-00000000000"
    return Workspace(
        agents={agent.id: agent for agent in agents},
        numbers=[
            Number(f"{number}1", "+918031000001", "Main line", pool_id=POOL),
            Number(f"{number}2", "+918031000002", "Second line", pool_id=POOL),
            Number(f"{number}3", "+918031000003", "Test line", is_test=True),
            Number(f"{number}4", "+918031000004", "Flagged line", is_spam=True, pool_id=POOL),
            Number(f"{number}5", "+12125550105", "Overseas line", provider="twilio"),
        ],
        users=[{"id": MEMBER, "username": "Sandbox Owner", "email": "owner@example.com", "role": "owner"}],
    )
