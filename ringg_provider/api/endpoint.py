"""One endpoint of a platform: the request it takes, and how its answer is read. Sending is left to the clients."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ringg_provider.api.addresses import quoted
from ringg_provider.api.messages import Request, Response
from ringg_provider.api.response_model import ResponseModel
from ringg_provider.exceptions import InvalidRequest

T = TypeVar("T")
M = TypeVar("M", bound=ResponseModel)


@dataclass(frozen=True)
class Endpoint(Generic[T]):
    """A request together with the way to read its answer."""

    request: Request
    read: Callable[[Response], T]

    def unrepeated(self) -> Endpoint[T]:
        """The same, sent once by the transport: the caller does its own pacing."""
        return replace(self, request=replace(self.request, repeatable=False))


def read_as(model: type[M]) -> Callable[[Response], M]:
    """Read an answer as one object."""
    return lambda response: model.read(response.body())


def query(**params: Any) -> list[tuple[str, str]]:
    """A query string's pairs; a parameter that is None is left out, a list is sent as the same name several times."""
    return [
        (name, _query_value(value))
        for name, values in params.items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None
    ]


def get(path: str, *, of: str | None = None, **params: Any) -> Request:
    """A GET; `of` is that of `Request`, the other parameters are those of `query`."""
    return Request("GET", path, params=query(**params), of=of, repeatable=True)


def path_id(value: str, field: str) -> str:
    """An id as a segment of a path. Raises `InvalidRequest` for what cannot be one."""
    if not value or re.search(r"[\s/]", value):
        raise InvalidRequest(f"{field} must be an id as the platform gave it.", field=field)
    return quoted(value)


def _query_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
