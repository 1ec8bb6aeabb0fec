"""Refuse to dial on yesterday's knowledge: is what was launched lately closed in the tables?"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from ringg_provider.exceptions import HistoryNotCurrent, InvalidRequest
from ringg_provider.history.tables import (
    NO_CALL_YET,
    NOT_STARTED,
    REACHED_KNOWN,
    HistoryState,
    campaigns_table,
    require_table,
)
from ringg_provider.launch.table import launches as ledger
from ringg_provider.ringg.responses import CampaignState
from ringg_provider.sql.creating import described, is_there
from ringg_provider.sql.types import UtcDateTime

#: States of a list in the launch ledger from which on phones may have rung.
_LAUNCHED = ("start_sent", "started")

#: A campaign without a call that ended so has reached nobody, even if it was launched.
_CAME_TO_NOTHING = (CampaignState.FAILED.value, CampaignState.TERMINATED.value)


def closed_campaigns(
    engine: sa.Engine,
    within: dt.timedelta,
    *,
    table: str,
    launches: str | None,
    schema: str | None,
    complete: bool,
    history_table_may_be_missing: bool,
    now: dt.datetime | None,
) -> set[str]:
    """The ids of all campaigns of late, each of which is closed; see `warehouse.require_history_within`.

    :raises InvalidRequest: a table is not there, or `within` is no length of time.
    :raises HistoryNotCurrent: one is not closed.
    """
    if within <= dt.timedelta(0):
        raise InvalidRequest("within: must be above zero, or nothing would be checked.", field="within")
    now = now or dt.datetime.now(dt.UTC)
    since = now - within
    launched = launched_since(engine, launches, schema, since)
    campaigns = campaigns_table(table, schema=schema)
    reasons: dict[str, str] = dict.fromkeys(launched, "never loaded into the tables")
    looked_at = set(launched)
    if require_table(engine, campaigns, field="table", may_be_missing=history_table_may_be_missing):
        columns = (
            campaigns.c.campaign_id,
            campaigns.c.state,
            campaigns.c.history_state,
            campaigns.c.history_reason,
        )
        recent = sa.select(*columns).where(_may_have_called(campaigns, now), _ran_since(campaigns, since))
        with engine.connect() as connection:
            rows = list(connection.execute(recent))
            for first in range(0, len(launched), 500):
                some = sa.select(*columns).where(campaigns.c.campaign_id.in_(launched[first : first + 500]))
                rows += connection.execute(some)
        for row in rows:
            looked_at.add(row.campaign_id)
            known = (row.history_reason in REACHED_KNOWN and not complete) or (
                row.history_reason == NO_CALL_YET and _is_idle(row.state, launched=row.campaign_id in launched)
            )
            if row.history_state == HistoryState.OPEN.value and not known:
                reasons[row.campaign_id] = row.history_reason or "still open"
            else:
                reasons.pop(row.campaign_id, None)
    if reasons:
        first_id, reason = min(reasons.items())
        raise HistoryNotCurrent(
            f"{len(reasons)} of {len(looked_at)} campaigns since {since:%Y-%m-%d %H:%M} UTC are not closed in "
            f"{table!r}, for instance {first_id} ({reason}). Dialling now could call people again who were just "
            "reached: load the history (RinggCallsToSqlOperator) and try again."
        )
    return looked_at


def _may_have_called(campaigns: sa.Table, now: dt.datetime) -> sa.ColumnElement[bool]:
    """Whether a campaign has begun, or may have since it was last looked at."""
    begun = sa.or_(campaigns.c.state.is_(None), campaigns.c.state.not_in(sorted(NOT_STARTED)))
    start = campaigns.c.campaign_start_time
    # Read when it was still waiting: nobody has looked since it was to begin. A scheduled one can begin late.
    end = campaigns.c.campaign_end_time
    late = sa.and_(
        campaigns.c.state == CampaignState.SCHEDULED.value, sa.or_(end.is_(None), end >= campaigns.c.read_at)
    )
    was_to_begin = sa.and_(start <= now, sa.or_(start > campaigns.c.read_at, late))
    return sa.or_(begun, campaigns.c.calls > 0, campaigns.c.calls_open > 0, was_to_begin)


def _ran_since(campaigns: sa.Table, since: dt.datetime) -> sa.ColumnElement[bool]:
    """Whether a campaign was to run since then, or did; True when no time of it is known."""
    ran = sa.func.coalesce(
        campaigns.c.campaign_end_time,
        campaigns.c.last_call_at,
        campaigns.c.campaign_start_time,
        campaigns.c.created_at,
        campaigns.c.first_read_at,
    )
    return sa.or_(ran.is_(None), ran >= since, campaigns.c.last_call_at >= since)


def _is_idle(state: str | None, *, launched: bool) -> bool:
    """Whether a list that was read without finding a call has called nobody.

    One generation says "completed" of a list that was merely uploaded; of one that was launched, its calls are missing.
    """
    return state in _CAME_TO_NOTHING or (state == CampaignState.COMPLETED.value and not launched)


def launched_since(
    engine: sa.Engine, name: str | None, schema: str | None, since: dt.datetime, *, smartalex: bool = False
) -> list[str]:
    """The lists of one platform that were started of late, as far as the ledger is in this database.

    :param engine: the database.
    :param name: of the ledger; None for its own, where it is there.
    :param schema: of the tables.
    :param since: aware.
    :param smartalex: those of SmartAlex. Default: those of Ringg.
    :return: their ids, sorted.
    """
    if name is not None:
        launches = _launches(name, schema)
        require_table(engine, launches, field="launches", may_be_missing=False)
    else:
        # The operators write it where the connection's tables are, wherever the others were put.
        places = [_launches(ledger.name, place) for place in dict.fromkeys((schema, None))]
        there = [place for place in places if is_there(engine, place)]
        if not there:
            return []
        launches = there[0]
    flow = sa.func.coalesce(launches.c.flow, "")
    query = sa.select(launches.c.list_id).where(
        launches.c.state.in_(_LAUNCHED),
        sa.or_(launches.c.start_sent_at.is_(None), launches.c.start_sent_at >= since),
        flow == "smartalex" if smartalex else flow != "smartalex",
    )
    with engine.connect() as connection:
        return sorted(set(connection.execute(query).scalars()))


def _launches(name: str, schema: str | None) -> sa.Table:
    return described(
        name,
        sa.Column("list_id", sa.String),
        sa.Column("state", sa.String),
        sa.Column("start_sent_at", UtcDateTime),
        sa.Column("flow", sa.String),
        schema=schema,
        field="launches",
    )
