"""Clients for Ringg AI: `RinggClient`, and `AsyncRinggClient` with what waiting needs.

Both are thin shells over one description of the endpoints (`endpoints.py`). Nothing that rings a phone or
makes a list is ever sent twice by them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ringg_provider.api.client import ApiClient, AsyncApiClient, PlatformClient
from ringg_provider.api.endpoint import Endpoint
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.ringg import endpoints
from ringg_provider.ringg.errors import KEY_PATTERN, ringg_error
from ringg_provider.ringg.limits import MAX_CALLS_PER_PAGE, MAX_CAMPAIGNS_PER_PAGE, MAX_LISTED_PER_PAGE, SAFE_PAGE
from ringg_provider.ringg.requests import (
    AnalyticsKind,
    AnalyticsQuery,
    CallQuery,
    CampaignSpec,
    EventSubscription,
    EventSubscriptions,
    MakeCallAsync,
    SingleCall,
    StartCampaign,
    Terminate,
)
from ringg_provider.ringg.responses import (
    Agent,
    Balance,
    Call,
    CallDetails,
    CallerNumber,
    CallPage,
    Campaign,
    CampaignPage,
    NumberPool,
    SavedCampaign,
    StartedCall,
    StartResult,
    UploadedCsv,
    UploadStatus,
    User,
    Workspace,
)

#: Where Ringg AI answers; https://docs.ringg.ai/api-reference/quick-start/api-overview
PRODUCTION = "https://prod-api.ringg.ai/ca/api/v0"


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T")
Item = TypeVar("Item", bound=_Identified)


class _Pages(Generic[Item]):
    """Goes through a list page by page, whatever page size the server prefers, and gives each item once.

    The end is a page without anything new: totals can be wrong, a short page can be a server's cap, and a
    server that ignores the offset must not be asked for ever.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.offset = 0
        self.done = False
        self._seen: set[str] = set()

    def take(self, items: list[Item]) -> list[Item]:
        """The items of a page that are new."""
        fresh: list[Item] = []
        for item in items:
            if item.id not in self._seen:
                self._seen.add(item.id)
                fresh.append(item)
        self.offset += len(items)
        self.done = not fresh
        return fresh

    def ask_for_less(self, error: InvalidRequest) -> None:
        """Go on with smaller pages after the server refused one; raises the error when size cannot be the reason."""
        if error.status_code is None or self.size <= SAFE_PAGE:
            raise error
        self.size = SAFE_PAGE


def _ends_history(page: CallPage, asked: int, offset: int) -> bool:
    """Whether a page of calls is the last by all that it says; a page costs one of ten requests a minute."""
    size = min(asked, page.limit or asked)
    more = page.total is not None and offset < page.total
    return len(page.calls) < size and not more


class _Ringg(PlatformClient):
    """Where Ringg AI answers, how it is shown a key, and what its errors mean."""

    production = PRODUCTION
    key_pattern = KEY_PATTERN
    _error_of = staticmethod(ringg_error)

    @staticmethod
    def _key_headers(api_key: str) -> dict[str, str]:
        return {"X-API-KEY": api_key}


class RinggClient(_Ringg, ApiClient):
    """Ringg AI, synchronously. Safe to share between threads; close it, or use it in a `with` block.

    :param api_key: key of a workspace.
    :param base_url: default the vendor's; plain http is allowed to this very machine only.
    :param verify: a file or folder of CA certificates to trust; default those that the environment names, else the
        public ones.
    :param timeout: seconds for each stage of a request.
    :param max_attempts: how often a request that is safe to repeat is sent at most; default 5.
    :param max_wait: seconds to spend waiting between those attempts in all; default 120.
    :param sleep: waits for seconds; replaced in tests.

    Every method raises a `RinggProviderError`: `InvalidRequest` for input that breaks a rule, before anything
    is sent; `TransientError` or `PermanentError` by what the platform answered. Answers are models of
    `responses.py`.
    https://docs.ringg.ai/api-reference/quick-start/api-overview
    """

    # --- workspace ---

    def get_workspace(self) -> Workspace:
        """The workspace of the key and what it can spend; the cheapest way to check a key.

        https://docs.ringg.ai/api-reference/endpoint/workspace/get-workspace-info
        """
        return self._do(endpoints.workspace())

    def list_numbers(self) -> list[CallerNumber]:
        """All caller numbers of the workspace.

        https://docs.ringg.ai/api-reference/endpoint/numbers/get-workspace-numbers
        """
        return self._all(endpoints.numbers_page)

    def list_number_pools(self, *, retry: bool = True) -> list[NumberPool]:
        """All number pools of the workspace. No page of the vendor's describes this request: it may be refused.

        :param retry: whether to send it again by itself when that may help.

        https://docs.ringg.ai/documentation/inventory/phone-numbers/number-pools
        """

        def page(limit: int, offset: int) -> Endpoint[list[NumberPool]]:
            asked = endpoints.number_pools_page(limit, offset)
            return asked if retry else asked.unrepeated()

        return self._all(page)

    def list_users(self) -> list[User]:
        """All members of the workspace.

        https://docs.ringg.ai/api-reference/endpoint/workspace/get-workspace-users
        """
        return self._all(endpoints.users_page)

    def _all(self, page: Callable[[int, int], Endpoint[list[Item]]]) -> list[Item]:
        pages: _Pages[Item] = _Pages(MAX_LISTED_PER_PAGE)
        found: list[Item] = []
        while not pages.done:
            try:
                found += pages.take(self._do(page(pages.size, pages.offset)))
            except InvalidRequest as error:
                pages.ask_for_less(error)
        return found

    # --- agents ---

    def list_agents(self, search: str | None = None) -> list[Agent]:
        """All agents of the workspace.

        :param search: only those whose name contains it; default all.

        https://docs.ringg.ai/api-reference/endpoint/assistant/get-assistants
        """
        return self._all(lambda limit, offset: endpoints.agents_page(search, limit, offset))

    def get_agent(self, agent_id: str) -> Agent:
        """One agent with the variables that a list must fill. Raises `NotFound`.

        https://docs.ringg.ai/api-reference/endpoint/assistant/get-assistant-by-id
        """
        return self._do(endpoints.agent(agent_id))

    def set_event_subscriptions(
        self,
        agent_id: str,
        subscriptions: Sequence[EventSubscription | dict[str, Any]],
        *,
        kept: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Replace all event subscriptions of an agent; none clears them.

        :param kept: those out of `get_agent(agent_id).event_subscriptions` that are to stay. They go back as they
            came: what others have set up need not keep to our rules.

        https://docs.ringg.ai/webhooks/initial-setup
        """
        request = EventSubscriptions.model_validate({"agent_id": agent_id, "event_subscriptions": list(subscriptions)})
        self._do(endpoints.event_subscriptions(request, kept))

    # --- standard flow ---

    def save_campaign(self, spec: CampaignSpec, csv: Path) -> SavedCampaign:
        """Upload a contact list with its settings; nobody is called before `start_campaign`.

        :param csv: a file of at most 20 MB, streamed from disk.

        Sent once: each upload makes a new list.
        https://docs.ringg.ai/api-reference/endpoint/campaign/upload-campaign-contact-list
        """
        return self._do(endpoints.save(spec, csv))

    def start_campaign(self, start: StartCampaign) -> StartResult:
        """Start a saved list. Sent once: after any answer but a success, look before sending it again.

        https://docs.ringg.ai/api-reference/endpoint/campaign/start-campaign
        https://docs.ringg.ai/api-reference/endpoint/campaign/start-campaign-v2
        """
        return self._do(endpoints.start(start))

    # --- large flow ---

    def upload_csv(self, spec: CampaignSpec, csv: Path) -> UploadedCsv:
        """Upload a contact list that the platform then checks in the background; see `get_upload_status`.

        :param csv: a file of at most 20 MB, streamed from disk.

        Sent once: each upload makes a new list.
        https://docs.ringg.ai/api-reference/endpoint/campaign/upload-large-campaign-csv
        """
        return self._do(endpoints.upload(spec, csv))

    def get_upload_status(self, bulk_list_id: str) -> UploadStatus:
        """How far the platform is with an uploaded list. Raises `NotFound`.

        https://docs.ringg.ai/api-reference/endpoint/campaign/get-large-campaign-upload-status
        """
        return self._do(endpoints.upload_status(bulk_list_id))

    def check_balance(self, bulk_list_id: str) -> Balance:
        """Whether the workspace can pay for an uploaded list.

        One generation of the API refuses (400) to check a list that is not waiting for money; that is
        answered with `sufficient=None, basis="not_short"`.

        https://docs.ringg.ai/api-reference/endpoint/campaign/check-large-campaign-balance
        """
        return self._do(endpoints.check_balance(bulk_list_id))

    def make_call_async(self, start: MakeCallAsync) -> StartResult:
        """Start an uploaded list. Sent once: after any answer but a success, look before sending it again.

        https://docs.ringg.ai/api-reference/endpoint/campaign/make-large-campaign-calls-async
        """
        return self._do(endpoints.make_call_async(start))

    # --- campaigns ---

    def list_campaigns_page(self, limit: int = MAX_CAMPAIGNS_PER_PAGE, offset: int = 0) -> CampaignPage:
        """One page of the workspace's campaigns, newest first.

        :param limit: 1 to 1000; the server may give fewer.
        :param offset: how many to leave out.

        https://docs.ringg.ai/api-reference/endpoint/campaign/get-all-campaigns
        """
        return self._do(endpoints.campaigns_page(_page_size(limit), offset))

    def iter_campaigns(self, page_size: int = MAX_CAMPAIGNS_PER_PAGE) -> Iterator[Campaign]:
        """All campaigns, each once, whatever page size the server allows.

        :param page_size: 1 to 1000; default 1000.
        """
        pages: _Pages[Campaign] = _Pages(page_size)
        while not pages.done:
            try:
                page = self.list_campaigns_page(pages.size, pages.offset)
            except InvalidRequest as error:
                pages.ask_for_less(error)
            else:
                yield from pages.take(page.campaigns)

    def find_campaign(self, campaign_id: str) -> Campaign | None:
        """The campaign with this id, or None when a complete pass over the list did not show it."""
        return next((campaign for campaign in self.iter_campaigns() if campaign.id == campaign_id), None)

    def terminate(self, request: Terminate) -> bool:
        """Stop calls for good; live calls end by themselves.

        Returns False when the platform says that there was nothing to stop.
        https://docs.ringg.ai/api-reference/endpoint/terminate/campaign
        """
        outcome = self._do(endpoints.terminate(request))
        while outcome.again is not None:
            outcome = self._do(endpoints.terminate(outcome.again))
        return outcome.stopped

    # --- calls ---

    def list_calls_page(
        self, query: CallQuery, limit: int = MAX_CALLS_PER_PAGE, offset: int = 0, *, retry: bool = True
    ) -> CallPage:
        """One page of the call history.

        :param limit: 1 to 200.
        :param offset: how many to leave out.
        :param retry: whether to send it again by itself when that may help; a caller that keeps to the rate
            limit on its own says no. Default True.

        The platform allows ten of these requests a minute.
        https://docs.ringg.ai/api-reference/endpoint/history/get-call-history
        """
        endpoint = endpoints.calls_page(query, limit, offset)
        return self._do(endpoint if retry else endpoint.unrepeated())

    def iter_calls(self, query: CallQuery) -> Iterator[Call]:
        """All calls of a query, each once."""
        pages: _Pages[Call] = _Pages(MAX_CALLS_PER_PAGE)
        while not pages.done:
            page = self.list_calls_page(query, pages.size, pages.offset)
            yield from pages.take(page.calls)
            if _ends_history(page, pages.size, pages.offset):
                return

    def get_call(self, call_id: str, send_analysis: bool = True) -> CallDetails:
        """One call with its transcript. Raises `NotFound`.

        :param send_analysis: with its analyses, once they are ready; default True.

        https://docs.ringg.ai/api-reference/endpoint/history/get-call-details
        """
        return self._do(endpoints.call_details(call_id, send_analysis))

    def initiate_call(self, call: SingleCall) -> StartedCall:
        """Call one person now. Sent once.

        https://docs.ringg.ai/api-reference/endpoint/calling/initiate-individual-call
        """
        return self._do(endpoints.single_call(call))

    def get_analytics(
        self,
        kind: AnalyticsKind,
        *,
        start_date: date | str | None = None,
        end_date: date | str | None = None,
        agent_id: str | None = None,
        bulk_list_id: str | None = None,
        voicemail: bool | None = None,
    ) -> dict[str, Any]:
        """One of the vendor's five reports as it comes; parameters as in `AnalyticsQuery`.

        https://docs.ringg.ai/api-reference/endpoint/analytics/get-platform-analytics
        """
        query = AnalyticsQuery.model_validate(
            {
                "kind": kind,
                "start_date": start_date,
                "end_date": end_date,
                "agent_id": agent_id,
                "bulk_list_id": bulk_list_id,
                "voicemail": voicemail,
            }
        )
        return self._do(endpoints.analytics(query))


class AsyncRinggClient(_Ringg, AsyncApiClient):
    """Ringg AI for asyncio: what waiting for campaigns and stopping them needs.

    Parameters, methods and errors are those of `RinggClient`, except that `sleep` is awaited.
    """

    async def get_workspace(self) -> Workspace:
        """See `RinggClient.get_workspace`."""
        return await self._do(endpoints.workspace())

    async def get_upload_status(self, bulk_list_id: str) -> UploadStatus:
        """See `RinggClient.get_upload_status`."""
        return await self._do(endpoints.upload_status(bulk_list_id))

    async def check_balance(self, bulk_list_id: str) -> Balance:
        """See `RinggClient.check_balance`."""
        return await self._do(endpoints.check_balance(bulk_list_id))

    async def list_campaigns_page(self, limit: int = MAX_CAMPAIGNS_PER_PAGE, offset: int = 0) -> CampaignPage:
        """See `RinggClient.list_campaigns_page`."""
        return await self._do(endpoints.campaigns_page(_page_size(limit), offset))

    async def iter_campaigns(self, page_size: int = MAX_CAMPAIGNS_PER_PAGE) -> AsyncGenerator[Campaign]:
        """See `RinggClient.iter_campaigns`."""
        pages: _Pages[Campaign] = _Pages(page_size)
        while not pages.done:
            try:
                page = await self.list_campaigns_page(pages.size, pages.offset)
            except InvalidRequest as error:
                pages.ask_for_less(error)
            else:
                for campaign in pages.take(page.campaigns):
                    yield campaign

    async def find_campaign(self, campaign_id: str) -> Campaign | None:
        """See `RinggClient.find_campaign`."""
        async for campaign in self.iter_campaigns():
            if campaign.id == campaign_id:
                return campaign
        return None

    async def terminate(self, request: Terminate) -> bool:
        """See `RinggClient.terminate`."""
        outcome = await self._do(endpoints.terminate(request))
        while outcome.again is not None:
            outcome = await self._do(endpoints.terminate(outcome.again))
        return outcome.stopped

    async def list_calls_page(self, query: CallQuery, limit: int = MAX_CALLS_PER_PAGE, offset: int = 0) -> CallPage:
        """See `RinggClient.list_calls_page`."""
        return await self._do(endpoints.calls_page(query, limit, offset))

    async def get_call(self, call_id: str, send_analysis: bool = True) -> CallDetails:
        """See `RinggClient.get_call`."""
        return await self._do(endpoints.call_details(call_id, send_analysis))


def _page_size(limit: int) -> int:
    if not 1 <= limit <= MAX_CAMPAIGNS_PER_PAGE:
        raise InvalidRequest(f"limit must be from 1 to {MAX_CAMPAIGNS_PER_PAGE}.", field="limit")
    return limit
