"""A person says when to call, on every database that can hold the promises."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
import sqlalchemy as sa

from ringg_provider.callbacks.reading import Instant, Span
from ringg_provider.callbacks.settling import WITHDRAWN, settle
from ringg_provider.callbacks.table import PromiseState, callbacks_table
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.sql.creating import create_tables
from tests.support.databases import Warehouse, each_of

NOW = datetime(2027, 3, 1, 9, tzinfo=UTC)
AT = Instant(datetime(2027, 3, 2, 17, tzinfo=ZoneInfo("Asia/Kolkata")).astimezone(UTC))

database = each_of("warehouse", "sqlite_warehouse", "duckdb_warehouse", "mariadb_warehouse")


@pytest.fixture
def promise(database: Warehouse) -> Callable[..., None]:
    """Write a promise, unclear if nothing else is said."""
    create_tables(database.engine, callbacks_table())

    def write(**columns: Any) -> None:
        row = {"promise_id": "p", "platform": "ringg", "asked_at": NOW, "state": "unclear", "state_reason": "no time"}
        with database.engine.begin() as connection:
            connection.execute(sa.insert(callbacks_table()).values({**row, **columns}))

    return write


def say(database: Warehouse, when: Any = AT, **said: Any) -> bool:
    return settle(database.engine, callbacks_table(), "p", when, **{"by": "ann", "now": NOW, **said})


def row_of(database: Warehouse) -> dict[str, Any]:
    with database.engine.connect() as connection:
        return dict(connection.execute(sa.select(callbacks_table())).one()._mapping)


@pytest.mark.parametrize("state", ["unclear", "open"])
def test_a_time_opens_a_promise(state: str, database: Warehouse, promise: Callable[..., None]) -> None:
    promise(state=state)
    assert say(database, timezone="Asia/Kolkata")
    row = row_of(database)
    assert {row[name] for name in ("earliest_at", "latest_at", "due_at")} == {AT.at}
    assert (row["state"], row["state_reason"], row["timezone"]) == ("open", None, "Asia/Kolkata")
    assert (row["settled_by"], row["changed_at"]) == ("person:ann", NOW)


def test_a_span_is_due_in_its_middle(database: Warehouse, promise: Callable[..., None]) -> None:
    promise(timezone="Asia/Tokyo")
    assert say(database, Span(AT.at, AT.at + timedelta(hours=2)))
    row = row_of(database)
    assert (row["earliest_at"], row["due_at"], row["latest_at"]) == (
        AT.at,
        AT.at + timedelta(hours=1),
        AT.at + timedelta(hours=2),
    )
    assert row["timezone"] == "Asia/Tokyo"


def test_a_time_of_pendulum_is_a_time(sqlite_warehouse: Warehouse) -> None:
    create_tables(sqlite_warehouse.engine, callbacks_table())
    with sqlite_warehouse.engine.begin() as connection:
        row = {"promise_id": "p", "platform": "ringg", "asked_at": NOW, "state": "unclear"}
        connection.execute(sa.insert(callbacks_table()).values(row))
    begins = pendulum.instance(AT.at).in_timezone("Asia/Tokyo")
    assert say(sqlite_warehouse, Span(begins, begins.add(hours=2)))
    assert row_of(sqlite_warehouse)["due_at"] == AT.at + timedelta(hours=1)


def test_nobody_need_call(database: Warehouse, promise: Callable[..., None]) -> None:
    promise()
    assert say(database, WITHDRAWN)
    row = row_of(database)
    assert (row["state"], row["state_reason"], row["settled_by"]) == ("withdrawn", "a person said so", "person:ann")
    assert row["due_at"] is None


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("when", {"when": Instant(NOW)}),
        ("when", {"when": Instant(NOW - timedelta(days=1))}),
        ("when", {"when": Instant(NOW + timedelta(days=367))}),
        ("when", {"when": Span(AT.at, AT.at - timedelta(hours=1))}),
        ("when", {"when": PromiseState.KEPT}),
        ("timezone", {"timezone": "Mars/Olympus"}),
        ("by", {"by": " "}),
    ],
)
def test_what_is_no_time_to_call_changes_nothing(
    field: str, said: dict[str, Any], database: Warehouse, promise: Callable[..., None]
) -> None:
    promise()
    with pytest.raises(InvalidRequest) as refused:
        say(database, **said)
    assert refused.value.field == field
    assert row_of(database)["state"] == "unclear"


@pytest.mark.parametrize(
    "columns",
    [
        *({"state": state} for state in ("listed", "kept", "late", "missed", "withdrawn")),
        {"claim_key": "a run's"},
        {"erased_at": NOW},
    ],
)
def test_what_a_list_has_taken_has_ended_or_was_erased_stays_as_it_is(
    columns: dict[str, Any], database: Warehouse, promise: Callable[..., None]
) -> None:
    promise(**columns)
    before = row_of(database)
    assert not say(database)
    assert row_of(database) == before


@pytest.mark.parametrize("said", [{"only_unclear": True}, {"asked_at": NOW - timedelta(hours=3)}])
def test_what_has_moved_since_a_person_saw_it_is_not_settled(
    said: dict[str, Any], database: Warehouse, promise: Callable[..., None]
) -> None:
    promise(state="open", due_at=AT.at, asked_at=NOW - timedelta(hours=2))
    before = row_of(database)
    assert not say(database, WITHDRAWN, **said)
    assert row_of(database) == before
    assert say(database, WITHDRAWN, asked_at=NOW - timedelta(hours=2))


def test_one_that_is_not_there_is_not_settled(database: Warehouse, promise: Callable[..., None]) -> None:
    assert not say(database)
