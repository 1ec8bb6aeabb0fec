"""The DAGs under fault: a query becomes lists, and every list is launched and waited for; one DAG per flow and mode.

Everything that a schedule varies comes with the run's configuration; see `tests/faults/stage.py`.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

from airflow.sdk import DAG

from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.operators.smartalex import SmartAlexStartCampaignOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator
from tests.faults.sabotage import arm


def conf(name: str) -> str:
    """The template of a field of the run's configuration."""
    return f"{{{{ dag_run.conf['{name}'] }}}}"


def keyed(store: str) -> dict[str, Any]:
    """Key and ledger, where the launch has them."""
    return {"launch_key": conf("key"), "ledger_conn_id": conf("ledger")} if store == "ledger" else {}


def make_dag(flow: Any, mode: str, store: str) -> DAG:
    """Query, upload, launch, wait."""
    hardening: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(0), "pre_execute": arm}
    with DAG(f"launch_{flow}_{mode}_{store}", schedule=None, catchup=False) as dag:
        lists = SqlToRinggOperator(
            task_id="upload",
            sql_conn_id="warehouse",
            sql=f"SELECT phone, name FROM people WHERE id IN ({conf('people')}) ORDER BY id",
            ringg_conn_id=conf("ringg"),
            agent_id="22222222-2222-4222-8222-222222222222",
            campaign_name="Survey",
            phone_column="phone",
            variables_map={"callee_name": "name"},
            country_code="+91",
            call_config={
                "call_time": {"call_start_time": "00:00", "call_end_time": "23:59", "timezone": conf("timezone")}
            },
            flow=flow,
            max_rows_per_list=2,
            **keyed(store),
            **hardening,
        )
        RinggLaunchOperator.partial(
            task_id="launch",
            ringg_conn_id=conf("ringg"),
            from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
            **keyed(store),
            wait_for_completion=True,
            deferrable=mode == "deferrable",
            poll_interval=1,
            upload_poll_interval=0.5,
            **hardening,
        ).expand(launch=lists.output)
    return dag


def make_smartalex_dag(mode: str, store: str) -> DAG:
    """The same on the other platform."""
    hardening: dict[str, Any] = {"retries": 2, "retry_delay": timedelta(0), "pre_execute": arm}
    with DAG(f"launch_smartalex_{mode}_{store}", schedule=None, catchup=False) as dag:
        lists = SqlToSmartAlexOperator(
            task_id="upload",
            sql_conn_id="warehouse",
            sql=f"SELECT phone, name FROM people WHERE id IN ({conf('people')}) ORDER BY id",
            smartalex_conn_id=conf("ringg"),
            agent_id="agent_survey",
            campaign_name="Survey",
            phone_column="phone",
            contact_columns={"first_name": "name"},
            country_code="+91",
            settings={
                "calling_hours_start": "00:00",
                "calling_hours_end": "23:59",
                "timezone": conf("timezone"),
                "max_retries": 0,
            },
            max_rows_per_list=2,
            **keyed(store),
            **hardening,
        )
        SmartAlexStartCampaignOperator.partial(
            task_id="launch",
            smartalex_conn_id=conf("ringg"),
            **keyed(store),
            wait_for_completion=True,
            deferrable=mode == "deferrable",
            poll_interval=1,
            **hardening,
        ).expand(campaign_id=lists.output)
    return dag


for _mode, _store in product(("sync", "deferrable"), ("ledger", "task")):
    globals()[f"launch_smartalex_{_mode}_{_store}"] = make_smartalex_dag(_mode, _store)
    for _flow in ("standard", "large"):
        globals()[f"launch_{_flow}_{_mode}_{_store}"] = make_dag(_flow, _mode, _store)
