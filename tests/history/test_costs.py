"""What a contact has cost so far, from the table of calls."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.exceptions import InvalidRequest
from ringg_provider.history.costs import LOOK_BACK, average_cost
from ringg_provider.history.tables import calls_table

NOW = dt.datetime.now(dt.UTC)


def store(engine: sa.Engine, *calls: dict[str, Any], name: str = "ringg_calls", schema: str | None = None) -> None:
    table = calls_table(name, schema=schema)
    table.create(engine, checkfirst=True)
    usual = {"agent_id": "a", "is_final": True, "cost_final": True, "created_at": NOW - dt.timedelta(days=1)}
    with engine.begin() as connection:
        for n, call in enumerate(calls):
            connection.execute(sa.insert(table).values(call_id=str(n), **usual | call))


def test_unanswered_calls_count_too(engine: sa.Engine) -> None:
    store(engine, {"cost": Decimal("1.5")}, {"cost": Decimal(0)}, {"cost": Decimal("0.25")})
    assert average_cost(engine, "ringg_calls", "a") == Decimal("0.5833")


@pytest.mark.parametrize(
    "other",
    [
        {"agent_id": "b"},
        {"is_final": False},
        {"cost_final": False},
        {"created_at": NOW - LOOK_BACK - dt.timedelta(hours=1)},
        {"created_at": None},
        {"cost": None},
    ],
    ids=["another agent", "running", "not settled", "long ago", "undated", "unknown"],
)
def test_only_settled_costs_of_this_agent_of_late_count(engine: sa.Engine, other: dict[str, Any]) -> None:
    store(engine, {"cost": Decimal(2)}, {"cost": Decimal(100), **other})
    assert average_cost(engine, "ringg_calls", "a") == Decimal("2.0000")


def test_where_the_platform_never_says_that_a_cost_is_settled_it_counts(engine: sa.Engine) -> None:
    store(engine, {"cost": Decimal(3), "cost_final": None})
    assert average_cost(engine, "ringg_calls", "a") == Decimal("3.0000")


def test_without_a_table_or_a_call_nothing_is_known(engine: sa.Engine) -> None:
    assert average_cost(engine, "ringg_calls", "a") is None
    store(engine)
    assert average_cost(engine, "ringg_calls", "a") is None


def test_the_table_can_stand_in_a_schema(warehouse: Any) -> None:
    warehouse.execute("CREATE SCHEMA billing")
    store(warehouse.engine, {"cost": Decimal(4)}, name="calls", schema="billing")
    assert average_cost(warehouse.engine, "billing.calls", "a") == Decimal("4.0000")
    with pytest.raises(InvalidRequest, match=r"history_table: there is no table calls, .* There is billing\.calls"):
        average_cost(warehouse.engine, "calls", "a")
