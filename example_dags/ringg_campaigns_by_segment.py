"""One campaign per segment, by dynamic task mapping.

When to use it: several groups of people get the same agent with lists of their own. Each list is launched by a task of
its own, so that one that fails can be cleared alone; one whose upload fails does not hold up the others, and the run
fails in the end. A segment with nobody to call makes no list; with none at all the run is a success that still loads
the history.

The segments are uploaded side by side under keys of their own, and a key knows nothing of the others. So whoever stands
in several segments is called for the first of them only: to the others he counts as suppressed.

Unpausing it makes the run whose time has passed at once, ``catchup=False`` or not. Where midnight of Sunday is
more than ``max_delay`` (two hours) ago, that run uploads nothing, calls nobody and ends skipped; the next one calls.
Trigger the DAG by hand to call now.

The tasks that read the call history take turns in a pool; make it once:
``airflow pools set ringg_history 1 "Readers of Ringg's call history"``.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import AssetAlias, dag, task

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

RINGG, WAREHOUSE = "ringg_sandbox", "warehouse"
SEGMENTS = ["renewal", "survey"]
#: The run's day in the DAG's zone; `run_after | ds` alone is the day in UTC.
DAY = "{{ dag_run.run_after.astimezone(dag.timezone) | ds }}"
#: The sandbox's clock runs fast. In production leave the interval at its default.
POLL_SECONDS = 5
#: A campaign that is paused in the dashboard must not hold the run for ever: each attempt waits a day.
WAIT_SECONDS = 24 * 3600


def not_for(segment: str) -> str:
    """Whom this segment must not call: who opted out, and who stands in a segment before it, in any spelling."""
    before = SEGMENTS[: SEGMENTS.index(segment)]
    queries = [f"SELECT phone FROM contacts WHERE segment = '{each}'" for each in before]
    return " UNION ALL ".join(["SELECT phone FROM do_not_call", *queries])


@dag(
    schedule="@weekly",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"ringg_conn_id": RINGG, "retries": 2, "retry_delay": timedelta(minutes=1)},
)
def ringg_campaigns_by_segment():
    # What the cap reads: also the calls of a week that ended badly, before anybody is chosen.
    load_earlier = RinggCallsToSqlOperator(task_id="load_earlier_calls", sql_conn_id=WAREHOUSE, pool="ringg_history")
    uploads = SqlToRinggOperator.partial(
        task_id="upload_segment",
        map_index_template="{{ task.campaign_name }}",
        sql_conn_id=WAREHOUSE,
        agent_id="22222222-2222-4222-8222-222222222222",
        phone_column="phone",
        variables_map={"callee_name": "full_name"},
        country_code="+91",
        purpose="promotional",
        contact_key="contact_id",
        # The key protects one day; this protects the days after it. Six, not seven: calls are made hours after the run
        # has begun, so that with seven the next run would still find them recent, and call every second week.
        not_called_within_days=6,
        contacts_table="ringg_contacts",
        ledger_conn_id=WAREHOUSE,
        call_config={
            "call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": "Asia/Kolkata"},
        },
    ).expand_kwargs(
        [
            {
                "campaign_name": f"{segment} {DAY}",
                # No LIMIT: it would come before the cleaning and the cap, and choose the same people every week.
                "sql": f"SELECT * FROM contacts WHERE segment = '{segment}' ORDER BY contact_id",
                "suppression_sql": not_for(segment),
                "launch_key": f"{segment}-{DAY}",
            }
            for segment in SEGMENTS
        ]
    )

    @task(trigger_rule="all_done_min_one_success")
    def all_lists(uploaded):
        """One list for all segments, since a task maps over one; without those that could not be uploaded."""
        return [launch for lists in uploaded for launch in lists or ()]

    lists = all_lists(uploads.output)
    launched = RinggLaunchOperator.partial(
        task_id="launch",
        map_index_template="{{ task.launch.country_code }}: {{ task.launch.rows }} on {{ task.launch.list_id }}",
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001"],
        ledger_conn_id=WAREHOUSE,
        wait_for_completion=True,
        deferrable=True,
        poll_interval=POLL_SECONDS,
        timeout=WAIT_SECONDS,
    ).expand(launch=lists)
    guard = sandbox_only(RINGG).as_setup()
    # A teardown runs whatever became of the launches, once the guard has passed. It alone would then say how the run
    # ended, and hide that an upload or a launch failed: so these have an end of their own.
    load_calls = RinggCallsToSqlOperator(
        task_id="load_calls",
        sql_conn_id=WAREHOUSE,
        bulk_list_ids=lists,
        pool="ringg_history",
        outlets=[AssetAlias("ringg_calls")],
    ).as_teardown(setups=guard, on_failure_fail_dagrun=True)
    guard >> load_earlier >> uploads
    launched >> load_calls
    [uploads, launched] >> EmptyOperator(task_id="launched_all")


ringg_campaigns_by_segment()
