"""Webhooks on the page of what is left to do: when the last came, how many wait, how many could not be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from ringg_provider.inbox import store
from ringg_provider.inbox.store import Delivery, inbox_table
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.table import Launcher
from ringg_provider.sql.creating import create_tables
from ringg_provider.ui import deliveries
from ringg_provider.ui.tables import Tables
from tests.support.databases import Warehouse, each_of

NOW = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)

database = each_of("warehouse", "sqlite_warehouse", "mariadb_warehouse")


def came(conn_id: str, number: int, minutes_ago: float) -> Delivery:
    return Delivery.of(conn_id, f"{number}".encode(), NOW - timedelta(minutes=minutes_ago), event_type="call_completed")


@pytest.fixture
def filled(database: Warehouse) -> Warehouse:
    """Three of one connection, of which one is applied, one cannot be read and one waits; one of another waits long."""
    table = inbox_table()
    create_tables(database.engine, table)
    first, second, third, late = came("ringg", 1, 50), came("ringg", 2, 40), came("ringg", 3, 5), came("other", 4, 90)
    with database.engine.begin() as writing:
        store.add(writing, table, [first, second, third, late])
        store.mark_applied(writing, table, [first.digest], NOW)
        store.mark_unreadable(writing, table, {second.digest: "no JSON"}, NOW)
    ledger = LaunchLedger(database.engine)
    item = LaunchItem(list_id="l", flow="standard", agent_id="a", country_code="+91")
    ledger.replace_set("k", [item], Launcher("nightly", "run", "upload", conn_id="ringg"))
    return database


def found(database: Warehouse, dags: frozenset[str] | None = None) -> list[deliveries.Deliveries]:
    with database.engine.connect() as connection:
        return deliveries.read_deliveries(connection, Tables.found(connection), dags, NOW)


def test_each_connections_deliveries_are_counted(filled: Warehouse) -> None:
    other, ringg = found(filled)
    assert (ringg.conn_id, ringg.waiting, ringg.unreadable) == ("ringg", 1, 1)
    assert ringg.last_at == ringg.oldest_at == NOW - timedelta(minutes=5)
    assert not ringg.is_late(NOW)
    assert (other.conn_id, other.waiting, other.unreadable) == ("other", 1, 0)
    assert other.is_late(NOW)


def test_when_all_are_applied_the_last_one_is_still_told(filled: Warehouse) -> None:
    table = inbox_table()
    with filled.engine.begin() as writing:
        store.mark_applied(writing, table, [came("ringg", 3, 5).digest], NOW)
    _, ringg = found(filled)
    assert (ringg.waiting, ringg.oldest_at, ringg.last_at) == (0, None, NOW - timedelta(minutes=5))


def test_who_may_see_a_dag_sees_the_connections_that_it_launches_through(filled: Warehouse) -> None:
    assert [each.conn_id for each in found(filled, frozenset({"nightly"}))] == ["ringg"]
    assert found(filled, frozenset({"another"})) == []


def test_without_an_inbox_there_is_nothing(database: Warehouse) -> None:
    assert found(database) == []


def test_so_many_are_counted_and_no_more(filled: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MOST_COUNTED", 2)
    with filled.engine.begin() as writing:
        store.add(writing, inbox_table(), [came("ringg", number, 3) for number in range(10, 15)])
    assert found(filled)[1].waiting == 2


def test_nothing_of_a_payload_is_selected(filled: Warehouse) -> None:
    asked: list[str] = []
    listen = sa.event.listens_for(filled.engine, "before_cursor_execute")
    listen(lambda *arguments: asked.append(arguments[2]))
    found(filled)
    ours = [text for text in asked if "WHERE 1 = 0" not in text]
    assert ours
    assert not any("payload" in text for text in ours)
