"""What the pages read of the inbox: when webhooks came, and how many of them wait or could not be read.

Each query is bounded and goes along an index of the inbox, however many deliveries it holds; no payload is selected.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from ringg_provider.ui.tables import Tables

#: Deliveries that are counted; there may be more.
MOST_COUNTED = 1000
#: Connections that webhooks come for.
MOST_CONNECTIONS = 50
#: How far back deliveries that could not be read are counted.
UNREADABLE_WITHIN = timedelta(days=1)
#: The task that applies deliveries is woken by them, or comes with the night's load.
APPLIED_WITHIN = timedelta(hours=1)


@dataclass(frozen=True)
class Deliveries:
    """The webhooks of one connection.

    :param conn_id: the connection.
    :param last_at: when the last one came; aware, as the others.
    :param waiting: how many are not applied to the tables; at most `MOST_COUNTED` are counted.
    :param oldest_at: when the oldest of them came; None without one.
    :param unreadable: how many of the last day could not be read; counted likewise.
    """

    conn_id: str
    last_at: datetime | None
    waiting: int
    oldest_at: datetime | None
    unreadable: int

    def is_late(self, now: datetime) -> bool:
        """Whether some wait for longer than they should."""
        return self.oldest_at is not None and now - self.oldest_at > APPLIED_WITHIN


def read_deliveries(
    connection: sa.Connection, tables: Tables, dags: Collection[str] | None, now: datetime
) -> list[Deliveries]:
    """How the webhooks of each connection stand.

    :param connection: to the state database.
    :param tables: what is there.
    :param dags: only connections through which these DAGs launched something; None for all connections.
    :param now: the present, aware.
    """
    table = tables.inbox
    if table is None:
        return []
    return [_of_connection(connection, table, conn_id, now) for conn_id in _connections(connection, tables, dags)]


def _connections(connection: sa.Connection, tables: Tables, dags: Collection[str] | None) -> list[str]:
    """The connections that there are deliveries of: one look into the index for each, however many deliveries."""
    table, found = tables.inbox, list[str]()
    assert table is not None
    while len(found) < MOST_CONNECTIONS:
        following = sa.select(sa.func.min(table.c.conn_id)).where(table.c.conn_id > (found[-1] if found else ""))
        if (conn_id := connection.execute(following).scalar_one()) is None:
            break
        found.append(conn_id)
    if dags is None or tables.launches is None:
        return found if dags is None else []
    ledger = tables.launches
    by, of_dag = tables.of(ledger, "conn_id"), tables.of(ledger, "dag_id")
    query = sa.select(by).where(of_dag.in_(sorted(dags)), by.in_(found)).distinct()
    return sorted(connection.execute(query).scalars())


def _of_connection(connection: sa.Connection, table: sa.Table, conn_id: str, now: datetime) -> Deliveries:
    of_connection, received, applied = table.c.conn_id == conn_id, table.c.received_at, table.c.applied_at

    def first(*conditions: sa.ColumnElement[bool], by: tuple[sa.UnaryExpression[datetime], ...]) -> datetime | None:
        query = sa.select(received).where(of_connection, *conditions).order_by(*by).limit(1)
        return connection.execute(query).scalar_one_or_none()

    def number_of(*conditions: sa.ColumnElement[bool]) -> int:
        some = sa.select(sa.literal(1).label("one")).select_from(table).where(of_connection, *conditions)
        counted = sa.select(sa.func.count()).select_from(some.limit(MOST_COUNTED).subquery())
        return int(connection.execute(counted).scalar_one())

    waiting = applied.is_(None)
    last = [
        moment
        for moment in (
            first(waiting, by=(received.desc(),)),
            # The last that was applied came last of those that were, but for what was applied at the same moment.
            first(applied.is_not(None), by=(applied.desc(), received.desc())),
        )
        if moment is not None
    ]
    return Deliveries(
        conn_id,
        max(last, default=None),
        number_of(waiting),
        first(waiting, by=(received.asc(),)),
        number_of(applied >= now - UNREADABLE_WITHIN, table.c.unreadable.is_not(None)),
    )
