"""Refusing to dial also when it cannot be checked whether last night's calls are there."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from ringg_provider.exceptions import HistoryNotCurrent, InvalidRequest
from ringg_provider.history.tables import campaigns_table
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.table import launches
from ringg_provider.warehouse import require_history_within
from tests.support.databases import Warehouse

NIGHT = dt.timedelta(hours=24)


def test_without_its_table_nothing_could_be_checked_and_that_is_an_error(sqlite_warehouse: Warehouse) -> None:
    with pytest.raises(InvalidRequest, match="table: there is no table ringg_campaigns, so nobody") as caught:
        require_history_within(sqlite_warehouse.engine, NIGHT)
    assert "history_table_may_be_missing=True" in str(caught.value)
    assert require_history_within(sqlite_warehouse.engine, NIGHT, history_table_may_be_missing=True) == 0


@pytest.mark.parametrize("place", [{"table": "RINGG_CAMPAIGNS"}, {"schema": "calls"}])
def test_another_case_or_schema_is_an_error_that_names_the_table(warehouse: Warehouse, place: dict[str, str]) -> None:
    campaigns_table().create(warehouse.engine)
    with pytest.raises(InvalidRequest, match=r"There is public\.ringg_campaigns"):
        require_history_within(warehouse.engine, NIGHT, **place)
    assert require_history_within(warehouse.engine, NIGHT) == 0


def test_a_ledger_that_is_named_must_be_there(sqlite_warehouse: Warehouse) -> None:
    campaigns_table().create(sqlite_warehouse.engine)
    with pytest.raises(InvalidRequest, match="launches: there is no table my_launches"):
        require_history_within(sqlite_warehouse.engine, NIGHT, launches="my_launches")


@pytest.mark.parametrize("ledger_schema", [None, "calls"])
def test_a_launch_counts_whether_the_ledger_is_beside_the_tables_or_where_the_connection_is(
    warehouse: Warehouse, ledger_schema: str | None
) -> None:
    warehouse.execute("CREATE SCHEMA calls")
    campaigns_table(schema="calls").create(warehouse.engine)
    LaunchLedger(warehouse.engine, ledger_schema)
    with warehouse.engine.begin() as connection:
        now = dt.datetime.now(dt.UTC)
        ledger = launches.to_metadata(sa.MetaData(), schema=ledger_schema)
        row = {"launch_key": "k", "list_id": "l", "slot": "0", "set_id": "s", "digest": "d", "state": "started"}
        connection.execute(ledger.insert(), {**row, "item": {}, "listed_at": now, "start_sent_at": now})
    with pytest.raises(HistoryNotCurrent, match="never loaded"):
        require_history_within(warehouse.engine, NIGHT, schema="calls")


@pytest.mark.parametrize("within", [dt.timedelta(0), dt.timedelta(days=-3)])
def test_a_time_in_which_nothing_could_lie_is_refused(sqlite_warehouse: Warehouse, within: dt.timedelta) -> None:
    with pytest.raises(InvalidRequest, match="within"):
        require_history_within(sqlite_warehouse.engine, within)


def test_a_list_of_smartalex_in_the_same_ledger_is_not_missed_among_ringgs_campaigns(warehouse: Warehouse) -> None:
    campaigns_table().create(warehouse.engine)
    LaunchLedger(warehouse.engine)
    now = dt.datetime.now(dt.UTC)
    row = {"launch_key": "k", "list_id": "l", "slot": "0", "set_id": "s", "digest": "d", "state": "started"}
    with warehouse.engine.begin() as connection:
        row |= {"item": {}, "listed_at": now, "start_sent_at": now}
        connection.execute(launches.insert(), {**row, "flow": "smartalex"})
    assert require_history_within(warehouse.engine, NIGHT) == 0
    with warehouse.engine.begin() as connection:
        connection.execute(launches.update().values(flow="standard"))
    with pytest.raises(HistoryNotCurrent, match="never loaded"):
        require_history_within(warehouse.engine, NIGHT)
