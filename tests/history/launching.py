"""Launch a small campaign in the sandbox, so that there is a history to read."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ringg_provider.ringg import RinggClient
from ringg_provider.ringg.requests import CallConfig, CallRetryConfig, CallTime, CampaignSpec, StartCampaign
from tests.support.sandbox import Sandbox

SURVEY = "22222222-2222-4222-8222-222222222222"
NUMBER = "aaaaaaaa-0000-4000-8000-000000000001"


def client_of(sandbox: Sandbox) -> RinggClient:
    """A client of the sandbox."""
    return RinggClient(sandbox.api_key, sandbox.base_url)


def launch(sandbox: Sandbox, folder: Path, people: int, *, first: int = 10_000_000) -> str:
    """Start a campaign that dials `people` numbers from +91 98 `first` on; gives back its id."""
    csv = folder / f"people-{first}.csv"
    rows = [f"Person {n},+9198{n:08d}" for n in range(first, first + people)]
    csv.write_text("name,phone\n" + "\n".join(rows) + "\n")
    config = CallConfig(
        call_time=CallTime(call_start_time="00:00", call_end_time="23:59", timezone="UTC"),
        call_retry_config=CallRetryConfig(retry_count=1, retry_busy=5, retry_not_picked=5, retry_failed=5),
    )
    tomorrow = datetime.now(UTC) + timedelta(minutes=2)
    spec = CampaignSpec(
        campaign_name="History",
        agent_id=SURVEY,
        country_code="+91",
        variables_map={"callee_name": "name", "mobile_number": "phone"},
        call_config=config,
        campaign_start_time=f"{tomorrow:%d/%m/%Y, %H:%M}",
        campaign_end_time=f"{tomorrow + timedelta(days=3):%d/%m/%Y, %H:%M}",
    )
    with client_of(sandbox) as client:
        list_id = client.save_campaign(spec, csv).list_id
        client.start_campaign(StartCampaign(agent_id=SURVEY, list_id=list_id, from_numbers=[NUMBER]))
    return list_id


def wait_until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Wait until something is true and give it back."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.05)
    return found


def ended(sandbox: Sandbox, list_id: str) -> bool:
    """Whether the campaign is over and all its calls have cost and analysis."""
    state = sandbox.state()
    campaign = next(each for each in state["campaigns"] if each["id"] == list_id)
    return campaign["state"] == "completed"
