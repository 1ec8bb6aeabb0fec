"""Credits reserved before a start and settled by what it cost: `ringg_budgets`, in the state database.

Every change of a budget's period begins by locking its row, so that whoever comes second waits, and then sees what the
first one did. Nothing personal is stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from ringg_provider import wording
from ringg_provider.exceptions import BudgetExhausted, InvalidRequest, WrongState
from ringg_provider.launch.budget import LONGEST_NAME, PLACES, Budget, Period, as_credits
from ringg_provider.launch.table import LONGEST_KEY, START_SENT, STARTED, launches
from ringg_provider.sql.creating import create_tables, described
from ringg_provider.sql.dialects import require_state
from ringg_provider.sql.errors import begin_again, without_driver_errors
from ringg_provider.sql.types import Money, UtcDateTime

Result = TypeVar("Result")

log = logging.getLogger(__name__)

#: What a reservation's ``state`` says: for a start, with all that it cost, or given back because nothing was started.
RESERVED, SETTLED, RELEASED = "reserved", "settled", "released"

budgets = described(
    "ringg_budgets",
    sa.Column("name", sa.String(LONGEST_NAME), primary_key=True),
    sa.Column("period", sa.String(LONGEST_KEY), primary_key=True),
    sa.Column("per", sa.String(10), nullable=False),
    sa.Column("timezone", sa.String(64), nullable=False),
    sa.Column("credits", Money, nullable=False),
    # What all reservations of the period are charged with.
    sa.Column("committed", Money, nullable=False),
    sa.Column("ends", UtcDateTime),
    sa.Column("changed_at", UtcDateTime, nullable=False),
)
reservations = described(
    "ringg_budget_reservations",
    # A launch key with which of its waves or lists.
    sa.Column("launch_key", sa.String(LONGEST_KEY), primary_key=True),
    sa.Column("part", sa.String(100), primary_key=True),
    sa.Column("name", sa.String(LONGEST_NAME), nullable=False),
    sa.Column("period", sa.String(LONGEST_KEY), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("amount", Money, nullable=False),
    sa.Column("cost", Money),
    sa.Column("charged", Money, nullable=False),
    sa.Column("reserved_at", UtcDateTime, nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
    sa.Index("ix_ringg_budget_reservations_period", "name", "period"),
)


@dataclass(frozen=True)
class Reservation:
    """What stands for one part of a launch.

    :param launch_key: whose.
    :param part: which wave or list of it.
    :param name: the budget.
    :param period: the period that is charged.
    :param state: ``reserved``, ``settled`` or ``released``.
    :param amount: the estimate that was reserved.
    :param cost: what it has cost so far; None where nothing is known.
    :param charged: what the budget is charged with.
    """

    launch_key: str
    part: str
    name: str
    period: str
    state: str
    amount: Decimal
    cost: Decimal | None
    charged: Decimal

    @property
    def overrun(self) -> Decimal:
        """By how much it cost more than was reserved; 0 where it did not."""
        return max((self.cost or Decimal(0)) - self.amount, Decimal(0))


@dataclass(frozen=True)
class Standing:
    """How a budget stands in a period.

    :param credits: what may be spent.
    :param committed: what is reserved and spent.
    """

    credits: Decimal
    committed: Decimal

    @property
    def left(self) -> Decimal:
        """What can still be reserved; below 0 where costs exceeded what was reserved."""
        return self.credits - self.committed


class Reservations:
    """The reservations in one state database.

    :param engine: of the state database.
    :param schema: the schema that holds the tables; default the connection's own.
    :param field: the parameter that named the database, for the error. Default ``state_conn_id``.
    :raises InvalidRequest: the database cannot reserve in one atomic step; the message says why.
    """

    def __init__(self, engine: sa.Engine, schema: str | None = None, *, field: str = "state_conn_id") -> None:
        require_state(engine, for_="budgets", field=field)
        self.engine = engine.execution_options(schema_translate_map={None: schema}) if schema else engine
        create_tables(self.engine, budgets, reservations, launches)

    def reserve(
        self, budget: Budget, launch_key: str, part: str, amount: object, at: datetime, *, launched: bool = False
    ) -> Reservation:
        """Reserve credits before a start, in one atomic step. Asked again, it finds its own reservation.

        What is reserved and not started is held to the newest estimate, and charged to the next period once that has
        begun, if there is room. What was released is reserved anew.

        :param budget: of what.
        :param launch_key: the launch.
        :param part: which wave or list of it.
        :param amount: what it is estimated to cost.
        :param at: now, aware.
        :param launched: whether the ledger says that it was started already. Then nothing is asked: what stands stays,
            and what is not there is charged, so that its cost is not lost.
        :raises BudgetExhausted: there is not enough left; nothing has changed.
        :raises InvalidRequest: the budget's name is used with other periods or another zone.
        :raises QueryFailed, DatabaseUnavailable: the database refused.
        """
        period = budget.period(at, launch_key)
        wanted = as_credits(amount, "amount")
        self._open(budget, period, at)

        def take(connection: sa.Connection, stored: Reservation | None) -> Reservation:
            here = stored is not None and (stored.name, stored.period) == (budget.name, period.name)
            if stored is not None and stored.state != RELEASED:
                was_started = launched or stored.state == SETTLED or stored.cost is not None
                if was_started or stored.name != budget.name or (here and stored.amount == wanted):
                    return stored
            left = self._standing(connection, budget.name, period.name).left
            # What it holds by itself is its own.
            left += stored.charged if stored is not None and here else Decimal(0)
            if wanted > left and not launched:
                raise _exhausted(budget, period, wanted, left)
            if stored is not None:
                self._charge(connection, stored.name, stored.period, -stored.charged, at)
            self._charge(connection, budget.name, period.name, wanted, at)
            fresh = Reservation(launch_key, part, budget.name, period.name, RESERVED, wanted, None, wanted)
            self._write(connection, stored, fresh, at)
            return fresh

        return self._change(launch_key, part, take, (budget.name, period.name))

    def hold(self, budget: Budget, launch_key: str, part: str, at: datetime) -> Reservation:
        """Make sure, between a claim and its start, that what was reserved still is: a twin may have given it back.

        :param budget: of what.
        :param launch_key: the launch.
        :param part: which wave or list of it.
        :param at: now, aware.
        :raises BudgetExhausted: it was given back, and others have taken it.
        :raises WrongState: nothing was ever reserved for it.
        """
        stored = self.find(launch_key, part)
        if stored is None:
            raise _nothing_reserved(part)
        return self.reserve(budget, launch_key, part, stored.amount, at)

    def settle(self, launch_key: str, part: str, cost: object, at: datetime, *, final: bool = True) -> Reservation:
        """Charge what a part has really cost; as often as its costs change, also long after.

        :param launch_key: the launch.
        :param part: which wave or list of it.
        :param cost: what all its calls have cost so far.
        :param at: now, aware.
        :param final: whether no more is to come. While there is, no less than the estimate stays charged, and no less
            than was known before: of two attempts, the one that has read less may come last.
        :return: what stands now; `overrun` says by how much the estimate was wrong.
        :raises WrongState: nothing was reserved for it.
        """
        spent = as_credits(cost, "cost")

        def charge(connection: sa.Connection, stored: Reservation | None) -> Reservation:
            if stored is None:
                raise _nothing_reserved(part)
            settled = final or stored.state == SETTLED
            known = spent if final else max(spent, stored.cost or Decimal(0))
            charged = known if settled else max(known, stored.amount)
            fresh = replace(stored, state=SETTLED if settled else RESERVED, cost=known, charged=charged)
            self._charge(connection, stored.name, stored.period, charged - stored.charged, at)
            self._write(connection, stored, fresh, at)
            return fresh

        settled = self._change(launch_key, part, charge)
        self._tell(settled)
        return settled

    def release(self, launch_key: str, part: str, at: datetime) -> None:
        """Give back what was reserved, because nothing was started. Settled costs stay.

        Where the part is a list in the launch ledger of the same database, the ledger has the last word, in the same
        step: what another attempt has claimed meanwhile is not given back. Whoever starts a list therefore calls
        :meth:`hold` between its claim and its start.

        :param launch_key: the launch.
        :param part: which wave or list of it.
        :param at: now, aware.
        """
        row = launches.c.launch_key == launch_key, launches.c.list_id == part

        def give_back(connection: sa.Connection, stored: Reservation | None) -> None:
            # What has cost something was started.
            if stored is None or stored.state != RESERVED or stored.cost:
                return
            # A claim waits for this row, or was here first.
            connection.execute(sa.update(launches).where(*row).values(state=launches.c.state))
            state = connection.execute(sa.select(launches.c.state).where(*row)).scalar()
            if state in (START_SENT, STARTED):
                return
            self._charge(connection, stored.name, stored.period, -stored.charged, at)
            self._write(connection, stored, replace(stored, state=RELEASED, charged=Decimal(0)), at)

        self._change(launch_key, part, give_back)

    def find(self, launch_key: str, part: str) -> Reservation | None:
        """What stands for one part of a launch; None where nothing was ever reserved."""
        with self.engine.connect() as connection:
            return _stored(connection, launch_key, part)

    def standing(self, budget: Budget, launch_key: str, at: datetime) -> Standing:
        """How a budget stands in the period that an instant lies in."""
        period = budget.period(at, launch_key)
        with self.engine.connect() as connection:
            found = self._row(connection, budget.name, period.name)
        return Standing(budget.credits, Decimal(0)) if found is None else found

    # Inside.

    def _change(
        self,
        launch_key: str,
        part: str,
        change: Callable[[sa.Connection, Reservation | None], Result],
        *locked: tuple[str, str],
    ) -> Result:
        """Do something about a part in one transaction that holds the rows of all budgets concerned."""

        def attempt() -> Result:
            before = self.find(launch_key, part)
            periods = {*locked} | ({(before.name, before.period)} if before is not None else set())
            with self.engine.begin() as connection:
                # In one order, so that two do not wait for each other.
                for name, period in sorted(periods):
                    connection.execute(_of(name, period).values(committed=budgets.c.committed))
                stored = _stored(connection, launch_key, part)
                if stored is not None and (stored.name, stored.period) not in periods:
                    raise _MovedMeanwhile
                return change(connection, stored)

        def again() -> Result:
            while True:
                try:
                    return begin_again(attempt)
                except _MovedMeanwhile:
                    continue

        done: Result = without_driver_errors(f"table {budgets.name!r}", again)
        return done

    def _open(self, budget: Budget, period: Period, at: datetime) -> None:
        """Make the period's row, or hold it to the smallest number of credits that was asked for."""
        without_driver_errors(f"table {budgets.name!r}", begin_again, lambda: self._opened(budget, period, at))

    def _opened(self, budget: Budget, period: Period, at: datetime) -> None:
        with self.engine.connect() as connection:
            of_name = sa.select(budgets).where(budgets.c.name == budget.name)
            rows = connection.execute(of_name.where(sa.or_(budgets.c.period == period.name, budgets.c.ends > at))).all()
        for row in rows:
            if row.per != budget.per or (row.timezone != budget.timezone and budget.per != "launch"):
                raise InvalidRequest(
                    f"budget: {budget.name!r} is used per {row.per} in {row.timezone} by somebody else, and here per "
                    f"{budget.per} in {budget.timezone}. Give both the same, or another name.",
                    field="budget",
                )
        present = next((row for row in rows if row.period == period.name), None)
        if present is None:
            fresh = {"per": budget.per, "timezone": budget.timezone, "credits": budget.credits, "ends": period.ends}
            key = {"name": budget.name, "period": period.name}
            try:
                with self.engine.begin() as connection:
                    connection.execute(sa.insert(budgets).values(**key, **fresh, committed=Decimal(0), changed_at=at))
            except IntegrityError:
                # Somebody opened it meanwhile, maybe with other credits.
                self._opened(budget, period, at)
            return
        if (stored := _decimal(present.credits)) != budget.credits:
            log.warning(
                "Budget %s is given %s here and %s elsewhere: until the period %s ends, the smaller holds.",
                budget.name,
                wording.money(budget.credits),
                wording.money(stored),
                period.name,
            )
            smaller = _of(budget.name, period.name).where(budgets.c.credits > budget.credits)
            with self.engine.begin() as connection:
                connection.execute(smaller.values(credits=budget.credits))

    def _row(self, connection: sa.Connection, name: str, period: str) -> Standing | None:
        query = sa.select(budgets.c.credits, budgets.c.committed)
        row = connection.execute(query.where(budgets.c.name == name, budgets.c.period == period)).first()
        return None if row is None else Standing(_decimal(row.credits), _decimal(row.committed))

    def _standing(self, connection: sa.Connection, name: str, period: str) -> Standing:
        found = self._row(connection, name, period)
        if found is None:
            raise WrongState(f"Budget {name!r} has no row for {period!r} any more: somebody deleted it.")
        return found

    def _charge(self, connection: sa.Connection, name: str, period: str, more: Decimal, at: datetime) -> None:
        committed = self._standing(connection, name, period).committed + more
        connection.execute(_of(name, period).values(committed=committed, changed_at=at))

    def _write(self, connection: sa.Connection, before: Reservation | None, fresh: Reservation, at: datetime) -> None:
        values = {
            "name": fresh.name,
            "period": fresh.period,
            "state": fresh.state,
            "amount": fresh.amount,
            "cost": fresh.cost,
            "charged": fresh.charged,
            "changed_at": at,
        }
        if fresh.state == RESERVED and fresh.cost is None:
            values["reserved_at"] = at
        if before is None:
            key = {"launch_key": fresh.launch_key, "part": fresh.part}
            connection.execute(sa.insert(reservations).values(**key, **values))
        else:
            connection.execute(
                sa.update(reservations)
                .where(reservations.c.launch_key == fresh.launch_key, reservations.c.part == fresh.part)
                .values(**values)
            )

    def _tell(self, settled: Reservation) -> None:
        with self.engine.connect() as connection:
            standing = self._standing(connection, settled.name, settled.period)
        if settled.overrun:
            log.warning(
                "%s of launch key %s has cost %s, where %s were estimated: %s more. Budget %s has %s left in %s.",
                settled.part,
                settled.launch_key,
                wording.money(settled.cost),
                wording.money(settled.amount),
                wording.money(settled.overrun),
                settled.name,
                wording.money(standing.left),
                settled.period,
            )


class _MovedMeanwhile(Exception):
    """Another attempt has moved the reservation to a period whose row is not held."""


def _nothing_reserved(part: str) -> WrongState:
    return WrongState(f"Nothing is reserved for {part} of this launch key.")


def _exhausted(budget: Budget, period: Period, wanted: Decimal, left: Decimal) -> BudgetExhausted:
    begins = "" if period.ends is None else f" The next period begins {wording.moment(period.ends)}."
    return BudgetExhausted(
        f"Budget {budget.name!r} has {wording.money(max(left, Decimal(0)))} left in {period.name!r}, and "
        f"{wording.money(wanted)} are to be reserved; nothing is started.{begins}",
        required=wanted,
        available=left,
        next_period=None if period.ends is None else period.ends.isoformat(),
    )


def _of(name: str, period: str) -> sa.Update:
    return sa.update(budgets).where(budgets.c.name == name, budgets.c.period == period)


def _stored(connection: sa.Connection, launch_key: str, part: str) -> Reservation | None:
    of_part = sa.and_(reservations.c.launch_key == launch_key, reservations.c.part == part)
    row = connection.execute(sa.select(reservations).where(of_part)).first()
    if row is None:
        return None
    cost = None if row.cost is None else _decimal(row.cost)
    amount, charged = _decimal(row.amount), _decimal(row.charged)
    return Reservation(row.launch_key, row.part, row.name, row.period, row.state, amount, cost, charged)


def _decimal(value: Any) -> Decimal:
    # SQLite keeps a float.
    return Decimal(str(value)).quantize(PLACES)
