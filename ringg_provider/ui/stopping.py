"""Stopping a launched campaign from a page, through the connection that launched it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from ringg_provider.exceptions import TransientError
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hooks.smartalex import SmartAlexHook
from ringg_provider.launch.progress import Progress, Stage, StallWatch
from ringg_provider.launch.table import BRAKED, LISTED, REPLACED
from ringg_provider.ringg.campaigns import listed_progress, read_progress
from ringg_provider.ringg.client import RinggClient
from ringg_provider.ringg.requests import CallQuery, Terminate
from ringg_provider.smartalex.campaigns import pause, progress_of
from ringg_provider.ui.tables import Tables


@dataclass(frozen=True)
class Launched:
    """A campaign that the ledger has as started, or perhaps started.

    :param campaign_id: its id on the platform.
    :param dag_id: the DAG that launched it.
    :param conn_id: the connection that launched it; None where an older version did, which did not note it.
    :param smartalex: whether the platform is SmartAlex.
    """

    campaign_id: str
    dag_id: str
    conn_id: str | None
    smartalex: bool


@dataclass(frozen=True)
class Standing:
    """What the platform says of a campaign at this moment.

    :param name: its name; None where the platform does not show it.
    :param status: the platform's own word; None where it does not show the campaign.
    :param waiting: calls that it still has to make; None where it does not say.
    :param stoppable: whether there is something to stop.
    """

    name: str | None
    status: str | None
    waiting: int | None
    stoppable: bool


def find_launched(connection: Connection, tables: Tables, dag_id: str, campaign_id: str) -> Launched | None:
    """Look a campaign of a DAG up in the ledger; None where that DAG launched no such campaign."""
    ledger = tables.launches
    if ledger is None:
        return None
    row = connection.execute(
        select(tables.of(ledger, "conn_id").label("conn_id"), ledger.c.flow)
        .where(
            ledger.c.list_id == campaign_id,
            tables.of(ledger, "dag_id") == dag_id,
            ledger.c.state.not_in((LISTED, REPLACED, BRAKED)),
        )
        .limit(1)
    ).first()
    return None if row is None else Launched(campaign_id, dag_id, row.conn_id, row.flow == "smartalex")


def look(launched: Launched) -> Standing:
    """Ask the platform; only where the connection is known."""
    with _client(launched) as client:
        if launched.smartalex:
            campaign = client.get_campaign(launched.campaign_id)
            standing = _standing(campaign.name, progress_of(campaign))
            return Standing(standing.name, standing.status, standing.waiting, campaign.state.value == "active")
        listed = client.find_campaign(launched.campaign_id)
        if listed is None:
            return _standing(None, read_progress(client, launched.campaign_id, StallWatch()))
        progress = listed_progress(listed)
        waiting = listed.registered_count
        if waiting is None and progress.stage is Stage.RUNNING:
            waiting = _count_waiting(client, launched.campaign_id)
        return _standing(listed.name, progress, waiting)


def stop(launched: Launched) -> bool:
    """Stop it: Ringg terminates, which is final; SmartAlex, which has no such request, pauses.

    Only where the connection is known.

    :return: whether there was anything to stop.
    """
    with _client(launched) as client:
        if launched.smartalex:
            return pause(client, launched.campaign_id)
        return bool(client.terminate(Terminate(campaign_id=launched.campaign_id)))


@contextmanager
def _client(launched: Launched) -> Iterator[Any]:
    assert launched.conn_id is not None
    hook = SmartAlexHook if launched.smartalex else RinggHook
    with hook(launched.conn_id) as opened:
        yield opened.client


def _count_waiting(client: RinggClient, campaign_id: str) -> int | None:
    """What the history says where the campaign list has no counts; None where it does not say."""
    query = CallQuery(bulk_list_id=[campaign_id], status=["registered", "retry"])
    try:
        page = client.list_calls_page(query, limit=1, retry=False)
    except TransientError:
        # Ten of these requests a minute are allowed, and a load may be using them.
        return None
    # A server that ignores the filter counts something else.
    is_ours = all(call.bulk_list_id in (None, campaign_id) and not call.status.is_final for call in page.calls)
    return page.total if is_ours else None


def _standing(name: str | None, progress: Progress, waiting: int | None = None) -> Standing:
    if progress.stage.is_final:
        waiting = 0
    elif waiting is None and progress.contacts is not None and progress.stage is Stage.WAITING:
        waiting = progress.contacts
    elif waiting is None and progress.contacts is not None and progress.finished is not None:
        waiting = max(progress.contacts - progress.finished, 0)
    return Standing(name, progress.status, waiting, not progress.stage.is_final)
