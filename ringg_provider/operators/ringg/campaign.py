"""What the operators share that start a Ringg campaign, or check whether it can be started."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from ringg_provider import wording
from ringg_provider.api.arguments import Amount, OptionalText, PlusText
from ringg_provider.exceptions import InsufficientBalance, StaleCampaign
from ringg_provider.history.options import CALLS
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hooks.sql import StateConnection
from ringg_provider.launch.progress import Progress, StallWatch
from ringg_provider.links.ringg import RinggCampaignLink
from ringg_provider.operators.launching import LaunchOperator
from ringg_provider.operators.on_platform import OnRingg
from ringg_provider.operators.private import Untold
from ringg_provider.operators.ringg.balance import expected_cost
from ringg_provider.ringg.campaigns import RinggLaunchTarget, read_progress
from ringg_provider.ringg.preflight import check_agent, check_callers
from ringg_provider.ringg.requests import Terminate
from ringg_provider.ringg.starts import Callers, RinggStart
from ringg_provider.ringg.timing import planned_time, spans_ahead
from ringg_provider.triggers.ringg import RinggCampaignTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from ringg_provider.preflight.estimates import CostEstimate


class BaseRinggCampaignOperator(OnRingg):
    """Base of the operators that know who is to call, and what it may cost.

    :param from_numbers: ids of caller numbers, in the order of use. Exactly one of this and ``number_pool_id``.
    :param number_pool_id: a pool of caller numbers.
    :param email_completion_user_ids: members to mail at the end. Default none.
    :param credits_per_call: what one contact costs, for comparing the credits with what the lists will cost before they
        are started. Default None: the agent's average in ``history_table``.
    :param sql_conn_id: connection to the database with ``history_table``, which is looked for in ``state_conn_id``
        where that is given too. Default None: no average is looked up.
    :param hook_params: more arguments for the hook of ``sql_conn_id``, as ``SQLExecuteQueryOperator`` has them. Default
        none.
    :param history_table: table of ``RinggCallsToSqlOperator``. Default ``ringg_calls``.
    """

    campaign_template_fields: ClassVar[Sequence[str]] = (
        "ringg_conn_id",
        "from_numbers",
        "number_pool_id",
        "email_completion_user_ids",
        "credits_per_call",
        "sql_conn_id",
        "hook_params",
        "history_table",
    )

    #: Connection of the state database; a parameter of the subclasses.
    state_conn_id: str | None = None

    from_numbers = Untold[list[PlusText] | PlusText | None]()
    hook_params = Untold[Mapping[str, Any] | None]()

    def __init__(
        self,
        *,
        from_numbers: list[PlusText] | PlusText | None = None,
        number_pool_id: str | None = None,
        email_completion_user_ids: list[str] | None = None,
        credits_per_call: Amount | None = None,
        sql_conn_id: OptionalText = None,
        hook_params: Mapping[str, Any] | None = None,
        history_table: str = CALLS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.from_numbers = from_numbers
        self.number_pool_id = number_pool_id
        self.email_completion_user_ids = email_completion_user_ids
        self.credits_per_call = credits_per_call
        self.sql_conn_id = sql_conn_id
        self.hook_params = hook_params
        self.history_table = history_table

    @abstractmethod
    def execute(self, context: Context) -> Any:
        """What a subclass does."""

    def callers(self) -> Callers:
        """Who is to call, and whom to tell."""
        return Callers(
            [self.from_numbers] if isinstance(self.from_numbers, str) else self.from_numbers or None,
            self.number_pool_id or None,
            self.email_completion_user_ids or None,
        )

    def _history(self) -> StateConnection | None:
        if not self.sql_conn_id:
            return None
        return StateConnection.of(self.state_conn_id, self.sql_conn_id, self.hook_params)

    def cost_of(self, rows: Sequence[tuple[str, int | None]]) -> CostEstimate:
        """What lists will cost, against what the workspace can spend.

        :param rows: for each list its agent, and its contacts, or None when they are not known.
        """
        return expected_cost(
            self.hook.client,
            rows=rows,
            credits_per_call=self.credits_per_call,
            history=self._history(),
            history_table=self.history_table,
        )


class BaseRinggStartOperator(BaseRinggCampaignOperator, LaunchOperator):
    """Base of the operators that start a Ringg campaign.

    :param callback_url: whom the platform tells of each call; no longer in the vendor's reference, so prefer event
        subscriptions. Default none.
    """

    start_template_fields: ClassVar[Sequence[str]] = (
        *BaseRinggCampaignOperator.campaign_template_fields,
        *LaunchOperator.launching_template_fields,
        "callback_url",
    )
    operator_extra_links = (RinggCampaignLink(),)
    ui_color = "#d9e8fb"
    #: What the parameter with the planned start is called.
    start_parameter: ClassVar[str] = "campaign_start_time"

    callback_url = Untold[str | None]()

    def __init__(self, *, callback_url: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.callback_url = callback_url

    @cached_property
    def stalls(self) -> StallWatch:
        """Knows how long the campaign has stood still while this attempt waits."""
        return StallWatch()

    def callers(self) -> Callers:
        """Who is to call, and whom to tell."""
        return replace(super().callers(), callback_url=self.callback_url)

    def launch_ringg(self, context: Context, start: RinggStart) -> str:
        """Start a list at most once, after the last checks, and wait if asked to.

        :return: the id that was started or adopted.
        """
        with self.hook as hook:
            target = RinggLaunchTarget(hook.client, start.flow)
            return self.launch_and_wait(context, start, target, partial(self.check, context, start))

    def check(self, context: Context, start: RinggStart) -> None:
        """The last checks before a start, of what the platform would only find wrong, or not mind, after it."""
        self._check_times(context, start)
        check_callers(self.hook.client, start.callers, [start.country_code] if start.country_code else [])
        check_agent(self.hook.client, start.agent_id)
        has_price = self.credits_per_call is not None or self.sql_conn_id is not None
        # The platform has compared a large list with the credits itself, by prices that it knows better.
        if start.flow == "standard" or (start.rows is not None and has_price):
            self._check_credits(start)

    def _check_times(self, context: Context, start: RinggStart) -> None:
        """Refuse a campaign that comes too late, or whose calling hours are over by now."""
        planned = planned_time(start.call_config, start.start, self.start_parameter)
        self.refuse_if_stale(context, f"List {start.list_id} was not started.", self.due(planned))
        if start.call_config is None:
            return
        if spans_ahead(start.call_config, start.start, start.end, start.call_slots, datetime.now(UTC)) == []:
            raise StaleCampaign(
                f"List {start.list_id} was not started: its calling hours are over, so nobody would be called. Build a "
                "new list for a new time."
            )

    def _check_credits(self, start: RinggStart) -> None:
        """Compare the credits with an estimate; without one there is no verdict, and the log says so."""
        cost = self.cost_of([(start.agent_id, start.rows)])
        if cost.basis == "none" and cost.spendable_credits is not None and cost.spendable_credits <= 0:
            raise InsufficientBalance(
                f"List {start.list_id} was not started: the workspace has no credits to spend. Top up.",
                available_credits=cost.spendable_credits,
            )
        if cost.basis == "none":
            self.log.warning(
                "List %s: %s The workspace can spend %s.",
                start.list_id,
                cost.message,
                wording.money(cost.spendable_credits),
            )
        elif cost.sufficient:
            self.log.info("List %s: %s", start.list_id, cost.message)
        else:
            raise InsufficientBalance(
                f"List {start.list_id} was not started. {cost.message}",
                required_credits=cost.estimated_credits,
                additional_balance_required=cost.shortfall,
                available_credits=cost.spendable_credits,
            )

    def campaign_url(self, campaign_id: str) -> str:
        """Where a person sees the campaign."""
        return self.hook.campaign_url(campaign_id)

    def read_progress(self, campaign_id: str) -> Progress:
        """Look at the campaign once."""
        return read_progress(self.hook.client, campaign_id, self.stalls)

    def cancel_campaign(self, campaign_id: str) -> None:
        """``PATCH /campaign/terminate``."""
        with RinggHook(self.ringg_conn_id) as hook:
            hook.client.terminate(Terminate(campaign_id=campaign_id))

    def completion_trigger(self, **options: Any) -> RinggCampaignTrigger:
        """The trigger that waits for the campaign's end."""
        return RinggCampaignTrigger(ringg_conn_id=self.ringg_conn_id, **options)
