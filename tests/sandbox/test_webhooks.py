"""Webhooks as a receiver on a socket gets them: events, payloads, headers, retries of both generations, and faults."""

from __future__ import annotations

import hmac
import json
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import httpx
import pytest

from tests.sandbox.api import SURVEY, Api, MakeApi, at, call_config, contacts, expect, instant, wait_for
from tests.support.http_server import Answer, ScriptedServer

CALLBACK = "https://calls.example.com/ringg/webhooks/ringg_default"
HEADERS = {"Authorization": "Bearer a-secret-of-the-tests"}
EVENTS = [
    "call_started",
    "call_completed",
    "recording_completed",
    "platform_analysis_completed",
    "client_analysis_completed",
    "all_processing_completed",
]
COMMON = {
    "event_type", "call_id", "call_sid", "agent_id", "workspace_id", "status", "sub_status", "custom_args_values",
    "bulk_list_id", "agent_name", "version_id", "version_slug", "version_description", "call_cost",
    "overall_latency_seconds", "first_utterance_seconds", "tool_call_logs",
}  # fmt: skip
ENDED = {
    "call_type", "call_duration", "agent_message_count", "user_message_count", "to_number", "from_number", "called_on",
    "created_at", "transcript",
}  # fmt: skip
#: ringg.md §17, the table of payload fields.
FIELDS = {
    "call_started": COMMON
    | {"event_id", "version", "timestamp", "call_type", "calling_source", "to_number", "from_number", "called_on",
       "created_at"},
    "call_completed": COMMON | ENDED | {"retry_count", "attempts", "recording_url"},
    "recording_completed": COMMON - {"status", "agent_id", "workspace_id", "version_slug", "version_description"}
    | {"recording_url", "recording_duration"},
    "platform_analysis_completed": COMMON | ENDED | {"entity_type", "analysis_data"},
    "client_analysis_completed": COMMON | ENDED | {"entity_type", "analysis_data"},
    "all_processing_completed": COMMON
    | {"recording_url", "platform_analysis", "platform_analysis_status", "client_analysis", "client_analysis_status",
       "transcript"},
}  # fmt: skip


@pytest.fixture
def receiver() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def subscribe(api: Api, receiver: ScriptedServer, events: list[str], **more: Any) -> None:
    api.sandbox.settings(callback_origins={"https://calls.example.com": receiver.origin})
    wanted = {"event_type": events, "callback_url": CALLBACK, "headers": HEADERS, **more}
    body = {"operation": "edit_event_subscriptions", "agent_id": SURVEY, "event_subscriptions": [wanted]}
    expect(api.patch("/agent/v1", body))


def received(receiver: ScriptedServer, event: str | None = None) -> list[dict[str, Any]]:
    bodies = [asked.json for asked in list(receiver.asked)]
    return [body for body in bodies if event in (None, body["event_type"])]


def force(api: Api, *outcomes: str, number: int = 0) -> None:
    api.sandbox.settings(forced_outcomes={f"+9198765{number:05d}": list(outcomes)})


@pytest.mark.parametrize("generation", ["g2", "g3"])
def test_every_event_of_a_call_says_what_the_vendors_pages_say(
    make_api: MakeApi, receiver: ScriptedServer, generation: str
) -> None:
    api = make_api(generation, client_analysis={"will_renew": True})
    subscribe(api, receiver, EVENTS)
    force(api, "busy", "completed")
    list_id = api.finished(contacts(1), call_config=call_config(retry_count=1, retry_busy=5))
    wait_for(lambda: received(receiver, "all_processing_completed"), "everything to be told")
    assert {attempt["status"] for attempt in api.sandbox.deliveries()} == {200}
    direct = {"parent_call_id"} if generation == "g3" else set()
    for body in received(receiver):
        assert set(body) == FIELDS[body["event_type"]] | direct
    assert Counter(body["event_type"] for body in received(receiver)) == dict.fromkeys(EVENTS, 1) | {
        "call_completed": 2
    }

    interim, final = received(receiver, "call_completed")
    (row,) = api.calls(list_id)
    assert (interim["status"], interim["sub_status"]) == ("retry", "RETRY_SCHEDULED")
    assert (interim["call_id"], final["call_id"], final["bulk_list_id"]) == (row["id"], row["id"], list_id)
    assert [attempt["status"] for attempt in interim["attempts"]] == ["Busy Line"]
    assert [attempt["status"] for attempt in final["attempts"]] == ["Busy Line", "ACCEPTED"]
    for name in ("status", "sub_status", "to_number", "call_duration"):
        assert final[name] == row[name]
    assert instant(final["called_on"]) == instant(row["call_attempt_time"])
    assert instant(final["created_at"]) == instant(row["created_at"])
    assert instant(final["attempts"][-1]["called_on_time"]) == int(instant(final["called_on"]))
    assert final["transcript"]
    assert final["recording_url"] is None
    (done,) = received(receiver, "all_processing_completed")
    assert done["recording_url"] == row["audio_recording"]
    assert done["platform_analysis"]["status"] == "analyzed"
    assert done["client_analysis"] == {"will_renew": True}
    assert httpx.get(done["recording_url"]).status_code == 200


def test_headers_and_method_are_those_of_the_subscription_and_nothing_is_signed(
    api: Api, receiver: ScriptedServer
) -> None:
    subscribe(api, receiver, ["call_completed"], method_type="PUT")
    api.finished(contacts(1))
    api.sandbox.deliveries()
    asked = receiver.asked[0]
    assert (asked.method, asked.path) == ("PUT", "/ringg/webhooks/ringg_default")
    assert asked.headers["authorization"] == HEADERS["Authorization"]
    assert asked.headers["content-type"] == "application/json"
    assert not [name for name in asked.headers if "signature" in name]


def test_a_call_that_reached_nobody_has_no_recording_and_one_that_was_never_dialled_tells_of_its_cancelling_alone(
    api: Api, receiver: ScriptedServer
) -> None:
    subscribe(api, receiver, EVENTS)
    force(api, "not_picked")
    api.finished(contacts(1))
    wait_for(lambda: received(receiver, "all_processing_completed"), "the analysis")
    assert not received(receiver, "recording_completed")
    assert not received(receiver, "client_analysis_completed")
    (done,) = received(receiver, "all_processing_completed")
    assert (done["recording_url"], done["client_analysis_status"]) == (None, "not_enabled")

    receiver.asked.clear()
    list_id = api.started(contacts(1, first=7), campaign_start_time=at(24))
    expect(api.patch("/campaign/terminate", {"campaign_id": list_id}))
    wait_for(lambda: received(receiver, "call_completed"), "the cancelling")
    api.skip(86_400)
    api.sandbox.deliveries()
    assert [body["event_type"] for body in received(receiver)] == ["call_started", "call_completed"]
    assert received(receiver)[-1]["status"] == "cancelled"


def test_a_second_call_started_comes_where_it_is_asked_for(make_api: MakeApi, receiver: ScriptedServer) -> None:
    api = make_api(call_started_twice=True)
    subscribe(api, receiver, ["call_started"])
    api.finished(contacts(1))
    api.sandbox.deliveries()
    assert [(b["status"], b["sub_status"]) for b in received(receiver)] == [
        ("registered", "QUEUED"),
        ("ongoing", "ACCEPTED"),
    ]


def test_without_a_subscription_nothing_is_sent(api: Api, receiver: ScriptedServer) -> None:
    subscribe(api, receiver, ["call_completed"])
    expect(api.patch("/agent/v1", {"operation": "edit_event_subscriptions", "agent_id": SURVEY,
                                   "event_subscriptions": []}))  # fmt: skip
    api.finished(contacts(2))
    assert api.sandbox.deliveries() == []
    assert receiver.asked == []


# -- how deliveries are tried again


@pytest.mark.parametrize(
    ("generation", "event", "answers", "attempts"),
    [
        pytest.param("g2", "call_completed", [204, 200], 2, id="g2 takes 200 alone"),
        pytest.param("g2", "call_completed", [400, 500, 503, 200], 4, id="g2 tries everything four times"),
        pytest.param("g2", "call_completed", [500] * 5, 4, id="g2 then drops it"),
        pytest.param("g3", "call_completed", [204], 1, id="g3 takes any 2xx"),
        pytest.param("g3", "call_completed", [401, 200], 1, id="g3 is done after a 4xx"),
        pytest.param("g3", "call_completed", [429, 503, 200], 3, id="g3 tries a 429 and a 5xx again"),
        pytest.param("g3", "call_started", [503] * 4, 3, id="g3 tries a start three times"),
    ],
)
def test_retries_follow_the_generation(
    make_api: MakeApi, generation: str, event: str, answers: list[int], attempts: int
) -> None:
    api = make_api(generation, analysis_min_seconds=0, analysis_max_seconds=0)
    with ScriptedServer(*[Answer(status=status, body=b"") for status in answers]) as receiver:
        subscribe(api, receiver, [event])
        force(api, "completed")
        api.finished(contacts(1))
        api.skip(86_400)
        log = api.sandbox.deliveries()
    assert [entry["status"] for entry in log] == answers[:attempts]
    assert [entry["attempt"] for entry in log] == list(range(1, attempts + 1))
    assert len({asked.body for asked in receiver.asked}) == 1


def test_the_receivers_retry_after_is_kept_to_for_a_start(api: Api) -> None:
    with ScriptedServer(Answer(status=429, headers={"Retry-After": "1"}), Answer()) as receiver:
        subscribe(api, receiver, ["call_started"])
        api.started(contacts(1))
        first, second = api.sandbox.deliveries()
    assert (first["status"], second["status"]) == (429, 200)
    assert second["at"] - first["at"] >= 0.9, "in real seconds, whatever the speed"


def test_a_receiver_that_hangs_holds_up_no_request(make_api: MakeApi) -> None:
    api = make_api(webhook_timeout_seconds=20)
    with ScriptedServer(Answer(delay=8)) as receiver:
        subscribe(api, receiver, ["call_started", "call_completed"])
        list_id = api.started(contacts(50))
        wait_for(lambda: receiver.asked, "the first delivery")
        began = time.monotonic()
        for _ in range(20):
            api.status(list_id)
        assert time.monotonic() - began < 5
        api.sandbox.reset()


def test_nobody_listens_and_the_sandbox_goes_on(api: Api, receiver: ScriptedServer) -> None:
    subscribe(api, receiver, ["call_completed"])
    api.sandbox.settings(callback_origins={"https://calls.example.com": "http://127.0.0.1:9"})
    api.finished(contacts(1))
    api.skip(86_400)
    log = api.sandbox.deliveries()
    assert {entry["error"] for entry in log} == {"ConnectError"}
    assert len(log) == 5


# -- faults


def test_lost_is_never_sent_and_doubled_is_sent_twice(api: Api, receiver: ScriptedServer) -> None:
    subscribe(api, receiver, ["call_completed"])
    api.sandbox.delivery_fault(kind="lost")
    api.sandbox.delivery_fault(kind="doubled", copies=3)
    api.finished(contacts(3))
    log = api.sandbox.deliveries()
    assert sorted(Counter(body["call_id"] for body in received(receiver)).values()) == [1, 3]
    assert Counter(entry["fault"] for entry in log) == {"lost": 1, "doubled": 3, None: 1}


def test_late_comes_later_and_reordered_after_those_behind_it(api: Api, receiver: ScriptedServer) -> None:
    api.sandbox.settings(webhook_connections=1)
    subscribe(api, receiver, ["call_completed"])
    api.sandbox.delivery_fault(kind="late", seconds=3)
    api.sandbox.delivery_fault(kind="reordered", behind=2, seconds=30)
    api.finished(contacts(5))
    log = api.sandbox.deliveries()
    assert [entry["fault"] for entry in log] == [None, None, "reordered", None, "late"]
    assert len(received(receiver)) == 5


def test_a_reordered_one_that_nothing_follows_is_sent_after_a_while(api: Api, receiver: ScriptedServer) -> None:
    subscribe(api, receiver, ["call_completed"])
    api.sandbox.delivery_fault(kind="reordered", behind=9, seconds=0.3)
    api.finished(contacts(1))
    assert [entry["fault"] for entry in api.sandbox.deliveries()] == ["reordered"]
    assert len(received(receiver)) == 1


def test_cut_breaks_off_in_the_middle_of_a_body_and_is_tried_again(api: Api, receiver: ScriptedServer) -> None:
    subscribe(api, receiver, ["call_completed"])
    api.sandbox.delivery_fault(kind="cut")
    api.finished(contacts(1))
    api.skip(86_400)
    log = api.sandbox.deliveries()
    assert [(entry["error"], entry["status"]) for entry in log] == [("cut", None), (None, 200)]
    whole = [asked for asked in receiver.asked if asked.body.endswith(b"}")]
    assert len(whole) == 1


def test_garbage_cannot_be_read_in_several_ways(api: Api, receiver: ScriptedServer) -> None:
    subscribe(api, receiver, ["call_completed"])
    api.sandbox.delivery_fault(kind="garbage", times=6)
    api.sandbox.delivery_fault(kind="garbage", body="mine")
    api.finished(contacts(7))
    api.sandbox.deliveries()
    bodies = {asked.body for asked in receiver.asked}
    assert {b"", b"[]", b"mine"} < bodies
    assert len(bodies) == 7


def test_a_share_strikes_the_same_deliveries_under_the_same_seed(api: Api, receiver: ScriptedServer) -> None:
    struck = []
    for _ in range(2):
        api.sandbox.reset()
        subscribe(api, receiver, ["call_completed"])
        api.sandbox.delivery_fault(kind="lost", share=0.2, times=None)
        receiver.asked.clear()
        api.finished(contacts(200))
        api.sandbox.deliveries()
        arrived = {body["to_number"] for body in received(receiver) if body["status"] != "retry"}
        struck.append({f"+9198765{number:05d}" for number in range(200)} - arrived)
        assert api.sandbox.admin.get("/_sandbox/webhooks/faults").json()[0]["times"] is None
    assert struck[0] == struck[1]
    assert 20 <= len(struck[0]) <= 60


def test_a_made_up_history_can_be_told_too(api: Api, receiver: ScriptedServer) -> None:
    subscribe(api, receiver, ["call_completed"])
    api.sandbox.admin.post("/_sandbox/seed/calls", json={"count": 300}).raise_for_status()
    sent = api.sandbox.admin.post("/_sandbox/webhooks/send", json={"events": ["call_completed"]}).json()["sent"]
    api.sandbox.deliveries()
    assert sent == 300 == len({body["call_id"] for body in received(receiver)})


# -- SmartAlex


@pytest.mark.parametrize("generation", ["old", "new"])
def test_smartalex_tells_of_calls_and_campaigns_and_signs_as_its_tools_do(
    make_api: MakeApi, receiver: ScriptedServer, generation: str
) -> None:
    api = make_api(smartalex=generation, callback_origins={"https://calls.example.com": receiver.origin}, speed=86_400)
    events = ["call.started", "call.connected", "call.completed", "call.failed", "campaign.started"]
    with httpx.Client(
        base_url=api.sandbox.smartalex_url, headers={"Authorization": f"Bearer {api.sandbox.api_key}"}
    ) as alex:
        body: dict[str, Any] = {"url": "https://calls.example.com/smartalex"}
        body |= {"event_types": events} if generation == "new" else {"events": events, "secret": "shs_1"}
        answer = alex.post("/webhooks", json=body)
        assert answer.status_code == (201 if generation == "new" else 200)
        secret = answer.json().get("signing_secret", "shs_1")
        assert "shs_1" not in answer.text
        assert alex.post("/webhooks", json=body | {"url": "http://calls.example.com"}).status_code == 400
        force(api, "completed")
        settings = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC"}
        campaign = alex.post("/campaigns", json={"name": "S", "agent_id": "agent_survey", "settings": settings}).json()
        path = f"/campaigns/{campaign['data']['id']}"
        alex.post(f"{path}/contacts", json={"contacts": [{"phone": "+919876500000"}]}).raise_for_status()
        alex.post(f"{path}/start").raise_for_status()
        wait_for(lambda: any(a.json["type"] == "call.completed" for a in list(receiver.asked)), "the call's end")
        api.sandbox.deliveries()
        told = {asked.json["type"]: asked.json for asked in receiver.asked}
        assert set(told) == {"campaign.started", "call.started", "call.connected", "call.completed"}
        assert all(("tenant_id" in one) == (generation == "new") for one in told.values())
        ended = told["call.completed"]["data"]
        assert ended["campaign_id"] == campaign["data"]["id"]
        shown = alex.get(f"/calls/{ended['id']}").json()["data"]
        assert {name: shown[name] for name in ended} == ended
        for asked in receiver.asked:
            stamp, given = (part.split("=", 1)[1] for part in asked.headers["x-smartalex-signature"].split(","))
            expected = hmac.new(secret.encode(), f"{stamp}.".encode() + asked.body, sha256).hexdigest()
            assert given == expected
        if generation == "new":
            (row,) = alex.get("/webhooks").json()["data"]
            assert "signing_secret" not in row
            assert json.dumps(row).count(secret) == 0
            assert alex.delete(f"/webhooks/{row['id']}").is_success
            assert alex.get("/webhooks").json()["data"] == []
