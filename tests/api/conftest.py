from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, closing
from typing import Any

import pytest

from ringg_provider.api.messages import Request, Response
from ringg_provider.api.transport import AsyncTransport, Rules, Transport
from tests.api.sending import KEY, NOW, Send, Waits, whole


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture(params=["sync", "async"])
def send(request: pytest.FixtureRequest, waits: Waits) -> Send:
    """Sends one request through either transport, so that every rule is shown to hold for both."""

    def rules(base_url: str, given: dict[str, Any]) -> Rules:
        return Rules(base_url, **{"headers": {"X-API-KEY": KEY}, "secrets": (KEY,), "clock": lambda: NOW, **given})

    def synchronously(base_url: str, wanted: Request, read: Callable[[Response], Any] = whole, **given: Any) -> Any:
        with closing(Transport(rules(base_url, given), sleep=waits)) as transport:
            return transport.send(wanted, read)

    def in_a_loop(base_url: str, wanted: Request, read: Callable[[Response], Any] = whole, **given: Any) -> Any:
        async def main() -> Any:
            async with aclosing(AsyncTransport(rules(base_url, given), sleep=waits.later)) as transport:
                return await transport.send(wanted, read)

        return asyncio.run(main())

    return synchronously if request.param == "sync" else in_a_loop
