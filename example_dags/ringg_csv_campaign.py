"""The standard flow from a CSV, task by task: save the list, then start it.

When to use it: a few hundred contacts in a file, and you want each step of the vendor's own guide as a task of its own.
The file must be free of people who opted out: this DAG calls whoever is in it. Clearing the run dials nobody twice; a
new run is a new campaign. To build the list from a query, see ``ringg_nightly_campaign``.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import Param, dag

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.ringg import RinggSaveCampaignOperator, RinggStartCampaignOperator

RINGG, WAREHOUSE = "ringg_sandbox", "warehouse"
AGENT = "22222222-2222-4222-8222-222222222222"
CALL_CONFIG = {
    "call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"},
}
#: The sandbox's clock runs fast. In production leave the interval at its default.
POLL_SECONDS = 5
#: A campaign that is paused in the dashboard must not hold the run for ever: each attempt waits until tomorrow evening.
WAIT_SECONDS = 36 * 3600


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
def ringg_csv_campaign():
    save = RinggSaveCampaignOperator(
        task_id="save_campaign",
        agent_id=AGENT,
        campaign_name="Survey {{ dag_run.run_after.astimezone(dag.timezone) | ds }}",
        contacts="{{ params.contacts }}",
        variables_map={"mobile_number": "Mobile Number", "callee_name": "Name"},
        country_code="+91",
        call_config=CALL_CONFIG,
        remove_invalid_rows=True,
    )
    start = RinggStartCampaignOperator(
        task_id="start_campaign",
        list_id=save.output,
        agent_id=AGENT,
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"],
        # A cleared run saves the file again; under this key it finds the campaign that it started before.
        launch_key="{{ dag_run.run_id }}",
        ledger_conn_id=WAREHOUSE,
        # The list was saved for the hours that follow the trigger. A start that comes too late for them is refused.
        call_config=CALL_CONFIG,
        planned_start="{{ dag_run.run_after.isoformat() }}",
        # What the list will cost, by what calls have cost so far, is compared with the credits.
        rows="{{ ti.xcom_pull('save_campaign', key='summary')['valid_rows'] }}",
        sql_conn_id=WAREHOUSE,
        wait_for_completion=True,
        deferrable=True,
        poll_interval=POLL_SECONDS,
        timeout=WAIT_SECONDS,
    )
    sandbox_only(RINGG) >> save >> start


ringg_csv_campaign()
