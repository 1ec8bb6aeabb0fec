"""Start a draft at most once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.hours.schedule import Time
from ringg_provider.launch.item import LaunchItem
from ringg_provider.operators.counting import launching
from ringg_provider.operators.launching import LaunchOperator
from ringg_provider.operators.promised import refuse_if_not_promised
from ringg_provider.operators.smartalex.campaign import BaseSmartAlexCampaignOperator, planned_at
from ringg_provider.smartalex.campaigns import SmartAlexLaunchTarget, SmartAlexStart

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class SmartAlexStartCampaignOperator(BaseSmartAlexCampaignOperator):
    """Start a draft at most once; optionally wait for the campaign's end.

    Follows https://docs.getsmartalex.com/api-reference/campaigns. A campaign that is active, paused or completed is
    adopted. It runs from the start until everybody was processed, inside its calling hours: the platform knows no end.
    Returns the id that was started or adopted.

    :param campaign_id: the draft, or one item of ``SqlToSmartAlexOperator``'s result.
    :param planned_start: when it was to start, for ``max_delay``: aware datetime, ISO string, or naive in UTC. Default
        None, or the item's.
    :param smartalex_conn_id: the connection. Default ``smartalex_default``.

    The parameters for waiting and launching are those of
    :class:`~ringg_provider.operators.launching.LaunchOperator`. The platform cannot cancel: ``cancel_on_kill`` pauses.
    """

    template_fields: Sequence[str] = (
        "smartalex_conn_id",
        "campaign_id",
        "planned_start",
        *LaunchOperator.launching_template_fields,
    )

    def __init__(
        self,
        *,
        campaign_id: str | dict[str, Any],
        planned_start: Time = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.planned_start = planned_start

    @launching
    def execute(self, context: Context) -> str:
        """Look, intend, start once, settle; then wait if asked to."""
        start = SmartAlexStart(*self._asked_for())
        check = partial(self._check, context, start)
        return self.launch_and_wait(context, start, SmartAlexLaunchTarget(self.hook.client), check)

    def _check(self, context: Context, start: SmartAlexStart) -> None:
        """The last checks before a start; of a list of promises, whether all of them are still to be kept."""
        self.refuse_if_stale(context, f"List {start.list_id} was not started.", start.planned)
        given: object = self.campaign_id
        if isinstance(given, Mapping):
            from ringg_provider.smartalex.destination import suppress_do_not_call

            do_not_call = partial(suppress_do_not_call, self.hook.client)
            refuse_if_not_promised(LaunchItem.of(given, "campaign_id"), do_not_call)

    def listed(self) -> tuple[str | None, str | None, str, int | None]:
        """The list that the arguments name; of a bare id, the agent is not known."""
        given: object = self.campaign_id
        if not isinstance(given, Mapping):
            return str(given), None, self.platform, None
        item = LaunchItem.of(given, "campaign_id")
        return item.list_id, item.agent_id, item.flow, item.rows

    def _asked_for(self) -> tuple[str, datetime | None]:
        given: object = self.campaign_id
        planned = self.planned_start
        if isinstance(given, Mapping):
            item = LaunchItem.of(given, "campaign_id")
            if item.flow != "smartalex":
                raise InvalidRequest(
                    "campaign_id: the item is of another platform than SmartAlex.", field="campaign_id"
                )
            campaign_id = self.take_ledger_of(item)
            planned = planned or item.campaign_start_time
        elif isinstance(given, str) and given:
            campaign_id = given
        else:
            raise InvalidRequest(
                "campaign_id: must be an id, or one item of SqlToSmartAlexOperator's result.", field="campaign_id"
            )
        return campaign_id, planned_at(planned)
