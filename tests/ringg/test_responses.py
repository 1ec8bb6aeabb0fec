"""Example bodies in every documented shape, served over a socket, read into one normal form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ringg_provider.exceptions import UnexpectedResponse, WrongState
from ringg_provider.ringg import RinggClient
from ringg_provider.ringg.requests import (
    CallQuery,
    CampaignSpec,
    MakeCallAsync,
    SingleCall,
    StartCampaign,
)
from ringg_provider.ringg.responses import (
    Agent,
    Balance,
    Call,
    CallDetails,
    CallPage,
    CallStatus,
    CampaignPage,
    CampaignState,
    StartResult,
    UploadStatus,
    Workspace,
)
from tests.support.http_server import Answer, ScriptedServer

ID = "123e4567-e89b-12d3-a456-426614174000"
NUMBER = "+919876543210"

Ask = Callable[[Any, Callable[[RinggClient], Any]], Any]


@pytest.fixture
def ask() -> Ask:
    """The answer that the client makes of a body that a real server sent."""

    def ask(body: Any, method: Callable[[RinggClient], Any]) -> Any:
        with (
            ScriptedServer(Answer(body=body)) as server,
            RinggClient("key", server.base_url, max_attempts=1) as client,
        ):
            return method(client)

    return ask


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    file = tmp_path / "contacts.csv"
    file.write_text("Mobile Number,Name\n+919876543210,Priya\n")
    return file


SPEC = CampaignSpec(
    campaign_name="Renewals",
    agent_id="agent",
    country_code="+91",
    variables_map={"mobile_number": "Mobile Number", "callee_name": "Name"},
    call_config={  # type: ignore[arg-type]
        "call_time": {"call_start_time": "09:00", "call_end_time": "18:00", "timezone": "Asia/Kolkata"}
    },
    campaign_start_time="18/10/2026, 09:00",
    campaign_end_time="18/10/2026, 18:00",
)
MAKE = MakeCallAsync(
    bulk_list_id=ID,
    agent_id="agent",
    country_code="+91",
    call_config=SPEC.call_config,
    campaign_start_time="18/10/2026, 09:00",
    campaign_end_time="18/10/2026, 18:00",
    from_numbers=["n"],
)


# --- workspace ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("info", "spendable"),
    [
        ({"credits": 3025, "locked_credits": 25}, Decimal(3000)),
        ({"credits": 3025.0, "locked_credits": 0.5}, Decimal("3024.5")),
        ({"credits": "12.10"}, Decimal("12.10")),
        ({"credits": 1, "total_available_credits": 77.25}, Decimal("77.25")),
        ({"credits": 1, "credit_limit": 500, "utilized_limit": 120}, Decimal(380)),
        ({"credits": 1, "total_available_credits": 5, "credit_limit": 500, "utilized_limit": 1}, Decimal(5)),
        # What cannot be read is never taken for money.
        ({"credits": 1, "total_available_credits": "plenty"}, None),
        ({"credits": 1, "credit_limit": 500}, None),
        ({"credits": True}, None),
        ({"credits": float("nan")}, None),
        ({}, None),
    ],
)
def test_what_a_workspace_can_spend_is_read_from_every_way_of_paying(
    ask: Ask, info: dict[str, Any], spendable: Decimal | None
) -> None:
    body = {"workspace_info": {"id": "w", "name": "Acme", **info}}
    workspace = ask(body, RinggClient.get_workspace)
    assert (workspace.id, workspace.name, workspace.spendable_credits) == ("w", "Acme", spendable)


def test_the_key_in_a_workspace_body_is_dropped(ask: Ask) -> None:
    body = {"workspace_info": {"id": "w", "name": "Acme", "api_key": "rg_live_x", "credits": 1}, "api_key": "y"}
    workspace = ask(body, RinggClient.get_workspace)
    assert workspace.raw == {"workspace_info": {"id": "w", "name": "Acme", "credits": 1}}
    assert "rg_live_x" not in repr(workspace) + str(vars(workspace))


@pytest.mark.parametrize("body", [{"workspace_info": "x"}, {"ok": True}, {}, [], "x", 7, None, b"nothing", b""])
def test_a_workspace_that_is_none_is_unexpected(ask: Ask, body: Any) -> None:
    with pytest.raises(UnexpectedResponse):
        ask(body, RinggClient.get_workspace)


def test_numbers_are_read_in_both_generations(ask: Ask) -> None:
    g3 = {
        "id": "n1",
        "number": NUMBER,
        "created_at": "2024-12-16T13:03:29.947147+00:00",
        "call_count": 0,
        "agent": None,
        "is_inbound_enabled": True,
        "is_test_number": True,
        "is_relay": False,
        "tags": [],
        "is_spam": False,
        "spam_message": None,
        "provider": "ringg",
        "display_name": "Sales Line",
        "owner": "ringg",
        "telephony_id": None,
        "number_pool_id": "p1",
    }
    g2 = {"id": "n2", "number": NUMBER, "owner": "someone@example.com", "provider": "twilio", "is_spam": True}
    first, second = ask({"workspace_numbers": [g3, g2]}, RinggClient.list_numbers)
    assert (first.id, first.number, first.is_test_number, first.is_spam) == ("n1", NUMBER, True, False)
    assert (first.provider, first.number_pool_id, first.display_name) == ("ringg", "p1", "Sales Line")
    assert first.created_at == datetime(2024, 12, 16, 13, 3, 29, 947147, UTC)
    assert (second.id, second.is_spam, second.provider, second.number_pool_id) == ("n2", True, "twilio", None)
    assert first.raw == g3
    assert "98765" not in repr(first)
    assert "example.com" not in repr(second)


def test_users_are_read_with_and_without_invitation(ask: Ask) -> None:
    body = {
        "workspace_users": [
            {"id": "u1", "username": "a", "email": "a@example.com", "role": "member", "invite_status": "success"},
            {"id": "u2", "username": "b", "email": "b@example.com", "role": "owner"},
        ]
    }
    users = ask(body, RinggClient.list_users)
    assert [(user.id, user.role, user.invite_status) for user in users] == [
        ("u1", "member", "success"),
        ("u2", "owner", None),
    ]
    assert "example.com" not in repr(users)


# --- agents -------------------------------------------------------------------------------------------------


def agent_body(**parts: Any) -> dict[str, Any]:
    return {"agents": {"id": "a1", "agent_display_name": "Renewals", "agent_type": "outbound", **parts}}


def version(*names: str) -> dict[str, Any]:
    return {"agent_config": {"custom_variables": list(names)}, "event_subscriptions": [{"event_type": names[0]}]}


PROMPT = {
    "agent_prompt": {"prompt_sections": [{"section_content": "Hi @{{callee_name}}, due @{{due_date}}"}, "x", {}]},
    "intro_message": "Hello {{ original_callee_name }}, {{city}}",
}


@pytest.mark.parametrize(
    ("parts", "variables"),
    [
        # the version in use
        ({"active_agent_version_id": "v2", "version_details": {"v1": version("x"), "v2": version("a", "b")}}, "a b"),
        # the documentation's own sample, with a literal key
        (
            {"active_agent_version_id": "v2", "version_details": {"latest": version("a", "b"), "v1": version("x")}},
            "a b",
        ),
        ({"version_details": {"v1": version("a", "b")}}, "a b"),
        # an A/B test: the version that gets most calls, in both forms of the list
        (
            {
                "active_agent_version_id": None,
                "is_ab_live": True,
                "ab_versions": {"v1": {"call_traffic": 30, "slug": "v1"}, "v2": {"call_traffic": 70, "slug": "v2"}},
                "version_details": {"v1": version("x"), "v2": version("a", "b")},
            },
            "a b",
        ),
        (
            {
                "ab_versions": [{"version_id": "v1", "call_traffic": "55.5"}, {"version_id": "v2", "call_traffic": 9}],
                "version_details": {"v1": version("a", "b"), "v2": version("x")},
            },
            "a b",
        ),
        # it cannot be told which: everything that any of them asks for
        ({"ab_versions": [], "version_details": {"v1": version("a"), "v2": version("b")}}, "a b"),
        ({"active_agent_version_id": "gone", "version_details": {"v1": version("a"), "v2": version("b")}}, "a b"),
        # an agent of several prompts keeps them beside its configuration
        (
            {
                "orchestration_mode": "multi_node",
                "active_agent_version_id": "v1",
                "version_details": {"v1": {"custom_variables": ["a", "b"], "tools": [], "additional_languages": []}},
            },
            "a b",
        ),
        # the older generation
        ({"agent_config": {"custom_variables": {"a": "string", "b": "string"}}}, "a b"),
        ({"custom_variables": {"a": "string", "b": "string"}}, "a b"),
        # arrays of objects
        ({"custom_variables": [{"key": "a"}, {"name": "b"}, {"variable_name": "c"}]}, "a b c"),
        # none declared: the placeholders of the prompt, and what every call needs
        ({"agent_config": PROMPT}, "callee_name mobile_number due_date city"),
        ({"agent_config": {"agent_prompt": "Hi {{name}}"}}, "callee_name mobile_number name"),
        # declared as empty is not the same as not declared
        ({"agent_config": {"custom_variables": [], **PROMPT}}, ""),
        # unreadable
        ({"agent_config": {"custom_variables": "callee_name"}}, None),
        ({"agent_config": {"custom_variables": [{"label": "a"}]}}, None),
        ({"version_details": {}}, None),
        ({"version_details": {"v1": {}}, "form_fields": [{"key": "not_a_variable", "value": "x"}]}, None),
        ({}, None),
    ],
)
def test_the_variables_of_an_agent_are_found_in_every_shape(
    ask: Ask, parts: dict[str, Any], variables: str | None
) -> None:
    agent = ask(agent_body(**parts), lambda client: client.get_agent("a1"))
    assert agent.variables == (None if variables is None else set(variables.split()))
    assert (agent.id, agent.name, agent.is_outbound) == ("a1", "Renewals", True)


@pytest.mark.parametrize(
    ("kind", "outbound"),
    [
        ("outbound", True),
        ("outbound_inbound", True),
        ("inbound", False),
        ("whatsapp", False),
        ("fax", False),
        (None, False),
    ],
)
def test_only_agents_that_are_known_to_call_are_outbound(kind: str | None, outbound: bool) -> None:
    assert Agent.read({"id": "a", "agent_type": kind}).is_outbound is outbound


def test_agents_are_listed_with_the_variables_of_the_older_generation(ask: Ask) -> None:
    agents = [
        {
            "id": "a1",
            "agent_display_name": "A",
            "agent_type": "outbound",
            "custom_variables": {"callee_name": "string"},
        },
        {"id": "a2", "agent_display_name": "B", "agent_type": "inbound", "versions": [], "is_archived": True},
    ]
    body = {"status": "success", "data": {"agents": agents, "workspace_call_frequency_cap": None}}
    first, second = ask(body, RinggClient.list_agents)
    assert (first.name, first.variables, first.is_archived) == ("A", {"callee_name"}, False)
    assert (second.name, second.variables, second.is_archived) == ("B", None, True)


def test_an_agents_event_subscriptions_are_those_of_the_version_in_use() -> None:
    agent = Agent.read(
        agent_body(active_agent_version_id="v2", version_details={"v1": version("x"), "v2": version("a")})
    )
    assert agent.event_subscriptions == [{"event_type": "a"}]


@pytest.mark.parametrize(
    "body", [{"agents": []}, {"agents": [{"id": "a"}, {"id": "b"}]}, {"agents": {"name": "x"}}, {}]
)
def test_a_body_without_one_agent_is_unexpected(body: Any) -> None:
    with pytest.raises(UnexpectedResponse):
        Agent.read(body)


# --- standard flow ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contacts", [{}, {"custom_args_values": [{"callee_name": "Priya", "mobile_number": NUMBER}]}])
def test_a_saved_campaign_is_read_without_its_contacts(ask: Ask, csv: Path, contacts: dict[str, Any]) -> None:
    counts = {"total_rows": 100, "successful_rows": 98, "failed_rows": 2}
    body = {"message": "Contacts imported successfully!", "list_id": ID, **counts}
    saved = ask(body | contacts, lambda client: client.save_campaign(SPEC, csv))
    assert saved.list_id == ID
    assert (saved.total_rows, saved.successful_rows, saved.failed_rows) == (100, 98, 2)
    assert saved.raw == body
    assert "Priya" not in repr(saved) + str(vars(saved))


@pytest.mark.parametrize("body", [{}, {"list_id": None}, {"list_id": ""}, {"message": "ok"}, []])
def test_an_upload_without_an_id_is_unexpected(ask: Ask, csv: Path, body: Any) -> None:
    for method in (RinggClient.save_campaign, RinggClient.upload_csv):
        with pytest.raises(UnexpectedResponse):
            ask(body, lambda client, method=method: method(client, SPEC, csv))


@pytest.mark.parametrize(
    ("body", "ongoing", "message"),
    [
        ({"status": "campaign registered successfully!", "has_ongoing_calls": False}, False, None),
        ({"status": "campaign registered successfully!", "has_ongoing_calls": True}, True, None),
        ({"status": "campaign registered successfully!"}, None, None),
        ({"message": "Campaign scheduled successfully"}, None, "Campaign scheduled successfully"),
        (
            {"message": "Campaign calls scheduled", "bulk_list_id": ID, "status": "scheduled"},
            None,
            "Campaign calls scheduled",
        ),
        (b"", None, None),
    ],
)
def test_an_accepted_start_is_read_whatever_it_says(
    ask: Ask, body: Any, ongoing: bool | None, message: str | None
) -> None:
    start = StartCampaign(agent_id="a", list_id=ID, from_numbers=["n"])
    for method in (lambda c: c.start_campaign(start), lambda c: c.make_call_async(MAKE)):
        result: StartResult = ask(body, method)
        assert (result.has_ongoing_calls, result.message) == (ongoing, message)


# --- large flow ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "state", "total"),
    [
        (
            {
                "message": "CSV uploaded.",
                "bulk_list_id": ID,
                "status": "verifying",
                "total_rows": 5000,
                "campaign_name": "R",
            },
            CampaignState.PREPARING,
            5000,
        ),
        (
            {
                "bulk_list_id": ID,
                "status": "verifying",
                "campaign_name": "R",
                "total_callees": 0,
                "invalidated_rows_count": 0,
                "invalidated_rows_csv_url": None,
            },
            CampaignState.PREPARING,
            None,
        ),
        ({"bulk_list_id": ID, "status": "uploaded", "message": "accepted"}, CampaignState.PREPARING, None),
        ({"bulk_list_id": ID, "status": "in_db", "total_rows": 10}, CampaignState.PREPARING, 10),
        ({"list_id": ID}, CampaignState.UNKNOWN, None),
        ({"campaign_id": ID}, CampaignState.UNKNOWN, None),
        ({"bulk_list_id": None, "id": ID}, CampaignState.UNKNOWN, None),
    ],
)
def test_an_accepted_upload_is_read_in_every_shape(
    ask: Ask, csv: Path, body: Any, state: CampaignState, total: int | None
) -> None:
    uploaded = ask(body, lambda client: client.upload_csv(SPEC, csv))
    assert (uploaded.bulk_list_id, uploaded.state, uploaded.total_rows) == (ID, state, total)


URL = "https://storage.example.com/invalid-rows.csv"


@pytest.mark.parametrize(
    ("body", "valid", "invalid", "total", "url"),
    [
        ({"bulk_list_id": ID, "total_callees": 4988, "invalidated_rows_count": 12}, 4988, 12, 5000, None),
        ({"total_callees": 1, "invalidated_rows_count": 2, "invalidated_rows_csv_url": URL}, 1, 2, 3, URL),
        ({"total_callees": 1, "invalidated_rows_count": 2, "invalidated_rows_csv_url": None}, 1, 2, 3, None),
        (
            {"total_rows": 6200, "processed_rows": 2800, "successful_rows": 2744, "failed_rows": 56},
            2744,
            56,
            6200,
            None,
        ),
        ({"total_contacts": 9, "invalidated_rows_count": 1, "invalid_entries_file": URL}, 9, 1, 10, URL),
        ({"total_callees": None, "successful_rows": "7", "failed_rows": 0.0}, 7, 0, 7, None),
        ({"total_callees": "many", "invalidated_rows_count": []}, None, None, None, None),
        ({}, None, None, None, None),
    ],
)
def test_an_upload_status_is_read_in_every_shape(
    ask: Ask, body: Any, valid: int | None, invalid: int | None, total: int | None, url: str | None
) -> None:
    status: UploadStatus = ask({"status": "draft", **body}, lambda client: client.get_upload_status(ID))
    assert (status.valid_rows, status.invalid_rows, status.total_rows) == (valid, invalid, total)
    assert status.invalid_rows_csv_url == url
    assert status.state is CampaignState.DRAFT
    assert "storage.example.com" not in repr(status)


STATES = {
    CampaignState.PREPARING: "uploaded processing verifying preparing in_db",
    CampaignState.DRAFT: "draft ready",
    CampaignState.INSUFFICIENT_BALANCE: "insufficient_balance",
    CampaignState.SCHEDULED: "pending registered scheduled Scheduled",
    CampaignState.RUNNING: "running ongoing Ongoing",
    CampaignState.PAUSED: "paused Paused",
    CampaignState.COMPLETED: "completed Completed",
    CampaignState.TERMINATED: "terminated cancelled",
    CampaignState.FAILED: "failed Failed no_valid_contacts",
    CampaignState.UNKNOWN: "complete done finished success archived",
}


@pytest.mark.parametrize(("state", "words"), STATES.items())
def test_every_status_word_has_one_state_and_is_kept(ask: Ask, state: CampaignState, words: str) -> None:
    for word in words.split():
        status = ask({"status": word, "bulk_list_id": ID}, lambda client: client.get_upload_status(ID))
        assert (status.status, status.state) == (word, state)
        page = ask({"campaigns": [{"id": ID, "campaign_status": word}]}, RinggClient.list_campaigns_page)
        assert (page.campaigns[0].status, page.campaigns[0].state) == (word, state)


def test_only_an_end_is_final() -> None:
    assert {state for state in CampaignState if state.is_final} == {
        CampaignState.COMPLETED,
        CampaignState.TERMINATED,
        CampaignState.FAILED,
    }


@pytest.mark.parametrize("body", [{"bulk_list_id": ID}, {"status": None}, {"status": {}}, []])
def test_an_upload_status_without_a_status_is_unexpected(ask: Ask, body: Any) -> None:
    with pytest.raises(UnexpectedResponse):
        ask(body, lambda client: client.get_upload_status(ID))


@pytest.mark.parametrize(
    ("body", "sufficient", "basis"),
    [
        (
            {"status": "draft", "message": "Balance is sufficient.", "bulk_list_id": ID, "total_callees": 9},
            True,
            "status",
        ),
        ({"status": "ready", "bulk_list_id": ID}, True, "status"),
        (
            {
                "status": "insufficient_balance",
                "message": "Insufficient balance to start this campaign.",
                "required_credits": 2500.0,
                "additional_balance_required": 1250.0,
            },
            False,
            "status",
        ),
        (
            {"bulk_list_id": ID, "required_credits": 6200, "available_credits": 8500, "sufficient_balance": True},
            True,
            "sufficient_balance",
        ),
        ({"sufficient_balance": False, "status": "draft"}, False, "sufficient_balance"),
        ({"sufficient_balance": "true"}, True, "sufficient_balance"),
        ({"additional_balance_required": "0.00"}, True, "additional_balance_required"),
        ({"additional_balance_required": 3}, False, "additional_balance_required"),
        ({"required_credits": 10, "available_credits": 10}, True, "available_credits"),
        ({"required_credits": 10, "available_credits": 9.5}, False, "available_credits"),
        # A stated shortfall outweighs the rest; what cannot be read is never "enough".
        ({"status": "draft", "additional_balance_required": "12.5"}, False, "additional_balance_required"),
        ({"sufficient_balance": True, "additional_balance_required": 1}, False, "additional_balance_required"),
        ({"sufficient_balance": "perhaps", "status": "draft"}, None, "sufficient_balance"),
        ({"sufficient_balance": {}, "status": "draft"}, None, "unknown"),
        ({"required_credits": 10}, None, "unknown"),
        ({"required_credits": 10, "available_credits": "many"}, None, "unknown"),
        ({"status": "checked"}, None, "unknown"),
        ({}, None, "unknown"),
    ],
)
def test_a_balance_is_read_in_every_shape_and_never_guessed(
    ask: Ask, body: Any, sufficient: bool | None, basis: str
) -> None:
    balance: Balance = ask(body, lambda client: client.check_balance(ID))
    assert (balance.sufficient, balance.basis) == (sufficient, basis)
    assert balance.raw == body


def test_the_numbers_of_a_balance_are_exact() -> None:
    balance = Balance.read({"required_credits": 0.1, "available_credits": "0.30", "additional_balance_required": 2})
    assert balance.required_credits == Decimal("0.1")
    assert balance.available_credits == Decimal("0.30")
    assert balance.additional_balance_required == Decimal(2)


# --- campaigns ----------------------------------------------------------------------------------------------


def test_campaigns_are_read_in_both_generations(ask: Ask) -> None:
    g2 = {
        "id": "c1",
        "name": "Q4",
        "campaign_status": "completed",
        "created_at": "2024-01-15T14:30:00Z",
        "updated_at": "2024-01-15T16:45:00",
        "campaign_start_time": "2024-01-16T09:00:00Z",
        "campaign_end_time": "soon",
        "total_count": 150,
        "registered_count": 120,
        "completed_count": 85,
    }
    g3 = {
        "id": "c2",
        "name": None,
        "campaign_status": "insufficient_balance",
        "agent_id": "a1",
        "total_calls": 150,
        "invalidated_rows_count": 2,
        "additional_balance_required": "1250.00",
    }
    contact_list = {"id": "c3", "name": "Leads", "campaign_status": None}
    body = {"campaigns": [g2, g3, contact_list], "pagination": {"total": 25, "limit": 10, "offset": 0}}
    page: CampaignPage = ask(body, RinggClient.list_campaigns_page)
    assert (page.total, page.limit, page.offset) == (25, 10, 0)
    first, second, third = page.campaigns
    assert (first.total_count, first.registered_count, first.completed_count) == (150, 120, 85)
    assert first.created_at == datetime(2024, 1, 15, 14, 30, tzinfo=UTC)
    assert first.updated_at == datetime(2024, 1, 15, 16, 45, tzinfo=UTC)
    assert first.campaign_end_time is None
    assert first.raw == g2
    assert second.state is CampaignState.INSUFFICIENT_BALANCE
    assert (second.agent_id, second.total_calls, second.invalid_rows) == ("a1", 150, 2)
    assert second.additional_balance_required == Decimal("1250.00")
    assert (third.status, third.state) == (None, CampaignState.NOT_A_CAMPAIGN)


@pytest.mark.parametrize("body", [{}, {"campaigns": None}, {"campaigns": {}}, {"campaigns": [{"name": "no id"}]}, "x"])
def test_a_campaign_list_that_cannot_be_read_is_unexpected(ask: Ask, body: Any) -> None:
    with pytest.raises(UnexpectedResponse):
        ask(body, RinggClient.list_campaigns_page)


# --- calls --------------------------------------------------------------------------------------------------

ROW = {
    "id": "34a29572-9e09-453d-bcb8-90cdbb157c79",
    "to_number": NUMBER,
    "name": "Priya",
    "status": "completed",
    "sub_status": "ACCEPTED",
    "transcript": '[{"bot": "Hi"}, {"user": "Yes"}]',
    "audio_recording": "https://example.com/recordings/call-123.mp3",
    "created_at": "2025-11-24T11:37:43.678043+00:00",
    "agent": {
        "id": "a1",
        "agent_name": "Payment reminder",
        "agent_version_id": "v1",
        "orchestration_mode": "single_node",
        "version": {"version_id": "v1", "version_slug": "v1"},
    },
    "call_duration": 7.98,
    "call_attempt_time": "2025-11-24T11:37:48.549486+00:00",
    "call_cost": 0.2,
    "call_type": "outbound",
    "inbound_from": None,
    "credits_processed": True,
    "from_numbers": ["+919876500000"],
    "voicemail_detected": False,
}


def history(*rows: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"calls": list(rows), "limit": 10, "offset": 0, "count": len(rows), "total": len(rows), **rest}


def test_a_row_of_the_history_is_read_whole(ask: Ask) -> None:
    page: CallPage = ask(history(ROW), lambda client: client.list_calls_page(CallQuery()))
    assert (page.count, page.total, page.limit, page.offset) == (1, 1, 10, 0)
    call = page.calls[0]
    assert (call.id, call.to_number, call.name, call.sub_status) == (ROW["id"], NUMBER, "Priya", "ACCEPTED")
    assert (call.status, call.status.is_final) == ("completed", True)
    assert call.transcript == [{"bot": "Hi"}, {"user": "Yes"}]
    assert call.call_cost == Decimal("0.2")
    assert call.call_duration == 7.98
    assert call.created_at == datetime(2025, 11, 24, 11, 37, 43, 678043, UTC)
    assert (call.agent_id, call.agent_name, call.agent_version_id) == ("a1", "Payment reminder", "v1")
    assert (call.voicemail_detected, call.credits_processed, call.from_numbers) == (False, True, ["+919876500000"])
    assert call.bulk_list_id is None
    assert call.raw == ROW


@pytest.mark.parametrize(
    ("transcript", "turns"),
    [
        (None, None),
        ("", None),
        ("[]", []),
        ([{"bot": "Hi", "timestamp": 1}], [{"bot": "Hi", "timestamp": 1}]),
        ('[{"user": "Yes"}]', [{"user": "Yes"}]),
        ("not json", [{"text": "not json"}]),
        (7, None),
        (["odd"], None),
    ],
)
def test_a_transcript_is_read_as_list_or_as_text(ask: Ask, transcript: Any, turns: Any) -> None:
    page = ask(history(ROW | {"transcript": transcript}), lambda client: client.list_calls_page(CallQuery()))
    assert page.calls[0].transcript == turns
    details = {"id": "c", "call_status": "completed", "transcription_url": transcript}
    call = ask({"status": "success", "data": details}, lambda client: client.get_call("c"))
    assert call.transcript == turns


def test_a_row_with_only_an_id_and_a_status_is_still_a_row() -> None:
    call = Call.read({"id": 7, "status": "retry", "call_cost": "free", "created_at": "?", "agent": None})
    assert (call.id, call.status, call.call_cost, call.created_at, call.agent_id) == ("7", "retry", None, None, None)


@pytest.mark.parametrize(("total", "read"), [("many", None), (None, None), (5, 5), ("5", 5)])
def test_a_total_that_is_only_many_is_none(ask: Ask, total: Any, read: int | None) -> None:
    page = ask(history(ROW, total=total), lambda client: client.list_calls_page(CallQuery()))
    assert page.total == read


@pytest.mark.parametrize(
    ("word", "final"),
    [
        ("registered", False),
        ("ongoing", False),
        ("retry", False),
        ("completed", True),
        ("failed", True),
        ("error", True),
        ("cancelled", True),
        ("forwarded", True),
        ("Completed", True),
        ("answered", False),
    ],
)
def test_a_call_status_is_final_only_when_it_is_known_to_be(word: str, final: bool) -> None:
    status = Call.read({"id": "c", "status": word}).status
    assert isinstance(status, CallStatus)
    assert (status, status.is_final) == (word, final)


def test_the_details_of_a_call_are_read_with_its_analyses(ask: Ask) -> None:
    data = {
        "id": "c1",
        "call_direction": "outbound",
        "call_status": "completed",
        "call_sub_status": "ACCEPTED",
        "from_number": "+919876500000",
        "to_number": NUMBER,
        "callee_name": "Priya",
        "agent_id": "a1",
        "initiation_time": "2025-11-24T07:33:49.629642",
        "recording_url": None,
        "transcription_url": '[{"bot": "Hi"}]',
        "platform_analysis": {"summary": "Priya will pay", "classification": "interested"},
        "metrics": [{"metric_id": "m"}],
    }
    details: CallDetails = ask({"status": "success", "data": data}, lambda client: client.get_call("c1"))
    assert (details.id, details.status, details.sub_status) == ("c1", "completed", "ACCEPTED")
    assert details.initiation_time == datetime(2025, 11, 24, 7, 33, 49, 629642, UTC)
    assert details.platform_analysis == data["platform_analysis"]
    assert details.client_analysis is None
    assert details.metrics == [{"metric_id": "m"}]
    assert details.raw == {"status": "success", "data": data}


@pytest.mark.parametrize(
    "body",
    [
        {
            "status": "success",
            "data": {
                "call_id": "c1",
                "call_direction": "outbound",
                "call_status": "ongoing",
                "initiated_at": "2025-11-24T07:33:49.629642",
                "agent_id": "a1",
                "custom_args_values": {"callee_name": "Priya"},
            },
            "message": "Call initiated successfully",
        },
        {
            "Call Status": "success",
            "data": {
                "Unique Call ID": "c1",
                "Call Direction": "outbound",
                "Call Status": "ongoing",
                "From Number": "+919876500000",
                "To Number": NUMBER,
                "Initiated at": "2025-11-24T07:33:49.629642",
                "Agent ID": "a1",
            },
        },
    ],
)
def test_a_started_call_is_read_in_both_shapes(ask: Ask, body: Any) -> None:
    call = SingleCall(name="Priya", mobile_number=NUMBER, agent_id="a1", from_number_id=["n"])
    started = ask(body, lambda client: client.initiate_call(call))
    assert (started.call_id, started.status, started.agent_id) == ("c1", "ongoing", "a1")
    assert started.initiated_at == datetime(2025, 11, 24, 7, 33, 49, 629642, UTC)
    assert "Priya" not in repr(started) + str(vars(started))


def test_no_repr_of_a_call_shows_who_was_called_or_what_was_said() -> None:
    page = CallPage.read(history(ROW))
    details = CallDetails.read({"data": {"id": "c", "call_status": "x", "callee_name": "Priya", "to_number": NUMBER}})
    for shown in (repr(page), repr(page.calls), repr(details), str(page.calls[0])):
        assert "98765" not in shown
        assert "Priya" not in shown
        assert "Yes" not in shown


def test_an_error_about_a_row_names_the_field_and_shows_no_value(ask: Ask) -> None:
    with pytest.raises(UnexpectedResponse) as raised:
        ask(history({"to_number": NUMBER, "status": "completed"}), lambda client: client.list_calls_page(CallQuery()))
    assert "missing or unreadable id" in str(raised.value)
    found: BaseException | None = raised.value
    while found is not None:
        assert "98765" not in repr(found)
        found = found.__context__


def test_a_balance_that_is_not_to_be_checked_is_neither_enough_nor_an_error() -> None:
    body = {"message": "Campaign is not in insufficient_balance state."}
    with ScriptedServer(Answer(400, body)) as server, RinggClient("key", server.base_url) as client:
        balance = client.check_balance(ID)
    assert (balance.sufficient, balance.basis) == (None, "not_short")


@pytest.mark.parametrize("text", ["Bulk list already started", "Bulk list is not ready."])
def test_a_balance_that_cannot_be_checked_for_another_reason_is_an_error(text: str) -> None:
    with (
        ScriptedServer(Answer(400, {"message": text})) as server,
        RinggClient("key", server.base_url) as client,
        pytest.raises(WrongState),
    ):
        client.check_balance(ID)


def test_the_workspace_model_reads_a_body_without_its_envelope() -> None:
    assert Workspace.read({"id": "w", "credits": 5}).spendable_credits == 5
