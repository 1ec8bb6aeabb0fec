"""The call history as a task: from the sandbox on a socket into real databases, through a real Airflow."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset, AssetAlias

from ringg_provider.exceptions import InvalidRequest, RateLimited
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator, instant
from tests.history.launching import ended, launch, wait_until
from tests.support.databases import Warehouse
from tests.support.sandbox import Sandbox
from tests.support.statsd import StatsdServer
from tests.support.tasks import OutletEvents


@pytest.fixture
def platform(sandbox_factory: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox whose history is not limited, and a connection that says so."""
    started = sandbox_factory("g3", history_rate_window_seconds=0)
    paced(started, monkeypatch)
    return started


def paced(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {
        "conn_type": "ringg",
        "host": sandbox.base_url,
        "password": sandbox.api_key,
        "extra": {"history_requests_per_minute": 60_000},
    }
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", json.dumps(connection))


def operator(**options: Any) -> RinggCallsToSqlOperator:
    options = {"task_id": "load", "ringg_conn_id": "ringg_sandbox", "sql_conn_id": "warehouse", **options}
    return RinggCallsToSqlOperator(**options)


def execute(task: RinggCallsToSqlOperator, events: OutletEvents | None = None) -> dict[str, int]:
    return task.execute({"outlet_events": events if events is not None else OutletEvents()})  # type: ignore[typeddict-item]


def truth(sandbox: Sandbox) -> dict[str, tuple[str, str]]:
    return {call["id"]: (call["status"], call["to_number"]) for call in sandbox.state()["calls"]}


@pytest.fixture(params=["warehouse", "sqlite_warehouse"])
def database(request: pytest.FixtureRequest) -> Warehouse:
    """Each database that the transfers promise."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("generation", ["g2", "g3"])
def test_a_campaigns_calls_are_loaded_to_the_last_one(
    generation: str,
    database: Warehouse,
    sandbox_factory: Callable[..., Sandbox],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox = sandbox_factory(generation, history_rate_window_seconds=0)
    paced(sandbox, monkeypatch)
    list_id = launch(sandbox, tmp_path, 230)
    wait_until(lambda: ended(sandbox, list_id))

    def loaded() -> bool:
        counts = execute(operator(bulk_list_ids=list_id))
        return counts["open"] == 0 and counts["unsettled"] == 0

    wait_until(loaded)
    rows = database.query("SELECT * FROM ringg_calls")
    assert {row["call_id"]: (row["status"], row["to_number_e164"]) for row in rows} == truth(sandbox)
    assert {row["bulk_list_id"] for row in rows} == {list_id}
    completed = [row for row in rows if row["status"] == "completed"]
    assert completed
    assert all(row["summary"] and row["transcript"] and row["cost"] is not None for row in completed)
    (campaign,) = database.query("SELECT * FROM ringg_campaigns")
    assert (campaign["state"], campaign["history_state"], campaign["calls"]) == ("completed", "complete", 230)


def test_without_any_restriction_everything_is_found(
    platform: Sandbox, sqlite_warehouse: Warehouse, tmp_path: Path
) -> None:
    lists = [launch(platform, tmp_path, 30, first=first) for first in (10_000_000, 20_000_000)]
    for list_id in lists:
        wait_until(lambda list_id=list_id: ended(platform, list_id))
    wait_until(lambda: execute(operator())["open"] == 0)
    found = sqlite_warehouse.query("SELECT bulk_list_id, count(*) AS n FROM ringg_calls GROUP BY 1 ORDER BY 1")
    assert found == [{"bulk_list_id": list_id, "n": 30} for list_id in sorted(lists)]
    again = execute(operator())
    assert (again["inserted"], again["changed"]) == (0, 0)


@pytest.mark.parametrize("rendered", [[], None, ""])
def test_where_there_are_no_lists_nothing_is_read(
    platform: Sandbox, sqlite_warehouse: Warehouse, rendered: Any
) -> None:
    load = operator(bulk_list_ids="{{ ti.xcom_pull('lists') }}")
    load.bulk_list_ids = rendered  # as Airflow renders what pushed nothing, or no list
    before = len(platform.requests())
    assert execute(load)["inserted"] == 0
    assert len(platform.requests()) == before
    assert {"ringg_calls", "ringg_campaigns"} <= sqlite_warehouse.tables()


def test_the_view_of_outcomes_is_made_beside_the_contacts(platform: Sandbox, database: Warehouse) -> None:
    execute(operator(contacts_table="ringg_contacts"))
    assert database.query("SELECT * FROM ringg_outcomes") == []


def test_recordings_are_stored_and_noted(platform: Sandbox, sqlite_warehouse: Warehouse, tmp_path: Path) -> None:
    list_id = launch(platform, tmp_path, 12)
    wait_until(lambda: ended(platform, list_id))
    folder = tmp_path / "recordings"
    load = operator(bulk_list_ids=list_id, recordings_path=f"file://{folder}", recording_hosts=["127.0.0.1"])
    wait_until(lambda: execute(load)["open"] == 0)
    rows = sqlite_warehouse.query("SELECT * FROM ringg_calls WHERE recording_path IS NOT NULL")
    assert rows
    for row in rows:
        file = Path(row["recording_path"].removeprefix("file://"))
        assert file.stem == row["call_id"]
        assert file.stat().st_size == row["recording_bytes"] > 0
    assert {row["call_id"] for row in rows} == {
        row["call_id"]
        for row in sqlite_warehouse.query("SELECT call_id FROM ringg_calls WHERE recording_url IS NOT NULL")
    }


def test_an_alias_gets_an_event_only_when_something_is_new(
    platform: Sandbox, sqlite_warehouse: Warehouse, tmp_path: Path
) -> None:
    list_id = launch(platform, tmp_path, 5)
    wait_until(lambda: ended(platform, list_id))
    alias, asset = AssetAlias("ringg_calls"), Asset("every_run")
    load = operator(outlets=[alias, asset])
    events = OutletEvents()
    first = execute(load, events)
    ((announced, extra),) = events[alias].added
    assert extra == first
    assert first["inserted"] == 5
    assert announced.uri == "x-ringg-sql://warehouse/ringg_calls"
    wait_until(lambda: execute(load)["open"] == 0)
    quiet = OutletEvents()
    counts = execute(load, quiet)
    assert quiet[alias].added == []
    assert quiet[asset].extra == counts


DOWNSTREAM = """
from __future__ import annotations
import pendulum
from airflow.sdk import DAG, AssetAlias
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator

with DAG("history", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC"), catchup=False):
    RinggCallsToSqlOperator(
        task_id="load",
        ringg_conn_id="ringg_sandbox",
        sql_conn_id="warehouse",
        bulk_list_ids="{{ dag_run.conf['lists'] }}",
        outlets=[AssetAlias("ringg_calls")],
    )
"""


def test_a_dag_loads_history_and_tells_those_who_wait_for_it(
    platform: Sandbox, warehouse: Warehouse, tmp_path: Path, run_dag: Any
) -> None:
    list_id = launch(platform, tmp_path, 25)
    wait_until(lambda: ended(platform, list_id))
    run = run_dag(DOWNSTREAM, conf={"lists": list_id})
    assert run.state == "success"
    assert run.xcom("load")["inserted"] == 25
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        event = session.query(AssetEvent).filter_by(source_run_id=run.run_id, source_dag_id="history").one()
        assert event.extra["inserted"] == 25
        place = warehouse.engine.url
        assert event.asset.uri == f"postgres://{place.host}:{place.port}/{place.database}/public/ringg_calls"


SIBLINGS = """
from __future__ import annotations
import pendulum
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import DAG, task
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator

LOAD = {"ringg_conn_id": "ringg_sandbox", "sql_conn_id": "warehouse", "include_analysis": False}

with DAG("siblings", start_date=pendulum.datetime(2026, 1, 1), schedule=None, render_template_as_native_obj=True):

    @task
    def upload(**context):
        return [{"list_id": each, "flow": "standard"} for each in context["dag_run"].conf["lists"]]

    @task
    def launch(item):
        if item["list_id"] == "lost":
            raise AirflowFailException("its outcome is unknown")
        if item["list_id"] == "dry":
            raise AirflowSkipException("nothing to start")
        return item["list_id"]

    items = upload()
    launched = launch.expand(item=items)
    RinggCallsToSqlOperator(task_id="of_launched", bulk_list_ids=launched, **LOAD).as_teardown()
    RinggCallsToSqlOperator(
        task_id="templated",
        bulk_list_ids="{{ ti.xcom_pull(task_ids='launch') }}",
        table="templated",
        campaigns_table="templated_campaigns",
        **LOAD,
    ).as_teardown() << launched
    launched >> RinggCallsToSqlOperator(
        task_id="of_uploaded", bulk_list_ids=items, table="uploaded", campaigns_table="uploaded_campaigns", **LOAD
    ).as_teardown()
"""


def test_what_was_launched_is_loaded_although_a_sibling_failed_or_was_skipped(
    platform: Sandbox, warehouse: Warehouse, tmp_path: Path, run_dag: Any
) -> None:
    lists = [launch(platform, tmp_path, 7, first=first) for first in (10_000_000, 20_000_000)]
    for list_id in lists:
        wait_until(lambda list_id=list_id: ended(platform, list_id))
    run = run_dag(SIBLINGS, conf={"lists": [lists[0], "lost", "dry", lists[1]]})
    assert run.state == "failed", "a launch failed"
    assert [run.tasks[("launch", index)] for index in range(4)] == ["success", "failed", "skipped", "success"]
    for task_id, table in (("of_launched", "ringg_calls"), ("templated", "templated"), ("of_uploaded", "uploaded")):
        assert run.tasks[task_id] == "success", task_id
        assert {row["bulk_list_id"] for row in warehouse.query(f"SELECT bulk_list_id FROM {table}")} == set(lists)


def test_nothing_personal_is_in_log_or_xcom(
    platform: Sandbox, sqlite_warehouse: Warehouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    list_id = launch(platform, tmp_path, 40)
    wait_until(lambda: ended(platform, list_id))
    platform.fault(method="GET", path="/calling/history", kind="status", status=500, times=1)
    platform.fault(
        method="GET", path="/calling/history", kind="status", status=429, headers={"Retry-After": "0"}, times=1
    )
    result = execute(operator())
    said = caplog.text + json.dumps(result)
    for call in platform.state()["calls"]:
        assert call["to_number"].lstrip("+")[2:] not in said
    assert "Person" not in said
    assert platform.api_key not in said


def test_a_database_that_refuses_says_nothing_of_the_rows(
    platform: Sandbox, sqlite_warehouse: Warehouse, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_warehouse.execute("CREATE TABLE ringg_calls (call_id TEXT PRIMARY KEY, other TEXT NOT NULL)")
    list_id = launch(platform, tmp_path, 5)
    wait_until(lambda: ended(platform, list_id))
    with pytest.raises(Exception, match="ringg_calls") as caught:
        execute(operator())
    assert "9810000" not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"bulk_list_ids": "l", "start": "2026-01-01"}, "bulk_list_ids"),
        ({"start": "yesterday"}, "start"),
        ({"start": "2026-01-02", "end": "2026-01-01"}, "end"),
        ({"bulk_list_ids": [{"id": "l"}]}, "bulk_list_ids"),
        ({"recordings_path": "file:///tmp/x"}, "recording_hosts"),
        ({"sql_conn_id": "ringg_sandbox"}, "sql_conn_id"),
    ],
)
def test_a_mistake_is_named_and_not_tried_again(
    platform: Sandbox, sqlite_warehouse: Warehouse, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(AirflowFailException, match=field):
        execute(operator(**options))


def test_a_platform_that_keeps_refusing_is_left_to_airflows_retries(
    platform: Sandbox, sqlite_warehouse: Warehouse
) -> None:
    platform.fault(
        method="GET", path="/calling/history", kind="status", status=429, headers={"Retry-After": "0"}, times=50
    )
    with pytest.raises(RateLimited):
        execute(operator())


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-01T10:00:00", "2026-01-01T10:00:00+00:00"),
        ("2026-01-01T10:00:00.000001+05:30", "2026-01-01T04:30:00.000001+00:00"),
        ("2026-01-01", "2026-01-01T00:00:00+00:00"),
        (dt.date(2026, 1, 1), "2026-01-01T00:00:00+00:00"),
        (dt.datetime(2026, 1, 1, 10), "2026-01-01T10:00:00+00:00"),  # noqa: DTZ001 - a naive one is UTC
        (dt.datetime(2026, 1, 1, 10, tzinfo=dt.timezone(dt.timedelta(hours=-5))), "2026-01-01T15:00:00+00:00"),
        (pendulum.datetime(2026, 1, 1, 10, tz="Asia/Kolkata"), "2026-01-01T04:30:00+00:00"),
        (pendulum.date(2026, 1, 1), "2026-01-01T00:00:00+00:00"),
    ],
    ids=str,
)
def test_every_spelling_of_a_time_becomes_one_plain_moment_in_utc(written: Any, moment: str) -> None:
    found = instant(written, "start")
    assert found is not None
    assert type(found) is dt.datetime
    assert found.isoformat() == moment


@pytest.mark.parametrize("written", [None, "", "None"])
def test_no_time_is_none(written: Any) -> None:
    assert instant(written, "start") is None


@pytest.mark.parametrize("written", ["10:00", "yesterday", "2026-01-01/2026-02-01", 20260101, dt.time(10)], ids=str)
def test_what_is_no_point_in_time_is_refused(written: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        instant(written, "start")
    assert caught.value.field == "start"


def test_only_a_load_that_looks_at_the_table_says_how_many_calls_are_open(
    platform: Sandbox, sqlite_warehouse: Warehouse, counted: StatsdServer, tmp_path: Path
) -> None:
    launch(platform, tmp_path, 3)
    execute(operator())
    tags = "platform=ringg,conn_id=ringg_sandbox"
    assert {f"ringg.history.open,{tags}", f"ringg.history.incomplete,{tags}"} <= set(counted.sent())
    execute(operator(bulk_list_ids=[]))
    assert counted.sent() == {}
