"""Waves, brakes and budgets on the pages, on every database that can hold the state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from ringg_provider.history.tables import calls_table, campaigns_table
from ringg_provider.launch import braked
from ringg_provider.launch.budget import Budget
from ringg_provider.launch.item import LaunchItem
from ringg_provider.launch.ledger import LaunchLedger, SetNotes
from ringg_provider.launch.reservations import Reservations
from ringg_provider.launch.rollout import Check, Pulled
from ringg_provider.launch.table import Launcher
from ringg_provider.launch.terms import Intent
from ringg_provider.sql.creating import create_tables
from ringg_provider.ui import queries, rollouts
from ringg_provider.ui.campaign import PHASES, Campaign
from ringg_provider.ui.charts import campaign_charts
from ringg_provider.ui.pages.campaigns import left_to_do
from ringg_provider.ui.problems import problems
from ringg_provider.ui.queries import Filters
from ringg_provider.ui.tables import Tables
from tests.support.databases import Warehouse, each_of

NOW = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
KEY, DAG = "careful-2026-03-03", "careful"
#: Of each list: its wave, people, and how many of them were dialled, connected and reached.
LISTS = {
    "own": (0, 2, 2, 2, 2),
    "first-a": (1, 60, 60, 40, 30),
    "first-b": (1, 40, 40, 20, 10),
    "second": (2, 400, None, None, None),
}

database = each_of("warehouse", "sqlite_warehouse", "mariadb_warehouse")


@pytest.fixture
def rollout(database: Warehouse) -> Warehouse:
    """A rehearsal and the first of two waves were called, the first by two lists."""
    campaigns = campaigns_table()
    create_tables(database.engine, calls_table(), campaigns)
    ledger = LaunchLedger(database.engine)
    items = [
        LaunchItem(list_id=name, flow="standard", agent_id="a", country_code="+91", rows=people, wave=wave)
        for name, (wave, people, *_) in LISTS.items()
    ]
    launcher = Launcher(DAG, "run", "upload", conn_id="ringg")
    ledger.replace_set(KEY, items, launcher, SetNotes({name: f"Renewals {name}" for name in LISTS}, {"listed": 502}))
    for name, (_, people, dialled, connected, reached) in LISTS.items():
        if dialled is None:
            continue
        intents = ledger.for_key(KEY, launcher=launcher)
        intents.claim(Intent(name, "fingerprint", {}))
        intents.confirm(name)
        row = {"campaign_id": name, "name": f"Renewals {name}", "agent_id": "a", "state": "completed", "calls": people}
        row |= {"calls_dialled": dialled, "calls_connected": connected, "calls_reached": reached, "cost": people}
        row |= {"history_state": "complete", "created_at": NOW, "read_at": NOW, "first_read_at": NOW}
        with database.engine.begin() as connection:
            connection.execute(sa.insert(campaigns).values(row))
    return database


@pytest.fixture
def connection(rollout: Warehouse) -> Iterator[sa.Connection]:
    with rollout.engine.connect() as opened:
        yield opened


def pull_a_brake(database: Warehouse) -> None:
    check = Check("opt_outs", 0.3, 12, 40, 0.08, 0.02)
    create_tables(database.engine, braked.brakes)
    with database.engine.begin() as writing:
        braked.pull(writing, KEY, Pulled(check, 0.95), NOW)


def test_each_wave_has_its_funnel_and_its_lists(connection: sa.Connection) -> None:
    found = rollouts.waves(connection, Tables.found(connection), None, KEY)
    assert [(wave.title, [each.campaign_id for each in wave.campaigns]) for wave in found] == [
        ("Rehearsal", ["own"]),
        ("Wave 1", ["first-a", "first-b"]),
        ("Wave 2", ["second"]),
    ]
    funnel = found[1].funnel
    assert (funnel.listed, funnel.dialled, funnel.connected, funnel.reached) == (100, 100, 60, 40)
    assert [wave.cost for wave in found] == [2, 100, None]
    assert [wave.phases for wave in found] == [["completed"], ["completed"], ["listed"]]
    campaign = queries.campaign(connection, Tables.found(connection), None, "first-a")
    assert campaign is not None
    chart = campaign_charts(campaign, [], None, NOW, [(wave.title, wave.funnel) for wave in found])["waves"]
    assert chart.header[:3] == ["Wave", "Reached (%)", "Connected, no person (%)"]
    assert chart.header[3:] == ["Dialled, not taken (%)", "Not dialled (%)", "Listed", "Dialled", "People reached"]
    assert chart.rows == [
        ["Rehearsal", 100.0, 0.0, 0.0, 0.0, 2, 2, 2],
        ["Wave 1", 40.0, 20.0, 40.0, 0.0, 100, 100, 40],
        ["Wave 2", 0.0, 0.0, 0.0, 100.0, 400, None, None],
    ]


def test_lists_of_one_upload_stand_in_the_order_in_which_they_were_made(connection: sa.Connection) -> None:
    tables = Tables.found(connection)
    for shown in (queries.campaigns(connection, tables, None, Filters()).campaigns, one_by_one(connection, tables)):
        assert [each.campaign_id for each in shown] == list(LISTS)


def one_by_one(connection: sa.Connection, tables: Tables) -> Iterator[Campaign]:
    for offset in range(len(LISTS)):
        yield from queries.campaigns(connection, tables, None, Filters(), limit=1, offset=offset).campaigns


def test_a_wave_is_seen_by_who_may_see_its_dag(connection: sa.Connection) -> None:
    tables = Tables.found(connection)
    assert len(rollouts.waves(connection, tables, frozenset({DAG}), KEY)) == 3
    assert rollouts.waves(connection, tables, frozenset({"another"}), KEY) == []
    assert rollouts.waves(connection, tables, None, None) == []


def test_a_wave_that_waits_for_its_turn_is_not_forgotten_and_one_that_nobody_starts_is(
    connection: sa.Connection,
) -> None:
    second = queries.campaign(connection, Tables.found(connection), None, "second")
    assert second is not None
    assert second.listed_at is not None
    assert problems(second, second.listed_at + timedelta(hours=20)) == []
    (problem,) = problems(second, second.listed_at + timedelta(days=3))
    assert "never started" in problem.text


def test_a_brake_is_told_with_its_numbers_everywhere(rollout: Warehouse) -> None:
    pull_a_brake(rollout)
    with rollout.engine.connect() as connection:
        tables = Tables.found(connection)
        everything = queries.campaigns(connection, tables, None, Filters()).campaigns
        assert {each.campaign_id for each in everything if each.braked} == set(LISTS)
        never = queries.campaigns(connection, tables, None, Filters(phase="braked")).campaigns
        assert [(each.campaign_id, each.phase, PHASES[each.phase]) for each in never] == [
            ("second", "braked", "Never started: a brake was pulled")
        ]
        now = max(each.listed_at for each in everything if each.listed_at)
        left = queries.to_do(connection, tables, None, now)
        assert {each.campaign_id for each in left} == set(LISTS)
        # It is one matter, however many lists there are, and named by what did not end well.
        ((shown, _),) = left_to_do(left, now)
        assert shown.campaign_id == "second"
        assert queries.to_do(connection, tables, frozenset({"another"}), now) == []
        (problem,) = problems(never[0], now)
    assert (problem.level, problem.runbook) == ("error", "Campaign braked")
    assert "opt outs: 12 of 40 calls (30.0%), where 2.0% is allowed" in problem.text


def test_a_budget_is_told_with_what_is_left_of_it(rollout: Warehouse) -> None:
    store = Reservations(rollout.engine)
    budget = Budget("renewals", Decimal(5000), per="month", timezone="Asia/Kolkata")
    store.reserve(budget, KEY, "1", 100, NOW)
    store.reserve(budget, KEY, "2", 400, NOW)
    store.reserve(budget, "another launch", "1", 1000, NOW)
    store.settle(KEY, "1", 90, NOW)
    store.reserve(budget, KEY, "3", 50, NOW)
    store.release(KEY, "3", NOW)
    with rollout.engine.connect() as connection:
        tables = Tables.found(connection)
        (found,) = rollouts.spending(connection, tables, KEY)
        assert rollouts.spending(connection, tables, "nothing") == []
    assert (found.name, found.period, found.per, found.credits) == ("renewals", "2026-03", "month", 5000)
    assert (found.committed, found.reserved, found.cost) == (1490, 500, 90)


def test_budgets_of_a_launch_stand_in_one_order_and_what_was_given_back_hides_none(
    rollout: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Reservations(rollout.engine)
    for part, name in enumerate(("a", "c", "b")):
        store.reserve(Budget(name, Decimal(500), per="month", timezone="UTC"), KEY, str(part), 10, NOW)
    store.release(KEY, "0", NOW)
    monkeypatch.setattr(rollouts, "MOST_PARTS", 2)
    with rollout.engine.connect() as connection:
        found = rollouts.spending(connection, Tables.found(connection), KEY)
    assert [each.name for each in found] == ["b", "c"]


def test_before_anything_of_a_rollout_was_made_there_is_nothing(database: Warehouse) -> None:
    with database.engine.connect() as connection:
        tables = Tables.found(connection)
        assert rollouts.waves(connection, tables, None, KEY) == []
        assert rollouts.spending(connection, tables, KEY) == []
