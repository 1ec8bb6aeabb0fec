"""The sandbox's own endpoints and pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import httpx
import pytest

from tests.sandbox.api import SURVEY, Api, MakeApi, contacts, expect, instant


def test_a_reset_forgets_campaigns_settings_faults_and_requests(api: Api) -> None:
    api.finished(contacts(3))
    api.sandbox.settings(balance=1, generation="g2")
    api.sandbox.fault(path="/", kind="cut", times=9)
    api.sandbox.reset()
    state = api.sandbox.state()
    assert (state["campaigns"], state["calls"], state["generation"]) == ([], [], "g3")
    assert Decimal(state["balance"]) == 1_000_000
    assert api.sandbox.requests() == []
    expect(api.get("/workspace"))


def test_settings_are_changed_together_or_not_at_all(api: Api) -> None:
    before = api.sandbox.admin.get("/_sandbox/settings").json()
    for changes, word in (
        ({"lines": 5, "busy_rate": 2}, "busy_rate"),
        ({"lines": 5, "nonsense": 1}, "nonsense"),
        ({"lines": 5, "generation": "g4"}, "generation"),
        ({"lines": 5, "error_shape": "odd"}, "error_shape"),
    ):
        response = api.sandbox.admin.patch("/_sandbox/settings", json=changes)
        assert response.status_code == 422
        assert word in response.text
    assert api.sandbox.admin.get("/_sandbox/settings").json() == before


def test_settings_never_show_the_key(api: Api) -> None:
    assert api.sandbox.api_key not in api.sandbox.admin.get("/_sandbox/settings").text
    assert api.sandbox.api_key not in str(api.sandbox.settings(lines=3))


def test_admin_endpoints_count_neither_as_requests_nor_against_faults(api: Api) -> None:
    api.sandbox.fault(path="/", kind="status", status=500)
    api.sandbox.dials()
    assert api.sandbox.requests() == []
    assert api.get("/workspace").status_code == 500


def test_campaigns_can_be_made_up_in_bulk(either: Api) -> None:
    body = {"count": 10_000, "states": ["completed", "ongoing", None]}
    ids = expect(either.sandbox.admin.post("/_sandbox/seed/campaigns", json=body))["ids"]
    began = datetime.now(UTC)
    page = expect(either.get("/campaign/all", limit=1000, offset=9_000))
    assert page["pagination"] == {"total": 10_000, "limit": 1000, "offset": 9_000}
    assert [row["id"] for row in page["campaigns"]] == ids[:1000][::-1]
    assert datetime.now(UTC) - began < timedelta(seconds=3)
    g3 = either.sandbox.state()["generation"] == "g3"
    words = {row["campaign_status"] for row in page["campaigns"]}
    assert words == {"completed", "ongoing" if g3 else "running", None}


@pytest.mark.parametrize(("params", "status"), [({"limit": 0}, 422), ({"limit": 1001}, 422), ({"offset": -1}, 422)])
def test_the_listing_has_pages_of_at_most_a_thousand(either: Api, params: dict[str, int], status: int) -> None:
    assert either.get("/campaign/all", **params).status_code == status
    assert expect(either.get("/campaign/all"))["pagination"] == {"total": 0, "limit": 10, "offset": 0}


def test_calls_can_be_made_up_in_bulk_and_look_like_finished_ones(api: Api) -> None:
    list_id = expect(api.sandbox.admin.post("/_sandbox/seed/calls", json={"count": 300, "hours": 2}))["id"]
    calls = api.calls(list_id)
    assert len(calls) == 300
    assert {call["status"] for call in calls} == {"completed", "failed"}
    times = [instant(call["created_at"]) for call in calls]
    assert times == sorted(times)
    assert times[-1] - times[0] == pytest.approx(7200, rel=0.01)
    assert api.campaign(list_id)["calls"] == {
        "completed": sum(call["status"] == "completed" for call in calls),
        "failed": sum(call["status"] == "failed" for call in calls),
    }
    done = next(call for call in calls if call["status"] == "completed")
    assert "platform_analysis" in api.details(done["id"], send_analysis=True)


def test_made_up_calls_of_the_past_stay_in_order_with_real_ones(api: Api) -> None:
    api.finished(contacts(5))
    api.sandbox.admin.post("/_sandbox/seed/calls", json={"count": 20, "hours": 1}).raise_for_status()
    times = [c["created_at"] for c in api.history(limit=50, sort_by="created_at", sort_order="asc")["calls"]]
    assert len(times) == 25
    assert times == sorted(times)


class _Page(HTMLParser):
    """Collects what a browser would load, and checks that tags are closed in order."""

    _VOID = frozenset({"meta", "br", "link", "img", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self._VOID:
            self.open.append(tag)
        self.loaded += [str(value) for name, value in attrs if name == "src" or (tag == "link" and name == "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


def test_the_front_page_shows_campaigns_and_calls_with_masked_numbers(either: Api) -> None:
    either.finished(contacts(20), campaign_name="<b>Renewals & more</b>")
    answer = httpx.get(either.sandbox.url)
    assert answer.status_code == 200
    page = answer.text
    assert "&lt;b&gt;Renewals &amp; more&lt;/b&gt;" in page
    assert "completed" in page
    assert re.search(r"\+91•+19", page)
    assert "98765" not in page
    assert parsed(page).loaded == []


def test_the_front_page_of_an_empty_sandbox_says_so(api: Api) -> None:
    page = httpx.get(api.sandbox.url).text
    assert "No list was uploaded yet." in page
    assert "No call was made yet." in page


def test_the_front_page_shows_fifty_of_many(api: Api) -> None:
    api.sandbox.admin.post("/_sandbox/seed/campaigns", json={"count": 2000}).raise_for_status()
    page = httpx.get(api.sandbox.url).text
    assert "Campaigns (2,000)" in page
    assert page.count("Seeded campaign") == 50


def test_the_api_page_describes_every_endpoint_without_loading_anything(api: Api) -> None:
    openapi = httpx.get(f"{api.sandbox.url}/openapi.json").json()
    answer = httpx.get(f"{api.sandbox.url}/docs")
    assert answer.status_code == 200
    assert parsed(answer.text).loaded == []
    assert "/ca/api/v0/campaign/make-call-async" in openapi["paths"]
    for path in openapi["paths"]:
        assert path in answer.text
    for name in ("variables_map", "call_slots", "bulk_list_id", "listing_lag_seconds"):
        assert name in answer.text


def test_dials_count_per_number_list_and_launch(api: Api) -> None:
    first, second = api.finished(contacts(3)), api.finished(contacts(2))
    dials = api.sandbox.dials()
    assert dials["numbers"]["+919876500000"]["lists"] == {first: 1, second: 1}
    assert dials["numbers"]["+919876500002"]["calls"] == 1
    assert dials["max_calls_per_number"] == 2
    assert dials["lists"][second] == {
        "name": "Test",
        "launches": 1,
        "calls": 2,
        "attempts": 2,
        "max_calls_per_number": 1,
    }


def test_a_call_that_was_cancelled_before_it_was_dialled_counts_as_created_only(make_api: MakeApi) -> None:
    api = make_api(speed=0.001)
    list_id = api.started(contacts(2))
    expect(api.patch("/campaign/terminate", {"agent_id": SURVEY}))
    entry = api.sandbox.dials()["numbers"]["+919876500000"]
    assert (entry["calls"], entry["dialled_calls"], entry["attempts"]) == (1, 0, 0)
    assert api.campaign(list_id)["calls"] == {"cancelled": 2}
