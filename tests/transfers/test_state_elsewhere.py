"""People are chosen from a warehouse, and what must not be lost is kept in another database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.tables import calls_table
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallbacksToSqlOperator, SmartAlexCallsToSqlOperator
from ringg_provider.warehouse import create_ringg_tables, require_history_within
from tests.support.databases import Warehouse
from tests.support.tasks import TaskInstance
from tests.transfers.test_sql_to_ringg import fill, transfer

PEOPLE = [("9876543210", "Asha"), ("9876543211", "Ravi"), ("9876543212", "Meena")]
NUMBERS = ["aaaaaaaa-0000-4000-8000-000000000001"]
KEPT: list[dict[str, Any]] = [
    {"contacts_table": "ringg_contacts"},
    {"not_called_within_days": 2},
    {"max_attempts": 2},
    {"state_suppression_sql": "SELECT contact_key FROM ringg_outcomes"},
]


@pytest.fixture(params=["warehouse", "sqlite_warehouse"])
def state(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """A database that holds state, as the connection `state`."""
    database: Warehouse = request.getfixturevalue(request.param)
    monkeypatch.setenv("AIRFLOW_CONN_STATE", database.connection)
    return database


def uploaded(sandbox: Any) -> list[Any]:
    return list(sandbox.state()["campaigns"])


@pytest.mark.parametrize(
    "kept", [*KEPT, {"launch_key": "key", "ledger_conn_id": "redshift"}], ids=lambda kept: min(kept)
)
def test_a_warehouse_is_refused_as_state_before_its_query_is_read(
    kept: dict[str, Any], redshift: Warehouse, sandbox: Any
) -> None:
    """The query would fail with another error, and the agent be asked for."""
    field = "ledger_conn_id" if "ledger_conn_id" in kept else "sql_conn_id"
    for more in ({}, {"dry_run": True}):
        with pytest.raises(AirflowFailException, match=rf"InvalidRequest: {field}: redshift .*Set state_conn_id"):
            transfer(sql_conn_id="redshift", sql="SELECT nonsense", agent_id="nobody", **kept, **more)
    assert redshift.tables() == set()


@pytest.mark.parametrize("kept", [*KEPT, {"launch_key": "key"}], ids=lambda kept: min(kept))
def test_a_warehouse_is_refused_as_state_conn_id_too(
    kept: dict[str, Any], redshift: Warehouse, warehouse: Warehouse, sandbox: Any
) -> None:
    with pytest.raises(AirflowFailException, match=r"InvalidRequest: state_conn_id: redshift "):
        transfer(state_conn_id="redshift", sql="SELECT nonsense", agent_id="nobody", **kept)
    assert redshift.tables() == set()


def test_a_warehouse_of_which_nothing_is_kept_needs_no_state(redshift: Warehouse, sandbox: Any) -> None:
    fill(redshift, PEOPLE)
    lists, _ = transfer(sql_conn_id="redshift", launch_key="key")
    assert [item["rows"] for item in lists] == [3]
    assert redshift.tables() == {"people"}


def two_nights(source: str, people: str, state: Warehouse) -> None:
    """The second night calls nobody whom the first one reached, though the warehouse's query cannot know of them."""
    create_ringg_tables(state_conn_id="state")
    assert require_history_within(within=timedelta(days=1), state_conn_id="state") == 0
    options = {
        "sql_conn_id": source,
        "state_conn_id": "state",
        "sql": f"SELECT id, phone, name FROM {people} ORDER BY id",
        "contact_key": "id",
        "contacts_table": "ringg_contacts",
        "state_suppression_sql": "SELECT contact_key FROM ringg_outcomes WHERE reached",
        "not_called_within_days": 2,
    }
    lists, _ = transfer(**options, launch_key="first")
    assert [(item["rows"], item["launch_key"], item["ledger_conn_id"]) for item in lists] == [(3, "first", "state")]
    assert {row["state"] for row in state.query("SELECT state FROM ringg_launches")} == {"listed"}
    assert state.query("SELECT count(*) AS n FROM ringg_contacts WHERE disposition = 'listed'") == [{"n": 3}]
    # Asha was reached long ago, Ravi was called a moment ago, Meena was not called.
    now = datetime.now(UTC)
    called = {"bulk_list_id": lists[0]["list_id"], "is_final": True, "history_state": "complete"}
    with state.engine.begin() as connection:
        for number, since in ((0, timedelta(days=9)), (1, timedelta(hours=1))):
            connection.execute(
                calls_table().insert(),
                {
                    **called,
                    "call_id": str(number),
                    "to_number_e164": f"+91{PEOPLE[number][0]}",
                    "created_at": now - since,
                    "status": "completed" if number == 0 else "failed",
                    "duration_seconds": 30 if number == 0 else 0,
                },
            )
    lists, summary = transfer(**options, launch_key="second")
    assert summary["reasons"] == {"listed": 1, "suppressed": 1, "called_recently": 1}
    left_out = state.query(
        "SELECT contact_key, disposition, detail FROM ringg_contacts "
        "WHERE launch_key = 'second' AND disposition <> 'listed' ORDER BY contact_key"
    )
    assert [(row["contact_key"], row["disposition"], row["detail"]) for row in left_out] == [
        ("1", "suppressed", "by contact key"),
        ("2", "called_recently", None),
    ]


def test_what_is_kept_is_in_the_state_database_and_protects_from_there(
    redshift: Warehouse, state: Warehouse, sandbox: Any
) -> None:
    fill(redshift, PEOPLE)
    two_nights("redshift", "people", state)
    assert redshift.tables() == {"people"}


def test_a_launch_takes_its_ledger_from_the_state_database(redshift: Warehouse, state: Warehouse, sandbox: Any) -> None:
    fill(redshift, PEOPLE)
    lists, _ = transfer(sql_conn_id="redshift", state_conn_id="state", launch_key="key")

    def start(item: dict[str, Any], run_id: str = "run") -> str:
        launch = RinggLaunchOperator(
            task_id="launch", launch=item, from_numbers=NUMBERS, ringg_conn_id="ringg_sandbox", state_conn_id="state"
        )
        ti = TaskInstance()
        ti.run_id = run_id
        return launch.execute({"ti": ti})  # type: ignore[typeddict-item]

    # Also where the list was uploaded without a word of a ledger.
    assert start(lists[0] | {"ledger_conn_id": None}) == lists[0]["list_id"]
    assert {row["state"] for row in state.query("SELECT state FROM ringg_launches")} == {"started"}
    again, summary = transfer(sql_conn_id="redshift", state_conn_id="state", launch_key="key")
    assert summary["already_launched"]
    assert again == lists
    other, _ = transfer(sql_conn_id="redshift")
    with pytest.raises(AirflowSkipException, match="launched its key"):
        start(other[0] | {"launch_key": "key"}, "another run")


def test_a_state_database_alone_makes_no_ledger(redshift: Warehouse, state: Warehouse, sandbox: Any) -> None:
    """It may be given to every task of a DAG; a launch key asks for a ledger, and a list without one has none."""
    fill(redshift, PEOPLE)
    lists, _ = transfer(sql_conn_id="redshift", state_conn_id="state", contacts_table="ringg_contacts")
    assert lists[0]["ledger_conn_id"] is None
    launch = RinggLaunchOperator(
        task_id="launch", launch=lists[0], from_numbers=NUMBERS, ringg_conn_id="ringg_sandbox", state_conn_id="state"
    )
    assert launch.execute({"ti": TaskInstance()}) == lists[0]["list_id"]  # type: ignore[typeddict-item]
    assert state.tables() == {"ringg_contacts"}


def test_a_query_with_a_key_and_no_word_of_a_ledger_has_none_as_ever(warehouse: Warehouse, sandbox: Any) -> None:
    fill(warehouse, PEOPLE)
    lists, _ = transfer(launch_key="key", contacts_table="ringg_contacts")
    assert lists[0]["ledger_conn_id"] is None
    assert warehouse.tables() == {"people", "ringg_contacts"}


@pytest.mark.parametrize("broken", ["no such schema", "a table of somebody else's", "no right to write"])
def test_people_that_cannot_be_noted_are_not_uploaded_at_any_attempt(
    broken: str, redshift: Warehouse, warehouse: Warehouse, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt uploaded the whole list once more, and failed then."""
    fill(redshift, PEOPLE)
    monkeypatch.setenv("AIRFLOW_CONN_STATE", warehouse.connection)
    table = "nowhere.ringg_contacts" if broken == "no such schema" else "ringg_contacts"
    if broken == "a table of somebody else's":
        warehouse.execute("CREATE TABLE ringg_contacts (launch_key TEXT, phone TEXT, owner TEXT NOT NULL)")
    if broken == "no right to write":
        create_ringg_tables(warehouse.engine)
        warehouse.execute(f"ALTER DATABASE {warehouse.engine.url.database} SET default_transaction_read_only TO on")
    for _ in range(3):
        with pytest.raises(AirflowFailException, match=f"table '{table}'"):
            transfer(sql_conn_id="redshift", state_conn_id="state", contacts_table=table)
    assert uploaded(sandbox) == []


def test_a_blank_state_database_is_no_way_to_have_none(warehouse: Warehouse, sandbox: Any) -> None:
    with pytest.raises(AirflowFailException, match="state_conn_id: must not be blank"):
        transfer(state_conn_id="", launch_key="key")


@pytest.mark.parametrize(
    "operator", [RinggCallsToSqlOperator, SmartAlexCallsToSqlOperator, SmartAlexCallbacksToSqlOperator]
)
def test_a_history_is_loaded_into_the_state_database(
    operator: Any, redshift: Warehouse, state: Warehouse, sandbox: Any
) -> None:
    # A SmartAlex connection is of another field; each of the two operators has its own.
    platform = "ringg" if operator is RinggCallsToSqlOperator else "smartalex"
    given = {"task_id": "t", f"{platform}_conn_id": f"{platform}_sandbox"}
    context: Any = {"ti": TaskInstance()}
    with pytest.raises(AirflowFailException, match="sql_conn_id: redshift is not a transactional database"):
        operator(sql_conn_id="redshift", **given).execute(context)
    with pytest.raises(AirflowFailException, match="state_conn_id: must be given"):
        operator(**given).execute(context)
    if platform == "ringg":
        operator(sql_conn_id="redshift", state_conn_id="state", bulk_list_ids=[], **given).execute(context)
        assert "ringg_calls" in state.tables()
    assert redshift.tables() == set()


def test_the_tables_are_made_and_asked_for_in_no_warehouse(redshift: Warehouse) -> None:
    with pytest.raises(InvalidRequest, match="engine: redshift is not a transactional database"):
        create_ringg_tables(redshift.engine)
    with pytest.raises(InvalidRequest, match="engine: redshift is not a transactional database"):
        require_history_within(redshift.engine, timedelta(days=1), history_table_may_be_missing=True)
    with pytest.raises(InvalidRequest, match="state_conn_id: redshift is not a transactional database"):
        create_ringg_tables(state_conn_id="redshift")
    for given in ({}, {"engine": redshift.engine, "state_conn_id": "redshift"}):
        with pytest.raises(InvalidRequest, match="engine, state_conn_id: give one of them"):
            require_history_within(within=timedelta(days=1), **given)
    assert redshift.tables() == set()
