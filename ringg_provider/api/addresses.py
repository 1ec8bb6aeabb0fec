"""Where a platform answers and with which key it is asked."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote

from ringg_provider.exceptions import InvalidRequest


def quoted(segment: str) -> str:
    """One segment of a path, with everything escaped that would end it."""
    return quote(segment, safe="")


def check_base_url(base_url: str) -> str:
    """The base URL without a trailing slash.

    Raises `InvalidRequest` unless it is https, or plain http to this very machine: a key is never sent in clear text.
    """
    # Read by the one that will send, so that both mean the same host; not needed before there is something to send.
    import httpx

    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError):
        raise InvalidRequest("base_url must be a URL such as https://host/path.", field="base_url") from None
    if url.scheme not in ("https", "http") or not url.host or url.userinfo or url.query or url.fragment:
        raise InvalidRequest("base_url must be https://host/path, without user, query or fragment.", field="base_url")
    if url.scheme == "http" and not is_loopback(url.host):
        raise InvalidRequest(
            "base_url must be https; plain http is only for this machine (localhost, 127.0.0.0/8, ::1).",
            field="base_url",
        )
    return str(url).rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this very machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_api_key(api_key: str | None) -> str:
    """The key. Raises `InvalidRequest` unless it is non-empty printable ASCII without spaces."""
    if not api_key or not re.fullmatch(r"[!-~]+", api_key):
        raise InvalidRequest("api_key must not be empty nor contain spaces or line breaks.", field="api_key")
    return api_key
