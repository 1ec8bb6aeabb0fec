"""Rollouts under fault: a query becomes waves, launched one after the other; one DAG per platform, and one that asks.

Everything that a drill varies comes with the run's configuration; see `tests/faults/stage.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from ringg_provider.operators.ringg import RinggRolloutOperator
from ringg_provider.operators.smartalex import SmartAlexRolloutOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator
from tests.faults.sabotage import arm

KEY = "{{ dag_run.conf['key'] }}"
CONN = "{{ dag_run.conf['ringg'] }}"
ZONE = "{{ dag_run.conf['timezone'] }}"
HARDENING: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(0), "pre_execute": arm}
LISTS: dict[str, Any] = {
    "task_id": "upload",
    "sql_conn_id": "warehouse",
    "state_conn_id": "warehouse",
    "sql": "SELECT '+9198765' || lpad(n::text, 5, '0') AS phone, 'Person' AS name FROM generate_series(1, 60) n",
    "phone_column": "phone",
    "campaign_name": "Survey",
    "country_code": "+91",
    "launch_key": KEY,
    "waves": (0.2, 0.3),
    "rehearsal": ["+919999900001"],
    **HARDENING,
}
ROLLOUT: dict[str, Any] = {
    "task_id": "roll_out",
    "state_conn_id": "warehouse",
    "brakes": {"failures": 0.9},
    "budget": {"name": "faults", "credits": 100_000},
    "credits_per_call": 2,
    "min_wave_calls": 5,
    "deferrable": True,
    "poll_interval": 1,
    "judge_interval": 2,
    "timeout": 240,
    **HARDENING,
}


def make_dag(dag_id: str, **more: Any) -> DAG:
    """On Ringg."""
    with DAG(dag_id, schedule=None, catchup=False) as dag:
        lists = SqlToRinggOperator(
            ringg_conn_id=CONN,
            agent_id="22222222-2222-4222-8222-222222222222",
            variables_map={"callee_name": "name"},
            call_config={"call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": ZONE}},
            **LISTS,
        )
        RinggRolloutOperator(
            ringg_conn_id=CONN,
            launches=lists.output,
            from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
            **ROLLOUT | more,
        )
    return dag


def make_smartalex_dag(dag_id: str) -> DAG:
    """The same on the other platform."""
    with DAG(dag_id, schedule=None, catchup=False) as dag:
        lists = SqlToSmartAlexOperator(
            smartalex_conn_id=CONN,
            agent_id="agent_survey",
            contact_columns={"first_name": "name"},
            settings={
                "calling_hours_start": "00:00",
                "calling_hours_end": "23:59",
                "timezone": ZONE,
                "concurrent_calls": 50,
                "max_retries": 0,
            },
            **LISTS,
        )
        SmartAlexRolloutOperator(smartalex_conn_id=CONN, launches=lists.output, **ROLLOUT)
    return dag


rollout_ringg = make_dag("rollout_ringg")
rollout_asked = make_dag("rollout_asked", ask_after=(0,))
rollout_smartalex = make_smartalex_dag("rollout_smartalex")
