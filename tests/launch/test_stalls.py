"""When a campaign that stands still makes the credits worth a look."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ringg_provider.launch.progress import Progress, ProgressReporter, Stage, StallWatch

STILL = Progress(Stage.RUNNING, "ongoing", 100, 40)


def looks(watch: StallWatch, sightings: int, spendable: Decimal | None, progress: Progress = STILL) -> list[int]:
    """At which of so many sightings the credits were looked at."""
    found = []
    for number in range(1, sightings + 1):
        if watch.is_due(progress):
            found.append(number)
            watch.tell(spendable)
    return found


def test_credits_are_looked_at_ever_more_rarely_while_there_are_some() -> None:
    assert looks(StallWatch(), 150, Decimal(1)) == [6, 16, 36, 76, 116]


def test_credits_that_are_used_up_are_looked_at_again_and_again_to_see_the_top_up() -> None:
    watch = StallWatch()
    assert looks(watch, 20, Decimal(0)) == [6, 11, 16]
    assert watch.mark(STILL).out_of_credits


@pytest.mark.parametrize(("spendable", "out"), [(Decimal("-0.5"), True), (Decimal(0), True), (Decimal("0.01"), False)])
def test_credits_run_out_at_zero_and_a_postpaid_limit_below_it(spendable: Decimal, out: bool) -> None:
    watch = StallWatch()
    looks(watch, 6, spendable)
    assert watch.mark(STILL).out_of_credits is out


def test_what_cannot_be_read_is_not_taken_for_used_up() -> None:
    watch = StallWatch()
    assert looks(watch, 36, None) == [6, 16, 36]
    assert not watch.mark(STILL).out_of_credits


def test_progress_starts_the_count_anew_and_ends_the_finding() -> None:
    watch = StallWatch()
    looks(watch, 6, Decimal(0))
    moved = Progress(Stage.RUNNING, "ongoing", 100, 41)
    assert not watch.is_due(moved)
    assert not watch.mark(moved).out_of_credits
    assert looks(watch, 6, Decimal(0), moved) == [5]


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.RUNNING])
def test_only_a_running_campaign_can_stand_still(stage: Stage) -> None:
    assert looks(StallWatch(), 50, Decimal(0), Progress(stage)) == []


def test_it_is_said_once_when_the_credits_ran_out_and_once_when_they_are_back() -> None:
    said: list[tuple[str, str]] = []

    class Log:
        def info(self, _: str, line: str) -> None:
            said.append(("info", line))

        def warning(self, _: str, line: str) -> None:
            said.append(("warning", line))

    reporter, out = ProgressReporter("c"), Progress(Stage.RUNNING, "ongoing", 100, 40, out_of_credits=True)
    for progress in (STILL, STILL, out, out, STILL):
        reporter.report(progress, Log())
    assert [level for level, _ in said] == ["info", "warning", "info"]
    assert "out of credits: its calls wait for a top-up" in said[1][1]
