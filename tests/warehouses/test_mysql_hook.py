"""A whole night on MariaDB through Airflow's own hook, by each of its drivers that the machine could build."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import AirflowFailException, BaseHook

from ringg_provider.contacts.people import PeopleLedger, PeopleSpool
from ringg_provider.contacts.scratch import Scratch
from ringg_provider.exceptions import HistoryNotCurrent
from ringg_provider.history.tables import calls_table
from ringg_provider.hooks.sql import sql_connection, sql_engine
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger
from ringg_provider.launch.terms import Intent
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.sql.dialects import database_of
from ringg_provider.sql.merge import MergeCounts, merge_rows
from ringg_provider.sql.reading import open_rows
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.warehouse import create_ringg_tables, require_history_within
from tests.history.launching import NUMBER, SURVEY, ended, wait_until
from tests.support.databases import Warehouse
from tests.support.sandbox import Sandbox
from tests.support.tasks import TaskInstance

NAMES = ["आशा", "Ravi 🎈", 'O\'Hara \\ "x"', "Zoë"]
WINDOW = {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}}


@pytest.fixture(params=["mysqlclient", "mysql-connector-python"])
def database(
    request: pytest.FixtureRequest, mariadb_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> Warehouse:
    """A MariaDB that Airflow reaches by one driver after the other."""
    if request.param == "mysqlclient" and find_spec("MySQLdb") is None:
        pytest.skip("mysqlclient could not be built here: it wants a compiler and MySQL's headers")
    connection = json.loads(mariadb_warehouse.connection)
    connection["extra"]["client"] = request.param
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    return mariadb_warehouse


def fill(database: Warehouse, people: int = len(NAMES)) -> None:
    """Make the table `people`, as somebody who has other scripts than Latin would."""
    database.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, phone VARCHAR(20), name TEXT) CHARSET utf8mb4")
    rows = [{"id": n, "phone": f"+9198{n:08d}", "name": NAMES[n % len(NAMES)]} for n in range(people)]
    database.execute("INSERT INTO people VALUES (:id, :phone, :name)", rows)


def run(operator: Any) -> Any:
    return operator.execute({"ti": TaskInstance(), "outlet_events": {}})


def upload(**options: Any) -> Any:
    """Put all people on a list of the sandbox."""
    return run(
        SqlToRinggOperator(
            task_id="lists",
            sql_conn_id="warehouse",
            sql="SELECT phone, name FROM people ORDER BY id",
            ringg_conn_id="ringg_sandbox",
            agent_id=SURVEY,
            campaign_name="Survey",
            phone_column="phone",
            variables_map={"callee_name": "name"},
            country_code="+91",
            call_config=WINDOW,
            **options,
        )
    )


def test_the_hook_and_its_engine_tell_what_it_is(database: Warehouse) -> None:
    by_hook = database_of(BaseHook.get_hook("warehouse"))
    with sql_engine("warehouse") as engine:
        by_engine = database_of(engine)
    assert by_hook == by_engine
    assert (by_hook.name, by_hook.holds_state, by_hook.holds_ledger) == ("mariadb", True, True)


def test_rows_are_streamed_in_every_script_and_a_reader_may_stop(database: Warehouse) -> None:
    fill(database, 25_000)
    with sql_connection("warehouse") as connection:
        query = "SELECT name FROM people WHERE id >= %(least)s AND phone LIKE '+91%%' ORDER BY id"
        with open_rows(connection, query, {"least": 4}) as rows:
            batches = [[row[0] for row in batch] for batch in rows.batches]
        assert [len(batch) for batch in batches] == [10_000, 10_000, 4_996]
        assert batches[0][:4] == NAMES
        with open_rows(connection, query, {"least": 0}) as rows:
            next(iter(rows.batches))
        with open_rows(connection, "SELECT count(*) AS n FROM people WHERE phone LIKE '+91%'") as rows:
            assert [list(map(tuple, batch)) for batch in rows.batches] == [[(25_000,)]]


def test_the_history_and_the_people_are_kept_to_the_microsecond_and_in_every_script(database: Warehouse) -> None:
    table, noon = calls_table(), datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    rows = [
        {"call_id": str(n), "callee_name": name, "raw": {"name": name}, "read_at": noon} for n, name in enumerate(NAMES)
    ]
    with sql_engine("warehouse") as engine:
        create_ringg_tables(engine)
        assert merge_rows(engine, table, rows, keys=["call_id"]) == MergeCounts(inserted=4)
        assert merge_rows(engine, table, rows[:2], keys=["call_id"]) == MergeCounts(updated=2)
        with engine.connect() as connection:
            stored = connection.execute(sa.select(table).order_by(table.c.call_id)).all()
        assert [(row.callee_name, row.raw, row.read_at) for row in stored] == [
            (name, {"name": name}, noon) for name in NAMES
        ]
        with Scratch() as scratch:
            spool = PeopleSpool(scratch)
            spool.listed(1, ["+919876543210", "+919876543211"], ["a1", "A1"])
            spool.close()
            PeopleLedger(engine).replace("run", spool, {1: "list"}, {"list": {"+919876543211": NAMES[0]}})
    people = database.query("SELECT contact_key, occurrence, disposition, detail FROM ringg_contacts ORDER BY phone")
    assert [tuple(person.values()) for person in people] == [
        ("a1", 1, "listed", None),
        ("A1", 1, "rejected_by_platform", NAMES[0]),
    ]


def test_long_transcripts_are_no_longer_than_what_a_server_takes_at_once(database: Warehouse) -> None:
    table, noon = calls_table(), datetime(2026, 3, 1, 12, tzinfo=UTC)
    (packet,) = (row["Value"] for row in database.query("SHOW VARIABLES LIKE 'max_allowed_packet'"))
    said = [{"speaker": "user", "text": "नमस्ते " * 1_000}] * 3
    rows = [{"call_id": str(n), "transcript": said, "raw": {"transcript": said}, "read_at": noon} for n in range(200)]
    assert 2 * len(json.dumps(said)) * len(rows) > int(packet)
    with sql_engine("warehouse") as engine:
        create_ringg_tables(engine)
        assert merge_rows(engine, table, rows, keys=["call_id"]) == MergeCounts(inserted=200)


def test_of_many_that_claim_a_launch_one_has_it(database: Warehouse) -> None:
    item = LaunchItem(list_id="a", flow="standard", agent_id="agent", country_code="+91")
    together = threading.Barrier(8)

    def claim(number: int) -> bool:
        with sql_engine("warehouse") as engine:
            ledger = LaunchLedger(engine)
            together.wait()
            return ledger.for_key("key").claim(Intent("a", f"worker {number}", {"list_id": "a"})) is None

    with sql_engine("warehouse") as engine:
        LaunchLedger(engine).replace_set("key", [item])
    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(claim, range(8))) == {True: 1, False: 7}


def test_a_night_from_the_query_to_the_outcomes_and_the_next_one_calls_nobody(
    database: Warehouse, sandbox_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox: Sandbox = sandbox_factory("g3", history_rate_window_seconds=0, voicemail_rate=0)
    paced = {"conn_type": "ringg", "host": sandbox.base_url, "password": sandbox.api_key}
    paced["extra"] = {"history_requests_per_minute": 60_000}  # type: ignore[assignment]
    monkeypatch.setenv("AIRFLOW_CONN_RINGG_SANDBOX", json.dumps(paced))
    fill(database)

    kept = {"contacts_table": "ringg_contacts", "ledger_conn_id": "warehouse", "not_called_within_days": 3}
    with sql_engine("warehouse") as engine:
        create_ringg_tables(engine)
    (item,) = upload(launch_key="first night", **kept)
    launch = RinggLaunchOperator(
        task_id="launch",
        ringg_conn_id="ringg_sandbox",
        launch=item,
        from_numbers=[NUMBER],
        launch_key="first night",
        ledger_conn_id="warehouse",
        sql_conn_id="warehouse",
    )
    assert run(launch) == run(launch) == item["list_id"], "the second one adopts"
    with sql_engine("warehouse") as engine, pytest.raises(HistoryNotCurrent):
        require_history_within(engine, timedelta(days=1))
    wait_until(lambda: ended(sandbox, item["list_id"]))
    load = RinggCallsToSqlOperator(
        task_id="load", ringg_conn_id="ringg_sandbox", sql_conn_id="warehouse", contacts_table="ringg_contacts"
    )
    wait_until(lambda: (counts := run(load))["open"] == 0 and counts["unsettled"] == 0)
    with sql_engine("warehouse") as engine:
        assert require_history_within(engine, timedelta(days=1)) == 1
    outcomes = database.query("SELECT contact_key, calls FROM ringg_outcomes")
    assert {row["contact_key"] for row in outcomes} == {f"+9198{n:08d}" for n in range(len(NAMES))}
    assert all(row["calls"] == 1 for row in outcomes)
    assert upload(launch_key="second night", **kept) == []
    reasons = database.query("SELECT disposition FROM ringg_contacts WHERE launch_key = 'second night'")
    assert [row["disposition"] for row in reasons] == ["called_recently"] * len(NAMES)
    calls = {call["to_number"] for call in sandbox.state()["calls"]}
    assert len(sandbox.state()["calls"]) == len(calls) == len(NAMES)


def test_a_missing_schema_is_one_clear_error_before_anything_is_uploaded(database: Warehouse, sandbox: Sandbox) -> None:
    fill(database)
    with pytest.raises(AirflowFailException, match=r"contacts_table|ringg_contacts") as caught:
        upload(contacts_table="missing.ringg_contacts")
    assert "98000" not in str(caught.value)
    assert sandbox.state()["campaigns"] == []
