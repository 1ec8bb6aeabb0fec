"""The campaigns: query, lists, launch, wait, history; one DAG for each flow and each way to wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import product
from typing import Any

import pendulum
from airflow.sdk import DAG

from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.operators.smartalex import SmartAlexStartCampaignOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator
from tests.faults.sabotage import HastyTime

#: Settling an unknown outcome takes half a minute in place of two.
HASTE = 4.0


def hurry(context: Mapping[str, Any]) -> None:
    """The tasks' `pre_execute`: let the clock of their waiting run faster."""
    from ringg_provider.operators import launching, waiting

    launching.time = waiting.time = HastyTime(HASTE)  # type: ignore[assignment]


def conf(name: str) -> str:
    """The template of a field of the run's configuration."""
    return f"{{{{ dag_run.conf['{name}'] }}}}"


def dag(dag_id: str) -> DAG:
    """What all have in common."""
    return DAG(
        dag_id,
        schedule=None,
        start_date=pendulum.datetime(2026, 1, 1),
        catchup=False,
        max_active_runs=64,
        max_active_tasks=64,
        default_args={
            "retries": 3,
            "retry_delay": timedelta(seconds=2),
            "sql_conn_id": "warehouse",
            "ringg_conn_id": "ringg_lossy",
            "smartalex_conn_id": "smartalex_lossy",
        },
    )


KEYED = {"launch_key": conf("key"), "ledger_conn_id": "warehouse"}
CHOICE: dict[str, Any] = {
    "sql": f"SELECT contact_id, phone, full_name FROM people WHERE launch_key = '{conf('key')}' ORDER BY position",
    "suppression_sql": "SELECT phone FROM do_not_call",
    "campaign_name": conf("key"),
    "phone_column": "phone",
    "contact_key": "contact_id",
    "country_code": "+91",
    "contacts_table": "ringg_contacts",
    "max_rows_per_list": 12,
}
WAITING = {"wait_for_completion": True, "poll_interval": 2}

for flow, deferred in product(("standard", "large"), (True, False)):
    with dag(f"{flow}_{'deferred' if deferred else 'waiting'}") as made:
        lists = SqlToRinggOperator(
            task_id="upload",
            agent_id="22222222-2222-4222-8222-222222222222",
            variables_map={"callee_name": "full_name"},
            call_config={
                "call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": conf("timezone")},
                "call_retry_config": {"retry_count": 1, "retry_busy": 30, "retry_not_picked": 30, "retry_failed": 30},
            },
            flow=flow,
            pre_execute=hurry,
            **CHOICE,
            **KEYED,
        )
        launched = RinggLaunchOperator.partial(
            task_id="launch",
            from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
            deferrable=deferred,
            upload_poll_interval=2,
            pre_execute=hurry,
            **WAITING,
            **KEYED,
        ).expand(launch=lists.output)
        launched >> RinggCallsToSqlOperator(task_id="load", bulk_list_ids=lists.output, pool="ringg_history")
    globals()[made.dag_id] = made

for deferred in (True, False):
    with dag(f"smartalex_{'deferred' if deferred else 'waiting'}") as made:
        lists = SqlToSmartAlexOperator(
            task_id="upload",
            agent_id="agent_survey",
            contact_columns={"first_name": "full_name"},
            settings={
                "calling_hours_start": "00:00",
                "calling_hours_end": "23:59",
                "timezone": conf("timezone"),
                # A retry of SmartAlex's is a call of its own, as a second start would be.
                "max_retries": 0,
            },
            pre_execute=hurry,
            **CHOICE,
            **KEYED,
        )
        started = SmartAlexStartCampaignOperator.partial(
            task_id="launch", deferrable=deferred, pre_execute=hurry, **WAITING, **KEYED
        ).expand(campaign_id=lists.output)
        started >> SmartAlexCallsToSqlOperator(task_id="load", campaign_ids=lists.output)
    globals()[made.dag_id] = made

with dag("load_the_rest") as made:
    RinggCallsToSqlOperator(task_id="ringg", pool="ringg_history")
    SmartAlexCallsToSqlOperator(task_id="smartalex")
