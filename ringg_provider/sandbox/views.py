"""What the answers are worded from: a campaign as it looks at this moment, lag and forced words included."""

from __future__ import annotations

from dataclasses import dataclass

from ringg_provider.sandbox.world import Campaign


@dataclass(frozen=True, slots=True)
class UploadView:
    """An upload with the status word to show, how far its verification is (0 to 1) and its report of bad rows."""

    campaign: Campaign
    word: str
    progress: float
    report_url: str | None
