"""Whether a campaign is all there: sum up its calls, give up what stays missing, and close it."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa

from ringg_provider.history.counts import read_counts, write_counts
from ringg_provider.history.merging import CallStore, CampaignStore, change
from ringg_provider.history.outcomes import connected, dialled, reached
from ringg_provider.history.rows import Row
from ringg_provider.history.tables import (
    AWAITS_COST,
    AWAITS_DETAILS,
    AWAITS_STATUS,
    CLOSED,
    COST_MISSING,
    ENDED,
    NO_CALL_YET,
    NOT_LISTED,
    NOT_STARTED,
    STATUS_MISSING,
    UNREAD,
    UNSETTLED,
    HistoryState,
)
from ringg_provider.history.telling import CampaignSeen, tell_campaigns, warn_of
from ringg_provider.ringg.responses import CampaignState

log = logging.getLogger(__name__)

UNLISTED_AFTER = dt.timedelta(days=1)
"""A campaign that no listing has shown for this long is taken for gone; one listing can forget a running one."""

#: What a campaign is grouped by when its calls are summed up; all of it follows from its id.
_BY_CAMPAIGN = (
    "campaign_id",
    "state",
    "read_at",
    "calls_read_at",
    "history_state",
    "history_reason",
    "updated_at",
    "total_count",
    "completed_count",
    "campaign_end_time",
    "created_at",
    "first_read_at",
)


@dataclass(frozen=True)
class CampaignFacts:
    """What the verdict on a campaign rests on.

    :param state: as the platform last said; None when it never listed it.
    :param listed_at: when it last did, aware.
    :param changed_at: when it last moved, aware, as far as the platform says; else when it was first seen.
    :param last_call_at: the newest call, aware; None without one.
    :param history_state: what the last verdict was.
    :param history_reason: and why.
    :param settled: its calls were read to the end in this load, and it has not moved since.
    :param failure: why they could not be read in this load.
    :param calls: how many calls of it there are.
    :param calls_open: of them, those that lack something,
    :param calls_running: their last status,
    :param calls_uncosted: or their cost.
    :param calls_incomplete: of them, those that were given up.
    """

    state: str | None
    listed_at: dt.datetime
    changed_at: dt.datetime
    last_call_at: dt.datetime | None = None
    history_state: str = HistoryState.OPEN.value
    history_reason: str | None = None
    settled: bool = False
    failure: str | None = None
    calls: int = 0
    calls_open: int = 0
    calls_running: int = 0
    calls_uncosted: int = 0
    calls_incomplete: int = 0


class CampaignVerdict(NamedTuple):
    """Whether a campaign is all there, and what it waits for."""

    state: HistoryState
    reason: str | None = None


def judge_campaign(facts: CampaignFacts, *, now: dt.datetime, give_up_after: dt.timedelta) -> CampaignVerdict:
    """Judge a campaign.

    :param facts: what is known of it.
    :param now: when the load began, aware.
    :param give_up_after: for how long a list without a call may still be started.
    """
    if facts.state in NOT_STARTED and facts.calls == 0:
        return CampaignVerdict(HistoryState.OPEN, "not started")
    listed = facts.state is not None and facts.listed_at >= now - UNLISTED_AFTER
    if facts.state not in ENDED and listed:
        return CampaignVerdict(HistoryState.OPEN, f"campaign is {facts.state}")
    was_read = facts.history_reason in (AWAITS_STATUS, AWAITS_COST, AWAITS_DETAILS) or facts.history_state in CLOSED
    if not facts.settled and not was_read:
        return CampaignVerdict(HistoryState.OPEN, f"{UNREAD}: {facts.failure}" if facts.failure else UNREAD)
    if facts.calls_running:
        return CampaignVerdict(HistoryState.OPEN, AWAITS_STATUS)
    if facts.calls_uncosted:
        return CampaignVerdict(HistoryState.OPEN, AWAITS_COST)
    if facts.calls_open:
        return CampaignVerdict(HistoryState.OPEN, AWAITS_DETAILS)
    # A list that is hidden, or of which one generation says "completed" when its file is merely read, can still be
    # started: no call yet is no end yet. One that failed or was stopped is opened again when it says otherwise.
    maybe_unstarted = facts.calls == 0 and facts.state in (None, CampaignState.COMPLETED.value)
    if maybe_unstarted and facts.changed_at > now - give_up_after:
        return CampaignVerdict(HistoryState.OPEN, NO_CALL_YET)
    # Nobody says that a hidden one has ended; only that no call has come for long.
    if facts.state is None and facts.last_call_at and facts.last_call_at > now - UNLISTED_AFTER:
        return CampaignVerdict(HistoryState.OPEN, NOT_LISTED)
    if facts.calls_incomplete:
        return CampaignVerdict(HistoryState.INCOMPLETE, f"{facts.calls_incomplete} calls were given up")
    return CampaignVerdict(HistoryState.COMPLETE)


@dataclass
class ListsRead:
    """The lists whose calls one load has asked for.

    :param began: when the reading of each began; of those that kept moving or failed too.
    :param settled: what the newest listing said when it began, of those that were read to their end.
    :param failures: why the others could not be read, where it was not that they moved.
    """

    began: dict[str, dt.datetime] = field(default_factory=dict)
    settled: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


class Closing:
    """The end of a load.

    :param calls: the table of calls.
    :param campaigns: the table of campaigns.
    :param counts: the table of counts; see `counts_table`.
    :param started_at: when the load began, aware.
    :param give_up_after: what is still missing then is given up.
    :param zone: where times are told. Default UTC.
    """

    def __init__(
        self,
        calls: CallStore,
        campaigns: CampaignStore,
        counts: sa.Table,
        *,
        started_at: dt.datetime,
        give_up_after: dt.timedelta,
        zone: dt.tzinfo = dt.UTC,
    ) -> None:
        self._engine = calls.engine
        self._calls = calls.table
        self._campaigns = campaigns.table
        self._store = campaigns
        self._counts = counts
        self._started_at = started_at
        self._give_up_after = give_up_after
        self._zone = zone

    def give_up(self) -> None:
        """Mark calls as incomplete that lack something for too long although they were asked for in this load."""
        calls, campaigns = self._calls.c, self._campaigns.c
        since = self._started_at - self._give_up_after
        # What a call that has ended still lacks counts from the call.
        ended = sa.func.coalesce(calls.attempted_at, calls.created_at, calls.first_read_at) < since
        # What waits on a campaign that has not ended, or has just now, may still be dialled.
        lively = sa.select(campaigns.campaign_id).where(
            sa.or_(
                sa.and_(campaigns.state.not_in(sorted(ENDED)), campaigns.read_at >= self._started_at - UNLISTED_AFTER),
                campaigns.last_call_at >= since,
                campaigns.updated_at >= since,
            )
        )
        waits = sa.and_(calls.bulk_list_id.is_not(None), calls.bulk_list_id.in_(lively))
        stuck = sa.and_(calls.status_since < since, sa.not_(waits))
        long_ago = sa.or_(sa.and_(calls.is_final == sa.true(), ended), sa.and_(calls.is_final == sa.false(), stuck))
        was_asked_for = calls.read_at >= self._started_at
        days = self._give_up_after.total_seconds() / 86_400
        prefix = sa.literal(f"given up after {days:g} days: ", sa.Text)
        update = (
            sa.update(self._calls)
            .where(calls.history_state == HistoryState.OPEN.value, long_ago, was_asked_for)
            .values(history_state=HistoryState.INCOMPLETE.value, history_reason=prefix + calls.history_reason)
        )
        change(self._engine, update)

    def close(self, lists: ListsRead) -> None:
        """Sum up the calls of every campaign that may have changed, and close those of which nothing is missing."""
        calls, campaigns = self._calls.c, self._campaigns.c
        touched = sa.select(calls.bulk_list_id).where(calls.read_at >= self._started_at).distinct()
        concerned = sa.or_(
            campaigns.history_state == HistoryState.OPEN.value,
            campaigns.campaign_id.in_(touched),
            campaigns.calls_dialled.is_(None),  # an older version did not count them
        )
        tell_campaigns(log, self._judge(concerned, lists), self._zone)

    def recount(self, campaign_ids: Collection[str]) -> None:
        """Sum up the calls of some campaigns; one that was read before is closed, if nothing of it is missing any more.

        :param campaign_ids: which.
        """
        self._judge(self._campaigns.c.campaign_id.in_(campaign_ids), ListsRead())

    def _judge(self, concerned: sa.ColumnElement[bool], lists: ListsRead) -> list[CampaignSeen]:
        with self._engine.connect() as connection:
            rows = connection.execute(self._sums(concerned)).all()
        # First, since a campaign that was summed up is not looked at again.
        write_counts(self._engine, self._counts, self._calls, [row.campaign_id for row in rows if row.calls])
        judged = [self._row(row, lists) for row in rows]
        self._store.merge(judged)
        seen = [_seen(before, after) for before, after in zip(rows, judged, strict=True)]
        with self._engine.connect() as connection:
            for campaign in seen:
                if campaign.closed_now and campaign.calls and not campaign.reached:
                    warn_of(log, campaign, read_counts(connection, self._counts, campaign.campaign_id))
        return seen

    def _sums(self, concerned: sa.ColumnElement[bool]) -> sa.Select[Any]:
        calls, campaigns = self._calls.c, self._campaigns.c

        def number_of(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
            return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)

        is_open = calls.history_state == HistoryState.OPEN.value
        uncosted = calls.history_reason.in_([COST_MISSING, UNSETTLED])
        by_campaign = [campaigns[name] for name in _BY_CAMPAIGN]
        moved = (campaigns.updated_at, campaigns.campaign_end_time, campaigns.created_at, campaigns.first_read_at)
        return (
            sa.select(
                *by_campaign,
                sa.func.coalesce(*moved).label("changed_at"),
                sa.func.count(calls.call_id).label("calls"),
                number_of(is_open).label("calls_open"),
                number_of(sa.and_(is_open, calls.history_reason == STATUS_MISSING)).label("calls_running"),
                number_of(sa.and_(is_open, uncosted)).label("calls_uncosted"),
                number_of(calls.history_state == HistoryState.INCOMPLETE.value).label("calls_incomplete"),
                number_of(sa.func.lower(calls.status) == "completed").label("calls_completed"),
                number_of(dialled(self._calls)).label("calls_dialled"),
                number_of(connected(self._calls)).label("calls_connected"),
                number_of(reached(self._calls)).label("calls_reached"),
                number_of(
                    sa.and_(dialled(self._calls), calls.is_final == sa.true(), sa.not_(connected(self._calls)))
                ).label("calls_failed"),
                sa.func.sum(calls.cost).label("cost"),
                sa.func.min(calls.attempted_at).label("first_call_at"),
                sa.func.max(calls.attempted_at).label("last_call_at"),
                sa.func.max(sa.func.coalesce(calls.attempted_at, calls.created_at)).label("last_seen_at"),
            )
            .select_from(self._campaigns.outerjoin(self._calls, calls.bulk_list_id == campaigns.campaign_id))
            .where(concerned)
            .group_by(*by_campaign)
        )

    def _row(self, row: Any, lists: ListsRead) -> Row:
        # Another load may have listed it since. If it has moved, what was read before says nothing about it now.
        news = tuple(getattr(row, name) for name in CampaignStore.NEWS)
        facts = CampaignFacts(
            state=row.state,
            listed_at=row.read_at,
            changed_at=row.changed_at,
            last_call_at=row.last_seen_at,
            history_state=row.history_state,
            history_reason=row.history_reason,
            settled=lists.settled.get(row.campaign_id) == news,
            failure=lists.failures.get(row.campaign_id),
            calls=row.calls,
            calls_open=row.calls_open,
            calls_running=row.calls_running,
            calls_uncosted=row.calls_uncosted,
            calls_incomplete=row.calls_incomplete,
        )
        state, reason = judge_campaign(facts, now=self._started_at, give_up_after=self._give_up_after)
        return {
            "campaign_id": row.campaign_id,
            "calls": row.calls,
            "calls_open": row.calls_open,
            "calls_incomplete": row.calls_incomplete,
            "calls_completed": row.calls_completed,
            "calls_dialled": row.calls_dialled,
            "calls_connected": row.calls_connected,
            "calls_reached": row.calls_reached,
            "cost": row.cost,
            "first_call_at": row.first_call_at,
            "last_call_at": row.last_call_at,
            "calls_read_at": lists.began.get(row.campaign_id),
            "history_state": state.value,
            "history_reason": reason,
            "read_at": row.read_at,
        }


def _seen(before: Any, after: Row) -> CampaignSeen:
    """What people are told of a campaign that was judged."""
    return CampaignSeen(
        campaign_id=before.campaign_id,
        calls=before.calls,
        dialled=before.calls_dialled,
        reached=before.calls_reached,
        failed=before.calls_failed,
        cost=before.cost,
        last_call_at=before.last_call_at,
        missing=after["history_reason"],
        closed_now=after["history_state"] in CLOSED and before.history_state not in CLOSED,
    )
