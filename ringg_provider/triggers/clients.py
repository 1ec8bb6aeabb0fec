"""One client per workspace for all triggers of an event loop.

A client holds connections and a TLS context, which is large and slow to make: a thousand triggers share one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import cast

from ringg_provider.api.client import AsyncApiClient
from ringg_provider.hooks.platform import A, C, PlatformHook


class _Shared:
    """A client and how many use it."""

    __slots__ = ("client", "opening", "users")

    def __init__(self) -> None:
        self.client: AsyncApiClient | None = None
        self.opening = asyncio.Lock()
        self.users = 0


#: Those in use, by event loop and by what they were made from.
open_clients: dict[Hashable, _Shared] = {}


@asynccontextmanager
async def shared_client(hook: PlatformHook[C, A]) -> AsyncIterator[A]:
    """The client of a connection's workspace, closed when the last trigger has left.

    :param hook: of the connection. Two connections that say the same share a client; a changed key makes a new
        one, while triggers that wait already go on with theirs.
    """
    # Shielded, because a cancel that reaches a thread comes back without its message, by which Airflow tells a person
    # who marked the task from a triggerer that shuts down.
    options = await asyncio.shield(hook.aclient_options())
    key = (asyncio.get_running_loop(), hook.async_client_class, *sorted(options.items()))
    shared = open_clients.setdefault(key, _Shared())
    shared.users += 1
    try:
        async with shared.opening:
            if shared.client is None:
                # Loading certificates takes long enough to stall every other trigger.
                shared.client = await asyncio.to_thread(hook.async_client_class, **options)
        yield cast("A", shared.client)
    finally:
        shared.users -= 1
        if not shared.users:
            del open_clients[key]
            if shared.client is not None:
                await shared.client.aclose()
