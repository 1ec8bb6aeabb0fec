"""The sandbox as SmartAlex, seen over its socket: lifecycle, hours, callbacks, both generations, faults."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support.sandbox import Sandbox, running_sandbox

PEOPLE = [f"+1555123{n:04}" for n in range(4)]
DAY = {"calling_hours_start": "00:00", "calling_hours_end": "23:59", "timezone": "UTC", "concurrent_calls": 10}
#: Seconds of the sandbox that pass in one of ours: a day, because a callback waits for one.
FAST = 86_400


class Alex:
    """A sandbox and a client for it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = httpx.Client(base_url=sandbox.smartalex_url, headers={"Authorization": f"Bearer {sandbox.api_key}"})

    def draft(self, people: list[str] = PEOPLE, **settings: Any) -> str:
        body = {"name": "Survey", "agent_id": "agent_survey", "settings": {**DAY, **settings}}
        created = self.http.post("/campaigns", json=body)
        assert created.status_code == 201, created.text
        campaign_id: str = created.json()["data"]["id"]
        if people:
            contacts = [{"phone": number, "first_name": "Ann"} for number in people]
            assert self.http.post(f"/campaigns/{campaign_id}/contacts", json={"contacts": contacts}).is_success
        return campaign_id

    def do(self, campaign_id: str, action: str) -> httpx.Response:
        return self.http.post(f"/campaigns/{campaign_id}/{action}")

    def status(self, campaign_id: str) -> str:
        return str(self.http.get(f"/campaigns/{campaign_id}").json()["data"]["status"])

    def until(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 20
        while not (found := condition()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return found

    def rows(self, path: str, **filters: Any) -> list[dict[str, Any]]:
        return list(self.http.get(path, params={"per_page": 100, **filters}).json()["data"])


@pytest.fixture
def alex_with() -> Iterator[Callable[..., Alex]]:
    opened = []

    def start(**options: Any) -> Alex:
        context = running_sandbox(**{"speed": FAST, **options})
        alex = Alex(context.__enter__())
        opened.append((context, alex))
        return alex

    yield start
    for context, alex in opened:
        alex.http.close()
        context.__exit__(None, None, None)


@pytest.fixture
def alex(alex_with: Callable[..., Alex]) -> Alex:
    return alex_with()


def code(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


def test_a_campaign_goes_from_draft_over_active_to_completed_and_calls_everybody_once_a_day(alex: Alex) -> None:
    campaign = alex.draft(max_retries=0)
    assert alex.status(campaign) == "draft"
    assert alex.do(campaign, "start").is_success
    alex.until(lambda: alex.status(campaign) == "completed")
    assert {row["phone_number"] for row in alex.rows("/calls", campaign_id=campaign)} == set(PEOPLE)
    assert alex.sandbox.dials()["max_calls_per_number"] == 1


def test_a_key_that_is_wrong_is_refused_by_code(alex: Alex) -> None:
    answer = alex.http.get("/agents", headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, code(answer)) == (401, "unauthorized")


def test_each_refusal_has_its_code(alex: Alex) -> None:
    empty, full = alex.draft(people=[]), alex.draft(calling_hours_start="00:00", calling_hours_end="00:01")
    assert code(alex.do("campaign_nowhere", "start")) == "campaign_not_found"
    assert code(alex.do(empty, "start")) == "no_contacts"
    assert code(alex.do(full, "pause")) == "campaign_not_active"
    assert alex.do(full, "start").is_success
    assert code(alex.do(full, "start")) == "campaign_already_active"
    unready = {"name": "a", "agent_id": "agent_unready"}
    assert code(alex.http.post("/campaigns", json=unready)) == "agent_not_found"
    assert code(alex.http.post("/campaigns", json={"agent_id": "agent_survey"})) == "invalid_request"


def test_a_paused_campaign_calls_nobody_until_it_is_resumed(alex_with: Callable[..., Alex]) -> None:
    alex = alex_with(speed=60)
    campaign = alex.draft([f"+1555123{n:04}" for n in range(50)], concurrent_calls=1, max_retries=0)
    alex.do(campaign, "start")
    alex.until(lambda: alex.rows("/calls"))
    assert alex.do(campaign, "pause").is_success
    alex.sandbox.skip(hours=10 / 60)  # the call under way ends by itself
    then = len(alex.rows("/calls"))
    alex.sandbox.skip(hours=24)
    assert len(alex.rows("/calls")) == then
    assert alex.do(campaign, "resume").is_success
    alex.until(lambda: len(alex.rows("/calls")) > then)


def test_whoever_was_not_reached_has_a_callback_until_it_is_made(alex_with: Callable[..., Alex]) -> None:
    alex = alex_with(speed=1, forced_outcomes={PEOPLE[0]: ["not_picked", "completed"], PEOPLE[1]: ["voicemail"]})
    campaign = alex.draft(PEOPLE[:2], max_retries=1)
    alex.do(campaign, "start")
    alex.sandbox.skip(hours=1)
    pending = alex.rows(f"/campaigns/{campaign}/callbacks")
    assert {row["original_outcome"] for row in pending} == {"no_answer", "voicemail"}
    assert all(row["status"] == "pending" and row["scheduled_at"] for row in pending)
    alex.sandbox.skip(hours=48)
    assert alex.rows(f"/campaigns/{campaign}/callbacks") == []
    assert alex.status(campaign) == "completed"
    statuses = sorted(row["status"] for row in alex.rows("/calls"))
    assert statuses == ["completed", "no_answer", "voicemail", "voicemail"]


def test_nobody_is_called_outside_the_hours(alex_with: Callable[..., Alex]) -> None:
    alex = alex_with(speed=1)
    hour = (time.gmtime().tm_hour + 3) % 22
    campaign = alex.draft(calling_hours_start=f"{hour:02}:00", calling_hours_end=f"{hour + 1:02}:00")
    alex.do(campaign, "start")
    alex.sandbox.skip(hours=0.5)
    assert alex.rows("/calls") == []
    assert alex.status(campaign) == "active"


def test_people_on_the_do_not_call_list_are_never_dialled(alex_with: Callable[..., Alex]) -> None:
    alex = alex_with(dnc_numbers=[PEOPLE[0]])
    campaign = alex.draft(max_retries=0)
    alex.do(campaign, "start")
    alex.until(lambda: alex.status(campaign) == "completed")
    assert PEOPLE[0] not in {row["phone_number"] for row in alex.rows("/calls")}
    assert [row["phone"] for row in alex.rows("/contacts", status="dnc")] == [PEOPLE[0]]


def test_a_second_start_dials_again_only_where_the_platform_would_let_it(alex_with: Callable[..., Alex]) -> None:
    alex = alex_with(refuse_second_start=False)
    campaign = alex.draft(max_retries=0)
    alex.do(campaign, "start")
    alex.do(campaign, "start")
    assert alex.sandbox.dials()["max_calls_per_number"] == 2
    assert alex.sandbox.dials()["lists"][campaign]["launches"] == 2


def test_the_newer_generation_has_other_words_no_meta_and_no_pause(alex_with: Callable[..., Alex]) -> None:
    alex = alex_with(smartalex="new")
    week = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    hours = {day: {"enabled": True, "start": "00:00", "end": "23:59"} for day in week}
    body = {"name": "a", "agent_id": "agent_survey", "timezone": "UTC", "business_hours": hours}
    campaign = alex.http.post("/campaigns", json=body).json()["data"]["id"]
    alex.http.post(f"/campaigns/{campaign}/contacts", json={"contacts": [{"phone": PEOPLE[0]}]})
    alex.do(campaign, "start")
    (row, *_) = alex.until(lambda: alex.rows("/calls"))
    assert {"call_status", "duration_seconds", "start_timestamp", "contact_id"} <= row.keys()
    assert alex.http.get(f"/calls/{row['id']}").json()["data"]["campaign_id"] == campaign
    assert "meta" not in alex.http.get("/campaigns").json()
    assert code(alex.do(campaign, "pause")) == "not_found"
    assert all("is_active" in agent for agent in alex.rows("/agents"))


@pytest.mark.parametrize(("when", "launches"), [("before", 0), ("after", 1)])
def test_the_same_faults_befall_it(alex: Alex, when: str, launches: int) -> None:
    campaign = alex.draft()
    alex.sandbox.fault(method="POST", path="/campaigns/{id}/start", kind="cut", when=when)
    with pytest.raises(httpx.TransportError):
        alex.do(campaign, "start")
    assert alex.sandbox.dials()["lists"][campaign]["launches"] == launches
    assert alex.sandbox.requests()[-1]["path"] == f"/campaigns/{campaign}/start"


def test_a_fault_is_worded_as_the_platform_words_errors(alex: Alex) -> None:
    alex.sandbox.fault(path="/campaigns", kind="status", status=429)
    assert code(alex.http.get("/campaigns")) == "rate_limited"


def test_a_campaign_that_somebody_cancelled_calls_nobody_more(alex_with: Callable[..., Alex]) -> None:
    alex = alex_with(speed=1)
    campaign = alex.draft(concurrent_calls=1)
    alex.do(campaign, "start")
    assert alex.sandbox.admin.post(f"/_sandbox/smartalex/campaigns/{campaign}/cancel").is_success
    assert alex.status(campaign) == "cancelled"
    alex.sandbox.skip(hours=24)
    assert len(alex.rows("/calls")) <= 1
    assert alex.status(campaign) == "cancelled"
