"""Every day: a warehouse query, clean lists on SmartAlex, one launch, and every call's outcome back in the warehouse.

When to use it: the usual case on SmartAlex. The lists are drafts until they are started; a task that dies half way
leaves a draft that nobody starts. Under one launch key nobody is called by two launches, however often the run is
retried, cleared or repeated.

The key names the day, so it does not keep the next day from calling the same people: that is what ``CALLED_BEFORE`` is
for. It goes by the lists that were called in the last 30 days and by the numbers on them, because the newer API of
SmartAlex names no number in its calls.

``SmartAlexCampaign`` is the same in one call. This is the long form, for who needs the parts.

Unpausing it makes the run whose time has passed at once, ``catchup=False`` or not. Where four in the morning is
more than ``max_delay`` (two hours) ago, that run uploads nothing, calls nobody and ends skipped; the next one calls.
Trigger the DAG by hand to call now.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import AssetAlias, dag, task

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.smartalex import SmartAlexStartCampaignOperator
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallsToSqlOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator

SMARTALEX, WAREHOUSE = "smartalex_sandbox", "warehouse"
#: The run's day in the DAG's zone. `run_after | ds` alone is the day in UTC: at 04:00 in India that is yesterday.
DAY = "{{ dag_run.run_after.astimezone(dag.timezone) | ds }}"
#: The sandbox's clock runs fast. In production leave the interval at its default.
POLL_SECONDS = 2
#: A campaign that is paused in the dashboard must not hold the run for ever: each attempt waits until the evening.
WAIT_SECONDS = 18 * 3600

CALLED_BEFORE = """
SELECT phone FROM smartalex_contacts
WHERE disposition = 'listed'
  AND list_id IN (SELECT campaign_id FROM smartalex_calls
                  WHERE created_at >= '{{ (dag_run.run_after - macros.timedelta(days=30)) | ds }}')
"""


@dag(
    schedule="0 4 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["smartalex", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"smartalex_conn_id": SMARTALEX, "retries": 2, "retry_delay": timedelta(minutes=1)},
)
def smartalex_nightly_campaign():
    @task
    def make_tables():
        """Create the tables that the suppression reads, where they are missing."""
        from ringg_provider.warehouse import create_smartalex_tables

        create_smartalex_tables(state_conn_id=WAREHOUSE)

    # Whom earlier campaigns have called by now, before anybody is chosen; without it nobody is called.
    load_earlier = SmartAlexCallsToSqlOperator(task_id="load_earlier_calls", state_conn_id=WAREHOUSE)
    lists = SqlToSmartAlexOperator(
        task_id="create_drafts",
        sql_conn_id=WAREHOUSE,
        state_conn_id=WAREHOUSE,
        sql="SELECT contact_id, full_name, phone FROM contacts ORDER BY contact_id",
        agent_id="agent_survey",
        campaign_name=f"Survey {DAY}",
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
        state_suppression_sql=CALLED_BEFORE,
        contacts_table="smartalex_contacts",
        launch_key=f"smartalex-survey-{DAY}",
        outlets=[AssetAlias("smartalex_lists")],
    )
    started = SmartAlexStartCampaignOperator.partial(
        task_id="start",
        map_index_template="{% with item = task.campaign_id %}{{ item.country_code }}: {{ item.rows }} on"
        " {{ item.list_id }}{% endwith %}",
        state_conn_id=WAREHOUSE,
        wait_for_completion=True,
        deferrable=True,
        poll_interval=POLL_SECONDS,
        timeout=WAIT_SECONDS,
    ).expand(campaign_id=lists.output)
    guard = sandbox_only(SMARTALEX).as_setup()
    # A teardown runs whatever became of the lists, once the guard has passed. It alone would then say how the run
    # ended, and hide that one of them failed: so the campaign has an end of its own, behind both.
    load_calls = SmartAlexCallsToSqlOperator(
        task_id="load_calls",
        state_conn_id=WAREHOUSE,
        campaign_ids=lists.output,
        outlets=[AssetAlias("smartalex_calls")],
    ).as_teardown(setups=guard, on_failure_fail_dagrun=True)
    guard >> load_earlier >> make_tables() >> lists >> started
    started >> load_calls
    [started, load_calls] >> EmptyOperator(task_id="campaign_ended")


smartalex_nightly_campaign()
