"""All campaigns that a person may see."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from ringg_provider.ui.access import ReadableDags
from ringg_provider.ui.pages.templating import page

router = APIRouter()


@router.get("/page/")
def campaigns(request: Request, dags: ReadableDags) -> HTMLResponse:
    """The list."""
    return page(request, "campaigns.html", {"campaigns": [], "dags": dags})
