"""The launch ledger: one table that says which lists a launch key stands for, and who may start them.

It lives in any SQL database that enforces a unique key and locks rows. One row per list; see "Launching at most once"
in `docs/platforms.md` for what it protects against. Nothing personal is stored in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    Row,
    String,
    UniqueConstraint,
    and_,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from ringg_provider.exceptions import (
    InvalidRequest,
    LaunchedByAnotherRun,
    ReplacedByAnotherRun,
    RinggProviderError,
    WrongState,
)
from ringg_provider.launch.item import ItemFlow, LaunchItem
from ringg_provider.launch.terms import Intent, fingerprint
from ringg_provider.sql.creating import create_tables, described
from ringg_provider.sql.dialects import require_state
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.sql.types import Text, UtcDateTime

#: How many characters a launch key may have.
LONGEST_KEY = 250

#: What a row's ``state`` says.
LISTED, START_SENT, STARTED, REPLACED = "listed", "start_sent", "started", "replaced"
#: What a row's ``origin`` says: it is one of a set, or the list that was launched first under a key without a set.
IN_SET, FIRST = "set", "first"

#: What helps where lists of a key were replaced; another key would call everybody again.
_CLEAR = "clear the whole run, not this task alone: it adopts what was launched by then, or else uploads and launches"

launches = described(
    "ringg_launches",
    Column("launch_key", String(LONGEST_KEY), primary_key=True),
    Column("list_id", String(100), primary_key=True),
    # The list's place in the key's present set. A replaced list gives its place up and takes its own id instead,
    # so that the unique key below lets exactly one set, or one first list, stand under a key.
    Column("slot", String(100), nullable=False),
    Column("set_id", String(36), nullable=False),
    Column("flow", String(20)),
    Column("rows", Integer),
    Column("digest", String(64), nullable=False),
    Column("agent_id", String(100)),
    Column("state", String(20), nullable=False),
    Column("item", JSON, nullable=False),
    Column("intent", JSON),
    Column("claim", String(36)),
    Column("listed_at", UtcDateTime, nullable=False),
    Column("start_sent_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    # An older version's table lacks these; they are added to it.
    Column("origin", String(10)),
    Column("dag_id", String(250)),
    Column("run_id", String(250)),
    Column("task_id", String(250)),
    Column("map_index", Integer),
    Column("conn_id", String(250)),
    # What people are shown of it: the campaign's name, and what became of how many rows of the query.
    Column("name", Text),
    Column("reasons", JSON),
    UniqueConstraint("launch_key", "slot", name="ringg_launches_one_set"),
    # What the control room looks up.
    Index("ix_ringg_launches_listed_at", "listed_at"),
    Index("ix_ringg_launches_list_id", "list_id"),
    Index("ix_ringg_launches_state", "state"),
    Index("ix_ringg_launches_dag_id", "dag_id"),
)
# An older version wrote no origin, and no flow for the first list of a key without a set.
_IS_FIRST = or_(launches.c.origin == FIRST, and_(launches.c.origin.is_(None), launches.c.flow.is_(None)))


@dataclass(frozen=True)
class Launcher:
    """The task that uploads or launches.

    :param dag_id: its DAG.
    :param run_id: its run.
    :param task_id: the task.
    :param map_index: which of its mapped instances; -1 where it is not mapped.
    :param conn_id: the connection by which it reaches the platform. Default None: not known.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    conn_id: str | None = None


@dataclass(frozen=True)
class SetNotes:
    """What people are shown of a set; no launch depends on it.

    :param names: list id -> the name that its campaign was given.
    :param reasons: what became of the query's rows: how many were listed, and how many left out for which reason.
    """

    names: Mapping[str, str]
    reasons: Mapping[str, int]


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
        create_tables(self.engine, launches)

    def try_out(self) -> None:
        """Do all that `replace_set` and a start do, and undo it: what cannot be written is told before an upload.

        :raises QueryFailed, DatabaseUnavailable: the database refused.
        """
        without_driver_errors(f"table {launches.name!r}", begin_again, self._try_out)

    def _try_out(self) -> None:
        key = f"trial-{uuid4()}"
        row = _row(key, LaunchItem(list_id=key, flow="standard", agent_id="", country_code=""), IN_SET, None)
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
        sent = [intent for item in items if (intent := intents.find(str(item.list_id))) is not None]
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
            f"The set of launch key {launch_key!r} is being replaced by other runs at the same moment; nothing was "
            "started by this task. Trying again finds what they launched."
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
                place = {"set_id": str(uuid4())}
                rows = [_row(launch_key, item, IN_SET, launcher) | _noted(item, notes) for item in items]
                connection.execute(
                    insert(launches), [row | place | {"slot": str(slot)} for slot, row in enumerate(rows)]
                )
            return True

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
    return [_stored_item(row) for row in sorted(rows, key=lambda row: int(row.slot))]


def _row(launch_key: str, item: LaunchItem, origin: str, launcher: Launcher | None) -> dict[str, Any]:
    return {
        "launch_key": launch_key,
        "list_id": item.list_id,
        "slot": "0",
        "set_id": str(uuid4()),
        "flow": item.flow,
        "rows": item.rows,
        "digest": fingerprint(item.as_xcom()),
        "agent_id": item.agent_id,
        "state": LISTED,
        "item": item.as_xcom(),
        "listed_at": datetime.now(UTC),
        "origin": origin,
        **_named(launcher),
    }


def _named(launcher: Launcher | None) -> dict[str, Any]:
    return {} if launcher is None else asdict(launcher)


def _noted(item: LaunchItem, notes: SetNotes | None) -> dict[str, Any]:
    return {} if notes is None else {"name": notes.names.get(str(item.list_id)), "reasons": dict(notes.reasons)}


def _stored_item(row: Row[Any]) -> LaunchItem:
    """The item of a row. An older version kept none of a key's first list; then what its request says."""
    if row.item.keys() > {"list_id"}:
        return LaunchItem.of(row.item)
    return _item_of_request(row.list_id, (row.intent or {}).get("request", {}))


def _item_of_request(list_id: str, request: Mapping[str, Any]) -> LaunchItem:
    """What a start request says of its list."""
    flow: ItemFlow = "large" if "bulk_list_id" in request else "smartalex" if "campaign_id" in request else "standard"
    return LaunchItem(
        list_id=list_id,
        flow=flow,
        agent_id=request.get("agent_id", ""),
        country_code=request.get("country_code", ""),
        call_config=request.get("call_config"),
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
    """Intents of one launch key, kept in the ledger. Made by :meth:`LaunchLedger.for_key`.

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
            **_named(self._launcher),
        }
        listed = update(launches).where(self._is(intent.list_id), launches.c.state == LISTED)

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
                connection.execute(delete(launches).where(ours, _IS_FIRST))
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
        item = self._item if self._item is not None and known else _item_of_request(list_id, request)
        return _row(self.launch_key, item, FIRST, self._launcher)

    def _standing(self, connection: Connection, list_id: str) -> Intent | None:
        of_key = launches.c.launch_key == self.launch_key
        rows = connection.execute(select(launches, _IS_FIRST.label("is_first")).where(of_key)).all()
        present = [row for row in rows if row.state != REPLACED]
        own = next((row for row in rows if row.list_id == list_id), None)
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
        """Why a list that is not in the key's present set is not started, and what is to be done."""
        launched = next((row for row in present if row.state != LISTED), None)
        us = self._launcher
        if launched is not None and us is not None and (launched.dag_id, launched.run_id) == (us.dag_id, us.run_id):
            return WrongState(
                f"List {list_id} is never started: task {launched.task_id} of this very run launched key "
                f"{self.launch_key!r} with other lists. Give each set of contacts a key of its own."
            )
        if launched is not None:
            run = f"run {launched.run_id} of DAG {launched.dag_id}" if launched.run_id else "another run"
            return LaunchedByAnotherRun(
                f"List {list_id} is not started: {run} launched key {self.launch_key!r} with lists of its own, and a "
                "key is launched once. There is nothing left to do."
            )
        if was_listed and present:
            return ReplacedByAnotherRun(
                f"List {list_id} is never started: another run uploaded its own lists under launch key "
                f"{self.launch_key!r} after it, and has not launched them yet. If that run never does, {_CLEAR}."
            )
        return WrongState(
            f"List {list_id} is not in the present set of launch key {self.launch_key!r}, so it is never started. To "
            f"call the people of the key, {_CLEAR}."
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
    try:
        return ZoneInfo(times["timezone"])
    except (KeyError, ValueError, OSError):
        return UTC
