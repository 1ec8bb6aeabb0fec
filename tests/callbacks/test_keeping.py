"""What becomes of promises, as a person's calls tell it, in whatever order they are read."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringg_provider.callbacks.asked import BY_A_HUMAN, Call
from ringg_provider.callbacks.keeping import ASKED_AGAIN, NOT_CALLED, NOT_REACHED, NOT_SETTLED, REACHED_BEFORE
from ringg_provider.callbacks.loading import PromiseTerms
from ringg_provider.callbacks.planning import MOVED, NO_HOURS, NOT_LISTED, REACHED_SINCE
from ringg_provider.callbacks.table import LIVE
from ringg_provider.hours.lawful import LawfulHours
from ringg_provider.hours.rules import load_rules
from tests.callbacks.people import NOON, TERMS, Table, asking, hours, ringing, talking

FIVE = NOON + hours(5)
#: India has no rule for this purpose.
NO_RULE = LawfulHours(load_rules(), purpose="service", no_rule="hold")
ENDED = {"kept", "late", "missed", "withdrawn"}


def test_a_promise_is_open_until_it_is_kept() -> None:
    table, calls = Table(), [asking("a", NOON, FIVE)]
    table.load(calls, NOON + hours(1))
    assert table.only["state"] == "open"
    assert table.only["due_at"] == table.only["earliest_at"] == table.only["latest_at"] == FIVE
    table.load([*calls, talking("b", FIVE + dt.timedelta(minutes=3), list_id="callbacks")], FIVE + hours(1))
    assert table.only["state"] == "kept"
    assert (table.only["promise_id"], table.only["asked_call_id"], table.only["kept_call_id"]) == ("a", "a", "b")
    assert table.only["bulk_list_id"] == "list"
    assert table.only["seconds_late"] == 180


@pytest.mark.parametrize(
    ("minutes", "state"),
    [(-60, "withdrawn"), (-16, "withdrawn"), (-15, "kept"), (15, "kept"), (16, "late"), (60, "late")],
)
def test_a_call_keeps_it_around_its_time_and_is_late_afterwards(minutes: int, state: str) -> None:
    table = Table()
    calls = [asking("a", NOON, FIVE), talking("b", FIVE + dt.timedelta(minutes=minutes))]
    table.load(calls, FIVE + hours(48))
    assert table.only["state"] == state
    assert table.only["state_reason"] == (REACHED_SINCE if state == "withdrawn" else None)


def test_who_was_reached_before_the_time_is_not_called_unless_a_list_has_taken_them_or_they_ask_again() -> None:
    table, calls = Table(), [asking("a", NOON, FIVE), talking("b", NOON + hours(2))]
    table.load(calls[:1], NOON)
    table.only.update(state="listed", claim_key="key", claimed_at=FIVE, list_id="l")
    table.load(calls, NOON + hours(2))
    assert table.only["state"] == "listed", "it may still call"
    table.only.update(state="open", claim_key=None, claimed_at=None, list_id=None)
    table.load(calls, NOON + hours(3))
    assert (table.only["state"], table.only["state_reason"]) == ("withdrawn", REACHED_SINCE)
    table.load([*calls, talking("c", FIVE)], FIVE)
    assert table.only["state"] == "kept", "somebody called all the same"
    table = Table()
    table.load(calls, NOON + hours(3))
    table.load([*calls, asking("d", NOON + hours(3), NOON + hours(6))], NOON + hours(3))
    assert (table.only["state"], table.only["due_at"]) == ("open", NOON + hours(6))


@pytest.mark.parametrize("noted", ["left out: too many attempts", "another call to them is under way"])
def test_what_a_run_has_noted_of_an_open_promise_stays_and_is_why_it_was_missed(noted: str) -> None:
    table, calls = Table(), [asking("a", NOON, FIVE)]
    table.load(calls, NOON)
    table.only.update(state_reason=noted)
    table.load(calls, NOON + hours(1))
    assert (table.only["state"], table.only["state_reason"]) == ("open", noted)
    for now in (FIVE + hours(30), FIVE + hours(31)):
        table.load(calls, now)
        assert (table.only["state"], table.only["state_reason"]) == ("missed", noted)
    table.load([*calls, ringing("b", FIVE)], FIVE + hours(32))
    assert table.only["state_reason"] == NOT_REACHED
    table = Table()
    table.load(calls, NOON)
    table.only.update(state_reason=noted)
    table.load([*calls, asking("c", NOON + hours(1), NOON + hours(6))], NOON + hours(1))
    assert table.only["state_reason"] == ASKED_AGAIN, "it is about the time before"


def test_a_later_asking_moves_it_and_another_after_it_was_kept_is_another() -> None:
    table = Table()
    six = NOON + hours(6)
    calls = [asking("a", NOON, FIVE), asking("b", NOON + hours(1), six, list_id="other")]
    table.load(calls[:1], NOON)
    table.load(calls, NOON + hours(1))
    assert (table.only["promise_id"], table.only["asked_call_id"], table.only["due_at"]) == ("a", "b", six)
    assert table.only["bulk_list_id"] == "list"
    calls += [talking("c", six), asking("d", six + dt.timedelta(minutes=5), six + hours(24))]
    table.load(calls, six + hours(1))
    assert {row["promise_id"]: row["state"] for row in table.rows.values()} == {"a": "kept", "d": "open"}


@pytest.mark.parametrize("words", [NOON + hours(6), "whenever suits"])
def test_who_asks_again_while_on_a_list_is_on_no_other_until_that_one_has_called(
    words: dt.datetime | str,
) -> None:
    table, again = Table(), asking("b", NOON + hours(4), words)
    calls = [asking("a", NOON, FIVE)]
    table.load(calls, NOON)
    table.only.update(state="listed", claim_key="key", claimed_at=FIVE, list_id="callbacks")
    calls.append(again)
    for now in (NOON + hours(4), NOON + hours(4.1)):
        table.load(calls, now)
        assert (table.only["state"], table.only["state_reason"]) == ("listed", MOVED)
        assert (table.only["claim_key"], table.only["list_id"]) == ("key", "callbacks")
        assert table.only["asked_call_id"] == "b"
    calls.append(ringing("c", FIVE, list_id="callbacks", is_final=False))
    table.load(calls, FIVE)
    assert table.only["claim_key"] == "key", "the list tries once more"
    calls[-1] = ringing("c", FIVE, list_id="callbacks")
    for now in (FIVE, FIVE + hours(0.1)):
        table.load(calls, now)
        assert (table.only["state"], table.only["claim_key"], table.only["list_id"]) == (
            "open" if isinstance(words, dt.datetime) else "unclear",
            None,
            None,
        )
    if isinstance(words, dt.datetime):
        table.load([*calls, talking("d", words, list_id="more")], words + hours(1))
        assert table.only["state"] == "kept"


def test_who_asks_again_in_the_call_of_their_list_may_be_on_another_at_once() -> None:
    table, calls = Table(), [asking("a", NOON, FIVE)]
    table.load(calls, NOON)
    table.only.update(state="listed", claim_key="key", claimed_at=FIVE, list_id="callbacks")
    table.load([*calls, asking("b", FIVE, NOON + hours(6), list_id="callbacks")], FIVE)
    assert (table.only["state"], table.only["claim_key"]) == ("open", None)


def test_a_call_that_kept_it_moves_it_once_its_analysis_says_that_they_asked_again() -> None:
    table, later = Table(), FIVE + hours(24)
    table.load([asking("a", NOON, FIVE), talking("b", FIVE)], FIVE + hours(1))
    assert table.only["state"] == "kept"
    table.load([asking("a", NOON, FIVE), asking("b", FIVE, later)], FIVE + hours(2))
    assert (table.only["state"], table.only["due_at"], table.only["kept_at"]) == ("open", later, None)
    assert table.only["claim_key"] is None


@pytest.mark.parametrize(
    ("claimed", "more", "reason"),
    [
        (False, [], NOT_LISTED),
        (True, [], NOT_CALLED),
        (True, [ringing("b", FIVE)], NOT_REACHED),
        (False, [ringing("b", FIVE)], NOT_REACHED),
    ],
)
def test_what_was_missed_says_why(claimed: bool, more: list[Call], reason: str) -> None:
    table, calls = Table(), [asking("a", NOON, FIVE), *more]
    table.load(calls[:1], NOON)
    if claimed:
        table.only.update(state="listed", claim_key="key", claimed_at=FIVE, list_id="l")
    table.load(calls, FIVE + hours(1))
    assert table.only["state"] == ("listed" if claimed else "open")
    table.load(calls, FIVE + hours(30))
    assert (table.only["state"], table.only["state_reason"]) == ("missed", reason)
    assert table.only["claim_key"] == ("key" if claimed else None)


def test_an_unclear_one_waits_for_a_person_and_then_is_missed() -> None:
    table, calls = Table(), [asking("a", NOON, "whenever suits")]
    table.load(calls, NOON)
    assert table.only["state"] == "unclear"
    assert "whenever" not in (table.only["state_reason"] or "")
    assert (table.only["due_at"], table.only["words"]) == (None, "whenever suits")
    assert table.only["timezone"] == "Asia/Calcutta", "the number tells it"
    table.load(calls, NOON + hours(80))
    assert (table.only["state"], table.only["state_reason"]) == ("missed", NOT_SETTLED)


def test_who_was_reached_before_anybody_said_when_is_not_called_again() -> None:
    table = Table()
    table.load([asking("a", NOON, "whenever suits"), talking("b", NOON + hours(1))], NOON + hours(2))
    assert (table.only["state"], table.only["state_reason"]) == ("withdrawn", REACHED_BEFORE)


def test_who_asked_for_a_human_is_for_a_person_to_see() -> None:
    table = Table()
    table.load([asking("a", NOON, FIVE, by_human=True)], NOON)
    assert (table.only["state"], table.only["state_reason"]) == ("unclear", BY_A_HUMAN)


def test_what_a_person_settled_stays_until_they_ask_again() -> None:
    table, calls = Table(), [asking("a", NOON, "whenever suits")]
    table.load(calls, NOON)
    table.only.update(state="open", earliest_at=FIVE, latest_at=FIVE, due_at=FIVE, settled_by="person:Asha")
    table.load(calls, NOON + hours(1))
    assert (table.only["state"], table.only["due_at"], table.only["settled_by"]) == ("open", FIVE, "person:Asha")
    table.load([*calls, asking("b", NOON + hours(2), NOON + hours(6))], NOON + hours(3))
    assert (table.only["due_at"], table.only["settled_by"]) == (NOON + hours(6), "platform words")


def test_what_a_person_settled_for_no_lawful_hour_is_unclear_until_there_is_one() -> None:
    table, calls = Table(PromiseTerms(NO_RULE).terms()), [asking("a", NOON, "whenever suits")]
    table.load(calls, NOON)
    table.only.update(
        state="open", earliest_at=FIVE, latest_at=FIVE, due_at=FIVE, settled_by="person:Asha", state_reason=None
    )
    for now in (NOON + hours(1), NOON + hours(2)):
        table.load(calls, now)
        assert (table.only["state"], table.only["state_reason"]) == ("unclear", NO_HOURS)
        assert (table.only["due_at"], table.only["earliest_at"]) == (None, FIVE)
    table.terms = TERMS
    table.load(calls, NOON + hours(3))
    assert (table.only["state"], table.only["due_at"], table.only["settled_by"]) == ("open", FIVE, "person:Asha")


def test_what_is_claimed_keeps_its_time_and_its_name() -> None:
    """A call that is read late is told before it, and the promise that is being called keeps its key."""
    table, b = Table(), asking("b", NOON + hours(1), FIVE)
    table.load([b], NOON + hours(2))
    table.only.update(state="listed", claim_key="key", claimed_at=FIVE, list_id="l")
    table.load([asking("a", NOON, NOON + hours(3)), b], NOON + hours(2))
    assert (table.only["promise_id"], table.only["claim_key"], table.only["due_at"]) == ("b", "key", FIVE)


def test_an_erased_row_is_never_written_again() -> None:
    table, calls = Table(), [asking("a", NOON, FIVE)]
    table.load(calls, NOON)
    table.only.update(erased_at=NOON, to_number_e164=None, words=None, callee_name=None)
    before = dict(table.only)
    table.load([*calls, talking("b", FIVE)], FIVE + hours(1))
    assert table.only == before


# What follows holds whatever happens.

_KINDS = st.sampled_from(["asks", "talks", "rings"])
_STEPS = st.integers(0, 4 * 24 * 4).map(lambda quarter: NOON + dt.timedelta(minutes=15 * quarter))
_WORDS = st.one_of(
    st.integers(1, 60).map(lambda later: dt.timedelta(hours=later)),
    st.just(None),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Call]:
    """Calls with one person in some days."""
    calls = []
    for number, at in enumerate(draw(st.lists(_STEPS, max_size=7, unique=True))):
        kind, call_id = draw(_KINDS), f"call-{number}"
        if kind == "asks":
            after = draw(_WORDS)
            calls.append(asking(call_id, at, "some day" if after is None else at + after))
        elif kind == "talks":
            calls.append(talking(call_id, at))
        else:
            calls.append(ringing(call_id, at))
    return calls


@settings(max_examples=300, deadline=None)
@given(histories(), st.data())
def test_the_table_is_the_same_whatever_the_order_and_number_of_loads(calls: list[Call], data: st.DataObject) -> None:
    now = NOON + dt.timedelta(days=data.draw(st.integers(0, 9)))
    calls = [call for call in calls if call.at <= now]
    at_once, bit_by_bit = Table(), Table()
    at_once.load(calls, now)
    known: list[Call] = []
    for call in data.draw(st.permutations(calls)):
        known.append(call)
        if data.draw(st.booleans()):
            bit_by_bit.load(known + known[:1], now)
    bit_by_bit.load(calls, now)
    assert bit_by_bit.said() == at_once.said()
    assert not bit_by_bit.load(calls, now).rows
    assert all(row["state_reason"] for row in at_once.said() if row["state"] in ("missed", "unclear", "withdrawn"))


@settings(max_examples=300, deadline=None)
@given(histories())
def test_no_promise_goes_backwards_and_none_is_lost(calls: list[Call]) -> None:
    """As time passes and calls become known in their order."""
    table, known = Table(), list[Call]()
    before: dict[str, dict[str, Any]] = {}
    for call in sorted(calls, key=lambda call: call.at):
        known.append(call)
        table.load(known, call.at)
        for promise_id, row in before.items():
            now = table.rows[promise_id]
            assert now["asked_at"] >= row["asked_at"]
            if now["asked_at"] == row["asked_at"] and row["state"] in ENDED:
                assert now["state"] == row["state"] or row["state"] == "missed" or row["state_reason"] == REACHED_SINCE
                assert now["state"] in ENDED
            if call.asks:
                continue
            assert now["due_at"] == row["due_at"]
        asked = [row for row in table.rows.values() if row["asked_call_id"] == call.call_id]
        assert len(asked) == call.asks
        assert sum(row["state"] in LIVE for row in table.rows.values()) <= 1
        before = {promise_id: dict(row) for promise_id, row in table.rows.items()}
