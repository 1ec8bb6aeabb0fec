"""What a contact has cost so far, from the table of calls: the price that no page of the vendor tells beforehand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ringg_provider.history.options import CALLS
from ringg_provider.history.tables import calls_table, not_found
from ringg_provider.sql.creating import is_there

if TYPE_CHECKING:
    from sqlalchemy import Engine

#: How far back calls tell what the next ones will cost.
LOOK_BACK = timedelta(days=90)


def average_cost(engine: Engine, table: str, agent_id: str) -> Decimal | None:
    """The average cost of an agent's calls of the last 90 days, unanswered ones included.

    A call is a contact on a list: a retry keeps its id. Its cost counts once the platform has settled it.

    :param engine: the warehouse.
    :param table: the table of calls, with or without its schema.
    :param agent_id: whose calls; another agent talks longer, or shorter.
    :return: credits per contact; None when the table has no such call, or when the default one is not there yet.
    :raises InvalidRequest: a table of another name than the default one is not there.
    """
    described = calls_table(table)
    if not is_there(engine, described):
        if table != CALLS:
            raise not_found(engine, described, "history_table", "so its calls tell no price.")
        return None
    calls = described.c
    average = sa.select(sa.func.avg(calls.cost)).where(
        calls.agent_id == agent_id,
        calls.is_final == sa.true(),
        sa.or_(calls.cost_final.is_(None), calls.cost_final == sa.true()),
        calls.created_at >= datetime.now(UTC) - LOOK_BACK,
    )
    with engine.connect() as connection:
        found = connection.execute(average).scalar()
    return None if found is None else Decimal(str(found)).quantize(Decimal("0.0001"))


def spent(engine: Engine, table: str, list_id: str) -> tuple[Decimal, bool] | None:
    """What the calls of a list have cost so far.

    :param engine: the database with the table of calls.
    :param table: the table of calls, with or without its schema.
    :param list_id: the list.
    :return: credits, and whether every call that is known has ended and is paid; None where no call is known.
    """
    described = calls_table(table)
    if not is_there(engine, described):
        return None
    calls = described.c
    unpaid = sa.or_(calls.is_final == sa.false(), calls.cost.is_(None), calls.cost_final == sa.false())
    query = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(calls.cost), 0),
        sa.func.sum(sa.case((unpaid, 1), else_=0)),
    ).where(calls.bulk_list_id == list_id)
    with engine.connect() as connection:
        number, cost, open_ones = connection.execute(query).one()
    return (Decimal(str(cost)), not open_ones) if number else None
