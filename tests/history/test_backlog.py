"""What is still to be read and what it costs, from the tables alone; and how far was read, which never goes back."""

from __future__ import annotations

import datetime as dt
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.api.rate_limit import Pacer
from ringg_provider.exceptions import NotFound, RinggProviderError
from ringg_provider.history.backlog import Backlog, CampaignToRead, Scope, find_backlog
from ringg_provider.history.failures import Failures
from ringg_provider.history.load import HistoryLoad
from ringg_provider.history.merging import CallStore, CampaignStore, Wanted
from ringg_provider.history.paging import PageReader
from ringg_provider.history.read_until import ReadUntil, newest_watermark
from ringg_provider.history.tables import (
    AWAITS_COST,
    AWAITS_DETAILS,
    AWAITS_STATUS,
    COST_MISSING,
    STATUS_MISSING,
    UNREAD,
    calls_table,
    campaigns_table,
    state_table,
)
from ringg_provider.ringg.limits import EARLIEST_CALL
from ringg_provider.ringg.requests import CallQuery
from ringg_provider.ringg.responses import CallPage
from ringg_provider.sql.creating import create_tables
from ringg_provider.sql.types import UtcDateTime
from tests.history.hostile_platform import HostilePlatform

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
MINUTES, HOUR, DAY = dt.timedelta(minutes=5), dt.timedelta(hours=1), dt.timedelta(days=1)


def mark_of(engine: sa.Engine, calls: sa.Table) -> ReadUntil:
    return ReadUntil(engine, calls, state_table(), newest_watermark)


class Counter:
    """A platform that has so many calls in any stretch of time, and remembers what it was asked."""

    def __init__(self, total: int | str = 0, failure: RinggProviderError | None = None) -> None:
        self.total, self.failure = total, failure
        self.asked: list[CallQuery] = []

    def list_calls_page(self, query: CallQuery, limit: int, offset: int, *, retry: bool) -> CallPage:
        self.asked.append(query)
        if self.failure:
            raise self.failure
        return CallPage.read({"calls": [], "total": self.total})


class Tables:
    """The tables of a database, filled by hand."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.calls, self.campaigns = engine, calls_table(), campaigns_table()
        create_tables(engine, self.calls, self.campaigns, state_table())
        self.read_until = mark_of(engine, self.calls)
        self.read_until.begin(NOW)
        self.platform = Counter()
        self.failures = Failures()

    def insert(self, table: sa.Table, *rows: dict[str, Any]) -> None:
        with self.engine.begin() as connection:
            for row in rows:
                connection.execute(sa.insert(table).values(read_at=NOW, history_state="open", **row))

    def campaign(self, campaign_id: str, state: str | None = "completed", **more: Any) -> None:
        row = {"campaign_id": campaign_id, "state": state, "history_reason": UNREAD, **more}
        with self.engine.begin() as connection:
            values = {"read_at": NOW, "history_state": "open", **row}
            connection.execute(sa.insert(self.campaigns).values(**values))

    def running(self, *call_ids: str, reason: str = STATUS_MISSING, **more: Any) -> None:
        self.insert(self.calls, *({"call_id": each, "history_reason": reason, **more} for each in call_ids))

    def find(self, scope: Scope | None = None) -> Backlog:
        wanted = CallStore(self.engine, self.calls, Wanted(), lambda: NOW)
        campaigns = CampaignStore(self.engine, self.campaigns)
        reader = PageReader(self.platform, Pacer(10**6, 60.0), sleep=lambda _: None)
        return find_backlog(
            scope or Scope(),
            wanted,
            campaigns,
            self.read_until,
            reader,
            self.failures,
            lookback=HOUR,
            started_at=NOW,
        )

    def lists(self, scope: Scope | None = None) -> list[str]:
        return [campaign.campaign_id for campaign in self.find(scope).campaigns]

    def asked(self) -> tuple[dt.datetime, dt.datetime]:
        query = self.platform.asked[-1]
        return dt.datetime.fromisoformat(str(query.start_date)), dt.datetime.fromisoformat(str(query.end_date))


@pytest.fixture
def tables(sqlite: sa.Engine) -> Tables:
    return Tables(sqlite)


# --- which campaigns


@pytest.mark.parametrize(
    ("state", "reason", "read"),
    [
        ("completed", UNREAD, True),
        ("running", "campaign is running", True),
        (None, UNREAD, True),
        ("unknown", UNREAD, True),
        ("draft", "not started", False),
        ("scheduled", "not started", False),
        ("not_a_campaign", "not started", False),
        ("completed", AWAITS_DETAILS, False),
        ("completed", AWAITS_STATUS, False),
        ("completed", AWAITS_COST, False),
    ],
)
def test_open_campaigns_are_read_unless_no_list_request_can_help(
    tables: Tables, state: str | None, reason: str, read: bool
) -> None:
    tables.campaign("a", state, history_reason=reason)
    assert tables.lists() == (["a"] if read else [])


def test_what_waits_for_many_calls_is_read_whole_and_for_few_call_by_call(tables: Tables) -> None:
    tables.campaign("few", history_reason=AWAITS_STATUS, total_count=450)
    tables.campaign("many", history_reason=AWAITS_STATUS, total_count=450)
    tables.running("f1", "f2", bulk_list_id="few")
    tables.running("m1", "m2", "m3", bulk_list_id="many")
    backlog = tables.find()
    assert backlog.campaigns == [CampaignToRead("many", 450)]
    assert (list(backlog.singles), list(backlog.looked_for)) == (["f1", "f2"], [])


def test_closed_ones_are_read_only_when_they_are_named(tables: Tables) -> None:
    tables.campaign("a", history_state="complete", history_reason=None)
    tables.campaign("b")
    assert tables.lists() == ["b"]
    assert tables.lists(Scope(bulk_list_ids=["a"])) == ["a"]
    assert tables.platform.asked[1:] == [], "a list by name needs no pass by date"


def test_the_longest_unread_come_first(tables: Tables) -> None:
    for name, ago in (("c", 1), ("a", 2), ("b", None), ("d", 2)):
        tables.campaign(name, calls_read_at=None if ago is None else NOW - ago * DAY)
    assert tables.lists() == ["b", "a", "d", "c"]


@pytest.mark.parametrize(
    ("times", "touched"),
    [
        ({"created_at": NOW - 5 * DAY, "campaign_end_time": NOW - 3 * DAY}, True),
        ({"created_at": NOW - 5 * DAY, "campaign_end_time": NOW - 4.5 * DAY}, False),
        ({"created_at": NOW - DAY, "campaign_end_time": NOW}, False),
        ({"created_at": NOW - 5 * DAY, "updated_at": NOW - 3 * DAY}, True),
        ({"created_at": NOW - 5 * DAY, "updated_at": NOW - 4.5 * DAY}, False),
        ({}, True),
    ],
)
def test_of_an_interval_are_the_campaigns_that_may_have_calls_in_it(
    tables: Tables, times: dict[str, Any], touched: bool
) -> None:
    tables.campaign("a", history_state="complete", **times)
    scope = Scope(start=NOW - 4 * DAY, end=NOW - 2 * DAY)
    assert tables.lists(scope) == (["a"] if touched else [])


# --- the pass by date


def test_it_begins_where_the_last_one_ended_and_ends_where_nothing_is_added_any_more(tables: Tables) -> None:
    tables.find()
    assert tables.asked() == (EARLIEST_CALL, NOW - MINUTES)
    tables.insert(tables.calls, {"call_id": "c", "history_reason": None})
    tables.read_until.move(NOW - DAY, NOW)
    tables.find()
    assert tables.asked() == (NOW - DAY - HOUR, NOW - MINUTES)
    tables.find(Scope(start=NOW - 9 * DAY, end=NOW - 8 * DAY))
    assert tables.asked() == (NOW - 9 * DAY, NOW - 8 * DAY)
    tables.find(Scope(end=NOW + DAY))
    assert tables.asked() == (NOW - DAY - HOUR, NOW - MINUTES)


@pytest.mark.parametrize(("calls", "by_date"), [(30, False), (31, True)])
def test_many_open_calls_are_looked_for_by_date(tables: Tables, calls: int, by_date: bool) -> None:
    ids = [f"c{n:02}" for n in range(calls)]
    tables.running(*ids, reason=COST_MISSING, created_at=NOW - 5 * DAY)
    tables.read_until.move(NOW - DAY, NOW)
    backlog = tables.find()
    assert (list(backlog.singles), list(backlog.looked_for)) == (([], ids) if by_date else (ids, []))
    assert tables.asked()[0] == NOW - (5 * DAY if by_date else DAY) - HOUR


def test_a_pass_by_date_that_cannot_begin_leaves_the_rest_of_the_backlog(tables: Tables) -> None:
    tables.campaign("a")
    tables.platform.failure = NotFound("No.", status_code=404)
    backlog = tables.find()
    assert (len(backlog.campaigns), backlog.dates) == (1, None)
    with pytest.raises(NotFound, match="the calls by date"):
        tables.failures.raise_if_any()


# --- the price


def backlog_of(*calls: int, **more: Any) -> Backlog:
    return Backlog([CampaignToRead(f"l{n}", expected) for n, expected in enumerate(calls)], **more)


@pytest.mark.parametrize(("calls", "requests"), [(0, 1), (199, 1), (200, 2), (201, 2), (2500, 13)])
def test_a_list_costs_its_pages_and_one_more_where_the_last_is_full(calls: int, requests: int) -> None:
    assert backlog_of(calls).requests == requests
    assert backlog_of(calls, singles=["a", "b"]).requests == requests + 2


@pytest.mark.parametrize(("calls", "minutes"), [(0, 0), (1999, 0), (2000, 1), (200_000, 100)])
def test_the_first_ten_requests_are_free_and_then_it_is_a_minute_for_ten(calls: int, minutes: float) -> None:
    assert backlog_of(calls).minutes(10) == minutes


def test_what_does_not_fit_is_left_for_the_next_load_but_for_the_first(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    backlog = backlog_of(4000, 4000, 4000)
    assert backlog.cut(None, 10) is backlog
    assert [len(backlog.cut(limit, 10).campaigns) for limit in (0, 1, 3, 4, 5, 6, 9)] == [1, 1, 1, 2, 2, 3, 3]
    cut = backlog.cut(0, 10)
    assert (cut.campaigns[0].campaign_id, cut.deferred) == ("l0", 2)
    cut.log(logging.getLogger("ringg_provider"), 10)
    assert caplog.messages == [
        "History: 1 campaign, no pass by date, no single call; 21 requests, about 2 min at 10 a minute.",
        "Not in this run, because of max_minutes: 2 campaigns. The next run begins there.",
    ]


# --- how far was read


def with_a_call(engine: sa.Engine, *columns: sa.Column[Any], **values: Any) -> sa.Table:
    """A table of calls with one call, and columns that an earlier version had."""
    calls = calls_table()
    for column in columns:
        calls.append_column(column)
    create_tables(engine, calls, state_table())
    with engine.begin() as connection:
        connection.execute(sa.insert(calls).values(call_id="c", **values))
    return calls_table()


def test_it_only_moves_on(engine: sa.Engine) -> None:
    read_until = mark_of(engine, with_a_call(engine))
    read_until.begin(NOW)
    assert read_until.get() is None
    for moment in (NOW, NOW - DAY, NOW + DAY, NOW):
        read_until.move(moment, NOW)
        read_until.begin(NOW)
    assert read_until.get() == NOW + DAY


def test_two_loads_may_begin_and_move_it_at_once(engine: sa.Engine) -> None:
    calls = with_a_call(engine)

    def load(hours: int) -> None:
        mine = mark_of(engine, calls)
        mine.begin(NOW)
        for each in range(5):
            mine.move(NOW + hours * HOUR + each * MINUTES, NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(load, range(4)))
    assert mark_of(engine, calls).get() == NOW + 3 * HOUR + 4 * MINUTES
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(state_table())).scalar() == 1


def test_a_table_that_was_emptied_is_read_from_the_beginning(engine: sa.Engine) -> None:
    calls = with_a_call(engine)
    read_until = mark_of(engine, calls)
    read_until.begin(NOW)
    read_until.move(NOW, NOW)
    with engine.begin() as connection:
        connection.execute(sa.delete(calls))
    assert read_until.get() is None


def test_each_table_of_calls_has_its_own(engine: sa.Engine) -> None:
    calls = with_a_call(engine)
    others = calls_table("others")
    create_tables(engine, others)
    with engine.begin() as connection:
        connection.execute(sa.insert(others).values(call_id="c"))
    for table in (calls, others):
        mark_of(engine, table).begin(NOW)
    mark_of(engine, calls).move(NOW, NOW)
    assert mark_of(engine, others).get() is None


@pytest.mark.parametrize("former", [None, NOW - DAY])
def test_what_an_earlier_version_left_on_a_call_is_taken_over(engine: sa.Engine, former: dt.datetime | None) -> None:
    calls = with_a_call(engine, sa.Column("watermark", UtcDateTime), watermark=former)
    read_until = mark_of(engine, calls)
    read_until.begin(NOW)
    assert read_until.get() == former
    # From now on it is kept here, whatever becomes of that call.
    read_until.move(NOW, NOW)
    CallStore(engine, calls, Wanted(), lambda: NOW).merge([{"call_id": "c", "status": "failed", "read_at": NOW}])
    read_until.begin(NOW)
    assert read_until.get() == NOW


def test_a_database_of_an_earlier_version_goes_on_without_a_hole_and_reads_nothing_again(engine: sa.Engine) -> None:
    platform = HostilePlatform(50)
    for hours in range(1, 80):
        platform.plan_single(-3600.0 * hours)

    def load() -> int:
        pacer = Pacer(10, 60.0, clock=platform.monotonic, sleep=platform.sleep)
        return HistoryLoad(platform, engine, pacer=pacer, now=platform.now, sleep=platform.sleep).run().calls_read

    assert load() == 79
    until = mark_of(engine, calls_table()).get()
    # As an earlier version left it: no table of its own, and the newest call bears the time.
    former = sa.table("ringg_calls", sa.column("watermark", UtcDateTime), sa.column("created_at", UtcDateTime))
    column_type = UtcDateTime().compile(engine.dialect)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE ringg_history_state")
        connection.exec_driver_sql(f"ALTER TABLE ringg_calls ADD COLUMN watermark {column_type}")
        newest = connection.execute(sa.select(sa.func.max(former.c.created_at))).scalar_one()
        connection.execute(sa.update(former).where(former.c.created_at == newest).values(watermark=until))
    platform.sleep(7200)
    for minutes in (10, 50, 100):
        platform.plan_single(minutes * 60.0)
    assert load() < 10
    with engine.connect() as connection:
        found = connection.execute(sa.select(sa.func.count()).select_from(calls_table())).scalar()
    assert found == len(platform.calls) == 82
    moved = mark_of(engine, calls_table()).get()
    assert until
    assert moved
    assert until < moved < platform.now() - MINUTES
