# ruff: noqa: E501 - a line per column reads better than a screen per column
"""SmartAlex's calls and pending callbacks in a SQL database: two tables, and how they are brought up to date.

The tables are the only state: one says how far the history was read, and what is still to be read of a call is what its
row lacks. `docs/tables.md` describes the columns.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from more_itertools import chunked

from ringg_provider.exceptions import NotFound, RinggProviderError
from ringg_provider.history import smartalex_campaigns
from ringg_provider.history.failures import Failures, UntilFailure
from ringg_provider.history.merging import change
from ringg_provider.history.options import SMARTALEX_CALLBACKS, SMARTALEX_CALLS
from ringg_provider.history.read_until import ReadUntil, newest_call
from ringg_provider.history.rows import Row
from ringg_provider.history.tables import column, state_table
from ringg_provider.smartalex import SmartAlexClient
from ringg_provider.smartalex.requests import CallFilter, Generation
from ringg_provider.smartalex.responses import Call, Callback, Campaign, CampaignState
from ringg_provider.sql import fitting
from ringg_provider.sql.creating import create_tables, described
from ringg_provider.sql.merge import Columns, MergeCounts, merge_rows
from ringg_provider.sql.types import Json, Key, Money, Seconds, Text, UtcDateTime

STATE = "smartalex_history_state"
PENDING, DONE = "pending", "done"

#: What makes a call worth looking at again for those who read the table.
_NEWS = ("campaign_id", "status", "ended_at", "duration_seconds", "cost", "sentiment", "summary", "recording_url")
_DETAILS_PER_MERGE = 50
_LOOKED_AT_FOR = dt.timedelta(days=2)


def smartalex_calls_table(name: str = SMARTALEX_CALLS, *, schema: str | None = None) -> sa.Table:
    """Describe the table of calls: one row per call; a retry is a call of its own.

    :param name: of the table; `schema.name` is understood too.
    :param schema: where it lives; the connection's default when left out.
    """
    # fmt: off
    columns = [
        column("call_id", Key, "`id`", "the call", primary_key=True),
        column("campaign_id", Key, "details `campaign_id`, else the filter it was read with", "its campaign, which is the list of the launch ledger", index=True),
        column("agent_id", Key, "`agent_id`", "the agent that called"),
        column("contact_id", Key, "`contact.id` or `contact_id`", "the platform's own id of the person", index=True),
        column("direction", Key, "`direction`", "inbound, outbound, web"),
        column("to_number", Key, "`phone_number`", "who was called; only the older API gives it; personal"),
        column("to_number_e164", Key, "`phone_number`", "the same as `+` and digits, which joins contacts; personal", index=True),
        column("callee_name", Text, "`contact`", "personal"),
        column("status", Key, "`status` or `call_status`", "completed, voicemail, no_answer, failed, or a new one"),
        column("is_final", sa.Boolean, "`status`", "no other status is to come"),
        column("created_at", UtcDateTime, "`created_at` or `start_timestamp`", "when it was made", index=True),
        column("ended_at", UtcDateTime, "`end_timestamp`", "only the newer API gives it"),
        column("duration_seconds", Seconds, "`duration` or `duration_seconds`", "seconds"),
        column("cost", Money, "`cost`", "as the platform counts"),
        column("sentiment", Text, "`sentiment`", "positive, neutral, negative"),
        column("summary", Text, "details `summary`", "what was said; personal"),
        column("transcript", Json, "details `transcript`", "personal"),
        column("recording_url", Text, "details `recording_url`", "a link"),
        column("raw", Json, "the list's row", "unknown fields too; personal"),
        column("details_read_at", UtcDateTime, "this provider", "when its details were read; NULL: not yet"),
        column("first_read_at", UtcDateTime, "this provider", "when the row was first written"),
        column("read_at", UtcDateTime, "this provider", "when the platform was last asked for it"),
    ]
    # fmt: on
    return described(name, *columns, schema=schema)


def callbacks_table(name: str = SMARTALEX_CALLBACKS, *, schema: str | None = None) -> sa.Table:
    """Describe the table of callbacks: one row per callback that was ever seen pending.

    :param name: of the table; `schema.name` is understood too.
    :param schema: where it lives; the connection's default when left out.
    """
    # fmt: off
    columns = [
        column("callback_id", Key, "`id`, else campaign, contact and attempt", "the callback", primary_key=True),
        column("campaign_id", Key, "the campaign that was asked for", "its campaign", index=True),
        column("agent_id", Key, "`agent_id`", "the agent that will call"),
        column("contact_id", Key, "`contact.id` or `contact_id`", "the platform's own id of the person"),
        column("to_number", Key, "`contact.phone` or `phone_number`", "who will be called; personal"),
        column("to_number_e164", Key, "the same", "as `+` and digits, which joins contacts; personal", index=True),
        column("original_outcome", Key, "`original_outcome`", "why: voicemail, no_answer, busy"),
        column("attempt", sa.Integer, "`attempt`", "which retry it is"),
        column("max_attempts", sa.Integer, "`max_attempts`", "of how many"),
        column("scheduled_at", UtcDateTime, "`scheduled_at`", "when it is due"),
        column("state", Key, "this provider", "pending; done once the platform does not list it any more", index=True),
        column("raw", Json, "the whole row", "unknown fields too; personal"),
        column("first_read_at", UtcDateTime, "this provider", "when it was first seen"),
        column("read_at", UtcDateTime, "this provider", "when it was last seen pending"),
        column("done_at", UtcDateTime, "this provider", "when it was found to be done"),
    ]
    # fmt: on
    return described(name, *columns, schema=schema)


@dataclass
class CallCounts:
    """What a run did: counts only.

    :param calls_read: rows that came, repeated ones too.
    :param inserted: calls that were new.
    :param changed: calls that were there, and of which something new came to be known.
    :param details_read: calls whose details were read.
    """

    calls_read: int = 0
    inserted: int = 0
    changed: int = 0
    details_read: int = 0


@dataclass
class CallLoad:
    """Loads calls of one workspace.

    :param client: reaches the workspace.
    :param engine: the database.
    :param table: see `smartalex_calls_table`.
    :param include_details: read the details of each call once: its campaign, summary, transcript.
    :param lookback: begin so much before the end of the last load without a restriction.
    :param now: the present time, aware; for tests.
    :param zone: where the log tells times.
    """

    client: SmartAlexClient
    engine: sa.Engine
    table: sa.Table = field(default_factory=smartalex_calls_table)
    include_details: bool = True
    lookback: dt.timedelta = dt.timedelta(hours=1)
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    zone: dt.tzinfo = dt.UTC
    #: Campaigns that calls were read of.
    _campaigns: set[str] = field(default_factory=set, init=False)

    def run(
        self, campaign_ids: Sequence[str] = (), start: dt.datetime | None = None, end: dt.datetime | None = None
    ) -> CallCounts:
        """Read what may be new and merge it. What cannot be read hinders nothing else, and is named at the end.

        :param campaign_ids: whole campaigns and nothing else; the newer API cannot filter by them, so that all calls
            are read.
        :param start: calls from here on; default where the last load without a restriction ended, less the lookback.
        :param end: calls up to here; default all.
        :raises TransientError: something could not be read now; what was read is in the table.
        :raises PermanentError: the platform refused something; what was read is in the table.
        """
        state = state_table(STATE, schema=self.table.schema)
        create_tables(self.engine, self.table, state)
        counts, failures, started_at = CallCounts(), Failures(), self.now()
        read_until = ReadUntil(self.engine, self.table, state, newest_call)
        read_until.begin(started_at)
        old = self.client.generation is Generation.OLD
        if campaign_ids and old:
            for campaign_id in campaign_ids:
                if not failures.outage:
                    wanted = self._filter(campaign_id, start, end)
                    self._read(wanted, campaign_id, counts, failures, f"the calls of campaign {campaign_id}")
        else:
            mark = read_until.get()
            since = start or (None if mark is None else mark - self.lookback)
            unbroken = since is None or (mark is not None and since <= mark)
            if self._read(self._filter(None, since, end), None, counts, failures, "the calls") and unbroken:
                read_until.move(min(end, started_at) if end is not None and old else started_at, started_at)
        details = Failures()
        if self.include_details:
            self._read_details(counts, details)
        failures.raise_if_any()
        if details.outage:
            details.raise_if_any()
        # Only where all of its calls were asked for does no call mean that nobody was called.
        whole = start is None and end is None and (old or self.include_details)
        told = {*campaign_ids, *self._campaigns} if whole else self._campaigns
        smartalex_campaigns.tell(self.client, self.engine, self.table, told, self.zone)
        return counts

    def _filter(self, campaign_id: str | None, start: dt.datetime | None, end: dt.datetime | None) -> CallFilter:
        hours = None if start is None else max(1, math.ceil((self.now() - start).total_seconds() / 3600))
        return CallFilter(campaign_id=campaign_id, from_date=start, to_date=end, since_hours=hours)

    def _read(
        self, wanted: CallFilter, campaign_id: str | None, counts: CallCounts, failures: Failures, what: str
    ) -> bool:
        """Read calls until their end, or until it fails; gives back which of them it was."""
        readable = UntilFailure(self.client.iter_calls(wanted))

        def rows() -> Iterator[Row]:
            for call in readable:
                counts.calls_read += 1
                yield self._row(call, campaign_id)

        merged = merge_calls(self.engine, self.table, rows())
        counts.inserted += merged.inserted
        counts.changed += merged.changed
        if readable.failure is None:
            failures.note_success()
        else:
            failures.note(what, readable.failure)
        return readable.failure is None

    def _read_details(self, counts: CallCounts, failures: Failures) -> None:
        table = self.table
        lacking = sa.select(table.c.call_id).where(table.c.details_read_at.is_(None), table.c.is_final == sa.true())
        with self.engine.connect() as connection:
            ids = list(connection.execute(lacking.order_by(table.c.created_at)).scalars())
        for some in chunked(ids, _DETAILS_PER_MERGE):
            rows = []
            for call_id in some:
                if failures.outage:
                    break
                try:
                    rows.append(self._row(self.client.get_call(call_id), None) | {"details_read_at": self.now()})
                except NotFound:
                    continue
                except RinggProviderError as failure:
                    failures.note(f"the details of call {call_id}", failure)
                else:
                    failures.note_success()
            counts.details_read += len(rows)
            # The whole row of the list says more of a contact than the details do.
            merge_calls(
                self.engine, self.table, [{name: value for name, value in row.items() if name != "raw"} for row in rows]
            )

    def _row(self, call: Call, campaign_id: str | None) -> Row:
        row = told_row(call, campaign_id=campaign_id, read_at=self.now())
        if row["campaign_id"]:
            self._campaigns.add(row["campaign_id"])
        return row


def told_row(call: Call, *, read_at: dt.datetime, campaign_id: str | None = None) -> Row:
    """Turn a call, as a list, its details or a webhook tells of it, into a row of `smartalex_calls`.

    :param call: as the platform sent it.
    :param read_at: when.
    :param campaign_id: the campaign that was asked for; the call's own wins, where it names one.
    """
    name = " ".join(filter(None, (call.first_name, call.last_name)))
    raw = {key: value for key, value in call.raw.items() if key != "transcript"}
    return {
        "call_id": fitting.key(call.id),
        "campaign_id": fitting.key(call.campaign_id or campaign_id),
        "agent_id": fitting.key(call.agent_id),
        "contact_id": fitting.key(call.contact_id),
        "direction": fitting.key(call.direction),
        "to_number": fitting.key(call.phone_number),
        "to_number_e164": fitting.e164(call.phone_number),
        "callee_name": fitting.text(name or None),
        "status": fitting.key(call.status),
        "is_final": call.is_final,
        "created_at": fitting.moment(call.created_at),
        "ended_at": fitting.moment(call.ended_at),
        "duration_seconds": fitting.number(call.duration),
        "cost": fitting.number(call.cost),
        "sentiment": fitting.text(call.sentiment),
        "summary": fitting.text(call.summary),
        "transcript": fitting.document(call.transcript) if call.transcript else None,
        "recording_url": fitting.text(call.recording_url),
        "raw": fitting.document(raw),
        "read_at": read_at,
    }


def merge_calls(engine: sa.Engine, table: sa.Table, rows: Iterable[Row]) -> MergeCounts:
    """Merge calls by their id, never from an end back.

    :param engine: the database.
    :param table: see `smartalex_calls_table`.
    :param rows: full or partial ones, see `told_row`.
    :return: `inserted` counts new ones, `changed` those that were there, and of which something new came to be known.
    :raises QueryFailed, DatabaseUnavailable: the database refused.
    """
    names = {column.name for column in table.columns}
    return merge_rows(
        engine,
        table,
        rows,
        keys=["call_id"],
        supersedes=lambda stored, staged: sa.or_(stored["is_final"] != sa.true(), staged["is_final"] == sa.true()),
        carry_over=names - {"call_id", "read_at", "first_read_at"},
        derive=_first_read,
        news=_brings_news,
    )


def _brings_news(stored: Columns, merged: Columns) -> sa.ColumnElement[bool]:
    return sa.or_(*(merged[name].is_distinct_from(stored[name]) for name in _NEWS))


@dataclass
class CallbackCounts:
    """What a run did: counts only.

    :param pending: callbacks that are still to be made.
    :param done: callbacks that were found to be done now.
    """

    pending: int = 0
    done: int = 0


@dataclass
class CallbackLoad:
    """Loads pending callbacks of one workspace, and marks those that are done.

    :param client: reaches the workspace.
    :param engine: the database.
    :param table: see `callbacks_table`.
    :param now: the present time, aware; for tests.
    """

    client: SmartAlexClient
    engine: sa.Engine
    table: sa.Table = field(default_factory=callbacks_table)
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    def run(self, campaign_ids: Sequence[str] = ()) -> CallbackCounts:
        """Read each campaign's callbacks to the end; what is not listed any more is done.

        What cannot be read hinders no other campaign, and is named at the end.

        :param campaign_ids: default all that are active or paused, those that began within the last two days, since
            a campaign may be over before it is looked at, and those with a pending callback in the table.
        """
        create_tables(self.engine, self.table)
        counts, failures = CallbackCounts(), Failures()
        for campaign_id in campaign_ids or self._campaigns(failures):
            if failures.outage:
                break
            read_at = self.now()
            try:
                listed = list(self.client.iter_callbacks(campaign_id))
            except NotFound:
                listed = []  # it was deleted, and its callbacks with it
            except RinggProviderError as failure:
                failures.note(f"the callbacks of campaign {campaign_id}", failure)
                continue
            failures.note_success()
            rows = [self._row(callback, campaign_id, read_at) for callback in listed]
            merge_rows(self.engine, self.table, rows, keys=["callback_id"], derive=_first_read)
            counts.pending += len(rows)
            counts.done += self._mark_done(campaign_id, read_at)
        failures.raise_if_any()
        return counts

    def _campaigns(self, failures: Failures) -> list[str]:
        table = self.table
        with self.engine.connect() as connection:
            waiting = connection.execute(sa.select(table.c.campaign_id).where(table.c.state == PENDING).distinct())
            known = [str(campaign_id) for campaign_id in waiting.scalars()]
        campaigns = UntilFailure(self.client.iter_campaigns())
        listed = [campaign.id for campaign in campaigns if self._may_have_callbacks(campaign)]
        if campaigns.failure is not None:
            failures.note("the list of campaigns", campaigns.failure)
        return sorted({*known, *listed})

    def _may_have_callbacks(self, campaign: Campaign) -> bool:
        if campaign.state in (CampaignState.ACTIVE, CampaignState.PAUSED):
            return True
        began = campaign.started_at or campaign.created_at
        is_draft = campaign.state is CampaignState.DRAFT
        return not is_draft and began is not None and began > self.now() - _LOOKED_AT_FOR

    def _mark_done(self, campaign_id: str, read_at: dt.datetime) -> int:
        table = self.table
        gone = sa.update(table).where(
            table.c.campaign_id == campaign_id, table.c.state == PENDING, table.c.read_at < read_at
        )
        return change(self.engine, gone.values(state=DONE, done_at=self.now()))

    @staticmethod
    def _row(callback: Callback, campaign_id: str, read_at: dt.datetime) -> Row:
        contact = callback.contact_id or fitting.e164(callback.phone_number) or ""
        return {
            "callback_id": fitting.key(callback.id or f"{campaign_id}/{contact}/{callback.attempt}"),
            "campaign_id": fitting.key(campaign_id),
            "agent_id": fitting.key(callback.agent_id),
            "contact_id": fitting.key(callback.contact_id),
            "to_number": fitting.key(callback.phone_number),
            "to_number_e164": fitting.e164(callback.phone_number),
            "original_outcome": fitting.key(callback.original_outcome),
            "attempt": callback.attempt,
            "max_attempts": callback.max_attempts,
            "scheduled_at": fitting.moment(callback.scheduled_at),
            "state": PENDING,
            "raw": fitting.document(callback.raw),
            "read_at": read_at,
        }


def _first_read(stored: Columns, staged: Columns, merged: Columns) -> dict[str, Any]:  # noqa: ARG001
    return {"first_read_at": sa.func.coalesce(stored["first_read_at"], staged["read_at"])}
