"""Intents of one launch key in the launch ledger, where a claim is one atomic step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, Row, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from ringg_provider import wording
from ringg_provider.exceptions import LaunchedByAnotherRun, ReplacedByAnotherRun, RinggProviderError, WrongState
from ringg_provider.launch.braked import IS_BRAKED, find
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.table import (
    FIRST,
    IS_FIRST,
    LISTED,
    REPLACED,
    START_SENT,
    STARTED,
    Launcher,
    item_of_request,
    launches,
    named,
    new_row,
)
from ringg_provider.launch.terms import Intent
from ringg_provider.sql.errors import begin_again

#: What helps where lists of a key were replaced; another key would call everybody again.
_CLEAR = "clear the whole run, not this task alone: it adopts what was launched by then, or else uploads and launches"


class KeyedIntents:
    """Intents of one launch key, kept in the ledger. Made by `LaunchLedger.for_key`.

    :param engine: the ledger's database.
    :param launch_key: the key.
    :param item: the list that is to be launched, where more than its id is known.
    :param launcher: the task that launches it, where it is known.
    """

    remembers = True

    def __init__(
        self,
        engine: Engine,
        launch_key: str,
        item: LaunchItem | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        self.engine = engine
        self.launch_key = launch_key
        self._item = item
        self._launcher = launcher
        # Only the attempt that made a claim may withdraw it.
        self._claim = str(uuid4())

    def find(self, list_id: str) -> Intent | None:
        """The intent that stands for the list, or for the list that the key was launched with instead."""
        with self.engine.connect() as connection:
            return self._standing(connection, list_id)

    def claim(self, intent: Intent) -> Intent | None:
        """One atomic step from ``listed`` to ``start_sent``; or the first row of a key that has no set."""
        claimed = {
            "state": START_SENT,
            "intent": {"fingerprint": intent.fingerprint, "request": dict(intent.request)},
            "claim": self._claim,
            "start_sent_at": datetime.now(UTC),
            **named(self._launcher),
        }
        listed = update(launches).where(self._is(intent.list_id), launches.c.state == LISTED, ~IS_BRAKED)

        def take() -> bool:
            with self.engine.begin() as connection:
                return connection.execute(listed.values(**claimed)).rowcount == 1

        def become_first() -> Intent | None:
            with self.engine.begin() as connection:
                standing = self._standing(connection, intent.list_id)
                if standing is None:
                    first = self._first_row(intent.list_id, intent.request)
                    connection.execute(insert(launches).values(**first | claimed))
                return standing

        # Whoever collides with another one looks again, and finds what that one wrote.
        return None if begin_again(take) else begin_again(become_first)

    def forget(self, intent: Intent) -> None:
        """Give the claim back, so that a later attempt may start the list."""
        ours = and_(self._is(intent.list_id), launches.c.state == START_SENT, launches.c.claim == self._claim)

        def give_back() -> None:
            with self.engine.begin() as connection:
                # A first list without a set leaves no trace, so that another list may become the key's first.
                connection.execute(delete(launches).where(ours, IS_FIRST))
                connection.execute(
                    update(launches).where(ours).values(state=LISTED, intent=None, claim=None, start_sent_at=None)
                )

        begin_again(give_back)

    def confirm(self, list_id: str) -> None:
        """Note that the platform has the list as started, by whomever.

        A list that was adopted under a key without a set becomes the key's first list, as if it had been started
        under it: otherwise the same people could be launched once more under the same key.
        """
        started = {"state": STARTED, "started_at": datetime.now(UTC)}
        claimed = or_(launches.c.state == LISTED, launches.c.state == START_SENT)

        def note() -> None:
            with self.engine.begin() as connection:
                connection.execute(update(launches).where(self._is(list_id), claimed).values(**started))

        def become_first() -> None:
            with self.engine.begin() as connection:
                if not self._present(connection):
                    connection.execute(insert(launches).values(**self._first_row(list_id, {}) | started))

        begin_again(note)
        # Where somebody else's list became the first meanwhile, both are started, and there is nothing to choose.
        with suppress(IntegrityError):
            begin_again(become_first)

    def _is(self, list_id: str) -> Any:
        return and_(launches.c.launch_key == self.launch_key, launches.c.list_id == list_id)

    def _first_row(self, list_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        known = self._item is not None and self._item.list_id == list_id
        item = self._item if self._item is not None and known else item_of_request(list_id, request)
        return new_row(self.launch_key, item, FIRST, self._launcher)

    def _standing(self, connection: Connection, list_id: str) -> Intent | None:
        of_key = launches.c.launch_key == self.launch_key
        rows = connection.execute(select(launches, IS_FIRST.label("is_first")).where(of_key)).all()
        own = next((row for row in rows if row.list_id == list_id), None)
        was_started = own is not None and own.state in (START_SENT, STARTED)
        if not was_started and (braked := find(connection, self.launch_key)) is not None:
            raise braked.error()
        present = [row for row in rows if row.state != REPLACED]
        if own is not None and own.state != REPLACED:
            return None if own.state == LISTED else _intent(own)
        if own is None and not present:
            return None
        if own is None and len(present) == 1 and present[0].is_first and present[0].state != LISTED:
            return _intent(present[0])
        raise self._refused(list_id, present, was_listed=own is not None)

    def _present(self, connection: Connection) -> bool:
        """Whether a set, or a first list, stands under the key."""
        found = connection.execute(
            select(launches.c.list_id)
            .where(launches.c.launch_key == self.launch_key, launches.c.state != REPLACED)
            .limit(1)
        )
        return found.first() is not None

    def _refused(self, list_id: str, present: Sequence[Row[Any]], *, was_listed: bool) -> RinggProviderError:
        """Why a list that is not in the key's present set is not started, and what is to be done.

        The key itself is in no error: lineage and traces copy an error's text, and a key may name a person.
        """
        launched = next((row for row in present if row.state != LISTED), None)
        us = self._launcher
        if launched is not None and us is not None and (launched.dag_id, launched.run_id) == (us.dag_id, us.run_id):
            return WrongState(
                f"List {list_id} is never started: task {launched.task_id} of this very run launched its key with "
                "other lists. Give each set of contacts a key of its own."
            )
        if launched is not None:
            run = f"run {launched.run_id} of DAG {launched.dag_id}" if launched.run_id else "another run"
            return LaunchedByAnotherRun(
                f"List {list_id} is not started: {run} launched its key with lists of its own, and a key is launched "
                "once. There is nothing left to do."
            )
        if was_listed and present:
            return ReplacedByAnotherRun(
                f"List {list_id} is never started: another run uploaded its own lists under its launch key after it, "
                f"and has not launched them yet. If that run never does, {_CLEAR}."
            )
        return WrongState(
            f"List {list_id} is not in the present set of its launch key, so it is never started. To call the people "
            f"of the key, {_CLEAR}."
        )


def _intent(row: Row[Any]) -> Intent:
    # A list that was found started by hand was adopted without an intent of ours.
    stored = row.intent or {"fingerprint": "", "request": {}}
    sent_at = row.start_sent_at or row.started_at
    return Intent(
        row.list_id,
        stored["fingerprint"],
        stored["request"],
        confirmed=row.state == STARTED,
        sent_at=None if sent_at is None else sent_at.astimezone(_zone(row.item)),
        dag_id=row.dag_id,
        run_id=row.run_id,
    )


def _zone(item: Mapping[str, Any]) -> tzinfo:
    """Where the campaign's people live, as its window says; UTC where it does not."""
    times = (item.get("call_config") or {}).get("call_time") or {}
    return wording.zone_named(times.get("timezone"))
