"""The launch ledger: one table that says which lists a launch key stands for, and who may start them.

It lives in any SQL database that enforces a unique key and locks rows. One row per list; see "Launching at most once"
in `docs/platforms.md` for what it protects against. Nothing personal is stored in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    UniqueConstraint,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ringg_provider.exceptions import InvalidRequest, LaunchOutcomeUnknown, WrongState
from ringg_provider.launch.item import ItemFlow, LaunchItem
from ringg_provider.launch.protocol import Intent, fingerprint
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.dialects import database_of

#: How many characters a launch key may have.
LONGEST_KEY = 250

LISTED, START_SENT, STARTED, REPLACED = "listed", "start_sent", "started", "replaced"

metadata = MetaData()

launches = Table(
    "ringg_launches",
    metadata,
    Column("launch_key", String(LONGEST_KEY), primary_key=True),
    Column("list_id", String(100), primary_key=True),
    # The list's place in the key's present set. A replaced list gives its place up and takes its own id instead,
    # so that the unique key below lets exactly one set, or one first list, stand under a key.
    Column("slot", String(100), nullable=False),
    Column("set_id", String(36), nullable=False),
    # NULL marks a list that was started without a set: the first one launched under its key.
    Column("flow", String(20)),
    Column("rows", Integer),
    Column("digest", String(64), nullable=False),
    Column("agent_id", String(100)),
    Column("state", String(20), nullable=False),
    Column("item", JSON, nullable=False),
    Column("intent", JSON),
    Column("claim", String(36)),
    Column("listed_at", DateTime(timezone=True), nullable=False),
    Column("start_sent_at", DateTime(timezone=True)),
    Column("started_at", DateTime(timezone=True)),
    UniqueConstraint("launch_key", "slot", name="ringg_launches_one_set"),
)


class LaunchLedger:
    """The launch ledger in one database.

    :param engine: a SQLAlchemy engine, such as ``DbApiHook.get_sqlalchemy_engine()`` gives.
    :param schema: the schema that holds ``ringg_launches``; default the connection's own.
    :raises InvalidRequest: the database cannot claim atomically; the message says why.
    """

    def __init__(self, engine: Engine, schema: str | None = None) -> None:
        database = database_of(engine)
        if not database.claims_once:
            raise InvalidRequest(
                f"ledger_conn_id: a {database.name} database does not enforce unique keys with row locks, so two "
                "runs could both claim a launch. Use PostgreSQL, MySQL, MariaDB, SQLite, SQL Server or Oracle.",
                field="ledger_conn_id",
            )
        self._engine = engine.execution_options(schema_translate_map={None: schema}) if schema else engine
        create_tables(self._engine, launches)

    def started_set(self, launch_key: str) -> list[LaunchItem] | None:
        """The key's set, if any list of it has been started or its start may have been sent.

        :return: the stored items in their order; None when nothing of the key was launched yet.
        """
        _check_key(launch_key)
        with self._engine.connect() as connection:
            return self._started_set(connection, launch_key)

    def replace_set(self, launch_key: str, items: Sequence[LaunchItem]) -> list[LaunchItem]:
        """Make ``items`` the key's set, in one transaction; the lists of the former set can never be started any more.

        :param launch_key: the key.
        :param items: the uploaded lists.
        :return: the set that stands now: ``items``, or the stored one when it was started meanwhile.
        :raises InvalidRequest: ``launch_key`` is empty or too long, or a list is in the set twice.
        :raises LaunchOutcomeUnknown: other runs kept replacing the set at the same moment.
        """
        _check_key(launch_key)
        if len({item.list_id for item in items}) < len(items):
            raise InvalidRequest("items: a list must not be in a set twice.", field="items")
        for _ in range(5):
            try:
                if self._replace(launch_key, items):
                    return list(items)
            except IntegrityError:
                # Another run's set, or first list, came between.
                continue
            # A claim can be withdrawn between the two transactions; then the key is free again.
            stored = self.started_set(launch_key)
            if stored is not None:
                return stored
        raise LaunchOutcomeUnknown(
            f"The set of launch key {launch_key!r} is being replaced by other runs at the same time; let one of them "
            "finish. Nothing was started by this task."
        )

    def _replace(self, launch_key: str, items: Sequence[LaunchItem]) -> bool:
        """Replace the set in one transaction, unless any list of it was started or claimed; then change nothing."""
        with self._engine.connect() as connection, connection.begin() as transaction:
            # Taking the rows first locks them, so that none can be claimed between the look and the new set.
            connection.execute(
                update(launches)
                .where(launches.c.launch_key == launch_key, launches.c.state == LISTED)
                .values(state=REPLACED, slot=launches.c.list_id)
            )
            if self._started_set(connection, launch_key) is not None:
                transaction.rollback()
                return False
            if items:
                connection.execute(insert(launches), self._rows(launch_key, items))
            return True

    def for_key(self, launch_key: str) -> KeyedIntents:
        """The intent store of tier 2 for one key; see :func:`ringg_provider.launch.protocol.launch`.

        :raises InvalidRequest: ``launch_key`` is empty or too long.
        """
        _check_key(launch_key)
        return KeyedIntents(self, launch_key)

    @staticmethod
    def _started_set(connection: Connection, launch_key: str) -> list[LaunchItem] | None:
        rows = connection.execute(
            select(launches).where(launches.c.launch_key == launch_key, launches.c.state != REPLACED)
        ).all()
        if all(row.state == LISTED for row in rows):
            return None
        return [_stored_item(row) for row in sorted(rows, key=lambda row: int(row.slot))]

    @staticmethod
    def _rows(launch_key: str, items: Sequence[LaunchItem]) -> list[dict[str, Any]]:
        set_id = str(uuid4())
        now = datetime.now(UTC)
        return [
            {
                "launch_key": launch_key,
                "list_id": item.list_id,
                "slot": str(position),
                "set_id": set_id,
                "flow": item.flow,
                "rows": item.rows,
                "digest": fingerprint(item.as_xcom()),
                "agent_id": item.agent_id,
                "state": LISTED,
                "item": item.as_xcom(),
                "listed_at": now,
            }
            for position, item in enumerate(items)
        ]

    @staticmethod
    def _first_row(launch_key: str, list_id: str) -> dict[str, Any]:
        """The row of a list that is launched without a set."""
        return {
            "launch_key": launch_key,
            "list_id": list_id,
            "slot": "0",
            "set_id": str(uuid4()),
            "digest": fingerprint({"list_id": list_id}),
            "item": {"list_id": list_id},
            "listed_at": datetime.now(UTC),
        }


def _stored_item(row: Row[Any]) -> LaunchItem:
    """The item of a row; of one that was launched without a set, what its request says."""
    if row.flow is not None:
        return LaunchItem.of(row.item)
    request = (row.intent or {}).get("request", {})
    flow: ItemFlow = "large" if "bulk_list_id" in request else "smartalex" if "campaign_id" in request else "standard"
    return LaunchItem(
        list_id=row.list_id,
        flow=flow,
        agent_id=request.get("agent_id", ""),
        country_code=request.get("country_code", ""),
        call_config=request.get("call_config"),
        launch_key=row.launch_key,
    )


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


class KeyedIntents:
    """Intents of one launch key, kept in the ledger. Made by :meth:`LaunchLedger.for_key`."""

    def __init__(self, ledger: LaunchLedger, launch_key: str) -> None:
        self._engine = ledger._engine
        self._key = launch_key
        # Only the attempt that made a claim may withdraw it.
        self._claim = str(uuid4())

    def find(self, list_id: str) -> Intent | None:
        """The intent that stands for the list, or for the list that the key was launched with instead."""
        with self._engine.connect() as connection:
            return self._standing(connection, list_id)

    def claim(self, intent: Intent) -> Intent | None:
        """One atomic step from ``listed`` to ``start_sent``; or the first row of a key that has no set."""
        with self._engine.begin() as connection:
            claimed = connection.execute(
                update(launches)
                .where(self._is(intent.list_id), launches.c.state == LISTED)
                .values(**self._claimed(intent))
            )
            if claimed.rowcount == 1:
                return None
        try:
            with self._engine.begin() as connection:
                standing = self._standing(connection, intent.list_id)
                if standing is not None:
                    return standing
                row = LaunchLedger._first_row(self._key, intent.list_id)
                connection.execute(insert(launches).values(**row | self._claimed(intent)))
            return None
        except IntegrityError:
            standing = self.find(intent.list_id)
            if standing is None:
                raise
            return standing

    def forget(self, intent: Intent) -> None:
        """Give the claim back, so that a later attempt may start the list."""
        ours = and_(self._is(intent.list_id), launches.c.state == START_SENT, launches.c.claim == self._claim)
        with self._engine.begin() as connection:
            # A first list without a set leaves no trace, so that another list may become the key's first.
            connection.execute(delete(launches).where(ours, launches.c.flow.is_(None)))
            connection.execute(
                update(launches).where(ours).values(state=LISTED, intent=None, claim=None, start_sent_at=None)
            )

    def confirm(self, list_id: str) -> None:
        """Note that the platform has the list as started, by whomever.

        A list that was adopted under a key without a set becomes the key's first list, as if it had been started
        under it: otherwise the same people could be launched once more under the same key.
        """
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            connection.execute(
                update(launches)
                .where(self._is(list_id), or_(launches.c.state == LISTED, launches.c.state == START_SENT))
                .values(state=STARTED, started_at=now)
            )
        try:
            with self._engine.begin() as connection:
                if self._present(connection):
                    return
                row = LaunchLedger._first_row(self._key, list_id)
                connection.execute(insert(launches).values(**row | {"state": STARTED, "started_at": now}))
        except IntegrityError:
            # Somebody else's list became the first meanwhile; both are started, so there is nothing to choose.
            return

    def _is(self, list_id: str) -> Any:
        return and_(launches.c.launch_key == self._key, launches.c.list_id == list_id)

    def _claimed(self, intent: Intent) -> dict[str, Any]:
        return {
            "state": START_SENT,
            "intent": {"fingerprint": intent.fingerprint, "request": dict(intent.request)},
            "claim": self._claim,
            "start_sent_at": datetime.now(UTC),
        }

    def _standing(self, connection: Connection, list_id: str) -> Intent | None:
        rows = connection.execute(select(launches).where(launches.c.launch_key == self._key)).all()
        present = [row for row in rows if row.state != REPLACED]
        own = next((row for row in rows if row.list_id == list_id), None)
        if own is not None and own.state == REPLACED:
            raise self._refused(list_id)
        if own is not None:
            return None if own.state == LISTED else self._intent(own)
        if not present:
            return None
        if len(present) == 1 and present[0].flow is None and present[0].state != LISTED:
            return self._intent(present[0])
        raise self._refused(list_id)

    def _present(self, connection: Connection) -> bool:
        """Whether a set, or a first list, stands under the key."""
        found = connection.execute(
            select(launches.c.list_id).where(launches.c.launch_key == self._key, launches.c.state != REPLACED).limit(1)
        )
        return found.first() is not None

    def _refused(self, list_id: str) -> WrongState:
        return WrongState(
            f"List {list_id} is not in the present set of launch key {self._key!r}, so it is never started: a newer "
            "set replaced it, or another one was launched. To call the same people again, use another key."
        )

    @staticmethod
    def _intent(row: Any) -> Intent:
        # A list that was found started by hand was adopted without an intent of ours.
        stored = row.intent or {"fingerprint": "", "request": {}}
        return Intent(row.list_id, stored["fingerprint"], stored["request"])
