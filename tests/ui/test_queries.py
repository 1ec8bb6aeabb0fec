"""What the pages read, on every database that can hold the state: numbers equal the tables, and nothing is too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from demo.nights import RENEWALS, SURVEY, fill
from ringg_provider.contacts.people import people_table
from ringg_provider.history.counts import CountedBy
from ringg_provider.history.smartalex import smartalex_calls_table
from ringg_provider.history.tables import calls_table
from ringg_provider.launch.table import launches
from ringg_provider.sql.creating import create_tables
from ringg_provider.ui import queries
from ringg_provider.ui.campaign import PHASES, Campaign, phase_of
from ringg_provider.ui.charts import campaign_charts
from ringg_provider.ui.problems import problems
from ringg_provider.ui.queries import Filters
from ringg_provider.ui.tables import Tables
from tests.support.databases import Warehouse, each_of

NOW = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)  # 15:00 in India

database = each_of("warehouse", "sqlite_warehouse", "mariadb_warehouse")


@pytest.fixture
def connection(database: Warehouse) -> Iterator[sa.Connection]:
    """Five nights of about forty people a list."""
    fill(database.engine, nights=5, people=40, now=NOW)
    with database.engine.connect() as connection:
        yield connection


@pytest.fixture
def tables(connection: sa.Connection) -> Tables:
    return Tables.found(connection)


def listed(connection: sa.Connection, tables: Tables, dags: Any = None, **filters: Any) -> list[Campaign]:
    return queries.campaigns(connection, tables, dags, Filters(**filters)).campaigns


def test_the_funnel_of_every_campaign_equals_the_tables(connection: sa.Connection, tables: Tables) -> None:
    calls = calls_table().c
    machine = sa.func.coalesce(calls.voicemail_detected, sa.false()) == sa.true()
    found = [each for each in listed(connection, tables) if each.calls is not None]
    assert len(found) == 12
    for campaign in found:
        of_campaign = calls.bulk_list_id == campaign.campaign_id

        def number(*conditions: Any, of_campaign: Any = of_campaign) -> int:
            return int(connection.execute(sa.select(sa.func.count()).where(of_campaign, *conditions)).scalar_one())

        completed = calls.status == "completed"
        assert campaign.dialled == number(calls.attempted_at.is_not(None)) > 0
        assert campaign.connected == number(completed)
        assert campaign.reached == number(completed, sa.not_(machine))
        assert campaign.calls == number() == campaign.funnel.listed
        cost = connection.execute(sa.select(sa.func.sum(calls.cost)).where(of_campaign)).scalar_one()
        assert float(campaign.cost) == pytest.approx(float(cost))
        for kind in CountedBy:
            tallies = [each.tally for each in queries.counts(connection, tables, campaign) if each.counted_by is kind]
            assert sum(tally.calls for tally in tallies) == campaign.calls
            assert sum(tally.dialled for tally in tallies) == campaign.dialled
            assert sum(tally.reached for tally in tallies) == campaign.reached


def test_campaigns_are_filtered(connection: sa.Connection, tables: Tables) -> None:
    everything = listed(connection, tables)
    assert everything == sorted(everything, key=lambda each: each.listed_at, reverse=True)
    assert {each.dag_id for each in listed(connection, tables, dag_id=SURVEY)} == {SURVEY}
    assert {each.agent_id for each in listed(connection, tables, agent_id=everything[0].agent_id)} == {
        everything[0].agent_id
    }
    day = NOW.replace(hour=0, minute=0) - timedelta(hours=5.5)
    assert {each.ledger_state for each in listed(connection, tables, since=day)} == {"started", "start_sent"}
    assert all(each.listed_at < day for each in listed(connection, tables, until=day) if each.listed_at)
    for phase in PHASES:
        assert listed(connection, tables, phase=phase) == [each for each in everything if each.phase == phase]
    assert {each.phase for each in everything} == {"running", "start_sent", "completed", "terminated"}


def test_a_page_holds_so_many_and_says_whether_there_are_more(connection: sa.Connection, tables: Tables) -> None:
    everything = listed(connection, tables)
    pages = [
        queries.campaigns(connection, tables, None, Filters(), limit=5, offset=offset)
        for offset in range(0, len(everything), 5)
    ]
    assert [each for page in pages for each in page.campaigns] == everything
    assert [page.has_more for page in pages] == [True] * (len(pages) - 1) + [False]


def test_a_person_sees_the_campaigns_of_his_dags_and_none_of_nobodys(
    connection: sa.Connection, tables: Tables, database: Warehouse
) -> None:
    by_hand = {"campaign_id": "by-hand", "name": "By hand", "state": "running", "created_at": NOW}
    with database.engine.begin() as writing:
        writing.execute(sa.insert(tables.campaigns).values(history_state="open", **by_hand))
        nobodys = sa.update(launches).where(launches.c.dag_id == RENEWALS).values(dag_id=None)
        writing.execute(nobodys)
    connection.rollback()
    assert {each.dag_id for each in listed(connection, tables, frozenset({SURVEY}))} == {SURVEY}
    assert len(queries.to_do(connection, tables, frozenset({SURVEY}), NOW)) == 1
    assert queries.to_do(connection, tables, frozenset({RENEWALS}), NOW) == []
    assert listed(connection, tables, frozenset()) == []
    assert {each.dag_id for each in listed(connection, tables)} == {SURVEY, None}
    assert listed(connection, tables)[0].title == "By hand"
    hidden = next(each for each in listed(connection, tables) if each.dag_id is None and each.launch_key)
    for dags, seen in ((None, True), (frozenset({SURVEY, RENEWALS}), False)):
        assert (queries.campaign(connection, tables, dags, hidden.campaign_id) is not None) is seen
        assert bool(queries.ledger_rows(connection, tables, dags, str(hidden.launch_key))) is seen
    assert queries.choices(connection, tables, frozenset({RENEWALS}), NOW - timedelta(days=90)) == ([], [])
    assert queries.choices(connection, tables, None, NOW - timedelta(days=90))[0] == [SURVEY]


def test_the_ledger_rows_of_a_set(connection: sa.Connection, tables: Tables) -> None:
    newest = listed(connection, tables, dag_id=RENEWALS)[0]
    rows = queries.ledger_rows(connection, tables, None, str(newest.launch_key))
    assert [row.state for row in rows] == ["started", "started"]
    assert sorted(str(row.task) for row in rows) == ["launch[0]", "launch[1]"]
    assert newest.campaign_id in {row.list_id for row in rows}
    assert all(row.listed_at and row.start_sent_at and row.started_at for row in rows)


def test_the_price_is_that_of_earlier_campaigns_of_the_agent(connection: sa.Connection, tables: Tables) -> None:
    of_agent = [each for each in listed(connection, tables, dag_id=RENEWALS) if each.history_state == "complete"]
    newest = listed(connection, tables, dag_id=RENEWALS)[0]
    price = queries.price(connection, tables, newest)
    assert price is not None
    assert price.calls == sum(each.calls or 0 for each in of_agent)
    assert float(price.per_call) == pytest.approx(sum(float(each.cost) for each in of_agent) / price.calls)
    oldest = listed(connection, tables, dag_id=RENEWALS)[-1]
    assert queries.price(connection, tables, oldest) is None


def test_what_is_left_to_do_is_each_in_the_runbook(connection: sa.Connection, tables: Tables) -> None:
    left = queries.to_do(connection, tables, None, NOW)
    assert [each.phase for each in left] == ["start_sent"]
    (problem,) = problems(left[0], NOW)
    assert (problem.level, problem.runbook) == ("error", "Launch outcome unknown")


def test_a_running_campaign_is_expected_to_end_after_its_time(connection: sa.Connection, tables: Tables) -> None:
    running = listed(connection, tables, phase="running")[0]
    assert running.expected_end(NOW) is not None
    # In five hours it came half way, and four are left.
    running = replace(running, dialled=(running.funnel.listed or 0) // 2)
    expected, closes = running.expected_end(NOW), running.ends_at
    assert expected is not None
    assert closes is not None
    assert expected > closes
    assert any("not everybody will be called" in problem.text for problem in problems(running, NOW))
    begun, ended = running.lawful[0]
    assert (begun.astimezone(running.zone).hour, ended.astimezone(running.zone).hour) == (10, 19)
    # Twice as fast is in time.
    quick = replace(running, dialled=int(0.9 * (running.funnel.listed or 0)))
    assert (quick.expected_end(NOW) or closes) < closes


def test_reasons_come_from_the_people_where_an_older_version_listed_them(
    connection: sa.Connection, tables: Tables, database: Warehouse
) -> None:
    newest = listed(connection, tables, dag_id=SURVEY)[0]
    assert queries.reasons(connection, tables, newest) == newest.reasons
    people = people_table()
    create_tables(database.engine, people)
    with database.engine.begin() as writing:
        for number, disposition in enumerate(("listed", "listed", "suppressed")):
            row = {"launch_key": newest.launch_key, "contact_key": str(number), "occurrence": 1, "recorded_at": NOW}
            writing.execute(sa.insert(people).values(disposition=disposition, **row))
    connection.rollback()
    older = replace(newest, reasons=None)
    assert queries.reasons(connection, Tables.found(connection), older) == {"listed": 2, "suppressed": 1}


def test_smartalex_campaigns_are_counted_by_people(connection: sa.Connection, database: Warehouse) -> None:
    newest = listed(connection, Tables.found(connection), dag_id=SURVEY)[0]
    calls = smartalex_calls_table()
    create_tables(database.engine, calls)
    made = [("a", "no_answer"), ("a", "completed"), ("b", "voicemail"), ("c", "failed")]
    with database.engine.begin() as writing:
        of_list = launches.c.list_id == newest.campaign_id
        writing.execute(sa.update(launches).where(of_list).values(flow="smartalex"))
        for number, (contact, status) in enumerate(made):
            row = {"call_id": str(number), "campaign_id": newest.campaign_id, "contact_id": contact, "is_final": True}
            writing.execute(sa.insert(calls).values(status=status, cost=1, created_at=NOW, read_at=NOW, **row))
    connection.rollback()
    tables = Tables.found(connection)
    found = queries.campaign(connection, tables, None, newest.campaign_id)
    assert found is not None
    assert (found.platform, found.calls, found.dialled, found.connected, found.reached) == ("smartalex", 4, 3, 2, 1)
    charts = campaign_charts(found, queries.counts(connection, tables, found), None, NOW)
    assert charts["outcomes"].rows[0][1:] == [1, 1.0]
    assert "by_number" not in charts


def test_pages_are_empty_and_no_error_before_anything_was_made(database: Warehouse) -> None:
    with database.engine.connect() as connection:
        tables = Tables.found(connection)
        assert listed(connection, tables) == []
        assert queries.campaign(connection, tables, None, "x") is None
        assert queries.to_do(connection, tables, None, NOW) == []
        assert queries.choices(connection, tables, None, NOW) == ([], [])
        assert queries.ledger_rows(connection, tables, None, "x") == []


def test_a_ledger_of_an_older_version_is_shown_without_what_it_lacks(database: Warehouse) -> None:
    lacking = {"name", "reasons", "map_index", "dag_id", "run_id", "task_id", "origin"}
    older = sa.Table(
        "ringg_launches", sa.MetaData(), *(sa.Column(c.name, c.type) for c in launches.c if c.name not in lacking)
    )
    older.create(database.engine)
    row = {"launch_key": "k", "list_id": "l", "slot": "0", "set_id": "s", "digest": "d", "item": {"list_id": "l"}}
    with database.engine.begin() as writing:
        writing.execute(sa.insert(older).values(state="listed", listed_at=NOW, **row))
    with database.engine.connect() as connection:
        tables = Tables.found(connection)
        (found,) = listed(connection, tables)
        assert (found.title, found.dag_id, found.reasons, found.phase) == ("l", None, None, "listed")
        assert listed(connection, tables, frozenset({"a"})) == []
        assert queries.ledger_rows(connection, tables, None, "k")[0].task is None


@pytest.mark.parametrize(
    ("ledger_state", "state", "phase"),
    [
        ("listed", None, "listed"),
        ("listed", "draft", "draft"),
        ("start_sent", "draft", "start_sent"),
        ("start_sent", "running", "running"),
        ("started", "preparing", "started"),
        ("started", "completed", "completed"),
        ("started", None, "started"),
        ("replaced", "draft", "replaced"),
        (None, "paused", "paused"),
        (None, None, "unknown"),
    ],
)
def test_the_phase_is_the_platforms_word_unless_the_ledger_knows_better(
    ledger_state: str | None, state: str | None, phase: str
) -> None:
    assert phase_of(ledger_state, state) == phase
    assert phase in PHASES
