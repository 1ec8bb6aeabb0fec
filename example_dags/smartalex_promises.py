"""Every five minutes: whom SmartAlex should have called back, and has not, is called back, once.

When to use it: where callbacks matter and a campaign may be paused or over when one is due. SmartAlex makes its pending
callbacks by itself; they and the calls are loaded, ``ringg_callbacks`` notes which were kept, and what certainly was
not made a quarter of an hour after its time is put on a draft of its own, and started. See ``docs/promises.md``.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import dag

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.smartalex import SmartAlexCallbacksOperator, SmartAlexStartCampaignOperator
from ringg_provider.transfers.callbacks_to_smartalex import CallbacksToSmartAlexOperator
from ringg_provider.transfers.smartalex_to_sql import SmartAlexCallbacksToSqlOperator, SmartAlexCallsToSqlOperator

SMARTALEX, WAREHOUSE = "smartalex_sandbox", "warehouse"
LIST_LABEL = "{{ task.campaign_id.country_code }}: {{ task.campaign_id.rows }} on {{ task.campaign_id.list_id }}"
ZONE = "Asia/Kolkata"
PURPOSE = "promotional"


@dag(
    schedule="*/5 * * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["smartalex", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    default_args={"smartalex_conn_id": SMARTALEX, "retries": 2, "retry_delay": timedelta(minutes=1)},
)
def smartalex_promises():
    callbacks = SmartAlexCallbacksToSqlOperator(task_id="load_pending_callbacks", sql_conn_id=WAREHOUSE)
    calls = SmartAlexCallsToSqlOperator(task_id="load_calls", sql_conn_id=WAREHOUSE)
    update_promises = SmartAlexCallbacksOperator(task_id="update_promises", state_conn_id=WAREHOUSE, purpose=PURPOSE)
    lists = CallbacksToSmartAlexOperator(
        task_id="list_promises",
        state_conn_id=WAREHOUSE,
        agent_id="agent_survey",
        country_code="+91",
        contact_columns={"first_name": "callee_name"},
        settings={
            "calling_hours_start": "09:00",
            "calling_hours_end": "21:00",
            "timezone": ZONE,
            "concurrent_calls": 5,
            "max_retries": 0,
        },
        purpose=PURPOSE,
        suppression_sql="SELECT phone FROM do_not_call",
        contacts_table="smartalex_contacts",
    )
    started = SmartAlexStartCampaignOperator.partial(
        task_id="start",
        map_index_template=LIST_LABEL,
        state_conn_id=WAREHOUSE,
    ).expand(campaign_id=lists.output)
    sandbox_only(SMARTALEX) >> [callbacks, calls] >> update_promises >> lists >> started


smartalex_promises()
