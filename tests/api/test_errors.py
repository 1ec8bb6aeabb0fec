"""Every status becomes a typed error, whatever the shape of its body."""

from __future__ import annotations

from contextlib import closing

import pytest

from ringg_provider.api.errors import explained
from ringg_provider.api.messages import Request
from ringg_provider.api.transport import Rules, Transport
from ringg_provider.exceptions import (
    AuthenticationError,
    InsufficientBalance,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    RinggProviderError,
    ServerError,
    WrongState,
)
from tests.api.sending import ACT, READ, Send, whole
from tests.support.http_server import Answer, ScriptedServer

BODIES = [
    ({"message": "Invalid credentials", "code": "unauthorized"}, "Invalid credentials"),
    ({"detail": "Invalid agent_id."}, "Invalid agent_id."),
    (
        {"detail": [{"loc": ["body", "agent_id"], "msg": "field required", "type": "missing"}]},
        "agent_id: field required",
    ),
    ({"error": {"code": "401 Unauthorized", "message": "Invalid credentials"}}, "Invalid credentials"),
    ({"error": "Too many requests"}, "Too many requests"),
    ({"status": "error", "message": "Failed to fetch agent voices"}, "Failed to fetch agent voices"),
    ({"success": False, "error": {"code": "VOICE_LANGUAGE_MISMATCH", "message": "No match"}}, "No match"),
    ({"message": None, "detail": {"message": "deep"}}, "deep"),
    (b"upstream   connect\nerror", "upstream connect error"),
    (b"<html><body>Bad gateway</body></html>", "(a page of HTML)"),
    (b'"just text"', "just text"),
    (b"", "was answered"),
    ([], "was answered"),
    (b"\xff\xfe", "was answered"),
]
STATUSES: list[tuple[int, type[RinggProviderError]]] = [
    (400, InvalidRequest),
    (401, AuthenticationError),
    (402, InsufficientBalance),
    (403, PermissionDenied),
    (404, NotFound),
    (405, InvalidRequest),
    (409, WrongState),
    (413, InvalidRequest),
    (422, InvalidRequest),
    (429, RateLimited),
    (500, ServerError),
    (502, ServerError),
    (599, ServerError),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_every_shape_of_error_body_becomes_a_typed_error_with_its_text(
    status: int, kind: type[RinggProviderError]
) -> None:
    answers = [Answer(status, body) for body, _ in BODIES]
    with ScriptedServer(*answers) as server, closing(Transport(Rules(server.base_url, headers={}))) as transport:
        for number, (_, text) in enumerate(BODIES, 1):
            with pytest.raises(kind) as raised:
                transport.send(ACT, whole)
            assert type(raised.value) is kind
            assert raised.value.status_code == status
            assert text in str(raised.value)
            assert str(raised.value).startswith(f"POST /act was answered {status}")
            assert len(server.asked) == number


@pytest.mark.parametrize(
    ("wanted", "advice"),
    [
        (READ, "Check that the base URL is that of the API, and that the workspace has this function."),
        (Request("GET", "/agent/a", of="agent_id"), "Check agent_id, that the key is of the same workspace, and"),
        (ACT, "Check the ids, that the key is of the same workspace, and"),
    ],
)
def test_what_is_not_there_is_looked_for_where_it_can_be(send: Send, wanted: Request, advice: str) -> None:
    with ScriptedServer(Answer(404)) as server, pytest.raises(NotFound) as raised:
        send(server.base_url, wanted)
    assert f"{wanted} was answered 404. {advice}" in str(raised.value)


def test_an_explained_error_keeps_its_kind_and_its_details() -> None:
    with pytest.raises(RateLimited) as raised, explained("from_numbers: cannot be read"):
        raise RateLimited("GET /x was answered 429.", retry_after=7.0, status_code=429)
    assert str(raised.value) == "from_numbers: cannot be read. GET /x was answered 429."
    assert (raised.value.retry_after, raised.value.status_code) == (7.0, 429)
