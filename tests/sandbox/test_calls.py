"""What a call is like: outcomes by seed, words, analysis, recordings; and single calls."""

from __future__ import annotations

import io
import json
import wave
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.sandbox.api import (
    INBOUND,
    NUMBER,
    POOL,
    RENEWALS,
    SURVEY,
    TEST_NUMBER,
    UNKNOWN,
    Api,
    MakeApi,
    call_config,
    contacts,
    expect,
    instant,
    refusal,
    wait_for,
)
from tests.support.sandbox import where_it_is

EVERYBODY_ANSWERS = {"busy_rate": 0, "not_picked_rate": 0, "failed_rate": 0, "voicemail_rate": 0}


def outcomes(api: Api, csv: str) -> dict[str, tuple[Any, ...]]:
    list_id = api.finished(csv, call_config=call_config(retry_count=1))
    attempts = {call["to_number"]: [a["status"] for a in call["attempts"]] for call in api.sandbox.state()["calls"]}
    return {
        call["to_number"]: (
            call["status"],
            call["sub_status"],
            call["call_duration"],
            call["transcript"],
            tuple(attempts[call["to_number"]]),
        )
        for call in api.calls(list_id)
    }


def test_the_same_seed_gives_every_number_the_same_outcome(make_api: MakeApi) -> None:
    lines = contacts(120).split("\n")
    backwards = "\n".join([lines[0], *reversed(lines[1:])])
    first = outcomes(make_api(seed=7, lines=100), "\n".join(lines))
    again = outcomes(make_api("g2", seed=7, lines=7), backwards)
    other = outcomes(make_api(seed=8), "\n".join(lines))
    assert first == again
    assert first != other


def test_calls_end_completed_busy_unanswered_or_failed_in_the_shares_asked_for(make_api: MakeApi) -> None:
    api = make_api(busy_rate=0.2, not_picked_rate=0.3, failed_rate=0.1, voicemail_rate=0.1)
    list_id = api.finished(contacts(1500))
    counts = Counter(call["attempts"][-1]["status"] for call in api.sandbox.state()["calls"])
    assert 230 < counts["Busy Line"] < 370
    assert 370 < counts["No Answer"] < 530
    assert 100 < counts["Failed"] < 200
    assert 100 < sum(call["voicemail_detected"] for call in api.calls(list_id)) < 200


@pytest.mark.parametrize(
    ("outcome", "status", "sub_status"),
    [
        ("busy", "failed", "FAILED"),
        ("not_picked", "failed", "USER_DID_NOT_JOIN"),
        ("failed", "failed", "NOT_ABLE_TO_CALL"),
        ("voicemail", "completed", "VOICEMAIL_DETECTED"),
        ("dnd", "failed", "DND_SKIPPED"),
        ("error", "error", "NOT_ABLE_TO_CALL"),
    ],
)
def test_an_outcome_can_be_forced_for_a_number(make_api: MakeApi, outcome: str, status: str, sub_status: str) -> None:
    api = make_api(forced_outcomes={"+919876500000": [outcome]})
    call = api.calls(api.finished(contacts(1)))[0]
    assert (call["status"], call["sub_status"]) == (status, sub_status)
    assert (call["call_duration"] > 0) == (status == "completed")
    assert (call["audio_recording"] is None) is True
    assert call["voicemail_detected"] == (outcome == "voicemail")


@pytest.mark.parametrize("outcome", ["dnd", "error"])
def test_what_trying_again_cannot_help_is_not_tried_again(make_api: MakeApi, outcome: str) -> None:
    api = make_api(forced_outcomes={"+919876500000": [outcome]})
    api.finished(contacts(1), call_config=call_config(retry_count=3))
    assert api.sandbox.dials()["numbers"]["+919876500000"]["attempts"] == 1


def test_a_call_never_lasts_longer_than_the_campaign_allows(make_api: MakeApi) -> None:
    api = make_api(**EVERYBODY_ANSWERS)
    list_id = api.finished(contacts(60), call_config=call_config() | {"max_call_length": 20})
    calls = api.calls(list_id)
    assert max(call["call_duration"] for call in calls) == 20
    assert {c["sub_status"] for c in calls if c["call_duration"] == 20} == {"MAX_CALL_DURATION"}


def test_a_transcript_is_json_text_in_history_and_an_array_in_generation_2_details(make_api: MakeApi) -> None:
    for generation, kind in (("g2", list), ("g3", str)):
        api = make_api(generation, **EVERYBODY_ANSWERS)
        call = api.calls(api.finished(contacts(1)))[0]
        turns = json.loads(call["transcript"])
        assert {key for turn in turns for key in turn} == {"bot", "user"}
        assert "Contact 0" in turns[0]["bot"]
        detailed = api.details(call["id"])["transcription_url"]
        assert isinstance(detailed, kind)
        assert (json.loads(detailed) if isinstance(detailed, str) else detailed) == turns


def test_a_transcript_can_be_an_array_everywhere(make_api: MakeApi) -> None:
    api = make_api(transcript_as="array", **EVERYBODY_ANSWERS)
    assert isinstance(api.calls(api.finished(contacts(1)))[0]["transcript"], list)


def test_a_call_that_never_connected_has_an_empty_transcript_and_a_waiting_one_none(make_api: MakeApi) -> None:
    api = make_api(busy_rate=1, speed=0.001)
    list_id = api.started(contacts(1))
    assert api.calls(list_id)[0]["transcript"] is None
    api.skip(7200)
    assert api.calls(list_id)[0]["transcript"] == "[]"


def test_the_transcript_speaks_the_variables_of_the_row(make_api: MakeApi) -> None:
    api = make_api(**EVERYBODY_ANSWERS)
    text = "Mobile Number,Name,Policy,Due\n9876500000,Asha,POL-1,20/10/2026"
    names = {"mobile_number": "Mobile Number", "callee_name": "Name", "policy_id": "Policy", "due_date": "Due"}
    list_id = api.saved(text, agent_id=RENEWALS, variables_map=names)
    expect(api.start(list_id, agent_id=RENEWALS))
    api.wait(list_id, "completed")
    spoken = api.calls(list_id)[0]["transcript"]
    assert "POL-1" in spoken
    assert "20/10/2026" in spoken


def test_analysis_arrives_after_the_call_and_only_when_asked_for(make_api: MakeApi) -> None:
    api = make_api(speed=0.001, analysis_min_seconds=60, analysis_max_seconds=600, **EVERYBODY_ANSWERS)
    list_id = api.started(contacts(12))
    api.skip_until(list_id, "completed", step=1)
    ids = [call["id"] for call in api.calls(list_id)]

    def analysed() -> list[bool]:
        return ["platform_analysis" in api.details(call_id, send_analysis=True) for call_id in ids]

    assert not all(analysed())
    seen = []
    for _ in range(10):
        api.skip(60)
        seen.append(analysed())
    assert all(seen[-1])
    assert len({tuple(row) for row in seen}) > 2, "they should not all arrive at once"
    assert "platform_analysis" not in api.details(ids[0])
    analysis = api.details(ids[0], send_analysis=True)["platform_analysis"]
    assert set(analysis) >= {
        "summary", "classification", "sentiment", "key_points", "action_items", "callback_requested",
        "callback_requested_time", "call_disconnect_reason",
    }  # fmt: skip
    assert "metrics" in api.details(ids[0], call_metrics=True)


def test_an_unanswered_call_gets_the_short_analysis_and_a_cancelled_one_none(make_api: MakeApi) -> None:
    api = make_api(busy_rate=1, speed=0.001)
    done, cancelled = api.started(contacts(1)), api.started(contacts(1, first=9))
    expect(api.patch("/campaign/terminate", {"campaign_id": cancelled}))
    api.skip(7200)
    short = api.details(api.calls(done)[0]["id"], send_analysis=True)["platform_analysis"]
    assert set(short) == {"summary", "classification", "key_points", "action_items", "call_disconnect_reason"}
    assert "platform_analysis" not in api.details(api.calls(cancelled)[0]["id"], send_analysis=True)


def test_a_recording_is_real_audio_and_can_be_fetched_in_pieces(make_api: MakeApi) -> None:
    api = make_api(**EVERYBODY_ANSWERS)
    call = api.calls(api.finished(contacts(1)))[0]
    url = call["audio_recording"]
    whole = httpx.get(url)
    assert whole.status_code == 200
    assert whole.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(whole.content)) as audio:
        assert audio.getnframes() / audio.getframerate() >= 1
    rest = httpx.get(url, headers={"Range": "bytes=1000-"})
    assert (rest.status_code, rest.content) == (206, whole.content[1000:])
    assert rest.headers["content-range"] == f"bytes 1000-{len(whole.content) - 1}/{len(whole.content)}"
    piece = httpx.get(url, headers={"Range": "bytes=0-43"})
    assert piece.content == whole.content[:44]
    assert httpx.get(url, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416


def test_an_expired_recording_link_is_refreshed_by_the_details(make_api: MakeApi) -> None:
    api = make_api(recording_ttl_seconds=1.0, **EVERYBODY_ANSWERS)
    list_id = api.finished(contacts(1))
    call = api.calls(list_id)[0]
    wait_for(lambda: httpx.get(call["audio_recording"]).status_code == 403, "the link to expire")
    assert api.calls(list_id)[0]["audio_recording"] == call["audio_recording"]
    assert httpx.get(api.details(call["id"])["recording_url"]).status_code == 200


def test_there_is_no_recording_of_what_is_no_call(api: Api) -> None:
    url = f"{api.sandbox.url}/files/recordings/{UNKNOWN}.wav?expires=99999999999"
    assert httpx.get(url).status_code == 404


def test_an_unknown_call_is_404(either: Api) -> None:
    assert refusal(either.get("/calling/call-details", id=UNKNOWN), 404) == "Call not found"
    assert "id" in refusal(either.get("/calling/call-details"), 422)


# -- single calls

ONE = {"name": "Asha", "mobile_number": "+919876543210", "agent_id": SURVEY, "from_number_id": NUMBER}


@pytest.mark.parametrize("path", ["/calling/outbound/individual", "/calling/v2/outbound/individual"])
def test_one_person_is_called_at_once(make_api: MakeApi, path: str) -> None:
    for generation in ("g2", "g3"):
        api = make_api(generation, **EVERYBODY_ANSWERS)
        answer = expect(api.post(path, ONE))
        data = answer["data"]
        assert data["custom_args_values"] == {"callee_name": "Asha", "mobile_number": "+919876543210"}
        assert abs(instant(data["initiated_at"] + "+00:00") - instant(api.history()["calls"][0]["created_at"])) < 1
        call = wait_for(lambda: (d := api.details(data["call_id"]))["call_status"] == "completed" and d, "the call")  # noqa: B023
        assert call["to_number"] == "+919876543210"
        assert api.history(call_id=data["call_id"])["total"] == 1


def test_the_older_answer_to_a_single_call_can_be_chosen(make_api: MakeApi) -> None:
    api = make_api("g2", single_call_shape="old")
    data = expect(api.post("/calling/outbound/individual", ONE))["data"]
    assert api.details(data["Unique Call ID"])["to_number"] == data["To Number"]


def test_a_single_call_waits_for_its_window(make_api: MakeApi) -> None:
    api = make_api(speed=0.001, **EVERYBODY_ANSWERS)
    config = {"call_time": {"call_start_time": "06:00", "call_end_time": "23:59", "timezone": where_it_is(3)}}
    call_id = expect(api.post("/calling/outbound/individual", ONE | {"call_config": config}))["data"]["call_id"]
    api.skip(3600)
    assert api.details(call_id)["call_status"] == "registered"
    api.skip(6 * 3600)
    assert api.details(call_id)["call_status"] == "completed"


def test_a_single_call_that_outlives_its_validity_fails(make_api: MakeApi) -> None:
    api = make_api(speed=0.001, busy_rate=1)
    body = ONE | {"call_config": call_config(retry_count=5, retry_busy=600), "call_validity_hours": 1}
    call_id = expect(api.post("/calling/outbound/individual", body))["data"]["call_id"]
    api.skip(1800)
    assert api.details(call_id)["call_status"] == "retry"
    api.skip(3600)
    assert api.details(call_id)["call_status"] == "failed"


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"from_number": "+918031000001"}, 422, "Provide either from_number_id or from_number, not both"),
        ({"from_number_id": None}, 400, "Either from_number_id or from_number must be provided"),
        ({"from_number_id": TEST_NUMBER}, 400, "Test numbers cannot be used"),
        ({"from_number_id": UNKNOWN}, 400, "From numbers not found"),
        ({"agent_id": INBOUND}, 400, "Invalid agent_id."),
        ({"mobile_number": "9876543210"}, 400, "mobile_number"),
        ({"agent_id": RENEWALS, "custom_args_values": {"due_date": "x"}}, 400, "Missing custom arguments: policy_id"),
        ({"call_config": {"max_call_length": 1}}, 400, "max_call_length"),
        ({"name": None}, 422, "name"),
    ],
)
def test_a_single_call_that_cannot_be_meant_is_refused(
    either: Api, change: dict[str, Any], status: int, sentence: str
) -> None:
    body = {key: value for key, value in (ONE | change).items() if value is not None}
    assert sentence in refusal(either.post("/calling/outbound/individual", body), status)
    assert either.sandbox.state()["calls"] == []


def test_a_single_call_needs_money_and_its_pool_must_exist(either: Api) -> None:
    path = "/calling/v2/outbound/individual"
    refusal(either.post(path, ONE | {"number_pool_id": UNKNOWN}), 400)
    expect(either.post(path, ONE | {"number_pool_id": POOL}))
    bare = {key: value for key, value in ONE.items() if key != "from_number_id"}
    refusal(either.post(path, bare), 422 if either.sandbox.state()["generation"] == "g3" else 400)
    either.sandbox.settings(balance=0)
    assert "insufficient" in refusal(either.post(path, ONE), 402)
