"""One request, sent through either transport to a real server on a socket; only the waiting is replaced."""

from __future__ import annotations

from collections.abc import Callable

from ringg_provider.api.messages import Request, Response

KEY = "rg_live_0123456789abcdef"
NOW = 1_800_000_000.0
READ = Request("GET", "/thing", repeatable=True)
ACT = Request("POST", "/act", json={"x": 1})


def whole(response: Response) -> Response:
    """Reads an answer as it is."""
    return response


#: Sends a request to a base URL; what else is given goes to `Rules`.
Send = Callable[..., Response]


class Waits(list[float]):
    """Stands in for sleeping: remembers how long it should have been."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)

    async def later(self, seconds: float) -> None:
        self.append(seconds)
