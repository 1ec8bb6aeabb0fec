"""A Monday in India, at noon and standing still, with a sandbox on a real socket that lives in the same time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine

from ringg_provider.operators.ringg import RinggSaveCampaignOperator, RinggUploadCsvOperator
from tests.operators.campaigns import NOON, checked, upload


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Coordinates]:
    """Noon, until a test moves it."""
    with time_machine.travel(NOON, tick=False) as coordinates:
        yield coordinates


@pytest.fixture
def platform(clock: Any, request: pytest.FixtureRequest, sandbox_factory: Any) -> Any:
    """A sandbox whose own time runs with the frozen one; checking an upload takes none of it."""
    generation = getattr(request, "param", "g3")
    return sandbox_factory(generation, speed=1, verify_seconds=0, verify_rows_per_second=1_000_000_000)


@pytest.fixture
def contacts(tmp_path: Path) -> str:
    """A file with two people."""
    file = tmp_path / "contacts.csv"
    file.write_text("Mobile Number,Name\n+919876543210,Asha\n+919876543211,Ravi\n")
    return str(file)


@pytest.fixture
def saved(platform: Any, contacts: str) -> str:
    """A list of the standard flow that may be called from 13:00 to 17:00 today."""
    times = {"campaign_start_time": "2027-03-01T13:00", "campaign_end_time": "2027-03-01T17:00"}
    return upload(RinggSaveCampaignOperator, contacts, **times)


@pytest.fixture
def uploaded(platform: Any, contacts: str) -> str:
    """A list of the large flow."""
    return checked(platform, upload(RinggUploadCsvOperator, contacts))
