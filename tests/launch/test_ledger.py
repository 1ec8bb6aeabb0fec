"""The launch ledger on real databases: who may start a list is settled by one atomic step, whoever races."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.schema import CreateTable

from ringg_provider.exceptions import InvalidRequest, LaunchedByAnotherRun, ReplacedByAnotherRun, WrongState
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger, SetNotes
from ringg_provider.launch.table import LONGEST_KEY, Launcher, launches
from ringg_provider.launch.terms import Intent
from tests.support.databases import Warehouse, each_of

KEY = "renewals-2026-11-20"


database = each_of("warehouse", "sqlite_warehouse", "mariadb_warehouse")


@pytest.fixture
def ledger(database: Warehouse) -> LaunchLedger:
    return LaunchLedger(database.engine)


def item(list_id: str, **more: Any) -> LaunchItem:
    """One list as `SqlToRinggOperator` uploads it."""
    values: dict[str, Any] = {"flow": "standard", "call_config": {"call_time": {}}, "rows": 3, "launch_key": KEY} | more
    return LaunchItem(list_id=list_id, agent_id="agent-1", country_code="+91", **values)


def intent(list_id: str, mark: str = "same") -> Intent:
    return Intent(list_id, mark, {"list_id": list_id, "agent_id": "agent-1"})


def states(ledger_or_database: Warehouse) -> dict[str, str]:
    return {row["list_id"]: row["state"] for row in ledger_or_database.query("SELECT * FROM ringg_launches")}


def all_at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Run `act(0)`, `act(1)`, ... in threads that are let go together."""
    barrier = threading.Barrier(count)

    def wait_and_act(number: int) -> Any:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_act, range(count)))


# Claims.


def test_of_many_threads_that_claim_a_list_exactly_one_wins(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a")])
    answers = all_at_once(12, lambda number: ledger.for_key(KEY).claim(intent("a", f"worker {number}")))
    assert answers.count(None) == 1
    winner = ledger.for_key(KEY).find("a")
    assert winner is not None
    assert all(answer == winner for answer in answers if answer is not None)


def _claim_in_a_process(url: str, number: int, ready: Any, answers: Any) -> None:
    engine = sa.create_engine(url)
    ledger = LaunchLedger(engine)
    ready.wait()
    answers.put((number, ledger.for_key(KEY).claim(intent("a", f"process {number}")) is None))
    engine.dispose()


def test_of_several_processes_that_claim_a_list_exactly_one_wins(database: Warehouse) -> None:
    LaunchLedger(database.engine).replace_set(KEY, [item("a")])
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=_claim_in_a_process, args=(database.url, number, ready, answers)) for number in range(4)
    ]
    for process in processes:
        process.start()
    won = [answers.get(timeout=60)[1] for _ in processes]
    for process in processes:
        process.join(60)
    assert Counter(won) == {True: 1, False: 3}


def test_whoever_does_not_get_the_claim_is_given_the_intent_that_stands(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a"), item("b")])
    assert ledger.for_key(KEY).claim(intent("a", "first")) is None
    assert ledger.for_key(KEY).claim(intent("a", "second")) == intent("a", "first")
    assert ledger.for_key(KEY).claim(intent("b")) is None


def test_an_intent_outlives_the_process_that_claimed_and_is_found_again_whole(
    database: Warehouse, ledger: LaunchLedger
) -> None:
    ledger.replace_set(KEY, [item("a")])
    ledger.for_key(KEY).claim(intent("a"))
    again = LaunchLedger(sa.create_engine(database.url)).for_key(KEY).find("a")
    assert again == Intent("a", "same", {"list_id": "a", "agent_id": "agent-1"})


def test_a_list_that_was_listed_and_never_claimed_has_no_intent(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a")])
    assert ledger.for_key(KEY).find("a") is None


def test_a_claim_can_be_withdrawn_only_by_who_made_it(ledger: LaunchLedger, database: Warehouse) -> None:
    ledger.replace_set(KEY, [item("a")])
    mine, other = ledger.for_key(KEY), ledger.for_key(KEY)
    mine.claim(intent("a"))
    other.forget(intent("a"))
    assert states(database) == {"a": "start_sent"}
    mine.forget(intent("a"))
    assert states(database) == {"a": "listed"}
    assert other.claim(intent("a", "next")) is None


def test_a_confirmed_start_is_never_withdrawn(ledger: LaunchLedger, database: Warehouse) -> None:
    ledger.replace_set(KEY, [item("a")])
    mine = ledger.for_key(KEY)
    mine.claim(intent("a"))
    mine.confirm("a")
    mine.forget(intent("a"))
    assert states(database) == {"a": "started"}
    assert ledger.for_key(KEY).claim(intent("a")) == replace(intent("a"), confirmed=True)


# Sets.


def test_nothing_stands_under_a_key_that_was_never_used(ledger: LaunchLedger) -> None:
    assert ledger.started_set(KEY) is None


def test_a_set_that_was_not_started_is_replaced_whole_and_its_lists_can_never_be_started(
    ledger: LaunchLedger, database: Warehouse
) -> None:
    ledger.replace_set(KEY, [item("a"), item("b")])
    assert ledger.replace_set(KEY, [item("c")]) == [item("c")]
    assert states(database) == {"a": "replaced", "b": "replaced", "c": "listed"}
    with pytest.raises(ReplacedByAnotherRun):
        ledger.for_key(KEY).find("a")
    with pytest.raises(ReplacedByAnotherRun):
        ledger.for_key(KEY).claim(intent("b"))
    assert ledger.for_key(KEY).claim(intent("c")) is None


def test_once_one_list_was_claimed_the_stored_set_is_returned_in_its_order_instead_of_the_new_one(
    ledger: LaunchLedger,
) -> None:
    items = [item(f"list-{number}") for number in range(12)]
    ledger.replace_set(KEY, items)
    ledger.for_key(KEY).claim(intent("list-7"))
    assert ledger.started_set(KEY) == items
    assert ledger.replace_set(KEY, [item("new")]) == items
    with pytest.raises(LaunchedByAnotherRun):
        ledger.for_key(KEY).claim(intent("new"))
    assert ledger.for_key(KEY).claim(intent("list-0")) is None, "the rest of the stored set can still be started"


def test_whoever_writes_under_a_key_can_ask_whether_his_set_still_stands(
    ledger: LaunchLedger, database: Warehouse
) -> None:
    ours, theirs = [item("a"), item("b")], [item("c")]
    ledger.replace_set(KEY, ours)
    database.execute("CREATE TABLE written (text VARCHAR(10))")
    elsewhere = sa.create_engine("sqlite://")
    with database.engine.begin() as writing, elsewhere.begin() as beside:
        writing.execute(sa.text("INSERT INTO written VALUES ('x')"))
        assert ledger.stands(KEY, ours, writing)
        assert ledger.stands(KEY, ours, beside)
    ledger.replace_set(KEY, theirs)
    with database.engine.begin() as writing, elsewhere.begin() as beside:
        writing.execute(sa.text("INSERT INTO written VALUES ('y')"))
        assert [ledger.stands(KEY, items, writing) for items in (ours, theirs)] == [False, True]
        assert [ledger.stands(KEY, items, beside) for items in (ours, theirs)] == [False, True]


def test_a_withdrawn_claim_lets_the_set_be_replaced_again(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a")])
    store = ledger.for_key(KEY)
    store.claim(intent("a"))
    store.forget(intent("a"))
    assert ledger.started_set(KEY) is None
    assert ledger.replace_set(KEY, [item("b")]) == [item("b")]


def test_keys_do_not_know_of_each_other(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a")])
    ledger.for_key(KEY).claim(intent("a"))
    assert ledger.started_set("another") is None
    assert ledger.replace_set("another", [item("b")]) == [item("b")]
    assert ledger.for_key("another").claim(intent("b")) is None


def test_an_empty_set_replaces_lists_that_are_not_to_be_called_any_more(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a")])
    assert ledger.replace_set(KEY, []) == []
    with pytest.raises(WrongState):
        ledger.for_key(KEY).claim(intent("a"))


def test_a_list_may_not_be_in_a_set_twice(ledger: LaunchLedger) -> None:
    with pytest.raises(InvalidRequest, match="twice") as caught:
        ledger.replace_set(KEY, [item("a"), item("a")])
    assert caught.value.field == "items"


def test_however_claims_and_replacements_race_only_lists_of_one_set_are_ever_claimed(ledger: LaunchLedger) -> None:
    for turn in range(8):
        key = f"{KEY}-{turn}"
        ledger.replace_set(key, [item(f"old-{turn}-{n}") for n in range(2)])
        claimed: list[str] = []

        def race(number: int, key: str = key, turn: int = turn, claimed: list[str] = claimed) -> None:
            store = ledger.for_key(key)
            if number % 2:
                mine = [item(f"new-{turn}-{number}-{n}") for n in range(2)]
                to_start = [str(entry.list_id) for entry in ledger.replace_set(key, mine)]
            else:
                to_start = [f"old-{turn}-{n}" for n in range(2)]
            for list_id in to_start:
                try:
                    if store.claim(intent(list_id)) is None:
                        claimed.append(list_id)
                except (LaunchedByAnotherRun, ReplacedByAnotherRun):
                    pass

        all_at_once(6, race)
        assert len(claimed) == len(set(claimed)) == 2, claimed
        assert len({list_id.rsplit("-", 1)[0] for list_id in claimed}) == 1, f"lists of two sets: {claimed}"
        stored = ledger.started_set(key)
        assert stored is not None
        assert {entry.list_id for entry in stored} == set(claimed)


# Lists that gave way to those of another run.

OURS, THEIRS = Launcher("nightly", "run-1", "launch"), Launcher("nightly", "run-2", "launch")


def test_lists_that_gave_way_to_launched_ones_end_with_the_name_of_the_run_that_launched(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a")], OURS)
    ledger.replace_set(KEY, [item("b")], THEIRS)
    with pytest.raises(ReplacedByAnotherRun, match="clear the whole run, not this task alone"):
        ledger.for_key(KEY, launcher=OURS).find("a")
    ledger.for_key(KEY, launcher=THEIRS).claim(intent("b"))
    for ask in (lambda: ledger.for_key(KEY, launcher=OURS).find("a"), lambda: ledger.for_key(KEY).claim(intent("a"))):
        with pytest.raises(LaunchedByAnotherRun, match="run run-2 of DAG nightly launched its key"):
            ask()
    assert ledger.started_set(KEY) == [item("b")], "the whole run, when it is cleared, adopts"


def test_a_claim_that_was_withdrawn_is_no_launch(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a")], OURS)
    ledger.replace_set(KEY, [item("b")], THEIRS)
    theirs = ledger.for_key(KEY, launcher=THEIRS)
    theirs.claim(intent("b"))
    theirs.forget(intent("b"))
    with pytest.raises(ReplacedByAnotherRun):
        ledger.for_key(KEY, launcher=OURS).find("a")


def test_two_tasks_of_one_run_that_share_a_key_are_a_mistake_and_no_race(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a")], OURS)
    ledger.replace_set(KEY, [item("b")], OURS)
    ledger.for_key(KEY, launcher=OURS).claim(intent("b"))
    with pytest.raises(WrongState, match=r"of this very run launched its key .* a key of its own"):
        ledger.for_key(KEY, launcher=OURS).find("a")


def test_lists_that_were_replaced_by_nobody_to_call_are_not_waited_for(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a")])
    ledger.replace_set(KEY, [])
    with pytest.raises(WrongState, match=r"not in the present set.*clear the whole run") as caught:
        ledger.for_key(KEY).find("a")
    assert "another key" not in str(caught.value), "it would call everybody again"


def test_who_uploaded_and_then_who_launched_stands_in_the_row(ledger: LaunchLedger, database: Warehouse) -> None:
    ledger.replace_set(KEY, [item("a")], Launcher("nightly", "run-1", "upload"))
    query = "SELECT dag_id, run_id, task_id, map_index, conn_id FROM ringg_launches"
    uploaded = {"dag_id": "nightly", "run_id": "run-1", "task_id": "upload", "map_index": -1, "conn_id": None}
    assert database.query(query) == [uploaded]
    ledger.for_key(KEY, launcher=replace(OURS, map_index=3, conn_id="ringg")).claim(intent("a"))
    assert database.query(query) == [uploaded | {"task_id": "launch", "map_index": 3, "conn_id": "ringg"}]


def test_what_people_are_shown_of_a_set_stands_in_each_of_its_rows(ledger: LaunchLedger, database: Warehouse) -> None:
    notes = SetNotes({"a": "Renewals (1 of 2)", "b": "Renewals (2 of 2)"}, {"listed": 6, "suppressed": 1})
    ledger.replace_set(KEY, [item("a"), item("b")], notes=notes)
    with database.engine.connect() as connection:
        rows = connection.execute(sa.select(launches.c.name, launches.c.reasons).order_by(launches.c.list_id)).all()
    assert rows == [(notes.names["a"], notes.reasons), (notes.names["b"], notes.reasons)]


# A list that was saved by hand and is started with a key that has no set.


def test_the_first_list_that_is_started_under_a_key_without_a_set_is_its_set(ledger: LaunchLedger) -> None:
    assert ledger.for_key(KEY).find("first") is None
    assert ledger.for_key(KEY).claim(intent("first")) is None
    assert ledger.for_key(KEY).find("second") == intent("first"), "the other list is not started; the first is adopted"
    assert ledger.for_key(KEY).claim(intent("second")) == intent("first")
    stored = ledger.started_set(KEY)
    assert stored is not None
    assert [(entry.list_id, entry.flow, entry.agent_id) for entry in stored] == [("first", "standard", "agent-1")]


def test_of_many_lists_that_race_to_be_the_first_under_a_key_one_wins(ledger: LaunchLedger) -> None:
    answers = all_at_once(10, lambda number: ledger.for_key(KEY).claim(intent(f"list-{number}")))
    assert answers.count(None) == 1
    assert len({answer.list_id for answer in answers if answer is not None}) == 1


def test_a_first_list_whose_claim_was_withdrawn_leaves_room_for_another(ledger: LaunchLedger) -> None:
    store = ledger.for_key(KEY)
    store.claim(intent("first"))
    store.forget(intent("first"))
    assert ledger.for_key(KEY).claim(intent("second")) is None


def test_a_list_outside_of_the_set_of_its_key_is_refused(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a")])
    with pytest.raises(WrongState, match="not in the present set"):
        ledger.for_key(KEY).find("stranger")
    with pytest.raises(WrongState):
        ledger.for_key(KEY).claim(intent("stranger"))


def test_a_list_that_had_been_started_before_it_got_a_key_becomes_the_first_list_of_the_key(
    ledger: LaunchLedger,
) -> None:
    ledger.for_key(KEY).confirm("started before")
    assert ledger.started_set(KEY) is not None
    standing = ledger.for_key(KEY).find("another list of the same people")
    assert standing is not None
    assert standing.list_id == "started before"
    ledger.for_key(KEY).confirm("started before")
    assert ledger.for_key(KEY).claim(intent("another")) == standing


def test_adopting_a_list_of_the_set_that_was_started_by_hand_marks_the_set_as_started(ledger: LaunchLedger) -> None:
    ledger.replace_set(KEY, [item("a"), item("b")])
    ledger.for_key(KEY).confirm("a")
    assert ledger.started_set(KEY) == [item("a"), item("b")]
    assert ledger.replace_set(KEY, [item("c")]) == [item("a"), item("b")]


def test_all_that_was_known_of_the_first_list_is_given_to_who_comes_after(ledger: LaunchLedger) -> None:
    known = item("first", flow="large", campaign_start_time="2026-11-20 10:00:00")
    ledger.for_key(KEY, item=known).claim(intent("first"))
    assert ledger.started_set(KEY) == [known]
    ledger.for_key("another", item=known).confirm("first")
    assert ledger.started_set("another") == [known]


# The table of an older version.

#: As version 0.1 made it.
OLD_TABLE = """
    CREATE TABLE ringg_launches (
        launch_key VARCHAR(250) NOT NULL, list_id VARCHAR(100) NOT NULL, slot VARCHAR(100) NOT NULL,
        set_id VARCHAR(36) NOT NULL, flow VARCHAR(20), rows INTEGER, digest VARCHAR(64) NOT NULL,
        agent_id VARCHAR(100), state VARCHAR(20) NOT NULL, item JSON NOT NULL, intent JSON, claim VARCHAR(36),
        listed_at TIMESTAMP NOT NULL, start_sent_at TIMESTAMP, started_at TIMESTAMP,
        PRIMARY KEY (launch_key, list_id), CONSTRAINT ringg_launches_one_set UNIQUE (launch_key, slot))
"""
LARGE = {"bulk_list_id": "a", "agent_id": "agent-1", "country_code": "+91", "call_config": {"call_time": {}}}
#: Key -> its rows: list, place, state, whether it is of a set, and its start request.
OLD_ROWS: dict[str, list[tuple[str, str, str, bool, dict[str, Any] | None]]] = {
    "listed": [("a", "0", "listed", True, None), ("b", "1", "listed", True, None)],
    "sent": [("b", "1", "listed", True, None), ("a", "0", "start_sent", True, {"list_id": "a"})],
    "started": [("a", "0", "started", True, {"list_id": "a"}), ("old", "old", "replaced", True, None)],
    "first sent": [("a", "0", "start_sent", False, {"list_id": "a", "agent_id": "agent-1"})],
    "first large": [("a", "0", "started", False, LARGE)],
    "first of SmartAlex": [("a", "0", "started", False, {"campaign_id": "a"})],
    "first adopted": [("a", "0", "started", False, None)],
}


@pytest.fixture
def old_database(database: Warehouse) -> Warehouse:
    """A ledger that an older version made and filled."""
    rows = database.engine.dialect.identifier_preparer.quote("rows")  # a word of MySQL's own
    database.execute(OLD_TABLE.replace(" rows ", f" {rows} "))
    for key, rows in OLD_ROWS.items():
        for row in rows:
            write_old_row(database, key, *row)
    return database


def write_old_row(
    database: Warehouse, key: str, list_id: str, slot: str, state: str, in_set: bool, request: dict[str, Any] | None
) -> None:
    """Write a row as an older version did."""
    known = item(list_id).as_xcom() if in_set else {"list_id": list_id}
    database.execute(
        """INSERT INTO ringg_launches (launch_key, list_id, slot, set_id, flow, digest, state, item, intent, listed_at)
        VALUES (:key, :list_id, :slot, 'set', :flow, 'digest', :state, :item, :intent, CURRENT_TIMESTAMP)""",
        key=key,
        list_id=list_id,
        slot=slot,
        flow="standard" if in_set else None,
        state=state,
        item=json.dumps(known),
        intent=None if request is None else json.dumps({"fingerprint": "same", "request": request}),
    )


def test_the_rows_of_an_older_version_mean_what_they_meant(old_database: Warehouse) -> None:
    ledger = LaunchLedger(old_database.engine)
    assert ledger.started_set("listed") is None
    assert ledger.for_key("listed").claim(intent("b")) is None
    assert ledger.started_set("listed") == [item("a"), item("b")]
    assert ledger.replace_set("sent", [item("new")]) == [item("a"), item("b")]
    assert ledger.for_key("sent").find("a") == Intent("a", "same", {"list_id": "a"})
    assert ledger.for_key("sent").find("b") is None
    with pytest.raises(LaunchedByAnotherRun, match="another run launched its key"):
        ledger.for_key("started").find("old")
    with pytest.raises(LaunchedByAnotherRun):
        ledger.for_key("started").claim(intent("a stranger"))


def test_the_first_lists_of_an_older_version_are_adopted_in_the_place_of_any_other(old_database: Warehouse) -> None:
    ledger = LaunchLedger(old_database.engine)
    for key in (key for key in OLD_ROWS if key.startswith("first")):
        standing = ledger.for_key(key).claim(intent("another"))
        assert standing is not None
        assert standing.list_id == "a"
    told = {key: ledger.started_set(key) for key in OLD_ROWS if key.startswith("first")}
    bare = LaunchItem(list_id="a", flow="standard", agent_id="", country_code="")
    assert told == {
        "first sent": [replace(bare, agent_id="agent-1")],
        "first large": [
            replace(bare, flow="large", agent_id="agent-1", country_code="+91", call_config={"call_time": {}})
        ],
        "first of SmartAlex": [replace(bare, flow="smartalex")],
        "first adopted": [bare],
    }


def test_workers_of_both_versions_may_share_the_table(old_database: Warehouse) -> None:
    ledger = LaunchLedger(old_database.engine)
    write_old_row(old_database, "late set", "a", "0", "started", True, {"list_id": "a"})
    write_old_row(old_database, "late first", "a", "0", "started", False, {"list_id": "a"})
    with pytest.raises(LaunchedByAnotherRun):
        ledger.for_key("late set").find("another")
    standing = ledger.for_key("late first").find("another")
    assert standing is not None
    assert standing.list_id == "a"


def test_an_older_table_gets_the_new_columns_and_keeps_its_rows_also_when_many_come_at_once(
    old_database: Warehouse,
) -> None:
    before = old_database.query("SELECT * FROM ringg_launches ORDER BY launch_key, list_id")
    all_at_once(6, lambda _: LaunchLedger(sa.create_engine(old_database.url)).started_set(KEY))
    after = old_database.query("SELECT * FROM ringg_launches ORDER BY launch_key, list_id")
    added = ("origin", "dag_id", "run_id", "task_id", "map_index", "conn_id", "name", "reasons")
    assert after == [row | dict.fromkeys(added) for row in before]


# The table.


def test_the_table_is_made_at_the_first_use_also_when_many_come_at_once(database: Warehouse) -> None:
    all_at_once(8, lambda _: LaunchLedger(sa.create_engine(database.url)).started_set(KEY))
    assert "ringg_launches" in database.tables()


def test_the_table_lives_in_the_schema_that_was_asked_for(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE SCHEMA calling")
    ledger = LaunchLedger(warehouse.engine, schema="calling")
    ledger.replace_set(KEY, [item("a")])
    assert ledger.for_key(KEY).claim(intent("a")) is None
    assert warehouse.tables() == set()
    assert warehouse.query("SELECT state FROM calling.ringg_launches") == [{"state": "start_sent"}]
    assert LaunchLedger(warehouse.engine, schema="calling").started_set(KEY) == [item("a")]


def test_a_database_that_cannot_create_the_table_says_so_itself(warehouse: Warehouse) -> None:
    with pytest.raises(sa.exc.ProgrammingError):
        LaunchLedger(warehouse.engine, schema="missing")
    assert warehouse.tables() == set()


@pytest.mark.parametrize("dialect", [postgresql, mysql, sqlite], ids=lambda module: module.__name__.rsplit(".")[-1])
def test_the_unique_keys_that_the_claims_rely_on_are_part_of_the_table(dialect: Any) -> None:
    statement = str(CreateTable(launches).compile(dialect=dialect.dialect()))
    assert "PRIMARY KEY (launch_key, list_id)" in statement
    assert "UNIQUE (launch_key, slot)" in statement


@pytest.fixture
def pretended_dialects() -> Iterator[Callable[[str], Any]]:
    """Engines that only say what they are: their drivers are not here, and nothing is to be sent to them."""

    def engine(name: str) -> Any:
        mock = sa.create_mock_engine("postgresql://", lambda *_, **__: pytest.fail("something was sent"))
        mock.dialect.name = name
        return mock

    return engine  # type: ignore[return-value]


@pytest.mark.parametrize("name", ["duckdb", "snowflake", "bigquery", "redshift", "databricks", "trino", "clickhouse"])
def test_a_database_that_only_declares_keys_is_refused_with_the_reason(
    name: str, pretended_dialects: Callable[[str], Any]
) -> None:
    with pytest.raises(InvalidRequest, match=f"{name} does not enforce unique keys") as caught:
        LaunchLedger(pretended_dialects(name))
    assert caught.value.field == "ledger_conn_id"
    assert "PostgreSQL" in str(caught.value)


@pytest.mark.parametrize("name", ["mssql", "oracle"])
def test_a_database_that_could_but_was_not_tried_is_refused_for_just_that(
    name: str, pretended_dialects: Callable[[str], Any]
) -> None:
    said = rf"ledger_conn_id: nobody has tried whether {name} does all that the launch ledger needs\. Set state_conn_id"
    with pytest.raises(InvalidRequest, match=said):
        LaunchLedger(pretended_dialects(name))


def test_a_redshift_behind_the_hook_of_postgresql_is_refused_too(redshift: Warehouse) -> None:
    with pytest.raises(InvalidRequest, match="redshift does not enforce unique keys"):
        LaunchLedger(redshift.engine)


@pytest.mark.parametrize("key", ["renewals-None", "None"])
def test_a_key_whose_template_was_empty_is_refused(ledger: LaunchLedger, key: str) -> None:
    with pytest.raises(InvalidRequest, match="ends in 'None'"):
        ledger.started_set(key)


@pytest.mark.parametrize("key", ["", "k" * (LONGEST_KEY + 1)])
def test_a_key_that_the_table_cannot_hold_is_refused_everywhere(ledger: LaunchLedger, key: str) -> None:
    for use in (ledger.started_set, ledger.for_key, lambda key: ledger.replace_set(key, [item("a")])):
        with pytest.raises(InvalidRequest, match="launch_key: must have 1 to 250 characters") as caught:
            use(key)
        assert caught.value.field == "launch_key"


def test_a_key_of_the_greatest_length_works(ledger: LaunchLedger) -> None:
    key = "ü" * LONGEST_KEY
    ledger.replace_set(key, [item("a")])
    assert ledger.for_key(key).claim(intent("a")) is None


def test_a_row_holds_ids_counts_and_settings_and_nobodys_number_or_name(
    ledger: LaunchLedger, database: Warehouse
) -> None:
    ledger.replace_set(KEY, [item("a")])
    ledger.for_key(KEY).claim(intent("a"))
    (row,) = database.query("SELECT * FROM ringg_launches")
    assert set(row) == {
        "launch_key", "list_id", "slot", "set_id", "flow", "rows", "digest", "agent_id", "state", "item", "intent",
        "claim", "listed_at", "start_sent_at", "started_at", "origin", "dag_id", "run_id", "task_id",
        "map_index", "conn_id", "name", "reasons",
    }  # fmt: skip
    assert row["rows"] == 3
    assert row["agent_id"] == "agent-1"
    assert row["listed_at"] is not None
    assert row["start_sent_at"] is not None
    assert row["started_at"] is None
