"""SmartAlex under `/v1`: campaigns that can be paused, contacts as JSON, a callback for whoever was not reached.

The calls are made by the same dialer as Ringg's, in a world of their own. What no page of the vendor shows is inferred.
https://docs.getsmartalex.com/api-reference/campaigns
"""

from __future__ import annotations

from fastapi import APIRouter, Depends

from ringg_provider.sandbox.smartalex import calls, campaigns, people, webhooks
from ringg_provider.sandbox.smartalex.shared import authenticate

router = APIRouter(tags=["SmartAlex"], dependencies=[Depends(authenticate)])
for part in (campaigns, calls, people, webhooks):
    router.include_router(part.router)
