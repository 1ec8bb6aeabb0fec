"""What SmartAlex's errors mean. The code in the body decides, not the HTTP status.

No page says which status goes with which code.

https://docs.getsmartalex.com/api-reference/introduction
https://docs.getsmartalex.com/api-reference/campaigns
"""

from __future__ import annotations

from dataclasses import replace

from ringg_provider.api.errors import error_by_status, error_of
from ringg_provider.api.messages import Response
from ringg_provider.exceptions import (
    AgentNotFound,
    CampaignAlreadyActive,
    CampaignNotActive,
    CampaignNotFound,
    NoContacts,
    RinggProviderError,
    UnexpectedResponse,
)

#: The refusals that belong to campaigns, with what to do about each.
_CAMPAIGN_ERRORS: dict[str, tuple[type[RinggProviderError], str]] = {
    "campaign_not_found": (CampaignNotFound, "Check campaign_id, and that the key belongs to its workspace."),
    "campaign_already_active": (CampaignAlreadyActive, "It is adopted by whoever launches it; nothing is to be done."),
    "campaign_not_active": (CampaignNotActive, "Look at its present status first: only an active one can be paused."),
    "agent_not_found": (AgentNotFound, "Check agent_id against the agents of the workspace."),
    "no_contacts": (NoContacts, "Add contacts before starting; see why none was added."),
}

#: The general codes, with the status that goes with each on the page.
_STATUS_OF_CODE = {
    "invalid_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "rate_limited": 429,
    "server_error": 500,
}


def smartalex_error(response: Response) -> RinggProviderError | None:
    """What is wrong with an answer, by the code in its body, else by its status; None when nothing is."""
    code = response.value("error", "code")
    if not isinstance(code, str):
        return error_of(response)
    if code in _CAMPAIGN_ERRORS:
        kind, advice = _CAMPAIGN_ERRORS[code]
        return kind(
            f"{response.request} was answered {code}: {response.text()} {advice}", status_code=response.status_code
        )
    if code in _STATUS_OF_CODE:
        error = error_by_status(replace(response, status_code=_STATUS_OF_CODE[code]))
        error.status_code = response.status_code
        return error
    return error_of(response) or UnexpectedResponse(
        f"{response.request} was answered {response.status_code} with an error: {response.text()}",
        status_code=response.status_code,
    )
