"""One Airflow for the whole folder, and its schedules under way a few at a time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from demo.postgres import EmbeddedPostgres
from tests.faults.drills import Outcome, carry_out
from tests.faults.schedules import Schedule
from tests.faults.stage import Stage, set_stage

#: Schedules under way at the same time: enough to keep two cores busy while others wait.
AT_ONCE = 6


@pytest.fixture(scope="package")
def stage(postgres: EmbeddedPostgres) -> Iterator[Stage]:
    """A real Airflow: scheduler, triggerer, DAG processor, API server, workers."""
    home = Path(tempfile.mkdtemp(prefix="ringg-provider-faults-"))
    try:
        with set_stage(postgres, home) as stage:
            yield stage
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="package")
def outcomes(stage: Stage, request: pytest.FixtureRequest) -> Iterator[dict[Schedule, Future[Outcome]]]:
    """What will have come of every schedule that this session has chosen."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    chosen = [item.callspec.params["schedule"] for item in items if "schedule" in item.callspec.params]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="schedule") as pool:
        try:
            yield {schedule: pool.submit(carry_out, stage, schedule) for schedule in chosen}
        finally:
            stage.is_over.set()  # Ctrl-C does not wait for what is under way
            pool.shutdown(wait=True, cancel_futures=True)
