"""A budget out of which an operator pays what it launches: reserved before a start, given back where nothing was."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ringg_provider.exceptions import BudgetExhausted, InvalidRequest, RinggProviderError
from ringg_provider.launch.terms import Evidence, LaunchTarget, ListState
from ringg_provider.operators.launching import LaunchOperator, Start
from ringg_provider.operators.ledgers import ledger_connection, open_ledger

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.providers.common.compat.sdk import Context
    from sqlalchemy import Engine

    from ringg_provider.hooks.sql import StateConnection
    from ringg_provider.launch.course import Wave
    from ringg_provider.launch.item import LaunchItem
    from ringg_provider.launch.ledger import LaunchLedger
    from ringg_provider.launch.reservations import Reservations


class BudgetedOperator(LaunchOperator):
    """Base of the operators that pay what they launch out of a budget.

    :param budget: a :class:`~ringg_provider.launch.budget.Budget`, or a dict of its parameters. Needs a price:
        ``credits_per_call``, or a history that tells it. Default None.
    """

    def __init__(self, *, budget: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.budget = budget

    @abstractmethod
    def estimated_cost(self, items: Sequence[LaunchItem]) -> Decimal | None:
        """What lists will cost, in credits; None where that cannot be said."""

    def reserve(self, wave: Wave) -> datetime | None:
        """Reserve what each list of a wave is estimated to cost, all of them before the first is started.

        :return: None when it is reserved; otherwise when the next period of the budget begins, where it says to wait.
        :raises BudgetExhausted: there is not enough left, and it does not say to wait; nothing is reserved.
        :raises InvalidRequest: what a list will cost cannot be said.
        """
        if self.budget is None:
            return None
        # What a budget needs is loaded when a task runs, and not with every DAG file.
        from ringg_provider.launch.budget import Budget

        budget, key, now = Budget.of(self.budget), str(self.launch_key), datetime.now(UTC)
        reservations, intents = self.reservations(), self.ledger().for_key(key)
        try:
            for item in wave.items:
                amount = self.estimated_cost([item])
                if amount is None:
                    raise InvalidRequest(
                        f"budget: what {wave} will cost cannot be estimated, so nothing can be reserved. Give"
                        " credits_per_call.",
                        field="budget",
                    )
                launched = intents.find(str(item.list_id)) is not None
                reservations.reserve(budget, key, str(item.list_id), amount, now, launched=launched)
        except BudgetExhausted as exhausted:
            self.release(wave)
            if budget.on_exhausted == "fail" or exhausted.next_period is None:
                raise
            self.log.warning("%s %s waits until then.", exhausted, str(wave).capitalize())
            return datetime.fromisoformat(exhausted.next_period)
        return None

    def launch_and_wait(self, context: Context, start: Start, target: LaunchTarget, check: Callable[[], None]) -> str:
        """Start the list once its reservation was seen to stand; see :class:`LaunchOperator`."""
        return super().launch_and_wait(context, start, _Paid(target, partial(self.hold, start.list_id)), check)

    def hold(self, list_id: str) -> None:
        """Make sure, right before a start is sent, that no twin of this attempt has given its credits back.

        :raises BudgetExhausted: it has, and others have taken them.
        """
        if self.budget is not None:
            from ringg_provider.launch.budget import Budget

            budget = Budget.of(self.budget)
            self.reservations().hold(budget, str(self.launch_key), list_id, datetime.now(UTC))

    def release(self, wave: Wave) -> None:
        """Give back what was reserved for lists of which it is certain that they were not started."""
        if self.budget is None:
            return
        reservations, key = self.reservations(), str(self.launch_key)
        intents = self.ledger().for_key(key)
        for list_id in wave.list_ids:
            try:
                if intents.find(list_id) is None:
                    reservations.release(key, list_id, datetime.now(UTC))
            except RinggProviderError as error:
                self.log.warning("What was reserved for list %s stays reserved: %s", list_id, error)

    def ledger(self) -> LaunchLedger:
        """The launch ledger.

        :raises InvalidRequest: there is none.
        """
        kept = self._kept()
        return open_ledger(kept.conn_id, kept.field)

    def state_engine(self) -> Engine:
        """The state database, with the tables of calls."""
        from ringg_provider.hooks.sql import unpooled_engine

        kept = self._kept()
        if self.state_conn_id:
            return unpooled_engine(self.state_conn_id, field="state_conn_id")
        return unpooled_engine(kept.conn_id, field=kept.field)

    def reservations(self) -> Reservations:
        """The budgets, beside the ledger."""
        from ringg_provider.hooks.sql import unpooled_engine
        from ringg_provider.launch.reservations import Reservations

        kept = self._kept()
        return Reservations(unpooled_engine(kept.conn_id, field=kept.field), field=kept.field)

    def _kept(self) -> StateConnection:
        kept = ledger_connection(self.launch_key, self.ledger_conn_id, self.state_conn_id)
        if kept is None:
            raise InvalidRequest(
                "launches: were made without a launch key or without a ledger, which is where a rollout keeps what was"
                " started and that a brake was pulled. Give the operator that makes them launch_key and state_conn_id.",
                field="launches",
            )
        return kept


class _Paid:
    """A platform that is sent a start only after what it costs was seen to be reserved."""

    def __init__(self, target: LaunchTarget, hold: Callable[[], None]) -> None:
        self._target = target
        self._hold = hold

    def look(self, list_id: str) -> ListState:
        return self._target.look(list_id)

    def look_closer(self, list_id: str) -> Evidence:
        return self._target.look_closer(list_id)

    def start(self, request: Mapping[str, Any]) -> None:
        self._hold()
        self._target.start(request)
