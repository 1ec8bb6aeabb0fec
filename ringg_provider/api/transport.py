"""Sending: the two shells over httpx, sync and asyncio, and the one set of rules by which both send again.

A request says whether it may be repeated; one that may not is sent again only when no connection was made, so that
nobody is called twice because an answer was lost. What a request means is left to the platform packages.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import httpx
import tenacity

from ringg_provider import __version__
from ringg_provider.api.addresses import check_base_url
from ringg_provider.api.connecting import client_options, not_sent
from ringg_provider.api.errors import error_of
from ringg_provider.api.messages import DEFAULT_TIMEOUTS, Request, Response, Timeouts
from ringg_provider.api.rate_limit import Pacer
from ringg_provider.api.redaction import redact, unlogged
from ringg_provider.exceptions import (
    NetworkError,
    ProxyRefused,
    RateLimited,
    RinggProviderError,
    ServerError,
    TransientError,
    UnexpectedResponse,
    UnreadableAnswer,
    UntrustedCertificate,
)

T = TypeVar("T")

log = logging.getLogger(__name__)

_MAX_REDIRECTS = 5

# Failures after which the request has certainly not reached the platform.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_WORTH_REPEATING = frozenset({502, 503, 504})


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


class Rules:
    """What both transports keep to, which is all but the sending.

    :param base_url: https, or plain http to this very machine; paths are appended to it.
    :param headers: sent with every request; the place for the key.
    :param secrets: what is removed from every message: the key, what any key looks like.
    :param clock: seconds since the epoch; replaced in tests.
    :param error_of: what is wrong with an answer, None when nothing is; default by its status.

    The others are those of `PlatformClient`. A `Retry-After` that is longer than `max_wait` is raised at once.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        secrets: Sequence[str | re.Pattern[str]] = (),
        verify: str | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        max_attempts: int = 5,
        max_wait: float = 120.0,
        pacer: Pacer | None = None,
        clock: Callable[[], float] = time.time,
        error_of: Callable[[Response], RinggProviderError | None] = error_of,
    ) -> None:
        self.base_url = check_base_url(base_url)
        self._verify = verify
        self.max_attempts = max_attempts
        self._pacer = pacer
        self._headers = {
            "Accept": "application/json",
            "User-Agent": f"ringg-provider/{__version__}",
            **headers,
        }
        self._secrets = tuple(secrets)
        self._timeouts = timeouts
        self._max_wait = max_wait
        self._clock = clock
        self._error_of = error_of
        self._brief = tenacity.wait_exponential(multiplier=0.5, max=30) + tenacity.wait_random(0, 0.5)
        # The one published limit is ten requests a minute, so these waits add up to more than a minute.
        self._patient = tenacity.wait_exponential(multiplier=5, max=60) + tenacity.wait_random(0, 1)

    def turn(self) -> AbstractContextManager[None]:
        """What to hold while one attempt is under way."""
        return nullcontext() if self._pacer is None else self._pacer.turn()

    def aturn(self) -> AbstractAsyncContextManager[None]:
        """The same for asyncio."""
        return nullcontext() if self._pacer is None else self._pacer.aturn()

    def client_options(self) -> dict[str, Any]:
        return {
            "headers": self._headers,
            "timeout": self._timeouts.for_httpx(),
            "follow_redirects": False,
            **client_options(self.base_url, self._verify),
        }

    def build(self, client: httpx.Client | httpx.AsyncClient, request: Request, file: BinaryIO | None) -> httpx.Request:
        options: dict[str, Any] = {"params": list(request.params)} if request.params else {}
        if request.json is not None:
            options["json"] = request.json
        if request.file is not None and file is not None:
            options["data"] = dict(request.form or {})
            options["files"] = {"file": (request.file.name, file, "text/csv")}
            options["timeout"] = self._timeouts.for_httpx(uploads=True)
        return client.build_request(request.method, self.base_url + request.path, **options)

    def next_hop(self, request: Request, answer: httpx.Response, hops: int) -> httpx.Request | None:
        """The request that follows a redirect, if it may be followed: a GET, to the same origin."""
        following = answer.next_request
        if following is None or request.method != "GET" or hops >= _MAX_REDIRECTS:
            return None
        here, there = answer.request.url, following.url
        same = (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port)
        return following if same else None

    def read(self, request: Request, answer: httpx.Response, read: Callable[[Response], T]) -> T:
        response = Response(
            request=request,
            status_code=answer.status_code,
            content=answer.content,
            retry_after=_pause_asked_for(answer.headers, self._clock()),
            redact=lambda text: redact(text, *self._secrets),
        )
        try:
            if (refusal := self._error_of(response)) is not None:
                raise refusal
            return read(response)
        except UnexpectedResponse as error:
            if not response.is_success:
                raise
            raise request.unreadable(str(error), response.status_code) from error

    @contextmanager
    def guard(self, request: Request) -> Iterator[None]:
        """Keeps httpx's log quiet and turns its errors into ours while a request is under way."""
        started = time.monotonic()
        try:
            with unlogged():
                yield
        except httpx.DecodingError as error:
            raise request.unreadable(f"{request} was answered with a body that cannot be decoded.") from error
        except _NEVER_SENT as error:
            raise not_sent(request, error, self.base_url) from error
        except httpx.TransportError as error:
            raise NetworkError(f"{request} got no answer ({type(error).__name__}).{request.doubt}") from error
        finally:
            log.debug("%s took %.3f s", request, time.monotonic() - started)

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
            type(error).__name__ if isinstance(error, UnreadableAnswer) or status is None else f"answered {status}",
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
        case UntrustedCertificate() | ProxyRefused():
            return False
        case NetworkError():
            return request.repeatable or not error.sent
        case RateLimited():
            return request.repeatable or request.again_when_limited
        case UnreadableAnswer():
            return request.repeatable
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


class Transport:
    """Sends requests, one thread at a time or several.

    :param rules: what it keeps to.
    :param sleep: waits for seconds; replaced in tests.
    """

    def __init__(self, rules: Rules, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._rules = rules
        self._sleep = sleep
        self._http = httpx.Client(**rules.client_options())

    def send(self, request: Request, read: Callable[[Response], T]) -> T:
        """Send a request, repeat it where that is safe and helps, and return what a 2xx (or expected) answer says.

        :param read: reads the answer; one that it cannot read is no answer, and a read is sent again.

        Raises a `RinggProviderError` for any other answer, or none.
        """
        said: T = tenacity.Retrying(sleep=self._sleep, **self._rules.retrying(request))(self._once, request, read)
        return said

    def _once(self, request: Request, read: Callable[[Response], T]) -> T:
        with self._rules.guard(request), _opened(request.file) as file:
            following: httpx.Request | None = self._rules.build(self._http, request, file)
            hops = 0
            while following is not None:
                with self._rules.turn():
                    answer = self._http.send(following)
                following = self._rules.next_hop(request, answer, hops)
                hops += 1
        return self._rules.read(request, answer, read)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class AsyncTransport:
    """The same as `Transport` for asyncio; `sleep` is awaited."""

    def __init__(self, rules: Rules, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._rules = rules
        self._sleep = sleep
        self._http = httpx.AsyncClient(**rules.client_options())

    async def send(self, request: Request, read: Callable[[Response], T]) -> T:
        """See `Transport.send`."""
        retrying = tenacity.AsyncRetrying(sleep=self._sleep, **self._rules.retrying(request))
        said: T = await retrying(self._once, request, read)
        return said

    async def _once(self, request: Request, read: Callable[[Response], T]) -> T:
        with self._rules.guard(request), _opened(request.file) as file:
            following: httpx.Request | None = self._rules.build(self._http, request, file)
            hops = 0
            while following is not None:
                async with self._rules.aturn():
                    answer = await self._http.send(following)
                following = self._rules.next_hop(request, answer, hops)
                hops += 1
        return self._rules.read(request, answer, read)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
