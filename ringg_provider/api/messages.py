"""What is asked of a platform and what comes back, independent of how it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ringg_provider.api.redaction import redact
from ringg_provider.exceptions import UnexpectedResponse, UnreadableAnswer

if TYPE_CHECKING:
    import httpx

_MAX_TEXT = 300


@dataclass(frozen=True)
class Timeouts:
    """How long to wait, in seconds.

    :param connect: for a connection.
    :param read: for the next bytes of an answer.
    :param write: for the next bytes of a request to be taken.
    :param pool: for a free connection of the pool.
    :param upload: replaces `read` and `write` when a file is sent; the platform answers after it has read the file.
    """

    connect: float = 10.0
    read: float = 60.0
    write: float = 60.0
    pool: float = 60.0
    upload: float = 600.0

    def for_httpx(self, *, uploads: bool = False) -> httpx.Timeout:
        """The same as httpx takes it.

        :param uploads: whether a file is sent.
        """
        import httpx

        read, write = (self.upload, self.upload) if uploads else (self.read, self.write)
        return httpx.Timeout(connect=self.connect, read=read, write=write, pool=self.pool)


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True)
class Request:
    """One request.

    :param method: HTTP method.
    :param path: below the base URL, with a leading slash, ids already quoted (see `addresses.quoted`).
    :param params: query, in order; a name may come several times.
    :param json: JSON body.
    :param form: fields of a multipart body, before the file.
    :param file: a CSV that is streamed as the field `file` of the multipart body.
    :param of: the parameter whose id the path names, for errors; default none.
    :param repeatable: whether sending it twice does no more than sending it once.
    :param again_when_limited: whether one that is not repeatable is sent again after a 429, which was not acted upon.
    :param expects: statuses other than 2xx that are handed to the caller instead of raised.
    """

    method: str
    path: str
    params: Sequence[tuple[str, str]] = field(default=(), repr=False)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    file: Path | None = None
    of: str | None = None
    repeatable: bool = False
    again_when_limited: bool = False
    expects: frozenset[int] = frozenset()

    @property
    def acts(self) -> bool:
        """Whether sending it once more could do more than sending it once."""
        return self.method != "GET" and not self.repeatable

    @property
    def doubt(self) -> str:
        """What to add to an error after which it is not known whether the platform acted."""
        return " It may have been acted upon: look before sending it again." if self.acts else " Try again later."

    def unreadable(self, why: str, status_code: int | None = None) -> UnexpectedResponse:
        """The error for an answer that cannot be read: one to try again after, unless the request acts."""
        kind = UnexpectedResponse if self.acts else UnreadableAnswer
        return kind(why if why.startswith(str(self)) else f"{self}: {why}", status_code=status_code)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Response:
    """One answer: its status, and its body as bytes."""

    request: Request
    status_code: int
    content: bytes = field(repr=False)
    retry_after: float | None = None
    redact: Callable[[str], str] = field(default=redact, repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status_code < 300

    def body(self) -> Any:
        """The decoded JSON; `{}` for the empty body with which an action may be answered.

        Raises `UnexpectedResponse` when it is not JSON, or says in its own words that the request failed.
        """
        decoded = self._decoded()
        if decoded is None or (self.request.method == "GET" and not self.content.strip()):
            raise UnexpectedResponse(
                f"{self.request} was answered {self.status_code} with a body that is not JSON."
                " Check that the base URL is that of the API.",
                status_code=self.status_code,
            )
        if isinstance(decoded, Mapping) and (decoded.get("success") is False or decoded.get("status") == "error"):
            raise UnexpectedResponse(
                f"{self.request} was answered {self.status_code}, but reports an error: {self.text()}",
                status_code=self.status_code,
            )
        return decoded

    def _decoded(self) -> Any:
        """The JSON of the body, or None when it is not JSON."""
        try:
            return json.loads(self.content) if self.content.strip() else {}
        except (ValueError, RecursionError):
            return None

    def value(self, *path: str) -> Any:
        """What the body has at a path of names; None when it has no such thing, or is not JSON."""
        found = self._decoded()
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def raw_text(self) -> str:
        """What the platform says, in any of its error bodies; not redacted, so for decisions only."""
        decoded = self._decoded()
        if decoded is None:
            return " ".join(self.content.decode("utf-8", "replace").split())
        return _message_in(decoded)

    def text(self) -> str:
        """What the platform says, safe to show: without key and phone numbers, and short."""
        text = self.raw_text()
        if text.startswith("<"):
            return "(a page of HTML)"
        text = self.redact(text)
        return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "..."

    def field(self) -> str | None:
        """The field that a validation error names first, with dots into nested ones."""
        detail = self.value("detail")
        return _location_of(detail[0]) if isinstance(detail, list) and detail else None


def _message_in(body: Any) -> str:
    """The message of any documented error body, or empty text."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, map(_problem_in, body)))
    if not isinstance(body, Mapping):
        return ""
    for name in ("message", "detail", "error", "msg"):
        text = _message_in(body.get(name))
        if text:
            return text
    return ""


def _problem_in(entry: Any) -> str:
    """One entry of a list of validation problems: the field and what is wrong with it."""
    text, name = _message_in(entry), _location_of(entry)
    return f"{name}: {text}" if name and text else text


def _location_of(entry: Any) -> str | None:
    location = entry.get("loc") if isinstance(entry, Mapping) else None
    if not isinstance(location, list):
        return None
    parts = [str(part) for part in location]
    return ".".join(parts[1:] if parts[:1] in (["body"], ["query"], ["path"]) else parts) or None
