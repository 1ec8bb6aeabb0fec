"""What a DAG says about a load: the names of the tables, and how the history is read."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

CALLS = "ringg_calls"
CAMPAIGNS = "ringg_campaigns"
ATTEMPTS = "ringg_attempts"
INBOX = "ringg_inbox"
CALLBACKS = "ringg_callbacks"
SMARTALEX_CALLS = "smartalex_calls"
SMARTALEX_CALLBACKS = "smartalex_callbacks"


@dataclass(frozen=True)
class LoadOptions:
    """How a load reads.

    :param lookback: a pass by date begins this much before the end of the last one. Default one hour.
    :param give_up_after: what is still missing then is marked incomplete. Default three days.
    :param include_analysis: read the analysis of calls that can have one. Default True.
    :param wait_for_client_analysis: keep a call open until the agent's own analysis is there too. Default False.
    :param transcripts: keep what was said. Default True.
    :param analysis_concurrency: details read at the same time. Default 8.
    :param max_minutes: read no more campaigns in this load than fit, those longest unread first; None for all.
    """

    lookback: dt.timedelta = dt.timedelta(hours=1)
    give_up_after: dt.timedelta = dt.timedelta(days=3)
    include_analysis: bool = True
    wait_for_client_analysis: bool = False
    transcripts: bool = True
    analysis_concurrency: int = 8
    max_minutes: float | None = None
