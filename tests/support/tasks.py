"""What an operator needs of Airflow for one attempt, so that one call does not take a whole DAG run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import Asset, AssetAlias


@dataclass
class Run:
    """The part of a DAG run that operators look at."""

    run_after: datetime = field(default_factory=lambda: datetime.now(UTC))
    run_type: str = "scheduled"
    start_date: datetime | None = None
    clear_number: int = 0

    def __post_init__(self) -> None:
        self.start_date = self.start_date or self.run_after


@dataclass
class TaskInstance:
    """Keeps what the task pushes."""

    dag_id: str = "dag"
    run_id: str = "run"
    task_id: str = "task"
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    start_date: datetime = field(default_factory=lambda: datetime.now(UTC))
    xcom: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcom[key] = value


def context(**run: Any) -> Any:
    """The context of an attempt; `run` are fields of its DAG run."""
    return {"ti": TaskInstance(), "dag_run": Run(**run)}


class OutletEvents:
    """Stands where Airflow's outlet events stand, and remembers; in Airflow 3.1 an alias is no key of a dict."""

    class Event:
        def __init__(self) -> None:
            self.extra: dict[str, Any] = {}
            self.added: list[tuple[Asset, dict[str, Any]]] = []

        def add(self, asset: Asset, extra: dict[str, Any]) -> None:
            self.added.append((asset, extra))

    def __init__(self) -> None:
        self._events: dict[str, OutletEvents.Event] = {}

    def __getitem__(self, outlet: Asset | AssetAlias) -> Event:
        return self._events.setdefault(outlet.name, self.Event())
