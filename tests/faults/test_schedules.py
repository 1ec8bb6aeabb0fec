"""Whatever goes wrong, nobody is dialled twice, and every launch ends in the one way that is right."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from tests.faults.drills import Outcome
from tests.faults.schedules import FAULTS, Schedule, schedules

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("schedule", schedules(), ids=str)
def test_a_launch_under_fault_dials_at_most_once_and_ends_right(
    schedule: Schedule, outcomes: dict[Schedule, Future[Outcome]]
) -> None:
    outcome = outcomes[schedule].result()
    fault = FAULTS[schedule.fault]
    expected = fault.ends(schedule)

    # What was to go wrong did go wrong; a start that is not sent cannot be lied about.
    assert outcome.struck == (fault.sabotage is not None and fault.strikes(schedule))
    assert outcome.lied == bool(fault.lies) or expected.starts == 0

    assert outcome.most_starts_of_a_list <= 1
    assert outcome.most_calls_within_a_list <= 1
    if schedule.ledger:
        assert outcome.most_calls <= 1
    assert outcome.ending.state == expected.state
    assert outcome.ending.errors == ({expected.error} if expected.error else set())
    assert outcome.starts == expected.starts
    # SmartAlex has no way to stop a campaign for good: it is paused.
    paused = schedule.flow == "smartalex" and expected.campaigns == "terminated"
    assert outcome.campaigns == ({"paused" if paused else expected.campaigns} if expected.starts else set())
