"""Each request that SmartAlex takes, as an endpoint: where it goes, in which generation's form, how it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ringg_provider.api.endpoint import Endpoint, path_id, query
from ringg_provider.api.messages import Request, Response
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.smartalex.limits import MAX_PER_PAGE
from ringg_provider.smartalex.paths import ROUTES, Route
from ringg_provider.smartalex.requests import CallFilter, Generation, NewCampaign, NewContact, NewWebhook
from ringg_provider.smartalex.responses import (
    Agent,
    Call,
    Callback,
    Campaign,
    Contact,
    Page,
    Webhook,
    read_one,
    read_page,
)


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of one generation.

    :param generation: whose forms are sent; answers of both are read.
    :param routes: where each thing is; see `paths.py`.
    """

    generation: Generation = Generation.OLD
    routes: Mapping[str, Route] = field(default_factory=lambda: ROUTES)

    def campaigns(self, page: int, per_page: int, status: str | None, agent_id: str | None) -> Endpoint[Page[Campaign]]:
        filters = {"status": status, "agent_id": agent_id}
        return Endpoint(self._page("list_campaigns", page, per_page, filters), read_page(Campaign))

    def campaign(self, campaign_id: str) -> Endpoint[Campaign]:
        return Endpoint(
            self._request("get_campaign", of=("campaign_id", campaign_id), repeatable=True), read_one(Campaign)
        )

    def create(self, campaign: NewCampaign) -> Endpoint[Campaign]:
        # Sent once: each creation makes another draft. Only a 429 says for certain that none was made.
        body = campaign.wire_for(self.generation)
        return Endpoint(self._request("create_campaign", json=body, again_when_limited=True), read_one(Campaign))

    def add_contacts(self, campaign_id: str, contacts: Sequence[NewContact]) -> Endpoint[None]:
        # Sent once: whether the platform drops duplicates is not documented.
        body = {"contacts": [contact.wire() for contact in contacts]}
        request = self._request("add_contacts", of=("campaign_id", campaign_id), json=body, again_when_limited=True)
        return Endpoint(request, _nothing)

    def change(self, action: str, campaign_id: str) -> Endpoint[None]:
        """`start_campaign`, `pause_campaign` or `resume_campaign`; sent once, what came of it is read again."""
        return Endpoint(self._request(action, of=("campaign_id", campaign_id)), _nothing)

    def callbacks(self, campaign_id: str, page: int, per_page: int) -> Endpoint[Page[Callback]]:
        return Endpoint(
            self._page("list_callbacks", page, per_page, {}, of=("campaign_id", campaign_id)), read_page(Callback)
        )

    def calls(self, chosen: CallFilter, page: int, per_page: int) -> Endpoint[Page[Call]]:
        params = chosen.wire()
        if self.generation is Generation.NEW:
            params = {name: value for name, value in params.items() if name in ("status", "since_hours")}
        else:
            params.pop("since_hours", None)
        return Endpoint(self._page("list_calls", page, per_page, params), read_page(Call))

    def call(self, call_id: str) -> Endpoint[Call]:
        return Endpoint(self._request("get_call", of=("call_id", call_id), repeatable=True), read_one(Call))

    def contacts(
        self, status: str | None, campaign_id: str | None, page: int, per_page: int
    ) -> Endpoint[Page[Contact]]:
        filters = {"status": status, "campaign_id": campaign_id}
        return Endpoint(self._page("list_contacts", page, per_page, filters), read_page(Contact))

    def agents(self, page: int, per_page: int) -> Endpoint[Page[Agent]]:
        return Endpoint(self._page("list_agents", page, per_page, {}), read_page(Agent))

    def agent(self, agent_id: str) -> Endpoint[Agent]:
        return Endpoint(self._request("get_agent", of=("agent_id", agent_id), repeatable=True), read_one(Agent))

    def webhooks(self, page: int, per_page: int) -> Endpoint[Page[Webhook]]:
        return Endpoint(self._page("list_webhooks", page, per_page, {}), read_page(Webhook))

    def create_webhook(self, webhook: NewWebhook) -> Endpoint[Webhook]:
        body = webhook.wire_for(self.generation)
        return Endpoint(self._request("create_webhook", json=body), read_one(Webhook))

    def delete_webhook(self, webhook_id: str) -> Endpoint[None]:
        return Endpoint(self._request("delete_webhook", of=("webhook_id", webhook_id), repeatable=True), _nothing)

    def _request(self, name: str, *, of: tuple[str, str] | None = None, **more: Any) -> Request:
        """The request of a route.

        :param of: name and value of the id in its path, if it has one.
        :param more: what else the request has.
        """
        route = self.routes[name]
        path = route.path if of is None else route.path.replace("{id}", path_id(of[1], of[0]))
        return Request(route.method, path, of=of and of[0], repeatable=more.pop("repeatable", False), **more)

    def _page(
        self, name: str, page: int, per_page: int, filters: Mapping[str, Any], *, of: tuple[str, str] | None = None
    ) -> Request:
        if not 1 <= per_page <= MAX_PER_PAGE or page < 1:
            raise InvalidRequest(f"per_page must be from 1 to {MAX_PER_PAGE}, page at least 1.", field="per_page")
        pairs = [*query(**filters), *query(page=page, per_page=per_page)]
        return self._request(name, of=of, params=pairs, repeatable=True)


def _nothing(response: Response) -> None:
    response.body()
