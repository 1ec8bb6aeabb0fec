"""One load of the history: look at the campaigns, read what can have changed, merge it, and close what is all there.

The tables are the only state. What a load needs to know it reads from them, so that a load may be repeated, stopped,
raced or begun on an empty table, and the tables end the same.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import sqlalchemy as sa

from ringg_provider import wording
from ringg_provider.api.rate_limit import Pacer
from ringg_provider.exceptions import InvalidRequest, NotFound, RinggProviderError
from ringg_provider.history.backlog import Backlog, Scope, find_backlog
from ringg_provider.history.closing import Closing, ListsRead
from ringg_provider.history.counts import counts_table
from ringg_provider.history.details import DetailsPass, ReadsDetails
from ringg_provider.history.failures import Failures, UntilFailure
from ringg_provider.history.known import Known
from ringg_provider.history.merging import CallStore, CampaignStore, Wanted
from ringg_provider.history.options import LoadOptions
from ringg_provider.history.paging import (
    DateSlices,
    ListsCalls,
    PageReader,
    Slice,
    call_of_id,
    calls_between,
    calls_of,
)
from ringg_provider.history.read_until import ReadUntil, newest_watermark
from ringg_provider.history.recordings import RecordingStore, store_recordings
from ringg_provider.history.rows import Row, call_row, campaign_row
from ringg_provider.history.tables import COST_MISSING, HistoryState, calls_table, campaigns_table, state_table
from ringg_provider.ringg.limits import EARLIEST_CALL, HISTORY_PERIOD, HISTORY_REQUESTS
from ringg_provider.ringg.responses import Call, Campaign
from ringg_provider.sql.creating import create_tables

_log = logging.getLogger(__name__)

_ROWS_PER_MERGE = 2_000
_AROUND = dt.timedelta(minutes=1)


class HistorySource(ListsCalls, ReadsDetails, Protocol):
    """What is needed of a client; `RinggClient` has it."""

    def iter_campaigns(self) -> Iterator[Campaign]:
        """All campaigns of the workspace."""
        ...


@dataclass
class LoadCounts:
    """What a load did. Ids and counts only, so that it may be shown anywhere.

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
    :param campaigns_known: campaigns whose calls webhooks had brought, so that they were not read.
    :param requests_saved: list requests that reading these, and the same calls by date, would have taken.
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
    campaigns_known: int = 0
    requests_saved: int = 0
    unsettled: int = 0
    open: int = 0
    incomplete: int = 0

    def __str__(self) -> str:
        """For a person, in one line."""
        said = [
            (
                f"{wording.counted(self.calls_read, 'call')} read in {wording.counted(self.requests, 'request')}"
                f" ({self.inserted:,} new, {self.changed:,} changed)"
            ),
            f"the details of {wording.counted(self.details_read, 'call')}",
            f"{self.open:,} still lack something",
        ]
        notable = (
            (self.incomplete, "call", "given up"),
            (self.details_failed, "call", "whose details could not be read"),
            (self.recordings_stored, "recording", "stored"),
            (self.recordings_failed, "recording", "that could not be fetched"),
            (self.campaigns_known, "campaign", "known from webhooks"),
            (self.requests_saved, "request", "saved by them"),
            (self.campaigns_deferred, "campaign", "left for the next load"),
            (self.unsettled, "part", "that kept moving and will be read again"),
        )
        said += [f"{wording.counted(number, noun)} {what}" for number, noun, what in notable if number]
        return ", ".join(said)


@dataclass
class HistoryLoad:
    """Loads the call history of one workspace into one database.

    :param source: reaches the workspace.
    :param engine: the database.
    :param calls: the table of calls; see `calls_table`.
    :param campaigns: the table of campaigns; see `campaigns_table`.
    :param options: how to read.
    :param recordings: where recordings go; None to leave them.
    :param pacer: keeps the rate limit.
    :param zone: where the log tells times. Default UTC.
    :param now: the present time, aware; for tests.
    :param sleep: how to wait between attempts, in seconds; for tests.
    """

    source: HistorySource
    engine: sa.Engine
    calls: sa.Table = field(default_factory=calls_table)
    campaigns: sa.Table = field(default_factory=campaigns_table)
    options: LoadOptions = field(default_factory=LoadOptions)
    recordings: RecordingStore | None = None
    pacer: Pacer = field(default_factory=lambda: Pacer(HISTORY_REQUESTS, HISTORY_PERIOD))
    zone: dt.tzinfo = dt.UTC
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    sleep: Callable[[float], None] = time.sleep

    def run(self, scope: Scope | None = None) -> LoadCounts:
        """Bring the tables up to date.

        What can be read is read and merged, whatever else cannot: that is said at the end.

        :param scope: what to read; whatever may have changed when left out.
        :return: what was done.
        :raises TransientError: something could not be read now; the text says what.
        :raises PermanentError: the platform refused something; the text says what.
        :raises QueryFailed, DatabaseUnavailable: the database refused.
        """
        scope = scope or Scope()
        options, started_at = self.options, self.now()
        state = self.create_tables()
        counts = counts_table(schema=self.campaigns.schema)
        wanted = Wanted(options.include_analysis, options.wait_for_client_analysis, self.recordings is not None)
        calls = CallStore(self.engine, self.calls, wanted, self.now)
        campaigns = CampaignStore(self.engine, self.campaigns)
        read_until = ReadUntil(self.engine, self.calls, state, newest_watermark)
        read_until.begin(started_at)
        pages = PageReader(self.source, self.pacer, sleep=self.sleep)
        failures = Failures()
        details = DetailsPass(self.source, calls, workers=options.analysis_concurrency, transcripts=options.transcripts)

        self._look_at_campaigns(campaigns, scope, failures)
        per_minute = self.pacer.limit * 60 / self.pacer.period
        backlog = find_backlog(
            scope, calls, campaigns, read_until, pages, failures, lookback=options.lookback, started_at=started_at
        ).cut(options.max_minutes, per_minute)
        backlog.log(_log, per_minute)
        known = Known(calls, pages)
        reading = _Reading(pages, calls, campaigns, read_until, details, failures, known, options.transcripts)
        reading.read(backlog)

        concerned = self._concerned(scope, started_at)
        details.complete(concerned)
        recordings, unwritable = (0, 0), None
        if self.recordings is not None:
            try:
                recordings = store_recordings(self.recordings, calls, concerned)
            except OSError as error:  # of the folder; it must not keep a campaign from being closed
                unwritable = error
        closing = Closing(
            calls, campaigns, counts, started_at=started_at, give_up_after=options.give_up_after, zone=self.zone
        )
        closing.give_up()
        closing.close(reading.lists)

        failures.raise_if_any()
        if details.outage is not None:
            raise details.outage
        if unwritable is not None:
            raise unwritable
        return replace(
            self._stored(started_at),
            requests=pages.requests,
            calls_read=reading.calls_read,
            inserted=calls.inserted,
            details_read=details.read,
            details_failed=details.failed,
            recordings_stored=recordings[0],
            recordings_failed=recordings[1],
            campaigns_read=reading.campaigns_read,
            campaigns_deferred=backlog.deferred,
            campaigns_known=reading.known.campaigns,
            requests_saved=reading.known.saved,
            unsettled=reading.unsettled,
        )

    def create_tables(self) -> sa.Table:
        """Create what is missing of the tables; gives back the one that says how far the history was read."""
        state = state_table(schema=self.calls.schema)
        create_tables(self.engine, self.calls, self.campaigns, state, counts_table(schema=self.campaigns.schema))
        return state

    def _look_at_campaigns(self, campaigns: CampaignStore, scope: Scope, failures: Failures) -> None:
        """Bring the table of campaigns up to what the campaign list says."""
        wanted = set(scope.bulk_list_ids)
        missing = set(wanted)
        listed = UntilFailure(self.source.iter_campaigns())

        def rows() -> Iterator[Row]:
            for campaign in listed:
                if not wanted or campaign.id in wanted:
                    missing.discard(campaign.id)
                    yield campaign_row(campaign, read_at=self.now())
                if wanted and not missing:
                    return

        campaigns.merge(rows())
        if listed.failure is not None:
            failures.note("the list of campaigns", listed.failure)
        # A list can be hidden there; its calls are read all the same.
        campaigns.merge({"campaign_id": each, "read_at": self.now()} for each in sorted(missing))

    def _concerned(self, scope: Scope, started_at: dt.datetime) -> sa.ColumnElement[bool]:
        """The calls that a scope is about."""
        if scope.bulk_list_ids:
            return self.calls.c.bulk_list_id.in_(scope.bulk_list_ids)
        return self.calls.c.read_at >= started_at if scope.is_interval else sa.true()

    def _stored(self, started_at: dt.datetime) -> LoadCounts:
        """What there is in the table of calls now."""
        calls = self.calls.c
        changed = sa.and_(calls.changed_at >= started_at, calls.first_read_at < started_at)
        by_state = sa.select(calls.history_state, sa.func.count()).group_by(calls.history_state)
        with self.engine.connect() as connection:
            states = {row[0]: int(row[1]) for row in connection.execute(by_state)}
            news = connection.execute(sa.select(sa.func.count()).select_from(self.calls).where(changed)).scalar_one()
        return LoadCounts(
            changed=int(news),
            open=states.get(HistoryState.OPEN.value, 0),
            incomplete=states.get(HistoryState.INCOMPLETE.value, 0),
        )


@dataclass
class _Reading:
    """Reads a backlog into the tables, one part after the other; what cannot be read hinders no other part."""

    pages: PageReader
    calls: CallStore
    campaigns: CampaignStore
    read_until: ReadUntil
    details: DetailsPass
    failures: Failures
    known: Known
    transcripts: bool
    lists: ListsRead = field(default_factory=ListsRead)
    calls_read: int = 0
    campaigns_read: int = 0
    unsettled: int = 0

    def read(self, backlog: Backlog) -> None:
        """Read all of it, unless the platform is out of order."""
        for campaign in backlog.campaigns:
            if not self.failures.outage and not self.campaign_is_known(campaign.campaign_id):
                self.read_campaign(campaign.campaign_id)
        if backlog.dates is not None and not self.failures.outage:
            self.read_dates(backlog.dates, backlog.looked_for)
        if not self.failures.outage:
            self.read_singles(backlog.singles)

    def campaign_is_known(self, campaign_id: str) -> bool:
        """Ask for the few calls of a list that webhooks did not settle, where they brought all the others."""
        began, news = self.calls.now(), self.campaigns.news_of(campaign_id)
        try:
            unsettled = self.known.unsettled_of(campaign_id, began)
        except RinggProviderError as failure:
            self.note_unread(campaign_id, began, failure)
            return True
        if unsettled is None:
            return False
        self.failures.note_success()
        self.read_singles(unsettled)
        self.lists.began[campaign_id] = began
        if not self.failures.outage:
            self.lists.settled[campaign_id] = news
        return True

    def note_unread(self, campaign_id: str, began: dt.datetime, failure: RinggProviderError) -> None:
        """Note that the calls of a list could not be read."""
        self.failures.note(f"the calls of list {campaign_id}", failure)
        # The others come first the next time.
        self.lists.began[campaign_id] = began
        self.lists.failures[campaign_id] = type(failure).__name__

    def read_campaign(self, campaign_id: str) -> None:
        """Read the calls of one list."""
        began, news = self.calls.now(), self.campaigns.news_of(campaign_id)
        reading = Slice(self.pages, calls_of(campaign_id, began))
        failure = self.merge_pages(reading.pages(), bulk_list_id=campaign_id)
        if failure is not None:
            self.note_unread(campaign_id, began, failure)
            return
        # One that kept moving too: the others come first the next time.
        self.lists.began[campaign_id] = began
        self.failures.note_success()
        self.campaigns_read += 1
        if reading.settled:
            self.lists.settled[campaign_id] = news
            # Those that did not come any more were asked for too.
            table = self.calls.table.c
            still_open = table.history_state == HistoryState.OPEN.value
            self.calls.note_asked_where(sa.and_(table.bulk_list_id == campaign_id, still_open))
        else:
            self.unsettled += 1

    def read_dates(self, dates: DateSlices, looked_for: Sequence[str]) -> None:
        """Read by date; note how far, as long as nothing was left out before."""
        mark = self.read_until.get()
        unbroken: bool | None = None
        failure: RinggProviderError | None = None
        slices = UntilFailure(dates)
        for start, end, reading, first in slices:
            if unbroken is None:
                unbroken = start <= (mark or EARLIEST_CALL)
            try:
                is_known = not looked_for and self.known.is_whole(start, end, first)
            except RinggProviderError as broken:
                failure = broken
                break
            failure = self.merge_pages([first.calls] if is_known else reading.pages(first), bulk_list_id=None)
            if failure is not None:
                break
            if not is_known and not reading.settled:
                self.unsettled += 1
                unbroken = False
            if unbroken:
                self.read_until.move(end, self.calls.now())
        failure = failure or slices.failure
        if failure is not None:
            self.failures.note("the calls by date", failure)
            return
        self.failures.note_success()
        self.calls.note_asked(looked_for)

    def read_singles(self, call_ids: Sequence[str]) -> None:
        """Ask for single open calls by their id; where the platform cannot filter so, around their times."""
        rows: list[Row] = []
        asked: list[str] = []
        unfound: list[str] = []
        for call_id in call_ids:
            try:
                page = self.pages.page(call_of_id(call_id, self.calls.now()), 0)
                found = [call for call in page.calls if call.id == call_id]
            except (NotFound, InvalidRequest):
                found = []
            except RinggProviderError as failure:
                self.failures.note(f"call {call_id}", failure)
                if self.failures.outage:
                    break
                continue
            self.failures.note_success()
            rows += [self.row(call, None) for call in found]
            asked.append(call_id)
            unfound += [] if found else [call_id]
        self.calls_read += len(rows)
        self.calls.merge(rows)
        self.details.of(unfound)
        for start, end in self.times_of(unfound):
            reading = Slice(self.pages, calls_between(start, end))
            broken = self.merge_pages(reading.pages(), bulk_list_id=None)
            if broken is not None:
                self.failures.note(f"the calls of {start:%Y-%m-%d %H:%M} UTC", broken)
                return
        self.calls.note_asked(asked)

    def times_of(self, call_ids: Sequence[str]) -> list[tuple[dt.datetime, dt.datetime]]:
        """The stretches of time in which calls that ended but are not costed yet were made; either time may count."""
        calls = self.calls.table.c
        query = sa.select(calls.created_at, calls.attempted_at).where(
            calls.call_id.in_(call_ids), calls.history_reason == COST_MISSING
        )
        with self.calls.engine.connect() as connection:
            moments = sorted({at for row in connection.execute(query) for at in row if at is not None})
        stretches: list[tuple[dt.datetime, dt.datetime]] = []
        for at in moments:
            start, end = at - _AROUND, at + _AROUND
            if stretches and start <= stretches[-1][1]:
                stretches[-1] = (stretches[-1][0], end)
            else:
                stretches.append((start, end))
        return stretches

    def merge_pages(self, pages: Iterable[list[Call]], *, bulk_list_id: str | None) -> RinggProviderError | None:
        """Merge pages as they come; gives back what kept the rest from coming."""
        waiting: list[Row] = []
        readable = UntilFailure(pages)
        for page in readable:
            self.calls_read += len(page)
            waiting += [self.row(call, bulk_list_id) for call in page]
            if len(waiting) >= _ROWS_PER_MERGE:
                self.calls.merge(waiting)
                waiting = []
        self.calls.merge(waiting)
        return readable.failure

    def row(self, call: Call, bulk_list_id: str | None) -> Row:
        """A call as a row that was read now."""
        return call_row(call, bulk_list_id=bulk_list_id, read_at=self.calls.now(), transcripts=self.transcripts)
