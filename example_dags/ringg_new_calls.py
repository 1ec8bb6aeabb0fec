"""Whenever new calls are in the warehouse: do something with them.

When to use it: for what follows from calls, such as passing requests for a callback on to people. It runs when the
history has brought something new, not by the clock: ``ringg_call_history`` announces it as an asset event. Who wants to
hear of calls before the next hour sets a webhook, once: ``ringg_webhook``.
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
    description=__doc__.partition("\n")[0],
    doc_md=__doc__,
)
def ringg_new_calls():
    @task(inlets=[NEW_CALLS])
    def count_callbacks(inlet_events=None, triggering_asset_events=None):
        """Return how many callbacks are asked for by the calls that are new since the announcement before.

        From that announcement to this run's own, so that every call belongs to one run: Airflow 3.4 makes a run of
        each announcement; with ``[scheduler] batch_asset_events``, and before 3.4, a run may have several.
        """
        import sqlalchemy as sa

        from ringg_provider.hooks.sql import sql_engine
        from ringg_provider.warehouse import create_ringg_tables

        known = sorted(event.timestamp for event in inlet_events[NEW_CALLS])
        # A run that a person triggers takes up the last announcement again.
        mine = [event.timestamp for event in triggering_asset_events.get(NEW_CALLS, ())] or known[-1:]
        if not mine:
            return {"announcements": 0, "callbacks": 0}
        since = max((moment for moment in known if moment < min(mine)), default=pendulum.datetime(2026, 1, 1))
        wanted = sa.text(
            "SELECT count(*) FROM ringg_calls WHERE callback_requested AND changed_at > :since AND changed_at <= :until"
        )
        with sql_engine("warehouse") as engine:
            create_ringg_tables(engine)
            with engine.connect() as connection:
                callbacks = connection.execute(wanted, {"since": since, "until": max(mine)}).scalar_one()
        return {"announcements": len(mine), "callbacks": callbacks}

    sandbox_only(RINGG) >> count_callbacks()


ringg_new_calls()
