"""Whenever new calls are in the warehouse: do something with them.

When to use it: for what follows from calls, such as passing requests for a callback on to people. It runs when the
history has brought something new, not by the clock: ``ringg_call_history`` announces it as an asset event, whose counts
say how much there is. Who wants to hear of calls before the next hour sets a webhook, once: ``ringg_webhook``.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import AssetAlias, dag, task

from ringg_provider.examples import sandbox_only

RINGG = "ringg_sandbox"
NEW_CALLS = AssetAlias("ringg_calls")


@dag(
    schedule=[NEW_CALLS],
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    is_paused_upon_creation=True,
    tags=["ringg", "example"],
    doc_md=__doc__,
)
def ringg_new_calls():
    @task(inlets=[NEW_CALLS])
    def count_callbacks(inlet_events=None):
        """Return what was announced, and how many callbacks the calls that changed in the last hour ask for."""
        import sqlalchemy as sa

        from ringg_provider.hooks.sql import sql_engine
        from ringg_provider.warehouse import create_ringg_tables

        announced = [event.extra for event in inlet_events[NEW_CALLS]]
        wanted = sa.text("SELECT count(*) FROM ringg_calls WHERE callback_requested AND changed_at >= :since")
        with sql_engine("warehouse") as engine:
            create_ringg_tables(engine)
            with engine.connect() as connection:
                since = pendulum.now("UTC").subtract(hours=1)
                callbacks = connection.execute(wanted, {"since": since}).scalar_one()
        return {"callbacks": callbacks, "announced": announced[-1:]}

    sandbox_only(RINGG) >> count_callbacks()


ringg_new_calls()
