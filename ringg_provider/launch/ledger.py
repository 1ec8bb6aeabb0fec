"""The launch ledger: which lists a launch key stands for, and who may start them.

It lives in any SQL database that enforces a unique key and locks rows, in the table of `table.py`; see "Launching at
most once" in `docs/platforms.md` for what it protects against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, delete, insert, select, update

from ringg_provider.exceptions import CampaignBraked, InvalidRequest, ReplacedByAnotherRun
from ringg_provider.launch import braked
from ringg_provider.launch.braked import Braked, brakes
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.keyed import KeyedIntents
from ringg_provider.launch.rollout import Pulled
from ringg_provider.launch.table import (
    IN_SET,
    LISTED,
    LONGEST_KEY,
    REPLACED,
    Launcher,
    launches,
    new_row,
    stored_item,
)
from ringg_provider.launch.terms import Intent
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.dialects import require_state
from ringg_provider.sql.errors import begin_again, without_driver_errors


@dataclass(frozen=True)
class SetNotes:
    """What people are shown of a set; no launch depends on it.

    :param names: list id -> the name that its campaign was given.
    :param reasons: what became of the query's rows: how many were listed, and how many left out for which reason.
    """

    names: Mapping[str, str]
    reasons: Mapping[str, int]


@dataclass(frozen=True)
class Withdrawn:
    """What became of a key's lists when those were withdrawn that had not been started.

    :param started: were started, or their start may have been sent: nothing is known of these.
    :param never: were not, and never will be.
    """

    started: frozenset[str]
    never: frozenset[str]


class LaunchLedger:
    """The launch ledger in one database.

    :param engine: a SQLAlchemy engine, such as ``DbApiHook.get_sqlalchemy_engine()`` gives.
    :param schema: the schema that holds ``ringg_launches``; default the connection's own.
    :param field: the parameter that named the database, for the error. Default ``ledger_conn_id``.
    :raises InvalidRequest: the database cannot claim atomically; the message says why.
    """

    def __init__(self, engine: Engine, schema: str | None = None, *, field: str = "ledger_conn_id") -> None:
        require_state(engine, for_="ledger", field=field)
        self.engine = engine.execution_options(schema_translate_map={None: schema}) if schema else engine
        create_tables(self.engine, launches, brakes)

    def try_out(self) -> None:
        """Do all that `replace_set` and a start do, and undo it: what cannot be written is told before an upload.

        :raises QueryFailed, DatabaseUnavailable: the database refused.
        """
        without_driver_errors(f"table {launches.name!r}", begin_again, self._try_out)

    def _try_out(self) -> None:
        key = f"trial-{uuid4()}"
        row = new_row(key, LaunchItem(list_id=key, flow="standard", agent_id="", country_code=""), IN_SET, None)
        with self.engine.connect() as connection, connection.begin() as transaction:
            connection.execute(insert(launches).values(**row))
            connection.execute(update(launches).where(launches.c.launch_key == key).values(state=REPLACED))
            connection.execute(delete(launches).where(launches.c.launch_key == key))
            transaction.rollback()

    def started_set(self, launch_key: str) -> list[LaunchItem] | None:
        """The key's set, if any list of it has been started or its start may have been sent.

        :return: the stored items in their order; None when nothing of the key was launched yet.
        """
        _check_key(launch_key)
        with self.engine.connect() as connection:
            return _started_set(connection, launch_key)

    def first_start(self, launch_key: str, items: Sequence[LaunchItem]) -> Intent | None:
        """The earliest start that was sent under a key, for a person; None where nothing of it was launched.

        :param launch_key: the key.
        :param items: its present set.
        """
        intents = self.for_key(launch_key)
        sent = []
        for item in items:
            # What a brake has kept from its start was not started.
            with suppress(CampaignBraked):
                sent += [intent] if (intent := intents.find(str(item.list_id))) is not None else []
        return min(sent, key=lambda intent: intent.sent_at or datetime.max.replace(tzinfo=UTC), default=None)

    def replace_set(
        self,
        launch_key: str,
        items: Sequence[LaunchItem],
        launcher: Launcher | None = None,
        notes: SetNotes | None = None,
    ) -> list[LaunchItem]:
        """Make ``items`` the key's set, in one transaction; the lists of the former set can never be started any more.

        :param launch_key: the key.
        :param items: the uploaded lists.
        :param launcher: the task that uploaded them. Default: not known.
        :param notes: what people are shown of it. Default: nothing.
        :return: the set that stands now: ``items``, or the stored one when it was started meanwhile.
        :raises InvalidRequest: ``launch_key`` is empty or too long, or a list is in the set twice.
        :raises ReplacedByAnotherRun: other runs kept replacing the set at the same moment.
        """
        _check_key(launch_key)
        if len({item.list_id for item in items}) < len(items):
            raise InvalidRequest("items: a list must not be in a set twice.", field="items")
        for _ in range(5):
            # Another run's set, or first list, may come between.
            if begin_again(lambda: self._replace(launch_key, items, launcher, notes)):
                return list(items)
            # A claim can be withdrawn between the two transactions; then the key is free again.
            stored = self.started_set(launch_key)
            if stored is not None:
                return stored
        raise ReplacedByAnotherRun(
            "The set of this launch key is being replaced by other runs at the same moment; nothing was started by "
            "this task. Trying again finds what they launched."
        )

    def _replace(
        self, launch_key: str, items: Sequence[LaunchItem], launcher: Launcher | None, notes: SetNotes | None
    ) -> bool:
        """Replace the set in one transaction, unless any list of it was started or claimed; then change nothing."""
        with self.engine.connect() as connection, connection.begin() as transaction:
            # Taking the rows first locks them, so that none can be claimed between the look and the new set.
            connection.execute(
                update(launches)
                .where(launches.c.launch_key == launch_key, launches.c.state == LISTED)
                .values(state=REPLACED, slot=launches.c.list_id)
            )
            if _started_set(connection, launch_key) is not None:
                transaction.rollback()
                return False
            if items:
                place = {"set_id": str(uuid4()), "listed_at": datetime.now(UTC)}
                rows = [new_row(launch_key, item, IN_SET, launcher) | _noted(item, notes) for item in items]
                connection.execute(
                    insert(launches), [row | place | {"slot": str(slot)} for slot, row in enumerate(rows)]
                )
            return True

    def withdraw(self, launch_key: str) -> Withdrawn:
        """Let no list of a key be started any more that has not been.

        :param launch_key: the key.
        """
        of_key = launches.c.launch_key == launch_key

        def withdraw() -> Withdrawn:
            with self.engine.begin() as connection:
                never = update(launches).where(of_key, launches.c.state == LISTED)
                connection.execute(never.values(state=REPLACED, slot=launches.c.list_id))
                found = connection.execute(select(launches.c.list_id, launches.c.state).where(of_key)).all()
            return Withdrawn(
                frozenset(row.list_id for row in found if row.state != REPLACED),
                frozenset(row.list_id for row in found if row.state == REPLACED),
            )

        return begin_again(withdraw)

    def stands(self, launch_key: str, items: Sequence[LaunchItem], writing: Connection) -> bool:
        """Whether these are the lists of the key's present set.

        :param launch_key: the key.
        :param items: the lists.
        :param writing: a connection that is about to commit what is true only then. Where it is of the ledger's own
            database it is asked itself, because the database may be locked for others, and the set stands until it has
            committed.
        """
        of_key = select(launches.c.list_id).where(launches.c.launch_key == launch_key, launches.c.state != REPLACED)
        if writing.engine.url == self.engine.url:
            schemas = self.engine.get_execution_options().get("schema_translate_map", {})
            locking = of_key.with_for_update(read=True).execution_options(schema_translate_map=schemas)
            found = writing.execute(locking).scalars().all()
        else:
            with self.engine.connect() as connection:
                found = connection.execute(of_key).scalars().all()
        return set(found) == {item.list_id for item in items}

    def pull_brake(self, launch_key: str, pulled: Pulled, launcher: Launcher | None = None) -> Braked:
        """Let nothing more be started under a key, for good. What was started by then is for the caller to stop.

        :param launch_key: the key.
        :param pulled: the brake.
        :param launcher: the task that pulls it. Default: not known.
        :return: what stands: an earlier one, where there is one.
        """
        _check_key(launch_key)

        def note() -> Braked:
            with self.engine.begin() as connection:
                return braked.pull(connection, launch_key, pulled, datetime.now(UTC), launcher)

        return begin_again(note)

    def braked(self, launch_key: str) -> Braked | None:
        """The brake that was pulled for a key; None where none was."""
        with self.engine.connect() as connection:
            return braked.find(connection, launch_key)

    def for_key(
        self, launch_key: str, *, item: LaunchItem | None = None, launcher: Launcher | None = None
    ) -> KeyedIntents:
        """The intent store of tier 2 for one key; see :func:`ringg_provider.launch.protocol.launch`.

        :param launch_key: the key.
        :param item: the list that is to be launched, which is noted where the key has no set. Default: only its id is.
        :param launcher: the task that launches it, which is noted with it. Default: not known.
        :raises InvalidRequest: ``launch_key`` is empty or too long.
        """
        _check_key(launch_key)
        return KeyedIntents(self.engine, launch_key, item, launcher)


def _started_set(connection: Connection, launch_key: str) -> list[LaunchItem] | None:
    rows = connection.execute(
        select(launches).where(launches.c.launch_key == launch_key, launches.c.state != REPLACED)
    ).all()
    if all(row.state == LISTED for row in rows):
        return None
    return [stored_item(row) for row in sorted(rows, key=lambda row: int(row.slot))]


def _noted(item: LaunchItem, notes: SetNotes | None) -> dict[str, Any]:
    return {} if notes is None else {"name": notes.names.get(str(item.list_id)), "reasons": dict(notes.reasons)}


def _check_key(launch_key: str) -> None:
    # A database that cuts a long key off, instead of refusing it, would take two keys for one.
    if not launch_key or len(launch_key) > LONGEST_KEY:
        raise InvalidRequest(f"launch_key: must have 1 to {LONGEST_KEY} characters.", field="launch_key")
    if launch_key.endswith("None"):
        # Every run would have the same key, adopt the first run's lists, succeed, and call nobody.
        raise InvalidRequest(
            "launch_key: ends in 'None', so a template in it was empty. A run without a logical date has no such date: "
            "use dag_run.run_after.",
            field="launch_key",
        )
