"""That a campaign which called nobody, or reached nobody, does not end in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ringg_provider.api.arguments import Count
from ringg_provider.exceptions import RinggProviderError
from ringg_provider.operators.on_platform import OnPlatform

if TYPE_CHECKING:
    from ringg_provider.history.reach import Reach


class ReachingPlatform(OnPlatform):
    """Base of what waits for a campaign's end, and looks then whether anybody was called.

    Nobody called, or nobody reached, is a warning with the reason, always; fewer than these is an error:

    :param min_listed: how many people must be on the lists. Default None: any number.
    :param min_reached: how many people must have taken a call by the campaign's end. Default None: any number.
    """

    def __init__(self, *, min_listed: Count | None = None, min_reached: Count | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min_listed = min_listed
        self.min_reached = min_reached

    def require_listed(self, listed: int | None) -> None:
        """Refuse to start, or to succeed, with too few people on the lists.

        :param listed: how many they are; None where that is not known.
        :raises TooFewCalled: fewer than ``min_listed``.
        """
        if self.min_listed is not None:
            # What looks at calls is loaded when a task runs, and not with every DAG file.
            from ringg_provider.history.reach import require_listed

            require_listed(listed, self.min_listed)

    def look_at_reach(self, campaign_ids: Sequence[str]) -> None:
        """Warn of each campaign that called or reached nobody, and refuse where too few were reached in all.

        :param campaign_ids: the campaigns, which have ended.
        :raises TooFewCalled: fewer than ``min_reached``.
        :raises RinggProviderError: ``min_reached`` is given, and the platform could not tell.
        """
        from ringg_provider.history.reach import require_reached

        reaches: list[Reach] = []
        for campaign_id in campaign_ids:
            try:
                enough = None if self.min_reached is None else self.min_reached - sum(one.reached for one in reaches)
                if enough is not None and enough <= 0:
                    return
                reach = self.hook.reach_of(campaign_id, enough)
            except RinggProviderError as error:
                # What is only said must not fail a task.
                if self.min_reached is not None:
                    raise
                self.log.info("Whether campaign %s reached anybody could not be read: %s", campaign_id, error)
                continue
            if (warning := reach.warning) is not None:
                self.log.warning("%s", warning)
            reaches.append(reach)
        require_reached(reaches, self.min_reached)
