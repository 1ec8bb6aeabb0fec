"""Webhooks wake once: whatever is restarted, however many triggerers there are, and at most once per interval."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.triggers.base import BaseEventTrigger

from ringg_provider.inbox.store import Delivery, add, announce, inbox_table, mark_applied, standing
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.errors import begin_again
from ringg_provider.triggers.inbox import RinggInboxTrigger
from tests.support.databases import Warehouse, each_of
from tests.support.log import logged

CONN = "ringg_default"
TABLE = inbox_table()

database = each_of("warehouse", "sqlite_warehouse")


@pytest.fixture
def engine(database: Warehouse) -> sa.Engine:
    create_tables(database.engine, TABLE)
    return database.engine


def make(database: Warehouse, **changes: Any) -> RinggInboxTrigger:
    """As the triggerer makes it: out of what it serialized."""
    options = {"conn_id": CONN, "state_conn_id": database.conn_id, "interval": 0.001, "poll_interval": 0.02}
    path, arguments = RinggInboxTrigger(**{**options, **changes}).serialize()
    assert path == "ringg_provider.triggers.inbox.RinggInboxTrigger"
    return RinggInboxTrigger(**json.loads(json.dumps(arguments)))


def deliver(engine: sa.Engine, numbers: Iterable[int], list_id: str | None = "list-1", conn_id: str = CONN) -> None:
    now = dt.datetime.now(dt.UTC)
    some = [
        Delivery.of(conn_id, f"personal {number}".encode(), now, call_id=f"call-{number}", bulk_list_id=list_id)
        for number in numbers
    ]

    def adding() -> None:
        with engine.begin() as connection:
            add(connection, TABLE, some)

    begin_again(adding)


def applied(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        mark_applied(
            connection, TABLE, connection.execute(sa.select(TABLE.c.digest)).scalars(), dt.datetime.now(dt.UTC)
        )


async def watch(trigger: RinggInboxTrigger, seconds: float, into: list[dict[str, Any]]) -> None:
    """Collect events for a while."""

    async def collect() -> None:
        events: AsyncIterator[Any] = trigger.run()
        async for event in events:
            into.append(event.payload)  # noqa: PERF401 - each at once

    with suppress(TimeoutError):
        await asyncio.wait_for(collect(), seconds)


def events(trigger: RinggInboxTrigger, count: int = 0) -> list[dict[str, Any]]:
    """So many events, however long they take on a busy machine, and what more comes within a second."""
    found: list[dict[str, Any]] = []

    async def collect() -> None:
        watching = asyncio.create_task(watch(trigger, 60, found))
        until = time.monotonic() + 30
        while len(found) < count and time.monotonic() < until:  # noqa: ASYNC110 - the list is what is waited for
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        watching.cancel()

    asyncio.run(collect())
    return found


def test_it_is_one_for_an_asset_watcher_and_known_by_its_arguments() -> None:
    from airflow.sdk import Asset, AssetWatcher

    first, same, other = (RinggInboxTrigger(conn_id=each, state_conn_id="w") for each in ("a", "a", "b"))
    assert isinstance(first, BaseEventTrigger)
    hashes = [BaseEventTrigger.hash(*each.serialize()) for each in (first, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    watched = Asset(name="inbox", watchers=[AssetWatcher(name="inbox", trigger=first)])
    assert watched.watchers[0].trigger is first


def test_what_came_wakes_once_with_ids_and_counts_alone(
    database: Warehouse, engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(engine, range(3))
    deliver(engine, range(3, 5), "list-2")
    deliver(engine, [9], None)
    deliver(engine, [8], "theirs", conn_id="another_workspace")
    told = events(make(database), 1)
    assert told == [
        {"conn_id": CONN, "calls": 6, "deliveries": 6, "lists": {"list-1": 3, "list-2": 2}},
    ]
    assert "personal" not in json.dumps(told)
    assert events(make(database)) == [], "another triggerer has nothing more to tell"
    assert [each["deliveries"] for each in events(make(database, conn_id="another_workspace"), 1)] == [1]
    said = logged(capsys)
    assert "Waiting for webhooks of connection ringg_default in table ringg_inbox." in said
    assert "Woken by 6 deliveries about 6 calls of 2 campaigns of connection ringg_default." in said
    assert "personal" not in said


def test_it_has_marked_them_before_the_event_goes_out(database: Warehouse, engine: sa.Engine) -> None:
    deliver(engine, range(3))

    async def first() -> None:
        await anext(aiter(make(database).run()))
        with engine.connect() as connection:
            waits, last = standing(connection, TABLE, CONN)
        assert not waits
        assert last is not None

    asyncio.run(first())


def test_at_most_one_event_per_interval_whoever_is_restarted(database: Warehouse, engine: sa.Engine) -> None:
    async def stream() -> None:
        for number in range(10_000):
            await asyncio.to_thread(deliver, engine, [number])
            await asyncio.sleep(0.02)

    async def scenario() -> int:
        count = 0
        threads = ThreadPoolExecutor()
        asyncio.get_running_loop().set_default_executor(threads)
        delivering = asyncio.create_task(stream())
        until = time.monotonic() + 30
        while count < 4 and time.monotonic() < until:
            found: list[dict[str, Any]] = []
            await watch(make(database, interval=1.0), 0.8, found)
            count += len(found)
            # A triggerer that ends takes with it the look that was under way; here its thread lives on.
            ended, threads = threads, ThreadPoolExecutor()
            asyncio.get_running_loop().set_default_executor(threads)
            ended.shutdown()
        delivering.cancel()
        return count

    count = asyncio.run(scenario())
    with engine.connect() as connection:
        marked = sa.select(TABLE.c.announced_at).where(TABLE.c.announced_at.is_not(None)).distinct()
        moments = sorted(connection.execute(marked).scalars())
    assert len(moments) >= count >= 2
    assert min(later - earlier for earlier, later in pairwise(moments)) >= dt.timedelta(seconds=1)


def test_two_triggerers_announce_each_delivery_once(database: Warehouse, engine: sa.Engine) -> None:
    both: tuple[list[dict[str, Any]], ...] = ([], [])

    def lists() -> Counter[str]:
        return sum((Counter(event["lists"]) for found in both for event in found), Counter[str]())

    async def scenario() -> None:
        watching = [asyncio.create_task(watch(make(database), 120, found)) for found in both]
        for number in range(0, 300, 5):
            await asyncio.to_thread(deliver, engine, range(number, number + 5), f"list-{number % 3}")
        until = time.monotonic() + 30
        while lists().total() < 300 and time.monotonic() < until:  # noqa: ASYNC110 - the list is what is waited for
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        for each in watching:
            each.cancel()

    asyncio.run(scenario())
    assert lists() == {"list-0": 100, "list-1": 100, "list-2": 100}


def test_what_was_marked_by_a_triggerer_that_died_is_announced_once_more_and_applied_ones_are_not(
    database: Warehouse, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringg_provider.triggers.inbox.GRACE", 0.3)
    deliver(engine, range(4))
    applied(engine)
    deliver(engine, range(10, 13), "list-2")
    with engine.begin() as connection:  # and was killed before Airflow had the event
        announce(connection, TABLE, CONN, dt.datetime.now(dt.UTC))
    told = events(make(database), 1)
    assert [each["lists"] for each in told] == [{"list-2": 3}]
    applied(engine)
    assert events(make(database)) == []


def test_more_than_one_transaction_takes_is_one_event(
    database: Warehouse, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringg_provider.triggers.inbox._AT_ONCE", 10)
    deliver(engine, range(35))
    assert [each["deliveries"] for each in events(make(database), 1)] == [35]


def test_a_database_that_is_away_is_waited_for_and_told_without_its_words(
    database: Warehouse, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variable = f"AIRFLOW_CONN_{database.conn_id.upper()}"
    there = json.dumps({"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "u", "password": "p"})
    right = os.environ[variable]
    monkeypatch.setenv(variable, there)
    deliver(engine, range(2))

    async def scenario() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        watching = asyncio.create_task(watch(make(database), 6, found))
        await asyncio.sleep(1)
        assert not found
        monkeypatch.setenv(variable, right)
        await watching
        return found

    assert [each["deliveries"] for each in asyncio.run(scenario())] == [2]
    said = logged(capsys)
    assert "The inbox cannot be read (" in said
    assert "Looking again in" in said
    assert "personal" not in said


def test_a_connection_that_is_not_there_is_named_and_kills_no_triggerer(capsys: pytest.CaptureFixture[str]) -> None:
    trigger = RinggInboxTrigger(conn_id=CONN, state_conn_id="not_there", poll_interval=0.05)
    assert events(trigger) == []
    said = logged(capsys)
    assert "not_there" in said
    assert "Traceback" not in said


def test_a_slow_database_holds_up_no_other_trigger(
    database: Warehouse, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ringg_provider.inbox import store

    def slowly(*_: Any) -> Any:
        time.sleep(1.0)
        return False, None

    monkeypatch.setattr(store, "standing", slowly)

    async def scenario() -> float:
        watching = asyncio.create_task(watch(make(database), 1.5, []))
        longest, before = 0.0, time.monotonic()
        while not watching.done():
            await asyncio.sleep(0.01)
            longest, before = max(longest, time.monotonic() - before), time.monotonic()
        return longest

    assert asyncio.run(scenario()) < 0.5
