"""When promises are due, until when they can be kept, and which are called next."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringg_provider.callbacks.planning import (
    NO_HOUR,
    NO_HOURS,
    NOBODY_SAID,
    NOT_DUE,
    NOT_LISTED,
    PLATFORM_CALLS,
    Promise,
    due_time,
    give_up_at,
    plan,
)
from ringg_provider.callbacks.reading import Instant, Span
from ringg_provider.hours.lawful import LawfulHours
from ringg_provider.hours.plan import Held
from ringg_provider.hours.rules import load_rules
from tests.callbacks.people import HOURS, NOON, NUMBER, hours

MIDNIGHT = NOON - hours(12)
QUARTER = dt.timedelta(minutes=15)
#: Promotional calls: 09:00 to 21:00 in India.
OPENS, CLOSES = MIDNIGHT + hours(9), MIDNIGHT + hours(21)
ROWS = Promise("p", "ringg", "open", NUMBER, agent_id="agent")


def promise(due: dt.datetime | None, **more: object) -> Promise:
    return Promise(**{**ROWS.__dict__, "due_at": due, **more})


@pytest.mark.parametrize(
    ("said", "due"),
    [
        (Instant(NOON), NOON),
        (Instant(MIDNIGHT + hours(7)), OPENS),
        (Instant(CLOSES - dt.timedelta(minutes=5)), CLOSES - QUARTER),
        (Instant(CLOSES), OPENS + hours(24)),
        (Instant(MIDNIGHT + hours(23)), OPENS + hours(24)),
        (Span(NOON, NOON + hours(2)), NOON + hours(1)),
        (Span(MIDNIGHT + hours(6), MIDNIGHT + hours(10)), OPENS),
        (Span(MIDNIGHT + hours(20), MIDNIGHT + hours(24)), CLOSES - QUARTER),
        (Span(MIDNIGHT + hours(22), MIDNIGHT + hours(23)), OPENS + hours(24)),
    ],
)
def test_what_is_due_when(said: Instant | Span, due: dt.datetime) -> None:
    assert due_time(said, NUMBER, "Asia/Kolkata", HOURS) == due


def test_a_number_of_no_country_is_due_at_no_time() -> None:
    assert isinstance(due_time(Instant(NOON), "+999000000000", None, HOURS), Held)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 60 * 24 * 300),
    st.integers(0, 60 * 14),
    st.sampled_from(
        ["+919800000001", "+12125550123", "+14155550123", "+5511987654321", "+33612345678", "+61491570006"]
    ),
    st.sampled_from(["promotional", "recovery", "survey", "service"]),
)
def test_what_is_due_is_lawful_and_not_before_what_they_said(
    minute: int, length: int, number: str, purpose: str
) -> None:
    lawful = LawfulHours(load_rules(), purpose=purpose, no_rule="allow")  # type: ignore[arg-type]
    earliest = NOON + dt.timedelta(minutes=minute)
    said = Span(earliest, earliest + dt.timedelta(minutes=length)) if length else Instant(earliest)
    due = due_time(said, number, None, lawful)
    if isinstance(due, Held):
        return
    assert due >= earliest - QUARTER
    around = lawful.spans(number, due - dt.timedelta(minutes=2), due + dt.timedelta(minutes=2))
    assert not isinstance(around, Held)
    assert any(opens <= due < closes for opens, closes in around)
    until = give_up_at(due, number, None, lawful)
    assert due < until <= due + hours(24)


def test_a_promise_is_given_up_with_its_day() -> None:
    assert give_up_at(NOON, NUMBER, "Asia/Kolkata", HOURS) == CLOSES


def test_what_is_due_before_the_horizon_is_listed_in_its_order() -> None:
    now = NOON
    rows = [
        promise(NOON + hours(0.2), promise_id="soon"),
        promise(NOON - hours(1), promise_id="overdue"),
        promise(NOON + hours(3), promise_id="later"),
        promise(NOON - hours(24), promise_id="yesterday"),
        promise(None, promise_id="unclear", state="unclear"),
        promise(NOON, promise_id="taken", state="listed", claim_key="key"),
    ]
    made = plan(rows, now=now, horizon=hours(0.25), hours=HOURS)
    assert [(due.promise.promise_id, due.at) for due in made.to_list] == [
        ("overdue", NOON),
        ("soon", NOON + hours(0.2)),
    ]
    assert [(each.promise_id, why) for each, why in made.missed] == [("yesterday", NOT_LISTED)]
    assert {each.promise_id: why for each, why in made.waiting} == {"later": NOT_DUE, "unclear": NOBODY_SAID}


def test_who_is_held_waits_and_is_missed_for_that_reason() -> None:
    made = plan([promise(NOON)], now=NOON, horizon=hours(1), hours=HOURS, held=lambda _: "the cap")
    assert [why for _, why in made.waiting] == ["the cap"]
    made = plan([promise(NOON)], now=CLOSES, horizon=hours(1), hours=HOURS, held=lambda _: "the cap")
    assert [why for _, why in made.missed] == ["the cap"]


def test_a_day_without_lawful_hours_left_is_missed() -> None:
    holiday = LawfulHours(load_rules(), purpose="promotional", blackout_dates=["2026-03-02"])
    made = plan([promise(NOON)], now=NOON, horizon=hours(1), hours=holiday)
    assert [why for _, why in made.missed] == [NO_HOUR]


def test_what_no_rule_tells_waits_until_its_time_is_over() -> None:
    no_rule = LawfulHours(load_rules(), purpose="service", no_rule="hold")
    made = plan([promise(NOON)], now=NOON, horizon=hours(1), hours=no_rule)
    ((_, why),) = made.waiting
    assert why.startswith(f"{NO_HOURS}: There is no calling-hours rule for IN")
    made = plan([promise(NOON)], now=NOON + hours(24), horizon=hours(1), hours=no_rule)
    assert [why for _, why in made.missed] == [NOT_LISTED]


@pytest.mark.parametrize(("known", "listed"), [(None, 0), (NOON, 0), (NOON + hours(1), 1)])
def test_what_the_platform_calls_is_left_to_it_until_it_certainly_has_not(
    known: dt.datetime | None, listed: int
) -> None:
    given_up = promise(NOON, platform="smartalex", platform_gave_up_at=NOON + hours(0.5))
    for row, agents in ((promise(NOON), {"agent"}), (given_up, set[str]())):
        made = plan([row], now=NOON + hours(1), horizon=hours(1), hours=HOURS, calls_back=agents, known_until=known)
        assert len(made.to_list) == listed
        assert [why for _, why in made.waiting] == [PLATFORM_CALLS] * (1 - listed)


def test_a_span_is_left_to_the_platform_until_its_end() -> None:
    row = promise(NOON, earliest_at=NOON - hours(2), latest_at=NOON + hours(2))
    for known, listed in ((NOON + hours(1), 0), (NOON + hours(2.2), 0), (NOON + hours(2.25), 1)):
        made = plan(
            [row], now=NOON + hours(2.5), horizon=hours(1), hours=HOURS, calls_back={"agent"}, known_until=known
        )
        assert len(made.to_list) == listed
        assert [why for _, why in made.waiting] == [PLATFORM_CALLS] * (1 - listed)
