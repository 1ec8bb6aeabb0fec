"""Starts in both flows, and what the sandbox counted of them."""

from __future__ import annotations

from typing import Any

import pytest

from ringg_provider.operators.ringg import (
    RinggMakeCallAsyncOperator,
    RinggStartCampaignOperator,
)
from tests.launch.hostile import TaskStateModel
from tests.support.sandbox import Sandbox
from tests.support.tasks import context

AGENT = "22222222-2222-4222-8222-222222222222"
LINE = "aaaaaaaa-0000-4000-8000-000000000001"
CONFIG = {"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": "UTC"}}
COMMON: dict[str, Any] = {"task_id": "task", "ringg_conn_id": "ringg_sandbox"}

both_generations = pytest.mark.parametrize("sandbox", ["g2", "g3"], indirect=True)
both_flows = pytest.mark.parametrize("flow", ["standard", "large"])


def starting(flow: str, list_id: str, **arguments: Any) -> Any:
    given = {**COMMON, "agent_id": AGENT, "from_numbers": [LINE], "poll_interval": 0.1, **arguments}
    if flow == "standard":
        return RinggStartCampaignOperator(list_id=list_id, **given)
    return RinggMakeCallAsyncOperator(bulk_list_id=list_id, country_code="+91", call_config=CONFIG, **given)


def with_store(store: TaskStateModel) -> Any:
    """The context of an attempt on Airflow 3.3."""
    return context() | {"task_state_store": store}


def launches(sandbox: Sandbox) -> list[int]:
    return [campaign["launches"] for campaign in sandbox.state()["campaigns"]]


def posts(sandbox: Sandbox) -> int:
    acting = ("/campaign/start", "/campaign/make-call-async")
    return sum(request["path"].endswith(acting) for request in sandbox.requests())


def terminated(sandbox: Sandbox) -> bool:
    return any(request["method"] == "PATCH" for request in sandbox.requests())
