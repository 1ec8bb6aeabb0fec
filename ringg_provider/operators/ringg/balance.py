"""Ask whether a Ringg workspace can pay for a list, and wait until it can."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout, conf

from ringg_provider import wording
from ringg_provider.api.arguments import Seconds
from ringg_provider.api.errors import explained
from ringg_provider.exceptions import InsufficientBalance
from ringg_provider.hooks.ringg import RinggHook
from ringg_provider.hooks.sql import StateConnection
from ringg_provider.operators.arguments import with_checked_arguments
from ringg_provider.operators.on_platform import OnRingg
from ringg_provider.operators.waiting import kill_deadline, wait_until
from ringg_provider.ringg.client import RinggClient
from ringg_provider.ringg.responses import Balance, CampaignState
from ringg_provider.triggers.events import CREDITS_ENDS, EventStatus, read_event
from ringg_provider.triggers.ringg import RinggBalanceTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from ringg_provider.preflight.estimates import CostEstimate


class RinggCheckBalanceOperator(OnRingg):
    """Ask whether the workspace can pay for an uploaded list.

    Follows https://docs.ringg.ai/api-reference/endpoint/campaign/check-large-campaign-balance. Returns ``{"sufficient",
    "basis", "required_credits", "available_credits", "additional_balance_required"}``, credits as text or None.

    :param bulk_list_id: a list of the large flow whose upload is ready.
    :param on_shortfall: what to do without enough credits, or when the answer does not tell: ``fail`` (default),
        ``skip`` what is downstream, ``continue``, or ``wait`` for a top-up.
    :param deferrable: wait in the triggerer. Default: ``[operators] default_deferrable``.
    :param poll_interval: seconds between two looks while waiting. Default 60.
    :param timeout: seconds for which is waited. Default None: no bound.
    :param ringg_conn_id: the connection. Default ``ringg_default``.
    """

    template_fields: Sequence[str] = ("ringg_conn_id", "bulk_list_id")
    ui_color = "#e8e4f8"

    def __init__(
        self,
        *,
        bulk_list_id: str,
        on_shortfall: Literal["fail", "skip", "continue", "wait"] = "fail",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: Seconds = 60,
        timeout: Seconds | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bulk_list_id = bulk_list_id
        self.on_shortfall = on_shortfall
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout

    @with_checked_arguments
    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, and act on a shortfall as told."""
        with self.hook as hook:
            if self.on_shortfall != "wait":
                return self._decide(read_balance(hook, self.bulk_list_id))
            now = time.time()
            deadline = None if self.timeout is None else now + self.timeout
            balance = self._wait(hook, now if self.deferrable else deadline)
            if balance is not None:
                return self._decide(balance)
            if self.deferrable:
                self._defer(deadline, kill_deadline(self, context))
            raise self._nobody_topped_up()

    @with_checked_arguments
    def execute_complete(
        self,
        context: Context,
        event: object,
        deadline: float | None = None,
        kill_deadline: float | None = None,
    ) -> dict[str, Any]:
        """Ask again after the trigger saw a change; its event is not taken for the answer."""
        with self.hook as hook:
            told = read_event(event, self.bulk_list_id, CREDITS_ENDS)
            if told.status is EventStatus.EXECUTION_TIMEOUT:
                raise AirflowTaskTimeout(told.message)
            balance = self._wait(hook, time.time())
            if balance is not None:
                return self._decide(balance)
            if told.status is EventStatus.TIMEOUT:
                raise self._nobody_topped_up()
            return self._defer(deadline, kill_deadline)

    def _wait(self, hook: RinggHook, deadline: float | None) -> Balance | None:
        """Ask until there are enough credits; None when there are not by the deadline."""

        def look() -> Balance | None:
            balance = read_balance(hook, self.bulk_list_id)
            return balance if balance.sufficient else None

        return wait_until(look, poll_interval=self.poll_interval, deadline=deadline)

    def _defer(self, deadline: float | None, kill_deadline: float | None) -> NoReturn:
        self.defer(
            trigger=RinggBalanceTrigger(
                ringg_conn_id=self.ringg_conn_id,
                bulk_list_id=self.bulk_list_id,
                poll_interval=self.poll_interval,
                deadline=deadline,
                kill_deadline=kill_deadline,
            ),
            method_name="execute_complete",
            kwargs={"deadline": deadline, "kill_deadline": kill_deadline},
            timeout=None,
        )
        raise AssertionError("defer() always raises")

    def _nobody_topped_up(self) -> InsufficientBalance:
        return InsufficientBalance(f"Nobody topped up in time for list {self.bulk_list_id}; nothing was started.")

    def _decide(self, balance: Balance) -> dict[str, Any]:
        answer = balance_answer(balance)
        self.log.info("List %s: %s.", self.bulk_list_id, _said(balance))
        if balance.sufficient or self.on_shortfall == "continue":
            return answer
        shortfall = shortfall_of(self.bulk_list_id, balance)
        if self.on_shortfall == "skip":
            raise AirflowSkipException(str(shortfall))
        raise shortfall


def read_balance(hook: RinggHook, bulk_list_id: str) -> Balance:
    """The balance for a list; a refusal to check a list that is ready counts as sufficient, with basis ``status``."""
    balance = hook.client.check_balance(bulk_list_id)
    if balance.sufficient is None and balance.basis == "not_short":
        state = hook.client.get_upload_status(bulk_list_id).state
        if state in (CampaignState.DRAFT, CampaignState.COMPLETED):
            return balance.model_copy(update={"sufficient": True, "basis": "status"})
    return balance


def balance_answer(balance: Balance) -> dict[str, Any]:
    """The balance as plain JSON, credits as text so that no digit is lost."""
    amounts = balance.model_dump(include={"required_credits", "available_credits", "additional_balance_required"})
    return {
        "sufficient": bool(balance.sufficient),
        "basis": balance.basis,
        **{name: None if amount is None else str(amount) for name, amount in amounts.items()},
    }


def _said(balance: Balance) -> str:
    """What the platform says of the credits for a list, in words."""
    told = {True: "the credits suffice", False: "credits are lacking", None: "whether credits suffice is not said"}
    amounts = (
        ("needs", balance.required_credits),
        ("there are", balance.available_credits),
        ("short of", balance.additional_balance_required),
    )
    said = [f"{words} {wording.money(amount)}" for words, amount in amounts if amount is not None]
    return ", ".join([f"{told[balance.sufficient]} (by {balance.basis.replace('_', ' ')})", *said])


def shortfall_of(bulk_list_id: str, balance: Balance) -> InsufficientBalance:
    """The error for a list that cannot be paid, or not surely, with the numbers that the platform gave."""
    known = balance.sufficient is False
    what = "the workspace lacks credits" if known else "the platform does not say whether credits suffice"
    missing = balance.additional_balance_required
    amount = "" if missing is None else f" ({wording.money(missing)} more needed)"
    return InsufficientBalance(
        f"List {bulk_list_id}: {what}{amount}. Top up, then run this task again.",
        required_credits=balance.required_credits,
        available_credits=balance.available_credits,
        additional_balance_required=missing,
    )


def expected_cost(
    client: RinggClient,
    *,
    rows: Sequence[tuple[str, int | None]],
    credits_per_call: Decimal | None,
    history: StateConnection | None,
    history_table: str,
) -> CostEstimate:
    """What lists will cost, against what the workspace can spend; ``basis`` is ``none`` when it cannot be estimated.

    :param rows: for each list its agent, and its contacts, or None when they are not known.
    :param credits_per_call: as the user states it; otherwise the agents' averages in ``history_table`` count, the
        dearest for all.
    :param history: where that table is; None not to look.
    """
    # What estimates is loaded when a task runs, and not with every DAG file.
    from ringg_provider.history.costs import average_cost
    from ringg_provider.preflight.estimates import CostEstimate, estimate_cost

    with explained("credits_per_call: the workspace's credits, which the cost is compared with, cannot be read"):
        spendable = client.get_workspace().spendable_credits
    contacts = [count for _, count in rows]
    if None in contacts:
        return CostEstimate(
            None, "none", None, None, "The cost cannot be estimated: give the number of rows.", spendable
        )
    average = None
    if credits_per_call is None and history is not None:
        history.require("history")
        with history.engine() as engine:
            found = [average_cost(engine, history_table, agent) for agent in dict.fromkeys(agent for agent, _ in rows)]
        known = [cost for cost in found if cost is not None]
        average = max(known) if known and len(known) == len(found) else None
    return estimate_cost(
        sum(count or 0 for count in contacts),
        spendable_credits=spendable,
        credits_per_call=credits_per_call,
        average_credits=average,
    )
