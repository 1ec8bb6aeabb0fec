"""What an answer says, and when it is none."""

from __future__ import annotations

from typing import Any

import pytest

from ringg_provider.api.messages import Request, Timeouts
from ringg_provider.exceptions import InvalidRequest, UnexpectedResponse
from tests.api.sending import ACT, READ, Send
from tests.support.http_server import Answer, ScriptedServer


@pytest.mark.parametrize(
    "body", [b"<html>hello</html>", b"{", b"\xff", b"[" * 100_000, {"success": False}, {"status": "error"}]
)
def test_a_success_that_cannot_be_read_is_not_taken_for_one(send: Send, body: Any) -> None:
    with ScriptedServer(Answer(200, body)) as server, pytest.raises(UnexpectedResponse) as raised:
        send(server.base_url, ACT).body()
    assert raised.value.status_code == 200
    assert len(server.asked) == 1


def test_an_action_may_succeed_without_a_body_but_a_read_may_not(send: Send) -> None:
    with ScriptedServer(Answer(204, b"")) as server:
        assert send(server.base_url, ACT).body() == {}
        with pytest.raises(UnexpectedResponse):
            send(server.base_url, READ).body()


def test_a_body_in_an_encoding_that_breaks_is_unexpected(send: Send) -> None:
    broken = Answer(200, b"not gzip at all", headers={"Content-Encoding": "gzip"})
    with ScriptedServer(broken) as server, pytest.raises(UnexpectedResponse):
        send(server.base_url, READ)


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
