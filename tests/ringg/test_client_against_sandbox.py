"""Every method of the client against the sandbox over a socket, in both generations of the API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ringg_provider.exceptions import (
    AuthenticationError,
    InsufficientBalance,
    InvalidRequest,
    NetworkError,
    NotFound,
    PermanentError,
    RinggProviderError,
    ServerError,
    WrongState,
)
from ringg_provider.ringg import AsyncRinggClient, RinggClient
from ringg_provider.ringg.requests import (
    CallConfig,
    CallQuery,
    CampaignSpec,
    EventSubscription,
    MakeCallAsync,
    SingleCall,
    StartCampaign,
    Terminate,
)
from ringg_provider.ringg.responses import Campaign, CampaignState, UploadStatus

RENEWALS = "11111111-1111-4111-8111-111111111111"
INBOUND = "33333333-3333-4333-8333-333333333333"
MULTI_NODE = "44444444-4444-4444-8444-444444444444"
NUMBER = "aaaaaaaa-0000-4000-8000-000000000001"
TEST_NUMBER = "aaaaaaaa-0000-4000-8000-000000000003"
POOL = "bbbbbbbb-0000-4000-8000-000000000001"
USER = "cccccccc-0000-4000-8000-000000000001"
NOWHERE = "99999999-9999-4999-8999-999999999999"

ZONE = ZoneInfo("Asia/Kolkata")
CONFIG = CallConfig.model_validate(
    {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}}
)
MAP = {"mobile_number": "Mobile Number", "callee_name": "Name", "policy_id": "Policy ID", "due_date": "Due Date"}


@pytest.fixture(params=["g2", "g3"])
def sandbox(request: pytest.FixtureRequest, sandbox_factory: Callable[..., Any]) -> Any:
    return sandbox_factory(request.param, history_rate_window_seconds=0)


@pytest.fixture
def client(sandbox: Any) -> Iterator[RinggClient]:
    with RinggClient(sandbox.api_key, sandbox.base_url, sleep=lambda _: None) as client:
        yield client


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    """Five people, and one whose number is none."""
    rows = [f"+9198765432{n:02},Person {n},P-{n},20/10/2026" for n in range(5)] + ["12,Nobody,P-9,20/10/2026"]
    file = tmp_path / "contacts.csv"
    file.write_text("\n".join(["Mobile Number,Name,Policy ID,Due Date", *rows]) + "\n")
    return file


def local(ahead: timedelta) -> str:
    return f"{datetime.now(ZONE) + ahead:%d/%m/%Y, %H:%M}"


def spec(**changes: Any) -> CampaignSpec:
    return CampaignSpec(
        **{
            "campaign_name": "Renewals",
            "agent_id": RENEWALS,
            "country_code": "+91",
            "variables_map": MAP,
            "call_config": CONFIG,
            "campaign_start_time": local(timedelta(minutes=5)),
            "campaign_end_time": local(timedelta(days=1)),
            "remove_invalid_rows": True,
            **changes,
        }
    )


def make(bulk_list_id: str, **changes: Any) -> MakeCallAsync:
    return MakeCallAsync(
        **{
            "bulk_list_id": bulk_list_id,
            "agent_id": RENEWALS,
            "country_code": "+91",
            "call_config": CONFIG,
            "campaign_start_time": local(timedelta(minutes=5)),
            "campaign_end_time": local(timedelta(days=1)),
            "from_numbers": [NUMBER],
            **changes,
        }
    )


def until(look: Callable[[], Any], holds: Callable[[Any], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not holds(found := look()):
        assert time.monotonic() < deadline, f"still {found!r}"
        time.sleep(0.05)
    return found


def attempts(sandbox: Any) -> dict[str, int]:
    """How often each number was dialled."""
    return {number: counts["attempts"] for number, counts in sandbox.dials()["numbers"].items() if counts["attempts"]}


def uploaded(client: RinggClient, contacts: Path, wanted: CampaignSpec | None = None) -> UploadStatus:
    """The status of a list once the platform has checked it."""
    bulk_list_id = client.upload_csv(wanted or spec(), contacts).bulk_list_id
    return until(
        lambda: client.get_upload_status(bulk_list_id), lambda status: status.state is not CampaignState.PREPARING
    )


def ended(client: RinggClient, campaign_id: str) -> Campaign:
    return until(lambda: client.find_campaign(campaign_id), lambda campaign: campaign and campaign.state.is_final)


def test_the_workspace_and_what_is_in_it_can_be_read(client: RinggClient) -> None:
    workspace = client.get_workspace()
    assert workspace.name
    assert workspace.spendable_credits == Decimal(1_000_000)
    assert "sandbox-key" not in str(workspace.raw)
    numbers = {number.id: number for number in client.list_numbers()}
    assert numbers[NUMBER].number == "+918031000001"
    assert numbers[NUMBER].is_test_number is False
    assert numbers[TEST_NUMBER].is_test_number is True
    assert any(number.is_spam for number in numbers.values())
    assert any(number.provider == "twilio" for number in numbers.values())
    assert USER in {user.id for user in client.list_users()}


def test_agents_are_listed_and_their_variables_read(client: RinggClient) -> None:
    agents = {agent.id: agent for agent in client.list_agents()}
    assert agents[RENEWALS].name == "Renewals"
    assert agents[RENEWALS].is_outbound
    assert not agents[INBOUND].is_outbound
    assert client.get_agent(RENEWALS).variables == {"callee_name", "mobile_number", "policy_id", "due_date"}
    assert client.get_agent(MULTI_NODE).variables == {"callee_name", "mobile_number", "city"}
    with pytest.raises(NotFound):
        client.get_agent(NOWHERE)


@pytest.mark.parametrize("variables_as", ["names", "objects", "map"])
def test_the_variables_of_an_agent_are_read_in_every_form(client: RinggClient, sandbox: Any, variables_as: str) -> None:
    sandbox.settings(variables_as=variables_as)
    assert client.get_agent(RENEWALS).variables == {"callee_name", "mobile_number", "policy_id", "due_date"}


def test_the_standard_flow_goes_from_a_file_to_finished_calls(
    client: RinggClient, sandbox: Any, contacts: Path
) -> None:
    saved = client.save_campaign(spec(), contacts)
    assert (saved.total_rows, saved.successful_rows, saved.failed_rows) == (6, 5, 1)
    assert "Person" not in str(saved.raw)
    assert attempts(sandbox) == {}

    start = StartCampaign(agent_id=RENEWALS, list_id=saved.list_id, from_numbers=[NUMBER])
    assert client.start_campaign(start).has_ongoing_calls is False
    with pytest.raises((WrongState, InvalidRequest)):
        client.start_campaign(start)

    campaign = ended(client, saved.list_id)
    assert (campaign.state, campaign.name) == (CampaignState.COMPLETED, "Renewals")
    calls = list(client.iter_calls(CallQuery(bulk_list_id=saved.list_id)))
    assert {call.to_number for call in calls} == {f"+9198765432{n:02}" for n in range(5)}
    assert all(call.status.is_final for call in calls)
    details = client.get_call(calls[0].id)
    assert (details.id, details.to_number, details.agent_id) == (calls[0].id, calls[0].to_number, RENEWALS)


def test_the_large_flow_goes_from_a_file_to_finished_calls_with_their_analysis(
    client: RinggClient, sandbox: Any, contacts: Path
) -> None:
    numbers = [f"+9198765432{n:02}" for n in range(5)]
    sandbox.settings(forced_outcomes={number: ["completed"] for number in numbers})
    status = uploaded(client, contacts)
    assert (status.valid_rows, status.invalid_rows, status.total_rows) == (5, 1, 6)
    balance = client.check_balance(status.bulk_list_id or "")
    assert (balance.sufficient, balance.basis) in [(True, "sufficient_balance"), (True, "status"), (None, "not_short")]

    client.make_call_async(make(status.bulk_list_id or "", email_completion_user_ids=[USER]))
    with pytest.raises((WrongState, InvalidRequest)):
        client.make_call_async(make(status.bulk_list_id or ""))
    assert ended(client, status.bulk_list_id or "").state is CampaignState.COMPLETED
    assert attempts(sandbox) == dict.fromkeys(numbers, 1)

    calls = list(client.iter_calls(CallQuery(bulk_list_id=status.bulk_list_id, status="completed")))
    assert len(calls) == 5
    details = until(lambda: client.get_call(calls[0].id), lambda call: call.platform_analysis)
    assert details.transcript
    assert client.get_call(calls[0].id, send_analysis=False).platform_analysis is None
    costs = until(
        lambda: [call.call_cost for call in client.list_calls_page(CallQuery(bulk_list_id=status.bulk_list_id)).calls],
        all,
    )
    assert all(isinstance(cost, Decimal) and cost > 0 for cost in costs)


@pytest.mark.parametrize("shape", ["g3", "g2_openapi", "g2_guide", "fx"])
def test_the_large_flow_works_whatever_shape_its_answers_have(
    client: RinggClient, sandbox: Any, contacts: Path, shape: str
) -> None:
    sandbox.settings(upload_shape=shape, upload_status_shape=shape, check_balance_shape=shape, make_call_shape=shape)
    status = uploaded(client, contacts)
    assert (status.valid_rows, status.invalid_rows) == (5, 1)
    client.make_call_async(make(status.bulk_list_id or ""))
    assert ended(client, status.bulk_list_id or "").state is CampaignState.COMPLETED


def test_a_pool_starts_both_flows(client: RinggClient, contacts: Path) -> None:
    saved = client.save_campaign(spec(), contacts)
    client.start_campaign(
        StartCampaign(agent_id=RENEWALS, list_id=saved.list_id, number_pool_id=POOL, email_completion_user_ids=[USER])
    )
    status = uploaded(client, contacts)
    client.make_call_async(make(status.bulk_list_id or "", from_numbers=None, number_pool_id=POOL))
    for campaign_id in (saved.list_id, status.bulk_list_id or ""):
        assert ended(client, campaign_id).state is CampaignState.COMPLETED


def test_a_list_that_cannot_be_paid_is_told_and_can_be_started_after_a_top_up(
    client: RinggClient, sandbox: Any, contacts: Path
) -> None:
    sandbox.settings(balance=0)
    status = uploaded(client, contacts)
    short = client.check_balance(status.bulk_list_id or "")
    assert short.sufficient is False
    with pytest.raises((InsufficientBalance, WrongState)):
        client.make_call_async(make(status.bulk_list_id or ""))
    sandbox.settings(balance=1000)
    assert client.check_balance(status.bulk_list_id or "").sufficient is True
    client.make_call_async(make(status.bulk_list_id or ""))


def test_too_many_rows_are_refused_with_the_platforms_own_words(
    client: RinggClient, sandbox: Any, contacts: Path
) -> None:
    sandbox.settings(row_allowance=3)
    for upload in (client.save_campaign, client.upload_csv):
        with pytest.raises(InsufficientBalance, match="up to 3 contacts"):
            upload(spec(), contacts)


def test_a_campaign_can_be_stopped_and_stopping_twice_is_no_error(
    client: RinggClient, sandbox: Any, contacts: Path
) -> None:
    saved = client.save_campaign(spec(campaign_start_time=local(timedelta(hours=20))), contacts)
    client.start_campaign(StartCampaign(agent_id=RENEWALS, list_id=saved.list_id, from_numbers=[NUMBER]))
    assert client.terminate(Terminate(campaign_id=saved.list_id)) is True
    assert ended(client, saved.list_id).state is CampaignState.TERMINATED
    # One generation says that there was nothing to stop, the other says nothing.
    assert client.terminate(Terminate(campaign_id=saved.list_id)) in (True, False)
    calls = list(client.iter_calls(CallQuery(bulk_list_id=saved.list_id)))
    assert calls
    assert {call.status for call in calls} == {"cancelled"}
    assert attempts(sandbox) == {}


def test_calls_agents_and_numbers_can_be_stopped(client: RinggClient, contacts: Path) -> None:
    saved = client.save_campaign(spec(campaign_start_time=local(timedelta(hours=20))), contacts)
    client.start_campaign(StartCampaign(agent_id=RENEWALS, list_id=saved.list_id, from_numbers=[NUMBER]))
    query = CallQuery(bulk_list_id=saved.list_id)
    first = until(lambda: client.list_calls_page(query).calls, bool)[0]
    assert client.terminate(Terminate(call_ids=[first.id])) is True
    numbers = [call.to_number for call in client.iter_calls(query) if call.id != first.id]
    wanted = Terminate(campaign_id=saved.list_id, mobile_numbers=[numbers[0], "+919999900000"])
    assert client.terminate(wanted) is True
    assert client.terminate(Terminate(mobile_numbers=[numbers[1]])) is True
    assert client.terminate(Terminate(mobile_numbers=["+919999900000"])) is False
    statuses = [call.status for call in client.iter_calls(query)]
    assert statuses.count("cancelled") == 3
    assert client.terminate(Terminate(agent_id=RENEWALS)) is True
    assert {call.status for call in client.iter_calls(query)} == {"cancelled"}


def test_one_person_can_be_called_by_number_or_pool(client: RinggClient, sandbox: Any) -> None:
    values = {"policy_id": "P-1", "due_date": "20/10/2026", "callee_name": "Asha", "mobile_number": "+919876543299"}
    call = {"name": "Asha", "mobile_number": "+919876543299", "agent_id": RENEWALS, "custom_args_values": values}
    for shape in ("new", "old"):
        sandbox.settings(single_call_shape=shape)
        for source in ({"from_number_id": NUMBER}, {"number_pool_id": POOL}):
            started = client.initiate_call(SingleCall(**call, **source))
            assert client.get_call(started.call_id).to_number == "+919876543299"
    with pytest.raises(InvalidRequest):
        client.initiate_call(SingleCall(**call, from_number_id=TEST_NUMBER))


def test_event_subscriptions_are_replaced_and_read_back(client: RinggClient) -> None:
    hook = EventSubscription(event_type=["all_processing_completed"], callback_url="https://example.com/hook")
    client.set_event_subscriptions(RENEWALS, [hook])
    present = client.get_agent(RENEWALS).event_subscriptions
    assert present is not None
    assert [entry["callback_url"] for entry in present] == ["https://example.com/hook"]
    client.set_event_subscriptions(RENEWALS, [])
    assert client.get_agent(RENEWALS).event_subscriptions == []
    with pytest.raises(NotFound):
        client.set_event_subscriptions(NOWHERE, [])


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("platform-analytics", "performance_metrics"),
        ("drill-down-analytics", "performance_metrics"),
        ("number-analytics", "number_analytics"),
        ("duration-distribution", "duration_distribution"),
        ("classification-analytics", "classification_analytics"),
    ],
)
def test_figures_can_be_read(client: RinggClient, contacts: Path, kind: Any, key: str) -> None:
    saved = client.save_campaign(spec(), contacts)
    assert key in client.get_analytics(kind, bulk_list_id=saved.list_id)


def test_all_campaigns_are_listed_page_by_page(client: RinggClient, contacts: Path) -> None:
    made = {client.save_campaign(spec(campaign_name=f"List {n}"), contacts).list_id for n in range(7)}
    assert made <= {campaign.id for campaign in client.iter_campaigns(page_size=3)}
    assert len(client.list_campaigns_page(limit=3).campaigns) == 3
    assert client.find_campaign(NOWHERE) is None


def test_what_the_platform_refuses_is_a_typed_error(client: RinggClient, sandbox: Any, contacts: Path) -> None:
    with pytest.raises(NotFound):
        client.get_upload_status(NOWHERE)
    with pytest.raises(NotFound):
        client.get_call(NOWHERE)
    with pytest.raises(PermanentError):
        client.start_campaign(StartCampaign(agent_id=RENEWALS, list_id=NOWHERE, from_numbers=[NUMBER]))
    with pytest.raises(InvalidRequest) as raised:
        client.save_campaign(spec(remove_invalid_rows=False), contacts)
    assert "98765" not in str(raised.value)
    saved = client.save_campaign(spec(), contacts)
    with pytest.raises(InvalidRequest, match="not found"):
        client.start_campaign(StartCampaign(agent_id=RENEWALS, list_id=saved.list_id, from_numbers=[NOWHERE]))
    with RinggClient("wrong-key", sandbox.base_url) as stranger, pytest.raises(AuthenticationError) as refused:
        stranger.get_workspace()
    assert "wrong-key" not in str(refused.value)


@pytest.mark.parametrize("shape", ["message", "detail", "detail_list", "error_object", "error_string"])
def test_what_the_platform_says_is_understood_in_every_shape(
    client: RinggClient, sandbox: Any, contacts: Path, shape: str
) -> None:
    sandbox.settings(error_shape=shape, row_allowance=3)
    with pytest.raises(InsufficientBalance, match="up to 3 contacts"):
        client.save_campaign(spec(), contacts)
    with pytest.raises(NotFound, match="Agent not found"):
        client.get_agent(NOWHERE)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_start_whose_answer_is_lost_was_sent_once_and_says_so(
    client: RinggClient, sandbox: Any, contacts: Path, when: str
) -> None:
    saved = client.save_campaign(spec(), contacts)
    sandbox.fault(method="POST", path="/campaign/start", kind="cut", when=when, times=1)
    with pytest.raises(NetworkError) as raised:
        client.start_campaign(StartCampaign(agent_id=RENEWALS, list_id=saved.list_id, from_numbers=[NUMBER]))
    assert raised.value.sent is True
    starts = [entry for entry in sandbox.requests() if entry["path"].endswith("/campaign/start")]
    assert len(starts) == 1


def test_a_failing_upload_makes_one_list(client: RinggClient, sandbox: Any, contacts: Path) -> None:
    sandbox.fault(method="POST", path="/campaign/save", kind="status", status=503, when="after", times=1)
    with pytest.raises(ServerError):
        client.save_campaign(spec(), contacts)
    assert len(list(client.iter_campaigns())) == 1


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 503}, {"kind": "status", "status": 429}, {"kind": "cut"}]
)
def test_reads_survive_passing_failures(client: RinggClient, sandbox: Any, fault: dict[str, Any]) -> None:
    sandbox.fault(method="GET", path="/campaign/all", when="before", times=2, **fault)
    assert list(client.iter_campaigns()) == []


async def test_the_async_client_does_what_waiting_needs(sandbox: Any, client: RinggClient, contacts: Path) -> None:
    status = uploaded(client, contacts)
    list_id = status.bulk_list_id or ""
    client.make_call_async(make(list_id))
    ended(client, list_id)
    async with AsyncRinggClient(sandbox.api_key, sandbox.base_url) as other:
        assert (await other.get_workspace()).name == client.get_workspace().name
        assert (await other.get_upload_status(list_id)).state is client.get_upload_status(list_id).state
        found = await other.find_campaign(list_id)
        assert found is not None
        assert found.state is CampaignState.COMPLETED
        assert [campaign.id async for campaign in other.iter_campaigns()] == [list_id]
        page = await other.list_calls_page(CallQuery(bulk_list_id=list_id))
        assert len(page.calls) == 5
        assert (await other.get_call(page.calls[0].id)).id == page.calls[0].id
        with pytest.raises(NotFound):
            await other.get_upload_status(NOWHERE)
        assert await other.terminate(Terminate(mobile_numbers=["+919999900000"])) is False
    async with AsyncRinggClient("wrong-key", sandbox.base_url) as stranger:
        with pytest.raises(RinggProviderError):
            await stranger.get_workspace()
