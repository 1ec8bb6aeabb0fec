"""A SmartAlex campaign step by step: create, add contacts, start, pause and resume, wait, calls and callbacks back.

When to use it: to see each step alone, or when a campaign has to be paused for hours that its own calling hours do not
know, such as an outage or a public holiday. Here a pause and a resume follow each other at once; in earnest they are
tasks of two DAGs on two schedules. Both may be repeated; neither ever starts a draft.

Nobody is kept off this list: clearing the run makes a new campaign and calls again, and opt-outs are not looked up. For
lists of every night, see ``smartalex_nightly_campaign``, which has the ledgers and the suppression.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.smartalex import (
    SmartAlexAddContactsOperator,
    SmartAlexCreateCampaignOperator,
    SmartAlexPauseCampaignOperator,
    SmartAlexResumeCampaignOperator,
    SmartAlexStartCampaignOperator,
)
from ringg_provider.sensors.smartalex import SmartAlexCampaignSensor
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallbacksToSqlOperator, SmartAlexCallsToSqlOperator

SMARTALEX, WAREHOUSE = "smartalex_sandbox", "warehouse"
#: The sandbox's clock runs fast. In production leave the interval at its default.
POLL_SECONDS = 2


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["smartalex", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"smartalex_conn_id": SMARTALEX, "retries": 2, "retry_delay": timedelta(minutes=1)},
)
def smartalex_campaign():
    campaign = SmartAlexCreateCampaignOperator(
        task_id="create",
        name="Survey {{ dag_run.run_after.astimezone(dag.timezone) | ds }}",
        agent_id="agent_survey",
        settings={
            "calling_hours_start": "09:00",
            "calling_hours_end": "20:00",
            "timezone": "Asia/Kolkata",
            "concurrent_calls": 5,
            "max_retries": 1,
        },
    )
    add = SmartAlexAddContactsOperator(
        task_id="add_contacts",
        campaign_id=campaign.output,
        sql_conn_id=WAREHOUSE,
        sql="SELECT phone, full_name AS first_name FROM contacts ORDER BY contact_id LIMIT 20",
        country_code="+91",
        retries=0,  # a second attempt would meet a draft that has people on it already
    )
    start = SmartAlexStartCampaignOperator(task_id="start", campaign_id=campaign.output)
    pause = SmartAlexPauseCampaignOperator(task_id="pause", campaign_id=campaign.output)
    callbacks = SmartAlexCallbacksToSqlOperator(
        task_id="load_pending_callbacks", sql_conn_id=WAREHOUSE, campaign_ids=campaign.output
    )
    resume = SmartAlexResumeCampaignOperator(task_id="resume", campaign_id=campaign.output)
    wait = SmartAlexCampaignSensor(
        task_id="wait",
        campaign_id=campaign.output,
        deferrable=True,
        poke_interval=POLL_SECONDS,
        # After the evening's closing nobody is called until the morning. A campaign that stays paused is given up.
        timeout=timedelta(days=2),
    )
    guard = sandbox_only(SMARTALEX).as_setup()
    # Teardowns run whatever became of the campaign, once the guard has passed. They alone would then say how the run
    # ended, and hide that it failed: so it has an end of its own.
    calls = SmartAlexCallsToSqlOperator(
        task_id="load_calls", sql_conn_id=WAREHOUSE, campaign_ids=campaign.output
    ).as_teardown(setups=guard, on_failure_fail_dagrun=True)
    close = SmartAlexCallbacksToSqlOperator(
        task_id="close_callbacks", sql_conn_id=WAREHOUSE, campaign_ids=campaign.output
    ).as_teardown(setups=guard, on_failure_fail_dagrun=True)
    guard >> campaign
    add >> start >> pause >> callbacks >> resume >> wait >> [calls, close, EmptyOperator(task_id="campaign_ended")]


smartalex_campaign()
