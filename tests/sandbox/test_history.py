"""Reading the calls: pages, filters, order and the rate limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sandbox.api import (
    NUMBER,
    RENEWALS,
    SECOND_NUMBER,
    SURVEY,
    UNKNOWN,
    Api,
    MakeApi,
    contacts,
    expect,
    instant,
    refusal,
    wait_for,
)


def seeded(api: Api, count: int, hours: float = 24.0) -> str:
    answer = api.sandbox.admin.post("/_sandbox/seed/calls", json={"count": count, "hours": hours})
    return str(expect(answer)["id"])


def test_pages_of_two_hundred_hold_every_call_once(either: Api) -> None:
    list_id = seeded(either, 1001)
    pages = [either.history(bulk_list_id=list_id, limit=200, offset=offset) for offset in range(0, 1200, 200)]
    assert [page["count"] for page in pages] == [200, 200, 200, 200, 200, 1]
    assert {page["total"] for page in pages} == {1001}
    assert len({call["id"] for page in pages for call in page["calls"]}) == 1001


def test_a_page_has_ten_rows_unless_asked_for_more(either: Api) -> None:
    seeded(either, 50)
    page = either.history()
    assert (page["count"], page["limit"], page["offset"], page["total"]) == (10, 10, 0, 50)


def test_generation_3_refuses_more_than_two_hundred_rows_a_page(either: Api) -> None:
    seeded(either, 250)
    response = either.get("/calling/history", limit=201, start_date="2020-01-01", end_date="2100-01-01")
    if either.sandbox.state()["generation"] == "g3":
        assert refusal(response, 400) == "Limit cannot be greater than 200"
    else:
        assert expect(response)["count"] == 201


def test_ten_list_requests_fit_into_the_window_and_the_eleventh_is_429(either: Api) -> None:
    either.sandbox.settings(history_rate_window_seconds=60)
    for _ in range(10):
        either.history()
    response = either.get("/calling/history")
    refusal(response, 429)
    assert "retry-after" not in response.headers
    either.sandbox.settings(history_retry_after=True)
    assert 50 <= int(either.get("/calling/history").headers["retry-after"]) <= 60
    expect(either.get("/campaign/all"))


def test_the_window_of_the_rate_limit_slides(make_api: MakeApi) -> None:
    api = make_api(history_rate_window_seconds=1.5, history_rate_limit=2)
    assert [api.get("/calling/history").status_code for _ in range(3)] == [200, 200, 429]
    wait_for(lambda: api.get("/calling/history").status_code == 200, "the window to slide")


def test_ascending_by_creation_new_calls_only_ever_appear_at_the_end(make_api: MakeApi) -> None:
    api = make_api()
    order = {"sort_by": "created_at", "sort_order": "asc", "limit": 200}
    first = api.started(contacts(150))
    before = [call["id"] for call in api.history(**order)["calls"]]
    second = api.started(contacts(20, first=500))
    after = [call["id"] for call in api.history(**order)["calls"]]
    assert after[:150] == before
    assert len(after) == 170
    api.wait(first, "completed")
    api.wait(second, "completed")
    assert [call["id"] for call in api.history(**order)["calls"]] == after


def test_newest_first_is_the_default_order(either: Api) -> None:
    seeded(either, 30)
    times = [instant(call["call_attempt_time"]) for call in either.history(limit=30)["calls"]]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    ("sort_by", "field"),
    [("created_at", "created_at"), ("call_duration", "call_duration"), ("credits_used", "call_cost")],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_rows_come_in_the_order_asked_for(api: Api, sort_by: str, field: str, order: str) -> None:
    seeded(api, 100)
    pages = [api.history(limit=50, offset=o, sort_by=sort_by, sort_order=order)["calls"] for o in (0, 50)]
    values = [row[field] for page in pages for row in page]
    assert values == sorted(values, reverse=order == "desc")


def test_filters_narrow_and_repeat(api: Api) -> None:
    first, second = api.finished(contacts(30)), api.finished(contacts(20, first=100))
    third = api.finished(contacts(5, first=200))
    assert api.history(bulk_list_id=[first, second])["total"] == 50
    assert api.history(bulk_list_id=[first, second, third, UNKNOWN])["total"] == 55
    by_status = {status: api.history(status=status)["total"] for status in ("completed", "failed", "registered")}
    assert sum(by_status.values()) == 55
    assert by_status["completed"] > 0
    assert api.history(status=["completed", "failed"])["total"] == 55
    assert api.history(agent_id=SURVEY)["total"] == 55
    assert api.history(agent_id=[RENEWALS])["total"] == 0
    assert api.history(version_id=f"{SURVEY[:-1]}f")["total"] == 55
    assert api.history(to_number="+919876500003")["total"] == 1
    assert api.history(to_number="+919876500003", bulk_list_id=second)["total"] == 0
    assert api.history(from_number="+918031000001")["total"] == 55
    assert api.history(from_number="+918031000002")["total"] == 0
    one = api.history(limit=1)["calls"][0]
    assert api.history(call_id=one["id"])["calls"] == [one]
    assert api.history(call_type="outbound")["total"] == 55
    assert api.history(call_type="inbound")["total"] == 0
    voicemails = api.history(call_type="voicemail", limit=200)["calls"]
    assert all(call["voicemail_detected"] for call in voicemails)


@pytest.mark.parametrize("generation", ["g2", "g3"])
def test_without_dates_one_generation_gives_the_calls_of_the_day_that_its_specification_names(
    make_api: MakeApi, generation: str
) -> None:
    api = make_api(generation)
    seeded(api, 10)
    ever = {"start_date": "2020-01-01T00:00:00+00:00", "end_date": "2100-01-01T00:00:00+00:00"}
    for dates in ({}, {"start_date": ever["start_date"]}, ever):
        found = expect(api.get("/calling/history", **dates))["total"]
        assert found == (10 if generation == "g3" or dates == ever else 0), dates


def test_dates_take_any_offset_and_include_both_ends(either: Api) -> None:
    seeded(either, 240, hours=24)
    now = datetime.now(UTC)
    six_hours_ago = (now - timedelta(hours=6)).astimezone().isoformat()
    assert 58 <= either.history(start_date=six_hours_ago)["total"] <= 61
    assert 178 <= either.history(end_date=six_hours_ago)["total"] <= 182
    india = f"{now - timedelta(hours=6) + timedelta(hours=5.5):%Y-%m-%dT%H:%M:%S}+05:30"
    assert 58 <= either.history(start_date=india)["total"] <= 61
    order = {"sort_by": "created_at", "sort_order": "asc", "limit": 1}
    oldest = either.history(**order)["calls"][0]["created_at"]
    assert either.history(start_date=oldest, end_date=oldest)["total"] == 1


def test_dates_can_filter_by_the_moment_of_dialling_instead(make_api: MakeApi) -> None:
    api = make_api(speed=0.001)
    list_id = api.started(contacts(10))
    created = api.history(bulk_list_id=list_id, limit=1)["calls"][0]["created_at"]
    api.skip(7200)
    later = api.history(bulk_list_id=list_id, sort_by="called_on_time", sort_order="asc")["calls"][0]
    assert later["call_attempt_time"] > created
    assert api.history(start_date=later["call_attempt_time"])["total"] == 0
    api.sandbox.settings(history_dates_filter="call_time")
    assert api.history(start_date=later["call_attempt_time"])["total"] == 10
    assert api.history(end_date=created)["total"] == 0


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"start_date": "yesterday"}, 400),
        ({"end_date": "31/12/2026"}, 400),
        ({"status": "done"}, 400),
        ({"agent_id": "x"}, 400),
        ({"call_type": "fax"}, 400),
        ({"limit": 0}, 422),
        ({"offset": -1}, 422),
        ({"sort_by": "name"}, 422),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(either: Api, params: dict[str, Any], status: int) -> None:
    refusal(either.get("/calling/history", **params), status)


def test_the_total_can_be_the_word_many(make_api: MakeApi) -> None:
    api = make_api(history_total="many")
    seeded(api, 15)
    page = api.history(offset=10)
    assert (page["total"], page["count"]) == ("many", 5)


def test_a_row_carries_no_campaign_id(either: Api) -> None:
    list_id = either.finished(contacts(1))
    assert list_id not in str(either.history()["calls"][0])


def test_an_export_runs_once_at_a_time_and_only_a_few_in_parallel(either: Api) -> None:
    either.sandbox.settings(speed=0.001)
    path = "/calling/history/download"
    assert "email" in expect(either.post(f"{path}?bulk_list_id=1"))["message"]
    refusal(either.post(f"{path}?bulk_list_id=1"), 409)
    expect(either.post(f"{path}?bulk_list_id=2"))
    expect(either.post(f"{path}?bulk_list_id=3"))
    refusal(either.post(f"{path}?bulk_list_id=4"), 429)
    either.skip(120)
    expect(either.post(f"{path}?bulk_list_id=1"))
    refusal(either.post(f"{path}?start_date=now"), 400)


def test_analytics_add_up_to_the_history(either: Api) -> None:
    list_id = either.finished(contacts(50))
    expect(either.start(either.saved(contacts(5, first=90)), from_numbers=[NUMBER, SECOND_NUMBER]))
    drill = expect(either.get("/analytics/drill-down-analytics", bulk_list_id=list_id))["performance_metrics"]
    calls = either.calls(list_id)
    assert drill["total_calls"] == 50
    assert drill["connected_calls"] == sum(call["status"] == "completed" for call in calls)
    assert drill["total_duration"] == pytest.approx(sum(call["call_duration"] for call in calls), abs=0.01)
    refusal(either.get("/analytics/drill-down-analytics"), 400)
    total = expect(either.get("/analytics/platform-analytics"))
    assert total["performance_metrics"]["total_calls"] == 55
    assert sum(total["metrics_summary"].values()) == 55
    numbers = expect(either.get("/analytics/number-analytics", bulk_list_id=list_id))["number_analytics"]
    assert [row["number"] for row in numbers] == ["+918031000001"]
    shares = expect(either.get("/analytics/duration-distribution", bulk_list_id=list_id))["duration_distribution"]
    assert sum(shares.values()) == drill["connected_calls"]
    voicemail = expect(either.get("/analytics/platform-analytics", bulk_list_id=list_id, voicemail=True))
    assert voicemail["performance_metrics"]["total_calls"] == sum(call["voicemail_detected"] for call in calls)
    either.skip(3600)
    labels = expect(either.get("/analytics/classification-analytics", bulk_list_id=list_id))
    assert sum(labels["classification_analytics"].values()) == 50
    refusal(either.get("/analytics/platform-analytics", start_date="now"), 422)
    today = f"{datetime.now(UTC) + timedelta(hours=5.5):%Y-%m-%d}"
    assert expect(either.get("/analytics/platform-analytics", start_date=today, end_date=today))


def test_tens_of_thousands_of_calls_are_read_without_delay(api: Api) -> None:
    list_id = seeded(api, 40_000)
    api.finished(contacts(10))
    began = datetime.now(UTC)
    for offset in range(0, 40_000, 2_000):
        page = api.history(limit=200, offset=offset, sort_by="created_at", sort_order="asc")
        assert page["count"] == 200
        assert page["total"] == 40_010
    for offset in range(0, 4_000, 200):
        assert api.history(limit=200, offset=offset, bulk_list_id=list_id, status="failed")["count"] == 200
    assert datetime.now(UTC) - began < timedelta(seconds=15), "a page should cost what its rows cost"
