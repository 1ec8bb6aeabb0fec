"""Every 15 minutes while campaigns run, stop the calls to people who opted out meanwhile.

When to use it: always, beside any DAG that calls for longer than a moment. A list is built without the people who had
opted out by then; who opts out an hour later still stands on it. This DAG takes the numbers that came into the table
since its last success, in any spelling, and cancels their calls that wait or would be repeated, in every campaign, a
hundred numbers to a request. A call that is live ends by itself. Stopping twice does no harm, and a number that nobody
was about to call is no error.

``added_at`` must carry a time zone (``timestamptz`` on PostgreSQL): it is compared with a moment in UTC, and a column
without a zone, filled with local time, would be hours off.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import dag

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.ringg import RinggTerminateOperator

RINGG, WAREHOUSE = "ringg_sandbox", "warehouse"

# Rows that were written before the last success and committed after it are found by the hour that is looked at again.
# The first time it is a week: the platform stops no call that is older.
LATE_OPT_OUTS = """
SELECT phone FROM do_not_call
WHERE added_at >= '{{ ((prev_start_date_success or dag_run.run_after - macros.timedelta(days=7))
                       - macros.timedelta(hours=1)).isoformat() }}'
ORDER BY added_at
"""


@dag(
    schedule="*/15 * * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"ringg_conn_id": RINGG, "retries": 3, "retry_delay": timedelta(minutes=1)},
)
def ringg_late_opt_outs():
    stop = RinggTerminateOperator(
        task_id="stop_opted_out",
        sql_conn_id=WAREHOUSE,
        sql=LATE_OPT_OUTS,
        country_code="+91",
    )
    sandbox_only(RINGG) >> stop


ringg_late_opt_outs()
