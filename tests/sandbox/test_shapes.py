"""The documented shapes of answers and errors, each on demand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.api import SURVEY, UNKNOWN, Api, MakeApi, contacts, expect, refusal


def key_refused(api: Api, path: str) -> Any:
    return api.http.get(path, headers={"X-API-KEY": "wrong"})


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/workspace", "error_object"),
        ("/workspace/numbers", "error_object"),
        ("/calling/history", "error_object"),
        ("/calling/call-details?id=x", "detail"),
        ("/campaign/all", "detail"),
        ("/agent/all", "detail"),
        ("/analytics/platform-analytics", "detail"),
    ],
)
def test_a_wrong_key_is_401_in_the_shape_of_the_area(make_api: MakeApi, path: str, shape: str) -> None:
    expected = {
        "detail": {"detail": "Invalid credentials"},
        "error_object": {"error": {"code": "401 Unauthorized", "message": "Invalid credentials"}},
    }
    assert expect(key_refused(make_api("g2"), path), 401) == expected[shape]
    assert expect(key_refused(make_api("g3"), path), 401) == {"message": "Invalid credentials"}


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("message", {"message": "Invalid credentials"}),
        ("detail", {"detail": "Invalid credentials"}),
        ("detail_list", {"detail": [{"loc": ["body"], "msg": "Invalid credentials", "type": "value_error"}]}),
        ("error_object", {"error": {"code": "401 Unauthorized", "message": "Invalid credentials"}}),
        ("error_string", {"error": "Invalid credentials"}),
    ],
)
def test_every_error_body_can_be_had_in_either_generation(either: Api, shape: str, body: dict[str, Any]) -> None:
    either.sandbox.settings(error_shape=shape)
    assert expect(key_refused(either, "/workspace"), 401) == body


def test_a_missing_key_is_401_and_comes_before_any_other_complaint(either: Api) -> None:
    for method, path in (("GET", "/workspace"), ("POST", "/campaign/start"), ("PATCH", "/campaign/terminate")):
        response = either.http.request(method, path, headers={"X-API-KEY": ""}, json={})
        assert refusal(response, 401) == "Invalid credentials"


def test_authorization_beside_the_key_is_400_in_generation_3_only(either: Api) -> None:
    response = either.http.get("/workspace", headers={"Authorization": "Bearer x"})
    if either.sandbox.state()["generation"] == "g3":
        refusal(response, 400)
    else:
        expect(response)


def test_a_validation_error_is_a_list_in_generation_2_and_a_message_in_generation_3(make_api: MakeApi) -> None:
    body = expect(make_api("g2").post("/campaign/start", {}), 422)
    assert set(body["detail"][0]) == {"loc", "msg", "type"}
    body = expect(make_api("g3").post("/campaign/start", {}), 422)
    assert body == {"message": "agent_id: Field required"}


def test_unknown_paths_and_methods_are_refused_in_the_same_shape(api: Api) -> None:
    assert expect(api.get("/campaign/nothing"), 404) == {"message": "Not Found"}
    assert expect(api.get("/campaign/start"), 405) == {"message": "Method Not Allowed"}


@pytest.mark.parametrize(
    ("shape", "keys", "status"),
    [
        ("g3", {"message", "bulk_list_id", "status", "total_rows", "campaign_name"}, "verifying"),
        (
            "g2_openapi",
            {
                "bulk_list_id",
                "status",
                "campaign_name",
                "total_callees",
                "invalidated_rows_count",
                "invalidated_rows_csv_url",
            },
            "verifying",
        ),
        ("g2_guide", {"bulk_list_id", "status", "message"}, "uploaded"),
        ("fx", {"bulk_list_id", "message", "status", "total_rows", "campaign_name"}, "in_db"),
    ],
)
def test_an_upload_is_accepted_in_any_documented_shape(either: Api, shape: str, keys: set[str], status: str) -> None:
    either.sandbox.settings(upload_shape=shape)
    answer = expect(either.upload(contacts(2)))
    assert set(answer) == keys
    assert answer["status"] == status


@pytest.mark.parametrize(
    ("shape", "valid", "invalid", "url", "word"),
    [
        ("g3", "total_callees", "invalidated_rows_count", None, "draft"),
        ("g2_openapi", "total_callees", "invalidated_rows_count", "invalidated_rows_csv_url", "draft"),
        ("g2_guide", "successful_rows", "failed_rows", None, "completed"),
        ("fx", "total_contacts", "invalidated_rows_count", "invalid_entries_file", "draft"),
    ],
)
def test_upload_status_comes_in_any_documented_shape(
    either: Api, shape: str, valid: str, invalid: str, url: str | None, word: str
) -> None:
    either.sandbox.settings(upload_status_shape=shape)
    status = either.status(either.uploaded(contacts(4) + "\n1,Bad"))
    assert (status["status"], status[valid], status[invalid]) == (word, 4, 1)
    assert any("http" in str(value) for value in status.values()) == (url is not None)
    if url:
        assert status[url].endswith(".csv")


@pytest.mark.parametrize("word", ["completed", "ready", "draft"])
def test_the_word_for_ready_can_be_chosen(either: Api, word: str) -> None:
    either.sandbox.settings(upload_ready_word=word)
    assert either.status(either.uploaded(contacts(1)))["status"] == word


@pytest.mark.parametrize("enough", [True, False])
@pytest.mark.parametrize("shape", ["g3", "g2_guide", "g2_openapi"])
def test_check_balance_comes_in_any_documented_shape(either: Api, shape: str, enough: bool) -> None:
    either.sandbox.settings(balance=4, check_balance_shape=shape, check_balance_only_when_short=False)
    bulk_list_id = either.uploaded(contacts(10), until=["insufficient_balance"])
    if enough:
        either.sandbox.settings(balance=400)
    answer = expect(either.post(f"/campaign/check-balance/{bulk_list_id}"))
    if shape == "g2_guide":
        assert answer["sufficient_balance"] is enough
        assert answer["required_credits"] == 5
    else:
        assert answer["status"] == ("draft" if enough else "insufficient_balance")
        assert ("additional_balance_required" in answer) == (shape == "g3" and not enough)
        assert ("bulk_list_id" in answer) == (shape == "g2_openapi" or enough)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("g3", "Campaign calls scheduled"),
        ("g2_guide", "Large campaign calls queued"),
        ("g2_openapi", "Campaign calls scheduled"),
        ("fx", "Campaign scheduled successfully"),
    ],
)
def test_make_call_async_is_accepted_in_any_documented_shape(either: Api, shape: str, message: str) -> None:
    either.sandbox.settings(make_call_shape=shape)
    answer = expect(either.make_call(either.uploaded(contacts(1))))
    assert answer["message"] == message
    assert answer.get("status") == (None if shape == "fx" else "scheduled")


def test_upload_status_answers_for_saved_lists_in_generation_3_unless_told_otherwise(either: Api) -> None:
    list_id = either.saved(contacts(1))
    response = either.get(f"/campaign/upload-status/{list_id}")
    g3 = either.sandbox.state()["generation"] == "g3"
    assert response.status_code == (200 if g3 else 404)
    either.sandbox.settings(upload_status_for_saved_lists=not g3)
    assert either.get(f"/campaign/upload-status/{list_id}").status_code == (404 if g3 else 200)


def test_any_status_word_can_be_forced_on_a_campaign(either: Api) -> None:
    list_id = either.uploaded(contacts(1))
    for word in ("paused", "hibernating"):
        either.sandbox.settings(forced_statuses={list_id: word})
        assert either.listed(list_id)["campaign_status"] == word  # type: ignore[index]
        assert either.status(list_id)["status"] == word
    either.sandbox.settings(forced_statuses={list_id: None})
    assert either.listed(list_id)["campaign_status"] is None  # type: ignore[index]


# -- workspace and agents


def test_caller_numbers_come_in_pages_in_generation_2_only(either: Api) -> None:
    rows = expect(either.get("/workspace/numbers"))["workspace_numbers"]
    assert [row["number"] for row in rows][:2] == ["+918031000001", "+918031000002"]
    assert [row["is_test_number"] for row in rows] == [False, False, True, False, False]
    assert [row["is_spam"] for row in rows] == [False, False, False, True, False]
    assert rows[4]["provider"] == "twilio"
    paged = expect(either.get("/workspace/numbers", limit=2, offset=4))["workspace_numbers"]
    assert len(paged) == (5 if either.sandbox.state()["generation"] == "g3" else 1)
    assert len(expect(either.get("/workspace/numbers", telephony_account_id="ringg"))["workspace_numbers"]) == 4
    assert expect(either.get("/workspace/numbers", inbound_enabled=True))["workspace_numbers"] == []
    sentence = refusal(either.get("/workspace/numbers", telephony_account_id="abc"), 400)
    assert sentence == "Invalid telephony_account_id: abc"


def test_members_and_pools_are_listed(either: Api) -> None:
    users = expect(either.get("/workspace/users"))["workspace_users"]
    assert [user["role"] for user in users] == ["owner"]
    assert expect(either.get("/workspace/users", offset=1))["workspace_users"] == []
    pool = expect(either.get("/number-pool"))["data"]["pools"][0]
    assert (pool["member_count"], pool["spam_count"]) == (3, 1)


def test_agents_can_be_searched_in_generation_3(either: Api) -> None:
    agents = expect(either.get("/agent/all"))["data"]["agents"]
    assert {agent["agent_type"] for agent in agents} == {"outbound", "inbound"}
    found = expect(either.get("/agent/all", search="renew"))["data"]["agents"]
    assert len(found) == (1 if either.sandbox.state()["generation"] == "g3" else 4)
    assert len(expect(either.get("/agent/all", limit=2, offset=3))["data"]["agents"]) == 1


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("names", ["callee_name", "mobile_number"]),
        ("objects", [{"name": "callee_name"}, {"name": "mobile_number"}]),
        ("map", {"callee_name": "string", "mobile_number": "string"}),
    ],
)
def test_an_agents_variables_come_in_any_documented_type(either: Api, how: str, expected: Any) -> None:
    either.sandbox.settings(variables_as=how)
    agent = expect(either.get(f"/agent/{SURVEY}"))["agents"]
    if either.sandbox.state()["generation"] == "g3":
        agent = agent["version_details"][agent["active_agent_version_id"]]
    assert agent["agent_config"]["custom_variables"] == expected


def test_a_multi_node_agent_keeps_its_variables_on_the_version_in_generation_3(api: Api) -> None:
    agent = expect(api.get("/agent/44444444-4444-4444-8444-444444444444"))["agents"]
    version = agent["version_details"][agent["active_agent_version_id"]]
    assert version["custom_variables"] == ["callee_name", "mobile_number", "city"]
    assert "agent_config" not in version


def test_an_unknown_agent_is_404(either: Api) -> None:
    assert refusal(either.get(f"/agent/{UNKNOWN}"), 404) == "Agent not found"
    refusal(either.patch("/agent/v1", {"operation": "edit_call_config", "agent_id": UNKNOWN}), 404)


def subscribe(api: Api, *subscriptions: dict[str, Any]) -> Any:
    body = {"operation": "edit_event_subscriptions", "agent_id": SURVEY, "event_subscriptions": list(subscriptions)}
    return api.patch("/agent/v1", body)


def subscribed(api: Api) -> list[dict[str, Any]]:
    versions = expect(api.get(f"/agent/{SURVEY}"))["agents"]["version_details"]
    return list(next(iter(versions.values()))["event_subscriptions"])


def test_subscriptions_replace_those_before(either: Api) -> None:
    one = {"event_type": ["call_completed"], "callback_url": "https://a.example.com", "method_type": "POST"}
    assert expect(subscribe(either, one)) == {"message": "Agent updated successfully!", "agent_id": SURVEY}
    assert subscribed(either) == [one | {"headers": {}}]
    expect(subscribe(either, {"event_type": "call_started", "callback_url": "https://b.example.com"}))
    assert [entry["event_type"] for entry in subscribed(either)] == [["call_started"]]
    expect(subscribe(either))
    assert subscribed(either) == []


def test_subscriptions_that_break_a_rule_are_refused(either: Api) -> None:
    one = {"event_type": ["call_completed"], "callback_url": "https://a.example.com"}
    refusal(subscribe(either, one, one), 400)
    refusal(subscribe(either, *(one | {"callback_url": f"https://{n}.example.com"} for n in range(5))), 400)
    refusal(subscribe(either, one | {"callback_url": "http://a.example.com"}), 400)
    refusal(subscribe(either, {"event_type": ["call_completed"]}), 422)
    refusal(either.patch("/agent/v1", {"operation": "edit_event_subscriptions", "agent_id": SURVEY}), 422)
    refusal(either.patch("/agent/v1", {"operation": "paint_it_red", "agent_id": SURVEY}), 422)
    assert subscribed(either) == []


def test_permanent_variables_cannot_be_removed_and_others_are_needed_at_once(either: Api) -> None:
    edit = {"operation": "edit_custom_vars", "agent_id": SURVEY}
    sentence = refusal(either.patch("/agent/v1", edit | {"custom_variables": ["city"]}), 403)
    assert sentence == "These variables cannot be removed: callee_name, mobile_number"
    refusal(either.patch("/agent/v1", edit), 422)
    expect(either.patch("/agent/v1", edit | {"custom_variables": ["callee_name", "mobile_number", "city"]}))
    assert "city" in refusal(either.save(contacts(1)), 400)


def test_an_agents_call_settings_are_merged_deeply(api: Api) -> None:
    edit = {"operation": "edit_call_config", "agent_id": SURVEY}
    expect(api.patch("/agent/v1", edit | {"call_config": {"call_time": {"timezone": "UTC"}, "max_call_length": 60}}))
    expect(api.patch("/agent/v1", edit | {"call_config": {"call_time": {"call_end_time": "20:00"}}}))
    versions = expect(api.get(f"/agent/{SURVEY}"))["agents"]["version_details"]
    assert next(iter(versions.values()))["call_config"] == {
        "call_time": {"timezone": "UTC", "call_end_time": "20:00"},
        "max_call_length": 60,
    }
    refusal(api.patch("/agent/v1", edit), 422)
