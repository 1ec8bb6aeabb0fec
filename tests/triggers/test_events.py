"""What a trigger tells, and the one reader of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ringg_provider.exceptions import TransientError, UnexpectedResponse, UnreadableAnswer
from ringg_provider.launch.progress import Stage
from ringg_provider.triggers.events import (
    CAMPAIGN_ENDS,
    CREDITS_ENDS,
    UPLOAD_ENDS,
    EventStatus,
    WaitEvent,
    read_event,
)

ENDS = {"campaign": CAMPAIGN_ENDS, "upload": UPLOAD_ENDS, "credits": CREDITS_ENDS}
every_wait = pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)


@pytest.mark.parametrize("status", sorted(set(EventStatus) - {EventStatus.ERROR, EventStatus.UNREADABLE}))
def test_an_event_comes_back_as_it_was_told(status: EventStatus) -> None:
    told = WaitEvent(status, "id-1", "List id-1 is so.")
    payload = told.as_trigger_event().payload
    assert payload == {"status": status.value, "id": "id-1", "message": "List id-1 is so."}
    assert type(payload["status"]) is str, "Airflow stores plain JSON"
    assert read_event(json.loads(json.dumps(payload)), "id-1", frozenset({status})) == told


@every_wait
@pytest.mark.parametrize(
    "event",
    [
        None,
        "completed",
        [],
        {},
        {"status": "timeout", "message": ""},
        {"status": "timeout", "id": "another", "message": ""},
        {"status": "timeout", "id": 1, "message": ""},
        {"status": "timeout", "id": None, "message": ""},
    ],
)
def test_an_event_that_is_missing_or_about_another_is_not_believed(ends: Any, event: object) -> None:
    with pytest.raises(UnexpectedResponse, match="no usable event"):
        read_event(event, "id-1", ends)


@every_wait
@pytest.mark.parametrize("status", ["gone fishing", None, 1, ["completed"], "COMPLETED", ""])
def test_a_status_that_nobody_knows_is_no_end(ends: Any, status: object) -> None:
    with pytest.raises(UnexpectedResponse, match="unknown kind"):
        read_event({"status": status, "id": "id-1", "message": ""}, "id-1", ends)


@pytest.mark.parametrize(
    ("ends", "status"),
    [(CAMPAIGN_ENDS, "settled"), (CAMPAIGN_ENDS, "changed"), (UPLOAD_ENDS, "completed"), (CREDITS_ENDS, "settled")],
)
def test_an_end_of_another_kind_of_wait_is_no_end(ends: Any, status: str) -> None:
    with pytest.raises(UnexpectedResponse, match="unknown kind"):
        read_event({"status": status, "id": "id-1", "message": ""}, "id-1", ends)


@every_wait
def test_an_error_is_raised_with_what_the_trigger_said(ends: Any) -> None:
    with pytest.raises(UnexpectedResponse, match="the key was rotated") as raised:
        read_event({"status": "error", "id": "id-1", "message": "the key was rotated"}, "id-1", ends)
    assert not isinstance(raised.value, TransientError), "trying again does not help"


@every_wait
def test_a_platform_that_could_not_be_read_for_long_is_worth_a_retry(ends: Any) -> None:
    with pytest.raises(UnreadableAnswer, match="not JSON"):
        read_event({"status": "unreadable", "id": "id-1", "message": "not JSON"}, "id-1", ends)


@every_wait
@pytest.mark.parametrize("status", ["timeout", "execution_timeout"])
def test_a_deadline_may_pass_in_every_wait(ends: Any, status: str) -> None:
    assert read_event({"status": status, "id": "id-1"}, "id-1", ends) == WaitEvent(EventStatus(status), "id-1", "")


def test_where_airflow_has_lost_the_id_the_events_own_counts() -> None:
    event = {"status": "completed", "id": "id-1", "message": ""}
    assert read_event(event, None, CAMPAIGN_ENDS).id == "id-1"
    with pytest.raises(UnexpectedResponse):
        read_event({**event, "id": None}, None, CAMPAIGN_ENDS)


def test_every_end_of_a_campaign_can_be_told() -> None:
    assert {stage.value for stage in Stage if stage.is_final} == {status.value for status in CAMPAIGN_ENDS}
