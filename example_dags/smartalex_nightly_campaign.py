"""Every day: a warehouse query, clean lists on SmartAlex, one launch, and every call's outcome back in the warehouse.

When to use it: the usual case on SmartAlex. The lists are drafts until they are started; a task that dies half way
leaves a draft that nobody starts. Under one launch key nobody is called by two launches, however often the run is
retried, cleared or repeated.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import dag

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.smartalex import SmartAlexStartCampaignOperator
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallsToSqlOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator

SMARTALEX, WAREHOUSE = "smartalex_sandbox", "warehouse"


@dag(
    schedule="0 4 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["smartalex", "example"],
    doc_md=__doc__,
    default_args={"smartalex_conn_id": SMARTALEX, "retries": 2, "retry_delay": timedelta(minutes=1)},
)
def smartalex_nightly_campaign():
    lists = SqlToSmartAlexOperator(
        task_id="create_drafts",
        sql_conn_id=WAREHOUSE,
        sql="SELECT contact_id, full_name, phone FROM contacts ORDER BY contact_id",
        agent_id="agent_survey",
        campaign_name="Survey {{ dag_run.run_after | ds }}",
        phone_column="phone",
        contact_columns={"first_name": "full_name"},
        country_code="+91",
        settings={
            "calling_hours_start": "09:00",
            "calling_hours_end": "20:00",
            "timezone": "Asia/Kolkata",
            "concurrent_calls": 10,
            "max_retries": 1,
        },
        contact_key="contact_id",
        suppression_sql="SELECT phone FROM do_not_call",
        contacts_table="ringg_contacts",
        launch_key="smartalex-survey-{{ dag_run.run_after | ds }}",
        ledger_conn_id=WAREHOUSE,
    )
    started = SmartAlexStartCampaignOperator.partial(
        task_id="start",
        ledger_conn_id=WAREHOUSE,
        wait_for_completion=True,
        deferrable=True,
        poll_interval=2,
    ).expand(campaign_id=lists.output)
    load_calls = SmartAlexCallsToSqlOperator(task_id="load_calls", sql_conn_id=WAREHOUSE, campaign_ids=lists.output)
    sandbox_only(SMARTALEX) >> lists
    started >> load_calls


smartalex_nightly_campaign()
