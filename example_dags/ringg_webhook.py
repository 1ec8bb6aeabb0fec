"""Tell the platform where to send an agent's call events.

When to use it: once for every agent, when somebody wants to hear of calls before ``ringg_call_history`` has read them.
Trigger it by hand. The address has no default, since what is posted there are calls of your customers. Subscriptions of
others stay as they are, and setting the same address again changes nothing. With an inbox (``docs/webhooks.md``) the
address ends in ``/ringg/webhooks/<connection>``, and ``secret_from`` is that connection.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import Param, dag, task

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.ringg import RinggSetEventSubscriptionsOperator

RINGG = "ringg_sandbox"


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
    params={
        "callback_url": Param(
            type="string", pattern="^https://.+", description="Where calls are posted: an address of your own"
        ),
        "secret_from": Param(
            None,
            type=["null", "string"],
            description="The connection whose webhook_secret is sent along. Empty: no secret",
        ),
    },
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
)
def ringg_webhook():
    @task
    def subscriptions(params=None):
        """What the agent shall be subscribed to; one entry, as a task is mapped over it."""
        events = ["call_completed", "all_processing_completed"]
        wanted = {"event_type": events, "callback_url": params["callback_url"]}
        return [{"subscriptions": [wanted], "secret_from": params["secret_from"]}]

    # Mapped, because `subscriptions` takes no templates: its headers, where there are any, hold secrets.
    wanted = subscriptions()
    webhook = RinggSetEventSubscriptionsOperator.partial(
        task_id="set_webhook",
        map_index_template="{{ task.agent_id }}",
        ringg_conn_id=RINGG,
        agent_id="11111111-1111-4111-8111-111111111111",
    ).expand_kwargs(wanted)
    sandbox_only(RINGG) >> wanted >> webhook


ringg_webhook()
