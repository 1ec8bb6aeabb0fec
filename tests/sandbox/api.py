"""A thin client for these tests: it knows the endpoints and nothing about our own package."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from tests.support.sandbox import Sandbox

RENEWALS = "11111111-1111-4111-8111-111111111111"
SURVEY = "22222222-2222-4222-8222-222222222222"
INBOUND = "33333333-3333-4333-8333-333333333333"
MULTI_NODE = "44444444-4444-4444-8444-444444444444"
NUMBER = "aaaaaaaa-0000-4000-8000-000000000001"
SECOND_NUMBER = "aaaaaaaa-0000-4000-8000-000000000002"
TEST_NUMBER = "aaaaaaaa-0000-4000-8000-000000000003"
TWILIO = "aaaaaaaa-0000-4000-8000-000000000005"
POOL = "bbbbbbbb-0000-4000-8000-000000000001"
MEMBER = "cccccccc-0000-4000-8000-000000000001"
UNKNOWN = "99999999-9999-4999-8999-999999999999"

PATIENCE_SECONDS = 30.0


def at(hours: float, zone: str = "Asia/Kolkata") -> str:
    """So many hours from now, as a campaign time in the zone of the campaign's `call_time`."""
    return f"{datetime.now(ZoneInfo(zone)) + timedelta(hours=hours):%d/%m/%Y, %H:%M}"


def call_config(**retry: int) -> dict[str, Any]:
    """A window that is open all day; `retry_count=...` and so on become the retry block."""
    window = {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "Asia/Kolkata"}
    return {"call_time": window, **({"call_retry_config": retry} if retry else {})}


def contacts(count: int, first: int = 0) -> str:
    """A CSV of valid Indian numbers: +919876500000 and on."""
    rows = (f"98765{number:05d},Contact {number}" for number in range(first, first + count))
    return "\n".join(["Mobile Number,Name", *rows])


class Api:
    """The vendor's API of one running sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = httpx.Client(base_url=sandbox.base_url, headers={"X-API-KEY": sandbox.api_key}, timeout=20)

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(path, params=params)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.http.post(path, json=body)

    def patch(self, path: str, body: Any) -> httpx.Response:
        return self.http.patch(path, json=body)

    def _upload(self, path: str, csv: str | bytes, file_name: str, fields: dict[str, Any]) -> httpx.Response:
        form = {
            "campaign_name": "Test",
            "agent_id": SURVEY,
            "country_code": "+91",
            "variables_map": {"mobile_number": "Mobile Number", "callee_name": "Name"},
            **fields,
        }
        text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in form.items() if v is not None}
        return self.http.post(path, data=text, files={"file": (file_name, csv, "text/csv")})

    def save(self, csv: str | bytes, file_name: str = "list.csv", **fields: Any) -> httpx.Response:
        schedule = {
            "call_config": call_config(),
            "campaign_start_time": at(0.1),
            "campaign_end_time": at(48),
        }
        return self._upload("/campaign/save", csv, file_name, schedule | fields)

    def upload(self, csv: str | bytes, file_name: str = "list.csv", **fields: Any) -> httpx.Response:
        return self._upload("/campaign/upload-csv", csv, file_name, fields)

    def start(self, list_id: str, **fields: Any) -> httpx.Response:
        return self.post("/campaign/start", {"agent_id": SURVEY, "list_id": list_id, "from_numbers": [NUMBER]} | fields)

    def start_pool(self, list_id: str, **fields: Any) -> httpx.Response:
        body = {"agent_id": SURVEY, "list_id": list_id, "number_pool_id": POOL}
        return self.post("/campaign/v2/start", body | fields)

    def make_call(self, bulk_list_id: str, **fields: Any) -> httpx.Response:
        body = {
            "bulk_list_id": bulk_list_id,
            "agent_id": SURVEY,
            "country_code": "+91",
            "call_config": call_config(),
            "campaign_start_time": at(0.1),
            "campaign_end_time": at(48),
            "from_numbers": [NUMBER],
        }
        merged = body | fields
        return self.post("/campaign/make-call-async", {k: v for k, v in merged.items() if v is not None})

    # -- whole steps, for tests that are about what comes after

    def saved(self, csv: str, **fields: Any) -> str:
        return str(expect(self.save(csv, **fields))["list_id"])

    def uploaded(self, csv: str, until: Iterable[str] = ("draft",), **fields: Any) -> str:
        list_id = str(expect(self.upload(csv, **fields))["bulk_list_id"])
        self.wait(list_id, *until)
        return list_id

    def started(self, csv: str, **fields: Any) -> str:
        list_id = self.saved(csv, **fields)
        expect(self.start(list_id))
        return list_id

    def finished(self, csv: str, **fields: Any) -> str:
        list_id = self.started(csv, **fields)
        self.wait(list_id, "completed")
        return list_id

    def status(self, bulk_list_id: str) -> dict[str, Any]:
        return expect(self.get(f"/campaign/upload-status/{bulk_list_id}"))

    def listed(self, list_id: str) -> dict[str, Any] | None:
        rows = expect(self.get("/campaign/all", limit=1000))["campaigns"]
        return next((row for row in rows if row["id"] == list_id), None)

    def campaign(self, list_id: str) -> dict[str, Any]:
        """The campaign as it really is."""
        state = self.sandbox.admin.get("/_sandbox/state", params={"calls": False}).json()
        return next(one for one in state["campaigns"] if one["id"] == list_id)

    def wait(self, list_id: str, *states: str) -> dict[str, Any]:
        """Until the campaign really is in one of these states."""
        return wait_for(lambda: (c := self.campaign(list_id))["state"] in states and c, f"{list_id} {states}")

    def skip(self, seconds: float) -> None:
        """Let so many simulated seconds pass at once."""
        self.sandbox.admin.post("/_sandbox/skip", json={"seconds": seconds}).raise_for_status()

    def skip_until(self, list_id: str, *states: str, step: float = 5.0) -> dict[str, Any]:
        """Skip in small steps until the campaign is in one of these states: no call has ended yet when it goes live."""
        for _ in range(10_000):
            if (campaign := self.campaign(list_id))["state"] in states:
                return campaign
            self.skip(step)
        raise AssertionError(f"{list_id} never was {states}")

    def calls(self, list_id: str) -> list[dict[str, Any]]:
        """All calls of a list in the order of creation, by pages of 200."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.history(
                bulk_list_id=list_id, limit=200, offset=len(found), sort_by="created_at", sort_order="asc"
            )
            found += page["calls"]
            if len(page["calls"]) < 200:
                return found

    def history(self, **params: Any) -> dict[str, Any]:
        """Calls; of all times where no dates are given, which have to be sent for that."""
        ever = {"start_date": "2020-01-01T00:00:00+00:00", "end_date": "2100-01-01T00:00:00+00:00"}
        return expect(self.get("/calling/history", **ever | params))

    def details(self, call_id: str, **params: Any) -> dict[str, Any]:
        return dict(expect(self.get("/calling/call-details", id=call_id, **params))["data"])


MakeApi = Callable[..., Api]


def expect(response: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, f"{response.status_code}: {response.text[:300]}"
    return dict(response.json())


def refusal(response: httpx.Response, status: int) -> str:
    """The sentence of a refusal, whatever the shape of its body."""
    body = expect(response, status)
    detail = body.get("detail")
    if isinstance(detail, list):
        return str(detail[0]["msg"])
    error = body.get("error")
    nested = error.get("message") if isinstance(error, dict) else error
    return str(body.get("message") or detail or nested)


def wait_for(condition: Any, what: str) -> Any:
    """What `condition()` returns once it is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"still waiting for {what}")


def instant(text: str) -> float:
    """A timestamp of the wire as Unix time."""
    return datetime.fromisoformat(text).timestamp()
