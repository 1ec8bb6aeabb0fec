"""Whenever SmartAlex's webhooks have come: every call's outcome in the warehouse, less than a minute after it.

When to use it: an inbox takes SmartAlex's webhooks (``docs/webhooks.md``). A trigger looks into the inbox and wakes
this DAG, at most once per half minute. What the vendor's events hold is on no page: the nightly load stays the one to
rely on.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import Asset, AssetAlias, AssetWatcher, dag

from ringg_provider.examples import sandbox_only
from ringg_provider.transfers.smartalex_inbox_to_sql import SmartAlexInboxToSqlOperator
from ringg_provider.triggers.inbox import RinggInboxTrigger

SMARTALEX, WAREHOUSE = "smartalex_sandbox", "warehouse"
INBOX = Asset(
    name="smartalex_inbox",
    watchers=[
        AssetWatcher(name="smartalex_inbox", trigger=RinggInboxTrigger(conn_id=SMARTALEX, state_conn_id=WAREHOUSE))
    ],
)


@dag(
    schedule=[INBOX],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["smartalex", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
)
def smartalex_results_as_they_come():
    apply = SmartAlexInboxToSqlOperator(
        task_id="apply",
        smartalex_conn_id=SMARTALEX,
        state_conn_id=WAREHOUSE,
        purge_after=timedelta(days=30),
        outlets=[AssetAlias("smartalex_calls")],
    )
    sandbox_only(SMARTALEX) >> apply


smartalex_results_as_they_come()
