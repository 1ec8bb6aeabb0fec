"""What the log says of a campaign that runs: something once per change, and nothing in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ringg_provider.launch.progress import Progress, ProgressReporter, Stage


class Wall:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def reporter(wall: Wall) -> ProgressReporter:
    return ProgressReporter("campaign-1", wall)


def running(finished: int, contacts: int = 1000) -> Progress:
    return Progress(Stage.RUNNING, "ongoing", contacts, finished)


def test_the_same_sighting_is_told_once(reporter: ProgressReporter) -> None:
    assert reporter.line(running(10)) is not None
    assert reporter.line(running(10)) is None
    assert reporter.line(running(10)) is None


def test_each_change_is_told(reporter: ProgressReporter) -> None:
    lines = [reporter.line(running(n)) for n in (0, 0, 1, 1, 2)]
    assert [line is not None for line in lines] == [True, False, True, False, True]


def test_a_line_says_the_platforms_own_word_contacts_calls_and_share(reporter: ProgressReporter) -> None:
    assert reporter.line(running(250)) == "Campaign campaign-1 is ongoing, 1,000 contacts, 250 calls finished (25%)."


def test_the_end_is_expected_at_the_pace_that_was_seen(reporter: ProgressReporter, wall: Wall) -> None:
    reporter.line(running(200))
    wall.pass_(minutes=30)
    line = reporter.line(running(400))
    assert line is not None
    assert line.endswith("400 calls finished (40%), expected end Fri 2026-11-20 11:00 UTC, in 1 h 30 min.")


def test_no_end_is_expected_before_any_call_was_finished_while_we_watched(
    reporter: ProgressReporter, wall: Wall
) -> None:
    reporter.line(running(200))
    wall.pass_(minutes=30)
    line = reporter.line(Progress(Stage.RUNNING, "paused", 1000, 200))
    assert line is not None
    assert "expected" not in line


def test_a_pace_of_a_call_a_day_on_a_list_of_millions_is_no_forecast(reporter: ProgressReporter, wall: Wall) -> None:
    reporter.line(running(0, 20_000_000))
    wall.pass_(days=1)
    line = reporter.line(running(1, 20_000_000))
    assert line is not None
    assert "expected" not in line


@pytest.mark.parametrize("stage", [Stage.COMPLETED, Stage.FAILED, Stage.TERMINATED])
def test_a_campaign_that_has_ended_is_not_expected_to_end(reporter: ProgressReporter, wall: Wall, stage: Stage) -> None:
    reporter.line(running(200))
    wall.pass_(minutes=30)
    assert reporter.line(Progress(stage, stage.value, 1000, 400)) == (
        f"Campaign campaign-1 is {stage.value}, 1,000 contacts, 400 calls finished (40%)."
    )


@pytest.mark.parametrize(
    ("sighting", "line"),
    [
        (Progress(Stage.MISSING), "Campaign campaign-1 is missing."),
        (Progress(Stage.WAITING, "scheduled", 10), "Campaign campaign-1 is scheduled, 10 contacts."),
        (Progress(Stage.RUNNING, "ongoing", None, 3), "Campaign campaign-1 is ongoing, 3 calls finished."),
        (
            Progress(Stage.RUNNING, "ongoing", 0, 0),
            "Campaign campaign-1 is ongoing, no contact, no call finished.",
        ),
        (Progress(Stage.UNKNOWN, "teleported"), "Campaign campaign-1 is teleported."),
    ],
)
def test_what_the_platform_does_not_tell_is_left_out(reporter: ProgressReporter, sighting: Progress, line: str) -> None:
    assert reporter.line(sighting) == line


def test_only_an_end_is_an_end() -> None:
    assert {stage for stage in Stage if stage.is_final} == {Stage.COMPLETED, Stage.FAILED, Stage.TERMINATED}


def test_times_are_told_in_the_zone_that_is_asked_for(wall: Wall) -> None:
    reporter = ProgressReporter("campaign-1", wall, ZoneInfo("Asia/Kolkata"))
    reporter.line(running(200))
    wall.pass_(minutes=30)
    line = reporter.line(running(400))
    assert line is not None
    assert "expected end Fri 2026-11-20 16:30 Asia/Kolkata, in 1 h 30 min" in line
