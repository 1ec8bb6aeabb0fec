"""Deliveries -> rows: what came for a connection, merged into the tables of its platform, and marked.

A delivery is marked after its rows are in the tables. Killed in between, it is applied once more, and by two runs at
once twice: the tables end the same.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import sqlalchemy as sa
from more_itertools import chunked

from ringg_provider import wording
from ringg_provider.exceptions import UnexpectedResponse
from ringg_provider.history.attempts import attempts_table, merge_attempts
from ringg_provider.history.closing import Closing
from ringg_provider.history.counts import counts_table
from ringg_provider.history.merging import CallStore, CampaignStore, Wanted
from ringg_provider.history.options import LoadOptions
from ringg_provider.history.smartalex import merge_calls, smartalex_calls_table, told_row
from ringg_provider.history.tables import calls_table, campaigns_table
from ringg_provider.inbox import store
from ringg_provider.inbox.reading import Unreadable, read_ringg, read_smartalex
from ringg_provider.inbox.rows import attempt_rows, call_row, fold_attempts, fold_calls, is_last_word
from ringg_provider.inbox.store import Delivery, inbox_table
from ringg_provider.ringg.responses import Webhook, WebhookEvent
from ringg_provider.smartalex.responses import Call
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.tracing import span

Event = TypeVar("Event")

#: Deliveries that are in memory at once; each is at most a megabyte, and nearly all are some kilobytes.
BATCH = 1_000

_CAMPAIGNS_AT_ONCE = 500


@dataclass
class ApplyCounts:
    """What was applied. Counts only, so that it may be shown anywhere.

    :param deliveries: that were taken from the inbox; of them
    :param unreadable: those that were given up, with the reason in their row,
    :param ignored: and those that are about no call.
    :param told: rows of calls that something was told of.
    :param inserted: of them, new ones,
    :param changed: and those that were there, and of which something new came to be known.
    :param settled: deliveries that were the last word on a call.
    :param attempts: rings that are new.
    :param campaigns: campaigns whose calls were counted anew.
    :param purged: deliveries that were too old to be kept.
    """

    deliveries: int = 0
    unreadable: int = 0
    ignored: int = 0
    told: int = 0
    inserted: int = 0
    changed: int = 0
    settled: int = 0
    attempts: int = 0
    campaigns: int = 0
    purged: int = 0

    def __str__(self) -> str:
        """For a person, in one line."""
        deliveries = wording.counted(self.deliveries, "delivery", "deliveries")
        calls = wording.counted(self.told, "call")
        became = f"{self.inserted:,} new, {self.changed:,} changed, {self.settled:,} settled"
        applied = f"{deliveries} applied to {calls} ({became})"
        said = [applied if self.deliveries else "nothing new has come"]
        notable = (
            (self.attempts, "new attempt", None, ""),
            (self.campaigns, "campaign", None, " counted anew"),
            (self.ignored, "delivery", "deliveries", " about no call"),
            (self.unreadable, "delivery", "deliveries", " unreadable, kept with the reason"),
            (self.purged, "delivery", "deliveries", " too old to be kept"),
        )
        said += [f"{wording.counted(number, noun, plural)}{what}" for number, noun, plural, what in notable if number]
        return ", ".join(said)


@dataclass
class Apply(ABC, Generic[Event]):
    """Applies the deliveries of one connection.

    :param engine: the state database.
    :param conn_id: the connection that the deliveries came for.
    :param inbox: see `inbox_table`.
    :param purge_after: take away deliveries that came so long ago, applied or not. Default: keep them.
    :param batch: so many at once.
    :param now: the present time, aware; for tests.
    """

    engine: sa.Engine
    conn_id: str
    inbox: sa.Table = field(default_factory=inbox_table)
    purge_after: dt.timedelta | None = None
    batch: int = BATCH
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    counts: ApplyCounts = field(default_factory=ApplyCounts, init=False)

    def run(self) -> ApplyCounts:
        """Apply whatever has come by now; what comes meanwhile is for the next run.

        :raises QueryFailed, DatabaseUnavailable: the database refused; what was marked before is in the tables.
        """
        self.create_tables()
        # Counted, because the clock of whoever received them may be another one.
        waiting = self._in_transaction(self._count)
        while self.counts.deliveries < waiting and (deliveries := self._waiting()):
            with span("ringg.inbox.apply", deliveries=len(deliveries)):
                self._apply(deliveries)
        self.finish()
        if self.purge_after is not None:
            before = self.now() - self.purge_after
            self.counts.purged = self._in_transaction(lambda connection: store.purge(connection, self.inbox, before))
        return self.counts

    def create_tables(self) -> None:
        """Create what is missing of the tables."""
        create_tables(self.engine, self.inbox, *self.tables())

    @abstractmethod
    def tables(self) -> Iterable[sa.Table]:
        """The tables that are written."""

    @abstractmethod
    def read(self, delivery: Delivery) -> Event | None:
        """What a delivery says; None when it is about no call.

        :raises Unreadable: it cannot be read.
        """

    @abstractmethod
    def merge(self, events: Sequence[tuple[Delivery, Event]]) -> None:
        """Merge what some deliveries say."""

    def finish(self) -> None:
        """What is done once, after all are merged."""

    def _count(self, connection: sa.Connection) -> int:
        inbox = self.inbox.c
        waiting = sa.and_(inbox.conn_id == self.conn_id, inbox.applied_at.is_(None))
        return int(connection.execute(sa.select(sa.func.count()).where(waiting)).scalar_one())

    def _waiting(self) -> list[Delivery]:
        def read() -> list[Delivery]:
            with self.engine.connect() as connection:
                return store.not_applied(connection, self.inbox, [self.conn_id], self.batch)

        waiting: list[Delivery] = without_driver_errors(f"table {self.inbox.fullname!r}", read)
        return waiting

    def _apply(self, deliveries: Sequence[Delivery]) -> None:
        events: list[tuple[Delivery, Event]] = []
        reasons: dict[str, str] = {}
        for delivery in deliveries:
            try:
                event = self.read(delivery)
            except Unreadable as unreadable:
                reasons[delivery.digest] = unreadable.reason
                continue
            if event is not None:
                events.append((delivery, event))
        self.merge(events)
        readable = [delivery.digest for delivery in deliveries if delivery.digest not in reasons]
        at = self.now()

        def mark(connection: sa.Connection) -> int:
            store.mark_applied(connection, self.inbox, readable, at)
            store.mark_unreadable(connection, self.inbox, reasons, at)
            return len(deliveries)

        self.counts.deliveries += self._in_transaction(mark)
        self.counts.unreadable += len(reasons)
        self.counts.ignored += len(readable) - len(events)

    def _in_transaction(self, change: Callable[[sa.Connection], int]) -> int:
        def transaction() -> int:
            with self.engine.begin() as connection:
                return change(connection)

        number: int = without_driver_errors(f"table {self.inbox.fullname!r}", begin_again, transaction)
        return number


@dataclass
class RinggApply(Apply[Webhook]):
    """Applies what Ringg told to `ringg_calls`, `ringg_attempts` and `ringg_campaigns`.

    :param calls: see `calls_table`.
    :param attempts: see `attempts_table`.
    :param campaigns: see `campaigns_table`.
    :param wanted: what a call must have to be complete.
    :param transcripts: keep what was said. Default True.
    :param workspace_id: whose calls; what names another workspace is given up. Default anybody's.
    """

    calls: sa.Table = field(default_factory=calls_table)
    attempts: sa.Table = field(default_factory=attempts_table)
    campaigns: sa.Table = field(default_factory=campaigns_table)
    wanted: Wanted = field(default_factory=Wanted)
    transcripts: bool = True
    workspace_id: str | None = None

    def __post_init__(self) -> None:
        self._store = CallStore(self.engine, self.calls, self.wanted, self.now)
        self._campaigns = CampaignStore(self.engine, self.campaigns)
        self._counts = counts_table(schema=self.campaigns.schema)
        self._concerned: set[str] = set()

    def tables(self) -> Iterable[sa.Table]:
        """Those of calls, attempts and campaigns, and what is counted of the calls."""
        return self.calls, self.attempts, self.campaigns, self._counts

    def read(self, delivery: Delivery) -> Webhook | None:
        """What a delivery says of a call; a chat is none."""
        reading = read_ringg(delivery.body)
        if reading.event_type == "chat_completed":
            return None
        if reading.event_type not in set(WebhookEvent):
            raise Unreadable("its event is not known")
        if reading.call_id is None or not reading.call_id.strip():
            raise Unreadable("call_id is missing")
        try:
            event = Webhook.read(reading.document)
        except UnexpectedResponse:
            raise Unreadable("it is no call") from None
        if self.workspace_id is not None and event.workspace_id not in (None, self.workspace_id):
            raise Unreadable("workspace_id is of another workspace")
        return event

    def merge(self, events: Sequence[tuple[Delivery, Webhook]]) -> None:
        """Campaigns first, so that a call of one is never without it; they are counted anew at the end."""
        now = self.now()
        calls = fold_calls(
            call_row(event, received_at=delivery.received_at, read_at=now, transcripts=self.transcripts)
            for delivery, event in events
        )
        attempts = fold_attempts(row for _, event in events for row in attempt_rows(event, read_at=now))
        campaigns = {row["bulk_list_id"] for row in calls if row.get("bulk_list_id")}
        self._campaigns.merge({"campaign_id": each, "read_at": now} for each in sorted(campaigns - self._concerned))
        self._concerned |= campaigns
        self._campaigns.reopen(campaigns)
        # Before their calls: a cap that sees a call sees how often it rang.
        self.counts.attempts += merge_attempts(self.engine, self.attempts, attempts).inserted
        merged = self._store.merge_told(calls)
        self.counts.told += len(calls)
        self.counts.inserted += merged.inserted
        self.counts.changed += merged.changed
        self.counts.settled += sum(is_last_word(event) for _, event in events)

    def finish(self) -> None:
        """Count the calls of the campaigns that something was told of."""
        closing = Closing(
            self._store,
            self._campaigns,
            self._counts,
            started_at=self.now(),
            give_up_after=LoadOptions.give_up_after,
        )
        for some in chunked(sorted(self._concerned), _CAMPAIGNS_AT_ONCE):
            closing.recount(some)
        self.counts.campaigns = len(self._concerned)


@dataclass
class SmartAlexApply(Apply[Call]):
    """Applies what SmartAlex told to `smartalex_calls`, as far as its contract tells what that is.

    :param calls: see `smartalex_calls_table`.
    """

    calls: sa.Table = field(default_factory=smartalex_calls_table)

    #: The statuses that an event's name stands for, where the call in it has none.
    _STATUSES = {"call.completed": "completed", "call.failed": "failed"}

    def tables(self) -> Iterable[sa.Table]:
        """That of calls."""
        return (self.calls,)

    def read(self, delivery: Delivery) -> Call | None:
        """The call in a delivery; those of campaigns, contacts and callbacks have none."""
        reading = read_smartalex(delivery.body)
        kind, _, what = reading.event_type.partition(".")
        if kind in ("campaign", "contact", "callback"):
            return None
        if kind != "call" or not what:
            raise Unreadable("its event is not known")
        if reading.call_id is None or not reading.call_id.strip():
            raise Unreadable("its call has no id")
        data = reading.document["data"]
        status = data.get("status") or data.get("call_status") or self._STATUSES.get(reading.event_type)
        try:
            return Call.read({**data, "id": reading.call_id.strip(), "status": status})
        except UnexpectedResponse:
            raise Unreadable("it is no call") from None

    def merge(self, events: Sequence[tuple[Delivery, Call]]) -> None:
        """Merge the calls; of one that is told of several times, what has ended stands."""
        now = self.now()
        ascending = sorted(events, key=lambda each: each[1].is_final)
        rows: dict[str, dict[str, object]] = {}
        for _, call in ascending:
            row = told_row(call, read_at=now)
            known = rows.setdefault(str(row["call_id"]), row)
            known |= {name: value for name, value in row.items() if value is not None}
        merged = merge_calls(self.engine, self.calls, rows.values())
        self.counts.told += len(rows)
        self.counts.inserted += merged.inserted
        self.counts.changed += merged.changed
        self.counts.settled += sum(call.is_final for _, call in events)
