"""Too late to start: a late run, a backfill and an old run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pendulum
import pytest

from ringg_provider.launch.staleness import MAX_DELAY, why_missed, why_too_late

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        ({}, None),
        ({"planned_start": NOW + timedelta(hours=5)}, None),
        ({"planned_start": NOW - timedelta(hours=2)}, None),
        ({"planned_start": NOW - timedelta(hours=2, seconds=1)}, "later; at most"),
        ({"planned_start": NOW - timedelta(hours=3), "max_delay": timedelta(hours=4)}, None),
        ({"planned_start": NOW - timedelta(hours=3), "allow_backfill": True}, "later; at most"),
        ({"is_backfill": True}, "part of a backfill"),
        ({"is_backfill": True, "allow_backfill": True}, None),
        ({"run_date": NOW - timedelta(days=1)}, None),
        ({"run_date": NOW - timedelta(days=1, seconds=1)}, "was due"),
        ({"run_date": NOW - timedelta(days=3), "max_age": timedelta(days=7)}, None),
        ({"run_date": NOW - timedelta(days=3), "allow_backfill": True}, None),
    ],
)
def test_a_campaign_is_started_only_while_it_is_fresh(situation, reason):
    found = why_too_late(now=NOW, **situation)
    assert (found is None) if reason is None else (reason in found)


def test_the_reason_says_how_late_it_is_and_which_parameter_decides():
    found = why_too_late(now=pendulum.instance(NOW), planned_start=pendulum.instance(NOW - timedelta(hours=3.5)))
    assert "3.5 h" in found
    assert "max_delay" in found


def test_the_zone_of_the_times_does_not_matter():
    planned = (NOW - timedelta(hours=1)).astimezone(pendulum.timezone("Asia/Kolkata"))
    assert why_too_late(now=NOW, planned_start=planned) is None


@pytest.mark.parametrize(
    ("late", "max_delay", "is_missed"),
    [
        (timedelta(0), MAX_DELAY, False),
        (-timedelta(hours=3), MAX_DELAY, False),
        (timedelta(hours=2), MAX_DELAY, False),
        (timedelta(hours=2, seconds=1), MAX_DELAY, True),
        (timedelta(seconds=1), timedelta(0), True),
        (timedelta(hours=5), timedelta(hours=6), False),
    ],
)
def test_a_run_has_missed_its_time_when_it_began_too_long_after_it_was_due(late, max_delay, is_missed):
    found = why_missed(due=NOW, begun=NOW + late, max_delay=max_delay)
    assert (found is not None) is is_missed
    if found is not None:
        assert "max_delay" in found
        assert "trigger the DAG, or clear this run" in found
