"""Misbehaviour on demand, as a client sees it."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.sandbox.api import SURVEY, Api, MakeApi, contacts, expect, refusal, wait_for

CUT = (httpx.RemoteProtocolError, httpx.ReadError)


def started(api: Api, list_id: str) -> bool:
    return bool(api.campaign(list_id)["launches"])


def test_a_fault_happens_as_often_as_it_says_and_is_gone(api: Api) -> None:
    api.sandbox.fault(method="GET", path="/campaign/all", kind="status", status=503, times=2)
    assert [api.get("/campaign/all").status_code for _ in range(3)] == [503, 503, 200]
    assert api.sandbox.admin.get("/_sandbox/faults").json() == []


def test_a_fault_can_let_some_requests_pass_first(api: Api) -> None:
    api.sandbox.fault(path="/campaign/all", kind="status", skip=2)
    assert [api.get("/campaign/all").status_code for _ in range(4)] == [200, 200, 503, 200]


def test_faults_are_used_up_in_their_order_and_can_be_dropped(api: Api) -> None:
    api.sandbox.admin.post(
        "/_sandbox/faults",
        json=[{"path": "/workspace", "kind": "status", "status": status} for status in (500, 502, 504)],
    ).raise_for_status()
    assert [api.get("/workspace").status_code for _ in range(2)] == [500, 502]
    api.sandbox.clear_faults()
    assert api.get("/workspace").status_code == 200


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("/campaign/upload-status/{bulk_list_id}", True),
        ("/campaign/upload-status", True),
        ("/campaign", True),
        ("/", True),
        ("/ca/api/v0/campaign", True),
        ("/campaign/upload", False),
        ("/campaign/all", False),
        ("/campaign/upload-status/{bulk_list_id}/more", False),
    ],
)
def test_a_path_is_a_template_or_a_prefix_of_whole_segments(api: Api, path: str, matches: bool) -> None:
    bulk_list_id = api.uploaded(contacts(1))
    api.sandbox.fault(path=path, kind="status", status=503)
    assert api.get(f"/campaign/upload-status/{bulk_list_id}").status_code == (503 if matches else 200)


def test_a_fault_of_another_method_is_left_alone(api: Api) -> None:
    api.sandbox.fault(method="PATCH", path="/workspace", kind="status")
    assert api.get("/workspace").status_code == 200


def test_too_many_requests_carries_retry_after(either: Api) -> None:
    either.sandbox.fault(path="/workspace", kind="status", status=429, headers={"Retry-After": "3"})
    response = either.get("/workspace")
    assert response.headers["retry-after"] == "3"
    refusal(response, 429)


def test_a_status_can_have_any_body(api: Api) -> None:
    api.sandbox.fault(path="/workspace", kind="status", status=502, body="<html>Bad gateway</html>")
    assert api.get("/workspace").text == "<html>Bad gateway</html>"
    api.sandbox.fault(path="/workspace", kind="status", status=400, body={"odd": [1]})
    assert api.get("/workspace").json() == {"odd": [1]}


@pytest.mark.parametrize("kind", ["status", "cut", "latency"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_start_acts_or_does_not_as_the_fault_says(either: Api, kind: str, when: str) -> None:
    list_id = either.saved(contacts(3))
    either.sandbox.fault(method="POST", path="/campaign/start", kind=kind, when=when, status=500, seconds=0.05)
    if kind == "cut":
        with pytest.raises(CUT):
            either.start(list_id)
    else:
        assert either.start(list_id).status_code == (500 if kind == "status" else 200)
    assert started(either, list_id) == (when == "after" or kind == "latency")


def test_an_upload_cut_after_acting_leaves_a_list_that_nobody_knows(api: Api) -> None:
    api.sandbox.fault(path="/campaign/save", kind="cut", when="after")
    with pytest.raises(CUT):
        api.save(contacts(3))
    assert [campaign["state"] for campaign in api.sandbox.state()["campaigns"]] == ["draft"]


def test_a_large_body_cut_before_acting_is_a_network_error_too(api: Api) -> None:
    api.sandbox.fault(path="/campaign/upload-csv", kind="cut")
    with pytest.raises(httpx.TransportError):
        api.upload(contacts(100_000))
    assert api.sandbox.state()["campaigns"] == []


def test_an_answer_can_break_off_in_the_middle(api: Api) -> None:
    api.started(contacts(50))
    api.sandbox.fault(path="/calling/history", kind="cut", when="during")
    with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
        api.history(limit=50)
    assert api.history(limit=50)["count"] == 50


def test_an_answer_that_comes_too_late_finds_the_start_done(either: Api) -> None:
    list_id = either.saved(contacts(3))
    either.sandbox.fault(path="/campaign/start", kind="latency", when="after", seconds=3.0)
    began = time.monotonic()
    with httpx.Client(base_url=either.http.base_url, headers=either.http.headers, timeout=0.3) as impatient:
        body = {"agent_id": SURVEY, "list_id": list_id, "from_numbers": ["+918031000001"]}
        with pytest.raises(httpx.ReadTimeout):
            impatient.post("/campaign/start", json=body)
    assert time.monotonic() - began < 2.5
    assert started(either, list_id)


def test_a_request_given_up_while_it_is_delayed_acts_all_the_same(api: Api) -> None:
    list_id = api.saved(contacts(3))
    api.sandbox.fault(path="/campaign/start", kind="latency", seconds=1.2)
    with httpx.Client(base_url=api.http.base_url, headers=api.http.headers, timeout=0.2) as impatient:
        body = {"agent_id": SURVEY, "list_id": list_id, "from_numbers": ["+918031000001"]}
        with pytest.raises(httpx.ReadTimeout):
            impatient.post("/campaign/start", json=body)
    assert not started(api, list_id)
    wait_for(lambda: started(api, list_id), "the late start")


@pytest.mark.parametrize("answer", ["normal", "cut", "status"])
def test_the_effect_of_a_start_can_come_later_than_its_answer(either: Api, answer: str) -> None:
    saved, uploaded = either.saved(contacts(3)), either.uploaded(contacts(3, first=50))
    for path, start in (
        ("/campaign/start", lambda: either.start(saved)),
        ("/campaign/make-call-async", lambda: either.make_call(uploaded)),
    ):
        either.sandbox.fault(path=path, kind="late_effect", seconds=1.0, answer=answer, status=504)
        if answer == "cut":
            with pytest.raises(CUT):
                start()
        else:
            assert start().status_code == (200 if answer == "normal" else 504)
    assert not started(either, saved)
    assert either.listed(saved)["campaign_status"] == "draft"  # type: ignore[index]
    wait_for(lambda: started(either, saved) and started(either, uploaded), "the late effects")
    either.wait(saved, "completed")
    assert either.sandbox.dials()["max_calls_per_number"] == 1


def test_a_second_start_before_a_late_effect_dials_twice_only_with_the_refusal_off(make_api: MakeApi) -> None:
    for refuses, launches in ((True, 1), (False, 2)):
        api = make_api(refuse_second_start=refuses)
        list_id = api.saved(contacts(3))
        api.sandbox.fault(path="/campaign/start", kind="late_effect", seconds=0.5, answer="cut")
        with pytest.raises(CUT):
            api.start(list_id)
        expect(api.start(list_id))
        time.sleep(0.7)
        api.wait(list_id, "completed")
        assert api.sandbox.dials()["lists"][list_id]["launches"] == launches
        assert api.sandbox.dials()["max_calls_per_number"] == launches


def test_a_late_effect_still_refuses_what_is_wrong_at_once(api: Api) -> None:
    list_id = api.saved(contacts(3))
    api.sandbox.fault(path="/campaign/start", kind="late_effect", seconds=0.1)
    refusal(api.start(list_id, from_numbers=["+919999999999"]), 400)


@pytest.mark.parametrize("total", [3, 10_000, "many"])
def test_a_page_can_claim_a_wrong_total(api: Api, total: Any) -> None:
    api.started(contacts(20))
    api.sandbox.fault(path="/calling/history", kind="wrong_total", total=total)
    page = api.history()
    assert (page["total"], page["count"]) == (total, 10)
    api.sandbox.fault(path="/campaign/all", kind="wrong_total", total=total)
    assert expect(api.get("/campaign/all"))["pagination"]["total"] == total


def test_pages_can_repeat_or_be_empty(api: Api) -> None:
    api.started(contacts(30))
    order = {"sort_by": "created_at", "sort_order": "asc"}
    pages = [[call["id"] for call in api.history(offset=offset, **order)["calls"]] for offset in (0, 10, 20)]
    api.sandbox.fault(path="/calling/history", kind="repeat_page")
    repeated = api.history(offset=10, **order)
    assert [call["id"] for call in repeated["calls"]] == pages[0]
    assert (repeated["offset"], repeated["total"]) == (10, 30)
    api.sandbox.fault(path="/calling/history", kind="empty_page")
    empty = api.history(offset=10, **order)
    assert (empty["calls"], empty["count"], empty["total"]) == ([], 0, 30)
    api.sandbox.fault(path="/campaign/all", kind="empty_page")
    assert expect(api.get("/campaign/all"))["campaigns"] == []


def test_lists_can_be_hidden_from_the_listing(either: Api) -> None:
    draft, done = either.saved(contacts(1)), either.finished(contacts(1, first=9))

    def shown() -> set[str]:
        page = expect(either.get("/campaign/all"))
        assert page["pagination"]["total"] == len(page["campaigns"])
        return {row["id"] for row in page["campaigns"]}

    assert shown() == {draft, done}
    either.sandbox.settings(listing_hides="unstarted")
    assert shown() == {done}
    either.sandbox.settings(listing_hides=[done])
    assert shown() == {draft}
    either.sandbox.settings(listing_hides="all")
    assert shown() == set()
    assert either.campaign(done)["state"] == "completed"


def test_the_listing_can_lag_behind_what_is_true(make_api: MakeApi) -> None:
    api = make_api("g2", speed=0.001)
    list_id = api.saved(contacts(2))
    api.sandbox.settings(listing_lag_seconds=1.0)
    assert api.listed(list_id) is None
    wait_for(lambda: api.listed(list_id), "the list to appear")
    expect(api.start(list_id))
    row = api.listed(list_id)
    assert row is not None
    assert (row["campaign_status"], row["total_count"]) == ("draft", 0)
    wait_for(lambda: api.listed(list_id)["campaign_status"] == "registered", "the start to show")  # type: ignore[index]
    assert api.listed(list_id)["total_count"] == 2  # type: ignore[index]


def test_upload_status_can_lag_too(make_api: MakeApi) -> None:
    api = make_api(upload_status_lag_seconds=1.5, speed=36_000)
    bulk_list_id = api.uploaded(contacts(2))
    wait_for(lambda: api.status(bulk_list_id)["status"] == "draft", "the draft to show")
    expect(api.make_call(bulk_list_id))
    api.wait(bulk_list_id, "completed")
    assert api.status(bulk_list_id)["status"] == "draft"
    wait_for(lambda: api.status(bulk_list_id)["status"] == "completed", "the end to show")


def test_a_fault_that_makes_no_sense_is_refused(api: Api) -> None:
    for fault in (
        {"path": "/x"},
        {"path": "/x", "kind": "explode"},
        {"path": "/x", "kind": "status", "status": 200},
        {"path": "/x", "kind": "status", "when": "during"},
        {"path": "/x", "kind": "cut", "times": 0},
        {"path": "/x", "kind": "cut", "wehn": "after"},
    ):
        assert api.sandbox.admin.post("/_sandbox/faults", json=fault).status_code == 422


def test_the_log_of_requests_holds_no_filters_and_no_bodies(api: Api) -> None:
    api.history(to_number="+919876500000", limit=20, offset=40)
    api.sandbox.fault(path="/workspace", kind="cut")
    with pytest.raises(CUT):
        api.get("/workspace")
    first, second = api.sandbox.requests()
    assert (first["method"], first["path"], first["status"]) == ("GET", "/calling/history", 200)
    assert first["page"] == "limit=20&offset=40"
    assert (second["path"], second["fault"], second["status"]) == ("/workspace", "cut", None)
    assert "98765" not in str(api.sandbox.requests())
