"""Every night with Snowflake: the query and the outcomes live there, what keeps people safe in a small PostgreSQL.

When to use it: your contacts and opt-outs are in Snowflake. A warehouse enforces no keys and locks no rows, so the
launch ledger, the people and the history are kept in a transactional database (``STATE``), and a copy of them is
published to Snowflake, where the query joins it. Nobody is dialled until the copy knows what the state knows.

Needs ``apache-airflow-providers-snowflake``; ``docs/warehouses.md`` has the grants. The tables ``CONTACTS`` and
``DO_NOT_CALL`` and the view ``RINGG_OUTCOMES`` lie in the connection's own schema.

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
from ringg_provider.operators.ringg import RinggLaunchOperator
from ringg_provider.transfers.ringg_publish import RinggPublishOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

RINGG = "ringg_sandbox"
WAREHOUSE = "snowflake_default"
#: PostgreSQL, MySQL 8, MariaDB or SQLite; in the demo, its PostgreSQL.
STATE = "warehouse"
ZONE = "Asia/Kolkata"
#: The run's day in the DAG's zone. `run_after | ds` alone is the day in UTC: at 02:00 in India that is yesterday.
DAY = "{{ dag_run.run_after.astimezone(dag.timezone) | ds }}"
#: The sandbox's clock runs fast. In production leave the interval at its default.
POLL_SECONDS = 5
#: A campaign that is paused in the dashboard must not hold the run for ever: each attempt waits until the evening.
WAIT_SECONDS = 18 * 3600

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
    tags=["ringg", "snowflake", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={
        "ringg_conn_id": RINGG,
        "state_conn_id": STATE,
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
    },
)
def ringg_nightly_snowflake():
    @task
    def make_tables():
        """Create the tables of the state, which the first publication makes a copy of."""
        from ringg_provider.warehouse import create_ringg_tables

        create_ringg_tables(state_conn_id=STATE)

    @task(retries=0)
    def history_is_current():
        """Refuse to dial while the copy does not know all of the last nights' calls."""
        from ringg_provider.warehouse import require_history_within

        return require_history_within(within=timedelta(days=3), state_conn_id=STATE, published=WAREHOUSE)

    lists = SqlToRinggOperator(
        task_id="upload_contacts",
        sql_conn_id=WAREHOUSE,
        sql=CONTACTS,
        agent_id="11111111-1111-4111-8111-111111111111",
        campaign_name=f"Renewals {DAY}",
        phone_column="phone",
        variables_map={"callee_name": "full_name", "policy_id": "policy_id", "due_date": "due_date"},
        country_code="+91",
        call_config={
            "call_time": {"call_start_time": "10:00", "call_end_time": "19:00", "timezone": ZONE},
            "call_retry_config": {"retry_count": 2, "retry_busy": 30, "retry_not_picked": 60, "retry_failed": 30},
        },
        # Whose hours these are: nobody is put on a list for a time at which the rules forbid such a call.
        purpose="promotional",
        contact_key="contact_id",
        suppression_sql="SELECT phone FROM do_not_call",
        # Counted in the state, which knows more than its copy.
        not_called_within_days=2,
        contacts_table="ringg_contacts",
        launch_key=f"renewals-{DAY}",
    )
    launched = RinggLaunchOperator.partial(
        task_id="launch",
        map_index_template="{{ task.launch.country_code }}: {{ task.launch.rows }} on {{ task.launch.list_id }}",
        from_numbers=["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"],
        wait_for_completion=True,
        deferrable=True,
        poll_interval=POLL_SECONDS,
        timeout=WAIT_SECONDS,
    ).expand(launch=lists.output)
    guard = sandbox_only(RINGG).as_setup()
    # A teardown runs whatever became of the launch, once the guard has passed. It alone would then say how the run
    # ended, and hide that the launch failed: so the launch has an end of its own.
    load_calls = RinggCallsToSqlOperator(
        task_id="load_calls", bulk_list_ids=lists.output, pool="ringg_history"
    ).as_teardown(setups=guard, on_failure_fail_dagrun=True)
    publish_calls = RinggPublishOperator(task_id="publish_calls", warehouse_conn_id=WAREHOUSE).as_teardown(
        setups=guard, on_failure_fail_dagrun=True
    )
    # First of all what other DAGs have loaded since, and on the first night the tables that the query joins.
    publish_first = RinggPublishOperator(task_id="publish_first", warehouse_conn_id=WAREHOUSE)
    guard >> make_tables() >> publish_first >> history_is_current() >> lists
    launched >> [load_calls, EmptyOperator(task_id="launched_all")]
    load_calls >> publish_calls


ringg_nightly_snowflake()
