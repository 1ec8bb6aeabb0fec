"""A key is only ever shown to https, or to this very machine."""

from __future__ import annotations

import pytest

from ringg_provider.api.addresses import check_base_url
from ringg_provider.exceptions import InvalidRequest


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
        check_base_url(url)
    assert raised.value.field == "base_url"
    assert "secret" not in str(raised.value)
