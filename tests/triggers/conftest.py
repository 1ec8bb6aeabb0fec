"""Campaigns and lists to wait for, a task that waits, and nothing that is left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.execution_time import task_runner

from ringg_provider.ringg import RinggClient
from ringg_provider.ringg.requests import CampaignSpec
from ringg_provider.triggers import clients, poller, stopping
from tests.support.sandbox import Sandbox
from tests.triggers.waits import Supervisor, seed


@pytest.fixture
def campaign_id(sandbox: Sandbox) -> str:
    (campaign_id,) = seed(sandbox)
    return campaign_id


@pytest.fixture
def bulk_list_id(sandbox: Sandbox, tmp_path: Path) -> str:
    """A real upload of one contact."""
    csv = tmp_path / "contacts.csv"
    csv.write_text("Name,Phone\nAsha,9876543210\n")
    spec = CampaignSpec(
        campaign_name="triggers",
        agent_id="22222222-2222-4222-8222-222222222222",
        country_code="+91",
        variables_map={"callee_name": "Name", "mobile_number": "Phone"},
        call_config={"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "UTC"}},
        campaign_start_time="01/01/2030, 10:00",
        campaign_end_time="01/01/2030, 20:00",
    )
    with RinggClient(sandbox.api_key, sandbox.base_url) as client:
        return client.upload_csv(spec, csv).bulk_list_id


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert poller.pollers == {}
    assert clients.open_clients == {}
    assert stopping.under_way == set()


@pytest.fixture
def task_is(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Supervisor]:
    def be(state: str | Exception | None, **more: Any) -> Supervisor:
        supervisor = Supervisor(state, **more)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
        return supervisor

    return be
