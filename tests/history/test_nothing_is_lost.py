"""After the runs the tables equal the platform's truth, row for row, however badly it behaved on the way."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from ringg_provider.exceptions import (
    InvalidRequest,
    NetworkError,
    NotFound,
    PermissionDenied,
    RateLimited,
    RinggProviderError,
    ServerError,
    UnreadableAnswer,
)
from ringg_provider.history import paging
from ringg_provider.history.backlog import Scope
from ringg_provider.history.tables import calls_table, campaigns_table, state_table
from ringg_provider.ringg.requests import CallQuery
from ringg_provider.ringg.responses import CallPage
from tests.history.diary import Diary, behaviours, live
from tests.history.hostile_platform import START, Behaviour, HostilePlatform
from tests.history.mutants import MUTANTS

#: A page that came twice, and then an empty one: neither is the end, nor are both.
TWICE_THEN_EMPTY = Behaviour(
    many=True, page_cap=100, repeat=0.3, empty=0.3, sorted_by_creation=False, dates_mean_attempt=True
)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32), behaviour=behaviours)
@example(seed=99, behaviour=TWICE_THEN_EMPTY)
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a failing seed is explanation enough; making it smaller takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_the_table_equals_the_truth_after_any_schedule(engine: sa.Engine, seed: int, behaviour: Behaviour) -> None:
    for table in (calls_table(), campaigns_table(), state_table()):
        table.drop(engine, checkfirst=True)
    live(seed, behaviour, engine)


def test_the_platform_never_refuses_a_reader_who_is_alone() -> None:
    platform = HostilePlatform(1)
    platform.plan_campaign(6000, begin=-9000, spread=1)
    Diary(platform).run()
    assert len(platform.calls) == 6000
    assert platform.refused == 0


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_way_to_read_pages_is_noticed(mutant: type, monkeypatch: pytest.MonkeyPatch) -> None:
    def noticed(seed: int) -> bool:
        behaviour = Behaviour(page_cap=37, repeat=0.3, empty=0.3, sorted_by_creation=False, range_by_default=True)
        try:
            live(seed, behaviour)
        except AssertionError:
            return True
        return False

    assert not any(noticed(seed) for seed in range(3))
    monkeypatch.setattr(paging, "Sweep", mutant)
    assert any(noticed(seed) for seed in range(10))


@pytest.mark.parametrize("number", range(3))
def test_two_runs_at_once_end_with_the_same_rows_as_one_and_leave_no_hole(engine: sa.Engine, number: int) -> None:
    platform = HostilePlatform(5 + number, Behaviour(limit=10**6, fail=0.05, repeat=0.05))
    platform.plan_campaign(900, begin=-90_000, spread=3000)
    for hours in range(200):
        platform.plan_single(-80_000 - 3600.0 * hours)
    diaries = [Diary(platform, engine) for _ in range(2)]
    with ThreadPoolExecutor(2) as both:
        for _ in range(2):
            list(both.map(lambda diary: diary.load().run(), diaries))
            platform.sleep(3600)
            for _ in range(5):
                platform.plan_single(platform.clock - 600)
    diaries[0].finish()
    assert len(diaries[0].rows()) == 1110


def test_a_backfill_of_an_old_interval_neither_loses_nor_moves_what_was_read() -> None:
    platform = HostilePlatform(6)
    for hours in range(1, 60):
        platform.plan_single(-3600.0 * hours)
    diary = Diary(platform)
    diary.run()
    before = diary.table()
    assert before.keys() == platform.truth().keys()
    read_until = diary.read_until()
    assert read_until
    diary.run(Scope(start=START - dt.timedelta(hours=50), end=START - dt.timedelta(hours=40)))
    assert diary.table() == before
    assert diary.read_until() == read_until


def test_an_interval_beyond_what_was_read_leaves_no_hole_behind_it() -> None:
    platform = HostilePlatform(7)
    for hours in range(2, 250):
        platform.plan_single(-3600.0 * hours)
    diary = Diary(platform)
    diary.run(Scope(end=START - dt.timedelta(days=9)))
    diary.run(Scope(start=START - dt.timedelta(hours=5)))
    assert len(diary.table()) < 50
    diary.run()
    assert diary.table().keys() == platform.truth().keys()


BAD = {
    "404": NotFound("No such list.", status_code=404),
    "422": InvalidRequest("No.", status_code=422),
    "403": PermissionDenied("No.", status_code=403),
    "500": ServerError("It failed.", status_code=500),
    "garbage": UnreadableAnswer("A body that is not JSON."),
    "cut": NetworkError("It broke."),
}


@pytest.mark.parametrize("failure", BAD.values(), ids=BAD)
def test_one_bad_campaign_keeps_no_other_from_being_loaded(failure: RinggProviderError) -> None:
    platform = HostilePlatform(40)
    lists = sorted(platform.plan_campaign(230, begin=-90_000, spread=100) for _ in range(5))
    for _ in range(50):
        platform.plan_single(-80_000)
    for bad in lists[:2]:
        platform.unreadable[bad] = failure
    diary = Diary(platform)
    for _ in range(2):
        with pytest.raises(type(failure)) as caught:
            diary.load().run()
        assert all(bad in str(caught.value) for bad in lists[:2])
        assert not any(good in str(caught.value) for good in lists[2:])
    # The pass by date finds the calls of the bad ones too; whose they are, it does not know.
    facts = {call_id: facts for call_id, (_, *facts) in platform.truth().items()}
    assert {call_id: facts for call_id, (_, *facts) in diary.table().items()} == facts
    states = diary.states()
    assert [states[good] for good in lists[2:]] == [("complete", None)] * 3
    assert [states[bad] for bad in lists[:2]] == [
        ("open", f"calls are not read to the end: {type(failure).__name__}")
    ] * 2
    # Once they can be read they are, and nothing was given up meanwhile.
    platform.unreadable.clear()
    diary.finish()


def test_bad_campaigns_take_turns_with_the_others_also_when_there_are_many() -> None:
    platform = HostilePlatform(41)
    lists = sorted(platform.plan_campaign(3, begin=-90_000, spread=100) for _ in range(12))
    for bad in lists[:7]:
        platform.unreadable[bad] = ServerError("It failed.", status_code=500)
    diary = Diary(platform)
    for _ in range(4):  # three that fail in a row look like an outage, and end the reading
        with pytest.raises(ServerError):
            diary.load().run()
        platform.sleep(60)
    states = diary.states()
    assert [states[good] for good in lists[7:]] == [("complete", None)] * 5


def test_a_platform_that_is_down_is_not_asked_for_every_campaign() -> None:
    platform = HostilePlatform(42)
    lists = [platform.plan_campaign(3, begin=-90_000, spread=100) for _ in range(20)]
    diary = Diary(platform)
    for each in lists:
        platform.unreadable[each] = RateLimited("Too many.", retry_after=1.0)
    with pytest.raises(RateLimited):
        diary.load().run()
    assert len({query.bulk_list_id[0] for query in platform.asked if query.bulk_list_id}) == 1


def test_what_was_read_before_a_page_failed_is_kept() -> None:
    platform = HostilePlatform(43)
    big = platform.plan_campaign(900, begin=-90_000, spread=100)
    pages, failing = platform.list_calls_page, UnreadableAnswer("A body that is not JSON.")

    def cut(query: CallQuery, limit: int, offset: int, *, retry: bool) -> CallPage:
        if query.bulk_list_id and offset >= 400:
            raise failing
        return pages(query, limit, offset, retry=retry)

    platform.list_calls_page = cut  # type: ignore[method-assign]
    diary = Diary(platform)
    with pytest.raises(UnreadableAnswer, match=big):
        diary.load().run(Scope(bulk_list_ids=[big]))
    assert len(diary.rows()) == 400


def test_every_request_has_a_range() -> None:
    platform = HostilePlatform(44)
    platform.plan_campaign(300, begin=-3600, spread=10)
    for _ in range(20):
        platform.plan_single(-3600)
    diary = Diary(platform)
    for _ in range(4):
        diary.run()
        platform.sleep(1200)
    kinds = {(bool(query.bulk_list_id), bool(query.call_id)) for query in platform.asked}
    assert kinds == {(True, False), (False, True), (False, False)}
    assert all(query.start_date and query.end_date for query in platform.asked)
