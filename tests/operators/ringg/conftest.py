"""Lists that wait to be started."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ringg_provider.operators import launching
from ringg_provider.operators.ringg import (
    RinggSaveCampaignOperator,
    RinggUploadCsvOperator,
)
from tests.operators.ringg.starts import (
    AGENT,
    COMMON,
    CONFIG,
)
from tests.support.sandbox import Sandbox
from tests.support.tasks import context


@pytest.fixture
def upload(sandbox: Sandbox, tmp_path: Path) -> Callable[[str], str]:
    """Upload two people in either flow, and wait until the list can be started."""
    file = tmp_path / "contacts.csv"
    file.write_text("Mobile Number,Name\n+919876543210,Asha\n+919876543211,Ravi\n")

    def upload(flow: str) -> str:
        operator = RinggSaveCampaignOperator if flow == "standard" else RinggUploadCsvOperator
        list_id = operator(
            **COMMON,
            agent_id=AGENT,
            campaign_name="Survey",
            contacts=str(file),
            variables_map={"mobile_number": "Mobile Number", "callee_name": "Name"},
            country_code="+91",
            call_config=CONFIG,
        ).execute(context())
        deadline = time.monotonic() + 20
        while sandbox.state()["campaigns"][-1]["state"] in ("verifying", "uploaded", "processing"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return list_id

    return upload


@pytest.fixture
def quick_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked for in two minutes otherwise is given up in a second."""
    real = launching.launch
    quick = {"settle_timeout": 1.0, "settle_interval": 0.1}
    monkeypatch.setattr(launching, "launch", lambda *args, **more: real(*args, **{**more, **quick}))
