"""Lists and starts for the tests of the operators."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from tests.support.tasks import context

NOON = datetime(2027, 3, 1, 6, 30, tzinfo=UTC)  # 12:00 in India
AGENT = "22222222-2222-4222-8222-222222222222"
LINE = "aaaaaaaa-0000-4000-8000-000000000001"
CALL_CONFIG = {"call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"}}
COMMON: dict[str, Any] = {"task_id": "task", "ringg_conn_id": "ringg_sandbox", "agent_id": AGENT}


def upload(operator: Any, contacts: str, **changes: Any) -> str:
    """Upload a file; returns the list's id."""
    arguments = {
        **COMMON,
        "campaign_name": "Survey",
        "contacts": contacts,
        "variables_map": {"mobile_number": "Mobile Number", "callee_name": "Name"},
        "country_code": "+91",
        "call_config": CALL_CONFIG,
        **changes,
    }
    return str(operator(**arguments).execute(context()))


def state_of(platform: Any, list_id: str) -> str:
    """The list's state as it really is."""
    return str(next(one for one in platform.state()["campaigns"] if one["id"] == list_id)["state"])


def checked(platform: Any, list_id: str) -> str:
    """The list, once the platform is done with it; that takes a moment of the real time, and none of the frozen one."""
    for _ in range(2000):
        if state_of(platform, list_id) != "verifying":
            return list_id
    raise AssertionError("the sandbox is still verifying")


def started(platform: Any) -> int:
    """How many starts there were, of all lists."""
    return sum(campaign["launches"] for campaign in platform.state()["campaigns"])


class Pauses:
    """Stands in for the waiting between two looks: notes it, and does what is planned for a number."""

    def __init__(self, **plan: Callable[[], Any]) -> None:
        self.seconds: list[float] = []
        self.plan = {int(number.removeprefix("after_")): act for number, act in plan.items()}

    def __call__(self, seconds: float, told_to_stop: Callable[[], bool]) -> None:
        self.seconds.append(seconds)
        self.plan.get(len(self.seconds), lambda: None)()


class refused:  # noqa: N801 - reads like pytest.raises
    """The task fails without retry, because of this error."""

    def __init__(self, kind: type[Exception], words: str = "") -> None:
        self.kind = kind
        self.raises = pytest.raises(AirflowFailException, match=words)

    def __enter__(self) -> None:
        self.found = self.raises.__enter__()

    def __exit__(self, *failure: Any) -> bool:
        done = bool(self.raises.__exit__(*failure))
        if done:
            assert type(self.found.value.__cause__) is self.kind
        return done
