"""A careful day on SmartAlex: your own phones first, then 1 % of the people, 10 %, and the rest; brakes and a budget.

When to use it: a big list, a new agent, or new words. Each wave is a fair sample of all people, and between two waves
the calls are judged: too many opt-outs, failures or short calls pause what runs and end the campaign for good, with the
numbers in the error. Each wave is paid out of a budget; SmartAlex tells no price, so ``credits_per_call`` does.

Set the Airflow Variable ``smartalex_rehearsal_phone`` to a phone on your desk: it rings first. To decide by ear, give
the rollout ``ask_after=(0,)``.

Unpausing it makes the run whose time has passed at once, ``catchup=False`` or not. Where four in the morning is
more than ``max_delay`` (two hours) ago, that run uploads nothing, calls nobody and ends skipped; the next one calls.
Trigger the DAG by hand to call now.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.smartalex import SmartAlexRolloutOperator
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallsToSqlOperator
from ringg_provider.transfers.sql_to_smartalex import SqlToSmartAlexOperator

SMARTALEX, WAREHOUSE = "smartalex_sandbox", "warehouse"
ZONE = "Asia/Kolkata"
#: The run's day in the DAG's zone. `run_after | ds` alone is the day in UTC: at 04:00 in India that is yesterday.
DAY = "{{ dag_run.run_after.astimezone(dag.timezone) | ds }}"
#: The sandbox's clock runs fast. In production leave the interval at its default, and so that of judging.
POLL_SECONDS = 2
#: A campaign that is paused in the dashboard must not hold the run for ever: each attempt waits for three days.
WAIT_SECONDS = 3 * 24 * 3600


@dag(
    schedule="0 4 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["smartalex", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={
        "smartalex_conn_id": SMARTALEX,
        "state_conn_id": WAREHOUSE,
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
    },
)
def smartalex_careful_campaign():
    # Whom earlier campaigns have called by now, before anybody is chosen; without it nobody is called.
    load_earlier = SmartAlexCallsToSqlOperator(task_id="load_earlier_calls")
    lists = SqlToSmartAlexOperator(
        task_id="create_waves",
        sql_conn_id=WAREHOUSE,
        sql="SELECT contact_id, full_name, phone FROM contacts ORDER BY contact_id",
        agent_id="agent_survey",
        campaign_name=f"Careful survey {DAY}",
        phone_column="phone",
        contact_columns={"first_name": "full_name"},
        country_code="+91",
        settings={
            "calling_hours_start": "09:00",
            "calling_hours_end": "20:00",
            "timezone": ZONE,
            "concurrent_calls": 10,
            "max_retries": 1,
        },
        # The last wave begins hours after the first: with days to spare it is started, and not given up at eight.
        campaign_end_time="{{ (dag_run.run_after + macros.timedelta(days=2)).isoformat() }}",
        contact_key="contact_id",
        suppression_sql="SELECT phone FROM do_not_call",
        contacts_table="smartalex_contacts",
        launch_key=f"smartalex-careful-{DAY}",
        waves=(0.01, 0.1),
        # One that is valid and nobody's in the sandbox.
        rehearsal=["{{ var.value.get('smartalex_rehearsal_phone', '+919999900001') }}"],
    )
    rollout = SmartAlexRolloutOperator(
        task_id="roll_out",
        launches=lists.output,
        brakes={"opt_outs": 0.02, "failures": 0.8, "short_calls": (5, 0.6)},
        budget={"name": "surveys", "credits": 20_000, "per": "month", "timezone": ZONE},
        credits_per_call=2,
        deferrable=True,
        poll_interval=POLL_SECONDS,
        judge_interval=2 * POLL_SECONDS,
        timeout=WAIT_SECONDS,
    )
    guard = sandbox_only(SMARTALEX).as_setup()
    # A teardown runs whatever became of the rollout, once the guard has passed. It alone would then say how the run
    # ended, and hide that a brake was pulled: so the rollout has an end of its own.
    load_calls = SmartAlexCallsToSqlOperator(task_id="load_calls", campaign_ids=lists.output).as_teardown(
        setups=guard, on_failure_fail_dagrun=True
    )
    guard >> load_earlier >> lists
    rollout >> [load_calls, EmptyOperator(task_id="rolled_out")]


smartalex_careful_campaign()
