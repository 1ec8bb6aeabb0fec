"""What an answer says, and when it is none."""

from __future__ import annotations

import pytest

from ringg_provider.api.messages import Request, Response, Timeouts
from ringg_provider.exceptions import InvalidRequest, TransientError, UnexpectedResponse, UnreadableAnswer
from tests.api.sending import ACT, READ, Send, Waits
from tests.support.http_server import UNREADABLE, Answer, ScriptedServer


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=list(UNREADABLE))
def test_a_success_that_cannot_be_read_is_not_taken_for_one(send: Send, answer: Answer) -> None:
    with ScriptedServer(answer) as server, pytest.raises(UnexpectedResponse) as raised:
        send(server.base_url, ACT, Response.body)
    assert not isinstance(raised.value, TransientError)
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=list(UNREADABLE))
def test_a_read_is_sent_again_after_an_answer_that_cannot_be_read(send: Send, waits: Waits, answer: Answer) -> None:
    with ScriptedServer(answer, answer, Answer(body={"ok": 1})) as server:
        assert send(server.base_url, READ, Response.body) == {"ok": 1}
    assert len(server.asked) == 3
    assert len(waits) == 2


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=list(UNREADABLE))
def test_a_read_that_stays_unreadable_is_worth_a_retry_of_the_task(send: Send, waits: Waits, answer: Answer) -> None:
    with ScriptedServer(answer) as server, pytest.raises(UnreadableAnswer) as raised:
        send(server.base_url, READ, Response.body, max_attempts=3)
    assert isinstance(raised.value, TransientError)
    assert str(raised.value).startswith("GET /thing")
    assert len(server.asked) == 3


def test_a_read_that_the_caller_repeats_himself_is_sent_once_and_worth_repeating(send: Send) -> None:
    with ScriptedServer(Answer(body=b"<html>")) as server, pytest.raises(UnreadableAnswer):
        send(server.base_url, Request("GET", "/thing", repeatable=False), Response.body)
    assert len(server.asked) == 1


def test_an_action_may_succeed_without_a_body_but_a_read_may_not(send: Send) -> None:
    with ScriptedServer(Answer(204, b"")) as server:
        assert send(server.base_url, ACT, Response.body) == {}
        with pytest.raises(UnreadableAnswer):
            send(server.base_url, READ, Response.body)


def test_a_status_that_is_expected_is_handed_over(send: Send) -> None:
    with ScriptedServer(Answer(400, {"detail": "no"})) as server:
        answer = send(server.base_url, Request("POST", "/act", expects=frozenset({400})))
    assert (answer.status_code, answer.is_success, answer.raw_text()) == (400, False, "no")


def test_a_validation_error_names_the_field_that_the_platform_names(send: Send) -> None:
    body = {"detail": [{"loc": ["body", "call_config", "call_time"], "msg": "bad"}, {"loc": ["body", "b"], "msg": "c"}]}
    with ScriptedServer(Answer(422, body)) as server, pytest.raises(InvalidRequest) as raised:
        send(server.base_url, ACT)
    assert raised.value.field == "call_config.call_time"
    assert "call_config.call_time: bad; b: c" in str(raised.value)


def test_a_long_text_is_cut(send: Send) -> None:
    with ScriptedServer(Answer(400, {"message": "word " * 1000})) as server, pytest.raises(InvalidRequest) as raised:
        send(server.base_url, READ)
    assert len(str(raised.value)) < 500


def test_defaults_leave_no_timeout_unset() -> None:
    assert all(0 < seconds < 3600 for seconds in vars(Timeouts()).values())
