"""The history is asked for what webhooks did not settle, and for no more; what they lost is still found."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from ringg_provider.history.load import LoadCounts
from tests.history.diary import Diary
from tests.history.hostile_platform import START, HostilePlatform
from tests.inbox.telling import Mail, comparable_calls
from tests.inbox.test_same_tables import apply

HOUR = 3600.0


def night(calls: int, mail: Mail | None) -> tuple[Diary, LoadCounts]:
    """A campaign that has ended, after a load before it; read with the webhooks that came, or without."""
    platform = HostilePlatform(3)
    platform.plan_campaign(3, begin=-40 * HOUR, spread=10)
    platform.sleep(1)
    diary = Diary(platform)
    diary.run()
    platform.plan_campaign(calls, begin=HOUR, spread=60)
    planned = list(platform.planned)
    while not platform.settled():
        platform.sleep(1800)
    platform.sleep(HOUR)
    if mail is not None:
        mail.post(platform, planned)
        mail.deliver(diary.engine)
        apply(diary.engine, platform)
    return diary, diary.load().run()


def test_a_night_that_webhooks_brought_costs_next_to_nothing() -> None:
    alone, polled = night(900, None)
    diary, counts = night(900, Mail(1))
    assert polled.requests >= 10
    assert (counts.requests, counts.details_read, counts.campaigns_known) == (3, 0, 1)
    assert counts.requests_saved >= polled.requests - counts.requests - 1
    assert comparable_calls(diary.engine, diary.calls) == comparable_calls(alone.engine, alone.calls)
    assert {state for state, _ in diary.states().values()} == {"complete"}


def test_a_few_calls_that_were_not_settled_are_asked_for_one_by_one() -> None:
    mail = Mail(2, lost=0.001)
    diary, counts = night(900, mail)
    assert counts.campaigns_known == 1
    assert 3 <= counts.requests < 9
    assert diary.table() == diary.platform.truth()


def test_a_call_of_which_nothing_came_is_found_all_the_same() -> None:
    platform = HostilePlatform(5)
    platform.plan_campaign(900, begin=-5 * HOUR, spread=10)
    calls = list(platform.calls)
    mail = Mail(1)
    mail.post(platform, calls[1:])
    diary = Diary(platform)
    platform.sleep(10 * HOUR)
    mail.deliver(diary.engine)
    apply(diary.engine, platform)
    counts = diary.load().run()
    assert counts.campaigns_known == 0
    assert diary.table() == platform.truth()


def test_a_single_call_of_which_nothing_came_is_found_by_date() -> None:
    mail = Mail(1)
    diary, _ = night(900, mail)
    platform = diary.platform
    platform.plan_single((platform.now() - START).total_seconds() - HOUR)
    platform.calls[-1].ends_at = platform.calls[-1].starts_at + dt.timedelta(seconds=5)
    while not platform.settled():
        platform.sleep(1800)
    platform.sleep(HOUR)
    diary.run()
    assert diary.table() == platform.truth()


def test_without_webhooks_nothing_is_taken_for_known(sqlite: sa.Engine) -> None:
    _, counts = night(900, None)
    assert (counts.campaigns_known, counts.requests_saved) == (0, 0)
