"""One run of the history: make a plan, read what can have changed, merge it, and say what is still missing.

The tables are the only state. What a run needs to know it reads from them, so that a run may be repeated, stopped,
raced or begun on an empty table, and the tables end the same.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from ringg_provider.api.rate_limit import Pacer
from ringg_provider.exceptions import InvalidRequest, RinggProviderError
from ringg_provider.history.details import ReadsDetails, read_details
from ringg_provider.history.paging import DateSlices, ListsCalls, PageReader, Slice, calls_between, calls_of
from ringg_provider.history.plan import CampaignToRead, Plan
from ringg_provider.history.recordings import RecordingStore
from ringg_provider.history.rows import (
    COST_MISSING,
    STATUS_MISSING,
    Row,
    call_row,
    campaign_row,
    carried_over,
    completeness,
    details_row,
    lacks_analysis,
    lacks_recording,
    moves_forward,
)
from ringg_provider.history.states import (
    AWAITS_COST,
    AWAITS_DETAILS,
    AWAITS_STATUS,
    CLOSED,
    ENDED,
    NO_CALL_YET,
    NOT_LISTED,
    NOT_STARTED,
    UNREAD,
)
from ringg_provider.history.tables import HistoryState, calls_table, campaigns_table
from ringg_provider.ringg.requests import CallQuery
from ringg_provider.ringg.responses import Call, Campaign, CampaignState
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.merge import MergeCounts, merge_rows

_log = logging.getLogger(__name__)

EARLIEST = dt.datetime(2023, 1, 1, tzinfo=dt.UTC)
"""Where a pass by date begins on an empty table; the platform is not older."""

SETTLED_AFTER = dt.timedelta(minutes=5)
"""A pass by date ends this long ago: nothing is added to that stretch of time any more."""

UNLISTED_AFTER = dt.timedelta(days=1)
"""A campaign that no listing has shown for this long is taken for gone; one listing can forget a running one."""

_ROWS_PER_MERGE = 2_000
_DETAILS_PER_MERGE = 500
_AROUND = dt.timedelta(minutes=1)
_MOST_SINGLES = 30  # open calls that are asked for one by one

#: What a campaign is grouped by when its calls are summed up; all of it follows from its id.
_CAMPAIGN_FACTS = (
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

#: What a listing says differently of a campaign that has moved on.
_CAMPAIGN_NEWS = ("state", "updated_at", "total_count", "completed_count")


class HistorySource(ListsCalls, ReadsDetails, Protocol):
    """What is needed of a client; `RinggClient` has it."""

    def iter_campaigns(self) -> Iterator[Campaign]:
        """All campaigns of the workspace."""
        ...


@dataclass(frozen=True)
class Scope:
    """What a run is about. All left out: whatever may have changed since the last run.

    :param bulk_list_ids: these lists and nothing else.
    :param start: calls from here on; aware. Default: where a former pass by date has ended, as the newest call that
        it found bears it, or the beginning on an empty table.
    :param end: calls up to here; aware. Default and latest: five minutes ago.
    """

    bulk_list_ids: Sequence[str] = ()
    start: dt.datetime | None = None
    end: dt.datetime | None = None


@dataclass(frozen=True)
class Settings:
    """How a run reads.

    :param lookback: a pass by date begins this much before the watermark. Default one hour.
    :param give_up_after: what is still missing then is marked incomplete. Default three days.
    :param include_analysis: read the analysis of calls that can have one. Default True.
    :param wait_for_client_analysis: keep a call open until the agent's own analysis is there too. Default False.
    :param transcripts: keep what was said. Default True.
    :param analysis_concurrency: details read at the same time. Default 8.
    :param max_minutes: read no more campaigns in this run than fit, those longest unread first; None for all.
    """

    lookback: dt.timedelta = dt.timedelta(hours=1)
    give_up_after: dt.timedelta = dt.timedelta(days=3)
    include_analysis: bool = True
    wait_for_client_analysis: bool = False
    transcripts: bool = True
    analysis_concurrency: int = 8
    max_minutes: float | None = None


@dataclass
class LoadCounts:
    """What a run did. Ids and counts only, so that it may be shown anywhere.

    :param requests: list requests, of which the platform allows ten a minute.
    :param calls_read: rows that came, repeated ones too.
    :param inserted: calls that were new.
    :param changed: calls that were there, of which something new came to be known.
    :param details_read: calls whose details were read.
    :param details_failed: calls whose details could not be read this time.
    :param recordings_stored: recordings that were fetched.
    :param recordings_failed: recordings that could not be fetched this time.
    :param campaigns_read: campaigns whose calls were read.
    :param campaigns_deferred: campaigns that did not fit into `max_minutes`.
    :param unsettled: slices that kept moving; they are read again next time.
    :param open: calls in the table that still lack something.
    :param incomplete: calls in the table that were given up.
    """

    requests: int = 0
    calls_read: int = 0
    inserted: int = 0
    changed: int = 0
    details_read: int = 0
    details_failed: int = 0
    recordings_stored: int = 0
    recordings_failed: int = 0
    campaigns_read: int = 0
    campaigns_deferred: int = 0
    unsettled: int = 0
    open: int = 0
    incomplete: int = 0


@dataclass
class HistoryLoad:
    """Loads the call history of one workspace into one database.

    :param source: reaches the workspace.
    :param engine: the database.
    :param calls: the table of calls; see `calls_table`.
    :param campaigns: the table of campaigns; see `campaigns_table`.
    :param settings: how to read.
    :param recordings: where recordings go; None to leave them.
    :param pacer: keeps the rate limit.
    :param now: the present time, aware; for tests.
    :param sleep: how to wait between attempts, in seconds; for tests.
    """

    source: HistorySource
    engine: sa.Engine
    calls: sa.Table = field(default_factory=calls_table)
    campaigns: sa.Table = field(default_factory=campaigns_table)
    settings: Settings = Settings()
    recordings: RecordingStore | None = None
    pacer: Pacer = field(default_factory=Pacer)
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    sleep: Callable[[float], None] = time.sleep

    def run(self, scope: Scope | None = None) -> LoadCounts:
        """Bring the tables up to date.

        :param scope: what to read; whatever may have changed when left out.
        :return: what was done.
        :raises TransientError: the platform kept failing. What was read until then is in the tables.
        :raises PermanentError: the platform refused.
        :raises QueryFailed, DatabaseUnavailable: the database refused.
        """
        scope = scope or Scope()
        _check(scope)
        create_tables(self.engine, self.calls, self.campaigns)
        return _Run(self, scope).go()


def _check(scope: Scope) -> None:
    for name, moment in (("start", scope.start), ("end", scope.end)):
        if moment is not None and moment.tzinfo is None:
            raise InvalidRequest(f"{name} must have a time zone.", field=name)
        if moment is not None and scope.bulk_list_ids:
            raise InvalidRequest(f"Give either bulk_list_ids or {name}: a list is read whole.", field="bulk_list_ids")
    if scope.start and scope.end and scope.start >= scope.end:
        raise InvalidRequest("end must be after start.", field="end")


class _Run:
    """One run; its parts in the order in which they happen."""

    def __init__(self, load: HistoryLoad, scope: Scope) -> None:
        self.load = load
        self.scope = scope
        self.settings = load.settings
        self.calls = load.calls
        self.campaigns = load.campaigns
        self.engine = load.engine
        self.reader = PageReader(load.source, load.pacer, sleep=load.sleep)
        self.counts = LoadCounts()
        self.started_at = load.now()
        self.derive = completeness(
            analysis=load.settings.include_analysis,
            client_analysis=load.settings.wait_for_client_analysis,
            recordings=load.recordings is not None,
        )
        self.carried = carried_over(load.calls)
        self.lists_read: dict[str, dt.datetime] = {}  # and when the reading began
        self.settled_lists: dict[str, tuple[Any, ...]] = {}  # and what was said of them when the reading began
        self.outage: RinggProviderError | None = None

    def go(self) -> LoadCounts:
        self.list_campaigns()
        plan = self.plan()
        plan.log(_log)
        for campaign in plan.campaigns:
            self.read_campaign(campaign.campaign_id)
        if plan.dates is not None:
            self.read_dates(plan.dates)
        self.read_singles(plan.singles)
        self.note_asked(plan.looked_for)
        self.read_details()
        self.store_recordings()
        self.give_up()
        self.close_campaigns()
        self.count_what_is_there()
        self.counts.requests = self.reader.requests
        self.counts.campaigns_deferred = plan.deferred
        if self.outage is not None and self.counts.details_read == 0:
            # Not one could be read: that is not a few calls of bad luck, and the task should say so.
            raise self.outage
        return self.counts

    # --- campaigns and the plan

    def list_campaigns(self) -> None:
        """Bring `ringg_campaigns` up to what the campaign list says."""
        wanted = set(self.scope.bulk_list_ids)
        missing = set(wanted)

        def rows() -> Iterator[Row]:
            for campaign in self.load.source.iter_campaigns():
                if not wanted or campaign.id in wanted:
                    missing.discard(campaign.id)
                    yield campaign_row(campaign, read_at=self.load.now())
                if wanted and not missing:
                    return

        self.merge_campaigns(rows())
        # A list can be hidden there; its calls are read all the same.
        self.merge_campaigns({"campaign_id": each, "read_at": self.load.now()} for each in sorted(missing))

    def merge_campaigns(self, rows: Iterable[Row]) -> None:
        def derive(stored: Any, staged: Any, merged: Any) -> dict[str, sa.ColumnElement[Any]]:
            listing = staged["history_state"].is_(None)
            reopened = sa.and_(listing, _moved_on(stored, staged))
            # A verdict that rests on an older listing than the stored one says nothing about the newer.
            kept = sa.or_(listing, stored["read_at"] > staged["read_at"])
            return {
                "first_read_at": sa.func.coalesce(stored["first_read_at"], staged["read_at"]),
                "history_state": sa.case(
                    (reopened, HistoryState.OPEN.value),
                    (kept, sa.func.coalesce(stored["history_state"], HistoryState.OPEN.value)),
                    else_=merged["history_state"],
                ),
                # The reason belongs to the state that came with it.
                "history_reason": sa.case(
                    (reopened, UNREAD), (kept, stored["history_reason"]), else_=staged["history_reason"]
                ),
                # Only a listing that shows the campaign moves it.
                "read_at": sa.case(
                    (sa.and_(staged["state"].is_(None), stored["read_at"].is_not(None)), stored["read_at"]),
                    else_=staged["read_at"],
                ),
            }

        names = {column.name for column in self.campaigns.columns}
        merge_rows(
            self.engine,
            self.campaigns,
            rows,
            keys=["campaign_id"],
            carry_over=names - {"campaign_id", "read_at", "first_read_at", "history_reason"},
            derive=derive,
        )

    def plan(self) -> Plan:
        """Decide what to read and at what price; asks one page where only the platform knows."""
        if self.scope.bulk_list_ids:
            campaigns = self.campaigns_to_read(self.campaigns.c.campaign_id.in_(self.scope.bulk_list_ids))
            return Plan(campaigns, per_minute=self.per_minute).cut(self.settings.max_minutes)
        end = min(self.scope.end or self.latest, self.latest)
        if self.scope.start is not None or self.scope.end is not None:
            start = self.scope.start or self.watermark_start()
            # A list belongs to an interval when any of its calls may: from its making to its planned end.
            until = sa.func.coalesce(self.campaigns.c.campaign_end_time, self.campaigns.c.updated_at)
            touching = sa.and_(
                sa.or_(self.campaigns.c.created_at.is_(None), self.campaigns.c.created_at <= end),
                sa.or_(until.is_(None), until >= start),
                self.was_started(),
            )
            campaigns = self.campaigns_to_read(touching)
            singles: list[str] = []
            looked_for: list[str] = []
        else:
            start = self.watermark_start()
            campaigns = self.campaigns_to_read(
                sa.and_(self.was_started(), self.campaigns.c.history_state == HistoryState.OPEN.value),
                only_changing=True,
            )
            looked_for, oldest = self.open_singles({campaign.campaign_id for campaign in campaigns})
            # More than a few are cheaper to find by date.
            singles = looked_for if len(looked_for) <= _MOST_SINGLES else []
            if oldest is not None and not singles:
                start = min(start, oldest - self.settings.lookback)
        dates = DateSlices(self.reader, start, end) if start < end else None
        plan = Plan(
            campaigns,
            dates=dates,
            date_calls=dates.probe() if dates is not None else 0,
            singles=singles,
            looked_for=looked_for,
            per_minute=self.per_minute,
        )
        return plan.cut(self.settings.max_minutes)

    @property
    def per_minute(self) -> float:
        return self.load.pacer.limit * 60 / self.load.pacer.period

    @property
    def latest(self) -> dt.datetime:
        return self.started_at - SETTLED_AFTER

    def was_started(self) -> sa.ColumnElement[bool]:
        return sa.or_(self.campaigns.c.state.is_(None), self.campaigns.c.state.not_in(sorted(NOT_STARTED)))

    def campaigns_to_read(
        self, condition: sa.ColumnElement[bool], *, only_changing: bool = False
    ) -> list[CampaignToRead]:
        """The campaigns that fulfil a condition, longest unread first.

        :param only_changing: leave out those that were read to the end and of which a few calls at most still run.
        """
        table, calls = self.campaigns, self.calls
        running = sa.and_(
            calls.c.history_state == HistoryState.OPEN.value,
            calls.c.history_reason.in_([STATUS_MISSING, COST_MISSING]),
        )
        stored = (
            sa.select(
                calls.c.bulk_list_id,
                sa.func.count().label("calls"),
                sa.func.sum(sa.case((running, 1), else_=0)).label("running"),
            )
            .group_by(calls.c.bulk_list_id)
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
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
        rows = sorted(rows, key=lambda row: (row.calls_read_at or EARLIEST, row.campaign_id))
        to_read = []
        for row in rows:
            campaign = CampaignToRead(row.campaign_id, max(row.total_count or 0, row.calls or 0))
            few = (row.running or 0) < campaign.requests
            at_its_end = row.history_reason == AWAITS_DETAILS or (
                row.history_reason in (AWAITS_STATUS, AWAITS_COST) and few
            )
            if not (only_changing and at_its_end):
                to_read.append(campaign)
        return to_read

    def watermark(self) -> tuple[dt.datetime | None, str | None]:
        """Up to when everything has been read by date, and the call that says so."""
        mark = self.calls.c.watermark
        newest = sa.select(mark, self.calls.c.call_id).where(mark.is_not(None)).order_by(mark.desc()).limit(1)
        with self.engine.connect() as connection:
            found = connection.execute(newest).first()
        return (None, None) if found is None else (found[0], found[1])

    def watermark_start(self) -> dt.datetime:
        watermark, _ = self.watermark()
        return EARLIEST if watermark is None else watermark - self.settings.lookback

    def open_singles(self, lists: set[str]) -> tuple[list[str], dt.datetime | None]:
        """Calls outside the lists to be read that are still running: their ids, and when the oldest was made."""
        calls = self.calls
        query = sa.select(calls.c.call_id, calls.c.created_at, calls.c.bulk_list_id).where(
            calls.c.history_state == HistoryState.OPEN.value,
            calls.c.history_reason.in_([STATUS_MISSING, COST_MISSING]),
        )
        with self.engine.connect() as connection:
            rows = [row for row in connection.execute(query) if row.bulk_list_id not in lists]
        oldest = min((row.created_at for row in rows if row.created_at is not None), default=None)
        return sorted(row.call_id for row in rows), oldest

    # --- reading calls

    def read_campaign(self, campaign_id: str) -> None:
        began, said = self.load.now(), self.said_of(campaign_id)
        reading = Slice(self.reader, calls_of(campaign_id))
        self.merge_calls(reading.pages(), bulk_list_id=campaign_id)
        self.counts.campaigns_read += 1
        self.lists_read[campaign_id] = began
        if reading.settled:
            self.settled_lists[campaign_id] = said
            # Those that did not come any more were asked for too.
            still_open = self.calls.c.history_state == HistoryState.OPEN.value
            self.note_asked_where(sa.and_(self.calls.c.bulk_list_id == campaign_id, still_open))
        else:
            self.counts.unsettled += 1

    def said_of(self, campaign_id: str) -> tuple[Any, ...]:
        """What the newest listing says of a campaign."""
        columns = [self.campaigns.c[name] for name in _CAMPAIGN_NEWS]
        query = sa.select(*columns).where(self.campaigns.c.campaign_id == campaign_id)
        with self.engine.connect() as connection:
            return tuple(connection.execute(query).one())

    def read_dates(self, dates: DateSlices) -> None:
        """Read by date; move the watermark as long as nothing was left out before it."""
        watermark, bearer = self.watermark()
        unbroken: bool | None = None
        for start, end, reading, first in dates:
            if unbroken is None:
                unbroken = start <= (watermark or EARLIEST)
            newest = _Newest()
            self.merge_calls(newest.watching(reading.pages(first)), bulk_list_id=None)
            if not reading.settled:
                self.counts.unsettled += 1
                unbroken = False
            # A quiet night moves the mark too: the newest call of an earlier one bears it.
            bearer = newest.call_id or bearer
            if unbroken and bearer is not None:
                self.mark(bearer, end)

    def mark(self, call_id: str, watermark: dt.datetime) -> None:
        """Let a call bear the watermark; by itself that is no news of the call."""
        calls = self.calls
        lower = sa.or_(calls.c.watermark.is_(None), calls.c.watermark < watermark)
        with self.engine.begin() as connection:
            connection.execute(sa.update(calls).where(calls.c.call_id == call_id, lower).values(watermark=watermark))

    def read_singles(self, call_ids: Sequence[str]) -> None:
        """Ask for single open calls by their id; where the platform cannot filter so, around their times."""
        rows: list[Row] = []
        unfound: list[str] = []
        for call_id in call_ids:
            page = self.reader.page(CallQuery(call_id=call_id), 0)
            found = [call for call in page.calls if call.id == call_id]
            self.counts.calls_read += len(found)
            rows += [self.row(call, None) for call in found]
            if not found:
                unfound.append(call_id)
        self.merge(rows)
        self.merge(self.details_rows(unfound))
        for start, end in self.times_of(unfound):
            self.merge_calls(Slice(self.reader, calls_between(start, end)).pages(), bulk_list_id=None)

    def times_of(self, call_ids: Sequence[str]) -> list[tuple[dt.datetime, dt.datetime]]:
        """The stretches of time in which calls that ended but are not costed yet were made; either time may count."""
        calls = self.calls
        query = sa.select(calls.c.created_at, calls.c.attempted_at).where(
            calls.c.call_id.in_(call_ids), calls.c.history_reason == COST_MISSING
        )
        with self.engine.connect() as connection:
            moments = sorted({at for row in connection.execute(query) for at in row if at is not None})
        stretches: list[tuple[dt.datetime, dt.datetime]] = []
        for at in moments:
            start, end = at - _AROUND, at + _AROUND
            if stretches and start <= stretches[-1][1]:
                stretches[-1] = (stretches[-1][0], end)
            else:
                stretches.append((start, end))
        return stretches

    def merge_calls(self, pages: Iterable[list[Call]], *, bulk_list_id: str | None) -> None:
        waiting: list[Row] = []
        for page in pages:
            self.counts.calls_read += len(page)
            waiting += [self.row(call, bulk_list_id) for call in page]
            if len(waiting) >= _ROWS_PER_MERGE:
                self.merge(waiting)
                waiting = []
        self.merge(waiting)

    def row(self, call: Call, bulk_list_id: str | None) -> Row:
        return call_row(
            call,
            bulk_list_id=bulk_list_id,
            read_at=self.load.now(),
            transcripts=self.settings.transcripts,
        )

    def merge(self, rows: Sequence[Row]) -> MergeCounts:
        counts = MergeCounts()
        if rows:
            counts = merge_rows(
                self.engine,
                self.calls,
                rows,
                keys=["call_id"],
                supersedes=moves_forward,
                carry_over=self.carried,
                derive=self.derive,
            )
        self.counts.inserted += counts.inserted
        return counts

    # --- what only the details have

    def read_details(self) -> None:
        """Read the analysis of the calls in scope that lack it, unless the platform gives none."""
        if not self.settings.include_analysis:
            return
        wanted = lacks_analysis(self.calls, client_analysis=self.settings.wait_for_client_analysis)
        for batch in self.batches(wanted, self.calls.c.call_id):
            self.merge(self.details_rows([row.call_id for row in batch]))
            if self.outage is not None and self.counts.details_read == 0:
                return

    def details_rows(self, call_ids: Sequence[str]) -> list[Row]:
        found = read_details(self.load.source, call_ids, workers=self.settings.analysis_concurrency)
        self.counts.details_read += len(found.details)
        self.counts.details_failed += found.failed
        self.outage = found.outage or self.outage
        if found.outage is None:
            self.note_asked(call_ids)
        now = self.load.now()
        return [details_row(each, read_at=now, transcripts=self.settings.transcripts) for each in found.details]

    def store_recordings(self) -> None:
        """Fetch the recordings of the calls in scope before their links die."""
        store = self.load.recordings
        if store is None:
            return
        columns = (self.calls.c.call_id, self.calls.c.recording_url)
        for batch in self.batches(lacks_recording(self.calls), *columns):
            stored = store.store([(row.call_id, row.recording_url) for row in batch])
            self.note_asked([row.call_id for row in batch])
            now = self.load.now()
            self.merge(
                [
                    {
                        "call_id": each.call_id,
                        "recording_path": each.path,
                        "recording_bytes": each.size,
                        "read_at": now,
                    }
                    for each in stored
                ]
            )
            self.counts.recordings_stored += len(stored)
            self.counts.recordings_failed += len(batch) - len(stored)

    def batches(self, lacking: sa.ColumnElement[bool], *columns: sa.Column[Any]) -> Iterator[Sequence[Any]]:
        """Open calls in scope that lack something, in batches by id, so that one is asked for only once."""
        calls = self.calls
        after = ""
        while True:
            query = (
                sa.select(*columns)
                .where(
                    calls.c.history_state == HistoryState.OPEN.value, lacking, self.in_scope(), calls.c.call_id > after
                )
                .order_by(calls.c.call_id)
                .limit(_DETAILS_PER_MERGE)
            )
            with self.engine.connect() as connection:
                batch = connection.execute(query).all()
            if not batch:
                return
            yield batch
            after = batch[-1].call_id

    def note_asked(self, call_ids: Sequence[str]) -> None:
        """Note that calls were asked for now, whether anything came of it: so they can be given up one day."""
        for first in range(0, len(call_ids), _DETAILS_PER_MERGE):
            self.note_asked_where(self.calls.c.call_id.in_(call_ids[first : first + _DETAILS_PER_MERGE]))

    def note_asked_where(self, condition: sa.ColumnElement[bool]) -> None:
        now = self.load.now()
        update = sa.update(self.calls).where(condition, self.calls.c.read_at < now).values(read_at=now)
        with self.engine.begin() as connection:
            connection.execute(update)

    def in_scope(self) -> sa.ColumnElement[bool]:
        if self.scope.bulk_list_ids:
            return self.calls.c.bulk_list_id.in_(self.scope.bulk_list_ids)
        if self.scope.start is not None or self.scope.end is not None:
            return self.calls.c.read_at >= self.started_at
        return sa.true()

    # --- the end

    def give_up(self) -> None:
        """Mark as incomplete what has been missing for too long, with the reason."""
        calls, campaigns = self.calls, self.campaigns
        since = self.started_at - self.settings.give_up_after
        # What a call that has ended still lacks counts from the call, but it was asked for at least once.
        ended_long_ago = sa.and_(
            calls.c.is_final == sa.true(),
            sa.func.coalesce(calls.c.attempted_at, calls.c.created_at, calls.c.first_read_at) < since,
            calls.c.read_at >= self.started_at,
        )
        # What waits on a campaign that has not ended, or has just now, may still be dialled.
        lively = sa.select(campaigns.c.campaign_id).where(
            sa.or_(
                sa.and_(
                    campaigns.c.state.not_in(sorted(ENDED)), campaigns.c.read_at >= self.started_at - UNLISTED_AFTER
                ),
                campaigns.c.last_call_at >= since,
                campaigns.c.updated_at >= since,
            )
        )
        waits = sa.and_(calls.c.bulk_list_id.is_not(None), calls.c.bulk_list_id.in_(lively))
        stuck = sa.and_(calls.c.is_final == sa.false(), calls.c.status_since < since, sa.not_(waits))
        days = self.settings.give_up_after.total_seconds() / 86_400
        prefix = sa.literal(f"given up after {days:g} days: ", sa.Text)
        update = (
            sa.update(calls)
            .where(calls.c.history_state == HistoryState.OPEN.value, sa.or_(ended_long_ago, stuck))
            .values(history_state=HistoryState.INCOMPLETE.value, history_reason=prefix + calls.c.history_reason)
        )
        with self.engine.begin() as connection:
            connection.execute(update)

    def close_campaigns(self) -> None:
        """Sum up the calls of every campaign that may have changed, and close those of which nothing is missing."""
        calls, campaigns = self.calls, self.campaigns
        touched = sa.select(calls.c.bulk_list_id).where(calls.c.read_at >= self.started_at).distinct()
        concerned = sa.or_(campaigns.c.history_state == HistoryState.OPEN.value, campaigns.c.campaign_id.in_(touched))

        def number_of(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
            return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)

        is_open = calls.c.history_state == HistoryState.OPEN.value
        query = (
            sa.select(
                campaigns.c.campaign_id,
                campaigns.c.state,
                campaigns.c.read_at,
                campaigns.c.calls_read_at,
                campaigns.c.history_state,
                campaigns.c.history_reason,
                campaigns.c.updated_at,
                campaigns.c.total_count,
                campaigns.c.completed_count,
                sa.func.coalesce(
                    campaigns.c.updated_at,
                    campaigns.c.campaign_end_time,
                    campaigns.c.created_at,
                    campaigns.c.first_read_at,
                ).label("changed_at"),
                sa.func.count(calls.c.call_id).label("calls"),
                number_of(is_open).label("calls_open"),
                number_of(sa.and_(is_open, calls.c.history_reason == STATUS_MISSING)).label("calls_running"),
                number_of(sa.and_(is_open, calls.c.history_reason == COST_MISSING)).label("calls_uncosted"),
                number_of(calls.c.history_state == HistoryState.INCOMPLETE.value).label("calls_incomplete"),
                number_of(sa.func.lower(calls.c.status) == "completed").label("calls_completed"),
                sa.func.sum(calls.c.cost).label("cost"),
                sa.func.min(calls.c.attempted_at).label("first_call_at"),
                sa.func.max(calls.c.attempted_at).label("last_call_at"),
                sa.func.max(sa.func.coalesce(calls.c.attempted_at, calls.c.created_at)).label("last_seen_at"),
            )
            .select_from(campaigns.outerjoin(calls, calls.c.bulk_list_id == campaigns.c.campaign_id))
            .where(concerned)
            .group_by(*(campaigns.c[name] for name in _CAMPAIGN_FACTS))
        )
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
        self.merge_campaigns([self.closing(row) for row in rows])

    def closing(self, row: Any) -> Row:
        began = self.lists_read.get(row.campaign_id)
        # Another run may have listed it since. If it has moved, what was read before says nothing about it now.
        settled = self.settled_lists.get(row.campaign_id) == tuple(getattr(row, name) for name in _CAMPAIGN_NEWS)
        state, reason = self.verdict(row, settled=settled)
        return {
            "campaign_id": row.campaign_id,
            "calls": row.calls,
            "calls_open": row.calls_open,
            "calls_incomplete": row.calls_incomplete,
            "calls_completed": row.calls_completed,
            "cost": row.cost,
            "first_call_at": row.first_call_at,
            "last_call_at": row.last_call_at,
            # One that kept moving too: the others come first the next time.
            "calls_read_at": began,
            "history_state": state.value,
            "history_reason": reason,
            "read_at": row.read_at,
        }

    def verdict(self, row: Any, *, settled: bool) -> tuple[HistoryState, str | None]:
        """Whether a campaign is all there, and what it waits for."""
        if row.state in NOT_STARTED and row.calls == 0:
            return HistoryState.OPEN, "not started"
        listed = row.state is not None and row.read_at >= self.started_at - UNLISTED_AFTER
        if row.state not in ENDED and listed:
            return HistoryState.OPEN, f"campaign is {row.state}"
        was_read = row.history_reason in (AWAITS_STATUS, AWAITS_COST, AWAITS_DETAILS) or row.history_state in CLOSED
        if not settled and not was_read:
            return HistoryState.OPEN, UNREAD
        if row.calls_running:
            return HistoryState.OPEN, AWAITS_STATUS
        if row.calls_uncosted:
            return HistoryState.OPEN, AWAITS_COST
        if row.calls_open:
            return HistoryState.OPEN, AWAITS_DETAILS
        # A list that is hidden, or of which one generation says "completed" when its file is merely read, can still be
        # started: no call yet is no end yet. One that failed or was stopped is opened again when it says otherwise.
        maybe_unstarted = row.calls == 0 and row.state in (None, CampaignState.COMPLETED.value)
        if maybe_unstarted and row.changed_at > self.started_at - self.settings.give_up_after:
            return HistoryState.OPEN, NO_CALL_YET
        # Nobody says that a hidden one has ended; only that no call has come for long.
        if row.state is None and row.last_seen_at and row.last_seen_at > self.started_at - UNLISTED_AFTER:
            return HistoryState.OPEN, NOT_LISTED
        if row.calls_incomplete:
            return HistoryState.INCOMPLETE, f"{row.calls_incomplete} calls were given up"
        return HistoryState.COMPLETE, None

    def count_what_is_there(self) -> None:
        calls = self.calls
        state = calls.c.history_state
        changed = sa.and_(calls.c.changed_at >= self.started_at, calls.c.first_read_at < self.started_at)
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(state, sa.func.count()).group_by(state)).all()
            news = connection.execute(sa.select(sa.func.count()).select_from(calls).where(changed)).scalar_one()
        states = {row[0]: int(row[1]) for row in rows}
        self.counts.open = states.get(HistoryState.OPEN.value, 0)
        self.counts.incomplete = states.get(HistoryState.INCOMPLETE.value, 0)
        self.counts.changed = int(news)


def _moved_on(stored: Any, staged: Any) -> sa.ColumnElement[bool]:
    """Whether a listing says that a stored campaign has moved, so that its calls have to be read again."""

    def differs(name: str) -> sa.ColumnElement[bool]:
        same = sa.case((staged[name].is_(None), sa.true()), (staged[name] == stored[name], sa.true()), else_=sa.false())
        return same == sa.false()

    # A touch alone, such as for a cost, is news only where no count would tell of new calls.
    uncounted = sa.or_(sa.func.coalesce(stored["calls"], 0) == 0, staged["completed_count"].is_(None))
    touched = sa.and_(differs("updated_at"), uncounted)
    runs_again = sa.and_(stored["history_state"].in_(sorted(CLOSED)), staged["state"].not_in(sorted(ENDED)))
    news = sa.or_(differs("state"), differs("total_count"), differs("completed_count"), touched, runs_again)
    return sa.and_(stored["campaign_id"].is_not(None), news)


class _Newest:
    """Watches calls go by and remembers the newest one."""

    def __init__(self) -> None:
        self._created_at: dt.datetime | None = None
        self.call_id: str | None = None

    def watching(self, pages: Iterable[list[Call]]) -> Iterator[list[Call]]:
        for page in pages:
            for call in page:
                at = call.created_at or call.call_attempt_time
                if at is not None and (self._created_at is None or at > self._created_at):
                    self._created_at, self.call_id = at, call.id
            yield page
