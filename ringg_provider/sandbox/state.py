"""What one sandbox process holds, and how a route gets at it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Request

from ringg_provider.sandbox.call_log import CallLog
from ringg_provider.sandbox.calls import Call
from ringg_provider.sandbox.courier import Courier
from ringg_provider.sandbox.errors import ApiError
from ringg_provider.sandbox.faults import Fault, FaultBook
from ringg_provider.sandbox.settings import Settings
from ringg_provider.sandbox.webhooks import RinggWebhooks
from ringg_provider.sandbox.wire import has_recording
from ringg_provider.sandbox.world import World

Row = TypeVar("Row")
_LOGGED_REQUESTS = 100_000


class Sandbox:
    """The settings, the world they make, the faults to come and a log of requests (never of bodies).

    :param settings: what it begins with, and what `reset` goes back to.
    :param watch: lets somebody watch each new world.
    """

    def __init__(self, settings: Settings, watch: Callable[[Sandbox], object]) -> None:
        self.initial = settings.model_copy(deep=True)
        self.faults: FaultBook[Fault] = FaultBook()
        self.courier = Courier(lambda: self.settings)
        self.origin = ""
        self._watch = watch
        self.requests: deque[dict[str, Any]] = deque(maxlen=_LOGGED_REQUESTS)
        self.reset()

    def reset(self) -> None:
        """Forget everything that happened since the start, changed settings and faults included."""
        self.settings = self.initial.model_copy(deep=True)
        self.world = World(self.settings)
        # Both platforms live in the same time, and know nothing of each other.
        self.smartalex = World(self.settings, self.world.clock, callbacks_on_lists=True)
        self.call_log = CallLog(self.world)
        self.webhooks = RinggWebhooks(self.world, self.courier, self.recording_link)
        self.smartalex_webhooks: dict[str, Any] = {}
        self._watch(self)
        self.faults.clear()
        self.courier.clear()
        self.requests.clear()

    def advance(self, budget_seconds: float | None = None) -> None:
        """Let everything happen that is due by now, on both platforms."""
        self.world.advance(budget_seconds)
        self.smartalex.advance(budget_seconds)

    def recording_link(self, call: Call, *, fresh: bool = False) -> str | None:
        """The recording's link. In history and webhooks it dates from the call's end; call-details signs it anew."""
        if not has_recording(call) or call.ended_at is None:
            return None
        signed = self.world.clock.wall() if fresh else call.ended_at
        until = signed + self.settings.recording_ttl_seconds
        return file_url(self.origin, "recordings", f"{call.id}.wav", until)


def get_sandbox(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


def get_fault(request: Request) -> Fault | None:
    """The fault that was chosen for this request, for the parts that only a route can carry out."""
    return request.scope.get("sandbox.fault")


def bent_page(
    request: Request, page_at: Callable[[int], list[Row]], total: Any, limit: int, offset: int
) -> tuple[list[Row], Any]:
    """The page at `offset` and the total, or what a fault chosen for this request makes of them."""
    fault = get_fault(request)
    match fault and fault.kind:
        case "wrong_total":
            return page_at(offset), fault and fault.total
        case "repeat_page":
            return page_at(max(0, offset - limit)), total
        case "empty_page":
            return [], total
        case _:
            return page_at(offset), total


def act(request: Request, effect: Callable[[], None]) -> None:
    """Carry out what a start does: at once, or as late as a `late_effect` fault says."""
    fault = get_fault(request)
    if fault is None or fault.kind != "late_effect":
        effect()
        return
    sandbox = get_sandbox(request)

    def later() -> None:
        sandbox.advance()
        with suppress(ApiError):  # started by somebody else meanwhile, and the platform refuses a second start
            effect()

    asyncio.get_running_loop().call_later(fault.seconds, later)


def authenticate(request: Request) -> None:
    """`X-API-KEY` must hold the key; generation 3 also refuses a request that carries `Authorization` as well."""
    settings = get_sandbox(request).settings
    key = request.headers.get("x-api-key")
    if settings.is_g3 and key is not None and "authorization" in request.headers:
        raise ApiError(400, "Provide either Authorization or X-API-KEY, not both.")
    if key != settings.api_key:
        raise ApiError(401, "Invalid credentials")


def file_url(origin: str, kind: str, name: str, until: float | None = None) -> str:
    """A link under this server that needs no key, as the vendor's storage links do."""
    query = f"?{urlencode({'expires': f'{until:.3f}'})}" if until is not None else ""
    return f"{origin}/files/{kind}/{name}{query}"


SandboxDep = Annotated[Sandbox, Depends(get_sandbox)]
