"""What is checked against the workspace before a campaign starts: refused before a start, reported by the preflight."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from ringg_provider.exceptions import InvalidRequest, PermissionDenied
from ringg_provider.launch.terms import Evidence, ListState
from ringg_provider.ringg import RinggClient
from ringg_provider.ringg.preflight import (
    check_agent,
    check_callers,
    check_variables,
    judge_agent,
    judge_callers,
    judge_list_state,
    judge_rows,
    judge_variables,
)
from ringg_provider.ringg.starts import Callers
from tests.support.http_server import Answer, Asked, ScriptedServer

LINE = "+918031000001"


def number(name: str = "n1", **fields: Any) -> dict[str, Any]:
    return {"id": name, "number": LINE if name == "n1" else f"+91803100000{name[1:]}", "provider": "ringg"} | fields


@contextmanager
def workspace(
    *numbers: dict[str, Any],
    users: Sequence[str] = (),
    agent: dict[str, Any] | None = None,
    listed: Sequence[dict[str, Any]] = (),
) -> Iterator[RinggClient]:
    """A client of a platform that has these numbers, members and agents."""

    def answer(asked: Asked) -> Answer:
        at_start = dict(asked.query).get("offset") == "0"
        if asked.path.endswith("/workspace/numbers"):
            return Answer(body={"workspace_numbers": list(numbers) if at_start else []})
        if asked.path.endswith("/workspace/users"):
            return Answer(body={"workspace_users": [{"id": user} for user in users] if at_start else []})
        if asked.path.endswith("/agent/all"):
            return Answer(body={"data": {"agents": list(listed) if at_start else []}})
        return Answer(body={"agents": agent}) if agent else Answer(status=404, body={"message": "Agent not found"})

    with ScriptedServer(script=answer) as server, RinggClient("key", server.base_url) as client:
        yield client


def levels(callers: Callers, *numbers: dict[str, Any], country_codes: Sequence[str] = ("+91",)) -> dict[str, str]:
    with workspace(*numbers) as client:
        return {found.check: found.level for found in judge_callers(client, callers, country_codes)}


@pytest.mark.parametrize(
    ("members", "level"),
    [
        ([number(number_pool_id="another")], "error"),
        ([number(number_pool_id="pool", is_test_number=True)], "error"),
        ([number(number_pool_id="pool", is_spam=True), number("n2", number_pool_id="pool", is_spam=True)], "warning"),
        ([number(number_pool_id="pool", is_spam=True), number("n2", number_pool_id="pool")], "ok"),
        # A platform that tells of no pool at all cannot be asked about one.
        ([number()], "warning"),
    ],
)
def test_a_pool_needs_a_number_that_can_call(members: list[dict[str, Any]], level: str) -> None:
    assert levels(Callers(number_pool_id="pool"), *members) == {"number_pool": level}


@pytest.mark.parametrize(
    ("wanted", "level"),
    [([LINE], "ok"), (["n1"], "ok"), (["n1", "n1"], "error"), (["n1", LINE], "error"), (["n9"], "error")],
)
def test_a_number_may_be_named_by_its_id_or_its_spelling_and_only_once(wanted: list[str], level: str) -> None:
    assert levels(Callers(wanted), number())["caller_numbers"] == level


@pytest.mark.parametrize(
    ("provider", "country_codes", "level"),
    [
        ("ringg", ["+91"], "ok"),
        ("ringg", ["+91", "+1"], "warning"),
        ("Twilio", ["+91", "+1"], "ok"),
        (None, ["+1"], "warning"),
    ],
)
def test_only_twilio_numbers_call_abroad(provider: str | None, country_codes: list[str], level: str) -> None:
    found = levels(Callers(["n1"]), number(provider=provider), country_codes=country_codes)
    assert found["foreign_numbers"] == level


CALLERS_THAT_FAIL = [
    (Callers(["n1", "n7", "n8"]), "from_numbers", "entries 2, 3"),
    (Callers(["n1", LINE]), "from_numbers", "named twice"),
    (Callers(["n2"]), "from_numbers", "test numbers cannot place"),
    (Callers(["n1"], number_pool_id="pool"), "from_numbers", "exactly one"),
    (Callers(), "from_numbers", "exactly one"),
    (Callers(number_pool_id="empty"), "number_pool_id", "nobody could be called"),
    (Callers(["n1"], email_completion_user_ids=["u1", "u2"]), "email_completion_user_ids", "not members .*: u2"),
]


@pytest.mark.parametrize(("callers", "field", "words"), CALLERS_THAT_FAIL)
def test_what_the_preflight_calls_an_error_is_refused_before_a_start(callers: Callers, field: str, words: str) -> None:
    numbers = [number(number_pool_id="pool"), number("n2", is_test_number=True)]
    with workspace(*numbers, users=["u1"]) as client:
        with pytest.raises(InvalidRequest, match=f"^{field}: .*{words}") as caught:
            check_callers(client, callers, ["+91"])
        assert caught.value.field == field
        assert "error" in {found.level for found in judge_callers(client, callers, ["+91"])}


def test_what_the_preflight_warns_of_is_logged_before_a_start(caplog: pytest.LogCaptureFixture) -> None:
    with workspace(number(is_spam=True), users=["u1"]) as client, caplog.at_level(logging.WARNING):
        check_callers(client, Callers([LINE], email_completion_user_ids=["u1"]), ["+1"])
    assert ["flagged as spam" in text or "Twilio" in text for text in caplog.messages] == [True, True]
    assert LINE not in caplog.text


def versions(*archived: bool) -> list[dict[str, Any]]:
    return [{"version_id": f"v{place}", "is_archived": each} for place, each in enumerate(archived)]


OUTBOUND = {"id": "agent", "agent_type": "outbound", "agent_config": {"custom_variables": ["callee_name"]}}


@pytest.mark.parametrize(
    ("agent", "listed", "words"),
    [
        (None, [], "no agent agent"),
        (OUTBOUND | {"agent_type": "inbound"}, [], "needs an outbound one"),
        (OUTBOUND | {"agent_type": None}, [], "needs an outbound one"),
        (OUTBOUND | {"is_archived": True}, [], "is archived"),
        # Only the list of agents is known to say so.
        (OUTBOUND, [OUTBOUND | {"is_archived": True}], "is archived"),
        (
            OUTBOUND,
            [
                OUTBOUND
                | {"versions": [{"version_id": "v1", "is_archived": True}, {"version_id": "v2", "is_archived": True}]}
            ],
            "is archived",
        ),
    ],
)
def test_an_agent_that_cannot_call_is_refused(agent: Any, listed: list[dict[str, Any]], words: str) -> None:
    with workspace(agent=agent, listed=listed) as client:
        with pytest.raises(InvalidRequest, match=f"^agent_id: .*{words}") as caught:
            check_agent(client, "agent")
        assert caught.value.field == "agent_id"
        finding, found = judge_agent(client, "agent")
        assert (finding.level, found) == ("error", None)


@pytest.mark.parametrize(
    "listed",
    [
        [],
        [OUTBOUND | {"is_archived": False}, OUTBOUND | {"id": "other", "is_archived": True}],
        [
            OUTBOUND
            | {"versions": [{"version_id": "v1", "is_archived": True}, {"version_id": "v2", "is_archived": False}]}
        ],
    ],
)
def test_an_agent_that_is_in_use_passes(listed: list[dict[str, Any]]) -> None:
    with workspace(agent=OUTBOUND, listed=listed) as client:
        assert check_agent(client, "agent").id == "agent"


@pytest.mark.parametrize(
    ("variables", "mapped", "level"),
    [
        (["city"], ["callee_name", "mobile_number", "city"], "ok"),
        (["city"], ["callee_name", "mobile_number"], "error"),
        ([], ["callee_name", "mobile_number", "town"], "warning"),
        (None, ["callee_name", "mobile_number"], "error"),
    ],
)
def test_variables_are_all_mapped_and_none_in_vain(variables: list[str] | None, mapped: list[str], level: str) -> None:
    body = OUTBOUND | {"agent_config": {} if variables is None else {"custom_variables": variables}}
    columns = dict.fromkeys(mapped, "column")
    with workspace(agent=body) as client:
        agent = client.get_agent("agent")
    assert judge_variables(agent, columns).level == level
    if level == "error":
        with pytest.raises(InvalidRequest, match=r"^variables_map: "):
            check_variables(agent, columns)


@pytest.mark.parametrize("state", ListState)
def test_every_state_of_a_list_has_a_level_and_only_a_startable_one_is_ok(state: ListState) -> None:
    startable = {ListState.READY, ListState.INSUFFICIENT_BALANCE}
    hopeless = {ListState.FAILED, ListState.TERMINATED, ListState.MISSING}
    expected = "ok" if state in startable else "error" if state in hopeless else "warning"
    assert judge_list_state(state).level == expected


@pytest.mark.parametrize(
    ("listed", "has_calls", "state"),
    [
        (ListState.STARTED, False, ListState.STARTED),
        (ListState.FAILED, True, ListState.FAILED),
        (ListState.READY, True, ListState.ENDED),
        (ListState.READY, False, ListState.READY),
        (None, True, ListState.ENDED),
        (None, False, ListState.AMBIGUOUS),
    ],
)
def test_an_ambiguous_list_is_what_the_listing_and_its_calls_prove(
    listed: ListState | None, has_calls: bool, state: ListState
) -> None:
    assert Evidence(listed, has_calls).state is state


@pytest.mark.parametrize(
    ("rows", "allowance", "accepted", "large", "level"),
    [
        (None, None, False, True, "warning"),
        (100, None, False, True, "ok"),
        (101, None, False, True, "warning"),
        (101, 101, False, True, "ok"),
        (102, 101, False, True, "error"),
        (102, 101, True, True, "ok"),
        (4_999, None, True, False, "ok"),
        (5_000, None, True, False, "warning"),
    ],
)
def test_the_row_allowance(rows: int | None, allowance: int | None, accepted: bool, large: bool, level: str) -> None:
    assert judge_rows(rows, allowance=allowance, accepted=accepted, large=large).level == level


@pytest.mark.parametrize(
    ("callers", "parameter"),
    [
        (Callers(from_numbers=["+911"]), "from_numbers"),
        (Callers(number_pool_id="pool"), "number_pool_id"),
        (Callers(from_numbers=["+911"], email_completion_user_ids=["u"]), "email_completion_user_ids"),
    ],
)
def test_what_a_key_may_not_read_is_named_with_the_parameter_that_needs_it(callers: Callers, parameter: str) -> None:
    def answer(asked: Asked) -> Answer:
        unreadable = asked.path.endswith("users" if parameter.startswith("email") else "numbers")
        number = {"id": "+911", "number": "+911", "type": "twilio"}
        return Answer(403, {"message": "No."}) if unreadable else Answer(body={"workspace_numbers": [number]})

    with (
        ScriptedServer(script=answer) as server,
        RinggClient("key", server.base_url) as client,
        pytest.raises(PermissionDenied, match=rf"^{parameter}: the .* cannot be read\. GET /workspace/"),
    ):
        list(judge_callers(client, callers, ["+91"]))
