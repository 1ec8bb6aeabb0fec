"""Whether somebody else calls the person of a promise: the platform by itself, or another campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from more_itertools import chunked

from ringg_provider.callbacks.planning import Promise
from ringg_provider.history.tables import HistoryState, require_table
from ringg_provider.sql.errors import without_driver_errors

UNDER_WAY = "another call to them is under way"
PLATFORM_CALLED = "the platform called back by itself"
REACHED_SINCE = "they were reached since they asked"

_NUMBERS_AT_A_TIME = 500
_FIELD = "history_table"


class Elsewhere:
    """What the history knows of other calls to people.

    :param engine: of the state database.
    :param calls: the platform's table of calls.
    :param state: the table that says how far it was read.
    :param may_be_missing: whether the table of calls need not be there yet.
    :raises InvalidRequest: it is not there, and may not be missing.
    """

    def __init__(self, engine: sa.Engine, calls: sa.Table, state: sa.Table, *, may_be_missing: bool = False) -> None:
        self._engine = engine
        self._calls = calls
        self._state = state
        self._is_there = require_table(engine, calls, field=_FIELD, may_be_missing=may_be_missing)

    def held(self, promises: Sequence[Promise]) -> dict[str, str]:
        """Who must not be called for a promise now, whatever it says.

        :param promises: any.
        :return: promise id -> why; nothing personal.
        """
        found: dict[str, str] = {}
        if self._is_there:
            for some in chunked(promises, _NUMBERS_AT_A_TIME):
                found |= without_driver_errors(_FIELD, self._held, some)
        return found

    def calls_back(self, since: datetime) -> set[str]:
        """The agents for which the platform is known to have called back by itself.

        :param since: later than this; aware.
        """
        columns = self._calls.c
        if not self._is_there:
            return set()
        query = sa.select(columns.agent_id).where(
            columns.call_type == "callback", columns.agent_id.is_not(None), columns.created_at > since
        )

        def read() -> set[str]:
            with self._engine.connect() as connection:
                return set(connection.execute(query.distinct()).scalars())

        agents: set[str] = without_driver_errors(_FIELD, read)
        return agents

    def known_until(self) -> datetime | None:
        """Until when all calls are in the table; None: not at all."""
        query = sa.select(sa.func.max(self._state.c.read_until)).where(self._state.c.calls_table == self._calls.name)

        def read() -> datetime | None:
            if not sa.inspect(self._engine).has_table(self._state.name, schema=self._state.schema):
                return None
            with self._engine.connect() as connection:
                return connection.execute(query).scalar()

        until: datetime | None = without_driver_errors(_FIELD, read) if self._is_there else None
        return until

    def _held(self, promises: Sequence[Promise]) -> dict[str, str]:
        columns = self._calls.c
        rings = columns.attempted_at if "attempted_at" in columns else columns.created_at
        # What the older of two tables lacks, the newer one says by other columns.
        wanted = {
            "number": columns.to_number_e164,
            "call_id": columns.call_id,
            "at": sa.func.coalesce(rings, columns.created_at),
            "status": columns.status,
            "is_final": columns.is_final,
            "open": columns.history_state == HistoryState.OPEN.value if "history_state" in columns else sa.true(),
            "kind": columns.call_type if "call_type" in columns else sa.null(),
            "machine": columns.voicemail_detected if "voicemail_detected" in columns else sa.false(),
        }
        query = sa.select(*(each.label(name) for name, each in wanted.items())).where(
            columns.to_number_e164.in_({promise.number for promise in promises if promise.number})
        )
        with self._engine.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        found = {}
        for promise in promises:
            for row in rows:
                if row["number"] == promise.number and (why := _why(promise, row)) is not None:
                    found[promise.promise_id] = why
                    break
        return found


def _why(promise: Promise, call: Mapping[str, object]) -> str | None:
    """What a call to the person says against calling them for the promise."""
    if call["call_id"] == promise.asked_call_id:
        return None
    if not call["is_final"]:
        return UNDER_WAY if call["open"] else None
    at = call["at"]
    if promise.asked_at is None or not isinstance(at, datetime) or at <= promise.asked_at:
        return None
    if call["kind"] == "callback":
        return PLATFORM_CALLED
    return REACHED_SINCE if call["status"] == "completed" and not call["machine"] else None
