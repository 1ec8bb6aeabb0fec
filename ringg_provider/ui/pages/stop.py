"""Stopping a campaign: the question first, then what the platform says."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Depends, HTTPException, Request, status
from fastapi.responses import HTMLResponse

from ringg_provider.ui.access import STOP_DEPENDENCIES, CurrentUser, require_dag, require_stop
from ringg_provider.ui.pages.state import open_state
from ringg_provider.ui.pages.templating import page
from ringg_provider.ui.stopping import Launched, find_launched, look, stop

log = logging.getLogger(__name__)
router = APIRouter()


def launched_campaign(dag_id: str, campaign_id: str) -> Launched:
    """The campaign that the path names.

    :raises HTTPException: that DAG launched no such campaign.
    """
    with open_state() as state:
        launched = find_launched(state.connection, state.tables, dag_id, campaign_id)
    if launched is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "This DAG launched no such campaign.")
    return launched


@router.get("/page/stop/{dag_id}/{campaign_id}", dependencies=[Depends(require_dag), Depends(require_stop)])
def ask(request: Request, dag_id: str, campaign_id: str) -> HTMLResponse:
    """Name the campaign and how many calls still wait; after a stop the same page says what became of it."""
    launched = launched_campaign(dag_id, campaign_id)
    standing = None if launched.conn_id is None else look(launched)
    return page(request, "stop.html", {"launched": launched, "standing": standing})


@router.post("/stop/{dag_id}/{campaign_id}", dependencies=STOP_DEPENDENCIES)
def do_stop(dag_id: str, campaign_id: str, user: CurrentUser) -> dict[str, bool]:
    """Stop it; ``{"stopped": false}`` where there was nothing to stop."""
    launched = launched_campaign(dag_id, campaign_id)
    if launched.conn_id is None:
        raise HTTPException(status.HTTP_409_CONFLICT, "Which connection launched the campaign was not noted.")
    stopped = stop(launched)
    did = "stopped" if stopped else "found nothing to stop in"
    log.warning("%s %s campaign %s of DAG %s.", user.get_name(), did, campaign_id, dag_id)
    return {"stopped": stopped}
