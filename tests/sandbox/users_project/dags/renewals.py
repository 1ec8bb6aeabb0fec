"""Calls everybody whose policy falls due this week."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG

from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

HOURS = {"call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"}}

with DAG(
    "renewals",
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    max_active_runs=1,
    default_args={"sql_conn_id": "warehouse", "ledger_conn_id": "warehouse"},
) as dag:
    lists = SqlToRinggOperator(
        task_id="upload",
        sql="SELECT contact_id, full_name, phone FROM contacts WHERE days_left <= 7",
        suppression_sql="SELECT phone FROM do_not_call",
        phone_column="phone",
        country_code="+91",
        contact_key="contact_id",
        contacts_table="ringg_contacts",
        variables_map={"callee_name": "full_name"},
        agent_id="22222222-2222-4222-8222-222222222222",
        campaign_name="Renewals",
        call_config=HOURS,
        launch_key="renewals-{{ dag_run.run_after.astimezone(dag.timezone) | ds }}",
    )
    launch = RinggLaunchOperator.partial(
        task_id="launch",
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
        wait_for_completion=True,
        poll_interval=1,
    ).expand(launch=lists.output)
    launch >> RinggCallsToSqlOperator(task_id="load_calls", bulk_list_ids=lists.output)
