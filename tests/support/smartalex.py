"""A SmartAlex campaign that makes calls, for whoever only waits for one."""

from __future__ import annotations

from ringg_provider.smartalex import SmartAlexClient
from ringg_provider.smartalex.requests import NewCampaign, NewContact
from tests.support.sandbox import Sandbox


def started_campaign(sandbox: Sandbox) -> str:
    """One person, all day, once."""
    all_day = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC", "max_retries": 0}
    with SmartAlexClient(sandbox.api_key, sandbox.smartalex_url, requests_per_minute=60_000) as client:
        campaign = client.create_campaign(NewCampaign(name="Survey", agent_id="agent_survey", settings=all_day))
        client.add_contacts(campaign.id, [NewContact(phone="+919810000001", first_name="Ann")])
        client.start_campaign(campaign.id)
    return campaign.id


def state_of(sandbox: Sandbox, campaign_id: str) -> str:
    """Its state as it really is."""
    return str(next(row["state"] for row in sandbox.state()["campaigns"] if row["id"] == campaign_id))
