"""Every quarter of an hour: whoever asked to be called back about now is called back, once.

When to use it: beside any campaign whose people say "call me tomorrow at five". The calls since the last run are
loaded, and what was promised in them is noted in ``ringg_callbacks``; who is due before the next run is put on a small
list, which is started at once and calls at the time that they named, five minutes later at most. See
``docs/promises.md``.

Whoever opted out, was reached since, or is being called by another campaign is not called; a promise may pass the gap
between two calls (``not_called_within_days``), but no limit of attempts. The lawful hours hold as everywhere. Each
promise is taken by one run under a launch key of its own, so that no retry, no clearing and no second run rings anybody
twice.

The tasks that read the call history take turns in a pool; make it once:
``airflow pools set ringg_history 1 "Readers of Ringg's call history"``.

What cannot be read for certain ("later") is never guessed: it stands in the table as ``unclear`` until a person says
when.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import dag

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.ringg import RinggCallbacksOperator, RinggLaunchOperator
from ringg_provider.transfers.callbacks_to_ringg import CallbacksToRinggOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator

RINGG, WAREHOUSE = "ringg_sandbox", "warehouse"
ZONE = "Asia/Kolkata"
PURPOSE = "promotional"


@dag(
    schedule="*/15 * * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"ringg_conn_id": RINGG, "retries": 2, "retry_delay": timedelta(minutes=1)},
)
def ringg_promises():
    load_calls = RinggCallsToSqlOperator(
        task_id="load_calls", state_conn_id=WAREHOUSE, contacts_table="ringg_contacts", pool="ringg_history"
    )
    update_promises = RinggCallbacksOperator(task_id="update_promises", state_conn_id=WAREHOUSE, purpose=PURPOSE)
    lists = CallbacksToRinggOperator(
        task_id="list_promises",
        sql_conn_id=WAREHOUSE,
        state_conn_id=WAREHOUSE,
        agent_id="11111111-1111-4111-8111-111111111111",
        country_code="+91",
        # What the agent is told of the person besides; whoever is not in it any more is not called.
        sql="SELECT contact_id AS contact_key, policy_id, due_date FROM contacts",
        variables_map={"callee_name": "callee_name", "policy_id": "policy_id", "due_date": "due_date"},
        call_config={
            "call_time": {"call_start_time": "09:00", "call_end_time": "21:00", "timezone": ZONE},
            "call_retry_config": {"retry_count": 1, "retry_busy": 5, "retry_not_picked": 5, "retry_failed": 5},
        },
        purpose=PURPOSE,
        suppression_sql="SELECT phone FROM do_not_call",
        attempts_within=(3, timedelta(hours=24)),
        contacts_table="ringg_contacts",
        # Only because callbacks are switched off in this agent! Where it may call back by itself, leave this line out:
        # people would be called twice.
        platform_calls_back=False,
        max_delay=timedelta(minutes=15),
    )
    launched = RinggLaunchOperator.partial(
        task_id="launch",
        map_index_template="{{ task.launch.country_code }}: {{ task.launch.rows }} on {{ task.launch.list_id }}",
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"],
        sql_conn_id=WAREHOUSE,
        state_conn_id=WAREHOUSE,
        max_delay=timedelta(minutes=15),
    ).expand(launch=lists.output)
    sandbox_only(RINGG) >> load_calls >> update_promises >> lists >> launched


ringg_promises()
