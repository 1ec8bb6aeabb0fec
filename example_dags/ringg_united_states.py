"""Calls in the United States, in one call of ``RinggCampaign``.

When to use it: the people live in the United States, where the lawful hours differ by state, some states and the rules
for debt collectors count the attempts of a day, and only Twilio numbers get through from abroad.

The query tells each person's state as ``region``, so that the hours are those of the state and of the number, both: the
number alone may have moved. ``attempts_within`` leaves out whom was rung three times in the last 24 hours, as Florida
and Oklahoma ask for; where webhooks are received it counts every ring, else every call. ``docs/calling-hours.md`` lists
the rules.

Unpausing it makes the run whose time has passed at once, ``catchup=False`` or not. Where six in the morning in New York
is more than ``max_delay`` (two hours) ago, that run uploads nothing, calls nobody and ends skipped; the next one calls.
Trigger the DAG by hand to call now.

The tasks that read the call history take turns in a pool; make it once:
``airflow pools set ringg_history 1 "Readers of Ringg's call history"``.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import dag

from ringg_provider.examples import sandbox_only
from ringg_provider.task_groups import RinggCampaign

RINGG, WAREHOUSE = "ringg_sandbox", "warehouse"
#: The sandbox's clock runs fast. In production leave the interval at its default.
POLL_SECONDS = 5


@dag(
    schedule="0 6 * * 1-5",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/New_York"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"ringg_conn_id": RINGG},
)
def ringg_united_states():
    RinggCampaign(
        setup=sandbox_only(RINGG),
        sql_conn_id=WAREHOUSE,
        sql="""
            SELECT contact_id, full_name, phone, 'US-' || state AS region FROM contacts
            WHERE phone LIKE '+1%' ORDER BY contact_id
        """,
        suppression_sql="SELECT phone FROM do_not_call",
        purpose="promotional",
        agent_id="22222222-2222-4222-8222-222222222222",
        # A Twilio number.
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000005"],
        phone_column="phone",
        country_code="+1",
        contact_key="contact_id",
        variables_map={"callee_name": "full_name"},
        call_config={
            "call_time": {"call_start_time": "09:00", "call_end_time": "19:00", "timezone": "America/New_York"},
            "call_retry_config": {"retry_count": 1, "retry_busy": 60, "retry_not_picked": 120, "retry_failed": 60},
        },
        upload={"region_column": "region", "attempts_within": (3, timedelta(hours=24))},
        history_pool="ringg_history",
        poll_interval=POLL_SECONDS,
    )


ringg_united_states()
