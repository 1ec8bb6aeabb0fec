"""What a run is going to ask for, and what it costs, said before it begins."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ringg_provider.history.paging import PAGE_SIZE, DateSlices


@dataclass(frozen=True)
class CampaignToRead:
    """A list whose calls are to be read.

    :param campaign_id: the list.
    :param expected_calls: how many calls it has, as far as is known.
    """

    campaign_id: str
    expected_calls: int

    @property
    def requests(self) -> int:
        """Pages to read: an empty list takes one, and a last page that is full takes one more to be sure."""
        return self.expected_calls // PAGE_SIZE + 1


@dataclass(frozen=True)
class Plan:
    """What a run is going to ask for.

    :param campaigns: lists to read whole.
    :param dates: the pass by date, if there is one; its first request was made.
    :param date_calls: how many calls it has; None when the platform only says "many".
    :param singles: open calls to ask for one by one.
    :param looked_for: those and the ones that the pass by date looks for.
    :param per_minute: list requests that the platform allows in a minute.
    :param deferred: campaigns that were left for the next run.
    """

    campaigns: Sequence[CampaignToRead] = ()
    dates: DateSlices | None = field(default=None, repr=False)
    date_calls: int | None = 0
    singles: Sequence[str] = ()
    looked_for: Sequence[str] = ()
    per_minute: float = 10.0
    deferred: int = 0

    @property
    def requests(self) -> int:
        """List requests still to make, as far as is known."""
        by_date = 0 if self.dates is None else (self.date_calls or 0) // PAGE_SIZE
        return sum(campaign.requests for campaign in self.campaigns) + by_date + len(self.singles)

    @property
    def minutes(self) -> float:
        """How long they take under the rate limit; the first ones are free."""
        return max(0.0, math.ceil(self.requests / self.per_minute) - 1)

    def cut(self, max_minutes: float | None) -> Plan:
        """Leave out the last campaigns until the plan fits; the first one always stays, so that all get their turn."""
        if max_minutes is None:
            return self
        fitting = self
        while fitting.minutes > max_minutes and len(fitting.campaigns) > 1:
            fitting = replace(fitting, campaigns=fitting.campaigns[:-1], deferred=fitting.deferred + 1)
        return fitting

    def log(self, log: logging.Logger) -> None:
        """Say what is going to be asked for, and how long it takes."""
        log.info(
            "History: %d campaigns, %s, %d single calls; %s%d requests, about %d minutes at %g a minute.",
            len(self.campaigns),
            "no pass by date" if self.dates is None else "a pass by date",
            len(self.singles),
            "at least " if self.date_calls is None else "",
            self.requests,
            self.minutes,
            self.per_minute,
        )
        if self.deferred:
            log.warning("%d campaigns do not fit into this run; the next one begins with them.", self.deferred)
