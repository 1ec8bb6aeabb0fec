"""SmartAlex's webhooks: subscribed to by an endpoint of their own, and sent once.

No page shows what an event's `data` holds, nor how the newer API signs: the sandbox sends what the call list says, and
signs as the vendor's HTTP Tools do. https://docs.getsmartalex.com/api-reference/webhooks
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from ringg_provider.sandbox import wire
from ringg_provider.sandbox.calls import Call
from ringg_provider.sandbox.courier import Courier, Delivery, Rules
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.smartalex.calls import call_row
from ringg_provider.sandbox.smartalex.shared import STATUS, contact_id, is_new, smartalex_call_id
from ringg_provider.sandbox.state import SandboxDep
from ringg_provider.sandbox.world import Campaign, World

TENANT = "tenant_sandbox"
EVENTS = frozenset(
    {
        "call.started", "call.connected", "call.completed", "call.failed",
        "campaign.started", "campaign.paused", "campaign.resumed", "campaign.completed",
        "contact.created", "contact.updated", "contact.deleted", "contact.dnc",
        "callback.scheduled", "callback.completed", "callback.cancelled",
    }
)  # fmt: skip
_ONCE = Rules(lambda status: 200 <= status < 300)

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription, as it is shown; `secret` is not."""

    id: str
    url: str
    events: list[str]
    created_at: str | None
    secret: str | None
    description: str | None = None
    enabled: bool = True


class SmartAlexWebhooks:
    """Watches the calls and campaigns of a world.

    :param world: SmartAlex's; this becomes what it tells of them.
    :param courier: takes what is to be sent.
    :param hooks: the subscriptions, by id; they come and go.
    """

    def __init__(self, world: World, courier: Courier, hooks: dict[str, Webhook]) -> None:
        self.world = world
        self.courier = courier
        self.hooks = hooks
        self._sent = 0
        world.on_call = self._call_changed
        world.on_campaign = self._campaign_changed

    def _call_changed(self, call: Call, before: str | None) -> None:
        if not self.hooks or not call.attempts:
            return
        attempt, number = call.attempts[-1], len(call.attempts)
        if call.status == "ongoing":
            begun = self._begun(call, number)
            self._send("call.started", begun["id"], begun)
            if attempt.talk_seconds:
                self.world.events.after(attempt.ring_seconds, self._send, "call.connected", begun["id"], begun)
        elif before == "ongoing":
            self.world.events.after(0.0, self._ended, call, number)

    def _begun(self, call: Call, number: int) -> dict[str, Any]:
        who = {"contact_id": contact_id(call.to_number)} if self._is_new else {"phone_number": call.to_number}
        return {
            "id": smartalex_call_id(call, number),
            "direction": "outbound",
            "agent_id": call.agent_id,
            "campaign_id": call.list_id,
            **who,
        }

    def _ended(self, call: Call, number: int) -> None:
        attempt = call.attempts[number - 1]
        answered = STATUS[attempt.outcome] in ("completed", "voicemail")
        row = call_row((call, number, attempt), self._is_new) | {"campaign_id": call.list_id}
        self._send("call.completed" if answered else "call.failed", row["id"], row)

    def _campaign_changed(self, campaign: Campaign) -> None:
        before = campaign.states[-2][1] if len(campaign.states) > 1 else None
        event = {
            "active": "campaign.resumed" if before == "paused" else "campaign.started",
            "paused": "campaign.paused",
            "completed": "campaign.completed",
        }.get(campaign.state or "")
        if event is not None:
            self._send(event, campaign.id, {"id": campaign.id, "name": campaign.name, "status": campaign.state})

    @property
    def _is_new(self) -> bool:
        return self.world.settings.smartalex == "new"

    def _send(self, event: str, about: str, data: dict[str, Any]) -> None:
        for hook in [hook for hook in self.hooks.values() if hook.enabled and event in hook.events]:
            self._sent += 1
            envelope = {
                "id": f"evt_{secrets.token_hex(8)}",
                "type": event,
                "created_at": wire.instant(self.world.events.wall()),
                "data": data,
                **({"tenant_id": TENANT} if self._is_new else {}),
            }
            body = json.dumps(envelope, ensure_ascii=False).encode()
            headers = {} if hook.secret is None else {"x-smartalex-signature": self._signature(hook.secret, body)}
            lot = f"{hook.url}|{event}|{self._sent}"
            self.courier.post(Delivery(event, about, hook.url, body, lot, _ONCE, self.world.events, headers=headers))

    def _signature(self, secret: str, body: bytes) -> str:
        at = str(int(self.world.clock.wall() * 1000))
        return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, sha256).hexdigest()}"


class NewWebhook(BaseModel):
    """The body of both generations: `events` in the older, `event_types` in the newer."""

    url: str = Field(min_length=1)
    events: list[str] | None = None
    event_types: list[str] | None = None
    secret: str | None = None
    enabled: bool = True
    description: str | None = None


@router.post("/webhooks", summary="Subscribe an address to events")
async def create_webhook(sandbox: SandboxDep, response: Response, body: NewWebhook) -> dict[str, Any]:
    new = is_new(sandbox)
    events = body.event_types if new else body.events
    if urlsplit(body.url).scheme != "https":
        raise ApiError(400, "The 'url' field must be an HTTPS URL", code="invalid_request")
    if not events or set(events) - EVENTS:
        name = "event_types" if new else "events"
        raise ApiError(400, f"The '{name}' field must be a list of known events", code="invalid_request")
    hook = Webhook(
        f"webhook_{secrets.token_hex(8)}",
        body.url,
        list(dict.fromkeys(events)),
        wire.instant(sandbox.smartalex.events.wall()),
        secrets.token_hex(32) if new else body.secret,
        body.description,
        new or body.enabled,
    )
    sandbox.smartalex_webhooks[hook.id] = hook
    if not new:
        return {"data": _shown(hook, new=False)}
    response.status_code = 201
    return _shown(hook, new=True) | {"signing_secret": hook.secret}


@router.get("/webhooks", summary="All subscriptions; the newer API only")
async def list_webhooks(sandbox: SandboxDep) -> dict[str, Any]:
    _newer_only(sandbox)
    return {"data": [_shown(hook, new=True) for hook in sandbox.smartalex_webhooks.values()]}


@router.delete("/webhooks/{webhook_id}", summary="Take a subscription away; the newer API only")
async def delete_webhook(sandbox: SandboxDep, webhook_id: str) -> dict[str, Any]:
    _newer_only(sandbox)
    if sandbox.smartalex_webhooks.pop(webhook_id, None) is None:
        raise ApiError(404, "Webhook not found", code="not_found")
    return {"id": webhook_id, "deleted": True}


def _newer_only(sandbox: SandboxDep) -> None:
    if not is_new(sandbox):
        raise ApiError(404, "Not found", code="not_found")


def _shown(hook: Webhook, *, new: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": hook.id, "url": hook.url, "created_at": hook.created_at}
    if new:
        return shown | {"description": hook.description, "event_types": hook.events, "is_active": hook.enabled}
    return shown | {"events": hook.events, "enabled": hook.enabled}
