"""Each call belongs to one run of ``ringg_new_calls``, whether Airflow makes one of each event or of several."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from ringg_provider.warehouse import create_ringg_tables
from tests.support.dags import DagRunner
from tests.support.databases import Warehouse

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "runs", [[[0], [1], [2]], [[0, 1, 2]], [[0], [1, 2]]], ids=["one run an event", "one run of all", "some wait"]
)
def test_every_callback_is_counted_in_one_run(warehouse: Warehouse, run_dag: DagRunner, runs: list[list[int]]) -> None:
    create_ringg_tables(warehouse.engine)
    calls = sa.Table("ringg_calls", sa.MetaData(), autoload_with=warehouse.engine)
    needed = {column.name for column in calls.columns if not column.nullable and column.server_default is None}
    events = [SimpleNamespace(timestamp=NOON + timedelta(minutes=10 * number)) for number in range(3)]
    with warehouse.engine.begin() as connection:
        for number, event in enumerate(events):
            for call in range(number + 1):  # read a minute before it was announced
                moment = event.timestamp - timedelta(minutes=1)
                row = {name: moment if name.endswith(("_at", "_since")) else f"{number}-{call}" for name in needed}
                row |= {"changed_at": moment, "callback_requested": True} | dict.fromkeys(needed & BOOLEANS, True)
                connection.execute(calls.insert().values(row))
    count = run_dag.load("ringg_new_calls").get_task("count_callbacks").python_callable
    alias = count.__globals__["NEW_CALLS"]
    found = [count(Told(alias, events), Told(alias, [events[n] for n in run]))["callbacks"] for run in runs]
    assert found == [sum(number + 1 for number in run) for run in runs], "before, each counted the last hour"


@dataclass(frozen=True)
class Told:
    """The events of an alias, as Airflow hands them to a task; in 3.1 an alias is no key of a dict.

    :param alias: which.
    :param events: its events.
    """

    alias: Any
    events: list[Any]

    def __getitem__(self, alias: Any) -> list[Any]:
        assert alias is self.alias
        return self.events

    def get(self, alias: Any, _: Any) -> list[Any]:
        """As of a dict."""
        return self[alias]


BOOLEANS = {"is_final", "cost_final"}
