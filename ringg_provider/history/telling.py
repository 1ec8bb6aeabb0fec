"""What a load says of the campaigns that it saw: a small table, and a warning where nobody was called or reached."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ringg_provider import wording
from ringg_provider.history.counts import Count, CountedBy

#: How many campaigns are in the table; the table of campaigns has all.
MOST_TOLD = 20

#: A word of the platform's, such as ``USER_BUSY``: what is none may hold anything.
_WORD = re.compile(r"[A-Za-z][A-Za-z _-]{0,39}")


@dataclass(frozen=True)
class CampaignSeen:
    """A campaign at the end of a load.

    :param campaign_id: which.
    :param calls: its calls in the table; of them
    :param dialled: dialled at least once,
    :param reached: taken by a person.
    :param failed: dialled, final, and not taken by anybody.
    :param cost: the sum; None where no call has one.
    :param last_call_at: the latest attempt, aware; None without one.
    :param missing: what its history lacks; None when it is all there.
    :param closed_now: whether this load found that it is all there.
    """

    campaign_id: str
    calls: int
    dialled: int
    reached: int
    failed: int
    cost: Decimal | None
    last_call_at: dt.datetime | None
    missing: str | None
    closed_now: bool


def tell_campaigns(log: logging.Logger, campaigns: Sequence[CampaignSeen], zone: dt.tzinfo = dt.UTC) -> None:
    """Log the table of those that have calls, the latest first.

    :param log: takes it.
    :param campaigns: they.
    :param zone: where times are told. Default UTC.
    """
    seen = sorted(
        (campaign for campaign in campaigns if campaign.calls),
        key=lambda campaign: campaign.last_call_at or dt.datetime.min.replace(tzinfo=dt.UTC),
        reverse=True,
    )
    if not seen:
        return
    rows = [
        (
            campaign.campaign_id,
            f"{campaign.calls:,}",
            f"{campaign.dialled:,}",
            f"{campaign.reached:,}",
            f"{campaign.failed:,}",
            wording.money(campaign.cost),
            "" if campaign.last_call_at is None else wording.moment(campaign.last_call_at, zone),
            campaign.missing or "all there",
        )
        for campaign in seen[:MOST_TOLD]
    ]
    header = ("campaign", "calls", "dialled", "reached", "failed", "cost", "last call", "history")
    more = f"\nand {len(seen) - MOST_TOLD:,} more" if len(seen) > MOST_TOLD else ""
    log.info("How the campaigns stand:\n%s%s", wording.table(header, rows), more)


def warn_of(log: logging.Logger, campaign: CampaignSeen, counts: Sequence[Count]) -> None:
    """Warn of a campaign that has ended without one person called or reached.

    :param log: takes the warning.
    :param campaign: which.
    :param counts: how its calls went.
    """
    log.warning("%s", nobody(campaign.campaign_id, campaign.calls, campaign.dialled, _outcomes(counts)))


def nobody(campaign_id: str, calls: int, dialled: int, outcomes: str, *, is_whole: bool = True) -> str:
    """What is said of a campaign that has ended without one person called or reached.

    :param campaign_id: which.
    :param calls: its calls; of them
    :param dialled: dialled at least once.
    :param outcomes: how they went.
    :param is_whole: whether these are all. Default True.
    """
    counted = wording.counted(calls, "call") if is_whole else f"the first {wording.counted(calls, 'call')}"
    if not dialled:
        return (
            f"Campaign {campaign_id} has ended and nobody was called: {counted}, none dialled ({outcomes}). Look at "
            "its calling hours, its credits and whether it was stopped; see the runbook, 'Nobody is called, and the run"
            " is green'."
        )
    return (
        f"Campaign {campaign_id} has ended and nobody was reached: of {wording.counted(dialled, 'call')} dialled, no "
        f"person took one ({outcomes}). Look at its caller numbers (flagged as spam?), its hours and its agent; see "
        "the runbook, 'Nobody was reached'."
    )


def _outcomes(counts: Sequence[Count]) -> str:
    found: Counter[str] = Counter()
    for count in counts:
        if count.counted_by is CountedBy.OUTCOME:
            found[count.sub_status or count.status or ""] += count.tally.calls
    return outcomes_in_words(found)


def outcomes_in_words(outcomes: Mapping[str, int]) -> str:
    """How calls went, the most frequent first: ``30 user busy, 2 registered``.

    :param outcomes: the platform's word -> how many.
    """
    found: Counter[str] = Counter()
    for word, number in outcomes.items():
        found[word.lower() if _WORD.fullmatch(word) else "another reason"] += number
    return wording.tallied(dict(found.most_common(4))) or "the platform tells no reason"
