"""The transports against a real server on a socket; only the waiting is replaced."""

from __future__ import annotations

import asyncio
import random
import threading
import tracemalloc
from contextlib import aclosing, closing
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.server import free_port
from ringg_provider.api.messages import Request, Timeouts
from ringg_provider.api.transport import AsyncTransport, Rules, Transport, parse_retry_after
from ringg_provider.exceptions import NetworkError, RateLimited, RinggProviderError, ServerError, UnexpectedResponse
from tests.api.sending import ACT, KEY, NOW, READ, Send, Waits, whole
from tests.support.http_server import Answer, ScriptedServer

# --- what is sent -------------------------------------------------------------------------------------------


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
    with (
        ScriptedServer() as server,
        closing(Transport(Rules(server.base_url, headers={}, timeouts=timeouts))) as transport,
    ):
        transport.send(READ, whole)
        transport.send(Request("POST", "/u", form={"a": "b"}, file=csv), whole)
    assert seen == [
        {"connect": 1, "read": 2, "write": 3, "pool": 4},
        {"connect": 1, "read": 50, "write": 50, "pool": 4},
    ]


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


# --- repeating ----------------------------------------------------------------------------------------------


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

    transport = Transport(Rules(f"http://127.0.0.1:{port}", headers={}), sleep=come_back)
    try:
        assert transport.send(ACT, whole).body() == {"ok": 1}
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


async def test_a_waiting_request_can_be_cancelled() -> None:
    arrived = threading.Event()

    def unavailable(_: object) -> Answer:
        arrived.set()
        return Answer(503)

    with ScriptedServer(script=unavailable) as server:
        async with aclosing(AsyncTransport(Rules(server.base_url, headers={}))) as transport:
            task = asyncio.create_task(transport.send(READ, whole))
            await asyncio.to_thread(arrived.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert len(server.asked) == 1


# --- redirects ----------------------------------------------------------------------------------------------


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


# --- uploads ------------------------------------------------------------------------------------------------


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
        closing(Transport(Rules(server.base_url, headers={}))) as transport,
    ):
        transport.send(READ, whole)
        tracemalloc.start()
        try:
            transport.send(Request("POST", "/u", form={"a": "b"}, file=csv), whole)
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
        Rules(f"http://127.0.0.1:{port}", headers={}),
        sleep=lambda _: started.append(ScriptedServer(port=port).__enter__()),
    )
    try:
        transport.send(Request("POST", "/u", form={}, file=csv), whole)
        assert b"header\nrow\n" in started[0].asked[0].body
    finally:
        transport.close()
        for server in started:
            server.__exit__()
