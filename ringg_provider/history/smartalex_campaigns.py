"""How SmartAlex's campaigns stand: it lists no counts that could be kept, so that its calls are summed up."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from ringg_provider.exceptions import NotFound, RinggProviderError
from ringg_provider.history.telling import CampaignSeen, nobody, outcomes_in_words, tell_campaigns
from ringg_provider.smartalex import SmartAlexClient
from ringg_provider.smartalex.campaigns import progress_of

log = logging.getLogger(__name__)

#: Statuses of calls that were taken, by a person or a machine; `MACHINE` is the latter.
TAKEN, MACHINE = frozenset({"completed", "voicemail"}), "voicemail"
#: Campaigns of one statement.
_TOGETHER = 500


def connected(calls: sa.Table) -> sa.ColumnElement[bool]:
    """Whether the call was taken, by a person or by a machine."""
    return _status(calls).in_(sorted(TAKEN))


def reached(calls: sa.Table) -> sa.ColumnElement[bool]:
    """Whether a person took the call."""
    return sa.and_(connected(calls), _status(calls) != MACHINE)


def tell(
    client: SmartAlexClient, engine: sa.Engine, calls: sa.Table, campaign_ids: Collection[str], zone: dt.tzinfo
) -> None:
    """Log how some campaigns stand, and warn of each that has ended without one person called or reached.

    :param client: is asked whether a campaign has ended, where nobody was reached.
    :param engine: the database.
    :param calls: see `smartalex_calls_table`.
    :param campaign_ids: those that a load was asked for, or read calls of.
    :param zone: where times are told.
    """
    ids = sorted(campaign_ids)
    with engine.connect() as connection:
        seen = [
            each
            for place in range(0, len(ids), _TOGETHER)
            for each in _seen(connection, calls, ids[place : place + _TOGETHER])
        ]
        tell_campaigns(log, seen, zone)
        for each in seen:
            if not each.reached and each.missing is None and _has_ended(client, each.campaign_id):
                outcomes = _outcomes(connection, calls, each.campaign_id)
                log.warning("%s", nobody(each.campaign_id, each.calls, each.dialled, outcomes_in_words(outcomes)))


def _status(calls: sa.Table) -> sa.ColumnElement[str]:
    return sa.func.lower(sa.func.coalesce(calls.c.status, ""))


def _seen(connection: sa.Connection, calls: sa.Table, ids: Sequence[str]) -> list[CampaignSeen]:
    def number_of(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)

    is_final = calls.c.is_final == sa.true()
    query = (
        sa.select(
            calls.c.campaign_id,
            sa.func.count().label("calls"),
            number_of(is_final).label("dialled"),
            number_of(reached(calls)).label("reached"),
            number_of(sa.and_(is_final, sa.not_(connected(calls)))).label("failed"),
            sa.func.sum(calls.c.cost).label("cost"),
            sa.func.max(calls.c.created_at).label("last_call_at"),
        )
        .where(calls.c.campaign_id.in_(ids))
        .group_by(calls.c.campaign_id)
    )
    rows = {row.campaign_id: row for row in connection.execute(query)}
    return [
        CampaignSeen(each, 0, 0, 0, 0, None, None, None, closed_now=False)
        if (row := rows.get(each)) is None
        else CampaignSeen(
            each,
            row.calls,
            row.dialled,
            row.reached,
            row.failed,
            row.cost,
            row.last_call_at,
            f"calls without an end: {row.calls - row.dialled:,}" if row.dialled < row.calls else None,
            closed_now=False,
        )
        for each in ids
    ]


def _outcomes(connection: sa.Connection, calls: sa.Table, campaign_id: str) -> dict[str, int]:
    query = (
        sa.select(calls.c.status, sa.func.count().label("number"))
        .where(calls.c.campaign_id == campaign_id)
        .group_by(calls.c.status)
    )
    return {row.status or "": row.number for row in connection.execute(query)}


def _has_ended(client: SmartAlexClient, campaign_id: str) -> bool:
    try:
        return progress_of(client.get_campaign(campaign_id)).stage.is_final
    except NotFound:
        return True
    except RinggProviderError:
        # The calls are in the table; for a warning alone a load does not fail.
        return False
