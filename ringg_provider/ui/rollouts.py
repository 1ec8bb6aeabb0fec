"""What the pages read of a rollout: its waves, the brake that was pulled, and what its budget stands at.

As in `queries.py`: each query is bounded and by a primary key or an index, and nothing personal is selected.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from ringg_provider.launch.reservations import RELEASED
from ringg_provider.ui import queries
from ringg_provider.ui.campaign import Campaign, Funnel
from ringg_provider.ui.tables import Tables

#: Reservations of one launch that are shown.
MOST_PARTS = 200


@dataclass(frozen=True)
class Wave:
    """The lists of a launch key that are started together.

    :param number: 0 the rehearsal, then 1 and so on.
    :param campaigns: they.
    """

    number: int
    campaigns: Sequence[Campaign]

    @property
    def title(self) -> str:
        """What to call it."""
        return f"Wave {self.number}" if self.number else "Rehearsal"

    @property
    def funnel(self) -> Funnel:
        """How many people of it came how far."""
        return Funnel.total([each.funnel for each in self.campaigns], None)

    @property
    def phases(self) -> list[str]:
        """Where its lists are, each once."""
        return list(dict.fromkeys(each.phase for each in self.campaigns))

    @property
    def cost(self) -> Decimal | None:
        """Of all its calls so far."""
        costs = [Decimal(str(each.cost)) for each in self.campaigns if each.cost is not None]
        return sum(costs, Decimal(0)) if costs else None


@dataclass(frozen=True)
class Spending:
    """What a launch takes of a budget in one period.

    :param name: the budget.
    :param period: a day, a month, or the launch itself.
    :param per: ``launch``, ``day`` or ``month``.
    :param credits: what may be spent in the period; None where the budget's row is gone.
    :param committed: what all launches reserved and spent of it.
    :param reserved: what this launch reserved,
    :param cost: and what of it has been spent so far; None where that is not known.
    """

    name: str
    period: str
    per: str | None
    credits: Decimal | None
    committed: Decimal | None
    reserved: Decimal
    cost: Decimal | None


def waves(
    connection: sa.Connection, tables: Tables, dags: Collection[str] | None, launch_key: str | None
) -> list[Wave]:
    """The waves of a launch key in their order; none where its lists are launched all at once.

    :param connection: to the state database.
    :param tables: what is there.
    :param dags: those whose campaigns the person may see; see `queries.py`.
    :param launch_key: the key; None for none.
    """
    if launch_key is None:
        return []
    of_key = queries.Filters(launch_key=launch_key)
    found = queries.campaigns(connection, tables, dags, of_key, limit=queries.MOST_TOGETHER).campaigns
    dealt = sorted((each for each in found if each.wave is not None), key=lambda each: (each.wave, each.title))
    return [Wave(number or 0, list(lists)) for number, lists in groupby(dealt, key=lambda each: each.wave)]


def spending(connection: sa.Connection, tables: Tables, launch_key: str | None) -> list[Spending]:
    """What a launch takes of its budgets, the latest period first; nothing where it has none."""
    table, budgets = tables.reservations, tables.budgets
    if launch_key is None or table is None or budgets is None:
        return []
    query = (
        sa.select(table.c.name, table.c.period, table.c.amount, table.c.cost)
        .add_columns(budgets.c.per, budgets.c.credits, budgets.c.committed)
        .select_from(table)
        .outerjoin(budgets, sa.and_(budgets.c.name == table.c.name, budgets.c.period == table.c.period))
        .where(table.c.launch_key == launch_key, table.c.state != RELEASED)
        .order_by(table.c.period.desc(), table.c.name, table.c.part)
        .limit(MOST_PARTS)
    )
    parts = groupby(connection.execute(query), key=lambda row: (row.period, row.name))
    return [_spending(list(rows)) for _, rows in parts]


def _spending(rows: Sequence[Any]) -> Spending:
    def total(values: list[Any]) -> Decimal:
        return sum((Decimal(str(value)) for value in values), Decimal(0))

    first, known = rows[0], [row.cost for row in rows if row.cost is not None]
    return Spending(
        first.name,
        first.period,
        first.per,
        first.credits,
        first.committed,
        total([row.amount for row in rows]),
        total(known) if known else None,
    )
