"""What the operators share that make, start or stop a SmartAlex campaign."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pendulum

from ringg_provider.exceptions import CampaignNotActive
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.hours.schedule import Time, read_time
from ringg_provider.launch.progress import Progress
from ringg_provider.operators.launching import LaunchOperator
from ringg_provider.operators.on_platform import OnSmartAlex
from ringg_provider.smartalex.campaigns import read_progress
from ringg_provider.triggers.smartalex import SmartAlexCampaignTrigger


class BaseSmartAlexOperator(OnSmartAlex):
    """Base of the operators."""

    ui_color = "#efe4d6"


class BaseSmartAlexCampaignOperator(BaseSmartAlexOperator, LaunchOperator):
    """Base of the operators that start campaigns."""

    def campaign_url(self, campaign_id: str) -> str:
        """Where a person sees the campaign."""
        return self.hook.campaign_url(campaign_id)

    def read_progress(self, campaign_id: str) -> Progress:
        """Look at the campaign once."""
        return read_progress(self.hook.client, campaign_id)

    def cancel_campaign(self, campaign_id: str) -> None:
        """Pause it, whatever it looks like: the platform has no way to cancel."""
        with SmartAlexHook(self.smartalex_conn_id) as hook:
            try:
                hook.client.pause_campaign(campaign_id)
            except CampaignNotActive as error:
                self.log.info("Campaign %s does not call: %s", campaign_id, error)

    def completion_trigger(self, **options: Any) -> SmartAlexCampaignTrigger:
        """The trigger that waits for the campaign's end."""
        return SmartAlexCampaignTrigger(smartalex_conn_id=self.smartalex_conn_id, **options)


def planned_at(time: Time) -> datetime | None:
    """A planned time, aware; a naive one is in UTC."""
    return None if time is None else read_time(time, pendulum.timezone("UTC"), "planned_start")
