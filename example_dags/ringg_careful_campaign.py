"""A careful night: your own phones first, then 1 % of the people, 10 %, and the rest; with brakes and a budget.

When to use it: a big list, a new agent, or a new caller number. Ringg cannot pause, a start calls everybody, and
whatever is wrong is noticed after ten thousand calls. Here each wave is a fair sample of all people, and between two
waves the calls are judged: too many opt-outs, failures or short calls stop the campaign for good, with the numbers in
the error. Each wave is paid out of a budget that other DAGs share by its name.

Set the Airflow Variable ``ringg_rehearsal_phone`` to a phone on your desk: it rings first, and says what the first
person of the query will hear. To decide by ear, give the rollout ``ask_after=(0,)``.

Unpausing it makes the run whose time has passed at once, ``catchup=False`` or not. Where two in the morning is
more than ``max_delay`` (two hours) ago, that run uploads nothing, calls nobody and ends skipped; the next one calls.
Trigger the DAG by hand to call now.

The tasks that read the call history take turns in a pool; make it once:
``airflow pools set ringg_history 1 "Readers of Ringg's call history"``.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag, task

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.ringg import RinggRolloutOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

RINGG, WAREHOUSE = "ringg_sandbox", "warehouse"
ZONE = "Asia/Kolkata"
#: The run's day in the DAG's zone. `run_after | ds` alone is the day in UTC: at 02:00 in India that is yesterday.
DAY = "{{ dag_run.run_after.astimezone(dag.timezone) | ds }}"
#: The sandbox's clock runs fast. In production leave the interval at its default, and so that of judging.
POLL_SECONDS = 5
#: A campaign that is paused in the dashboard must not hold the run for ever: each attempt waits for three days.
WAIT_SECONDS = 3 * 24 * 3600

CONTACTS = f"""
SELECT c.contact_id, c.full_name, c.phone, c.policy_id, c.due_date
FROM contacts c
LEFT JOIN ringg_outcomes o ON o.contact_key = c.contact_id
WHERE c.segment = 'renewal'
  AND c.due_date BETWEEN DATE '{DAY}' AND DATE '{DAY}' + 31
  AND (o.contact_key IS NULL OR (NOT o.reached AND NOT o.open))
ORDER BY c.due_date, c.contact_id
"""


@dag(
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={
        "ringg_conn_id": RINGG,
        "state_conn_id": WAREHOUSE,
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
    },
)
def ringg_careful_campaign():
    @task(retries=0)
    def history_is_current():
        """Create what the query reads, and refuse to dial while last night's calls are not all in the tables."""
        from ringg_provider.warehouse import create_ringg_tables, require_history_within

        create_ringg_tables(state_conn_id=WAREHOUSE)
        return require_history_within(within=timedelta(days=3), state_conn_id=WAREHOUSE)

    lists = SqlToRinggOperator(
        task_id="upload_waves",
        sql_conn_id=WAREHOUSE,
        sql=CONTACTS,
        agent_id="11111111-1111-4111-8111-111111111111",
        campaign_name=f"Careful renewals {DAY}",
        phone_column="phone",
        variables_map={"callee_name": "full_name", "policy_id": "policy_id", "due_date": "due_date"},
        country_code="+91",
        call_config={
            "call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": ZONE},
            "call_retry_config": {"retry_count": 1, "retry_busy": 30, "retry_not_picked": 60, "retry_failed": 30},
        },
        # The last wave begins hours after the first: with days to spare it is called on, and not given up at seven.
        campaign_end_time="{{ (dag_run.run_after + macros.timedelta(days=2)).isoformat() }}",
        purpose="promotional",
        contact_key="contact_id",
        suppression_sql="SELECT phone FROM do_not_call",
        not_called_within_days=2,
        contacts_table="ringg_contacts",
        launch_key=f"careful-renewals-{DAY}",
        waves=(0.01, 0.1),
        # One that is valid and nobody's in the sandbox.
        rehearsal=["{{ var.value.get('ringg_rehearsal_phone', '+919999900001') }}"],
    )
    rollout = RinggRolloutOperator(
        task_id="roll_out",
        launches=lists.output,
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"],
        brakes={
            "opt_outs": 0.02,
            "failures": 0.8,
            "short_calls": (5, 0.6),
            "classifications": {"complaint": 0.01},
        },
        budget={"name": "renewals", "credits": 20_000, "per": "month", "timezone": ZONE},
        # What a call costs while the history knows no average yet.
        credits_per_call=2,
        deferrable=True,
        poll_interval=POLL_SECONDS,
        judge_interval=2 * POLL_SECONDS,
        timeout=WAIT_SECONDS,
    )
    guard = sandbox_only(RINGG).as_setup()
    # A teardown runs whatever became of the rollout, once the guard has passed. It alone would then say how the run
    # ended, and hide that a brake was pulled: so the rollout has an end of its own.
    load_calls = RinggCallsToSqlOperator(
        task_id="load_calls", bulk_list_ids=lists.output, pool="ringg_history"
    ).as_teardown(setups=guard, on_failure_fail_dagrun=True)
    guard >> history_is_current() >> lists
    rollout >> [load_calls, EmptyOperator(task_id="rolled_out")]


ringg_careful_campaign()
