"""Clients for SmartAlex: `SmartAlexClient`, and `AsyncSmartAlexClient` with what waiting needs.

Both are thin shells over one description of the endpoints, and keep to the platform's rate limit by themselves.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from itertools import count
from typing import Any, TypeVar

from ringg_provider.api.client import ApiClient, AsyncApiClient, PlatformClient
from ringg_provider.api.endpoint import Endpoint
from ringg_provider.api.rate_limit import Pacer
from ringg_provider.api.response_model import ResponseModel
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.smartalex.endpoints import Endpoints
from ringg_provider.smartalex.errors import smartalex_error
from ringg_provider.smartalex.limits import CONTACTS_PER_REQUEST, MAX_PER_PAGE, REQUESTS_PER_MINUTE
from ringg_provider.smartalex.paths import routes_with
from ringg_provider.smartalex.requests import CallFilter, Generation, NewCampaign, NewContact, NewWebhook
from ringg_provider.smartalex.responses import Agent, Call, Callback, Campaign, Contact, Page, Webhook

#: Where SmartAlex answers; https://docs.getsmartalex.com/api-reference/introduction
PRODUCTION = "https://api.getsmartalex.com/v1"

M = TypeVar("M", bound=ResponseModel)


class _SmartAlex(PlatformClient):
    """Where SmartAlex answers, how it is shown a key, and what its errors mean."""

    production = PRODUCTION
    _error_of = staticmethod(smartalex_error)

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        generation: str = Generation.OLD,
        paths: Mapping[str, str] | str | None = None,
        requests_per_minute: float = REQUESTS_PER_MINUTE,
        **options: Any,
    ) -> None:
        if generation not in (Generation.OLD, Generation.NEW):
            raise InvalidRequest("generation must be old or new.", field="generation")
        self._endpoints = Endpoints(Generation(generation), routes_with(paths))
        super().__init__(api_key, base_url, pacer=_pacer(requests_per_minute), **options)

    @property
    def generation(self) -> Generation:
        """Which of the vendor's documentations requests follow."""
        return self._endpoints.generation

    @staticmethod
    def _key_headers(api_key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {api_key}"}


def _pacer(per_minute: float) -> Pacer:
    if not 0 < per_minute < math.inf:
        raise InvalidRequest("requests_per_minute must be a number above 0.", field="requests_per_minute")
    # A whole minute's worth at once, then the rest of the minute; a fast server's limit is spread more finely.
    limit = max(1, min(int(per_minute), REQUESTS_PER_MINUTE))
    return Pacer(limit, 60.0 * limit / per_minute)


class SmartAlexClient(_SmartAlex, ApiClient):
    """SmartAlex, synchronously. Safe to share between threads; close it, or use it in a `with` block.

    :param api_key: key of a workspace.
    :param base_url: default the vendor's; plain http is allowed to this very machine only.
    :param generation: `old` (default) or `new`: which of the vendor's documentations requests follow.
    :param paths: other paths than those in `paths.py`, by name.
    :param requests_per_minute: default 60, the smallest plan's.
    :param options: those of `PlatformClient`.

    Every method raises a `RinggProviderError`: `InvalidRequest` for input that breaks a rule, before anything is
    sent; else by the code that the platform answered.
    https://docs.getsmartalex.com/api-reference/introduction
    """

    def _all(self, page: Callable[[int], Endpoint[Page[M]]], per_page: int = MAX_PER_PAGE) -> Iterator[M]:
        for number in count(1):
            found = self._do(page(number))
            yield from found.items
            if not found.items or found.is_last(number, per_page):
                return

    # --- campaigns ---

    def list_campaigns_page(
        self, page: int = 1, per_page: int = MAX_PER_PAGE, *, status: str | None = None, agent_id: str | None = None
    ) -> Page[Campaign]:
        """One page of campaigns.

        :param page: from 1.
        :param per_page: 1 to 100; default 100.
        :param status: draft, active, paused or completed; default all.
        :param agent_id: of one agent; default all.

        https://docs.getsmartalex.com/api-reference/campaigns
        """
        return self._do(self._endpoints.campaigns(page, per_page, status, agent_id))

    def iter_campaigns(self, *, status: str | None = None, agent_id: str | None = None) -> Iterator[Campaign]:
        """All campaigns, page by page; the filters are those of `list_campaigns_page`."""
        return self._all(lambda page: self._endpoints.campaigns(page, MAX_PER_PAGE, status, agent_id))

    def get_campaign(self, campaign_id: str) -> Campaign:
        """One campaign with its statistics. Raises `CampaignNotFound`.

        https://docs.getsmartalex.com/api-reference/campaigns
        """
        return self._do(self._endpoints.campaign(campaign_id))

    def create_campaign(self, campaign: NewCampaign) -> Campaign:
        """Create a draft; nobody is called before `start_campaign`. Sent once. Raises `AgentNotFound`.

        https://docs.getsmartalex.com/api-reference/campaigns
        """
        return self._do(self._endpoints.create(campaign))

    def add_contacts(
        self,
        campaign_id: str,
        contacts: Iterable[NewContact],
        *,
        per_request: int = CONTACTS_PER_REQUEST,
        distinct: bool = False,
    ) -> int:
        """Put people on a campaign, so many in one request; each request is sent once.

        :param campaign_id: a draft.
        :param contacts: the people; a number that comes twice is sent once.
        :param per_request: default 500.
        :param distinct: nobody comes twice, which saves remembering everybody. Default False.
        :return: how many were sent.

        https://docs.getsmartalex.com/api-reference/campaigns
        """
        from more_itertools import chunked, unique_everseen

        if per_request < 1:
            raise InvalidRequest("per_request must be at least 1.", field="per_request")
        people = contacts if distinct else unique_everseen(contacts, key=lambda contact: contact.phone)
        sent = 0
        for some in chunked(people, per_request):
            self._do(self._endpoints.add_contacts(campaign_id, some))
            sent += len(some)
        return sent

    def start_campaign(self, campaign_id: str) -> None:
        """Begin to call. Sent once: after any answer but a success, look before sending it again.

        Raises `CampaignAlreadyActive`, `NoContacts`, `CampaignNotFound`.
        https://docs.getsmartalex.com/api-reference/campaigns
        """
        self._do(self._endpoints.change("start_campaign", campaign_id))

    def pause_campaign(self, campaign_id: str) -> None:
        """Stop calling for the time being. Sent once. Raises `CampaignNotActive`.

        https://docs.getsmartalex.com/api-reference/campaigns
        """
        self._do(self._endpoints.change("pause_campaign", campaign_id))

    def resume_campaign(self, campaign_id: str) -> None:
        """Go on with a paused campaign. Sent once.

        https://docs.getsmartalex.com/api-reference/campaigns
        """
        self._do(self._endpoints.change("resume_campaign", campaign_id))

    def iter_callbacks(self, campaign_id: str) -> Iterator[Callback]:
        """The calls of a campaign that are still to be made again.

        https://docs.getsmartalex.com/api-reference/campaigns
        """
        return self._all(lambda page: self._endpoints.callbacks(campaign_id, page, MAX_PER_PAGE))

    # --- calls, contacts, agents ---

    def iter_calls(self, chosen: CallFilter | None = None) -> Iterator[Call]:
        """Calls, page by page; the newer API knows fewer filters and gets only those.

        https://docs.getsmartalex.com/api-reference/calls
        """
        wanted = chosen or CallFilter()
        return self._all(lambda page: self._endpoints.calls(wanted, page, MAX_PER_PAGE))

    def get_call(self, call_id: str) -> Call:
        """One call with its campaign, summary and transcript.

        https://docs.getsmartalex.com/api-reference/calls
        """
        return self._do(self._endpoints.call(call_id))

    def iter_contacts(self, *, status: str | None = None, campaign_id: str | None = None) -> Iterator[Contact]:
        """People of the workspace.

        :param status: `active`, or `dnc` for those who must not be called; default all.
        :param campaign_id: of one campaign; default all.

        https://docs.getsmartalex.com/api-reference/contacts
        """
        return self._all(lambda page: self._endpoints.contacts(status, campaign_id, page, MAX_PER_PAGE))

    def list_agents(self) -> list[Agent]:
        """All agents.

        https://docs.getsmartalex.com/api-reference/agents
        """
        return list(self._all(lambda page: self._endpoints.agents(page, MAX_PER_PAGE)))

    def check_key(self) -> Agent | None:
        """The cheapest authenticated read: some agent of the workspace, or None when it has none."""
        return next(iter(self._do(self._endpoints.agents(1, 1)).items), None)

    def get_agent(self, agent_id: str) -> Agent:
        """One agent. Raises `AgentNotFound` or `NotFound`.

        https://docs.getsmartalex.com/api-reference/agents
        """
        return self._do(self._endpoints.agent(agent_id))

    # --- webhooks ---

    def list_webhooks(self) -> list[Webhook]:
        """All webhooks, without their secrets.

        https://docs.getsmartalex.com/api-reference/webhooks
        """
        return list(self._all(lambda page: self._endpoints.webhooks(page, MAX_PER_PAGE)))

    def create_webhook(self, webhook: NewWebhook) -> Webhook:
        """Subscribe to events. Sent once. Store `signing_secret` at once: it is not shown again.

        https://docs.getsmartalex.com/api-reference/webhooks
        """
        return self._do(self._endpoints.create_webhook(webhook))

    def delete_webhook(self, webhook_id: str) -> None:
        """Unsubscribe.

        https://docs.getsmartalex.com/api-reference/webhooks
        """
        self._do(self._endpoints.delete_webhook(webhook_id))


class AsyncSmartAlexClient(_SmartAlex, AsyncApiClient):
    """SmartAlex for asyncio: what waiting for campaigns and pausing them needs.

    Parameters, methods and errors are those of `SmartAlexClient`.
    """

    async def iter_campaigns(self) -> AsyncGenerator[Campaign]:
        """See `SmartAlexClient.iter_campaigns`."""
        for number in count(1):
            page = await self._do(self._endpoints.campaigns(number, MAX_PER_PAGE, None, None))
            for campaign in page.items:
                yield campaign
            if not page.items or page.is_last(number, MAX_PER_PAGE):
                return

    async def get_campaign(self, campaign_id: str) -> Campaign:
        """See `SmartAlexClient.get_campaign`."""
        return await self._do(self._endpoints.campaign(campaign_id))

    async def pause_campaign(self, campaign_id: str) -> None:
        """See `SmartAlexClient.pause_campaign`."""
        await self._do(self._endpoints.change("pause_campaign", campaign_id))
