"""Whether somebody else calls the person of a promise: the platform by itself, or another campaign."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from more_itertools import chunked

from ringg_provider.callbacks.asked import Call, calls_with
from ringg_provider.callbacks.planning import PUNCTUAL, REACHED_SINCE, Promise
from ringg_provider.callbacks.table import SMARTALEX
from ringg_provider.history.options import CALLS, SMARTALEX_CALLS
from ringg_provider.history.smartalex import STATE as SMARTALEX_STATE
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.tables import HistoryState, calls_table, require_table, state_table
from ringg_provider.sql.errors import without_driver_errors

UNDER_WAY = "another call to them is under way"
PLATFORM_CALLED = "the platform called back by itself"

_NUMBERS_AT_A_TIME = 500
_FIELD = "history_table"


def history_of(platform: str, name: str | None) -> tuple[sa.Table, sa.Table]:
    """A platform's table of calls, and the table that says how far it was read.

    :param platform: as `platform` of a promise says it.
    :param name: of the table of calls. Default None: the one that a load makes.
    """
    if platform == SMARTALEX:
        calls = smartalex_calls_table(name or SMARTALEX_CALLS)
        return calls, state_table(SMARTALEX_STATE, schema=calls.schema)
    calls = calls_table(name or CALLS)
    return calls, state_table(schema=calls.schema)


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
        with self._engine.connect() as connection:
            calls = self._calls_with(connection, promises)
        found = {}
        for promise in promises:
            theirs = [call for who in {promise.number, promise.contact_id} - {None} for call in calls[who]]
            whys = (_why(promise, call, is_open) for call, is_open in theirs)
            if (why := next(filter(None, whys), None)) is not None:
                found[promise.promise_id] = why
        return found

    def _calls_with(
        self, connection: sa.Connection, promises: Sequence[Promise]
    ) -> defaultdict[str | None, list[tuple[Call, bool]]]:
        """The calls with people, by their numbers and by the platform's ids of them, and whether more is to be read."""
        numbers = sorted({promise.number for promise in promises if promise.number})
        found: defaultdict[str | None, list[tuple[Call, bool]]] = defaultdict(list)
        columns = self._calls.c
        if "contact_id" in columns:  # SmartAlex, whose newer API tells no number of a call
            ids = sorted({promise.contact_id for promise in promises if promise.contact_id})
            theirs = sa.or_(columns.to_number_e164.in_(numbers), columns.contact_id.in_(ids))
            for row in connection.execute(sa.select(self._calls).where(theirs)).mappings():
                call = Call.of_smartalex(dict(row))
                for who in {call.number, call.contact_id}:
                    found[who].append((call, True))
            return found
        query = calls_with(self._calls, numbers).add_columns(columns.history_state)
        for row in connection.execute(query).mappings():
            of_person = Call.of(dict(row))
            if of_person is not None:
                found[of_person.number].append((of_person, row["history_state"] == HistoryState.OPEN.value))
        return found


def _why(promise: Promise, call: Call, is_open: bool) -> str | None:
    """What a call with the person says against calling them for the promise."""
    if call.call_id == promise.asked_call_id:
        return None
    if not call.is_final:
        return UNDER_WAY if is_open else None
    # Whatever SmartAlex calls around the time may be its callback, which nothing tells from other calls.
    if promise.platform == SMARTALEX and promise.due_at is not None and call.at >= promise.due_at - PUNCTUAL:
        return PLATFORM_CALLED
    if promise.asked_at is None or call.at <= promise.asked_at:
        return None
    if call.is_callback or (call.parent_call_id is not None and call.parent_call_id == promise.asked_call_id):
        return PLATFORM_CALLED
    return REACHED_SINCE if call.reached else None
