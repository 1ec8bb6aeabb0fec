"""Every hour, what is new in the call history goes into the warehouse.

When to use it: whenever calls are made that no campaign DAG waits for (single calls, callbacks, campaigns started in
the dashboard), and so that results which arrive late, such as the analysis of a call, are fetched. Reading is
incremental: the table itself remembers where it ended, and what was still open is read again.

The history allows ten requests a minute for the whole workspace, so its readers take turns in a pool. Make it once,
since Airflow never runs a task whose pool does not exist:
``airflow pools set ringg_history 1 "Readers of Ringg's call history"``.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import AssetAlias, dag

from ringg_provider.examples import sandbox_only
from ringg_provider.transfers.ringg_to_sql import RinggCallsToSqlOperator

RINGG = "ringg_sandbox"


@dag(
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
)
def ringg_call_history():
    load = RinggCallsToSqlOperator(
        task_id="load_calls",
        ringg_conn_id=RINGG,
        sql_conn_id="warehouse",
        contacts_table="ringg_contacts",
        pool="ringg_history",
        # An event only when calls are new or have changed; `ringg_new_calls` waits for it.
        outlets=[AssetAlias("ringg_calls")],
    )
    sandbox_only(RINGG) >> load


ringg_call_history()
