# ruff: noqa: E501 - a line per column reads better than a screen per column
"""The table `ringg_inbox`: every delivery as it came, once, and what became of it.

Rows are only added, marked and, when they are old, purged. Their payloads are personal data, with a retention of their
own; nothing of them is in an error.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields

import sqlalchemy as sa
from more_itertools import chunked, map_reduce

from ringg_provider.history.options import INBOX
from ringg_provider.history.tables import column
from ringg_provider.sql.bulk import insert_missing
from ringg_provider.sql.creating import described
from ringg_provider.sql.dialects import database_of
from ringg_provider.sql.merge import lock_writers
from ringg_provider.sql.types import Key, Text, UtcDateTime

#: What a stored body begins with that is not text, or that begins with it.
_ENCODED = "data:;base64,"
# PostgreSQL takes 63 characters for an index's name.
_NAMED = 47
# So many values are looked for by one statement.
_LOOKED_FOR = 500


def inbox_table(name: str = INBOX, schema: str | None = None) -> sa.Table:
    """Describe the inbox: one row per delivery; the same body of the same connection is one delivery.

    :param name: of the table; `schema.name` is understood too.
    :param schema: where it lives; the connection's default when left out.
    :return: a SQLAlchemy table; nothing is created.
    """
    # fmt: off
    columns = [
        column("digest", sa.String(64), "this provider", "SHA-256 of connection and body, hexadecimal", primary_key=True),
        column("conn_id", Key, "the address", "the connection that the delivery came for", nullable=False),
        column("received_at", UtcDateTime, "this provider", "when it came", nullable=False),
        column("event_type", Key, "`event_type`, SmartAlex's `type`", "what happened; NULL where it cannot be read"),
        column("call_id", Key, "`call_id`", "the call; NULL where there is none"),
        column("bulk_list_id", Key, "`bulk_list_id`, SmartAlex's `campaign_id`", "the campaign; NULL for single calls"),
        column("payload", Text, "the body", "as it came; one that is not text in UTF-8 as `data:;base64,...`; personal", nullable=False),
        column("announced_at", UtcDateTime, "`RinggInboxTrigger`", "when a trigger woke somebody for it"),
        column("applied_at", UtcDateTime, "`RinggInboxToSqlOperator`", "when it was applied, or given up"),
        column("unreadable", Text, "`RinggInboxToSqlOperator`", "why it was given up"),
    ]
    # fmt: on
    made = described(name, *columns, schema=schema, field="inbox_table")
    # Each finds the oldest rows that still wait, however many do not, and whatever waits for others.
    for mark in ("applied_at", "announced_at"):
        sa.Index(f"ix_{made.name[:_NAMED]}_{mark}", made.c.conn_id, made.c[mark], made.c.received_at)
    return made


@dataclass(frozen=True)
class Delivery:
    """A delivery as it is stored.

    :param digest: see `digest_of`.
    :param conn_id: the connection that it came for.
    :param received_at: when.
    :param event_type: what happened; None where it cannot be read.
    :param call_id: the call; None where there is none, or none that can be read.
    :param bulk_list_id: the campaign; None likewise.
    :param payload: the body as text, see `body`.
    """

    digest: str
    conn_id: str
    received_at: dt.datetime
    event_type: str | None
    call_id: str | None
    bulk_list_id: str | None
    payload: str = field(repr=False)

    @classmethod
    def of(
        cls,
        conn_id: str,
        body: bytes,
        received_at: dt.datetime,
        *,
        event_type: str | None = None,
        call_id: str | None = None,
        bulk_list_id: str | None = None,
    ) -> Delivery:
        """Make one of what came.

        :param conn_id: the connection that it came for.
        :param body: as it came, whatever it is.
        :param received_at: when.
        :param event_type: what could be read of it. Default None, as for the other two.
        """
        return cls(digest_of(conn_id, body), conn_id, received_at, event_type, call_id, bulk_list_id, _as_text(body))

    @property
    def body(self) -> bytes:
        """The body, byte by byte as it came."""
        if self.payload.startswith(_ENCODED):
            return base64.b64decode(self.payload[len(_ENCODED) :])
        return self.payload.encode()


@dataclass(frozen=True)
class Announcement:
    """What came since the last one.

    :param lists: campaign -> how many of its calls.
    :param calls: how many calls in all, those of no campaign included.
    :param deliveries: how many deliveries that was, those included that cannot be read.
    """

    lists: Mapping[str, int]
    calls: int
    deliveries: int


def digest_of(conn_id: str, body: bytes) -> str:
    """What tells a delivery from all others: the same body that comes again for the same connection is the same one."""
    return hashlib.sha256(conn_id.encode() + b"\0" + body).hexdigest()


def _as_text(body: bytes) -> str:
    """Text that every database takes, and that the body can be made of again."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    # PostgreSQL takes no NUL in text.
    if "\0" in text or text.startswith(_ENCODED):
        return _ENCODED + base64.b64encode(body).decode()
    return text


def add(connection: sa.Connection, table: sa.Table, deliveries: Iterable[Delivery]) -> int:
    """Store deliveries; what is stored already stays as it is.

    :param connection: inside a transaction. Two at once may collide: see `ringg_provider.sql.errors.begin_again`.
    :param table: see `inbox_table`.
    :param deliveries: in any order, the same one twice too.
    :return: how many are new.
    """
    # In one order, so that two who store the same ones at once do not wait for each other.
    rows = {delivery.digest: asdict(delivery) for delivery in deliveries}
    return insert_missing(connection, table, [rows[digest] for digest in sorted(rows)], key="digest")


def not_applied(connection: sa.Connection, table: sa.Table, conn_ids: Collection[str], limit: int) -> list[Delivery]:
    """The oldest deliveries that were neither applied nor given up.

    :param connection: reads only.
    :param table: see `inbox_table`.
    :param conn_ids: of these connections.
    :param limit: at most so many.
    """
    waiting: list[tuple[dt.datetime, str]] = []
    for conn_id in sorted(conn_ids):
        # One connection after the other, because then an index has them in this order.
        oldest = (
            sa.select(table.c.received_at, table.c.digest)
            .where(table.c.conn_id == conn_id, table.c.applied_at.is_(None))
            .order_by(table.c.received_at, table.c.digest)
            .limit(limit)
        )
        waiting += [(row.received_at, row.digest) for row in connection.execute(oldest)]
    digests = [digest for _, digest in sorted(waiting)[:limit]]
    columns = [table.c[each.name] for each in fields(Delivery)]
    found = [
        Delivery(*row)
        for some in chunked(digests, _LOOKED_FOR)
        for row in connection.execute(sa.select(*columns).where(table.c.digest.in_(some)))
    ]
    return sorted(found, key=lambda delivery: (delivery.received_at, delivery.digest))


def mark_applied(connection: sa.Connection, table: sa.Table, digests: Iterable[str], at: dt.datetime) -> None:
    """Note that deliveries are in the tables.

    :param connection: inside the transaction that puts them there, or a later one.
    :param table: see `inbox_table`.
    :param digests: which.
    :param at: when.
    """
    for some in chunked(digests, _LOOKED_FOR):
        connection.execute(sa.update(table).where(table.c.digest.in_(some)).values(applied_at=at))


def mark_unreadable(connection: sa.Connection, table: sa.Table, reasons: Mapping[str, str], at: dt.datetime) -> None:
    """Give deliveries up that cannot be read; they stay as they came.

    :param connection: inside a transaction.
    :param table: see `inbox_table`.
    :param reasons: digest -> why; no value of the payload may be in it.
    :param at: when.
    """
    for reason, digests in map_reduce(reasons, reasons.__getitem__).items():
        for some in chunked(digests, _LOOKED_FOR):
            connection.execute(
                sa.update(table).where(table.c.digest.in_(some)).values(applied_at=at, unreadable=reason)
            )


def announce(
    connection: sa.Connection, table: sa.Table, conn_id: str, at: dt.datetime, limit: int = 10_000
) -> Announcement:
    """Take the oldest deliveries that nobody was woken for, and tell what they are about; each is taken once.

    :param connection: inside a transaction that has done nothing yet; with its end they are taken. Two at once may
        collide: see `ringg_provider.sql.errors.begin_again`.
    :param table: see `inbox_table`.
    :param conn_id: of this connection.
    :param at: when.
    :param limit: at most so many. Default 10,000.
    :return: all zero where there is none.
    """
    database = database_of(connection)
    if not database.locks_rows:
        lock_writers(connection, table)
    query = (
        sa.select(table.c.digest, table.c.bulk_list_id, table.c.call_id)
        .where(table.c.conn_id == conn_id, table.c.announced_at.is_(None))
        .order_by(table.c.received_at, table.c.digest)
        .limit(limit)
        # Another triggerer takes others meanwhile, or waits and then sees that these are taken.
        .with_for_update(skip_locked=database.skips_locked)
    )
    rows = connection.execute(query).all()
    for some in chunked((row.digest for row in rows), _LOOKED_FOR):
        connection.execute(sa.update(table).where(table.c.digest.in_(some)).values(announced_at=at))
    calls: dict[str | None, set[str]] = defaultdict(set)
    for row in rows:
        if row.call_id is not None:
            calls[row.bulk_list_id].add(row.call_id)
    lists = {list_id: len(of_list) for list_id, of_list in sorted(calls.items(), key=str) if list_id is not None}
    return Announcement(lists=lists, calls=sum(map(len, calls.values())), deliveries=len(rows))


def standing(connection: sa.Connection, table: sa.Table, conn_id: str) -> tuple[bool, dt.datetime | None]:
    """Whether a delivery of a connection waits to be announced, and when the last ones were.

    :param connection: reads only.
    :param table: see `inbox_table`.
    :param conn_id: of this connection.
    """
    ours = table.c.conn_id == conn_id
    waits = connection.execute(sa.select(table.c.digest).where(ours, table.c.announced_at.is_(None)).limit(1))
    latest = table.c.announced_at.desc()
    last = sa.select(table.c.announced_at).where(ours, table.c.announced_at.is_not(None)).order_by(latest).limit(1)
    return waits.first() is not None, connection.execute(last).scalar()


def take_back(connection: sa.Connection, table: sa.Table, conn_id: str, before: dt.datetime) -> int:
    """Let deliveries be announced once more that were announced before a time and are not applied.

    :param connection: inside a transaction. Two at once may collide: see `ringg_provider.sql.errors.begin_again`.
    :param table: see `inbox_table`.
    :param conn_id: of this connection.
    :param before: the time.
    :return: how many.
    """
    waits = (table.c.conn_id == conn_id, table.c.applied_at.is_(None), table.c.announced_at < before)
    return connection.execute(sa.update(table).where(*waits).values(announced_at=None)).rowcount


def purge(connection: sa.Connection, table: sa.Table, before: dt.datetime) -> int:
    """Take away what came before a time, applied or not: how long personal data stay does not depend on a task.

    :param connection: inside a transaction.
    :param table: see `inbox_table`.
    :param before: the time.
    :return: how many rows are gone.
    """
    return connection.execute(sa.delete(table).where(table.c.received_at < before)).rowcount
