"""HTTP for both platforms, and the one module that imports httpx: timeouts, retries, errors and redaction.

`Transport` and `AsyncTransport` are two thin shells over one set of rules. A request says whether it may be
repeated; one that may not is sent again only when no connection was made, so that nobody is called twice
because an answer was lost. What a request means is left to the platform packages.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import httpx
import tenacity

from ringg_provider import __version__
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
    TransientError,
    UnexpectedResponse,
    WrongState,
)

log = logging.getLogger(__name__)

_MAX_REDIRECTS = 5
_MAX_TEXT = 300

# Failures after which the request has certainly not reached the platform.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_WORTH_REPEATING = frozenset({502, 503, 504})


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


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True)
class Request:
    """One request, independent of how it is sent.

    :param method: HTTP method.
    :param path: below the base URL, with a leading slash, ids already quoted (see `quoted`).
    :param params: query, in order; a name may come several times.
    :param json: JSON body.
    :param form: fields of a multipart body, before the file.
    :param file: a CSV that is streamed as the field `file` of the multipart body.
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
    repeatable: bool = False
    again_when_limited: bool = False
    expects: frozenset[int] = frozenset()

    @property
    def doubt(self) -> str:
        """What to add to an error after which it is not known whether the platform acted."""
        acts = self.method != "GET" and not self.repeatable
        return " It may have been acted upon: look before sending it again." if acts else " Try again later."

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Response:
    """One answer: its status, and its body as bytes."""

    request: Request
    status_code: int
    content: bytes = field(repr=False)
    retry_after: float | None = None
    redact: Callable[[str], str] = field(default=lambda text: redact(text), repr=False)

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

    def error(self) -> RinggProviderError:
        """The typed error for an answer that is not a success."""
        status, text = self.status_code, self.text()
        said = f"{self.request} was answered {status}: {text}" if text else f"{self.request} was answered {status}"
        said = said if said.endswith((".", "!", "?")) else said + "."
        body = self._decoded()
        match status:
            case 401:
                return AuthenticationError(f"{said} Check the API key of the connection.", status_code=status)
            case 403:
                return PermissionDenied(
                    f"{said} Ask an owner of the workspace to allow it, or use another key.",
                    status_code=status,
                )
            case 404:
                return NotFound(f"{said} Check the id, and that the key belongs to its workspace.", status_code=status)
            case 402:
                return _insufficient(said, body, status)
            case 400 if _ABOUT_MONEY.search(self.raw_text()):
                return _insufficient(said, body, status)
            case 400 if _ABOUT_STATE.search(self.raw_text()):
                return WrongState(f"{said} Look at the campaign's present state first.", status_code=status)
            case 409:
                return WrongState(f"{said} Wait until the one in progress is done.", status_code=status)
            case 429:
                wait = "later" if self.retry_after is None else f"in {self.retry_after:.0f} s"
                return RateLimited(
                    f"{said} The request was not acted upon; try again {wait}.",
                    retry_after=self.retry_after,
                    status_code=status,
                )
            case 413:
                return InvalidRequest(f"{said} Send a smaller file.", field="file", status_code=status)
            case 408:
                return ServerError(said, retry_after=self.retry_after, status_code=status)
            case _ if 300 <= status < 400:
                return UnexpectedResponse(
                    f"{self.request} was redirected ({status}), and was not sent again to another address."
                    " Check that the base URL is exactly that of the API.",
                    status_code=status,
                )
            case _ if 400 <= status < 500:
                return InvalidRequest(said, field=_field_in(body), status_code=status)
        return ServerError(said + self.request.doubt, retry_after=self.retry_after, status_code=status)


def error_of(response: Response) -> RinggProviderError | None:
    """What is wrong with an answer by its status alone; None when it is 2xx or expected."""
    fine = response.is_success or response.status_code in response.request.expects
    return None if fine else response.error()


# --- what error bodies say ----------------------------------------------------------------------------------

# "balance" and "credit" as words; the state insufficient_balance is one word to a regular expression.
_ABOUT_MONEY = re.compile(r"\b(balance|credits?)\b", re.IGNORECASE)
_ABOUT_STATE = re.compile(
    r"\bnot ready\b|\balready\b|\bnot in\b.*\b(state|status)\b|\bnot in insufficient_balance\b"
    r"|\b(cannot|can not|can't)\b.*\b(scheduled|ongoing|running|completed|terminated)\b",
    re.IGNORECASE | re.DOTALL,
)


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


def _field_in(body: Any) -> str | None:
    detail = body.get("detail") if isinstance(body, Mapping) else None
    return _location_of(detail[0]) if isinstance(detail, list) and detail else None


def _insufficient(said: str, body: Any, status: int) -> InsufficientBalance:
    holders = [body, *(body.get(name) for name in ("detail", "error", "data"))] if isinstance(body, Mapping) else []

    def number(name: str) -> Decimal | None:
        for holder in holders:
            value = holder.get(name) if isinstance(holder, Mapping) else None
            if value is None or isinstance(value, bool):
                continue
            try:
                found = Decimal(str(value))
            except ArithmeticError:
                continue
            if found.is_finite():
                return found
        return None

    return InsufficientBalance(
        f"{said} Top up the workspace or lower what is asked of it, then try again.",
        required_credits=number("required_credits"),
        available_credits=number("available_credits"),
        additional_balance_required=number("additional_balance_required"),
        status_code=status,
    )


# --- redaction ----------------------------------------------------------------------------------------------

# Ids and dates are digits too, and are what makes a message useful: they are matched first and kept.
_PHONE_LIKE = re.compile(
    r"(?P<keep>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|\b\d{4}-\d{2}-\d{2}(?!\d)(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?)"
    r"|\+?\d(?:[ ().\-\u2010-\u2015]{0,2}\d){6,}"
)
_KEY_LIKE = re.compile(r"\b(?:rg_live|rg_test|ringg_live)_\w+")


def redact(text: str, *secrets: str) -> str:
    """The text without keys and without anything that looks like a phone number.

    :param secrets: literal values to remove, such as the API key in use.
    """
    for secret in secrets:
        text = text.replace(secret, "[key]")
    text = _KEY_LIKE.sub("[key]", text)
    return _PHONE_LIKE.sub(lambda found: found.group("keep") or "[number]", text)


# True while a request of ours is under way in this thread or task.
_sending: ContextVar[bool] = ContextVar("ringg_provider_sending", default=False)


class _OursAreQuiet(logging.Filter):
    """Drops what httpx and httpcore log of our requests: a URL's query, or a header, may hold a number."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        return not _sending.get()


# Filters are not inherited. At DEBUG httpcore prints headers, and a redirect's Location can be a signed link.
for _name in ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks"))):
    logging.getLogger(_name).addFilter(_OursAreQuiet())


# --- addresses and keys -------------------------------------------------------------------------------------


def quoted(segment: str) -> str:
    """One segment of a path, with everything escaped that would end it."""
    return quote(segment, safe="")


def check_base_url(base_url: str) -> str:
    """The base URL without a trailing slash.

    Raises `InvalidRequest` unless it is https, or plain http to this very machine: a key is never sent in clear text.
    """
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


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a `Retry-After` header in either of its forms; None when it is absent or unreadable.

    :param now: the present time in seconds since the epoch.
    """
    if value is None:
        return None
    if re.fullmatch(r"\s*\d{1,10}(\.\d+)?\s*", value, re.ASCII):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)


def _pause_asked_for(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by `Retry-After`, else by `X-RateLimit-Reset`, which is a moment or a span."""
    asked = parse_retry_after(headers.get("retry-after"), now)
    if asked is None and headers.get("x-ratelimit-remaining", "0").strip() == "0":
        reset = parse_retry_after(headers.get("x-ratelimit-reset"), now)
        # Nobody is told to wait for thirty years: such a number is a moment.
        asked = max(0.0, reset - now) if reset is not None and reset > 1e9 else reset
    return asked


# --- the rules ----------------------------------------------------------------------------------------------


class _Rules:
    """Everything that the two transports have in common, which is all but the sending."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        secrets: Sequence[str],
        timeouts: Timeouts,
        max_attempts: int,
        max_wait: float,
        clock: Callable[[], float],
        error_of: Callable[[Response], RinggProviderError | None],
    ) -> None:
        self._error_of = error_of
        self.base_url = check_base_url(base_url)
        self.max_attempts = max_attempts
        self._headers = {
            "Accept": "application/json",
            "User-Agent": f"ringg-provider/{__version__}",
            **headers,
        }
        self._secrets = tuple(secrets)
        self._timeouts = timeouts
        self._max_wait = max_wait
        self._clock = clock
        self._brief = tenacity.wait_exponential(multiplier=0.5, max=30) + tenacity.wait_random(0, 0.5)
        # The one published limit is ten requests a minute, so these waits add up to more than a minute.
        self._patient = tenacity.wait_exponential(multiplier=5, max=60) + tenacity.wait_random(0, 1)

    def client_options(self) -> dict[str, Any]:
        timeouts = self._timeouts
        return {
            "headers": self._headers,
            "timeout": httpx.Timeout(
                connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool
            ),
            "follow_redirects": False,
            # A proxy from the environment would see what is meant for this very machine, key included.
            "trust_env": not is_loopback(httpx.URL(self.base_url).host),
        }

    def build(self, client: httpx.Client | httpx.AsyncClient, request: Request, file: BinaryIO | None) -> httpx.Request:
        options: dict[str, Any] = {"params": list(request.params)} if request.params else {}
        if request.json is not None:
            options["json"] = request.json
        if request.file is not None and file is not None:
            options["data"] = dict(request.form or {})
            options["files"] = {"file": (request.file.name, file, "text/csv")}
            upload = self._timeouts.upload
            options["timeout"] = httpx.Timeout(
                connect=self._timeouts.connect, read=upload, write=upload, pool=self._timeouts.pool
            )
        return client.build_request(request.method, self.base_url + request.path, **options)

    def next_hop(self, request: Request, answer: httpx.Response, hops: int) -> httpx.Request | None:
        """The request that follows a redirect, if it may be followed: a GET, to the same origin."""
        following = answer.next_request
        if following is None or request.method != "GET" or hops >= _MAX_REDIRECTS:
            return None
        here, there = answer.request.url, following.url
        same = (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port)
        return following if same else None

    def read(self, request: Request, answer: httpx.Response) -> Response:
        response = Response(
            request=request,
            status_code=answer.status_code,
            content=answer.content,
            retry_after=_pause_asked_for(answer.headers, self._clock()),
            redact=lambda text: redact(text, *self._secrets),
        )
        error = self._error_of(response)
        if error is not None:
            raise error
        return response

    @contextmanager
    def guard(self, request: Request) -> Iterator[None]:
        """Keeps httpx's log quiet and turns its errors into ours while a request is under way."""
        token = _sending.set(True)
        started = time.monotonic()
        try:
            yield
        except httpx.DecodingError as error:
            raise UnexpectedResponse(f"{request} was answered with a body that cannot be decoded.") from error
        except httpx.TransportError as error:
            sent = not isinstance(error, _NEVER_SENT)
            raise NetworkError(self._no_answer(request, error, sent), sent=sent) from error
        finally:
            _sending.reset(token)
            log.debug("%s took %.3f s", request, time.monotonic() - started)

    def _no_answer(self, request: Request, error: httpx.TransportError, sent: bool) -> str:
        kind = type(error).__name__
        if not sent:
            host = httpx.URL(self.base_url).host
            return f"{request} was not sent: no connection to {host} ({kind}). Check the network."
        return f"{request} got no answer ({kind}).{request.doubt}"

    def retrying(self, request: Request) -> dict[str, Any]:
        """The arguments of tenacity's `Retrying` and `AsyncRetrying` alike."""
        return {
            "retry": tenacity.retry_if_exception(lambda error: _may_repeat(request, error)),
            "wait": self._wait,
            "stop": tenacity.stop_after_attempt(self.max_attempts) | _Patience(self._max_wait),
            "before_sleep": lambda state: self._announce(request, state),
            "reraise": True,
        }

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = _failure(state)
        if isinstance(error, TransientError) and error.retry_after is not None:
            # Not everybody who was told the same should come back in the same instant.
            return error.retry_after + random.uniform(0, 1)
        return (self._patient if isinstance(error, RateLimited) else self._brief)(state)

    def _announce(self, request: Request, state: tenacity.RetryCallState) -> None:
        error = _failure(state)
        status = getattr(error, "status_code", None)
        log.warning(
            "%s: %s (attempt %d of %d); again in %.1f s",
            request,
            type(error).__name__ if status is None else f"answered {status}",
            state.attempt_number,
            self.max_attempts,
            state.upcoming_sleep,
        )


class _Patience(tenacity.stop.stop_base):
    """Stops when the next wait would make all waits together longer than `max_wait` seconds."""

    def __init__(self, max_wait: float) -> None:
        self.max_wait = max_wait

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return retry_state.idle_for + retry_state.upcoming_sleep > self.max_wait


def _failure(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _may_repeat(request: Request, error: BaseException) -> bool:
    match error:
        case NetworkError():
            return request.repeatable or not error.sent
        case RateLimited():
            return request.repeatable or request.again_when_limited
        case ServerError():
            return request.repeatable and error.status_code in _WORTH_REPEATING
    return False


@contextmanager
def _opened(path: Path | None) -> Iterator[BinaryIO | None]:
    if path is None:
        yield None
    else:
        with path.open("rb") as file:
            yield file


# --- the two shells -----------------------------------------------------------------------------------------


class _Shell:
    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        secrets: Sequence[str],
        timeouts: Timeouts,
        max_attempts: int,
        max_wait: float,
        clock: Callable[[], float],
        error_of: Callable[[Response], RinggProviderError | None],
    ) -> None:
        self._rules = _Rules(base_url, headers, secrets, timeouts, max_attempts, max_wait, clock, error_of)

    @property
    def base_url(self) -> str:
        """The address that paths are appended to."""
        return self._rules.base_url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"


class Transport(_Shell):
    """Sends requests, one thread at a time or several.

    :param base_url: https, or plain http to this very machine.
    :param headers: sent with every request; the place for the key.
    :param secrets: values that are removed from every message, such as the key.
    :param timeouts: seconds for each stage of a request.
    :param max_attempts: how often a repeatable request is sent at most; default 5.
    :param max_wait: seconds to spend waiting between attempts in all; default 120. A longer `Retry-After` is
        raised at once.
    :param sleep: waits for seconds; replaced in tests.
    :param clock: seconds since the epoch; replaced in tests.
    :param error_of: what is wrong with an answer, None when nothing is; default by its status.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        secrets: Sequence[str] = (),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        max_attempts: int = 5,
        max_wait: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        error_of: Callable[[Response], RinggProviderError | None] = error_of,
    ) -> None:
        super().__init__(base_url, headers, secrets, timeouts, max_attempts, max_wait, clock, error_of)
        self._sleep = sleep
        self._http = httpx.Client(**self._rules.client_options())

    def send(self, request: Request) -> Response:
        """Send a request, repeat it where that is safe and helps, and return a 2xx (or expected) answer.

        Raises a `RinggProviderError` for any other answer, or none.
        """
        return tenacity.Retrying(sleep=self._sleep, **self._rules.retrying(request))(self._once, request)

    def _once(self, request: Request) -> Response:
        with self._rules.guard(request), _opened(request.file) as file:
            answer = self._http.send(self._rules.build(self._http, request, file))
            hops = 0
            while (following := self._rules.next_hop(request, answer, hops)) is not None:
                answer = self._http.send(following)
                hops += 1
        return self._rules.read(request, answer)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncTransport(_Shell):
    """The same as `Transport` for asyncio; the parameters are the same, except that `sleep` is awaited."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        secrets: Sequence[str] = (),
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        max_attempts: int = 5,
        max_wait: float = 120.0,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
        error_of: Callable[[Response], RinggProviderError | None] = error_of,
    ) -> None:
        super().__init__(base_url, headers, secrets, timeouts, max_attempts, max_wait, clock, error_of)
        self._sleeping: dict[str, Any] = {} if sleep is None else {"sleep": sleep}
        self._http = httpx.AsyncClient(**self._rules.client_options())

    async def send(self, request: Request) -> Response:
        """Send a request, repeat it where that is safe and helps, and return a 2xx (or expected) answer."""
        retrying = tenacity.AsyncRetrying(**self._sleeping, **self._rules.retrying(request))
        return await retrying(self._once, request)

    async def _once(self, request: Request) -> Response:
        with self._rules.guard(request), _opened(request.file) as file:
            answer = await self._http.send(self._rules.build(self._http, request, file))
            hops = 0
            while (following := self._rules.next_hop(request, answer, hops)) is not None:
                answer = await self._http.send(following)
                hops += 1
        return self._rules.read(request, answer)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


# --- downloads from foreign hosts
# -----------------------------------------------------------------------------------


class Download:
    """An answer that is being read piece by piece.

    :param answer: what httpx gave.
    """

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self.status_code = answer.status_code
        self.content_type = answer.headers.get("content-type")
        #: Where a redirect leads; None for every other answer.
        self.location: str | None = answer.headers.get("location") if answer.is_redirect else None
        self._encoded = answer.headers.get("content-encoding", "identity") != "identity"

    @property
    def validator(self) -> str | None:
        """What says that a later part belongs to the same file; None when the host gives nothing safe."""
        etag: str = self._answer.headers.get("etag", "")
        changed: str | None = self._answer.headers.get("last-modified")
        if self._encoded:
            return None  # a part would be one of the encoded bytes
        return etag if etag.startswith('"') else changed

    @property
    def start(self) -> int | None:
        """The first byte of the file that is in this answer; None for a part that does not say."""
        return self._part[0] if self.status_code == 206 else 0

    @property
    def total(self) -> int | None:
        """How many bytes the whole file has, if the answer says so and they come as they are."""
        if self.status_code == 206:
            return self._part[1]
        declared = self._answer.headers.get("content-length", "")
        return int(declared) if declared.isdecimal() and not self._encoded else None

    @property
    def _part(self) -> tuple[int, int] | tuple[None, None]:
        found = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d{1,18})", self._answer.headers.get("content-range", ""))
        return (int(found[1]), int(found[2])) if found and not self._encoded else (None, None)

    def chunks(self) -> Iterator[bytes]:
        """The body. Raises `NetworkError` when it breaks off, `UnexpectedResponse` when it cannot be decoded."""
        try:
            yield from self._answer.iter_bytes(1 << 16)
        except _DOWNLOAD_FAILURES as error:
            failure = _download_failure("A download broke off", error)
        else:
            return
        raise failure


# Beside those of httpx, a host name that can be none: httpx lets the errors of its encoding through.
_DOWNLOAD_FAILURES = (httpx.RequestError, httpx.InvalidURL, ValueError)


def _download_failure(what: str, error: Exception) -> RinggProviderError:
    """Our own error; to be raised outside of `except`, because the other one's text may hold the link."""
    said = f"{what} ({type(error).__name__})."
    return NetworkError(said) if isinstance(error, httpx.TransportError) else UnexpectedResponse(said)


@contextmanager
def download(
    url: str, *, start: int = 0, validator: str | None = None, timeouts: Timeouts = DEFAULT_TIMEOUTS
) -> Iterator[Download]:
    """Open a link that is not the platform's API: without key, without following redirects, streamed.

    :param url: checked by the caller; links are secrets, so it is in no log and no error.
    :param start: first byte that is wanted, to continue a broken download.
    :param validator: `Download.validator` of the part that is there already: if the file changed, it comes whole.

    Raises `NetworkError` when there is no answer, `UnexpectedResponse` for an address that is none, here or in a
    redirect.
    """
    headers = {"User-Agent": f"ringg-provider/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    timeout = httpx.Timeout(connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool)
    token = _sending.set(True)
    failure = None
    try:
        with ExitStack() as stack:
            try:
                client = stack.enter_context(httpx.Client(timeout=timeout, follow_redirects=False))
                answer = stack.enter_context(client.stream("GET", url, headers=headers))
            except _DOWNLOAD_FAILURES as error:
                failure = _download_failure("A download got no answer", error)
            else:
                yield Download(answer)
    finally:
        _sending.reset(token)
    if failure is not None:
        raise failure
