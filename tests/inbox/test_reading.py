"""A body that anybody could have written is read, or refused with a reason that quotes nothing of it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ringg_provider.inbox.reading import DEEPEST, Reading, Unreadable, read_ringg, read_smartalex
from tests.inbox.payloads import CALL, CAMPAIGN, HARD, NAME, NUMBER, SAID, UNREADABLE, ringg, smartalex

READERS = [read_ringg, read_smartalex]


def test_a_delivery_of_ringg_says_what_it_is_about() -> None:
    reading = read_ringg(ringg())
    assert (reading.event_type, reading.call_id, reading.bulk_list_id) == ("call_completed", CALL, CAMPAIGN)
    assert reading.document == json.loads(ringg())


def test_a_single_call_is_of_no_campaign() -> None:
    assert read_ringg(ringg(bulk_list_id=None)).bulk_list_id is None


@pytest.mark.parametrize(
    ("body", "call_id", "campaign_id"),
    [
        (smartalex(call_id="c", campaign_id="k"), "c", "k"),
        (smartalex(id="c", campaign_id="k", call_status="completed"), "c", "k"),
        (smartalex("call.failed", call_id="c", id="other"), "c", None),
        (smartalex("campaign.completed", id="k"), None, "k"),
        (smartalex("campaign.completed", campaign_id="k"), None, "k"),
        (smartalex("callback.scheduled", id="b", call_id="c", campaign_id="k"), "c", "k"),
        (smartalex("contact.dnc", id="p"), None, None),
        (b'{"type": "call.started", "data": null}', None, None),
        (b'{"type": "call.started", "data": [1]}', None, None),
        (b'{"type": "call.started"}', None, None),
    ],
)
def test_a_delivery_of_smartalex_says_what_it_is_about(body: bytes, call_id: str, campaign_id: str) -> None:
    reading = read_smartalex(body)
    assert (reading.call_id, reading.bulk_list_id) == (call_id, campaign_id)
    assert reading.event_type == json.loads(body)["type"]


@pytest.mark.parametrize(("body", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_ringg(body)
    assert refused.value.reason == reason == str(refused.value)


@pytest.mark.parametrize("body", HARD.values(), ids=HARD)
def test_what_is_hard_is_read(body: bytes) -> None:
    assert read_ringg(body).event_type


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("body", [body for body, _ in UNREADABLE.values()] + list(HARD.values()))
def test_nothing_of_a_payload_is_in_an_error_or_what_is_printed_of_a_reading(
    read: Callable[[bytes], Reading], body: bytes
) -> None:
    try:
        told = repr(read(body))
    except Unreadable as error:
        told = "".join(traceback.format_exception(error))
        causes = (error.__context__, error.__cause__)
    else:
        causes = (None, None)
    assert causes == (None, None)
    assert [mark for mark in (NUMBER, NAME, SAID) if mark in told] == []


@pytest.mark.parametrize("read", READERS)
@given(body=st.binary() | st.recursive(st.none() | st.text() | st.floats(), lambda of: st.lists(of) | st.dictionaries(
    st.sampled_from(["event_type", "type", "call_id", "bulk_list_id", "data", "id", "campaign_id"]), of
)).map(lambda value: json.dumps(value).encode()))  # fmt: skip
@example(body=b'{"type": "call.started", "data": {"id": []}}')
@example(body=b'{"type": ".", "data": {"id": {}}}')
def test_whatever_comes_is_read_or_refused(read: Callable[[bytes], Reading], body: bytes) -> None:
    try:
        reading = read(body)
    except Unreadable:
        return
    for text in (reading.event_type, reading.call_id, reading.bulk_list_id):
        assert text is None or (0 < len(text.encode()) <= 4 * 191 and "\0" not in text)


def test_the_deepest_payload_that_is_read_and_the_next_one() -> None:
    def nested(levels: int) -> bytes:
        return b'{"event_type": "x", "a": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"

    assert read_ringg(nested(DEEPEST)).event_type == "x"
    with pytest.raises(Unreadable, match="levels deep"):
        read_ringg(nested(DEEPEST + 1))
