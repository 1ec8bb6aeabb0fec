"""The copy equals the state after a publication, whoever changed what, and whatever became of either side meanwhile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.exceptions import DatabaseUnavailable, InvalidRequest, QueryFailed, WrongState
from ringg_provider.publish.marks import Marks, publications_table
from ringg_provider.publish.sinks.sql import SqlSink
from tests.publish.copies import AT, CALLS, CONTACTS, SMARTALEX, Copy, call, contact, rows_of, write
from tests.support.databases import Warehouse

Connect = Callable[[], sa.Engine]


@pytest.fixture(params=["postgresql", "duckdb", "sqlite", "mariadb", "from mariadb"])
def copy(request: pytest.FixtureRequest, warehouse: Warehouse, postgres: Any, tmp_path: Path) -> Iterator[Copy]:
    """A state in PostgreSQL, and an empty warehouse of each kind; or a state in MariaDB."""
    if "mariadb" in request.param:
        mariadb = request.getfixturevalue("mariadb_warehouse").engine
        pair = (warehouse.engine, mariadb) if request.param == "mariadb" else (mariadb, warehouse.engine)
        yield Copy(*pair)
        return
    if request.param == "postgresql":
        name = f"{warehouse.url.rpartition('/')[2].partition('?')[0]}_copy"
        engine = sa.create_engine(postgres.create_database(name))
    else:
        engine = sa.create_engine(f"{request.param}:///{tmp_path / 'copy.db'}")
    yield Copy(warehouse.engine, engine)
    engine.dispose()
    if request.param == "postgresql":
        postgres.drop_database(name)


@pytest.fixture
def lite(tmp_path: Path, warehouse: Warehouse) -> Iterator[Copy]:
    """For what does not depend on the warehouse."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'copy.db'}")
    yield Copy(warehouse.engine, engine, [CONTACTS, CALLS])
    engine.dispose()


@pytest.fixture(params=["postgresql", "sqlite", "mariadb"])
def of_state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Copy]:
    """For what depends on the state: each kind of database that holds one."""
    if request.param == "sqlite":
        state = sa.create_engine(f"sqlite:///{tmp_path / 'state.db'}")
    else:
        state = request.getfixturevalue({"mariadb": "mariadb_warehouse"}.get(request.param, "warehouse")).engine
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'copy.db'}")
    yield Copy(state, engine, [CONTACTS, CALLS])
    engine.dispose()


def test_all_comes_over_once_and_then_nothing(copy: Copy) -> None:
    write(copy.state, sa.insert(CALLS), [call(f"call-{number}") for number in range(1_200)])
    write(copy.state, sa.insert(CONTACTS), [contact(f"person-{number}") for number in range(3)])
    counts = copy.publish()
    assert (counts.rows, counts.gone, counts.whole) == (1_203, 0, 5)
    assert counts.bytes > 0
    assert counts.statements > 0
    assert copy.difference() == []
    again = copy.publish()
    assert (again.rows, again.gone, again.bytes, again.whole) == (0, 0, 0, 0)
    assert copy.difference() == []


def test_whatever_changed_comes_over_and_nothing_else(copy: Copy) -> None:
    write(copy.state, sa.insert(CALLS), [call(f"call-{number}") for number in range(10)])
    copy.publish()
    long_ago = dt.datetime(1999, 1, 1, tzinfo=dt.UTC)
    # A clock that went back, and a transaction that was committed late: no time says that there is anything new.
    write(copy.state, sa.update(CALLS).where(CALLS.c.call_id == "call-1").values(status="failed", read_at=long_ago))
    write(copy.state, sa.insert(CALLS), [call("late", read_at=long_ago, changed_at=long_ago)])
    write(copy.state, sa.delete(CALLS).where(CALLS.c.call_id == "call-2"))
    counts = copy.publish()
    assert (counts.rows, counts.gone, counts.whole) == (2, 1, 0)
    assert copy.difference() == []


def test_a_change_of_any_column_alone_is_found(of_state: Copy) -> None:
    names = [column.name for column in CALLS.columns if not column.primary_key]
    given = {name: _of(CALLS.c[name], "one") for name in names}
    write(of_state.state, sa.insert(CALLS), [call(f"of {name}", **given) for name in names])
    of_state.publish()
    for another in (True, False):
        for name in names:
            value = _of(CALLS.c[name], "another") if another else sa.null()
            write(of_state.state, sa.update(CALLS).where(CALLS.c.call_id == f"of {name}").values({name: value}))
        assert of_state.publish().rows == len(names)
        assert of_state.difference() == []


def test_what_was_masked_is_found_though_it_has_the_same_length(of_state: Copy) -> None:
    write(of_state.state, sa.insert(CALLS), [call("a", transcript=[{"text": "secret"}], summary="secret")])
    of_state.publish()
    for masked in ({"transcript": [{"text": "masked"}]}, {"summary": "masked"}):
        write(of_state.state, sa.update(CALLS).values(**masked))
        assert of_state.publish().rows == 1
    assert "secret" not in repr(rows_of(of_state.warehouse, CALLS))
    assert of_state.difference() == []


def _of(column: sa.Column[Any], word: str) -> Any:
    match type(column.type).__name__:
        case "UtcDateTime":
            return AT + dt.timedelta(microseconds=len(word))
        case "Boolean":
            return word == "one"
        case "BigInteger" | "Integer" | "Numeric":
            return len(word)
        case "Json":
            return {"word": word}
    return word


def test_what_was_erased_here_is_gone_there(copy: Copy) -> None:
    secret = {"transcript": [{"text": "secret"}], "summary": "secret", "raw": {"name": "secret"}}
    write(copy.state, sa.insert(CALLS), [call("call", callee_name="secret", client_analysis={"a": "secret"}, **secret)])
    write(copy.state, sa.insert(SMARTALEX), [{"call_id": "call", "callee_name": "secret", "read_at": AT, **secret}])
    write(copy.state, sa.insert(CONTACTS), [contact("+919845000001"), contact("mine")])
    copy.publish()
    assert "secret" in repr(rows_of(copy.warehouse, CALLS))
    # By hand, as docs/tables.md has it, and as somebody might who has not read it.
    gone = {"transcript": None, "summary": None, "raw": None, "callee_name": None}
    write(copy.state, sa.update(CALLS).values(client_analysis={"a": "erased"}, **gone))
    write(copy.state, sa.update(SMARTALEX).values(**gone))
    key = CONTACTS.c.contact_key
    write(copy.state, sa.update(CONTACTS).where(key == CONTACTS.c.phone).values(contact_key="sha:1", phone="sha:1"))
    write(copy.state, sa.delete(CONTACTS).where(key == "mine"))
    copy.publish()
    everything = repr([rows_of(copy.warehouse, table) for table in (CALLS, SMARTALEX, CONTACTS)])
    assert "secret" not in everything
    assert [row["contact_key"] for row in rows_of(copy.warehouse, CONTACTS)] == ["sha:1"]
    assert copy.difference() == []


def test_the_view_says_in_the_warehouse_what_it_says_here(copy: Copy) -> None:
    write(copy.state, sa.insert(CALLS), [call("call")])
    write(copy.state, sa.insert(CONTACTS), [contact("person"), contact("nobody", phone="+1", list_id="other")])
    for _ in range(2):
        copy.publish()
    with copy.warehouse.connect() as connection:
        rows = connection.execute(sa.text("SELECT contact_key, reached, calls FROM ringg_outcomes ORDER BY 1")).all()
    assert [(key, bool(was), calls) for key, was, calls in rows] == [("nobody", False, 0), ("person", True, 1)]


def test_a_schema_of_its_own(warehouse: Warehouse, postgres: Any) -> None:
    warehouse.execute("CREATE SCHEMA copy")
    copy = Copy(warehouse.engine, warehouse.engine, schema="copy")
    write(copy.state, sa.insert(CALLS), [call("call")])
    write(copy.state, sa.insert(CONTACTS), [contact("person")])
    for _ in range(2):
        copy.publish()
        assert copy.difference() == []
    assert warehouse.query("SELECT calls FROM copy.ringg_outcomes") == [{"calls": 1}]


def test_a_state_from_a_backup_is_what_the_copy_shows(copy: Copy) -> None:
    write(copy.state, sa.insert(CALLS), [call("old"), call("changed"), call("removed")])
    copy.publish()
    state = _back_up(copy.state)
    write(copy.state, sa.insert(CALLS), [call("newer")])
    write(copy.state, sa.update(CALLS).where(CALLS.c.call_id == "changed").values(status="failed"))
    write(copy.state, sa.delete(CALLS).where(CALLS.c.call_id == "removed"))
    copy.publish()
    copy.publish()
    _restore(copy.state, state)
    assert copy.difference() == ["ringg_calls"]
    assert copy.publish().whole == 1
    assert copy.difference() == []
    assert copy.publish().whole == 0


def test_a_warehouse_from_a_backup_is_brought_up_to_the_state(copy: Copy) -> None:
    write(copy.state, sa.insert(CALLS), [call("old"), call("changed")])
    copy.publish()
    then = _back_up(copy.warehouse)
    write(copy.state, sa.update(CALLS).where(CALLS.c.call_id == "changed").values(status="failed"))
    copy.publish()
    _restore(copy.warehouse, then)
    copy.publish()
    assert copy.difference() == []


def _back_up(engine: sa.Engine) -> list[str]:
    names = [name for name in sa.inspect(engine).get_table_names() if name.startswith(("ringg_", "smartalex_"))]
    for name in names:
        write(engine, sa.text(f"CREATE TABLE backup_{name} AS SELECT * FROM {name}"))
    return names


def _restore(engine: sa.Engine, names: list[str]) -> None:
    for name in names:
        write(engine, sa.text(f"DELETE FROM {name}"))
        write(engine, sa.text(f"INSERT INTO {name} SELECT * FROM backup_{name}"))


@pytest.mark.parametrize(
    "harm",
    [
        "DROP TABLE ringg_calls",
        "DELETE FROM ringg_calls",
        "DELETE FROM ringg_calls WHERE call_id = 'a'",
        "UPDATE ringg_calls SET call_id = 'c', publication = 99 WHERE call_id = 'a'",
        "DROP TABLE ringg_publications",
        "ALTER TABLE ringg_calls DROP COLUMN summary",
    ],
)
def test_what_somebody_took_away_comes_back(copy: Copy, harm: str) -> None:
    write(copy.state, sa.insert(CALLS), [call("a", summary="said"), call("b", summary="said too")])
    copy.publish()
    with copy.warehouse.begin() as connection:
        connection.exec_driver_sql("DROP VIEW ringg_outcomes")
        connection.exec_driver_sql(harm)
    copy.publish()
    assert copy.difference() == []


def test_an_altered_column_is_refused_by_name(warehouse: Warehouse, postgres: Any) -> None:
    warehouse.execute("CREATE SCHEMA copy")
    copy = Copy(warehouse.engine, warehouse.engine, schema="copy")
    write(copy.state, sa.insert(CALLS), [call("a")])
    copy.publish()
    warehouse.execute("DROP VIEW copy.ringg_outcomes")
    warehouse.execute("ALTER TABLE copy.ringg_calls ALTER COLUMN sub_status TYPE integer USING 0")
    write(copy.state, sa.update(CALLS).values(sub_status="+919845000001"))
    with pytest.raises(InvalidRequest, match=r"copy\.ringg_calls .* in: sub_status") as raised:
        copy.publish()
    assert "9845" not in str(raised.value)
    # What narrows a column shows when a value does not fit, and the copy stays as it was.
    warehouse.execute("ALTER TABLE copy.ringg_calls ALTER COLUMN sub_status TYPE varchar(3) USING 'x'")
    with pytest.raises((QueryFailed, InvalidRequest)) as refused:
        copy.publish()
    assert "9845" not in str(refused.value)
    warehouse.execute("DROP TABLE copy.ringg_calls")
    copy.publish()
    assert copy.difference() == []


def test_a_view_in_a_tables_place_is_refused(warehouse: Warehouse, postgres: Any) -> None:
    warehouse.execute("CREATE SCHEMA copy")
    warehouse.execute("CREATE VIEW copy.ringg_calls AS SELECT 'x' AS call_id")
    copy = Copy(warehouse.engine, warehouse.engine, schema="copy")
    with pytest.raises(InvalidRequest, match=r"copy\.ringg_calls is a view"):
        copy.publish()


def test_a_schema_that_is_not_there_is_named_before_anything_is_read(lite: Copy, warehouse: Warehouse) -> None:
    lite.warehouse, lite.schema = warehouse.engine, "analytics"
    with pytest.raises(InvalidRequest, match="no schema 'analytics'") as raised:
        lite.publish()
    assert raised.value.field == "schema"
    assert "ringg_publications" not in warehouse.tables()


def test_who_may_not_create_is_told_so_before_anything_is_read(lite: Copy, warehouse: Warehouse) -> None:
    warehouse.execute("CREATE SCHEMA copy")
    warehouse.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    try:
        warehouse.execute("GRANT USAGE ON SCHEMA copy TO reader")
        url = warehouse.engine.url.set(username="reader", password="reader")
        lite.warehouse, lite.schema = sa.create_engine(url, poolclass=sa.pool.NullPool), "copy"
        with pytest.raises(QueryFailed, match="permission denied for schema copy"):
            lite.publish()
        assert "ringg_publications" not in warehouse.tables()
    finally:
        warehouse.execute("DROP OWNED BY reader")
        warehouse.execute("DROP ROLE reader")


def test_a_warehouse_that_is_not_there_is_tried_again(lite: Copy, warehouse: Warehouse) -> None:
    lite.warehouse = sa.create_engine(warehouse.engine.url.set(host="127.0.0.1", port=9, query={}))
    with pytest.raises(DatabaseUnavailable):
        lite.publish()


def test_a_slow_warehouse_runs_out_of_time_and_nothing_half_is_seen(warehouse: Warehouse, postgres: Any) -> None:
    warehouse.execute("CREATE SCHEMA copy")
    copy = Copy(warehouse.engine, warehouse.engine, schema="copy")
    write(copy.state, sa.insert(CALLS), [call("a")])
    copy.publish()
    write(copy.state, sa.update(CALLS).values(status="failed"))
    with warehouse.engine.begin() as busy:
        busy.execute(sa.text("LOCK TABLE copy.ringg_calls IN EXCLUSIVE MODE"))
        with pytest.raises(DatabaseUnavailable, match=r"57014|55P03"):
            copy.publish(sink=SqlSink(copy.warehouse, "copy", dt.timedelta(milliseconds=300)))
        assert [row["status"] for row in rows_of(copy.warehouse, CALLS, "copy")] == ["completed"]
    copy.publish("another task")
    assert copy.difference() == []


def test_a_second_publisher_is_told_who_is_at_it(lite: Copy) -> None:
    lite.publish()
    names = [table.name for table in lite.tables]
    other = Marks(lite.state, "warehouse", names, "dag.run.task")
    with other.held():
        with pytest.raises(DatabaseUnavailable, match=r"by dag\.run\.task at this moment"):
            lite.publish()
        other.renew()
        # Into another warehouse it may at the same time.
        with Marks(lite.state, "elsewhere", names, "task").held():
            other.renew()
        # A new attempt of the same task takes over, and the old one notices.
        lite.publish("dag.run.task")
        with pytest.raises(DatabaseUnavailable, match="Another task has begun"):
            other.renew()
    lite.publish()


def test_a_killed_publisher_locks_until_its_lease_ends(lite: Copy) -> None:
    lite.publish()
    table = publications_table()
    now = dt.datetime.now(dt.UTC)
    hours = dt.timedelta(hours=1)
    for until, free in ((now + hours / 2, False), (now - hours, True), (now + 1000 * hours, True)):
        write(lite.state, sa.update(table).values(holder="dead", lease_until=until))
        if free:
            lite.publish()
        else:
            with pytest.raises(DatabaseUnavailable, match="by dead"):
                lite.publish()


def test_a_mark_in_the_future_is_refused(lite: Copy) -> None:
    lite.publish()
    table = publications_table()
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(hours=3)
    write(lite.state, sa.update(table).where(table.c.table_name == "ringg_calls").values(published_at=ahead))
    with pytest.raises(WrongState, match=r"ringg_calls was published .* so a clock is wrong"):
        lite.publish()
    write(lite.state, sa.update(table).values(published_at=None))
    lite.publish()


def test_the_copy_of_another_state_is_left_alone(lite: Copy) -> None:
    write(lite.state, sa.insert(CALLS), [call("a")])
    lite.publish()
    table = publications_table()
    write(lite.state, sa.update(table).where(table.c.target == "").values(mark="another state"))
    with pytest.raises(WrongState, match="copy of another state"):
        lite.publish()
    assert [row["call_id"] for row in rows_of(lite.warehouse, CALLS)] == ["a"]
    write(lite.warehouse, sa.text("DELETE FROM ringg_publications"))
    lite.publish()
    assert lite.difference() == []


def test_an_older_states_table_gets_its_columns(lite: Copy) -> None:
    write(lite.state, sa.text("ALTER TABLE ringg_calls DROP COLUMN erased_at"))
    lite.publish()
    assert lite.difference() == []
