"""What a load writes of the campaigns that it saw."""

from __future__ import annotations

import datetime as dt
import logging
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from ringg_provider.history.counts import Count, CountedBy, Tally
from ringg_provider.history.load import LoadCounts
from ringg_provider.history.telling import CampaignSeen, tell_campaigns, warn_of
from tests.history.hostile_platform import HostilePlatform
from tests.history.test_load import DAY, load


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


@pytest.fixture(autouse=True)
def _everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ringg_provider")


def load_campaign(sqlite: sa.Engine, outcome: str) -> tuple[HostilePlatform, str]:
    """Load a campaign of three calls that all ended so."""
    platform = HostilePlatform(1)
    campaign = platform.plan_campaign(3, begin=-3 * DAY, spread=10)
    for call in platform.calls:
        call.outcome = outcome
    load(platform, sqlite)
    return platform, campaign


def test_a_load_ends_with_how_the_campaigns_stand(sqlite: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    _, campaign = load_campaign(sqlite, "completed")
    (told,) = (text for text in said(caplog, logging.INFO) if text.startswith("How the campaigns stand:"))
    header, row = told.splitlines()[1:]
    assert header.split() == ["campaign", "calls", "dialled", "reached", "failed", "cost", "last", "call", "history"]
    assert row.split()[:5] == [campaign, "3", "3", "3", "0"]
    assert row.endswith("UTC  all there")
    assert said(caplog, logging.WARNING) == []


def test_a_campaign_that_reached_nobody_is_warned_of_once_with_the_reason_and_the_remedy(
    sqlite: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    platform, campaign = load_campaign(sqlite, "failed")
    warning = (
        f"Campaign {campaign} has ended and nobody was reached: of 3 calls dialled, no person took one (3 queued). "
        "Look at its caller numbers (flagged as spam?), its hours and its agent; see the runbook, 'Nobody was reached'."
    )
    assert said(caplog, logging.WARNING) == [warning]
    platform.sleep(3600)
    load(platform, sqlite)
    assert said(caplog, logging.WARNING) == [warning]


def test_a_campaign_that_called_nobody_is_warned_of_with_the_reason_and_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = CampaignSeen("c-1", 1_200, 0, 0, 0, None, None, None, closed_now=True)
    cancelled = Count(CountedBy.OUTCOME, Tally(calls=1_200), status="cancelled", sub_status="OUT_OF_HOURS")
    warn_of(logging.getLogger("ringg_provider"), seen, [cancelled])
    warning = (
        "Campaign c-1 has ended and nobody was called: 1,200 calls, none dialled (1,200 out of hours). Look at its "
        "calling hours, its credits and whether it was stopped; see the runbook, 'Nobody is called, and the run is "
        "green'."
    )
    assert said(caplog, logging.WARNING) == [warning]


def test_a_long_night_is_cut_and_the_latest_come_first(caplog: pytest.LogCaptureFixture) -> None:
    at = dt.datetime(2027, 3, 1, 6, 30, tzinfo=dt.UTC)
    seen = [
        CampaignSeen(
            f"c-{number}", 1_200, 1_100, 900, 200, Decimal("10.50"), at + number * dt.timedelta(hours=1), None, False
        )
        for number in range(22)
    ]
    tell_campaigns(logging.getLogger("ringg_provider"), seen, ZoneInfo("Asia/Kolkata"))
    lines = caplog.messages[0].splitlines()
    assert lines[2].split() == [
        "c-21",
        "1,200",
        "1,100",
        "900",
        "200",
        "10.5",
        "credits",
        "Tue",
        "2027-03-02",
        "09:00",
        "Asia/Kolkata",
        "all",
        "there",
    ]
    assert (len(lines), lines[-1]) == (23, "and 2 more")


def test_counts_are_said_and_not_shown_as_an_object() -> None:
    assert str(LoadCounts(requests=1, calls_read=1_200, inserted=1_200, details_read=1_200, open=2)) == (
        "1,200 calls read in 1 request (1,200 new, 0 changed), the details of 1,200 calls, 2 still lack something"
    )
    assert str(LoadCounts(campaigns_deferred=2, incomplete=1)).endswith(
        ", 1 call given up, 2 campaigns left for the next load"
    )
