"""How rows come into the tables: merged by key, never backwards, and with what each of them still lacks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ringg_provider.history.rows import Row
from ringg_provider.history.tables import (
    ANALYSIS_MISSING,
    AWAITS_STATUS,
    CLOSED,
    COST_MISSING,
    ENDED,
    RECORDING_MISSING,
    STATUS_MISSING,
    UNREAD,
    UNSETTLED,
    HistoryState,
)
from ringg_provider.ringg.responses import CallStatus
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.sql.merge import Columns, MergeCounts, merge_rows

#: Columns of a call that are computed while merging; all others keep what is stored where a row says nothing.
_DERIVED = frozenset(
    {"is_final", "status_since", "first_read_at", "changed_at", "cost_final", "history_state", "history_reason"}
)
_NOT_CARRIED = _DERIVED | {"call_id", "read_at"}

#: What makes a call worth looking at again for those who read the table.
_NEWS = ("status", "sub_status", "attempted_at", "duration_seconds", "cost", "bulk_list_id", "recording_path")
_NEWS_BY_PRESENCE = ("platform_analysis", "client_analysis", "transcript")  # documents are not compared

#: How far on a call is that has ended; see `progress`.
ENDED_CALL = 2
_CALLS_AT_ONCE = 500


def change(engine: sa.Engine, update: sa.Update, field: str | None = None) -> int:
    """Change rows in a transaction of their own, once more when another one got in between.

    :param field: the parameter that errors name. Default None: they name the table.
    :return: how many.
    :raises QueryFailed, DatabaseUnavailable: the database refused.
    """

    def transaction() -> int:
        with engine.begin() as connection:
            return connection.execute(update).rowcount

    rows: int = without_driver_errors(field or update.table.description, begin_again, transaction)
    return rows


@dataclass(frozen=True)
class Wanted:
    """What a call must have to be complete, besides its last status and its cost.

    :param analysis: the platform's analysis, if it can have one. Default True.
    :param client_analysis: and the agent's own. Default False.
    :param recording: its recording, stored. Default False.
    """

    analysis: bool = True
    client_analysis: bool = False
    recording: bool = False


class CallStore:
    """The table of calls, as a load writes it.

    :param engine: the database.
    :param table: of calls; see `calls_table`.
    :param wanted: what a call must have to be complete.
    :param now: the present time, aware.
    """

    def __init__(self, engine: sa.Engine, table: sa.Table, wanted: Wanted, now: Callable[[], dt.datetime]) -> None:
        self.engine = engine
        self.table = table
        self.wanted = wanted
        self.now = now
        self._carried = carried_over(table)
        self._derive = completeness(wanted)
        self.inserted = 0

    def merge(self, rows: Sequence[Row]) -> MergeCounts:
        """Merge full or partial rows by call id; `inserted` counts those that were new."""
        counts = merge_rows(
            self.engine,
            self.table,
            rows,
            keys=["call_id"],
            supersedes=moves_forward,
            carry_over=self._carried,
            derive=self._derive,
        )
        self.inserted += counts.inserted
        return counts

    def merge_told(self, rows: Sequence[Row]) -> MergeCounts:
        """Merge what webhooks told, in any order: a row that is behind the stored one only fills in what that lacks.

        :param rows: partial rows with `told_at`, no two of the same call; see `told`.
        :return: `changed` counts those that were there, and of which something new came to be known.
        """
        counts = merge_rows(
            self.engine,
            self.table,
            rows,
            keys=["call_id"],
            supersedes=lambda stored, staged: stored["erased_at"].is_(None),  # noqa: ARG005 - as a merge calls it
            derive=told(self._carried, self._derive),
            news=_brings_news,
        )
        self.inserted += counts.inserted
        return counts

    @property
    def lacks_analysis(self) -> sa.ColumnElement[bool]:
        """Which calls can have a wanted analysis and do not have it yet."""
        calls, wanted = self.table.c, self.wanted
        missing = [
            *([calls.platform_analysis.is_(sa.null())] if wanted.analysis else []),
            *([calls.client_analysis.is_(sa.null())] if wanted.client_analysis else []),
        ]
        # Of a call that is settled the platform has told all that there is.
        unsettled = calls.settled_at.is_(None)
        return sa.and_(unsettled, _connected(calls.status, calls.duration_seconds), sa.or_(sa.false(), *missing))

    @property
    def lacks_recording(self) -> sa.ColumnElement[bool]:
        """Which calls have a recording that is not stored yet."""
        return sa.and_(self.table.c.recording_url.is_not(None), self.table.c.recording_path.is_(None))

    def open(self, condition: sa.ColumnElement[bool], *columns: sa.Column[Any]) -> Iterator[Sequence[Any]]:
        """Open calls that fulfil a condition, in batches by id, so that each comes once whatever becomes of it."""
        calls = self.table.c
        wanted = sa.select(calls.call_id, *columns).where(calls.history_state == HistoryState.OPEN.value, condition)
        after = ""
        while True:
            query = wanted.where(calls.call_id > after).order_by(calls.call_id).limit(_CALLS_AT_ONCE)
            with self.engine.connect() as connection:
                batch = connection.execute(query).all()
            if not batch:
                return
            yield batch
            after = batch[-1].call_id

    def note_asked(self, call_ids: Sequence[str]) -> None:
        """Note that calls were asked for now, whether anything came of it: so they can be given up one day."""
        for first in range(0, len(call_ids), _CALLS_AT_ONCE):
            self.note_asked_where(self.table.c.call_id.in_(call_ids[first : first + _CALLS_AT_ONCE]))

    def note_asked_where(self, condition: sa.ColumnElement[bool]) -> None:
        """The same for all calls that fulfil a condition."""
        now = self.now()
        change(self.engine, sa.update(self.table).where(condition, self.table.c.read_at < now).values(read_at=now))


class CampaignStore:
    """The table of campaigns, as a load writes it.

    :param engine: the database.
    :param table: of campaigns; see `campaigns_table`.
    """

    #: What a listing says differently of a campaign that has moved on.
    NEWS = ("state", "updated_at", "total_count", "completed_count")

    def __init__(self, engine: sa.Engine, table: sa.Table) -> None:
        self.engine = engine
        self.table = table
        names = {column.name for column in table.columns}
        self._carried = names - {"campaign_id", "read_at", "first_read_at", "history_reason"}

    def merge(self, rows: Iterable[Row]) -> None:
        """Merge rows by campaign id: those of a listing, or sums and verdicts, which have a `history_state`."""
        merge_rows(
            self.engine, self.table, rows, keys=["campaign_id"], carry_over=self._carried, derive=_derive_campaign
        )

    def reopen(self, campaign_ids: Collection[str]) -> None:
        """Reopen those that are closed: something was told of their calls, which have to be counted anew."""
        table = self.table
        closed = sa.and_(table.c.campaign_id.in_(campaign_ids), table.c.history_state.in_(sorted(CLOSED)))
        with self.engine.connect() as connection:
            found = list(connection.execute(sa.select(table.c.campaign_id).where(closed)).scalars())
        if found:
            values = {"history_state": HistoryState.OPEN.value, "history_reason": AWAITS_STATUS}
            change(self.engine, sa.update(table).where(table.c.campaign_id.in_(found)).values(**values))

    def news_of(self, campaign_id: str) -> tuple[Any, ...]:
        """What the newest listing says of a campaign; something else once it has moved on."""
        columns = [self.table.c[name] for name in self.NEWS]
        query = sa.select(*columns).where(self.table.c.campaign_id == campaign_id)
        with self.engine.connect() as connection:
            return tuple(connection.execute(query).one())


def _derive_campaign(stored: Columns, staged: Columns, merged: Columns) -> Columns:
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
        "history_reason": sa.case((reopened, UNREAD), (kept, stored["history_reason"]), else_=staged["history_reason"]),
        # Only a listing that shows the campaign moves it.
        "read_at": sa.case(
            (sa.and_(staged["state"].is_(None), stored["read_at"].is_not(None)), stored["read_at"]),
            else_=staged["read_at"],
        ),
    }


def _moved_on(stored: Columns, staged: Columns) -> sa.ColumnElement[bool]:
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


def carried_over(table: sa.Table) -> frozenset[str]:
    """The columns of `ringg_calls` that keep what is stored when a row says nothing about them."""
    return frozenset(column.name for column in table.columns) - _NOT_CARRIED


def moves_forward(stored: Columns, staged: Columns) -> sa.ColumnElement[bool]:
    """Whether a call's staged row may replace the stored one: never from an end back to a retry.

    Of two rows that are equally far on, the one that was read later stands. A row whose personal data were erased
    is never written again.
    """
    before, after = _progress(stored["status"]), _progress(staged["status"])
    return sa.and_(
        stored["erased_at"].is_(None),
        sa.or_(
            staged["status"].is_(None),
            stored["status"].is_(None),
            after > before,
            sa.and_(after == before, staged["read_at"] >= stored["read_at"]),
        ),
    )


def completeness(wanted: Wanted) -> Callable[[Columns, Columns, Columns], Columns]:
    """Make the rule that says, in SQL, what a call still lacks once a new row is merged into it.

    :param wanted: what it must have.
    :return: what `merge_rows` takes as `derive`.
    """

    def derive(stored: Columns, staged: Columns, merged: Columns) -> Columns:
        status = sa.func.lower(merged["status"])
        final = sa.func.coalesce(status.in_(sorted(CallStatus.FINAL)), sa.false())
        connected = _connected(merged["status"], merged["duration_seconds"])
        cost_final = sa.case(
            (stored["cost_final"] == sa.true(), sa.true()),
            else_=sa.func.coalesce(staged["cost_final"], stored["cost_final"]),
        )
        cost_missing = sa.or_(
            cost_final == sa.false(),
            sa.and_(cost_final.is_(None), merged["cost"].is_(None), status.in_(sorted(CallStatus.TAKEN))),
        )
        # What webhooks tell is complete once the last of them has told it; what the platform lists, as soon as it does.
        unsettled = merged["settled_at"].is_(None)
        only_told = sa.and_(merged["told_at"].is_not(None), merged["raw"].is_(sa.null()))
        # The last webhook may say nothing of whom was called and when: then the one of the call's end has to, too.
        half_told = sa.or_(unsettled, merged["to_number"].is_(None), merged["created_at"].is_(None))
        whens = [
            (sa.not_(final), STATUS_MISSING),
            (cost_missing, COST_MISSING),
            (sa.and_(half_told, only_told), UNSETTLED),
        ]
        analysed = sa.and_(unsettled, connected)
        if wanted.analysis:
            whens.append((sa.and_(analysed, merged["platform_analysis"].is_(sa.null())), ANALYSIS_MISSING))
        if wanted.client_analysis:
            whens.append((sa.and_(analysed, merged["client_analysis"].is_(sa.null())), ANALYSIS_MISSING))
        if wanted.recording:
            unstored = sa.and_(merged["recording_url"].is_not(None), merged["recording_path"].is_(None))
            whens.append((unstored, RECORDING_MISSING))
        missing = sa.case(*((condition, sa.literal(reason)) for condition, reason in whens), else_=sa.null())
        same_status = sa.func.coalesce(stored["status"], "") == sa.func.coalesce(merged["status"], "")
        # What was given up stays so until the call moves on.
        given_up = sa.and_(stored["history_state"] == HistoryState.INCOMPLETE.value, same_status)
        return {
            # The history tells a callback and a redial from other outbound calls; the details only know the direction.
            "call_type": sa.case(
                (staged["raw"].is_(sa.null()), sa.func.coalesce(stored["call_type"], staged["call_type"])),
                else_=merged["call_type"],
            ),
            "is_final": final,
            "status_since": sa.func.coalesce(
                sa.case((same_status, stored["status_since"]), else_=staged["read_at"]), staged["read_at"]
            ),
            "first_read_at": sa.func.coalesce(stored["first_read_at"], staged["read_at"]),
            "changed_at": sa.case((_brings_news(stored, merged), staged["read_at"]), else_=stored["changed_at"]),
            "cost_final": cost_final,
            "history_state": sa.case(
                (missing.is_(None), sa.literal(HistoryState.COMPLETE.value)),
                (given_up, sa.literal(HistoryState.INCOMPLETE.value)),
                else_=sa.literal(HistoryState.OPEN.value),
            ),
            "history_reason": sa.case(
                (sa.and_(missing.is_not(None), given_up), stored["history_reason"]), else_=missing
            ),
        }

    return derive


def told(carried: Collection[str], complete: Callable[[Columns, Columns, Columns], Columns]) -> Callable[..., Columns]:
    """Make the rule by which what a webhook told stands together with what is stored, whichever came first.

    :param carried: the columns that a call keeps, see `carried_over`.
    :param complete: says what the call then lacks, see `completeness`.
    :return: what `merge_rows` takes as `derive`.
    """

    def derive(stored: Columns, staged: Columns, merged: Columns) -> Columns:
        further, settles = _is_further(stored, staged), staged["settled_at"].is_not(None)
        later = sa.or_(stored["told_at"].is_(None), staged["told_at"] > stored["told_at"])
        first = dict.fromkeys(carried, further) | dict.fromkeys(_ANALYSIS, settles) | {"told_at": later}
        first["settled_at"] = sa.false()
        together: dict[str, sa.ColumnElement[Any]] = {
            name: sa.func.coalesce(sa.case((first[name], staged[name]), else_=stored[name]), stored[name], staged[name])
            for name in carried
        }
        # Where a call has moved on, the row that was listed before says nothing of it any more.
        together["raw"] = sa.case((further, sa.null()), else_=stored["raw"])
        return {**together, **complete(stored, staged, {**merged, **together})}

    return derive


#: What comes as one block: of two, the one of the last webhook stands.
_ANALYSIS = (
    "platform_analysis",
    "client_analysis",
    "summary",
    "classification",
    "sentiment",
    "callback_requested",
    "callback_requested_time",
    "disconnect_reason",
)


def _is_further(stored: Columns, staged: Columns) -> sa.ColumnElement[bool]:
    """Whether what was told of a call's status is further on than what is stored; never both ways round."""
    before, after = _progress(stored["status"]), _progress(staged["status"])
    # What the platform lists of a call that has ended is its last word.
    settles = sa.and_(staged["settled_at"].is_not(None), stored["settled_at"].is_(None), stored["raw"].is_(sa.null()))
    rang_later = sa.or_(
        sa.and_(staged["attempted_at"].is_not(None), stored["attempted_at"].is_(None)),
        staged["attempted_at"] > stored["attempted_at"],
    )
    # Of the same ring, "retry" is told after "ongoing".
    same_ring = sa.func.coalesce(staged["attempted_at"] == stored["attempted_at"], stored["attempted_at"].is_(None))
    further = sa.case(
        (staged["status"].is_(None), sa.false()),
        (stored["status"].is_(None), sa.true()),
        (after != before, after > before),
        (after == ENDED_CALL, settles),
        (rang_later, sa.true()),
        else_=sa.and_(same_ring, staged["status"] > stored["status"]),
    )
    return further == sa.true()


def _brings_news(stored: Columns, merged: Columns) -> sa.ColumnElement[bool]:
    different = [
        sa.case((merged[name].is_(None), sa.false()), (merged[name] == stored[name], sa.false()), else_=sa.true())
        for name in _NEWS
    ]
    arrived = [sa.and_(stored[name].is_(sa.null()), merged[name].is_not(sa.null())) for name in _NEWS_BY_PRESENCE]
    return sa.or_(stored["call_id"].is_(None), *(each == sa.true() for each in different), *arrived)


def _connected(status: sa.ColumnElement[Any], duration: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    # An analysis exists for calls that connected: of a call that nobody took there is nothing to say.
    return sa.and_(sa.func.lower(status).in_(sorted(CallStatus.TAKEN)), sa.func.coalesce(duration, 1) > 0)


def _progress(status: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    word = sa.func.lower(status)
    return sa.case((word == "registered", 0), (word.in_(sorted(CallStatus.FINAL)), ENDED_CALL), else_=1)
