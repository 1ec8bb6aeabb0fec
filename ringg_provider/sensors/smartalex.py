"""Sensors for SmartAlex: a campaign that has ended."""

from __future__ import annotations

from collections.abc import Sequence

from ringg_provider.launch.progress import Progress
from ringg_provider.operators.on_platform import OnSmartAlex
from ringg_provider.operators.waiting import dag_zone
from ringg_provider.sensors.waiting import CampaignSensor
from ringg_provider.smartalex.campaigns import read_progress
from ringg_provider.triggers.smartalex import SmartAlexCampaignTrigger


class SmartAlexCampaignSensor(OnSmartAlex, CampaignSensor):
    """Wait for a campaign to end, and log its progress once per change.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. Succeeds when everybody was processed
    (``completed``), fails without retry when it was cancelled; a paused campaign has not ended. Returns its id.

    :param campaign_id: the campaign.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param min_listed: fail where fewer people are on it, as far as the platform tells. Default None: any number.
    :param min_reached: fail where fewer people took a call. Default None: any number; nobody is a warning with the
        reason.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.

    ``poke_interval``, ``timeout`` (seconds) and ``mode`` are Airflow's; ``soft_fail`` skips on a timeout only.
    """

    template_fields: Sequence[str] = ("smartalex_conn_id", "campaign_id")

    def read_progress(self) -> Progress:
        """Look at the campaign once."""
        return read_progress(self.hook.client, self.campaign_id)

    def trigger(self, deadline: float, kill_deadline: float | None) -> SmartAlexCampaignTrigger:
        """The trigger that waits in the task's stead."""
        return SmartAlexCampaignTrigger(
            smartalex_conn_id=self.smartalex_conn_id,
            campaign_id=self.campaign_id,
            poll_interval=self.poke_interval,
            deadline=deadline,
            kill_deadline=kill_deadline,
            timezone=dag_zone(self),
        )
