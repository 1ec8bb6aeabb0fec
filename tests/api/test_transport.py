"""The transports against a real server on a socket; only the waiting is replaced."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import threading
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

from ringg_provider.api.transport import (
    AsyncTransport,
    Request,
    Response,
    Timeouts,
    Transport,
    check_base_url,
    parse_retry_after,
    redact,
)
from ringg_provider.exceptions import (
    AuthenticationError,
    InsufficientBalance,
    InvalidRequest,
    NetworkError,
    NotFound,
    PermissionDenied,
    RateLimited,
    RinggProviderError,
    ServerError,
    UnexpectedResponse,
    WrongState,
)
from tests.support.http_server import Answer, ScriptedServer, free_port

KEY = "rg_live_0123456789abcdef"
NOW = 1_800_000_000.0
READ = Request("GET", "/thing", repeatable=True)
ACT = Request("POST", "/act", json={"x": 1})

Send = Callable[..., Response]


class Waits(list[float]):
    """Stands in for sleeping: remembers how long it should have been."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)

    async def later(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture(params=["sync", "async"])
def send(request: pytest.FixtureRequest, waits: Waits) -> Send:
    """Sends one request through either transport, so that every rule is shown to hold for both."""

    def options(base_url: str, given: dict[str, Any]) -> dict[str, Any]:
        return {
            "base_url": base_url,
            "headers": {"X-API-KEY": KEY},
            "secrets": (KEY,),
            "clock": lambda: NOW,
            **given,
        }

    def synchronously(base_url: str, wanted: Request, **given: Any) -> Response:
        with Transport(sleep=waits, **options(base_url, given)) as transport:
            return transport.send(wanted)

    def in_a_loop(base_url: str, wanted: Request, **given: Any) -> Response:
        async def main() -> Response:
            async with AsyncTransport(sleep=waits.later, **options(base_url, given)) as transport:
                return await transport.send(wanted)

        return asyncio.run(main())

    return synchronously if request.param == "sync" else in_a_loop


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_a_request_carries_the_key_in_its_header_and_no_other_credentials(send: Send) -> None:
    with ScriptedServer(Answer(body={"ok": True})) as server:
        assert send(server.base_url, READ).body() == {"ok": True}
    headers = server.asked[0].headers
    assert headers["x-api-key"] == KEY
    assert "authorization" not in headers
    assert headers["user-agent"].startswith("ringg-provider/")


def test_a_query_keeps_the_plus_of_an_offset_and_repeated_names(send: Send) -> None:
    pairs = [("start_date", "2026-01-01T00:00:00+05:30"), ("agent_id", "a"), ("agent_id", "b")]
    with ScriptedServer() as server:
        send(server.base_url, Request("GET", "/x", params=pairs))
    assert server.asked[0].query == pairs


def test_every_timeout_is_set_and_uploads_may_take_longer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []
    real = httpx.Client.send

    def spy(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return real(self, request, **options)

    monkeypatch.setattr(httpx.Client, "send", spy)
    csv = tmp_path / "a.csv"
    csv.write_text("x\n")
    timeouts = Timeouts(connect=1, read=2, write=3, pool=4, upload=50)
    with ScriptedServer() as server, Transport(server.base_url, headers={}, timeouts=timeouts) as transport:
        transport.send(READ)
        transport.send(Request("POST", "/u", form={"a": "b"}, file=csv))
    assert seen == [
        {"connect": 1, "read": 2, "write": 3, "pool": 4},
        {"connect": 1, "read": 50, "write": 50, "pool": 4},
    ]


def test_defaults_leave_no_timeout_unset() -> None:
    assert all(0 < seconds < 3600 for seconds in vars(Timeouts()).values())


# --- repeating --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_safe_request_is_repeated_until_it_succeeds(send: Send, waits: Waits, status: int) -> None:
    with ScriptedServer(Answer(status), Answer(status), Answer(body={"ok": 1})) as server:
        assert send(server.base_url, READ).body() == {"ok": 1}
    assert len(server.asked) == 3
    assert len(waits) == 2
    assert waits[1] > waits[0] > 0


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 422, 500, 501])
def test_a_safe_request_is_not_repeated_after_an_answer_that_repeating_cannot_change(
    send: Send, waits: Waits, status: int
) -> None:
    with ScriptedServer(Answer(status)) as server, pytest.raises(RinggProviderError):
        send(server.base_url, READ)
    assert len(server.asked) == 1
    assert not waits


def test_a_safe_request_is_repeated_when_the_connection_was_cut(send: Send, waits: Waits) -> None:
    with ScriptedServer(Answer(cut=True), Answer(body={"a": 1}, truncate=10), Answer(body={"ok": 1})) as server:
        assert send(server.base_url, READ).body() == {"ok": 1}
    assert len(server.asked) == 3
    assert len(waits) == 2


def test_a_safe_request_is_given_up_after_the_attempts_it_has(send: Send, waits: Waits) -> None:
    with ScriptedServer(Answer(503)) as server, pytest.raises(ServerError) as raised:
        send(server.base_url, READ, max_attempts=3)
    assert len(server.asked) == 3
    assert len(waits) == 2
    assert raised.value.status_code == 503


@pytest.mark.parametrize("answer", [Answer(429), Answer(500), Answer(502), Answer(503), Answer(504), Answer(cut=True)])
def test_a_request_that_acts_is_never_repeated_once_it_may_have_arrived(
    send: Send, waits: Waits, answer: Answer
) -> None:
    with ScriptedServer(answer) as server, pytest.raises((ServerError, RateLimited, NetworkError)) as raised:
        send(server.base_url, ACT)
    assert len(server.asked) == 1
    assert not waits
    if isinstance(raised.value, NetworkError):
        assert raised.value.sent is True


def test_an_answer_that_breaks_off_leaves_a_request_that_acts_unrepeated(send: Send) -> None:
    with ScriptedServer(Answer(body={"list_id": "x"}, truncate=5)) as server, pytest.raises(NetworkError) as raised:
        send(server.base_url, ACT)
    assert len(server.asked) == 1
    assert raised.value.sent is True
    assert "may have been acted upon" in str(raised.value)


def test_an_answer_that_comes_too_late_leaves_a_request_that_acts_unrepeated(send: Send) -> None:
    with ScriptedServer(Answer(delay=0.6)) as server:
        with pytest.raises(NetworkError) as raised:
            send(server.base_url, ACT, timeouts=Timeouts(read=0.1))
        assert len(server.asked) == 1
    assert raised.value.sent is True


def test_a_connection_that_was_refused_is_certainly_not_sent_and_tried_again(send: Send, waits: Waits) -> None:
    with pytest.raises(NetworkError) as raised:
        send(f"http://127.0.0.1:{free_port()}/ca", ACT, max_attempts=4)
    assert raised.value.sent is False
    assert len(waits) == 3
    assert "was not sent" in str(raised.value)


def test_a_request_that_acts_goes_out_when_the_server_comes_back(waits: Waits) -> None:
    port = free_port()
    started: list[ScriptedServer] = []

    def come_back(_: float) -> None:
        server = ScriptedServer(Answer(body={"ok": 1}), port=port)
        started.append(server.__enter__())

    transport = Transport(f"http://127.0.0.1:{port}", headers={}, sleep=come_back)
    try:
        assert transport.send(ACT).body() == {"ok": 1}
        assert len(started[0].asked) == 1
    finally:
        transport.close()
        for server in started:
            server.__exit__()


def test_waits_grow_and_differ_between_clients(send: Send, waits: Waits) -> None:
    random.seed(1)
    for _ in range(2):
        with ScriptedServer(Answer(503)) as server, pytest.raises(ServerError):
            send(server.base_url, READ)
    first, second = waits[:4], waits[4:]
    assert first == sorted(first)
    assert first != second


def test_waits_after_a_429_outlast_a_limit_that_is_counted_by_the_minute(send: Send, waits: Waits) -> None:
    with ScriptedServer(Answer(429)) as server, pytest.raises(RateLimited):
        send(server.base_url, READ)
    assert 60 < sum(waits) <= 120


def test_waits_have_a_bound_in_all(send: Send, waits: Waits) -> None:
    with ScriptedServer(Answer(503)) as server, pytest.raises(ServerError):
        send(server.base_url, READ, max_attempts=1000, max_wait=50)
    assert 20 < sum(waits) <= 50


@pytest.mark.parametrize("value", ["7", formatdate(NOW + 7, usegmt=True)])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_in_both_its_forms(send: Send, waits: Waits, status: int, value: str) -> None:
    with ScriptedServer(Answer(status, headers={"Retry-After": value}), Answer()) as server:
        send(server.base_url, READ)
    assert 7 <= waits[0] <= 8


def test_a_retry_after_longer_than_the_patience_is_raised_at_once(send: Send, waits: Waits) -> None:
    with (
        ScriptedServer(Answer(429, headers={"Retry-After": "3600"})) as server,
        pytest.raises(RateLimited) as raised,
    ):
        send(server.base_url, READ)
    assert raised.value.retry_after == 3600
    assert not waits
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("0", 0.0),
        ("1.5", 1.5),
        (formatdate(NOW - 60, usegmt=True), 0.0),
        (formatdate(NOW + 60, usegmt=True), 60.0),
    ],
)
def test_a_retry_after_that_cannot_be_read_is_as_good_as_none(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


# --- redirects --------------------------------------------------------------------------------------------------------


def test_a_read_follows_a_redirect_to_the_same_origin(send: Send) -> None:
    with ScriptedServer(Answer(307, headers={"Location": "/ca/api/v0/thing/"}), Answer(body={"ok": 1})) as server:
        assert send(server.base_url, READ).body() == {"ok": 1}
    assert server.paths == ["GET /thing", "GET /thing/"]


def test_a_read_is_not_redirected_elsewhere_and_the_key_stays_at_home(send: Send) -> None:
    with ScriptedServer() as stranger, ScriptedServer(Answer(302, headers={"Location": stranger.origin})) as server:
        with pytest.raises(UnexpectedResponse, match="redirected"):
            send(server.base_url, READ)
        assert not stranger.asked


def test_a_read_is_not_redirected_in_circles(send: Send) -> None:
    with ScriptedServer(Answer(302, headers={"Location": "/ca/api/v0/thing"})) as server:
        with pytest.raises(UnexpectedResponse, match="redirected"):
            send(server.base_url, READ)
        assert len(server.asked) <= 7


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_request_that_acts_is_never_redirected(send: Send, method: str, status: int) -> None:
    with ScriptedServer(Answer(status, headers={"Location": "/ca/api/v0/act/"})) as server:
        with pytest.raises(UnexpectedResponse, match=r"was redirected .* not sent again") as raised:
            send(server.base_url, Request(method, "/act", json={}, repeatable=True))
        assert len(server.asked) == 1
    assert raised.value.status_code == status


# --- where to ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["https://prod-api.ringg.ai/ca/api/v0", "http://localhost:8090/x", "http://127.1.2.3/x", "http://[::1]:80/x"],
)
def test_https_and_plain_http_to_this_machine_are_accepted(url: str) -> None:
    assert check_base_url(url + "/").startswith(url.split(":80/")[0])
    assert not check_base_url(url + "/").endswith("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://prod-api.ringg.ai/ca/api/v0",
        "http://10.0.0.1/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://[::2]/",
        "ftp://localhost/",
        "prod-api.ringg.ai",
        "",
        "https://",
        "https://user:secret@host/",
        "https://host/?a=b",
        "https://host/#a",
        "http://[::1/",
    ],
)
def test_any_other_address_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        Transport(url, headers={})
    assert raised.value.field == "base_url"
    assert "secret" not in str(raised.value)


def test_a_proxy_of_the_environment_does_not_see_what_is_meant_for_this_machine(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(Answer(body={"ok": 1})) as server, ScriptedServer(Answer(502)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert send(server.base_url, READ).body() == {"ok": 1}
        assert not proxy.asked


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_a_file_is_sent_as_multipart_with_its_fields_before_it(send: Send, tmp_path: Path) -> None:
    csv = tmp_path / "contacts.csv"
    csv.write_bytes(b"Mobile Number,Name\r\n+15550100,\xc3\xa4\r\n")
    with ScriptedServer() as server:
        send(server.base_url, Request("POST", "/u", form={"campaign_name": "Prämie", "flag": "true"}, file=csv))
    asked = server.asked[0]
    kind, _, boundary = asked.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    parts = asked.body.split(b"--" + boundary.encode())
    assert 'name="campaign_name"\r\n\r\nPrämie\r\n'.encode() in parts[1]
    assert b'name="flag"\r\n\r\ntrue\r\n' in parts[2]
    assert b'name="file"; filename="contacts.csv"\r\nContent-Type: text/csv' in parts[3]
    assert parts[3].endswith(b"\r\n\r\n" + csv.read_bytes() + b"\r\n")


def test_a_file_of_20_megabytes_is_streamed_in_constant_memory(tmp_path: Path) -> None:
    csv = tmp_path / "big.csv"
    with csv.open("wb") as file:
        file.writelines(b"+1555%07d,Someone,Some policy\n" % n for n in range(640_000))
    size = csv.stat().st_size
    assert size > 18_000_000
    with (
        ScriptedServer(keep_bodies=False) as server,
        Transport(server.base_url, headers={}) as transport,
    ):
        transport.send(READ)
        tracemalloc.start()
        try:
            transport.send(Request("POST", "/u", form={"a": "b"}, file=csv))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert server.asked[1].length > size
    # Server and client share this process; both together stay far below the file.
    assert peak < 2_000_000


def test_an_upload_starts_from_the_first_byte_again_when_no_connection_was_made(tmp_path: Path) -> None:
    csv = tmp_path / "a.csv"
    csv.write_bytes(b"header\nrow\n")
    port = free_port()
    started: list[ScriptedServer] = []
    transport = Transport(
        f"http://127.0.0.1:{port}",
        headers={},
        sleep=lambda _: started.append(ScriptedServer(port=port).__enter__()),
    )
    try:
        transport.send(Request("POST", "/u", form={}, file=csv))
        assert b"header\nrow\n" in started[0].asked[0].body
    finally:
        transport.close()
        for server in started:
            server.__exit__()


# --- error bodies -----------------------------------------------------------------------------------------------------

BODIES = [
    ({"message": "Invalid credentials", "code": "unauthorized"}, "Invalid credentials"),
    ({"detail": "Invalid agent_id."}, "Invalid agent_id."),
    (
        {"detail": [{"loc": ["body", "agent_id"], "msg": "field required", "type": "missing"}]},
        "agent_id: field required",
    ),
    ({"error": {"code": "401 Unauthorized", "message": "Invalid credentials"}}, "Invalid credentials"),
    ({"error": "Too many requests"}, "Too many requests"),
    ({"status": "error", "message": "Failed to fetch agent voices"}, "Failed to fetch agent voices"),
    ({"success": False, "error": {"code": "VOICE_LANGUAGE_MISMATCH", "message": "No match"}}, "No match"),
    ({"message": None, "detail": {"message": "deep"}}, "deep"),
    (b"upstream   connect\nerror", "upstream connect error"),
    (b"<html><body>Bad gateway</body></html>", "(a page of HTML)"),
    (b'"just text"', "just text"),
    (b"", "was answered"),
    ([], "was answered"),
    (b"\xff\xfe", "was answered"),
]
STATUSES: list[tuple[int, type[RinggProviderError]]] = [
    (400, InvalidRequest),
    (401, AuthenticationError),
    (402, InsufficientBalance),
    (403, PermissionDenied),
    (404, NotFound),
    (405, InvalidRequest),
    (409, WrongState),
    (413, InvalidRequest),
    (422, InvalidRequest),
    (429, RateLimited),
    (500, ServerError),
    (502, ServerError),
    (599, ServerError),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_every_shape_of_error_body_becomes_a_typed_error_with_its_text(
    status: int, kind: type[RinggProviderError]
) -> None:
    answers = [Answer(status, body) for body, _ in BODIES]
    with ScriptedServer(*answers) as server, Transport(server.base_url, headers={}) as transport:
        for number, (_, text) in enumerate(BODIES, 1):
            with pytest.raises(kind) as raised:
                transport.send(ACT)
            assert type(raised.value) is kind
            assert raised.value.status_code == status
            assert text in str(raised.value)
            assert str(raised.value).startswith(f"POST /act was answered {status}")
            assert len(server.asked) == number


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (402, "your current balance is insufficient to complete this action"),
        (402, "You can only upload up to 100 contacts."),
        (400, "Insufficient balance to start this campaign."),
        (400, "Not enough credits"),
    ],
)
def test_a_lack_of_money_is_told_whichever_status_it_comes_with(send: Send, status: int, text: str) -> None:
    body = {"detail": text, "required_credits": 2500.0, "additional_balance_required": "1250.00"}
    with ScriptedServer(Answer(status, body)) as server, pytest.raises(InsufficientBalance) as raised:
        send(server.base_url, ACT)
    assert text in str(raised.value)
    assert raised.value.required_credits == Decimal("2500.0")
    assert raised.value.additional_balance_required == Decimal("1250.00")
    assert raised.value.available_credits is None


@pytest.mark.parametrize("holder", ["detail", "error", "data"])
def test_the_numbers_of_a_shortfall_are_found_below_the_message_too(send: Send, holder: str) -> None:
    body = {holder: {"message": "Insufficient credits", "available_credits": 10, "required_credits": "NaN"}}
    with ScriptedServer(Answer(402, body)) as server, pytest.raises(InsufficientBalance) as raised:
        send(server.base_url, ACT)
    assert raised.value.available_credits == 10
    assert raised.value.required_credits is None


@pytest.mark.parametrize(
    "text",
    [
        "Bulk list is not ready to start.",
        "Campaign already started",
        "Cannot start a campaign that's scheduled or ongoing",
        "Campaign is not in insufficient_balance state",
    ],
)
def test_a_400_about_the_state_of_things_is_a_wrong_state(send: Send, text: str) -> None:
    with ScriptedServer(Answer(400, {"detail": text})) as server, pytest.raises(WrongState):
        send(server.base_url, ACT)


def test_a_validation_error_names_the_field_that_the_platform_names(send: Send) -> None:
    body = {"detail": [{"loc": ["body", "call_config", "call_time"], "msg": "bad"}, {"loc": ["body", "b"], "msg": "c"}]}
    with ScriptedServer(Answer(422, body)) as server, pytest.raises(InvalidRequest) as raised:
        send(server.base_url, ACT)
    assert raised.value.field == "call_config.call_time"
    assert "call_config.call_time: bad; b: c" in str(raised.value)


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


# --- nothing personal leaves ------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("key", [KEY, "ringg_live_abc123", "7251cb4b-3373-43a4-844c-b27a1d45e0c9"])
def test_the_key_in_an_error_is_masked(send: Send, key: str) -> None:
    with (
        ScriptedServer(Answer(401, {"message": f"Invalid key {key}"})) as server,
        pytest.raises(AuthenticationError) as raised,
    ):
        send(server.base_url, READ, secrets=(key,))
    assert key not in str(raised.value)
    assert "Invalid key [key]" in str(raised.value)


def test_a_long_text_is_cut(send: Send) -> None:
    with ScriptedServer(Answer(400, {"message": "word " * 1000})) as server, pytest.raises(InvalidRequest) as raised:
        send(server.base_url, READ)
    assert len(str(raised.value)) < 500


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
    transport = Transport("http://127.0.0.1:1", headers={"X-API-KEY": KEY}, secrets=(KEY,))
    transport.close()
    for shown in (repr(wanted), repr(answer), repr(transport), str(wanted)):
        assert KEY not in shown
        assert "secret" not in shown
        assert "919876543210" not in shown


# --- one set of rules -------------------------------------------------------------------------------------------------


def test_the_two_transports_take_the_same_parameters_with_the_same_defaults() -> None:
    sync = inspect.signature(Transport.__init__).parameters
    other = inspect.signature(AsyncTransport.__init__).parameters
    assert list(sync) == list(other)
    assert {n: p.default for n, p in sync.items() if n != "sleep"} == {
        n: p.default for n, p in other.items() if n != "sleep"
    }


async def test_a_waiting_request_can_be_cancelled() -> None:
    arrived = threading.Event()

    def unavailable(_: object) -> Answer:
        arrived.set()
        return Answer(503)

    with ScriptedServer(script=unavailable) as server:
        async with AsyncTransport(server.base_url, headers={}) as transport:
            task = asyncio.create_task(transport.send(READ))
            await asyncio.to_thread(arrived.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert len(server.asked) == 1
