"""Publishing as a task: real connections, a real ledger of marks, assets, and what the next night's query may trust."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset, AssetAlias

from ringg_provider.exceptions import DatabaseUnavailable, HistoryNotCurrent, InvalidRequest
from ringg_provider.publish.marks import publications_table
from ringg_provider.transfers.ringg_publish import RinggPublishOperator
from ringg_provider.transfers.smartalex_publish import SmartAlexPublishOperator
from ringg_provider.warehouse import create_ringg_tables, require_history_within
from tests.publish.copies import AT, CALLS, CAMPAIGNS, CONTACTS, SMARTALEX, call, contact, rows_of, write
from tests.support.databases import Warehouse
from tests.support.tasks import OutletEvents, context

NIGHT = dt.timedelta(days=3)
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def copy(tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """The state is the connection `warehouse`; its copy lives in DuckDB, the connection `lake`."""
    file = tmp_path / "lake.db"
    monkeypatch.setenv("AIRFLOW_CONN_STATE", warehouse.connection)
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": "sqlite", "host": str(file)}))
    return sa.create_engine(f"sqlite:///{file}")


def operator(kind: type[RinggPublishOperator] = RinggPublishOperator, **options: Any) -> RinggPublishOperator:
    return kind(**{"task_id": "publish", "state_conn_id": "state", "warehouse_conn_id": "lake", **options})


def publish(kind: type[RinggPublishOperator] = RinggPublishOperator, **options: Any) -> dict[str, int]:
    return operator(kind, **options).execute(context())


def test_what_is_in_the_state_is_published_and_counted(copy: sa.Engine, warehouse: Warehouse) -> None:
    create_ringg_tables(warehouse.engine)
    write(warehouse.engine, sa.insert(CALLS), [call("a"), call("b")])
    assert publish()["rows"] == 2
    assert [row["call_id"] for row in rows_of(copy, CALLS)] == ["a", "b"]
    assert set(sa.inspect(copy).get_view_names()) == {"ringg_outcomes"}
    assert publish()["rows"] == 0
    assert "ringg_launches" not in sa.inspect(copy).get_table_names()


def test_assets_tell_after_the_mark(copy: sa.Engine, warehouse: Warehouse) -> None:
    create_ringg_tables(warehouse.engine)
    alias, asset = AssetAlias("copy"), Asset("every_run")
    for writes in (True, False):
        events = OutletEvents()
        task = operator(outlets=[alias, asset], tables=["ringg_calls"])
        counts = task.execute({**context(), "outlet_events": events})
        assert events[asset].extra == counts
        assert [(added.name, extra) for added, extra in events[alias].added] == (
            [("lake.ringg_calls", counts)] if writes else []
        )
    (row,) = warehouse.query("SELECT * FROM ringg_publications WHERE target <> ''")
    assert row["published_at"] is not None


def test_names_of_their_own_and_a_schema(copy: sa.Engine, warehouse: Warehouse) -> None:
    warehouse.execute("CREATE SCHEMA calling")
    create_ringg_tables(warehouse.engine, schema="calling", table="my_calls", contacts_table="my_contacts")
    names = {"state_schema": "calling", "table": "my_calls", "contacts_table": "my_contacts"}
    assert publish(**names)["whole"] == 5
    assert {"my_calls", "my_contacts", "ringg_campaigns"} <= set(sa.inspect(copy).get_table_names())
    assert warehouse.query("SELECT count(*) AS n FROM calling.ringg_publications") == [{"n": 6}]
    assert sa.inspect(copy).get_view_names() == ["ringg_outcomes"]
    counted = {"schema": "calling", "calls_table": "my_calls", "contacts_table": "my_contacts"}
    assert require_history_within(warehouse.engine, NIGHT, published=True, **counted) == 0


def test_smartalex_has_tables_of_its_own(copy: sa.Engine, warehouse: Warehouse) -> None:
    SMARTALEX.create(warehouse.engine)
    write(warehouse.engine, sa.insert(SMARTALEX), [{"call_id": "a", "read_at": AT}])
    assert publish(SmartAlexPublishOperator)["rows"] == 1
    assert rows_of(copy, SMARTALEX)[0]["call_id"] == "a"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"tables": ["calls"]}, "tables: there is no table calls"),
        ({"tables": ["ringg_launches"]}, "tables: the table ringg_launches is not in the state"),
        ({"state_conn_id": "lake"}, "state_conn_id: that database has none of the tables"),
        ({"stage": "x"}, "stage: sqlite has no such thing"),
        ({"warehouse_conn_id": "ringg_sandbox"}, "warehouse_conn_id: connection 'ringg_sandbox' is not one of a SQL"),
        ({"state_conn_id": "ringg_sandbox"}, "state_conn_id: connection 'ringg_sandbox' is not one of a SQL"),
    ],
)
def test_what_cannot_be_is_said_by_its_field(
    copy: sa.Engine, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], field: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", '{"conn_type": "ringg", "password": "x"}')
    create_ringg_tables(warehouse.engine)
    with pytest.raises(AirflowFailException, match=field):
        publish(**options)
    assert sa.inspect(copy).get_table_names() in ([], ["ringg_publications"])


def test_a_table_that_was_published_and_is_gone_from_the_state_is_no_erasure(
    copy: sa.Engine, warehouse: Warehouse
) -> None:
    create_ringg_tables(warehouse.engine)
    write(warehouse.engine, sa.insert(CALLS), [call("a")])
    publish()
    warehouse.execute("DROP VIEW ringg_outcomes")
    warehouse.execute("DROP TABLE ringg_calls")
    with pytest.raises(AirflowFailException, match="tables: the table ringg_calls is not in the state"):
        publish()
    assert len(rows_of(copy, CALLS)) == 1


def test_a_second_task_is_told_and_tried_again(copy: sa.Engine, warehouse: Warehouse) -> None:
    create_ringg_tables(warehouse.engine)
    publish()
    until = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    write(warehouse.engine, sa.update(publications_table()).values(holder="another.task", lease_until=until))
    with pytest.raises(DatabaseUnavailable, match=r"by another\.task"):
        publish()


# Tonight's query in the warehouse


@pytest.fixture
def night(copy: sa.Engine, warehouse: Warehouse) -> sa.Engine:
    """Last night's campaign, closed in the state, and published."""
    create_ringg_tables(warehouse.engine)
    closed = {"campaign_id": "list", "state": "completed", "history_state": "complete", "last_call_at": NOW}
    write(warehouse.engine, sa.insert(CAMPAIGNS), [closed])
    write(warehouse.engine, sa.insert(CONTACTS), [contact("person")])
    write(warehouse.engine, sa.insert(CALLS), [call("a"), call("old", bulk_list_id="long ago")])
    publish()
    return warehouse.engine


def test_what_is_closed_and_published_may_be_dialled_on(night: sa.Engine) -> None:
    for published in (True, "lake"):
        assert require_history_within(night, NIGHT, published=published) == 1


@pytest.mark.parametrize(
    "change",
    [
        sa.update(CALLS).where(CALLS.c.call_id == "a").values(status="failed", read_at=AT - NIGHT),
        sa.insert(CALLS).values(call("late")),
        sa.insert(CONTACTS).values(contact("another")),
    ],
    ids=["a call", "a new call", "a contact"],
)
def test_what_the_copy_does_not_know_yet_holds_up_the_night(night: sa.Engine, change: sa.Executable) -> None:
    write(night, change)
    assert require_history_within(night, NIGHT) == 1
    with pytest.raises(HistoryNotCurrent, match=r"1 rows .* do not stand in"):
        require_history_within(night, NIGHT, published=True)
    publish()
    assert require_history_within(night, NIGHT, published=True) == 1


def test_what_changes_no_campaign_of_late_does_not_hold_it_up(night: sa.Engine) -> None:
    write(night, sa.update(CALLS).where(CALLS.c.call_id == "old").values(status="failed"))
    assert require_history_within(night, NIGHT, published=True) == 1


def test_a_copy_that_was_never_made_is_not_taken_for_one(copy: sa.Engine, warehouse: Warehouse) -> None:
    create_ringg_tables(warehouse.engine)
    with pytest.raises(InvalidRequest, match="never published into any warehouse"):
        require_history_within(warehouse.engine, NIGHT, published=True)
    publish()
    with pytest.raises(InvalidRequest, match="never published into connection 'elsewhere'"):
        require_history_within(warehouse.engine, NIGHT, published="elsewhere")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pending": "x"}, "has not ended"),
        ({"published_at": NOW - 2 * NIGHT}, "The last publication"),
        ({"published_at": NOW + NIGHT}, "The last publication"),
    ],
    ids=["under way", "old", "in the future"],
)
def test_a_mark_that_says_little_holds_up_the_night(night: sa.Engine, values: dict[str, Any], said: str) -> None:
    table = publications_table()
    write(night, sa.update(table).where(table.c.target != "").values(**values))
    with pytest.raises(HistoryNotCurrent, match=said):
        require_history_within(night, NIGHT, published=True)
