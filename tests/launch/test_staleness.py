"""Too late to start: the verdict on a late run, a backfill and an old run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pendulum
import pytest

from ringg_provider.launch.staleness import Freshness, check_staleness

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("situation", "verdict"),
    [
        ({}, Freshness.FRESH),
        ({"planned_start": NOW + timedelta(hours=5)}, Freshness.FRESH),
        ({"planned_start": NOW - timedelta(hours=2)}, Freshness.FRESH),
        ({"planned_start": NOW - timedelta(hours=2, seconds=1)}, Freshness.LATE),
        ({"planned_start": NOW - timedelta(hours=3), "max_delay": timedelta(hours=4)}, Freshness.FRESH),
        ({"planned_start": NOW - timedelta(hours=3), "allow_backfill": True}, Freshness.LATE),
        ({"is_backfill": True}, Freshness.BACKFILL),
        ({"is_backfill": True, "allow_backfill": True}, Freshness.FRESH),
        ({"run_date": NOW - timedelta(days=1)}, Freshness.FRESH),
        ({"run_date": NOW - timedelta(days=1, seconds=1)}, Freshness.OLD_RUN),
        ({"run_date": NOW - timedelta(days=3), "max_age": timedelta(days=7)}, Freshness.FRESH),
        ({"run_date": NOW - timedelta(days=3), "allow_backfill": True}, Freshness.FRESH),
    ],
)
def test_a_campaign_is_started_only_while_it_is_fresh(situation, verdict):
    found = check_staleness(now=NOW, **situation)
    assert found.freshness is verdict
    assert found.is_stale is (verdict is not Freshness.FRESH)
    assert bool(found.message) is found.is_stale


def test_the_verdict_says_how_late_it_is_and_which_parameter_decides():
    found = check_staleness(now=pendulum.instance(NOW), planned_start=pendulum.instance(NOW - timedelta(hours=3.5)))
    assert "3.5 h" in found.message
    assert "max_delay" in found.message


def test_the_zone_of_the_times_does_not_matter():
    planned = (NOW - timedelta(hours=1)).astimezone(pendulum.timezone("Asia/Kolkata"))
    assert not check_staleness(now=NOW, planned_start=planned).is_stale
