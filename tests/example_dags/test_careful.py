"""The examples that call wave by wave, run to their end against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from demo.contacts import load
from tests.example_dags.examples import changed, most_dials
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse


@pytest.mark.slow
@pytest.mark.parametrize("dag_id", ["ringg_careful_campaign", "smartalex_careful_campaign"])
def test_a_careful_campaign_calls_one_wave_after_the_other_within_its_budget(
    dag_id: str, run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse
) -> None:
    sandbox = sandbox_factory()
    load(warehouse.engine, 300)
    run = run_dag(dag_id)
    assert run.state == "success", run
    told = run.xcom("roll_out", key="rollout")
    assert told["state"] == "ended"
    numbers = [wave["wave"] for wave in told["waves"]]
    assert numbers == sorted(numbers)
    assert {0, 2, 3} <= set(numbers), "the smallest wave may be empty"
    assert most_dials(sandbox) == 1
    (budget,) = warehouse.query("SELECT credits, committed FROM ringg_budgets")
    assert 0 < budget["committed"] <= budget["credits"]


@pytest.mark.slow
def test_a_careful_campaign_that_only_fails_is_stopped_and_fails_the_run_which_still_loads_the_calls(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse
) -> None:
    sandbox = sandbox_factory(failed_rate=1, busy_rate=0, not_picked_rate=0, voicemail_rate=0)
    load(warehouse.engine, 1200)
    source = changed("ringg_careful_campaign", "waves=(0.01, 0.1)", "waves=(0.2, 0.3)")
    # Above 80 % a wave of 70 calls proves nothing, by chance's own bound; above 30 % it does.
    run = run_dag(source.replace('"failures": 0.8', '"failures": 0.3'))
    assert (run.state, run.tasks["roll_out"], run.tasks["load_calls"]) == ("failed", "failed", "success")
    called = warehouse.count("SELECT count(DISTINCT list_id) FROM ringg_launches WHERE state = 'started'")
    assert called == 2, "the rehearsal and the first wave"
    assert warehouse.count("SELECT count(*) FROM ringg_launches WHERE state = 'braked'") == 2
    assert most_dials(sandbox) == 1
