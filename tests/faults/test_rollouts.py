"""A rollout whose worker is killed goes on where it was: nobody is dialled twice, and nothing is paid twice."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tests.faults.stage import Drill, Stage

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(900)]

PEOPLE, OWN_PHONES = 60, 1
#: Between reserving and starting, in the midst of a start, between two waves, between the last start and settling.
STEPS = ["after_reserve", "after_answer", "between_waves", "before_settle"]


def reserved(stage: Stage, key: str) -> list[Any]:
    """What stands in the budget for one launch key."""
    with stage.warehouse.connect() as connection:
        query = sa.text("SELECT part, state, charged FROM ringg_budget_reservations WHERE launch_key = :key")
        return list(connection.execute(query, {"key": key}))


def require_each_once(drill: Drill) -> None:
    """Every person and every own phone was dialled exactly once, on lists that were each started once."""
    dials = drill.sandbox.dials()
    assert dials["max_calls_per_number"] == 1
    assert len(dials["numbers"]) == PEOPLE + OWN_PHONES
    assert {entry["launches"] for entry in dials["lists"].values()} == {1}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("dag_id", ["rollout_ringg", "rollout_smartalex"])
def test_a_killed_rollout_goes_on_and_dials_and_pays_once(stage: Stage, dag_id: str, step: str) -> None:
    if dag_id == "rollout_smartalex" and step == "before_settle":
        pytest.skip("SmartAlex tells no cost, so that nothing is settled")
    stage.api.wait_for_dag(dag_id)
    with stage.campaign(dag_id, "g3") as drill:
        run = drill.run(sabotage={"task": "roll_out", "step": step, "blow": "SIGKILL"})
        assert drill.ending(run).state == "success"
        assert drill.tasks(run, "roll_out")[0]["try_number"] > 1, "it was to be killed"
        require_each_once(drill)
        rows = reserved(stage, drill.conn_id)
        assert len(rows) == len(drill.sandbox.dials()["lists"])
        assert sum(row.charged for row in rows) <= 2 * (PEOPLE + OWN_PHONES)


@pytest.mark.parametrize("answer", ["Approve", "Reject"])
def test_after_the_rehearsal_a_person_decides(stage: Stage, answer: str) -> None:
    stage.api.wait_for_dag("rollout_asked")
    with stage.campaign("rollout_asked", "g3") as drill:
        run = drill.run()
        drill.until(lambda: bool(stage.api.pending_approvals(drill.dag_id, run)), "the question")
        (body,) = stage.api.pending_approvals(drill.dag_id, run).values()
        assert "The rehearsal: 1 phone on 1 list." in body
        assert "+91" not in body
        assert len(drill.sandbox.dials()["numbers"]) == OWN_PHONES

        def answered() -> bool:
            """An answer that comes while Airflow still holds the task for running makes it try, and ask, again."""
            if stage.api.pending_approvals(drill.dag_id, run):
                stage.api.approve(drill.dag_id, run, "roll_out", answer)
            return stage.api.run_state(drill.dag_id, run) in ("success", "failed")

        drill.until(answered, "the run to end after the answer")
        ending = drill.ending(run)
        if answer == "Approve":
            assert ending.state == "success"
            require_each_once(drill)
        else:
            assert (ending.state, ending.errors) == ("failed", {"CampaignBraked"})
            assert len(drill.sandbox.dials()["numbers"]) == OWN_PHONES
