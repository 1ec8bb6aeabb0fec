"""What a start asks for, which intents are known again by, and what it sends when its hour has come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.launch.item import LaunchItem
from ringg_provider.ringg.requests import CallConfig
from ringg_provider.ringg.starts import Callers, LargeStart, StandardStart
from ringg_provider.ringg.timing import as_call_config

NOON = datetime(2027, 3, 1, 6, 30, tzinfo=UTC)  # 12:00 in India
TIMES = {"call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"}}
CONFIG: CallConfig = as_call_config(TIMES)
NUMBERS = Callers(["number-1"], email_completion_user_ids=["user-1"], callback_url="https://example.com")
SLOTS = {"mode": "absolute", "intervals": [{"start": "01/03/2027, 13:00", "end": "01/03/2027, 14:00"}]}


def standard(**changes: Any) -> StandardStart:
    return StandardStart(**{"list_id": "list-1", "agent_id": "agent-1", "callers": Callers(["number-1"]), **changes})


def large(**changes: Any) -> LargeStart:
    given = {"list_id": "list-1", "agent_id": "agent-1", "callers": NUMBERS, "country_code": "+91"}
    return LargeStart(**{**given, "call_config": CONFIG, **changes})


def test_what_is_asked_for_is_what_earlier_versions_noted_so_that_their_intents_are_known_again() -> None:
    assert standard(rows=3, call_config=CONFIG, start="2027-03-01T13:00").asked() == {
        "list_id": "list-1",
        "agent_id": "agent-1",
        "from_numbers": ["number-1"],
    }
    assert large(start="2027-03-01T13:00", call_slots=SLOTS, concurrency_percentage=20, rows=3).asked() == {
        "bulk_list_id": "list-1",
        "agent_id": "agent-1",
        "country_code": "+91",
        "call_config": CONFIG.wire(),
        "concurrency_percentage": 20,
        "from_numbers": ["number-1"],
        "email_completion_user_ids": ["user-1"],
        "callback_url": "https://example.com",
        "call_slots": SLOTS,
        "start": "2027-03-01T13:00",
        "end": None,
    }


def test_a_standard_start_sends_what_it_asks_for() -> None:
    assert standard().request() == standard().asked()


@pytest.mark.parametrize(
    ("planned", "sent"),
    [(None, "01/03/2027, 12:02"), ("2027-03-01T13:00", "01/03/2027, 13:00")],
    ids=["left open", "planned"],
)
def test_a_large_start_resolves_its_times_when_it_is_sent_and_asks_for_the_same_all_day(
    planned: str | None, sent: str
) -> None:
    start = large(start=planned)
    with time_machine.travel(NOON, tick=False):
        asked, request = start.asked(), start.request()
    assert request["campaign_start_time"] == sent
    with time_machine.travel(NOON.replace(hour=9), tick=False):
        assert start.asked() == asked


def test_slots_alone_need_no_times() -> None:
    with time_machine.travel(NOON, tick=False):
        request = large(call_slots=SLOTS).request()
    assert request["call_slots"]["intervals"] == SLOTS["intervals"]
    assert "campaign_start_time" not in request


def test_who_calls_is_asked_for_as_far_as_it_is_given() -> None:
    assert Callers().fields() == {}
    assert Callers(number_pool_id="pool").fields() == {"number_pool_id": "pool"}


def test_a_start_without_callers_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(InvalidRequest, match="from_numbers"):
        standard(callers=Callers()).asked()


@pytest.mark.parametrize(
    "start",
    [
        standard(rows=3, call_config=CONFIG, start=NOON),
        standard(),
        large(rows=3, end="2027-03-01T18:00", call_slots=SLOTS),
    ],
)
def test_what_the_ledger_notes_of_a_list_can_be_read_as_an_item(start: StandardStart | LargeStart) -> None:
    item = start.item()
    assert LaunchItem.of(item.as_xcom()) == item
    assert (item.list_id, item.flow, item.agent_id, item.rows) == ("list-1", start.flow, "agent-1", start.rows)
