"""Every night: a warehouse query, clean lists, one launch, and every call's outcome back in the warehouse.

When to use it: the usual case. At two in the morning, where the audience lives, the query chooses whose policy falls
due within 31 days; people who were reached before, who opted out or whose call is still open are left out. The lists
are uploaded and started; the platform calls from ten o'clock on, inside the daily window. When the campaign has ended,
its calls are loaded. The next night first loads what is still missing, and refuses to dial until it is all there, since
otherwise it could call people again who were just reached.

``RinggCampaign`` is the same in one call: see the README. This is the long form, for who needs the parts.

The launch key is what makes it safe to retry, clear or run twice: under one key nobody is dialled twice. The key names
the day where the audience lives, so a second run of the same day finds the first one's lists and calls nobody.

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
from airflow.sdk import AssetAlias, dag, task

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.ringg import RinggLaunchOperator, RinggPreflightOperator
from ringg_provider.transfers.ringg_inbox_to_sql import RinggInboxToSqlOperator
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator
from ringg_provider.transfers.sql_to_ringg import SqlToRinggOperator

RINGG, WAREHOUSE = "ringg_sandbox", "warehouse"
ZONE = "Asia/Kolkata"
#: The run's day in the DAG's zone. `run_after | ds` alone is the day in UTC: at 02:00 in India that is yesterday.
DAY = "{{ dag_run.run_after.astimezone(dag.timezone) | ds }}"
CALLERS = ["aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"]
PURPOSE = "promotional"
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
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"ringg_conn_id": RINGG, "retries": 2, "retry_delay": timedelta(minutes=1)},
)
def ringg_nightly_campaign():
    # Also the calls of a night that ended badly, before anybody is chosen.
    load_earlier = RinggCallsToSqlOperator(
        task_id="load_earlier_calls", state_conn_id=WAREHOUSE, contacts_table="ringg_contacts", pool="ringg_history"
    )

    @task(retries=0)
    def history_is_current():
        """Create what the query reads, and refuse to dial while last night's calls are not all in the tables."""
        from ringg_provider.warehouse import create_ringg_tables, require_history_within

        create_ringg_tables(state_conn_id=WAREHOUSE)
        return require_history_within(within=timedelta(days=3), state_conn_id=WAREHOUSE)

    lists = SqlToRinggOperator(
        task_id="upload_contacts",
        sql_conn_id=WAREHOUSE,
        state_conn_id=WAREHOUSE,
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
        purpose=PURPOSE,
        contact_key="contact_id",
        suppression_sql="SELECT phone FROM do_not_call",
        # The query's due dates end the calls to whoever is never reached; this cap puts two days between them.
        not_called_within_days=2,
        contacts_table="ringg_contacts",
        launch_key=f"renewals-{DAY}",
        # Events of the agent's campaigns and the table of contacts, when people were put on lists.
        outlets=[AssetAlias("ringg_lists")],
    )
    preflight = RinggPreflightOperator(
        task_id="preflight",
        launches=lists.output,
        purpose=PURPOSE,
        from_numbers=CALLERS,
        sql_conn_id=WAREHOUSE,
        state_conn_id=WAREHOUSE,
    )
    launched = RinggLaunchOperator.partial(
        task_id="launch",
        map_index_template="{{ task.launch.country_code }}: {{ task.launch.rows }} on {{ task.launch.list_id }}",
        from_numbers=CALLERS,
        sql_conn_id=WAREHOUSE,
        state_conn_id=WAREHOUSE,
        wait_for_completion=True,
        deferrable=True,
        poll_interval=POLL_SECONDS,
        timeout=WAIT_SECONDS,
    ).expand(launch=lists.output)
    guard = sandbox_only(RINGG).as_setup()
    # A teardown runs whatever became of the launch, once the guard has passed. It alone would then say how the run
    # ended, and hide that the launch failed: so the campaign has an end of its own, behind both.
    # First what webhooks brought, where an inbox takes them (docs/webhooks.md): of those calls nothing more is read.
    apply_inbox = RinggInboxToSqlOperator(task_id="apply_inbox", state_conn_id=WAREHOUSE).as_teardown(setups=guard)
    load_calls = RinggCallsToSqlOperator(
        task_id="load_calls",
        state_conn_id=WAREHOUSE,
        contacts_table="ringg_contacts",
        bulk_list_ids=lists.output,
        pool="ringg_history",
        outlets=[AssetAlias("ringg_calls")],
    ).as_teardown(setups=guard, on_failure_fail_dagrun=True)
    guard >> load_earlier >> history_is_current() >> lists >> preflight >> launched
    launched >> apply_inbox >> load_calls
    [launched, load_calls] >> EmptyOperator(task_id="campaign_ended")


ringg_nightly_campaign()
