"""What every example keeps to."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from tests.example_dags.examples import FILES
from tests.support.dags import AIRFLOW, EXAMPLES, DagRunner
from tests.support.databases import Warehouse
from tests.support.provided import offered_operators


def test_there_is_one_dag_in_every_file_named_after_it(bag: Any) -> None:
    assert sorted(bag.dags) == FILES


def test_they_import_without_error_or_warning(bag: Any) -> None:
    assert bag.import_errors == {}
    # Airflow 3.1 warns of its own classes while it imports them; what our lines cause names our files.
    ours = [warning for found in bag.captured_warnings.values() for warning in found if "site-packages" not in warning]
    assert ours == []


@pytest.mark.parametrize("dag_id", FILES)
def test_none_is_unpaused_on_creation_or_catches_up(bag: Any, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert dag.is_paused_upon_creation is True
    assert not dag.catchup


def test_a_wait_is_bounded_and_the_sandboxs_interval_is_named_as_such(bag: Any) -> None:
    for dag in bag.dags.values():
        file = EXAMPLES / f"{dag.dag_id}.py"
        intervals = {
            ast.unparse(word.value)
            for word in ast.walk(ast.parse(file.read_text()))
            if isinstance(word, ast.keyword) and word.arg in ("poll_interval", "poke_interval")
        }
        assert intervals <= {"POLL_SECONDS"}, dag.dag_id
        assert not intervals or "In production leave the interval at its default" in file.read_text(), dag.dag_id
        for task in dag.tasks:
            given = task.partial_kwargs if task.is_mapped else vars(task)
            if given.get("wait_for_completion"):
                assert given["timeout"], task


@pytest.mark.parametrize("dag_id", FILES)
def test_each_is_tagged_and_says_when_to_use_it(bag: Any, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert {"example"} < set(dag.tags)
    assert "When to use it" in dag.doc_md
    # Airflow's list of DAGs shows it.
    assert dag.description == dag.doc_md.partition("\n")[0]


def test_what_a_task_is_mapped_over_has_a_label(bag: Any) -> None:
    labels = {task: task.map_index_template for dag in bag.dags.values() for task in dag.tasks if task.is_mapped}
    assert [task for task, label in labels.items() if not label] == []
    launches = [label for task, label in labels.items() if task.task_id in ("launch", "start")]
    assert launches
    assert all(name in label for label in launches for name in ("country_code", "rows", "list_id"))


@pytest.mark.parametrize("dag_id", FILES)
def test_the_guard_comes_before_everything_else(bag: Any, dag_id: str) -> None:
    assert [task.task_id for task in bag.dags[dag_id].roots] == ["sandbox_only"]


def test_the_readers_of_the_call_history_take_turns_in_the_pool_that_the_docs_name(bag: Any) -> None:
    tasks = [task for dag in bag.dags.values() for task in dag.tasks]
    readers = [task for task in tasks if task.operator_name == "RinggCallsToSqlOperator"]
    assert {task.pool for task in readers} == {"ringg_history"}
    # A task whose pool nobody makes is never run: a file that names one tells how to make it.
    for dag in bag.dags.values():
        for pool in {task.pool for task in dag.tasks} - {"default_pool"}:
            assert f"airflow pools set {pool} 1 " in dag.doc_md


def test_every_operator_sensor_and_transfer_appears_in_at_least_one(bag: Any) -> None:
    used = {task.operator_name for dag in bag.dags.values() for task in dag.tasks}
    ours = {found.__name__ for found in offered_operators()}
    assert ours - used == set()


@pytest.mark.parametrize("dag_id", FILES)
def test_each_refuses_a_host_that_is_not_loopback(
    dag_id: str, run_dag: DagRunner, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dag_id == "ringg_alerted_campaign" and AIRFLOW < (3, 2):
        pytest.skip("a deadline of Airflow 3.1 counts from when a run was queued, which `dag.test()` never does")
    for name in ("RINGG_SANDBOX", "SMARTALEX_SANDBOX"):
        kind = name.split("_")[0].lower()
        live = {"conn_type": kind, "host": "https://platform.invalid", "password": "key"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(live))
    run = run_dag(dag_id, conf={"callback_url": "https://hooks.invalid/"} if dag_id == "ringg_webhook" else None)
    assert run.state == "failed"
    assert run.tasks.pop("sandbox_only") == "failed"
    assert set(run.tasks.values()) <= {"upstream_failed", "skipped"}


def test_the_person_who_approves_the_large_campaign_reads_the_preflights_report(bag: Any) -> None:
    dag = bag.dags["ringg_large_campaign"]
    assert dag.get_task("approve").body == "{{ ti.xcom_pull('preflight', key='report') }}"
    assert dag.get_task("preflight").downstream_task_ids == {"approve"}
