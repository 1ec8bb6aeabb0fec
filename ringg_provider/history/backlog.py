"""What is still to be read, and what that costs: found out from the tables before anything is asked for."""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from ringg_provider import wording
from ringg_provider.exceptions import InvalidRequest, RinggProviderError
from ringg_provider.history.failures import Failures
from ringg_provider.history.merging import CallStore, CampaignStore
from ringg_provider.history.paging import PAGE_SIZE, DateSlices, PageReader
from ringg_provider.history.read_until import ReadUntil
from ringg_provider.history.tables import (
    AWAITS_COST,
    AWAITS_DETAILS,
    AWAITS_STATUS,
    LISTED_ANEW,
    NOT_STARTED,
    HistoryState,
)
from ringg_provider.ringg.limits import EARLIEST_CALL

SETTLED_AFTER = dt.timedelta(minutes=5)
"""A pass by date ends this long ago: nothing is added to that stretch of time any more."""

_MOST_SINGLES = 30  # open calls that are asked for one by one


@dataclass(frozen=True)
class Scope:
    """What a load is about. All left out: whatever may have changed since the last one.

    :param bulk_list_ids: these lists and nothing else.
    :param start: calls from here on; aware. Default: where the history was read to by date, or the beginning.
    :param end: calls up to here; aware. Default and latest: five minutes ago.
    :raises InvalidRequest: they contradict each other, or a time has no zone.
    """

    bulk_list_ids: Sequence[str] = ()
    start: dt.datetime | None = None
    end: dt.datetime | None = None

    def __post_init__(self) -> None:
        for name, moment in (("start", self.start), ("end", self.end)):
            if moment is not None and moment.tzinfo is None:
                raise InvalidRequest(f"{name} must have a time zone.", field=name)
            if moment is not None and self.bulk_list_ids:
                raise InvalidRequest(
                    f"Give either bulk_list_ids or {name}: a list is read whole.", field="bulk_list_ids"
                )
        if self.start and self.end and self.start >= self.end:
            raise InvalidRequest("end must be after start.", field="end")

    @property
    def is_interval(self) -> bool:
        """Whether it is about a stretch of time that somebody asked for."""
        return self.start is not None or self.end is not None


@dataclass(frozen=True)
class CampaignToRead:
    """A list whose calls are to be read.

    :param campaign_id: the list.
    :param expected_calls: how many calls it has, as far as is known.
    """

    campaign_id: str
    expected_calls: int

    @property
    def requests(self) -> int:
        """Pages to read: an empty list takes one, and a last page that is full takes one more to be sure."""
        return self.expected_calls // PAGE_SIZE + 1


@dataclass(frozen=True)
class Backlog:
    """What a load is going to ask for.

    :param campaigns: lists to read whole, longest unread first.
    :param dates: the pass by date, if there is one; its first request was made.
    :param date_calls: how many calls it has; None when the platform only says "many".
    :param singles: open calls to ask for one by one.
    :param looked_for: open calls that the pass by date looks for instead.
    :param deferred: campaigns that were left for the next load.
    """

    campaigns: Sequence[CampaignToRead] = ()
    dates: DateSlices | None = field(default=None, repr=False)
    date_calls: int | None = 0
    singles: Sequence[str] = ()
    looked_for: Sequence[str] = ()
    deferred: int = 0

    @property
    def requests(self) -> int:
        """List requests still to make, as far as is known."""
        by_date = 0 if self.dates is None else (self.date_calls or 0) // PAGE_SIZE
        return sum(campaign.requests for campaign in self.campaigns) + by_date + len(self.singles)

    def minutes(self, per_minute: float) -> float:
        """How long they take under the rate limit; the first ones are free."""
        return max(0.0, math.ceil(self.requests / per_minute) - 1)

    def cut(self, max_minutes: float | None, per_minute: float) -> Backlog:
        """Leave out the last campaigns until it fits; the first one always stays, so that all get their turn."""
        if max_minutes is None:
            return self
        fitting = self
        while fitting.minutes(per_minute) > max_minutes and len(fitting.campaigns) > 1:
            fitting = replace(fitting, campaigns=fitting.campaigns[:-1], deferred=fitting.deferred + 1)
        return fitting

    def log(self, log: logging.Logger, per_minute: float) -> None:
        """Say what is going to be asked for, and how long it takes."""
        log.info(
            "History: %s, %s, %s; %s%s, about %s at %g a minute.",
            wording.counted(len(self.campaigns), "campaign"),
            "no pass by date" if self.dates is None else "a pass by date",
            wording.counted(len(self.singles), "single call"),
            "at least " if self.date_calls is None else "",
            wording.counted(self.requests, "request"),
            wording.duration(60 * self.minutes(per_minute)),
            per_minute,
        )
        if self.deferred:
            log.warning(
                "Not in this run, because of max_minutes: %s. The next run begins there.",
                wording.counted(self.deferred, "campaign"),
            )


def find_backlog(
    scope: Scope,
    calls: CallStore,
    campaigns: CampaignStore,
    read_until: ReadUntil,
    reader: PageReader,
    failures: Failures,
    *,
    lookback: dt.timedelta,
    started_at: dt.datetime,
) -> Backlog:
    """Find out what is to be read; asks for one page, where only the platform knows what a pass by date costs.

    :param scope: what the load is about.
    :param calls: the table of calls.
    :param campaigns: the table of campaigns, as the newest listing has it.
    :param read_until: how far the history was read by date.
    :param reader: reads the pages.
    :param failures: takes note when that page cannot be read: then there is no pass by date.
    :param lookback: a pass by date begins this much before that.
    :param started_at: when the load began.
    """
    table = campaigns.table.c
    if scope.bulk_list_ids:
        return Backlog(_campaigns_to_read(calls, campaigns, table.campaign_id.in_(scope.bulk_list_ids)))
    latest = started_at - SETTLED_AFTER
    end = min(scope.end or latest, latest)
    mark = read_until.get()
    start = scope.start or (EARLIEST_CALL if mark is None else mark - lookback)
    was_started = sa.or_(table.state.is_(None), table.state.not_in(sorted(NOT_STARTED)))
    singles: list[str] = []
    looked_for: list[str] = []
    if scope.is_interval:
        # A list belongs to an interval when any of its calls may: from its making to its planned end.
        until = sa.func.coalesce(table.campaign_end_time, table.updated_at)
        touching = sa.and_(
            sa.or_(table.created_at.is_(None), table.created_at <= end), sa.or_(until.is_(None), until >= start)
        )
        to_read = _campaigns_to_read(calls, campaigns, sa.and_(touching, was_started))
    else:
        is_open = table.history_state == HistoryState.OPEN.value
        to_read = _campaigns_to_read(calls, campaigns, sa.and_(was_started, is_open), only_changing=True)
        singles, oldest = _open_calls(calls, outside={campaign.campaign_id for campaign in to_read})
        if len(singles) > _MOST_SINGLES:
            # More than a few are cheaper to find by date.
            singles, looked_for = [], singles
            start = start if oldest is None else min(start, oldest - lookback)
    if start >= end or failures.outage:
        return Backlog(to_read, singles=singles)
    dates = DateSlices(reader, start, end)
    try:
        return Backlog(to_read, dates, dates.probe(), singles, looked_for)
    except RinggProviderError as failure:
        failures.note("the calls by date", failure)
        return Backlog(to_read, singles=singles)


def _campaigns_to_read(
    calls: CallStore, campaigns: CampaignStore, condition: sa.ColumnElement[bool], *, only_changing: bool = False
) -> list[CampaignToRead]:
    """The campaigns that fulfil a condition, longest unread first.

    :param only_changing: leave out those that were read to the end and of which a few calls at most still run.
    """
    table, call = campaigns.table, calls.table.c
    running = sa.and_(call.history_state == HistoryState.OPEN.value, call.history_reason.in_(sorted(LISTED_ANEW)))
    stored = (
        sa.select(
            call.bulk_list_id,
            sa.func.count().label("calls"),
            sa.func.sum(sa.case((running, 1), else_=0)).label("running"),
        )
        .group_by(call.bulk_list_id)
        .subquery("stored")
    )
    query = (
        sa.select(
            table.c.campaign_id,
            table.c.total_count,
            table.c.calls_read_at,
            table.c.history_reason,
            stored.c.calls,
            stored.c.running,
        )
        .select_from(table.outerjoin(stored, stored.c.bulk_list_id == table.c.campaign_id))
        .where(condition)
    )
    with campaigns.engine.connect() as connection:
        rows = connection.execute(query).all()
    to_read = []
    for row in sorted(rows, key=lambda row: (row.calls_read_at or EARLIEST_CALL, row.campaign_id)):
        campaign = CampaignToRead(row.campaign_id, max(row.total_count or 0, row.calls or 0))
        few = (row.running or 0) < campaign.requests
        at_its_end = row.history_reason == AWAITS_DETAILS or (
            row.history_reason in (AWAITS_STATUS, AWAITS_COST) and few
        )
        if not (only_changing and at_its_end):
            to_read.append(campaign)
    return to_read


def _open_calls(calls: CallStore, *, outside: Collection[str]) -> tuple[list[str], dt.datetime | None]:
    """Calls outside some lists that are still running: their ids, and when the oldest of them was made."""
    call = calls.table.c
    query = sa.select(call.call_id, call.created_at, call.bulk_list_id).where(
        call.history_state == HistoryState.OPEN.value, call.history_reason.in_(sorted(LISTED_ANEW))
    )
    with calls.engine.connect() as connection:
        rows = [row for row in connection.execute(query) if row.bulk_list_id not in outside]
    oldest = min((row.created_at for row in rows if row.created_at is not None), default=None)
    return sorted(row.call_id for row in rows), oldest
