"""Stopping, in its five modes."""

from __future__ import annotations

import pytest

from tests.sandbox.api import (
    RENEWALS,
    SURVEY,
    UNKNOWN,
    Api,
    MakeApi,
    call_config,
    contacts,
    expect,
    refusal,
)

STOPPED = {"message": "Calls terminated successfully!"}


@pytest.fixture(params=["g2", "g3"])
def slow(request: pytest.FixtureRequest, make_api: MakeApi) -> Api:
    """Two lines, everybody answers, and time that only moves when it is skipped."""
    api: Api = make_api(request.param, speed=0.001, lines=2, busy_rate=0, not_picked_rate=0, failed_rate=0)
    return api


def is_g3(api: Api) -> bool:
    return bool(api.sandbox.state()["generation"] == "g3")


def running(api: Api, count: int = 6, first: int = 0) -> str:
    """A campaign with two live calls; the others wait."""
    list_id = api.started(contacts(count, first))
    api.skip_until(list_id, "ongoing")
    return list_id


def by_number(api: Api, list_id: str) -> dict[str, tuple[str, str]]:
    return {call["to_number"]: (call["status"], call["sub_status"]) for call in api.calls(list_id)}


def test_a_campaign_is_stopped_for_good_while_live_calls_end_by_themselves(slow: Api) -> None:
    list_id = running(slow, 100)
    assert expect(slow.patch("/campaign/terminate", {"campaign_id": list_id})) == STOPPED
    assert slow.campaign(list_id)["state"] == "terminated"
    assert slow.listed(list_id)["campaign_status"] == "terminated"  # type: ignore[index]
    left = slow.campaign(list_id)["calls"]
    assert left == {"ongoing": 2, "cancelled": 98}
    slow.skip(7200)
    assert slow.campaign(list_id)["calls"] == {"completed": 2, "cancelled": 98}
    assert slow.campaign(list_id)["state"] == "terminated"
    refusal(slow.start(list_id), 400)


def test_a_live_call_of_a_stopped_campaign_is_not_tried_again(make_api: MakeApi) -> None:
    api = make_api(speed=0.001, busy_rate=0, not_picked_rate=1)
    list_id = api.started(contacts(2), call_config=call_config(retry_count=5))
    api.skip_until(list_id, "ongoing")
    expect(api.patch("/campaign/terminate", {"campaign_id": list_id}))
    api.skip(7200)
    assert set(by_number(api, list_id).values()) == {("failed", "USER_DID_NOT_JOIN")}
    assert {entry["attempts"] for entry in api.sandbox.dials()["numbers"].values()} == {1}


def test_a_call_waiting_for_its_retry_is_cancelled(make_api: MakeApi) -> None:
    api = make_api(speed=0.001, busy_rate=1)
    list_id = api.started(contacts(2), call_config=call_config(retry_count=5, retry_busy=600))
    api.skip_until(list_id, "ongoing")
    api.skip(60)
    assert api.campaign(list_id)["calls"] == {"retry": 2}
    expect(api.patch("/campaign/terminate", {"campaign_id": list_id}))
    assert set(by_number(api, list_id).values()) == {("cancelled", "USER_TERMINATED")}


def test_all_calls_of_an_agent_are_stopped(slow: Api) -> None:
    list_id = running(slow)
    other = slow.saved("Mobile Number,Name\n9876599999,X", agent_id=RENEWALS, variables_map={
        "mobile_number": "Mobile Number", "callee_name": "Name", "policy_id": "Name", "due_date": "Name"})  # fmt: skip
    expect(slow.start(other, agent_id=RENEWALS))
    expect(slow.patch("/campaign/terminate", {"agent_id": SURVEY}))
    assert "registered" not in slow.campaign(list_id)["calls"]
    assert slow.campaign(other)["calls"].get("cancelled") is None
    refusal(slow.patch("/campaign/terminate", {"agent_id": UNKNOWN}), 404)


def test_single_calls_are_stopped_by_id(slow: Api) -> None:
    list_id = running(slow)
    waiting = [call["id"] for call in slow.calls(list_id) if call["status"] == "registered"]
    expect(slow.patch("/campaign/terminate", {"call_ids": waiting[:2]}))
    after = {call["id"]: call["status"] for call in slow.calls(list_id)}
    assert [after[call_id] for call_id in waiting] == ["cancelled"] * 2 + ["registered"] * (len(waiting) - 2)


def test_numbers_are_stopped_in_one_campaign_or_in_all(slow: Api) -> None:
    first, second = running(slow), slow.started(contacts(6))
    number = "+919876500005"
    expect(slow.patch("/campaign/terminate", {"campaign_id": first, "mobile_numbers": [number]}))
    assert by_number(slow, first)[number] == ("cancelled", "USER_TERMINATED")
    assert by_number(slow, second)[number][0] == "registered"
    expect(slow.patch("/campaign/terminate", {"mobile_numbers": [number]}))
    assert by_number(slow, second)[number][0] == "cancelled"
    assert by_number(slow, first)["+919876500004"][0] == "registered"


def test_unknown_numbers_are_400_in_both_generations(slow: Api) -> None:
    list_id = running(slow)
    body = {"campaign_id": list_id, "mobile_numbers": ["+919876599998"]}
    assert refusal(slow.patch("/campaign/terminate", body), 400).startswith("Mobile numbers not found in campaign")
    refusal(slow.patch("/campaign/terminate", {"mobile_numbers": ["+919876599998"]}), 400)


def test_stopping_what_is_over_is_400_in_generation_2_only(either: Api) -> None:
    list_id = either.finished(contacts(2))
    status = 200 if is_g3(either) else 400
    for body in ({"campaign_id": list_id}, {"agent_id": SURVEY}, {"call_ids": [UNKNOWN]}):
        expect(either.patch("/campaign/terminate", body), status)
    assert either.campaign(list_id)["state"] == "completed"


def test_an_unknown_campaign_is_404(either: Api) -> None:
    refusal(either.patch("/campaign/terminate", {"campaign_id": UNKNOWN}), 404)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"campaign_id": "x", "agent_id": "y"},
        {"call_ids": ["x"], "mobile_numbers": ["+91"]},
        {"agent_id": "x", "mobile_numbers": ["+91"]},
        {"campaign_id": None},
        {"call_ids": []},
        {"mobile_numbers": []},
        {"mobile_numbers": ["9876543210"]},
        {"mobile_numbers": [f"+9198765{n:05d}" for n in range(101)]},
        {"call_ids": "x"},
    ],
)
def test_anything_but_exactly_one_mode_is_422(either: Api, body: dict[str, object]) -> None:
    refusal(either.patch("/campaign/terminate", body), 422)


def test_a_large_campaign_stopped_while_it_is_prepared_never_dials(make_api: MakeApi) -> None:
    api = make_api("g2", preparing_seconds=3600)
    bulk_list_id = api.uploaded(contacts(3))
    expect(api.make_call(bulk_list_id))
    assert api.campaign(bulk_list_id)["state"] == "preparing"
    expect(api.patch("/campaign/terminate", {"campaign_id": bulk_list_id}))
    api.skip(7200)
    assert api.campaign(bulk_list_id)["state"] == "terminated"
    assert api.sandbox.dials()["lists"][bulk_list_id]["calls"] == 0


def test_cancelling_all_that_waits_ends_the_campaign(slow: Api) -> None:
    list_id = slow.started(contacts(3))
    assert slow.campaign(list_id)["state"] == "scheduled"
    expect(slow.patch("/campaign/terminate", {"agent_id": SURVEY}))
    assert slow.campaign(list_id)["state"] == "completed"
    assert slow.campaign(list_id)["calls"] == {"cancelled": 3}
