"""Links are secrets and foreign input: fetched without a key, told about without an address."""

from __future__ import annotations

import logging

import pytest

from demo.server import free_port
from ringg_provider.api.download import download
from ringg_provider.api.messages import Timeouts
from ringg_provider.exceptions import NetworkError, RinggProviderError, UnexpectedResponse, UnreadableAnswer
from tests.support.http_server import Answer, ScriptedServer

SECRET = "signature-abc123"


def fetch(url: str, timeouts: Timeouts | None = None) -> bytes:
    with download(url, timeouts=timeouts or Timeouts()) as answer:
        assert answer.status_code == 200
        return b"".join(answer.chunks())


def test_a_file_comes_as_it_is_and_without_a_key() -> None:
    content = bytes(range(256)) * 1000
    with (
        ScriptedServer(Answer(body=content, headers={"Content-Type": "audio/mpeg"})) as server,
        download(f"{server.origin}/file?{SECRET}") as answer,
    ):
        assert answer.content_type == "audio/mpeg"
        assert answer.location is None
        assert b"".join(answer.chunks()) == content
    (asked,) = server.asked
    assert not {"x-api-key", "authorization", "cookie"} & set(asked.headers)
    assert asked.headers["accept-encoding"] == "identity"


def test_a_redirect_is_told_and_not_followed() -> None:
    with (
        ScriptedServer() as stranger,
        ScriptedServer(Answer(302, headers={"Location": stranger.origin})) as server,
        download(server.origin) as answer,
    ):
        assert (answer.status_code, answer.location) == (302, stranger.origin)
    assert not stranger.asked


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(cut=True), NetworkError),
        (Answer(body=b"half", truncate=10), NetworkError),
        (Answer(delay=0.5), NetworkError),
        (Answer(body=b"no gzip", headers={"Content-Encoding": "gzip"}), UnreadableAnswer),
    ],
)
def test_what_breaks_off_or_cannot_be_decoded_may_be_fetched_again(
    answer: Answer, kind: type[RinggProviderError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with ScriptedServer(answer) as server, pytest.raises(kind) as raised:
        fetch(f"{server.origin}/file?{SECRET}", Timeouts(read=0.2))
    assert SECRET not in str(raised.value)
    assert raised.value.__context__ is None
    assert SECRET not in caplog.text


def test_nobody_there_is_a_network_error() -> None:
    with pytest.raises(NetworkError, match=r"got no answer \(ConnectError\)"):
        fetch(f"http://127.0.0.1:{free_port()}/{SECRET}")


@pytest.mark.parametrize(
    "url", [f"https://[::1/{SECRET}", f"https://{'a' * 100}.example/{SECRET}", f"ftp://h/{SECRET}"]
)
def test_what_is_no_address_is_told_without_it(url: str) -> None:
    with pytest.raises((UnexpectedResponse, NetworkError)) as raised:
        fetch(url)
    assert SECRET not in str(raised.value)
