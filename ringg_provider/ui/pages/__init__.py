"""The pages: one module and one template for each, and queries that know the tables in ``ui/queries.py``."""

from __future__ import annotations

from fastapi import APIRouter

from ringg_provider.ui.pages import callbacks, campaign, campaigns, runs, stop

#: What the app consists of; a new page is added here.
ROUTERS: tuple[APIRouter, ...] = (campaigns.router, campaign.router, runs.router, callbacks.router, stop.router)
