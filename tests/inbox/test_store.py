"""The inbox on real databases: every delivery once, byte by byte, and each is announced to one trigger."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from ringg_provider.inbox.store import (
    Announcement,
    Delivery,
    add,
    announce,
    digest_of,
    inbox_table,
    mark_applied,
    mark_unreadable,
    not_applied,
    purge,
)
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.errors import begin_again
from tests.inbox.payloads import HARD, NAME, UNREADABLE, ringg
from tests.support.databases import Warehouse, each_of

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
CONN = "ringg_default"
NOTHING = Announcement(lists={}, calls=0, deliveries=0)

database = each_of("warehouse", "sqlite_warehouse", "mariadb_warehouse")


@pytest.fixture
def engine(database: Warehouse) -> sa.Engine:
    create_tables(database.engine, inbox_table())
    return database.engine


TABLE = inbox_table()


def delivery(number: int, conn_id: str = CONN, list_id: str | None = "k", call_id: str | None = None) -> Delivery:
    return Delivery.of(
        conn_id,
        f'{{"n": {number}}}'.encode(),
        NOW + dt.timedelta(seconds=number),
        event_type="call_completed",
        call_id=call_id or f"call-{number}",
        bulk_list_id=list_id,
    )


def stored(engine: sa.Engine, deliveries: list[Delivery]) -> int:
    def adding() -> int:
        with engine.begin() as connection:
            return add(connection, TABLE, deliveries)

    return begin_again(adding)


def waiting(engine: sa.Engine, *conn_ids: str, limit: int = 1000) -> list[Delivery]:
    with engine.connect() as connection:
        return not_applied(connection, TABLE, conn_ids or [CONN], limit)


def announced(engine: sa.Engine, conn_id: str = CONN, limit: int = 1000) -> Announcement:
    def announcing() -> Announcement:
        with engine.begin() as connection:
            return announce(connection, TABLE, conn_id, NOW, limit)

    return begin_again(announcing)


def all_at_once(count: int, act: Callable[[int], Announcement | int]) -> list[Announcement | int]:
    barrier = threading.Barrier(count)

    def wait_and_act(number: int) -> Announcement | int:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_act, range(count)))


BODIES = {**{name: body for name, (body, _) in UNREADABLE.items()}, **HARD}
BODIES["what looks like one that is no text"] = b"data:;base64,AAAA"
BODIES["a megabyte of quotes"] = b"'\\\"" * 349_525
BODIES["a megabyte that is no text"] = b"\xff\x00" * 524_288


def test_every_body_is_stored_byte_by_byte(engine: sa.Engine) -> None:
    deliveries = [Delivery.of(CONN, body, NOW) for body in BODIES.values()]
    assert stored(engine, deliveries) == len(BODIES)
    found = {each.digest: each for each in waiting(engine)}
    for name, body in BODIES.items():
        assert found[digest_of(CONN, body)].body == body, name


def test_what_is_text_is_stored_as_it_came(engine: sa.Engine) -> None:
    stored(engine, [Delivery.of(CONN, ringg(), NOW)])
    (found,) = waiting(engine)
    assert found.payload == ringg().decode()
    assert NAME not in repr(found)


def test_the_same_body_is_stored_once_for_each_connection(engine: sa.Engine) -> None:
    assert stored(engine, [delivery(1), delivery(1), delivery(1, "other")]) == 2
    later = delivery(1)
    assert stored(engine, [later, delivery(2)]) == 1
    assert waiting(engine) == [delivery(1), delivery(2)]
    assert waiting(engine, "other") == [delivery(1, "other")]


def test_a_connections_name_and_a_body_are_not_mixed_up() -> None:
    assert digest_of("ab", b"c") != digest_of("a", b"bc")


def test_nothing_is_added_without_a_delivery(engine: sa.Engine) -> None:
    assert stored(engine, []) == 0


def test_many_who_store_the_same_ones_at_once_store_each_once(engine: sa.Engine) -> None:
    deliveries = [delivery(number) for number in range(300)]
    all_at_once(4, lambda number: stored(engine, deliveries if number % 2 else deliveries[::-1]))
    assert waiting(engine) == deliveries


def test_the_oldest_of_the_named_connections_come_first(engine: sa.Engine) -> None:
    stored(engine, [delivery(3), delivery(1, "other"), delivery(2), delivery(0, "third")])
    assert waiting(engine, CONN, "other") == [delivery(1, "other"), delivery(2), delivery(3)]
    assert waiting(engine, CONN, "other", limit=2) == [delivery(1, "other"), delivery(2)]
    assert waiting(engine, "nobody") == []


def test_what_was_applied_or_given_up_waits_no_longer(engine: sa.Engine, database: Warehouse) -> None:
    deliveries = [delivery(number) for number in range(1200)]
    stored(engine, deliveries)
    with engine.begin() as connection:
        mark_applied(connection, TABLE, (each.digest for each in deliveries[:1190]), NOW)
        mark_unreadable(connection, TABLE, {deliveries[1190].digest: "it is not JSON"}, NOW)
    assert waiting(engine) == deliveries[1191:]
    (given_up,) = database.query("SELECT payload, unreadable FROM ringg_inbox WHERE unreadable IS NOT NULL")
    assert given_up == {"payload": deliveries[1190].payload, "unreadable": "it is not JSON"}


def test_an_announcement_counts_the_calls_of_each_campaign_once(engine: sa.Engine) -> None:
    stored(
        engine,
        [
            delivery(1, list_id="a", call_id="x"),
            delivery(2, list_id="a", call_id="x"),
            delivery(3, list_id="a", call_id="y"),
            delivery(4, list_id="b"),
            delivery(5, list_id=None),
            delivery(6, "other"),
            Delivery.of(CONN, b"nonsense", NOW),
        ],
    )
    assert announced(engine) == Announcement(lists={"a": 2, "b": 1}, calls=4, deliveries=6)
    assert announced(engine) == NOTHING
    assert announced(engine, "other").calls == 1


def test_an_announcement_is_bounded_and_begins_with_the_oldest(engine: sa.Engine) -> None:
    stored(engine, [delivery(number, list_id=f"k{number}") for number in range(5)])
    assert announced(engine, limit=2).lists == {"k0": 1, "k1": 1}
    assert announced(engine, limit=2).lists == {"k2": 1, "k3": 1}
    assert announced(engine, limit=2).lists == {"k4": 1}


def test_an_announcement_that_is_not_committed_was_none(engine: sa.Engine) -> None:
    stored(engine, [delivery(1)])
    with engine.connect() as connection, connection.begin() as transaction:
        assert announce(connection, TABLE, CONN, NOW, 10).calls == 1
        transaction.rollback()
    assert announced(engine).calls == 1


def test_many_triggerers_announce_each_delivery_once(engine: sa.Engine) -> None:
    stored(engine, [delivery(number, list_id=f"k{number % 7}") for number in range(700)])

    def until_there_is_none(_: int) -> Announcement:
        lists: Counter[str] = Counter()
        while (some := announced(engine, limit=60)).deliveries:
            lists.update(some.lists)
        return Announcement(lists, sum(lists.values()), 0)

    told: Counter[str] = Counter()
    for each in all_at_once(4, until_there_is_none):
        assert isinstance(each, Announcement)
        told.update(each.lists)
    while (rest := announced(engine)).deliveries:
        told.update(rest.lists)
    assert told == {f"k{number}": 100 for number in range(7)}


def test_what_comes_while_others_announce_is_announced_too(engine: sa.Engine) -> None:
    def act(number: int) -> int:
        if number:
            return sum(stored(engine, [delivery(number * 1000 + place)]) for place in range(50))
        return sum(announced(engine, limit=20).calls for _ in range(30))

    taken, *added = all_at_once(3, act)
    assert added == [50, 50]
    assert isinstance(taken, int)
    assert taken + announced(engine).calls == 100


def test_what_is_old_is_purged_applied_or_not(engine: sa.Engine) -> None:
    stored(engine, [delivery(number) for number in range(4)])
    with engine.begin() as connection:
        mark_applied(connection, TABLE, [delivery(0).digest], NOW)
    with engine.begin() as connection:
        assert purge(connection, TABLE, NOW + dt.timedelta(seconds=2)) == 2
    assert waiting(engine) == [delivery(2), delivery(3)]


@pytest.mark.parametrize("name", ["deliveries", "inbox.ringg_inbox", "t" * 63])
def test_the_table_may_have_another_name_and_schema(warehouse: Warehouse, name: str) -> None:
    warehouse.execute("CREATE SCHEMA inbox")
    table = inbox_table(name)
    create_tables(warehouse.engine, table)
    create_tables(warehouse.engine, table)
    with warehouse.engine.begin() as connection:
        assert add(connection, table, [delivery(1)]) == 1
        assert announce(connection, table, CONN, NOW, 10).calls == 1
    assert len(sa.inspect(warehouse.engine).get_indexes(table.name, schema=table.schema)) == 2
