"""Every hour: SmartAlex's calls into the state, and a copy of them into the warehouse.

When to use it: whoever reads the outcomes works in a warehouse, and the calls are kept in a transactional database.
Only what changed is published, and what was erased disappears there too.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import AssetAlias, dag

from ringg_provider.examples import sandbox_only
from ringg_provider.transfers.smartalex_publish import SmartAlexPublishOperator
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallsToSqlOperator

SMARTALEX, STATE, WAREHOUSE = "smartalex_sandbox", "warehouse", "analytics"


@dag(
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["smartalex", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"state_conn_id": STATE, "retries": 2, "retry_delay": timedelta(minutes=1)},
)
def smartalex_published_calls():
    load_calls = SmartAlexCallsToSqlOperator(task_id="load_calls", smartalex_conn_id=SMARTALEX)
    # The alias gets an event only when something was written: DAGs that read the copy can be scheduled by it.
    publish = SmartAlexPublishOperator(
        task_id="publish", warehouse_conn_id=WAREHOUSE, outlets=[AssetAlias("smartalex_copy")]
    )
    sandbox_only(SMARTALEX) >> load_calls >> publish


smartalex_published_calls()
