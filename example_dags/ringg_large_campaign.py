"""A large campaign from a CSV that somebody else prepared, with a person's approval before any phone rings.

When to use it: the list is too big for the standard flow (5,000 rows and more), it lies on a file share or in a bucket,
and a person must say yes, having read what the preflight found. Every wait is deferred, so that no worker is held for
hours. The file must be free of people who opted out: this DAG calls whoever is in it. To build the list from a query,
see ``ringg_nightly_campaign``.

The tasks that read the call history take turns in a pool; make it once:
``airflow pools set ringg_history 1 "Readers of Ringg's call history"``.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import AssetAlias, Param, dag

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.ringg import (
    RinggCheckBalanceOperator,
    RinggMakeCallAsyncOperator,
    RinggPreflightOperator,
    RinggUploadCsvOperator,
)
from ringg_provider.sensors.ringg import RinggCampaignSensor, RinggUploadStatusSensor
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator

RINGG = "ringg_sandbox"
AGENT = "22222222-2222-4222-8222-222222222222"
CALL_CONFIG = {
    "call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"},
    "call_retry_config": {"retry_count": 1, "retry_busy": 30, "retry_not_picked": 60, "retry_failed": 30},
}
#: Whoever cannot be reached today is tried tomorrow; what has not ended by then is given up.
END = "{{ (dag_run.run_after + macros.timedelta(days=1)).isoformat() }}"
CALLERS = {"number_pool_id": "bbbbbbbb-0000-4000-8000-000000000001"}
#: The sandbox's clock runs fast. In production leave the interval at its default.
POLL_SECONDS = 5


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    params={
        "contacts": Param(
            str(Path(__file__).with_name("contacts.csv")), type="string", description="The CSV: a path or an address"
        )
    },
    default_args={"ringg_conn_id": RINGG, "retries": 2, "retry_delay": timedelta(minutes=1)},
)
def ringg_large_campaign():
    upload = RinggUploadCsvOperator(
        task_id="upload_csv",
        agent_id=AGENT,
        campaign_name="Survey {{ dag_run.run_after.astimezone(dag.timezone) | ds }}",
        contacts="{{ params.contacts }}",
        variables_map={"mobile_number": "Mobile Number", "callee_name": "Name"},
        country_code="+91",
        call_config=CALL_CONFIG,
        remove_invalid_rows=True,
    )
    ready = RinggUploadStatusSensor(
        task_id="wait_for_upload",
        bulk_list_id=upload.output,
        max_invalid_rows=0.1,
        deferrable=True,
        poke_interval=POLL_SECONDS,
        timeout=3600,
    )
    balance = RinggCheckBalanceOperator(task_id="check_balance", bulk_list_id=upload.output)
    preflight = RinggPreflightOperator(
        task_id="preflight",
        agent_id=AGENT,
        country_code="+91",
        call_config=CALL_CONFIG,
        campaign_end_time=END,
        list_id=upload.output,
        rows="{{ ti.xcom_pull('wait_for_upload')['valid_rows'] or 0 }}",
        balance=balance.output,
        # No rule for surveys in India is shipped: theirs are the hours of promotional calls.
        purpose="promotional",
        concurrent_lines=100,
        average_seconds=90,
        about={
            "Survey of": "{{ dag_run.run_after.astimezone(dag.timezone) | ds }}",
            "File": "{{ params.contacts }}",
            "Left out": "{{ ti.xcom_pull('upload_csv', key='summary')['invalid_rows'] }} invalid rows",
        },
        **CALLERS,
    )
    approve = ApprovalOperator(
        task_id="approve",
        subject="Call everybody on this list?",
        body="{{ ti.xcom_pull('preflight', key='report') }}",
        # Nobody answers: nobody is called.
        defaults="Reject",
        response_timeout=timedelta(hours=12),
    )
    call = RinggMakeCallAsyncOperator(
        task_id="make_calls",
        bulk_list_id=upload.output,
        agent_id=AGENT,
        country_code="+91",
        call_config=CALL_CONFIG,
        campaign_end_time=END,
        # A cleared run uploads the file again; under this key it finds the campaign that it started before.
        launch_key="{{ dag_run.run_id }}",
        ledger_conn_id="warehouse",
        **CALLERS,
    )
    wait = RinggCampaignSensor(
        task_id="wait_for_campaign",
        campaign_id=call.output,
        deferrable=True,
        poke_interval=POLL_SECONDS,
        timeout=timedelta(days=2),
    )
    guard = sandbox_only(RINGG).as_setup()
    # A teardown runs whatever became of the campaign, once the guard has passed: a launch whose calls are never loaded
    # would keep `require_history_within` from dialling. It alone would then say how the run ended, and hide that the
    # campaign failed: so the campaign has an end of its own.
    history = RinggCallsToSqlOperator(
        task_id="load_calls",
        sql_conn_id="warehouse",
        bulk_list_ids=call.output,
        pool="ringg_history",
        outlets=[AssetAlias("ringg_calls")],
    ).as_teardown(setups=guard, on_failure_fail_dagrun=True)
    guard >> upload >> ready >> balance >> preflight >> approve >> call >> wait
    wait >> [history, EmptyOperator(task_id="campaign_ended")]


ringg_large_campaign()
