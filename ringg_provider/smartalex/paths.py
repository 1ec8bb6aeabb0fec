"""Where each thing is asked for: one table. What no page of the vendor shows is marked inferred, and can be replaced.

https://docs.getsmartalex.com/api-reference/introduction
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ringg_provider.exceptions import InvalidRequest


@dataclass(frozen=True)
class Route:
    """Method and path of one request.

    :param method: HTTP method.
    :param path: below the base URL; `{id}` is replaced.
    :param inferred: no page shows it; it follows the convention of those that pages show.
    """

    method: str
    path: str
    inferred: bool = False


#: Every request that the client can make, by a name that the connection's `paths` may use.
ROUTES: Mapping[str, Route] = {
    "list_campaigns": Route("GET", "/campaigns"),
    "get_campaign": Route("GET", "/campaigns/{id}"),
    "create_campaign": Route("POST", "/campaigns"),
    "add_contacts": Route("POST", "/campaigns/{id}/contacts", inferred=True),
    "start_campaign": Route("POST", "/campaigns/{id}/start", inferred=True),
    "pause_campaign": Route("POST", "/campaigns/{id}/pause", inferred=True),
    "resume_campaign": Route("POST", "/campaigns/{id}/resume", inferred=True),
    "list_callbacks": Route("GET", "/campaigns/{id}/callbacks", inferred=True),
    "list_calls": Route("GET", "/calls"),
    "get_call": Route("GET", "/calls/{id}"),
    "list_contacts": Route("GET", "/contacts"),
    "list_agents": Route("GET", "/agents"),
    "get_agent": Route("GET", "/agents/{id}", inferred=True),
    "list_webhooks": Route("GET", "/webhooks"),
    "create_webhook": Route("POST", "/webhooks"),
    "delete_webhook": Route("DELETE", "/webhooks/{id}"),
}

_OVERRIDE = re.compile(r"(?:(GET|POST|PUT|PATCH|DELETE) )?(/[A-Za-z0-9_\-./{}]*)")


def routes_with(overrides: Mapping[str, str] | str | None) -> dict[str, Route]:
    """The table with some entries replaced.

    :param overrides: name -> `/path` or `METHOD /path`; also as JSON text, which is what a connection's form holds.
    :raises InvalidRequest: an unknown name, or a path that cannot be one or lacks the id.
    """
    given: Any = overrides
    if isinstance(overrides, str):
        try:
            given = json.loads(overrides) if overrides.strip() else None
        except ValueError:
            given = ""
    if given is None:
        return dict(ROUTES)
    if not isinstance(given, Mapping):
        raise InvalidRequest("paths: must be a JSON object of names and paths.", field="paths")
    routes = dict(ROUTES)
    for name, value in given.items():
        known = ROUTES.get(name)
        if known is None:
            raise InvalidRequest(f"paths: must be an object whose names are among {', '.join(ROUTES)}.", field="paths")
        found = _OVERRIDE.fullmatch(value) if isinstance(value, str) else None
        if found is None or ("{id}" in found[2]) != ("{id}" in known.path):
            raise InvalidRequest(
                f"paths.{name}: must be a path such as {known.path}, or a method and a path.", field=f"paths.{name}"
            )
        routes[name] = Route(found[1] or known.method, found[2])
    return routes
