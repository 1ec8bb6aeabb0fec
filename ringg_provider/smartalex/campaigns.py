"""How a SmartAlex campaign is looked at, started, paused and followed: its words in the terms of ``launch/``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ringg_provider.exceptions import CampaignAlreadyActive, NotFound, RinggProviderError, WrongState
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.progress import Progress, Stage
from ringg_provider.launch.terms import Evidence, ListState
from ringg_provider.smartalex.client import AsyncSmartAlexClient, SmartAlexClient
from ringg_provider.smartalex.responses import Campaign, CampaignState

log = logging.getLogger(__name__)

_LIST_STATES = {
    CampaignState.DRAFT: ListState.READY,
    CampaignState.ACTIVE: ListState.STARTED,
    CampaignState.PAUSED: ListState.STARTED,
    CampaignState.COMPLETED: ListState.ENDED,
    CampaignState.CANCELLED: ListState.TERMINATED,
}

_STAGES = {
    CampaignState.DRAFT: Stage.WAITING,
    CampaignState.ACTIVE: Stage.RUNNING,
    CampaignState.PAUSED: Stage.RUNNING,
    CampaignState.COMPLETED: Stage.COMPLETED,
    CampaignState.CANCELLED: Stage.TERMINATED,
}


class SmartAlexLaunchTarget:
    """SmartAlex as a launch reaches it, see :class:`~ringg_provider.launch.terms.LaunchTarget`.

    :param client: reaches the workspace.
    """

    def __init__(self, client: SmartAlexClient) -> None:
        self._client = client

    def look(self, list_id: str) -> ListState:
        """The campaign's state; a paused one has been started."""
        try:
            campaign = self._client.get_campaign(list_id)
        except NotFound:
            return ListState.MISSING
        return _LIST_STATES.get(campaign.state, ListState.UNKNOWN)

    def look_closer(self, list_id: str) -> Evidence:
        """No state of this platform is ambiguous."""
        return Evidence(self.look(list_id), has_calls=False)

    def start(self, request: Mapping[str, Any]) -> None:
        """Send the start, once. A campaign that somebody else made active in between is what was asked for."""
        try:
            self._client.start_campaign(request["campaign_id"])
        except CampaignAlreadyActive as error:
            log.info("%s", error)


@dataclass(frozen=True)
class SmartAlexStart:
    """The start of a draft.

    :param list_id: the draft.
    :param planned: when it was to start, aware; None when nothing was planned.
    """

    list_id: str
    planned: datetime | None

    def asked(self) -> dict[str, Any]:
        """What is asked for."""
        return self.request()

    def request(self) -> dict[str, Any]:
        """The campaign to start."""
        return {"campaign_id": self.list_id}

    def hours(self) -> str | None:
        """The platform calls from the start on, inside the hours of the campaign's settings."""
        return None

    def item(self) -> LaunchItem:
        """All that is known of the campaign."""
        planned = None if self.planned is None else self.planned.isoformat()
        return LaunchItem(
            list_id=self.list_id, flow="smartalex", agent_id="", country_code="", campaign_start_time=planned
        )


def progress_of(campaign: Campaign) -> Progress:
    """A campaign as a sighting."""
    return Progress(_STAGES.get(campaign.state, Stage.UNKNOWN), campaign.status, campaign.contacts, campaign.finished)


def read_progress(client: SmartAlexClient, campaign_id: str) -> Progress:
    """Look at one campaign once."""
    try:
        return progress_of(client.get_campaign(campaign_id))
    except NotFound:
        return Progress(Stage.MISSING)


def pause(client: SmartAlexClient, campaign_id: str) -> bool:
    """Make sure that a campaign makes no new calls for now.

    :return: whether it was paused now; False when it was paused, ended or cancelled before.
    :raises WrongState: it is a draft, or in a state that is not known.
    """
    still = {CampaignState.PAUSED, CampaignState.COMPLETED, CampaignState.CANCELLED}
    return _change(client, campaign_id, client.pause_campaign, {CampaignState.ACTIVE}, still, "paused")


def resume(client: SmartAlexClient, campaign_id: str) -> bool:
    """Make sure that a campaign that was started goes on.

    :return: whether it was resumed now; False when it is active or has completed.
    :raises WrongState: it is a draft, which only a start may begin, was cancelled, or is in an unknown state.
    """
    going = {CampaignState.ACTIVE, CampaignState.COMPLETED}
    return _change(client, campaign_id, client.resume_campaign, {CampaignState.PAUSED}, going, "resumed")


def _change(
    client: SmartAlexClient,
    campaign_id: str,
    send: Callable[[str], None],
    before: set[CampaignState],
    after: set[CampaignState],
    what: str,
) -> bool:
    """Send once, from the states where it makes sense; what an error leaves open is settled by looking again."""
    campaign = client.get_campaign(campaign_id)
    if campaign.state in after:
        return False
    if campaign.state not in before:
        raise WrongState(
            f"Campaign {campaign_id} is {campaign.status or 'in no known state'} and cannot be {what};"
            " look at it in the dashboard."
        )
    try:
        send(campaign_id)
    except RinggProviderError:
        if client.get_campaign(campaign_id).state not in after:
            raise
    return True


class SmartAlexListing:
    """A workspace as the shared poller reads it; see ``triggers/poller.py``.

    :param client: reaches the workspace; the caller closes it.
    """

    def __init__(self, client: AsyncSmartAlexClient) -> None:
        self._client = client

    async def read_listing(self, wanted: set[str]) -> dict[str, Progress]:
        """Page through the campaigns until every wanted id was seen, or to their end."""
        seen: dict[str, Progress] = {}
        async with aclosing(self._client.iter_campaigns()) as campaigns:
            async for campaign in campaigns:
                if campaign.id in wanted:
                    seen[campaign.id] = progress_of(campaign)
                if len(seen) == len(wanted):
                    break
        return seen

    async def read_one(self, campaign_id: str) -> Progress:
        """Ask for one campaign that the listing does not show."""
        try:
            return progress_of(await self._client.get_campaign(campaign_id))
        except NotFound:
            return Progress(Stage.MISSING)
