"""Operators for SmartAlex campaigns: create a draft and fill it, start at most once, pause and resume."""

from __future__ import annotations

from ringg_provider.operators.smartalex.callbacks import SmartAlexCallbacksOperator
from ringg_provider.operators.smartalex.lists import SmartAlexAddContactsOperator, SmartAlexCreateCampaignOperator
from ringg_provider.operators.smartalex.pause import SmartAlexPauseCampaignOperator, SmartAlexResumeCampaignOperator
from ringg_provider.operators.smartalex.rollout import SmartAlexRolloutOperator
from ringg_provider.operators.smartalex.start import SmartAlexStartCampaignOperator

__all__ = [
    "SmartAlexAddContactsOperator",
    "SmartAlexCallbacksOperator",
    "SmartAlexCreateCampaignOperator",
    "SmartAlexPauseCampaignOperator",
    "SmartAlexResumeCampaignOperator",
    "SmartAlexRolloutOperator",
    "SmartAlexStartCampaignOperator",
]
