"""What is checked before anything is created on SmartAlex: the settings, and the agent.

https://docs.getsmartalex.com/api-reference/campaigns
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ringg_provider.api.request_model import as_model
from ringg_provider.exceptions import WrongState
from ringg_provider.smartalex.client import SmartAlexClient
from ringg_provider.smartalex.requests import CampaignSettings

log = logging.getLogger(__name__)


def as_settings(settings: CampaignSettings | Mapping[str, Any] | None) -> CampaignSettings:
    """Checked settings, whether a DAG gave the model or a dict; None: the vendor's own, with a warning.

    :raises InvalidRequest: a setting breaks a rule.
    """
    checked = as_model(CampaignSettings, {} if settings is None else settings, "settings")
    if "timezone" not in checked.model_fields_set:
        log.warning("settings.timezone is left out: the calling hours are read in UTC.")
    return checked


def check_agent(client: SmartAlexClient, agent_id: str) -> None:
    """Refuse an agent that cannot call.

    :raises AgentNotFound: there is none.
    :raises WrongState: it is not ready.
    """
    if not client.get_agent(agent_id).is_usable:
        raise WrongState(f"agent_id: agent {agent_id} is not ready to call; finish it in the dashboard first.")
