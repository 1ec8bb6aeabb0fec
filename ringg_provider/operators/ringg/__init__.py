"""Operators for Ringg AI campaigns: upload a list, check before the start, start at most once, stop."""

from __future__ import annotations

from ringg_provider.hours.schedule import Time
from ringg_provider.operators.ringg.balance import RinggCheckBalanceOperator
from ringg_provider.operators.ringg.callbacks import RinggCallbacksOperator
from ringg_provider.operators.ringg.events import RinggSetEventSubscriptionsOperator
from ringg_provider.operators.ringg.launch import RinggLaunchOperator
from ringg_provider.operators.ringg.preflight import RinggPreflightOperator
from ringg_provider.operators.ringg.rollout import RinggRolloutOperator
from ringg_provider.operators.ringg.start import RinggMakeCallAsyncOperator, RinggStartCampaignOperator
from ringg_provider.operators.ringg.stop import RinggTerminateOperator
from ringg_provider.operators.ringg.uploads import RinggSaveCampaignOperator, RinggUploadCsvOperator
from ringg_provider.ringg.timing import as_call_config, schedule_of

__all__ = [
    "RinggCallbacksOperator",
    "RinggCheckBalanceOperator",
    "RinggLaunchOperator",
    "RinggMakeCallAsyncOperator",
    "RinggPreflightOperator",
    "RinggRolloutOperator",
    "RinggSaveCampaignOperator",
    "RinggSetEventSubscriptionsOperator",
    "RinggStartCampaignOperator",
    "RinggTerminateOperator",
    "RinggUploadCsvOperator",
    "Time",
    "as_call_config",
    "schedule_of",
]
