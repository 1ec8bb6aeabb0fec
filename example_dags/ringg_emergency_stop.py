"""Stop calls now: a whole campaign, everything that an agent does, or the numbers that a query selects.

**Unpause it when you install it, not in the emergency:** it comes paused, and a run that the API or the command line
triggers on a paused DAG stays queued and stops nothing.

When to use it: something is wrong, or people opted out after the list was built. Trigger it by hand and fill in exactly
one of the three fields. Calls that wait or would be repeated are cancelled for good; live ones end by themselves.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import Param, dag, task

from ringg_provider.examples import sandbox_only
from ringg_provider.operators.ringg import RinggTerminateOperator

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
        "campaign_id": Param("", type=["null", "string"], description="Stop this campaign. Empty by default"),
        "agent_id": Param("", type=["null", "string"], description="Stop every call of this agent. Empty by default"),
        "sql": Param(
            "",
            type=["null", "string"],
            description="Stop the numbers that this query selects, in every campaign. Empty by default",
            examples=["SELECT phone FROM do_not_call WHERE added_at > now() - interval '1 day'"],
        ),
    },
    # Stopping twice does no harm, and five minutes between two attempts, Airflow's default, would be too long here.
    default_args={"ringg_conn_id": RINGG, "retries": 3, "retry_delay": timedelta(seconds=10)},
)
def ringg_emergency_stop():
    @task.branch(retries=0)
    def choose(params=None):
        """Exactly one field decides which way is taken."""
        given = [name for name in ("campaign_id", "agent_id", "sql") if params[name]]
        if len(given) != 1:
            raise ValueError("Fill in exactly one of campaign_id, agent_id and sql.")
        return f"stop_by_{given[0]}"

    stops = [
        RinggTerminateOperator(task_id="stop_by_campaign_id", campaign_id="{{ params.campaign_id }}"),
        RinggTerminateOperator(task_id="stop_by_agent_id", agent_id="{{ params.agent_id }}"),
        RinggTerminateOperator(
            task_id="stop_by_sql", sql_conn_id="warehouse", sql="{{ params.sql }}", country_code="+91"
        ),
    ]
    sandbox_only(RINGG) >> choose() >> stops


ringg_emergency_stop()
