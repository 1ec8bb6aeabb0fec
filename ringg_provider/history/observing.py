"""What is known so far of the calls of some lists, for whoever judges a rollout: from whatever is freshest.

The tables know what the history load brought and what the inbox was told. Where that is too old, the lists' history is
read into them first, under its rate limit, by the same load that every night uses: so that nothing is read for nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import sqlalchemy as sa

from ringg_provider.exceptions import TransientError
from ringg_provider.history import outcomes
from ringg_provider.history.options import CALLS, CAMPAIGNS, INBOX, SMARTALEX_CALLS
from ringg_provider.history.smartalex import PENDING, callbacks_table, smartalex_calls_table
from ringg_provider.history.smartalex_campaigns import TAKEN
from ringg_provider.history.tables import ANALYSIS_MISSING, HistoryState, calls_table, campaigns_table
from ringg_provider.launch.rollout import Brakes, Observed
from ringg_provider.smartalex import SmartAlexClient
from ringg_provider.sql.creating import is_there
from ringg_provider.sql.errors import without_driver_errors

log = logging.getLogger(__name__)

#: What is known is fresh for so long; then the history is read, where there is somebody to read it.
FRESH_FOR = dt.timedelta(minutes=5)

#: Classifications that say that a person does not want to be called any more; their spaces and hyphens are underscores.
OPT_OUTS = frozenset({
    "opt_out", "opted_out", "optout", "do_not_call", "do_not_contact", "do_not_disturb", "dnc", "dnd", "unsubscribe",
    "unsubscribed", "stop_calling", "remove_me", "remove_number", "remove_from_list",
})  # fmt: skip

_NEITHER_LETTER_NOR_DIGIT = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Watched:
    """Whose calls are counted, and what a brake asks of them.

    :param list_ids: the lists, or campaigns.
    :param people: on them.
    :param brakes: their seconds and classifications. Default None: none are counted.
    """

    list_ids: Sequence[str]
    people: int
    brakes: Brakes | None = None

    @property
    def short(self) -> float:
        """Below how many seconds a call is short."""
        return 0.0 if self.brakes is None or self.brakes.short_calls is None else self.brakes.short_calls[0]

    @property
    def needs_analysis(self) -> bool:
        """Whether a brake asks for what was said."""
        return self.brakes is not None and (self.brakes.opt_outs is not None or bool(self.brakes.classifications))

    @property
    def words(self) -> Collection[str]:
        """The classifications that are counted."""
        return () if self.brakes is None else self.brakes.classifications.keys()


@dataclass
class _Count:
    """Counts calls that have ended."""

    watched: Watched
    calls: int = 0
    not_called: int = 0
    opt_outs: int = 0
    failures: int = 0
    short_calls: int = 0
    connected: int = 0
    reached: int = 0
    words: Counter[str] = field(default_factory=Counter)

    def add(
        self, number: int, *, dialled: bool, connected: bool, reached: bool, short: bool, word: str | None = None
    ) -> None:
        """Count calls that are alike."""
        if not dialled:
            self.not_called += number
            return
        self.calls += number
        self.connected += number * connected
        self.reached += number * reached
        self.failures += number * (not connected)
        self.short_calls += number * (connected and short)
        said = (word or "").strip().lower()
        if said in self.watched.words:
            self.words[said] += number
        if _NEITHER_LETTER_NOR_DIGIT.sub("_", said) in OPT_OUTS:
            self.opt_outs += number

    def observed(self, as_of: dt.datetime | None, source: str) -> Observed:
        """What is known by now."""
        return Observed(
            calls=self.calls,
            opt_outs=self.opt_outs,
            failures=self.failures,
            short_calls=self.short_calls,
            connected=self.connected,
            reached=self.reached,
            classifications=dict(self.words),
            pending=max(self.watched.people - self.calls - self.not_called, 0),
            as_of=as_of,
            source=source,
        )


def observe(
    engine: sa.Engine,
    watched: Watched,
    *,
    table: str = CALLS,
    read: Callable[[Sequence[str]], object] | None = None,
    fresh_for: dt.timedelta = FRESH_FOR,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Observed:
    """What is known of calls of Ringg.

    A call that was cancelled before it was dialled is neither one that has ended nor pending. One whose analysis is
    still to come has not ended where a brake asks for what was said. Opt-outs are calls with a classification such as
    ``opt_out`` or ``do_not_call``, so let the agent give one; see :data:`OPT_OUTS`.

    :param engine: of the database with the table of calls.
    :param watched: which calls.
    :param table: the table of calls. Default ``ringg_calls``.
    :param read: loads the history of lists into the tables, under its rate limit, as a ``HistoryLoad`` does; called
        where nothing fresh is known while calls are pending. It may fail to reach the platform: then what is known is
        taken. Default None: only the tables are asked.
    :param fresh_for: how long what is known is fresh. Default five minutes.
    :param now: the present time, aware; for tests.
    :raises QueryFailed, DatabaseUnavailable: the tables cannot be read.
    :raises PermanentError: the platform refuses to tell.
    """
    calls = calls_table(table)
    return _freshest(read, watched, _safely(calls, _counted_calls, engine, calls, watched), now() - fresh_for)


def observe_smartalex(
    engine: sa.Engine,
    watched: Watched,
    *,
    table: str = SMARTALEX_CALLS,
    client: SmartAlexClient | None = None,
    read: Callable[[Sequence[str]], object] | None = None,
    fresh_for: dt.timedelta = FRESH_FOR,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Observed:
    """What is known of calls of SmartAlex, where each retry is a call of its own: counted by the person.

    A person counts once he was reached, or a machine was, or no retry of him is known to be pending. Opt-outs are those
    who were called and are do-not-call contacts of the campaign by now.

    :param client: asks for the do-not-call contacts. Default None: no opt-outs are known.

    The other parameters, and what is raised, as for :func:`observe`.
    """
    calls = smartalex_calls_table(table)
    return _freshest(read, watched, _safely(calls, _counted_people, engine, calls, watched, client), now() - fresh_for)


def _safely(calls: sa.Table, count: Callable[..., Observed], *arguments: Any) -> Callable[[], Observed]:
    """Counts in a table of calls, and lets out no driver's error."""
    return partial(without_driver_errors, f"table {calls.fullname!r}", count, *arguments)


def _freshest(
    read: Callable[[Sequence[str]], object] | None,
    watched: Watched,
    count: Callable[[], Observed],
    fresh_since: dt.datetime,
) -> Observed:
    """What is known; where that is not fresh and more is to come, what is known once the history was read."""
    known = count()
    if read is None or not known.pending or (known.as_of is not None and known.as_of >= fresh_since):
        return known
    try:
        read(watched.list_ids)
    except TransientError as error:
        log.warning("The history could not be read (%s); what is known by now is taken.", type(error).__name__)
    found = count()
    # Another one may have brought it meanwhile; which of them, nobody needs to know.
    moved = found.as_of is not None and (known.as_of is None or found.as_of > known.as_of)
    return replace(found, source="history") if moved else found


def _counted_calls(engine: sa.Engine, calls: sa.Table, watched: Watched) -> Observed:
    count = _Count(watched)
    if not watched.list_ids or not is_there(engine, calls):
        return count.observed(None, "tables")
    c = calls.c
    of_lists = c.bulk_list_id.in_(list(watched.list_ids))
    cancelled = sa.and_(sa.func.lower(sa.func.coalesce(c.status, "")) == "cancelled", c.attempted_at.is_(None))
    kinds: list[sa.ColumnElement[Any]] = [
        _flag(sa.not_(cancelled)).label("dialled"),
        _flag(outcomes.connected(calls)).label("connected"),
        _flag(outcomes.reached(calls)).label("reached"),
        _flag(sa.func.coalesce(c.duration_seconds, watched.short) < watched.short).label("short"),
        sa.cast(c.classification, sa.String(191)).label("word"),
    ]
    ended = [of_lists, c.is_final == sa.true()]
    if watched.needs_analysis:
        awaited = sa.and_(c.history_state == HistoryState.OPEN.value, c.history_reason == ANALYSIS_MISSING)
        ended.append(sa.not_(sa.func.coalesce(awaited, sa.false())))
    alike = sa.select(*kinds).where(*ended).subquery("alike")
    query: sa.Select[Any] = sa.select(*alike.c, sa.func.count().label("number")).group_by(*alike.c)
    with engine.connect() as connection:
        for row in connection.execute(query):
            count.add(
                row.number,
                dialled=bool(row.dialled),
                connected=bool(row.connected),
                reached=bool(row.reached),
                short=bool(row.short),
                word=row.word,
            )
        told = connection.execute(sa.select(sa.func.max(c.read_at)).where(of_lists)).scalar()
    read = _campaigns_read_at(engine, calls.schema, watched.list_ids)
    by_inbox = told is not None and (read is None or told > read)
    as_of = max((each for each in (told, read) if each is not None), default=None)
    return count.observed(as_of, "inbox" if by_inbox and _has_inbox(engine, calls.schema) else "tables")


def _flag(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.case((condition, 1), else_=0)


def _campaigns_read_at(engine: sa.Engine, schema: str | None, list_ids: Sequence[str]) -> dt.datetime | None:
    """Since when all lists were read; None where one was not."""
    campaigns = campaigns_table(CAMPAIGNS, schema=schema)
    if not is_there(engine, campaigns):
        return None
    query = sa.select(campaigns.c.calls_read_at).where(campaigns.c.campaign_id.in_(list(list_ids)))
    with engine.connect() as connection:
        found = list(connection.execute(query).scalars())
    known: list[dt.datetime] = [each for each in found if each is not None]
    return min(known) if known and len(known) == len(set(list_ids)) else None


def _has_inbox(engine: sa.Engine, schema: str | None) -> bool:
    return is_there(engine, sa.Table(INBOX, sa.MetaData(), schema=schema))


@dataclass
class _Person:
    taken: bool = False
    reached: bool = False
    short: bool = False


def _counted_people(engine: sa.Engine, calls: sa.Table, watched: Watched, client: SmartAlexClient | None) -> Observed:
    count = _Count(watched)
    if not watched.list_ids or not is_there(engine, calls):
        return count.observed(None, "tables")
    c = calls.c
    needed = ("contact_id", "to_number_e164", "call_id", "status", "duration_seconds", "is_final", "read_at")
    query: sa.Select[Any] = sa.select(*(c[name] for name in needed))
    people: dict[str, _Person] = {}
    contacts: set[str] = set()
    as_of: dt.datetime | None = None
    with engine.connect() as connection:
        rows = connection.execute(query.where(c.campaign_id.in_(list(watched.list_ids)))).all()
    for row in rows:
        as_of = row.read_at if as_of is None or (row.read_at and row.read_at > as_of) else as_of
        if not row.is_final:
            continue
        contacts |= {row.contact_id} - {None}
        person = people.setdefault(str(row.contact_id or row.to_number_e164 or row.call_id), _Person())
        status = (row.status or "").lower()
        person.taken |= status in TAKEN
        person.reached |= status == "completed"
        person.short |= status in TAKEN and float(row.duration_seconds or watched.short) < watched.short
    waiting = _waiting(engine, calls.schema, watched.list_ids)
    for key, person in people.items():
        if person.taken or key not in waiting:
            count.add(1, dialled=True, connected=person.taken, reached=person.reached, short=person.short)
    asked = watched.brakes is not None and watched.brakes.opt_outs is not None
    count.opt_outs = _smartalex_opt_outs(client, watched.list_ids, contacts) if asked else 0
    return count.observed(as_of, "tables")


def _waiting(engine: sa.Engine, schema: str | None, campaign_ids: Sequence[str]) -> set[str]:
    """People who are still to be called again, as far as the table of callbacks knows."""
    callbacks = callbacks_table(schema=schema)
    if not is_there(engine, callbacks):
        return set()
    c = callbacks.c
    query = sa.select(c.contact_id, c.to_number_e164).where(c.campaign_id.in_(list(campaign_ids)), c.state == PENDING)
    with engine.connect() as connection:
        return {str(value) for row in connection.execute(query) for value in row if value is not None}


def _smartalex_opt_outs(client: SmartAlexClient | None, campaign_ids: Iterable[str], called: set[str]) -> int:
    if client is None or not called:
        return 0
    opted_out: set[Any] = set()
    for campaign_id in campaign_ids:
        contacts = client.iter_contacts(status="dnc", campaign_id=campaign_id)
        opted_out |= {contact.id for contact in contacts if contact.is_dnc}
    return len(opted_out & called)
