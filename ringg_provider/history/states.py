"""What a campaign's state means for its history."""

from __future__ import annotations

from ringg_provider.history.tables import HistoryState
from ringg_provider.ringg.responses import CampaignState

#: A list in one of these states has never been dialled.
NOT_STARTED = frozenset(
    state.value
    for state in (
        CampaignState.PREPARING,
        CampaignState.DRAFT,
        CampaignState.INSUFFICIENT_BALANCE,
        CampaignState.SCHEDULED,
        CampaignState.NOT_A_CAMPAIGN,
    )
)

#: No more calls are made in one of these.
ENDED = frozenset(state.value for state in CampaignState if state.is_final)

#: Nothing more is read of a campaign whose history is in one of these.
CLOSED = frozenset({HistoryState.COMPLETE.value, HistoryState.INCOMPLETE.value})

#: Why a campaign that has ended and was read to the end is still open.
AWAITS_STATUS = "calls await their last status"
AWAITS_COST = "calls await their cost"
AWAITS_DETAILS = "calls await their analysis or recording"

#: Why a campaign is open whose calls have to be read, or read again because it moved on.
UNREAD = "calls are not read to the end"

#: Why a campaign is open that has ended, or that the platform does not list, without a single call.
NO_CALL_YET = "no call yet"

#: Why a campaign is open that the platform does not list: more calls may come. All that it has are there.
NOT_LISTED = "the platform does not list it; more calls may come"

#: Who was reached is known for certain, although something else is still missing.
REACHED_KNOWN = frozenset({AWAITS_COST, AWAITS_DETAILS, NOT_LISTED})
