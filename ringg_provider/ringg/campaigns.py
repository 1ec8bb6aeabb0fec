"""How a Ringg campaign is looked at, started and followed: Ringg's words in the terms of ``launch/``."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from ringg_provider.exceptions import NotFound, RinggProviderError
from ringg_provider.launch.progress import Progress, Stage, StallWatch
from ringg_provider.launch.terms import Evidence, ListState
from ringg_provider.ringg.client import AsyncRinggClient, RinggClient
from ringg_provider.ringg.limits import MAX_CAMPAIGNS_PER_PAGE, Flow
from ringg_provider.ringg.requests import CallQuery, MakeCallAsync, StartCampaign
from ringg_provider.ringg.responses import Call, Campaign, CampaignState, UploadStatus

_LIST_STATES = {
    CampaignState.PREPARING: ListState.PREPARING,
    CampaignState.DRAFT: ListState.READY,
    CampaignState.INSUFFICIENT_BALANCE: ListState.INSUFFICIENT_BALANCE,
    CampaignState.SCHEDULED: ListState.STARTED,
    CampaignState.RUNNING: ListState.STARTED,
    CampaignState.PAUSED: ListState.STARTED,
    CampaignState.COMPLETED: ListState.ENDED,
    CampaignState.TERMINATED: ListState.TERMINATED,
    CampaignState.FAILED: ListState.FAILED,
}

_STAGES = {
    CampaignState.RUNNING: Stage.RUNNING,
    CampaignState.PAUSED: Stage.RUNNING,
    CampaignState.COMPLETED: Stage.COMPLETED,
    CampaignState.TERMINATED: Stage.TERMINATED,
    CampaignState.FAILED: Stage.FAILED,
    CampaignState.UNKNOWN: Stage.UNKNOWN,
    CampaignState.NOT_A_CAMPAIGN: Stage.UNKNOWN,
}

#: One generation lists scheduled campaigns so; whether unstarted ones too is not documented.
_PENDING = "pending"


class RinggLaunchTarget:
    """Ringg as a launch reaches it, see :class:`~ringg_provider.launch.terms.LaunchTarget`.

    :param client: reaches the workspace.
    :param flow: ``standard`` (lists from ``campaign/save``) or ``large`` (from ``campaign/upload-csv``).
    """

    def __init__(self, client: RinggClient, flow: Flow) -> None:
        self._client = client
        self._flow = flow

    def look(self, list_id: str) -> ListState:
        """The list's state: from the upload status in the large flow, from the campaign list in the standard one."""
        if self._flow == "large":
            return self._look_at_upload(list_id)
        campaign = self._client.find_campaign(list_id)
        if campaign is None:
            # A listing can hide or lag; some workspaces answer the upload status for every kind of list.
            return self._look_at_upload(list_id)
        return _listed_state(campaign)

    def look_closer(self, list_id: str) -> Evidence:
        """What the campaign list and one page of the history say."""
        campaign = self._client.find_campaign(list_id)
        page = self._client.list_calls_page(CallQuery(bulk_list_id=[list_id]), limit=1)
        listed = None if campaign is None else _listed_state(campaign)
        has_calls = any(_may_be_of(call, list_id) for call in page.calls)
        return Evidence(None if listed is ListState.AMBIGUOUS else listed, has_calls)

    def start(self, request: Mapping[str, Any]) -> None:
        """Send the start, once: a ``MakeCallAsync`` in the large flow, a ``StartCampaign`` in the standard one."""
        if self._flow == "large":
            self._client.make_call_async(MakeCallAsync(**request))
        else:
            self._client.start_campaign(StartCampaign(**request))

    def _look_at_upload(self, list_id: str) -> ListState:
        try:
            status = self._client.get_upload_status(list_id)
        except NotFound:
            return ListState.MISSING
        if status.state is CampaignState.COMPLETED or status.status.lower() == _PENDING:
            return ListState.AMBIGUOUS
        return _LIST_STATES.get(status.state, ListState.UNKNOWN)


def _may_be_of(call: Call, list_id: str) -> bool:
    """Whether a call is no other list's: a server that ignores the filter answers with somebody else's."""
    return call.bulk_list_id in (None, list_id)


def _listed_state(campaign: Campaign) -> ListState:
    if (campaign.status or "").lower() == _PENDING:
        return ListState.AMBIGUOUS
    return _LIST_STATES.get(campaign.state, ListState.UNKNOWN)


def listed_progress(campaign: Campaign) -> Progress:
    """A row of the campaign list as a sighting."""
    contacts = campaign.total_count if campaign.total_count is not None else campaign.total_contacts
    return Progress(
        _STAGES.get(campaign.state, Stage.WAITING),
        campaign.status,
        contacts if contacts is not None else campaign.total_calls,
        campaign.completed_count,
    )


_Search = Generator[CallQuery, Sequence[Call], Progress]


def _search_unlisted(campaign_id: str, status: UploadStatus | None) -> _Search:
    """Sight a campaign that the list does not show: yields what to ask the history, one row each, takes the answer.

    ``completed`` as an upload status is no end here, because one generation means "the file is processed" by it.
    """
    word = None if status is None else status.status
    if status is not None and status.state is not CampaignState.COMPLETED:
        return Progress(_STAGES.get(status.state, Stage.WAITING), word, status.valid_rows)
    for open_status in ("ongoing", "registered", "retry"):
        calls = yield CallQuery(bulk_list_id=[campaign_id], status=[open_status])
        # A server that ignores the filter answers with some other call, which proves nothing.
        if any(_may_be_of(call, campaign_id) and not call.status.is_final for call in calls):
            return Progress(Stage.RUNNING, word)
    if any(_may_be_of(call, campaign_id) for call in (yield CallQuery(bulk_list_id=[campaign_id]))):
        return Progress(Stage.COMPLETED, word)
    return Progress(Stage.MISSING if status is None else Stage.UNKNOWN, word)


def read_progress(client: RinggClient, campaign_id: str, stalls: StallWatch) -> Progress:
    """Look at one campaign once, wherever the platform shows it.

    :param client: reaches the workspace.
    :param campaign_id: the campaign.
    :param stalls: keeps from look to look how long it has stood still; then the credits are looked at too.
    """
    progress = _read_progress(client, campaign_id)
    if stalls.is_due(progress):
        try:
            stalls.tell(client.get_workspace().spendable_credits)
        except RinggProviderError:
            stalls.tell(None)
    return stalls.mark(progress)


def _read_progress(client: RinggClient, campaign_id: str) -> Progress:
    campaign = client.find_campaign(campaign_id)
    if campaign is not None:
        return listed_progress(campaign)
    try:
        status = client.get_upload_status(campaign_id)
    except NotFound:
        status = None
    search = _search_unlisted(campaign_id, status)
    try:
        query = next(search)
        while True:
            query = search.send(client.list_calls_page(query, limit=1).calls)
    except StopIteration as found:
        return cast("Progress", found.value)


class RinggListing:
    """A workspace as the shared poller reads it; see ``triggers/poller.py``.

    :param client: reaches the workspace; the caller closes it.
    :param page_size: campaigns asked for per page. Default 1000.
    """

    def __init__(self, client: AsyncRinggClient, page_size: int = MAX_CAMPAIGNS_PER_PAGE) -> None:
        self._client = client
        self._page_size = page_size
        self._stalls: dict[str, StallWatch] = {}

    async def read_listing(self, wanted: set[str]) -> dict[str, Progress]:
        """Page through the campaign list until every wanted id was seen, or to its end."""
        seen: dict[str, Progress] = {}
        async with aclosing(self._client.iter_campaigns(page_size=self._page_size)) as campaigns:
            async for campaign in campaigns:
                if campaign.id in wanted:
                    seen[campaign.id] = listed_progress(campaign)
                    if len(seen) == len(wanted):
                        break
        self._stalls = {campaign_id: self._stalls.get(campaign_id) or StallWatch() for campaign_id in wanted}
        return await self._with_credits(seen)

    async def _with_credits(self, seen: Mapping[str, Progress]) -> dict[str, Progress]:
        """Look at the credits where a campaign stands still: once, however many of them do."""
        watches = {campaign_id: self._stalls.setdefault(campaign_id, StallWatch()) for campaign_id in seen}
        due = [watches[campaign_id] for campaign_id, progress in seen.items() if watches[campaign_id].is_due(progress)]
        if due:
            try:
                spendable = (await self._client.get_workspace()).spendable_credits
            except RinggProviderError:
                spendable = None
            for watch in due:
                watch.tell(spendable)
        return {campaign_id: watches[campaign_id].mark(progress) for campaign_id, progress in seen.items()}

    async def read_one(self, campaign_id: str) -> Progress:
        """Ask for a campaign that the list does not show: its upload status, then its calls."""
        try:
            status = await self._client.get_upload_status(campaign_id)
        except NotFound:
            status = None
        search = _search_unlisted(campaign_id, status)
        try:
            query = next(search)
            while True:
                query = search.send((await self._client.list_calls_page(query, limit=1)).calls)
        except StopIteration as found:
            progress = cast("Progress", found.value)
        return (await self._with_credits({campaign_id: progress}))[campaign_id]
