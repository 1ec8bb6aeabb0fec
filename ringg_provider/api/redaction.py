"""What keeps keys and phone numbers out of messages and logs."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Ids and dates are digits too, and are what makes a message useful: they are matched first and kept.
_PHONE_LIKE = re.compile(
    r"(?P<keep>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|\b\d{4}-\d{2}-\d{2}(?!\d)(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?)"
    r"|\+?\d(?:[ ().\-\u2010-\u2015]{0,2}\d){6,}"
)


def redact(text: str, *secrets: str | re.Pattern[str]) -> str:
    """The text without secrets and without anything that looks like a phone number.

    :param secrets: what else to remove: the API key in use, and what any key of the platform looks like.
    """
    for secret in secrets:
        pattern = re.escape(secret) if isinstance(secret, str) else secret
        text = re.sub(pattern, "[key]", text)
    return _PHONE_LIKE.sub(lambda found: found.group("keep") or "[number]", text)


# True while a request of ours is under way in this thread or task.
_sending: ContextVar[bool] = ContextVar("ringg_provider_sending", default=False)


@contextmanager
def unlogged() -> Iterator[None]:
    """Drops what httpx and httpcore log meanwhile: a URL's query, or a header, may hold a number."""
    token = _sending.set(True)
    try:
        yield
    finally:
        _sending.reset(token)


class _OursAreQuiet(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        return not _sending.get()


# Filters are not inherited. At DEBUG httpcore prints headers, and a redirect's Location can be a signed link.
for _name in ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks"))):
    logging.getLogger(_name).addFilter(_OursAreQuiet())
