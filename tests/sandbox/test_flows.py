"""Both flows from the upload to the last call, in both generations."""

from __future__ import annotations

import pytest

from tests.sandbox.api import NUMBER, POOL, Api, MakeApi, at, call_config, contacts, expect, instant, refusal
from tests.support.sandbox import where_it_is

EVERYBODY_ANSWERS = {"busy_rate": 0, "not_picked_rate": 0, "failed_rate": 0, "voicemail_rate": 0}
FINISHED = {"completed", "failed"}


def test_standard_flow_calls_everybody_on_the_list_once(either: Api) -> None:
    saved = expect(either.save(contacts(300)))
    assert (saved["total_rows"], saved["successful_rows"], saved["failed_rows"]) == (300, 300, 0)
    assert expect(either.start(saved["list_id"])) == {
        "status": "campaign registered successfully!",
        "has_ongoing_calls": False,
    }
    either.wait(saved["list_id"], "completed")
    calls = either.calls(saved["list_id"])
    assert sorted(call["to_number"] for call in calls) == [f"+9198765{n:05d}" for n in range(300)]
    assert {call["status"] for call in calls} == FINISHED
    assert either.sandbox.dials()["max_calls_per_number"] == 1


def test_saving_never_rings_a_phone(either: Api) -> None:
    list_id = either.saved(contacts(5))
    assert either.campaign(list_id)["state"] == "draft"
    assert either.sandbox.state()["calls"] == []
    assert either.sandbox.dials()["lists"][list_id]["launches"] == 0


def test_large_flow_passes_through_its_documented_states(either: Api) -> None:
    bulk_list_id = either.uploaded(contacts(250))
    expect(either.make_call(bulk_list_id))
    either.wait(bulk_list_id, "completed")
    assert [entry["state"] for entry in either.campaign(bulk_list_id)["states"]] == [
        "verifying", "draft", "preparing", "in_db", "scheduled", "ongoing", "completed",
    ]  # fmt: skip
    assert len(either.calls(bulk_list_id)) == 250


def test_generation_2_speaks_of_the_upload_only(make_api: MakeApi) -> None:
    api: Api = make_api("g2", speed=20, verify_seconds=20)
    answer = expect(api.upload(contacts(40)))
    assert answer == {
        "bulk_list_id": answer["bulk_list_id"],
        "status": "uploaded",
        "message": "CSV upload accepted for processing",
    }
    words = []
    while not words or words[-1] != "completed":
        status = api.status(answer["bulk_list_id"])
        words += [status["status"]] if status["status"] not in words[-1:] else []
        assert 0 <= status["processed_rows"] <= status["total_rows"] == 40
    assert words == ["uploaded", "processing", "completed"]
    assert (status["successful_rows"], status["failed_rows"]) == (40, 0)
    expect(api.make_call(answer["bulk_list_id"]))
    assert api.status(answer["bulk_list_id"])["status"] == "completed"


def test_generation_3_speaks_of_the_whole_campaign(api: Api) -> None:
    answer = expect(api.upload(contacts(40) + "\n12,Bad"))
    assert answer["status"] == "verifying"
    assert answer["total_rows"] == 41
    api.wait(answer["bulk_list_id"], "draft")
    assert api.status(answer["bulk_list_id"]) == {
        "bulk_list_id": answer["bulk_list_id"],
        "status": "draft",
        "campaign_name": "Test",
        "total_callees": 40,
        "invalidated_rows_count": 1,
    }
    expect(api.make_call(answer["bulk_list_id"]))
    api.wait(answer["bulk_list_id"], "completed")
    assert api.status(answer["bulk_list_id"])["status"] == "completed"


@pytest.mark.parametrize(
    ("generation", "words"),
    [("g2", ["draft", "registered", "running", "completed"]), ("g3", ["draft", "scheduled", "ongoing", "completed"])],
)
def test_the_listing_words_every_state_as_its_generation_does(
    make_api: MakeApi, generation: str, words: list[str]
) -> None:
    api: Api = make_api(generation, speed=900, lines=2)
    list_id = api.saved(contacts(20), campaign_start_time=at(0.05))
    seen = [api.listed(list_id)["campaign_status"]]  # type: ignore[index]
    expect(api.start(list_id))
    while seen[-1] != "completed":
        row = api.listed(list_id)
        assert row is not None
        seen += [row["campaign_status"]] if row["campaign_status"] != seen[-1] else []
    assert seen == words


def test_generation_2_counts_calls_in_the_listing(make_api: MakeApi) -> None:
    api: Api = make_api(
        "g2", forced_outcomes={"+919876500000": ["busy"]}, busy_rate=0, not_picked_rate=0, failed_rate=0
    )
    list_id = api.finished(contacts(5))
    row = api.listed(list_id)
    assert row is not None
    assert (row["total_count"], row["registered_count"], row["completed_count"]) == (5, 0, 4)
    bare = expect(api.get("/campaign/all", call_count=False))["campaigns"][0]
    assert "total_count" not in bare


def test_generation_3_counts_contacts_in_the_listing(api: Api) -> None:
    list_id = api.saved(contacts(5) + "\nbad,Row", remove_invalid_rows=True)
    row = api.listed(list_id)
    assert row is not None
    assert (row["total_calls"], row["invalidated_rows_count"], row["agent_id"][:8]) == (5, 1, "22222222")


def test_a_pool_rotates_and_skips_flagged_numbers(either: Api) -> None:
    list_id = either.saved(contacts(40))
    expect(either.start_pool(list_id))
    either.wait(list_id, "completed")
    used = {number for call in either.calls(list_id) for number in call["from_numbers"]}
    assert used == {"+918031000001", "+918031000002"}


def test_a_retry_uses_the_next_caller_number(make_api: MakeApi) -> None:
    api: Api = make_api(busy_rate=1)
    list_id = api.saved(contacts(3), call_config=call_config(retry_count=1))
    expect(api.start(list_id, from_numbers=[NUMBER, "+918031000002"]))
    api.wait(list_id, "completed")
    assert [call["from_numbers"] for call in api.calls(list_id)] == [["+918031000001", "+918031000002"]] * 3


def test_the_large_flow_takes_a_pool_too(either: Api) -> None:
    bulk_list_id = either.uploaded(contacts(4))
    expect(either.make_call(bulk_list_id, from_numbers=None, number_pool_id=POOL))
    either.wait(bulk_list_id, "completed")


def test_a_started_list_cannot_be_started_again(either: Api) -> None:
    list_id = either.started(contacts(5))
    assert "already" in refusal(either.start(list_id), 400)
    either.wait(list_id, "completed")
    refusal(either.start(list_id), 400)
    bulk_list_id = either.uploaded(contacts(5, first=100))
    expect(either.make_call(bulk_list_id))
    assert refusal(either.make_call(bulk_list_id), 400) == "Bulk list is not ready to start."
    either.wait(bulk_list_id, "completed")
    assert either.sandbox.dials()["max_calls_per_number"] == 1


def test_with_the_refusal_off_a_second_start_really_dials_everybody_again(either: Api) -> None:
    either.sandbox.settings(refuse_second_start=False)
    list_id = either.started(contacts(5))
    expect(either.start(list_id))
    bulk_list_id = either.uploaded(contacts(5, first=100))
    expect(either.make_call(bulk_list_id))
    either.wait(bulk_list_id, "completed")
    expect(either.make_call(bulk_list_id))
    either.wait(bulk_list_id, "preparing", "in_db", "scheduled", "ongoing")
    either.wait(bulk_list_id, "completed")
    either.wait(list_id, "completed")
    dials = either.sandbox.dials()
    assert {entry["calls"] for entry in dials["numbers"].values()} == {2}
    assert {entry["launches"] for entry in dials["lists"].values()} == {2}
    assert len(either.calls(list_id)) == 10


def test_a_duplicate_row_is_called_twice_by_one_launch(api: Api) -> None:
    list_id = api.finished(contacts(1) + "\n+919876500000,Again")
    assert api.sandbox.dials()["numbers"]["+919876500000"] == {
        "calls": 2,
        "dialled_calls": 2,
        "attempts": 2,
        "lists": {list_id: 2},
    }


def test_retries_are_attempts_of_the_same_call(make_api: MakeApi) -> None:
    api: Api = make_api(busy_rate=1)
    list_id = api.finished(contacts(4), call_config=call_config(retry_count=2, retry_busy=30))
    dials = api.sandbox.dials()["numbers"]
    assert {(entry["calls"], entry["attempts"]) for entry in dials.values()} == {(1, 3)}
    assert {(c["status"], c["sub_status"]) for c in api.calls(list_id)} == {("failed", "RETRY_LIMIT_REACHED")}


def test_a_retry_waits_for_its_minutes_in_simulated_time(make_api: MakeApi) -> None:
    api: Api = make_api(speed=1200, forced_outcomes={"+919876500000": ["not_picked", "completed"]})
    list_id = api.started(contacts(1), call_config=call_config(retry_count=1, retry_not_picked=20))
    api.wait(list_id, "ongoing")
    while (call := api.calls(list_id)[0])["status"] in ("registered", "ongoing"):
        pass
    assert (call["status"], call["sub_status"], call["call_duration"]) == ("retry", "RETRY_SCHEDULED", 0)
    api.wait(list_id, "completed")
    first, second = (attempt["called_on_time"] for attempt in api.sandbox.state()["calls"][0]["attempts"])
    waited = (instant(second) - instant(first)) * 1200 / 60
    assert 20.4 < waited < 20.6  # twenty minutes after ringing for thirty seconds


def test_contacts_not_reached_by_the_end_fail(make_api: MakeApi) -> None:
    api: Api = make_api(busy_rate=0, not_picked_rate=1, lines=1)
    list_id = api.finished(contacts(200), campaign_end_time=at(1.1))
    by_reason = {call["sub_status"] for call in api.calls(list_id)}
    assert by_reason == {"USER_DID_NOT_JOIN", "CAMPAIGN_TIME_EXCEEDED"}


def test_a_window_that_never_opens_calls_nobody(make_api: MakeApi) -> None:
    api = make_api(speed=36_000)
    zone = where_it_is(12)
    window = {"call_start_time": "06:00", "call_end_time": "08:00", "timezone": zone}
    list_id = api.finished(
        contacts(3), call_config={"call_time": window}, campaign_start_time=at(2, zone), campaign_end_time=at(4, zone)
    )
    assert {call["sub_status"] for call in api.calls(list_id)} == {"CAMPAIGN_TIME_EXCEEDED"}
    assert {entry["attempts"] for entry in api.sandbox.dials()["numbers"].values()} == {0}


def test_numbers_abroad_are_reached_from_a_twilio_number_only(api: Api) -> None:
    ids = []
    for number in (NUMBER, "+12125550105"):
        list_id = api.saved("Mobile Number,Name\n+12125550123,Sam\n", country_code="+1")
        expect(api.start(list_id, from_numbers=[number]))
        api.wait(list_id, "completed")
        ids.append(list_id)
    assert api.calls(ids[0])[0]["sub_status"] == "NOT_ABLE_TO_CALL"
    assert api.calls(ids[1])[0]["from_numbers"] == ["+12125550105"]
