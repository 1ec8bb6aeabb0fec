"""What a start needs, and what each refusal says."""

from __future__ import annotations

import pytest

from tests.sandbox.api import (
    INBOUND,
    MEMBER,
    NUMBER,
    POOL,
    RENEWALS,
    TEST_NUMBER,
    UNKNOWN,
    Api,
    MakeApi,
    at,
    contacts,
    expect,
    refusal,
)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"agent_id": UNKNOWN}, "Invalid agent_id."),
        ({"agent_id": INBOUND}, "Invalid agent_id."),
        ({"agent_id": RENEWALS}, "Invalid agent_id."),
        ({"from_numbers": [UNKNOWN]}, f"From numbers not found: {UNKNOWN}"),
        ({"from_numbers": [NUMBER, "+919999999999"]}, "From numbers not found: +919999999999"),
        ({"from_numbers": [TEST_NUMBER]}, "Test numbers cannot be used for campaigns."),
    ],
)
def test_a_start_that_cannot_be_meant_is_refused_and_dials_nobody(
    either: Api, fields: dict[str, object], sentence: str
) -> None:
    list_id = either.saved(contacts(2))
    assert refusal(either.start(list_id, **fields), 400) == sentence
    assert either.campaign(list_id)["state"] == "draft"


@pytest.mark.parametrize("field", ["agent_id", "list_id", "from_numbers"])
def test_a_start_without_a_field_names_it(either: Api, field: str) -> None:
    list_id = either.saved(contacts(1))
    body = {"agent_id": RENEWALS, "list_id": list_id, "from_numbers": [NUMBER]}
    del body[field]
    assert field in refusal(either.post("/campaign/start", body), 422)
    assert "from_numbers" in refusal(either.start(list_id, from_numbers=[]), 422)


def test_an_unknown_list_is_400_in_generation_2_and_404_in_generation_3(either: Api) -> None:
    g3 = either.sandbox.state()["generation"] == "g3"
    assert "not found" in refusal(either.start(UNKNOWN), 404 if g3 else 400)
    refusal(either.make_call(UNKNOWN), 404)
    refusal(either.get(f"/campaign/upload-status/{UNKNOWN}"), 404)
    refusal(either.post(f"/campaign/check-balance/{UNKNOWN}"), 404)


def test_a_number_may_be_given_by_its_id_or_as_it_is_spelled(either: Api) -> None:
    list_id = either.saved(contacts(1))
    expect(either.start(list_id, from_numbers=["+918031000002"]))
    either.wait(list_id, "completed")
    assert either.calls(list_id)[0]["from_numbers"] == ["+918031000002"]


def test_a_pool_start_knows_its_pool_and_its_users(either: Api) -> None:
    list_id = either.saved(contacts(1))
    assert refusal(either.start_pool(list_id, number_pool_id=UNKNOWN), 400) == "Number pool not found."
    refusal(either.start_pool(list_id, email_completion_user_ids=[MEMBER, UNKNOWN]), 404)
    expect(either.start_pool(list_id, email_completion_user_ids=[MEMBER]))


def test_each_flow_refuses_the_lists_of_the_other(either: Api) -> None:
    saved, uploaded = either.saved(contacts(1)), either.uploaded(contacts(1))
    assert refusal(either.start(uploaded), 400) == "Bulk list is not ready to start."
    assert refusal(either.make_call(saved), 400) == "Bulk list is not ready to start."


def test_a_list_that_is_still_verified_is_not_ready(make_api: MakeApi) -> None:
    api = make_api(verify_seconds=100_000)
    bulk_list_id = expect(api.upload(contacts(1)))["bulk_list_id"]
    assert refusal(api.make_call(bulk_list_id), 400) == "Bulk list is not ready to start."


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"number_pool_id": POOL}, "Provide exactly one of from_numbers / number_pool_id, not both"),
        ({"from_numbers": None}, "Provide exactly one of from_numbers / number_pool_id, not both"),
        ({"campaign_end_time": None}, "together"),
        ({"campaign_start_time": None, "campaign_end_time": None}, "campaign_start_time: Field required"),
        ({"call_config": None}, "call_config: Field required"),
        ({"country_code": None}, "country_code: Field required"),
        ({"call_config": "{}"}, "call_config"),
        ({"concurrency_percentage": 101}, "concurrency_percentage"),
        ({"concurrency_percentage": -1}, "concurrency_percentage"),
        ({"concurrency_percentage": "50"}, "concurrency_percentage"),
    ],
)
def test_make_call_async_answers_422_to_a_body_of_the_wrong_shape(
    either: Api, fields: dict[str, object], sentence: str
) -> None:
    bulk_list_id = either.uploaded(contacts(1))
    assert sentence in refusal(either.make_call(bulk_list_id, **fields), 422)
    assert either.campaign(bulk_list_id)["state"] == "draft"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"agent_id": UNKNOWN}, "Invalid agent_id."),
        ({"agent_id": RENEWALS}, "Invalid agent_id."),
        ({"country_code": "+1"}, "country_code"),
        ({"campaign_start_time": at(-1)}, "future"),
        ({"campaign_end_time": at(0.05)}, "after campaign_start_time"),
        ({"campaign_start_time": "tomorrow"}, "DD/MM/YYYY, HH:MM"),
    ],
)
def test_make_call_async_answers_400_to_values_that_cannot_be_meant(
    either: Api, fields: dict[str, object], sentence: str
) -> None:
    bulk_list_id = either.uploaded(contacts(1))
    assert sentence in refusal(either.make_call(bulk_list_id, **fields), 400)
    assert either.campaign(bulk_list_id)["state"] == "draft"


@pytest.mark.parametrize(
    "fields",
    [{"from_numbers": [UNKNOWN]}, {"from_numbers": [TEST_NUMBER]}, {"email_completion_user_ids": [UNKNOWN]}],
)
def test_unknown_numbers_and_users_are_found_out_after_acceptance(either: Api, fields: dict[str, object]) -> None:
    bulk_list_id = either.uploaded(contacts(2))
    expect(either.make_call(bulk_list_id, **fields))
    either.wait(bulk_list_id, "failed")
    assert either.status(bulk_list_id)["status"] == "failed"
    assert either.sandbox.state()["calls"] == []


def test_the_minimal_body_of_the_vendors_page_is_taken_when_asked_for(make_api: MakeApi) -> None:
    api = make_api("g2", make_call_body="minimal", speed=36_000)
    bulk_list_id = api.uploaded(contacts(2))
    body = {"bulk_list_id": bulk_list_id, "agent_id": api.campaign(bulk_list_id)["agent_id"], "from_numbers": [NUMBER]}
    expect(api.post("/campaign/make-call-async", body))
    api.wait(bulk_list_id, "completed")


def test_call_slots_replace_the_campaign_times_in_generation_3_only(either: Api) -> None:
    bulk_list_id = either.uploaded(contacts(2))
    slots = {"mode": "weekly", "until": at(24 * 20), "windows": [
        {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "00:10", "end": "23:50"}]}  # fmt: skip
    fields = {"call_slots": slots, "campaign_start_time": None, "campaign_end_time": None}
    response = either.make_call(bulk_list_id, **fields)
    if either.sandbox.state()["generation"] == "g2":
        refusal(response, 422)
        return
    expect(response)
    either.wait(bulk_list_id, "completed")
    assert {call["status"] for call in either.calls(bulk_list_id)} <= {"completed", "failed"}
    other = either.uploaded(contacts(1))
    assert "call_slots" in refusal(either.make_call(other, **fields | {"call_slots": {"mode": "daily"}}), 422)


def test_a_share_of_the_lines_limits_how_many_calls_are_live(make_api: MakeApi) -> None:
    api = make_api(lines=50)
    bulk_list_ids = [api.uploaded(contacts(60, first)) for first in (0, 100)]
    api.sandbox.settings(speed=0.001)
    expect(api.make_call(bulk_list_ids[0], concurrency_percentage=10))
    expect(api.make_call(bulk_list_ids[1]))
    for bulk_list_id in bulk_list_ids:
        api.skip_until(bulk_list_id, "ongoing", step=1)
    assert [api.campaign(one)["calls"]["ongoing"] for one in bulk_list_ids] == [5, 45]


def test_a_start_says_whether_other_calls_are_being_made(make_api: MakeApi) -> None:
    api = make_api(speed=0.001)
    api.skip_until(api.started(contacts(50)), "ongoing")
    assert expect(api.start(api.saved(contacts(1))))["has_ongoing_calls"] is True
    api.sandbox.settings(start_answer="status_only")
    assert expect(api.start(api.saved(contacts(1)))) == {"status": "campaign registered successfully!"}


def test_a_list_started_after_its_start_time_goes_live_at_once_but_not_after_its_end(make_api: MakeApi) -> None:
    api = make_api(speed=3600)
    list_id = api.saved(contacts(1), campaign_start_time=at(0.02), campaign_end_time=at(0.04))
    expect(api.start(list_id))
    api.wait(list_id, "completed")
    assert api.calls(list_id)[0]["status"] in ("completed", "failed")


@pytest.mark.parametrize("path", ["pause", "resume"])
def test_there_is_no_pause_in_the_api(either: Api, path: str) -> None:
    list_id = either.started(contacts(1))
    refusal(either.patch(f"/campaign/{path}", {"campaign_id": list_id}), 404)
    refusal(either.post(f"/campaign/{list_id}/{path}"), 404)


def test_a_person_can_pause_a_campaign_and_go_on(make_api: MakeApi) -> None:
    api = make_api("g2", speed=0.001, lines=1)
    list_id = api.started(contacts(20))
    api.skip_until(list_id, "ongoing")
    api.sandbox.admin.post(f"/_sandbox/campaigns/{list_id}/pause").raise_for_status()
    assert api.listed(list_id)["campaign_status"] == "paused"  # type: ignore[index]
    api.skip(7200)
    assert api.campaign(list_id)["calls"]["registered"] == 19
    api.sandbox.admin.post(f"/_sandbox/campaigns/{list_id}/resume").raise_for_status()
    assert api.campaign(list_id)["state"] == "ongoing"
    api.skip(7200)
    assert api.campaign(list_id)["state"] == "completed"
