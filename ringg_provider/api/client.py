"""What the clients of both platforms share: a key, a base URL, how patient to be, and being closed.

A subclass says where its platform answers, how a key is shown and what its errors mean; its methods send endpoints.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Self, TypeVar

from ringg_provider.api.endpoint import Endpoint
from ringg_provider.api.transport import (
    DEFAULT_TIMEOUTS,
    AsyncTransport,
    Response,
    Timeouts,
    Transport,
    check_api_key,
    error_of,
)
from ringg_provider.exceptions import RinggProviderError

T = TypeVar("T")


class Platform:
    """What tells one platform's HTTP from another's."""

    #: The vendor's own base URL.
    production: ClassVar[str]

    @staticmethod
    def _key_headers(api_key: str) -> dict[str, str]:
        """How the key is shown to the platform."""
        raise NotImplementedError

    @staticmethod
    def _error_of(response: Response) -> RinggProviderError | None:
        """What is wrong with an answer; None when it can be read. Decided by status unless a platform says more."""
        return error_of(response)

    def _transport_options(self, api_key: str, base_url: str | None) -> dict[str, Any]:
        """The arguments of either transport."""
        key = check_api_key(api_key)
        return {
            "base_url": self.production if base_url is None else base_url,
            "headers": self._key_headers(key),
            "secrets": (key,),
            "error_of": self._error_of,
        }


class ApiClient(Platform):
    """A platform, synchronously. Safe to share between threads; close it, or use it in a `with` block.

    :param api_key: key of a workspace.
    :param base_url: default the vendor's; plain http is allowed to this very machine only.
    :param timeout: seconds for each stage of a request.
    :param max_attempts: how often a request that is safe to repeat is sent at most; default 5.
    :param max_wait: seconds to spend waiting between those attempts in all; default 120.
    :param sleep: waits for seconds; replaced in tests.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        timeout: Timeouts = DEFAULT_TIMEOUTS,
        max_attempts: int = 5,
        max_wait: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transport = Transport(
            timeouts=timeout,
            max_attempts=max_attempts,
            max_wait=max_wait,
            sleep=sleep,
            **self._transport_options(api_key, base_url),
        )

    def _do(self, endpoint: Endpoint[T]) -> T:
        return endpoint.read(self._transport.send(endpoint.request))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.base_url!r})"


class AsyncApiClient(Platform):
    """A platform for asyncio. The parameters are those of `ApiClient`, except that `sleep` is awaited."""

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        timeout: Timeouts = DEFAULT_TIMEOUTS,
        max_attempts: int = 5,
        max_wait: float = 120.0,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        self._transport = AsyncTransport(
            timeouts=timeout,
            max_attempts=max_attempts,
            max_wait=max_wait,
            sleep=sleep,
            **self._transport_options(api_key, base_url),
        )

    async def _do(self, endpoint: Endpoint[T]) -> T:
        return endpoint.read(await self._transport.send(endpoint.request))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.base_url!r})"
