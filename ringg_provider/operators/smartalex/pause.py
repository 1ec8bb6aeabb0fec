"""Pause campaigns that call, and resume them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ringg_provider import wording
from ringg_provider.exceptions import PermanentError
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.smartalex.campaign import BaseSmartAlexOperator
from ringg_provider.smartalex import SmartAlexClient
from ringg_provider.smartalex.campaigns import pause, resume

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class _SmartAlexChangeOperator(BaseSmartAlexOperator):
    """Base of pausing and resuming."""

    template_fields: Sequence[str] = ("smartalex_conn_id", "campaign_id")

    def __init__(self, *, campaign_id: str | Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id

    @abstractmethod
    def change(self, client: SmartAlexClient, campaign_id: str) -> bool:
        """Send what is needed; whether anything was."""

    @with_checked_arguments
    def execute(self, context: Context) -> int:
        """Change one campaign after the other; one that cannot be changed does not keep the others from it."""
        ids = [self.campaign_id] if isinstance(self.campaign_id, str) else list(self.campaign_id)
        changed, failure = 0, None
        with self.hook as hook:
            for campaign_id in ids:
                try:
                    changed += self.change(hook.client, campaign_id)
                except PermanentError as error:
                    self.log.error("Campaign %s: %s", campaign_id, error)
                    failure = failure or error
            if failure is not None:
                raise failure
        self.log.info("Changed: %d of %s.", changed, wording.counted(len(ids), "campaign"))
        return changed


class SmartAlexPauseCampaignOperator(_SmartAlexChangeOperator):
    """Let a campaign call nobody for now. One that is paused, or has ended, is left as it is.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. Live calls end by themselves. Returns how many
    campaigns were paused now.

    :param campaign_id: a campaign that was started, or several.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.
    """

    def change(self, client: SmartAlexClient, campaign_id: str) -> bool:
        """Pause it if it is active."""
        return pause(client, campaign_id)


class SmartAlexResumeCampaignOperator(_SmartAlexChangeOperator):
    """Let a paused campaign go on. One that is active, or has completed, is left as it is; a draft is never started.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. Returns how many campaigns were resumed now.

    :param campaign_id: a campaign that was started, or several.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.
    """

    def change(self, client: SmartAlexClient, campaign_id: str) -> bool:
        """Resume it if it is paused."""
        return resume(client, campaign_id)
