"""Balance before, at and during a campaign."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sandbox.api import Api, MakeApi, at, contacts, expect, refusal

EVERYBODY_ANSWERS = {"busy_rate": 0, "not_picked_rate": 0, "failed_rate": 0}


def test_the_workspace_shows_the_balance_and_in_generation_2_the_key(either: Api) -> None:
    info = expect(either.get("/workspace"))["workspace_info"]
    assert info["credits"] == 1_000_000
    g3 = either.sandbox.state()["generation"] == "g3"
    assert ("total_available_credits" in info, "api_key" in info) == (g3, not g3)
    assert len(expect(either.get("/workspace/all"))["workspaces"]) == 1


def test_a_standard_start_without_the_credits_is_402_and_can_be_sent_again(either: Api) -> None:
    either.sandbox.settings(balance=4)
    list_id = either.saved(contacts(10))
    sentence = refusal(either.start(list_id), 402)
    assert sentence == "your current balance is insufficient to complete this action"
    assert either.campaign(list_id)["state"] == "draft"
    either.sandbox.settings(balance=5)
    expect(either.start(list_id))


def test_an_upload_that_cannot_be_paid_becomes_a_draft_after_a_top_up_and_a_check(make_api: MakeApi) -> None:
    api = make_api(balance=4)
    bulk_list_id = api.uploaded(contacts(10), until=["insufficient_balance"])
    assert refusal(api.make_call(bulk_list_id), 402).startswith("Insufficient balance to start this campaign.")
    row = api.listed(bulk_list_id)
    assert row is not None
    assert (row["campaign_status"], row["additional_balance_required"]) == ("insufficient_balance", "1.00")
    assert expect(api.post(f"/campaign/check-balance/{bulk_list_id}")) == {
        "status": "insufficient_balance",
        "message": "Insufficient balance to start this campaign.",
        "required_credits": 5.0,
        "additional_balance_required": 1.0,
    }
    api.sandbox.settings(balance=50)
    assert api.status(bulk_list_id)["status"] == "insufficient_balance"
    assert expect(api.post(f"/campaign/check-balance/{bulk_list_id}"))["status"] == "draft"
    assert api.status(bulk_list_id)["status"] == "draft"
    expect(api.make_call(bulk_list_id))


def test_a_lack_of_credits_can_be_a_400_as_one_page_says(either: Api) -> None:
    list_id = either.saved(contacts(10))
    either.sandbox.settings(balance=1, no_credits_status=400)
    assert "insufficient" in refusal(either.start(list_id), 400)


def test_listing_campaigns_checks_the_balance_again(make_api: MakeApi) -> None:
    api = make_api(balance=4)
    bulk_list_id = api.uploaded(contacts(10), until=["insufficient_balance"])
    api.sandbox.settings(balance=50)
    assert api.listed(bulk_list_id)["campaign_status"] == "draft"  # type: ignore[index]
    assert api.status(bulk_list_id)["status"] == "draft"


def test_a_draft_that_can_no_longer_be_paid_is_402_at_the_start(either: Api) -> None:
    bulk_list_id = either.uploaded(contacts(10))
    either.sandbox.settings(balance=1)
    refusal(either.make_call(bulk_list_id), 402)
    assert either.campaign(bulk_list_id)["state"] == "insufficient_balance"
    either.sandbox.settings(balance=50)
    expect(either.post(f"/campaign/check-balance/{bulk_list_id}"))
    expect(either.make_call(bulk_list_id))


def test_check_balance_is_refused_in_generation_3_unless_the_list_is_short(either: Api) -> None:
    bulk_list_id = either.uploaded(contacts(10))
    response = either.post(f"/campaign/check-balance/{bulk_list_id}")
    if either.sandbox.state()["generation"] == "g3":
        refusal(response, 400)
    else:
        assert expect(response) == {
            "bulk_list_id": bulk_list_id,
            "required_credits": 5.0,
            "available_credits": 1_000_000.0,
            "sufficient_balance": True,
        }


def test_every_call_costs_by_its_length(make_api: MakeApi) -> None:
    api = make_api(cost_per_minute=6, cost_delay_seconds=0, **EVERYBODY_ANSWERS)
    list_id = api.finished(contacts(30))
    calls = api.calls(list_id)
    for call in calls:
        assert call["call_cost"] == pytest.approx(call["call_duration"] / 10, abs=0.006)
    spent = sum(Decimal(str(call["call_cost"])) for call in calls)
    assert Decimal(api.sandbox.state()["balance"]) == 1_000_000 - spent


def test_the_cost_of_a_call_is_known_some_time_after_it(make_api: MakeApi) -> None:
    api = make_api(cost_delay_seconds=600, **EVERYBODY_ANSWERS)
    list_id = api.finished(contacts(1))
    api.sandbox.settings(speed=0.001)
    call = api.calls(list_id)[0]
    assert (call["call_cost"], call["credits_processed"]) == (None, False)
    api.skip(600)
    call = api.calls(list_id)[0]
    assert call["credits_processed"]
    assert call["call_cost"] > 0


def test_calls_wait_while_there_is_no_money_and_go_on_after_a_top_up(make_api: MakeApi) -> None:
    api = make_api(speed=0.001, lines=2, cost_per_minute=60, **EVERYBODY_ANSWERS)
    api.sandbox.settings(balance=100)
    list_id = api.started(contacts(20))
    api.skip(7200)
    stalled = api.campaign(list_id)
    assert stalled["state"] == "ongoing"
    assert Decimal(api.sandbox.state()["balance"]) < 0
    assert stalled["calls"] == {
        "completed": stalled["calls"]["completed"],
        "registered": stalled["calls"]["registered"],
    }
    assert stalled["calls"]["registered"] > 0
    api.sandbox.settings(balance=1_000_000)
    api.skip(7200)
    assert api.campaign(list_id)["calls"] == {"completed": 20}
    assert api.campaign(list_id)["state"] == "completed"


def test_calls_that_wait_for_money_at_the_campaigns_end_fail(make_api: MakeApi) -> None:
    api = make_api(speed=0.001, lines=1, cost_per_minute=600, **EVERYBODY_ANSWERS)
    api.sandbox.settings(balance=10)
    list_id = api.started(contacts(20), campaign_end_time=at(6))
    api.skip(7 * 3600)
    reasons = {call["sub_status"] for call in api.calls(list_id) if call["status"] == "failed"}
    assert reasons == {"CAMPAIGN_TIME_EXCEEDED"}
    assert api.campaign(list_id)["state"] == "completed"
