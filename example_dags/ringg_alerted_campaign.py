"""A campaign that tells somebody when it fails, when nobody was called, and when it takes too long.

When to use it: whoever is on call wants to know of trouble while something can still be done. A failure tells at once,
after the last retry. A deadline tells of what nobody else does: a campaign that is paused in the dashboard, credits
that ran out, a worker pool that is full, an approval that nobody gave. It tells once, an hour before the calling hours
close, and the run goes on. A skip tells of a run that came too late to call, which is no failure (``max_delay``).

``LogNotifier`` writes into the log of the DAG processor (failures), of the triggerer (deadlines) and of the task
(skips). Put the notifier of your paging system in its place: one of an Airflow provider, with ``async_notify`` for the
deadline.

Unpausing it makes the run whose time has passed at once, ``catchup=False`` or not. Where two in the morning is
more than ``max_delay`` (two hours) ago, that run uploads nothing, calls nobody and ends skipped; the next one calls.
Trigger the DAG by hand to call now.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import dag
from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference

from ringg_provider.examples import LogNotifier, sandbox_only
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

try:
    from ringg_provider.deadlines import CallingHoursClose
except ImportError:  # Airflow 3.1 has no references but its own
    CallingHoursClose = None

RINGG, WAREHOUSE = "ringg_sandbox", "warehouse"
ZONE, CLOSES = "Asia/Kolkata", "19:00"
#: The run's day in the DAG's zone; `run_after | ds` alone is the day in UTC.
DAY = "{{ dag_run.run_after.astimezone(dag.timezone) | ds }}"
#: The sandbox's clock runs fast. In production leave the interval at its default.
POLL_SECONDS = 5
#: A campaign that is paused in the dashboard must not hold the run for ever: each attempt waits until the evening.
WAIT_SECONDS = 18 * 3600
LATE = AsyncCallback(LogNotifier, {"message": "not ended an hour before the calling hours close"})

if CallingHoursClose is None:
    # Sixteen hours after two in the morning, which is wrong for a run that is triggered at another time.
    DEADLINE = DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=16), LATE)
else:
    DEADLINE = DeadlineAlert(CallingHoursClose(CLOSES, ZONE), timedelta(hours=-1), LATE)


@dag(
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"ringg_conn_id": RINGG, "retries": 2, "retry_delay": timedelta(minutes=1)},
    on_failure_callback=LogNotifier("failed"),
    deadline=DEADLINE,
)
def ringg_alerted_campaign():
    lists = SqlToRinggOperator(
        task_id="upload_contacts",
        sql_conn_id=WAREHOUSE,
        sql="SELECT contact_id, full_name, phone FROM contacts WHERE segment = 'survey' ORDER BY contact_id",
        agent_id="22222222-2222-4222-8222-222222222222",
        campaign_name=f"Survey {DAY}",
        phone_column="phone",
        variables_map={"callee_name": "full_name"},
        country_code="+91",
        call_config={"call_time": {"call_start_time": "10:00", "call_end_time": CLOSES, "timezone": ZONE}},
        purpose="survey",
        contact_key="contact_id",
        suppression_sql="SELECT phone FROM do_not_call",
        launch_key=f"alerted-survey-{DAY}",
        ledger_conn_id=WAREHOUSE,
        on_skipped_callback=LogNotifier("nobody was called"),
    )
    launched = RinggLaunchOperator.partial(
        task_id="launch",
        map_index_template="{{ task.launch.country_code }}: {{ task.launch.rows }} on {{ task.launch.list_id }}",
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
        ledger_conn_id=WAREHOUSE,
        wait_for_completion=True,
        deferrable=True,
        poll_interval=POLL_SECONDS,
        timeout=WAIT_SECONDS,
    ).expand(launch=lists.output)
    sandbox_only(RINGG) >> lists >> launched


ringg_alerted_campaign()
