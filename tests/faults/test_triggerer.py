"""Waits in a real triggerer: what people do to deferred tasks reaches the platform, and no wait stops the others.

The triggerer is replaced here, so that nothing else may be under way: these come after the schedules.
"""

from __future__ import annotations

import time

import pytest

from tests.faults.drills import TIME_TO_STOP, campaign_states
from tests.faults.stage import Drill, Stage, is_look

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]

STOPS = {
    "standard": ("/campaign/terminate", "terminated"),
    "large": ("/campaign/terminate", "terminated"),
    # SmartAlex has no way to stop a campaign for good: it is paused.
    "smartalex": ("/campaigns/{id}/pause", "paused"),
}


def waiting_run(drill: Drill) -> str:
    """A run whose launch is deferred, and whose campaign hardly moves."""
    run = drill.run()
    drill.until_waiting(run)
    drill.sandbox.settings(speed=0.01)
    return run


def until_looked(drill: Drill) -> None:
    """Wait until somebody looks at the campaigns again."""
    before = sum(map(is_look, drill.sandbox.requests()))
    drill.until(lambda: sum(map(is_look, drill.sandbox.requests())) > before, "the triggerer to look")


@pytest.mark.parametrize("stopping", ["at_once", "slowly"])
@pytest.mark.parametrize("flow", STOPS)
def test_a_deferred_launch_that_is_marked_failed_stops_its_campaign_in_a_fresh_triggerer(
    stage: Stage, flow: str, stopping: str
) -> None:
    path, stopped = STOPS[flow]
    with stage.campaign(f"launch_{flow}_deferrable_ledger", "g3", speed=2) as drill:
        run = waiting_run(drill)
        stage.replace_triggerer()
        until_looked(drill)
        if stopping == "slowly":
            drill.sandbox.fault(path=path, kind="status", status=429, headers={"Retry-After": "4"})
        stage.api.mark(drill.dag_id, run, "launch", 0, "failed")
        time.sleep(TIME_TO_STOP)
        assert campaign_states(drill) == {stopped}
        assert drill.ending(run).state == "failed"


def test_a_deferred_launch_that_is_marked_failed_a_moment_before_the_triggerer_shuts_down_stops_its_campaign(
    stage: Stage,
) -> None:
    with stage.campaign("launch_standard_deferrable_ledger", "g3", speed=2) as drill:
        run = waiting_run(drill)
        drill.sandbox.fault(path="/campaign/terminate", kind="status", status=429, headers={"Retry-After": "60"})
        stage.api.mark(drill.dag_id, run, "launch", 0, "failed")
        drill.until(
            lambda: any(entry["path"] == "/campaign/terminate" for entry in drill.sandbox.requests()), "the first try"
        )
        stage.replace_triggerer()
        assert campaign_states(drill) == {"terminated"}


def test_what_an_older_version_has_stored_waits_to_its_end_and_stops_no_other_wait(stage: Stage) -> None:
    with stage.campaign("waiting", "g3") as drill:
        seeded = drill.sandbox.admin.post("/_sandbox/seed/campaigns", json={"count": 4, "states": ["ongoing"]})
        campaigns = seeded.json()["ids"]
        run = stage.api.trigger("waiting", {"ringg": drill.conn_id, "campaigns": campaigns})
        drill.until(
            lambda: {task["state"] for task in stage.api.tasks("waiting", run)} == {"deferred"}, "all to be deferred"
        )
        until_looked(drill)
        until_looked(drill)
        drill.sandbox.settings(forced_statuses=dict.fromkeys(campaigns, "completed"))
        assert drill.ending(run).state == "success"
