"""Nothing personal leaves: neither in an error, nor in a log, nor in a representation."""

from __future__ import annotations

import logging

import httpx
import pytest

from ringg_provider.api.messages import Request, Response
from ringg_provider.api.redaction import redact
from ringg_provider.api.transport import Rules, Transport
from ringg_provider.exceptions import AuthenticationError
from tests.api.sending import KEY, READ, Send
from tests.support.http_server import Answer, ScriptedServer


@pytest.mark.parametrize(
    "number",
    [
        "+919876543210",
        "9876543210",
        "+1 (555) 010-9999",
        "098765 43210",
        "+44 7700 900123",
        "91-98765-43210",
        "5550100",
    ],
)
def test_what_looks_like_a_phone_number_is_masked(number: str) -> None:
    masked = redact(f"Mobile numbers not found in campaign: {number}, and more")
    assert masked == "Mobile numbers not found in campaign: [number], and more"


@pytest.mark.parametrize(
    "text",
    [
        "Campaign 550e8400-e29b-41d4-a716-446655440000 not found",
        "Limit cannot be greater than 200",
        "between 2026-10-18 and 2026-10-18T09:00:00",
        "18/10/2026, 09:00",
        "required 2500.0 credits",
        "You can only upload up to 5,000 contacts.",
    ],
)
def test_ids_dates_and_amounts_stay_readable(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("key", [KEY, "7251cb4b-3373-43a4-844c-b27a1d45e0c9", "a.key+with(signs)"])
def test_the_key_in_an_error_is_masked(send: Send, key: str) -> None:
    with (
        ScriptedServer(Answer(401, {"message": f"Invalid key {key}"})) as server,
        pytest.raises(AuthenticationError) as raised,
    ):
        send(server.base_url, READ, secrets=(key,))
    assert key not in str(raised.value)
    assert "Invalid key [key]" in str(raised.value)


def test_no_log_at_any_level_holds_key_number_query_or_body(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    number = "919876543210"
    wanted = Request(
        "GET", "/calling/history", params=[("to_number", f"+{number}")], repeatable=True, json={"n": number}
    )
    answers = (Answer(503, {"message": number}), Answer(body={"to_number": number}))
    with ScriptedServer(*answers) as server:
        send(server.base_url, wanted)
    ours = [record.getMessage() for record in caplog.records if record.name == "ringg_provider.api.transport"]
    assert any("GET /calling/history: answered 503 (attempt 1 of 5); again in" in line for line in ours)
    everything = "\n".join(f"{r.getMessage()} {r.exc_text or ''}" for r in caplog.records)
    assert number not in everything
    assert KEY not in everything
    assert "to_number" not in everything


def test_the_log_of_other_users_of_httpx_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="httpx")
    with ScriptedServer() as server, httpx.Client(trust_env=False) as other:
        other.get(server.origin)
    assert any(record.name == "httpx" for record in caplog.records)


def test_no_repr_shows_key_query_or_body() -> None:
    wanted = Request("GET", "/x", params=[("to_number", "+919876543210")], json={"a": "secret"}, form={"b": "secret"})
    answer = Response(wanted, 200, b"secret")
    transport = Transport(Rules("http://127.0.0.1:1", headers={"X-API-KEY": KEY}, secrets=(KEY,)))
    transport.close()
    for shown in (repr(wanted), repr(answer), repr(transport), str(wanted)):
        assert KEY not in shown
        assert "secret" not in shown
        assert "919876543210" not in shown
