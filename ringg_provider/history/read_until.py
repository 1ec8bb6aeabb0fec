"""How far a history was read: a row in a table of its own, beside the table of calls that it is about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa

from ringg_provider.history.merging import change
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.sql.types import UtcDateTime

Former = Callable[[sa.Connection, sa.Table], dt.datetime | None]
"""What an earlier version left in the table of calls, before there was a table for it."""


class ReadUntil:
    """Every call up to this time is in the table. It only moves on.

    :param engine: the database.
    :param calls: the table of calls.
    :param state: the table that says it; see `state_table`.
    :param former: what an earlier version left.
    :param name: of a table that is made of these calls, where it is about that. Default: the table of calls.
    """

    def __init__(
        self, engine: sa.Engine, calls: sa.Table, state: sa.Table, former: Former, name: str | None = None
    ) -> None:
        self._engine = engine
        self._calls = calls
        self._state = state
        self._former = former
        self._name = name or calls.name
        self._mine = state.c.calls_table == self._name

    def get(self) -> dt.datetime | None:
        """The time; None when nothing was read yet, or when the table of calls was emptied, to begin anew."""
        with self._engine.connect() as connection:
            if connection.execute(sa.select(self._calls.c.call_id).limit(1)).first() is None:
                return None
            return connection.execute(sa.select(sa.func.max(self._state.c.read_until)).where(self._mine)).scalar()

    def move(self, moment: dt.datetime, now: dt.datetime) -> None:
        """Move on to a time; one that lies further back changes nothing, so that two loads may do this at once."""
        further = sa.or_(self._state.c.read_until.is_(None), self._state.c.read_until < moment)
        values = {"read_until": moment, "changed_at": now}
        change(self._engine, sa.update(self._state).where(self._mine, further).values(**values))

    def begin(self, now: dt.datetime) -> None:
        """Make the row of this table of calls, unless there is one; its first value is what an earlier version left."""

        def unless_there() -> None:
            with self._engine.begin() as connection:
                if connection.execute(sa.select(self._state.c.calls_table).where(self._mine)).first() is None:
                    left = self._former(connection, self._calls)
                    row = {"calls_table": self._name, "read_until": left, "changed_at": now}
                    connection.execute(sa.insert(self._state).values(**row))

        without_driver_errors(self._state.name, begin_again, unless_there)


def newest_watermark(connection: sa.Connection, calls: sa.Table) -> dt.datetime | None:
    """What the column `watermark` of `ringg_calls` says, on the newest call of the last pass by date that bore it."""
    former = sa.table(calls.name, sa.column("watermark", UtcDateTime), schema=calls.schema)
    # Not every dialect can list a table's columns.
    nothing = connection.execute(sa.select(sa.text("*")).select_from(former).where(sa.false()))
    if "watermark" not in set(nothing.keys()):
        return None
    written = sa.select(sa.type_coerce(former.c.watermark, sa.types.NullType())).where(former.c.watermark.is_not(None))
    if isinstance(connection.execute(written.limit(1)).scalar(), bool | int):
        return None  # the first version marked a call, and said no time: everything is read once more
    return connection.execute(sa.select(sa.func.max(former.c.watermark))).scalar()


def newest_call(connection: sa.Connection, calls: sa.Table) -> dt.datetime | None:
    """When the newest call in the table was made."""
    return connection.execute(sa.select(sa.func.max(calls.c.created_at))).scalar()
