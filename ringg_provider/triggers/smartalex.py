"""Waiting for SmartAlex campaigns in the triggerer."""

from __future__ import annotations

from typing import Any

from ringg_provider.exceptions import CampaignNotActive
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.smartalex import AsyncSmartAlexClient
from ringg_provider.smartalex.campaigns import SmartAlexListing
from ringg_provider.triggers.campaign import CallingTrigger, CampaignTrigger
from ringg_provider.triggers.rollout import RolloutTrigger


class _SmartAlexCalling(CallingTrigger):
    """What calls on SmartAlex, whichever of the two is waited for."""

    def __init__(self, *, smartalex_conn_id: str, **options: Any) -> None:
        super().__init__(**options)
        self.smartalex_conn_id = smartalex_conn_id

    @property
    def hook(self) -> SmartAlexHook:
        """The connection's hook."""
        return SmartAlexHook(self.smartalex_conn_id)

    def listing(self, client: AsyncSmartAlexClient) -> SmartAlexListing:
        """The workspace's campaigns."""
        return SmartAlexListing(client)


class SmartAlexCampaignTrigger(_SmartAlexCalling, CampaignTrigger):
    """Wait for a SmartAlex campaign to end; :class:`~ringg_provider.triggers.campaign.CampaignTrigger` says how.

    The platform cannot cancel a campaign: ``cancel_on_kill`` pauses it.

    :param smartalex_conn_id: the connection.
    :param options: those of the base, ``campaign_id`` and deadlines among them.
    """

    async def stop(self, client: AsyncSmartAlexClient) -> str:
        """Pause it; what does not call needs no pause."""
        return await _pause(client, self.campaign_id)


class SmartAlexRolloutTrigger(_SmartAlexCalling, RolloutTrigger):
    """Wait while a rollout calls on SmartAlex; :class:`~ringg_provider.triggers.rollout.RolloutTrigger` says for what.

    The platform cannot cancel a campaign: ``cancel_on_kill`` pauses it.

    :param smartalex_conn_id: the connection.
    :param options: those of the base, ``campaign_ids`` and deadlines among them.
    """

    async def stop_campaign(self, client: AsyncSmartAlexClient, campaign_id: str) -> str:
        """Pause it; what does not call needs no pause."""
        return await _pause(client, campaign_id)


async def _pause(client: AsyncSmartAlexClient, campaign_id: str) -> str:
    try:
        await client.pause_campaign(campaign_id)
    except CampaignNotActive:
        return "not calling any more"
    return "paused"
