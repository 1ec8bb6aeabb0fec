"""The standard flow from a CSV, task by task: save the list, then start it.

When to use it: a few hundred contacts in a file, and you want each step of the vendor's own guide as a task of its own.
To build the list from a query, see ``ringg_nightly_campaign``.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import Param, dag

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.ringg import RinggSaveCampaignOperator, RinggStartCampaignOperator

RINGG = "ringg_sandbox"
AGENT = "22222222-2222-4222-8222-222222222222"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
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
        campaign_name="Survey {{ dag_run.run_after | ds }}",
        contacts="{{ params.contacts }}",
        variables_map={"mobile_number": "Mobile Number", "callee_name": "Name"},
        country_code="+91",
        call_config={
            "call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"},
        },
        remove_invalid_rows=True,
    )
    start = RinggStartCampaignOperator(
        task_id="start_campaign",
        list_id=save.output,
        agent_id=AGENT,
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"],
        wait_for_completion=True,
        deferrable=True,
        poll_interval=5,
    )
    sandbox_only(RINGG) >> save >> start


ringg_csv_campaign()
