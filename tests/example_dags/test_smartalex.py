"""The examples for SmartAlex, run to their end against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pendulum
import pytest

from demo.contacts import load
from tests.example_dags.examples import changed, most_dials
from tests.support.dags import EXAMPLES, DagRunner
from tests.support.databases import Warehouse


def test_smartalex_calls_are_published(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse, apart: Warehouse
) -> None:
    sandbox_factory()
    run = run_dag("smartalex_published_calls")
    assert run.state == "success", run
    assert {"smartalex_calls", "ringg_publications"} <= apart.tables()


def not_deferring(dag_id: str, tmp_path: Path) -> Path:
    """A copy of an example whose waits are not deferred."""
    source = (EXAMPLES / f"{dag_id}.py").read_text()
    copy = tmp_path / f"{dag_id}.py"
    copy.write_text(source.replace("deferrable=True", "deferrable=False"))
    assert copy.read_text() != source
    return copy


@pytest.mark.parametrize("mode", ["sync", "deferrable"])
def test_a_smartalex_campaign_is_paused_resumed_and_brought_back(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse, tmp_path: Path, mode: str
) -> None:
    # A callback that somebody asked for would still be to come.
    sandbox = sandbox_factory(speed=86_400, callback_rate=0)
    load(warehouse.engine, 60)
    run = run_dag("smartalex_campaign" if mode == "deferrable" else not_deferring("smartalex_campaign", tmp_path))
    assert run.state == "success", run
    (campaign,) = sandbox.state()["campaigns"]
    assert (campaign["state"], campaign["launches"]) == ("completed", 1)
    assert [entry["state"] for entry in campaign["states"]].count("paused") <= 1
    assert most_dials(sandbox) == 1
    attempts = sum(list_["attempts"] for list_ in sandbox.dials()["lists"].values())
    assert warehouse.count("SELECT count(*) FROM smartalex_calls WHERE is_final") == attempts
    assert warehouse.count("SELECT count(*) FROM smartalex_callbacks WHERE state <> 'done'") == 0


@pytest.mark.slow
@pytest.mark.parametrize("generation", ["old", "new"])
def test_smartalex_from_the_warehouse_calls_everybody_once_however_often_it_runs(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse, generation: str
) -> None:
    sandbox = sandbox_factory(speed=86_400, smartalex=generation)
    load(warehouse.engine, 100)
    # 02:00 in India, the same day again, and the day after it.
    tonight = pendulum.now("UTC").start_of("day").add(hours=20, minutes=30)
    for instant in (tonight, tonight.add(hours=1), tonight.add(days=1)):
        run = run_dag("smartalex_nightly_campaign", run_after=instant, logical_date=instant)
        assert run.state == "success", run
    assert most_dials(sandbox) == 1
    called = len(sandbox.dials()["numbers"])
    assert called == warehouse.count("SELECT count(*) FROM smartalex_contacts WHERE disposition = 'listed'") > 0
    assert called <= warehouse.count("SELECT count(*) FROM smartalex_calls WHERE is_final")
    again = run.xcom("create_drafts", "summary")
    assert again["already_launched"] is False
    assert again["reasons"]["suppressed"] >= called
    assert "ringg_contacts" not in warehouse.tables()


def test_a_smartalex_list_that_fails_fails_the_run_which_still_loads_the_calls(
    run_dag: DagRunner, sandbox_factory: Callable[..., Any], warehouse: Warehouse
) -> None:
    sandbox_factory(speed=86_400)
    load(warehouse.engine, 60)
    run = run_dag(changed("smartalex_nightly_campaign", "timeout=WAIT_SECONDS", "timeout=0"))
    assert run.tasks["start", 0] == "failed", run
    assert run.tasks["load_calls"] == "success"
    assert run.state == "failed"
