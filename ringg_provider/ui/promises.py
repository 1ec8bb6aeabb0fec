"""What the pages read of promises to call people back: what became of them, which are unclear, which come next.

As in `queries.py`: each query is bounded and by an index, and nothing personal is selected: no number, no name, and not
the words in which somebody asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from ringg_provider import wording
from ringg_provider.callbacks.table import REACHED, PromiseState
from ringg_provider.ui.tables import Tables

#: How far back promises are counted, by when they were made; and how many of them, the newest.
SHOWN, MOST_COUNTED = timedelta(days=30), 200_000
#: Rows of one table.
MOST_UNCLEAR, MOST_OTHERS = 200, 50
#: Until how many seconds after their time people were called; what is later has a bar of its own.
LATENESS: Sequence[tuple[int, str]] = (
    (0, "not late"), (300, "to 5 min"), (900, "to 15 min"), (1800, "to 30 min"), (3600, "to 1 h"),
    (7200, "to 2 h"), (14400, "to 4 h"), (28800, "to 8 h"),
)  # fmt: skip
LATEST = "later"

#: Every state in words.
STATES = {
    PromiseState.KEPT: "Kept",
    PromiseState.LATE: "Late",
    PromiseState.MISSED: "Missed",
    PromiseState.WITHDRAWN: "Withdrawn",
    PromiseState.LISTED: "On a list",
    PromiseState.OPEN: "To be called",
    PromiseState.UNCLEAR: "Unclear",
}

#: An id that a platform or we made of a telephone number.
_NUMBER = re.compile(r"\+\d{7,}|(?<![\w-])\d{10,15}(?!\w)")


@dataclass(frozen=True)
class Counted:
    """Promises that are alike.

    :param state: of them all.
    :param lateness: how late the call was, one of `LATENESS` or `LATEST`; None where nobody was reached.
    :param reason: why they were missed; None of others.
    :param number: how many.
    """

    state: str
    lateness: str | None
    reason: str | None
    number: int


@dataclass(frozen=True)
class Promised:
    """A promise; nothing of the person.

    :param promise_id: which; None where it holds a telephone number, as some of SmartAlex's may.
    :param platform: ``ringg`` or ``smartalex``.
    :param state: see `STATES`.
    :param reason: why; None where there is nothing to say.
    :param asked_call_id: the call in which they asked, by which a person finds it on the platform; None likewise.
    :param asked_at: when that was; aware, as all times are.
    :param timezone: where the person is; None where that is not known.
    :param due_at: when they are to be called; None while that is not known.
    :param settled_by: who said so.
    :param campaign_id: in which they asked.
    :param campaign: its name; None where nobody noted it.
    :param dag_id: the DAG that launched it; the same.
    """

    promise_id: str | None
    platform: Literal["ringg", "smartalex"]
    state: str
    reason: str | None
    asked_call_id: str | None
    asked_at: datetime | None
    timezone: str | None
    due_at: datetime | None
    settled_by: str | None
    campaign_id: str | None
    campaign: str | None = None
    dag_id: str | None = None

    @property
    def zone(self) -> ZoneInfo:
        """Where its times are told: the person's zone, else UTC."""
        return wording.zone_named(self.timezone)

    @property
    def seen(self) -> str:
        """When they asked, as a form carries it, by which it is known that they have not asked again since."""
        return "" if self.asked_at is None else self.asked_at.isoformat()

    @property
    def can_be_settled(self) -> bool:
        """Whether a page can ask when it is due: under a DAG, which says who may answer."""
        return self.state == PromiseState.UNCLEAR and self.dag_id is not None and self.promise_id is not None


def counts(
    connection: sa.Connection,
    tables: Tables,
    dags: Collection[str] | None,
    *,
    since: datetime,
) -> list[Counted]:
    """How many promises became what, the newest `MOST_COUNTED` of them.

    :param connection: to the state database.
    :param tables: what is there.
    :param dags: those whose campaigns the person may see; see `queries.py`.
    :param since: made then or later, aware.
    """
    table = tables.callbacks
    if table is None:
        return []
    late = sa.case(
        *((table.c.seconds_late <= seconds, words) for seconds, words in LATENESS),
        (table.c.seconds_late.is_not(None), LATEST),
    )
    missed = table.c.state == PromiseState.MISSED.value
    some = (
        sa.select(
            table.c.state,
            sa.case((table.c.state.in_(sorted(REACHED)), late)).label("lateness"),
            sa.case((missed, table.c.state_reason)).label("reason"),
        )
        .where(table.c.asked_at >= since, *_allowed(tables, table, dags))
        .order_by(table.c.asked_at.desc())
        .limit(MOST_COUNTED)
    )
    each = some.subquery().c
    alike = (each.state, each.lateness, each.reason)
    rows = connection.execute(sa.select(*alike, sa.func.count().label("number")).group_by(*alike))
    return [Counted(row.state, row.lateness, row.reason, int(row.number)) for row in rows]


def of_campaign(
    connection: sa.Connection, tables: Tables, dags: Collection[str] | None, campaign_id: str
) -> dict[str, int]:
    """How many promises of one campaign are in which state, in words; nothing where nobody asked."""
    table = tables.callbacks
    if table is None:
        return {}
    some = (
        sa.select(table.c.state)
        .where(table.c.bulk_list_id == campaign_id, *_allowed(tables, table, dags))
        .limit(MOST_COUNTED)
        .subquery()
    )
    query = sa.select(some.c.state, sa.func.count()).group_by(some.c.state)
    found = {row[0]: int(row[1]) for row in connection.execute(query)}
    return {words: found[state] for state, words in STATES.items() if state in found}


def unclear(connection: sa.Connection, tables: Tables, dags: Collection[str] | None) -> list[Promised]:
    """Promises that wait for a person, the oldest first."""
    table = tables.callbacks
    if table is None:
        return []
    waiting = table.c.state == PromiseState.UNCLEAR.value
    return _read(connection, tables, dags, [waiting], _after_the_filter(table.c.asked_at), MOST_UNCLEAR)


def coming(connection: sa.Connection, tables: Tables, dags: Collection[str] | None) -> list[Promised]:
    """Promises that are to be called, or are about to be, the next first."""
    table = tables.callbacks
    if table is None:
        return []
    live = table.c.state.in_((PromiseState.OPEN.value, PromiseState.LISTED.value))
    return _read(connection, tables, dags, [live], _after_the_filter(table.c.due_at), MOST_OTHERS)


def missed(
    connection: sa.Connection, tables: Tables, dags: Collection[str] | None, *, since: datetime
) -> list[Promised]:
    """Promises of late that were not kept, the newest first."""
    table = tables.callbacks
    if table is None:
        return []
    conditions = [table.c.state == PromiseState.MISSED.value, table.c.asked_at >= since]
    return _read(connection, tables, dags, conditions, table.c.asked_at.desc(), MOST_OTHERS)


def promised(connection: sa.Connection, tables: Tables, dag_id: str, promise_id: str) -> Promised | None:
    """One promise of a DAG's campaign; None where there is no such one."""
    table = tables.callbacks
    if table is None:
        return None
    condition = table.c.promise_id == promise_id
    return next(iter(_read(connection, tables, frozenset({dag_id}), [condition], table.c.promise_id, 1)), None)


def _after_the_filter(time: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """An order that no index has, so that the one of the states finds the few that wait, which are sorted then.

    Along the index of times, the oldest first, a database walks by all promises that are over before it meets them.
    """
    return sa.func.coalesce(time, time)


def _allowed(tables: Tables, table: sa.Table, dags: Collection[str] | None) -> Iterable[sa.ColumnElement[bool]]:
    if dags is None:
        return []
    ledger = tables.launches
    if ledger is None:
        return [sa.false()]
    of_dags = tables.of(ledger, "dag_id").in_(sorted(dags))
    return [sa.exists().where(ledger.c.list_id == table.c.bulk_list_id, of_dags)]


def _read(
    connection: sa.Connection,
    tables: Tables,
    dags: Collection[str] | None,
    conditions: Sequence[sa.ColumnElement[bool]],
    order: Any,
    limit: int,
) -> list[Promised]:
    table = tables.callbacks
    assert table is not None
    names = ("promise_id", "platform", "state", "state_reason", "asked_call_id", "asked_at", "timezone", "due_at")
    query = (
        sa.select(*(table.c[name] for name in (*names, "settled_by", "bulk_list_id")))
        .where(*conditions, *_allowed(tables, table, dags))
        .order_by(order)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    launched = _launched(connection, tables, dags, {row.bulk_list_id for row in rows if row.bulk_list_id})
    return [
        Promised(
            _without_number(row.promise_id),
            row.platform,
            row.state,
            row.state_reason,
            _without_number(row.asked_call_id),
            row.asked_at,
            row.timezone,
            row.due_at,
            row.settled_by,
            row.bulk_list_id,
            *launched.get(row.bulk_list_id, (None, None)),
        )
        for row in rows
    ]


def _launched(
    connection: sa.Connection, tables: Tables, dags: Collection[str] | None, list_ids: Collection[str]
) -> dict[str, tuple[str | None, str | None]]:
    """Name and DAG of campaigns, as far as the ledger knows them and the person may see them."""
    ledger = tables.launches
    if ledger is None or not list_ids:
        return {}
    of_dag = tables.of(ledger, "dag_id")
    query = sa.select(ledger.c.list_id, tables.of(ledger, "name").label("name"), of_dag.label("dag_id"))
    query = query.where(ledger.c.list_id.in_(sorted(list_ids)))
    if dags is not None:
        query = query.where(of_dag.in_(sorted(dags)))
    return {row.list_id: (row.name, row.dag_id) for row in connection.execute(query)}


def _without_number(made_by: str | None) -> str | None:
    return None if made_by is None or _NUMBER.search(made_by) else made_by
