"""The day in the examples' launch keys and names is the one that it is where the audience lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pendulum
import pytest

from demo.contacts import load
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse

#: 02:00 of the next day in India, where UTC still has today.
TONIGHT = pendulum.now("UTC").start_of("day").add(hours=20, minutes=30)
BY_DAY = [
    "ringg_nightly_campaign",
    "ringg_campaigns_by_segment",
    "ringg_careful_campaign",
    "smartalex_nightly_campaign",
    "smartalex_careful_campaign",
]


# 18:30 in UTC is midnight in India: what runs a minute before it has the day that UTC has, too.
@pytest.mark.slow
@pytest.mark.parametrize(("minutes_before", "days"), [(0, 1), (121, 0)])
@pytest.mark.parametrize("dag_id", BY_DAY)
def test_the_key_and_the_name_say_the_day_where_the_audience_lives(
    dag_id: str,
    minutes_before: int,
    days: int,
    run_dag: DagRunner,
    sandbox_factory: Callable[..., Any],
    warehouse: Warehouse,
) -> None:
    sandbox = sandbox_factory(speed=86_400)
    load(warehouse.engine, 60)
    instant = TONIGHT.subtract(minutes=minutes_before)
    run = run_dag(dag_id, run_after=instant, logical_date=instant)
    assert run.state == "success", run
    day = TONIGHT.add(days=days).to_date_string()
    keys = [row["launch_key"] for row in warehouse.query("SELECT launch_key FROM ringg_launches")]
    names = [campaign["name"] for campaign in sandbox.state()["campaigns"]]
    assert keys
    assert names
    assert all(key.endswith(f"-{day}") for key in keys), keys
    assert all(f" {day}" in name for name in names), names
