"""What is wrong with a campaign, in words, and which section of the runbook says what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ringg_provider.history.tables import REACHED_KNOWN, HistoryState
from ringg_provider.launch.table import LISTED, START_SENT
from ringg_provider.ui.campaign import Campaign
from ringg_provider.ui.charts import local

#: A start is answered within seconds; a task that died in it is tried again within minutes.
UNCLEAR_AFTER = timedelta(minutes=15)
#: A list is started by the next task of the same run.
FORGOTTEN_AFTER = timedelta(hours=1)
#: A wave waits for those before it.
WAVE_FORGOTTEN_AFTER = timedelta(days=2)
#: The load that closes a campaign comes with the end of its run, or with the next night's.
UNREAD_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    :param level: ``error`` where people, money or results are at stake; ``warning`` where somebody should look.
    :param text: what is wrong, and what follows from it.
    :param do: what to do.
    :param runbook: the heading of the section of `docs/runbook.md`.
    """

    level: Literal["error", "warning"]
    text: str
    do: str
    runbook: str


def problems(campaign: Campaign, now: datetime) -> list[Problem]:
    """What is wrong with a campaign, the worst first; nothing, where all is well.

    :param campaign: the campaign.
    :param now: the present, aware.
    """
    found = [*_of_start(campaign, now), *_of_state(campaign), *_of_calls(campaign, now), *_of_history(campaign, now)]
    return sorted(found, key=lambda problem: problem.level)


def _of_start(campaign: Campaign, now: datetime) -> Iterator[Problem]:
    sent, listed = campaign.start_sent_at, campaign.listed_at
    if campaign.phase == START_SENT and (sent is None or now - sent > UNCLEAR_AFTER):
        yield Problem(
            "error",
            "Its start was sent, and no answer is noted: people may be called, or nobody is.",
            "Look for the campaign in the platform's dashboard, then clear the task: it looks before it acts.",
            "Launch outcome unknown",
        )
    if campaign.phase in (LISTED, "draft") and listed is not None and now - listed > _patience(campaign):
        yield Problem(
            "warning",
            "It was uploaded and never started: nobody on it is called.",
            "See whether the launching task failed, or still waits for an approval.",
            "Nobody is called, and the run is green",
        )


def _patience(campaign: Campaign) -> timedelta:
    return WAVE_FORGOTTEN_AFTER if campaign.wave else FORGOTTEN_AFTER


def _of_state(campaign: Campaign) -> Iterator[Problem]:
    if campaign.braked is not None:
        yield Problem(
            "error",
            f"A brake was pulled: {campaign.braked}. What ran was stopped, and the rest is never started under its"
            " launch key.",
            "Find out what people were told and heard, mend it, and launch the rest under a new key.",
            "Campaign braked",
        )
        return
    match campaign.phase:
        case "failed":
            yield Problem(
                "error",
                "The platform gave it up.",
                "Read the platform's reason, mend the list, and launch the rest under a new key.",
                "Campaign failed",
            )
        case "terminated":
            yield Problem(
                "warning",
                "It was stopped before everybody was called.",
                "Where the rest should be called after all, list those who were not, under a new key.",
                "Finish a stopped campaign",
            )
        case "insufficient_balance":
            yield Problem("error", "It waits for credits.", "Top up the workspace.", "Insufficient balance")
        case "paused":
            yield Problem(
                "warning",
                "Somebody paused it in the platform's dashboard: its task waits.",
                "Resume it there, or stop it.",
                "Time-out",
            )
        case "unknown":
            yield Problem(
                "warning",
                "The platform says a status that this version does not know.",
                "Look at the campaign in the platform's dashboard.",
                "Unexpected response",
            )


def _of_calls(campaign: Campaign, now: datetime) -> Iterator[Problem]:
    closing, expected = campaign.ends_at, campaign.expected_end(now)
    if expected is not None and closing is not None and expected > closing:
        yield Problem(
            "warning",
            f"At this pace it needs until {local(expected, campaign.zone)}, and its time is over at"
            f" {local(closing, campaign.zone)} ({campaign.zone.key}): not everybody will be called.",
            "Launch those who were not called under a new key, with more lines or more days.",
            "Finish a stopped campaign",
        )
    if not campaign.has_ended or campaign.calls is None or not campaign.funnel.listed:
        return
    if not campaign.dialled and campaign.dialled is not None:
        yield Problem(
            "error",
            "It has ended, and nobody was dialled.",
            "Look at its calling hours and its caller numbers.",
            "Nobody is called, and the run is green",
        )
    elif campaign.reached == 0:
        yield Problem(
            "warning",
            f"{campaign.dialled:,} were dialled, and no person was reached.",
            "Look at how calls ended, and whether the caller numbers are marked as spam.",
            "Nobody is called, and the run is green",
        )


def _of_history(campaign: Campaign, now: datetime) -> Iterator[Problem]:
    if campaign.history_state == HistoryState.INCOMPLETE:
        yield Problem(
            "warning",
            f"Its history is closed with gaps: {campaign.history_reason or 'calls were given up'}.",
            "Ask the platform for the calls that are missing, where they matter.",
            "History not current",
        )
    elif (
        campaign.history_state == HistoryState.OPEN
        and campaign.has_ended
        and campaign.history_reason not in REACHED_KNOWN
    ):
        yield Problem(
            "warning",
            f"It has ended, and its calls are not all in the tables ({campaign.history_reason or 'not read yet'}): the"
            " next night refuses to dial.",
            "Let the load run: RinggCallsToSqlOperator.",
            "History not current",
        )
    elif campaign.history_state is None and campaign.started_at and now - campaign.started_at > UNREAD_AFTER:
        yield Problem(
            "warning",
            "It was started more than a day ago, and no load has read its calls.",
            "See whether the task that loads them ran, and into this database.",
            "History not current",
        )
