"""A whole campaign as one task group: what a night needs, in the order in which it is safe."""

from __future__ import annotations

from ringg_provider.task_groups.campaign import RINGG_DAY, Rollout
from ringg_provider.task_groups.ringg import RinggCampaign
from ringg_provider.task_groups.smartalex import SmartAlexCampaign

__all__ = ["RINGG_DAY", "RinggCampaign", "Rollout", "SmartAlexCampaign"]
