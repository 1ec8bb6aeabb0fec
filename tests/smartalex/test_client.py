"""SmartAlex's client against a real socket: both generations of the vendor's bodies, and what its errors mean."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ringg_provider.exceptions import (
    AgentNotFound,
    AuthenticationError,
    CampaignAlreadyActive,
    CampaignNotActive,
    CampaignNotFound,
    InvalidContacts,
    InvalidRequest,
    NetworkError,
    NoContacts,
    NotFound,
    RateLimited,
    ServerError,
    TransientError,
    UnexpectedResponse,
    UnreadableAnswer,
    WrongState,
)
from ringg_provider.smartalex import AsyncSmartAlexClient, SmartAlexClient
from ringg_provider.smartalex.campaigns import pause, resume
from ringg_provider.smartalex.paths import ROUTES
from ringg_provider.smartalex.requests import CallFilter, CampaignSettings, NewCampaign, NewContact, NewWebhook
from ringg_provider.smartalex.responses import CampaignState
from tests.support.http_server import UNREADABLE, Answer, Asked, ScriptedServer

KEY = "sk_test_0123456789"
NEW_CAMPAIGN = {
    "data": {
        "id": "campaign_abc123",
        "name": "January Outreach",
        "description": "Q1 lead generation campaign",
        "objective": "Schedule appointments",
        "agent_id": "agent_def456",
        "phone_number_id": "phone_xyz789",
        "campaign_mode": "outbound",
        "status": "active",
        "timezone": "America/New_York",
        "business_hours": {
            "monday": {"enabled": True, "start": "09:00", "end": "17:00"},
            "saturday": {"enabled": False},
        },
        "created_at": "2026-01-15T10:30:00Z",
        "started_at": "2026-01-15T11:00:00Z",
    }
}
OLD_CALL = {
    "id": "call_1",
    "direction": "outbound",
    "agent_id": "agent_def456",
    "phone_number": "+15551234567",
    "contact": {"id": "contact_1", "first_name": "Sarah", "last_name": "Johnson"},
    "status": "no_answer",
    "duration": 0,
    "sentiment": None,
    "cost": 0.05,
    "created_at": "2024-01-16T10:00:00Z",
}
NEW_CALL = {
    "id": "call_2",
    "agent_id": "agent_def456",
    "contact_id": "contact_2",
    "direction": "outbound",
    "call_status": "completed",
    "duration_seconds": 63,
    "sentiment": "positive",
    "cost": "0.12",
    "start_timestamp": "2026-04-28T10:00:00Z",
    "end_timestamp": "2026-04-28T10:01:03Z",
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def client_of(server: ScriptedServer, **options: Any) -> SmartAlexClient:
    settings = {"requests_per_minute": 60_000, "sleep": lambda _: None, **options}
    return SmartAlexClient(KEY, f"{server.origin}/v1", **settings)


def refusal(code: str, message: str = "No.", status: int = 400) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status}}


def paths(server: ScriptedServer) -> list[str]:
    return [f"{asked.method} {asked.path.removeprefix('/v1')}" for asked in server.asked]


def test_the_key_goes_as_a_bearer_token(server: ScriptedServer) -> None:
    server.answers = [Answer(body=NEW_CAMPAIGN)]
    with client_of(server) as client:
        client.get_campaign("campaign_abc123")
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert "x-api-key" not in server.asked[0].headers


@pytest.mark.parametrize("body", [NEW_CAMPAIGN, NEW_CAMPAIGN["data"]], ids=["in its envelope", "bare"])
def test_a_campaign_is_read_with_and_without_its_envelope(server: ScriptedServer, body: dict[str, Any]) -> None:
    server.answers = [Answer(body=body)]
    with client_of(server) as client:
        campaign = client.get_campaign("campaign_abc123")
    assert (campaign.id, campaign.state, campaign.timezone) == (
        "campaign_abc123",
        CampaignState.ACTIVE,
        "America/New_York",
    )
    assert campaign.started_at is not None


def test_a_status_that_nobody_knows_is_unknown_and_never_an_end(server: ScriptedServer) -> None:
    server.answers = [Answer(body={"data": {"id": "c", "status": "archived"}})]
    with client_of(server) as client:
        assert client.get_campaign("c").state is CampaignState.UNKNOWN


def test_the_figures_of_the_older_api_tell_how_far_a_campaign_is(server: ScriptedServer) -> None:
    body = {
        "id": "c",
        "status": "active",
        "settings": {"timezone": "Asia/Kolkata"},
        "statistics": {"total_contacts": 9, "contacts_completed": 4},
    }
    server.answers = [Answer(body={"data": body})]
    with client_of(server) as client:
        campaign = client.get_campaign("c")
    assert (campaign.contacts, campaign.finished, campaign.timezone) == (9, 4, "Asia/Kolkata")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("campaign_not_found", CampaignNotFound),
        ("campaign_already_active", CampaignAlreadyActive),
        ("campaign_not_active", CampaignNotActive),
        ("agent_not_found", AgentNotFound),
        ("no_contacts", NoContacts),
        ("invalid_request", InvalidRequest),
        ("unauthorized", AuthenticationError),
        ("not_found", NotFound),
        ("rate_limited", RateLimited),
        ("server_error", ServerError),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 404, 409, 500])
def test_the_code_decides_and_not_the_status(
    server: ScriptedServer, code: str, error: type[Exception], status: int
) -> None:
    server.answers = [Answer(status=status, body=refusal(code))]
    with client_of(server, max_attempts=1) as client, pytest.raises(error) as raised:
        client.start_campaign("campaign_abc123")
    assert type(raised.value) is error
    assert raised.value.status_code == status  # type: ignore[attr-defined]
    assert len(server.asked) == 1


def test_the_campaign_errors_are_of_the_kinds_that_callers_already_know() -> None:
    assert issubclass(CampaignNotFound, NotFound)
    assert issubclass(AgentNotFound, NotFound)
    assert issubclass(CampaignAlreadyActive, WrongState)
    assert issubclass(CampaignNotActive, WrongState)
    assert issubclass(NoContacts, WrongState)
    assert issubclass(NoContacts, InvalidContacts)


def test_an_error_with_an_unknown_code_under_a_success_is_no_success(server: ScriptedServer) -> None:
    server.answers = [Answer(body=refusal("something_new", "Call +15551234567 failed"))]
    with client_of(server) as client, pytest.raises(UnexpectedResponse) as raised:
        client.start_campaign("c")
    assert "5551234567" not in str(raised.value)


def numbered(count: int, start: int = 0) -> list[dict[str, str]]:
    return [{"id": f"campaign_{start + n}", "status": "draft"} for n in range(count)]


def test_pages_are_read_until_the_total_is_reached(server: ScriptedServer) -> None:
    def script(asked: Asked) -> Answer:
        page = int(dict(asked.query)["page"])
        rows = numbered(100, 100 * (page - 1)) if page < 3 else numbered(50, 200)
        return Answer(body={"data": rows, "meta": {"total": 250, "page": page, "per_page": 100}})

    server.script = script
    with client_of(server) as client:
        assert len({campaign.id for campaign in client.iter_campaigns()}) == 250
    assert [dict(asked.query)["page"] for asked in server.asked] == ["1", "2", "3"]


def test_without_meta_a_server_that_caps_its_pages_is_read_to_the_end(server: ScriptedServer) -> None:
    """It was asked for 100 and gives 20: a page shorter than what was asked for is not the last one."""
    server.answers = [
        Answer(body={"data": numbered(20)}),
        Answer(body={"data": numbered(20, 20)}),
        Answer(body={"data": numbered(3, 40)}),
    ]
    with client_of(server) as client:
        assert len(list(client.iter_campaigns())) == 43


def test_a_meta_that_tells_a_smaller_page_is_believed(server: ScriptedServer) -> None:
    server.answers = [
        Answer(body={"data": numbered(25), "meta": {"total": 30, "page": 1, "per_page": 25}}),
        Answer(body={"data": numbered(5, 25), "meta": {"total": 30, "page": 2, "per_page": 25}}),
    ]
    with client_of(server) as client:
        assert len(list(client.iter_campaigns(status="active", agent_id="agent_1"))) == 30
    assert dict(server.asked[0].query) == {"status": "active", "agent_id": "agent_1", "page": "1", "per_page": "100"}


def test_an_older_create_sends_settings_and_a_newer_one_business_hours(server: ScriptedServer) -> None:
    server.answers = [Answer(status=201, body={"data": {"id": "c", "status": "draft"}})]
    campaign = NewCampaign(
        name="Renewals",
        agent_id="agent_1",
        objective="Renew",
        settings={"calling_hours_start": "10:00", "calling_hours_end": "19:00", "timezone": "Asia/Kolkata"},
    )
    with client_of(server) as old, client_of(server, generation="new") as new:
        old.create_campaign(campaign)
        new.create_campaign(campaign)
    assert server.asked[0].json == {
        "name": "Renewals",
        "agent_id": "agent_1",
        "settings": {
            "calling_hours_start": "10:00",
            "calling_hours_end": "19:00",
            "timezone": "Asia/Kolkata",
            "concurrent_calls": 1,
            "max_retries": 3,
        },
    }
    body = server.asked[1].json
    assert "settings" not in body
    assert (body["timezone"], body["objective"]) == ("Asia/Kolkata", "Renew")
    assert set(body["business_hours"]) == {
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    }  # fmt: skip
    assert body["business_hours"]["sunday"] == {"enabled": True, "start": "10:00", "end": "19:00"}


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: NewCampaign(name=" ", agent_id="agent_1"), "name"),
        (lambda: NewCampaign(name="a", agent_id=""), "agent_id"),
        (lambda: CampaignSettings(calling_hours_start="9:00"), "calling_hours_start"),
        (lambda: CampaignSettings(calling_hours_start="19:00", calling_hours_end="10:00"), "calling_hours_end"),
        (lambda: CampaignSettings(timezone="India"), "timezone"),
        (lambda: CampaignSettings(concurrent_calls=0), "concurrent_calls"),
        (lambda: CampaignSettings(max_retries=-1), "max_retries"),
        (lambda: NewContact(phone="98765 43210"), "phone"),
        (lambda: NewWebhook(url="http://example.com", events=["call.completed"]), "url"),
        (lambda: NewWebhook(url="https://example.com", events=[]), "events"),
        (lambda: NewWebhook(url="https://example.com", events=["call.exploded"]), "events"),
        (lambda: CallFilter(status="exploded"), "status"),
    ],
)
def test_a_broken_rule_is_one_clear_error_that_names_the_field(make: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        make()
    assert (raised.value.field or "").split(".")[0] == field
    assert "43210" not in str(raised.value)


def test_contacts_go_in_chunks_and_a_number_that_comes_twice_goes_once(server: ScriptedServer) -> None:
    server.answers = [Answer(body={})]
    people = [NewContact(phone=f"+1555123{n:04}", first_name="A") for n in (1, 2, 3, 2, 4, 5)]
    with client_of(server) as client:
        assert client.add_contacts("campaign_1", people, per_request=2) == 5
    sent = [[person["phone"][-1] for person in asked.json["contacts"]] for asked in server.asked]
    assert sent == [["1", "2"], ["3", "4"], ["5"]]
    assert paths(server) == ["POST /campaigns/campaign_1/contacts"] * 3


def test_adding_contacts_is_sent_again_after_429_and_never_after_a_lost_answer(server: ScriptedServer) -> None:
    server.answers = [Answer(status=429, body=refusal("rate_limited"), headers={"Retry-After": "1"}), Answer()]
    with client_of(server) as client:
        client.add_contacts("c", [NewContact(phone="+15551230001")])
        assert len(server.asked) == 2
        server.answers = [Answer(cut=True)]
        with pytest.raises(NetworkError):
            client.add_contacts("c", [NewContact(phone="+15551230001")])
    assert len(server.asked) == 3


@pytest.mark.parametrize("failure", [Answer(cut=True), Answer(status=503), Answer(status=429)])
@pytest.mark.parametrize("action", ["start_campaign", "pause_campaign", "resume_campaign"])
def test_what_changes_a_campaign_is_sent_once(server: ScriptedServer, action: str, failure: Answer) -> None:
    server.answers = [failure]
    with client_of(server) as client, pytest.raises((NetworkError, ServerError, RateLimited)):
        getattr(client, action)("campaign_1")
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=list(UNREADABLE))
def test_only_a_read_is_sent_again_after_an_answer_that_cannot_be_read(server: ScriptedServer, answer: Answer) -> None:
    server.answers = [answer, Answer(body=NEW_CAMPAIGN)]
    with client_of(server) as client:
        assert client.get_campaign("campaign_abc123").id == "campaign_abc123"
        server.answers = [answer]
        with pytest.raises(UnreadableAnswer):
            client.get_campaign("campaign_abc123")
        server.asked.clear()
        with pytest.raises(UnexpectedResponse) as raised:
            client.start_campaign("campaign_abc123")
    assert len(server.asked) == 1
    assert not isinstance(raised.value, TransientError)


def test_the_reset_header_of_a_rate_limit_is_waited_for(server: ScriptedServer) -> None:
    waits: list[float] = []
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "7"}
    server.answers = [Answer(status=429, body=refusal("rate_limited"), headers=headers), Answer(body=NEW_CAMPAIGN)]
    with client_of(server, sleep=waits.append) as client:
        client.get_campaign("campaign_abc123")
    assert 7 <= waits[0] < 9


def test_no_more_than_the_limit_is_asked_in_a_minute(server: ScriptedServer) -> None:
    server.answers = [Answer(body=NEW_CAMPAIGN)]
    with client_of(server, requests_per_minute=6000) as client:  # sixty in 0.6 seconds
        began = time.monotonic()
        for _ in range(61):
            client.get_campaign("campaign_abc123")
    assert time.monotonic() - began >= 0.6


SIXTY_TIMES_AND_ONCE_MORE: dict[str, Any] = {"requests_per_minute": 6000, "max_attempts": 61, "max_wait": 10_000.0}


def test_a_request_that_is_repeated_keeps_the_limit_with_each_attempt(server: ScriptedServer) -> None:
    server.answers = [Answer(503)]
    began = time.monotonic()
    with client_of(server, **SIXTY_TIMES_AND_ONCE_MORE) as client, pytest.raises(ServerError):
        client.get_campaign("campaign_abc123")
    assert len(server.asked) == 61
    assert time.monotonic() - began >= 0.6


async def test_the_same_holds_for_asyncio(server: ScriptedServer) -> None:
    async def at_once(_: float) -> None:
        pass

    server.answers = [Answer(503)]
    began = time.monotonic()
    async with AsyncSmartAlexClient(KEY, f"{server.origin}/v1", sleep=at_once, **SIXTY_TIMES_AND_ONCE_MORE) as client:
        with pytest.raises(ServerError):
            await client.get_campaign("campaign_abc123")
    assert len(server.asked) == 61
    assert time.monotonic() - began >= 0.6


@pytest.mark.parametrize("raw", [OLD_CALL, NEW_CALL])
def test_calls_of_both_vocabularies_read_alike(server: ScriptedServer, raw: dict[str, Any]) -> None:
    server.answers = [Answer(body={"data": [raw], "meta": {"total": 1, "page": 1, "per_page": 100}})]
    with client_of(server) as client:
        (call,) = client.iter_calls()
    assert call.contact_id in ("contact_1", "contact_2")
    assert call.is_final
    assert call.created_at is not None
    assert call.duration in (0, 63)
    assert "Sarah" not in repr(call)
    assert "5551234567" not in repr(call)


def test_the_newer_api_is_sent_only_the_filters_that_it_knows(server: ScriptedServer) -> None:
    server.answers = [Answer(body={"data": []})]
    wanted = CallFilter(campaign_id="c", status="failed", from_date="2026-01-01T00:00:00+00:00", since_hours=5)
    with client_of(server) as old, client_of(server, generation="new") as new:
        assert list(old.iter_calls(wanted)) == list(new.iter_calls(wanted)) == []
    assert {name for name, _ in server.asked[0].query} == {"campaign_id", "status", "from_date", "page", "per_page"}
    assert {name for name, _ in server.asked[1].query} == {"status", "since_hours", "page", "per_page"}


def test_people_who_must_not_be_called_are_told_by_their_status(server: ScriptedServer) -> None:
    rows = [{"id": "1", "phone": "+15551234567", "status": "dnc"}, {"id": "2", "status": "active"}]
    server.answers = [Answer(body={"data": rows, "meta": {"total": 2, "page": 1, "per_page": 100}})]
    with client_of(server) as client:
        assert [person.is_dnc for person in client.iter_contacts(status="dnc", campaign_id="c")] == [True, False]


def test_an_agent_is_usable_when_either_generation_says_so(server: ScriptedServer) -> None:
    rows = [{"id": "1", "status": "ready"}, {"id": "2", "is_active": True}, {"id": "3", "is_active": False}]
    server.answers = [Answer(body={"data": rows})]
    with client_of(server) as client:
        assert [agent.is_usable for agent in client.list_agents()] == [True, True, False]


def test_a_webhooks_secret_is_given_to_the_caller_and_kept_nowhere_else(server: ScriptedServer) -> None:
    created = {
        "id": "webhook_1",
        "url": "https://example.com",
        "event_types": ["call.completed"],
        "is_active": True,
        "signing_secret": "a3f1",
    }
    server.answers = [Answer(status=201, body=created), Answer(status=204, body=b"")]
    with client_of(server, generation="new") as client:
        webhook = client.create_webhook(NewWebhook(url="https://example.com", events="call.completed"))
        client.delete_webhook(webhook.id)
    assert webhook.signing_secret == "a3f1"
    assert "a3f1" not in repr(webhook)
    assert "signing_secret" not in webhook.raw
    assert server.asked[0].json == {"url": "https://example.com", "event_types": ["call.completed"]}
    assert paths(server)[1] == "DELETE /webhooks/webhook_1"


def test_an_inferred_path_can_be_replaced(server: ScriptedServer) -> None:
    replaced = {"start_campaign": "PUT /v2/campaigns/{id}/launch", "list_callbacks": "/callbacks/of/{id}"}
    server.answers = [Answer(body={"data": []})]
    with client_of(server, paths=replaced) as client:
        client.start_campaign("campaign_1")
        assert list(client.iter_callbacks("campaign_1")) == []
    assert paths(server) == ["PUT /v2/campaigns/campaign_1/launch", "GET /callbacks/of/campaign_1"]


@pytest.mark.parametrize(
    "given",
    [
        {"ring": "/x"},
        {"start_campaign": "/campaigns/start"},
        {"list_calls": "calls"},
        {"list_calls": 3},
        "not json",
        "[1]",
    ],
)
def test_paths_that_cannot_be_meant_are_refused(given: Any) -> None:
    with pytest.raises(InvalidRequest):
        SmartAlexClient(KEY, paths=given)


def test_everything_that_no_page_shows_is_marked_as_inferred() -> None:
    assert {name for name, route in ROUTES.items() if route.inferred} >= {
        "add_contacts",
        "start_campaign",
        "pause_campaign",
        "resume_campaign",
        "list_callbacks",
    }


def states(*words: str) -> list[Answer]:
    return [Answer(body={"data": {"id": "c", "status": word}}) for word in words]


@pytest.mark.parametrize("word", ["paused", "completed", "cancelled"])
def test_pausing_what_does_not_call_sends_nothing(server: ScriptedServer, word: str) -> None:
    server.answers = states(word)
    with client_of(server) as client:
        assert pause(client, "c") is False
    assert paths(server) == ["GET /campaigns/c"]


@pytest.mark.parametrize("word", ["active", "completed"])
def test_resuming_what_is_under_way_sends_nothing(server: ScriptedServer, word: str) -> None:
    server.answers = states(word)
    with client_of(server) as client:
        assert resume(client, "c") is False
    assert len(server.asked) == 1


@pytest.mark.parametrize("change", [pause, resume])
@pytest.mark.parametrize("word", ["draft", "archived"])
def test_what_was_never_started_is_neither_paused_nor_resumed(server: ScriptedServer, change: Any, word: str) -> None:
    server.answers = states(word)
    with client_of(server) as client, pytest.raises(WrongState):
        change(client, "c")
    assert len(server.asked) == 1


def test_a_pause_whose_answer_was_lost_is_settled_by_looking(server: ScriptedServer) -> None:
    server.answers = [*states("active"), Answer(cut=True), *states("paused")]
    with client_of(server) as client:
        assert pause(client, "c") is True
    assert paths(server) == ["GET /campaigns/c", "POST /campaigns/c/pause", "GET /campaigns/c"]


def test_a_pause_that_was_lost_on_the_way_is_an_error(server: ScriptedServer) -> None:
    server.answers = [*states("active"), Answer(cut=True), *states("active")]
    with client_of(server) as client, pytest.raises(NetworkError):
        pause(client, "c")
