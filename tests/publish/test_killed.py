"""Killed at any statement, overtaken at any statement, in any order: after the next run the copy equals the state."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ringg_provider.publish.marks import publications_table
from tests.publish.copies import AT, CALLS, CONTACTS, Copy, call, contact, write
from tests.publish.kills import NO_LEASE, Steps, copies, publish

# What a kill leaves of a result that was being read cannot be finished, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*(SSCursor|MySQLResult)")


def change(engine: sa.Engine, round_: int) -> None:
    """Calls and contacts that come, change, are erased, and go."""
    write(engine, sa.insert(CALLS), [call(f"call-{round_}-{number}", attempted_at=AT) for number in range(3)])
    write(engine, sa.insert(CONTACTS), [contact(f"person-{round_}", phone=f"+{round_}")])
    if round_:
        before = f"call-{round_ - 1}"
        write(engine, sa.update(CALLS).where(CALLS.c.call_id == f"{before}-0").values(status=f"status-{round_}"))
        write(engine, sa.update(CALLS).where(CALLS.c.call_id == f"{before}-1").values(transcript=None, erased_at=AT))
        write(engine, sa.delete(CALLS).where(CALLS.c.call_id == f"{before}-2"))
        key = CONTACTS.c.contact_key
        write(engine, sa.update(CONTACTS).where(key == f"person-{round_ - 1}").values(contact_key=f"sha:{round_}"))


# Every so many steps; all of them were tried once.
STRIDES = {"sqlite-sqlite": 19, "postgresql-duckdb": 67, "postgresql-postgresql": 71, "mariadb-mariadb": 71}
pairs = pytest.mark.parametrize("pair", STRIDES)


@pytest.mark.slow
@pairs
@pytest.mark.parametrize("first", [True, False], ids=["the first publication", "a later one"])
def test_killed_anywhere_and_begun_again(
    pair: str, first: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with copies(pair, tmp_path, request.getfixturevalue) as (copy, other, steps):
        rounds = itertools.count()
        change(other.state, next(rounds))
        if not first:
            publish(other)
        steps.begin()
        change(other.state, next(rounds))
        if first:
            kills = range(1, 200, STRIDES[pair])
        else:
            publish(copy)
            kills = range(1, steps.taken, STRIDES[pair])
        assert len(kills) > 2
        for step in kills:
            if first:
                forget(other)
            change(other.state, next(rounds))
            steps.begin(**{f"step{step}": steps.kill})
            publish(copy)
            if not steps.dead:
                break  # it has no more steps
            steps.begin()
            copy.publish(lease=NO_LEASE)
            assert other.difference() == [], f"killed at step {step}"


def forget(copy: Copy) -> None:
    """As if nothing had ever been published."""
    for engine in (copy.state, copy.warehouse):
        inspector = sa.inspect(engine)
        names = set(inspector.get_table_names())
        if engine is copy.warehouse:
            with contextlib.suppress(sa.exc.DBAPIError):
                write(engine, sa.text("DROP VIEW ringg_outcomes"))
            names &= {"ringg_calls", "ringg_contacts", "ringg_publications"}
        else:
            names &= {"ringg_calls_published", "ringg_contacts_published", "ringg_publications"}
        for name in names:
            write(engine, sa.text(f"DROP TABLE {name}"))


@pytest.mark.slow
@pairs
def test_overtaken_anywhere_by_another(pair: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with copies(pair, tmp_path, request.getfixturevalue) as (copy, other, steps):
        rounds = itertools.count()
        change(other.state, next(rounds))
        publish(copy)
        change(other.state, next(rounds))
        steps.begin()
        publish(copy)

        def overtake() -> None:
            # What it will write is older then than what the other one has written.
            with contextlib.suppress(sa.exc.OperationalError):
                change(other.state, next(rounds))
            if pair.endswith("duckdb"):
                steps.at, kept = {}, steps.at  # it is the same engine
                publish(other, "another")
                steps.at = kept
            else:
                publish(other, "another")

        total = steps.taken
        for step in range(1, total, STRIDES[pair]):
            change(other.state, next(rounds))
            steps.begin(**{f"step{step}": overtake})
            publish(copy)
            steps.begin()
            other.publish(lease=NO_LEASE)
            assert other.difference() == [], f"overtaken at step {step}"


actions = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 4), st.sampled_from(["completed", "failed", "retry"])),
        st.tuples(st.just("erase"), st.integers(0, 4)),
        st.tuples(st.just("delete"), st.integers(0, 4)),
        st.tuples(st.just("harm"), st.integers(0, 4)),
        st.tuples(st.just("publish"), st.sampled_from(["task", "another"])),
        st.tuples(st.just("die"), st.integers(1, 120)),
        st.tuples(st.just("overtake"), st.integers(1, 120)),
    ),
    min_size=2,
    max_size=12,
)


def _live(copy: Copy, other: Copy, steps: Steps, day: list[tuple[Any, ...]]) -> None:
    def act(what: str, *how: Any) -> None:
        if what == "put":
            write(other.state, sa.delete(CALLS).where(CALLS.c.call_id == f"call-{how[0]}"))
            write(other.state, sa.insert(CALLS), [call(f"call-{how[0]}", status=how[1])])
        elif what == "erase":
            erased = {"transcript": None, "to_number_e164": "sha:1", "erased_at": AT}
            write(other.state, sa.update(CALLS).where(CALLS.c.call_id == f"call-{how[0]}").values(**erased))
        elif what == "delete":
            write(other.state, sa.delete(CALLS).where(CALLS.c.call_id == f"call-{how[0]}"))
        elif what == "harm":
            with contextlib.suppress(sa.exc.DBAPIError):
                write(other.warehouse, sa.text(f"DELETE FROM ringg_calls WHERE call_id = 'call-{how[0]}'"))
        elif what == "publish":
            publish(copy, how[0])
        elif what == "die":
            steps.begin(**{f"step{how[0]}": steps.kill})
            publish(copy)
            steps.begin()
        else:
            steps.begin(**{f"step{how[0]}": lambda: publish(other, "another")})
            publish(copy)
            steps.begin()

    for action in day:
        act(*action)
    copy.publish(lease=NO_LEASE)
    assert other.difference() == []
    with other.state.connect() as connection:
        table = publications_table()
        held = sa.select(table.c.table_name).where(sa.or_(table.c.holder.is_not(None), table.c.pending.is_not(None)))
        assert connection.execute(held).all() == []


hostile = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.slow
@settings(hostile, max_examples=25)
@given(day=actions)
def test_whatever_happens_the_copy_equals_the_state(
    day: list[Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with copies("sqlite-sqlite", tmp_path, request.getfixturevalue) as (copy, other, steps):
        _live(copy, other, steps, day)


@pytest.mark.slow
@pytest.mark.parametrize("pair", ["postgresql-duckdb", "postgresql-postgresql", "mariadb-mariadb"])
@settings(hostile, max_examples=4)
@given(day=actions)
def test_whatever_happens_on_the_real_ones(
    day: list[Any], pair: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with copies(pair, tmp_path, request.getfixturevalue) as (copy, other, steps):
        _live(copy, other, steps, day)
