"""What is checked before anything changes on a server, against the sandbox on a socket in both generations."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ringg_provider.campaign.preflight import check_agent, check_callers, check_variables
from ringg_provider.exceptions import InvalidRequest
from ringg_provider.ringg import RinggClient
from tests.support.sandbox import Sandbox

RENEWALS = "11111111-1111-4111-8111-111111111111"
INBOUND = "33333333-3333-4333-8333-333333333333"
MULTI_NODE = "44444444-4444-4444-8444-444444444444"
NUMBER = "aaaaaaaa-0000-4000-8000-00000000000{}"
USER = "cccccccc-0000-4000-8000-000000000001"
STRANGER = "deadbeef-0000-4000-8000-000000000000"
MAPPED = {"callee_name": "Name", "mobile_number": "Phone", "policy_id": "Policy", "due_date": "Due"}

both_generations = pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[RinggClient]:
    with RinggClient(sandbox.api_key, sandbox.base_url) as client:
        yield client


@dataclass(frozen=True)
class UnreadableAgent:
    """An agent whose variables the platform did not give in any known shape."""

    id: str = RENEWALS
    agent_type: str | None = "outbound"
    is_outbound: bool = True
    variables: frozenset[str] | None = None


@both_generations
@pytest.mark.parametrize("agent_id", [RENEWALS, MULTI_NODE])
def test_an_agent_that_calls_out_passes(client: RinggClient, agent_id: str) -> None:
    assert check_agent(client, agent_id).id == agent_id


@both_generations
def test_an_agent_that_does_not_exist_is_refused_by_name(client: RinggClient) -> None:
    with pytest.raises(InvalidRequest, match=f"agent_id: there is no agent {STRANGER}") as caught:
        check_agent(client, STRANGER)
    assert caught.value.field == "agent_id"


@both_generations
def test_an_agent_that_only_answers_calls_is_refused(client: RinggClient) -> None:
    with pytest.raises(InvalidRequest, match="needs an outbound one") as caught:
        check_agent(client, INBOUND)
    assert caught.value.field == "agent_id"


@both_generations
def test_a_map_of_every_variable_passes_and_tells_them(client: RinggClient) -> None:
    assert check_variables(check_agent(client, RENEWALS), MAPPED) == frozenset(MAPPED)


@both_generations
def test_all_variables_that_are_not_mapped_are_named_at_once(client: RinggClient) -> None:
    with pytest.raises(InvalidRequest, match="not mapped: due_date, policy_id") as caught:
        check_variables(check_agent(client, RENEWALS), {"callee_name": "Name", "mobile_number": "Phone"})
    assert caught.value.field == "variables_map"


def test_name_and_number_must_be_mapped_whatever_the_agent_says(client: RinggClient) -> None:
    mapped = {variable: column for variable, column in MAPPED.items() if variable != "mobile_number"}
    with pytest.raises(InvalidRequest, match="not mapped: mobile_number"):
        check_variables(check_agent(client, RENEWALS), mapped)


def test_a_variable_that_the_agent_does_not_use_is_a_warning(
    client: RinggClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="ringg_provider"):
        check_variables(check_agent(client, RENEWALS), MAPPED | {"favourite_colour": "Colour"})
    assert "no such variables: favourite_colour" in caplog.text


def test_variables_that_cannot_be_read_close_the_door_unless_that_is_allowed() -> None:
    with pytest.raises(InvalidRequest, match="cannot be read") as caught:
        check_variables(UnreadableAgent(), MAPPED)
    assert caught.value.field == "variables_map"
    assert check_variables(UnreadableAgent(), MAPPED, allow_unreadable=True) == {"callee_name", "mobile_number"}


@both_generations
def test_numbers_are_known_by_their_id_and_by_their_spelling(client: RinggClient) -> None:
    check_callers(client, [NUMBER.format(1), "+918031000002"], [USER])


@both_generations
def test_a_number_of_somebody_else_is_refused_by_its_place_and_not_repeated(client: RinggClient) -> None:
    with pytest.raises(InvalidRequest, match="from_numbers: entry 2 is not a caller number") as caught:
        check_callers(client, [NUMBER.format(1), "+919999988888"])
    assert caught.value.field == "from_numbers"
    assert "9999988888" not in str(caught.value)


@both_generations
def test_a_test_number_is_refused(client: RinggClient) -> None:
    with pytest.raises(InvalidRequest, match=r"entry 1 \(id .*3\) is a test number") as caught:
        check_callers(client, [NUMBER.format(3)])
    assert caught.value.field == "from_numbers"


def test_a_number_that_is_flagged_as_spam_is_a_warning(client: RinggClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="ringg_provider"):
        check_callers(client, [NUMBER.format(4)])
    assert f"{NUMBER.format(4)} is flagged as spam" in caplog.text


@both_generations
def test_who_is_to_be_mailed_must_be_a_member(client: RinggClient) -> None:
    with pytest.raises(InvalidRequest, match=f"not members of this workspace: {STRANGER}") as caught:
        check_callers(client, None, [USER, STRANGER])
    assert caught.value.field == "email_completion_user_ids"


def test_what_is_not_asked_for_is_not_read(client: RinggClient, sandbox: Sandbox) -> None:
    check_callers(client, None, None)
    assert sandbox.requests() == []


@both_generations
def test_no_check_changes_anything_on_the_server(client: RinggClient, sandbox: Sandbox) -> None:
    check_variables(check_agent(client, RENEWALS), MAPPED)
    check_callers(client, [NUMBER.format(1)], [USER])
    assert {request["method"] for request in sandbox.requests()} == {"GET"}
    assert sandbox.state()["campaigns"] == []
