"""What the clients of both platforms share: a key, a base URL, how patient to be, and being closed.

A subclass says where its platform answers, how a key is shown and what its errors mean; its methods send endpoints.
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

from ringg_provider.api.addresses import check_api_key
from ringg_provider.api.endpoint import Endpoint
from ringg_provider.api.errors import error_of
from ringg_provider.api.messages import DEFAULT_TIMEOUTS, Response, Timeouts
from ringg_provider.api.rate_limit import Pacer
from ringg_provider.exceptions import RinggProviderError

T = TypeVar("T")


class PlatformClient(ABC):
    """What tells one platform's HTTP from another's, and how patient its clients are.

    :param api_key: key of a workspace.
    :param base_url: default the vendor's; plain http is allowed to this very machine only.
    :param verify: a file or folder of CA certificates to trust; default those that the environment names, else the
        public ones.
    :param timeout: seconds for each stage of a request.
    :param max_attempts: how often a request that is safe to repeat is sent at most; default 5.
    :param max_wait: seconds to spend waiting between those attempts in all; default 120.
    :param pacer: keeps a rate limit, each attempt counted; default none.
    :param sleep: waits for seconds; replaced in tests.
    """

    #: The vendor's own base URL.
    production: ClassVar[str]
    #: What any of its keys looks like, to be kept out of messages; None when they have no common form.
    key_pattern: ClassVar[re.Pattern[str] | None] = None

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        verify: str | None = None,
        timeout: Timeouts = DEFAULT_TIMEOUTS,
        max_attempts: int = 5,
        max_wait: float = 120.0,
        pacer: Pacer | None = None,
        sleep: Callable[[float], Any] | None = None,
    ) -> None:
        # Late, so that httpx is loaded with the first client and not with every DAG file.
        from ringg_provider.api.transport import Rules

        key = check_api_key(api_key)
        self._rules = Rules(
            self.production if base_url is None else base_url,
            headers=self._key_headers(key),
            secrets=(key,) if self.key_pattern is None else (key, self.key_pattern),
            verify=verify,
            timeouts=timeout,
            max_attempts=max_attempts,
            max_wait=max_wait,
            pacer=pacer,
            error_of=self._error_of,
        )
        self._connect(sleep)

    @abstractmethod
    def _connect(self, sleep: Callable[[float], Any] | None) -> None:
        """Make the transport."""

    @staticmethod
    @abstractmethod
    def _key_headers(api_key: str) -> dict[str, str]:
        """How the key is shown to the platform."""

    @staticmethod
    def _error_of(response: Response) -> RinggProviderError | None:
        """What is wrong with an answer; None when it can be read. Decided by status unless a platform says more."""
        return error_of(response)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._rules.base_url!r})"


class ApiClient(PlatformClient):
    """A platform, synchronously. Safe to share between threads; close it, or use it in a `with` block."""

    def _connect(self, sleep: Callable[[float], Any] | None) -> None:
        from ringg_provider.api.transport import Transport

        self._transport = Transport(self._rules, sleep=sleep or time.sleep)

    def _do(self, endpoint: Endpoint[T]) -> T:
        return self._transport.send(endpoint.request, endpoint.read)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncApiClient(PlatformClient):
    """A platform for asyncio; `sleep` is awaited."""

    def _connect(self, sleep: Callable[[float], Any] | None) -> None:
        from ringg_provider.api.transport import AsyncTransport

        self._transport = AsyncTransport(self._rules, sleep=sleep or asyncio.sleep)

    async def _do(self, endpoint: Endpoint[T]) -> T:
        return await self._transport.send(endpoint.request, endpoint.read)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
