"""When a campaign is all there: the verdict, fact by fact, without a platform and without a table."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from ringg_provider.history.closing import UNLISTED_AFTER, CampaignFacts, Closing, ListsRead, judge_campaign
from ringg_provider.history.counts import counts_table
from ringg_provider.history.merging import CallStore, CampaignStore, Wanted
from ringg_provider.history.tables import (
    AWAITS_COST,
    AWAITS_DETAILS,
    AWAITS_STATUS,
    CLOSED,
    ENDED,
    NO_CALL_YET,
    NOT_LISTED,
    UNREAD,
    HistoryState,
    calls_table,
    campaigns_table,
)
from ringg_provider.ringg.responses import CampaignState

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
GIVE_UP_AFTER = 3 * DAY
ALL_THERE = CampaignFacts("completed", NOW, NOW - DAY, NOW - DAY, settled=True, calls=5)


def judge(**facts: Any) -> tuple[str, str | None]:
    state, reason = judge_campaign(dataclasses.replace(ALL_THERE, **facts), now=NOW, give_up_after=GIVE_UP_AFTER)
    return state.value, reason


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ("complete", None)),
        ({"state": "failed"}, ("complete", None)),
        ({"state": "terminated", "calls": 0, "last_call_at": None}, ("complete", None)),
        ({"state": "draft", "calls": 0}, ("open", "not started")),
        ({"state": "scheduled", "calls": 0}, ("open", "not started")),
        ({"state": "running"}, ("open", "campaign is running")),
        ({"state": "paused"}, ("open", "campaign is paused")),
        ({"state": "unknown"}, ("open", "campaign is unknown")),
        ({"state": "running", "listed_at": NOW - 2 * DAY}, ("complete", None)),
        ({"settled": False}, ("open", UNREAD)),
        ({"settled": False, "failure": "NotFound"}, ("open", f"{UNREAD}: NotFound")),
        ({"settled": False, "history_reason": AWAITS_COST}, ("complete", None)),
        ({"settled": False, "history_state": "complete"}, ("complete", None)),
        ({"settled": False, "failure": "NotFound", "history_state": "complete"}, ("complete", None)),
        ({"calls_open": 3, "calls_running": 1, "calls_uncosted": 1}, ("open", AWAITS_STATUS)),
        ({"calls_open": 2, "calls_uncosted": 1}, ("open", AWAITS_COST)),
        ({"calls_open": 1}, ("open", AWAITS_DETAILS)),
        ({"calls": 0}, ("open", NO_CALL_YET)),
        ({"calls": 0, "changed_at": NOW - 4 * DAY}, ("complete", None)),
        ({"state": None, "calls": 0, "last_call_at": None}, ("open", NO_CALL_YET)),
        ({"state": None, "last_call_at": NOW - UNLISTED_AFTER / 2}, ("open", NOT_LISTED)),
        ({"state": None, "last_call_at": NOW - UNLISTED_AFTER * 2}, ("complete", None)),
        ({"calls_incomplete": 2}, ("incomplete", "2 calls were given up")),
        ({"calls_incomplete": 2, "calls_open": 1}, ("open", AWAITS_DETAILS)),
    ],
    ids=str,
)
def test_a_verdict_follows_from_the_facts(facts: dict[str, Any], expected: tuple[str, str | None]) -> None:
    assert judge(**facts) == expected


moments = st.timedeltas(dt.timedelta(0), dt.timedelta(days=10)).map(lambda ago: NOW - ago)
counts = st.integers(0, 3)
facts = st.builds(
    CampaignFacts,
    state=st.sampled_from([None, *(state.value for state in CampaignState)]),
    listed_at=moments,
    changed_at=moments,
    last_call_at=st.none() | moments,
    history_state=st.sampled_from([state.value for state in HistoryState]),
    history_reason=st.sampled_from([None, AWAITS_STATUS, AWAITS_COST, AWAITS_DETAILS, UNREAD, NO_CALL_YET, NOT_LISTED]),
    settled=st.booleans(),
    failure=st.sampled_from([None, "NotFound"]),
    calls=counts,
    calls_open=counts,
    calls_running=counts,
    calls_uncosted=counts,
    calls_incomplete=counts,
)


@given(facts)
def test_nothing_is_closed_of_which_anything_may_still_come(given_facts: CampaignFacts) -> None:
    state, reason = judge_campaign(given_facts, now=NOW, give_up_after=GIVE_UP_AFTER)
    if state is HistoryState.OPEN:
        assert reason
        return
    listed = given_facts.state is not None and given_facts.listed_at >= NOW - UNLISTED_AFTER
    assert not (listed and given_facts.state not in ENDED)
    read_before = given_facts.history_state in CLOSED or (given_facts.history_reason or "").startswith("calls await")
    assert given_facts.settled or read_before
    assert given_facts.calls_open == given_facts.calls_running == given_facts.calls_uncosted == 0
    assert (state is HistoryState.INCOMPLETE) == (given_facts.calls_incomplete > 0)


class Tables:
    """Both tables in a database, and the end of a load over them."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.calls, self.campaigns = engine, calls_table(), campaigns_table()
        self.calls.create(engine)
        self.campaigns.create(engine)
        self.counts = counts_table()
        self.counts.create(engine)
        self.store = CallStore(engine, self.calls, Wanted(), lambda: NOW)

    def add(self, campaign_id: str, state: str, *calls: dict[str, Any]) -> None:
        listed = {"campaign_id": campaign_id, "state": state, "read_at": NOW, "updated_at": NOW - 9 * DAY}
        CampaignStore(self.engine, self.campaigns).merge([listed])
        self.store.merge(
            [
                {"call_id": f"{campaign_id}{n}", "bulk_list_id": campaign_id, "read_at": NOW, "created_at": NOW, **call}
                for n, call in enumerate(calls)
            ]
        )

    def end(self, *read: str, give_up_after: dt.timedelta = GIVE_UP_AFTER) -> dict[str, Any]:
        campaigns = CampaignStore(self.engine, self.campaigns)
        closing = Closing(self.store, campaigns, self.counts, started_at=NOW, give_up_after=give_up_after)
        closing.give_up()
        closing.close(ListsRead(dict.fromkeys(read, NOW), {each: campaigns.news_of(each) for each in read}))
        with self.engine.connect() as connection:
            return {row.campaign_id: row for row in connection.execute(sa.select(self.campaigns))}


FAILED = {"status": "failed", "cost_final": True}


def test_the_calls_of_a_campaign_are_summed_up_and_it_is_closed(engine: sa.Engine) -> None:
    tables = Tables(engine)
    done = {"status": "completed", "cost": 1.5, "cost_final": True, "platform_analysis": {"summary": "Yes"}}
    tables.add("a", "completed", FAILED, {**done, "attempted_at": NOW - DAY}, {**done, "attempted_at": NOW})
    found = tables.end("a")["a"]
    assert (found.calls, found.calls_open, found.calls_incomplete, found.calls_completed) == (3, 0, 0, 2)
    assert (float(found.cost), found.first_call_at, found.last_call_at) == (3.0, NOW - DAY, NOW)
    assert (found.history_state, found.history_reason, found.calls_read_at) == ("complete", None, NOW)


def test_one_that_moved_on_since_it_was_read_stays_open(engine: sa.Engine) -> None:
    tables = Tables(engine)
    tables.add("a", "completed", FAILED)
    campaigns = CampaignStore(engine, tables.campaigns)
    read = ListsRead({"a": NOW}, {"a": campaigns.news_of("a")})
    campaigns.merge([{"campaign_id": "a", "state": "completed", "total_count": 9, "read_at": NOW}])
    Closing(tables.store, campaigns, tables.counts, started_at=NOW, give_up_after=GIVE_UP_AFTER).close(read)
    with engine.connect() as connection:
        found = connection.execute(sa.select(tables.campaigns)).one()
    assert (found.history_state, found.history_reason) == ("open", UNREAD)


def test_a_call_that_was_not_asked_for_in_this_load_is_not_given_up(engine: sa.Engine) -> None:
    tables = Tables(engine)
    waiting = {"status": "registered", "read_at": NOW - 9 * DAY}
    tables.add("a", "completed", waiting, {**waiting})
    assert tables.end()["a"].calls_incomplete == 0
    tables.store.note_asked(["a1"])
    assert tables.end()["a"].calls_incomplete == 1
    with engine.connect() as connection:
        found = connection.execute(sa.select(tables.calls).where(tables.calls.c.call_id == "a1")).one()
    assert (found.history_state, found.history_reason) == ("incomplete", "given up after 3 days: status is not final")


def test_one_that_an_older_version_closed_is_counted_once(engine: sa.Engine) -> None:
    tables = Tables(engine)
    done = {"status": "completed", "cost": 1, "cost_final": True, "attempted_at": NOW, "read_at": NOW - 9 * DAY}
    done |= {"platform_analysis": {"summary": "Yes"}}
    tables.add("a", "completed", {**FAILED, "attempted_at": NOW, "read_at": NOW - 9 * DAY}, done)
    older = {"history_state": "complete", "calls": 2, "calls_dialled": None}
    with engine.begin() as connection:
        connection.execute(sa.update(tables.campaigns).values(**older))
    found = tables.end()["a"]
    assert (found.calls_dialled, found.calls_connected, found.calls_reached) == (2, 1, 1)
    with engine.begin() as connection:
        counted = connection.execute(sa.select(sa.func.sum(tables.counts.c.calls))).scalar_one()
        assert counted == 3 * 2
        connection.execute(sa.delete(tables.counts))
    tables.end()
    with engine.connect() as connection:
        assert connection.execute(sa.select(tables.counts)).all() == []
