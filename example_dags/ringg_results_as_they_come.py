"""Whenever webhooks have come: every call's outcome in the warehouse, less than a minute after the call.

When to use it: an inbox takes Ringg's webhooks (``docs/webhooks.md``), and somebody wants to know before the campaign
has ended. A trigger looks into the inbox and wakes this DAG, at most once per half minute however many calls end; the
run applies all that is there, and hands on that there are new calls: ``ringg_new_calls`` follows. Webhooks are no proof
that nothing was lost, so ``ringg_call_history``, or the campaign's own DAG, reads from the platform what they did not
settle.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import Asset, AssetAlias, AssetWatcher, dag

from ringg_provider.examples import sandbox_only
from ringg_provider.transfers.ringg_inbox_to_sql import RinggInboxToSqlOperator
from ringg_provider.triggers.inbox import RinggInboxTrigger

RINGG, WAREHOUSE = "ringg_sandbox", "warehouse"
#: One for each connection that webhooks come for.
INBOX = Asset(
    name="ringg_inbox",
    watchers=[
        AssetWatcher(name="ringg_inbox", trigger=RinggInboxTrigger(conn_id=RINGG, state_conn_id=WAREHOUSE, interval=30))
    ],
)


@dag(
    schedule=[INBOX],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
)
def ringg_results_as_they_come():
    apply = RinggInboxToSqlOperator(
        task_id="apply",
        ringg_conn_id=RINGG,
        state_conn_id=WAREHOUSE,
        # The deliveries hold what was said. What is in the tables by then stays there.
        purge_after=timedelta(days=30),
        outlets=[AssetAlias("ringg_calls")],
    )
    sandbox_only(RINGG) >> apply


ringg_results_as_they_come()
